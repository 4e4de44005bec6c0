//! `study`: a question that many runs answer together.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use resonetics_analysis::report::counted;
use resonetics_runs::error::io;
use resonetics_runs::files::{CsvFile, cell, text, write_atomic, write_new};
use resonetics_runs::plan::range::{EPISODES, RUNS, TRAINING_STEPS};
use resonetics_runs::{Error, claim};
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::typed::whole;
use crate::out::say;
use crate::progress::Bar;
use crate::study::all::{ALL, named};
use crate::study::cell::{Cell, Measure, Size, Study, Unit, answers};
use crate::study::python;
use crate::study::summary;
use crate::study::work::{weight, work};

/// What a study's folder says of itself: it goes on with this alone.
const FILE: &str = "study.toml";

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    study: String,
    #[serde(flatten)]
    size: Size,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["name", "list"]))]
pub struct StudyArgs {
    /// The study, one of those that --list names
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// List the studies with what they cost
    #[arg(long)]
    pub list: bool,
    /// Training seeds [default: as the study has it]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(RUNS))]
    pub seeds: Option<u32>,
    /// Steps of each training [default: as the study has it]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(TRAINING_STEPS))]
    pub steps: Option<u64>,
    /// Episodes of whatever is measured [default: as the study has it]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(EPISODES))]
    pub episodes: Option<u32>,
    /// Python with stable-baselines3, for the study sb3 [default: python3]
    #[arg(long, value_name = "PROGRAM")]
    pub python: Option<PathBuf>,
    /// Folder of the study, new, empty, or that of a stopped study, which goes on [default: runs/study-NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &StudyArgs, context: Context) -> Result<(), Error> {
    let size = |study: &Study| Size {
        seeds: args.seeds.unwrap_or(study.size.seeds),
        steps: args.steps.unwrap_or(study.size.steps),
        episodes: args.episodes.unwrap_or(study.size.episodes),
    };
    let Some(name) = &args.name else {
        return ALL.iter().try_for_each(|study| listed(study, size(study)));
    };
    let study = named(name)?;
    let size = size(study);
    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(format!("study-{name}")));
    let mut cells = (study.cells)(&dir, size);
    let python = args.python.clone().unwrap_or_else(|| PathBuf::from(python::USUAL));
    let skipped = skipped(study, &mut cells, args.python.is_some(), &python)?;
    let _held = opened(&dir, &Described { study: name.clone(), size })?;
    if cells.iter().any(|cell| cell.python) {
        python::provide(&dir)?;
    }
    let bar = Bar::new(cells.iter().map(weight).sum(), "core seconds", context.quiet);
    let worked = work(&dir, &cells, &python, context.threads, &bar);
    bar.finish();
    worked?;
    told(study, &dir, size, skipped)?;
    if !context.quiet {
        say(format_args!("wrote {}", dir.display()))?;
    }
    Ok(())
}

/// Leaves the cells for Python out where `python` does not have what they need, and says so: `chosen` is whether somebody
/// asked for this one.
fn skipped(
    study: &Study,
    cells: &mut Vec<Cell>,
    chosen: bool,
    python: &Path,
) -> Result<Option<String>, Error> {
    if !cells.iter().any(|cell| cell.python) {
        let refused = format!("--python: no run of the study {} needs it", study.name);
        return if chosen { Err(Error::Refused(refused)) } else { Ok(None) };
    }
    match python::ready(python) {
        Ok(()) => Ok(None),
        Err(problem) if chosen => Err(Error::Refused(format!("--python: {problem}"))),
        Err(problem) => {
            cells.retain(|cell| !cell.python);
            Ok(Some(format!("Skipped: what Python is needed for. {problem}.")))
        }
    }
}

/// A study in the list, with what it costs.
fn listed(study: &Study, size: Size) -> Result<(), Error> {
    let cells = (study.cells)(Path::new("runs"), size);
    let steps: u64 = cells.iter().map(|cell| cell.steps).sum();
    let minutes = cells.iter().map(|cell: &Cell| cell.seconds).sum::<f64>() / 2.0 / 60.0;
    say(format_args!(
        "{}: {}\n    {} runs, {:.1} million steps, about {} on two cores",
        study.name,
        study.question,
        cells.len(),
        steps as f64 / 1e6,
        counted(minutes.ceil() as u64, "minute", "minutes")
    ))
}

/// Makes the folder of a study, or takes the one in which it was begun, and holds off others until it is dropped.
fn opened(dir: &Path, described: &Described) -> Result<File, Error> {
    let path = dir.join(FILE);
    if path.is_file() {
        let found: Described = toml::from_str(&text(&path)?)
            .map_err(|problem| Error::Refused(format!("{}: {}", path.display(), problem.message())))?;
        if found != *described {
            let Described { study, size: Size { seeds, steps, episodes } } = found;
            return Err(Error::Refused(format!(
                "{} holds the study {study} with --seeds {seeds} --steps {steps} --episodes {episodes}: go on with these, or choose another --out",
                dir.display()
            )));
        }
    } else {
        claim::claim(Some(dir), "study")?;
        let words = toml::to_string(described)
            .map_err(|error| Error::Failed(format!("cannot write the settings as TOML: {error}")))?;
        write_new(&path, words.as_bytes())?;
    }
    // For writing, or NFS would refuse the lock.
    let file = File::options().append(true).open(&path).map_err(io("open", &path))?;
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => {
            let wait = "wait for it, or stop it, and try again";
            Err(Error::Refused(format!("another process works on the study in {}: {wait}", dir.display())))
        }
        // A file system without locks holds nobody off.
        _ => Ok(file),
    }
}

/// Writes the tables of a study that is finished and says what they answer.
fn told(study: &Study, dir: &Path, size: Size, skipped: Option<String>) -> Result<(), Error> {
    let values = study.values.map_or(Ok(Vec::new()), |values| values(dir, size))?;
    let rows = summary::rows(&values, study.measures.len());
    let mut said = match study.report {
        Some(cell) => answers(dir, cell)?,
        None => Vec::new(),
    };
    said.extend(summary::answers(&rows, study.measures));
    said.extend(skipped);
    let mut text = format!("{}\n\n", study.question);
    if !rows.is_empty() {
        written(dir, &values, &rows, study.measures)?;
        text += &summary::table(&rows, study.measures).text();
        text += "\n";
    }
    text += &said.join("\n");
    text += "\n";
    write_atomic(&dir.join("answers.txt"), text.as_bytes())?;
    say(format_args!("{}", text.trim_end()))
}

/// values.csv, a row a unit and measure, and summary.csv.
fn written(dir: &Path, values: &[Unit], rows: &[summary::Row], measures: &[Measure]) -> Result<(), Error> {
    // A study that was finished before writes the same again.
    for name in ["values.csv", "summary.csv"] {
        let path = dir.join(name);
        if path.is_file() {
            std::fs::remove_file(&path).map_err(io("replace", &path))?;
        }
    }
    let mut csv =
        CsvFile::create(&dir.join("values.csv"), &["group", "variant", "seed", "measure", "value"])?;
    for value in values {
        let Unit { group, variant, seed, measure, value } = value;
        csv.row([group, variant, &seed.to_string(), measures[*measure].name, &value.to_string()])?;
    }
    csv.finish()?;
    let mut csv = CsvFile::create(&dir.join("summary.csv"), &summary::COLUMNS)?;
    for row in rows {
        let ends = |interval: Option<resonetics_analysis::stats::Interval>| {
            [cell(interval.map(|ends| ends.low)), cell(interval.map(|ends| ends.high))]
        };
        let ([low, high], [from, to]) = (ends(row.interval), ends(row.difference_interval));
        let (measure, units) = (measures[row.measure].name.to_owned(), row.units.to_string());
        let (mean, difference) = (cell(row.mean), cell(row.difference));
        let (group, variant) = (row.group.clone(), row.variant.clone());
        csv.row([group, variant, measure, units, mean, low, high, difference, from, to])?;
    }
    csv.finish()
}
