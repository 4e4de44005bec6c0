//! One training of a sweep, in a run directory of its own.

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_analysis::stats::student::mean_interval;
use resonetics_analysis::stats::summary::mean;
use resonetics_envs::stream::lane_seed;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::config_toml::short_numbers;
use crate::error::{Error, io};
use crate::files::{put_aside, read, sha256, text, write_new};
use crate::plan::Plan;
use crate::progress::{Progress, Silent};
use crate::rollout::play_with;
use crate::run_dir;
use crate::trained::{PROPHET, Trained, TrainedAgents};
use crate::training::{Runtime, Stopped, Train, Training};

/// The folder of the cells below a sweep's directory.
pub const CELLS: &str = "cells";
/// What the evaluation of a cell found.
const EVALUATION: &str = "evaluation.json";
/// Digits of a key: in a hundred thousand cells two are alike once in four thousand million sweeps.
const DIGITS: usize = 16;

/// The run directory of the cell `key` below the sweep's directory `dir`.
pub fn folder(dir: &Path, key: &str) -> PathBuf {
    dir.join(CELLS).join(key)
}

/// A training with the settings that were chosen for it.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The first digits of the SHA-256 of its config.toml.
    pub key: String,
    /// Those that vary.
    pub settings: Vec<(String, Value)>,
    /// All that it depends on.
    pub plan: Train,
}

/// Fresh episodes in which best checkpoints are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episodes {
    /// How many; 0: none.
    pub count: u64,
    /// Episode i has the seed `lane_seed(seed, i)`.
    pub seed: u64,
}

/// How a cell's best checkpoint fares in fresh episodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    /// How many there were.
    pub episodes: u64,
    /// Episode i has the seed `lane_seed(seed, i)`.
    pub seed: u64,
    /// Steps of training behind the checkpoint.
    pub step: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// Mean of their returns.
    pub return_mean: f64,
    /// Its 95% interval over these episodes.
    pub return_low: Option<f64>,
    /// Its other end.
    pub return_high: Option<f64>,
    /// Mean of their steps.
    pub steps_mean: f64,
    /// Share of those that were lost.
    pub lost: f64,
}

impl Evaluated {
    /// Whether these are the episodes that the plan asks for.
    fn is_asked(&self, asked: Episodes) -> bool {
        (self.episodes, self.seed) == (asked.count, asked.seed)
    }
}

impl Cell {
    pub(super) fn new(settings: Vec<(String, Value)>, plan: Train) -> Result<Cell, Error> {
        let text = toml::to_string(&Plan::Train(Box::new(plan.clone())))
            .map_err(|error| Error::Failed(format!("cannot write the settings as TOML: {error}")))?;
        let key = sha256(short_numbers(&text).as_bytes())[..DIGITS].to_owned();
        Ok(Cell { key, settings, plan })
    }

    /// What it is called in messages.
    pub fn name(&self) -> String {
        let mut words: Vec<String> =
            self.settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        words.push(format!("seed={}", self.plan.seed));
        words.join(" ")
    }

    /// Updates that it takes: how much of the whole it is.
    pub fn updates(&self) -> u64 {
        self.plan.train.updates(self.plan.total())
    }

    /// Whether it is trained and evaluated below `cells`.
    ///
    /// # Errors
    /// [`Error::Refused`] for an evaluation that cannot be read.
    pub fn is_done(&self, asked: Episodes, cells: &Path) -> Result<bool, Error> {
        let dir = cells.join(&self.key);
        let finished = run_dir::ended(&dir).as_deref() == Some("finished");
        Ok(finished && (asked.count == 0 || evaluated(&dir)?.is_some_and(|found| found.is_asked(asked))))
    }

    /// Trains it below `cells`, from where it stopped if it was begun there, and evaluates it.
    ///
    /// # Errors
    /// What ended the training; an interrupt; [`Error::Refused`] if another process trains there.
    pub fn work(&self, asked: Episodes, cells: &Path, progress: &dyn Progress) -> Result<(), Error> {
        let dir = cells.join(&self.key);
        if self.is_done(asked, cells)? {
            progress.inc(self.updates());
            return Ok(());
        }
        let part = Part(progress);
        let runtime = Runtime { progress: &part, ..Runtime::default() };
        match run_dir::ended(&dir).as_deref() {
            Some("finished") => progress.inc(self.updates()),
            Some("running") => {
                return Err(Error::Refused(format!("another process trains in {}", dir.display())));
            }
            Some("killed" | "interrupted") => match Stopped::open(&dir, "auto")? {
                Some(stopped) => stopped.resume(&runtime)?.run(&runtime)?,
                None => progress.inc(self.updates()),
            },
            begun => {
                if begun.is_some() {
                    put_aside(&dir)?;
                }
                Training::begin(&self.plan, Some(&dir), &runtime)?.run(&runtime)?;
            }
        }
        if asked.count == 0 {
            return Ok(());
        }
        self.evaluate(asked, &dir)
    }

    /// Plays the best checkpoint in `dir` in fresh episodes.
    fn evaluate(&self, asked: Episodes, dir: &Path) -> Result<(), Error> {
        let agent = format!("{PROPHET}{}", dir.display());
        let trained = TrainedAgents::default().open(&[&agent])?;
        let seeds: Vec<u64> = (0..asked.count).map(|i| lane_seed(asked.seed, i)).collect();
        let env = &self.plan.env;
        let played = play_with(env, &|envs| trained.policy(env, &agent, envs), &seeds, &Silent)?;
        let returns: Vec<f64> = played.iter().map(|episode| episode.total_reward).collect();
        let steps: Vec<f64> = played.iter().map(|episode| f64::from(episode.steps)).collect();
        let interval = mean_interval(&returns);
        let lost = played.iter().filter(|episode| episode.terminated).count();
        let checkpoint = Trained::open(dir)?.checkpoint;
        let found = Evaluated {
            episodes: asked.count,
            seed: asked.seed,
            step: checkpoint.step,
            sha256: checkpoint.sha256,
            return_mean: mean(&returns).unwrap_or_default(),
            return_low: interval.map(|interval| interval.low),
            return_high: interval.map(|interval| interval.high),
            steps_mean: mean(&steps).unwrap_or_default(),
            lost: lost as f64 / played.len().max(1) as f64,
        };
        let json = serde_json::to_string_pretty(&found)
            .map_err(|error| Error::Failed(format!("cannot encode {EVALUATION}: {error}")))?;
        let path = dir.join(EVALUATION);
        if path.exists() {
            // Of other episodes: kept beside it.
            put_aside(&path)?;
        }
        write_new(&path, format!("{json}\n").as_bytes())
    }
}

/// What the evaluation in `dir` found; none if there is none.
///
/// # Errors
/// [`Error::Refused`] for what is no evaluation.
pub(super) fn evaluated(dir: &Path) -> Result<Option<Evaluated>, Error> {
    let path = dir.join(EVALUATION);
    if !path.is_file() {
        return Ok(None);
    }
    serde_json::from_str(&text(&path)?).map(Some).map_err(|error| {
        Error::Refused(format!(
            "{} is no evaluation: {error}; remove it and it is made again",
            path.display()
        ))
    })
}

/// One of several counts in one.
struct Part<'a>(&'a dyn Progress);

impl Progress for Part<'_> {
    fn begin_at(&self, count: u64) {
        self.0.inc(count);
    }

    fn inc(&self, count: u64) {
        self.0.inc(count);
    }

    fn tick(&self) {
        self.0.tick();
    }

    fn message(&self, _: &str) {}

    fn finish(&self) {}
}

/// Takes the cell `key` that was trained in the folder `from`, elsewhere, into the sweep in `dir`: whole or not at all. Whether it
/// was new: one that is there already is compared with it and kept.
///
/// # Errors
/// [`Error::Failed`] if it has other tables, arrays or another evaluation than the one that is there, naming the first file that
/// differs; any I/O error.
pub fn deliver(dir: &Path, key: &str, from: &Path) -> Result<bool, Error> {
    let to = folder(dir, key);
    let cells = dir.join(CELLS);
    fs::create_dir_all(&cells).map_err(io("create", &cells))?;
    if !to.exists() {
        match fs::rename(from, &to) {
            Ok(()) => return Ok(true),
            // Another delivery came first, and is compared with.
            Err(_) if to.exists() => {}
            Err(error) => return Err(io("rename", from)(error)),
        }
    }
    let (ours, theirs) = (counted(&to)?, counted(from)?);
    if ours != theirs {
        return Err(Error::Failed(format!(
            "cell {key} was trained twice and has other files the second time: {ours:?} and {theirs:?}"
        )));
    }
    for name in &ours {
        let (one, other) = (to.join(name), from.join(name));
        let (one, other) = (read(&one, u64::MAX)?, read(&other, u64::MAX)?);
        if one != other {
            let at = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
            let line = one[..at].split(|&byte| byte == b'\n').count();
            return Err(Error::Failed(format!(
                "cell {key} was trained twice with different results: {} differs from byte {at} on (line {line}); the machines do not compute \
                 alike, or do not run the same program",
                name.display()
            )));
        }
    }
    fs::remove_dir_all(from).map_err(io("remove", from))?;
    Ok(false)
}

/// The files of a cell that are the same wherever it is trained, by their names below `dir`.
fn counted(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for folder in [dir.to_path_buf(), dir.join("checkpoints")] {
        for entry in fs::read_dir(&folder).map_err(io("read", &folder))? {
            let path = entry.map_err(io("read", &folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let counts = name == EVALUATION
                || name == "config.toml"
                || [".csv", ".safetensors"].iter().any(|ending| name.ends_with(ending));
            if counts && let Ok(below) = path.strip_prefix(dir) {
                found.push(below.to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}
