//! A custom policy, compared with the heuristic on the same seeds.
//!
//! `cargo run --release --example own_policy`
#![allow(clippy::print_stdout)] // an example shows what it does

use ndarray::ArrayView2;
use resonetics_agents::{K8sHeuristic, Observations, Policy};
use resonetics_envs::k8s::{Action, K8sConfig, K8sEnv, toward_worst};
use resonetics_envs::vector::{Autoreset, VecEnv};

// ANCHOR: policy
/// Cleans above 60% memory, else goes to the worst neighbour.
struct Patient;

impl Policy for Patient {
    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        for (row, action) in actions.iter_mut().enumerate() {
            let observation = seen.observation(row);
            // The agent's own node is the middle of the 3x3 cells: cpu 12, memory 13, priority 14.
            *action =
                if observation[13] > 0.6 { Action::Clean as usize } else { toward_worst(observation, 0.0) };
        }
    }
}
// ANCHOR_END: policy

// ANCHOR: compare
/// Mean return over `episodes` episodes.
fn mean_return(policy: &mut dyn Policy, episodes: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let mut envs = VecEnv::new(vec![K8sEnv::new(K8sConfig::default()); episodes], Autoreset::Disabled)?;
    let mut batch = envs.batch();
    let mut actions = vec![0; episodes];
    // The same seed gives both policies the same clusters, the same noise and the same drift.
    envs.reset(42, &mut batch);
    while !(0..episodes).all(|lane| batch.terminated[lane] || batch.truncated[lane]) {
        let no_state = ArrayView2::from_shape((0, 0), &[])?;
        policy.act(&Observations::of(&batch, no_state), &mut actions);
        envs.step(&actions, &mut batch)?;
    }
    Ok(batch.episode_return.mean().unwrap_or(f64::NAN))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let patient = mean_return(&mut Patient, 200)?;
    let heuristic = mean_return(&mut K8sHeuristic::default(), 200)?;
    println!("patient {patient:.1}, heuristic {heuristic:.1}");
    Ok(())
}
// ANCHOR_END: compare

#[test]
fn the_heuristic_beats_patience() {
    main().unwrap();
    let patient = mean_return(&mut Patient, 200).unwrap();
    let heuristic = mean_return(&mut K8sHeuristic::default(), 200).unwrap();
    assert!(0.0 < patient && patient < heuristic, "{patient} {heuristic}");
}
