//! A log of events as it grows, line by line.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use resonetics_runs::error::{self, Error};

use crate::store::LINE_BYTES;

/// Reads the whole lines of a log on from where it stopped.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    offset: u64,
    rest: Vec<u8>,
}

impl Follow {
    /// From the beginning of the log at `path`, which need not be there yet.
    pub fn new(path: &Path) -> Follow {
        Follow { path: path.to_path_buf(), offset: 0, rest: Vec::new() }
    }

    /// The lines that have come to their ends since, without these. One that was cut back, as a training does that goes
    /// on, is read from its beginning again: that is said by `true`.
    ///
    /// # Errors
    /// That it cannot be read, and a line that has no end.
    pub fn lines(&mut self) -> Result<(bool, Vec<String>), Error> {
        let failed = |what: &'static str| error::io(what, &self.path);
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok((false, Vec::new())),
            Err(problem) => return Err(failed("open")(problem)),
        };
        let length = file.metadata().map_err(failed("read"))?.len();
        let anew = length < self.offset;
        if anew {
            (self.offset, self.rest) = (0, Vec::new());
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(failed("read"))?;
        self.offset += file.read_to_end(&mut self.rest).map_err(failed("read"))? as u64;
        let end = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if self.rest.len() - end > LINE_BYTES {
            let place = self.path.display();
            return Err(Error::Refused(format!(
                "{place}: a line is longer than {LINE_BYTES} bytes: this is no log of events"
            )));
        }
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        let lines = whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        Ok((anew, lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect()))
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
        // Cut back, and gone on with.
        fs::write(&path, "one\n2\n").unwrap();
        assert_eq!(follow.lines().unwrap(), (true, vec!["one".to_owned(), "2".to_owned()]));
    }

    #[test]
    fn what_has_no_line_ends_is_no_log() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("events.jsonl");
        fs::write(&path, vec![b'x'; LINE_BYTES + 1]).unwrap();
        assert!(Follow::new(&path).lines().unwrap_err().is_refusal());
    }
}
