//! A gardener that keeps a row of the garden.

use resonetics_envs::config::{Allowed, Settings};
use resonetics_envs::gardener::{GardenerConfig, action, features};
use serde::{Deserialize, Serialize};

use crate::policy::{Observations, Policy};

/// The moves, in the world's order.
const UP: usize = 0;
const DOWN: usize = 1;
const RIGHT: usize = 3;

/// Thresholds of [`GardenerPatrol`].
///
/// The defaults were chosen by the mean dirt in generations 1,001 to 2,000 of 8 gardens, with and without control, at
/// `dirt_growth` 0.005 and 0.008: `clean_above` from 0.06 to 0.15, `keep_share` from 0.3 to 0.7.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GardenerPatrolConfig {
    /// Dirt from which a cell is worth cleaning. A gardener that comes by rarely cleans all it passes: below what a
    /// step and a clean cost, which the garden gains and the gardener does not.
    pub clean_above: f64,
    /// The next cell of its own row has at least this share of the dirt that the dirtiest of the rows in its view has
    /// there, or it changes over to that row. 0: it never leaves its row; 1: it always goes for the dirtiest.
    pub keep_share: f64,
}

impl Default for GardenerPatrolConfig {
    fn default() -> GardenerPatrolConfig {
        GardenerPatrolConfig { clean_above: 0.08, keep_share: 0.4 }
    }
}

impl Settings for GardenerPatrolConfig {
    fn check(&self, allowed: &mut Allowed) {
        allowed.number("clean_above", self.clean_above, 0.0..=1.0);
        allowed.number("keep_share", self.keep_share, 0.0..=1.0);
    }
}

/// Each gardener keeps a row of its own: it walks to the right for ever, around the torus, and cleans what it passes;
/// it breeds when rich and there is room.
///
/// A gardener sees neither where it is nor any other gardener, and this one remembers nothing: that another one keeps
/// the same row shows in the dirt. Where the next cell is much cleaner than that of another row in view, somebody has
/// just come by, and it changes over to the dirtiest row. Since all walk the same way, nobody meets anybody head-on.
#[derive(Clone, Debug)]
pub struct GardenerPatrol {
    config: GardenerPatrolConfig,
    view: usize,
}

impl GardenerPatrol {
    /// For gardens of one configuration.
    pub fn new(config: GardenerPatrolConfig, garden: &GardenerConfig) -> GardenerPatrol {
        GardenerPatrol { config, view: garden.view_size }
    }

    /// The action for one observation.
    fn choose(&self, observation: &[f32]) -> usize {
        let (view, features) = observation.split_at(self.view * self.view);
        if features[features::BREEDS] > 0.0 {
            return action::WAIT;
        }
        if view[view.len() / 2] >= self.config.clean_above as f32 {
            return action::CLEAN;
        }
        let half = self.view / 2;
        let next = |row: usize| view[row * self.view + half + 1];
        let above = (0..half).map(next).fold(0.0, f32::max);
        let below = (half + 1..self.view).map(next).fold(0.0, f32::max);
        if next(half) >= self.config.keep_share as f32 * above.max(below) {
            RIGHT
        } else if above > below {
            UP
        } else {
            DOWN
        }
    }
}

impl Policy for GardenerPatrol {
    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        for (row, action) in actions.iter_mut().enumerate() {
            if seen.asked(row) {
                *action = self.choose(seen.observation(row));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a gardener of the reference garden does that sees `dirt` at (row, column) of its 7 x 7 cells and 0.1
    /// everywhere else; `breeds` if it could breed.
    fn chosen(dirt: &[(usize, usize, f32)], breeds: bool) -> usize {
        let mut seen = [0.1; 49 + features::COUNT];
        seen[24] = 0.0;
        seen[49 + features::BREEDS] = f32::from(breeds);
        for &(row, column, dirt) in dirt {
            seen[7 * row + column] = dirt;
        }
        GardenerPatrol::new(GardenerPatrolConfig::default(), &GardenerConfig::default()).choose(&seen)
    }

    #[test]
    fn keeps_its_row_until_another_is_much_dirtier() {
        assert_eq!(chosen(&[], false), RIGHT);
        assert_eq!(chosen(&[(3, 3, 0.1)], false), action::CLEAN);
        // 0.1 is 0.4 of 0.25; what lies in other columns does not matter.
        assert_eq!(chosen(&[(0, 4, 0.24), (6, 3, 0.9), (2, 5, 0.9)], false), RIGHT);
        assert_eq!(chosen(&[(0, 4, 0.26)], false), UP);
        assert_eq!(chosen(&[(0, 4, 0.26), (5, 4, 0.3)], false), DOWN);
    }

    #[test]
    fn breeds_when_it_can() {
        assert_eq!(chosen(&[(3, 3, 0.5)], true), action::WAIT);
        assert_eq!(chosen(&[(3, 3, 0.5)], false), action::CLEAN);
    }
}
