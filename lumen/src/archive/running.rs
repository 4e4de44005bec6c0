//! The checkpoints of a run at work, as they were at one moment: the trainer writes new ones and deletes old ones
//! meanwhile, each by name at once, so what is open stays what it was.

use std::fs;
use std::io::Read;
use std::path::Path;

use resonetics_runs::Error;
use resonetics_runs::files::TEXT;
use resonetics_runs::training::Mark;

use super::growing::Moment;
use super::source::{Attempt, Bytes, Source, attempted, opened};

/// The folder of checkpoints.
const FOLDER: &str = "checkpoints";

/// A run as it was at its last checkpoint.
pub(super) struct Snapshot {
    pub(super) moment: Moment,
    /// Its checkpoints.
    pub(super) sources: Vec<Source>,
}

/// The table of a run of this command that goes on from checkpoints.
pub(super) fn table(command: &str) -> Option<&'static str> {
    match command {
        "train" => Some("training.csv"),
        "drift" => Some("drift.csv"),
        _ => None,
    }
}

/// Whether the file of this path is one of a checkpoint, which a [`Snapshot`] has.
pub(super) fn is_checkpoint(path: &str) -> bool {
    let name = path.strip_prefix(FOLDER).and_then(|name| name.strip_prefix('/'));
    name.is_some_and(|name| name.starts_with("step-") || name.starts_with("best."))
}

/// The steps of the numbered checkpoint that is the JSON file of this path.
pub(super) fn steps(path: &str) -> Option<u64> {
    Mark::steps(path.strip_prefix(FOLDER)?.strip_prefix('/')?)
}

impl Snapshot {
    /// That of the run in `run`, whose table is `csv`.
    pub(super) fn take(run: &Path, csv: &'static str) -> Result<Snapshot, Attempt> {
        let folder = run.join(FOLDER);
        let mut numbered: Vec<(u64, String)> = Vec::new();
        if folder.is_dir() {
            for entry in fs::read_dir(&folder).map_err(attempted("read", &folder))? {
                let name = entry.map_err(attempted("read", &folder))?.file_name();
                let name = name.to_string_lossy();
                let stem = name.strip_suffix(".json").unwrap_or(&name).to_owned();
                numbered.extend(Mark::steps(&name).map(|steps| (steps, stem)));
            }
        }
        numbered.sort();
        let mut sources = Vec::new();
        let mut last = None;
        for (steps, stem) in numbered {
            let (mark, json) = marked(&folder, &stem)?;
            sources.extend(pair(&folder, &stem, &stem, &mark, json.clone())?);
            last = Some((steps, stem, mark, json));
        }
        let Some((steps, stem, mark, json)) = last else {
            return Err(Attempt::Failed(Error::Refused(format!(
                "{} is at work and has written no checkpoint yet: freeze it again once it has",
                run.display()
            ))));
        };
        match mark.best {
            None => {}
            // The trainer may not have got to it, and would make it of this one.
            Some(best) if mark.clock == Some(best) => {
                sources.extend(pair(&folder, &stem, "best", &mark, json)?);
            }
            Some(best) => {
                let (found, json) = marked(&folder, "best")?;
                if found.clock != Some(best) {
                    return Err(changed(&folder, "best.json"));
                }
                sources.extend(pair(&folder, "best", "best", &found, json)?);
            }
        }
        let moment = Moment { csv: (csv, mark.csv_bytes), steps, clock: mark.update.unwrap_or(steps) };
        moment.check(run)?;
        Ok(Snapshot { moment, sources })
    }
}

fn changed(folder: &Path, name: &str) -> Attempt {
    Attempt::Changed(folder.join(name).display().to_string())
}

/// What the JSON file of a checkpoint says, and its bytes.
fn marked(folder: &Path, stem: &str) -> Result<(Mark, Vec<u8>), Attempt> {
    let path = folder.join(format!("{stem}.json"));
    let (file, _) = opened(&path)?;
    let mut json = Vec::new();
    file.take(TEXT).read_to_end(&mut json).map_err(attempted("read", &path))?;
    let mark = Mark::of(&json).map_err(|problem| {
        Attempt::Failed(Error::Refused(format!("{} is refused: {problem}", path.display())))
    })?;
    Ok((mark, json))
}

/// The two files of the checkpoint `stem`, under the name `as_name`.
fn pair(
    folder: &Path,
    stem: &str,
    as_name: &str,
    mark: &Mark,
    json: Vec<u8>,
) -> Result<[Source; 2], Attempt> {
    let (arrays, _) = opened(&folder.join(format!("{stem}.safetensors")))?;
    let path = |ending: &str| format!("{FOLDER}/{as_name}.{ending}");
    Ok([
        Source { path: path("json"), bytes: Bytes::Held(json), sum: None },
        Source { path: path("safetensors"), bytes: Bytes::Open(arrays), sum: Some(mark.safetensors.clone()) },
    ])
}
