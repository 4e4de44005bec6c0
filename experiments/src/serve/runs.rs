//! The runs below a directory, and their files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use resonetics_runs::files;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;

use super::answer::{HTML, alone, json as answer, of_kind, refused};
use super::ends::regular;
use super::row::{Known, Row};

/// How deep runs may lie in folders of several.
const DEPTH: usize = 3;
/// What makes a folder a run.
const RECORD: &str = "run.json";
/// Larger files are not shown in a browser.
const LARGEST: u64 = 32_000_000;

/// The runs below a directory, and what is known of them.
pub(super) struct Runs {
    dir: PathBuf,
    /// Who holds it looks for them.
    listed: Arc<Mutex<Listed>>,
}

impl Runs {
    /// Those below `dir`.
    pub(super) fn below(dir: PathBuf) -> Arc<Runs> {
        Arc::new(Runs { dir, listed: Arc::default() })
    }
}

/// What is known of each run that has been listed, by its name.
type Listed = HashMap<String, Known>;

/// A run with its files.
#[derive(Serialize)]
pub(super) struct Run {
    #[serde(flatten)]
    row: Row,
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

/// All runs, a row each. What has not changed since the last time is not read again.
pub(super) async fn list(State(runs): State<Arc<Runs>>) -> Response {
    let mut listed = Arc::clone(&runs.listed).lock_owned().await;
    let dir = runs.dir.clone();
    let found = tokio::task::spawn_blocking(move || rows(&dir, &mut listed)).await;
    match found {
        Ok(rows) => answer(&json!({"dir": runs.dir.display().to_string(), "runs": rows})),
        Err(problem) => {
            refused(StatusCode::INTERNAL_SERVER_ERROR, format!("the list was cut short: {problem}\n"))
        }
    }
}

/// Only what [`list`] lists has a name here: a path that leads elsewhere is nobody's.
pub(super) async fn file(
    State(runs): State<Arc<Runs>>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return refused(StatusCode::BAD_REQUEST, "give run and name, as /runs lists them\n".to_owned());
    };
    let found = tokio::task::spawn_blocking(move || {
        let folder = find(&runs.dir, &asked.run)?;
        let file = files(&folder).into_iter().find(|file| file.name == asked.name && file.shown)?;
        let kind = kind(&file.name)?;
        Some((kind, files::read(&folder.join(&file.name), LARGEST).ok()?))
    });
    match found.await.ok().flatten() {
        Some((HTML, bytes)) => alone(bytes),
        Some((kind, bytes)) => of_kind(kind, bytes),
        None => refused(StatusCode::NOT_FOUND, "no such file of a run; see /runs\n".to_owned()),
    }
}

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

/// A row for each run below `dir`, sorted by name; what cannot be read is left out.
fn rows(dir: &Path, listed: &mut Listed) -> Vec<Row> {
    let mut names = Vec::new();
    search(dir, "", DEPTH, &mut names);
    names.sort();
    let mut now = Listed::with_capacity(names.len());
    let rows = names.into_iter().map(|name| {
        let known = Known::of(&dir.join(&name), &name, listed.remove(&name));
        let row = known.row();
        now.insert(name, known);
        row
    });
    let rows = rows.collect();
    // Those that have gone are forgotten.
    *listed = now;
    rows
}

/// The folder of the run of this name below `dir`: a name that [`list`] would list, each part of it a folder
/// and no link.
pub(super) fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let mut path = dir.to_path_buf();
    for (depth, part) in name.split('/').enumerate() {
        path.push(part);
        if depth == DEPTH || !is_listed(part) || !path.symlink_metadata().ok()?.is_dir() {
            return None;
        }
    }
    regular(&path.join(RECORD)).map(|_| path)
}

/// What the page says of the run in `folder`.
pub(super) fn described(folder: &Path, name: &str) -> Run {
    Run { row: Known::of(folder, name, None).row(), files: files(folder) }
}

/// `name` as it stands behind a question mark.
pub(super) fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let each = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(each).collect()
}

/// Whether a folder of this name is looked into: those that are hidden hold what is nobody's run.
fn is_listed(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// The names of the runs in `dir`, which is called `name` itself.
fn search(dir: &Path, name: &str, depth: usize, found: &mut Vec<String>) {
    let mut is_run = false;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // Of the entry itself, not of what a link leads to.
        let (Ok(kind), Ok(inner)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        if kind.is_file() {
            is_run |= inner == RECORD;
        } else if kind.is_dir() && depth > 0 && is_listed(&inner) {
            let path = dir.join(&inner);
            let name = if name.is_empty() { inner } else { format!("{name}/{inner}") };
            search(&path, &name, depth - 1, found);
        }
    }
    if is_run && !name.is_empty() {
        found.push(name.to_owned());
    }
}

/// The files of a run and of the folders in it, its own first. What is in a run of its own is listed there.
fn files(folder: &Path) -> Vec<RunFile> {
    let (mut files, below) = entries(folder);
    for inner in below {
        let (others, _) = entries(&folder.join(&inner));
        if others.iter().all(|file| file.name != RECORD) {
            let others = others.into_iter();
            files.extend(others.map(|file| RunFile { name: format!("{inner}/{}", file.name), ..file }));
        }
    }
    files.sort_by(|a, b| (a.name.contains('/'), &a.name).cmp(&(b.name.contains('/'), &b.name)));
    files
}

/// The files of a folder, but the lock and those that are being written, and the folders in it. Links lead
/// nowhere.
fn entries(dir: &Path) -> (Vec<RunFile>, Vec<String>) {
    let (mut files, mut below) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
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
