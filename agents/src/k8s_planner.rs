//! A reference for the return in the cluster: it sees every node, which no agent may.

use resonetics_envs::k8s::{Action, K8sConfig};

use crate::policy::{Observations, Policy};

/// Goes for the node with the largest gain / (distance + 1), and cleans it.
///
/// It needs the state ([`Policy::needs_state`]). An upper reference for the return at the reference drift on about
/// 4x4 nodes, and for nothing else: it is greedy, and greed is no bound. On grids much larger the way to a node costs more
/// than its score knows, and under overload it loses nodes that are far away and nearly full to near ones that pay more:
/// there [`K8sPatrol`](crate::K8sPatrol) and even a rule of thumb live longer.
///
/// The gain of a node is the reward of cleaning it now; the distance is the number of moves on
/// the torus.
#[derive(Clone, Debug)]
pub struct K8sPlanner {
    config: K8sConfig,
}

impl K8sPlanner {
    /// For clusters of one configuration.
    pub fn new(config: K8sConfig) -> K8sPlanner {
        K8sPlanner { config }
    }

    /// The action for one state as `K8sEnv::write_state` writes it.
    fn choose(&self, state: &[f32]) -> usize {
        let config = &self.config;
        let nodes = config.nodes();
        let (height, width) = (config.height, config.width);
        let agent = (state[3 * nodes] as usize, state[3 * nodes + 1] as usize);
        let mut best = (f64::NEG_INFINITY, 0, 0);
        for node in 0..nodes {
            let cpu = f64::from(state[node]).min(config.clean_cpu);
            let cleaned = cpu + f64::from(state[nodes + node]);
            let priority = f64::from(state[2 * nodes + node]);
            let gain = if cleaned < config.clean_worth {
                0.0
            } else {
                (cleaned / config.clean_full).min(1.0) * (1.0 + priority)
            };
            let down = (node / width + height - agent.0) % height;
            let right = (node % width + width - agent.1) % width;
            let distance = down.min(height - down) + right.min(width - right);
            let score = gain / (distance + 1) as f64;
            if score > best.0 {
                best = (score, down, right);
            }
        }
        match best {
            (_, 0, 0) => Action::Clean as usize,
            (_, 0, right) if right <= width - right => Action::Right as usize,
            (_, 0, _) => Action::Left as usize,
            (_, down, _) if down <= height - down => Action::Down as usize,
            _ => Action::Up as usize,
        }
    }
}

impl Policy for K8sPlanner {
    fn needs_state(&self) -> bool {
        true
    }

    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        for (row, action) in actions.iter_mut().enumerate() {
            *action = self.choose(seen.state_of(row));
        }
    }
}
