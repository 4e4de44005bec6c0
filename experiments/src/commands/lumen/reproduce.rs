//! `lumen reproduce`: the run of a proof, repeated, and signed by who repeated it.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_lumen::proof::check::{Asked, Ends, check};
use resonetics_lumen::proof::digest::digest;
use resonetics_lumen::proof::file::{By, MOST, Proof, beside, prove, run_of};
use resonetics_lumen::proof::key::Secret;
use resonetics_lumen::proof::log::{CHECKPOINT, Log};
use resonetics_lumen::proof::statement::{Statement, Subject};
use resonetics_runs::Error;
use resonetics_runs::files::read;
use resonetics_runs::run_dir::commit;

use super::passphrase::{Signing, public};
use super::prove::built;
use crate::commands::context::Context;
use crate::commands::rerun::{again, compared_files, difference, planned};
use crate::commands::typed::OutArgs;
use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// RUN.proof.json. Where RUN lies beside it, the first row that differs can be told
    pub proof: PathBuf,
    /// A public key that you trust, of who signed or of the log; may be given several times
    #[arg(long, value_name = "PUB")]
    pub key: Vec<PathBuf>,
    #[command(flatten)]
    pub signing: Signing,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &ReproduceArgs, context: Context) -> Result<(), Error> {
    let shown = args.proof.display().to_string();
    let (statement, payload) = opened(args, &shown)?;
    let key = own_key(args, &shown)?;
    let config = statement
        .config()
        .ok_or_else(|| Error::Refused(format!("{shown} holds no settings: its run cannot be repeated")))?;
    if let Some(what) = statement.contradiction() {
        return Err(Error::Failed(format!(
            "{shown} contradicts itself: its {what} is another one than its settings say; nothing was repeated"
        )));
    }
    let (plan, unrecorded) = planned(config, &format!("the run of {shown}"), None)?;
    for agent in unrecorded {
        note(format_args!(
            "which checkpoint of {agent} acted is not recorded: the best one there is now does"
        ));
    }
    let told = statement.commands().map_err(|why| Error::Refused(format!("{shown}: {why}")))?;
    let dir = again(&plan, &told, args.out.out.as_deref(), context)?;
    compare(&statement, run_of(&args.proof).as_deref(), &dir)?;
    let files = statement.subject.len();
    let Some(key) = key else {
        return say(format_args!("reproduced: {files} files are the same; not signed, for there is no key"));
    };
    let path = beside(&dir);
    let repeated = statement.reproduced(&payload, &dir, &built())?;
    let (origin, formerly) = (args.signing.origin.as_deref(), args.signing.formerly()?);
    let by = By { key: &key, log: &args.signing.log, origin, formerly: formerly.as_ref(), chain: None };
    prove(&repeated, &by, &path)?;
    say(format_args!(
        "reproduced: {files} files are the same; wrote {}, signed by {}",
        path.display(),
        key.public().id()
    ))
}

/// What the proof says; it must hold as far as the keys tell.
fn opened(args: &ReproduceArgs, shown: &str) -> Result<(Statement, Vec<u8>), Error> {
    let bytes = read(&args.proof, MOST)?;
    let keys = public(&args.key)?;
    let verdict = check(&bytes, &Asked { keys: &keys, ..Asked::default() });
    let reasons = verdict.reasons().collect::<Vec<_>>().join("; ");
    match verdict.ends() {
        Ends::Good => {}
        Ends::Bad => return Err(Error::Failed(format!("{shown} does not hold: {reasons}"))),
        Ends::Unknown if keys.is_empty() => {
            note(format_args!("whose {shown} is was not checked: give --key"));
        }
        Ends::Unknown => {
            return Err(Error::Unknown(format!("whether {shown} holds is not known: {reasons}")));
        }
    }
    let refused = |why: String| Error::Refused(format!("{shown} is no proof of a run: {why}"));
    Proof::parse(&bytes).and_then(|proof| proof.statement()).map_err(refused)
}

/// The key of this party, if it has one; before any work.
fn own_key(args: &ReproduceArgs, shown: &str) -> Result<Option<Secret>, Error> {
    let key = match args.signing.key() {
        Err(Error::Unknown(why)) if args.signing.keys.is_none() => {
            note(format_args!("{why}; without one nothing is signed"));
            return Ok(None);
        }
        key => key?,
    };
    let id = key.public().id();
    let bytes = read(&args.proof, MOST)?;
    let signer = check(&bytes, &Asked { keys: &[key.public()], ..Asked::default() }).json();
    if signer["signer"] == id.as_str() {
        return Err(Error::Refused(format!(
            "the key {id} signed {shown} itself: that a run was repeated counts under the key of somebody else; choose it with --keys"
        )));
    }
    // Before the work: a log takes entries from its own key alone.
    let log = &args.signing.log;
    if log.join(CHECKPOINT).exists() {
        let keys: Vec<_> = args.signing.formerly()?.into_iter().chain([key.public()]).collect();
        Log::open(log, &keys).map_err(|error| match error {
            Error::Unknown(_) => Error::Refused(format!(
                "{} is the log of another key: choose a log of your own with --log",
                log.display()
            )),
            error => error,
        })?;
    }
    Ok(Some(key))
}

/// Says of each file whether it is what the statement says; the first difference is the error.
fn compare(statement: &Statement, recorded: Option<&Path>, dir: &Path) -> Result<(), Error> {
    let mut first = None;
    for subject in &statement.subject {
        match differs(subject, recorded, dir)? {
            None => say(format_args!("{}: identical", subject.name))?,
            Some(how) => {
                say(format_args!("{}: DIFFERENT ({how})", subject.name))?;
                first = first.or_else(|| Some(format!("{} ({how})", subject.name)));
            }
        }
    }
    for name in compared_files(dir)? {
        if !statement.subject.iter().any(|subject| Path::new(&subject.name) == name) {
            let name = name.display();
            say(format_args!("{name}: DIFFERENT (the statement does not name it)"))?;
            first = first.or_else(|| Some(format!("{name} (the statement does not name it)")));
        }
    }
    let Some(first) = first else { return Ok(()) };
    Err(Error::Failed(format!(
        "the run is not reproduced: the first difference is in {first}; it was made by {}, and this is version {}, commit {}; what came of it is in {}",
        statement.made_by(),
        env!("CARGO_PKG_VERSION"),
        commit(),
        dir.display()
    )))
}

/// How a file of `dir` differs from what the statement says of it.
fn differs(subject: &Subject, recorded: Option<&Path>, dir: &Path) -> Result<Option<String>, Error> {
    let now = dir.join(&subject.name);
    if !now.is_file() {
        return Ok(Some("it is missing now".to_owned()));
    }
    if digest(&now)?.1 == subject.digest.sha256 {
        return Ok(None);
    }
    let then = recorded.map(|run| run.join(&subject.name)).filter(|path| path.is_file());
    let Some(then) = then else {
        return Ok(Some("from which line on is not known: the run does not lie beside its proof".to_owned()));
    };
    if digest(&then)?.1 != subject.digest.sha256 {
        return Ok(Some("from which line on is not known: the recorded file was changed since".to_owned()));
    }
    let how = difference(&then, &now)?;
    Ok(Some(how.unwrap_or_else(|| "newer columns were added".to_owned())))
}
