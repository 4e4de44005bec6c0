//! `serve`: the page, until Ctrl-C.

use std::path::PathBuf;

use clap::Args;
use resonetics_runs::Error;

use super::context::Context;
use super::typed::{PORT, whole};
use crate::out::say;
use crate::serve::Server;

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Run that the page opens with
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Folder of the runs [default: runs, or the folder that contains RUN]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 picks a free one [default: 8090, or a free one if that is taken]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = whole::<u16>(PORT))]
    pub port: Option<u16>,
}

pub fn run(args: &ServeArgs, context: Context) -> Result<(), Error> {
    let server = Server::new(args.dir.as_deref(), args.run.as_deref(), args.port)?;
    // Also if quiet: who let a port be drawn has to know it.
    say(format_args!("{}", server.url()))?;
    if let Some(usual) = server.instead_of() {
        say(format_args!("port {usual} is taken: this one is free"))?;
    }
    if !context.quiet {
        say(format_args!("open it in a browser on this machine; Ctrl-C ends it"))?;
    }
    server.run()
}
