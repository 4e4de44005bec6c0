//! Events: what a run's `events.jsonl` holds, a line each (version 1), and the resonance event that each window also is
//! (version 2). `schemas/` says what is allowed.

use serde::{Deserialize, Serialize};

/// The file of a run with its events, one a line.
pub const FILE: &str = "events.jsonl";

/// A line of `events.jsonl`: version 1 of the memory bridge, with fields of our own at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When it was made, RFC 3339, UTC, to the millisecond. Wall time: nothing acts on it.
    pub ts: String,
    /// `RUN/SOURCE`, or `RUN/SOURCE/LANE` for one of several lanes.
    pub entity_id: String,
    /// What kind of source it is of.
    pub group: Group,
    /// What happened.
    pub event_type: Kind,
    /// Where the source was in the last window.
    pub resonance_v3: Resonance,
    /// The slot of memory that it speaks of.
    pub memory_bridge: Memory,
    /// Where it belongs.
    pub trace: Trace,
    /// Whether `phase_diff` is known; version 1 asks for a number where it is not, which is 0 then.
    pub phase_valid: bool,
    /// The signals of the window in full; of windows alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<Signals>,
    /// The levels after this window; where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Levels>,
    /// What the lanes have in common; of windows of several lanes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Fleet>,
    /// Why, in one of a few words, for `decide` and `rollback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What kind of source an event is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// A training, or the drift experiment.
    DesignCore,
    /// A run of a world.
    BuildCore,
    /// Levels and gates.
    SafetyMusic,
    /// An evaluation.
    Observer,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A window came to its end.
    Observe,
    /// Mode, verdict or level changed.
    Decide,
    /// A checkpoint was written, or became the best.
    Commit,
    /// A guard went back to an earlier state.
    Rollback,
}

/// Where the source was, in version 1's terms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resonance {
    /// Angle between residual and effort, in `[-pi, pi]`; see [`Event::phase_valid`].
    pub phase_diff: f64,
    /// Nearness to the loss, in `[0, 1]`: the mean residual of the window.
    pub residual_entropy: f64,
    /// How much room there is.
    pub creative_band: Room,
    /// How near the loss is.
    pub risk_band: Risk,
}

/// How much room there is: residual below 0.25, below 0.6, or above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Room {
    /// From 0.6 on.
    Low,
    /// Below 0.6.
    Mid,
    /// Below 0.25.
    High,
}

/// How near the loss is: residual up to 0.55, up to 0.85, or above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Risk {
    /// Up to 0.55.
    Safe,
    /// Up to 0.85.
    Watch,
    /// Above.
    Risk,
}

/// A slot of memory and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// `rmb/v17/slot-N`, N below 32.
    pub slot_id: String,
    /// What was done with the key.
    pub op: Op,
    /// `window:ITER`, `checkpoint:STEP`, `best`, or what an event of its own names.
    pub key: String,
    /// SHA-256 of what it holds, in lower-case hex: of a checkpoint its arrays, of a window its canonical record.
    pub value_hash: String,
}

/// What was done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Op {
    /// It has this value now.
    Upsert,
    /// It is gone.
    Delete,
}

/// Where an event belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// `COMMAND.WORLD`.
    pub loop_id: String,
    /// The window's index: the clock divided by the hop.
    pub iter: u64,
    /// The machine.
    pub host: String,
    /// The run's own clock at the window's end: updates, generations or steps.
    pub clock: u64,
}

/// The signals of a window. What is not known is null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signals {
    /// Mean nearness to the loss, in `[0, 1]`.
    pub residual: Option<f64>,
    /// Of several lanes: the 95th percentile of their mean residuals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual_p95: Option<f64>,
    /// Angle between residual and effort, in `[-pi, pi]`; of several lanes the mean of those that are known.
    pub phase_diff: Option<f64>,
    /// Entropy of the next action given this one, over that of uniform actions, in `[0, 1]`.
    pub entropy_rate: Option<f64>,
    /// Share of the decisions that were the agent's own, in `[0, 1]`; in a training the policy's entropy.
    pub creative_band: Option<f64>,
    /// The world's mean risk, in a training the predicted one, in `[0, 1]`.
    pub risk_band: Option<f64>,
    /// 1 - 8 standard deviations of the residual, not below 0. Says "perfect" of what is lost and still: gates nothing.
    pub harmony_index: Option<f64>,
    /// 1 - 2 |residual - 0.5|, not below 0. Greatest half-way to the loss: gates nothing.
    pub coherence_level: Option<f64>,
}

/// What the lanes of a source have in common in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Mean over pairs of Pearson's correlation of their residuals, in `[-1, 1]`: near 1 there is one cause for many.
    pub coupling: Option<f64>,
    /// 95th less 5th percentile of the known phases, in rad.
    pub phase_bandwidth: Option<f64>,
    /// Entropy of the risk letters, in bits: 0 where all have the same, at most log2 3.
    pub entropy_bits: Option<f64>,
    /// Units at SAFE, WATCH and RISK, by their mean residual.
    pub letters: [u64; 3],
    /// The lane with the largest mean residual, from 0, among those that still play.
    pub worst: Option<usize>,
}

/// A safety level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// 0
    Calm,
    /// 1
    Tense,
    /// 2
    Alert,
}

impl Level {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Level::Calm => "CALM",
            Level::Tense => "TENSE",
            Level::Alert => "ALERT",
        }
    }
}

/// The safety levels of a source. What is not known is null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// By the residual.
    pub residual: Option<Level>,
    /// By the share of rollbacks.
    pub rollback_ratio: Option<Level>,
    /// The worse of the two.
    #[serde(rename = "final")]
    pub last: Option<Level>,
}
