//! A copy becomes an archive here: whole, verified, and never in the place of another one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path as Folder, PathBuf};

use object_store::path::Path;
use resonetics_runs::files::sha256;
use resonetics_runs::{Error, error};
use sha2::{Digest, Sha256};

use super::copies::Query;
use super::open::Remote;
use super::record::Outcome;
use super::sidecar::{Part, Sidecar, object};
use super::store::READ;
use super::trouble::Problem;
use crate::archive::bundle::hex;
use crate::archive::commit::synced;
use crate::archive::index::{Index, Line};
use crate::archive::manifest::{MANIFEST, MOST_BYTES, Manifest};
use crate::archive::place::{Archive, Said, name};
use crate::archive::verify::verify;

impl Remote {
    /// Copies the archive whose bundle has the key `what`, or the newest of the run or with the id of that name, into
    /// `archive`; yields its folder, and whether it is new.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no such copy; [`Error::Failed`] if it is not what was uploaded, or the store cannot be
    /// reached; [`Error::Refused`] if another archive lies there; any I/O error.
    pub fn pull(&self, archive: &Archive, what: &str) -> Result<(PathBuf, bool), Error> {
        let key = self.named(what)?;
        let failed = |problem: Problem| match problem {
            Problem::Missing => Error::Unknown(format!("there is no copy {key}")),
            problem => problem.told("read the copy"),
        };
        let bytes = self.tried(READ.0, READ.1, |_| self.sidecar_bytes(&key)).map_err(failed)?;
        let bytes = bytes.map_err(|(outcome, why)| match outcome {
            Outcome::Missing => Error::Unknown(format!("{key}: {why}")),
            _ => Error::Failed(format!("{key}: {why}; nothing was written")),
        })?;
        let whole = Sidecar::parse(&bytes)
            .map_err(|why| Error::Failed(format!("{key}: {why}; nothing was written")))?;
        let sum = key.filename().and_then(|name| name.split('.').next());
        if sum.is_none() || whole.bundle().map(|part| part.sha256.as_str()) != sum {
            return Err(Error::Failed(format!(
                "{key}: its sidecar is that of another copy; nothing was written"
            )));
        }
        let staging = archive.staging()?;
        let from = staging.dir.path().join("copy");
        fs::create_dir(&from).map_err(error::io("create", &from))?;
        for part in &whole.files {
            let path = from.join(&part.name);
            let read = self.tried(READ.0, READ.1, |_| self.download(&object(&key, &part.name), part, &path));
            read.map_err(|problem| match problem {
                Problem::Missing => {
                    Error::Failed(format!("{key}: {} is missing; nothing was written", part.name))
                }
                Problem::Here(Error::Failed(why)) => {
                    Error::Failed(format!("{key}: {}: {why}; nothing was written", part.name))
                }
                problem => problem.told("read the copy"),
            })?;
        }
        placed(archive, &whole, &from)
    }

    /// The key of the bundle that is meant.
    fn named(&self, what: &str) -> Result<Path, Error> {
        let unknown = || Error::Unknown(format!("there is no copy of `{}`", what.escape_default()));
        if [".tar.zst", ".tar.zst.age"].iter().any(|ending| what.ends_with(ending)) {
            let key = Path::parse(what.trim_start_matches('/')).map_err(|_| unknown())?;
            if key.prefix_matches(&self.prefix) {
                return Ok(key);
            }
            return Ok(key.parts().fold(self.prefix.clone(), Path::join));
        }
        let query = Query::typed(Some(what));
        let within = match &query {
            Query::Run(run) => self.prefix.clone().join(run.as_str()),
            _ => self.prefix.clone(),
        };
        let there = self.tried(READ.0, READ.1, |_| self.there(&within));
        let there = there.map_err(|problem| problem.told("list the copies"))?;
        let meant =
            there.into_iter().filter(|(line, run)| query.asks(&line.archive_id, &|asked| asked == run));
        let newest = meant.map(|(line, _)| line).max_by(|a, b| a.ts.cmp(&b.ts)).ok_or_else(unknown)?;
        Path::parse(newest.key).map_err(|_| unknown())
    }

    /// Writes an object as the file at `path`, if it is `part`.
    fn download(&self, from: &Path, part: &Part, path: &Folder) -> Result<(), Problem> {
        let mut file = File::create(path).map_err(error::io("create", path))?;
        let (mut hash, mut count) = (Sha256::new(), 0_u64);
        self.stream(from, &mut |bytes| {
            count += bytes.len() as u64;
            if count > part.bytes {
                return Err(Error::Failed("it has more bytes than its sidecar says".to_owned()));
            }
            hash.update(bytes);
            file.write_all(bytes).map_err(error::io("write", path))
        })?;
        if count < part.bytes || hex(hash) != part.sha256 {
            let why = "its bytes are not those that its sidecar says";
            return Err(Error::Failed(why.to_owned()).into());
        }
        file.sync_all().map_err(error::io("write", path))?;
        Ok(())
    }
}

/// The archive in `from`, which was downloaded, gets its place.
fn placed(archive: &Archive, whole: &Sidecar, from: &Folder) -> Result<(PathBuf, bool), Error> {
    let bytes = resonetics_runs::files::read(&from.join(MANIFEST), MOST_BYTES)?;
    let odd = |why: String| Error::Failed(format!("the copy is no archive: {why}; nothing was written"));
    let manifest = Manifest::parse(&bytes).map_err(odd)?;
    // Before anything is called after it.
    if manifest.id != whole.archive_id {
        return Err(odd("its sidecar is that of another one".to_owned()));
    }
    let name = name(&manifest);
    let ready = from.with_file_name(&name);
    fs::rename(from, &ready).map_err(error::io("rename", from))?;
    let verified = verify(&ready)?;
    if let Some(fault) = verified.faults.first() {
        return Err(odd(fault.to_string()));
    }
    let _held = archive.hold()?;
    let parent = archive.path(&whole.run);
    let dir = parent.join(&name);
    if dir.symlink_metadata().is_ok() {
        let there = verify(&dir)?;
        let same = there.is_good() && there.manifest.is_some_and(|there| there.id == manifest.id);
        if same {
            return Ok((dir, false));
        }
        let dir = dir.display();
        return Err(Error::Refused(format!("{dir} is there, and damaged: move it away, and pull again")));
    }
    let mut index = Index::read(archive)?;
    fs::create_dir_all(&parent).map_err(error::io("create", &parent))?;
    fs::rename(&ready, &dir).map_err(error::io("create", &dir))?;
    synced(&parent)?;
    let bundle = whole.bundle().map_or(0, |part| part.bytes);
    let said = Said { manifest, manifest_sha256: sha256(&bytes), bytes: bundle };
    index.add(archive, Line::kept(&whole.run, &format!("{}/{name}", whole.run), &said))?;
    Ok((dir, true))
}
