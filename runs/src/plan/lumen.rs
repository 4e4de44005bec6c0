//! Whether a run is watched, and where levels begin: `[lumen]` in config.toml, where it is.

use resonetics_envs::config::{Allowed, Settings};
use serde::{Deserialize, Serialize};

/// Settings of what watches a run, under `lumen.`; what is watched does not depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lumen {
    /// Whether it is watched.
    pub enabled: bool,
    /// Residual above which the level is TENSE and the risk WATCH.
    #[serde(default = "residual_tense")]
    pub residual_tense: f64,
    /// Residual above which the level is ALERT and the risk RISK.
    #[serde(default = "residual_alert")]
    pub residual_alert: f64,
    /// Share of rollbacks among events above which the level is TENSE.
    #[serde(default = "ratio_tense")]
    pub ratio_tense: f64,
    /// Share of rollbacks among events above which the level is ALERT.
    #[serde(default = "ratio_alert")]
    pub ratio_alert: f64,
    /// What is done where windows are worse than that.
    #[serde(default)]
    pub gate: Gate,
}

/// Settings of the gate, under `lumen.gate.`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// What it may do.
    pub mode: Mode,
    /// Residual of a window above which it breaches, as it does above `lumen.residual_alert`.
    pub residual_max: f64,
    /// Phase beyond which, where it is known, it breaches; 4, the default, is beyond pi: never. A heuristic that holds its
    /// world against the drift has a phase of pi.
    pub phase_abs_max: f64,
    /// Windows at most that a training which went back learns nothing.
    pub hold_windows: u32,
}

/// What a gate may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing: there is none.
    Off,
    /// Say what it sees.
    #[default]
    Warn,
    /// Go back to a good checkpoint, too.
    Act,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate { mode: Mode::Warn, residual_max: 0.85, phase_abs_max: 4.0, hold_windows: 2 }
    }
}

fn residual_tense() -> f64 {
    0.55
}

fn residual_alert() -> f64 {
    0.85
}

fn ratio_tense() -> f64 {
    0.02
}

fn ratio_alert() -> f64 {
    0.05
}

impl Default for Lumen {
    fn default() -> Lumen {
        Lumen {
            enabled: false,
            residual_tense: residual_tense(),
            residual_alert: residual_alert(),
            ratio_tense: ratio_tense(),
            ratio_alert: ratio_alert(),
            gate: Gate::default(),
        }
    }
}

impl Lumen {
    /// Whether nothing watches: config.toml says nothing of it then.
    #[must_use]
    pub fn is_off(&self) -> bool {
        !self.enabled
    }
}

/// The keys of [`Lumen`], for messages.
pub(crate) const KEYS: [&str; 9] = [
    "enabled",
    "residual_tense",
    "residual_alert",
    "ratio_tense",
    "ratio_alert",
    "gate.mode",
    "gate.residual_max",
    "gate.phase_abs_max",
    "gate.hold_windows",
];

/// As it is typed: under `lumen.`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Typed {
    pub(crate) lumen: Lumen,
}

impl Settings for Typed {
    fn check(&self, allowed: &mut Allowed) {
        let Lumen { residual_tense, residual_alert, ratio_tense, ratio_alert, gate, .. } = self.lumen;
        allowed.table("lumen", |allowed| {
            for (key, value) in [
                ("residual_tense", residual_tense),
                ("residual_alert", residual_alert),
                ("ratio_tense", ratio_tense),
                ("ratio_alert", ratio_alert),
            ] {
                allowed.number(key, value, 0.0..=1.0);
            }
            let ordered = residual_tense <= residual_alert;
            allowed.rule(ordered, "residual_tense", residual_tense, "must not be above residual_alert");
            let ordered = ratio_tense <= ratio_alert;
            allowed.rule(ordered, "ratio_tense", ratio_tense, "must not be above ratio_alert");
            allowed.table("gate", |allowed| {
                allowed.number("residual_max", gate.residual_max, 0.0..=1.0);
                allowed.number("phase_abs_max", gate.phase_abs_max, 0.0..=4.0);
                allowed.integer("hold_windows", gate.hold_windows.into(), 1..=100);
            });
        });
    }
}
