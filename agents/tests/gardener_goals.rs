//! What the gardeners' rule of thumb is promised to reach.
#![allow(clippy::unwrap_used)] // helpers of tests

use ndarray::Array2;
use resonetics_agents::{GardenerHeuristic, GardenerHeuristicConfig, Idle, Observations, Policy};
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv, action};
use resonetics_envs::vector::{Autoreset, VecEnv};

const GENERATIONS: usize = 2000;

/// Mean dirt after each generation of one garden.
fn dirt(policy: &mut dyn Policy, seed: u64) -> Vec<f64> {
    let env = GardenerEnv::new(GardenerConfig::default());
    let mut garden = VecEnv::new(vec![env], Autoreset::Disabled).unwrap();
    let mut batch = garden.batch();
    let mut state = Array2::zeros((1, 2));
    let mut actions = vec![0; batch.rewards.len()];
    garden.reset_lanes(&[Some(seed)], &mut batch);
    let mut course = Vec::new();
    while !batch.terminated[0] && !batch.truncated[0] {
        garden.write_states(&mut state);
        policy.act(&Observations::of(&batch, state.view()), &mut actions);
        garden.step(&actions, &mut batch).unwrap();
        course.push(garden.env(0).world().mean_dirt());
    }
    course
}

fn highest(course: &[f64]) -> f64 {
    course.iter().copied().fold(0.0, f64::max)
}

#[test]
fn heuristic_keeps_the_garden_clean() {
    for seed in 1..=5 {
        let config = GardenerHeuristicConfig::default();
        let course = dirt(&mut GardenerHeuristic::new(config, &GardenerConfig::default()), seed);
        assert_eq!(course.len(), GENERATIONS, "seed {seed}: lost");
        assert!(highest(&course) <= 0.45, "seed {seed}: {}", highest(&course));
        let settled = highest(&course[GENERATIONS / 2..]);
        assert!(settled <= 0.20, "seed {seed}: {settled} after generation 1,000");
    }
}

#[test]
fn who_waits_loses_the_garden() {
    let course = dirt(&mut Idle { action: action::WAIT }, 1);
    assert!(course.len() < GENERATIONS);
    assert!(course.last() >= Some(&0.75));
}
