//! A show on the terminal: the grid as coloured cells, its numbers and their past beside it.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Instant;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use resonetics_runs::error::{self, Error};
use resonetics_runs::interrupt;
use signal_hook::consts::SIGTSTP;
use signal_hook::low_level;

use self::shown::{View, Wish};
use crate::view::show::{FASTEST, RATES, Show, pace};

mod draw;
mod shown;

/// The terminal in raw mode on its other screen, until this is dropped or the program panics.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Screen> {
        ratatui::try_init().map(Screen)
    }

    /// Hands the terminal to the shell until it lets the program go on (Ctrl-Z and `fg`).
    fn suspend(&mut self) -> io::Result<()> {
        ratatui::try_restore()?;
        low_level::raise(SIGTSTP)?;
        self.0 = ratatui::try_init()?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone away needs no restoring.
        let _ = ratatui::try_restore();
    }
}

/// Whether somebody can watch: refused in a pipe, before the work.
///
/// # Errors
/// [`Error::Refused`] if standard input or output is no terminal, or `TERM` names none or a dumb one.
pub fn check() -> Result<(), Error> {
    let term = std::env::var("TERM").unwrap_or_default();
    let problem = if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        "this is not a terminal to watch in: run it in one"
    } else if matches!(term.as_str(), "" | "dumb" | "unknown") {
        "according to TERM this terminal cannot move its cursor: run it in one that can"
    } else {
        return Ok(());
    };
    Err(Error::Refused(format!("{problem}, or write pictures with --gif FILE or --png FILE")))
}

/// Shows `show` until who watches has seen enough.
///
/// # Errors
/// [`Error::Interrupted`]; [`Error::Failed`] if the terminal goes away.
pub fn watch(show: Show, title: String) -> Result<(), Error> {
    let terminal = Path::new("the terminal");
    let mut screen = Screen::open().map_err(error::io("open", terminal))?;
    play(&mut screen, show, title)
}

fn play(screen: &mut Screen, mut show: Show, title: String) -> Result<(), Error> {
    let lost = |what: &'static str| error::io(what, Path::new("the terminal"));
    let ink = draw::Ink::of_terminal();
    let mut view = View::new(title, show.scene());
    let mut due = Instant::now();
    loop {
        interrupt::check()?;
        screen.0.draw(|frame| draw::draw(frame, &view, ink)).map_err(lost("draw on"))?;
        let wait = due.saturating_duration_since(Instant::now()).min(FASTEST);
        let wait = if view.paused || show.ended() { FASTEST } else { wait };
        let mut steps = 0;
        if event::poll(wait).map_err(lost("read from"))? {
            if let Event::Key(key) = event::read().map_err(lost("read from"))? {
                match view.press(key) {
                    Wish::Nothing => {}
                    Wish::Step => steps = 1,
                    Wish::Suspend => screen.suspend().map_err(lost("open"))?,
                    Wish::Quit => return Ok(()),
                }
            }
        } else if !view.paused && Instant::now() >= due {
            let (between, together) = pace(RATES[view.rate]);
            // From now on, so that a slow terminal is not chased by steps that it has missed.
            due = Instant::now() + between;
            steps = together;
        }
        let started = Instant::now();
        for _ in 0..steps {
            if show.ended() || started.elapsed() > FASTEST {
                break;
            }
            show.step()?;
            view.show(show.scene());
        }
    }
}

#[cfg(test)]
mod tests;
