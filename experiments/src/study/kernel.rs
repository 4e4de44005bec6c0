//! What the terms of the kernel do to a training.

use std::path::Path;

use resonetics_runs::Error;

use super::cell::{Cell, Measure, Size, Study, Unit, evaluated, seconds};

/// Each term with the weight that the rules give it, and all together.
const VARIANTS: [(&str, &[&str]); 5] = [
    ("no term", &[]),
    ("flow", &["train.kernel.flow=0.4"]),
    ("structure", &["train.kernel.structure=0.3"]),
    ("tension", &["train.kernel.tension=0.3"]),
    ("all three terms", &["train.kernel.flow=0.4", "train.kernel.structure=0.3", "train.kernel.tension=0.3"]),
];

/// Standard deviations of the noise on what the agent sees.
const NOISE: [&str; 4] = ["0", "0.02", "0.05", "0.1"];

/// What a pass for the flow costs beside one without.
const FLOW: f64 = 3.0;

pub const STUDY: Study = Study {
    name: "kernel",
    question: "What do Flow, Structure and Tension do to a training: to its return, to what noise takes from it, to its time?",
    size: Size { seeds: 10, steps: 400_000, episodes: 1000 },
    cells,
    measures: &[
        Measure { name: "return", decimals: 2, more_is_better: true },
        Measure { name: "return lost to noise of 0.02", decimals: 2, more_is_better: false },
        Measure { name: "return lost to noise of 0.05", decimals: 2, more_is_better: false },
        Measure { name: "return lost to noise of 0.1", decimals: 2, more_is_better: false },
        Measure { name: "training, seconds", decimals: 1, more_is_better: false },
    ],
    values: Some(values),
    report: None,
};

fn training(variant: usize, seed: u32) -> String {
    format!("train-{variant}-seed-{seed}")
}

fn evaluation(variant: usize, seed: u32, noise: &str) -> String {
    format!("eval-{variant}-seed-{seed}-noise-{noise}")
}

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (variant, (_, sets)) in VARIANTS.iter().enumerate() {
        for seed in 1..=size.seeds {
            let mut trained = Cell::training(training(variant, seed), seed, size.steps, sets);
            if sets.iter().any(|set| set.contains("flow")) {
                trained.seconds *= FLOW;
            }
            let of = trained.name.clone();
            cells.push(trained);
            let each =
                NOISE.map(|noise| Cell::evaluation(dir, evaluation(variant, seed, noise), &of, size, noise));
            cells.extend(each);
        }
    }
    cells
}

fn values(dir: &Path, size: Size) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    for (number, (variant, _)) in VARIANTS.iter().enumerate() {
        for seed in 1..=size.seeds {
            let mut add = |measure, value: Option<f64>| {
                let (group, variant) = (String::new(), (*variant).to_owned());
                values.extend(value.map(|value| Unit { group, variant, seed: seed.into(), measure, value }));
            };
            let mut clean = None;
            for (measure, noise) in NOISE.into_iter().enumerate() {
                let found = evaluated(dir, &evaluation(number, seed, noise))?.return_mean;
                match measure {
                    0 => {
                        clean = found;
                        add(0, found);
                    }
                    _ => add(measure, clean.zip(found).map(|(clean, found)| clean - found)),
                }
            }
            add(NOISE.len(), seconds(dir, &training(number, seed))?);
        }
    }
    Ok(values)
}
