//! A trajectory is the same on any number of threads, in a vector or alone, bit for bit.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::sync::Mutex;

use rayon::ThreadPoolBuilder;
use resonetics_envs::doses::{Doses, Draw};
use resonetics_envs::env::{Agents, ParallelEnv};
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv};
use resonetics_envs::k8s::{K8sConfig, K8sEnv};
use resonetics_envs::stream::{Domain, Key, lane_seed};
use resonetics_envs::vector::{Autoreset, Batch, Seen, VecEnv};

const SEED: u64 = 4;
const THREADS: [usize; 4] = [1, 2, 3, 64];

/// The action of a row at a step.
fn action(row: usize, step: usize, actions: usize) -> usize {
    Key::new(9, Domain::Space, row as u64).below(actions as u32, step as u32, 0) as usize
}

/// All that a lane shows in one step, in bits. `rewards` is empty after a reset.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shown {
    observations: Vec<u32>,
    rewards: Vec<u32>,
    flags: Vec<bool>,
}

fn bits<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u32> {
    values.into_iter().map(|value| value.to_bits()).collect()
}

fn shown(batch: &Batch, lane: usize, agents: usize) -> Shown {
    let rows = lane * agents..(lane + 1) * agents;
    let width = batch.observations.ncols();
    let observations = batch.observations.iter().skip(rows.start * width).take(agents * width);
    let mut flags = vec![batch.terminated[lane], batch.truncated[lane]];
    if batch.alive.len() > rows.start {
        rows.clone().for_each(|row| flags.extend(batch.action_mask.row(row)));
        rows.clone().for_each(|row| flags.extend([batch.alive[row], batch.died[row]]));
    }
    Shown { observations: bits(observations), rewards: bits(rows.map(|row| &batch.rewards[row])), flags }
}

/// Every lane's course [steps][lanes] in a vector on `threads` threads.
fn together<E: ParallelEnv + Clone>(env: &E, lanes: usize, steps: usize, threads: usize) -> Vec<Vec<Shown>> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut vector = VecEnv::new(vec![env.clone(); lanes], Autoreset::NextStep).unwrap();
    let mut batch = vector.batch();
    let (agents, n) = (env.agents(), env.action_space().n);
    vector.reset(SEED, &mut batch);
    let look = |batch: &Batch| (0..lanes).map(|lane| shown(batch, lane, agents)).collect::<Vec<_>>();
    let mut course = vec![look(&batch)];
    for step in 0..steps {
        let actions: Vec<usize> = (0..lanes * agents).map(|row| action(row, step, n)).collect();
        pool.install(|| vector.step(&actions, &mut batch)).unwrap();
        course.push(look(&batch));
    }
    course
}

/// The course of one lane [steps], its environment alone.
fn alone<E: ParallelEnv + Clone>(env: &E, lane: usize, steps: usize) -> Vec<Shown> {
    let mut env = env.clone();
    let (agents, n) = (env.agents(), env.action_space().n);
    let rows = if env.masked() { agents } else { 0 };
    let mut observations = vec![0.0; agents * env.observation_space().len()];
    let mut rewards = vec![0.0; agents];
    let (mut action_mask, mut alive, mut died) =
        (vec![false; rows * n], vec![false; rows], vec![false; rows]);
    let (mut course, mut ended) = (Vec::new(), true);
    for step in 0..=steps {
        let out = Agents {
            observations: &mut observations,
            rewards: &mut rewards,
            action_mask: &mut action_mask,
            alive: &mut alive,
            died: &mut died,
        };
        let mut flags = vec![false, false];
        if ended {
            out.rewards.fill(0.0);
            out.died.fill(false);
            env.reset((step == 0).then(|| lane_seed(SEED, lane as u64)), out);
            ended = false;
        } else {
            let actions: Vec<usize> =
                (0..agents).map(|agent| action(lane * agents + agent, step - 1, n)).collect();
            let ending = env.step(&actions, out).unwrap();
            flags = vec![ending.terminated, ending.truncated];
            ended = ending.terminated || ending.truncated;
        }
        flags.extend(&action_mask);
        flags.extend(alive.iter().zip(&died).flat_map(|(alive, died)| [*alive, *died]));
        course.push(Shown { observations: bits(&observations), rewards: bits(&rewards), flags });
    }
    course
}

fn same_everywhere<E: ParallelEnv + Clone>(what: &str, env: &E, lanes: usize, steps: usize) {
    let serial = together(env, lanes, steps, THREADS[0]);
    for threads in &THREADS[1..] {
        assert!(serial == together(env, lanes, steps, *threads), "{what}: {threads} threads differ from one");
    }
    let mut ends = 0;
    for lane in (0..lanes).step_by(37) {
        let single = alone(env, lane, steps);
        for step in 0..=steps {
            assert_eq!(serial[step][lane], single[step], "{what}, lane {lane}, step {step}");
        }
        ends += single.iter().filter(|shown| shown.flags[0] || shown.flags[1]).count();
    }
    assert!(ends > lanes.div_ceil(37), "{what}: more than one episode a lane is compared, not {ends}");
}

#[test]
fn clusters_are_the_same_on_any_number_of_threads() {
    for rules in [K8sConfig::default(), K8sConfig::v46()] {
        for (height, width) in [(4, 4), (3, 5), (9, 11)] {
            let config = K8sConfig { height, width, max_steps: 40, mem_drift_mu: 0.02, ..rules.clone() };
            // More lanes than one piece holds, and not a multiple of it.
            let what = format!("{:?} {height}x{width}", config.observation_rules);
            same_everywhere(&what, &K8sEnv::new(config), 1000, 100);
        }
    }
}

#[test]
fn shielded_clusters_are_the_same_on_any_number_of_threads() {
    let mut config = K8sConfig { max_steps: 40, ..K8sConfig::default() };
    config.control.enabled = true;
    same_everywhere("shield", &K8sEnv::new(config), 300, 100);
}

#[test]
fn drawn_drifts_are_the_same_on_any_number_of_threads() {
    let doses = |values: &[f64]| Doses { draw: Draw::Range, values: values.to_vec(), margin: 0.0 };
    let config = K8sConfig { max_steps: 40, ..K8sConfig::default() };
    same_everywhere("doses", &K8sEnv::with_doses(config, doses(&[0.005, 0.05])), 300, 100);
    let garden = GardenerConfig { grid_size: 12, max_generations: 20, ..GardenerConfig::default() };
    same_everywhere("doses of dirt", &GardenerEnv::with_doses(garden, doses(&[0.005, 0.05])), 40, 50);
}

/// Both first episodes of many seeds: with a drawn drift they are those of a world that has this drift.
#[test]
fn an_episode_with_a_drawn_drift_is_one_of_a_world_that_has_it() {
    let values = [0.004, 0.03];
    let doses = Doses { draw: Draw::List, values: values.to_vec(), margin: 0.0 };
    let config = K8sConfig { max_steps: 60, ..K8sConfig::default() };
    let worlds = values.map(|mem_drift_mu| K8sEnv::new(K8sConfig { mem_drift_mu, ..config.clone() }));
    which_of(&K8sEnv::with_doses(config, doses.clone()), &worlds, 100);
    let config = GardenerConfig { grid_size: 9, max_generations: 20, ..GardenerConfig::default() };
    let worlds = values.map(|dirt_growth| GardenerEnv::new(GardenerConfig { dirt_growth, ..config.clone() }));
    which_of(&GardenerEnv::with_doses(config, doses), &worlds, 20);
}

/// A margin is one above the world's own drift in every episode, not above that of the episode before.
#[test]
fn a_margin_does_not_grow_from_episode_to_episode() {
    let doses = Doses { margin: 0.5, ..Doses::default() };
    let config = GardenerConfig { grid_size: 9, dirt_growth: 0.01, ..GardenerConfig::default() };
    let mut gardens = VecEnv::new(vec![GardenerEnv::with_doses(config, doses)], Autoreset::Disabled).unwrap();
    let mut batch = gardens.batch();
    let mut drawn = Vec::new();
    for seed in 0..200 {
        gardens.reset(seed, &mut batch);
        drawn.push(gardens.env(0).world().config().dirt_growth);
    }
    assert!(drawn.iter().all(|growth| (0.00999..0.01501).contains(growth)), "{drawn:?}");
    assert!(drawn.iter().any(|&growth| growth < 0.0105) && drawn.iter().any(|&growth| growth > 0.0145));
}

/// Each lane's episode is that of one of `worlds`, and each of them is met.
fn which_of<E: ParallelEnv + Clone>(env: &E, worlds: &[E], lanes: usize) {
    let mut met = vec![0; worlds.len()];
    for lane in 0..lanes {
        let drawn = alone(env, lane, 20);
        let same = worlds.iter().position(|world| alone(world, lane, 20) == drawn);
        met[same.unwrap()] += 1;
    }
    assert!(met.iter().all(|&met| met > lanes / 5), "{met:?}");
}

#[test]
fn gardens_are_the_same_on_any_number_of_threads() {
    let config = GardenerConfig {
        grid_size: 12,
        init_agents: 6,
        min_population: 3,
        max_population: 10,
        birth_energy: 5.0,
        dirt_growth: 0.05,
        reproduce_threshold: 6.0,
        reproduce_cost: 5.0,
        max_generations: 30,
        ..GardenerConfig::default()
    };
    same_everywhere("garden", &GardenerEnv::new(config), 75, 100);
}

/// What is left of a vector after `steps` steps: its environments, and what its batch shows.
fn left_of(
    vector: &VecEnv<impl ParallelEnv>,
    batch: &Batch,
    lanes: usize,
    agents: usize,
) -> (Vec<u8>, Vec<Shown>) {
    (vector.save().unwrap(), (0..lanes).map(|lane| shown(batch, lane, agents)).collect())
}

/// Slice by slice or all in lockstep: every lane goes the same way. A slice has a multiple of `unit` lanes.
fn slices_go_where_lockstep_goes<E: ParallelEnv + Clone + Sync>(
    env: &E,
    lanes: usize,
    steps: usize,
    unit: usize,
) {
    for autoreset in [Autoreset::SameStep, Autoreset::NextStep] {
        let (agents, n) = (env.agents(), env.action_space().n);
        let mut vector = VecEnv::new(vec![env.clone(); lanes], autoreset).unwrap();
        let mut batch = vector.batch();
        vector.reset(SEED, &mut batch);
        let mut total = vec![0.0; lanes * agents];
        for step in 0..steps {
            let actions: Vec<usize> = (0..lanes * agents).map(|row| action(row, step, n)).collect();
            total.iter_mut().zip(&batch.rewards).for_each(|(total, &reward)| *total += f64::from(reward));
            vector.step(&actions, &mut batch).unwrap();
        }
        let expected = left_of(&vector, &batch, lanes, agents);
        for (per_slice, threads) in [(1, 2), (7, 3), (lanes - 1, 2), (lanes, 1), (10 * lanes, 2)] {
            vector.reset(SEED, &mut batch);
            batch.rewards.fill(0.0);
            let seen: Vec<Mutex<f64>> = (0..lanes * agents).map(|_| Mutex::new(0.0)).collect();
            let mut actions = vec![0; lanes * agents];
            let policy = |slice: &Seen<'_>, actions: &mut [usize]| {
                assert!(slice.lanes.len() <= per_slice.next_multiple_of(unit));
                assert_eq!(slice.lanes.len(), slice.terminated.len());
                let first = slice.lanes.start * agents;
                for (i, chosen) in actions.iter_mut().enumerate() {
                    *chosen = action(first + i, slice.step as usize, n);
                    *seen[first + i].lock().unwrap() += f64::from(slice.rewards[i]);
                }
            };
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| vector.rollout(steps as u32, per_slice, &mut batch, &mut actions, policy))
                .unwrap();
            assert!(
                left_of(&vector, &batch, lanes, agents) == expected,
                "{per_slice} a slice, {autoreset:?}"
            );
            let seen: Vec<f64> = seen.into_iter().map(|sum| sum.into_inner().unwrap()).collect();
            assert_eq!(seen, total, "the rewards that the policy saw");
        }
    }
}

#[test]
fn a_rollout_by_slices_is_the_same_in_every_world() {
    let short = K8sConfig { max_steps: 40, ..K8sConfig::default() };
    slices_go_where_lockstep_goes(&K8sEnv::new(short), 55, 130, 16);
    let mut shielded = K8sConfig { height: 5, ..K8sConfig::default() };
    shielded.control.enabled = true;
    slices_go_where_lockstep_goes(&K8sEnv::new(shielded), 20, 60, 1);
    let garden = GardenerConfig { max_generations: 12, grid_size: 9, ..GardenerConfig::default() };
    slices_go_where_lockstep_goes(&GardenerEnv::new(garden), 5, 30, 1);
}

#[test]
fn a_rollout_names_the_row_of_a_wrong_action() {
    let mut vector = VecEnv::new(vec![K8sEnv::new(K8sConfig::default()); 10], Autoreset::SameStep).unwrap();
    let mut batch = vector.batch();
    vector.reset(SEED, &mut batch);
    let wrong = |slice: &Seen<'_>, actions: &mut [usize]| {
        let at = 5usize.checked_sub(slice.lanes.start).filter(|&at| at < actions.len() && slice.step == 3);
        actions.fill(0);
        if let Some(at) = at {
            actions[at] = 6;
        }
    };
    let error = vector.rollout(9, 4, &mut batch, &mut [0; 10], wrong).unwrap_err();
    assert_eq!((error.row, error.action, error.n), (5, 6, 6));
}
