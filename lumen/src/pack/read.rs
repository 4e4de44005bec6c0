//! Reading a pack, compared with what it must be on the way. Nothing of it is written but into a folder that goes again.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use resonetics_runs::{Error, error, files, interrupt};
use sha2::{Digest, Sha256};
use zstd::stream::read::Decoder;

use super::open::Opened;
use super::resume::Resume;
use super::{ARCHIVE, CONTEXT, RESUME, SUMS};
use crate::archive::bundle::{BLOCK, PART, WINDOW_LOG, filled, header, hex, padding, summed};
use crate::archive::{BUNDLE, Fault, Kind, MANIFEST, SUMS as ARCHIVE_SUMS, verify};
use crate::context::Context;

/// What every file of zstd begins with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The most bytes of what is held in memory.
const TEXT: u64 = 8 << 20;
/// The most bytes of an archive's manifest.
const MANIFEST_BYTES: u64 = 64 << 20;
/// A bundle is compressed already: in a pack it takes as much as outside. Who says more wants to fill the disk.
const GROWS: u64 = 4;

/// Why a pack is refused.
pub(super) enum Bad {
    /// It is not as it was written.
    Fault(Fault),
    /// It could not be read.
    Error(Error),
}

impl From<Error> for Bad {
    fn from(error: Error) -> Bad {
        Bad::Error(error)
    }
}

fn fault(name: &str, kind: Kind, why: impl Into<String>) -> Bad {
    Bad::Fault(Fault::new(name, kind, why))
}

/// Opens the pack at `path` and verifies all of it: each member, their sums, the archive by its own bytes, and that they
/// are of one run at one moment. What is in it lies in a folder beside `near` until what is yielded is dropped.
///
/// # Errors
/// [`Error::Unknown`] if there is no such file, [`Error::Refused`] for one that is no pack, [`Error::Failed`] with what is
/// damaged, any I/O error.
pub fn open(path: &Path, near: Option<&Path>) -> Result<Opened, Error> {
    let shown = path.display();
    if path.symlink_metadata().is_err() {
        return Err(Error::Unknown(format!("there is no pack {shown}; `resonetics lumen pack` makes one")));
    }
    read(path, near).map_err(|bad| match bad {
        Bad::Error(error) => error,
        Bad::Fault(fault) => {
            Error::Failed(format!("{shown}: {fault}; take another copy of it, or pack the run again"))
        }
    })
}

fn read(path: &Path, near: Option<&Path>) -> Result<Opened, Bad> {
    let mut members = Members::open(path)?;
    let resume = members.text(RESUME)?;
    let resume = Resume::parse(&resume).map_err(|why| fault(RESUME, Kind::Mismatch, why))?;
    let context = members.text(CONTEXT)?;
    let context = Context::parse(&context).map_err(|why| fault(CONTEXT, Kind::Mismatch, why))?;
    if context.name != resume.run || context.state != resume.state {
        return Err(fault(
            CONTEXT,
            Kind::Mismatch,
            "it is of another run than resume.toml, or of another moment",
        ));
    }
    let archive = match &resume.archive {
        None => None,
        Some(inside) => {
            let scratch = match near {
                Some(near) => tempfile::Builder::new().prefix(".tmp").tempdir_in(near),
                None => tempfile::tempdir(),
            };
            let scratch =
                scratch.map_err(error::io("create a folder in", near.unwrap_or(&std::env::temp_dir())))?;
            let dir = scratch.path().join(&inside.dir);
            std::fs::create_dir(&dir).map_err(error::io("create", &dir))?;
            for name in [MANIFEST, ARCHIVE_SUMS, BUNDLE] {
                members.file(&format!("{ARCHIVE}{name}"), &dir.join(name))?;
            }
            Some((scratch, dir))
        }
    };
    members.sums()?;
    members.end()?;
    if let Some((_, dir)) = &archive {
        check_archive(dir, &resume)?;
    }
    Ok(Opened { resume, context, archive })
}

/// Whether the archive in `dir` is good, and that of the run.
fn check_archive(dir: &Path, resume: &Resume) -> Result<(), Bad> {
    let verified = verify(dir)?;
    if let Some(first) = verified.faults.into_iter().next() {
        return Err(fault(&format!("{ARCHIVE}{}", first.path), first.kind, first.why));
    }
    let Some(manifest) = verified.manifest else {
        return Err(fault(&format!("{ARCHIVE}{MANIFEST}"), Kind::Missing, "it is not there"));
    };
    resume.agrees(&manifest).map_err(|why| fault(&format!("{ARCHIVE}{MANIFEST}"), Kind::Mismatch, why))
}

/// The members of a pack, in their order.
struct Members<'a> {
    from: Decoder<'static, BufReader<File>>,
    path: &'a Path,
    /// Bytes of the pack.
    bytes: u64,
    /// Lines of `SHA256SUMS` as they must be.
    sums: String,
}

impl<'a> Members<'a> {
    fn open(path: &'a Path) -> Result<Members<'a>, Bad> {
        let failed = || error::io("read", path);
        let mut file = files::open(path)?;
        let bytes = file.metadata().map_err(failed())?.len();
        let mut magic = [0; 4];
        if filled(&mut file, &mut magic).map_err(failed())? < magic.len() || magic != MAGIC {
            return Err(Bad::Error(Error::Refused(format!(
                "{} is no pack: `resonetics lumen pack RUN` makes one",
                path.display()
            ))));
        }
        let file = BufReader::with_capacity(PART, files::open(path)?);
        let mut from = Decoder::with_buffer(file).map_err(failed())?.single_frame();
        from.window_log_max(WINDOW_LOG).map_err(failed())?;
        Ok(Members { from, path, bytes, sums: String::new() })
    }

    /// Fills `buffer`, which is of member `name`.
    fn fill(&mut self, buffer: &mut [u8], name: &str) -> Result<(), Bad> {
        match filled(&mut self.from, buffer) {
            Ok(count) if count == buffer.len() => Ok(()),
            Ok(_) => Err(fault(name, Kind::Truncated, "the pack ends before or within it")),
            Err(failure) => Err(self.damaged(name, failure)),
        }
    }

    fn damaged(&self, name: &str, failure: std::io::Error) -> Bad {
        if failure.raw_os_error().is_some() {
            return Bad::Error(error::io("read", self.path)(failure));
        }
        if failure.kind() == ErrorKind::UnexpectedEof {
            return fault(name, Kind::Truncated, "the pack ends before or within it");
        }
        fault(name, Kind::Mismatch, format!("the pack is damaged there: {failure}"))
    }

    /// The header of the next member, which must be `name`; yields its size, `most` at most.
    fn header(&mut self, name: &str, most: u64) -> Result<u64, Bad> {
        let mut block = [0; BLOCK];
        self.fill(&mut block, name)?;
        if block == [0; BLOCK] {
            return Err(fault(name, Kind::Missing, "it is not in the pack"));
        }
        let odd = || fault(name, Kind::Mismatch, "its header is not as it was written");
        let found = summed(&block).ok_or_else(odd)?;
        let (path, size) = (found.path_bytes().into_owned(), found.entry_size().map_err(|_| odd())?);
        if path != name.as_bytes() {
            let path = String::from_utf8_lossy(&path).into_owned();
            let known = [RESUME, CONTEXT, SUMS].contains(&&*path) || path.starts_with(ARCHIVE);
            return Err(if known {
                fault(&path, Kind::Mismatch, format!("it stands where {name} should be"))
            } else {
                fault(&path, Kind::Extra, format!("no pack has it; it stands where {name} should be"))
            });
        }
        if *header(name, size).map_err(|_| odd())?.as_bytes() != block {
            return Err(odd());
        }
        if size > most {
            return Err(fault(name, Kind::Mismatch, format!("it has {size} bytes, and may have {most}")));
        }
        Ok(size)
    }

    /// Hands the bytes of the next member, `name`, to `take`; adds its sum.
    fn member(
        &mut self,
        name: &str,
        most: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Bad> {
        let size = self.header(name, most)?;
        let (mut part, mut left, mut hash) = (vec![0; PART], size, Sha256::new());
        while left > 0 {
            interrupt::check()?;
            let wanted = left.min(PART as u64) as usize;
            self.fill(&mut part[..wanted], name)?;
            hash.update(&part[..wanted]);
            take(&part[..wanted])?;
            left -= wanted as u64;
        }
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..padding(size)];
        self.fill(rest, name)?;
        if rest.iter().any(|&byte| byte != 0) {
            return Err(fault(name, Kind::Extra, "there are bytes behind its end"));
        }
        self.sums += &format!("{}  {name}\n", hex(hash));
        Ok(())
    }

    /// The next member, `name`, in memory.
    fn text(&mut self, name: &str) -> Result<Vec<u8>, Bad> {
        let mut bytes = Vec::new();
        self.member(name, TEXT, &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// The next member, `name`, as the new file `to`.
    fn file(&mut self, name: &str, to: &PathBuf) -> Result<(), Bad> {
        let mut file = File::create_new(to).map_err(error::io("create", to))?;
        let most = self.bytes.saturating_mul(GROWS).saturating_add(MANIFEST_BYTES);
        self.member(name, most, &mut |part| file.write_all(part).map_err(error::io("write", to)))
    }

    /// The last member: the sums of all that came before it.
    fn sums(&mut self) -> Result<(), Bad> {
        let expected = std::mem::take(&mut self.sums);
        let found = self.text(SUMS)?;
        let found = String::from_utf8_lossy(&found);
        for line in expected.lines() {
            let name = line.split_once("  ").map_or("", |(_, name)| name);
            if !found.lines().any(|found| found == line) {
                return Err(fault(name, Kind::Mismatch, format!("its SHA-256 is not the one in {SUMS}")));
            }
        }
        if found != expected {
            return Err(fault(SUMS, Kind::Extra, "it has more than the sums of all members, in their order"));
        }
        Ok(())
    }

    /// Behind the last member: two blocks of zeros, the end of the frame with its checksum, the end of the file.
    fn end(mut self) -> Result<(), Bad> {
        let extra = || fault(SUMS, Kind::Extra, "there is more in the pack behind it");
        let mut block = [0; BLOCK];
        for _ in 0..2 {
            self.fill(&mut block, SUMS)?;
            if block != [0; BLOCK] {
                return Err(extra());
            }
        }
        if filled(&mut self.from, &mut block[..1]).map_err(|failure| self.damaged(SUMS, failure))? > 0 {
            return Err(extra());
        }
        let mut behind = self.from.finish();
        match behind.read(&mut block[..1]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(extra()),
            Err(failure) => Err(Bad::Error(error::io("read", self.path)(failure))),
        }
    }
}
