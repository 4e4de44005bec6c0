//! What the files hold, kind by kind, and what was left out.

use std::collections::{BTreeSet, HashSet};

use resonetics_analysis::agents::Benchmark;
use resonetics_analysis::evaluations::Evaluation;
use resonetics_analysis::garden::Garden;
use resonetics_analysis::read::{Kind, ReadError, doses, lifetimes};
use resonetics_analysis::report::{Part, some_of};
use resonetics_analysis::trainings::Training;

use crate::error::{self, Error};
use crate::inputs::told::Summaries;
use crate::inputs::{Input, REFUSED};
use crate::interrupt;

/// What the files hold, kind by kind.
#[derive(Default)]
pub(super) struct Found {
    pub gardens: Vec<Garden>,
    pub summaries: Summaries,
    /// The run of each of `gardens`.
    pub garden_runs: Vec<usize>,
    pub benchmarks: Vec<Benchmark>,
    pub trainings: Vec<Training>,
    pub drifts: Vec<Training>,
    pub worlds: Vec<lifetimes::World>,
    /// Agents at several doses, each with its run.
    pub doses: Vec<(usize, doses::Doses)>,
    /// Groups of which a garden was read.
    pub settings: HashSet<String>,
    /// Names of `worlds` as their files have them.
    pub named: HashSet<String>,
    pub evaluations: Vec<(String, Evaluation)>,
    /// What there is to say of runs that are not whole, beside the answer about their kind.
    pub unfinished: Vec<(Kind, String)>,
    /// Runs with a file that holds no row.
    pub empty: BTreeSet<usize>,
    /// What the files were that were left out, and why.
    pub left_out: Vec<Error>,
    /// What is noted of them.
    pub left_out_notes: Vec<String>,
    /// Whether there is a garden without a config.toml.
    pub assumed: bool,
}

impl Found {
    /// What was read of `input`; none where it is left out. A file without rows may have been typed with
    /// others, `*` does; another that was typed must not be left out.
    pub(super) fn rows<T>(&mut self, input: &Input, read: Result<T, ReadError>) -> Result<Option<T>, Error> {
        match read {
            Ok(rows) => Ok(Some(rows)),
            Err(problem @ ReadError::Empty { .. }) => {
                self.empty.insert(input.run);
                self.left_out_notes.push(format!("left out: {problem}"));
                self.left_out.push(refused(problem));
                Ok(None)
            }
            Err(problem) => self.usable(input, Err(refused(problem))),
        }
    }

    /// As [`Found::rows`] for what was made of a file.
    pub(super) fn usable<T>(&mut self, input: &Input, made: Result<T, Error>) -> Result<Option<T>, Error> {
        match made {
            Ok(made) => Ok(Some(made)),
            Err(failure) if input.typed || matches!(failure, Error::Interrupted(_)) => Err(failure),
            Err(failure) => {
                self.left_out_notes.push(format!("{REFUSED}{failure}"));
                self.left_out.push(failure);
                Ok(None)
            }
        }
    }

    /// `part` with what there is to say of runs of its kind that are not whole.
    pub(super) fn with_unfinished(&self, kind: Kind, mut part: Part) -> Part {
        let of_kind = self.unfinished.iter().filter(|(of, _)| *of == kind);
        part.answer += &some_of(&of_kind.map(|(_, text)| text.clone()).collect::<Vec<_>>());
        part
    }
}

/// What cannot be read is bad input; what the system refuses says so itself.
fn refused(error: ReadError) -> Error {
    match error {
        ReadError::Io { path, source } => error::io("read", &path)(source),
        ReadError::Stopped => interrupt::check().err().unwrap_or_else(|| Error::Failed("stopped".to_owned())),
        error => error.into(),
    }
}
