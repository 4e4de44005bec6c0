//! A rollout of a vector of clusters into arrays `[steps, environments, …]`, in the form a trainer needs.
//!
//! `cargo run --release --example vector_rollout`
#![allow(clippy::print_stdout)] // an example shows what it does

use std::time::Instant;

use ndarray::{Array2, Array3, s};
use resonetics_agents::{Observations, Policy, Random};
use resonetics_envs::k8s::{ACTIONS, K8sConfig, K8sEnv, OBSERVATION};
use resonetics_envs::stream::{Domain, Key, lane_seed};
use resonetics_envs::vector::{Autoreset, VecEnv};

const ENVS: usize = 256;
const STEPS: usize = 512;

// ANCHOR: rollout
/// The rewards, `[steps, environments]`, and the returns of the episodes that ended.
fn rollout() -> Result<(Array2<f32>, Vec<f64>), Box<dyn std::error::Error>> {
    let mut envs = VecEnv::new(vec![K8sEnv::new(K8sConfig::default()); ENVS], Autoreset::SameStep)?;
    let mut batch = envs.batch();
    envs.reset(1, &mut batch);
    let mut policy = Random::new(ENVS, 1, ACTIONS);
    for env in 0..ENVS {
        // Each lane's own stream, so that its actions are the same in any batch.
        policy.begin_episode(env, Key::new(lane_seed(1, env as u64), Domain::Policy, 0));
    }
    let mut actions = vec![0; ENVS];
    let no_state = Array2::zeros((0, 0));

    let mut observations = Array3::<f32>::zeros((STEPS, ENVS, OBSERVATION));
    let mut rewards = Array2::<f32>::zeros((STEPS, ENVS));
    let mut returns = Vec::new();
    for step in 0..STEPS {
        observations.slice_mut(s![step, .., ..]).assign(&batch.observations);
        policy.act(&Observations::of(&batch, no_state.view()), &mut actions);
        envs.step(&actions, &mut batch)?;
        rewards.row_mut(step).assign(&batch.rewards);
        for lane in 0..ENVS {
            // A terminated episode has no value beyond its end; a truncated one would go on from
            // batch.final_observations, which a trainer bootstraps from.
            if batch.terminated[lane] || batch.truncated[lane] {
                returns.push(batch.episode_return[lane]);
            }
        }
    }
    Ok((rewards, returns))
}
// ANCHOR_END: rollout

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let (rewards, returns) = rollout()?;
    println!("{} steps in {:.2} s", rewards.len(), start.elapsed().as_secs_f64());
    println!("mean reward {:.4}", rewards.mean().unwrap_or_default());
    let mean = returns.iter().sum::<f64>() / returns.len() as f64;
    println!("{} episodes ended, mean return {mean:.1}", returns.len());
    Ok(())
}

/// Random agents earn 28.6 with a standard deviation of 7.3 (an independent implementation, 20,000
/// episodes): 256 independent lanes are within 5 standard errors of that, lanes that share a stream need
/// not be.
#[test]
fn its_lanes_earn_what_random_agents_earn() {
    let (rewards, returns) = rollout().unwrap();
    assert_eq!(rewards.dim(), (STEPS, ENVS));
    let mean = returns.iter().sum::<f64>() / returns.len() as f64;
    let standard_error = 7.3 / (returns.len() as f64).sqrt();
    assert!((mean - 28.6).abs() < 5.0 * standard_error, "{mean} over {} episodes", returns.len());
}
