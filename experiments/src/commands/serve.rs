//! `serve`: the page, until Ctrl-C.

use resonetics_runs::Error;

use super::context::Context;
use crate::cli::ServeArgs;
use crate::out::say;
use crate::serve::Server;

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
