//! What is written and said of an update.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use resonetics_agents::prophet::trainer::Update;
use serde_json::{Value, json};

use crate::error::{self, Error};
use crate::{files, interrupt};

/// The file with a row for each update.
pub(super) const CSV: &str = "training.csv";
/// The file with what each update took.
pub(super) const TIMING: &str = "timing.jsonl";

/// The columns of training.csv. An empty cell: there was none (too few episodes have ended yet, nothing was
/// measured, another schedule).
pub const COLUMNS: [&str; 27] = [
    "update",
    "steps",
    "episodes",
    "return_mean",
    "length_mean",
    "greedy_return",
    "learning_rate",
    "mode",
    "risk",
    "target_risk",
    "delta_ema",
    "entropy_weight",
    "eps",
    "loss",
    "policy_loss",
    "value_loss",
    "entropy",
    "flow",
    "structure",
    "tension",
    "approx_kl",
    "clip_fraction",
    "gradient_norm",
    "explained_variance",
    "minibatches",
    "rollbacks",
    "sampled_return",
];

/// What the policy earns where it is measured, on seeds apart from those of the training.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    /// By its likeliest action.
    pub greedy: Option<f64>,
    /// By actions drawn from it, as it trains; at the beginning and at the end.
    pub sampled: Option<f64>,
}

/// f32 has as many digits as the numbers deserve.
fn number(value: f64) -> String {
    (value as f32).to_string()
}

fn maybe(value: Option<f64>) -> String {
    value.map_or_else(String::new, number)
}

/// The row before the first update: what the untrained policy earns.
pub(super) fn beginning(measured: Measured) -> [String; 27] {
    COLUMNS.map(|column| match column {
        "update" | "steps" | "episodes" | "rollbacks" => "0".to_owned(),
        "greedy_return" => maybe(measured.greedy),
        "sampled_return" => maybe(measured.sampled),
        _ => String::new(),
    })
}

/// The row of an update.
pub(super) fn cells(update: &Update, measured: Measured) -> [String; 27] {
    let terms = &update.terms;
    [
        update.update.to_string(),
        update.steps.to_string(),
        update.episodes.to_string(),
        maybe(update.return_mean),
        maybe(update.length_mean),
        maybe(measured.greedy),
        number(update.learning_rate),
        update.risk.map_or("", |risk| risk.0.name()).to_owned(),
        maybe(update.risk.map(|risk| risk.1)),
        maybe(update.risk.map(|risk| risk.2)),
        maybe(update.risk.map(|risk| risk.3)),
        number(update.entropy_weight),
        number(update.eps),
        number(terms.loss),
        number(terms.policy),
        number(terms.value),
        number(terms.entropy),
        number(terms.flow),
        number(terms.structure),
        number(terms.tension),
        number(terms.approx_kl),
        number(terms.clip_fraction),
        number(terms.gradient_norm),
        number(update.explained_variance),
        update.minibatches.to_string(),
        update.rollbacks.to_string(),
        maybe(measured.sampled),
    ]
}

/// What stands behind the progress bar.
pub(super) fn message(update: &Update, steps_per_second: f64) -> String {
    let mean = update.return_mean.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.2}"));
    let mode = update.risk.map_or(String::new(), |risk| format!(", {}", risk.0.name()));
    format!("return {mean}, {steps_per_second:.0} steps/s{mode}")
}

/// Adds a line to timing.jsonl.
pub(super) fn time(file: &mut File, update: &Update, steps_per_second: f64) -> Result<(), Error> {
    let line = json!({ "update": update.update, "steps": update.steps, "steps_per_second": steps_per_second.round() });
    writeln!(file, "{line}").map_err(|error| Error::Failed(format!("cannot write timing.jsonl: {error}")))
}

/// The last update in the timing.jsonl at `path`; 0 where there is none.
pub(super) fn last_timed(path: &Path) -> Result<u64, Error> {
    if !path.exists() {
        return Ok(0);
    }
    let mut last = 0;
    for line in BufReader::new(files::open(path)?).split(b'\n') {
        interrupt::check()?;
        // A line that a kill has cut tells nothing.
        let line = line.map_err(error::io("read", path))?;
        let value: Value = serde_json::from_slice(&line).unwrap_or_default();
        last = last.max(value.get("update").and_then(Value::as_u64).unwrap_or_default());
    }
    Ok(last)
}

/// Steps and the greedy policy's mean return, wherever the training in `dir` has measured it.
///
/// # Errors
/// If its log cannot be read.
pub fn greedy_returns(dir: &Path) -> Result<Vec<(u64, f64)>, Error> {
    let path = dir.join(CSV);
    let failed = |error: csv::Error| error::io("read", &path)(error.into());
    let mut log = csv::ReaderBuilder::new().flexible(true).from_path(&path).map_err(failed)?;
    let header = log.headers().map_err(failed)?.clone();
    let place = |name: &str| header.iter().position(|column| column == name).unwrap_or(usize::MAX);
    let (steps, greedy) = (place("steps"), place("greedy_return"));
    let mut found = Vec::new();
    for row in log.records() {
        let row = row.map_err(failed)?;
        let number = |at: usize| row.get(at).unwrap_or_default();
        if let (Ok(steps), Ok(greedy)) = (number(steps).parse(), number(greedy).parse()) {
            found.push((steps, greedy));
        }
    }
    Ok(found)
}
