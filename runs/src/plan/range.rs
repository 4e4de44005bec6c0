//! The numbers that a plan may have, whether typed or written into a config.toml.

use std::ops::RangeInclusive;

use crate::error::Error;

/// Seeds.
pub const SEED: RangeInclusive<u64> = 0..=i64::MAX as u64;
/// Generations of a garden.
pub const GENERATIONS: RangeInclusive<u64> = 1..=1_000_000_000;
/// Gardens of a run.
pub const RUNS: RangeInclusive<u64> = 1..=9999;
/// Episodes of an agent.
pub const EPISODES: RangeInclusive<u64> = 1..=10_000_000;
/// Steps or generations that a system has to live.
pub const LIFE: RangeInclusive<u64> = 1..=1_000_000_000;
/// Pairs of lives.
pub const PAIRS: RangeInclusive<u64> = 2..=1_000_000;
/// Steps of single environments in a training.
pub const TRAINING_STEPS: RangeInclusive<u64> = 1..=1_000_000_000_000;
/// Steps of a recorded episode.
pub const STEPS: RangeInclusive<u64> = 1..=1_000_000;
/// Steps of the drift experiment.
pub const DRIFT_STEPS: RangeInclusive<u64> = 1..=1_000_000_000;
/// Cells of a garden.
pub const CELLS: RangeInclusive<u64> = 1..=1_000_000_000;
/// Samples of a step of the drift experiment.
pub const BATCH: RangeInclusive<u64> = 1..=65_536;

/// What `range` allows, in words.
pub fn allowed(range: &RangeInclusive<u64>) -> String {
    format!("allowed are whole numbers from {} to {}", range.start(), range.end())
}

/// Refuses a `value` of `key` that is not within `range`.
///
/// # Errors
/// [`Error::Refused`] with key, value and range.
pub fn within(key: &str, value: u64, range: &RangeInclusive<u64>) -> Result<(), Error> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::Refused(format!("`{key} = {value}`: {}", allowed(range))))
}
