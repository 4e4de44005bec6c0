//! What is inside of an encrypted archive, compared with what it says of itself.

use std::io::{self, BufReader, ErrorKind};
use std::path::Path;

use resonetics_runs::{Error, error, interrupt};

use crate::archive::bundle::{Take, unpack_from};
use crate::archive::fault::{Fault, Kind};
use crate::archive::manifest::{MOST_BYTES, Manifest};
use crate::archive::sealed::{self, BUNDLE_AGE, INSIDE, Key, MANIFEST_AGE, NotOpened};

/// Compares the encrypted files in `dir`, as far as they are there and are what was written, with each other and with what
/// everybody may read of them; yields the manifest inside.
///
/// # Errors
/// [`Error::Refused`] for a key that does not open them, those of `take`, any I/O error.
pub(super) fn compared(
    dir: &Path,
    outer: &Manifest,
    key: &Key,
    faults: &mut Vec<Fault>,
    take: &mut dyn Take,
) -> Result<Option<Manifest>, Error> {
    let is_good = |faults: &[Fault], name: &str| !faults.iter().any(|fault| fault.path == name);
    // What is not what was written is not opened: whether that is the key's fault could not be told.
    if !is_good(faults, MANIFEST_AGE) {
        return Ok(None);
    }
    let path = dir.join(MANIFEST_AGE);
    let Some(bytes) = taken(sealed::whole(&path, key, MOST_BYTES)?, dir, MANIFEST_AGE, faults)? else {
        return Ok(None);
    };
    let mut wrong = |why: String| faults.push(Fault::new(MANIFEST_AGE, Kind::Mismatch, why));
    let manifest = match Manifest::parse(&bytes) {
        Ok(manifest) => manifest,
        Err(why) => {
            wrong(why);
            return Ok(None);
        }
    };
    let id = manifest.content_id()?;
    if id != manifest.id {
        wrong(format!("what it says has the id {id}, not {}", manifest.id));
    }
    if manifest.encryption != INSIDE || manifest.outer(outer.encryption.clone()) != *outer {
        wrong("it is that of another archive: the one beside it says otherwise".to_owned());
    }
    let problems = manifest.problems();
    let is_usable = problems.is_empty();
    problems.into_iter().for_each(&mut wrong);
    if is_usable && is_good(faults, BUNDLE_AGE) {
        bundle(dir, &manifest, key, faults, take)?;
    }
    Ok(Some(manifest))
}

fn bundle(
    dir: &Path,
    manifest: &Manifest,
    key: &Key,
    faults: &mut Vec<Fault>,
    take: &mut dyn Take,
) -> Result<(), Error> {
    let path = dir.join(BUNDLE_AGE);
    let Some(reader) = taken(sealed::opened(&path, key)?, dir, BUNDLE_AGE, faults)? else { return Ok(()) };
    let reader = BufReader::with_capacity(1 << 16, reader);
    let (mut reader, found) = unpack_from(reader, &path, manifest, take)?;
    if !found.is_empty() {
        faults.extend(found);
        return Ok(());
    }
    // To its end: only there is it known that nothing is missing.
    loop {
        interrupt::check()?;
        match io::Read::read(&mut reader, &mut [0; 4096]) {
            Ok(0) => break,
            Ok(_) => {}
            Err(failure) if failure.kind() == ErrorKind::Interrupted => {}
            Err(failure) if failure.raw_os_error().is_some() => {
                return Err(error::io("read", &path)(failure));
            }
            Err(failure) => {
                faults.push(Fault::new(BUNDLE_AGE, Kind::Mismatch, failure.to_string()));
                break;
            }
        }
    }
    Ok(())
}

/// What was opened; what is damaged is a fault, and what is for others is refused.
fn taken<T>(
    opened: Result<T, NotOpened>,
    dir: &Path,
    name: &str,
    faults: &mut Vec<Fault>,
) -> Result<Option<T>, Error> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(NotOpened::NotOurs(why)) => Err(Error::Refused(format!("{}: {why}", dir.join(name).display()))),
        Err(NotOpened::Damaged(why)) => {
            faults.push(Fault::new(name, Kind::Mismatch, why));
            Ok(None)
        }
        Err(NotOpened::Unread(failure)) => Err(error::io("read", &dir.join(name))(failure)),
    }
}
