//! Checkpoints in a run directory: a safetensors file and a JSON file each, whole or not at all.
//!
//! The JSON file is written last, and a checkpoint without it is none. It holds the checksums of both. Beside
//! them lies `config.toml` as it was when the training began: all checkpoints belong to it.

mod best;
mod chosen;
mod mark;
mod record;

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use resonetics_agents::prophet::state::{Arrays, Numbers};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::commands::Reached;
use crate::error::{self, Error};
use crate::files::{self, sha256, text, write_atomic, write_new};
use crate::shell::quoted_path;
use crate::training::extension::Extension;

pub use self::best::Best;
pub(super) use self::chosen::state_of;
pub use self::chosen::{CheckpointName, Which};
pub use self::mark::Mark;
pub use self::record::Identity;
use self::record::{CONFIG, FORMATS, Record, begun, opened, sealed};

const BEST: &str = "best";
/// The most lines that are told of what was changed in them.
const TOLD: usize = 3;

/// What a checkpoint holds: numbers of the kind `N`, which go into JSON, and arrays.
pub struct Checkpoint<N> {
    /// Length of the CSV file.
    pub csv_bytes: u64,
    /// The best checkpoint until then.
    pub best: Option<Best>,
    /// How far the run had come with what it was told; none where it was told nothing and never went back.
    pub reached: Option<Reached>,
    /// What whoever watches it goes on from.
    pub kept: Option<Value>,
    /// For JSON.
    pub numbers: N,
    /// For the safetensors file.
    pub arrays: Arrays,
}

/// Why a checkpoint cannot be used.
enum Unusable {
    /// It is not the file that it should be.
    Refused(String),
    /// It belongs to the config.toml of this SHA-256, which is not the one in the run's directory.
    Foreign(String),
    /// It was not looked at to its end.
    Failed(Error),
}

impl From<Error> for Unusable {
    fn from(failure: Error) -> Unusable {
        if failure.is_refusal() { Unusable::Refused(failure.to_string()) } else { Unusable::Failed(failure) }
    }
}

/// The checkpoints of a run.
pub struct Checkpoints {
    dir: PathBuf,
    folder: PathBuf,
    identity: Identity,
    keep: usize,
}

impl Checkpoints {
    /// Those in the run directory `dir`, for reading: somebody may be training there.
    pub fn at(dir: &Path, identity: Identity, keep: usize) -> Checkpoints {
        Checkpoints { dir: dir.to_path_buf(), folder: dir.join("checkpoints"), identity, keep }
    }

    /// The settings of the run in `dir` as they were when it began, if it keeps them.
    pub fn kept_settings(dir: &Path) -> Option<PathBuf> {
        Some(dir.join("checkpoints").join(CONFIG)).filter(|path| path.is_file())
    }

    /// Makes ready to write, once it is known that the training goes on or may begin: deletes what a killed
    /// process left, temporary files, arrays whose JSON was never written and checkpoints that are not kept, and keeps
    /// the settings.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn tidy(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.folder).map_err(error::io("create", &self.folder))?;
        self.prune()?;
        for folder in [&self.dir, &self.folder] {
            for path in files(folder)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let orphan = name.starts_with("step-")
                    && name.ends_with(".safetensors")
                    && !path.with_extension("json").exists();
                if name.starts_with(".tmp") || orphan {
                    fs::remove_file(&path).map_err(error::io("remove", &path))?;
                }
            }
        }
        let kept = self.folder.join(CONFIG);
        if kept.symlink_metadata().is_err() {
            write_new(&kept, begun(&files::read(&self.dir.join(CONFIG), files::TEXT)?))?;
        }
        Ok(())
    }

    /// Makes the last numbered checkpoint the best one too, with the same bytes, unless it is that already.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn last_is_best(&self) -> Result<(), Error> {
        let Some(last) = self.names()?.pop() else { return Ok(()) };
        for extension in ["safetensors", "json"] {
            let (last, best) = (self.path(&last, extension), self.path(BEST, extension));
            if !best.is_file() || !files::same(&last, &best)? {
                write_atomic(&best, &files::read(&last, u64::MAX)?)?;
            }
        }
        Ok(())
    }

    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}.{extension}"))
    }

    /// Names of the numbered checkpoints, the oldest first.
    fn names(&self) -> Result<Vec<String>, Error> {
        // A training that was killed at its very start has not made the folder yet.
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let mut names: Vec<String> = files(&self.folder)?
            .iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .filter(|name| name.starts_with("step-"))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Writes the checkpoint of `steps`, also as the best one if it is that, and deletes those that are not
    /// kept. Yields the SHA-256 of its safetensors file, and the steps of those that were deleted.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn write<N: Serialize>(
        &self,
        steps: u64,
        checkpoint: &Checkpoint<N>,
        is_best: bool,
    ) -> Result<(String, Vec<u64>), Error> {
        let Checkpoint { csv_bytes, best, reached, kept, numbers, arrays } = checkpoint;
        let arrays = arrays.to_bytes().map_err(Error::Failed)?;
        let record = Record {
            format: *FORMATS.end(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity: self.identity.clone(),
            safetensors: sha256(&arrays),
            csv_bytes: *csv_bytes,
            best: best.clone(),
            reached: *reached,
            kept: kept.clone(),
            numbers,
        };
        let json = sealed(&record)?;
        let name = step_name(steps);
        // A kill between the two is mended by `last_is_best`.
        for name in [&name, BEST].iter().take(1 + usize::from(is_best)) {
            write_atomic(&self.path(name, "safetensors"), &arrays)?;
            write_atomic(&self.path(name, "json"), &json)?;
        }
        Ok((record.safetensors, self.prune()?))
    }

    /// The numbered checkpoint of `steps`.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is none, or it is not one to go on from.
    pub fn of<N: DeserializeOwned>(&self, steps: u64) -> Result<Checkpoint<N>, Error> {
        let name = step_name(steps);
        match self.read(&name) {
            Ok((checkpoint, _)) => Ok(checkpoint),
            Err(problem) => Err(Error::Refused(self.told(&name, problem)?)),
        }
    }

    /// Names and bytes, safetensors before JSON, of what a training that goes on from `checkpoint`, that of `steps`, needs: its
    /// own, the best one until then if that is kept, and what it started from.
    pub(super) fn files_up_to(
        &self,
        steps: u64,
        checkpoint: &Checkpoint<Numbers>,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut names = vec![step_name(steps)];
        let clock =
            |of: &Checkpoint<Numbers>| of.reached.map_or(of.numbers.updates(), |reached| reached.clock);
        let best = self.read::<Numbers>(BEST).ok().map(|(best, _)| clock(&best));
        if best.is_some() && best == checkpoint.best.as_ref().map(|best| best.update) {
            names.push(BEST.to_owned());
        }
        names.extend(["start".to_owned()].into_iter().filter(|start| self.path(start, "json").is_file()));
        let mut files = Vec::new();
        for name in &names {
            for extension in ["safetensors", "json"] {
                let bytes = files::read(&self.path(name, extension), u64::MAX)?;
                files.push((format!("{name}.{extension}"), bytes));
            }
        }
        Ok(files)
    }

    /// Deletes the numbered checkpoints of more than `steps`, the newest first; yields their steps.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn remove_behind(&self, steps: u64) -> Result<Vec<u64>, Error> {
        let newer: Vec<u64> = self.steps()?.into_iter().rev().filter(|&other| other > steps).collect();
        for &other in &newer {
            self.remove(&step_name(other))?;
        }
        Ok(newer)
    }

    /// Deletes the files of a checkpoint.
    fn remove(&self, name: &str) -> Result<(), Error> {
        for extension in ["json", "safetensors"] {
            let path = self.path(name, extension);
            match fs::remove_file(&path) {
                // Whoever took it away wanted the same: no reason to end a training.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.map_err(error::io("remove", &path))?,
            }
        }
        Ok(())
    }

    /// The steps of the numbered checkpoints that there are, the oldest first.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn steps(&self) -> Result<Vec<u64>, Error> {
        Ok(self.names()?.iter().filter_map(|name| name.strip_prefix("step-")?.parse().ok()).collect())
    }

    /// Whether the best checkpoint has the networks of that of `steps`.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn is_best(&self, steps: u64) -> Result<bool, Error> {
        let best = self.path(BEST, "safetensors");
        if !best.is_file() {
            return Ok(false);
        }
        files::same(&self.path(&step_name(steps), "safetensors"), &best)
    }

    /// SHA-256 of the safetensors file of the checkpoint of `steps`, in hex, as it is.
    ///
    /// # Errors
    /// That it cannot be read.
    pub fn sum(&self, steps: u64) -> Result<String, Error> {
        files::read(&self.path(&step_name(steps), "safetensors"), u64::MAX).map(|bytes| sha256(&bytes))
    }

    /// Deletes the oldest checkpoints, of which no more are kept than asked for; yields their steps.
    ///
    /// # Errors
    /// Any I/O error.
    fn prune(&self) -> Result<Vec<u64>, Error> {
        let names = self.names()?;
        let old = &names[..names.len().saturating_sub(self.keep)];
        for old in old {
            self.remove(old)?;
        }
        Ok(old.iter().filter_map(|name| name.strip_prefix("step-")?.parse().ok()).collect())
    }

    /// The last checkpoint; none if there is none, see [`Checkpoints::refuse_lost`].
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason if it is not one to go on from, and what to do: an older one is
    /// only named if it is one.
    pub fn last<N: DeserializeOwned>(&self) -> Result<Option<Checkpoint<N>>, Error> {
        let names = self.names()?;
        let Some(last) = names.last() else { return Ok(None) };
        let problem = match self.read(last) {
            Ok((checkpoint, _)) => return Ok(Some(checkpoint)),
            Err(problem) => self.told(last, problem)?,
        };
        // From the newest on, those that would have to go to go on from an older one.
        let bad = names.iter().rev().take_while(|name| self.read::<N>(name).is_err()).count();
        let (older, bad) = names.split_at(names.len() - bad);
        let files = |name: &String| format!("{name}.json and {name}.safetensors");
        let bad = bad.iter().map(files).collect::<Vec<_>>().join(", ");
        let remedy = match older.last() {
            Some(whole) => format!("delete {bad} to continue from {whole}, which is intact"),
            None => format!("none is intact: put {bad} back{}, or {}", self.way_from_best(), self.anew()),
        };
        Err(Error::Refused(format!("{problem}; {remedy}")))
    }

    /// Refuses a run whose config.toml was edited since it began.
    ///
    /// # Errors
    /// [`Error::Refused`] with what was changed, as far as it is known, and how to put it back.
    pub fn refuse_edited(&self) -> Result<(), Error> {
        if let Some(other) = self.identities().find(|identity| self.identity.extended_otherwise(identity)) {
            return Err(Error::Refused(self.told_extended(&other)));
        }
        let found = self.identities().find(|identity| identity.config != self.identity.config);
        found
            .and_then(|found| self.edited(&found.config))
            .map_or(Ok(()), |edited| Err(Error::Refused(edited)))
    }

    /// That the extensions in config.toml are not those that a checkpoint was made with.
    fn told_extended(&self, other: &Identity) -> String {
        let each =
            |extension: &Extension| format!("{} steps from step {} on", extension.steps, extension.at_step);
        let all = |identity: &Identity| match &identity.extended[..] {
            [] => "none".to_owned(),
            extended => extended.iter().map(each).collect::<Vec<_>>().join(", then "),
        };
        format!(
            "{} was edited: its tables [[extended]] say {}, and a checkpoint in {} was made with {}; put them back",
            self.dir.join(CONFIG).display(),
            all(&self.identity),
            self.folder.display(),
            all(other)
        )
    }

    /// Refuses to begin at the beginning what has been trained already, where there is no numbered
    /// checkpoint: `done` updates or steps are in `csv`, and the first checkpoint is due behind `before_first`.
    ///
    /// # Errors
    /// [`Error::Refused`] with what to do.
    pub fn refuse_lost(&self, csv: &Path, done: u64, before_first: u64) -> Result<(), Error> {
        let best = ["json", "safetensors"].iter().any(|extension| self.path(BEST, extension).exists());
        if done <= before_first && !best {
            return Ok(());
        }
        if let Err(Unusable::Foreign(config)) = self.read::<Numbers>(BEST)
            && let Some(edited) = self.edited(&config)
        {
            return Err(Error::Refused(edited));
        }
        let mut found = Vec::new();
        if done > 0 {
            found.push(format!("{} and its timings record {done} updates or steps", csv.display()));
        }
        if best {
            found.push("the best checkpoint is there".to_owned());
        }
        Err(Error::Refused(format!(
            "{} holds no numbered checkpoint, but {}: nothing was begun anew; put the last step-N.json and \
             step-N.safetensors back{}, or {}",
            self.folder.display(),
            found.join(" and "),
            self.way_from_best(),
            self.anew()
        )))
    }

    /// How to go on from the best checkpoint, if it is one to go on from.
    fn way_from_best(&self) -> String {
        self.read::<Numbers>(BEST).map_or_else(
            |_| String::new(),
            |best| {
                let name = step_name(best.0.numbers.steps());
                format!(
                    ", or go on from the best one: copy best.json to {name}.json and best.safetensors to \
                     {name}.safetensors there"
                )
            },
        )
    }

    /// How to train from the beginning without touching what is there.
    fn anew(&self) -> String {
        format!("repeat it from its beginning: `resonetics rerun {} --out NEW`", quoted_path(&self.dir))
    }

    /// That config.toml was edited, if that is why a checkpoint that belongs to the one of SHA-256 `found`
    /// does not fit; else the checkpoint is from elsewhere.
    fn edited(&self, found: &str) -> Option<String> {
        let (config, kept) = (self.dir.join(CONFIG), self.folder.join(CONFIG));
        let (now, then) = (files::read(&config, files::TEXT).ok()?, files::read(&kept, files::TEXT).ok());
        let now = begun(&now);
        let kept_now = then.as_ref().is_some_and(|then| then == now);
        // Runs of older versions keep none.
        let then = then.filter(|then| sha256(then) == found);
        if kept_now || (then.is_none() && !self.identities().all(|identity| identity.config == found)) {
            return None;
        }
        let (path, folder) = (config.display(), self.folder.display());
        let mut text = format!(
            "{path} was edited: all checkpoints in {folder} belong to it as it was, with SHA-256 {found}; now it has {}",
            self.identity.config
        );
        if let Some(then) = then {
            let (kept, path) = (quoted_path(&kept), quoted_path(&config));
            let _ = write!(text, "{}; put it back: `cp {kept} {path}`", changes(&then, now));
        } else {
            text += "; put it back as it was";
        }
        text += " (start a new run for other settings)";
        Some(text)
    }

    /// What each checkpoint says it belongs to.
    fn identities(&self) -> impl Iterator<Item = Identity> {
        let names = self.names().unwrap_or_default().into_iter().chain([BEST.to_owned()]);
        let paths: Vec<PathBuf> = names.map(|name| self.path(&name, "json")).collect();
        paths.into_iter().filter_map(|path| {
            let value: Value = serde_json::from_str(&text(&path).ok()?).ok()?;
            serde_json::from_value(value.get("identity")?.clone()).ok()
        })
    }

    /// What is wrong with checkpoint `name`.
    ///
    /// # Errors
    /// [`Error::Refused`] if the fault is not with the checkpoint but with an edited config.toml.
    fn told(&self, name: &str, problem: Unusable) -> Result<String, Error> {
        match problem {
            Unusable::Refused(problem) => Ok(problem),
            Unusable::Failed(failure) => Err(failure),
            Unusable::Foreign(config) => match self.edited(&config) {
                Some(edited) => Err(Error::Refused(edited)),
                None => Ok(format!(
                    "{} is refused: it belongs to another config.toml, with SHA-256 {config}",
                    self.path(name, "json").display()
                )),
            },
        }
    }

    /// `problem` with the checkpoints at hand.
    pub fn refused(&self, problem: &str) -> Error {
        Error::Refused(format!("a checkpoint in {} is refused: {problem}", self.folder.display()))
    }

    /// A checkpoint by its name, and the SHA-256 of its safetensors file.
    fn read<N: DeserializeOwned>(&self, name: &str) -> Result<(Checkpoint<N>, String), Unusable> {
        let (json, arrays) = (self.path(name, "json"), self.path(name, "safetensors"));
        let refuse = |path: &Path, problem: &str| {
            Unusable::Refused(format!("{} is refused: {problem}", path.display()))
        };
        let text = text(&json)?;
        let record: Record<N> = opened(&text).map_err(|problem| refuse(&json, &problem))?;
        if record.identity.env != self.identity.env {
            if self.edited(&record.identity.config).is_some() {
                return Err(Unusable::Foreign(record.identity.config));
            }
            let problem =
                format!("it was trained in env `{}`, not `{}`", record.identity.env, self.identity.env);
            return Err(refuse(&json, &problem));
        }
        if record.identity.config != self.identity.config {
            return Err(Unusable::Foreign(record.identity.config));
        }
        if self.identity.extended_otherwise(&record.identity) {
            return Err(Unusable::Refused(self.told_extended(&record.identity)));
        }
        let bytes = files::read(&arrays, u64::MAX)?;
        let sum = sha256(&bytes);
        if sum != record.safetensors {
            return Err(refuse(&arrays, "it is not the file that was written (its SHA-256 differs)"));
        }
        let arrays = Arrays::from_bytes(&bytes).map_err(|problem| refuse(&arrays, &problem))?;
        let Record { csv_bytes, best, reached, kept, numbers, .. } = record;
        Ok((Checkpoint { csv_bytes, best, reached, kept, numbers, arrays }, sum))
    }
}

/// The name of the checkpoint of `steps`: in the order of their names they are in order.
fn step_name(steps: u64) -> String {
    format!("step-{steps:012}")
}

/// The first lines of a config.toml that are not as they were; nothing if lines were added or taken away.
fn changes(then: &[u8], now: &[u8]) -> String {
    let [then, now] = [then, now].map(String::from_utf8_lossy);
    if then.lines().count() != now.lines().count() {
        return String::new();
    }
    let pairs = (1..).zip(then.lines().zip(now.lines())).filter(|(_, (then, now))| then != now);
    let told = pairs.take(TOLD).map(|(line, (then, now))| format!("; line {line}, `{now}`, was `{then}`"));
    told.collect()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(error::io("read", folder))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let paths = paths.map_err(error::io("read", folder))?;
    Ok(paths.into_iter().filter(|path| path.is_file()).collect())
}
