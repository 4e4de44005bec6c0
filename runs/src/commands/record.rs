//! `commands.jsonl` of a run: what it was told, and at which moment of its own clock that took effect. Written by the run
//! alone, before it takes effect; a run that goes on, or is repeated, does the same at the same moments.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::command::Command;
use crate::chain::{Broken, Chain, Link};
use crate::error::Error;
use crate::run_dir::now;

/// The file, in the run's folder.
pub const FILE: &str = "commands.jsonl";

/// Somebody's wish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The command's name.
    pub cmd: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// Who wishes it: `ctl`, `gate`, or a name that was given.
    pub by: String,
    /// Why, in words.
    #[serde(default)]
    pub note: String,
    /// By whose approval, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// A line of the record: a command before it takes effect, or what came of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    /// Of the command, from 1.
    id: u64,
    ts: String,
    #[serde(flatten)]
    what: What,
    prev: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum What {
    Told {
        #[serde(flatten)]
        request: Request,
        clock: u64,
    },
    Came {
        result: String,
    },
}

impl Link for Line {
    fn prev(&self) -> &str {
        &self.prev
    }

    fn after(self, prev: String) -> Line {
        Line { prev, ..self }
    }
}

/// A command of the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number, from 1.
    pub id: u64,
    /// When it was told, in UTC.
    pub ts: String,
    /// What was told.
    pub request: Request,
    /// The same, understood.
    pub command: Command,
    /// The clock of the run at which it takes effect: updates of a training, those counted that it went back behind;
    /// generations of a garden.
    pub clock: u64,
    /// What came of it; none if the run was killed in between.
    pub result: Option<String>,
}

/// The record of a run.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    chain: Chain<Line>,
    /// Its commands, in their order.
    pub entries: Vec<Entry>,
}

impl Record {
    /// That of the run in `dir`; empty where there is none. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] with the line that was changed, taken out or put in: such a record says nothing.
    pub fn read(dir: &Path) -> Result<Record, Error> {
        let path = dir.join(FILE);
        let (chain, broken) = Chain::<Line>::whole(&path)?;
        let refused = |line: usize, why: String| {
            Error::Refused(format!(
                "{}, line {line}: {why}; put the file back as the run wrote it",
                path.display()
            ))
        };
        if let Some(Broken { line, why }) = broken {
            return Err(refused(line, why));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (number, Line { id, ts, what, .. }) in (1..).zip(&chain.lines) {
            match what {
                What::Told { request, clock } => {
                    let command = Command::parse(&request.cmd, &request.args)
                        .map_err(|problem| refused(number, problem))?;
                    let last = entries.last().map_or(0, |entry| entry.clock);
                    if *id != entries.len() as u64 + 1 || *clock < last {
                        return Err(refused(number, "it is not in the order of the run's clock".to_owned()));
                    }
                    let (ts, request) = (ts.clone(), request.clone());
                    entries.push(Entry { id: *id, ts, request, command, clock: *clock, result: None });
                }
                What::Came { result } => {
                    let entry = (*id as usize).checked_sub(1).and_then(|at| entries.get_mut(at));
                    let entry = entry.ok_or_else(|| refused(number, format!("there is no command {id}")))?;
                    entry.result = Some(result.clone());
                }
            }
        }
        Ok(Record { path, chain, entries })
    }

    /// Takes over the commands that another run was told, without what came of them: they are to be replayed.
    ///
    /// # Errors
    /// That it cannot be written.
    pub fn copied(mut self, told: &[Entry]) -> Result<(), Error> {
        for entry in told {
            let what = What::Told { request: entry.request.clone(), clock: entry.clock };
            self.append(entry.id, &entry.ts, what)?;
        }
        Ok(())
    }

    /// Adds a command, on the disk before this returns; yields its number.
    ///
    /// # Errors
    /// That it cannot be written: it must not take effect then.
    pub(super) fn told(&mut self, request: Request, command: Command, clock: u64) -> Result<u64, Error> {
        let id = self.entries.len() as u64 + 1;
        let ts = now();
        self.append(id, &ts, What::Told { request: request.clone(), clock })?;
        self.entries.push(Entry { id, ts, request, command, clock, result: None });
        Ok(id)
    }

    /// Adds what came of command `id`.
    ///
    /// # Errors
    /// That it cannot be written.
    pub(super) fn came(&mut self, id: u64, result: &str) -> Result<(), Error> {
        self.append(id, &now(), What::Came { result: result.to_owned() })?;
        if let Some(entry) = self.entries.get_mut(id as usize - 1) {
            entry.result = Some(result.to_owned());
        }
        Ok(())
    }

    fn append(&mut self, id: u64, ts: &str, what: What) -> Result<(), Error> {
        self.chain.append(&self.path, Line { id, ts: ts.to_owned(), what, prev: String::new() })
    }
}
