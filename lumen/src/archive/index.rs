//! `index.jsonl`: which archives were made and which were deleted, a line each. A line holds the SHA-256 of the one before
//! it, so none can be changed, left out or put in unseen; the last one may be taken away unseen.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use resonetics_runs::files::{self, put_aside, sha256};
use resonetics_runs::{Error, error};
use serde::{Deserialize, Serialize};

use super::calendar::stamp;
use super::place::{Archive, Found, Said};

/// The name of the file.
pub const FILE: &str = "index.jsonl";

/// The most bytes of an index: a few hundred thousand archives.
const MOST_BYTES: u64 = 256 << 20;

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
    /// Files in it.
    pub files: u64,
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
            files: manifest.files.len() as u64,
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

/// The lines of an index, each of which names the one before it.
#[derive(Debug, Default)]
pub struct Index {
    /// In their order.
    pub lines: Vec<Line>,
    head: Option<String>,
    /// Bytes of the lines.
    length: u64,
}

/// The first line that does not follow from those before it.
struct Broken {
    line: usize,
    why: String,
}

impl Index {
    /// The index of `archive`; empty where there is none.
    ///
    /// # Errors
    /// [`Error::Refused`] for a line that is none, or does not name the one before it.
    pub fn read(archive: &Archive) -> Result<Index, Error> {
        let path = archive.root().join(FILE);
        let (index, broken) = Index::whole(&path)?;
        match broken {
            None => Ok(index),
            Some(Broken { line, why }) => Err(Error::Refused(format!(
                "{}, line {line}: {why}; put it back, or make it anew: `resonetics lumen archive --reindex {}`",
                path.display(),
                resonetics_runs::shell::quoted_path(archive.root())
            ))),
        }
    }

    /// The lines up to the first that is not as it should be. What a kill has cut off at the end is no line.
    fn whole(path: &Path) -> Result<(Index, Option<Broken>), Error> {
        let mut index = Index::default();
        if path.symlink_metadata().is_err() {
            return Ok((index, None));
        }
        let bytes = files::read(path, MOST_BYTES)?;
        for (number, line) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
            let Some(text) = line.strip_suffix(b"\n") else { break };
            let broken = |why: String| Some(Broken { line: number, why });
            let parsed: Line = match serde_json::from_slice(text) {
                Ok(parsed) => parsed,
                Err(error) => return Ok((index, broken(format!("it is no line of an index: {error}")))),
            };
            if parsed.prev != index.head() {
                let why = "it does not name the line before it: a line was changed, taken out or put in";
                return Ok((index, broken(why.to_owned())));
            }
            index.head = Some(sha256(text));
            index.length += line.len() as u64;
            index.lines.push(parsed);
        }
        Ok((index, None))
    }

    /// The hash that the next line names.
    pub fn head(&self) -> String {
        self.head.clone().unwrap_or_else(|| "0".repeat(64))
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

    /// Adds a line to the file, and waits until it is on the disk; by who holds the lock.
    pub(super) fn add(&mut self, archive: &Archive, line: Line) -> Result<(), Error> {
        let line = Line { prev: self.head(), ..line };
        let path = archive.root().join(FILE);
        let mut bytes = serde_json::to_vec(&line)
            .map_err(|error| Error::Failed(format!("cannot encode {FILE}: {error}; please report this")))?;
        let head = sha256(&bytes);
        bytes.push(b'\n');
        files::check_writable(&path)?;
        let mut file =
            File::options().create(true).append(true).open(&path).map_err(error::io("open", &path))?;
        // Behind the last whole line there is at most what a kill has cut.
        file.set_len(self.length).map_err(error::io("write", &path))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|failure| {
            let _ = file.set_len(self.length);
            error::io("write", &path)(failure)
        })?;
        self.length += bytes.len() as u64;
        self.head = Some(head);
        self.lines.push(line);
        Ok(())
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
    let (mut index, broken) = Index::whole(&path)?;
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
