//! The runs below a directory, and their files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Shared, alone, of_kind, refused};
use crate::files;
use crate::inputs::of_run;
use crate::run_dir;

/// How deep runs may lie in folders of several.
const DEPTH: usize = 3;
/// What makes a folder a run.
const RECORD: &str = "run.json";
/// Larger files are not shown in a browser.
const LARGEST: u64 = 32_000_000;

/// A run as the page lists it.
#[derive(Serialize)]
pub(super) struct Run {
    /// Its path below the directory, by `/`.
    pub(super) name: String,
    command: Option<String>,
    /// As text: a browser rounds large numbers.
    seed: Option<String>,
    started_at: Option<String>,
    status: Option<String>,
    /// Whether there is something to report.
    reported: bool,
    files: Vec<RunFile>,
}

#[derive(Serialize)]
struct RunFile {
    /// Its path below the run's folder, by `/`.
    name: String,
    bytes: u64,
    /// Whether the browser may ask for it.
    shown: bool,
}

/// A file of a run.
#[derive(Deserialize)]
pub(super) struct Asked {
    run: String,
    name: String,
}

pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let found = {
        let shared = Arc::clone(&shared);
        tokio::task::spawn_blocking(move || runs(&shared.dir)).await
    };
    let runs = found.unwrap_or_default();
    super::json(&json!({"dir": shared.dir.display().to_string(), "runs": runs}))
}

/// Only what [`list`] lists has a name here: a path that leads elsewhere is nobody's.
pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return refused(StatusCode::BAD_REQUEST, "give run and name, as /runs lists them\n".to_owned());
    };
    let found = tokio::task::spawn_blocking(move || {
        let run = find(&shared.dir, &asked.run)?;
        let file = run.files.iter().find(|file| file.name == asked.name && file.shown)?;
        let kind = kind(&file.name)?;
        Some((kind, files::read(&shared.dir.join(&run.name).join(&file.name), LARGEST).ok()?))
    });
    match found.await.ok().flatten() {
        Some((HTML, bytes)) => alone(bytes),
        Some((kind, bytes)) => of_kind(kind, bytes),
        None => refused(StatusCode::NOT_FOUND, "no such file of a run; see /runs\n".to_owned()),
    }
}

const HTML: &str = "text/html; charset=utf-8";

/// As what a browser shows a file; none for those that it cannot show.
fn kind(name: &str) -> Option<&'static str> {
    Some(match Path::new(name).extension()?.to_str()? {
        "csv" | "json" | "jsonl" | "toml" | "txt" | "md" => "text/plain; charset=utf-8",
        "html" => HTML,
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "gif" => "image/gif",
        _ => return None,
    })
}

/// The runs below `dir`, sorted by name; what cannot be read is left out.
fn runs(dir: &Path) -> Vec<Run> {
    let mut found = Vec::new();
    search(dir, "", DEPTH, &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The run of this name below `dir`.
pub(super) fn find(dir: &Path, name: &str) -> Option<Run> {
    runs(dir).into_iter().find(|run| run.name == name)
}

/// `name` as it stands behind a question mark.
pub(super) fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let each = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(each).collect()
}

fn search(dir: &Path, name: &str, depth: usize, found: &mut Vec<Run>) {
    let (mut files, below) = entries(dir);
    let is_run = !name.is_empty() && files.iter().any(|file| file.name == RECORD);
    for inner in below {
        let path = dir.join(&inner);
        if depth > 0 {
            let name = if name.is_empty() { inner.clone() } else { format!("{name}/{inner}") };
            search(&path, &name, depth - 1, found);
        }
        if is_run {
            let (others, _) = entries(&path);
            // What is in a run of its own is listed there.
            if others.iter().all(|file| file.name != RECORD) {
                files.extend(
                    others.into_iter().map(|file| RunFile { name: format!("{inner}/{}", file.name), ..file }),
                );
            }
        }
    }
    if !is_run {
        return;
    }
    // Its own first.
    files.sort_by(|a, b| (a.name.contains('/'), &a.name).cmp(&(b.name.contains('/'), &b.name)));
    // Before the record: a run that ends in between has written how.
    let held = run_dir::held(dir);
    let record = files::read(&dir.join(RECORD), files::TEXT)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let record = record.filter(Value::is_object);
    let text = |key| record.as_ref()?.get(key)?.as_str().map(str::to_owned);
    let status = match text("status") {
        Some(status) if status == "running" && held == Some(false) => Some("killed".to_owned()),
        None if record.is_none() => Some("run.json cannot be read".to_owned()),
        status => status,
    };
    let seed = record.as_ref().and_then(|record| Some(record.get("seed")?.as_u64()?.to_string()));
    let reported = of_run(dir).is_ok_and(|files| !files.is_empty());
    let (command, started_at) = (text("command"), text("started_at"));
    found.push(Run { name: name.to_owned(), command, seed, started_at, status, reported, files });
}

/// The files of a folder, but the lock and those that are being written, and the folders in it. Links lead
/// nowhere.
fn entries(dir: &Path) -> (Vec<RunFile>, Vec<String>) {
    let (mut files, mut below) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // Of the entry itself, not of what a link leads to.
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        if kind.is_dir() {
            below.push(name);
        } else if kind.is_file() && name != "lock" && !name.starts_with('.') {
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            let shown = bytes <= LARGEST && self::kind(&name).is_some();
            files.push(RunFile { name, bytes, shown });
        }
    }
    (files, below)
}
