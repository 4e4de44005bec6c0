//! `rerun`: a run repeated from its config.toml, and whether the CSV files are the same.

use std::path::{Path, PathBuf};

use super::{Context, Plan};
use crate::cli::RerunArgs;
use crate::failure::{self, Failure};
use crate::files;
use crate::out::say;
use crate::setup::read;

pub fn run(args: &RerunArgs, context: Context) -> Result<(), Failure> {
    let config = args.run.join("config.toml");
    let text = read(&config)?;
    let plan = Plan::parse(&text)
        .and_then(|plan| plan.check().map(|()| plan).map_err(|failure| failure.to_string()))
        .map_err(|problem| Failure::Usage(format!("cannot repeat {}: {problem}", config.display())))?;
    let before = csv_files(&args.run)?;
    if before.is_empty() {
        return Err(Failure::Failed(format!("{} holds no CSV file to compare", args.run.display())));
    }
    let again = plan.start(args.out.out.as_deref(), context)?;
    let after = csv_files(&again)?;
    let mut differing = Vec::new();
    for name in before.iter().chain(after.iter().filter(|name| !before.contains(name))) {
        let verdict = if !before.contains(name) {
            "DIFFERENT (it was missing)"
        } else if !after.contains(name) {
            "DIFFERENT (it is missing now)"
        } else if files::same(&args.run.join(name), &again.join(name))? {
            "identical"
        } else {
            "DIFFERENT"
        };
        say(format_args!("{}: {verdict}", name.display()))?;
        if verdict != "identical" {
            differing.push(name.display().to_string());
        }
    }
    if differing.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "the runs differ in {}: see version and commit in both run.json, or whether a file was edited or cut",
        differing.join(", ")
    )))
}

/// The CSV files of a run, relative to it, sorted; and trace.json, which a recording consists of.
fn csv_files(run: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = run.join(&folder);
        for entry in std::fs::read_dir(&here).map_err(failure::io("read", &here))? {
            let entry = entry.map_err(failure::io("read", &here))?;
            let name = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(name);
            } else if name.extension().is_some_and(|extension| extension == "csv")
                || name.ends_with("trace.json")
            {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}
