//! What a person who waits is shown: a bar in a terminal, a line now and then in a file.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, Once, Weak};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use resonetics_runs::progress::Progress;

/// Work that ends sooner shows nothing at all.
const SHOW_AFTER: Duration = Duration::from_secs(2);
/// After so long there is a line, however little was done.
const LINE_AFTER: Duration = Duration::from_secs(10);
/// Lines are no closer than this, however much was done.
const LINE_GAP: Duration = Duration::from_secs(1);
/// So many lines there are of quick work.
const LINES: u64 = 10;

/// A bar on standard error, cleared when it is finished or dropped; lines where that is no terminal. Both come
/// also while a single step takes long.
pub struct Bar(Arc<Shown>);

struct Shown {
    bar: ProgressBar,
    started: Instant,
    shows: Shows,
    began: Once,
    line: Mutex<Line>,
}

/// Where the work is to be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Nothing,
    Bar,
    Lines,
}

/// The last line, or the beginning.
struct Line {
    at: Duration,
    position: u64,
}

impl Line {
    /// Whether the next one is due.
    fn is_due(&self, now: Duration, position: u64, total: u64) -> bool {
        let gap = now.saturating_sub(self.at);
        // A resumed work begins far on: what it starts with is no tenth of its own.
        let tenth = total > 0 && position.saturating_sub(self.position) >= total.div_ceil(LINES);
        let first = self.at.is_zero();
        now >= SHOW_AFTER && (first || gap >= LINE_AFTER || gap >= LINE_GAP && tenth)
    }
}

impl Bar {
    /// For `total` steps, counted in `unit`; shows nothing if `quiet`. It is plain if `NO_COLOR` is set and
    /// not empty.
    #[must_use]
    pub fn new(total: u64, unit: &str, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden())
            .with_prefix(unit.to_owned());
        let shows = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Shows::Nothing,
            (false, true) => Shows::Bar,
            (false, false) => Shows::Lines,
        };
        let line = Mutex::new(Line { at: Duration::ZERO, position: 0 });
        let shown = Arc::new(Shown { bar, started: Instant::now(), shows, began: Once::new(), line });
        if shows != Shows::Nothing {
            watch(Arc::downgrade(&shown));
        }
        Self(shown)
    }

    /// Begins with `steps` that were done before.
    pub fn begin_at(&self, steps: u64) {
        self.0.bar.inc(steps);
        if let Ok(mut line) = self.0.line.lock() {
            line.position = steps;
        }
    }

    /// Counts `steps` more.
    pub fn inc(&self, steps: u64) {
        self.0.bar.inc(steps);
        self.0.show_when_due();
    }

    /// Shows that the work goes on, where the next count is far off.
    pub fn tick(&self) {
        self.0.show_when_due();
        if self.0.shows == Shows::Bar {
            self.0.bar.tick();
        }
    }

    /// Replaces the text behind the bar; a line brings it with the next count.
    pub fn message(&self, text: impl Into<String>) {
        self.0.bar.set_message(text.into());
        if self.0.shows == Shows::Bar {
            self.0.show_when_due();
        }
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.0.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn begin_at(&self, count: u64) {
        Bar::begin_at(self, count);
    }

    fn inc(&self, count: u64) {
        Bar::inc(self, count);
    }

    fn tick(&self) {
        Bar::tick(self);
    }

    fn message(&self, text: &str) {
        Bar::message(self, text);
    }

    fn finish(&self) {
        Bar::finish(self);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.bar.finish_and_clear();
    }
}

/// Looks every second whether there is something to show, for as long as the work goes on.
fn watch(shown: Weak<Shown>) {
    // Without a thread more there are only the steps to show it.
    let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(LINE_GAP);
            let Some(shown) = shown.upgrade() else { return };
            shown.show_when_due();
        }
    });
}

impl Shown {
    fn show_when_due(&self) {
        match self.shows {
            _ if self.bar.is_finished() => {}
            Shows::Nothing => {}
            Shows::Bar if self.began.is_completed() || self.started.elapsed() < SHOW_AFTER => {}
            Shows::Bar => self.began.call_once(|| self.show()),
            // Who finds it locked is beside a thread that is writing the line.
            Shows::Lines => {
                if let Ok(mut line) = self.line.try_lock() {
                    let (now, position) = (self.started.elapsed(), self.bar.position());
                    if line.is_due(now, position, self.bar.length().unwrap_or(0)) {
                        *line = Line { at: now, position };
                        // Nobody may be reading: the work goes on all the same.
                        let _ = writeln!(std::io::stderr(), "{}", self.text(now));
                    }
                }
            }
        }
    }

    /// A line, `[12 s] 40 of 390 updates, return 28.50`.
    fn text(&self, now: Duration) -> String {
        let (position, unit) = (self.bar.position(), self.bar.prefix());
        let of = self
            .bar
            .length()
            .filter(|&total| total > 0)
            .map_or(String::new(), |total| format!(" of {total}"));
        let message = self.bar.message();
        let message = if message.is_empty() { String::new() } else { format!(", {message}") };
        format!("[{} s] {position}{of} {unit}{message}", now.as_secs())
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

    /// One soon, then one every ten seconds of slow work, each tenth of quick work, and never two in a second.
    #[test]
    fn lines_come_now_and_then() {
        let lines = |total: u64, each: u64, seconds: u64| {
            let mut line = Line { at: Duration::ZERO, position: 0 };
            let mut at = Vec::new();
            for tenth in 1..=10 * seconds {
                let (now, position) = (Duration::from_millis(100 * tenth), tenth * each);
                if line.is_due(now, position, total) {
                    line = Line { at: now, position };
                    at.push(now.as_secs_f64());
                }
            }
            at
        };
        assert_eq!(lines(0, 1, 35), [2.0, 12.0, 22.0, 32.0]);
        assert_eq!(lines(1_000_000, 1, 25), [2.0, 12.0, 22.0]);
        assert_eq!(lines(400, 1, 40), [2.0, 6.0, 10.0, 14.0, 18.0, 22.0, 26.0, 30.0, 34.0, 38.0]);
        assert_eq!(lines(50, 1, 5), [2.0, 3.0, 4.0, 5.0]);
        assert!(lines(15, 1, 1).is_empty(), "work that ends at once says nothing");
    }

    #[test]
    fn a_line_says_how_far_the_work_is() {
        let progress = Bar::new(390, "updates", true);
        progress.begin_at(30);
        progress.inc(10);
        assert_eq!(progress.0.text(Duration::from_millis(12_900)), "[12 s] 40 of 390 updates");
        progress.message("return 28.50");
        assert_eq!(progress.0.text(Duration::from_secs(13)), "[13 s] 40 of 390 updates, return 28.50");
        assert_eq!(Bar::new(0, "episodes", true).0.text(Duration::ZERO), "[0 s] 0 episodes");
    }

    #[test]
    fn threads_can_share_it() {
        let progress = Bar::new(4000, "steps", true);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| progress.inc(1)));
            }
        });
        assert_eq!(progress.0.bar.position(), 4000);
    }
}
