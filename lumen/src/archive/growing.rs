//! Where the growing files of a run at work end, so that they belong to one checkpoint: where a run that goes on from it
//! cuts them too.

use std::path::Path;

use resonetics_runs::Error;
use resonetics_runs::files::end_of_last;
use resonetics_runs::tensorboard::bytes_until;
use serde_json::Value;

use super::source::{Attempt, attempted, opened};
use crate::event::FILE as EVENTS;
use crate::log::METRICS;

/// The moment at which a run is frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// The run's table, and its bytes then.
    pub(super) csv: (&'static str, u64),
    /// Steps behind it.
    pub(super) steps: u64,
    /// The same in updates; of a drift in steps.
    pub(super) clock: u64,
}

/// How many bytes of the file `name` of the run at work in `run` are frozen; `None` for a file that is written whole.
/// Without a moment, as in runs that have no checkpoints, logs and tables end with their last whole line.
pub(super) fn length(run: &Path, name: &str, moment: Option<&Moment>) -> Result<Option<u64>, Attempt> {
    let path = run.join(name);
    let lines = |wanted: &mut dyn FnMut(&[u8]) -> bool| -> Result<Option<u64>, Attempt> {
        let (file, _) = opened(&path)?;
        Ok(Some(end_of_last(&file, &path, wanted)?))
    };
    if let Some(Moment { csv: (csv, bytes), steps, clock }) = moment {
        let until = |line: &[u8], keys: &[&str]| number(line, keys).is_some_and(|number| number <= *clock);
        if name == *csv {
            return Ok(Some(*bytes));
        }
        if name == "timing.jsonl" {
            return lines(&mut |line| until(line, &["update"]));
        }
        if name == EVENTS {
            return lines(&mut |line| until(line, &["trace", "clock"]));
        }
        if name == METRICS && run.join(EVENTS).exists() {
            return metrics(run, *clock);
        }
        if is_board(name) {
            let (file, _) = opened(&path)?;
            return Ok(Some(bytes_until(&file, *steps).map_err(attempted("read", &path))?));
        }
    }
    let grows = Path::new(name).extension().is_some_and(|ending| ending == "csv" || ending == "jsonl");
    if grows { lines(&mut |_| true) } else { Ok(None) }
}

/// Rows of metrics.csv up to the last event at or before `clock`, by which a run that goes on writes it anew.
fn metrics(run: &Path, clock: u64) -> Result<Option<u64>, Attempt> {
    let (events, metrics) = (run.join(EVENTS), run.join(METRICS));
    let (log, _) = opened(&events)?;
    let mut last = None;
    end_of_last(&log, &events, |line| {
        let event: Value = serde_json::from_slice(line).unwrap_or_default();
        let is_before = number_of(&event, &["trace", "clock"]).is_some_and(|number| number <= clock);
        if is_before {
            last = event.get("ts").and_then(Value::as_str).map(str::to_owned);
        }
        is_before
    })?;
    let (file, _) = opened(&metrics)?;
    let last = last.unwrap_or_default();
    let end = end_of_last(&file, &metrics, |line| {
        let ts = line.split(|&byte| byte == b',').next().unwrap_or_default();
        // The header, and times, which are in the order of their letters.
        ts == b"ts" || ts <= last.as_bytes()
    })?;
    Ok(Some(end))
}

fn is_board(name: &str) -> bool {
    name.strip_prefix("tensorboard/").is_some_and(|name| name.contains("tfevents"))
}

fn number(line: &[u8], keys: &[&str]) -> Option<u64> {
    number_of(&serde_json::from_slice(line).ok()?, keys)
}

fn number_of(value: &Value, keys: &[&str]) -> Option<u64> {
    keys.iter().try_fold(value, |value, key| value.get(key))?.as_u64()
}

impl Moment {
    /// Refuses a table that is shorter than its checkpoint says.
    pub(super) fn check(&self, run: &Path) -> Result<(), Attempt> {
        let (name, bytes) = self.csv;
        let path = run.join(name);
        let (_, found) = opened(&path)?;
        if found < bytes {
            return Err(Attempt::Failed(Error::Refused(format!(
                "{} has {found} bytes, its checkpoint says {bytes}: it was cut; put it back as it was",
                path.display()
            ))));
        }
        Ok(())
    }
}
