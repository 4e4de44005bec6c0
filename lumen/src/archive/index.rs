//! `index.jsonl`: which archives were made and which were deleted, a line each.

use std::collections::BTreeMap;
use std::ops::Deref;

use resonetics_runs::Error;
use resonetics_runs::files::{self, put_aside};
use serde::{Deserialize, Serialize};

use super::calendar::stamp;
use super::place::{Archive, Found, Said};
use resonetics_runs::chain::{Broken, Chain, Link, MOST_BYTES};

/// The name of the file.
pub const FILE: &str = "index.jsonl";

/// What became of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It was made, or found.
    Kept,
    /// It was deleted by a plan.
    Deleted,
    /// Its folder was not there any more.
    Gone,
}

/// A line of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What became of it.
    pub op: Op,
    /// Its id.
    pub id: String,
    /// The name of the run's folder.
    pub run: String,
    /// When it was made.
    pub created_at: String,
    /// `RUN/TIME-ID8`.
    pub dir: String,
    /// Bytes of its bundle.
    pub bytes: u64,
    /// Files in it; of an encrypted one that is not known.
    pub files: Option<u64>,
    /// SHA-256 of its manifest.json.
    pub manifest_sha256: String,
    /// When it was deleted, or found to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The rule by which it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The plan's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// SHA-256 of the line before; zeros in the first one.
    pub prev: String,
}

impl Line {
    /// That `found` is there.
    pub(super) fn kept(run: &str, dir: &str, said: &Said) -> Line {
        let Said { manifest, manifest_sha256, bytes } = said;
        Line {
            op: Op::Kept,
            id: manifest.id.clone(),
            run: run.to_owned(),
            created_at: manifest.created_at.clone(),
            dir: dir.to_owned(),
            bytes: *bytes,
            files: (!manifest.is_outer()).then_some(manifest.files.len() as u64),
            manifest_sha256: manifest_sha256.clone(),
            at: None,
            rule: None,
            plan: None,
            prev: String::new(),
        }
    }

    /// The same archive, which is no more.
    pub(super) fn ended(&self, op: Op, now: f64, rule: Option<&str>, plan: Option<&str>) -> Line {
        let [rule, plan] = [rule, plan].map(|text| text.map(str::to_owned));
        Line { op, at: Some(stamp(now)), rule, plan, prev: String::new(), ..self.clone() }
    }
}

/// The lines of an index.
#[derive(Debug, Default)]
pub struct Index(Chain<Line>);

impl Deref for Index {
    type Target = Chain<Line>;
    fn deref(&self) -> &Chain<Line> {
        &self.0
    }
}

impl Link for Line {
    fn prev(&self) -> &str {
        &self.prev
    }
    fn after(self, prev: String) -> Line {
        Line { prev, ..self }
    }
}

impl Index {
    /// The index of `archive`; empty where there is none.
    ///
    /// # Errors
    /// [`Error::Refused`] for a line that is none, or does not name the one before it.
    pub fn read(archive: &Archive) -> Result<Index, Error> {
        let path = archive.root().join(FILE);
        let (index, broken) = Chain::whole(&path)?;
        match broken {
            None => Ok(Index(index)),
            Some(Broken { line, why }) => Err(Error::Refused(format!(
                "{}, line {line}: {why}; put it back, or make it anew: `resonetics lumen archive --reindex {}`",
                path.display(),
                resonetics_runs::shell::quoted_path(archive.root())
            ))),
        }
    }

    /// The archives that are there by the index, by their folder.
    pub fn live(&self) -> BTreeMap<&str, &Line> {
        let mut live = BTreeMap::new();
        for line in &self.lines {
            match line.op {
                Op::Kept => live.insert(line.dir.as_str(), line),
                Op::Deleted | Op::Gone => live.remove(line.dir.as_str()),
            };
        }
        live
    }

    /// Adds a line to the file; by who holds the lock.
    pub(super) fn add(&mut self, archive: &Archive, line: Line) -> Result<(), Error> {
        self.0.append(&archive.root().join(FILE), line)
    }
}

/// How the archives that are there differ from what the index says, in words.
pub fn differences(index: &Index, found: &[Found]) -> Vec<String> {
    let live = index.live();
    let mut told = Vec::new();
    for Found { dir, said, .. } in found {
        match (said, live.get(dir.as_str())) {
            (Err(problem), _) => told.push(format!("{dir} cannot be read: {problem}")),
            (Ok(_), None) => told.push(format!("{dir} is not in the index")),
            (Ok(said), Some(line)) if differs(said, line) => told.push(format!(
                "{dir} is not what the index says: its manifest has the SHA-256 {}, there it is {}",
                said.manifest_sha256, line.manifest_sha256
            )),
            (Ok(_), Some(_)) => {}
        }
    }
    let there = |dir: &str| found.iter().any(|found| found.dir == dir);
    told.extend(live.keys().filter(|dir| !there(dir)).map(|dir| format!("{dir} is in the index, and gone")));
    told
}

fn differs(said: &Said, line: &Line) -> bool {
    said.manifest_sha256 != line.manifest_sha256 || said.manifest.id != line.id
}

/// Makes the index of `archive` say what is there; yields how it differed. What it says of the past stays, up to the first
/// line that does not follow from those before it: the file is put aside then, and a new one begins with what is good.
///
/// # Errors
/// Any I/O error.
pub fn reindex(archive: &Archive, now: f64) -> Result<Vec<String>, Error> {
    let _held = archive.hold()?;
    let path = archive.root().join(FILE);
    let (index, broken) = Chain::whole(&path)?;
    let mut index = Index(index);
    let mut told = Vec::new();
    if let Some(Broken { line, why }) = broken {
        let good = files::read(&path, MOST_BYTES)?;
        put_aside(&path)?;
        files::write_new(&path, &good[..index.length as usize])?;
        told.push(format!(
            "line {line}: {why}; the file was put aside as {FILE}.before-N, and the {} lines before it are kept",
            line - 1
        ));
    }
    let found = archive.found()?;
    told.extend(differences(&index, &found));
    let gone: Vec<Line> = {
        let there = |dir: &str| found.iter().any(|found| found.dir == dir);
        let live = index.live();
        let gone = live.iter().filter(|(dir, _)| !there(dir));
        gone.map(|(_, line)| line.ended(Op::Gone, now, None, None)).collect()
    };
    let fresh: Vec<Line> = {
        let live = index.live();
        let readable = found.iter().filter_map(|found| Some((found, found.said.as_ref().ok()?)));
        let fresh = readable
            .filter(|(found, said)| live.get(found.dir.as_str()).is_none_or(|line| differs(said, line)));
        fresh.map(|(found, said)| Line::kept(&found.run, &found.dir, said)).collect()
    };
    let mut lines = gone;
    let mut fresh = fresh;
    fresh.sort_by(|a, b| (&a.created_at, &a.dir).cmp(&(&b.created_at, &b.dir)));
    lines.append(&mut fresh);
    for line in lines {
        index.add(archive, line)?;
    }
    Ok(told)
}
