//! Checkpoints in a run directory: a safetensors file and a JSON file each, whole or not at all.
//!
//! The JSON file is written last, and a checkpoint without it is none. It holds the checksums of both.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use resonetics_agents::prophet::state::{Arrays, Numbers, State};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::{self, Failure};
use crate::files::{sha256, write_atomic};
use crate::setup::read;

/// Grows with each change of what is written.
const FORMAT: u32 = 1;
const BEST: &str = "best";

/// Which training a checkpoint belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    env: String,
    /// SHA-256 of the run's config.toml.
    config: String,
}

impl Identity {
    /// That of the training in `env` whose config.toml is in `dir`.
    pub fn of(env: &str, dir: &Path) -> Result<Identity, Failure> {
        let path = dir.join("config.toml");
        let bytes = fs::read(&path).map_err(failure::io("read", &path))?;
        Ok(Identity { env: env.to_owned(), config: sha256(&bytes) })
    }
}

/// The best checkpoint so far, by the greedy policy's mean return on seeds of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    pub update: u64,
    pub greedy_return: f64,
}

/// What a checkpoint holds: numbers of the kind `N`, which go into JSON, and arrays.
pub struct Checkpoint<N> {
    /// Length of the CSV file.
    pub csv_bytes: u64,
    pub best: Option<Best>,
    pub numbers: N,
    pub arrays: Arrays,
}

/// What a checkpoint's JSON file says, beside its own checksum.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<N> {
    format: u32,
    version: String,
    identity: Identity,
    /// SHA-256 of the safetensors file.
    safetensors: String,
    csv_bytes: u64,
    best: Option<Best>,
    numbers: N,
}

/// The checkpoints of a run.
pub struct Checkpoints {
    folder: PathBuf,
    identity: Identity,
    keep: usize,
}

impl Checkpoints {
    /// Those in the run directory `dir`, for reading: somebody may be training there.
    pub fn at(dir: &Path, identity: Identity, keep: usize) -> Checkpoints {
        Checkpoints { folder: dir.join("checkpoints"), identity, keep }
    }

    /// Makes ready to write: deletes what a killed process left, temporary files and arrays whose JSON
    /// was never written.
    pub fn tidy(&self, dir: &Path) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder).map_err(failure::io("create", &self.folder))?;
        for folder in [dir, &self.folder] {
            for path in files(folder)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let orphan = name.starts_with("step-")
                    && name.ends_with(".safetensors")
                    && !path.with_extension("json").exists();
                if name.starts_with(".tmp") || orphan {
                    fs::remove_file(&path).map_err(failure::io("remove", &path))?;
                }
            }
        }
        Ok(())
    }

    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}.{extension}"))
    }

    /// Names of the numbered checkpoints, the oldest first.
    fn names(&self) -> Result<Vec<String>, Failure> {
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

    /// Writes the checkpoint of `steps`, as the best one first if it is that, and deletes those that are
    /// not kept.
    pub fn write<N: Serialize>(
        &self,
        steps: u64,
        checkpoint: &Checkpoint<N>,
        is_best: bool,
    ) -> Result<(), Failure> {
        let Checkpoint { csv_bytes, best, numbers, arrays } = checkpoint;
        let arrays = arrays.to_bytes().map_err(Failure::Failed)?;
        let record = Record {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity: self.identity.clone(),
            safetensors: sha256(&arrays),
            csv_bytes: *csv_bytes,
            best: *best,
            numbers,
        };
        let json = sealed(&record)?;
        let name = format!("step-{steps:012}");
        // A kill between the two leaves an older numbered checkpoint, which leads to this best one again.
        for name in [BEST, &name].iter().skip(usize::from(!is_best)) {
            write_atomic(&self.path(name, "safetensors"), &arrays)?;
            write_atomic(&self.path(name, "json"), &json)?;
        }
        let names = self.names()?;
        for old in &names[..names.len().saturating_sub(self.keep)] {
            for extension in ["json", "safetensors"] {
                let path = self.path(old, extension);
                fs::remove_file(&path).map_err(failure::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// The last checkpoint; none if there is none.
    ///
    /// # Errors
    /// [`Failure::Usage`] with the reason if it is not one to go on from.
    pub fn last<N: DeserializeOwned>(&self) -> Result<Option<Checkpoint<N>>, Failure> {
        self.names()?.last().map(|name| Ok(self.read(name)?.0)).transpose()
    }

    /// The best checkpoint, and the SHA-256 of its safetensors file.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is none, or with the reason why it cannot be used.
    pub fn best(&self) -> Result<(State, String), Failure> {
        if !self.path(BEST, "json").exists() {
            return Err(Failure::Usage(format!(
                "{} holds no best checkpoint yet: train on (`resonetics train --resume`)",
                self.folder.display()
            )));
        }
        // Who trains here may just be replacing its two files, one after the other.
        for _ in 0..10 {
            if let Ok((Checkpoint { numbers, arrays, .. }, sum)) = self.read(BEST) {
                return Ok((State { numbers, arrays }, sum));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let (Checkpoint { numbers, arrays, .. }, sum) = self.read::<Numbers>(BEST)?;
        Ok((State { numbers, arrays }, sum))
    }

    /// The checkpoint whose safetensors file has this SHA-256, the best one or a numbered one, if it is kept.
    pub fn with_sum(&self, sum: &str) -> Option<State> {
        let numbered = self.names().unwrap_or_default();
        [BEST.to_owned()].into_iter().chain(numbered).find_map(|name| {
            let text = read(&self.path(&name, "json")).ok()?;
            opened::<Numbers>(&text).ok().filter(|record| record.safetensors == sum)?;
            let (Checkpoint { numbers, arrays, .. }, found) = self.read::<Numbers>(&name).ok()?;
            (found == sum).then_some(State { numbers, arrays })
        })
    }

    /// `problem` with the checkpoints at hand.
    pub fn refused(&self, problem: &str) -> Failure {
        Failure::Usage(format!("a checkpoint in {} is refused: {problem}", self.folder.display()))
    }

    /// A checkpoint by its name, and the SHA-256 of its safetensors file.
    fn read<N: DeserializeOwned>(&self, name: &str) -> Result<(Checkpoint<N>, String), Failure> {
        let (json, arrays) = (self.path(name, "json"), self.path(name, "safetensors"));
        let remedy = if name == BEST {
            "train on (`resonetics train --resume`) if that training was stopped, or put the file back"
                .to_owned()
        } else {
            format!("delete {name}.json and {name}.safetensors to go on from an older checkpoint")
        };
        let refuse = |path: &Path, problem: &str| {
            Failure::Usage(format!("{} is refused: {problem}; {remedy}", path.display()))
        };
        let text = read(&json)?;
        let record: Record<N> = opened(&text).map_err(|problem| refuse(&json, &problem))?;
        if record.identity.env != self.identity.env {
            let problem =
                format!("it was trained in env `{}`, not `{}`", record.identity.env, self.identity.env);
            return Err(refuse(&json, &problem));
        }
        if record.identity.config != self.identity.config {
            return Err(refuse(&json, "it belongs to another config.toml, or this one was edited"));
        }
        let bytes = fs::read(&arrays).map_err(failure::io("read", &arrays))?;
        let sum = sha256(&bytes);
        if sum != record.safetensors {
            return Err(refuse(&arrays, "it is not the file that was written (its SHA-256 differs)"));
        }
        let arrays = Arrays::from_bytes(&bytes).map_err(|problem| refuse(&arrays, &problem))?;
        let Record { csv_bytes, best, numbers, .. } = record;
        Ok((Checkpoint { csv_bytes, best, numbers, arrays }, sum))
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(failure::io("read", folder))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let paths = paths.map_err(failure::io("read", folder))?;
    Ok(paths.into_iter().filter(|path| path.is_file()).collect())
}

/// The record as JSON text, closed by its own checksum.
fn sealed<N: Serialize>(record: &Record<N>) -> Result<Vec<u8>, Failure> {
    let failed = |error: serde_json::Error| Failure::Failed(format!("cannot encode a checkpoint: {error}"));
    let mut value = serde_json::to_value(record).map_err(failed)?;
    let sum = sha256(value.to_string().as_bytes());
    if let Value::Object(fields) = &mut value {
        fields.insert("sha256".to_owned(), sum.into());
    }
    let mut bytes = serde_json::to_vec_pretty(&value).map_err(failed)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The record in a text.
fn opened<N: DeserializeOwned>(text: &str) -> Result<Record<N>, String> {
    let mut value: Value =
        serde_json::from_str(text).map_err(|error| format!("it is no whole JSON file ({error})"))?;
    let format = value.get("format").and_then(Value::as_u64);
    if format != Some(FORMAT.into()) {
        let found = format.map_or_else(|| "none".to_owned(), |format| format.to_string());
        let version = value.get("version").and_then(Value::as_str).unwrap_or("unknown");
        return Err(format!(
            "its format is {found}, written by version {version}; this program reads format {FORMAT}"
        ));
    }
    let sum = value.as_object_mut().and_then(|fields| fields.shift_remove("sha256"));
    if sum.as_ref().and_then(Value::as_str) != Some(&sha256(value.to_string().as_bytes())) {
        return Err("it was edited (its own checksum differs)".to_owned());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}
