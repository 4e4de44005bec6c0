//! `lives.csv`, a row an episode: what `limit` plays, and what it goes on from.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use resonetics_envs::stream::lane_seed;

use crate::error::{self, Error};
use crate::files::{self, CsvFile, first_line};
use crate::rollout::Episode;

/// The name of the file.
pub const FILE: &str = "lives.csv";

/// Its columns.
pub const COLUMNS: [&str; 6] = ["agent", "dose", "episode", "seed", "steps", "survived"];

/// How a system fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Steps that it lived, as far as it was watched.
    pub steps: u32,
    /// Whether it lived until the end.
    pub survived: bool,
}

impl From<&Episode> for Life {
    fn from(episode: &Episode) -> Life {
        Life { steps: episode.steps, survived: !episode.terminated }
    }
}

/// Whose lives at which dose are meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell<'a> {
    /// The agent's place in the list, and its name.
    pub(super) agent: usize,
    pub(super) name: &'a str,
    pub(super) dose: f64,
    /// The run's seed.
    pub(super) seed: u64,
}

/// The lives that were played, and the file that has them.
///
/// Rows come in one order, which follows from the question and the outcomes before: those of a run that was killed
/// are the first of it, and a run that goes on takes them one by one in place of playing them again.
#[derive(Default)]
pub struct Lives {
    csv: Option<CsvFile>,
    /// Rows of a run that was stopped, with their lines, that nobody has asked for yet.
    before: VecDeque<(u64, Row)>,
    /// By agent and the bits of the dose.
    played: HashMap<(usize, u64), Vec<Life>>,
}

/// A row as it was read: agent, dose, episode, seed, steps, survived.
type Row = (String, f64, u32, u64, u32, bool);

impl Lives {
    /// Lives that no file keeps.
    pub fn unkept() -> Lives {
        Lives::default()
    }

    /// Lives that the file `path` keeps, with those of a run that was stopped before, if it is there.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file that cannot be read or has rows of another kind, any I/O error.
    pub fn at(path: &Path) -> Result<Lives, Error> {
        if path.symlink_metadata().is_err() {
            return Ok(Lives { csv: Some(CsvFile::create(path, &COLUMNS)?), ..Lives::default() });
        }
        let bytes = files::read(path, u64::MAX)?;
        // A line without its end was cut.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if whole == 0 && first_line(&COLUMNS).as_bytes().starts_with(&bytes) {
            std::fs::remove_file(path).map_err(error::io("remove", path))?;
            return Ok(Lives { csv: Some(CsvFile::create(path, &COLUMNS)?), ..Lives::default() });
        }
        let refuse = |line: u64| {
            let (path, columns) = (path.display(), COLUMNS.join(","));
            Error::Refused(format!(
                "cannot resume: {path}, line {line} is no row of {columns}; put it back as it was"
            ))
        };
        let mut csv = csv::Reader::from_reader(&bytes[..whole]);
        if csv.headers().ok() != Some(&csv::StringRecord::from(COLUMNS.to_vec())) {
            return Err(refuse(1));
        }
        let rows = (2..).zip(csv.deserialize()).map(|(line, row)| Ok((line, row.map_err(|_| refuse(line))?)));
        let before: Result<VecDeque<(u64, Row)>, Error> = rows.collect();
        let csv = CsvFile::resume(path, whole as u64)?;
        Ok(Lives { csv: Some(csv), before: before?, ..Lives::default() })
    }

    /// Refuses rows of a run that was stopped which nobody has asked for.
    ///
    /// # Errors
    /// [`Error::Refused`] with the line of the first one.
    pub(super) fn refuse_unclaimed(&self) -> Result<(), Error> {
        self.before.front().map_or(Ok(()), |(line, _)| Err(foreign(*line)))
    }

    /// All of an agent that were played, by dose, ascending.
    pub(super) fn all_of(&self, agent: usize) -> Vec<(f64, Vec<Life>)> {
        let own = self.played.iter().filter(|((of, _), lives)| *of == agent && !lives.is_empty());
        let mut doses: Vec<(f64, Vec<Life>)> =
            own.map(|((_, dose), lives)| (f64::from_bits(*dose), lives.clone())).collect();
        doses.sort_by(|a, b| a.0.total_cmp(&b.0));
        doses
    }

    /// Those of an agent at a dose that were played, in order.
    pub(super) fn of(&self, agent: usize, dose: f64) -> &[Life] {
        self.played.get(&(agent, dose.to_bits())).map_or(&[], Vec::as_slice)
    }

    /// How many of the first `episodes` of a cell were played, also by a run that was stopped.
    ///
    /// # Errors
    /// [`Error::Refused`] if the next row of that run is of something else.
    pub(super) fn recall(&mut self, cell: Cell<'_>, episodes: u32) -> Result<u32, Error> {
        let lives = self.played.entry((cell.agent, cell.dose.to_bits())).or_default();
        while (lives.len() as u32) < episodes {
            let Some((line, (name, at, number, seed, steps, survived))) = self.before.pop_front() else {
                break;
            };
            let next = lives.len() as u64;
            let same = name == cell.name
                && at == cell.dose
                && u64::from(number) == next + 1
                && seed == lane_seed(cell.seed, next);
            if !same {
                return Err(foreign(line));
            }
            lives.push(Life { steps, survived });
        }
        Ok(lives.len() as u32)
    }

    /// Keeps what was played, from episode `first` on, counted from 0.
    ///
    /// # Errors
    /// That a row cannot be written.
    pub(super) fn add(&mut self, cell: Cell<'_>, first: u32, played: &[Life]) -> Result<(), Error> {
        let lives = self.played.entry((cell.agent, cell.dose.to_bits())).or_default();
        for (episode, life) in (first..).zip(played) {
            lives.push(*life);
            if let Some(csv) = &mut self.csv {
                csv.row([
                    cell.name.to_owned(),
                    cell.dose.to_string(),
                    (episode + 1).to_string(),
                    lane_seed(cell.seed, episode.into()).to_string(),
                    life.steps.to_string(),
                    life.survived.to_string(),
                ])?;
            }
        }
        Ok(())
    }

    /// Waits until all rows are on the disk.
    ///
    /// # Errors
    /// Any I/O error, naming the file.
    pub fn finish(self) -> Result<(), Error> {
        self.csv.map_or(Ok(()), CsvFile::finish)
    }
}

/// A row that this run would not have written.
fn foreign(line: u64) -> Error {
    Error::Refused(format!(
        "cannot resume: line {line} of {FILE} is not what comes there with these settings and this program; start \
         anew with another --out"
    ))
}
