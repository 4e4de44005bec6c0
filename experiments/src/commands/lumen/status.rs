//! `lumen status`: how runs and servers are now; for scripts by the exit status.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use resonetics_lumen::ledger::{Ledger, Place};
use resonetics_lumen::status::{Status, of_run, of_server, of_unread, table};
use resonetics_runs::{Error, error, interrupt, run_dir};
use serde_json::json;

use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Runs, or folders of runs [default: runs]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// A server to ask too, such as http://127.0.0.1:8088 of `lumen serve`; may be given several times
    #[arg(long, value_name = "URL")]
    pub server: Vec<String>,
    /// Only runs at work
    #[arg(long)]
    pub running: bool,
    /// As JSON: {"pass": [...], "fail": [...]}
    #[arg(long)]
    pub json: bool,
    /// Look again every so many seconds, until Ctrl-C
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true, value_parser = every)]
    pub every: Option<f64>,
}

fn every(text: &str) -> Result<f64, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    let seconds = seconds.filter(|seconds| (0.1..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "allowed are seconds from 0.1 to 86400, such as 5 or 5s".to_owned())
}

pub fn run(args: &StatusArgs) -> Result<(), Error> {
    let Some(seconds) = args.every else { return once(args) };
    loop {
        match once(args) {
            Ok(()) => {}
            // It is told, and looked at again: what fails now may be mended.
            Err(problem @ (Error::Failed(_) | Error::Unknown(_))) => note(format_args!("{problem}")),
            Err(problem) => return Err(problem),
        }
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            // Ctrl-C is how it ends.
            if interrupt::check().is_err() {
                return Ok(());
            }
            sleep(Duration::from_millis(50));
        }
    }
}

fn once(args: &StatusArgs) -> Result<(), Error> {
    // The usual folder need not be there for those who ask a server.
    let paths = match args.paths.as_slice() {
        [] if args.server.is_empty() || PathBuf::from("runs").is_dir() => vec![PathBuf::from("runs")],
        paths => paths.to_vec(),
    };
    let mut known = Ledger::default();
    let unread = known.scan(&paths, &Place::of_environment()?)?;
    let now = run_dir::seconds();
    let mut all: Vec<Status> = known.rows.iter().map(|row| of_run(row, now)).collect();
    all.extend(unread.iter().map(of_unread));
    all.retain(|status| !args.running || status.state == "running");
    all.extend(args.server.iter().map(|url| of_server(url)));
    let text = table(&all)?;
    let (fail, pass): (Vec<&Status>, Vec<&Status>) = all.iter().partition(|status| !status.wrong.is_empty());
    if args.json {
        let json = serde_json::to_string(&json!({ "pass": pass, "fail": fail }))
            .map_err(|failure| error::io("encode", "the statuses".as_ref())(failure.into()))?;
        say(format_args!("{json}"))?;
    } else {
        say(format_args!("{text}"))?;
    }
    if fail.is_empty() {
        return Ok(());
    }
    Err(Error::Failed(format!("{} of {} fail", fail.len(), all.len())))
}
