//! A training or a drift, as it was logged.

use super::shown::{DRIFT, TRAINING};
use crate::read::log::Log;
use crate::thinned::Thinned;

/// A training or a drift.
#[derive(Clone, Debug, Default)]
pub struct Training {
    /// The run's name.
    pub name: String,
    /// The runs that differ in nothing but the seed share this.
    pub group: String,
    /// The environment it was trained in; empty where that is not known. Returns of different ones are
    /// not drawn on one axis.
    pub world: String,
    /// What was logged.
    pub log: Log,
    /// Steps that it was to have; `None` where that is not known.
    pub planned: Option<f64>,
    /// What there is to say of one that is not whole.
    pub unfinished: Option<String>,
    /// Whether its settings let it learn nothing.
    pub fixed: bool,
    /// Its seed, where that is known: runs of one group with the same seed are copies of one run.
    pub seed: Option<String>,
}

/// Of more trainings than this a curve keeps [`COARSE`] points, and those that no figure shows none.
pub(super) const MANY: usize = 100;
const COARSE: usize = 128;

impl Training {
    /// Leaves of its curves what is drawn when there are `count` of them.
    #[must_use]
    pub fn bounded(mut self, count: usize) -> Training {
        let drawn =
            |name: &str| TRAINING.measures.iter().chain(DRIFT.measures).any(|measure| measure.column == name);
        for column in self.log.columns.iter_mut().filter(|_| count > MANY) {
            if drawn(column.name) { column.curve.coarsen(COARSE) } else { column.curve = Thinned::default() }
        }
        self
    }
}
