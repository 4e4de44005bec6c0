//! Settings that change in the middle of episodes: the state stays, the rules are others from the next step on.
#![allow(clippy::unwrap_used)] // helpers of tests

use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv};
use resonetics_envs::k8s::{K8sConfig, K8sEnv};
use resonetics_envs::saved::SaveError;
use resonetics_envs::stream::Stream;
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};

use super::saved::random;

/// Sixteen lanes side by side, and some alone.
const LANES: usize = 19;

fn cluster(change: impl Fn(&mut K8sConfig)) -> K8sEnv {
    let mut config = K8sConfig { max_steps: 60, ..K8sConfig::default() };
    change(&mut config);
    K8sEnv::new(config)
}

fn garden(dirt_growth: f64, control: bool) -> GardenerEnv {
    let mut config = GardenerConfig {
        grid_size: 8,
        init_agents: 4,
        min_population: 3,
        max_population: 8,
        view_size: 5,
        dirt_growth,
        max_generations: 50,
        ..GardenerConfig::default()
    };
    config.control.enabled = control;
    GardenerEnv::new(config)
}

/// A vector that has gone some way.
fn under_way<E: ParallelEnv + Clone + Sync>(env: &E) -> (VecEnv<E>, Batch, Stream) {
    let mut envs = VecEnv::new(vec![env.clone(); LANES], Autoreset::SameStep).unwrap();
    let (mut batch, mut random) = (envs.batch(), random(3));
    envs.reset(5, &mut batch);
    for _ in 0..33 {
        step(&mut envs, &mut batch, &mut random);
    }
    (envs, batch, random)
}

fn step<E: ParallelEnv + Clone + Sync>(envs: &mut VecEnv<E>, batch: &mut Batch, random: &mut Stream) {
    let space = envs.action_space();
    let actions: Vec<usize> = (0..batch.rewards.len()).map(|_| space.sample(random)).collect();
    envs.step(&actions, batch).unwrap();
}

/// What a vector goes through from here on, bit for bit.
fn future<E: ParallelEnv + Clone + Sync>(
    (mut envs, mut batch, mut random): (VecEnv<E>, Batch, Stream),
) -> Vec<String> {
    let after = |_| {
        step(&mut envs, &mut batch, &mut random);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let (seen, rewards) =
            (bits(batch.observations.as_slice().unwrap()), bits(batch.rewards.as_slice().unwrap()));
        format!(
            "{seen:?} {rewards:?} {:?} {:?} {:?}",
            batch.terminated, batch.truncated, batch.episode_length
        )
    };
    (0..70).map(after).collect()
}

fn changed<E: ParallelEnv + Clone + Sync>(from: &E, to: &E) -> (VecEnv<E>, Batch, Stream) {
    let (mut envs, mut batch, random) = under_way(from);
    envs.change_to(to, &mut batch).unwrap();
    (envs, batch, random)
}

#[test]
fn the_same_settings_change_nothing() {
    for env in [cluster(|_| {}), cluster(|config| config.control.enabled = true)] {
        let there_and_back = {
            let (mut envs, mut batch, random) = changed(&env, &cluster(|config| config.mem_drift_mu = 0.5));
            envs.change_to(
                &cluster(|config| config.control.enabled = env.config().control.enabled),
                &mut batch,
            )
            .unwrap();
            (envs, batch, random)
        };
        // A shield that was taken away has forgotten its risk.
        if !env.config().control.enabled {
            assert_eq!(future(there_and_back), future(under_way(&env)));
        }
        assert_eq!(future(changed(&env, &env)), future(under_way(&env)));
    }
    assert_eq!(
        future(changed(&garden(0.02, true), &garden(0.02, true))),
        future(under_way(&garden(0.02, true)))
    );
}

/// An environment of its own that is given the state of a lane under the other settings, and no vector at all.
#[test]
fn each_lane_goes_on_from_its_state_under_the_other_settings() {
    let (from, to) =
        (cluster(|_| {}), cluster(|config| (config.mem_drift_mu, config.clean_cost) = (0.06, 20.0)));
    let (envs, ..) = under_way(&from);
    let (mut others, mut batch, mut random) = changed(&from, &to);
    let mut alone: Vec<K8sEnv> = (0..LANES)
        .map(|lane| {
            let (mut env, mut observation) = (to.clone(), [0.0; 30]);
            let saved = resonetics_envs::env::Env::save(&*envs.env(lane)).unwrap();
            resonetics_envs::env::Env::restore(&mut env, &saved, &mut observation).unwrap();
            env
        })
        .collect();
    let mut ended = [false; LANES];
    for _ in 0..10 {
        let actions: Vec<usize> = (0..LANES).map(|_| others.action_space().sample(&mut random)).collect();
        others.step(&actions, &mut batch).unwrap();
        for (lane, env) in alone.iter_mut().enumerate() {
            if ended[lane] {
                continue;
            }
            let mut observation = [0.0; 30];
            let step = resonetics_envs::env::Env::step(env, actions[lane], &mut observation).unwrap();
            ended[lane] = step.terminated || step.truncated;
            assert_eq!(step.reward.to_bits(), batch.rewards[lane].to_bits(), "lane {lane}");
            if !ended[lane] {
                assert_eq!(
                    observation[..],
                    batch.observations.row(lane).as_slice().unwrap()[..],
                    "lane {lane}"
                );
            }
        }
    }
    assert!(ended.iter().any(|ended| !ended));
    assert_ne!(future(changed(&from, &to)), future(under_way(&from)));
    let dirty = garden(0.2, false);
    assert_ne!(future(changed(&garden(0.02, false), &dirty)), future(under_way(&garden(0.02, false))));
}

#[test]
fn control_is_turned_on_and_off() {
    let (off, on) = (cluster(|_| {}), cluster(|config| config.control.enabled = true));
    let (mut envs, mut batch, random) = changed(&off, &on);
    assert!(envs.env(0).control().is_some());
    // What it then does is what it does in an environment that is shielded from the start of its state on.
    assert_ne!(future((envs, batch, random)), future(under_way(&off)));
    (envs, batch, _) = changed(&on, &off);
    assert!(envs.env(LANES - 1).control().is_none());
    envs.change_to(&on, &mut batch).unwrap();
    assert_eq!(envs.env(0).control().unwrap().0.risk, 0.0);
}

#[test]
fn other_sizes_are_refused_and_change_nothing() {
    let env = cluster(|_| {});
    let (mut envs, mut batch, random) = under_way(&env);
    let larger = cluster(|config| (config.height, config.width) = (5, 5));
    assert!(matches!(envs.change_to(&larger, &mut batch), Err(SaveError::Foreign(_))));
    assert_eq!(future((envs, batch, random)), future(under_way(&env)));
    // A lane that is further than episodes are long by then.
    let (mut envs, mut batch, random) = under_way(&env);
    let shorter = cluster(|config| config.max_steps = 2);
    assert!(matches!(envs.change_to(&shorter, &mut batch), Err(SaveError::Foreign(_))));
    assert_eq!(future((envs, batch, random)), future(under_way(&env)));
}
