//! The bytes of copies are read and compared: with what they say of themselves, and with what was uploaded.

use std::path::PathBuf;

use object_store::path::Path;
use resonetics_runs::files::sha256;
use resonetics_runs::{Error, interrupt};
use sha2::{Digest, Sha256};

use super::copies::{Query, Wanted};
use super::open::Remote;
use super::push::Local;
use super::record::{Line, Outcome, Records};
use super::sidecar::{MOST, Sidecar, object, sidecar};
use super::store::READ;
use super::trouble::Problem;
use crate::archive::bundle::hex;
use crate::archive::manifest::SUMS;
use crate::archive::place::Archive;
use crate::archive::verify::verify;

/// What was found of an archive's copy.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The id of the archive.
    pub id: String,
    /// The key of its newest copy, where there is one.
    pub key: Option<String>,
    /// What was found.
    pub outcome: Outcome,
    /// Why it is not good.
    pub why: String,
    /// Where the archive lies here, if it does.
    pub dir: Option<PathBuf>,
    /// The key of the copy that was made in its place.
    pub repaired: Option<String>,
}

/// Why a copy is not good.
type Bad = (Outcome, String);

impl Remote {
    /// Reads the copies that `query` names, or a `share` of them, those first that were not compared for longest; makes new
    /// ones of those that are not good where the archive is, if that is to be done.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no such archive and no copy; any I/O error here.
    pub fn verify(
        &self,
        archive: &Archive,
        query: &Query,
        share: Option<f64>,
        repair: bool,
    ) -> Result<Vec<Checked>, Error> {
        let mut wanted = self.wanted(archive, query)?;
        wanted.sort_by(|a, b| {
            let age = |one: &Wanted| one.copy.as_ref().and_then(|copy| copy.verified_at.clone());
            age(a).cmp(&age(b))
        });
        if let Some(share) = share {
            wanted.truncate((wanted.len() as f64 * share).ceil() as usize);
        }
        let mut all = Vec::new();
        for wanted in wanted {
            interrupt::check()?;
            let (outcome, why) = match (&wanted.copy, &wanted.unreachable) {
                (Some(copy), _) => self.checked(copy)?,
                (None, Some(why)) => (Outcome::Unreachable, why.clone()),
                (None, None) => (Outcome::Missing, "it was never copied there".to_owned()),
            };
            if let Some(copy) = wanted.copy.as_ref().filter(|_| archive.root().is_dir()) {
                Records::found(archive, copy, outcome)?;
            }
            let mut checked = Checked {
                id: wanted.id,
                key: wanted.copy.map(|copy| copy.key),
                outcome,
                why,
                dir: wanted.local.as_ref().map(|(_, dir)| archive.path(dir)),
                repaired: None,
            };
            if repair && matches!(outcome, Outcome::Mismatch | Outcome::Missing) {
                let run = wanted.local.map(|(run, _)| run);
                self.repair(archive, run.as_deref(), &mut checked)?;
            }
            all.push(checked);
        }
        Ok(all)
    }

    /// Makes a new copy of an archive that is here and good, and reads it back.
    fn repair(&self, archive: &Archive, run: Option<&str>, checked: &mut Checked) -> Result<(), Error> {
        let (Some(dir), Some(run)) = (&checked.dir, run) else {
            checked.why += "; the archive is not here either: no new copy was made";
            return Ok(());
        };
        let verified = verify(dir)?;
        let Some(manifest) = verified.manifest.as_ref().filter(|_| verified.is_good()) else {
            checked.why += "; the archive here is damaged too: no new copy was made";
            return Ok(());
        };
        let pushed = self.copy(&Local { archive, run, dir, manifest })?;
        if pushed.outcome == Outcome::Ok {
            checked.repaired = Some(pushed.key);
        } else {
            checked.why += &format!("; the new copy is no better: {}", pushed.why);
        }
        Ok(())
    }

    /// What is found of a copy, and why it is not good.
    pub(super) fn checked(&self, copy: &Line) -> Result<(Outcome, String), Error> {
        match self.tried(READ.0, READ.1, |_| self.compared(copy)) {
            Ok(Ok(())) => Ok((Outcome::Ok, String::new())),
            Ok(Err(bad)) => Ok(bad),
            Err(Problem::Here(error)) => Err(error),
            Err(Problem::Missing | Problem::Exists) => Ok((Outcome::Missing, "it is not there".to_owned())),
            Err(Problem::Unreachable { why, .. }) => Ok((Outcome::Unreachable, why)),
        }
    }

    fn compared(&self, copy: &Line) -> Result<Result<(), Bad>, Problem> {
        let mismatch = |why: &str| Ok(Err((Outcome::Mismatch, why.to_owned())));
        let Ok(key) = Path::parse(&copy.key) else { return mismatch("its key is none") };
        let bytes = match self.sidecar_bytes(&key)? {
            Ok(bytes) => bytes,
            Err(bad) => return Ok(Err(bad)),
        };
        if copy.sidecar_sha256.as_ref().is_some_and(|told| *told != sha256(&bytes)) {
            return mismatch("its sidecar is not the one that was uploaded");
        }
        let whole = match Sidecar::parse(&bytes) {
            Ok(whole) => whole,
            Err(why) => return mismatch(&why),
        };
        let bundle = whole.bundle();
        if whole.archive_id != copy.archive_id
            || whole.enc != copy.enc
            || bundle.is_none_or(|part| part.sha256 != copy.sha256 || part.bytes != copy.bytes)
        {
            return mismatch("its sidecar is that of another copy");
        }
        self.objects(&key, &whole)
    }

    /// The bytes of a copy's sidecar, or why there is none.
    pub(super) fn sidecar_bytes(&self, key: &Path) -> Result<Result<Vec<u8>, Bad>, Problem> {
        match self.small(&sidecar(key), MOST) {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(Problem::Missing) => Ok(Err((
                Outcome::Missing,
                "its sidecar is not there: it is gone, or was never uploaded whole".to_owned(),
            ))),
            Err(Problem::Here(Error::Failed(_))) => {
                Ok(Err((Outcome::Mismatch, format!("its sidecar has more than {MOST} bytes"))))
            }
            Err(problem) => Err(problem),
        }
    }

    /// Reads the objects of a copy.
    fn objects(&self, key: &Path, whole: &Sidecar) -> Result<Result<(), Bad>, Problem> {
        let mut sums = Vec::new();
        for part in &whole.files {
            let (mut hash, mut count) = (Sha256::new(), 0_u64);
            let is_sums = part.name == SUMS;
            let read = self.stream(&object(key, &part.name), &mut |bytes| {
                count += bytes.len() as u64;
                if count > part.bytes {
                    return Err(Error::Failed(String::new()));
                }
                if is_sums && count <= MOST {
                    sums.extend_from_slice(bytes);
                }
                hash.update(bytes);
                Ok(())
            });
            let bad = |outcome, why: &str| Ok(Err((outcome, format!("{}: {why}", part.name))));
            match read {
                Ok(()) if count < part.bytes => return bad(Outcome::Mismatch, "it is truncated"),
                Ok(()) => {}
                Err(Problem::Missing) => return bad(Outcome::Missing, "it is not there"),
                Err(Problem::Here(Error::Failed(_))) => return bad(Outcome::Mismatch, "it has more bytes"),
                Err(problem) => return Err(problem),
            }
            if hex(hash) != part.sha256 {
                return bad(Outcome::Mismatch, "its bytes are not those that were uploaded");
            }
        }
        let sums = String::from_utf8_lossy(&sums);
        let summed = |name: &str, sum: &str| sums.lines().any(|line| line == format!("{sum}  {name}"));
        let odd = whole.files.iter().find(|part| part.name != SUMS && !summed(&part.name, &part.sha256));
        Ok(odd.map_or(Ok(()), |part| {
            Err((Outcome::Mismatch, format!("{}: the copy's own {SUMS} says otherwise", part.name)))
        }))
    }
}
