//! `lumen runs`: the ledger of runs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::ledger::{self, Place};
use resonetics_runs::Error;

use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Where the ledger is; it is made where there is none
    #[arg(long, value_name = "FILE", default_value = ledger::FILE)]
    pub ledger: PathBuf,
    /// Folders of runs, with those below them [default: runs]; LUMEN_REGION and LUMEN_RUNNER say where they are [default: local]
    #[arg(value_name = "PATH", default_value = "runs", hide_default_value = true)]
    pub paths: Vec<PathBuf>,
}

pub fn run(args: &RunsArgs) -> Result<(), Error> {
    let (known, unread) = ledger::update(&args.ledger, &args.paths, &Place::of_environment()?)?;
    let width = known.rows.iter().map(|row| row.run_id.len()).max().unwrap_or(6).max(6);
    say(format_args!("{:<width$}  {:<11}  {:<11}  {:>10}", "run_id", "outcome", "class", "seconds"))?;
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &known.rows {
        let (outcome, class) = (row.outcome.name(), row.error_class.map_or("", |class| class.name()));
        let seconds = row.seconds.map_or_else(String::new, |seconds| format!("{seconds:.3}"));
        say(format_args!("{:<width$}  {outcome:<11}  {class:<11}  {seconds:>10}", row.run_id))?;
        *counts.entry((outcome, class)).or_default() += 1;
    }
    for ((outcome, class), count) in counts {
        let class = if class.is_empty() || class == outcome { String::new() } else { format!(", {class}") };
        say(format_args!("{count} {outcome}{class}"))?;
    }
    for refused in &unread {
        note(format_args!("{} is not counted: {}", refused.path.display(), refused.reason));
    }
    say(format_args!("{} runs in {}, {} not counted", known.rows.len(), args.ledger.display(), unread.len()))
}
