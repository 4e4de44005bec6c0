//! The bundle: a tar of ustar entries with fixed owner, time and mode, compressed by zstd at level 3 with one thread and
//! its checksum.
//!
//! An entry's header follows from its path and size alone, and reading compares it byte for byte. Each byte is read once
//! and hashed on its way, in parts of one size: how much the system hands over at a time is not seen in what is written.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use resonetics_runs::{Error, error, files, interrupt};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

pub(super) use self::pack::Packed;
pub(crate) use self::pack::{NotAdded, Packer};
pub(super) use self::unpack::{Nowhere, Take, unpack, unpack_from};
pub(crate) use self::unpack::{WINDOW_LOG, summed};

mod pack;
mod unpack;

/// The unit of a tar.
pub(crate) const BLOCK: usize = 512;
/// Bytes that are handed on at a time.
pub(crate) const PART: usize = 1 << 18;

/// In hexadecimal digits.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The header of a file.
///
/// # Errors
/// [`Error::Refused`] for a path that a tar cannot hold.
pub(crate) fn header(path: &str, size: u64) -> Result<Header, Error> {
    let mut header = Header::new_ustar();
    header.set_path(path).map_err(|_| {
        Error::Refused(format!("`{path}` cannot be archived: its path is too long; give it a shorter one"))
    })?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    for set in [Header::set_device_major, Header::set_device_minor] {
        set(&mut header, 0).map_err(|error| Error::Failed(format!("cannot write a header: {error}")))?;
    }
    header.set_cksum();
    Ok(header)
}

/// How much there is between the end of `size` bytes and the next block.
pub(crate) fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

/// SHA-256 of the file at `path`.
///
/// # Errors
/// That it cannot be read, [`Error::Interrupted`].
pub(super) fn hashed(path: &Path) -> Result<String, Error> {
    let mut file = Hashed::new(files::open(path)?);
    let mut part = vec![0; PART];
    while filled(&mut file, &mut part).map_err(error::io("read", path))? > 0 {
        interrupt::check()?;
    }
    Ok(hex(file.hash))
}

/// Fills `buffer` as far as there is something; yields how much there was.
pub(crate) fn filled(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match from.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// A file that is hashed as it is written or read.
struct Hashed {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Hashed {
    fn new(file: File) -> Hashed {
        Hashed { file, hash: Sha256::new(), bytes: 0 }
    }

    fn seen(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.seen(&bytes[..count]);
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for Hashed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.seen(&into[..count]);
        Ok(count)
    }
}
