//! The random policy: masks, uniformity, independence of the batch.
#![allow(clippy::unwrap_used)] // helpers of tests

use ndarray::{Array2, ArrayView2};
use resonetics_agents::{Idle, Observations, Policy, Random};
use resonetics_envs::stream::{Domain, Key};

const ACTIONS: usize = 6;
/// No action: shows which rows a policy left as they were.
const NONE: usize = 99;

fn key(env: u64) -> Key {
    Key::new(7, Domain::Policy, env)
}

fn seen<'a>(observations: &'a Array2<f32>, action_mask: &'a Array2<bool>) -> Observations<'a> {
    let state = ArrayView2::from_shape((0, 0), &[]).unwrap();
    Observations { observations: observations.view(), action_mask: action_mask.view(), state }
}

/// Actions [steps][rows] of environments `envs` with `agents` agents under `mask` [rows].
fn acts(envs: &[u64], agents: usize, steps: usize, mask: &Array2<bool>) -> Vec<Vec<usize>> {
    let mut policy = Random::new(envs.len(), agents, ACTIONS);
    for (row, &env) in envs.iter().enumerate() {
        policy.begin_episode(row, key(env));
    }
    let observations = Array2::zeros((envs.len() * agents, 1));
    let mut act = || {
        let mut actions = vec![NONE; envs.len() * agents];
        policy.act(&seen(&observations, mask), &mut actions);
        actions
    };
    (0..steps).map(|_| act()).collect()
}

fn unmasked() -> Array2<bool> {
    Array2::default((0, ACTIONS))
}

/// Sum of (found - expected)^2 / expected over the actions.
fn chi_square(actions: impl Iterator<Item = usize>, of: &[usize]) -> f64 {
    let mut counts = [0.0; ACTIONS];
    let mut total = 0.0;
    for action in actions {
        counts[action] += 1.0;
        total += 1.0;
    }
    let expected = total / of.len() as f64;
    of.iter().map(|&action| (counts[action] - expected).powi(2) / expected).sum()
}

#[test]
fn every_action_comes_as_often() {
    let actions = acts(&[0, 1, 2], 1, 100_000, &unmasked());
    // Chi-square of 5 degrees of freedom is above 35.9 once in a million.
    assert!(chi_square(actions.into_iter().flatten(), &[0, 1, 2, 3, 4, 5]) < 35.9);
}

#[test]
fn only_allowed_actions_come_each_as_often_and_rows_not_asked_stay() {
    let allowed = [1, 4, 5];
    let mask = Array2::from_shape_fn((2, ACTIONS), |(row, action)| row == 0 && allowed.contains(&action));
    let actions = acts(&[0], 2, 100_000, &mask);
    assert!(actions.iter().all(|rows| allowed.contains(&rows[0]) && rows[1] == NONE));
    // Chi-square of 2 degrees of freedom is above 27.6 once in a million.
    assert!(chi_square(actions.iter().map(|rows| rows[0]), &allowed) < 27.6);
}

#[test]
fn an_environment_gets_the_same_actions_in_any_batch() {
    let together = acts(&[3, 1, 4, 15], 2, 50, &unmasked());
    for (place, env) in [3, 1, 4, 15].into_iter().enumerate() {
        let alone = acts(&[env], 2, 50, &unmasked());
        let part: Vec<Vec<usize>> = together.iter().map(|rows| rows[2 * place..][..2].to_vec()).collect();
        assert_eq!(alone, part, "environment {env}");
    }
}

#[test]
fn environments_agents_and_steps_draw_each_their_own() {
    let actions = acts(&[0, 1], 2, 1000, &unmasked());
    let column = |row: usize| actions.iter().map(|rows| rows[row]).collect::<Vec<_>>();
    for (a, b) in [(0, 1), (0, 2), (1, 3)] {
        let same = (0..1000).filter(|&step| column(a)[step] == column(b)[step]).count();
        // Binomial(1000, 1/6): 167 +- 11.8.
        assert!((107..=227).contains(&same), "rows {a} and {b}: {same}");
    }
    let repeats = (1..1000).filter(|&step| column(0)[step] == column(0)[step - 1]).count();
    assert!((107..=227).contains(&repeats), "{repeats}");
}

#[test]
fn an_episode_begun_again_is_the_same() {
    let mut policy = Random::new(1, 1, ACTIONS);
    let observations = Array2::zeros((1, 1));
    let mut episode = || {
        policy.begin_episode(0, key(0));
        let mut actions = vec![0; 20];
        for action in &mut actions {
            policy.act(&seen(&observations, &unmasked()), std::slice::from_mut(action));
        }
        actions
    };
    assert_eq!(episode(), episode());
}

#[test]
fn idle_acts_where_asked() {
    let mask = Array2::from_shape_fn((3, ACTIONS), |(row, _)| row != 1);
    let mut actions = vec![NONE; 3];
    Idle { action: 3 }.act(&seen(&Array2::zeros((3, 1)), &mask), &mut actions);
    assert_eq!(actions, [3, NONE, 3]);
}
