//! How the learning rate should go.

use std::path::Path;

use resonetics_runs::Error;

use super::cell::{Cell, Measure, Size, Study, Unit, evaluated};

const VARIANTS: [(&str, &[&str]); 5] = [
    ("linear", &["train.schedule=linear"]),
    ("fixed", &["train.schedule=fixed"]),
    ("kl", &["train.schedule=kl", "train.target_kl=0.01"]),
    ("prophet (centred target)", &["train.schedule=prophet", "train.risk_target=centred"]),
    ("prophet (sigmoid target)", &["train.schedule=prophet", "train.risk_target=sigmoid"]),
];

pub const STUDY: Study = Study {
    name: "rates",
    question: "Which schedule of the learning rate earns the most and lives the longest: linear, fixed, by KL, or Prophet's with either target?",
    size: Size { seeds: 10, steps: 400_000, episodes: 1000 },
    cells,
    measures: &[
        Measure { name: "return", decimals: 2, more_is_better: true },
        Measure { name: "steps lived", decimals: 1, more_is_better: true },
    ],
    values: Some(values),
    report: None,
};

fn training(variant: usize, seed: u32) -> String {
    format!("train-{variant}-seed-{seed}")
}

fn evaluation(variant: usize, seed: u32) -> String {
    format!("eval-{variant}-seed-{seed}")
}

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (variant, (_, sets)) in VARIANTS.iter().enumerate() {
        for seed in 1..=size.seeds {
            let name = training(variant, seed);
            cells.push(Cell::training(name.clone(), seed, size.steps, sets));
            cells.push(Cell::evaluation(dir, evaluation(variant, seed), &name, size, "0"));
        }
    }
    cells
}

fn values(dir: &Path, size: Size) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    for (number, (variant, _)) in VARIANTS.iter().enumerate() {
        for seed in 1..=size.seeds {
            let found = evaluated(dir, &evaluation(number, seed))?;
            for (measure, value) in [found.return_mean, found.steps_mean].into_iter().enumerate() {
                let (group, variant) = (String::new(), (*variant).to_owned());
                values.extend(value.map(|value| Unit { group, variant, seed: seed.into(), measure, value }));
            }
        }
    }
    Ok(values)
}
