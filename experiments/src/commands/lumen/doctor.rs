//! `lumen doctor`: whether all that Lumen needs is as it should be.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::doctor::{Places, State, examine};
use resonetics_runs::{Error, run_dir};

use crate::out::say;

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The folder with runs, store, log, keys and archives
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// The store [default: lumen.db there]
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// The log of proofs [default: log there]
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
    /// Heads of the log that were seen [default: heads.jsonl there]
    #[arg(long, value_name = "FILE")]
    pub heads: Option<PathBuf>,
    /// The folder of the key that signs [default: keys there]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// The folder of archives [default: archive there]
    #[arg(long, value_name = "DIR")]
    pub archive: Option<PathBuf>,
    /// A server to ask too, such as http://127.0.0.1:8088 of `lumen serve`; may be given several times
    #[arg(long, value_name = "URL")]
    pub server: Vec<String>,
}

pub fn run(args: &DoctorArgs) -> Result<(), Error> {
    if !args.dir.is_dir() {
        return Err(Error::Unknown(format!("there is no folder {}", args.dir.display())));
    }
    let at = |given: &Option<PathBuf>, name: &str| given.clone().unwrap_or_else(|| args.dir.join(name));
    let places = Places {
        dir: args.dir.clone(),
        store: at(&args.store, "lumen.db"),
        log: at(&args.log, "log"),
        heads: at(&args.heads, "heads.jsonl"),
        keys: at(&args.keys, "keys"),
        archive: at(&args.archive, "archive"),
        servers: args.server.clone(),
    };
    let found = examine(&places, run_dir::seconds())?;
    for finding in &found {
        say(format_args!("{:<4}  {:<7}  {}", finding.state.name(), finding.what, finding.told))?;
    }
    match found.iter().filter(|finding| finding.state == State::Bad).count() {
        0 => Ok(()),
        bad => Err(Error::Failed(format!("{bad} of {} are bad", found.len()))),
    }
}
