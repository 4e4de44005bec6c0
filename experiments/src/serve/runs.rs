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
use crate::inputs::of_run;

/// How deep runs may lie in folders of several.
const DEPTH: usize = 3;
/// Larger files are not shown in a browser.
const LARGEST: u64 = 32_000_000;

/// A run as the page lists it.
#[derive(Serialize)]
pub(super) struct Run {
    /// Its path below the directory, by `/`.
    pub(super) name: String,
    command: Value,
    seed: Value,
    started_at: Value,
    status: Value,
    /// Whether there is something to report.
    reported: bool,
    files: Vec<RunFile>,
}

#[derive(Serialize)]
struct RunFile {
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
        Some((kind, fs::read(shared.dir.join(&run.name).join(&file.name)).ok()?))
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
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut files = Vec::new();
    for entry in entries.flatten() {
        // Of the entry itself: a link leads nowhere.
        let (Ok(kind), Ok(below)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        if kind.is_dir() && depth > 0 {
            let name = if name.is_empty() { below } else { format!("{name}/{below}") };
            search(&entry.path(), &name, depth - 1, found);
        } else if kind.is_file() {
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            let shown = bytes <= LARGEST && self::kind(&below).is_some();
            files.push(RunFile { name: below, bytes, shown });
        }
    }
    let record = fs::read(dir.join("run.json")).ok();
    let record: Option<Value> = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let (Some(record), false) = (record, name.is_empty()) else { return };
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let [command, seed, started_at, status] =
        ["command", "seed", "started_at", "status"].map(|key| record.get(key).cloned().unwrap_or_default());
    let reported = of_run(dir).is_ok_and(|files| !files.is_empty());
    found.push(Run { name: name.to_owned(), command, seed, started_at, status, reported, files });
}
