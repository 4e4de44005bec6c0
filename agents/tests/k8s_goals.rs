//! What the cluster's policies are promised to reach, on paired seeds.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use ndarray::Array2;
use resonetics_agents::{K8sHeuristic, K8sPatrol, K8sPatrolConfig, K8sPlanner, Observations, Policy, Random};
use resonetics_envs::k8s::{ACTIONS, K8sConfig, K8sEnv};
use resonetics_envs::registry::{World, world};
use resonetics_envs::stream::{Domain, Key, lane_seed};
use resonetics_envs::vector::{Autoreset, VecEnv};

/// Environments that are stepped side by side: enough to be fast, few enough to stay in cache.
const CHUNK: u64 = 256;

#[derive(Clone, Copy, Debug)]
struct Episode {
    earned: f64,
    length: u32,
    terminated: bool,
}

fn preset(name: &str) -> K8sConfig {
    match world("k8s", name) {
        Ok(World::K8s(config)) => config,
        other => panic!("{other:?}"),
    }
}

/// One episode for each of the seeds `lane_seed(run, 0..episodes)`, in order.
fn play(
    config: &K8sConfig,
    make: impl Fn(usize) -> Box<dyn Policy>,
    run: u64,
    episodes: u64,
) -> Vec<Episode> {
    let mut played = Vec::new();
    for first in (0..episodes).step_by(CHUNK as usize) {
        let lanes = first..episodes.min(first + CHUNK);
        let seeds: Vec<u64> = lanes.map(|i| lane_seed(run, i)).collect();
        chunk(config, make(seeds.len()).as_mut(), &seeds, &mut played);
    }
    played
}

fn chunk(config: &K8sConfig, policy: &mut dyn Policy, seeds: &[u64], played: &mut Vec<Episode>) {
    let env = K8sEnv::new(config.clone());
    let mut vector = VecEnv::new(vec![env; seeds.len()], Autoreset::Disabled).unwrap();
    let mut batch = vector.batch();
    let state_len = if policy.needs_state() { 3 * config.nodes() + 3 } else { 0 };
    let mut states = Array2::zeros((if state_len > 0 { seeds.len() } else { 0 }, state_len));
    vector.reset_lanes(&seeds.iter().map(|&seed| Some(seed)).collect::<Vec<_>>(), &mut batch);
    for (env, &seed) in seeds.iter().enumerate() {
        policy.begin_episode(env, Key::new(seed, Domain::Policy, 0));
    }
    let mut actions = vec![0; seeds.len()];
    while (0..seeds.len()).any(|i| !batch.terminated[i] && !batch.truncated[i]) {
        if state_len > 0 {
            vector.write_states(&mut states);
        }
        policy.act(&Observations::of(&batch, states.view()), &mut actions);
        vector.step(&actions, &mut batch).unwrap();
    }
    played.extend((0..seeds.len()).map(|i| Episode {
        earned: batch.episode_return[i],
        length: batch.episode_length[i],
        terminated: batch.terminated[i],
    }));
}

fn random(envs: usize) -> Box<dyn Policy> {
    Box::new(Random::new(envs, 1, ACTIONS))
}

fn heuristic(_envs: usize) -> Box<dyn Policy> {
    Box::new(K8sHeuristic::default())
}

fn lost(episodes: &[Episode]) -> usize {
    episodes.iter().filter(|episode| episode.terminated).count()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn returns(episodes: &[Episode]) -> Vec<f64> {
    episodes.iter().map(|episode| episode.earned).collect()
}

/// Standard deviation, and that of its estimate: sd * sqrt((kurtosis - 1) / 4n) for any
/// distribution with a fourth moment.
fn spread(values: &[f64]) -> (f64, f64) {
    let (center, n) = (mean(values), values.len() as f64);
    let moment = |power| values.iter().map(|value| (value - center).powi(power)).sum::<f64>() / n;
    let sd = moment(2).sqrt();
    (sd, sd * ((moment(4) / sd.powi(4) - 1.0) / (4.0 * n)).sqrt())
}

/// Compares with a mean and a standard deviation that were measured on another implementation
/// over as many episodes and written down to `rounded`: both samples err, hence the root of 2, and
/// five standard deviations are passed once in 1.7 million.
fn agrees(what: &str, values: &[f64], expected: (f64, f64), rounded: (f64, f64)) {
    let (sd, sd_error) = spread(values);
    let mean_error = sd / (values.len() as f64).sqrt();
    let allowed = 5.0 * 2.0_f64.sqrt();
    let (found, wanted) = (mean(values), expected.0);
    assert!((found - wanted).abs() < allowed * mean_error + rounded.0, "{what}: mean {found}, not {wanted}");
    assert!((sd - expected.1).abs() < allowed * sd_error + rounded.1, "{what}: sd {sd}, not {}", expected.1);
}

#[test]
fn random_policy_reaches_what_was_measured_elsewhere() {
    let episodes = play(&preset("reference"), random, 1, 20_000);
    agrees("return", &returns(&episodes), (28.6, 7.3), (0.05, 0.05));
    let lengths: Vec<f64> = episodes.iter().map(|episode| episode.length.into()).collect();
    agrees("length", &lengths, (480.2, 66.0), (0.05, 0.5));
}

#[test]
fn heuristic_is_never_lost_and_never_below_random_under_the_reference_drift() {
    let config = preset("reference");
    let (guided, blind) = (play(&config, heuristic, 1, 10_000), play(&config, random, 1, 10_000));
    assert_eq!(lost(&guided), 0);
    assert!(lost(&blind) > 0, "the drift is a danger");
    let below = (0..guided.len()).filter(|&i| guided[i].earned < blind[i].earned);
    assert_eq!(below.collect::<Vec<_>>(), Vec::<usize>::new());
}

#[test]
fn storm_takes_who_does_not_look_and_spares_who_does() {
    let config = preset("storm");
    let (guided, blind) = (play(&config, heuristic, 2, 1000), play(&config, random, 2, 1000));
    assert!(lost(&blind) >= 950, "random lost {} of 1000", lost(&blind));
    assert!(lost(&guided) <= 10, "the heuristic lost {} of 1000", lost(&guided));
}

#[test]
fn planner_that_sees_all_earns_about_60() {
    let config = preset("reference");
    let planner = |_| Box::new(K8sPlanner::new(config.clone())) as Box<dyn Policy>;
    let earned = mean(&returns(&play(&config, planner, 3, 1000)));
    // 60.1 was measured elsewhere for such a planner, not this very one.
    assert!((59.0..=61.2).contains(&earned), "{earned}");
}

/// Measured elsewhere, with a tour of its own and 300 episodes: 2,000, 2,000 and 1,972 steps.
#[test]
fn patrol_outlives_the_planner_and_the_heuristic_under_overload() {
    for (mem_drift_mu, at_least) in [(0.016, 2000.0), (0.02, 1995.0), (0.024, 1972.0)] {
        let config = K8sConfig { mem_drift_mu, max_steps: 2000, ..K8sConfig::default() };
        let life = |make: &dyn Fn(usize) -> Box<dyn Policy>| {
            let played = play(&config, make, 5, 300);
            mean(&played.iter().map(|episode| episode.length.into()).collect::<Vec<f64>>())
        };
        let patrol = life(&|_| Box::new(K8sPatrol::new(K8sPatrolConfig::default(), &config)));
        let planner = life(&|_| Box::new(K8sPlanner::new(config.clone())));
        assert!(patrol >= at_least, "{mem_drift_mu}: {patrol}");
        assert!(patrol > planner && patrol > life(&heuristic), "{mem_drift_mu}: {patrol}, planner {planner}");
    }
}
