//! A generation of the world as a row of `resonetics_data.csv` (RULES section 2.3).

use resonetics_analysis::read::garden;
use resonetics_envs::gardener::Generation;
use resonetics_envs::risk::Verdict;

pub use garden::COLUMNS;

/// A generation as a row of `resonetics_data.csv`.
pub fn row(generation: &Generation) -> Vec<String> {
    let row = garden::Generation {
        generation: generation.generation.into(),
        population: generation.population as u64,
        avg_energy: generation.avg_energy,
        total_entropy: generation.total_entropy,
        emergency_moves: generation.emergency_moves.into(),
        isolation_saves: generation.isolation_saves,
        entropy_gradient: generation.entropy_gradient,
        population_volatility: generation.population_volatility.into(),
        emergency_ratio: generation.emergency_ratio,
        collapse_risk: generation.collapse_risk,
        flow: Some(generation.flow),
        verdict: match generation.verdict {
            Verdict::Creative => 0,
            Verdict::Bubble => 1,
            Verdict::Collapse => 2,
        },
    };
    row.cells()
}
