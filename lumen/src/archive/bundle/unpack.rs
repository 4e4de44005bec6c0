//! Reading a bundle, compared with its manifest on the way.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;

use resonetics_runs::{Error, error, files, interrupt};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};
use zstd::stream::read::Decoder;

use super::{BLOCK, Hashed, PART, filled, header, hex, padding};
use crate::archive::fault::{Fault, Kind};
use crate::archive::manifest::{BUNDLE, Entry, Manifest};

/// Frames that need a larger window (8 MiB) are none of ours, and would take memory.
pub(crate) const WINDOW_LOG: u32 = 23;
/// What a tar may be longer than its manifest says, so that what was added is found and named.
const BEYOND: u64 = 1 << 20;

/// Bytes of the tar of these files, if that is a number.
fn tar_bytes(files: &[Entry]) -> Option<u64> {
    files.iter().try_fold(2 * BLOCK as u64, |sum, entry| {
        sum.checked_add(BLOCK as u64)?.checked_add(entry.size)?.checked_add(padding(entry.size) as u64)
    })
}

/// Is handed the files of a bundle, as its manifest lists them.
pub(in crate::archive) trait Take {
    /// A file begins.
    fn begin(&mut self, entry: &Entry) -> Result<(), Error>;
    /// More bytes of it.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error>;
    /// It was whole, and its sum is right.
    fn end(&mut self) -> Result<(), Error>;
}

/// Takes nothing.
pub(in crate::archive) struct Nowhere;

impl Take for Nowhere {
    fn begin(&mut self, _: &Entry) -> Result<(), Error> {
        Ok(())
    }
    fn bytes(&mut self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    fn end(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// What a bundle was found to be.
pub(in crate::archive) struct Unpacked {
    /// SHA-256 of the file.
    pub(in crate::archive) sha256: String,
    /// What differs from the manifest.
    pub(in crate::archive) faults: Vec<Fault>,
}

/// Reads the bundle at `path` to its end and compares it with `manifest`, whose paths were looked at before; without one
/// only the sum of the file is taken. `take` is handed what is as it should be.
///
/// # Errors
/// That the file cannot be read, those of `take`, [`Error::Interrupted`].
pub(in crate::archive) fn unpack(
    path: &Path,
    manifest: Option<&Manifest>,
    take: &mut dyn Take,
) -> Result<Unpacked, Error> {
    let mut behind = BufReader::with_capacity(PART, Hashed::new(files::open(path)?));
    let mut faults = Vec::new();
    if let Some(manifest) = manifest {
        (behind, faults) = unpack_from(behind, path, manifest, take)?;
    }
    let mut part = vec![0; PART];
    while filled(&mut behind, &mut part).map_err(error::io("read", path))? > 0 {
        interrupt::check()?;
    }
    Ok(Unpacked { sha256: hex(behind.into_inner().hash), faults })
}

/// Reads a bundle from `behind`, which reads the file at `path`, and compares it with `manifest`; yields what reads on, and
/// what differs.
///
/// # Errors
/// Those of [`unpack`].
pub(in crate::archive) fn unpack_from<R: BufRead>(
    behind: R,
    path: &Path,
    manifest: &Manifest,
    take: &mut dyn Take,
) -> Result<(R, Vec<Fault>), Error> {
    let failed = || error::io("read", path);
    let mut faults = Vec::new();
    let mut decoder = Decoder::with_buffer(behind).map_err(failed())?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(failed())?;
    let limit = tar_bytes(&manifest.files).unwrap_or(u64::MAX).saturating_add(BEYOND);
    let mut tar = Tar { from: decoder, path, limit, read: 0, hash: Sha256::new(), part: vec![0; PART] };
    let whole = tar.compare(manifest, take, &mut faults)?;
    let sum = hex(std::mem::replace(&mut tar.hash, Sha256::new()));
    if whole && faults.is_empty() && sum != manifest.tar_sha256 {
        faults.push(Fault::new(BUNDLE, Kind::Mismatch, "its tar is not the one that the manifest names"));
    }
    let mut behind = tar.from.finish();
    if whole {
        match filled(&mut behind, &mut [0]) {
            Ok(0) => {}
            Ok(_) => faults.push(Fault::new(BUNDLE, Kind::Extra, "there are bytes behind its end")),
            Err(failure) => faults.push(damage(path, BUNDLE, failure)?),
        }
    }
    Ok((behind, faults))
}

/// What is wrong with the file `name` in the bundle at `path` that could not be read on.
///
/// # Errors
/// That the system could not read it.
fn damage(path: &Path, name: &str, failure: io::Error) -> Result<Fault, Error> {
    if failure.raw_os_error().is_some() {
        return Err(error::io("read", path)(failure));
    }
    if failure.kind() == ErrorKind::UnexpectedEof {
        return Ok(Fault::new(name, Kind::Truncated, "the bundle ends within it"));
    }
    Ok(Fault::new(name, Kind::Mismatch, format!("the bundle is damaged there: {failure}")))
}

/// A tar that is read.
struct Tar<'a, R: BufRead> {
    from: Decoder<'static, R>,
    path: &'a Path,
    limit: u64,
    read: u64,
    hash: Sha256,
    part: Vec<u8>,
}

/// Where the reading stops: nothing behind it can be told.
enum End {
    Fault(Fault),
    Error(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Error(error)
    }
}

impl<R: BufRead> Tar<'_, R> {
    /// Compares all entries; whether it got to the end. What could not be read is among the faults.
    fn compare(
        &mut self,
        manifest: &Manifest,
        take: &mut dyn Take,
        faults: &mut Vec<Fault>,
    ) -> Result<bool, Error> {
        let mut next = 0;
        let whole = match self.entries(&manifest.files, &mut next, take, faults) {
            Ok(()) => true,
            Err(End::Error(error)) => return Err(error),
            Err(End::Fault(fault)) => {
                faults.push(fault);
                false
            }
        };
        let why = if whole { "it is not in the bundle" } else { "the bundle cannot be read that far" };
        let missing = manifest.files[next..].iter();
        faults.extend(missing.map(|entry| Fault::new(&entry.path, Kind::Missing, why)));
        Ok(whole)
    }

    /// The same; `next` is the first file that was not met.
    fn entries(
        &mut self,
        files: &[Entry],
        next: &mut usize,
        take: &mut dyn Take,
        faults: &mut Vec<Fault>,
    ) -> Result<(), End> {
        let places: HashMap<&str, usize> =
            files.iter().enumerate().map(|(at, entry)| (entry.path.as_str(), at)).collect();
        loop {
            let mut block = [0; BLOCK];
            self.fill(&mut block, || BUNDLE.to_owned())?;
            if block == [0; BLOCK] {
                return self.ended();
            }
            if let Some(entry) = files.get(*next)
                && *header(&entry.path, entry.size)?.as_bytes() == block
            {
                *next += 1;
                self.file(entry, take, faults)?;
                continue;
            }
            let found = Odd::of(&block)?;
            match places.get(found.path.as_str()) {
                Some(&at) if at >= *next => {
                    let missing = files[*next..at].iter();
                    faults.extend(
                        missing
                            .map(|entry| Fault::new(&entry.path, Kind::Missing, "it is not in the bundle")),
                    );
                    *next = at + 1;
                    let same = *header(&files[at].path, files[at].size)?.as_bytes() == block;
                    if same {
                        self.file(&files[at], take, faults)?;
                        continue;
                    }
                    faults.push(found.unlike(&files[at]));
                }
                Some(_) => faults.push(Fault::new(&found.path, Kind::Extra, "it is in the bundle twice")),
                None => {
                    let why = "it is in the bundle and not in the manifest";
                    faults.push(Fault::new(&found.path, Kind::Extra, why));
                }
            }
            self.skip(found.size, &found.path)?;
        }
    }

    /// The bytes of a file whose header was as it should be.
    fn file(&mut self, entry: &Entry, take: &mut dyn Take, faults: &mut Vec<Fault>) -> Result<(), End> {
        take.begin(entry)?;
        let mut hash = Sha256::new();
        self.each(entry.size, &entry.path, &mut |bytes| {
            hash.update(bytes);
            take.bytes(bytes)
        })?;
        let found = hex(hash);
        if found == entry.sha256 {
            take.end()?;
        } else {
            let why = format!("its SHA-256 is {found}, the manifest says {}", entry.sha256);
            faults.push(Fault::new(&entry.path, Kind::Mismatch, why));
        }
        let mut pad = [0; BLOCK];
        self.fill(&mut pad[..padding(entry.size)], || entry.path.clone())
    }

    fn skip(&mut self, size: u64, name: &str) -> Result<(), End> {
        self.each(size, name, &mut |_| Ok(()))?;
        let mut pad = [0; BLOCK];
        self.fill(&mut pad[..padding(size)], || name.to_owned())
    }

    fn each(
        &mut self,
        size: u64,
        name: &str,
        to: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), End> {
        let mut part = std::mem::take(&mut self.part);
        let mut left = size;
        while left > 0 {
            interrupt::check()?;
            let wanted = left.min(PART as u64) as usize;
            self.fill(&mut part[..wanted], || name.to_owned())?;
            to(&part[..wanted])?;
            left -= wanted as u64;
        }
        self.part = part;
        Ok(())
    }

    /// Behind the first block of zeros: another one, and nothing more.
    fn ended(&mut self) -> Result<(), End> {
        let mut block = [0; BLOCK];
        self.fill(&mut block, || BUNDLE.to_owned())?;
        let why = "its tar goes on behind its end";
        let extra = || End::Fault(Fault::new(BUNDLE, Kind::Extra, why));
        if block != [0; BLOCK] {
            return Err(extra());
        }
        // Not before its last byte is asked for does the frame compare its checksum.
        let count = filled(&mut self.from, &mut block[..1]).map_err(|error| self.damage(BUNDLE, error))?;
        if count > 0 { Err(extra()) } else { Ok(()) }
    }

    /// Fills `buffer`, which is of the file `name`.
    fn fill(&mut self, buffer: &mut [u8], name: impl FnOnce() -> String) -> Result<(), End> {
        self.read += buffer.len() as u64;
        if self.read > self.limit {
            let why = "it holds more bytes than the manifest says";
            return Err(End::Fault(Fault::new(BUNDLE, Kind::Extra, why)));
        }
        match filled(&mut self.from, buffer) {
            Ok(count) if count == buffer.len() => {
                self.hash.update(&*buffer);
                Ok(())
            }
            Ok(_) => Err(End::Fault(Fault::new(name(), Kind::Truncated, "the bundle ends within it"))),
            Err(error) => Err(self.damage(&name(), error)),
        }
    }

    fn damage(&self, name: &str, failure: io::Error) -> End {
        damage(self.path, name, failure).map_or_else(End::Error, End::Fault)
    }
}

/// The header in this block, if its sum is right.
pub(crate) fn summed(block: &[u8; BLOCK]) -> Option<&Header> {
    let header = Header::from_byte_slice(block);
    // Spaces stand for the sum while it is taken.
    let sum = block
        .iter()
        .enumerate()
        .map(|(at, &byte)| u32::from(if (148..156).contains(&at) { b' ' } else { byte }));
    header.cksum().is_ok_and(|told| told == sum.sum::<u32>()).then_some(header)
}

/// An entry that is not the one that comes next in the manifest.
struct Odd {
    path: String,
    size: u64,
    kind: EntryType,
}

impl Odd {
    fn of(block: &[u8; BLOCK]) -> Result<Odd, End> {
        let damaged = || End::Fault(Fault::new(BUNDLE, Kind::Mismatch, "the header of an entry is damaged"));
        let header = summed(block).ok_or_else(damaged)?;
        Ok(Odd {
            path: String::from_utf8_lossy(&header.path_bytes()).into_owned(),
            size: header.entry_size().map_err(|_| damaged())?,
            kind: header.entry_type(),
        })
    }

    /// How it differs from the entry of this path.
    fn unlike(&self, entry: &Entry) -> Fault {
        let (found, told) = (self.size, entry.size);
        if !self.kind.is_file() {
            return Fault::new(
                &entry.path,
                Kind::Mismatch,
                "it is no file in the bundle, but a link or a folder",
            );
        }
        let kind = if found < told { Kind::Truncated } else { Kind::Mismatch };
        if found == told {
            return Fault::new(&entry.path, kind, "its header in the bundle has another owner, time or mode");
        }
        Fault::new(&entry.path, kind, format!("it has {found} bytes in the bundle, the manifest says {told}"))
    }
}
