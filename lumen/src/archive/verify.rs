//! Verifying an archive: by its own bytes, whatever became of the run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use resonetics_runs::files::{self, sha256};
use resonetics_runs::{Error, error};

use super::bundle::{Nowhere, Take, hashed, unpack};
use super::fault::{Fault, Kind};
use super::manifest::{BUNDLE, MANIFEST, MOST_BYTES, Manifest, SUMS};
use super::place::name;
use super::sealed::{BUNDLE_AGE, Key, MANIFEST_AGE};

mod inside;

/// The files of an archive.
const PLAIN: &[&str] = &[MANIFEST, SUMS, BUNDLE];
/// Those of an encrypted one.
const SEALED: &[&str] = &[MANIFEST, SUMS, BUNDLE_AGE, MANIFEST_AGE];
/// The most bytes of a SHA256SUMS.
const MOST_SUMS: u64 = 1 << 12;

/// What an archive was found to be.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What its manifest says, if it can be read.
    pub manifest: Option<Manifest>,
    /// What is not as it was written.
    pub faults: Vec<Fault>,
    /// Whether it is encrypted and was not opened: the manifest is then what everybody may read.
    pub is_unread: bool,
}

impl Verified {
    /// Whether all is as it was written.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Reads all bytes of the archive in `dir` and compares them with what it says of itself; of an encrypted one the
/// encrypted bytes.
///
/// # Errors
/// [`Error::Unknown`] if nothing is there or no archive, [`Error::Refused`] for what is no folder, any I/O error.
pub fn verify(dir: &Path) -> Result<Verified, Error> {
    compared(dir, None, &mut Nowhere)
}

/// The same; of an encrypted one what is inside too.
///
/// # Errors
/// The same; [`Error::Refused`] for a key that does not open it.
pub fn verify_opened(dir: &Path, key: &Key) -> Result<Verified, Error> {
    compared(dir, Some(key), &mut Nowhere)
}

/// The same; `take` is handed the files of the run that are as they should be.
pub(super) fn compared(dir: &Path, key: Option<&Key>, take: &mut dyn Take) -> Result<Verified, Error> {
    let (files, mut faults) = listed(dir)?;
    let has = |name: &str| !faults.iter().any(|fault| fault.path == name);
    let [has_manifest, has_sums] = [MANIFEST, SUMS].map(has);
    let present: Vec<&'static str> = files[2..].iter().copied().filter(|name| has(name)).collect();
    let sums = if has_sums { sums(&dir.join(SUMS), files, &mut faults)? } else { BTreeMap::new() };
    let compare = |name: &'static str, found: &str| {
        let why = |told: &str| format!("its SHA-256 is {found}, {SUMS} says {told}");
        sums.get(name).filter(|told| *told != found).map(|told| Fault::new(name, Kind::Mismatch, why(told)))
    };
    let mut manifest = None;
    if has_manifest {
        match files::read(&dir.join(MANIFEST), MOST_BYTES) {
            Ok(bytes) => {
                faults.extend(compare(MANIFEST, &sha256(&bytes)));
                manifest = parsed(dir, &bytes, &mut faults)?;
            }
            Err(failure @ Error::Refused(_)) => {
                faults.push(Fault::new(MANIFEST, Kind::Mismatch, failure.to_string()));
            }
            Err(failure) => return Err(failure),
        }
    }
    if let Some(manifest) = &manifest
        && manifest.is_outer() != (files == SEALED)
    {
        let why = "it does not say of the encryption what the files beside it are";
        faults.push(Fault::new(MANIFEST, Kind::Mismatch, why));
    }
    if files == PLAIN {
        if present.contains(&BUNDLE) {
            // Paths that lead elsewhere are compared with nothing.
            let usable = manifest.as_ref().filter(|manifest| manifest.problems().is_empty());
            let unpacked = unpack(&dir.join(BUNDLE), usable, take)?;
            faults.extend(compare(BUNDLE, &unpacked.sha256));
            faults.extend(unpacked.faults);
        }
        return Ok(Verified { manifest, faults, is_unread: false });
    }
    for name in &present {
        faults.extend(compare(name, &hashed(&dir.join(name))?));
    }
    let (Some(key), Some(outer)) = (key, &manifest) else {
        return Ok(Verified { manifest, faults, is_unread: true });
    };
    let inner = inside::compared(dir, outer, key, &mut faults, take)?;
    Ok(Verified { is_unread: inner.is_none(), manifest: inner.or(manifest), faults })
}

/// The files that there should be, and what of them is not or is there beside them.
fn listed(dir: &Path) -> Result<(&'static [&'static str], Vec<Fault>), Error> {
    let shown = dir.display();
    let metadata = fs::metadata(dir).map_err(|_| Error::Unknown(format!("there is no archive {shown}")))?;
    if !metadata.is_dir() {
        return Err(Error::Refused(format!("{shown} is no folder; give the folder of an archive")));
    }
    let is_sealed = [BUNDLE_AGE, MANIFEST_AGE].iter().any(|name| dir.join(name).symlink_metadata().is_ok());
    let files = if is_sealed { SEALED } else { PLAIN };
    let mut faults = Vec::new();
    let mut missing = files.to_vec();
    for entry in fs::read_dir(dir).map_err(error::io("read", dir))? {
        let entry = entry.map_err(error::io("read", dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !files.contains(&name.as_str()) {
            faults.push(Fault::new(name, Kind::Extra, "no archive has such a file"));
            continue;
        }
        missing.retain(|missing| *missing != name);
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            faults.push(Fault::new(name, Kind::Mismatch, "it is a link or a folder, not a file"));
        }
    }
    if missing.len() == files.len() {
        return Err(Error::Unknown(format!(
            "{shown} is no archive: it holds no {MANIFEST}; give the folder of one, archive/RUN/TIME-ID"
        )));
    }
    faults.extend(missing.iter().map(|name| Fault::new(*name, Kind::Missing, "it is not there")));
    faults.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((files, faults))
}

/// The sums in the file at `path` of the other `files`, by name.
fn sums(
    path: &Path,
    files: &'static [&'static str],
    faults: &mut Vec<Fault>,
) -> Result<BTreeMap<&'static str, String>, Error> {
    let summed = || files.iter().copied().filter(|name| *name != SUMS);
    let mut sums = BTreeMap::new();
    let mut fault = |kind: Kind, why: String| faults.push(Fault::new(SUMS, kind, why));
    let text = match files::text_within(path, MOST_SUMS) {
        Ok(text) => text,
        Err(failure @ Error::Refused(_)) => {
            fault(Kind::Mismatch, failure.to_string());
            return Ok(sums);
        }
        Err(failure) => return Err(failure),
    };
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let Some(line) = line.strip_suffix('\n') else {
            fault(Kind::Truncated, format!("line {number} has no end"));
            break;
        };
        let hex =
            |sum: &str| sum.len() == 64 && sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let parts = line.split_once("  ").filter(|(sum, _)| hex(sum));
        let known =
            parts.and_then(|(sum, name)| summed().find(|known| *known == name).map(|name| (sum, name)));
        let Some((sum, name)) = known else {
            fault(Kind::Mismatch, format!("line {number} is no sum of a file of an archive"));
            continue;
        };
        if sums.insert(name, sum.to_owned()).is_some() {
            fault(Kind::Extra, format!("it has two sums of {name}"));
        }
    }
    for name in summed() {
        if !sums.contains_key(name) {
            fault(Kind::Missing, format!("it has no sum of {name}"));
        }
    }
    Ok(sums)
}

/// The manifest in these bytes, if it is one; whether it is that of the archive in `dir`.
fn parsed(dir: &Path, bytes: &[u8], faults: &mut Vec<Fault>) -> Result<Option<Manifest>, Error> {
    let manifest = match Manifest::parse(bytes) {
        Ok(manifest) => manifest,
        Err(why) => {
            let is_cut =
                serde_json::from_slice::<serde_json::Value>(bytes).is_err_and(|error| error.is_eof());
            let kind = if is_cut { Kind::Truncated } else { Kind::Mismatch };
            faults.push(Fault::new(MANIFEST, kind, why));
            return Ok(None);
        }
    };
    // Of an encrypted one the id is that of the manifest inside.
    let id = if manifest.is_outer() { manifest.id.clone() } else { manifest.content_id()? };
    if id != manifest.id {
        let why = format!("what it says has the id {id}, not {}", manifest.id);
        faults.push(Fault::new(MANIFEST, Kind::Mismatch, why));
    }
    for problem in manifest.problems() {
        faults.push(Fault::new(MANIFEST, Kind::Mismatch, problem));
    }
    let whole = fs::canonicalize(dir).map_err(error::io("read", dir))?;
    let found = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let told = name(&manifest);
    if found != told {
        let why = format!(
            "the manifest is that of {told}: the folder was renamed, or the manifest is another one's"
        );
        faults.push(Fault::new(found, Kind::Mismatch, why));
    }
    Ok(Some(manifest))
}
