//! The tables of a sweep: a row a cell, and a row for each choice of settings over its seeds.

use std::path::Path;

use resonetics_analysis::stats::student::mean_interval;
use resonetics_analysis::stats::summary::mean;

use super::cell::{CELLS, Cell, evaluated, folder};
use super::plan::Sweep;
use crate::error::Error;
use crate::files::{cell as number, write_atomic};
use crate::training::greedy_returns;

/// Behind the settings and the seed of a cell.
const TRAINED: [&str; 3] = ["greedy_last", "greedy_best", "best_step"];
const EVALUATED: [&str; 5] = ["return_mean", "return_low", "return_high", "steps_mean", "lost"];
/// Behind the settings of a group; the first is what the others are of.
const GROUPED: [&str; 6] = ["trainings", "return_mean", "return_low", "return_high", "steps_mean", "lost"];

/// A finished cell.
struct Row<'a> {
    cell: &'a Cell,
    cells: Vec<String>,
    /// What a group takes the mean of: in fresh episodes if there were some, else the best greedy return.
    reward: f64,
    steps: Option<f64>,
    lost: Option<f64>,
}

/// A choice of settings over its seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// In words.
    pub name: String,
    /// Trainings that are finished.
    pub trainings: usize,
    /// Mean of what their best checkpoints earn.
    pub return_mean: f64,
    /// Its 95% interval over trainings, where there are enough of them.
    pub interval: Option<(f64, f64)>,
    cells: Vec<String>,
}

/// The groups of the finished cells below `dir`, in the order of the plan.
///
/// # Errors
/// That a cell's files cannot be read.
pub fn groups(plan: &Sweep, cells: &[Cell], dir: &Path) -> Result<Vec<Group>, Error> {
    Ok(grouped(&rows(plan, cells, dir)?))
}

/// Writes `table.csv` and `groups.csv` of the cells that are finished, in place of those that were there.
///
/// # Errors
/// That a cell's files cannot be read, or a table not be written.
pub fn write(plan: &Sweep, cells: &[Cell], dir: &Path) -> Result<(), Error> {
    let rows = rows(plan, cells, dir)?;
    let varied = plan.varied();
    let names = |more: &[&[&str]]| {
        let behind = more.iter().flat_map(|names| names.iter().map(|&name| name.to_owned()));
        varied.iter().cloned().chain(behind).collect::<Vec<String>>()
    };
    let evaluated: &[&str] = if plan.evaluate > 0 { &EVALUATED } else { &[] };
    let header = [vec!["key".to_owned()], names(&[&["seed"], &TRAINED, evaluated])].concat();
    table(&dir.join("table.csv"), &header, rows.iter().map(|row| &row.cells))?;
    let groups = grouped(&rows);
    table(&dir.join("groups.csv"), &names(&[&GROUPED]), groups.iter().map(|group| &group.cells))
}

fn table<'a>(
    path: &Path,
    header: &[String],
    rows: impl Iterator<Item = &'a Vec<String>>,
) -> Result<(), Error> {
    let failed = |error: String| Error::Failed(format!("cannot write {}: {error}", path.display()));
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(header).map_err(|error| failed(error.to_string()))?;
    for row in rows {
        csv.write_record(row).map_err(|error| failed(error.to_string()))?;
    }
    let bytes = csv.into_inner().map_err(|error| failed(error.to_string()))?;
    write_atomic(path, &bytes)
}

fn rows<'a>(plan: &Sweep, cells: &'a [Cell], dir: &Path) -> Result<Vec<Row<'a>>, Error> {
    let mut rows = Vec::new();
    for cell in cells {
        let run = folder(dir, &cell.key);
        if !cell.is_done(plan.episodes(), &dir.join(CELLS))? {
            continue;
        }
        let greedy: Vec<(u64, f64)> =
            greedy_returns(&run)?.into_iter().filter(|(_, mean)| !mean.is_nan()).collect();
        // The first of equals, as the best checkpoint is.
        let best = greedy.iter().filter(|(step, _)| *step > 0);
        let best = best.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        let mut row = vec![cell.key.clone()];
        row.extend(
            cell.settings
                .iter()
                .map(|(_, value)| value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        );
        row.push(cell.plan.seed.to_string());
        row.push(number(greedy.last().map(|&(_, mean)| mean)));
        row.push(number(best.map(|&(_, mean)| mean)));
        row.push(best.map_or_else(String::new, |(step, _)| step.to_string()));
        let found = if plan.evaluate > 0 { evaluated(&run)? } else { None };
        if let Some(found) = &found {
            let values = [Some(found.return_mean), found.return_low, found.return_high];
            row.extend(values.into_iter().chain([Some(found.steps_mean), Some(found.lost)]).map(number));
        }
        let reward =
            found.as_ref().map_or(best.map_or(f64::NAN, |&(_, mean)| mean), |found| found.return_mean);
        let (steps, lost) = (found.as_ref().map(|found| found.steps_mean), found.map(|found| found.lost));
        rows.push(Row { cell, cells: row, reward, steps, lost });
    }
    Ok(rows)
}

fn grouped(rows: &[Row<'_>]) -> Vec<Group> {
    let of = |row: &Row<'_>| row.cell.settings.clone();
    rows.chunk_by(|one, other| of(one) == of(other)).map(group).collect()
}

fn group(rows: &[Row<'_>]) -> Group {
    let rewards: Vec<f64> = rows.iter().map(|row| row.reward).collect();
    let all = |value: fn(&Row<'_>) -> Option<f64>| {
        rows.iter().map(value).collect::<Option<Vec<f64>>>().and_then(|values| mean(&values))
    };
    let (steps, lost) = (all(|row| row.steps), all(|row| row.lost));
    let interval = mean_interval(&rewards).map(|interval| (interval.low, interval.high));
    let settings = &rows[0].cell.settings;
    let mut cells = rows[0].cells[1..=settings.len()].to_vec();
    cells.push(rows.len().to_string());
    let ends = [interval.map(|ends| ends.0), interval.map(|ends| ends.1), steps, lost];
    cells.extend([mean(&rewards)].into_iter().chain(ends).map(number));
    let words: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Group {
        name: if words.is_empty() { "all".to_owned() } else { words.join(" ") },
        trainings: rows.len(),
        return_mean: mean(&rewards).unwrap_or(f64::NAN),
        interval,
        cells,
    }
}
