//! Keys, runs and logs in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::file::By;
use resonetics_lumen::proof::key::{PUBLIC, Public, Secret};
use resonetics_lumen::proof::note::Head;
use resonetics_lumen::proof::statement::{Built, Statement};
use resonetics_runs::Error;
use resonetics_runs::run_dir::{RunDir, RunRecord};
use tempfile::TempDir;

pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new key in a folder of this name.
    pub(crate) fn key(&self, name: &str) -> Secret {
        Secret::create(&self.path(name), None).unwrap();
        Secret::open(&self.path(name), &none).unwrap()
    }

    pub(crate) fn public(&self, name: &str) -> Public {
        Public::read(&self.path(name).join(PUBLIC)).unwrap()
    }

    /// A finished run with two tables.
    pub(crate) fn run(&self, name: &str, seed: u64) -> PathBuf {
        let path = self.path(name);
        let config = format!("command = \"benchmark\"\nseed = {seed}\n");
        let run = RunDir::create(Some(&path), RunRecord::new("benchmark", Some(seed)), &config).unwrap();
        fs::write(path.join("benchmark.csv"), format!("a,b\n1,{seed}\n")).unwrap();
        fs::write(path.join("episodes.csv"), "a\n1\n").unwrap();
        run.finish(Ok(())).unwrap();
        path
    }

    pub(crate) fn statement(&self, name: &str, seed: u64) -> Statement {
        let run = self.run(name, seed);
        Statement::of_run(&run, &files(), &Built::default()).unwrap()
    }
}

pub(crate) fn files() -> [&'static Path; 2] {
    ["episodes.csv", "benchmark.csv"].map(Path::new)
}

pub(crate) fn none() -> Result<String, Error> {
    Err(Error::Refused("no passphrase".to_owned()))
}

/// Who signs a proof, and the log that takes it.
pub(crate) fn by<'a>(key: &'a Secret, log: &'a Path) -> By<'a> {
    By { key, log, origin: None, formerly: None, chain: None }
}

pub(crate) fn entry(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// Appends these entries, commits, and yields the head.
pub(crate) fn append(log: &Path, key: &Secret, entries: impl Iterator<Item = u64>) -> Result<Head, Error> {
    let mut writer = Writer::open(log, key, Some("example.test/log"))?;
    for number in entries {
        writer.append(&entry(number))?;
    }
    writer.commit()
}

/// A copy of a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Changes one bit of a file.
pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}
