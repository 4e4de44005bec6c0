//! Two futures of one run beside each other: row by row, in a figure, in words.

use std::ops::Range;
use std::path::Path;

use resonetics_analysis::chart::{self, Curve, Labels, Size};
use resonetics_analysis::stats::summary::mean;
use resonetics_runs::Error;
use resonetics_runs::error::io;
use resonetics_runs::files::{CsvFile, cell};
use resonetics_runs::plan::Plan;
use serde_json::{Value, json};

/// Where the numbers of a kind of run are.
pub struct Metric {
    /// What its clock counts.
    pub unit: &'static str,
    table: &'static str,
    clock: &'static str,
    /// Columns, what they are called, and what they are divided by; the first has a figure.
    columns: Vec<(&'static str, &'static str, f64)>,
}

impl Metric {
    pub fn of(plan: &Plan) -> Result<Metric, Error> {
        Ok(match plan {
            Plan::Gardener(plan) => Metric {
                unit: "generation",
                table: "resonetics_data.csv",
                clock: "Gen",
                columns: vec![
                    ("Total_Entropy", "dirt of a cell", plan.config()?.cells() as f64),
                    ("Population", "population", 1.0),
                    ("Collapse_Risk", "risk", 1.0),
                ],
            },
            _ => Metric {
                unit: "update",
                table: "training.csv",
                clock: "update",
                columns: vec![
                    ("greedy_return", "greedy return", 1.0),
                    ("return_mean", "return of the last 100 episodes", 1.0),
                    ("length_mean", "length of the last 100 episodes", 1.0),
                ],
            },
        })
    }

    /// The table of a run.
    fn rows(&self, run: &Path) -> Result<Vec<Row>, Error> {
        let path = run.join(self.table);
        let failed = |error: csv::Error| io("read", &path)(error.into());
        let mut table = csv::ReaderBuilder::new().flexible(true).from_path(&path).map_err(failed)?;
        let header = table.headers().map_err(failed)?.clone();
        let place = |name: &str| header.iter().position(|column| column == name).unwrap_or(usize::MAX);
        let (clock, columns): (usize, Vec<(usize, f64)>) =
            (place(self.clock), self.columns.iter().map(|(name, _, scale)| (place(name), *scale)).collect());
        let mut rows = Vec::new();
        for row in table.records() {
            let row = row.map_err(failed)?;
            let number = |at: usize| row.get(at).and_then(|cell| cell.parse::<f64>().ok());
            let values = columns.iter().map(|&(at, scale)| number(at).map(|value| value / scale));
            let values = values.collect();
            rows.push(Row { clock: number(clock).unwrap_or_default() as u64, values, all: row.clone() });
        }
        Ok(rows)
    }
}

/// A row of a table.
struct Row {
    clock: u64,
    /// Of the columns that are compared.
    values: Vec<Option<f64>>,
    /// All of it.
    all: csv::StringRecord,
}

/// What both futures came to.
pub struct Compared {
    /// Where any number first differs; none if none ever does.
    pub first: Option<u64>,
    /// The columns.
    pub differences: Vec<Difference>,
}

/// What a column came to in both.
pub struct Difference {
    name: &'static str,
    /// Where it first differs; none if it never does.
    first: Option<u64>,
    /// The last values, unchanged and changed.
    last: [Option<f64>; 2],
    /// Mean of the differences behind the fork, and of how many.
    mean: Option<f64>,
    count: usize,
}

impl Difference {
    pub fn json(&self) -> Value {
        let [unchanged, changed] = self.last;
        json!({
            "name": self.name, "first_difference": self.first, "unchanged_last": unchanged, "changed_last": changed,
            "mean_difference": self.mean, "rows": self.count,
        })
    }

    pub fn told(&self) -> String {
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        let [unchanged, changed] = self.last.map(shown);
        let mean = self.mean.map_or_else(|| "unknown".to_owned(), |mean| format!("{mean:+.4}"));
        format!(
            "{}: {unchanged} unchanged, {changed} changed in the end; changed - unchanged {mean} on average ({} rows)",
            self.name, self.count
        )
    }
}

/// Puts both futures behind `at` beside each other, into the new file at `path`.
pub fn compare(
    metrics: &Metric,
    unchanged: &Path,
    changed: &Path,
    at: u64,
    path: &Path,
) -> Result<Compared, Error> {
    let (ours, theirs) = (metrics.rows(unchanged)?, metrics.rows(changed)?);
    let columns = metrics
        .columns
        .iter()
        .flat_map(|(name, ..)| ["unchanged", "changed"].map(|side| format!("{name}_{side}")));
    let header: Vec<String> = std::iter::once(metrics.clock.to_owned()).chain(columns).collect();
    let mut table = CsvFile::create(path, &header.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut found: Vec<(Difference, Vec<f64>)> = metrics
        .columns
        .iter()
        .map(|(_, name, _)| {
            (Difference { name, first: None, last: [None; 2], mean: None, count: 0 }, Vec::new())
        })
        .collect();
    let mut first = None;
    // The clock of a run that went back is ahead of its rows: what differs is looked at in any case.
    let from =
        ours.iter().zip(&theirs).position(|(before, after)| before.clock > at || before.all != after.all);
    for (before, after) in ours.iter().zip(&theirs).skip(from.unwrap_or(usize::MAX)) {
        let pairs = || before.values.iter().zip(&after.values);
        let cells = pairs().flat_map(|(before, after)| [cell(*before), cell(*after)]);
        table.row(std::iter::once(before.clock.to_string()).chain(cells))?;
        if before.all != after.all {
            first.get_or_insert(before.clock);
        }
        for ((one, differences), (unchanged, changed)) in found.iter_mut().zip(pairs()) {
            if unchanged != changed {
                one.first.get_or_insert(before.clock);
            }
            one.last = [unchanged.or(one.last[0]), changed.or(one.last[1])];
            differences.extend(unchanged.zip(*changed).map(|(unchanged, changed)| changed - unchanged));
        }
    }
    table.finish()?;
    let differences = found
        .into_iter()
        .map(|(one, differences)| Difference { mean: mean(&differences), count: differences.len(), ..one })
        .collect();
    Ok(Compared { first, differences })
}

/// Both futures of the first column, over the whole run.
pub fn figure(
    metrics: &Metric,
    unchanged: &Path,
    changed: &Path,
    at: u64,
    what: &[String],
) -> Result<String, Error> {
    let (_, name, _) = metrics.columns[0];
    let points = |run: &Path, from: u64| -> Result<Vec<(f64, f64)>, Error> {
        let rows = metrics.rows(run)?.into_iter().filter(|row| row.clock >= from);
        Ok(rows.filter_map(|row| Some((row.clock as f64, row.values[0]?))).collect())
    };
    let curves: Vec<Curve> = [("as it was", unchanged, 0), ("changed", changed, at)]
        .into_iter()
        .map(|(name, run, from)| {
            Ok(Curve { name: name.to_owned(), points: points(run, from)?, band: Vec::new() })
        })
        .collect::<Result<_, Error>>()?;
    let all = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let within = |range: Option<Range<f64>>| range.unwrap_or(0.0..1.0);
    let (x, y) =
        (within(chart::range(all().map(|point| point.0))), within(chart::range(all().map(|point| point.1))));
    let title = format!("From {} {at} on: {}", metrics.unit, what.join(", "));
    let labels = Labels { title: &title, x: metrics.unit, y: name };
    Ok(chart::lines(&labels, x, y, &curves, Size::Wide)?)
}
