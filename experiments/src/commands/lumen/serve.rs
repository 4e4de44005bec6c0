//! `lumen serve`: what is known of all runs, for programs and for Prometheus, until Ctrl-C.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::ledger::Place;
use resonetics_lumen::resonance::observer::ObserverField;
use resonetics_lumen::serve::{Intervals, Server, Settings};
use resonetics_runs::{Error, error};

use crate::commands::context::Context;
use crate::commands::typed::{PORT, whole};
use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Runs, or folders of runs [default: runs]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Port on 127.0.0.1; 0 picks a free one [default: 8088, or a free one if that is taken]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = whole::<u16>(PORT))]
    pub port: Option<u16>,
    /// Store of events; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "lumen.db")]
    pub store: PathBuf,
    /// Channels and windows of the health of all runs, as YAML [default: those of docs/LUMEN.md]
    #[arg(long, value_name = "FILE")]
    pub observer: Option<PathBuf>,
    /// Ledger of runs; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "runs.jsonl")]
    pub ledger: PathBuf,
    /// Monitors of trainings at work, for Prometheus
    #[arg(long, value_name = "FILE", default_value = "targets.json")]
    pub targets: PathBuf,
}

pub fn run(args: &ServeArgs, context: Context) -> Result<(), Error> {
    // The usual folder appears with the first run; one that is typed and not there is a slip.
    for path in &args.paths {
        path.metadata().map_err(error::io("read", path))?;
    }
    let runs = if args.paths.is_empty() { vec![PathBuf::from("runs")] } else { args.paths.clone() };
    let server = Server::new(Settings {
        port: args.port,
        store: args.store.clone(),
        ledger: args.ledger.clone(),
        observer: ObserverField::read(args.observer.as_deref())?,
        targets: Some(args.targets.clone()),
        runs,
        place: Place::of_environment()?,
        every: Intervals::default(),
    })?;
    // Also if quiet: who let a port be drawn has to know it.
    say(format_args!("http://{}/", server.address()))?;
    if let Some(usual) = server.instead_of() {
        say(format_args!("port {usual} is taken: this one is free"))?;
    }
    if !context.quiet {
        say(format_args!(
            "metrics at /metrics, questions at /api/..., all of it in /openapi.json; Ctrl-C ends it"
        ))?;
    }
    server.run(&|text| {
        note(format_args!("{text}"));
        Ok(())
    })
}
