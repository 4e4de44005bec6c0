//! Whether risk, flow and verdict foretell the loss of a garden.

use std::path::Path;

use resonetics_runs::Error;
use serde::Deserialize;

use super::cell::{Cell, GENERATION, Measure, Size, Study, Unit, below, parts};

/// The cells with the rules' risk, and with one that sees a saturated grid.
const RISKS: [(&str, &[&str]); 2] =
    [("gardens", &[]), ("gardens-saturation", &["--set", "risk.w_saturation=1"])];

pub const STUDY: Study = Study {
    name: "foresight",
    question: "Do risk, flow and verdict foretell within 50 generations that a garden is lost, and does a risk that sees saturation do it better? (--seeds: gardens; --steps: generations)",
    size: Size { seeds: 20, steps: 1500, episodes: 1 },
    cells,
    measures: &[
        Measure { name: "area under the ROC curve: risk", decimals: 3, more_is_better: true },
        Measure { name: "area under the ROC curve: flow", decimals: 3, more_is_better: true },
        Measure { name: "area under the ROC curve: verdict", decimals: 3, more_is_better: true },
    ],
    values: Some(values),
    report: None,
};

/// What is read of a garden in an analysis.json.
#[derive(Deserialize)]
struct Garden {
    name: String,
    /// Risk, flow, verdict, dirt.
    signals: Vec<Signal>,
}

#[derive(Deserialize)]
struct Signal {
    /// None of a garden that was not lost.
    area: Option<f64>,
}

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let (runs, generations) = (size.seeds.to_string(), size.steps.to_string());
    let gardens = |(name, sets): (&str, &[&str])| {
        let mut words = vec![
            "gardener",
            "--agent",
            "evolved",
            "--seed",
            "1",
            "--runs",
            &runs,
            "--generations",
            &generations,
        ];
        words.extend(sets);
        let generations = u64::from(size.seeds) * size.steps;
        Cell::other(name, &words, Vec::new(), generations).of(generations, GENERATION)
    };
    let mut cells: Vec<Cell> = RISKS.into_iter().map(gardens).collect();
    let paths = RISKS.map(|(name, _)| below(dir, name));
    let needs = RISKS.map(|(name, _)| name.to_owned()).to_vec();
    cells.push(Cell::other("report", &["analyze", &paths[0], &paths[1]], needs, 0));
    cells
}

/// A garden is a unit; those of the same number have the same seed.
fn values(dir: &Path, _: Size) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    for part in parts(dir, "report")? {
        let gardens: Vec<Garden> = serde_json::from_value(part["findings"]["gardens"].clone())
            .map_err(|problem| Error::Failed(format!("the report of the gardens: {problem}")))?;
        for garden in gardens {
            let (cell, number) = garden.name.split_once(", run-").unwrap_or((&garden.name, ""));
            let variant = if cell == RISKS[0].0 { "the rules' risk" } else { "a risk that sees saturation" };
            let seed = number.parse().unwrap_or_default();
            for (measure, signal) in garden.signals.iter().take(STUDY.measures.len()).enumerate() {
                let (group, variant) = ("lost within 50 generations".to_owned(), variant.to_owned());
                values.extend(signal.area.map(|value| Unit { group, variant, seed, measure, value }));
            }
        }
    }
    Ok(values)
}
