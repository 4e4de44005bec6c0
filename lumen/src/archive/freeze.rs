//! Freezing a run: its files into an archive, also while it is at work.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use resonetics_runs::files::{self, TEXT};
use resonetics_runs::run_dir::{commit, held};
use resonetics_runs::{Error, error};
use serde_json::Value;

use super::bundle::{NotAdded, Packed, Packer};
use super::calendar::stamp;
use super::commit::{Made, commit as keep};
use super::growing::length;
use super::index;
use super::manifest::{BUNDLE, Entry, FORMAT, MODE, Manifest, Preset, RunFacts, check_label};
use super::place::Archive;
use super::remote::record;
use super::running::{Snapshot, is_checkpoint, steps, table};
use super::sealed::{self, BUNDLE_AGE, Seal};
use super::source::{Attempt, Bytes, Source, attempted, opened, paths};

/// How often a run that changes while it is read is read again.
const TRIES: u32 = 20;
/// How long it rests in between, times the number of the attempt.
const REST: Duration = Duration::from_millis(5);
/// What run.json is called.
const RECORD: &str = "run.json";

/// What to freeze, and where to.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The folder of archives.
    pub to: &'a Path,
    /// What its maker calls it.
    pub label: Option<&'a str>,
    /// Which files.
    pub preset: Preset,
    /// For whom it is encrypted; for everybody if for nobody.
    pub seal: Option<&'a Seal>,
}

/// An archive of a run.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// Its folder.
    pub dir: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// Whether it was written now; if not, it was there and is good.
    pub is_new: bool,
    /// An archive of the same content that is damaged.
    pub damaged: Option<PathBuf>,
}

/// Freezes the run in `run` as it is `now`, in seconds since 1970. A training or a drift at work is frozen at its last
/// checkpoint.
///
/// # Errors
/// [`Error::Unknown`] if there is no such folder; [`Error::Refused`] for one of no run, for links and devices in it, for a
/// run at work without a checkpoint; [`Error::Failed`] if it changes again and again; any I/O error.
pub fn freeze(run: &Path, options: &Options<'_>, now: f64) -> Result<Frozen, Error> {
    options.label.map_or(Ok(()), check_label)?;
    let (folder, name) = named(run)?;
    refuse_within(&folder, options.to)?;
    // Before a folder is made for what is no run.
    files::read(&folder.join(RECORD), TEXT)?;
    if let Err(Attempt::Failed(error)) = paths(&folder, options.preset) {
        return Err(error);
    }
    let archive = Archive::at(options.to);
    let staging = archive.staging()?;
    let bundle = staging.dir.path().join(options.seal.map_or(BUNDLE, |_| BUNDLE_AGE));
    let mut last = String::new();
    for attempt in 1..=TRIES {
        match read(&folder, &bundle, options) {
            Ok((mut manifest, packed)) => {
                manifest.created_at = stamp(now);
                manifest.id = manifest.content_id()?;
                let Made { dir, manifest, is_new, damaged } =
                    keep(&archive, &name, staging, manifest, &packed, options.seal)?;
                return Ok(Frozen { dir, manifest, is_new, damaged });
            }
            Err(Attempt::Failed(error)) => return Err(error),
            Err(Attempt::Changed(path)) => last = path,
        }
        std::thread::sleep(REST * attempt);
    }
    Err(Error::Failed(format!(
        "{} changed {TRIES} times while it was frozen, the last time {last}: freeze it when less is written there",
        run.display()
    )))
}

/// The run's folder as a whole path, and its name.
fn named(run: &Path) -> Result<(PathBuf, String), Error> {
    let shown = run.display();
    if run.symlink_metadata().is_err() {
        return Err(Error::Unknown(format!("there is no run {shown}; give the folder of one")));
    }
    let folder = fs::canonicalize(run).map_err(error::io("read", run))?;
    if !folder.join(RECORD).exists() {
        return Err(Error::Refused(format!(
            "{shown} is no run: it holds no {RECORD}; give the folder of one"
        )));
    }
    let name = folder.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.'));
    // Beside the runs in the folder of archives.
    let name = name.filter(|name| ![index::FILE, record::FILE].contains(name));
    let name = name.ok_or_else(|| {
        Error::Refused(format!("{shown} cannot be archived under its name; rename the folder"))
    })?;
    Ok((folder.clone(), name.to_owned()))
}

/// Refuses an archive inside of the run: it would hold itself.
fn refuse_within(folder: &Path, to: &Path) -> Result<(), Error> {
    let there = to.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let there = if there == Path::new("") { Path::new(".") } else { there };
    let whole = fs::canonicalize(there).map_err(error::io("read", there))?;
    if whole.starts_with(folder) {
        return Err(Error::Refused(format!(
            "{} lies in the run itself; give another folder by --to",
            to.display()
        )));
    }
    Ok(())
}

/// Reads the run into a bundle at `bundle`, once.
fn read(run: &Path, bundle: &Path, options: &Options<'_>) -> Result<(Manifest, Packed), Attempt> {
    if bundle.exists() {
        fs::remove_file(bundle).map_err(error::io("remove", bundle))?;
    }
    let record_path = run.join(RECORD);
    let record_bytes = files::read(&record_path, TEXT)?;
    let record: Value = serde_json::from_slice(&record_bytes).map_err(|failure| {
        let path = record_path.display();
        Error::Refused(format!("{path} is no JSON file: {failure}; put it back as it was"))
    })?;
    // One that was killed a moment ago may still seem to be at work: then it is frozen at its last checkpoint.
    let is_running = record.get("status").and_then(Value::as_str) == Some("running");
    let is_at_work = is_running && held(run) != Some(false);
    let (sources, step) = sources(run, &record, record_bytes.clone(), is_at_work, options.preset)?;
    let mut packer = Packer::create(bundle, options.seal)?;
    let mut entries = Vec::new();
    for source in sources {
        entries.push(add(&mut packer, run, source, is_at_work)?);
    }
    if !is_at_work && (files::read(&record_path, TEXT)? != record_bytes || held(run) == Some(true)) {
        return Err(Attempt::Changed(record_path.display().to_string()));
    }
    let packed = packer.finish()?;
    Ok((manifest(&record, entries, step, &packed, options), packed))
}

/// The files of the run, sorted by path, and the steps behind its last checkpoint.
fn sources(
    run: &Path,
    record: &Value,
    record_bytes: Vec<u8>,
    is_at_work: bool,
    preset: Preset,
) -> Result<(Vec<Source>, Option<u64>), Attempt> {
    let command = record.get("command").and_then(Value::as_str).unwrap_or_default();
    let csv = table(command).filter(|_| is_at_work);
    let snapshot = csv.map(|csv| Snapshot::take(run, csv)).transpose()?;
    let moment = snapshot.as_ref().map(|snapshot| snapshot.moment.clone());
    let mut sources = Vec::new();
    let mut step = moment.as_ref().map(|moment| moment.steps);
    for path in paths(run, preset)? {
        if moment.is_some() && is_checkpoint(&path) {
            continue;
        }
        if moment.is_none() && table(command).is_some() {
            step = step.max(steps(&path));
        }
        let bytes = match () {
            () if path == RECORD => Bytes::Held(record_bytes.clone()),
            () if is_at_work => Bytes::Folder(length(run, &path, moment.as_ref())?),
            () => Bytes::Folder(None),
        };
        sources.push(Source { path, bytes, sum: None });
    }
    let checkpoints = snapshot.map_or_else(Vec::new, |snapshot| snapshot.sources);
    sources.extend(checkpoints.into_iter().filter(|source| preset.asks(&source.path)));
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((sources, step))
}

/// Adds a file to the bundle.
fn add(packer: &mut Packer<'_>, run: &Path, source: Source, is_at_work: bool) -> Result<Entry, Attempt> {
    let Source { path, bytes, sum } = source;
    let place = run.join(&path);
    let changed = || Attempt::Changed(place.display().to_string());
    let mut rest = None;
    let (size, added) = match bytes {
        Bytes::Held(bytes) => (bytes.len() as u64, packer.add(&path, bytes.len() as u64, &mut &bytes[..])),
        Bytes::Open(mut file) => {
            let size = file.metadata().map_err(attempted("read", &place))?.len();
            (size, packer.add(&path, size, &mut file))
        }
        Bytes::Folder(length) => {
            let (mut file, found) = opened(&place)?;
            let size = length.unwrap_or(found);
            if found < size {
                return Err(changed());
            }
            let added = packer.add(&path, size, &mut file);
            rest = Some((file, found));
            (size, added)
        }
    };
    let sha256 = added.map_err(|failure| match failure {
        NotAdded::Short => changed(),
        NotAdded::Unread(error) => attempted("read", &place)(error),
        NotAdded::Other(error) => Attempt::Failed(error),
    })?;
    // A run that is not at work does not grow.
    let grown = match rest {
        Some((file, found)) if !is_at_work => {
            file.metadata().map_err(attempted("read", &place))?.len() != found
        }
        _ => false,
    };
    if grown || sum.is_some_and(|sum| sum != sha256) {
        return Err(changed());
    }
    Ok(Entry { path, size, sha256, mode: MODE.to_owned() })
}

fn manifest(
    record: &Value,
    files: Vec<Entry>,
    step: Option<u64>,
    packed: &Packed,
    options: &Options<'_>,
) -> Manifest {
    let word = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    let config = files.iter().find(|entry| entry.path == "config.toml");
    let run = RunFacts {
        command: word("command"),
        seed: record.get("seed").and_then(Value::as_u64),
        commit: word("commit"),
        version: word("version"),
        started_at: word("started_at"),
        config_sha256: config.map(|entry| entry.sha256.clone()),
        status: word("status"),
        step,
    };
    Manifest {
        format: FORMAT,
        id: String::new(),
        label: options.label.map(str::to_owned),
        created_at: String::new(),
        preset: options.preset,
        run,
        total_bytes: files.iter().map(|entry| entry.size).sum(),
        files,
        tar_sha256: packed.tar_sha256.clone(),
        highlights: Vec::new(),
        trace_id: word("trace_id"),
        encryption: options.seal.map_or("none", |_| sealed::INSIDE).to_owned(),
        tool: format!("resonetics {} {}", env!("CARGO_PKG_VERSION"), commit()),
    }
}
