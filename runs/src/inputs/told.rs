//! What gardens themselves have told of their losses, beside their logs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use resonetics_analysis::garden::Told;
use resonetics_analysis::read::Kind;

use crate::files;

/// Each summary.csv that was asked for: what it says of each of its gardens, by their numbers.
#[derive(Default)]
pub struct Summaries(HashMap<PathBuf, HashMap<u32, Told>>);

impl Summaries {
    /// What the garden whose log is `path` told of its loss, in the summary.csv of its run.
    pub fn told(&mut self, path: &Path) -> Option<Told> {
        if path.file_name()? != Kind::Garden.file() {
            return None;
        }
        let folder = path.parent()?;
        // `gardener --runs` writes one for all, one folder up.
        let (above, run) = match number(path) {
            Some(run) => (folder.parent()?, run),
            None => (folder, 1),
        };
        let summary = above.join("summary.csv");
        let gardens = self.0.entry(summary).or_insert_with_key(|path| read(path).unwrap_or_default());
        gardens.get(&run).copied()
    }
}

/// The number of the garden whose log is `path` among those of its run, where the run has several.
pub fn number(path: &Path) -> Option<u32> {
    let folder = path.parent()?;
    let run = folder.file_name()?.to_str()?.strip_prefix("run-")?.parse().ok();
    run.filter(|_| !folder.join("config.toml").is_file())
}

fn read(path: &Path) -> Option<HashMap<u32, Told>> {
    let mut summary = csv::Reader::from_reader(files::open(path).ok()?);
    let header = summary.headers().ok()?.clone();
    let column = |name: &str| header.iter().position(|column| column == name);
    let (runs, lost) = (column("run")?, column("lost_at")?);
    let told = |row: csv::StringRecord| {
        let lost = row.get(lost)?;
        let lost_at = if lost.is_empty() { None } else { Some(lost.parse().ok()?) };
        Some((row.get(runs)?.parse().ok()?, Told { lost_at }))
    };
    Some(summary.records().filter_map(Result::ok).filter_map(told).collect())
}
