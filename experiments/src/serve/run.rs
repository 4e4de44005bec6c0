//! A run, or several side by side: what their report says so far, as data and as a page, and word when their
//! files have grown.

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
use resonetics_analysis::report::{Cell, Figure, Part, Report, Table, page};
use resonetics_runs::Error;
use resonetics_runs::findings;
use resonetics_runs::inputs::{Inputs, of_run};
use resonetics_runs::shell::command_line;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::answer::{alone, json, refused};
use super::ends::{not_led_away, regular};
use super::row::at_work;
use super::runs::{self, Run};
use super::signals;

/// The time between two looks at the files of a run.
const LOOK: Duration = Duration::from_secs(1);

/// So many runs are compared at once.
const COMPARED: usize = 100;

/// How long the files of a run are and when they were written: as long as that stays, so do they.
type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// The runs below a directory, and what was read of them last.
pub(super) struct Reports {
    dir: PathBuf,
    /// Who holds it reads.
    last: Arc<Mutex<Option<Read>>>,
}

impl Reports {
    /// Those of the runs below `dir`.
    pub(super) fn of(dir: PathBuf) -> Arc<Reports> {
        Arc::new(Reports { dir, last: Arc::default() })
    }
}

/// What was made of the files of some runs.
struct Read {
    names: Vec<String>,
    stamp: Stamp,
    outcome: Outcome,
}

/// The report, or why there is none.
type Outcome = Result<Arc<Report>, Refusal>;

type Refusal = (StatusCode, String);

/// `run=NAME`, once for each run.
type Question = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// What the report says so far: questions, answers and figures, as SVG in the colours of the page.
pub(super) async fn run(State(reports): State<Arc<Reports>>, asked: Question) -> Response {
    let (runs, outcome) = match read(&reports, asked).await {
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
    let table = |table: &Table| {
        let texts = |row: &Vec<Cell>| row.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>();
        let rows: Vec<_> = table.rows.iter().map(texts).collect();
        json!({"caption": table.caption, "columns": table.columns, "rows": rows})
    };
    let told = match &outcome {
        Ok(report) => json!({
            "runs": runs,
            "parts": report.parts.iter().map(part).collect::<Vec<_>>(),
            "differences": report.differences.iter().map(table).collect::<Vec<_>>(),
            "notes": report.notes,
            "problem": null,
        }),
        Err((_, problem)) => {
            json!({"runs": runs, "parts": [], "differences": [], "notes": [], "problem": problem})
        }
    };
    json(&told)
}

/// The page that `resonetics report` would write.
pub(super) async fn report(State(reports): State<Arc<Reports>>, asked: Question) -> Response {
    match read(&reports, asked).await {
        Ok((_, Ok(report))) => alone(page(&report)),
        Ok((_, Err(refusal))) | Err(refusal) => said(refusal),
    }
}

/// The runs that are asked for as they are now. Files that have not changed are not read again, and one
/// question is answered at a time.
async fn read(reports: &Reports, asked: Question) -> Result<(Vec<Run>, Outcome), Refusal> {
    let names = named(asked)?;
    let dir = reports.dir.clone();
    // The thread holds it to its end, also when the browser that asked has gone meanwhile.
    let mut last = Arc::clone(&reports.last).lock_owned().await;
    let found = spawn_blocking(move || {
        let paths = paths(&dir, &names)?;
        let runs = paths.iter().zip(&names).map(|(path, name)| runs::described(path, name)).collect();
        let stamp = stamp(&paths);
        if let Some(known) = last.as_ref().filter(|known| known.names == names && known.stamp == stamp) {
            return Some((runs, known.outcome.clone()));
        }
        let outcome = made(&paths).map(Arc::new).map_err(|failure| {
            let status = if failure.is_refusal() {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            };
            (status, failure.to_string())
        });
        *last = Some(Read { names, stamp, outcome: outcome.clone() });
        Some((runs, outcome))
    });
    found.await.ok().flatten().ok_or_else(unknown)
}

/// An event whenever the files of the runs have changed or a process at work in one has ended, the first at
/// once; its data is their length in bytes.
pub(super) async fn changes(State(reports): State<Arc<Reports>>, asked: Question) -> Response {
    let names = match named(asked) {
        Ok(names) => names,
        Err(refusal) => return said(refusal),
    };
    match spawn_blocking(move || paths(&reports.dir, &names)).await {
        Ok(Some(paths)) => Sse::new(changed(paths)).into_response(),
        _ => said(unknown()),
    }
}

/// Looks again only when the browser has taken the event before. Ends when a run is gone.
fn changed(paths: Vec<PathBuf>) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((paths, (Stamp::new(), Vec::new())), |(paths, seen)| async move {
        loop {
            if !seen.0.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
            let of = paths.clone();
            let now = spawn_blocking(move || {
                let there = of.iter().all(|path| regular(&path.join("run.json")).is_some());
                // A process that is killed changes no file.
                there.then(|| (looked(&of), of.iter().map(|path| at_work(path)).collect::<Vec<_>>()))
            });
            let now = now.await.ok().flatten()?;
            if now != seen {
                let bytes: u64 = now.0.iter().map(|(_, bytes, _)| bytes).sum();
                return Some((Ok(Event::default().data(bytes.to_string())), (paths, now)));
            }
        }
    })
}

/// The names that are asked for, each once.
fn named(asked: Question) -> Result<Vec<String>, Refusal> {
    let refuse = |problem: String| Err((StatusCode::BAD_REQUEST, problem));
    let mut names = Vec::new();
    let pairs = asked.map(|Query(pairs)| pairs).unwrap_or_default();
    let only = pairs.iter().all(|(key, _)| key == "run");
    for (_, name) in pairs {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() || !only {
        return refuse("give run one or more times, with names from /runs".to_owned());
    }
    if names.len() > COMPARED {
        return refuse(format!(
            "{} runs are too many to compare: the limit here is {COMPARED}; `resonetics report` takes more",
            names.len()
        ));
    }
    Ok(names)
}

/// The folder of each run; none if one is no run.
fn paths(dir: &Path, names: &[String]) -> Option<Vec<PathBuf>> {
    names.iter().map(|name| runs::find(dir, name)).collect()
}

fn unknown() -> Refusal {
    (StatusCode::NOT_FOUND, "no such run; see /runs".to_owned())
}

fn said((status, problem): Refusal) -> Response {
    refused(status, format!("{problem}\n"))
}

/// Of all files that the page is made of.
fn looked(runs: &[PathBuf]) -> Stamp {
    let mut stamp = stamp(runs);
    stamp.extend(runs.iter().flat_map(|run| signals::logs(run)).filter_map(|log| stamped(log.path)));
    stamp
}

fn stamped(path: PathBuf) -> Option<(PathBuf, u64, Option<SystemTime>)> {
    let metadata = fs::metadata(&path).ok()?;
    Some((path, metadata.len(), metadata.modified().ok()))
}

/// Of the files that a report is made of and of run.json, which says how the run ended.
fn stamp(runs: &[PathBuf]) -> Stamp {
    let files = |run: &PathBuf| of_run(run).unwrap_or_default().into_iter().chain([run.join("run.json")]);
    runs.iter().flat_map(files).filter_map(stamped).collect()
}

fn made(runs: &[PathBuf]) -> Result<Report, Error> {
    let inputs = Inputs::find(runs, true)?;
    let read = inputs.files.iter().map(|input| input.path.clone());
    let described = runs.iter().flat_map(|run| ["config.toml", "run.json"].map(|name| run.join(name)));
    for path in read.chain(described) {
        if let Some(run) = runs.iter().find(|run| path.starts_with(run)) {
            not_led_away(run, &path)?;
        }
    }
    let told = runs.iter().map(|run| run.display().to_string());
    let again = command_line(["report".to_owned()].into_iter().chain(told));
    findings::report(inputs, None, &again)
}
