//! How fast a reservoir of your own may leak before half of them run dry, for two ways to pump.
//!
//! `cargo run --release --example own_limit`
#![allow(clippy::print_stdout)] // an example shows what it does

use resonetics_agents::{Observations, Policy};
use resonetics_envs::env::{Env, InvalidAction, Step};
use resonetics_envs::space::{BoxSpace, Discrete};
use resonetics_envs::stream::{Domain, Key};
use resonetics_runs::limit::{Experiment, Life, Lives, curves, found};
use resonetics_runs::progress::Silent;
use resonetics_runs::rollout::{Playable, play_in};

/// Loses up to twice `leak` of its level at each step; action 1 pumps 0.1 back. Terminated: it is empty.
/// Truncated: 500 steps are over, the life that is asked for.
#[derive(Clone)]
struct Reservoir {
    leak: f32,
    level: f32,
    steps: u32,
    episode: Key,
    space: BoxSpace,
}

impl Env for Reservoir {
    type Info = ();

    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: 2 }
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) {
        self.episode = Key::new(seed.unwrap_or_default(), Domain::Episode, 0);
        (self.level, self.steps) = (1.0, 0);
        observation[0] = self.level;
    }

    fn step(&mut self, action: usize, observation: &mut [f32]) -> Result<Step, InvalidAction> {
        let n = self.action_space().n;
        if action >= n {
            return Err(InvalidAction { action, row: 0, n });
        }
        self.steps += 1;
        let lost = 2.0 * self.leak * self.episode.uniform(self.steps, 0);
        let pumped = if action == 1 { 0.1 } else { 0.0 };
        self.level = (self.level + pumped - lost).clamp(0.0, 1.0);
        observation[0] = self.level;
        Ok(Step { reward: 1.0 - pumped, terminated: self.level <= 0.0, truncated: self.steps >= 500 })
    }

    fn info(&self) {}
}

// Episodes can be played of it; births and a snapshot of its own it has none.
impl Playable for Reservoir {}

/// Pumps when the level is low.
struct Pump {
    below: f32,
}

impl Policy for Pump {
    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        for (row, action) in actions.iter_mut().enumerate() {
            *action = usize::from(seen.observation(row)[0] < self.below);
        }
    }
}

// ANCHOR: main
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agents = ["early", "late"].map(str::to_owned);
    // The lives of an agent at a dose, here the leak, one for each seed.
    let play = |agent: usize, leak: f64, seeds: &[u64]| {
        let below = [0.5, 0.1][agent];
        let (level, steps, space) = (1.0, 0, BoxSpace::unit(1));
        let reservoir = Reservoir { leak: leak as f32, level, steps, episode: Key::default(), space };
        let policy = |_: usize| Ok(Box::new(Pump { below }) as Box<dyn Policy>);
        let episodes = play_in(&reservoir, &policy, seeds, 16, &Silent)?;
        Ok(episodes.iter().map(Life::from).collect())
    };
    // Doses are doubled and halved from 0.02; a leak can have any value.
    let (start, allowed) = (0.02, Some::<f64>);
    let experiment =
        Experiment { agents: &agents, seed: 1, episodes: 100, start, allowed: &allowed, play: &play };
    let responses = curves(&experiment, &mut Lives::unkept(), &|_, _| Box::new(Silent))?;
    let limits = found(&responses);
    for found in &limits {
        println!("{}", found.line("leak"));
    }
    let limit = |agent: usize| limits[agent].limits.spearman_karber.limit;
    if limit(0) > limit(1) { Ok(()) } else { Err("who pumps early carries more".into()) }
}
// ANCHOR_END: main

#[test]
fn runs() {
    main().unwrap();
}
