//! The numbers of a training in progress that are no arrays: updates, steps, episodes, rates.

use resonetics_envs::vector::Batch;
use serde::{Deserialize, Serialize};

use super::order::{Order, WINDOW};

/// What a checkpoint counts on from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counters {
    pub updates: u64,
    pub steps: u64,
    pub episodes: u64,
    /// Of the schedule `kl`.
    pub learning_rate: f64,
    /// Times that the training went back to a checkpoint; each halves the learning rate.
    pub rollbacks: u32,
    /// Returns and lengths of the 100 episodes that the means are of, in the order of their beginnings.
    pub recent: Vec<(f64, u32)>,
    /// That order. Checkpoints of before it was kept have none.
    #[serde(default)]
    pub order: Order,
}

impl Counters {
    /// Counts the episodes that have ended in the step that `batch` is of. The means are of those that are played
    /// to their end: not of the first `restarting` environments.
    pub(super) fn count_episodes(&mut self, batch: &Batch, restarting: usize) {
        for env in 0..batch.terminated.len() {
            if batch.terminated[env] || batch.truncated[env] {
                self.episodes += 1;
                if let Some(whole) = env.checked_sub(restarting) {
                    let outcome = (batch.episode_return[env], batch.episode_length[env]);
                    self.order.ended(whole, outcome, &mut self.recent);
                }
            }
        }
    }

    /// Mean return and mean length of the recent episodes; none before there are 100.
    pub(super) fn means(&self) -> Option<(f64, f64)> {
        let mean = |of: fn(&(f64, u32)) -> f64| self.recent.iter().map(of).sum::<f64>() / WINDOW as f64;
        (self.recent.len() == WINDOW)
            .then(|| (mean(|episode| episode.0), mean(|episode| f64::from(episode.1))))
    }
}
