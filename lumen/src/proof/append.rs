//! Appending to a log: tiles first, then, once they are on the disk, the head that tells of them.
//!
//! What is killed on the way leaves the log at the head that it had, and files that no head tells of; the next append
//! writes over them. What fails the check of its edge gets nothing appended.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use resonetics_runs::files::write_atomic;
use resonetics_runs::{Error, error};

use super::edge::Edge;
use super::key::{Public, Secret};
use super::log::{CHECKPOINT, Log, read_note};
use super::note::{Head, is_origin};
use super::tiles::{Tile, WIDTH};
use super::tree::{Hash, leaf};

/// Files from which on the whole file system is told to write, instead of one after the other.
const MANY: usize = 32;
/// How often the lock is tried again: for half a second, as that of a run.
const TRIES: u32 = 20;

/// The one that may append to a log.
pub struct Writer<'a> {
    dir: PathBuf,
    key: &'a Secret,
    origin: String,
    edge: Edge,
    /// The entries at the head that is written.
    written: u64,
    /// Files that may not be on the disk yet.
    fresh: Vec<PathBuf>,
    _lock: File,
}

impl<'a> Writer<'a> {
    /// Opens the log in the folder `dir`, whose heads are signed with `key`, or begins one there, called `origin` or
    /// after its key.
    ///
    /// # Errors
    /// [`Error::Refused`] if another process appends to it, the key is not the log's, or it has another origin;
    /// [`Error::Failed`] if its edge is not what its head says; any I/O error.
    pub fn open(dir: &Path, key: &'a Secret, origin: Option<&str>) -> Result<Writer<'a>, Error> {
        Writer::open_after(dir, key, None, origin)
    }

    /// As [`Writer::open`], where the heads were signed with the key `formerly` until now.
    ///
    /// # Errors
    /// As [`Writer::open`].
    pub fn open_after(
        dir: &Path,
        key: &'a Secret,
        formerly: Option<&Public>,
        origin: Option<&str>,
    ) -> Result<Writer<'a>, Error> {
        fs::create_dir_all(dir).map_err(error::io("create", dir))?;
        let lock = locked(dir)?;
        let mut keys = vec![key.public()];
        keys.extend(formerly.cloned());
        let checkpoint = dir.join(CHECKPOINT);
        let refused = |why: String| Err(Error::Refused(format!("{}: {why}", checkpoint.display())));
        let (origin, edge) = if checkpoint.exists() {
            let (note, _) = read_note(dir)?;
            match note.signed_by(&keys) {
                Some(true) => {}
                Some(false) => {
                    return Err(Error::Failed(format!(
                        "the signature of {} is wrong: it was changed; nothing was appended",
                        checkpoint.display()
                    )));
                }
                None => {
                    return refused(
                        "another key signs this log: append with that one (--keys), say that this one takes its place (--formerly), or append to a log of your own (--log)"
                            .to_owned(),
                    );
                }
            }
            if origin.is_some_and(|origin| origin != note.head.origin) {
                return refused(format!(
                    "the origin of this log is {}; leave --origin out",
                    note.head.origin
                ));
            }
            let edge = Edge::of(dir, &note.head)?;
            (note.head.origin, edge)
        } else {
            // Entries without a head are those of a log that lost it: a new one would write over them.
            if dir.join(Tile::Hashes(0, 0).path(WIDTH)).exists() {
                return refused(
                    "it is missing, and there are entries: put it back, or choose another --log".to_owned(),
                );
            }
            let origin =
                origin.map_or_else(|| format!("resonetics.lumen/{}", &keys[0].id()[..16]), str::to_owned);
            if !is_origin(&origin) {
                return Err(Error::Refused(format!(
                    "`{origin}` cannot name a log; allowed are 1 to 200 letters without spaces and `+`"
                )));
            }
            (origin, Edge::default())
        };
        let written = edge.size;
        Ok(Writer { dir: dir.to_path_buf(), key, origin, edge, written, fresh: Vec::new(), _lock: lock })
    }

    /// Lets another key sign the heads from the next one on.
    pub fn hand_over(&mut self, key: &'a Secret) {
        self.key = key;
    }

    /// Entries so far: the index of the next one.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.edge.size
    }

    /// Appends an entry and yields its index. It is in the log once [`Writer::commit`] has come back.
    ///
    /// # Errors
    /// [`Error::Refused`] for one that is too long; any I/O error.
    pub fn append(&mut self, entry: &[u8]) -> Result<u64, Error> {
        let index = self.edge.size;
        let (dir, fresh) = (&self.dir, &mut self.fresh);
        self.edge.push(entry, &mut |tile, width, bytes| write(dir, fresh, tile, width, bytes))?;
        Ok(index)
    }

    /// Appends an entry and yields its index, or that which it has already in what was committed.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn append_once(&mut self, entry: &[u8]) -> Result<(u64, bool), Error> {
        if self.written > 0 {
            let known: Option<u64> = Log::open(&self.dir, &[])?.find(&leaf(entry))?;
            if let Some(index) = known {
                return Ok((index, false));
            }
        }
        Ok((self.append(entry)?, true))
    }

    /// Writes what was appended and then the head that tells of it, which is yielded.
    ///
    /// # Errors
    /// Any I/O error: the log is then as it was.
    pub fn commit(&mut self) -> Result<Head, Error> {
        let head = Head { origin: self.origin.clone(), size: self.edge.size, root: self.root() };
        if head.size == self.written && self.dir.join(CHECKPOINT).exists() {
            return Ok(head);
        }
        let (dir, fresh) = (&self.dir, &mut self.fresh);
        self.edge.partials(&mut |tile, width, bytes| write(dir, fresh, tile, width, bytes))?;
        sync(&self.dir, &std::mem::take(&mut self.fresh))?;
        let path = self.dir.join(CHECKPOINT);
        write_atomic(&path, head.signed(self.key).as_bytes())?;
        sync_folder(&self.dir)?;
        self.forget_partials(head.size);
        self.written = head.size;
        Ok(head)
    }

    /// The root over all that was appended.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// Removes the partial tiles that a wider one has taken the place of; readers take that one. What cannot be removed
    /// is in nobody's way.
    fn forget_partials(&self, size: u64) {
        let (mut was, mut is, mut height) = (self.written, size, 0);
        while was > 0 {
            let tiles = if height == 0 {
                vec![Tile::Entries(was / WIDTH), Tile::Hashes(0, was / WIDTH)]
            } else {
                vec![Tile::Hashes(height, was / WIDTH)]
            };
            for tile in tiles {
                let keep = (was / WIDTH == is / WIDTH).then(|| (is % WIDTH).to_string());
                let folder = self.dir.join(tile.partials());
                for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                    if entry.file_name().to_str() != keep.as_deref() {
                        let _ = fs::remove_file(entry.path());
                    }
                }
                let _ = fs::remove_dir(&folder);
            }
            (was, is, height) = (was / WIDTH, is / WIDTH, height + 1);
        }
    }
}

/// Writes a tile, over what a killed append may have left.
fn write(dir: &Path, fresh: &mut Vec<PathBuf>, tile: Tile, width: u64, bytes: &[u8]) -> Result<(), Error> {
    let path = dir.join(tile.path(width));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(error::io("create", folder))?;
    }
    // One that a head tells of is never cut, not even for a moment; it has these bytes.
    if fs::read(&path).ok().as_deref() != Some(bytes) {
        let written = File::create(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(error::io("write", &path))?;
    }
    fresh.push(path);
    Ok(())
}

/// Waits until `files`, below `dir`, are on the disk.
fn sync(dir: &Path, files: &[PathBuf]) -> Result<(), Error> {
    if files.len() >= MANY {
        let folder = File::open(dir).map_err(error::io("read", dir))?;
        return rustix::fs::syncfs(folder).map_err(|errno| error::io("write", dir)(errno.into()));
    }
    let mut folders = BTreeSet::new();
    for path in files {
        File::open(path).and_then(|file| file.sync_all()).map_err(error::io("write", path))?;
        let above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(dir));
        folders.extend(above.map(Path::to_path_buf));
    }
    folders.iter().try_for_each(|folder| sync_folder(folder))
}

fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(error::io("write", folder))
}

/// Holds the lock of a folder, which one process at a time may write to.
pub(super) fn locked(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let file = File::options().create(true).append(true).open(&path).map_err(error::io("open", &path))?;
    let mut tried = file.try_lock();
    // A process that was killed takes a while to go, and a child that is about to become another program holds it too.
    for _ in 0..TRIES {
        if !matches!(tried, Err(TryLockError::WouldBlock)) {
            break;
        }
        sleep(Duration::from_millis(25));
        tried = file.try_lock();
    }
    tried.map_err(|failure| match failure {
        TryLockError::WouldBlock => {
            Error::Refused(format!("another process writes to {}: wait for it, and try again", dir.display()))
        }
        TryLockError::Error(failure) => error::io("lock", &path)(failure),
    })?;
    Ok(file)
}
