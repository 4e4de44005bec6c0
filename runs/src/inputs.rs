//! What `analyze` and `report` are pointed at: files, run directories, folders of runs.

mod filled;
mod groups;
mod settings;
pub mod told;
pub mod trained;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use resonetics_analysis::evaluations;
use resonetics_analysis::read::{Kind, ReadError, Table, open};
use resonetics_analysis::report::Run;
use serde_json::Value;

use self::settings::{Planned, Reader, Settings};
use crate::error::{self, Error};
use crate::files::text;
use crate::interrupt;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::run_dir::ended;
use crate::shell::command_line;
use crate::sweep::CELLS;

/// A file to be read and the run that it comes from.
#[derive(Clone, Debug)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// Index into [`Inputs::runs`].
    pub run: usize,
    /// What the report calls it: the run's name, with the garden's number where a run has several.
    pub name: String,
    /// Whether the file itself was typed, not a folder that holds it: then it must not be left out.
    pub typed: bool,
}

/// Everything that is to be looked at.
#[derive(Default)]
pub struct Inputs {
    /// The files, in the order in which they were found.
    pub files: Vec<Input>,
    /// The runs that they are of.
    pub runs: Vec<Run>,
    /// Folder of each run.
    folders: Vec<PathBuf>,
    /// Which run is in a folder.
    places: HashMap<PathBuf, usize>,
    /// What the config.toml of each run plans and says; read once, however many ask.
    plans: Vec<Planned>,
    settings: Vec<Settings>,
    /// What [`trained::agent_identity`] says of the folders that were asked for.
    trainings: RefCell<HashMap<PathBuf, Option<String>>>,
    /// What is in `files`, with no links: a file is read once.
    known: HashSet<PathBuf>,
    /// What there is to say of files that were left out or are not whole.
    pub notes: Vec<String>,
    /// Ticked file by file, where somebody waits.
    pub progress: Option<Box<dyn Progress>>,
    /// Cells of the gardens that have no config.toml, where the user says so.
    pub cells: Option<u64>,
}

/// The names of the files that are read.
const NAMES: [&str; 7] = [
    Kind::Garden.file(),
    Kind::Episodes.file(),
    Kind::Training.file(),
    Kind::Drift.file(),
    Kind::Lifetimes.file(),
    Kind::Doses.file(),
    evaluations::FILE,
];

/// How the note on a file begins that was left out because of what is in it.
pub const REFUSED: &str = "cannot be read and is left out: ";

/// How deep runs are looked for.
const DEPTH: usize = 4;

/// Folders of a run that hold no rows.
const PASSED_OVER: [&str; 2] = ["checkpoints", "figures"];

impl Inputs {
    /// Finds the files below `paths`; `only_runs` refuses what is no run directory. What holds nothing
    /// is noted.
    ///
    /// # Errors
    /// [`Error::Refused`] for a path that is not there, and if there is nothing at all to be read.
    pub fn find(paths: &[PathBuf], only_runs: bool) -> Result<Inputs, Error> {
        let mut inputs = Inputs::default();
        for path in paths {
            fs::canonicalize(path).map_err(error::io("read", path))?;
            if only_runs && !path.join("run.json").is_file() {
                return Err(Error::Refused(format!(
                    "{} is not a run directory: it holds no run.json; `resonetics analyze` also takes files and folders of runs",
                    path.display()
                )));
            }
            let folder = if path.is_dir() {
                path
            } else if sums_up(path) && !of_run(folder_of(path))?.is_empty() {
                inputs.notes.push(format!(
                    "{} is a summary: all rows behind it in {} are read instead",
                    path.display(),
                    folder_of(path).display()
                ));
                folder_of(path)
            } else {
                inputs.add_file(path, paths.len() == 1)?;
                continue;
            };
            let noted = inputs.notes.len();
            // What was left out has been said.
            if !inputs.add_folder(folder, DEPTH)?
                && !folder.join("run.json").is_file()
                && inputs.notes.len() == noted
            {
                inputs.notes.push(nothing_in(folder));
            }
        }
        if inputs.files.is_empty() {
            return Err(Error::Refused(format!(
                "{}; these are read, there or in the folders below: {}",
                first_of(&inputs.notes, 8),
                NAMES.join(", ")
            )));
        }
        inputs.rename();
        inputs.read_settings()?;
        Ok(inputs)
    }

    /// What the config.toml of a run plans, or why it plans nothing; `None` where there is none.
    pub fn plan(&self, run: usize) -> Option<Result<&Plan, &str>> {
        self.plans[run].as_ref().map(|plan| plan.as_ref().map_err(String::as_str))
    }

    /// What the config.toml of a run says of `key`, whether or not it plans anything.
    pub fn setting(&self, run: usize, key: &str) -> Option<&str> {
        self.settings[run].get(key).map(|value| &**value)
    }

    /// The world in which a run tried several doses, as text that is the same for the same world: its settings without
    /// the dose. Of a run whose settings are not known, its number.
    pub fn world_at_doses(&self, run: usize) -> String {
        let dose = self.setting(run, "dose").unwrap_or_default();
        let is_dose = |key: &str| !dose.is_empty() && key.ends_with(dose);
        let of_world =
            |key: &str| key == "life" || key == "dose" || (key.starts_with("env.") && !is_dose(key));
        let settings = self.settings[run].iter().filter(|(key, _)| of_world(key));
        let lines: Vec<String> = settings.map(|(key, value)| format!("{key}={value}")).collect();
        if lines.is_empty() { run.to_string() } else { lines.join("\n") }
    }

    fn read_settings(&mut self) -> Result<(), Error> {
        let mut reader = Reader::default();
        for run in &self.runs {
            interrupt::check()?;
            let (plan, settings) = reader.read(&run.config);
            if !reader.lacking.is_empty() {
                self.notes.push(format!(
                    "{}: its config.toml lacks {}, for which the program's defaults are used",
                    run.name,
                    reader.lacking.join(", ")
                ));
            }
            self.plans.push(plan);
            self.settings.push(settings);
        }
        Ok(())
    }

    /// Adds the file that was named: one that is no table is left out if others were named too, as `*`
    /// does.
    fn add_file(&mut self, path: &Path, alone: bool) -> Result<(), Error> {
        let table = ["csv", "json"].iter().any(|extension| has_extension(path, extension));
        if !alone
            && !table
            && let Err(problem) = opened(path)
        {
            self.notes.push(format!("left out: {problem}"));
            return Ok(());
        }
        let folder = folder_of(path);
        let numbered = folder.file_name().is_some_and(is_numbered);
        // `gardener --runs` keeps config.toml one folder up.
        let is_part = numbered && !folder.join("config.toml").is_file();
        let above = folder.parent().filter(|above| is_part && above.join("config.toml").is_file());
        self.push(path, above.unwrap_or(folder), true)
    }

    /// Adds the run in `folder` or, if there is none, its files and what is in the folders below; whether
    /// there is anything.
    fn add_folder(&mut self, folder: &Path, depth: usize) -> Result<bool, Error> {
        interrupt::check()?;
        let rows = of_run(folder)?;
        let mut found = !rows.is_empty();
        for path in &rows {
            self.push(path, folder, false)?;
        }
        if folder.join("run.json").is_file() {
            let cells = folder.join(CELLS);
            if depth > 0 && cells.is_dir() {
                return Ok(found | self.add_folder(&cells, depth - 1)?);
            }
            // Reports stand beside the runs that they are of.
            if !found && !folder.join("report.html").is_file() {
                self.notes.push(nothing_in(folder));
            }
            return Ok(found);
        }
        found |= self.add_unnamed(folder, found)?;
        for below in entries(folder)?.into_iter().filter(|below| depth > 0 && below.is_dir()) {
            let name = below.file_name().and_then(OsStr::to_str).unwrap_or_default();
            // What could not go on was put aside.
            let aside = name.contains(".before-");
            if !name.starts_with('.') && !aside && !PASSED_OVER.contains(&name) {
                found |= self.add_folder(&below, depth - 1)?;
            }
        }
        Ok(found)
    }

    /// Adds the CSV files of `folder` that have another name and a header that is known; whether there
    /// are any.
    fn add_unnamed(&mut self, folder: &Path, has_rows: bool) -> Result<bool, Error> {
        let csv = |path: &PathBuf| (has_extension(path, "csv") || is_packed(path)) && path.is_file();
        let named =
            |path: &Path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| NAMES.contains(&name));
        let (mut found, mut problems) = (false, Vec::new());
        for path in entries(folder)?.into_iter().filter(csv).filter(|path| !named(path)) {
            match opened(&path) {
                Ok(_) => {
                    self.push(&path, folder, false)?;
                    found = true;
                }
                Err(_) if has_rows && sums_up(&path) => {}
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        if let [first, others @ ..] = &problems[..] {
            let more = match others.len() {
                0 => String::new(),
                n => format!("; {n} more CSV files in {} too", folder.display()),
            };
            self.notes.push(format!("left out: {first}{more}"));
        }
        Ok(found)
    }

    /// Adds a file, once.
    fn push(&mut self, path: &Path, folder: &Path, typed: bool) -> Result<(), Error> {
        let whole = fs::canonicalize(path).map_err(error::io("read", path))?;
        if !self.known.insert(whole) {
            return Ok(());
        }
        let run = if let Some(&run) = self.places.get(folder) {
            run
        } else {
            let run = match described(folder, &mut self.notes) {
                Err(failure) if !typed => {
                    self.notes.push(format!("{REFUSED}{}: {failure}", path.display()));
                    return Ok(());
                }
                described => described?,
            };
            self.runs.push(run);
            self.folders.push(folder.to_path_buf());
            self.places.insert(folder.to_path_buf(), self.runs.len() - 1);
            self.runs.len() - 1
        };
        self.files.push(Input { path: path.to_path_buf(), run, name: String::new(), typed });
        Ok(())
    }

    /// Names runs by their folders, with as much of the path as tells them apart, and files by runs.
    fn rename(&mut self) {
        let plain = |folder: &PathBuf| {
            let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
            whole
                .file_name()
                .map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned())
        };
        let names: Vec<String> = self.folders.iter().map(plain).collect();
        let counts = counted(names.iter().cloned());
        for (run, name) in names.into_iter().enumerate() {
            let unique = counts[&name] == 1;
            self.runs[run].name = if unique { name } else { self.folders[run].display().to_string() };
        }
        let in_run = |file: &Input| (file.run, file.path.file_name().map(OsStr::to_owned));
        let mates: HashMap<(usize, Option<OsString>), usize> = counted(self.files.iter().map(in_run));
        for file in &mut self.files {
            let run = &self.runs[file.run];
            let parent = file.path.parent().and_then(Path::file_name);
            let number = parent.filter(|name| is_numbered(name) && *name != OsStr::new(&run.name));
            file.name = match number {
                Some(number) => format!("{}, {}", run.name, number.to_string_lossy()),
                None if mates[&in_run(file)] > 1 || run.config.is_empty() => file
                    .path
                    .file_name()
                    .map_or_else(|| run.name.clone(), |name| name.to_string_lossy().into_owned()),
                None => run.name.clone(),
            };
        }
        let counts = counted(self.files.iter().map(|file| file.name.clone()));
        for file in self.files.iter_mut().filter(|file| self.runs[file.run].config.is_empty()) {
            if counts[&file.name] > 1 {
                file.name = file.path.display().to_string();
            }
        }
    }
}

/// How often each of `things` is there.
fn counted<T: Eq + std::hash::Hash>(things: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for thing in things {
        *counts.entry(thing).or_default() += 1;
    }
    counts
}

/// `texts` in one line: the first `most` of them, and how many more there are.
pub fn first_of(texts: &[String], most: usize) -> String {
    let more = texts.len().saturating_sub(most);
    let shown = texts[..texts.len() - more].join("; ");
    if more == 0 { shown } else { format!("{shown}; and {more} more") }
}

/// Opens the file at `path`; what grows with the files goes through here, so that a test can count.
///
/// # Errors
/// Those of [`open`].
pub fn opened(path: &Path) -> Result<(Kind, Table), ReadError> {
    #[cfg(test)]
    counts::OPENED.with(|count| count.set(count.get() + 1));
    open(path)
}

/// Whether a file has the name of those that sum up what another of the same run holds row by row.
fn sums_up(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    matches!(
        name,
        Some("benchmark.csv" | "summary.csv" | "survival.csv" | "doses.csv" | "limits.csv" | "metrics.csv")
    )
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

fn is_numbered(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix("run-"));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The files of the run in `folder` that can be read, those of several gardens among them.
///
/// # Errors
/// That the folder cannot be read.
pub fn of_run(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found: Vec<PathBuf> =
        NAMES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect();
    // What an evaluation found is in its eval.json; its episodes are no benchmark beside it.
    if found.iter().any(|path| path.ends_with(evaluations::FILE)) && is_evaluation(folder) {
        found.retain(|path| !path.ends_with(Kind::Episodes.file()));
    }
    for below in entries(folder)? {
        let path = below.join(Kind::Garden.file());
        // With settings of its own it is another run.
        let is_part = below.file_name().is_some_and(is_numbered) && !below.join("config.toml").is_file();
        if is_part && path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Whether the run in `folder` is one of `eval`.
fn is_evaluation(folder: &Path) -> bool {
    text(&folder.join("config.toml")).is_ok_and(|text| text.lines().any(|line| line == "command = \"eval\""))
}

/// What is in `folder`, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(error::io("read", folder))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(error::io("read", folder))?;
    paths.sort();
    Ok(paths)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Whether a file has the name of a table that is packed or of another kind: it is opened to say so.
fn is_packed(path: &Path) -> bool {
    let of = |extensions: &[&str]| extensions.iter().any(|extension| has_extension(path, extension));
    let table = path.file_stem().is_some_and(|stem| has_extension(Path::new(stem), "csv"));
    table && of(&["gz", "xz", "zst", "bz2", "lz4", "zip", "7z"]) || of(&["parquet", "xlsx", "ods"])
}

/// That there is nothing in `folder`, and why, where its tables are packed.
fn nothing_in(folder: &Path) -> String {
    let mut packed = entries(folder).unwrap_or_default().into_iter().filter(|path| is_packed(path));
    let problem = packed.find_map(|path| opened(&path).err());
    let why = problem.map_or_else(String::new, |problem| format!(": {problem}"));
    let how = match ended(folder).as_deref() {
        Some(how @ ("killed" | "interrupted")) => format!(" was {how} and"),
        Some("failed") => " failed and".to_owned(),
        Some("running") => " is still running and so far".to_owned(),
        _ => String::new(),
    };
    format!("{}{how} holds nothing to analyze{why}", folder.display())
}

/// What config.toml and run.json in `folder` say; empty where they are not there. A run.json that cannot
/// be read is noted.
///
/// # Errors
/// That config.toml cannot be read: what the settings were is not guessed.
fn described(folder: &Path, notes: &mut Vec<String>) -> Result<Run, Error> {
    let (config, record) = (folder.join("config.toml"), folder.join("run.json"));
    let config = if config.is_file() { text(&config)? } else { String::new() };
    let mut told = Value::Null;
    if record.is_file() {
        let parsed = text(&record)
            .map_err(|problem| problem.to_string())
            .and_then(|json| serde_json::from_str(&json).map_err(|problem| problem.to_string()));
        match parsed {
            Ok(value) => told = value,
            Err(problem) => {
                notes.push(format!("{}: {problem}; what made this run is unknown", record.display()));
            }
        }
    }
    let record = told;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let arguments = record["arguments"].as_array().cloned().unwrap_or_default();
    let command = if arguments.is_empty() { String::new() } else { command_line(arguments.iter().map(word)) };
    let made_by = if record["version"].is_string() {
        format!(
            "resonetics {}, commit {}; {} on {}, {} threads",
            word(&record["version"]),
            word(&record["commit"]),
            word(&record["started_at"]),
            word(&record["host"]["cpu_model"]),
            record["threads"]
        )
    } else {
        String::new()
    };
    let (started_at, status) = (word(&record["started_at"]), ended(folder).unwrap_or_default());
    Ok(Run { name: String::new(), command, made_by, started_at, status, config })
}

/// What tests count: what grows with the runs must do so in proportion.
#[cfg(test)]
pub(crate) mod counts {
    use std::cell::Cell;

    thread_local! {
        pub static CONFIGS: Cell<usize> = const { Cell::new(0) };
        pub static OPENED: Cell<usize> = const { Cell::new(0) };
    }
}
