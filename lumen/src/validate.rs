//! Whether a file is what its schema says, and if not, where (A16). The schemas are files in `schemas/`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use jsonschema::Validator;
use resonetics_runs::files::{self, TEXT};
use resonetics_runs::{Error, error, interrupt};
use serde_json::Value;

use self::place::place;
use crate::resonance::metrics::FIELDS;
use crate::resonance::observer::{self, ObserverField};
use crate::resonance::{map, metrics};
use crate::{event, ledger};

mod place;

/// The most faults that are kept.
const FIRST: usize = 20;
/// The most bytes of a line.
const MOST_BYTES: u64 = 1 << 20;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines of version 1 of the memory bridge.
    EventV1,
    /// Lines of version 2.
    EventV2,
    /// `metrics.json`.
    Metrics,
    /// `resonance.json`.
    Resonance,
    /// Lines of `runs.jsonl`.
    Runs,
    /// `observer_field.yaml`, which has no schema but its parser.
    ObserverField,
}

impl Kind {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EventV1 => "events, version 1",
            Self::EventV2 => "events, version 2",
            Self::Metrics => "metrics",
            Self::Resonance => "resonance",
            Self::Runs => "ledger of runs",
            Self::ObserverField => "observer field",
        }
    }

    /// The text of its JSON Schema; `None` where it is not JSON.
    #[must_use]
    pub fn schema(self) -> Option<&'static str> {
        match self {
            Self::EventV1 => Some(include_str!("../schemas/event-v1.json")),
            Self::EventV2 => Some(include_str!("../schemas/event-v2.json")),
            Self::Metrics => Some(include_str!("../schemas/metrics.json")),
            Self::Resonance => Some(include_str!("../schemas/resonance.json")),
            Self::Runs => Some(include_str!("../schemas/runs.json")),
            Self::ObserverField => None,
        }
    }

    fn is_lines(self) -> bool {
        matches!(self, Self::EventV1 | Self::EventV2 | Self::Runs)
    }

    fn of_name(path: &Path) -> Option<Kind> {
        match path.file_name()?.to_str()? {
            name if name == event::FILE => Some(Self::EventV1),
            name if name == metrics::FILE => Some(Self::Metrics),
            name if name == map::FILE => Some(Self::Resonance),
            name if name == ledger::FILE => Some(Self::Runs),
            name if name == observer::FILE => Some(Self::ObserverField),
            _ => None,
        }
    }

    /// By the fields that only this kind has.
    fn of_fields(value: &Value) -> Option<Kind> {
        let object = value.as_object()?;
        let has = |name: &&str| object.contains_key(*name);
        let any = |names: &[&str]| names.iter().any(has);
        Some(match () {
            () if any(&["phase_field", "harmony_index"]) => Self::EventV2,
            () if any(&["memory_bridge", "resonance_v3", "event_type"]) => Self::EventV1,
            () if any(&["run_id"]) => Self::Runs,
            () if any(&["partial", "coherence"]) => Self::Resonance,
            () if any(&FIELDS) || any(&["sli", "tlog", "latency", "custody", "attest"]) => Self::Metrics,
            () => return None,
        })
    }
}

/// Something that is not as its schema says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: u64,
    /// From 1, in bytes.
    pub column: u64,
    /// Why.
    pub reason: String,
}

/// What was found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it is.
    pub kind: Kind,
    /// Lines, or 1 of a document.
    pub records: u64,
    /// All faults.
    pub faults: u64,
    /// The first 20 of them.
    pub first: Vec<Fault>,
}

impl Checked {
    fn add(&mut self, line: u64, column: u64, reason: String) {
        self.faults += 1;
        if self.first.len() < FIRST {
            self.first.push(Fault { line, column, reason });
        }
    }

    /// Checks a record whose text begins in the line before `after`, counted from 0.
    fn record(&mut self, text: &str, after: u64, validator: &Validator) {
        self.records += 1;
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => {
                let said = error.to_string();
                let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
                return self.add(after + error.line() as u64, error.column() as u64, said.to_owned());
            }
        };
        let before = self.faults;
        for error in validator.iter_errors(&value) {
            let pointer = error.instance_path().as_str();
            let (line, column) = place(text, pointer);
            let at = if pointer.is_empty() { String::new() } else { format!("{pointer}: ") };
            self.add(after + line, column, format!("{at}{error}"));
        }
        // What a schema cannot say, and the store asks for.
        if self.kind == Kind::EventV1
            && self.faults == before
            && let Err(why) = crate::store::event(text.as_bytes())
        {
            self.add(after + 1, 1, why);
        }
    }
}

/// Checks the file at `path`: what it is, its name or its first record tells.
///
/// # Errors
/// [`Error::Unknown`] for a file that is of no kind that is known; those of opening and reading it. What is wrong in it
/// is no error but a [`Fault`].
pub fn validate(path: &Path) -> Result<Checked, Error> {
    let kind = match Kind::of_name(path) {
        Some(kind) => kind,
        None => guessed(path)?,
    };
    let mut checked = Checked { kind, records: 0, faults: 0, first: Vec::new() };
    let Some(schema) = kind.schema() else {
        yaml(path, &mut checked)?;
        return Ok(checked);
    };
    let validator = validator(schema)?;
    if kind.is_lines() {
        let mut lines = Lines::open(path)?;
        while let Some((number, line)) = lines.next(path)? {
            interrupt::check()?;
            match line {
                Ok(line) => checked.record(&line, number, &validator),
                Err(reason) => {
                    checked.records += 1;
                    checked.add(number + 1, 1, reason);
                }
            }
        }
    } else {
        checked.record(&files::text(path)?, 0, &validator);
    }
    Ok(checked)
}

/// The validator of one of our schemas. Formats are asserted, which the draft alone would not do.
///
/// # Errors
/// [`Error::Failed`] if the schema is none.
pub fn validator(schema: &str) -> Result<Validator, Error> {
    let failed =
        |error: String| Error::Failed(format!("a schema cannot be used: {error}; please report this"));
    let schema: Value = serde_json::from_str(schema).map_err(|error| failed(error.to_string()))?;
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema).map_err(|error| failed(error.to_string()))
}

/// What the first record is of, or the whole file, if that is one document.
fn guessed(path: &Path) -> Result<Kind, Error> {
    let first = match Lines::open(path)?.next(path)? {
        Some((_, Ok(line))) => serde_json::from_str(&line).ok(),
        _ => None,
    };
    let whole = || {
        let bytes = files::read(path, TEXT).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    first.or_else(whole).and_then(|value| Kind::of_fields(&value)).ok_or_else(|| {
        Error::Unknown(format!(
            "{}: it is not known what this is; known by their fields or names are: {}, {}, {}, {}, {}",
            path.display(),
            event::FILE,
            metrics::FILE,
            map::FILE,
            ledger::FILE,
            observer::FILE
        ))
    })
}

/// An observer field says its own place.
fn yaml(path: &Path, checked: &mut Checked) -> Result<(), Error> {
    checked.records = 1;
    if let Err(error) = ObserverField::parse("", &files::text(path)?) {
        let said = error.to_string();
        let number = |word: &str| {
            let digits = said.split_once(word)?.1.split(|letter: char| !letter.is_ascii_digit()).next()?;
            digits.parse().ok()
        };
        let (line, column) = (number("line ").unwrap_or(1), number("column ").unwrap_or(1));
        let reason = said.split_once(": ").map_or(said.as_str(), |(_, reason)| reason).to_owned();
        checked.add(line, column, reason);
    }
    Ok(())
}

/// How many lines lie before it, and its text, or why it is none.
type Line = (u64, Result<String, String>);

/// The lines of a file, each of bounded length.
struct Lines {
    from: BufReader<File>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Lines, Error> {
        Ok(Lines { from: BufReader::new(files::open(path)?), number: 0 })
    }

    /// The next line; empty ones are passed over. One that is too long or no text is none.
    fn next(&mut self, path: &Path) -> Result<Option<Line>, Error> {
        loop {
            let mut line = Vec::new();
            let read = self.from.by_ref().take(MOST_BYTES + 1).read_until(b'\n', &mut line);
            if read.map_err(error::io("read", path))? == 0 {
                return Ok(None);
            }
            let number = self.number;
            self.number += 1;
            if line.len() as u64 > MOST_BYTES {
                while line.last() != Some(&b'\n') {
                    line.clear();
                    let more = self.from.by_ref().take(MOST_BYTES).read_until(b'\n', &mut line);
                    if more.map_err(error::io("read", path))? == 0 {
                        break;
                    }
                }
                return Ok(Some((
                    number,
                    Err(format!("longer than {MOST_BYTES} bytes, the most that a line may have")),
                )));
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                let text = String::from_utf8(line).map_err(|_| "it is not UTF-8 text".to_owned());
                return Ok(Some((number, text)));
            }
        }
    }
}
