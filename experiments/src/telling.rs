//! How commands listen to who tells their runs something while they are at work.

use std::path::Path;
use std::time::Duration;

use resonetics_runs::commands::Inbox;
use resonetics_runs::commands::inbox::Asked;

use crate::out::note;

/// How long a run that is paused waits before it looks for signals.
const MOMENT: Duration = Duration::from_millis(50);

/// Listens for the run in `dir`. Where that cannot be, the run goes on and is told nothing.
pub fn inbox(dir: &Path) -> Option<Inbox> {
    Inbox::open(dir)
        .map_err(|problem| note(format_args!("{problem}; `lumen ctl` cannot reach this run")))
        .ok()
}

/// Who has asked since; where the run is `paused` it waits for a moment.
pub fn asked(inbox: Option<&Inbox>, paused: bool) -> Vec<Asked> {
    let wait = if paused { MOMENT } else { Duration::ZERO };
    inbox.map_or_else(Vec::new, |inbox| inbox.take(wait))
}
