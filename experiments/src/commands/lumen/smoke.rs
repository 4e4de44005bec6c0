//! `lumen smoke`: every part once, for real, in a folder of its own: a line each.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use resonetics_runs::shell::command_line;
use resonetics_runs::{Error, claim, error, interrupt};

use crate::out::say;

#[derive(Debug, Args)]
pub struct SmokeArgs {
    /// Keep what was made, in this new folder; without it all of it goes
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

const GARDEN: &str = "gardener --generations 3000 --seed 1 --agent heuristic --set grid_size=16 --set init_agents=6 \
    --set min_population=4 --set max_population=12 --lumen --out garden";
const TRAINING: &str = "train --steps 12288 --seed 1 --lumen --gate act --set train.num_envs=4 --set train.horizon=32 \
    --set train.checkpoint_every=4 --set train.eval_episodes=8 --no-monitor --out training";

/// What is done, and in which order; each in a process of its own, as it is typed.
const STEPS: [(&str, &[&str]); 15] = [
    ("a garden, watched", &[GARDEN]),
    ("events are what their schema says", &["lumen validate garden/events.jsonl"]),
    ("the store takes them", &["lumen ingest garden/events.jsonl --store store"]),
    ("signals", &["lumen signals garden", "lumen signals training"]),
    (
        "the runs repeated, to the same bytes",
        &["rerun garden --out garden-again", "rerun training --out training-again"],
    ),
    ("a fork of the garden", &["lumen lab fork garden --at 1000 --set dirt_growth=0.05 --out fork"]),
    ("state of the runs", &["lumen status garden training"]),
    ("what Prometheus is shown", &["lumen export garden training --textfile . --store store"]),
    (
        "an archive: frozen, verified, restored",
        &[
            "lumen freeze training --to archive",
            "lumen verify archive --deep",
            "lumen restore archive --out restored",
        ],
    ),
    ("the restored run repeated, to the same bytes", &["rerun restored --out restored-again"]),
    ("a key and a proof", &["lumen keys init --dir keys", "lumen prove garden --keys keys --log log"]),
    (
        "the proof holds",
        &[
            "lumen check-proof garden.proof.json --key keys/signer.pub.pem --artifact garden/resonetics_data.csv",
            "lumen log verify --log log --key keys/signer.pub.pem",
        ],
    ),
    (
        "the proof reproduced under another key",
        &[
            "lumen keys init --dir others",
            "lumen reproduce garden.proof.json --key keys/signer.pub.pem --keys others --log others-log --out reproduced",
        ],
    ),
    ("a report", &["report garden"]),
    ("doctor", &["lumen doctor"]),
];

pub fn run(args: &SmokeArgs) -> Result<(), Error> {
    let kept;
    let dir = if let Some(dir) = &args.keep {
        let dir = claim::claim(Some(dir), "smoke")?;
        dir.canonicalize().map_err(error::io("find", &dir))?
    } else {
        kept = tempfile::tempdir().map_err(error::io("create", Path::new("a temporary folder")))?;
        kept.path().to_path_buf()
    };
    let start = Instant::now();
    let mut failed = 0;
    let mut done = |what: &str, outcome: Result<(), String>| match outcome {
        Ok(()) => say(format_args!("ok      {what}")),
        Err(why) => {
            failed += 1;
            say(format_args!("FAILED  {what}: {why}"))
        }
    };
    done("a training, told something while it is at work", told(&dir))?;
    for (what, lines) in STEPS {
        interrupt::check()?;
        done(what, lines.iter().try_for_each(|line| typed(&dir, line).map(drop)))?;
    }
    match checked_by_promtool(&dir) {
        None => say(format_args!("skipped its metrics by promtool: there is none on the PATH"))?,
        Some(outcome) => done("its metrics by promtool", outcome)?,
    }
    if let Some(kept) = &args.keep {
        say(format_args!("wrote {}", kept.display()))?;
    }
    if failed > 0 {
        return Err(Error::Failed(format!("{failed} of {} parts failed", STEPS.len() + 2)));
    }
    say(format_args!("all parts work, in {:.1} s", start.elapsed().as_secs_f64()))
}

/// A training that is told something by another process, and comes to its end.
fn told(dir: &Path) -> Result<(), String> {
    let mut training = command(dir, TRAINING)?.spawn().map_err(|error| error.to_string())?;
    // Until it listens; a training that is at its end before that is too fast for this, and no fault.
    let mut heard = false;
    while !heard && training.try_wait().map_err(|error| error.to_string())?.is_none() {
        heard = typed(dir, "lumen ctl training knob.set train.entropy=0.02 --by smoke").is_ok();
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = training.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(last_line(&output.stderr));
    }
    if !heard {
        return Err("it was at its end before it could be told anything".to_owned());
    }
    Ok(())
}

/// Types a line; yields what it printed.
fn typed(dir: &Path, line: &str) -> Result<String, String> {
    let output = command(dir, line)?.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = command_line(line.split_whitespace().map(str::to_owned));
    Err(format!("{words} ({}): {}", output.status, last_line(&output.stderr)))
}

fn command(dir: &Path, line: &str) -> Result<Command, String> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command
        .current_dir(dir)
        .args(words(dir, line))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Keys that are made for this alone, and forgotten.
    command.env("LUMEN_KEY_PASS", "smoke").env_remove("LUMEN_KEY_PASS_FILE");
    Ok(command)
}

/// The words of a line; `archive` behind `verify` and `restore` is the only one that there is.
fn words(dir: &Path, line: &str) -> Vec<String> {
    let of_archive = ["lumen verify ", "lumen restore "].iter().any(|start| line.starts_with(start));
    let found = || {
        let run = dir.join("archive").join("training");
        let first = std::fs::read_dir(run).ok()?.flatten().next()?;
        Some(first.path().display().to_string())
    };
    line.split_whitespace()
        .map(|word| {
            if of_archive && word == "archive" {
                found().unwrap_or_else(|| word.to_owned())
            } else {
                word.to_owned()
            }
        })
        .collect()
}

fn last_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().last().unwrap_or("it said nothing").to_owned()
}

/// What promtool says of the exported text; none where it is not installed.
fn checked_by_promtool(dir: &Path) -> Option<Result<(), String>> {
    let metrics = match std::fs::File::open(dir.join("lumen.prom")) {
        Ok(metrics) => metrics,
        Err(error) => return Some(Err(error.to_string())),
    };
    let output = Command::new("promtool").args(["check", "metrics"]).stdin(metrics).output().ok()?;
    Some(if output.status.success() { Ok(()) } else { Err(last_line(&output.stderr)) })
}
