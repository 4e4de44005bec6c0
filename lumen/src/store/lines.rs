//! Whole lines of a file, many at a time.

use std::io::{self, BufRead, Read};

use super::line::LINE_BYTES;

/// How many lines of a file go into one transaction: enough that its cost does not count, few enough that others who
/// write wait some 30 ms for it.
const LINES: usize = 4_096;

/// The most bytes of them, but for the last line.
const BYTES: usize = 8 << 20;

/// How many bytes of a file's head and of what was read last it is known by.
pub(super) const PRINT: usize = 4_096;

/// Where a line is.
pub(super) struct Line {
    /// Of its first byte, in the file.
    pub(super) offset: u64,
    /// Of its first byte in [`Lines::bytes`].
    start: usize,
    /// Whether it was longer than [`LINE_BYTES`]; its end alone was kept then.
    pub(super) too_long: bool,
}

/// Lines that follow each other.
#[derive(Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    found: Vec<Line>,
    /// Behind the last line, in the file.
    pub(super) end: u64,
}

impl Lines {
    /// Reads the next whole lines, of which the first begins at `offset`. What is behind the last line end is left:
    /// there are no lines where there is no line end.
    pub(super) fn read(&mut self, file: &mut impl BufRead, offset: u64) -> io::Result<()> {
        self.bytes.clear();
        self.found.clear();
        self.end = offset;
        while self.found.len() < LINES && self.bytes.len() < BYTES {
            let start = self.bytes.len();
            let length = file.by_ref().take(LINE_BYTES as u64).read_until(b'\n', &mut self.bytes)?;
            let (mut length, mut too_long) = (length as u64, false);
            if length == LINE_BYTES as u64 && !self.bytes.ends_with(b"\n") {
                too_long = true;
                length += skip(file, &mut self.bytes, start)?;
            }
            if !self.bytes[start..].ends_with(b"\n") {
                self.bytes.truncate(start);
                break;
            }
            self.found.push(Line { offset: self.end, start, too_long });
            self.end += length;
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The lines with their bytes, ends included.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Line, &[u8])> {
        let ends = self.found.iter().skip(1).map(|line| line.start).chain([self.bytes.len()]);
        self.found.iter().zip(ends).map(|(line, end)| (line, &self.bytes[line.start..end]))
    }

    /// The last [`PRINT`] bytes up to the end of these lines, which follow bytes that end with `before`.
    pub(super) fn tail(&self, before: &[u8]) -> Vec<u8> {
        let own = &self.bytes[self.bytes.len().saturating_sub(PRINT)..];
        let missing = (PRINT - own.len()).min(before.len());
        [&before[before.len() - missing..], own].concat()
    }
}

/// Reads to the end of a line that is too long, of which `bytes` has the beginning from `start` on; keeps its last
/// [`PRINT`] bytes. Yields how many it has read.
fn skip(file: &mut impl BufRead, bytes: &mut Vec<u8>, start: usize) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let count = file.by_ref().take(1 << 16).read_until(b'\n', bytes)?;
        skipped += count as u64;
        let surplus = (bytes.len() - start).saturating_sub(PRINT);
        bytes.drain(start..start + surplus);
        if count == 0 || bytes.ends_with(b"\n") {
            return Ok(skipped);
        }
    }
}
