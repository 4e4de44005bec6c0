//! `lumen resume`: where a run was, what is known of it and how it goes on, of a pack or of the run's folder.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use resonetics_lumen::archive::Archive;
use resonetics_lumen::context::cache::known;
use resonetics_lumen::context::{Context as Facts, Of};
use resonetics_lumen::pack::{Next, Opened, Resume, open, stands};
use resonetics_lumen::source::run_name;
use resonetics_runs::Error;
use resonetics_runs::shell::command_line;

use crate::commands::analyze::{self, AnalyzeArgs};
use crate::commands::context::Context;
use crate::commands::drift::{self, DriftArgs};
use crate::commands::limit::{self, LimitArgs};
use crate::commands::rerun::{self, RerunArgs};
use crate::commands::sweep::{self, SweepArgs};
use crate::commands::train::{self, TrainArgs};
use crate::out::{note, say};

/// What this program was built with, of what a run may need.
const FEATURES: &[&str] = if cfg!(feature = "torch") { &["torch"] } else { &[] };
/// The most lines before the commands.
const LINES: usize = 17;

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// A pack, or the folder of a run
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Of a pack: the run's folder; with the run in the pack a new or empty one [default: runs/RUN]
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Go on: restore the run if it is in the pack, and run the command
    #[arg(long)]
    pub go: bool,
    /// Of a folder: sum everything up, and keep nothing (context.json)
    #[arg(long)]
    pub no_cache: bool,
    /// Of a folder: the folder of archives to look into
    #[arg(long, value_name = "DIR", default_value = "archive")]
    pub archives: PathBuf,
}

pub fn run(args: &ResumeArgs, context: Context) -> Result<(), Error> {
    if args.path.is_dir() {
        return of_folder(args, context);
    }
    let near = args.to.as_deref().and_then(Path::parent).filter(|near| args.go && near.is_dir());
    let opened = open(&args.path, near)?;
    let to = args.to.clone().unwrap_or_else(|| Path::new("runs").join(&opened.resume.run));
    let words = opened.resume.arguments(&to);
    if !args.go {
        // What is known is worth something also where it cannot go on.
        tell(&opened.resume, &opened.context)?;
        opened.check(&to, FEATURES)?;
        return tell_next(&opened, args, &to, &words);
    }
    opened.check(&to, FEATURES)?;
    tell(&opened.resume, &opened.context)?;
    opened.place(&to, FEATURES)?;
    if opened.has_run() {
        say(format_args!("restored {}", to.display()))?;
    }
    // What was unpacked is not needed any more.
    drop(opened);
    go(&words, context)
}

/// The same of a run's folder, which is asked itself.
fn of_folder(args: &ResumeArgs, context: Context) -> Result<(), Error> {
    if let Some(to) = &args.to {
        let to = to.display();
        return Err(Error::Refused(format!("--to {to}: it is for packs; a run goes on in its folder")));
    }
    let (resume, folder) = stands(&args.path)?;
    let archives = args.archives.is_dir().then(|| Archive::at(&args.archives));
    let name = run_name(&folder);
    let of = Of { folder: &folder, name: &name, state: &resume.state, archives: archives.as_ref() };
    let got = known(&of, !args.no_cache)?;
    if let Some(why) = got.unkept {
        note(format_args!("what is known was not kept: {why}"));
    }
    tell(&resume, &got.context)?;
    let words = resume.arguments(&args.path);
    if args.go {
        return go(&words, context);
    }
    say(format_args!("{}: {}", what(resume.next), command_line(words.into_iter())))
}

/// What is known, in a few lines.
fn tell(resume: &Resume, facts: &Facts) -> Result<(), Error> {
    let step = resume.step.map_or_else(String::new, |step| format!(", checkpoint at step {step}"));
    let made = resume.version.as_deref().unwrap_or("unknown");
    let commit = resume.commit.as_deref().unwrap_or("unknown");
    say(format_args!(
        "{}: {} {}{step}; by resonetics {made}, commit {commit}",
        resume.run, resume.kind, resume.state
    ))?;
    facts.lines().iter().take(LINES - 1).try_for_each(|line| say(format_args!("{line}")))
}

/// The commands that come next, quoted for a shell.
fn tell_next(opened: &Opened, args: &ResumeArgs, to: &Path, words: &[String]) -> Result<(), Error> {
    let next = command_line(words.iter().cloned());
    let what = what(opened.resume.next);
    if !opened.has_run() {
        return say(format_args!("{what}: {next}"));
    }
    let [pack, to] = [&*args.path, to].map(|path| {
        let text = path.display().to_string();
        if text.starts_with('-') { format!("./{text}") } else { text }
    });
    let words = ["lumen", "resume", &pack, "--to", &to, "--go"].map(str::to_owned);
    say(format_args!("to restore it there, and {what}: {}", command_line(words.into_iter())))?;
    say(format_args!("which runs: {next}"))
}

fn what(next: Next) -> &'static str {
    match next {
        Next::Resume => "to go on",
        Next::Analyze => "it is finished; to see what came out",
        Next::Rerun => "to run it once more from its beginning",
    }
}

/// Runs one of the commands that come next, as if it had been typed.
fn go(words: &[String], context: Context) -> Result<(), Error> {
    match words.first().map_or("", String::as_str) {
        "train" => train::run(&typed::<TrainArgs>(words)?, context),
        "drift" => drift::run(&typed::<DriftArgs>(words)?, context),
        "limit" => limit::run(&typed::<LimitArgs>(words)?, context),
        "sweep" => sweep::run(&typed::<SweepArgs>(words)?, context),
        "analyze" => analyze::run("analyze", &typed::<AnalyzeArgs>(words)?, context),
        "rerun" => rerun::run(&typed::<RerunArgs>(words)?, context),
        other => Err(Error::Failed(format!("`{other}` comes next after nothing; please report this"))),
    }
}

/// The arguments that these words are.
fn typed<A: Args>(words: &[String]) -> Result<A, Error> {
    let refused = |problem: clap::Error| Error::Refused(problem.to_string());
    let matches = A::augment_args(Command::new("resonetics")).try_get_matches_from(words).map_err(refused)?;
    A::from_arg_matches(&matches).map_err(refused)
}
