//! TensorBoard's event files: scalars only.
//!
//! A file is a row of TFRecords, each of them (length, its checksum, data, its checksum) with the data an
//! `Event` in protobuf, both as TensorFlow defines them (`tensorflow/core/lib/io/record_writer.h`,
//! `tensorflow/core/util/event.proto`). No crate that writes them is kept up.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crc::{CRC_32_ISCSI, Crc};
use prost::Message;

use crate::error::{self, Error};
use crate::files;

/// CRC-32C, as iSCSI and TensorFlow use it.
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
/// The first event of a file says so.
const FILE_VERSION: &str = "brain.Event:2";
/// Bytes that wait in memory before they are written.
const FULL: usize = 8192;
/// Bytes of a record before its data.
const HEAD: usize = 12;
/// The longest record of ours by far.
const MOST_BYTES: u64 = 1 << 20;
/// How long an event may wait in memory while others follow it.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// An event file that grows by whole records. Dropping it writes the rest as best it can;
/// [`EventFile::finish`] also reports whether that worked.
pub(crate) struct EventFile {
    path: PathBuf,
    file: File,
    written: u64,
    waiting: Vec<u8>,
    flushed: Instant,
}

impl EventFile {
    /// Creates `events.out.tfevents.TIME.resonetics` in `dir`; TensorBoard looks for `tfevents` in the
    /// name. `wall_time` is in seconds since 1970, here and below.
    ///
    /// # Errors
    /// [`Error::Refused`] if the file exists or cannot be created, [`Error::Failed`] if it cannot be
    /// written.
    pub(crate) fn create(dir: &Path, wall_time: f64) -> Result<EventFile, Error> {
        let path = dir.join(format!("events.out.tfevents.{}.resonetics", wall_time as u64));
        let file =
            File::options().append(true).create_new(true).open(&path).map_err(error::io("create", &path))?;
        let mut events = EventFile { path, file, written: 0, waiting: Vec::new(), flushed: Instant::now() };
        let version = Some(FILE_VERSION.to_owned());
        record(&mut events.waiting, &Event { wall_time, step: 0, file_version: version, summary: None });
        events.flush()?;
        Ok(events)
    }

    /// Goes on with the file at `path` at `step`: what it has of that step and later ones, and a record that a
    /// kill cut short, is cut off, so that a resumed run has each step once.
    ///
    /// # Errors
    /// [`Error::Refused`] if it cannot be opened or is no event file (it is then left alone),
    /// [`Error::Failed`] if it cannot be read or cut.
    pub(crate) fn append(path: &Path, step: u64) -> Result<EventFile, Error> {
        let bytes = files::read(path, u64::MAX)?;
        let begins = first_event(&bytes).is_some_and(|(event, _)| event.file_version.is_some());
        if !begins {
            let text =
                "it is not a TensorBoard event file, or its beginning is damaged; remove it or name another";
            return Err(Error::Refused(format!("cannot append to {}: {text}", path.display())));
        }
        let mut kept = 0;
        while let Some((event, length)) = first_event(&bytes[kept..]) {
            if event.step >= signed(step) && event.file_version.is_none() {
                break;
            }
            kept += length;
        }
        let file = File::options().append(true).open(path).map_err(error::io("open", path))?;
        let written = kept as u64;
        file.set_len(written).map_err(error::io("cut", path))?;
        Ok(EventFile { path: path.to_owned(), file, written, waiting: Vec::new(), flushed: Instant::now() })
    }

    /// Where it is.
    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the values of one step, by tag; kept as f32. Steps must not fall.
    ///
    /// # Errors
    /// [`Error::Failed`], naming the file, if it cannot be written.
    pub(crate) fn scalars(
        &mut self,
        step: u64,
        wall_time: f64,
        scalars: &[(&str, f64)],
    ) -> Result<(), Error> {
        let value =
            |&(tag, value): &(&str, f64)| Value { tag: tag.to_owned(), simple_value: Some(value as f32) };
        let summary = Some(Summary { values: scalars.iter().map(value).collect() });
        record(&mut self.waiting, &Event { wall_time, step: signed(step), file_version: None, summary });
        if self.waiting.len() < FULL && self.flushed.elapsed() < FLUSH_AFTER {
            return Ok(());
        }
        self.flush()
    }

    /// Writes what is left and waits until it is on the disk.
    ///
    /// # Errors
    /// Any I/O error, naming the file.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        self.file.sync_all().map_err(error::io("write", &self.path))
    }

    /// Hands over all that waits, in one write. Also for a moment in which it must all be in the file.
    ///
    /// # Errors
    /// Any I/O error, naming the file.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        self.flushed = Instant::now();
        let done = self.file.write_all(&waiting);
        if done.is_err() {
            // A disk that fills up takes the first part of a write: take that part back.
            let _ = self.file.set_len(self.written);
        } else {
            self.written += waiting.len() as u64;
        }
        done.map_err(error::io("write", &self.path))
    }
}

impl Drop for EventFile {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// How many bytes of the event `file` there are before its first record of a step behind `step`, which is where a run
/// that goes on behind that step cuts it; nothing behind a record that is damaged or not whole counts.
///
/// # Errors
/// Any I/O error.
pub fn bytes_until(file: &File, step: u64) -> io::Result<u64> {
    let mut file = BufReader::new(file);
    let mut kept = 0;
    loop {
        let mut record = vec![0; HEAD];
        if !filled(&mut file, &mut record)? {
            return Ok(kept);
        }
        let size = record.first_chunk::<8>().map_or(0, |size| u64::from_le_bytes(*size));
        if size > MOST_BYTES {
            return Ok(kept);
        }
        record.resize(HEAD + size as usize + 4, 0);
        if !filled(&mut file, &mut record[HEAD..])? {
            return Ok(kept);
        }
        match first_event(&record) {
            Some((event, length)) if event.file_version.is_some() || event.step <= signed(step) => {
                kept += length as u64;
            }
            _ => return Ok(kept),
        }
    }
}

/// Whether there were bytes for all of `into`.
fn filled(from: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(into) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

/// TensorBoard counts steps in i64.
fn signed(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

/// A checksum as TFRecords hold it: turned and shifted, so that a checksum of data that holds
/// checksums stays a good one.
fn masked(bytes: &[u8]) -> [u8; 4] {
    CRC32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// Appends `event` to `out` as a record.
fn record(out: &mut Vec<u8>, event: &Event) {
    let data = event.encode_to_vec();
    let length = (data.len() as u64).to_le_bytes();
    for part in [&length[..], &masked(&length), &data, &masked(&data)] {
        out.extend_from_slice(part);
    }
}

/// The event of the first record and the record's length; none if it is cut short or damaged.
fn first_event(bytes: &[u8]) -> Option<(Event, usize)> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (length_sum, rest) = rest.split_first_chunk::<4>()?;
    let size = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (data, rest) = rest.split_at_checked(size)?;
    let (sum, _) = rest.split_first_chunk::<4>()?;
    let whole = masked(length) == *length_sum && masked(data) == *sum;
    let event = whole.then(|| Event::decode(data).ok()).flatten()?;
    Some((event, size + 16))
}

#[cfg(test)]
mod tests;
