//! The format of `resonetics_data.csv` (RULES section 2.3).

use resonetics_envs::gardener::Generation;

/// The columns of `resonetics_data.csv`.
pub const COLUMNS: [&str; 12] = [
    "Gen",
    "Population",
    "Avg_Energy",
    "Total_Entropy",
    "Emergency_Moves",
    "Isolation_Saves",
    "Entropy_Gradient",
    "Population_Volatility",
    "Emergency_Ratio",
    "Collapse_Risk",
    "Flow",
    "Verdict",
];

/// A generation as a row of `resonetics_data.csv`.
pub fn row(generation: &Generation) -> [String; 12] {
    [
        generation.generation.to_string(),
        generation.population.to_string(),
        format!("{:.2}", generation.avg_energy),
        format!("{:.2}", generation.total_entropy),
        generation.emergency_moves.to_string(),
        generation.isolation_saves.to_string(),
        format!("{:.3}", generation.entropy_gradient),
        generation.population_volatility.to_string(),
        format!("{:.4}", generation.emergency_ratio),
        format!("{:.4}", generation.collapse_risk),
        format!("{:.4}", generation.flow),
        generation.verdict.name().to_owned(),
    ]
}
