//! A saved environment goes on bit for bit, and bytes that cannot have been saved are refused.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::fmt::Debug;

use crc::{CRC_32_ISCSI, Crc};
use proptest::prelude::*;
use resonetics_envs::doses::{Doses, Draw};
use resonetics_envs::env::{Agents, Ending, ParallelEnv};
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv, LifeEvent};
use resonetics_envs::k8s::{K8sConfig, K8sEnv, Schedule};
use resonetics_envs::saved::SaveError;
use resonetics_envs::stream::{Domain, Key, Stream};
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};

/// What is beside the contract and has to come back too.
trait Probe {
    fn events(&self) -> Vec<LifeEvent> {
        Vec::new()
    }
    fn control(&self) -> String;
}

impl Probe for K8sEnv {
    fn control(&self) -> String {
        format!("{:?} {:?}", K8sEnv::control(self), self.next_noise())
    }
}

impl Probe for GardenerEnv {
    fn events(&self) -> Vec<LifeEvent> {
        GardenerEnv::events(self).to_vec()
    }

    fn control(&self) -> String {
        format!("{:?} {} {:?}", self.world().restraint(), self.saturated(), self.world().gardeners())
    }
}

/// An environment with what it writes.
#[derive(Clone)]
struct Played<E> {
    env: E,
    observations: Vec<f32>,
    rewards: Vec<f32>,
    flags: [Vec<bool>; 3],
    ending: Ending,
}

impl<E: ParallelEnv + Probe + Clone> Played<E>
where
    E::Info: Debug,
{
    fn new(env: E) -> Played<E> {
        let (agents, masked) = (env.agents(), if env.masked() { env.agents() } else { 0 });
        Played {
            observations: vec![f32::NAN; agents * env.observation_space().len()],
            rewards: vec![0.0; agents],
            flags: [vec![false; masked * env.action_space().n], vec![false; masked], vec![false; masked]],
            ending: Ending::default(),
            env,
        }
    }

    fn out(&mut self) -> (&mut E, Agents<'_>) {
        let [action_mask, alive, died] = &mut self.flags;
        let (observations, rewards) = (&mut self.observations, &mut self.rewards);
        (&mut self.env, Agents { observations, rewards, action_mask, alive, died })
    }

    fn reset(&mut self, seed: Option<u64>) {
        let (env, out) = self.out();
        env.reset(seed, out);
        self.rewards.fill(0.0);
        self.flags[2].fill(false);
        self.ending = Ending::default();
    }

    /// A step with random actions, or the next episode where one has ended.
    fn go_on(&mut self, random: &mut Stream) {
        if self.ending.terminated || self.ending.truncated {
            return self.reset(None);
        }
        let space = self.env.action_space();
        let actions: Vec<usize> = (0..self.env.agents()).map(|_| space.sample(random)).collect();
        let (env, out) = self.out();
        self.ending = env.step(&actions, out).unwrap();
    }

    fn restore(&mut self, saved: &[u8], ending: Ending) -> Result<(), SaveError> {
        let (env, out) = self.out();
        env.restore(saved, out)?;
        self.ending = ending;
        Ok(())
    }

    /// All there is to see, bit for bit; Rust prints the shortest digits that tell two numbers apart.
    fn seen(&self) -> String {
        let bits: Vec<u32> = self.observations.iter().map(|value| value.to_bits()).collect();
        let [mask, alive, _] = &self.flags;
        let (events, control) = (self.env.events(), self.env.control());
        format!("{bits:?} {mask:?} {alive:?} {:?} {events:?} {control}", self.env.info())
    }

    /// What happened in the last step.
    fn happened(&self) -> String {
        let bits: Vec<u32> = self.rewards.iter().map(|value| value.to_bits()).collect();
        format!("{bits:?} {:?} {:?}", self.flags[2], self.ending)
    }
}

pub(super) fn random(number: u64) -> Stream {
    Stream::new(Key::new(number, Domain::Space, 0))
}

/// Saves `env` at its start, within an episode, at the episode's end and in the next one, restores
/// it into a fresh one and one that was elsewhere, and plays 500 steps beside the original.
fn goes_on<E: ParallelEnv + Probe + Clone>(env: &E)
where
    E::Info: Debug,
{
    let mut first = Played::new(env.clone());
    first.reset(Some(7 << 40));
    let mut actions = random(1);
    let mut ends = 0;
    continues(env, &first, &actions);
    for step in 1.. {
        first.go_on(&mut actions);
        let ended = first.ending != Ending::default();
        ends += u32::from(ended);
        if ended || step == 3 || (ends == 1 && step % 37 == 0) {
            ends += continues(env, &first, &actions);
        }
        if ends > 2 {
            break;
        }
    }
}

/// Yields how many episodes end in the 500 steps.
fn continues<E: ParallelEnv + Probe + Clone>(env: &E, first: &Played<E>, actions: &Stream) -> u32
where
    E::Info: Debug,
{
    let saved = first.env.save().unwrap();
    let mut elsewhere = Played::new(env.clone());
    elsewhere.reset(Some(8));
    let mut other_actions = random(2);
    (0..17).for_each(|_| elsewhere.go_on(&mut other_actions));
    assert_ne!(first.seen(), elsewhere.seen());
    let mut ends = 0;
    for mut second in [Played::new(env.clone()), elsewhere] {
        second.restore(&saved, first.ending).unwrap();
        assert_eq!(first.seen(), second.seen());
        assert_eq!(second.env.save().unwrap(), saved);
        let mut first = first.clone();
        let (mut a, mut b) = (actions.clone(), actions.clone());
        for step in 0..500 {
            first.go_on(&mut a);
            second.go_on(&mut b);
            assert_eq!(first.happened(), second.happened(), "after {step} more steps");
            assert_eq!(first.seen(), second.seen(), "after {step} more steps");
            ends += u32::from(first.ending != Ending::default());
        }
    }
    ends
}

fn grid(height: usize, width: usize) -> K8sConfig {
    K8sConfig { height, width, ..K8sConfig::default() }
}

fn shielded() -> K8sConfig {
    let mut config = K8sConfig::v46();
    config.control.enabled = true;
    config
}

#[test]
fn clusters_go_on_bit_for_bit() {
    for config in [K8sConfig::default(), K8sConfig::v46(), shielded(), grid(8, 12), grid(3, 3)] {
        goes_on(&K8sEnv::new(config));
    }
}

#[test]
fn clusters_go_on_within_every_drift() {
    for schedule in [Schedule::Ramp, Schedule::Seasonal, Schedule::Regime, Schedule::Shocks] {
        let mut config = K8sConfig::v46();
        config.drift.schedule = schedule;
        goes_on(&K8sEnv::new(config));
    }
}

#[test]
fn worlds_go_on_under_their_episodes_own_drift() {
    let doses = |low: f64, high: f64| Doses { draw: Draw::Range, values: vec![low, high], margin: 0.0 };
    goes_on(&K8sEnv::with_doses(K8sConfig::default(), doses(0.01, 0.05)));
    goes_on(&GardenerEnv::with_doses(lively(), doses(0.01, 0.3)));
}

/// A small garden with births, deaths, newcomers, cleared memories and control.
fn lively() -> GardenerConfig {
    let mut config = GardenerConfig {
        grid_size: 9,
        init_agents: 6,
        min_population: 3,
        max_population: 12,
        max_generations: 120,
        birth_energy: 8.0,
        dirt_growth: 0.05,
        reproduce_threshold: 10.5,
        reproduce_cost: 5.0,
        ..GardenerConfig::default()
    };
    config.memory.reset_interval = 5;
    config.memory.reset_on_collapse = true;
    config
}

#[test]
fn gardens_go_on_bit_for_bit() {
    let uncontrolled = {
        let mut config = lively();
        config.control.enabled = false;
        config
    };
    let lost = {
        let mut config = lively();
        config.dirt_growth = 0.3;
        config.lost.generations = 9;
        config
    };
    for config in [lively(), uncontrolled, lost] {
        goes_on(&GardenerEnv::new(config));
    }
    let (mut env, mut kinds) = (Played::new(GardenerEnv::new(lively())), [false; 3]);
    env.reset(Some(7 << 40));
    let mut actions = random(1);
    for _ in 0..120 {
        env.go_on(&mut actions);
        for event in env.env.events() {
            kinds[0] |= matches!(event, LifeEvent::Born { parent: Some(_), .. });
            kinds[1] |= matches!(event, LifeEvent::Born { parent: None, .. });
            kinds[2] |= matches!(event, LifeEvent::Forget { .. });
        }
    }
    assert_eq!(kinds, [true; 3], "the garden of this test is not lively");
}

/// What the next step of a vector builds on.
fn present(batch: &Batch) -> String {
    let bits: Vec<u32> = batch.observations.iter().map(|value| value.to_bits()).collect();
    format!("{bits:?} {:?} {:?}", batch.action_mask, batch.alive)
}

/// All of a batch that a step writes, and the arrays that are valid where an episode ended.
fn all(batch: &Batch) -> String {
    let over = |lane: usize| batch.terminated[lane] || batch.truncated[lane];
    let lanes: Vec<usize> = (0..batch.terminated.len()).filter(|&lane| over(lane)).collect();
    let agents = batch.rewards.len() / batch.terminated.len();
    let ends: Vec<_> = lanes
        .iter()
        .map(|&lane| (lane, batch.episode_return[lane].to_bits(), batch.episode_length[lane]))
        .collect();
    let finals: Vec<Vec<u32>> = lanes
        .iter()
        .flat_map(|&lane| batch.final_observations.rows().into_iter().skip(lane * agents).take(agents))
        .map(|row| row.iter().map(|value| value.to_bits()).collect())
        .collect();
    let rewards: Vec<u32> = batch.rewards.iter().map(|value| value.to_bits()).collect();
    format!(
        "{} {rewards:?} {:?} {:?} {ends:?} {finals:?}",
        present(batch),
        batch.died,
        (&batch.terminated, &batch.truncated)
    )
}

fn vector_goes_on<E: ParallelEnv + Clone>(env: &E, autoreset: Autoreset, steps: usize) {
    let fresh = || VecEnv::new(vec![env.clone(); 5], autoreset).unwrap();
    let mut first = fresh();
    let mut batch = first.batch();
    first.reset(3, &mut batch);
    let (mut ended_before, mut ended_after, mut actions) = (0, 0, random(1));
    let space = env.action_space();
    let rows = batch.rewards.len();
    for _ in 0..steps {
        let chosen: Vec<usize> = (0..rows).map(|_| space.sample(&mut actions)).collect();
        first.step(&chosen, &mut batch).unwrap();
        ended_before += batch.terminated.iter().chain(&batch.truncated).filter(|&&end| end).count();
    }
    let saved = first.save().unwrap();
    let mut second = fresh();
    let mut other = second.batch();
    other.rewards.fill(f32::NAN);
    other.died.fill(true);
    other.terminated.fill(true);
    second.restore(&saved, &mut other).unwrap();
    assert_eq!(present(&batch), present(&other));
    assert!(other.rewards.iter().all(|&reward| reward == 0.0) && !other.died.iter().any(|&died| died));
    assert_eq!(second.save().unwrap(), saved);
    for _ in 0..500 {
        let chosen: Vec<usize> = (0..rows).map(|_| space.sample(&mut actions)).collect();
        first.step(&chosen, &mut batch).unwrap();
        second.step(&chosen, &mut other).unwrap();
        assert_eq!(all(&batch), all(&other), "{autoreset:?}");
        ended_after += batch.terminated.iter().chain(&batch.truncated).filter(|&&end| end).count();
    }
    assert!(ended_before > 0 && ended_after > 0, "no episode ended: {ended_before}, {ended_after}");
}

#[test]
fn vectors_go_on_bit_for_bit_in_every_mode() {
    for autoreset in [Autoreset::SameStep, Autoreset::NextStep, Autoreset::Disabled] {
        // At several of these moments a lane has just ended.
        let config = K8sConfig { max_steps: 23, ..shielded() };
        for steps in 23..=47 {
            vector_goes_on(&K8sEnv::new(config.clone()), autoreset, steps);
        }
        vector_goes_on(&GardenerEnv::new(lively()), autoreset, 120);
    }
}

fn cluster(config: K8sConfig) -> Played<K8sEnv> {
    let mut env = Played::new(K8sEnv::new(config));
    env.reset(Some(4));
    let mut actions = random(3);
    (0..9).for_each(|_| env.go_on(&mut actions));
    env
}

fn garden(config: GardenerConfig) -> Played<GardenerEnv> {
    let mut env = Played::new(GardenerEnv::new(config));
    env.reset(Some(4));
    let mut actions = random(3);
    (0..30).for_each(|_| env.go_on(&mut actions));
    env
}

#[test]
fn other_settings_are_refused_by_name_and_change_nothing() {
    let saved = |config| cluster(config).env.save().unwrap();
    for (config, bytes, says) in [
        (grid(4, 4), saved(grid(8, 2)), "its grid is 8x2, this one's 4x4"),
        (grid(8, 12), saved(grid(4, 4)), "its grid is 4x4, this one's 8x12"),
        (shielded(), saved(K8sConfig::v46()), "its control is off, this one's on"),
        (K8sConfig::v46(), saved(shielded()), "its control is on, this one's off"),
        (K8sConfig { max_steps: 8, ..grid(4, 4) }, saved(grid(4, 4)), "step 9, where episodes have 8"),
        (K8sConfig { max_budget: 1.0, ..grid(4, 4) }, saved(grid(4, 4)), "outside 0 to 1"),
        (grid(4, 4), garden(lively()).env.save().unwrap(), "of a garden, not of a cluster"),
    ] {
        let mut env = Played::new(K8sEnv::new(config));
        env.reset(Some(5));
        let before = env.seen();
        let refused = env.restore(&bytes, Ending::default()).unwrap_err();
        assert!(matches!(refused, SaveError::Foreign(_)) && refused.to_string().contains(says), "{refused}");
        assert_eq!(env.seen(), before);
    }
    let bytes = garden(lively()).env.save().unwrap();
    for (config, says) in [
        (GardenerConfig { grid_size: 10, ..lively() }, "its grid is 9x9, this one's 10x10"),
        (GardenerConfig { max_population: 13, ..lively() }, "it has 12 slots, this one 13"),
    ] {
        let mut env = Played::new(GardenerEnv::new(config));
        env.reset(Some(5));
        let before = env.seen();
        let refused = env.restore(&bytes, Ending::default()).unwrap_err();
        assert!(matches!(refused, SaveError::Foreign(_)) && refused.to_string().contains(says), "{refused}");
        assert_eq!(env.seen(), before);
    }
}

#[test]
fn vectors_refuse_other_lanes_modes_and_environments() {
    let vector = |config: K8sConfig, lanes, autoreset| {
        VecEnv::new(vec![K8sEnv::new(config); lanes], autoreset).unwrap()
    };
    let bytes = vector(grid(4, 4), 3, Autoreset::SameStep).save().unwrap();
    for (mut other, says) in [
        (vector(grid(4, 4), 4, Autoreset::SameStep), "it has 3 lanes, this one 4"),
        (vector(grid(4, 4), 3, Autoreset::NextStep), "its autoreset is SameStep, this one's NextStep"),
        (vector(grid(5, 5), 3, Autoreset::SameStep), "lane 0: its grid is 4x4, this one's 5x5"),
    ] {
        let mut batch = other.batch();
        let refused = other.restore(&bytes, &mut batch).unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
}

/// The bytes with `changes` made to them, and a checksum that says they are whole.
fn forged(saved: &[u8], changes: &[(usize, u8)], cut: usize) -> Vec<u8> {
    let mut body = saved[..saved.len() - 4].to_vec();
    for &(at, with) in changes {
        let at = at % body.len();
        body[at] = with;
    }
    body.truncate(body.len() - cut.min(body.len()));
    let sum = Crc::<u32>::new(&CRC_32_ISCSI).checksum(&body);
    body.extend(sum.to_le_bytes());
    body
}

/// Restores what was forged: it is refused and changes nothing, or else it is lived through.
fn survives<E: ParallelEnv + Probe + Clone>(mut env: Played<E>, bytes: &[u8]) -> bool
where
    E::Info: Debug,
{
    let before = env.seen();
    if env.restore(bytes, Ending::default()).is_err() {
        assert_eq!(env.seen(), before);
        return false;
    }
    let mut actions = random(6);
    (0..40).for_each(|_| env.go_on(&mut actions));
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_is_refused(at in any::<proptest::sample::Index>(), with in 1..=255_u8, cut in any::<bool>()) {
        let mut bytes = cluster(shielded()).env.save().unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= with }
        let refused = cluster(shielded()).restore(&bytes, Ending::default());
        prop_assert!(matches!(refused, Err(SaveError::Damaged(_))), "{refused:?}");
    }

    #[test]
    fn forged_clusters_never_panic(changes in proptest::collection::vec((0..9999_usize, any::<u8>()), 1..4), cut in 0..3_usize) {
        for config in [shielded(), grid(5, 7)] {
            let env = cluster(config);
            let bytes = env.env.save().unwrap();
            survives(env, &forged(&bytes, &changes, cut / 2));
        }
    }

    #[test]
    fn forged_gardens_never_panic(changes in proptest::collection::vec((0..9999_usize, any::<u8>()), 1..4), cut in 0..3_usize) {
        let env = garden(lively());
        let bytes = env.env.save().unwrap();
        // Behind the grid: there every byte is a count, an index or an energy.
        let tail = 9 * 9 * 4 + 60;
        let changes: Vec<_> = changes.iter().map(|&(at, with)| (tail + at % (bytes.len() - 4 - tail), with)).collect();
        survives(env, &forged(&bytes, &changes, cut / 2));
    }

    #[test]
    fn noise_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(cluster(shielded()).restore(&bytes, Ending::default()).is_err());
        prop_assert!(!survives(garden(lively()), &bytes));
    }
}
