//! Writing a bundle.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use age::stream::StreamWriter;
use resonetics_runs::{Error, error, interrupt};
use sha2::{Digest, Sha256};
use zstd::stream::write::Encoder;

use super::{BLOCK, Hashed, PART, filled, header, hex, padding};
use crate::archive::sealed::Seal;

/// Zstd's level: the pace of a disk, and most of what can be had.
const LEVEL: i32 = 3;
/// Why a file was not added.
pub(crate) enum NotAdded {
    /// It had fewer bytes than it was to have.
    Short,
    /// It could not be read.
    Unread(io::Error),
    /// Something else.
    Other(Error),
}

impl From<Error> for NotAdded {
    fn from(error: Error) -> NotAdded {
        NotAdded::Other(error)
    }
}

/// Where the compressed bytes go.
enum Out {
    Plain(Hashed),
    Sealed(Box<StreamWriter<Hashed>>),
}

impl Out {
    fn finish(self) -> io::Result<Hashed> {
        match self {
            Out::Plain(out) => Ok(out),
            Out::Sealed(out) => out.finish(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Plain(out) => out.write(bytes),
            Out::Sealed(out) => out.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Plain(out) => out.flush(),
            Out::Sealed(out) => out.flush(),
        }
    }
}

/// A bundle that is written.
pub(crate) struct Packer<'a> {
    path: &'a Path,
    out: Encoder<'static, Out>,
    tar: Sha256,
    part: Vec<u8>,
}

/// What was written.
pub(crate) struct Packed {
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    pub(crate) tar_sha256: String,
}

impl<'a> Packer<'a> {
    /// A new file at `path`, encrypted by `seal`.
    pub(crate) fn create(path: &'a Path, seal: Option<&Seal>) -> Result<Packer<'a>, Error> {
        let file = Hashed::new(File::create_new(path).map_err(error::io("create", path))?);
        let out = match seal {
            None => Out::Plain(file),
            Some(seal) => Out::Sealed(Box::new(seal.writer(file).map_err(error::io("write", path))?)),
        };
        let mut out = Encoder::new(out, LEVEL).map_err(error::io("write", path))?;
        // Without it, a bit that flips in what could not be compressed is not seen.
        out.include_checksum(true).map_err(error::io("write", path))?;
        Ok(Packer { path, out, tar: Sha256::new(), part: vec![0; PART] })
    }

    /// Adds the next `size` bytes of `from`; yields their SHA-256.
    pub(crate) fn add(&mut self, path: &str, size: u64, from: &mut impl Read) -> Result<String, NotAdded> {
        self.write(header(path, size)?.as_bytes())?;
        let mut hash = Sha256::new();
        let mut left = size;
        let mut part = std::mem::take(&mut self.part);
        while left > 0 {
            interrupt::check()?;
            let wanted = left.min(PART as u64) as usize;
            let count = filled(from, &mut part[..wanted]).map_err(NotAdded::Unread)?;
            if count < wanted {
                return Err(NotAdded::Short);
            }
            hash.update(&part[..count]);
            self.write(&part[..count])?;
            left -= count as u64;
        }
        self.part = part;
        self.write(&[0; BLOCK][..padding(size)])?;
        Ok(hex(hash))
    }

    /// Ends it, and waits until it is on the disk.
    pub(crate) fn finish(mut self) -> Result<Packed, Error> {
        self.write(&[0; 2 * BLOCK])?;
        let path = self.path;
        let out = self.out.finish().and_then(Out::finish);
        let Hashed { file, hash, bytes } = out.map_err(error::io("write", path))?;
        file.sync_all().map_err(error::io("write", path))?;
        Ok(Packed { sha256: hex(hash), bytes, tar_sha256: hex(self.tar) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.tar.update(bytes);
        self.out.write_all(bytes).map_err(error::io("write", self.path))
    }
}
