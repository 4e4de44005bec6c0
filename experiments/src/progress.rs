//! A progress bar for a person who waits.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Once;
use std::time::{Duration, Instant};

/// Work that ends sooner shows no bar at all.
const SHOW_AFTER: Duration = Duration::from_secs(2);

/// A bar on standard error, cleared when it is finished or dropped.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    wanted: bool,
    shown: Once,
}

impl Progress {
    /// A bar for `total` steps, counted in `unit`; none if `quiet` or if standard error is no
    /// terminal. It is plain if `NO_COLOR` is set and not empty.
    #[must_use]
    pub fn new(total: u64, unit: &str, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden())
            .with_prefix(unit.to_owned());
        Self {
            bar,
            started: Instant::now(),
            wanted: !quiet && std::io::stderr().is_terminal(),
            shown: Once::new(),
        }
    }

    /// Counts `steps` more.
    pub fn inc(&self, steps: u64) {
        self.show_when_due();
        self.bar.inc(steps);
    }

    /// Shows that the work goes on, where the next count is far off.
    pub fn tick(&self) {
        if self.wanted {
            self.show_when_due();
            self.bar.tick();
        }
    }

    /// Replaces the text behind the bar.
    pub fn message(&self, text: impl Into<String>) {
        self.show_when_due();
        self.bar.set_message(text.into());
    }

    /// Takes the bar off the screen.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }

    fn show_when_due(&self) {
        if self.wanted && !self.shown.is_completed() && self.started.elapsed() >= SHOW_AFTER {
            self.shown.call_once(|| self.show());
        }
    }

    fn show(&self) {
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        // Set on a hidden bar, the style would ask standard output whether it takes colour.
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        self.bar.set_style(style(colour));
    }
}

fn style(colour: bool) -> ProgressStyle {
    ProgressStyle::with_template(template(colour)).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn template(colour: bool) -> &'static str {
    if colour {
        "{bar:30.cyan} {human_pos}/{human_len} {prefix}, {eta} left {wide_msg}"
    } else {
        "{bar:30} {human_pos}/{human_len} {prefix}, {eta} left {wide_msg}"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_valid() {
        for colour in [true, false] {
            ProgressStyle::with_template(template(colour)).unwrap();
        }
    }

    #[test]
    fn threads_can_share_it() {
        let progress = Progress::new(4000, "steps", true);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| progress.inc(1)));
            }
        });
        assert_eq!(progress.bar.position(), 4000);
    }
}
