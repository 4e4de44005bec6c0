//! Which episodes a training's mean return is of.
//!
//! Of environments side by side those that are lost early end first. A mean of the first to end is one of the
//! lost ones; a mean of the first to begin is not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Episodes that a mean is of.
pub(super) const WINDOW: usize = 100;

/// Episodes, numbered in the order in which they began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    /// `[N]`: the number of the episode under way in each environment.
    running: Vec<u64>,
    /// Episodes that have begun.
    begun: u64,
    /// Every episode with a lower number has ended.
    complete: u64,
    /// Return and length of those that have ended although an earlier one goes on.
    waiting: BTreeMap<u64, (f64, u32)>,
}

impl Order {
    /// The first episode has begun in each of so many environments. (So it seems, too, where a checkpoint is of
    /// a version that did not number them.)
    pub(super) fn new(environments: usize) -> Order {
        let begun = environments as u64;
        Order { running: (0..begun).collect(), begun, complete: 0, waiting: BTreeMap::new() }
    }

    /// Environments whose episodes are numbered.
    pub(super) fn environments(&self) -> usize {
        self.running.len()
    }

    /// The episode in `env` has ended, and another begins there. What is complete by that is added to `recent`,
    /// the last [`WINDOW`] of the unbroken row from the first episode on.
    pub(super) fn ended(&mut self, env: usize, outcome: (f64, u32), recent: &mut Vec<(f64, u32)>) {
        let number = std::mem::replace(&mut self.running[env], self.begun);
        self.begun += 1;
        self.waiting.insert(number, outcome);
        while let Some(outcome) = self.waiting.remove(&self.complete) {
            self.complete += 1;
            if recent.len() == WINDOW {
                recent.remove(0);
            }
            recent.push(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Environment 0 has episodes of 500 steps, the others of 10: theirs count when the long one has ended.
    #[test]
    fn an_episode_counts_when_all_that_began_before_it_have_ended() {
        let mut order = Order::new(3);
        let mut recent = Vec::new();
        for step in 1..=500 {
            for env in 0..3 {
                if step % 10 == 0 && (env > 0 || step == 500) {
                    order.ended(env, (step.into(), env as u32), &mut recent);
                }
            }
            assert!(step == 500 || recent.is_empty(), "step {step}");
        }
        // Of 101 episodes the first, the long one, is no more among the last 100.
        let expected: Vec<(f64, u32)> =
            (1..=50).flat_map(|turn| [(f64::from(10 * turn), 1), (f64::from(10 * turn), 2)]).collect();
        assert_eq!(recent, expected);
        assert_eq!((order.complete, order.begun, order.waiting.len()), (101, 104, 0));
        let copy: Order = serde_json::from_value(serde_json::to_value(&order).unwrap()).unwrap();
        assert_eq!(copy, order);
    }

    /// Episodes are lost at step 2 with return 0, or go on to step 10 with return 1; half of either. The mean of
    /// those that end first is 0, of those that begin first one half.
    #[test]
    fn who_is_lost_early_does_not_come_first() {
        let key = resonetics_envs::stream::Key::new(1, resonetics_envs::stream::Domain::Space, 0);
        let lost = |number: u64| key.uniform(number as u32, 0) < 0.5;
        let mut order = Order::new(400);
        let mut recent = Vec::new();
        let (mut ages, mut first) = (vec![0; 400], None);
        for _ in 0..60 {
            for env in 0..400 {
                ages[env] += 1;
                let lost = lost(order.running[env]);
                if ages[env] == if lost { 2 } else { 10 } {
                    order.ended(env, (if lost { 0.0 } else { 1.0 }, ages[env]), &mut recent);
                    ages[env] = 0;
                }
            }
            if recent.len() == WINDOW {
                first.get_or_insert_with(|| recent.iter().map(|episode| episode.0).sum::<f64>() / 100.0);
            }
        }
        // Binomial(100, 1/2) / 100: 0.5 +- 0.05; three standard deviations.
        let mean = first.unwrap();
        assert!((0.35..0.65).contains(&mean), "{mean}");
        let copy: Order = serde_json::from_value(serde_json::to_value(&order).unwrap()).unwrap();
        assert!(copy == order && !order.waiting.is_empty());
    }
}
