//! What `lumen serve` and `lumen export` look at.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::ledger::Place;
use resonetics_lumen::resonance::observer::ObserverField;
use resonetics_lumen::serve::{Intervals, KeptSettings, LogSettings, Settings};
use resonetics_runs::{Error, error};

use super::passphrase::public;
use super::root::signed as trusted_root;

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
    /// A log of proofs to be watched too; needs --log-key or --root
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
    /// Public key that the heads of that log are signed with; may be given several times
    #[arg(long, value_name = "PUB", requires = "log")]
    pub log_key: Vec<PathBuf>,
    /// Heads of that log that you have seen (`lumen log verify --heads`)
    #[arg(long, value_name = "FILE", requires = "log")]
    pub heads: Option<PathBuf>,
    /// Root metadata: whose heads to trust, when it ends, and what its custodians did by that log
    #[arg(long, value_name = "ROOT", requires = "log")]
    pub root: Option<PathBuf>,
    /// Certificates of who signs, in PEM: when they end
    #[arg(long, value_name = "PEM")]
    pub chain: Option<PathBuf>,
    /// Archives whose copies elsewhere are recorded: whether these were what was sent
    #[arg(long, value_name = "DIR")]
    pub archive: Option<PathBuf>,
}

impl WatchedArgs {
    /// All of it, without a port and targets.
    pub fn settings(&self) -> Result<Settings, Error> {
        // The usual folder appears with the first run; one that is typed and not there is a slip.
        for path in self.paths.iter().chain(&self.log).chain(&self.archive).chain(&self.chain) {
            path.metadata().map_err(error::io("read", path))?;
        }
        let runs = if self.paths.is_empty() { vec![PathBuf::from("runs")] } else { self.paths.clone() };
        let root = self.root.as_deref().map(trusted_root).transpose()?;
        let mut keys = public(&self.log_key)?;
        keys.extend(root.iter().flat_map(|root| root.root.keys_of(&root.root.roles.log)));
        if self.log.is_some() && keys.is_empty() {
            return Err(Error::Refused(
                "--log needs --log-key or --root: without a key nobody knows whose log it is".to_owned(),
            ));
        }
        let log = self.log.clone().map(|dir| LogSettings { dir, keys, heads: self.heads.clone(), root });
        Ok(Settings {
            port: None,
            store: self.store.clone(),
            ledger: self.ledger.clone(),
            observer: ObserverField::read(self.observer.as_deref())?,
            targets: None,
            runs,
            log,
            kept: KeptSettings { archive: self.archive.clone(), chain: self.chain.clone() },
            place: Place::of_environment()?,
            every: Intervals::default(),
        })
    }
}
