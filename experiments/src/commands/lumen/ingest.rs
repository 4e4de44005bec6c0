//! `lumen ingest`: logs of events into a store.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use resonetics_lumen::store::{FileChecked, Ingested, Store};
use resonetics_runs::{Error, interrupt};

use crate::commands::context::Context;
use crate::out::{note, say};

/// How long `--follow` waits between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// How long it sleeps at a time: a signal waits no longer.
const NAP: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Files events.jsonl, or folders with runs [default: runs]
    #[arg(value_name = "PATH", default_value = "runs", hide_default_value = true)]
    pub paths: Vec<PathBuf>,
    /// The store; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "lumen.db")]
    pub store: PathBuf,
    /// Read nothing: compare each line with the store, and say where they differ (then the exit status is 1)
    #[arg(long)]
    pub check: bool,
    /// Look again each second, until Ctrl-C
    #[arg(long, conflicts_with = "check")]
    pub follow: bool,
}

pub fn run(args: &IngestArgs, _context: Context) -> Result<(), Error> {
    // A store that is made for a path that was mistyped is of no use.
    for path in &args.paths {
        std::fs::metadata(path).map_err(resonetics_runs::error::io("read", path))?;
    }
    if args.check {
        return check(args);
    }
    let mut store = Store::open(&args.store)?;
    let all = store.ingest(&args.paths)?;
    left_out(&all, &Ingested::default());
    if args.follow {
        told(&all)?;
        return follow(&mut store, args, all);
    }
    told(&all)
}

/// Ctrl-C is how it ends.
fn follow(store: &mut Store, args: &IngestArgs, mut all: Ingested) -> Result<(), Error> {
    loop {
        let until = Instant::now() + PAUSE;
        while Instant::now() < until {
            if interrupt::check().is_err() {
                return told(&all);
            }
            thread::sleep(NAP);
        }
        match store.ingest(&args.paths) {
            Err(Error::Interrupted(_)) => return told(&all),
            Err(error) => return Err(error),
            Ok(done) => {
                left_out(&done, &all);
                all.add(done);
            }
        }
    }
}

/// Names what could not be read, unless it was named `before`.
fn left_out(done: &Ingested, before: &Ingested) {
    for (path, why) in &done.left_out {
        if before.left_out.get(path) != Some(why) {
            note(format_args!("{} is left out: {why}", path.display()));
        }
    }
}

fn told(done: &Ingested) -> Result<(), Error> {
    let Ingested { files, lines, new, known, refused, cut, seconds, .. } = done;
    let rate = if *seconds > 0.0 { *lines as f64 / seconds } else { 0.0 };
    say(format_args!(
        "{files} files, {lines} lines: {new} new events, {known} already known, {refused} refused; {rate:.0} events/s"
    ))?;
    if *cut > 0 {
        say(format_args!("{cut} events deleted: files that were cut back no longer have them"))?;
    }
    Ok(())
}

fn check(args: &IngestArgs) -> Result<(), Error> {
    let store = &args.store;
    // It would be made.
    std::fs::metadata(store).map_err(resonetics_runs::error::io("read", store))?;
    let checked = Store::open(store)?.check(&args.paths)?;
    for file in &checked.files {
        let FileChecked { path, lines, rows, elsewhere, refused, unread, missing, stale } = file;
        say(format_args!(
            "{}: {lines} lines, {rows} events, {elsewhere} known from elsewhere, {refused} refused, {unread} not read yet, {missing} missing, {stale} no longer there",
            path.display()
        ))?;
    }
    let bad = checked.files.iter().filter(|file| !file.is_good()).count();
    match bad {
        0 => say(format_args!("{} files: the store says what they say", checked.files.len())),
        _ => Err(Error::Failed(format!(
            "{} does not say what {bad} of {} files say; run `resonetics lumen ingest` on them",
            store.display(),
            checked.files.len()
        ))),
    }
}
