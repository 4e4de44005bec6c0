//! `timing.jsonl`: how long the updates of a training took, and when the last one was.
//!
//! A line says how many steps a second its update made, and no time of day. What is known of that is when the file was
//! last written. So an update lies before the last one by the time of those between them, as if nothing had been done
//! but updates: with long evaluations it is taken for later than it was, never for earlier.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use humantime::parse_rfc3339;
use resonetics_runs::{Error, error, files};
use serde::Deserialize;

/// The name of the file.
pub const FILE: &str = "timing.jsonl";

/// The most bytes of one: five million updates or so.
const MOST_BYTES: u64 = 256 << 20;

/// Seconds of updates that are taken together: many turns of the scheduler.
const STRETCH_S: f64 = 0.25;

/// An update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// Steps a second; above 0.
    pub rate: f64,
    /// How long it took.
    pub seconds: f64,
}

/// What a run's file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timing {
    /// Its updates in order; those whose rate was rounded to 0 are left out.
    pub updates: Vec<Update>,
    /// When the file was last written, in seconds since 1970.
    pub written: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    update: u64,
    steps: u64,
    steps_per_second: f64,
}

impl Timing {
    /// What the run in `folder` says; `None` where there is no such file.
    ///
    /// # Errors
    /// [`Error::Refused`] for a whole line that is none, with its number; any I/O error. A last line without line end is
    /// passed over: a kill may have cut it.
    pub fn read(folder: &Path) -> Result<Option<Timing>, Error> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let written = written(&path)?;
        let text = files::text_within(&path, MOST_BYTES)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut updates = Vec::new();
        for (number, line) in whole.lines().enumerate() {
            let refused =
                |reason: String| Error::Refused(format!("{}, line {}: {reason}", path.display(), number + 1));
            let line: Line = serde_json::from_str(line).map_err(|error| refused(error.to_string()))?;
            if line.update == 0 || line.steps < line.update || line.steps_per_second < 0.0 {
                return Err(refused("update, steps and steps_per_second cannot be so".to_owned()));
            }
            if line.steps_per_second > 0.0 {
                // All updates of a training make as many steps.
                let steps = line.steps as f64 / line.update as f64;
                let rate = line.steps_per_second;
                updates.push(Update { rate, seconds: steps / rate });
            }
        }
        Ok(Some(Timing { updates, written }))
    }

    /// The updates that ended after `from`, if the last one ended at `last`, both in seconds since 1970.
    #[must_use]
    pub fn since(&self, from: f64, last: f64) -> &[Update] {
        let mut ended = last;
        let mut first = self.updates.len();
        while first > 0 && ended >= from {
            first -= 1;
            ended -= self.updates[first].seconds;
        }
        &self.updates[first..]
    }
}

/// Steps a second of stretches of `updates`: in a row, each until it has taken a quarter of a second. What is left at the end of them is
/// no stretch.
#[must_use]
pub fn stretches(updates: &[Update]) -> Vec<f64> {
    let (mut rates, mut steps, mut seconds) = (Vec::new(), 0.0, 0.0);
    for update in updates {
        steps += update.rate * update.seconds;
        seconds += update.seconds;
        if seconds >= STRETCH_S {
            rates.push(steps / seconds);
            (steps, seconds) = (0.0, 0.0);
        }
    }
    rates
}

/// When the file at `path` was last written, in seconds since 1970.
///
/// # Errors
/// Any I/O error.
pub fn written(path: &Path) -> Result<f64, Error> {
    let time =
        fs::metadata(path).and_then(|metadata| metadata.modified()).map_err(error::io("read", path))?;
    Ok(time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()))
}

/// The seconds since 1970 of a time in RFC 3339.
#[must_use]
pub fn seconds_of(time: &str) -> Option<f64> {
    Some(parse_rfc3339(time).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<Timing>, Error> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), text).unwrap();
        Timing::read(dir.path())
    }

    #[test]
    fn an_update_takes_its_steps_over_its_rate() {
        let text = "{\"update\":1,\"steps\":512,\"steps_per_second\":256}\n{\"update\":2,\"steps\":1024,\"steps_per_second\":1024.0}\n{\"upd";
        let timing = of(text).unwrap().unwrap();
        let expected = [Update { rate: 256.0, seconds: 2.0 }, Update { rate: 1024.0, seconds: 0.5 }];
        assert_eq!(timing.updates, expected);
        assert!(timing.written > 1.7e9);
        // The last ended at 100, the one before at 99.5.
        assert_eq!(timing.since(99.6, 100.0).len(), 1);
        assert_eq!(timing.since(99.5, 100.0).len(), 2);
        assert_eq!(timing.since(100.1, 100.0).len(), 0);
    }

    #[test]
    fn a_stretch_takes_a_quarter_of_a_second() {
        let updates = |all: &[(f64, f64)]| {
            all.iter().map(|&(rate, seconds)| Update { rate, seconds }).collect::<Vec<Update>>()
        };
        // 16 steps in 1/16 s and 16 in 3/16 s, then 256 in 2 s, then one that is not over.
        let some = updates(&[(256.0, 0.0625), (16.0 / 0.1875, 0.1875), (128.0, 2.0), (128.0, 0.125)]);
        assert_eq!(stretches(&some), [128.0, 128.0]);
        assert_eq!(stretches(&[]), [] as [f64; 0]);
    }

    #[test]
    fn a_whole_line_that_is_none_is_refused() {
        for line in [
            "{}",
            "x",
            r#"{"update":1,"steps":1,"steps_per_second":NaN}"#,
            r#"{"update":0,"steps":1,"steps_per_second":1}"#,
        ] {
            let error = of(&format!("{line}\n")).unwrap_err().to_string();
            assert!(error.contains("line 1"), "{error}");
        }
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Timing::read(dir.path()).unwrap(), None);
    }
}
