//! What a garden itself has told of its loss, beside its log.

use std::path::Path;

use resonetics_analysis::garden::Told;
use resonetics_analysis::read::Kind;

/// What the garden whose log is `path` told of its loss, in the summary.csv of its run.
pub fn told(path: &Path) -> Option<Told> {
    if path.file_name()? != Kind::Garden.file() {
        return None;
    }
    let folder = path.parent()?;
    // `gardener --runs` writes one for all, one folder up.
    let run = folder.file_name().and_then(|name| name.to_str()?.strip_prefix("run-")?.parse::<u32>().ok());
    let (above, run) = match run.filter(|_| !folder.join("config.toml").is_file()) {
        Some(run) => (folder.parent()?, run),
        None => (folder, 1),
    };
    let mut summary = csv::Reader::from_path(above.join("summary.csv")).ok()?;
    let column = |name: &str, header: &csv::StringRecord| header.iter().position(|column| column == name);
    let header = summary.headers().ok()?.clone();
    let (runs, lost_at) = (column("run", &header)?, column("lost_at", &header)?);
    let row = summary.records().filter_map(Result::ok).find(|row| row.get(runs) == Some(&run.to_string()))?;
    let lost_at = row.get(lost_at)?;
    let generation = if lost_at.is_empty() { None } else { Some(lost_at.parse().ok()?) };
    Some(Told { lost_at: generation })
}
