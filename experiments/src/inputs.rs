//! What `analyze` and `report` are pointed at: files, run directories, folders of runs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use resonetics_analysis::read::Kind;
use resonetics_analysis::report::{Cell, Run, Table};
use serde_json::Value;

use crate::failure::{self, Failure};
use crate::setup::read;

/// A file to be read and the run that it comes from.
#[derive(Clone, Debug)]
pub struct Input {
    pub path: PathBuf,
    /// Index into [`Inputs::runs`].
    pub run: usize,
    /// What the report calls it: the run's name, with the garden's number where a run has several.
    pub name: String,
}

/// Everything that is to be looked at.
#[derive(Debug, Default)]
pub struct Inputs {
    pub files: Vec<Input>,
    pub runs: Vec<Run>,
    /// Folder of each run.
    folders: Vec<PathBuf>,
    pub notes: Vec<String>,
}

const KINDS: [Kind; 5] = [Kind::Garden, Kind::Episodes, Kind::Training, Kind::Drift, Kind::Lifetimes];

impl Inputs {
    /// Finds the files below `paths`; `only_runs` refuses what is no run directory.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a path that is not there or holds nothing that can be read.
    pub fn find(paths: &[PathBuf], only_runs: bool) -> Result<Inputs, Failure> {
        let mut inputs = Inputs::default();
        let mut seen = BTreeSet::new();
        for path in paths {
            let canonical = fs::canonicalize(path).map_err(failure::io("read", path))?;
            if only_runs && !path.join("run.json").is_file() {
                return Err(Failure::Usage(format!(
                    "{} is no run directory: it holds no run.json; `resonetics analyze` also takes files and folders of runs",
                    path.display()
                )));
            }
            if !seen.insert(canonical) {
                continue;
            }
            if path.is_dir() {
                inputs.add_folder(path)?;
            } else if sums_up(path) && !of_run(folder_of(path))?.is_empty() {
                let folder = folder_of(path);
                inputs.notes.push(format!(
                    "{} sums up: the rows behind it are read instead, all there are in {}",
                    path.display(),
                    folder.display()
                ));
                inputs.add_folder(folder)?;
            } else {
                inputs.add_file(path)?;
            }
        }
        inputs.rename();
        Ok(inputs)
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Failure> {
        let folder = folder_of(path);
        let numbered = folder.file_name().is_some_and(is_numbered);
        // `gardener --runs` keeps config.toml one folder up.
        let above = folder.parent().filter(|above| numbered && above.join("config.toml").is_file());
        self.push(path, above.unwrap_or(folder))
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), Failure> {
        let before = self.files.len();
        for path in of_run(folder)? {
            self.push(&path, folder)?;
        }
        if !folder.join("run.json").is_file() {
            for below in children(folder)? {
                if below.join("run.json").is_file() {
                    let paths = of_run(&below)?;
                    // Reports stand beside the runs that they are of.
                    if paths.is_empty() && !below.join("report.html").is_file() {
                        self.notes.push(format!("{} holds nothing to analyze: left out", below.display()));
                    }
                    for path in paths {
                        self.push(&path, &below)?;
                    }
                }
            }
        }
        if self.files.len() == before {
            return Err(Failure::Usage(format!(
                "{} holds nothing to analyze; these are read, there or in the runs below: {}",
                folder.display(),
                KINDS.map(Kind::file).join(", ")
            )));
        }
        Ok(())
    }

    /// Adds a file, once.
    fn push(&mut self, path: &Path, folder: &Path) -> Result<(), Failure> {
        if self.files.iter().any(|known| known.path == path) {
            return Ok(());
        }
        let known = self.folders.iter().position(|known| known == folder);
        let run = known.unwrap_or(self.runs.len());
        if known.is_none() {
            self.runs.push(described(folder)?);
            self.folders.push(folder.to_path_buf());
        }
        self.files.push(Input { path: path.to_path_buf(), run, name: String::new() });
        Ok(())
    }

    /// Names runs by their folders, with as much of the path as tells them apart, and files by runs.
    fn rename(&mut self) {
        let plain = |folder: &Path| {
            let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
            whole
                .file_name()
                .map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned())
        };
        let names: Vec<String> = self.folders.iter().map(|folder| plain(folder)).collect();
        for (run, name) in names.iter().enumerate() {
            let unique = names.iter().filter(|other| *other == name).count() == 1;
            self.runs[run].name = if unique { name.clone() } else { self.folders[run].display().to_string() };
        }
        let files = self.files.clone();
        for file in &mut self.files {
            let run = &self.runs[file.run].name;
            let mates = files
                .iter()
                .filter(|other| other.run == file.run && other.path.file_name() == file.path.file_name());
            let parent = file.path.parent().and_then(Path::file_name);
            let number = parent.filter(|name| is_numbered(name) && *name != OsStr::new(run));
            file.name = match number {
                Some(number) => format!("{run}, {}", number.to_string_lossy()),
                None if mates.count() > 1 || self.runs[file.run].config.is_empty() => file
                    .path
                    .file_name()
                    .map_or_else(|| run.clone(), |name| name.to_string_lossy().into_owned()),
                None => run.clone(),
            };
        }
    }

    /// The settings in which the runs of `files` differ, seeds apart, as `key=value` for each run that has
    /// a config.toml; runs with the same text are of one group. Runs that differ in nothing share their
    /// common name.
    pub fn group(&self, run: usize, among: &[usize]) -> String {
        let keys = differing(among.iter().map(|&run| &self.runs[run]));
        let settings = flattened(&self.runs[run].config);
        let told: Vec<String> = keys
            .iter()
            .filter(|key| key.as_str() != "seed")
            .map(|key| format!("{key}={}", settings.get(key).map_or("–", String::as_str)))
            .collect();
        let alone = among
            .iter()
            .filter(|&&other| flattened_but_seed(&self.runs[other]) == flattened_but_seed(&self.runs[run]))
            .count()
            == 1;
        if self.runs[run].config.is_empty() || told.len() > 3 || (told.is_empty() && alone) {
            return self.runs[run].name.clone();
        }
        if told.is_empty() { format!("{} runs", among.len()) } else { told.join(", ") }
    }

    /// The settings in which runs of the same command differ: a table a command, a row a setting.
    pub fn differences(&self) -> Vec<Table> {
        let mut of_command: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| !run.config.is_empty()) {
            let command = flattened(&run.config).remove("command").unwrap_or_default();
            of_command.entry(command).or_default().push(run);
        }
        of_command.iter().filter_map(|(command, runs)| differences(command, runs)).collect()
    }
}

fn differences(command: &str, runs: &[&Run]) -> Option<Table> {
    let names: Vec<&str> = ["setting"].into_iter().chain(runs.iter().map(|run| run.name.as_str())).collect();
    let mut table = Table::new(format!("Settings in which the runs of {command} differ"), &names);
    let settings: Vec<_> = runs.iter().map(|run| flattened(&run.config)).collect();
    for key in differing(runs.iter().copied()) {
        let value =
            |settings: &BTreeMap<String, String>| Cell::text(settings.get(&key).map_or("–", String::as_str));
        table.rows.push([Cell::text(&key)].into_iter().chain(settings.iter().map(value)).collect());
    }
    (!table.rows.is_empty()).then_some(table)
}

/// The keys of the settings that are not the same in all `runs`.
fn differing<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<String> {
    let all: Vec<_> = runs.filter(|run| !run.config.is_empty()).map(|run| flattened(&run.config)).collect();
    let keys: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let differs = |key: &&&String| all.iter().any(|settings| settings.get(**key) != all[0].get(**key));
    keys.iter().filter(differs).map(|key| (*key).clone()).collect()
}

/// A config.toml as dotted keys and values.
fn flattened(config: &str) -> BTreeMap<String, String> {
    fn add(prefix: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
        if let toml::Value::Table(table) = value {
            for (key, value) in table {
                let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                add(&dotted, value, into);
            }
        } else {
            into.insert(prefix.to_owned(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    let mut settings = BTreeMap::new();
    if let Ok(table) = config.parse::<toml::Table>() {
        add("", &toml::Value::Table(table), &mut settings);
    }
    settings
}

/// As [`flattened`], without the seed.
fn flattened_but_seed(run: &Run) -> BTreeMap<String, String> {
    let mut settings = flattened(&run.config);
    settings.remove("seed");
    settings
}

/// Whether a file has the name of those that sum up what another of the same run holds row by row.
fn sums_up(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    matches!(name, Some("benchmark.csv" | "summary.csv" | "survival.csv"))
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
pub fn of_run(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found: Vec<PathBuf> =
        KINDS.iter().map(|kind| folder.join(kind.file())).filter(|path| path.is_file()).collect();
    for below in children(folder)? {
        let path = below.join(Kind::Garden.file());
        if below.file_name().is_some_and(is_numbered) && path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

/// The folders in `folder`, sorted.
fn children(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(failure::io("read", folder))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failure::io("read", folder))?;
    paths.retain(|path| path.is_dir());
    paths.sort();
    Ok(paths)
}

/// What config.toml and run.json in `folder` say; empty where they are not there.
fn described(folder: &Path) -> Result<Run, Failure> {
    let text = |name: &str| {
        let path = folder.join(name);
        if path.is_file() { read(&path) } else { Ok(String::new()) }
    };
    let (config, record) = (text("config.toml")?, text("run.json")?);
    let record: Value = serde_json::from_str(&record).unwrap_or_default();
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
    let (started_at, status) = (word(&record["started_at"]), word(&record["status"]));
    Ok(Run { name: String::new(), command, made_by, started_at, status, config })
}

/// `resonetics` with `arguments` as they are typed into a shell.
pub fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    let quoted = |argument: String| {
        if !argument.is_empty() && argument.chars().all(plain) {
            argument
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    };
    ["resonetics".to_owned()].into_iter().chain(arguments.map(quoted)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(configs: &[&str]) -> Inputs {
        let run = |(number, config): (usize, &&str)| Run {
            name: format!("r{number}"),
            config: (*config).to_owned(),
            ..Run::default()
        };
        Inputs { runs: configs.iter().enumerate().map(run).collect(), ..Inputs::default() }
    }

    #[test]
    fn a_group_is_told_by_what_differs_beside_the_seed() {
        let one = "seed = 1\n[env.settings]\nx = 1\n";
        let other = "seed = 2\n[env.settings]\nx = 2\n";
        let three = inputs(&[one, &one.replace("seed = 1", "seed = 9"), other]);
        let all = [0, 1, 2];
        assert_eq!(three.group(0, &all), "env.settings.x=1");
        assert_eq!(three.group(1, &all), "env.settings.x=1");
        assert_eq!(three.group(2, &all), "env.settings.x=2");
        assert_eq!(three.group(0, &[0]), "r0");
        assert_eq!(three.group(0, &[0, 1]), "2 runs");
        let table = &three.differences()[0];
        assert_eq!(
            table.rows.iter().map(|row| row[0].text.as_str()).collect::<Vec<_>>(),
            ["env.settings.x", "seed"]
        );
    }

    #[test]
    fn a_command_can_be_typed_again() {
        let words = ["train", "--set", "a=1", "my runs/x", "it's"].map(str::to_owned);
        assert_eq!(command_line(words.into_iter()), r"resonetics train --set a=1 'my runs/x' 'it'\''s'");
    }
}
