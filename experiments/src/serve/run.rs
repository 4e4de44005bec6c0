//! One run: what its report says so far, as data and as a page, and word when its files have grown.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use resonetics_analysis::chart::themed;
use resonetics_analysis::report::{Figure, Part, Report, page};
use serde::Deserialize;
use serde_json::json;
use tokio::task::spawn_blocking;

use super::runs::{self, Run};
use super::{Shared, alone, refused};
use crate::failure::{self, Failure};
use crate::findings;
use crate::inputs::{Inputs, command_line, of_run};
use crate::run_dir::held;

/// The time between two looks at the files of a run.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct Asked {
    run: String,
}

/// How long the files of a run are and when they were written: as long as that stays, so do they.
type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// What was made of the files of a run.
pub(super) struct Read {
    name: String,
    stamp: Stamp,
    outcome: Outcome,
}

/// The report, or why there is none.
type Outcome = Result<Arc<Report>, Refusal>;

type Refusal = (StatusCode, String);

type Question = Result<Query<Asked>, QueryRejection>;

/// What the report says so far: questions, answers and figures, as SVG in the colours of the page.
pub(super) async fn run(State(shared): State<Arc<Shared>>, asked: Question) -> Response {
    let (run, outcome) = match read(&shared, asked).await {
        Ok(found) => found,
        Err(refusal) => return said(refusal),
    };
    let figure = |figure: &Figure| {
        let [wide, narrow] = [&figure.wide, &figure.narrow].map(|svg| themed(svg, &figure.caption));
        json!({"name": figure.name, "caption": figure.caption, "wide": wide, "narrow": narrow})
    };
    let part = |part: &Part| {
        let figures: Vec<_> = part.figures.iter().map(figure).collect();
        json!({"question": part.question, "answer": part.answer, "figures": figures})
    };
    let (parts, problem) = match &outcome {
        Ok(report) => (report.parts.iter().map(part).collect(), None),
        Err((_, problem)) => (Vec::new(), Some(problem)),
    };
    super::json(&json!({"run": run, "parts": parts, "problem": problem}))
}

/// The page that `resonetics report` would write.
pub(super) async fn report(State(shared): State<Arc<Shared>>, asked: Question) -> Response {
    match read(&shared, asked).await {
        Ok((_, Ok(report))) => alone(page(&report)),
        Ok((_, Err(refusal))) | Err(refusal) => said(refusal),
    }
}

/// The run that is asked for as it is now. Files that have not changed are not read again, and one run is
/// read at a time.
async fn read(shared: &Shared, asked: Question) -> Result<(Run, Outcome), Refusal> {
    let name = named(asked)?;
    let dir = shared.dir.clone();
    // The thread holds it to its end, also when the browser that asked has gone meanwhile.
    let mut last = Arc::clone(&shared.last).lock_owned().await;
    let found = spawn_blocking(move || {
        let run = runs::find(&dir, &name)?;
        let path = dir.join(&name);
        let stamp = stamp(&path);
        if let Some(known) = last.as_ref().filter(|known| known.name == name && known.stamp == stamp) {
            return Some((run, known.outcome.clone()));
        }
        let outcome = made(&path).map(Arc::new).map_err(|failure| {
            let status = match failure {
                Failure::Usage(_) => StatusCode::UNPROCESSABLE_ENTITY,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, failure.to_string())
        });
        *last = Some(Read { name, stamp, outcome: outcome.clone() });
        Some((run, outcome))
    });
    found.await.ok().flatten().ok_or_else(unknown)
}

/// An event whenever the files of a run have changed or its process has ended, the first at once; its data is their length in bytes.
pub(super) async fn changes(State(shared): State<Arc<Shared>>, asked: Question) -> Response {
    let name = match named(asked) {
        Ok(name) => name,
        Err(refusal) => return said(refusal),
    };
    let path = shared.dir.join(&name);
    let known = spawn_blocking(move || runs::find(&shared.dir, &name).is_some());
    if known.await.is_ok_and(|known| known) {
        Sse::new(changed(path)).into_response()
    } else {
        said(unknown())
    }
}

/// Looks again only when the browser has taken the event before. Ends when the run is gone.
fn changed(path: PathBuf) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((path, (Stamp::new(), None)), |(path, seen)| async move {
        loop {
            if !seen.0.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
            let of = path.clone();
            // A process that is killed changes no file.
            let now = spawn_blocking(move || (stamp(&of), held(&of))).await.ok()?;
            if now.0.is_empty() {
                return None;
            }
            if now != seen {
                let bytes: u64 = now.0.iter().map(|(_, bytes, _)| bytes).sum();
                return Some((Ok(Event::default().data(bytes.to_string())), (path, now)));
            }
        }
    })
}

fn named(asked: Question) -> Result<String, Refusal> {
    let refusal = (StatusCode::BAD_REQUEST, "give run, as /runs lists them".to_owned());
    asked.map(|Query(asked)| asked.run).map_err(|_| refusal)
}

fn unknown() -> Refusal {
    (StatusCode::NOT_FOUND, "no such run; see /runs".to_owned())
}

fn said((status, problem): Refusal) -> Response {
    refused(status, format!("{problem}\n"))
}

/// Of the files that a report is made of and of run.json, which says how the run ended.
fn stamp(run: &Path) -> Stamp {
    let files = of_run(run).unwrap_or_default().into_iter().chain([run.join("run.json")]);
    let of = |path: PathBuf| {
        let metadata = fs::metadata(&path).ok()?;
        Some((path, metadata.len(), metadata.modified().ok()))
    };
    files.filter_map(of).collect()
}

fn made(run: &Path) -> Result<Report, Failure> {
    let paths = [run.to_path_buf()];
    let inputs = Inputs::find(&paths, true)?;
    // A report quotes what it reads: a link must not make it read what is no file of the run.
    let whole = run.canonicalize().map_err(failure::io("read", run))?;
    let described = ["config.toml", "run.json"].map(|name| run.join(name));
    for path in inputs.files.iter().map(|input| &input.path).chain(&described) {
        let inside = path.strip_prefix(run).map(|below| whole.join(below));
        let led = path.canonicalize().ok();
        if led.is_some() && led != inside.ok() {
            return Err(Failure::Usage(format!("{} is a link: it is not followed here", path.display())));
        }
    }
    let again = command_line(["report".to_owned(), run.display().to_string()].into_iter());
    findings::report(inputs, None, &again)
}
