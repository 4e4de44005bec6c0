//! Which files of a run are frozen, and why an attempt to do so starts again.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use resonetics_runs::{Error, error, interrupt};
use rustix::fs::OFlags;

use super::manifest::{MOST_FILES, Preset, check_path};
use crate::context::file::{FILE as CONTEXT, is_ours};

/// How deep folders are looked into.
const DEPTH: usize = 32;
/// What belongs to every archive, so that it says which run it is of.
const ALWAYS: [&str; 2] = ["config.toml", "run.json"];
/// Files and folders that Lumen, TensorBoard and the clock write.
const TELEMETRY: [&str; 4] = ["events.jsonl", "metrics.csv", "timing.jsonl", "tensorboard"];
/// Those of what is looked at.
const REPORTS: [&str; 4] = ["analysis.json", "report.html", "figures", "tables"];

/// Why an attempt at a run that is at work came to nothing.
pub(super) enum Attempt {
    /// This file changed or vanished while it was read: another attempt may do.
    Changed(String),
    /// Another attempt will not help.
    Failed(Error),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Attempt {
        Attempt::Failed(error)
    }
}

/// Of doing `what` to `path`: what has just vanished has changed.
pub(super) fn attempted(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Attempt {
    move |error| match error.kind() {
        ErrorKind::NotFound => Attempt::Changed(path.display().to_string()),
        _ => Attempt::Failed(error::io(what, path)(error)),
    }
}

/// Where the bytes of a file come from.
pub(super) enum Bytes {
    /// They were read already.
    Held(Vec<u8>),
    /// It was opened already: it may have been deleted since.
    Open(File),
    /// The file in the run's folder; of one that grows, so many bytes.
    Folder(Option<u64>),
}

/// A file to freeze.
pub(super) struct Source {
    /// Its path in the run's folder.
    pub(super) path: String,
    /// Where its bytes come from.
    pub(super) bytes: Bytes,
    /// The SHA-256 that its bytes must have, if somebody says one.
    pub(super) sum: Option<String>,
}

impl Preset {
    /// Whether the file of this path is asked for.
    pub(super) fn asks(self, path: &str) -> bool {
        let first = path.split('/').next().unwrap_or(path);
        if ALWAYS.contains(&path) {
            return true;
        }
        match self {
            Preset::All => true,
            Preset::Run => !path.split('/').any(is_aside),
            Preset::Telemetry => TELEMETRY.contains(&first),
            Preset::Reports => REPORTS.contains(&first),
        }
    }
}

/// What was put aside when a run began anew, and what is hidden.
fn is_aside(name: &str) -> bool {
    name.starts_with('.') || name.contains(".before-")
}

/// The paths of all files below `run` that are asked for, sorted. Temporary files of a writer at work are none.
pub(super) fn paths(run: &Path, preset: Preset) -> Result<Vec<String>, Attempt> {
    let mut found = Vec::new();
    within(run, "", DEPTH, preset, &mut found)?;
    found.sort();
    Ok(found)
}

fn within(
    folder: &Path,
    prefix: &str,
    depth: usize,
    preset: Preset,
    found: &mut Vec<String>,
) -> Result<(), Attempt> {
    interrupt::check()?;
    let refused = |path: PathBuf, what: &str| {
        let path = path.display();
        Attempt::Failed(Error::Refused(format!("{path} {what}; move it away and freeze again")))
    };
    for entry in fs::read_dir(folder).map_err(attempted("read", folder))? {
        let entry = entry.map_err(attempted("read", folder))?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str() else {
            return Err(refused(path, "cannot be archived: its name is no UTF-8 text"));
        };
        if name.starts_with(".tmp") {
            continue;
        }
        let name = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(attempted("read", &path))?;
        if kind.is_dir() {
            if depth == 0 {
                return Err(refused(path, "lies too deep to be archived"));
            }
            within(&path, &format!("{name}/"), depth - 1, preset, found)?;
            continue;
        }
        // What is summed up of a run is no part of it, and can be summed up again.
        if !preset.asks(&name) || (name == CONTEXT && is_ours(&path)) {
            continue;
        }
        let what = match () {
            () if kind.is_symlink() => "is a link",
            () if kind.is_fifo() => "is a named pipe",
            () if kind.is_socket() => "is a socket",
            () if !kind.is_file() => "is a device",
            () => {
                check_path(&name)
                    .map_err(|problem| refused(path, &format!("cannot be archived: {problem}")))?;
                if found.len() == MOST_FILES {
                    return Err(refused(
                        folder.to_path_buf(),
                        &format!("holds more than {MOST_FILES} files"),
                    ));
                }
                found.push(name);
                continue;
            }
        };
        return Err(refused(path, &format!("{what}: an archive holds files alone")));
    }
    Ok(())
}

/// Opens the file at `path`, which must be one and no link to one.
pub(super) fn opened(path: &Path) -> Result<(File, u64), Attempt> {
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(attempted("read", path))?;
    let metadata = file.metadata().map_err(attempted("read", path))?;
    if !metadata.is_file() {
        return Err(Attempt::Changed(path.display().to_string()));
    }
    Ok((file, metadata.len()))
}
