//! An archive is copied to a store: hashed, uploaded with its sidecar, recorded, and read back.

use std::fs;
use std::path::Path as File;

use object_store::Attributes;
use object_store::path::Path;
use resonetics_runs::files::sha256;
use resonetics_runs::run_dir::seconds;
use resonetics_runs::{Error, error};

use super::open::Remote;
use super::record::{Line, Outcome, Records};
use super::sidecar::{Part, Sidecar, object, sidecar};
use super::store::{Uploaded, WRITE};
use super::trouble::Problem;
use crate::archive::bundle::hashed;
use crate::archive::calendar::stamp;
use crate::archive::manifest::{BUNDLE, MANIFEST, Manifest, SUMS};
use crate::archive::place::Archive;
use crate::archive::sealed::{BUNDLE_AGE, MANIFEST_AGE};
use crate::archive::verify::verify;

/// A copy of an archive.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The id of the archive.
    pub id: String,
    /// The key of its bundle.
    pub key: String,
    /// Bytes of the bundle.
    pub bytes: u64,
    /// Whether it was uploaded now; if not, the last that is known of it is good.
    pub is_new: bool,
    /// What was found when it was read back.
    pub outcome: Outcome,
    /// Why it is not good.
    pub why: String,
}

/// An archive that is to be copied.
pub(super) struct Local<'a> {
    pub(super) archive: &'a Archive,
    pub(super) run: &'a str,
    pub(super) dir: &'a File,
    pub(super) manifest: &'a Manifest,
}

impl Remote {
    /// Copies the archive in `dir`, `ARCHIVES/RUN/TIME-ID8`; one that is not encrypted only if that `is_plain` was said.
    ///
    /// # Errors
    /// [`Error::Refused`] for one that is not encrypted; [`Error::Failed`] if it is not good, or the store does not take it;
    /// those of [`verify`]; any I/O error.
    pub fn push(&self, dir: &File, is_plain: bool) -> Result<Pushed, Error> {
        let verified = verify(dir)?;
        let shown = dir.display();
        let Some(manifest) = verified.manifest.as_ref().filter(|_| verified.is_good()) else {
            return Err(Error::Failed(format!(
                "{shown} is damaged, and was not copied; `lumen verify` says how"
            )));
        };
        if !manifest.is_outer() && !is_plain {
            return Err(Error::Refused(format!(
                "{shown} is not encrypted: freeze the run with --to-recipient, or say --plain"
            )));
        }
        let whole = dir.canonicalize().map_err(error::io("read", dir))?;
        let run = whole.parent().and_then(|parent| Some((parent.parent()?, parent.file_name()?.to_str()?)));
        let (root, run) = run.ok_or_else(|| {
            Error::Refused(format!("{shown} does not lie as an archive does, ARCHIVES/RUN/TIME-ID"))
        })?;
        let archive = Archive::at(root);
        if self
            .folder
            .as_ref()
            .is_some_and(|store| store.canonicalize().is_ok_and(|store| store.starts_with(root)))
        {
            return Err(Error::Refused(format!(
                "--remote lies in the folder of archives {}: a copy there is none; choose another place",
                root.display()
            )));
        }
        let known = Records::read(&archive)?.copies(&self.provider, &self.prefix);
        if let Some(copy) = known.into_iter().find(|copy| copy.archive_id == manifest.id && copy.is_of(run))
            && copy.result == Outcome::Ok
            && self.has(&copy)?
        {
            let Line { archive_id: id, key, bytes, result: outcome, .. } = copy;
            return Ok(Pushed { id, key, bytes, is_new: false, outcome, why: String::new() });
        }
        self.copy(&Local { archive: &archive, run, dir: &whole, manifest })
    }

    /// Whether the sidecar of a copy that is on record is there.
    fn has(&self, copy: &Line) -> Result<bool, Error> {
        let Ok(key) = Path::parse(&copy.key) else { return Ok(false) };
        let asked = self.tried(WRITE.0, WRITE.1, |_| self.small(&sidecar(&key), super::sidecar::MOST));
        match asked {
            Ok(bytes) => Ok(copy.sidecar_sha256.as_ref() == Some(&sha256(&bytes))),
            Err(Problem::Missing) => Ok(false),
            Err(problem) => Err(problem.told("look for the copy")),
        }
    }

    /// Makes a new copy of an archive that is good.
    pub(super) fn copy(&self, local: &Local<'_>) -> Result<Pushed, Error> {
        let Local { archive, run, dir, manifest } = local;
        let names: &[&str] = if manifest.is_outer() {
            &[BUNDLE_AGE, MANIFEST_AGE, MANIFEST, SUMS]
        } else {
            &[BUNDLE, MANIFEST, SUMS]
        };
        let part = |name: &&str| {
            let path = dir.join(name);
            let bytes = fs::metadata(&path).map_err(error::io("read", &path))?.len();
            Ok(Part { name: (*name).to_owned(), bytes, sha256: hashed(&path)? })
        };
        let parts = names.iter().map(part).collect::<Result<Vec<Part>, Error>>()?;
        let now = stamp(seconds());
        let sidecar_file = Sidecar::new(&manifest.id, run, &manifest.created_at, now.clone(), parts);
        let Some(bundle) = sidecar_file.bundle() else {
            return Err(Error::Failed("an archive without a bundle; please report this".to_owned()));
        };
        let time: String = now.chars().filter(char::is_ascii_alphanumeric).collect();
        let ending = if manifest.is_outer() { "tar.zst.age" } else { "tar.zst" };
        let key = self.prefix.clone().join(*run).join(time).join(format!("{}.{ending}", bundle.sha256));
        let mut line = Line {
            ts: now,
            archive_id: manifest.id.clone(),
            provider: self.provider.clone(),
            key: key.to_string(),
            bytes: bundle.bytes,
            sha256: bundle.sha256.clone(),
            etag: None,
            version_id: None,
            enc: sidecar_file.enc.clone(),
            verified_at: None,
            result: Outcome::Started,
            sidecar_sha256: None,
            prev: String::new(),
        };
        // On record first: what a kill leaves in the store is known by it.
        Records::note(archive, line.clone())?;
        let uploaded = self.uploaded(local, &sidecar_file, &key)?;
        let encoded = sidecar_file.encoded()?;
        (line.etag, line.version_id) = (uploaded.etag, uploaded.version);
        (line.sidecar_sha256, line.result) = (Some(sha256(&encoded)), Outcome::Uploaded);
        let last = self.tried(WRITE.0, WRITE.1, |time| {
            taken_before(time, self.create(&sidecar(&key), encoded.clone(), Attributes::new()).map(drop))
        });
        last.map_err(|problem| problem.told("upload the archive"))?;
        line.ts = stamp(seconds());
        Records::note(archive, line.clone())?;
        let (outcome, why) = self.checked(&line)?;
        Records::found(archive, &line, outcome)?;
        Ok(Pushed { id: line.archive_id, key: line.key, bytes: line.bytes, is_new: true, outcome, why })
    }

    /// Uploads all files but the sidecar; yields what the store says of the bundle.
    fn uploaded(&self, local: &Local<'_>, sidecar: &Sidecar, key: &Path) -> Result<Uploaded, Error> {
        let mut bundle = Uploaded::default();
        for (number, part) in sidecar.files.iter().enumerate() {
            let path = local.dir.join(&part.name);
            let done = self.tried(WRITE.0, WRITE.1, |time| {
                let done = self.upload(&path, &object(key, &part.name), &sidecar.archive_id, &part.sha256);
                let unknown = Uploaded { sha256: part.sha256.clone(), ..Uploaded::default() };
                taken_before(time, done.map(Some)).map(|done| done.unwrap_or(unknown))
            });
            let done = done.map_err(|problem| problem.told("upload the archive"))?;
            if done.sha256 != part.sha256 {
                return Err(Error::Failed(format!(
                    "{} changed while it was uploaded; try again",
                    path.display()
                )));
            }
            if number == 0 {
                bundle = done;
            }
        }
        Ok(bundle)
    }
}

/// An object that is there when it is uploaded again was taken before, and only the answer was lost: nobody else has its
/// key. What it is, is read back.
fn taken_before<T: Default>(time: u32, done: Result<T, Problem>) -> Result<T, Problem> {
    match done {
        Err(Problem::Exists) if time > 0 => Ok(T::default()),
        done => done,
    }
}
