//! A directory that is this run's alone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{self, Error};

/// Creates `out`, or accepts it if it is an empty directory; without `out` creates the first of
/// `runs/<command>-0001`, `-0002` ... that nobody has.
///
/// # Errors
/// [`Error::Refused`] if `out` holds anything already or cannot be created, otherwise any I/O
/// error, naming the directory.
pub fn claim(out: Option<&Path>, command: &str) -> Result<PathBuf, Error> {
    match out {
        Some(out) => named(out),
        None => next_free(command),
    }
}

/// Refuses what [`claim`] would refuse of `out`, before there is work to lose.
///
/// # Errors
/// [`Error::Refused`] if `out` holds anything already.
pub fn check(out: Option<&Path>) -> Result<(), Error> {
    out.filter(|out| out.exists()).map_or(Ok(()), refuse_unless_empty)
}

fn named(out: &Path) -> Result<PathBuf, Error> {
    if let Some(parent) = out.parent().filter(|parent| *parent != Path::new("")) {
        match fs::create_dir_all(parent) {
            // A file is in the way: creating `out` itself says so better.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => created.map_err(error::io("create", parent))?,
        }
    }
    match fs::create_dir(out) {
        Err(_) if out.exists() => refuse_unless_empty(out)?,
        created => created.map_err(error::io("create", out))?,
    }
    Ok(out.to_path_buf())
}

fn refuse_unless_empty(out: &Path) -> Result<(), Error> {
    let holds = if out.is_dir() {
        let names: Result<Vec<_>, _> =
            fs::read_dir(out).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
        let Some(first) = names.map_err(error::io("read", out))?.into_iter().min() else {
            return Ok(());
        };
        format!("already holds {}", first.display())
    } else {
        "already exists and is not a directory".to_owned()
    };
    Err(Error::Refused(format!(
        "{} {holds}; nothing was overwritten: choose another --out or remove it",
        out.display()
    )))
}

fn next_free(command: &str) -> Result<PathBuf, Error> {
    let runs = Path::new("runs");
    fs::create_dir_all(runs).map_err(error::io("create", runs))?;
    let mut number = 1_u32;
    loop {
        let path = runs.join(format!("{command}-{number:04}"));
        match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            created => return created.map_err(error::io("create", &path)).map(|()| path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_it_holds_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b", "a", "c"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let refused = claim(Some(dir.path()), "test").unwrap_err();
        assert!(refused.is_refusal());
        assert!(refused.to_string().contains("already holds a; "), "{refused}");
    }

    #[test]
    fn an_empty_path_and_a_dangling_link_are_usage() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for out in [Path::new(""), &link] {
            assert!(claim(Some(out), "test").unwrap_err().is_refusal());
        }
    }
}
