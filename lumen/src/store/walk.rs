//! Which files hold events.

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_runs::error::{self, Error};
use resonetics_runs::interrupt;

use crate::event::FILE;

/// How deep folders are looked into.
const DEPTH: usize = 16;

/// The files with events that `paths` are, or that are in the folders that they are, in the order of their paths;
/// those of a folder by name, which is by age for what was rotated. Links to folders are not followed.
///
/// # Errors
/// That one of `paths` cannot be looked at.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    gather(paths, true, is_log)
}

/// The logs in the folders among `paths` that were put aside, since their source began anew or they could not be read:
/// what they say is told again by the log in their place.
///
/// # Errors
/// As [`files`].
pub(super) fn asides(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    gather(paths, false, is_aside)
}

fn gather(paths: &[PathBuf], named: bool, is: fn(&Path) -> bool) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(error::io("read", path))?;
        if metadata.is_dir() {
            within(path, DEPTH, is, &mut found)?;
        } else if named {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn within(folder: &Path, depth: usize, is: fn(&Path) -> bool, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    interrupt::check()?;
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(error::io("read", folder))? {
        let entry = entry.map_err(error::io("read", folder))?;
        entries.push((entry.path(), entry.file_type().is_ok_and(|kind| kind.is_dir())));
    }
    entries.sort();
    for (path, is_folder) in entries {
        if !is_folder {
            found.extend(is(&path).then_some(path));
        } else if depth > 0 {
            // One that has gone away, or that is not ours to read, holds nothing for us.
            if let Err(Error::Interrupted(signal)) = within(&path, depth - 1, is, found) {
                return Err(Error::Interrupted(signal));
            }
        }
    }
    Ok(())
}

/// `events.jsonl.before-N`: see `put_aside` of the runs.
fn is_aside(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix(FILE).is_some_and(|rest| rest.starts_with(".before-"))
}

/// `events.jsonl`, `events-N.jsonl` and `events.jsonl.N`; nothing compressed, nothing that was put aside.
pub(super) fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((stem, ending)) = FILE.split_once('.') else { return false };
    let rotated = name.strip_prefix(FILE).and_then(|rest| rest.strip_prefix('.'));
    let numbered = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending));
    name == FILE
        || rotated
            .filter(|_| !is_aside(path))
            .is_some_and(|rest| !matches!(rest.rsplit('.').next(), Some("gz" | "zst" | "xz" | "bz2" | "tmp")))
        || numbered.is_some_and(|rest| rest.starts_with('-') && rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_parts_are_logs_and_others_are_not() {
        let is = |name: &str| is_log(&Path::new("run").join(name));
        for name in ["events.jsonl", "events.jsonl.1", "events-000001.jsonl"] {
            assert!(is(name), "{name}");
        }
        for name in [
            "events.jsonl.gz",
            "events.jsonl.1.gz",
            "events.jsonl.before-2",
            "myevents.jsonl",
            "events.json",
            "eventsjsonl",
            "timing.jsonl",
        ] {
            assert!(!is(name), "{name}");
        }
    }

    #[test]
    fn folders_are_walked_in_order_and_a_missing_path_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for path in
            ["b/events.jsonl", "a/x/events-000002.jsonl", "a/x/events-000001.jsonl", "a/x/other.jsonl"]
        {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = files(&[dir.path().to_path_buf()]).unwrap();
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string()).collect();
        assert_eq!(names, ["a/x/events-000001.jsonl", "a/x/events-000002.jsonl", "b/events.jsonl"]);
        assert!(files(&[dir.path().join("none")]).unwrap_err().is_refusal());
    }
}
