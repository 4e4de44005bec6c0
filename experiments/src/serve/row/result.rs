//! The number of a run that counts most.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use crate::serve::ends::{end, json, regular};

/// How much of a long table is read at first, and at most, from its end.
const ENDS: [u64; 2] = [64 << 10, 4 << 20];
/// A first line is no longer.
const HEADER: u64 = 64 << 10;

/// How far a run is and what came of it.
#[derive(Default)]
pub(super) struct Found {
    pub(super) steps: Option<u64>,
    pub(super) text: Option<String>,
    /// What it sorts by.
    pub(super) value: Option<f64>,
}

/// What the files in `folder` say, by the command that wrote them. What is not there, or is cut, is not said.
pub(super) fn of(folder: &Path, command: &str) -> Found {
    let found = match command {
        "train" => training(folder),
        "drift" => drift(folder),
        "benchmark" => benchmark(folder),
        "gardener" => garden(folder),
        "controls" => controls(folder),
        "eval" => evaluation(folder),
        "limit" => limit(folder),
        "throughput" => throughput(folder),
        _ => None,
    };
    found.unwrap_or_default()
}

/// Whole lines of a table.
struct Table {
    header: csv::StringRecord,
    rows: Vec<csv::StringRecord>,
    /// Whether these are all.
    whole: bool,
}

impl Table {
    /// The last lines of the table at `path`, `most` bytes of them. A line without its end is no row.
    fn end(path: &Path, most: u64) -> Option<Table> {
        regular(path)?;
        let (from, bytes) = end(path, most.max(HEADER)).ok()?;
        let lines = &bytes[..=bytes.iter().rposition(|&byte| byte == b'\n')?];
        let (head, rows) = if from == 0 {
            (None, lines)
        } else {
            let mut head = Vec::new();
            let file = File::open(path).ok()?;
            BufReader::new(file.take(HEADER)).read_until(b'\n', &mut head).ok()?;
            // The first of these lines is most likely none.
            (Some(head), &lines[lines.iter().position(|&byte| byte == b'\n')? + 1..])
        };
        let bytes = [head.as_deref().unwrap_or_default(), rows].concat();
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&*bytes);
        let header = reader.headers().ok()?.clone();
        let rows = reader.records().map_while(Result::ok).collect();
        Some(Table { header, rows, whole: from == 0 })
    }

    /// A small table, whole.
    fn whole(path: &Path) -> Option<Table> {
        Table::end(path, ENDS[1]).filter(|table| table.whole && !table.rows.is_empty())
    }

    fn cell<'a>(&self, row: &'a csv::StringRecord, column: &str) -> Option<&'a str> {
        let place = self.header.iter().position(|name| name == column)?;
        row.get(place).filter(|cell| !cell.is_empty())
    }

    fn number(&self, row: &csv::StringRecord, column: &str) -> Option<f64> {
        self.cell(row, column)?.parse().ok()
    }
}

/// A number for a reader: with two decimals, or with three digits.
fn shown(value: f64) -> String {
    match value.abs() {
        0.0 | 1.0..1e9 => format!("{value:.2}"),
        0.001..1.0 => format!("{value:.4}"),
        _ if value.is_finite() => format!("{value:.2e}"),
        _ => value.to_string(),
    }
}

fn training(folder: &Path) -> Option<Found> {
    let path = folder.join("training.csv");
    let mut found = Found::default();
    for most in ENDS {
        let table = Table::end(&path, most)?;
        found.steps = found.steps.or(table.cell(table.rows.last()?, "steps")?.parse().ok());
        let mut rows = table.rows.iter().rev();
        if let Some((row, greedy)) = rows.find_map(|row| Some((row, table.number(row, "greedy_return")?))) {
            let at = table.cell(row, "steps").unwrap_or("?");
            found.text = Some(format!("greedy return {} at step {at}", shown(greedy)));
            found.value = Some(greedy);
        }
        if found.text.is_some() || table.whole {
            break;
        }
    }
    Some(found)
}

fn drift(folder: &Path) -> Option<Found> {
    let table = Table::end(&folder.join("drift.csv"), ENDS[0])?;
    let row = table.rows.last()?;
    let error = table.number(row, "gap_R");
    let text = error.map(|error| format!("squared error {} in its last row", shown(error)));
    // The first step has the number 0.
    let steps = table.cell(row, "step").and_then(|step| step.parse::<u64>().ok()).map(|step| step + 1);
    Some(Found { steps, text, value: error })
}

fn benchmark(folder: &Path) -> Option<Found> {
    let table = Table::whole(&folder.join("benchmark.csv"))?;
    let of = |row| Some((table.cell(row, "agent")?, table.number(row, "return_iqm")?));
    let agents = table.rows.iter().filter_map(of).filter(|(_, iqm)| iqm.is_finite());
    let (agent, iqm) = agents.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let among = match table.rows.len() {
        1 => String::new(),
        n => format!(", the highest of {n}"),
    };
    Some(Found { steps: None, text: Some(format!("IQM {} ({agent}{among})", shown(iqm))), value: Some(iqm) })
}

fn garden(folder: &Path) -> Option<Found> {
    let log = Table::end(&folder.join("resonetics_data.csv"), ENDS[0]);
    let steps = log.and_then(|log| log.cell(log.rows.last()?, "Gen")?.parse().ok());
    let Some(table) = Table::whole(&folder.join("summary.csv")) else {
        return Some(Found { steps, ..Found::default() });
    };
    let generations = table.number(&table.rows[0], "generations")?;
    let lost: Vec<f64> = table.rows.iter().filter_map(|row| table.number(row, "lost_at")).collect();
    let first = lost.iter().copied().reduce(f64::min);
    let text = match (table.rows.len(), first) {
        (1, Some(at)) => format!("lost at generation {at}"),
        (1, None) => format!("not lost in {generations} generations"),
        (n, Some(at)) => format!("{} of {n} lost, the first at generation {at}", lost.len()),
        (n, None) => format!("none of {n} lost in {generations} generations"),
    };
    // A garden that was kept lived as long as it was looked at.
    let value = first.unwrap_or(generations);
    Some(Found { steps: Some(generations as u64), text: Some(text), value: Some(value) })
}

fn controls(folder: &Path) -> Option<Found> {
    let table = Table::whole(&folder.join("summary.csv"))?;
    let of = |row| {
        let (world, answer) = (table.cell(row, "world")?, table.cell(row, "answer")?);
        Some(format!("{world}: {answer}"))
    };
    let told: Vec<String> = table.rows.iter().filter_map(of).collect();
    let alone = table.rows.first().filter(|_| table.rows.len() == 1);
    let value = alone.and_then(|row| table.number(row, "difference"));
    Some(Found { steps: None, text: Some(told.join("; ")), value })
}

fn limit(folder: &Path) -> Option<Found> {
    let table = Table::whole(&folder.join("limits.csv"))?;
    let first = |row: &&csv::StringRecord| table.cell(row, "method") == Some("spearman-karber");
    let rows: Vec<_> = table.rows.iter().filter(first).collect();
    let of =
        |row: &&csv::StringRecord| Some((table.cell(row, "agent")?.to_owned(), table.number(row, "limit")?));
    let (agent, limit) = rows.iter().filter_map(of).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let among = match rows.len() {
        1 => String::new(),
        n => format!(", the highest of {n}"),
    };
    Some(Found {
        steps: None,
        text: Some(format!("limit {} ({agent}{among})", shown(limit))),
        value: Some(limit),
    })
}

fn evaluation(folder: &Path) -> Option<Found> {
    let told = json(&folder.join("eval.json"))?;
    let mean = told.get("return_mean")?.as_f64()?;
    let of = told.get("episodes").and_then(Value::as_u64);
    let of = of.map_or_else(String::new, |episodes| format!(" of {episodes} episodes"));
    Some(Found { steps: None, text: Some(format!("mean return {}{of}", shown(mean))), value: Some(mean) })
}

fn throughput(folder: &Path) -> Option<Found> {
    let told = json(&folder.join("throughput.json"))?;
    let rate = |key: &str| told.get(key)?.as_f64();
    let (rate, what) = match rate("steps_per_second") {
        Some(rate) => (rate, "steps a second"),
        None => (rate("training_steps_per_second")?, "training steps a second"),
    };
    Some(Found { steps: None, text: Some(format!("{rate:.0} {what}")), value: Some(rate) })
}
