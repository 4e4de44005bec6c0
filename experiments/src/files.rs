//! Files that are never seen half written, and reading that never waits for ever.

use crate::failure::{self, Failure};
use crate::interrupt;
use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// How long a finished row may wait in memory while others follow it.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// The most bytes of a file of settings, or of what a run says of itself.
pub const TEXT: u64 = 8 << 20;

/// The time between two looks at a pipe that has nothing yet.
const LOOK: Duration = Duration::from_millis(10);

/// Opens a file for reading without ever waiting for somebody at its other end.
///
/// # Errors
/// [`Failure::Usage`] for what is not there, a directory, a device, a socket, or a pipe with a name: who
/// opens one waits for its writer. A pipe of this process, such as /dev/stdin, is taken.
pub fn open(path: &Path) -> Result<File, Failure> {
    let read = || failure::io("read", path);
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
/// [`Failure::Usage`].
pub fn check_writable(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(metadata) => refuse_unless(metadata.is_file(), metadata.file_type(), path),
        // Whoever opens it says so better.
        Err(_) => Ok(()),
    }
}

fn is_own(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

fn refuse_unless(taken: bool, kind: fs::FileType, path: &Path) -> Result<(), Failure> {
    let what = match () {
        () if taken => return Ok(()),
        () if kind.is_dir() => return Err(failure::io("read", path)(Errno::ISDIR.into())),
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    let path = path.display();
    Err(Failure::Usage(format!("cannot use {path}: it is {what}; give a regular file")))
}

/// The bytes of the file at `path`, which may be at most `limit`. Asks for signals as it reads.
///
/// # Errors
/// As [`open`], [`Failure::Usage`] for more bytes, [`Failure::Interrupted`], and any I/O error.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut file = open(path)?.take(limit.saturating_add(1));
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        interrupt::check()?;
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK),
            Err(error) => return Err(failure::io("read", path)(error)),
        }
    }
    if bytes.len() as u64 > limit {
        let path = path.display();
        return Err(Failure::Usage(format!(
            "cannot read {path}: it has more than {limit} bytes, the most that such a file may have; check the path"
        )));
    }
    Ok(bytes)
}

/// Whether two files have the same bytes.
///
/// # Errors
/// As [`open`], [`Failure::Interrupted`], and any I/O error.
pub fn same(a: &Path, b: &Path) -> Result<bool, Failure> {
    const CHUNK: u64 = 1 << 20;
    let (mut one, mut other) = (open(a)?, open(b)?);
    let next = |file: &mut File, path: &Path| -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        file.take(CHUNK).read_to_end(&mut bytes).map_err(failure::io("read", path))?;
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
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    staged(path, bytes).and_then(|staged| Ok(staged.persist(path)?)).map_err(failure::io("write", path))?;
    Ok(())
}

/// Like [`write_atomic`], for a file that must not be there yet.
///
/// # Errors
/// Any I/O error, naming `path`; one that exists is left alone and is a [`Failure::Usage`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    staged(path, bytes)
        .and_then(|staged| Ok(staged.persist_noclobber(path)?))
        .map_err(failure::io("create", path))?;
    Ok(())
}

/// Refuses what [`write_new`] would refuse of `path`, before there is work to lose.
///
/// # Errors
/// As [`write_new`], but for a full disk.
pub fn check_new(path: &Path) -> Result<(), Failure> {
    let refused = |kind: io::ErrorKind| Err(failure::io("create", path)(kind.into()));
    if path.symlink_metadata().is_ok() {
        return refused(io::ErrorKind::AlreadyExists);
    }
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return refused(io::ErrorKind::IsADirectory);
    }
    staged(path, b"").map(|_| ()).map_err(failure::io("create", path))
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
    /// [`Failure::Usage`] if `path` exists or cannot be created, [`Failure::Failed`] if the
    /// header cannot be written.
    pub fn create(path: &Path, header: &[&str]) -> Result<Self, Failure> {
        let file =
            File::options().append(true).create_new(true).open(path).map_err(failure::io("create", path))?;
        Self::start(path, file, header)
    }

    /// Opens `path` to go on behind its first `length` bytes, with as many columns as its first line has: what
    /// follows them is cut off.
    ///
    /// # Errors
    /// [`Failure::Usage`] if `path` cannot be opened or is shorter.
    pub fn resume(path: &Path, length: u64) -> Result<Self, Failure> {
        let file = Self::resumable(path, length)?;
        let header = csv::Reader::from_path(path).and_then(|mut csv| Ok(csv.byte_headers()?.len()));
        let columns = header.map_err(io::Error::from).map_err(failure::io("read", path))?;
        file.set_len(length).map_err(failure::io("write", path))?;
        let rows = csv::Writer::from_writer(Vec::new());
        Ok(Self { path: path.to_path_buf(), file, written: length, columns, rows, flushed: Instant::now() })
    }

    /// Opens `path` if [`CsvFile::resume`] can go on behind its first `length` bytes; changes nothing.
    ///
    /// # Errors
    /// As [`CsvFile::resume`].
    pub fn resumable(path: &Path, length: u64) -> Result<File, Failure> {
        check_writable(path)?;
        let file = File::options().append(true).open(path).map_err(failure::io("open", path))?;
        let found = file.metadata().map_err(failure::io("read", path))?.len();
        if found < length {
            return Err(Failure::Usage(format!(
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
    pub fn begin(path: &Path, header: &[&str]) -> Result<(Self, Option<PathBuf>), Failure> {
        let mut kept = None;
        if path.symlink_metadata().is_ok() {
            check_writable(path)?;
            if holds_rows(path, header)? {
                let free = |name: &PathBuf| name.symlink_metadata().is_err();
                let name = (1..=u32::MAX).map(|number| numbered(path, number)).find(free);
                let name = name.ok_or_else(|| failure::io("keep", path)(ErrorKind::AlreadyExists.into()))?;
                fs::rename(path, &name).map_err(failure::io("rename", path))?;
                kept = Some(name);
            } else {
                fs::remove_file(path).map_err(failure::io("remove", path))?;
            }
        }
        Ok((Self::create(path, header)?, kept))
    }

    /// Writes what is in memory, waits until it is on the disk, and yields the file's length in bytes.
    ///
    /// # Errors
    /// Any I/O error, naming the file.
    pub fn sync(&mut self) -> Result<u64, Failure> {
        self.flush()?;
        self.file.sync_all().map_err(failure::io("write", &self.path))?;
        Ok(self.written)
    }

    fn start(path: &Path, file: File, header: &[&str]) -> Result<Self, Failure> {
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
    /// [`Failure::Failed`], naming the file, if the row has another number of fields than the
    /// header (it is then left out) or if earlier rows cannot be written; the rows still in
    /// memory are then lost, so add no more.
    pub fn row(&mut self, fields: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<(), Failure> {
        let record: csv::ByteRecord = fields.into_iter().collect();
        if record.len() != self.columns {
            return Err(Failure::Failed(format!(
                "cannot write {}: a row has {} fields where the header has {}; please report this",
                self.path.display(),
                record.len(),
                self.columns
            )));
        }
        self.rows
            .write_byte_record(&record)
            .map_err(io::Error::from)
            .map_err(failure::io("write", &self.path))?;
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
    pub fn finish(mut self) -> Result<(), Failure> {
        self.sync().map(drop)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let empty = csv::Writer::from_writer(Vec::new());
        let rows = std::mem::replace(&mut self.rows, empty);
        self.flushed = Instant::now();
        rows.into_inner()
            .map_err(csv::IntoInnerError::into_error)
            .and_then(|rows| self.append(&rows))
            .map_err(failure::io("write", &self.path))
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
fn holds_rows(path: &Path, header: &[&str]) -> Result<bool, Failure> {
    let header = first_line(header);
    let mut begins = Vec::new();
    let file = open(path)?;
    file.take(header.len() as u64 + 1).read_to_end(&mut begins).map_err(failure::io("read", path))?;
    Ok(!header.as_bytes().starts_with(&begins))
}

/// The first cell of the last whole row of a CSV file that has a whole number there; none where there is no
/// such row, or no file.
///
/// # Errors
/// As [`open`], [`Failure::Interrupted`], and any I/O error.
pub fn last_number(path: &Path) -> Result<Option<u64>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let mut file = BufReader::new(open(path)?);
    let (mut last, mut line) = (None, Vec::new());
    loop {
        interrupt::check()?;
        line.clear();
        file.read_until(b'\n', &mut line).map_err(failure::io("read", path))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        let _socket = UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("pipe", path("link")).unwrap();
        for (path, part) in [
            (path("pipe"), "it is a named pipe"),
            (path("link"), "it is a named pipe"),
            (path("socket"), "it is a socket"),
            (PathBuf::from("/dev/zero"), "it is a device"),
            (dir.path().to_path_buf(), "directory"),
            (path("none"), "No such file"),
        ] {
            let refused = read(&path, 100).unwrap_err();
            let text = refused.to_string();
            assert!(text.contains(part) && text.contains(&path.display().to_string()), "{text}");
            assert_eq!(refused.exit_code(), 2);
        }
        for name in ["pipe", "socket"] {
            assert_eq!(CsvFile::resumable(&path(name), 0).unwrap_err().exit_code(), 2);
        }
    }

    #[test]
    fn a_file_may_be_as_long_as_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let bytes: Vec<u8> = (0..200_000_u32).map(|byte| byte as u8).collect();
        fs::write(&path, &bytes).unwrap();
        assert!(read(&path, 200_000).unwrap() == bytes);
        let text = read(&path, 199_999).unwrap_err().to_string();
        assert!(text.contains("more than 199999 bytes"), "{text}");
        // A file without an end on the disk.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read(&path, TEXT).is_err());
    }

    #[test]
    fn a_pipe_of_this_process_is_read_to_its_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let late = std::thread::spawn(move || {
            for part in ["some", " text"] {
                std::thread::sleep(Duration::from_millis(30));
                writer.write_all(part.as_bytes()).unwrap();
            }
        });
        let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
        assert_eq!(read(&path, TEXT).unwrap(), b"some text");
        late.join().unwrap();
    }

    #[test]
    fn files_are_the_same_if_all_bytes_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a"), vec![7; 3 << 20]).unwrap();
        fs::write(path("b"), vec![7; 3 << 20]).unwrap();
        fs::write(path("c"), vec![7; (3 << 20) - 1]).unwrap();
        fs::write(path("d"), [vec![7; (3 << 20) - 1], vec![8]].concat()).unwrap();
        assert!(same(&path("a"), &path("b")).unwrap());
        for other in ["c", "d"] {
            assert!(!same(&path("a"), &path(other)).unwrap() && !same(&path(other), &path("a")).unwrap());
        }
    }

    #[test]
    fn write_atomic_replaces_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn write_atomic_swaps_the_file_instead_of_rewriting_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, b"old").unwrap();
        let reader = File::open(&path).unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(io::read_to_string(reader).unwrap(), "old");
    }

    #[test]
    fn write_atomic_gives_the_mode_of_any_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let (path, plain) = (dir.path().join("a"), dir.path().join("b"));
        write_atomic(&path, b"").unwrap();
        File::create(&plain).unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }

    #[test]
    fn failed_write_atomic_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir_all(path.join("inside")).unwrap();
        let text = write_atomic(&path, b"x").unwrap_err().to_string();
        assert!(text.contains("taken"), "{text}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn write_new_refuses_a_file_that_exists() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_new(&path, b"one").unwrap();
        assert_eq!(write_new(&path, b"two").unwrap_err().exit_code(), 2);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn csv_has_header_quotes_and_lf() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut csv = CsvFile::create(&path, &["n", "text"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"n,text\n");
        csv.row(["1", "a,\"b\""]).unwrap();
        csv.row(vec![b"2".to_vec(), Vec::new()]).unwrap();
        csv.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"n,text\n1,\"a,\"\"b\"\"\"\n2,\n");
    }

    /// As many columns as an earlier version wrote.
    #[test]
    fn csv_goes_on_with_the_columns_that_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(&path, "n,m\n1,2\n3,4\nhalf").unwrap();
        let mut csv = CsvFile::resume(&path, 8).unwrap();
        assert_eq!(csv.columns(), 2);
        csv.row(["5", "6"]).unwrap();
        assert_eq!(csv.row(["7", "8", "9"]).unwrap_err().exit_code(), 1);
        csv.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"n,m\n1,2\n5,6\n");
    }

    #[test]
    fn csv_refuses_a_file_that_exists() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(&path, "mine").unwrap();
        let refused = CsvFile::create(&path, &["n"]).err().unwrap();
        assert_eq!(refused.exit_code(), 2);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn csv_leaves_out_a_row_of_the_wrong_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut csv = CsvFile::create(&path, &["a", "b"]).unwrap();
        let text = csv.row(["1"]).unwrap_err().to_string();
        assert!(text.contains("a.csv"), "{text}");
        drop(csv);
        assert_eq!(fs::read(&path).unwrap(), b"a,b\n");
    }

    #[test]
    fn csv_on_disk_is_whole_after_every_row_and_drop_writes_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut csv = CsvFile::create(&path, &["a"]).unwrap();
        let mut sizes = vec![];
        for _ in 0..5000 {
            csv.row(["123456"]).unwrap();
            let size = fs::metadata(&path).unwrap().len();
            assert_eq!((size - 2) % 7, 0, "a part of a row at {size}");
            sizes.push(size);
        }
        sizes.dedup();
        assert!((3..100).contains(&sizes.len()), "{} writes", sizes.len());
        drop(csv);
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 + 5000 * 7);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn full_disk_is_exit_1_and_names_the_file() {
        let path = Path::new("/dev/full");
        let file = File::options().append(true).open(path).unwrap();
        let full = CsvFile::start(path, file, &["n"]).err().unwrap();
        assert_eq!(full.exit_code(), 1);
        assert!(full.to_string().contains("/dev/full"), "{full}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn finish_reports_what_drop_would_hide() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut csv = CsvFile::create(&path, &["n"]).unwrap();
        csv.file = File::options().append(true).open("/dev/full").unwrap();
        csv.row(["1"]).unwrap();
        let text = csv.finish().unwrap_err().to_string();
        assert!(text.contains("free some space"), "{text}");
    }
}
