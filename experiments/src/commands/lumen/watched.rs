//! What `lumen serve` and `lumen export` look at.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::ledger::Place;
use resonetics_lumen::resonance::observer::ObserverField;
use resonetics_lumen::serve::{Intervals, LogSettings, Settings};
use resonetics_runs::{Error, error};

use super::passphrase::public;

#[derive(Debug, Args)]
pub struct WatchedArgs {
    /// Runs, or folders of runs [default: runs]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Store of events; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "lumen.db")]
    pub store: PathBuf,
    /// Channels and windows of the health of all runs, as YAML [default: those of docs/LUMEN.md]
    #[arg(long, value_name = "FILE")]
    pub observer: Option<PathBuf>,
    /// Ledger of runs; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "runs.jsonl")]
    pub ledger: PathBuf,
    /// A log of proofs to be watched too
    #[arg(long, value_name = "DIR", requires = "log_key")]
    pub log: Option<PathBuf>,
    /// Public key that the heads of that log are signed with; may be given several times
    #[arg(long, value_name = "PUB", requires = "log")]
    pub log_key: Vec<PathBuf>,
    /// Heads of that log that you have seen (`lumen log verify --heads`)
    #[arg(long, value_name = "FILE", requires = "log")]
    pub heads: Option<PathBuf>,
}

impl WatchedArgs {
    /// All of it, without a port and targets.
    pub fn settings(&self) -> Result<Settings, Error> {
        // The usual folder appears with the first run; one that is typed and not there is a slip.
        for path in self.paths.iter().chain(&self.log) {
            path.metadata().map_err(error::io("read", path))?;
        }
        let runs = if self.paths.is_empty() { vec![PathBuf::from("runs")] } else { self.paths.clone() };
        let keys = public(&self.log_key)?;
        let log = self.log.clone().map(|dir| LogSettings { dir, keys, heads: self.heads.clone() });
        Ok(Settings {
            port: None,
            store: self.store.clone(),
            ledger: self.ledger.clone(),
            observer: ObserverField::read(self.observer.as_deref())?,
            targets: None,
            runs,
            log,
            place: Place::of_environment()?,
            every: Intervals::default(),
        })
    }
}
