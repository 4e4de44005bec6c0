//! Files that are never seen half written, and reading that never waits for ever.

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::error::{self, Error};
use crate::interrupt;
use crate::progress::Tell;

pub use self::tail::end_of_last;

mod tail;

/// How long a finished row may wait in memory while others follow it.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// The most bytes of a file of settings, or of what a run says of itself.
pub const TEXT: u64 = 8 << 20;

/// The time between two looks at a pipe that has nothing yet.
const LOOK: Duration = Duration::from_millis(10);

/// Opens a file for reading without ever waiting for somebody at its other end.
///
/// # Errors
/// [`Error::Refused`] for what is not there, a directory, a device, a socket, or a pipe with a name: who
/// opens one waits for its writer. A pipe of this process, such as /dev/stdin, is taken.
pub fn open(path: &Path) -> Result<File, Error> {
    let read = || error::io("read", path);
    let kind = fs::metadata(path).map_err(read())?.file_type();
    refuse_unless(kind.is_file() || (kind.is_fifo() && is_own(path)), kind, path)?;
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(read())?;
    // What has this name may have changed in between.
    let kind = file.metadata().map_err(read())?.file_type();
    refuse_unless(kind.is_file() || (kind.is_fifo() && is_own(path)), kind, path)?;
    Ok(file)
}

/// Refuses what is there under the name `path` and is no file that can be written: opening a pipe would wait
/// for its reader.
///
/// # Errors
/// [`Error::Refused`].
pub fn check_writable(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Ok(metadata) => refuse_unless(metadata.is_file(), metadata.file_type(), path),
        // Whoever opens it says so better.
        Err(_) => Ok(()),
    }
}

fn is_own(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

fn refuse_unless(taken: bool, kind: fs::FileType, path: &Path) -> Result<(), Error> {
    let what = match () {
        () if taken => return Ok(()),
        () if kind.is_dir() => return Err(error::io("read", path)(Errno::ISDIR.into())),
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    let path = path.display();
    Err(Error::Refused(format!("cannot use {path}: it is {what}; give a regular file")))
}

/// The bytes of the file at `path`, which may be at most `limit`. Asks for signals as it reads.
///
/// # Errors
/// As [`open`], [`Error::Refused`] for more bytes, [`Error::Interrupted`], and any I/O error.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    chunks(path, limit.saturating_add(1), |chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })?;
    if bytes.len() as u64 > limit {
        let path = path.display();
        return Err(Error::Refused(format!(
            "cannot read {path}: it has more than {limit} bytes, the most that such a file may have; check the path"
        )));
    }
    Ok(bytes)
}

/// Copies what is read at `path`, such as a pipe of this process, into the new file `into`, however long it is.
/// `look` sees it as soon as its first line is there, so that what is of no use does not fill the disk.
///
/// # Errors
/// As [`open`], those of `look`, [`Error::Interrupted`], and any I/O error.
pub fn copy(path: &Path, into: &Path, look: &dyn Fn(&Path) -> Result<(), Error>) -> Result<(), Error> {
    const LINE: usize = 1 << 16;
    let mut file = File::create_new(into).map_err(error::io("create", into))?;
    let (mut seen, mut copied) = (false, 0);
    chunks(path, u64::MAX, |chunk| {
        file.write_all(chunk).map_err(error::io("write", into))?;
        copied += chunk.len();
        if !seen && (copied > LINE || chunk.contains(&b'\n')) {
            seen = true;
            look(into)?;
        }
        Ok(())
    })
}

/// Gives `take` the bytes of the file at `path` in order, `limit` at most. Asks for signals as it reads.
fn chunks(path: &Path, limit: u64, mut take: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let mut file = open(path)?.take(limit);
    let mut chunk = vec![0; 1 << 16];
    loop {
        interrupt::check()?;
        match file.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&chunk[..count])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK),
            Err(error) => return Err(error::io("read", path)(error)),
        }
    }
}

/// The text of a file of settings or of what a run says of itself, [`TEXT`] bytes at most.
///
/// # Errors
/// As [`read`]; [`Error::Refused`] for what is no text.
pub fn text(path: &Path) -> Result<String, Error> {
    text_within(path, TEXT)
}

/// The text of a file of `limit` bytes at most.
///
/// # Errors
/// As [`text`].
pub fn text_within(path: &Path, limit: u64) -> Result<String, Error> {
    String::from_utf8(read(path, limit)?)
        .map_err(|_| Error::Refused(format!("cannot read {}: it is not UTF-8 text", path.display())))
}

/// Whether two files have the same bytes.
///
/// # Errors
/// As [`open`], [`Error::Interrupted`], and any I/O error.
pub fn same(a: &Path, b: &Path) -> Result<bool, Error> {
    const CHUNK: u64 = 1 << 20;
    let (mut one, mut other) = (open(a)?, open(b)?);
    let next = |file: &mut File, path: &Path| -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        file.take(CHUNK).read_to_end(&mut bytes).map_err(error::io("read", path))?;
        Ok(bytes)
    };
    loop {
        interrupt::check()?;
        let bytes = next(&mut one, a)?;
        if bytes != next(&mut other, b)? {
            return Ok(false);
        }
        if bytes.is_empty() {
            return Ok(true);
        }
    }
}

/// Writes `bytes` to `path`, replacing what is there, so that a reader sees the old file or the
/// new one and never a part.
///
/// # Errors
/// Any I/O error, naming `path`; the old file is then as it was and no other is left behind.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    staged(path, bytes).and_then(|staged| Ok(staged.persist(path)?)).map_err(error::io("write", path))?;
    Ok(())
}

/// Like [`write_atomic`], for a file that must not be there yet.
///
/// # Errors
/// Any I/O error, naming `path`; one that exists is left alone and is a [`Error::Refused`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    staged(path, bytes)
        .and_then(|staged| Ok(staged.persist_noclobber(path)?))
        .map_err(error::io("create", path))?;
    Ok(())
}

/// Refuses what [`write_new`] would refuse of `path`, before there is work to lose.
///
/// # Errors
/// As [`write_new`], but for a full disk.
pub fn check_new(path: &Path) -> Result<(), Error> {
    let refused = |kind: io::ErrorKind| Err(error::io("create", path)(kind.into()));
    if path.symlink_metadata().is_ok() {
        return refused(io::ErrorKind::AlreadyExists);
    }
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return refused(io::ErrorKind::IsADirectory);
    }
    staged(path, b"").map(|_| ()).map_err(error::io("create", path))
}

/// A synced temporary file beside `path`, which removes itself unless it is persisted.
fn staged(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let mut staged = tempfile::Builder::new()
        // tempfile's own default hides the file from everyone else; the umask still applies.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(parent.unwrap_or(Path::new(".")))
        // Its own error names a file that nobody has asked for.
        .map_err(|error| io::Error::from(error.kind()))?;
    staged.as_file_mut().write_all(bytes)?;
    staged.as_file().sync_all()?;
    Ok(staged)
}

/// The SHA-256 of `bytes`, in hexadecimal digits as `sha256sum` prints it.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A number for a CSV cell, six decimals; empty where there is none.
pub fn cell(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.6}"))
}

/// A CSV file that grows by whole rows.
///
/// Rows are gathered in memory and handed over several at a time, each time in one write, so a
/// process killed between two writes leaves a valid file. (The system may cut short a write that
/// SIGKILL meets under way: a last line without line end is then no row.) Dropping it writes the
/// rest as best it can; [`CsvFile::finish`] also reports whether that worked.
pub struct CsvFile {
    path: PathBuf,
    file: File,
    written: u64,
    columns: usize,
    rows: csv::Writer<Vec<u8>>,
    flushed: Instant,
}

impl CsvFile {
    /// Creates `path` and writes its first line.
    ///
    /// # Errors
    /// [`Error::Refused`] if `path` exists or cannot be created, [`Error::Failed`] if the
    /// header cannot be written.
    pub fn create(path: &Path, header: &[&str]) -> Result<Self, Error> {
        let file =
            File::options().append(true).create_new(true).open(path).map_err(error::io("create", path))?;
        Self::start(path, file, header)
    }

    /// Opens `path` to go on behind its first `length` bytes, with as many columns as its first line has: what
    /// follows them is cut off.
    ///
    /// # Errors
    /// [`Error::Refused`] if `path` cannot be opened or is shorter.
    pub fn resume(path: &Path, length: u64) -> Result<Self, Error> {
        let file = Self::resumable(path, length)?;
        let header = csv::Reader::from_path(path).and_then(|mut csv| Ok(csv.byte_headers()?.len()));
        let columns = header.map_err(io::Error::from).map_err(error::io("read", path))?;
        file.set_len(length).map_err(error::io("write", path))?;
        let rows = csv::Writer::from_writer(Vec::new());
        Ok(Self { path: path.to_path_buf(), file, written: length, columns, rows, flushed: Instant::now() })
    }

    /// Opens `path` if [`CsvFile::resume`] can go on behind its first `length` bytes; changes nothing.
    ///
    /// # Errors
    /// As [`CsvFile::resume`].
    pub fn resumable(path: &Path, length: u64) -> Result<File, Error> {
        check_writable(path)?;
        let file = File::options().append(true).open(path).map_err(error::io("open", path))?;
        let found = file.metadata().map_err(error::io("read", path))?.len();
        if found < length {
            return Err(Error::Refused(format!(
                "{} has {found} bytes, its checkpoint says {length}: it was cut; put it back as it was",
                path.display()
            )));
        }
        Ok(file)
    }

    /// Fields of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Creates `path` for a run that starts at its beginning. What a start before it has written is kept
    /// beside it, under the name that is yielded.
    ///
    /// # Errors
    /// As [`CsvFile::create`].
    pub fn begin(path: &Path, header: &[&str]) -> Result<(Self, Option<PathBuf>), Error> {
        let mut kept = None;
        if path.symlink_metadata().is_ok() {
            check_writable(path)?;
            if holds_rows(path, header)? {
                let free = |name: &PathBuf| name.symlink_metadata().is_err();
                let name = (1..=u32::MAX).map(|number| numbered(path, number)).find(free);
                let name = name.ok_or_else(|| error::io("keep", path)(ErrorKind::AlreadyExists.into()))?;
                fs::rename(path, &name).map_err(error::io("rename", path))?;
                kept = Some(name);
            } else {
                fs::remove_file(path).map_err(error::io("remove", path))?;
            }
        }
        Ok((Self::create(path, header)?, kept))
    }

    /// Writes what is in memory, waits until it is on the disk, and yields the file's length in bytes.
    ///
    /// # Errors
    /// Any I/O error, naming the file.
    pub fn sync(&mut self) -> Result<u64, Error> {
        self.flush()?;
        self.file.sync_all().map_err(error::io("write", &self.path))?;
        Ok(self.written)
    }

    fn start(path: &Path, file: File, header: &[&str]) -> Result<Self, Error> {
        let mut csv = Self {
            path: path.to_path_buf(),
            file,
            written: 0,
            columns: header.len(),
            rows: csv::Writer::from_writer(Vec::new()),
            flushed: Instant::now(),
        };
        csv.row(header)?;
        csv.flush()?;
        Ok(csv)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::Failed`], naming the file, if the row has another number of fields than the
    /// header (it is then left out) or if earlier rows cannot be written; the rows still in
    /// memory are then lost, so add no more.
    pub fn row(&mut self, fields: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<(), Error> {
        let record: csv::ByteRecord = fields.into_iter().collect();
        if record.len() != self.columns {
            return Err(Error::Failed(format!(
                "cannot write {}: a row has {} fields where the header has {}; please report this",
                self.path.display(),
                record.len(),
                self.columns
            )));
        }
        self.rows
            .write_byte_record(&record)
            .map_err(io::Error::from)
            .map_err(error::io("write", &self.path))?;
        // The writer keeps the first 8 KiB to itself: bytes behind it mean that they are full.
        if self.rows.get_ref().is_empty() && self.flushed.elapsed() < FLUSH_AFTER {
            return Ok(());
        }
        self.flush()
    }

    /// Writes what is left and waits until it is on the disk.
    ///
    /// # Errors
    /// Any I/O error, naming the file.
    pub fn finish(mut self) -> Result<(), Error> {
        self.sync().map(drop)
    }

    fn flush(&mut self) -> Result<(), Error> {
        let empty = csv::Writer::from_writer(Vec::new());
        let rows = std::mem::replace(&mut self.rows, empty);
        self.flushed = Instant::now();
        rows.into_inner()
            .map_err(csv::IntoInnerError::into_error)
            .and_then(|rows| self.append(&rows))
            .map_err(error::io("write", &self.path))
    }

    fn append(&mut self, rows: &[u8]) -> io::Result<()> {
        let done = self.file.write_all(rows);
        if done.is_err() {
            // A disk that fills up takes the first part of a write: take that part back.
            let _ = self.file.set_len(self.written);
        } else {
            self.written += rows.len() as u64;
        }
        done
    }
}

/// The CSV file of a run that starts at its beginning. Where it was stopped before its first checkpoint, `tell` is
/// told where the rows that it had are kept.
///
/// # Errors
/// As [`CsvFile::begin`], and those of `tell`.
pub fn begun(csv_path: &Path, header: &[&str], tell: &Tell<'_>) -> Result<CsvFile, Error> {
    let (csv, kept) = CsvFile::begin(csv_path, header)?;
    if let Some(kept) = kept {
        tell(&format!(
            "it was stopped before its first checkpoint and starts at its beginning; the rows that it had are kept in {}",
            kept.display()
        ))?;
    }
    Ok(csv)
}

/// `path` with `.before-number` behind its name.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".before-{number}"));
    PathBuf::from(name)
}

/// The first line of a CSV file, with its end.
pub fn first_line(header: &[&str]) -> String {
    format!("{}\n", header.join(","))
}

/// Whether there is more in the file than a header, or a part of one.
fn holds_rows(path: &Path, header: &[&str]) -> Result<bool, Error> {
    let header = first_line(header);
    let mut begins = Vec::new();
    let file = open(path)?;
    file.take(header.len() as u64 + 1).read_to_end(&mut begins).map_err(error::io("read", path))?;
    Ok(!header.as_bytes().starts_with(&begins))
}

/// The first cell of the last whole row of a CSV file that has a whole number there; none where there is no
/// such row, or no file.
///
/// # Errors
/// As [`open`], [`Error::Interrupted`], and any I/O error.
pub fn last_number(path: &Path) -> Result<Option<u64>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let mut file = BufReader::new(open(path)?);
    let (mut last, mut line) = (None, Vec::new());
    loop {
        interrupt::check()?;
        line.clear();
        file.read_until(b'\n', &mut line).map_err(error::io("read", path))?;
        // What has no end was cut: its first number may have lost digits.
        if !line.ends_with(b"\n") {
            return Ok(last);
        }
        let cell = line.split(|&byte| byte == b',').next().unwrap_or_default();
        last = str::from_utf8(cell).ok().and_then(|cell| cell.parse().ok()).or(last);
    }
}

impl Drop for CsvFile {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// Gives what is at `path`, if anything is, the next free name with `.before-N` behind it: what cannot go on is not
/// overwritten.
///
/// # Errors
/// That it cannot be renamed.
pub fn put_aside(path: &Path) -> Result<(), Error> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let name = |number: u16| PathBuf::from(format!("{}.before-{number}", path.display()));
    let free = (1..=u16::MAX).map(name).find(|path| path.symlink_metadata().is_err());
    free.map_or(Ok(()), |free| fs::rename(path, &free).map_err(error::io("rename", path)))
}

#[cfg(test)]
mod tests;
