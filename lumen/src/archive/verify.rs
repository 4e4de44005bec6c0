//! Verifying an archive: by its own bytes, whatever became of the run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use resonetics_runs::files::{self, sha256};
use resonetics_runs::{Error, error};

use super::bundle::{Nowhere, Take, unpack};
use super::fault::{Fault, Kind};
use super::manifest::{BUNDLE, MANIFEST, MOST_BYTES, Manifest, SUMS};
use super::place::name;

/// The files of an archive.
const FILES: [&str; 3] = [MANIFEST, SUMS, BUNDLE];
/// The most bytes of a SHA256SUMS.
const MOST_SUMS: u64 = 1 << 12;

/// What an archive was found to be.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What its manifest says, if it can be read.
    pub manifest: Option<Manifest>,
    /// What is not as it was written.
    pub faults: Vec<Fault>,
}

impl Verified {
    /// Whether all is as it was written.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Reads all bytes of the archive in `dir` and compares them with what it says of itself.
///
/// # Errors
/// [`Error::Unknown`] if nothing is there or no archive, [`Error::Refused`] for what is no folder, any I/O error.
pub fn verify(dir: &Path) -> Result<Verified, Error> {
    compared(dir, &mut Nowhere)
}

/// The same; `take` is handed the files of the run that are as they should be.
pub(super) fn compared(dir: &Path, take: &mut dyn Take) -> Result<Verified, Error> {
    let mut faults = listed(dir)?;
    let is_there = |faults: &[Fault], name: &str| !faults.iter().any(|fault| fault.path == name);
    let [has_manifest, has_sums, has_bundle] = FILES.map(|name| is_there(&faults, name));
    let sums = if has_sums { sums(&dir.join(SUMS), &mut faults)? } else { BTreeMap::new() };
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
    if has_bundle {
        // Paths that lead elsewhere are compared with nothing.
        let usable = manifest.as_ref().filter(|manifest| manifest.problems().is_empty());
        let unpacked = unpack(&dir.join(BUNDLE), usable, take)?;
        faults.extend(compare(BUNDLE, &unpacked.sha256));
        faults.extend(unpacked.faults);
    }
    Ok(Verified { manifest, faults })
}

/// What is in the folder, and what is not.
fn listed(dir: &Path) -> Result<Vec<Fault>, Error> {
    let shown = dir.display();
    let metadata = fs::metadata(dir).map_err(|_| Error::Unknown(format!("there is no archive {shown}")))?;
    if !metadata.is_dir() {
        return Err(Error::Refused(format!("{shown} is no folder; give the folder of an archive")));
    }
    let mut faults = Vec::new();
    let mut missing = FILES.to_vec();
    for entry in fs::read_dir(dir).map_err(error::io("read", dir))? {
        let entry = entry.map_err(error::io("read", dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !FILES.contains(&name.as_str()) {
            faults.push(Fault::new(name, Kind::Extra, "no archive has such a file"));
            continue;
        }
        missing.retain(|missing| *missing != name);
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            faults.push(Fault::new(name, Kind::Mismatch, "it is a link or a folder, not a file"));
        }
    }
    if missing.len() == FILES.len() {
        return Err(Error::Unknown(format!(
            "{shown} is no archive: it holds no {MANIFEST}; give the folder of one, archive/RUN/TIME-ID"
        )));
    }
    faults.extend(missing.iter().map(|name| Fault::new(*name, Kind::Missing, "it is not there")));
    faults.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(faults)
}

/// The sums in the file at `path`, by name.
fn sums(path: &Path, faults: &mut Vec<Fault>) -> Result<BTreeMap<&'static str, String>, Error> {
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
        let known = parts.and_then(|(sum, name)| {
            [BUNDLE, MANIFEST].into_iter().find(|known| *known == name).map(|name| (sum, name))
        });
        let Some((sum, name)) = known else {
            fault(Kind::Mismatch, format!("line {number} is no sum of a file of an archive"));
            continue;
        };
        if sums.insert(name, sum.to_owned()).is_some() {
            fault(Kind::Extra, format!("it has two sums of {name}"));
        }
    }
    for name in [BUNDLE, MANIFEST] {
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
    let id = manifest.content_id()?;
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
