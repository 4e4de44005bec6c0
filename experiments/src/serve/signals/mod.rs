//! The signals of a run that is watched, as far as its log has grown.

mod draw;
mod follow;
mod series;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use resonetics_lumen::event::FILE;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use self::follow::{Followed, NAMES};
use super::answer::{json as answer, refused};
use super::ends::regular;
use super::runs;

/// Logs that are remembered, so that only what has grown is read: some 350 kB each.
const REMEMBERED: usize = 8;

/// The runs below a directory, and what was read of the logs that were asked for last.
pub(super) struct Logs {
    dir: PathBuf,
    /// Who holds it reads.
    last: Arc<Mutex<Vec<Known>>>,
}

/// A log, the source or lane that was asked for, and what was read.
type Known = (PathBuf, Option<String>, Followed);

impl Logs {
    /// Those of the runs below `dir`.
    pub(super) fn of(dir: PathBuf) -> Arc<Logs> {
        Arc::new(Logs { dir, last: Arc::default() })
    }
}

/// A log of a run, with the name of its folder where each garden of a run has one.
pub(super) struct Log {
    garden: Option<String>,
    pub(super) path: PathBuf,
}

/// The logs of the run in `folder`: none if nothing watched it, several if it is of several gardens.
pub(super) fn logs(folder: &Path) -> Vec<Log> {
    let log = |garden: Option<String>| {
        let path = folder.join(garden.as_deref().unwrap_or_default()).join(FILE);
        regular(&path).map(|_| Log { garden, path })
    };
    if let Some(own) = log(None) {
        return vec![own];
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    // A link leads nowhere.
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.starts_with("run-"));
    names.sort();
    names.into_iter().filter_map(|name| log(Some(name))).collect()
}

/// `run=NAME`, and `of=ENTITY` for another than its first source.
type Question = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// What the page shows of a run's signals; null of one that nothing watched.
pub(super) async fn signals(State(logs): State<Arc<Logs>>, asked: Question) -> Response {
    let Some((name, of)) = named(asked) else {
        let problem = "give run once, with a name from /runs, and of at most once\n";
        return refused(StatusCode::BAD_REQUEST, problem.to_owned());
    };
    let dir = logs.dir.clone();
    let mut last = Arc::clone(&logs.last).lock_owned().await;
    let told = spawn_blocking(move || Some(told(&runs::find(&dir, &name)?, of, &mut last)));
    match told.await.ok().flatten() {
        Some(Ok(told)) => answer(&told),
        Some(Err(problem)) => refused(StatusCode::INTERNAL_SERVER_ERROR, format!("{problem}\n")),
        None => refused(StatusCode::NOT_FOUND, "no such run; see /runs\n".to_owned()),
    }
}

/// The run, and the source or lane.
fn named(asked: Question) -> Option<(String, Option<String>)> {
    let (mut run, mut of) = (None, None);
    for (key, value) in asked.ok()?.0 {
        let place = match key.as_str() {
            "run" => &mut run,
            "of" => &mut of,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    Some((run?, of))
}

fn told(folder: &Path, of: Option<String>, last: &mut Vec<Known>) -> Result<Value, String> {
    let logs = logs(folder);
    let asked = logs.iter().find(|log| log.garden.is_some() && log.garden == of);
    let Some(log) = asked.or(logs.first()) else { return Ok(Value::Null) };
    // Of a garden with a log of its own the garden is what can be chosen.
    let of = if log.garden.is_some() { None } else { of };
    let place = last.iter().position(|(known, whose, _)| *known == log.path && *whose == of);
    let before = place.map(|place| last.remove(place).2);
    let read = Followed::of(&log.path, of.as_deref(), before);
    let followed = read.map_err(|error| format!("{FILE} cannot be read: {error}"))?;
    let mut told = draw::told(&followed, folder)?;
    if let Some(garden) = &log.garden {
        let names: Vec<_> = logs.iter().filter_map(|log| log.garden.as_deref()).take(NAMES).collect();
        (told["of"], told["names"]) = (json!(garden), json!(names));
        if let (true, Some(notes)) = (logs.len() > NAMES, told["notes"].as_array_mut()) {
            notes.push(json!(format!("There are {} gardens; {NAMES} can be chosen here.", logs.len())));
        }
    }
    last.push((log.path.clone(), of, followed));
    if last.len() > REMEMBERED {
        last.remove(0);
    }
    Ok(told)
}
