//! Windows of runs that are over: of their events where they were watched, else of the tables that they wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use resonetics_analysis::read::{Table, garden};
use resonetics_runs::error::{self, Error};
use resonetics_runs::files::{read, text};
use resonetics_runs::plan::Plan;

use crate::event::{FILE, Kind, Signals};
use crate::log::whole_events;
use crate::signals::entropy::Transitions;
use crate::signals::phase::Phase;
use crate::signals::residual;
use crate::signals::window::{Row, Shape, Windows};
use crate::source::drift;
use crate::source::training::{Numbers, Rows};

/// What one garden, cluster, training or drift experiment said until its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// `SOURCE` of its run.
    pub source: String,
    /// Its windows, by the clock at their ends.
    pub windows: Vec<(u64, Signals)>,
    /// The clock of its loss; none if it was not lost.
    pub lost: Option<u64>,
}

impl Unit {
    /// Its windows up to its loss.
    pub(super) fn before_loss(&self) -> impl Iterator<Item = &(u64, Signals)> {
        let end = self.lost.unwrap_or(u64::MAX);
        self.windows.iter().filter(move |(clock, _)| *clock <= end)
    }
}

/// The units of the runs at `path` and in the folders below it.
///
/// # Errors
/// [`Error::Unknown`] where there is no run to look at; what cannot be read, with the file and the line.
pub fn recorded(path: &Path) -> Result<Vec<Unit>, Error> {
    let mut units = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let mut inside: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(error::io("read", &folder))? {
            let path = entry.map_err(error::io("read", &folder))?.path();
            if path.is_dir() && !path.is_symlink() {
                inside.push(path);
            }
        }
        inside.sort();
        folders.extend(inside.into_iter().rev());
        units.extend(of_run(&folder)?);
    }
    if units.is_empty() {
        return Err(Error::Unknown(format!(
            "{} holds no run with signals: events.jsonl, training.csv, drift.csv or resonetics_data.csv",
            path.display()
        )));
    }
    Ok(units)
}

fn of_run(folder: &Path) -> Result<Vec<Unit>, Error> {
    let has = |name: &str| folder.join(name).is_file();
    if has(FILE) {
        of_events(&folder.join(FILE))
    } else if has("training.csv") {
        of_training(folder)
    } else if has("drift.csv") {
        of_drift(&folder.join("drift.csv"))
    } else if has("resonetics_data.csv") {
        of_garden(folder)
    } else {
        Ok(Vec::new())
    }
}

/// Units of the log at `path`: lanes where a source has several, else the source.
fn of_events(path: &Path) -> Result<Vec<Unit>, Error> {
    let events = whole_events(&read(path, u64::MAX)?)
        .map_err(|problem| Error::Refused(format!("{}: {problem}", path.display())))?;
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    for (event, _) in events {
        let mut words = event.entity_id.split('/');
        let source = words.nth(1).unwrap_or_default().to_owned();
        let unit =
            units.entry(event.entity_id).or_insert_with(|| Unit { source, windows: Vec::new(), lost: None });
        match (event.event_type, &event.signals, event.reason.as_deref()) {
            (Kind::Observe, Some(signals), _) => unit.windows.push((event.trace.clock, *signals)),
            (Kind::Decide, _, Some("lost")) | (Kind::Rollback, _, _) => {
                unit.lost.get_or_insert(event.trace.clock);
            }
            _ => {}
        }
    }
    // A source with lanes is told by them: `RUN/SOURCE/LANE`, and `RUN/SOURCE` or `RUN/SOURCE-1-64` of them together.
    let lanes: Vec<String> = units.keys().filter(|entity| entity.matches('/').count() > 1).cloned().collect();
    let with_lanes: Vec<&str> = lanes.iter().filter_map(|entity| entity.split('/').nth(1)).collect();
    let is_told = |entity: &str, unit: &Unit| {
        entity.matches('/').count() > 1
            || !with_lanes.iter().any(|source| {
                unit.source.strip_prefix(source).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            })
    };
    Ok(units.into_iter().filter(|(entity, unit)| is_told(entity, unit)).map(|(_, unit)| unit).collect())
}

fn of_training(folder: &Path) -> Result<Vec<Unit>, Error> {
    let Some(Plan::Train(plan)) = plan(folder)? else { return Ok(Vec::new()) };
    let mut rows = Rows::new(&plan);
    let numbers = Numbers::read(&folder.join("training.csv"))?;
    let rows = numbers.iter().filter_map(|numbers| rows.next(numbers)).map(|(row, _)| row);
    Ok(vec![unit("training", Shape::TRAINING, rows, None)])
}

fn of_drift(path: &Path) -> Result<Vec<Unit>, Error> {
    let mut rows = Vec::new();
    drift::read(path, &mut drift::Rows::default(), |row, _| rows.push(row))?;
    Ok(vec![unit("drift", Shape::DRIFT, rows.into_iter(), None)])
}

/// The table says nothing of what control imposed, or of who cleaned.
fn of_garden(folder: &Path) -> Result<Vec<Unit>, Error> {
    // One of several gardens of a run is told by the settings of the run.
    let settings = match plan(folder)? {
        Some(plan) => Some(plan),
        None => folder.parent().map(plan).transpose()?.flatten(),
    };
    let Some(Plan::Gardener(settings)) = settings else { return Ok(Vec::new()) };
    let config = settings.config()?;
    let (cells, limit) = (config.cells() as f64, config.lost.dirt_share);
    let (mut rows, mut lost, mut saturated, mut verdict) = (Vec::new(), None, 0, None);
    let mut table = Table::open(&folder.join("resonetics_data.csv"))?;
    garden::read(&mut table, &|| true, |_, generation| {
        let dirt = generation.total_entropy / cells;
        saturated = if dirt >= limit { saturated + 1 } else { 0 };
        if saturated == config.lost.generations {
            lost.get_or_insert(generation.generation);
        }
        let mut turns = Transitions::default();
        if let Some(before) = verdict {
            turns.add(before, generation.verdict);
        }
        verdict = Some(generation.verdict);
        rows.push(Row {
            clock: generation.generation,
            residual: residual::garden(dirt, limit),
            effort: None,
            own: None,
            risk: Some(generation.collapse_risk),
            turns,
        });
        Ok(())
    })?;
    let shape = Shape { symbols: garden::VERDICTS.len(), ..Shape::GARDEN };
    Ok(vec![unit("garden", shape, rows.into_iter(), lost)])
}

/// The plan of the run in `folder`, where it holds one.
fn plan(folder: &Path) -> Result<Option<Plan>, Error> {
    let path = folder.join("config.toml");
    if !path.is_file() {
        return Ok(None);
    }
    let plan = Plan::parse(&text(&path)?);
    plan.map(Some).map_err(|problem| Error::Refused(format!("{}: {problem}", path.display())))
}

fn unit(source: &str, shape: Shape, rows: impl Iterator<Item = Row>, lost: Option<u64>) -> Unit {
    let mut windows = Windows::new(shape, Phase::default());
    let windows = rows.filter_map(|row| windows.push(row)).map(|window| (window.clock, window.signals));
    Unit { source: source.to_owned(), windows: windows.collect(), lost }
}
