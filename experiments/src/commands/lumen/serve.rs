//! `lumen serve`: what is known of all runs, for programs and for Prometheus, until Ctrl-C.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::serve::{Server, Settings};
use resonetics_runs::Error;

use super::watched::WatchedArgs;
use crate::commands::context::Context;
use crate::commands::typed::{PORT, whole};
use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub watched: WatchedArgs,
    /// Port on 127.0.0.1; 0 picks a free one [default: 8088, or a free one if that is taken]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = whole::<u16>(PORT))]
    pub port: Option<u16>,
    /// Monitors of trainings at work, for Prometheus
    #[arg(long, value_name = "FILE", default_value = "targets.json")]
    pub targets: PathBuf,
}

pub fn run(args: &ServeArgs, context: Context) -> Result<(), Error> {
    let settings = args.watched.settings()?;
    let server = Server::new(Settings { port: args.port, targets: Some(args.targets.clone()), ..settings })?;
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
