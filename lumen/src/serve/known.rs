//! What the server is asked to watch, and what its thread found last.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::kept::{Kept, KeptSettings};
use super::proofs::{LogSettings, Proofs};
use crate::ledger::{Place, Row};
use crate::resonance::observer::{Observed, ObserverField};

/// What is served, and which files are written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// On 127.0.0.1; 0 lets the system choose, None is the usual one or, where that is taken, a free one.
    pub port: Option<u16>,
    /// The store of events; made where it is not there.
    pub store: PathBuf,
    /// The ledger of runs; made where it is not there.
    pub ledger: PathBuf,
    /// Where Prometheus finds the monitors of trainings at work; None writes no such file.
    pub targets: Option<PathBuf>,
    /// Runs, or folders of them. One that is not there is looked for again.
    pub runs: Vec<PathBuf>,
    /// Channels and windows of the health of all runs.
    pub observer: ObserverField,
    /// A transparency log that is watched.
    pub log: Option<LogSettings>,
    /// Copies of archives, and certificates.
    pub kept: KeptSettings,
    /// Where runs are made, for those that the ledger does not know yet.
    pub place: Place,
    /// How often all of this is looked at.
    pub every: Intervals,
}

/// How often things are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// Logs of events, and whether runs are still at work.
    pub ingest: Duration,
    /// Folders of runs.
    pub scan: Duration,
    /// Health of all runs over a day and a week, which reads the timings of all of them; and the log of proofs.
    pub observe: Duration,
}

impl Default for Intervals {
    fn default() -> Intervals {
        Intervals {
            ingest: Duration::from_secs(1),
            scan: Duration::from_secs(15),
            observe: Duration::from_secs(60),
        }
    }
}

/// What was found last. Times are seconds since 1970.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// When all logs were last read to their ends.
    pub(super) ingested: Option<f64>,
    /// When the folders of runs were last looked at, and the ledger then.
    pub(super) ledger: Option<(f64, Arc<Vec<Row>>)>,
    /// Health of all runs, and when that was.
    pub(super) observed: Option<(f64, Arc<Vec<Observed>>)>,
    /// What was found of the log of proofs.
    pub(super) proofs: Option<Arc<Proofs>>,
    /// What was found of copies and certificates.
    pub(super) kept: Option<Kept>,
    /// Runs at work, those first that began last.
    pub(super) live: Vec<Live>,
    /// What is in the way; no paths, no words of the system.
    pub(super) reasons: Vec<&'static str>,
}

/// A run at work.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Live {
    /// The name of its folder: its `run` in events and labels.
    pub(super) name: String,
    /// Its folder.
    pub(super) path: PathBuf,
    /// When it began, in seconds since 1970.
    pub(super) started: Option<f64>,
    /// Where its monitor shows metrics, where it has one.
    pub(super) monitor: Option<SocketAddr>,
    /// When its timings were last written, in seconds since 1970.
    pub(super) timed: Option<f64>,
    /// Median time of its last updates, in seconds.
    pub(super) interval: Option<f64>,
}

/// What the thread that watches leaves for those who ask.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Arc<Known>>);

impl Shared {
    pub(super) fn get(&self) -> Arc<Known> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}
