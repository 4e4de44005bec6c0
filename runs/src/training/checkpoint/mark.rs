//! What a checkpoint says of the files beside it, for who copies a run while it is at work.

use resonetics_agents::prophet::state::Numbers;
use serde::Deserialize;
use serde_json::Value;

use super::record::{Record, opened};

/// What the JSON file of a checkpoint says but its numbers; of a training or of a drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// SHA-256 of its safetensors file, in hex.
    pub safetensors: String,
    /// How long the run's CSV file was.
    pub csv_bytes: u64,
    /// Updates that were made; none of a drift, which has only steps.
    pub update: Option<u64>,
    /// The clock of the run: its updates, unless it went back.
    pub clock: Option<u64>,
    /// The clock behind the best checkpoint until then.
    pub best: Option<u64>,
}

impl Mark {
    /// That of the JSON file with these bytes.
    ///
    /// # Errors
    /// Why it is none that this version can go on from.
    pub fn of(json: &[u8]) -> Result<Mark, String> {
        let text = std::str::from_utf8(json).map_err(|error| format!("it is no text: {error}"))?;
        let Record { safetensors, csv_bytes, best, reached, numbers, .. } = opened::<Value>(text)?;
        let update = Numbers::deserialize(numbers).ok().map(|numbers| numbers.updates());
        let clock = reached.map(|reached| reached.clock).or(update);
        Ok(Mark { safetensors, csv_bytes, update, clock, best: best.map(|best| best.update) })
    }

    /// The steps behind the checkpoint whose JSON file has this name; none of what is no numbered checkpoint.
    pub fn steps(name: &str) -> Option<u64> {
        name.strip_prefix("step-")?.strip_suffix(".json")?.parse().ok()
    }
}
