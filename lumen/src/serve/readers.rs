//! Readers of the store that wait for the next question, so that none is opened for each.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use resonetics_runs::error::Error;

use crate::store::Reader;

/// Readers that are kept at most.
const KEPT: usize = 4;

/// Which file is at a path: device and inode.
pub(super) type Id = (u64, u64);

/// Which file is at `path`, if one is.
pub(super) fn id(path: &Path) -> Option<Id> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Readers of the store at a path.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<(Id, Reader)>>,
}

impl Readers {
    pub(super) fn of(path: &Path) -> Readers {
        Readers { path: path.to_path_buf(), idle: Mutex::default() }
    }

    /// What `ask` reads; None where there is no store. One that was replaced is opened anew.
    ///
    /// # Errors
    /// Those of [`Reader::open`] and of `ask`.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&Reader) -> Result<T, Error>) -> Result<Option<T>, Error> {
        let Some(id) = id(&self.path) else { return Ok(None) };
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = {
            let mut idle = idle();
            idle.retain(|(of, _)| *of == id);
            idle.pop()
        };
        let reader = match kept {
            Some((_, reader)) => reader,
            None => Reader::open(&self.path)?,
        };
        let answer = ask(&reader)?;
        let mut idle = idle();
        if idle.len() < KEPT {
            idle.push((id, reader));
        }
        Ok(Some(answer))
    }
}
