//! `resume.toml`: what to do to go on with a run, and with which one.

use std::path::Path;
use std::time::Duration;

use resonetics_runs::files::{self, TEXT, sha256};
use resonetics_runs::run_dir::read_record;
use resonetics_runs::training::Mark;
use resonetics_runs::{Error, error};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::archive::Manifest;

/// The format that is read and written.
const FORMAT: u32 = 1;
/// What can be gone on with, and by which command.
const RESUMED: [&str; 4] = ["train", "drift", "limit", "sweep"];
/// What can be watched while it goes on.
const MONITORED: [&str; 2] = ["train", "drift"];
/// What has tables that can be analyzed once it is finished.
const ANALYZED: [&str; 8] = ["gardener", "benchmark", "controls", "drift", "eval", "limit", "train", "sweep"];

/// How often the last checkpoint of a run at work is looked for.
const TRIES: u32 = 20;
/// How long it is rested in between.
const REST: Duration = Duration::from_millis(10);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Next {
    /// It goes on from where it was.
    Resume,
    /// It is finished: what came out.
    Analyze,
    /// It cannot go on: once more from its beginning.
    Rerun,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    format: u32,
    /// The name of the run's folder.
    pub run: String,
    /// What was run: `train`, `gardener`, ...
    pub kind: String,
    /// How it ended: `finished`, `interrupted`, `failed`, `killed`; or that it was `running`.
    pub state: String,
    /// What comes next.
    pub next: Next,
    /// The command that does it, word by word, for the run in a folder of its name. Never run: it is put together
    /// anew and must be the same.
    pub command: Vec<String>,
    /// Steps behind the last checkpoint.
    pub step: Option<u64>,
    /// SHA-256 of that checkpoint's safetensors file, in hex.
    pub checkpoint_sha256: Option<String>,
    /// SHA-256 of config.toml, in hex.
    pub config_sha256: String,
    /// The version of the program that made it.
    pub version: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// What a program must be built with.
    pub features: Vec<String>,
    /// Where its monitor listened; usual ports that are taken give way.
    pub ports: Option<Ports>,
    /// The archive in the pack.
    pub archive: Option<Inside>,
}

/// Ports of a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// Of metrics.
    pub metrics: u16,
    /// Of health.
    pub health: u16,
}

/// An archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inside {
    /// The name of its folder, `TIME-ID8`.
    pub dir: String,
    /// Its id.
    pub id: String,
}

/// The path of the safetensors file of a checkpoint in the run's folder.
pub(super) fn checkpoint(step: u64) -> String {
    format!("checkpoints/step-{step:012}.safetensors")
}

/// Whether `name` is one plain word, as the name of a folder.
pub(super) fn is_plain(name: &str) -> bool {
    let whole = !name.is_empty() && name.len() <= 255 && !name.starts_with(['.', '-']);
    whole && !name.chars().any(|letter| letter.is_control() || "/\\".contains(letter))
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Resume {
    /// That of the run in `folder`, which is called `run` and ended as `state` says.
    ///
    /// # Errors
    /// [`Error::Refused`] for a run without settings, or whose last checkpoint is damaged; any I/O error.
    pub(super) fn of(folder: &Path, run: &str, state: &str) -> Result<Resume, Error> {
        let record = read_record(folder)?;
        let word = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = word("command").unwrap_or_default();
        let config = files::read(&folder.join("config.toml"), TEXT)?;
        let next = match state {
            "finished" if ANALYZED.contains(&&*kind) => Next::Analyze,
            "finished" => Next::Rerun,
            _ if RESUMED.contains(&&*kind) => Next::Resume,
            _ => Next::Rerun,
        };
        let last = last_of(folder, state)?;
        let port = |what: &str| {
            let address = record.get("monitor")?.get(what)?.as_str()?;
            address.rsplit_once(':')?.1.parse().ok()
        };
        let ports = port("metrics").zip(port("health")).map(|(metrics, health)| Ports { metrics, health });
        let mut resume = Resume {
            format: FORMAT,
            run: run.to_owned(),
            kind,
            state: state.to_owned(),
            next,
            command: Vec::new(),
            step: last.as_ref().map(|(step, _)| *step),
            checkpoint_sha256: last.map(|(_, sum)| sum),
            config_sha256: sha256(&config),
            version: word("version"),
            commit: word("commit"),
            features: features(&config),
            ports,
            archive: None,
        };
        resume.command = resume.words(run);
        Ok(resume)
    }

    /// The file's bytes.
    pub(super) fn encoded(&self) -> Result<Vec<u8>, Error> {
        let text = toml::to_string(self).map_err(|error| {
            Error::Failed(format!("cannot encode resume.toml: {error}; please report this"))
        })?;
        Ok(text.into_bytes())
    }

    /// What these bytes say.
    ///
    /// # Errors
    /// Why they are none of ours.
    pub(super) fn parse(bytes: &[u8]) -> Result<Resume, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
        let resume: Resume = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if resume.format != FORMAT {
            return Err(format!("its format is {}; this program reads {FORMAT}", resume.format));
        }
        if !is_plain(&resume.run) {
            return Err("its run is no name of a folder".to_owned());
        }
        let words = [&resume.kind, &resume.state].into_iter().chain(&resume.features);
        let words = words.chain(&resume.version).chain(&resume.commit);
        if words.into_iter().any(|word| word.len() > 64 || word.chars().any(char::is_control)) {
            return Err("a word of it is too long, or has control characters".to_owned());
        }
        let mut sums = [Some(&resume.config_sha256), resume.checkpoint_sha256.as_ref()];
        if let Some(inside) = &resume.archive {
            if !is_plain(&inside.dir) {
                return Err("its archive is no name of a folder".to_owned());
            }
            sums[1] = sums[1].or(Some(&inside.id));
        }
        if !sums.into_iter().flatten().all(|sum| is_hash(sum)) {
            return Err("a hash of it is none".to_owned());
        }
        if resume.step.is_some() != resume.checkpoint_sha256.is_some() {
            return Err("it has a step without a checkpoint, or a checkpoint without a step".to_owned());
        }
        if resume.next == Next::Resume && !RESUMED.contains(&&*resume.kind) {
            return Err(format!("a run of `{}` cannot be gone on with", resume.kind.escape_default()));
        }
        let words = resume.words(&resume.run);
        if resume.command != words {
            return Err(format!(
                "its command is not the one of such a run, which is `{}`: it was edited",
                words.join(" ").escape_default()
            ));
        }
        Ok(resume)
    }

    /// The command for the run in `dir`, word by word. There are no others.
    fn words(&self, dir: &str) -> Vec<String> {
        let dir = if dir.starts_with('-') { format!("./{dir}") } else { dir.to_owned() };
        let mut words = match self.next {
            Next::Resume => vec![self.kind.clone(), "--resume".to_owned(), dir],
            Next::Analyze => vec!["analyze".to_owned(), dir],
            Next::Rerun => vec!["rerun".to_owned(), dir],
        };
        if self.next == Next::Resume && self.ports.is_none() && MONITORED.contains(&&*self.kind) {
            words.push("--no-monitor".to_owned());
        }
        words.insert(0, "resonetics".to_owned());
        words
    }

    /// What follows `resonetics` in the command for the run in `dir`.
    pub fn arguments(&self, dir: &Path) -> Vec<String> {
        self.words(&dir.display().to_string()).split_off(1)
    }

    /// Whether the archive with this manifest is of this run, at this moment.
    ///
    /// # Errors
    /// What differs.
    pub(super) fn agrees(&self, manifest: &Manifest) -> Result<(), String> {
        let differs = |what: &str| {
            Err(format!(
                "the archive has another {what} than resume.toml says: it is of another run, or of another moment"
            ))
        };
        if self.archive.as_ref().is_none_or(|inside| inside.id != manifest.id) {
            return differs("id");
        }
        if manifest.run.config_sha256.as_ref() != Some(&self.config_sha256) {
            return differs("config.toml");
        }
        if manifest.run.command.as_deref().unwrap_or_default() != self.kind {
            return differs("command");
        }
        let Some((step, sum)) = self.step.zip(self.checkpoint_sha256.as_ref()) else { return Ok(()) };
        let path = checkpoint(step);
        let found = manifest.files.iter().find(|entry| entry.path == path);
        if manifest.run.step != Some(step) || found.is_none_or(|entry| entry.sha256 != *sum) {
            return differs("last checkpoint");
        }
        Ok(())
    }

    /// Refuses the run in `folder` if it is not the one that was packed, as it was then.
    ///
    /// # Errors
    /// [`Error::Refused`] with what to do; any I/O error.
    pub(super) fn refuse_other(&self, folder: &Path) -> Result<(), Error> {
        let shown = folder.display();
        let config = folder.join("config.toml");
        let found = sha256(&files::read(&config, TEXT)?);
        if found != self.config_sha256 {
            return Err(Error::Refused(format!(
                "{} has the SHA-256 {found}, and the pack is of a run whose has {}: it is another run, or was edited; name the run's folder with --to",
                config.display(),
                self.config_sha256
            )));
        }
        let Some((step, sum)) = self.step.zip(self.checkpoint_sha256.as_ref()) else { return Ok(()) };
        let path = folder.join(checkpoint(step));
        if !path.exists() {
            let now = last(folder)?.map_or_else(|| "none".to_owned(), |(step, _)| format!("step {step}"));
            return Err(Error::Refused(format!(
                "{} is not there, and the pack is of step {step}: the last checkpoint of {shown} is {now}; if it went on since, go on from there with `resonetics {} --resume`, or pack it again",
                path.display(),
                self.kind
            )));
        }
        let found = sha256(&files::read(&path, u64::MAX)?);
        if found != *sum {
            return Err(Error::Refused(format!(
                "{} has the SHA-256 {found}, and the pack says {sum}: it is another run's, or damaged",
                path.display()
            )));
        }
        Ok(())
    }
}

/// What a program needs to go on with a run of these settings.
fn features(config: &[u8]) -> Vec<String> {
    let settings = std::str::from_utf8(config).ok().and_then(|text| text.parse::<toml::Table>().ok());
    let learner =
        settings.as_ref().and_then(|settings| settings.get("learner")).and_then(toml::Value::as_str);
    if learner == Some("torch") { vec!["torch".to_owned()] } else { Vec::new() }
}

/// The last checkpoint of the run in `folder`; the trainer of one at work may delete it while it is read.
fn last_of(folder: &Path, state: &str) -> Result<Option<(u64, String)>, Error> {
    for _ in 1..TRIES {
        match last(folder) {
            Err(Error::Refused(_)) if state == "running" => std::thread::sleep(REST),
            other => return other,
        }
    }
    last(folder)
}

/// The steps of the last numbered checkpoint of the run in `folder`, and the SHA-256 of its safetensors file.
fn last(folder: &Path) -> Result<Option<(u64, String)>, Error> {
    let checkpoints = folder.join("checkpoints");
    if !checkpoints.is_dir() {
        return Ok(None);
    }
    let mut last = None;
    for entry in std::fs::read_dir(&checkpoints).map_err(error::io("read", &checkpoints))? {
        let name = entry.map_err(error::io("read", &checkpoints))?.file_name();
        last = last.max(Mark::steps(&name.to_string_lossy()));
    }
    let Some(step) = last else { return Ok(None) };
    let arrays = folder.join(checkpoint(step));
    let json = arrays.with_extension("json");
    let mark = Mark::of(&files::read(&json, TEXT)?)
        .map_err(|problem| Error::Refused(format!("{} is refused: {problem}", json.display())))?;
    let found = sha256(&files::read(&arrays, u64::MAX)?);
    if found != mark.safetensors {
        return Err(Error::Refused(format!(
            "{} is not the file that was written (its SHA-256 differs): `resonetics train --resume` says what to do",
            arrays.display()
        )));
    }
    Ok(Some((step, found)))
}
