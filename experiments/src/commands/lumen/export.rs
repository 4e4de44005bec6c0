//! `lumen export`: what Prometheus would be shown, as a file or pushed.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::ledger::Place;
use resonetics_lumen::notify::variable;
use resonetics_lumen::resonance::observer::ObserverField;
use resonetics_lumen::serve::{Intervals, Settings, forget, once, push, textfile};
use resonetics_runs::{Error, error};

use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Runs, or folders of runs [default: runs]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write lumen.prom into this folder, for node exporter's textfile collector
    #[arg(long, value_name = "DIR")]
    pub textfile: Option<PathBuf>,
    /// Give it to the Pushgateway at this address [default: PUSHGATEWAY_URL]
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub push: Option<String>,
    /// Have the Pushgateway forget what it was given from here
    #[arg(long, requires = "push", conflicts_with = "textfile")]
    pub forget: bool,
    /// Store of events; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "lumen.db")]
    pub store: PathBuf,
    /// Channels and windows of the health of all runs, as YAML [default: those of docs/LUMEN.md]
    #[arg(long, value_name = "FILE")]
    pub observer: Option<PathBuf>,
    /// Ledger of runs; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "runs.jsonl")]
    pub ledger: PathBuf,
}

pub fn run(args: &ExportArgs) -> Result<(), Error> {
    let place = Place::of_environment()?;
    let gateway = match args.push.as_deref() {
        Some("") => Some(variable("PUSHGATEWAY_URL")?.ok_or_else(|| {
            Error::Refused("--push needs an address: type it behind it, or set PUSHGATEWAY_URL".to_owned())
        })?),
        typed => typed.map(str::to_owned),
    };
    if let (true, Some(url)) = (args.forget, &gateway) {
        forget(url, &place.runner)?;
        return say(format_args!("forgotten: what the runner {} gave", place.runner));
    }
    let runs = if args.paths.is_empty() { vec![PathBuf::from("runs")] } else { args.paths.clone() };
    for path in &runs {
        path.metadata().map_err(error::io("read", path))?;
    }
    let runner = place.runner.clone();
    let (text, notes) = once(Settings {
        port: None,
        store: args.store.clone(),
        ledger: args.ledger.clone(),
        observer: ObserverField::read(args.observer.as_deref())?,
        targets: None,
        runs,
        place,
        every: Intervals::default(),
    })?;
    for told in notes {
        note(format_args!("{told}"));
    }
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    if let Some(folder) = &args.textfile {
        let path = textfile(folder, &text)?;
        say(format_args!("{samples} samples in {}", path.display()))?;
    }
    if let Some(url) = &gateway {
        push(url, &runner, &text)?;
        say(format_args!("{samples} samples given to the Pushgateway, from the runner {runner}"))?;
    }
    if args.textfile.is_none() && gateway.is_none() {
        say(format_args!("{}", text.trim_end()))?;
    }
    Ok(())
}
