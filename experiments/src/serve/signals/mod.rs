//! The signals of a run that is watched, as far as its log has grown.

mod draw;
mod follow;
mod series;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use resonetics_lumen::event::FILE;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use self::follow::Followed;
use super::answer::{json, refused};
use super::ends::regular;
use super::runs;

/// Logs that are remembered, so that only what has grown is read: some 350 kB each.
const REMEMBERED: usize = 8;

/// The runs below a directory, and what was read of the logs that were asked for last.
pub(super) struct Logs {
    dir: PathBuf,
    /// Who holds it reads.
    last: Arc<Mutex<Vec<Log>>>,
}

/// A log as it was asked for: the run's folder, the source or lane, and what was read.
type Log = (PathBuf, Option<String>, Followed);

impl Logs {
    /// Those of the runs below `dir`.
    pub(super) fn of(dir: PathBuf) -> Arc<Logs> {
        Arc::new(Logs { dir, last: Arc::default() })
    }
}

/// The log of the run in `folder`; none if nothing watched it.
pub(super) fn log(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(FILE)).filter(|path| regular(path).is_some())
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
        Some(Ok(told)) => json(&told),
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

fn told(folder: &Path, of: Option<String>, last: &mut Vec<Log>) -> Result<Value, String> {
    let Some(path) = log(folder) else { return Ok(Value::Null) };
    let place = last.iter().position(|(known, whose, _)| known == folder && *whose == of);
    let before = place.map(|place| last.remove(place).2);
    let read = Followed::of(&path, of.as_deref(), before);
    let followed = read.map_err(|error| format!("{FILE} cannot be read: {error}"))?;
    let told = draw::told(&followed, folder)?;
    last.push((folder.to_path_buf(), of, followed));
    if last.len() > REMEMBERED {
        last.remove(0);
    }
    Ok(told)
}
