//! A custom environment: a leaking reservoir, checked against the contract and then stepped as a vector.
//!
//! `cargo run --release --example own_environment`
#![allow(clippy::print_stdout)] // an example shows what it does

use resonetics_envs::checker::check;
use resonetics_envs::env::{Env, InvalidAction, Step};
use resonetics_envs::space::{BoxSpace, Discrete};
use resonetics_envs::stream::{Domain, Key};
use resonetics_envs::vector::{Autoreset, VecEnv};

// ANCHOR: state
/// A reservoir loses a random part of its level at each step; action 1 pumps, at a price.
/// Terminated: it is empty. Truncated: 200 steps are over.
struct Reservoir {
    level: f32,
    steps: u32,
    seed: u64,
    episode: u64,
    space: BoxSpace,
}

impl Reservoir {
    fn new() -> Reservoir {
        Reservoir { level: 1.0, steps: 0, seed: 0, episode: 0, space: BoxSpace::unit(1) }
    }

    /// All randomness comes from (seed, episode, step): no generator to carry along.
    fn draw(&self) -> f32 {
        Key::new(self.seed, Domain::Episode, self.episode).uniform(self.steps, 0)
    }
}
// ANCHOR_END: state

// ANCHOR: contract
impl Env for Reservoir {
    type Info = ();

    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: 2 }
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) {
        (self.seed, self.episode) = match seed {
            Some(seed) => (seed, 0),
            None => (self.seed, self.episode + 1),
        };
        self.steps = 0;
        self.level = 0.5 + 0.5 * self.draw();
        observation[0] = self.level;
    }

    fn step(&mut self, action: usize, observation: &mut [f32]) -> Result<Step, InvalidAction> {
        let n = self.action_space().n;
        if action >= n {
            return Err(InvalidAction { action, row: 0, n });
        }
        self.steps += 1;
        let pumped = if action == 1 { 0.1 } else { 0.0 };
        self.level = (self.level + pumped - 0.15 * self.draw()).clamp(0.0, 1.0);
        observation[0] = self.level;
        Ok(Step { reward: 1.0 - 5.0 * pumped, terminated: self.level <= 0.0, truncated: self.steps >= 200 })
    }

    fn info(&self) {}
}
// ANCHOR_END: contract

// ANCHOR: main
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = check(Reservoir::new, 1, 30, 1_000);
    println!("contract: {} steps, problems: {:?}", report.steps, report.problems);
    println!("ends seen: terminated {}, truncated {}", report.terminated, report.truncated);

    let mut envs = VecEnv::new((0..8).map(|_| Reservoir::new()).collect(), Autoreset::SameStep)?;
    let mut batch = envs.batch();
    envs.reset(7, &mut batch);
    let mut lengths = Vec::new();
    for _ in 0..1_000 {
        // Pump when the level is low.
        let actions: Vec<usize> =
            batch.observations.column(0).iter().map(|&level| usize::from(level < 0.4)).collect();
        envs.step(&actions, &mut batch)?;
        let ended = (0..envs.len()).filter(|&lane| batch.terminated[lane] || batch.truncated[lane]);
        lengths.extend(ended.map(|lane| batch.episode_length[lane]));
    }
    let mean = lengths.iter().sum::<u32>() as f32 / lengths.len() as f32;
    println!("{} episodes, {mean:.1} steps on average", lengths.len());
    if report.problems.is_empty() { Ok(()) } else { Err("the reservoir breaks the contract".into()) }
}
// ANCHOR_END: main

#[test]
fn runs() {
    main().unwrap();
}
