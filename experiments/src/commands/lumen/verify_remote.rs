//! `lumen verify-remote`: whether the copies in a store are what was uploaded.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::Archive;
use resonetics_lumen::archive::remote::record::Outcome;
use resonetics_lumen::archive::remote::{Checked, Query};
use resonetics_runs::Error;

use super::remote::RemoteArgs;
use crate::out::say;

#[derive(Debug, Args)]
pub struct VerifyRemoteArgs {
    /// A run or an archive's id; without it all copies that are on record
    #[arg(value_name = "RUN|ID")]
    pub what: Option<String>,
    /// The folder of archives, with the record of what was copied
    #[arg(long, value_name = "DIR", default_value = "archive")]
    pub dir: PathBuf,
    /// Read this share of the copies (above 0, up to 1), those first that were not compared for longest
    #[arg(long, value_name = "P", value_parser = share)]
    pub sample: Option<f64>,
    /// Upload anew, under a new key, what is not what was uploaded or is missing; the exit status is that of what was found
    #[arg(long)]
    pub repair: bool,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "allowed are numbers above 0, up to 1".to_owned())
}

pub fn run(args: &VerifyRemoteArgs) -> Result<(), Error> {
    let query = Query::typed(args.what.as_deref());
    let remote = args.remote.open()?;
    let all = remote.verify(&Archive::at(&args.dir), &query, args.sample, args.repair)?;
    let results: Vec<(&str, &str)> = all.iter().map(|one| (one.id.as_str(), one.outcome.name())).collect();
    args.remote.told("lumen verify-remote", &results, shown(&all))
}

fn shown(all: &[Checked]) -> Result<(), Error> {
    for one in all {
        let key = one.key.as_deref().unwrap_or("no copy");
        let why = if one.why.is_empty() { String::new() } else { format!(": {}", one.why) };
        say(format_args!("{:<11} {} {key}{why}", one.outcome.name(), &one.id[..8]))?;
        match (&one.repaired, &one.dir) {
            (Some(key), _) => say(format_args!("            a new copy was made and read back: {key}"))?,
            (None, Some(dir)) if matches!(one.outcome, Outcome::Mismatch | Outcome::Missing) => {
                say(format_args!(
                    "            the archive is here, {}: --repair copies it anew",
                    dir.display()
                ))?;
            }
            _ => {}
        }
    }
    let count = |outcome: Outcome| all.iter().filter(|one| one.outcome == outcome).count();
    let [good, other, missing, unreachable] =
        [Outcome::Ok, Outcome::Mismatch, Outcome::Missing, Outcome::Unreachable].map(count);
    let text = format!("{good} OK, {other} MISMATCH, {missing} MISSING, {unreachable} UNREACHABLE");
    match (other + unreachable, missing) {
        (0, 0) => say(format_args!("{text}")),
        (0, _) => Err(Error::Unknown(text)),
        _ => Err(Error::Failed(text)),
    }
}
