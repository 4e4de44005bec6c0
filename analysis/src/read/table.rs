//! A CSV file with a header, one row at a time.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};
use std::str;

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::ReadError;

/// The longest header that is looked at, in bytes: a file without line ends is no table.
const HEADER_BYTES: usize = 65_536;

/// An open CSV file.
///
/// Lines end with LF or CRLF. It is read as long as it was when it was opened: a run that still
/// writes it does not disturb.
pub struct Table {
    path: PathBuf,
    reader: csv::Reader<Take<File>>,
    header: Vec<String>,
    record: ByteRecord,
    line: u64,
    /// Its length in bytes.
    length: u64,
    /// Whether the last line has no end.
    cut: bool,
    notes: Vec<String>,
}

/// A row of a [`Table`], with as many cells as the header.
pub struct Row<'a> {
    table: &'a Table,
    /// Whether it is the last line of the file and has no line end: it may have been cut.
    pub unfinished: bool,
}

impl Table {
    /// Opens the file at `path` and reads its header.
    ///
    /// # Errors
    /// [`ReadError::Io`]; [`ReadError::Line`] for an empty file and for a header that is no text.
    pub fn open(path: &Path) -> Result<Table, ReadError> {
        let (file, length, cut) =
            opened(path).map_err(|source| ReadError::Io { path: path.to_path_buf(), source })?;
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(file.take(length));
        let mut table = Table {
            path: path.to_path_buf(),
            reader,
            header: Vec::new(),
            record: ByteRecord::new(),
            line: 0,
            length,
            cut,
            notes: Vec::new(),
        };
        if !table.advance()? {
            return Err(table.at(1, "the file is empty: a header is needed".to_owned()));
        }
        let record = &table.record;
        let text = record.iter().map(|cell| str::from_utf8(cell).ok().map(str::to_owned));
        let header: Option<Vec<String>> = text.collect();
        let header = header.filter(|_| record.as_slice().len() < HEADER_BYTES);
        let Some(mut header) = header else {
            return Err(table.at(1, "the header is no text (UTF-8)".to_owned()));
        };
        if let Some(last) = header.last_mut().filter(|last| last.ends_with('\r')) {
            last.pop();
        }
        // Windows programs begin UTF-8 files with this mark.
        if let Some(first) = header.first_mut().filter(|first| first.starts_with('\u{feff}')) {
            first.remove(0);
        }
        table.header = header;
        Ok(table)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Where column `name` is, if there is one.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// What was passed over.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The next row, `None` behind the last one.
    ///
    /// A last line without line end that has too few cells was cut; it is noted and passed over.
    ///
    /// # Errors
    /// [`ReadError::Io`]; [`ReadError::Line`] for a row with more or fewer cells than the header.
    pub fn row(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        if !self.advance()? {
            return Ok(None);
        }
        let unfinished = self.at_cut();
        let (found, expected) = (self.record.len(), self.header.len());
        if found != expected && unfinished {
            self.pass_over();
            return Ok(None);
        }
        if found != expected {
            return Err(self.at(self.line, format!("has {found} cells where the header has {expected}")));
        }
        Ok(Some(Row { table: self, unfinished }))
    }

    /// Notes that the line just read, the last one, was cut.
    pub fn pass_over(&mut self) {
        let note =
            format!("{}, line {}: the last line was cut; it is left out", self.path.display(), self.line);
        self.notes.push(note);
    }

    /// An error at `line` of this file.
    pub fn at(&self, line: u64, problem: String) -> ReadError {
        ReadError::Line { path: self.path.clone(), line, problem }
    }

    fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            let read = self.reader.read_byte_record(&mut self.record);
            let read = read.map_err(|error| match error.into_kind() {
                csv::ErrorKind::Io(source) => ReadError::Io { path: self.path.clone(), source },
                other => self.at(self.line + 1, format!("{other:?}")),
            })?;
            // The record's own position is before the empty lines that it follows; where the reader
            // stands, behind its line end, is not.
            let behind = self.reader.position().line();
            self.line = if self.at_cut() { behind } else { behind - 1 };
            if !read || self.record.as_slice() != b"\r" {
                return Ok(read);
            }
        }
    }

    /// Whether the reader stands at the end of a last line that has no end.
    fn at_cut(&self) -> bool {
        self.cut && self.reader.position().byte() >= self.length
    }
}

/// The file, its length, and whether its last line has no end.
fn opened(path: &Path) -> io::Result<(File, u64, bool)> {
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    file.rewind()?;
    Ok((file, length, last != *b"\n"))
}

impl Row<'_> {
    /// The number of its line, from 1.
    pub fn line(&self) -> u64 {
        self.table.line
    }

    /// Cell `column` as text.
    ///
    /// # Errors
    /// [`ReadError::Cell`] if it is no UTF-8.
    pub fn text(&self, column: usize) -> Result<&str, ReadError> {
        str::from_utf8(self.bytes(column)).map_err(|_| self.refused(column, "text (UTF-8)"))
    }

    /// Cell `column` as one of `words`: which.
    ///
    /// # Errors
    /// [`ReadError::Cell`] for anything else.
    pub fn word(&self, column: usize, words: &[&str]) -> Result<usize, ReadError> {
        let found = words.iter().position(|word| word.as_bytes() == self.bytes(column));
        found.ok_or_else(|| self.refused(column, &words.join(", ")))
    }

    /// Cell `column` as a whole number.
    ///
    /// # Errors
    /// [`ReadError::Cell`] for anything else.
    pub fn whole(&self, column: usize) -> Result<u64, ReadError> {
        let text = str::from_utf8(self.bytes(column)).ok().map(str::trim);
        let number = text.and_then(|text| text.parse().ok());
        number.ok_or_else(|| self.refused(column, "whole numbers from 0 on"))
    }

    /// Cell `column` as a number; NaN and infinities are numbers here.
    ///
    /// # Errors
    /// [`ReadError::Cell`] for anything else.
    pub fn number(&self, column: usize) -> Result<f64, ReadError> {
        self.parsed(column).ok_or_else(|| self.refused(column, "a number"))
    }

    /// Cell `column` as a number, `None` where it is empty.
    ///
    /// # Errors
    /// [`ReadError::Cell`] for anything else.
    pub fn maybe(&self, column: usize) -> Result<Option<f64>, ReadError> {
        if self.bytes(column).is_empty() {
            return Ok(None);
        }
        self.parsed(column).map(Some).ok_or_else(|| self.refused(column, "a number or nothing"))
    }

    /// The error that cell `column` is none of what is `allowed`.
    pub fn refused(&self, column: usize, allowed: &str) -> ReadError {
        ReadError::Cell {
            path: self.table.path.clone(),
            line: self.table.line,
            column: self.table.header.get(column).cloned().unwrap_or_default(),
            found: shortened(&String::from_utf8_lossy(self.bytes(column))),
            allowed: allowed.to_owned(),
        }
    }

    fn parsed(&self, column: usize) -> Option<f64> {
        str::from_utf8(self.bytes(column)).ok().and_then(|text| text.trim().parse().ok())
    }

    fn bytes(&self, column: usize) -> &[u8] {
        let bytes = self.table.record.get(column).unwrap_or_default();
        // Of CRLF the CR is left.
        let last = column + 1 == self.table.header.len();
        bytes.strip_suffix(b"\r").filter(|_| last).unwrap_or(bytes)
    }
}

/// `text` as it can be printed, cut behind 60 characters.
pub(super) fn shortened(text: &str) -> String {
    let cut = text.chars().take(60).collect::<String>();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", cut.escape_debug())
}
