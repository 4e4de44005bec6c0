//! The units of a benchmark: of trained agents each training, of others each episode.

use std::path::Path;

use resonetics_analysis::read::episodes::Played;
use resonetics_analysis::stats::summary::mean;
use resonetics_runs::Error;

use super::cell::{Measure, Unit, played};

/// What all trained agents are called.
pub const TRAINED: &str = "prophet";

/// What was measured of the agents in the benchmark of a cell: `measured` gives what each did, measure by measure and episode
/// by episode, and `named` its group and variant. Agents that are none of `untrained` are trained, one after the other.
///
/// # Errors
/// That the cell cannot be read.
pub fn units(
    dir: &Path,
    cell: &str,
    untrained: &[&str],
    measured: impl Fn(&Played) -> Vec<Vec<f64>>,
    named: impl Fn(&str) -> (String, String),
) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    let mut trainings = 0;
    for agent in played(dir, cell)? {
        let trained = !untrained.contains(&agent.agent.as_str());
        let (group, variant) = named(if trained { TRAINED } else { &agent.agent });
        for (measure, all) in measured(&agent).iter().enumerate() {
            let of =
                |seed, value| Unit { group: group.clone(), variant: variant.clone(), seed, measure, value };
            if trained {
                // A training is one unit, whatever it played.
                values.extend(mean(all).map(|value| of(trainings, value)));
            } else {
                values.extend(agent.seeds.iter().zip(all).map(|(seed, value)| of(*seed, *value)));
            }
        }
        trainings += u64::from(trained);
    }
    Ok(values)
}

/// What [`lives`] measures.
pub const LIVES: [Measure; 2] = [
    Measure { name: "steps lived", decimals: 1, more_is_better: true },
    Measure { name: "return", decimals: 2, more_is_better: true },
];

/// Steps lived and returns, episode by episode.
pub fn lives(agent: &Played) -> Vec<Vec<f64>> {
    vec![agent.steps.clone(), agent.returns.clone()]
}
