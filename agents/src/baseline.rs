//! The two policies that every other has to beat: random actions, and doing nothing.

use resonetics_envs::stream::{Domain, Key};

use crate::policy::{Observations, Policy};

/// Draws each action uniformly among those allowed; for as many environments as it was made for.
#[derive(Clone, Debug)]
pub struct Random {
    actions: usize,
    agents: usize,
    /// Each environment's stream, and how often it was asked in the episode.
    streams: Vec<(Key, u32)>,
}

impl Random {
    /// For `envs` environments of `agents` agents with `actions` actions.
    pub fn new(envs: usize, agents: usize, actions: usize) -> Random {
        // Until an episode is begun, each environment has a stream of its own all the same.
        let streams = (0..envs as u64).map(|env| (Key::new(0, Domain::Policy, env), 0)).collect();
        Random { actions, agents, streams }
    }
}

impl Policy for Random {
    fn begin_episode(&mut self, env: usize, key: Key) {
        self.streams[env] = (key, 0);
    }

    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        for (env, (key, step)) in self.streams.iter_mut().enumerate() {
            for agent in 0..self.agents {
                let row = env * self.agents + agent;
                if seen.action_mask.nrows() == 0 {
                    actions[row] = key.below(self.actions as u32, *step, agent as u32) as usize;
                    continue;
                }
                let allowed = seen.action_mask.row(row);
                let count = allowed.iter().filter(|&&allowed| allowed).count();
                if count > 0 {
                    let nth = key.below(count as u32, *step, agent as u32) as usize;
                    let chosen = allowed.iter().enumerate().filter(|(_, allowed)| **allowed).nth(nth);
                    actions[row] = chosen.map_or(actions[row], |(action, _)| action);
                }
            }
            *step += 1;
        }
    }
}

/// Always takes the same action, one that changes nothing: the agent of the cluster walks to the
/// right, a gardener waits.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// The action.
    pub action: usize,
}

impl Policy for Idle {
    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        for (row, action) in actions.iter_mut().enumerate() {
            if seen.asked(row) {
                *action = self.action;
            }
        }
    }
}
