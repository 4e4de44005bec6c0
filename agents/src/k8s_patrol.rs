//! What a cron job would do in the cluster: the same tour for ever.

use resonetics_envs::config::{Allowed, Settings};
use resonetics_envs::k8s::{Action, K8sConfig, Rules};
use serde::{Deserialize, Serialize};

use crate::policy::{Observations, Policy};

/// Thresholds of [`K8sPatrol`].
///
/// The defaults are those that kept the most clusters alive, of 300 at `mem_drift_mu` 0.005, 0.016, 0.02, 0.024 and
/// 0.026 each, over 2,000 steps. `clean_memory` was tried from 0.05 to 0.4: from 0.2 on, nodes that a tour left alone are
/// lost before the next one comes by; below 0.1, steps are spent on nodes that could have waited. A threshold on cpu
/// changed nothing. To scale for a single node that is about to run out of memory keeps more of them alive than the
/// heuristic's three hotspots above 0.8, most of which the tour still reaches in time: 1,393 steps against 554 at 0.026.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct K8sPatrolConfig {
    /// Clean when the memory of the agent's node is at least this.
    pub clean_memory: f64,
    /// A visible node with cpu or memory above this is a hotspot.
    pub hotspot: f64,
    /// Scale when at least this many hotspots are visible; never from 10 on.
    pub scale_hotspots: usize,
    /// Share of the budget below which it does not scale.
    pub scale_budget: f64,
}

impl Default for K8sPatrolConfig {
    fn default() -> K8sPatrolConfig {
        K8sPatrolConfig { clean_memory: 0.1, hotspot: 0.95, scale_hotspots: 1, scale_budget: 0.1 }
    }
}

impl Settings for K8sPatrolConfig {
    fn check(&self, allowed: &mut Allowed) {
        allowed.number("clean_memory", self.clean_memory, 0.0..=2.0);
        allowed.number("hotspot", self.hotspot, 0.0..=1.0);
        allowed.integer("scale_hotspots", self.scale_hotspots as u64, 1..=10);
        allowed.number("scale_budget", self.scale_budget, 0.0..=1.0);
    }
}

/// Walks a closed tour over all nodes, always the same way round, and cleans each node on it that is loaded.
///
/// It sees what any agent sees: its row and column, the nodes around it and the budget; the height and width of
/// the cluster are settings. It scales as [`K8sHeuristic`](crate::K8sHeuristic) does, when enough visible nodes are
/// hot and the budget allows.
///
/// A reference for life under overload, where every node has to be cleaned in its turn: on 4x4 nodes a tour that
/// cleans each of them takes 32 steps, in which a node must not fill up, so that no drift above
/// 0.99 / 32 = 0.031 can be carried by cleaning alone. It is none for the return at the reference drift, where priorities and loads matter more than
/// completeness.
#[derive(Clone, Debug)]
pub struct K8sPatrol {
    config: K8sPatrolConfig,
    rules: Rules,
    height: usize,
    width: usize,
    /// The move from each node, row by row.
    tour: Vec<Action>,
}

impl K8sPatrol {
    /// For clusters of one configuration.
    pub fn new(config: K8sPatrolConfig, cluster: &K8sConfig) -> K8sPatrol {
        let (height, width) = (cluster.height, cluster.width);
        K8sPatrol { config, rules: cluster.observation_rules, height, width, tour: tour(height, width) }
    }

    /// The action for one observation, `[30]`.
    pub fn choose(&self, observation: &[f32]) -> usize {
        let config = &self.config;
        let at = |index: usize| f64::from(observation[index]);
        let hot = (0..9).filter(|k| at(3 * k).max(at(3 * k + 1)) > config.hotspot).count();
        if hot >= config.scale_hotspots && at(29) >= config.scale_budget {
            return Action::Scale as usize;
        }
        if at(13) >= config.clean_memory {
            return Action::Clean as usize;
        }
        let row = self.place(observation[27], self.height);
        let col = self.place(observation[28], self.width);
        self.tour[row * self.width + col] as usize
    }

    /// The row or column, of `size`, that an observation shows as `seen`.
    fn place(&self, seen: f32, size: usize) -> usize {
        let divisor = match self.rules {
            Rules::V45 => size,
            Rules::V46 => size - 1,
        };
        ((seen * divisor as f32).round() as usize).min(size - 1)
    }
}

/// The moves of a closed tour of a torus that comes to every node once, row by row.
///
/// Each line is walked to its end, all of it, before the step to the next: one walked forward begins the next line a
/// place earlier, one walked backward a place later. The tour closes where that cancels out around the ring of lines:
/// half of an even number of lines forward and half backward or, of odd sizes, as many more forward as a line is long,
/// for which there are lines enough along the longer side.
fn tour(height: usize, width: usize) -> Vec<Action> {
    let by_columns = height % 2 == 1 && (width.is_multiple_of(2) || width > height);
    let (lines, length) = if by_columns { (width, height) } else { (height, width) };
    let forward_first = if lines % 2 == 1 { length } else { 0 };
    let [forward, backward, next] = if by_columns {
        [Action::Down, Action::Up, Action::Right]
    } else {
        [Action::Right, Action::Left, Action::Down]
    };
    let mut moves = vec![next; height * width];
    let mut start = 0;
    for line in 0..lines {
        let is_forward = line < forward_first || (line - forward_first).is_multiple_of(2);
        let end = (start + if is_forward { length - 1 } else { 1 }) % length;
        for place in (0..length).filter(|&place| place != end) {
            let node = if by_columns { place * width + line } else { line * width + place };
            moves[node] = if is_forward { forward } else { backward };
        }
        start = end;
    }
    moves
}

impl Policy for K8sPatrol {
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

    /// `agents/tests/k8s_patrol.rs` walks some of them in the cluster itself.
    #[test]
    fn every_torus_has_a_tour_that_comes_to_each_node_once_and_closes() {
        for (height, width) in (3..=64).flat_map(|height| (3..=64).map(move |width| (height, width))) {
            let moves = tour(height, width);
            let mut visits = vec![0; height * width];
            let (mut row, mut col) = (height - 1, 1);
            let start = (row, col);
            for _ in 0..height * width {
                visits[row * width + col] += 1;
                (row, col) = match moves[row * width + col] {
                    Action::Up => ((row + height - 1) % height, col),
                    Action::Down => ((row + 1) % height, col),
                    Action::Left => (row, (col + width - 1) % width),
                    Action::Right => (row, (col + 1) % width),
                    other => panic!("{other:?} is no move"),
                };
            }
            assert!(visits.iter().all(|&visits| visits == 1), "{height} x {width}");
            assert_eq!((row, col), start, "{height} x {width}");
        }
    }
}
