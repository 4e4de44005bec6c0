//! The cluster's patrol, walked in the cluster itself.
#![allow(clippy::unwrap_used)] // helpers of tests

use ndarray::Array2;
use resonetics_agents::{K8sPatrol, K8sPatrolConfig, Observations, Policy};
use resonetics_envs::env::Env;
use resonetics_envs::k8s::{Action, K8sConfig, K8sEnv, OBSERVATION};

/// A cluster in which nothing ever happens.
fn quiet(base: K8sConfig, height: usize, width: usize) -> K8sConfig {
    K8sConfig {
        height,
        width,
        initial_cpu_max: 0.0,
        initial_memory_max: 0.0,
        cpu_noise_sigma: 0.0,
        mem_drift_mu: 0.0,
        mem_noise_sigma: 0.0,
        max_steps: u32::MAX,
        ..base
    }
}

struct Walk {
    config: K8sConfig,
    env: K8sEnv,
    policy: K8sPatrol,
    seen: Array2<f32>,
    state: Vec<f32>,
}

impl Walk {
    fn new(config: K8sConfig) -> Walk {
        let mut env = K8sEnv::new(config.clone());
        let mut seen = Array2::zeros((1, OBSERVATION));
        env.reset(Some(3), seen.as_slice_mut().unwrap());
        let policy = K8sPatrol::new(K8sPatrolConfig::default(), &config);
        let state = vec![0.0; env.state_len()];
        Walk { config, env, policy, seen, state }
    }

    /// The node that the agent is on, from the cluster's state.
    fn node(&mut self) -> usize {
        self.env.write_state(&mut self.state);
        let place = &self.state[3 * self.config.nodes()..];
        place[0] as usize * self.config.width + place[1] as usize
    }

    fn choose(&mut self) -> usize {
        let mut actions = [usize::MAX];
        let (no_mask, no_state) = (Array2::from_elem((0, 0), true), Array2::zeros((0, 0)));
        let seen = Observations {
            observations: self.seen.view(),
            action_mask: no_mask.view(),
            state: no_state.view(),
        };
        self.policy.act(&seen, &mut actions);
        actions[0]
    }

    fn step(&mut self) {
        let action = self.choose();
        self.env.step(action, self.seen.as_slice_mut().unwrap()).unwrap();
    }
}

/// By the rows and columns that it sees under both rule sets, and the moves that the cluster makes. All sizes are
/// walked on paper in `k8s_patrol.rs`: here one step costs as much as there are nodes.
#[test]
fn patrol_comes_to_every_node_once_a_tour() {
    let small = (3..=16).flat_map(|height| (3..=16).map(move |width| (height, width)));
    let large = [(3, 64), (64, 3), (3, 63), (63, 3), (32, 63), (63, 32), (63, 61), (61, 63), (64, 64)];
    for (height, width) in small.chain(large) {
        for rules in [K8sConfig::default(), K8sConfig::v46()] {
            let mut walk = Walk::new(quiet(rules, height, width));
            let start = walk.node();
            let mut visits = vec![0; height * width];
            for _ in 0..height * width {
                visits[walk.node()] += 1;
                walk.step();
            }
            assert!(visits.iter().all(|&visits| visits == 1), "{height} x {width}");
            assert_eq!(walk.node(), start, "{height} x {width}");
        }
    }
}

#[test]
fn patrol_cleans_from_its_threshold_on_and_scales_by_its_settings() {
    let mut walk = Walk::new(quiet(K8sConfig::default(), 4, 4));
    let mut chosen = |own: f32, right: f32, budget: f32| {
        (walk.seen[(0, 13)], walk.seen[(0, 16)], walk.seen[(0, 29)]) = (own, right, budget);
        walk.choose()
    };
    let is_move = |action: usize| action < Action::Clean as usize;
    assert!(is_move(chosen(0.09, 0.0, 1.0)));
    assert_eq!(chosen(0.11, 0.0, 1.0), Action::Clean as usize);
    assert_eq!(chosen(0.11, 0.96, 1.0), Action::Scale as usize);
    assert_eq!(chosen(0.11, 0.94, 1.0), Action::Clean as usize);
    assert_eq!(chosen(0.11, 0.96, 0.09), Action::Clean as usize);
    assert!(is_move(chosen(0.0, 0.96, 0.09)));
}
