//! A log of events as it grows, line by line.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use resonetics_runs::error::{self, Error};
use resonetics_runs::files;

use crate::store::LINE_BYTES;

/// Bytes that are read at a time: more than the longest line.
const STEP: usize = 4 * LINE_BYTES;
/// Bytes before the place where it stopped by which a log is known again.
const TAIL: usize = 4096;

/// Reads the whole lines of a log on from where it stopped.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    /// Device and inode of the file that was read.
    file: Option<(u64, u64)>,
    /// Behind the last whole line that was handed out.
    offset: u64,
    /// What stands before it, [`TAIL`] bytes at most.
    tail: Vec<u8>,
}

impl Follow {
    /// From the beginning of the log at `path`, which need not be there yet.
    pub fn new(path: &Path) -> Follow {
        Follow { path: path.to_path_buf(), file: None, offset: 0, tail: Vec::new() }
    }

    /// The next lines that have come to their ends, without these: some of them, or none if there are no more now. A
    /// log that is another one than before, by its file or by what stands before the place where it stopped, is read
    /// from its beginning: that is said by `true`.
    ///
    /// # Errors
    /// That it cannot be read, and a line that has no end.
    pub fn lines(&mut self) -> Result<(bool, Vec<String>), Error> {
        let failed = |what: &'static str| error::io(what, &self.path);
        if let Err(problem) = self.path.symlink_metadata()
            && problem.kind() == std::io::ErrorKind::NotFound
        {
            return Ok((false, Vec::new()));
        }
        let mut file = files::open(&self.path)?;
        let metadata = file.metadata().map_err(failed("read"))?;
        let key = Some((metadata.dev(), metadata.ino()));
        let same = self.file == key && self.is_same(&mut file).map_err(failed("read"))?;
        let anew = self.file.is_some() && !same;
        if !same {
            (self.file, self.offset, self.tail) = (key, 0, Vec::new());
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(failed("read"))?;
        let mut bytes = Vec::new();
        file.take(STEP as u64).read_to_end(&mut bytes).map_err(failed("read"))?;
        let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if bytes.len() - end > LINE_BYTES {
            let place = self.path.display();
            return Err(Error::Refused(format!(
                "{place}: a line is longer than {LINE_BYTES} bytes: this is no log of events"
            )));
        }
        bytes.truncate(end);
        self.offset += end as u64;
        self.tail.extend_from_slice(&bytes[end.saturating_sub(TAIL)..]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        Ok((anew, lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect()))
    }

    /// Whether what was read last still stands where it stood.
    fn is_same(&self, file: &mut File) -> std::io::Result<bool> {
        file.seek(SeekFrom::Start(self.offset - self.tail.len() as u64))?;
        let mut before = Vec::new();
        file.take(self.tail.len() as u64).read_to_end(&mut before)?;
        Ok(before == self.tail)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lines_are_handed_out_once_they_are_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("events.jsonl");
        let mut follow = Follow::new(&path);
        assert_eq!(follow.lines().unwrap(), (false, vec![]));
        fs::write(&path, "one\ntw").unwrap();
        assert_eq!(follow.lines().unwrap(), (false, vec!["one".to_owned()]));
        fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(follow.lines().unwrap(), (false, vec!["two".to_owned(), "three".to_owned()]));
        // Cut back, and gone on with, also beyond where it was.
        fs::write(&path, "one\n2\n").unwrap();
        assert_eq!(follow.lines().unwrap(), (true, vec!["one".to_owned(), "2".to_owned()]));
        fs::write(&path, "one\n3\nfour\nfive\n").unwrap();
        assert!(follow.lines().unwrap().0);
        assert_eq!(follow.lines().unwrap(), (false, vec![]));
        // Another file that begins with the same lines.
        fs::write(place.path().join("other"), "one\n3\nfour\nfive\nsix\n").unwrap();
        fs::rename(place.path().join("other"), &path).unwrap();
        let (anew, lines) = follow.lines().unwrap();
        assert_eq!((anew, lines.len()), (true, 5));
    }

    #[test]
    fn a_long_log_is_read_in_steps() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("events.jsonl");
        let line = "x".repeat(1000);
        fs::write(&path, format!("{line}\n").repeat(10_000)).unwrap();
        let mut follow = Follow::new(&path);
        let mut count = 0;
        loop {
            let (anew, lines) = follow.lines().unwrap();
            assert!(!anew && lines.iter().all(|other| *other == line));
            if lines.is_empty() {
                break;
            }
            assert!(lines.len() < 5000);
            count += lines.len();
        }
        assert_eq!(count, 10_000);
        let pipe = place.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert!(Follow::new(&pipe).lines().unwrap_err().is_refusal());
    }

    #[test]
    fn what_has_no_line_ends_is_no_log() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("events.jsonl");
        fs::write(&path, vec![b'x'; LINE_BYTES + 1]).unwrap();
        assert!(Follow::new(&path).lines().unwrap_err().is_refusal());
    }
}
