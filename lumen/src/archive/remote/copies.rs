//! Which copies there should be: of archives that are here, on record, or in the store.

use object_store::path::Path;
use resonetics_runs::Error;

use super::open::Remote;
use super::record::{Line, Outcome, Records};
use super::sidecar::{ENDING, MOST, Sidecar, bundle};
use super::store::READ;
use super::trouble::Problem;
use crate::archive::index::Index;
use crate::archive::place::Archive;

/// Which copies are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// All that are on record; where there is no record, all that are in the store.
    All,
    /// Those of the archives of a run, by the name of its folder.
    Run(String),
    /// That of the archive with this id.
    Id(String),
}

impl Query {
    /// What was typed: an id has 64 digits.
    #[must_use]
    pub fn typed(text: Option<&str>) -> Query {
        match text {
            None => Query::All,
            Some(text) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Query::Id(text.to_ascii_lowercase())
            }
            Some(text) => Query::Run(text.to_owned()),
        }
    }

    /// Whether it asks for the archive `id` of a run of which `is_of` knows the name.
    pub(super) fn asks(&self, id: &str, is_of: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Query::All => true,
            Query::Run(run) => is_of(run),
            Query::Id(wanted) => id == wanted,
        }
    }
}

/// An archive whose copy is wanted.
pub(super) struct Wanted {
    pub(super) id: String,
    /// The newest copy.
    pub(super) copy: Option<Line>,
    /// Run and folder of the archive here.
    pub(super) local: Option<(String, String)>,
    /// Why the store could not be asked whether there is a copy.
    pub(super) unreachable: Option<String>,
}

impl Wanted {
    fn is(&self, id: &str, run: &str) -> bool {
        let is_here = self.local.as_ref().is_some_and(|(local, _)| local == run);
        self.id == id && (is_here || self.copy.as_ref().is_some_and(|copy| copy.is_of(run)))
    }
}

impl Remote {
    /// The archives that `query` names.
    pub(super) fn wanted(&self, archive: &Archive, query: &Query) -> Result<Vec<Wanted>, Error> {
        let records = Records::read(archive)?.copies(&self.provider, &self.prefix);
        let had_records = !records.is_empty();
        let named = records.into_iter().filter(|line| query.asks(&line.archive_id, &|run| line.is_of(run)));
        let mut wanted: Vec<Wanted> = named.map(known).collect();
        let index = Index::read(archive)?;
        for line in index.live().into_values() {
            let local = Some((line.run.clone(), line.dir.clone()));
            if let Some(one) = wanted.iter_mut().find(|one| one.is(&line.id, &line.run)) {
                one.local = local;
            } else if *query != Query::All && query.asks(&line.id, &|run| line.run == run) {
                wanted.push(Wanted { id: line.id.clone(), copy: None, local, unreachable: None });
            }
        }
        if *query == Query::All && had_records {
            return Ok(wanted);
        }
        let within = match query {
            Query::Run(run) => self.prefix.clone().join(run.as_str()),
            _ => self.prefix.clone(),
        };
        match self.tried(READ.0, READ.1, |_| self.there(&within)) {
            Ok(there) => {
                for (line, run) in there {
                    if !query.asks(&line.archive_id, &|asked| asked == run) {
                        continue;
                    }
                    match wanted.iter_mut().find(|one| one.is(&line.archive_id, &run)) {
                        // Sorted by time: the last one is the newest. What is on record, and names a line before it, is
                        // known better.
                        Some(one) if one.copy.as_ref().is_none_or(|copy| copy.prev.is_empty()) => {
                            one.copy = Some(line);
                        }
                        Some(_) => {}
                        None => wanted.push(known(line)),
                    }
                }
            }
            Err(Problem::Here(error)) => return Err(error),
            Err(Problem::Unreachable { why, .. }) => {
                for one in &mut wanted {
                    one.unreachable = Some(why.clone());
                }
                if wanted.is_empty() {
                    return Err(Error::Failed(format!("UNREACHABLE: {why}")));
                }
            }
            Err(_) => {}
        }
        if wanted.is_empty() {
            return Err(Error::Unknown("there is no such archive here, and no copy of one there".to_owned()));
        }
        Ok(wanted)
    }

    /// Copies whose sidecars lie below `within`, as lines that are on no record, sorted by run and time; with the name of
    /// the run.
    pub(super) fn there(&self, within: &Path) -> Result<Vec<(Line, String)>, Problem> {
        let mut found = Vec::new();
        for at in self.listed(within, ENDING)? {
            // One that is no sidecar of ours, or is gone by now, hides no other.
            let bytes = match self.small(&at, MOST) {
                Ok(bytes) => bytes,
                Err(Problem::Missing | Problem::Here(Error::Failed(_))) => continue,
                Err(problem) => return Err(problem),
            };
            let Ok(whole) = Sidecar::parse(&bytes) else { continue };
            let Some(part) = whole.bundle() else { continue };
            let key = bundle(&at, &whole);
            if key.filename().and_then(|name| name.split('.').next()) != Some(part.sha256.as_str()) {
                continue;
            }
            let line = Line {
                ts: whole.uploaded_at.clone(),
                archive_id: whole.archive_id.clone(),
                provider: self.provider.clone(),
                key: key.to_string(),
                bytes: part.bytes,
                sha256: part.sha256.clone(),
                etag: None,
                version_id: None,
                enc: whole.enc.clone(),
                verified_at: None,
                result: Outcome::Uploaded,
                sidecar_sha256: None,
                prev: String::new(),
            };
            found.push((line, whole.run.clone()));
        }
        Ok(found)
    }
}

fn known(copy: Line) -> Wanted {
    Wanted { id: copy.archive_id.clone(), copy: Some(copy), local: None, unreachable: None }
}
