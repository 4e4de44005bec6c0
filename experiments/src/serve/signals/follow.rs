//! The log of a watched run, read on from where it was left, as far as the page shows it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use resonetics_lumen::store;

use super::series::Series;

/// The most bytes of a line: events have some 700.
const LINE: u64 = 64 << 10;
/// Sources and lanes that can be chosen.
pub(super) const NAMES: usize = 64;
/// By so many bytes before the place up to which it was read a log is known again.
const KNOWN: usize = 256;

/// What was read of a log, of one source or lane.
#[derive(Default)]
pub(super) struct Followed {
    /// Device and inode.
    file: (u64, u64),
    /// Behind the last whole line that was read.
    offset: u64,
    /// The end of what was read.
    known: Vec<u8>,
    lines: u64,
    /// Lines that are no events.
    pub(super) refused: u64,
    /// The first of them, and why it is none.
    pub(super) first_refused: Option<(u64, String)>,
    /// Whose series it is; none until there is an event of a whole source.
    pub(super) of: Option<String>,
    /// Those that can be chosen.
    pub(super) names: Names,
    pub(super) series: Series,
}

/// Sources, and lanes of them, in the order of the log.
#[derive(Default)]
pub(super) struct Names {
    sources: Vec<String>,
    lanes: Vec<String>,
    /// Whether there are others.
    more: bool,
}

impl Names {
    fn add(&mut self, name: &str) {
        let into = if is_lane(name) { &mut self.lanes } else { &mut self.sources };
        if into.iter().any(|known| known == name) {
            return;
        }
        if into.len() == NAMES {
            self.more = true;
        } else {
            into.push(name.to_owned());
        }
    }

    /// Sources first, and whether there are more than these.
    pub(super) fn listed(&self) -> (Vec<&str>, bool) {
        let all = self.sources.iter().chain(&self.lanes);
        let more = self.more || self.sources.len() + self.lanes.len() > NAMES;
        (all.take(NAMES).map(String::as_str).collect(), more)
    }
}

/// Whether an entity is `RUN/SOURCE/LANE`.
fn is_lane(name: &str) -> bool {
    name.matches('/').count() > 1
}

impl Followed {
    /// The log at `path` as far as it has whole lines, of the source or lane `of`, or else of the first source; what is
    /// known from `before` is not read again.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(super) fn of(path: &Path, of: Option<&str>, before: Option<Followed>) -> io::Result<Followed> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let id = (metadata.dev(), metadata.ino());
        let kept = match before {
            Some(before) if before.file == id && before.is_beginning_of(&mut file)? => Some(before),
            // It was cut back, or is another one.
            _ => None,
        };
        let anew = |of: Option<&str>| Followed { file: id, of: of.map(str::to_owned), ..Followed::default() };
        let mut followed = kept.unwrap_or_else(|| anew(of));
        followed.read_on(&mut file)?;
        // A log of lanes alone.
        if followed.of.is_none()
            && let Some(first) = followed.names.lanes.first()
        {
            followed = anew(Some(first));
            followed.read_on(&mut file)?;
        }
        Ok(followed)
    }

    fn is_beginning_of(&self, file: &mut File) -> io::Result<bool> {
        if file.metadata()?.len() < self.offset {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.offset - self.known.len() as u64))?;
        let mut there = Vec::new();
        file.take(self.known.len() as u64).read_to_end(&mut there)?;
        Ok(there == self.known)
    }

    fn read_on(&mut self, file: &mut File) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.offset))?;
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut length = reader.by_ref().take(LINE).read_until(b'\n', &mut line)? as u64;
            let whole = line.ends_with(b"\n");
            if !whole && length == LINE {
                length += rest(&mut reader, &mut line)?;
            }
            // What has no end yet is read when it has one.
            if !line.ends_with(b"\n") {
                return Ok(());
            }
            self.offset += length;
            self.lines += 1;
            let from = line.len().saturating_sub(KNOWN);
            self.known.clear();
            self.known.extend_from_slice(&line[from..]);
            match if whole { store::event(&line) } else { Err(format!("longer than {LINE} bytes")) } {
                Ok(event) => self.take(&event),
                Err(problem) => {
                    self.refused += 1;
                    self.first_refused.get_or_insert((self.lines, problem));
                }
            }
        }
    }

    fn take(&mut self, event: &resonetics_lumen::event::Event) {
        let name = &event.entity_id;
        self.names.add(name);
        if self.of.is_none() && !is_lane(name) {
            self.of = Some(name.clone());
        }
        if self.of.as_ref() == Some(name) {
            self.series.take(event);
        }
    }
}

/// Reads to the end of a line, of which `line` keeps the last bytes; yields how many there were.
fn rest(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    let mut length = 0;
    let mut last: VecDeque<u8> = VecDeque::new();
    loop {
        let mut piece = Vec::new();
        let read = reader.by_ref().take(LINE).read_until(b'\n', &mut piece)?;
        length += read as u64;
        last.extend(&piece);
        last.drain(..last.len().saturating_sub(KNOWN));
        if read == 0 || piece.ends_with(b"\n") {
            *line = last.into();
            return Ok(length);
        }
    }
}
