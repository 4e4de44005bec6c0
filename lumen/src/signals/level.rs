//! Safety levels: what residual and rollbacks say in a word.

use crate::event::{Level, Levels, Risk, Room};

/// Where levels begin. A value above the second is worse than one above the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Residual above which it is tense, and above which it is an alert.
    pub residual: [f64; 2],
    /// The same for the share of rollbacks among events.
    pub rollback_ratio: [f64; 2],
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds { residual: [0.55, 0.85], rollback_ratio: [0.02, 0.05] }
    }
}

/// Events below which a share of rollbacks is not known.
pub const FEW_EVENTS: u64 = 20;

/// The level of `value`; what is not known or no number has none.
pub fn level(value: Option<f64>, [tense, alert]: [f64; 2]) -> Option<Level> {
    let value = value.filter(|value| !value.is_nan())?;
    Some(if value > alert {
        Level::Alert
    } else if value > tense {
        Level::Tense
    } else {
        Level::Calm
    })
}

/// Milliseconds of wall time over which an exporter takes the share of rollbacks. Nothing acts on it: sources, which do,
/// count events.
pub const RATIO_MS: i64 = 300_000;

/// The level of `rollbacks` among `events`, whatever they were counted over; of fewer than [`FEW_EVENTS`] there is none.
pub fn ratio(rollbacks: u64, events: u64, at: &Thresholds) -> Option<Level> {
    let ratio = (events >= FEW_EVENTS).then(|| rollbacks as f64 / events as f64);
    level(ratio, at.rollback_ratio)
}

/// Levels of a residual and of `rollbacks` among `events`: the last is the worse of those that are known.
pub fn levels(residual: Option<f64>, rollbacks: u64, events: u64, at: &Thresholds) -> Levels {
    let (residual, rollback_ratio) = (level(residual, at.residual), ratio(rollbacks, events, at));
    Levels { residual, rollback_ratio, last: residual.max(rollback_ratio) }
}

/// The number of a level for gauges: 0 calm, 1 tense, 2 alert.
pub fn number(level: Level) -> u8 {
    level as u8
}

/// How near the loss is, in version 1's letters.
pub fn risk(residual: f64, [watch, risk]: [f64; 2]) -> Risk {
    if residual > risk {
        Risk::Risk
    } else if residual > watch {
        Risk::Watch
    } else {
        Risk::Safe
    }
}

/// How much room there is, in version 1's letters.
pub fn room(residual: f64) -> Room {
    if residual < 0.25 {
        Room::High
    } else if residual < 0.6 {
        Room::Mid
    } else {
        Room::Low
    }
}

/// A level that changes when two windows in a row say the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steady {
    /// What holds.
    level: Option<Level>,
    /// What the window before said.
    before: Option<Level>,
}

impl Steady {
    /// The level that holds.
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// Takes in what a window says; whether the level that holds has changed.
    pub fn window(&mut self, says: Option<Level>) -> bool {
        let changed = says == self.before && says != self.level;
        if changed {
            self.level = says;
        }
        self.before = says;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_begin_above_their_thresholds() {
        let at = Thresholds::default();
        let of = |residual: f64| level(Some(residual), at.residual);
        assert_eq!(of(0.0), Some(Level::Calm));
        assert_eq!(of(0.55), Some(Level::Calm));
        assert_eq!(of(0.551), Some(Level::Tense));
        assert_eq!(of(0.85), Some(Level::Tense));
        assert_eq!(of(0.851), Some(Level::Alert));
        assert_eq!(of(f64::INFINITY), Some(Level::Alert));
        assert_eq!(of(f64::NAN), None);
    }

    #[test]
    fn what_is_not_known_is_never_calm() {
        let at = Thresholds::default();
        let none = Levels { residual: None, rollback_ratio: None, last: None };
        assert_eq!(levels(None, 0, 19, &at), none);
        assert_eq!(levels(None, 0, 20, &at).last, Some(Level::Calm));
        assert_eq!(levels(None, 1, 20, &at).last, Some(Level::Tense));
        assert_eq!(levels(Some(0.1), 19, 19, &at).last, Some(Level::Calm));
        assert_eq!(levels(Some(0.1), 2, 20, &at).last, Some(Level::Alert));
        assert_eq!(levels(Some(0.9), 0, 20, &at).last, Some(Level::Alert));
    }

    #[test]
    fn a_share_of_few_events_has_no_level() {
        let at = Thresholds::default();
        assert_eq!([(0, 0), (0, 19), (19, 19)].map(|(back, all)| ratio(back, all, &at)), [None; 3]);
        let said = [(0, 20), (2, 100), (3, 100), (5, 100), (6, 100)].map(|(back, all)| ratio(back, all, &at));
        let expected = [Level::Calm, Level::Calm, Level::Tense, Level::Tense, Level::Alert];
        assert_eq!(said, expected.map(Some));
    }

    #[test]
    fn a_level_changes_after_two_windows_that_agree() {
        let (calm, alert) = (Some(Level::Calm), Some(Level::Alert));
        let mut steady = Steady::default();
        let said = [calm, calm, alert, calm, alert, alert, alert, None, None];
        let changes: Vec<bool> = said.into_iter().map(|says| steady.window(says)).collect();
        assert_eq!(changes, [false, true, false, false, false, true, false, false, true]);
        assert_eq!(steady.level(), None);
    }

    #[test]
    fn letters_are_those_of_version_1() {
        let at = Thresholds::default().residual;
        assert_eq!([0.55, 0.56, 0.86].map(|r| risk(r, at)), [Risk::Safe, Risk::Watch, Risk::Risk]);
        assert_eq!([0.24, 0.25, 0.6].map(room), [Room::High, Room::Mid, Room::Low]);
    }
}
