//! Readers of the CSV files that runs write, row by row: a file of any length in the same memory.
//!
//! An error names file, line and column, what was found and what is allowed. What was passed over (a
//! last line that was cut) is noted, not hidden.

mod magic;
mod table;

pub mod episodes;
pub mod garden;
pub mod lifetimes;
pub mod log;

use std::path::{Path, PathBuf};

pub use table::{Row, Table, whole};

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder or a pipe.
    #[error("{} is no file; write into a file what is to be read", path.display())]
    NoFile {
        /// What is no file.
        path: PathBuf,
    },
    /// A file without a row.
    #[error("{}, line 1: {problem}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// A line that cannot be meant.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// A cell that cannot be meant.
    #[error("{}, line {line}, column `{column}`: found `{found}`; allowed: {allowed}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// The column's name in the header.
        column: String,
        /// What stands there, shortened.
        found: String,
        /// What may stand there.
        allowed: String,
    },
    /// The caller said to stop.
    #[error("stopped")]
    Stopped,
}

/// What a file holds, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A garden, generation by generation (RULES section 2.3), with the column Flow or without it.
    Garden,
    /// The episodes of a benchmark.
    Episodes,
    /// A training of Prophet, update by update.
    Training,
    /// The drift experiment, step by step.
    Drift,
    /// Lives with and without the control layer.
    Lifetimes,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Garden, Kind::Episodes, Kind::Training, Kind::Drift, Kind::Lifetimes];

    /// The name that the program gives to such a file.
    pub const fn file(self) -> &'static str {
        match self {
            Kind::Garden => "resonetics_data.csv",
            Kind::Episodes => "episodes.csv",
            Kind::Training => "training.csv",
            Kind::Drift => "drift.csv",
            Kind::Lifetimes => "lifetimes.csv",
        }
    }

    /// The columns without which it is no such file.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Kind::Garden => &garden::COLUMNS,
            Kind::Episodes => &episodes::COLUMNS,
            Kind::Training => &log::TRAINING,
            Kind::Drift => &log::DRIFT,
            Kind::Lifetimes => &lifetimes::COLUMNS,
        }
    }

    /// Files of the program that sum up: their first columns, what they are, and where the rows behind
    /// them are.
    const SUMMARIES: [(&[&str], &str, Kind); 4] = [
        (&["agent", "episodes", "return_mean"], "benchmark.csv of `benchmark`", Kind::Episodes),
        (&["run", "seed", "generations", "lost_at"], "summary.csv of `gardener`", Kind::Garden),
        (&["world", "agent", "episodes", "horizon"], "summary.csv of `controls`", Kind::Lifetimes),
        (&["world", "control", "time", "at_risk"], "survival.csv of `controls`", Kind::Lifetimes),
    ];

    /// What `table` holds.
    ///
    /// # Errors
    /// [`ReadError::Line`] or [`ReadError::Cell`] for a header that none of the kinds has, with what is
    /// nearest.
    pub fn of(table: &Table) -> Result<Kind, ReadError> {
        let header = table.header();
        if header == garden::columns(true) || header == garden::columns(false) {
            return Ok(Kind::Garden);
        }
        let has = |column: &&&str| header.iter().any(|name| name == **column);
        let known = |kind: Kind| kind.columns().iter().filter(has).count();
        let mut rest = Kind::ALL.into_iter().filter(|&kind| kind != Kind::Garden);
        if let Some(kind) = rest.find(|&kind| known(kind) == kind.columns().len()) {
            return Ok(kind);
        }
        let summary =
            Kind::SUMMARIES.into_iter().find(|(first, ..)| header.iter().take(first.len()).eq(*first));
        if let Some((_, name, rows)) = summary {
            let problem = format!(
                "is the {name}, which sums up; give the rows behind it, in {} of the same run, or the run's folder",
                rows.file()
            );
            return Err(table.at(1, problem));
        }
        Err(table.at(1, Kind::unknown(header)))
    }

    /// Why a header is that of no kind.
    fn unknown(header: &[String]) -> String {
        let line = header.join(",");
        let separator = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
        if let Some((_, name)) = separator.iter().find(|(mark, _)| line.matches(*mark).count() >= 2) {
            return format!("the cells are separated by {name}; commas are needed");
        }
        if 2 * header.iter().filter(|cell| cell.parse::<f64>().is_ok()).count() > header.len() {
            let first = match header.len() {
                11 | 12 => garden::columns(header.len() == 12).join(","),
                _ => Kind::headers(),
            };
            return format!(
                "there is no header: the first line holds values; put this line before it: {first}"
            );
        }
        // Nearness does not see the difference of upper and lower case.
        let has = |column: &str| header.iter().any(|name| name.eq_ignore_ascii_case(column));
        let known = |kind: Kind| kind.columns().iter().filter(|column| has(column)).count();
        let nearest = Kind::ALL.into_iter().max_by_key(|&kind| 100 * known(kind) / kind.columns().len());
        match nearest.filter(|&kind| 2 * known(kind) > kind.columns().len()) {
            Some(Kind::Garden) => garden::wrong_header(header),
            Some(kind) => {
                let written = |column: &&&str| !header.iter().any(|name| name == **column);
                let missing: Vec<&str> = kind.columns().iter().filter(written).copied().collect();
                format!("is like {} without the column `{}`", kind.file(), missing.join("`, `"))
            }
            None => format!(
                "`{}` is no header of a file that can be read; these are: {}",
                table::shortened(&line),
                Kind::headers()
            ),
        }
    }

    /// How the headers begin that can be read.
    fn headers() -> String {
        Kind::ALL.map(|kind| format!("{} ({},…)", kind.file(), kind.columns()[..3].join(","))).join("; ")
    }
}

/// What the file of bytes that begin with `start` is, if it is no text, and what to do with it.
pub fn foreign(start: &[u8]) -> Option<String> {
    magic::foreign(start)
}

/// Asked every few thousand rows whether to go on.
pub type GoOn<'a> = &'a dyn Fn() -> bool;

/// Opens the file at `path` and says what it holds.
///
/// # Errors
/// As [`Table::open`] and [`Kind::of`].
pub fn open(path: &Path) -> Result<(Kind, Table), ReadError> {
    let table = Table::open(path)?;
    let kind = Kind::of(&table)?;
    Ok((kind, table))
}

#[cfg(test)]
mod tests;
