//! `lumen export`: what Prometheus would be shown, as a file or pushed.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::ledger::Place;
use resonetics_lumen::notify::variable;
use resonetics_lumen::serve::{forget, once, push, textfile};
use resonetics_runs::{Error, error};

use super::watched::WatchedArgs;
use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub watched: WatchedArgs,
    /// Write lumen.prom into this folder, for node exporter's textfile collector
    #[arg(long, value_name = "DIR")]
    pub textfile: Option<PathBuf>,
    /// Give it to the Pushgateway at this address [default: PUSHGATEWAY_URL]
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub push: Option<String>,
    /// Have the Pushgateway forget what it was given from here
    #[arg(long, requires = "push", conflicts_with = "textfile")]
    pub forget: bool,
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
    let runner = place.runner;
    let settings = args.watched.settings()?;
    for path in &settings.runs {
        path.metadata().map_err(error::io("read", path))?;
    }
    let (text, notes) = once(settings)?;
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
