//! A rollout of a vector of clusters into arrays `[steps, environments, …]`, as a trainer needs it.
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
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
    let start = Instant::now();
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
    let seconds = start.elapsed().as_secs_f64();
    println!("{} steps in {seconds:.2} s", STEPS * ENVS);
    println!("mean reward {:.4}", rewards.mean().unwrap_or_default());
    println!(
        "{} episodes ended, mean return {:.1}",
        returns.len(),
        returns.iter().sum::<f64>() / returns.len() as f64
    );
    Ok(())
}

#[test]
fn runs() {
    main().unwrap();
}
