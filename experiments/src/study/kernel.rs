//! What the terms of the kernel do to a training, beside the usual ways to a smooth policy.

use std::path::Path;

use resonetics_runs::Error;

use super::cell::{Cell, Measure, Size, Study, Unit, evaluated, seconds};

/// Each term of the kernel with the weight that the rules give it, and all together; the flow with a perturbation that
/// is as large as that of CAPS; L2; the terms of CAPS (Mysore et al. 2021) in two strengths.
const VARIANTS: [(&str, &[&str]); 14] = [
    ("no term", &[]),
    ("flow", &["train.kernel.flow=0.4"]),
    ("structure", &["train.kernel.structure=0.3"]),
    ("tension", &["train.kernel.tension=0.3"]),
    ("all three terms", &["train.kernel.flow=0.4", "train.kernel.structure=0.3", "train.kernel.tension=0.3"]),
    ("weak flow, eps 0.3", &["train.kernel.flow=0.01", "train.kernel.eps=0.3"]),
    ("L2", &["train.kernel.l2=0.0003"]),
    ("CAPS spatial", &["train.kernel.caps_spatial=0.3", "train.kernel.caps_sigma=0.1"]),
    ("CAPS spatial, sigma 0.3", &["train.kernel.caps_spatial=1", "train.kernel.caps_sigma=0.3"]),
    ("CAPS temporal", &["train.kernel.caps_temporal=0.03"]),
    (
        "both of CAPS",
        &["train.kernel.caps_spatial=0.3", "train.kernel.caps_sigma=0.1", "train.kernel.caps_temporal=0.03"],
    ),
    (
        "both of CAPS, sigma 0.3",
        &["train.kernel.caps_spatial=1", "train.kernel.caps_sigma=0.3", "train.kernel.caps_temporal=0.03"],
    ),
    // The normaliser magnifies what hardly varies, such as the budget of an agent that spends little, and noise on it.
    ("no normaliser", &["train.normalize_observations=false"]),
    (
        "no normaliser, CAPS spatial, sigma 0.05",
        &[
            "train.normalize_observations=false",
            "train.kernel.caps_spatial=1",
            "train.kernel.caps_sigma=0.05",
        ],
    ),
];

/// Standard deviations of the noise on what the agent sees.
const NOISE: [&str; 4] = ["0", "0.02", "0.05", "0.1"];

/// What a pass for the flow costs beside one without, and what one for a term of CAPS adds.
const FLOW: f64 = 3.0;
const CAPS: f64 = 0.4;

pub const STUDY: Study = Study {
    name: "kernel",
    question: "What do Flow, Structure and Tension do to a training, beside L2 and CAPS: to its return, to what noise takes from \
               it, to how sensitive its policy is, to its time?",
    size: Size { seeds: 10, steps: 400_000, episodes: 1000 },
    cells,
    measures: &[
        Measure { name: "return", decimals: 2, more_is_better: true },
        Measure { name: "return lost to noise of 0.02", decimals: 2, more_is_better: false },
        Measure { name: "return lost to noise of 0.05", decimals: 2, more_is_better: false },
        Measure { name: "return lost to noise of 0.1", decimals: 2, more_is_better: false },
        Measure { name: "norm of the policy's Jacobian", decimals: 3, more_is_better: false },
        Measure { name: "its largest singular value", decimals: 3, more_is_better: false },
        Measure { name: "share of steps that switch the action", decimals: 3, more_is_better: false },
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
            let count = |term: &str| sets.iter().filter(|set| set.contains(term)).count() as f64;
            trained.seconds *=
                1.0 + (FLOW - 1.0) * count("flow") + CAPS * (count("caps_spatial") + count("caps_temporal"));
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
            let [clean, noisy @ ..] = NOISE.map(|noise| evaluated(dir, &evaluation(number, seed, noise)));
            let clean = clean?;
            let mut measured = vec![clean.return_mean];
            for noisy in noisy {
                let found = noisy?.return_mean;
                measured.push(clean.return_mean.zip(found).map(|(clean, found)| clean - found));
            }
            measured.extend([clean.jacobian_norm, clean.jacobian_singular, clean.action_switches]);
            measured.push(seconds(dir, &training(number, seed))?);
            values.extend(measured.into_iter().enumerate().filter_map(|(measure, value)| {
                let (group, variant) = (String::new(), (*variant).to_owned());
                Some(Unit { group, variant, seed: seed.into(), measure, value: value? })
            }));
        }
    }
    Ok(values)
}
