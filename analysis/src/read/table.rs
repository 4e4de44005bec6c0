//! A CSV file with a header, one row at a time.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Take};
use std::path::{Path, PathBuf};
use std::str;

use csv_core::ReadRecordResult;

use super::ReadError;
use super::magic::foreign;

/// The longest line, in bytes: a file without line ends is no table.
const LINE_BYTES: usize = 65_536;

/// The largest number that is read, of either sign: what is beyond cannot be squared and added up.
const LARGEST: f64 = 1e100;

/// The largest whole number that is read; up to it an `f64` holds each.
const LARGEST_WHOLE: u64 = 1 << f64::MANTISSA_DIGITS;

/// What stands in the columns of flags; every second word is true.
const FLAGS: [&str; 6] = ["false", "true", "False", "True", "0", "1"];

/// Those that, as the last cell of a line, have not been cut: a digit might have been.
pub(super) const FLAG_WORDS: [&str; 4] = [FLAGS[0], FLAGS[1], FLAGS[2], FLAGS[3]];

/// Asked every few thousand rows whether to go on.
pub type GoOn<'a> = &'a dyn Fn() -> bool;

/// An open CSV file.
///
/// A row is a line, which ends with LF or CRLF. The file is read as long as it was when it was opened:
/// a run that still writes it does not disturb.
pub struct Table {
    path: PathBuf,
    reader: BufReader<Take<File>>,
    header: Vec<String>,
    record: Record,
    line: u64,
    /// Whether the line has no end: it is the last one.
    unfinished: bool,
    notes: Vec<String>,
}

/// A line and its cells. The memory is used again for the next one.
struct Record {
    csv: csv_core::Reader,
    line: Vec<u8>,
    /// The cells one behind the other, without quotes.
    cells: Vec<u8>,
    /// Where each ends in `cells`.
    ends: Vec<usize>,
    count: usize,
}

/// A row of a [`Table`], with as many cells as the header.
pub struct Row<'a> {
    table: &'a Table,
}

impl Table {
    /// Opens the file at `path` and reads its header.
    ///
    /// # Errors
    /// [`ReadError::Io`]; [`ReadError::NoFile`]; [`ReadError::Empty`]; [`ReadError::Line`] for a header that is
    /// no text.
    pub fn open(path: &Path) -> Result<Table, ReadError> {
        let (file, length) = opened(path)?;
        let mut table = Table {
            path: path.to_path_buf(),
            reader: BufReader::with_capacity(LINE_BYTES, file.take(length)),
            header: Vec::new(),
            record: Record::new(),
            line: 0,
            unfinished: false,
            notes: Vec::new(),
        };
        let path = path.to_path_buf();
        let start = table.reader.fill_buf().map_err(|source| ReadError::Io { path, source })?;
        if let Some(problem) = foreign(start) {
            return Err(table.at(1, problem));
        }
        if !table.advance()? {
            return Err(table.empty("the file is empty: a header is needed".to_owned()));
        }
        let cells = (0..table.record.count).map(|column| table.record.cell(column));
        let header: Option<Vec<String>> =
            cells.map(|cell| str::from_utf8(cell).ok().map(|name| name.trim().to_owned())).collect();
        let Some(header) = header else {
            let problem = "the header is not UTF-8 text: save the file as UTF-8";
            return Err(table.at(table.line, problem.to_owned()));
        };
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

    /// Adds what the reader of a report should know of line `line`.
    pub(super) fn note(&mut self, line: u64, note: &str) {
        self.notes.push(format!("{}, line {line}: {note}", self.path.display()));
    }

    /// The next row, `None` behind the last one.
    ///
    /// A last line without line end that has too few cells was cut; it is noted and passed over.
    ///
    /// # Errors
    /// [`ReadError::Io`]; [`ReadError::Line`] for a row with more or fewer cells than the header, for one
    /// of several lines and for a line that is too long.
    pub fn row(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        if !self.advance()? {
            return Ok(None);
        }
        let (found, expected) = (self.record.count, self.header.len());
        if found != expected && self.unfinished {
            self.pass_over();
            return Ok(None);
        }
        if found != expected {
            return Err(self.at(self.line, format!("has {found} cells where the header has {expected}")));
        }
        Ok(Some(Row { table: self }))
    }

    /// Notes that the line just read, the last one, was cut.
    pub fn pass_over(&mut self) {
        self.note(self.line, "the last line was cut (it has no line end); it is left out");
    }

    /// An error at `line` of this file.
    pub fn at(&self, line: u64, problem: String) -> ReadError {
        ReadError::Line { path: self.path.clone(), line, problem }
    }

    /// The error that there is no row, each of which would be a `row`.
    pub(super) fn without_rows(&self, row: &str) -> ReadError {
        let cut = if self.notes.is_empty() { "" } else { " but one that was cut" };
        self.empty(format!("a header and no {row}{cut}: there is nothing to look at"))
    }

    fn empty(&self, problem: String) -> ReadError {
        ReadError::Empty { path: self.path.clone(), problem }
    }

    /// Reads the next line that is not empty; whether there was one.
    fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            let Record { line, .. } = &mut self.record;
            line.clear();
            let mut bounded = self.reader.by_ref().take(LINE_BYTES as u64);
            bounded
                .read_until(b'\n', line)
                .map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
            if line.is_empty() {
                return Ok(false);
            }
            self.line += 1;
            self.unfinished = line.last() != Some(&b'\n');
            if line.len() == LINE_BYTES && self.unfinished || self.line == 1 && lone_cr(line) {
                return Err(self.no_line());
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            // A quote that was cut is told by the missing cells.
            if !self.record.split() && !self.unfinished {
                let problem = "a quote is opened and not closed in the same line";
                return Err(self.at(self.line, problem.to_owned()));
            }
            return Ok(true);
        }
    }

    fn no_line(&self) -> ReadError {
        let problem = if lone_cr(&self.record.line) {
            "its lines end with CR alone; LF or CRLF are needed".to_owned()
        } else {
            format!("is longer than {LINE_BYTES} bytes: no line of a table is")
        };
        self.at(self.line, problem)
    }
}

/// Whether a CR stands where no LF follows.
fn lone_cr(line: &[u8]) -> bool {
    line.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n')
}

impl Record {
    fn new() -> Record {
        // It passes over the mark that Windows programs begin UTF-8 files with.
        let csv = csv_core::ReaderBuilder::new().terminator(csv_core::Terminator::Any(b'\n')).build();
        Record { csv, line: Vec::new(), cells: Vec::new(), ends: Vec::new(), count: 0 }
    }

    /// Splits the line into cells; false if a quote is left open.
    fn split(&mut self) -> bool {
        self.csv.reset();
        if self.line.last() != Some(&b'\n') {
            self.line.push(b'\n');
        }
        let length = self.line.len();
        if self.cells.len() < length {
            // There are no more cells than bytes.
            self.cells.resize(length, 0);
            self.ends.resize(length + 1, 0);
        }
        let (result, .., count) = self.csv.read_record(&self.line, &mut self.cells, &mut self.ends);
        self.count = count;
        matches!(result, ReadRecordResult::Record)
    }

    fn cell(&self, column: usize) -> &[u8] {
        if column >= self.count {
            return &[];
        }
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.cells[start..self.ends[column]].trim_ascii()
    }
}

/// The most bytes that [`whole`] reads.
const WHOLE_BYTES: u64 = 8 << 20;

/// The bytes of a small file.
///
/// # Errors
/// [`ReadError::Io`]; [`ReadError::NoFile`]; [`ReadError::Line`] for one that is not small.
pub fn whole(path: &Path) -> Result<Vec<u8>, ReadError> {
    let (file, length) = opened(path)?;
    if length > WHOLE_BYTES {
        let problem = format!("has {length} bytes: {WHOLE_BYTES} are the most that such a file may have");
        return Err(ReadError::Line { path: path.to_path_buf(), line: 1, problem });
    }
    let mut bytes = Vec::new();
    let read = file.take(WHOLE_BYTES).read_to_end(&mut bytes);
    read.map_err(|source| ReadError::Io { path: path.to_path_buf(), source })?;
    Ok(bytes)
}

/// The file and its length.
fn opened(path: &Path) -> Result<(File, u64), ReadError> {
    let refused = |source| ReadError::Io { path: path.to_path_buf(), source };
    // Opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(refused)?.is_file() {
        return Err(ReadError::NoFile { path: path.to_path_buf() });
    }
    let file = File::open(path).map_err(refused)?;
    let length = file.metadata().map_err(refused)?.len();
    Ok((file, length))
}

impl Row<'_> {
    /// The number of its line, from 1.
    pub fn line(&self) -> u64 {
        self.table.line
    }

    /// Whether cell `column` may have lost its end: it is the last one of a line that has no end.
    pub fn may_be_cut(&self, column: usize) -> bool {
        self.table.unfinished && column + 1 == self.table.header.len()
    }

    /// Whether one of the cells that are read, `columns`, may have lost its end and is none of `words`.
    ///
    /// What was cut in its last cell is not read: a number without its last digits is a number.
    pub fn is_cut(&self, columns: &[usize], words: &[&str]) -> bool {
        columns.iter().any(|&column| self.may_be_cut(column) && self.word(column, words).is_err())
    }

    /// Cell `column` as text, without the spaces around it.
    ///
    /// # Errors
    /// [`ReadError::Cell`] if it is no UTF-8 or empty.
    pub fn text(&self, column: usize) -> Result<&str, ReadError> {
        let text = str::from_utf8(self.bytes(column)).ok().filter(|text| !text.is_empty());
        text.ok_or_else(|| self.refused(column, "text (UTF-8) that is not empty"))
    }

    /// Cell `column` as one of `words`: which.
    ///
    /// # Errors
    /// [`ReadError::Cell`] for anything else.
    pub fn word(&self, column: usize, words: &[&str]) -> Result<usize, ReadError> {
        let found = words.iter().position(|word| word.as_bytes() == self.bytes(column));
        found.ok_or_else(|| self.refused(column, &words.join(", ")))
    }

    /// Cell `column` as true or false, which may also be written as 1 or 0.
    ///
    /// # Errors
    /// [`ReadError::Cell`] for anything else.
    pub fn flag(&self, column: usize) -> Result<bool, ReadError> {
        let word = self.word(column, &FLAGS).map_err(|_| self.refused(column, "true, false"))?;
        Ok(word % 2 == 1)
    }

    /// Cell `column` as a whole number.
    ///
    /// # Errors
    /// [`ReadError::Cell`] for anything else, and above 2^53.
    pub fn whole(&self, column: usize) -> Result<u64, ReadError> {
        self.up_to(LARGEST_WHOLE, column)
    }

    /// Cell `column` as a seed.
    ///
    /// # Errors
    /// [`ReadError::Cell`] for anything else.
    pub fn seed(&self, column: usize) -> Result<u64, ReadError> {
        self.up_to(u64::MAX, column)
    }

    /// Cell `column` as a number; NaN and infinities are numbers here.
    ///
    /// # Errors
    /// [`ReadError::Cell`] for anything else, and beyond 1e100.
    pub fn number(&self, column: usize) -> Result<f64, ReadError> {
        let number = self.maybe(column)?;
        number.ok_or_else(|| self.refused(column, "a number"))
    }

    /// Cell `column` as a number, `None` where it is empty.
    ///
    /// # Errors
    /// As [`Row::number`].
    pub fn maybe(&self, column: usize) -> Result<Option<f64>, ReadError> {
        let bytes = self.bytes(column);
        if bytes.is_empty() {
            return Ok(None);
        }
        let number: Option<f64> = str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        let number = number.ok_or_else(|| self.refused(column, "a number"))?;
        if number.is_finite() && number.abs() > LARGEST {
            return Err(self.refused(column, &format!("numbers from -{LARGEST:e} to {LARGEST:e}")));
        }
        Ok(Some(number))
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

    fn up_to(&self, most: u64, column: usize) -> Result<u64, ReadError> {
        let text = str::from_utf8(self.bytes(column)).ok();
        let number = text.and_then(|text| text.parse().ok()).filter(|&number| number <= most);
        number.ok_or_else(|| self.refused(column, &format!("whole numbers from 0 to {most}")))
    }

    fn bytes(&self, column: usize) -> &[u8] {
        self.table.record.cell(column)
    }
}

/// `text` as it can be printed, cut behind 60 characters.
pub(super) fn shortened(text: &str) -> String {
    let cut = text.chars().take(60).collect::<String>();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", cut.escape_debug())
}
