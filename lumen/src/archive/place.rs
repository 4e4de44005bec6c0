//! The folder of all archives: who may write there, and what is in it.

use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use resonetics_runs::files::{self, sha256};
use resonetics_runs::{Error, error, interrupt};
use tempfile::TempDir;

use super::calendar::folder;
use super::manifest::{BUNDLE, MANIFEST, MOST_BYTES, Manifest};
use super::sealed::BUNDLE_AGE;

/// Held by who writes.
const LOCK: &str = ".lock";
/// What the names of folders begin with that are no archives yet, or no more.
const TEMPORARY: &str = ".tmp";
/// How long a writer that waits for another one sleeps at a time.
const NAP: Duration = Duration::from_millis(20);

/// The folder that holds the archives of runs, a folder a run.
#[derive(Clone, Debug)]
pub struct Archive {
    root: PathBuf,
}

/// An archive that is there; its bundle was not looked at.
#[derive(Debug)]
pub struct Found {
    /// The name of the run's folder.
    pub run: String,
    /// `RUN/TIME-ID8`.
    pub dir: String,
    /// What its manifest says, or why it cannot be read.
    pub said: Result<Said, String>,
}

/// What a manifest says, and the files around it.
#[derive(Debug)]
pub struct Said {
    /// What it says.
    pub manifest: Manifest,
    /// The SHA-256 of its file.
    pub manifest_sha256: String,
    /// Bytes of the bundle, 0 where there is none.
    pub bytes: u64,
}

/// A folder in which an archive is made; gone when it is dropped.
pub(super) struct Staging {
    pub(super) dir: TempDir,
    /// Who cleans up leaves what is locked alone.
    _lock: File,
}

impl Staging {
    /// It has another name now, and stays.
    pub(super) fn moved(self) {
        let _ = self.dir.keep();
    }
}

/// `TIME-ID8`.
pub(super) fn name(manifest: &Manifest) -> String {
    let id8: String = manifest.id.chars().take(8).collect();
    format!("{}-{id8}", folder(&manifest.created_at))
}

impl Archive {
    /// The one in `root`, which may not be there yet.
    pub fn at(root: &Path) -> Archive {
        Archive { root: root.to_path_buf() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the archive `dir` lies, `RUN/TIME-ID8`.
    pub fn path(&self, dir: &str) -> PathBuf {
        self.root.join(dir)
    }

    /// Refuses a folder that is not there.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn known(self) -> Result<Archive, Error> {
        if self.root.is_dir() {
            return Ok(self);
        }
        let root = self.root.display();
        Err(Error::Unknown(format!("there is no folder {root}; `resonetics lumen freeze` makes archives")))
    }

    /// Makes the folder if it is not there, and waits until nobody else writes in it.
    ///
    /// # Errors
    /// That it cannot be made, [`Error::Interrupted`].
    pub(super) fn hold(&self) -> Result<File, Error> {
        fs::create_dir_all(&self.root).map_err(error::io("create", &self.root))?;
        let path = self.root.join(LOCK);
        files::check_writable(&path)?;
        let file = File::options().create(true).append(true).open(&path).map_err(error::io("open", &path))?;
        loop {
            match file.try_lock() {
                // A file system without locks cannot tell.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    interrupt::check()?;
                    std::thread::sleep(NAP);
                }
            }
        }
    }

    /// A folder to make an archive in. What a killed process left is removed first.
    ///
    /// # Errors
    /// Any I/O error.
    pub(super) fn staging(&self) -> Result<Staging, Error> {
        let _held = self.hold()?;
        self.tidy()?;
        let dir = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(&self.root)
            .map_err(error::io("write in", &self.root))?;
        let lock = File::open(dir.path()).map_err(error::io("open", dir.path()))?;
        let _ = lock.try_lock();
        Ok(Staging { dir, _lock: lock })
    }

    /// Removes what a killed process left; by who holds the lock.
    pub(super) fn tidy(&self) -> Result<(), Error> {
        for path in folders(&self.root)? {
            let is_temporary =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY));
            let abandoned = || File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok());
            if is_temporary && abandoned() {
                fs::remove_dir_all(&path).map_err(error::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Takes an archive away: it has a temporary name then.
    pub(super) fn take_away(&self, dir: &str) -> Result<PathBuf, Error> {
        let from = self.path(dir);
        let to = self.root.join(format!("{TEMPORARY}-deleted-{}", dir.replace('/', "-")));
        fs::rename(&from, &to).map_err(error::io("remove", &from))?;
        Ok(to)
    }

    /// Brings it back.
    pub(super) fn bring_back(&self, taken: &Path, dir: &str) {
        let _ = fs::rename(taken, self.path(dir));
    }

    /// All archives, sorted by run and time.
    ///
    /// # Errors
    /// That a folder cannot be read.
    pub fn found(&self) -> Result<Vec<Found>, Error> {
        self.found_of(None)
    }

    /// The same, of one run or of all.
    pub(crate) fn found_of(&self, only: Option<&str>) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        for run in folders(&self.root)? {
            let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let run_name = name(&run);
            if run_name.starts_with('.') || only.is_some_and(|only| only != run_name) {
                continue;
            }
            for archive in folders(&run)? {
                let said = said(&archive);
                interrupt::check()?;
                found.push(Found {
                    run: run_name.clone(),
                    dir: format!("{run_name}/{}", name(&archive)),
                    said,
                });
            }
        }
        Ok(found)
    }
}

/// Folders in `folder`, sorted; no links.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(error::io("read", folder))? {
        let entry = entry.map_err(error::io("read", folder))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn said(archive: &Path) -> Result<Said, String> {
    let bytes = files::read(&archive.join(MANIFEST), MOST_BYTES).map_err(|error| error.to_string())?;
    let manifest = Manifest::parse(&bytes)
        .map_err(|problem| format!("{}: {problem}", archive.join(MANIFEST).display()))?;
    let bundle = if manifest.is_outer() { BUNDLE_AGE } else { BUNDLE };
    let bundle = fs::metadata(archive.join(bundle)).map_or(0, |bundle| bundle.len());
    Ok(Said { manifest, manifest_sha256: sha256(&bytes), bytes: bundle })
}
