//! The trainer as a machine: the same seed gives the same bits, a saved training goes on as if nothing had
//! happened, and settings at the edge of what is allowed do no harm.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use resonetics_agents::prophet::config::{KernelConfig, Schedule, TrainConfig};
use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::{Learner, LearnerError, Minibatch, Samples, Terms};
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces, Tensor};
use resonetics_agents::prophet::state::{Arrays, State};
use resonetics_agents::prophet::trainer::{Acting, Trainer, Update, UpdateError};
use resonetics_envs::env::{Agents, Ending, Env, InvalidAction, ParallelEnv, Step};
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv, RewardConfig};
use resonetics_envs::k8s::{K8sConfig, K8sEnv};
use resonetics_envs::space::{BoxSpace, Discrete};
use sha2::{Digest, Sha256};

fn config(schedule: Schedule) -> TrainConfig {
    TrainConfig {
        num_envs: 3,
        horizon: 16,
        epochs: 2,
        minibatch: 20,
        schedule,
        target_kl: if schedule == Schedule::Kl { 0.01 } else { 0.0 },
        network: Network { hidden: vec![8], conv_channels: 0, memory: 0 },
        kernel: KernelConfig {
            flow: 0.01,
            structure: 0.1,
            tension: 0.1,
            tune: true,
            ..TrainConfig::default().kernel
        },
        gamma: 0.8,
        ..TrainConfig::default()
    }
}

fn with_memory(config: TrainConfig, memory: usize) -> TrainConfig {
    TrainConfig { network: Network { memory, ..config.network }, ..config }
}

const SCHEDULES: [Schedule; 4] = [Schedule::Fixed, Schedule::Linear, Schedule::Kl, Schedule::Prophet];

/// Episodes end within rollouts, some of them in the middle.
fn cluster() -> K8sEnv {
    K8sEnv::new(K8sConfig { max_steps: 21, ..K8sConfig::default() })
}

fn garden() -> GardenerEnv {
    GardenerEnv::new(GardenerConfig {
        grid_size: 6,
        init_agents: 3,
        min_population: 2,
        max_population: 5,
        max_generations: 25,
        view_size: 3,
        reward: RewardConfig {
            energy_weight: 1.0,
            cost_weight: 1.0,
            saving_weight: 0.0,
            clean_weight: 0.0,
            team_weight: 0.1,
            birth_weight: 0.0,
        },
        ..GardenerConfig::default()
    })
}

fn trainer<E: ParallelEnv + Clone + Sync>(env: &E, config: TrainConfig, weights: u64) -> Trainer<E> {
    let observation = env.observation_space().len();
    let spaces = Spaces { observation, actions: env.action_space().n, view: 0 };
    let mut learner = NativeLearner::new(&config.network, spaces);
    learner.load(&initial(&config.network, spaces, weights), 0).unwrap();
    Trainer::new(env.clone(), config, 5, 2000, Box::new(learner)).unwrap()
}

fn updates<E: ParallelEnv + Clone + Sync>(trainer: &mut Trainer<E>, count: usize) -> Vec<String> {
    (0..count).map(|_| format!("{:?}", trainer.update().unwrap())).collect()
}

/// All bits of a state.
fn bits(state: &State) -> (Vec<u8>, String) {
    (state.arrays.to_bytes().unwrap(), serde_json::to_string(&state.numbers).unwrap())
}

fn through_files(state: &State) -> State {
    let (arrays, numbers) = bits(state);
    State { numbers: serde_json::from_str(&numbers).unwrap(), arrays: Arrays::from_bytes(&arrays).unwrap() }
}

fn goes_on_bit_for_bit<E: ParallelEnv + Clone + Sync + Send>(env: &E, memory: usize, restart: f64) {
    // The terms of CAPS are for networks without a memory.
    let caps = if memory == 0 { 0.1 } else { 0.0 };
    let config = |schedule| {
        let config = TrainConfig { restart, ..with_memory(config(schedule), memory) };
        let kernel = KernelConfig { l2: 0.01, caps_spatial: caps, caps_temporal: caps, ..config.kernel };
        TrainConfig { kernel, ..config }
    };
    for schedule in SCHEDULES {
        let mut first = trainer(env, config(schedule), 1);
        let early = updates(&mut first, 7);
        let saved = through_files(&first.save().unwrap());
        // What is watched or played between updates changes nothing.
        let greedy = first.evaluate(Acting::Greedy, 3).unwrap().mean();
        let late = updates(&mut first, 7);
        let end = bits(&first.save().unwrap());
        assert_ne!(bits(&saved), end);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut again = trainer(env, config(schedule), 1);
            assert_eq!(pool.install(|| updates(&mut again, 7)), early, "{schedule:?}");
            assert_eq!(pool.install(|| updates(&mut again, 7)), late, "{schedule:?}");
            assert_eq!(bits(&again.save().unwrap()), end, "{schedule:?}");
        }
        // One that has been somewhere else, with other weights.
        let mut resumed = trainer(env, config(schedule), 2);
        updates(&mut resumed, 1);
        resumed.restore(&saved).unwrap();
        assert_eq!(bits(&resumed.save().unwrap()), bits(&saved), "{schedule:?}");
        assert_eq!(resumed.evaluate(Acting::Greedy, 3).unwrap().mean().to_bits(), greedy.to_bits());
        assert_eq!(updates(&mut resumed, 7), late, "{schedule:?}");
        assert_eq!(bits(&resumed.save().unwrap()), end, "{schedule:?}");
    }
}

/// A checkpoint of before episodes were numbered leads to the same training; only its means come from another
/// hundred episodes for a while.
#[test]
fn a_state_without_the_order_of_its_episodes_goes_on() {
    let env = cluster();
    let mut first = trainer(&env, config(Schedule::Fixed), 1);
    updates(&mut first, 7);
    let state = first.save().unwrap();
    let mut numbers = serde_json::to_value(&state.numbers).unwrap();
    assert!(numbers["counters"].as_object_mut().unwrap().remove("order").is_some());
    let old = State { numbers: serde_json::from_value(numbers).unwrap(), arrays: state.arrays };
    let mut resumed = trainer(&env, config(Schedule::Fixed), 2);
    resumed.restore(&old).unwrap();
    for _ in 0..60 {
        let (here, there) = (resumed.update().unwrap(), first.update().unwrap());
        assert_eq!((here.terms, here.episodes), (there.terms, there.episodes));
        assert_eq!(here.return_mean.is_some(), there.return_mean.is_some());
    }
    // By then the hundred are the same again.
    let (here, there) = (resumed.update().unwrap(), first.update().unwrap());
    assert!(here.return_mean.is_some() && here.return_mean == there.return_mean, "{here:?} {there:?}");
}

#[test]
fn a_saved_training_in_the_cluster_goes_on_bit_for_bit() {
    goes_on_bit_for_bit(&cluster(), 0, 0.0);
    goes_on_bit_for_bit(&cluster(), 5, 0.5);
}

#[test]
fn a_saved_training_in_the_garden_goes_on_bit_for_bit() {
    goes_on_bit_for_bit(&garden(), 0, 0.5);
    goes_on_bit_for_bit(&garden(), 5, 0.0);
}

/// The digest of all that the learner holds after some updates: its parameters and their moments.
fn learned<E: ParallelEnv + Clone + Sync>(env: &E, schedule: Schedule) -> String {
    let mut trainer = trainer(env, config(schedule), 1);
    updates(&mut trainer, 7);
    let tensors = trainer.save().unwrap().arrays.tensors;
    let bytes = tensors.iter().flat_map(|tensor| &tensor.data).flat_map(|value| value.to_le_bytes());
    let hash = Sha256::digest(bytes.collect::<Vec<u8>>());
    hash.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// Frozen, as trajectories are (`envs/tests/digest.rs`): what a seed learns is the same on every machine,
/// and was when it was published. Seen on x86-64 and on `AArch64`.
#[test]
fn a_training_is_the_same_on_every_machine() {
    assert_eq!(
        learned(&cluster(), Schedule::Prophet),
        "77518b59f09d5460d52cf23cf36999193ca36ab4ba611de7e411797b85707a7a"
    );
    assert_eq!(
        learned(&garden(), Schedule::Kl),
        "59ce3d538bc7a4df5205c77c74c87ec32071149357b715aa9868715ed1e16dd4"
    );
}

/// Rollouts of 16 steps, episodes of 21, of which none is lost: one of three environments that begins anew with each
/// rollout ends no episode.
#[test]
fn a_share_of_the_environments_begins_anew_with_each_rollout() {
    for (restart, episodes) in [(0.0, 3 * 16), (0.5, 2 * 16), (0.99, 16)] {
        let mut trainer = trainer(&cluster(), TrainConfig { restart, ..config(Schedule::Fixed) }, 1);
        updates(&mut trainer, 21);
        assert_eq!(trainer.episodes(), episodes, "{restart}");
    }
}

#[test]
fn another_seed_is_another_training() {
    let of = |weights: u64| {
        let mut trainer = trainer(&cluster(), config(Schedule::Fixed), weights);
        updates(&mut trainer, 1);
        bits(&trainer.save().unwrap())
    };
    assert_ne!(of(1), of(2));
}

#[test]
fn a_state_of_another_shape_is_refused() {
    let base = config(Schedule::Prophet);
    let state = trainer(&cluster(), base.clone(), 1).save().unwrap();
    let wider = Network { hidden: vec![9], conv_channels: 0, memory: 0 };
    let deeper = Network { hidden: vec![8, 8], conv_channels: 0, memory: 0 };
    for (config, problem) in [
        (TrainConfig { network: wider, ..base.clone() }, "actor.0.weight"),
        (TrainConfig { network: deeper, ..base.clone() }, "actor.1.weight"),
        (with_memory(base.clone(), 5), "actor.memory.gate.weight"),
        (TrainConfig { num_envs: 4, ..base.clone() }, "discounted"),
        (TrainConfig { schedule: Schedule::Fixed, ..base.clone() }, "schedule"),
    ] {
        let found = trainer(&cluster(), config, 1).restore(&state).unwrap_err();
        assert!(found.contains(problem), "{found}");
    }
    let fixed = trainer(&cluster(), config(Schedule::Fixed), 1).save().unwrap();
    assert!(trainer(&cluster(), base.clone(), 1).restore(&fixed).unwrap_err().contains("schedule"));
    assert!(trainer(&garden(), base.clone(), 1).restore(&state).is_err());
    let remembering = with_memory(base.clone(), 5);
    let other = trainer(&cluster(), remembering.clone(), 1).save().unwrap();
    let more = TrainConfig { num_envs: 4, ..remembering.clone() };
    assert!(trainer(&cluster(), more, 1).restore(&other).is_err());
    // Each array is needed.
    let names = |arrays: &Arrays| -> Vec<String> {
        let tensors = arrays.tensors.iter().map(|tensor| tensor.name.clone());
        tensors
            .chain(arrays.wide.iter().map(|x| x.0.clone()))
            .chain(arrays.bytes.iter().map(|x| x.0.clone()))
            .collect()
    };
    for (config, state) in [(base, state), (remembering, other)] {
        for name in names(&state.arrays) {
            let mut part = state.clone();
            part.arrays.tensors.retain(|tensor| tensor.name != name);
            part.arrays.wide.retain(|x| x.0 != name);
            part.arrays.bytes.retain(|x| x.0 != name);
            let found = trainer(&cluster(), config.clone(), 1).restore(&part).unwrap_err();
            assert!(found.contains(&name), "{name}: {found}");
        }
    }
}

/// Every schedule's rate ends where it should, and a plan that is exceeded ends nowhere else.
#[test]
fn a_training_beyond_its_plan_keeps_its_last_rate() {
    let config = TrainConfig { learning_rate: 1e-3, entropy: 0.01, ..config(Schedule::Linear) };
    let mut trainer = trainer(&cluster(), config, 1);
    let planned = trainer.planned_updates();
    assert_eq!(planned, 2000 / 48);
    for update in 0..planned + 3 {
        let Update { learning_rate, entropy_weight, .. } = trainer.update().unwrap();
        let left = 1.0 - update.min(planned) as f64 / planned as f64;
        assert!((learning_rate - 1e-3 * left).abs() < 1e-12, "{update}: {learning_rate}");
        assert!((entropy_weight - 0.01 * left).abs() < 1e-12, "{update}: {entropy_weight}");
    }
}

#[test]
fn each_rollback_halves_the_rate() {
    for schedule in SCHEDULES {
        let rate = |rollbacks: u32| {
            let mut trainer = trainer(&cluster(), config(schedule), 1);
            trainer.set_rollbacks(rollbacks);
            trainer.update().unwrap().learning_rate
        };
        assert_eq!((rate(1), rate(3)), (rate(0) / 2.0, rate(0) / 8.0));
    }
}

#[test]
fn the_smallest_rollouts_and_the_largest_minibatches_are_trained_on() {
    for (num_envs, horizon, minibatch) in [(1, 1, 1), (1, 1, 16_777_216), (1, 5, 2), (2, 1, 1)] {
        for schedule in SCHEDULES {
            for gamma in [0.0, 1.0] {
                let config =
                    TrainConfig { num_envs, horizon, minibatch, gamma, lambda: gamma, ..config(schedule) };
                for config in [config.clone(), with_memory(config, 3)] {
                    updates(&mut trainer(&cluster(), config.clone(), 1), 10);
                    updates(&mut trainer(&garden(), config, 1), 10);
                }
            }
        }
    }
}

/// 32 bits number the samples of a rollout; a row is needed for one.
#[test]
fn a_rollout_that_cannot_be_numbered_is_refused() {
    for (num_envs, horizon) in [(65_536, 65_536), (1_048_576, 65_536), (0, 16), (16, 0)] {
        let config = TrainConfig { num_envs, horizon, ..config(Schedule::Fixed) };
        let learner =
            Box::new(NativeLearner::new(&config.network, Spaces { observation: 1, actions: 2, view: 0 }));
        let env = Counted::new();
        let problem = Trainer::new(env, config, 1, 1, learner).err().unwrap();
        assert!(problem.contains(&format!("{num_envs} environments")), "{problem}");
    }
}

/// Counts its copies; an episode is one step, with a reward of its seed.
struct Counted {
    space: BoxSpace,
    /// Not of its seed but no number.
    bad: bool,
    reward: f32,
    /// Living copies, and the most there were.
    copies: Arc<[AtomicUsize; 2]>,
    /// All that were given.
    seeds: Arc<Mutex<Vec<u64>>>,
}

impl Counted {
    fn new() -> Counted {
        Counted {
            space: BoxSpace::unit(1),
            bad: false,
            reward: 0.0,
            copies: Arc::default(),
            seeds: Arc::default(),
        }
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        let now = self.copies[0].fetch_add(1, Ordering::Relaxed) + 1;
        self.copies[1].fetch_max(now, Ordering::Relaxed);
        Counted {
            space: self.space.clone(),
            bad: self.bad,
            reward: self.reward,
            copies: self.copies.clone(),
            seeds: self.seeds.clone(),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.copies[0].fetch_sub(1, Ordering::Relaxed);
    }
}

impl Env for Counted {
    type Info = ();

    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: 2 }
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) {
        self.reward = (seed.unwrap_or_default() % 1000) as f32;
        self.seeds.lock().unwrap().extend(seed);
        observation.fill(0.0);
    }

    fn step(&mut self, _action: usize, _observation: &mut [f32]) -> Result<Step, InvalidAction> {
        let reward = if self.bad { f32::NAN } else { self.reward };
        Ok(Step { reward, terminated: true, truncated: false })
    }

    fn info(&self) {}
}

#[test]
fn an_evaluation_plays_episodes_that_nobody_trained_in() {
    let env = Counted::new();
    let seeds = env.seeds.clone();
    trainer(&env, config(Schedule::Fixed), 1).evaluate(Acting::Greedy, 300).unwrap();
    let mut seeds = seeds.lock().unwrap().clone();
    assert_eq!(seeds.len(), 303);
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 303);
}

#[test]
fn the_sampled_policy_plays_episodes_that_neither_training_nor_the_greedy_one_plays() {
    let env = Counted::new();
    let seeds = env.seeds.clone();
    let mut trainer = trainer(&env, config(Schedule::Fixed), 1);
    trainer.evaluate(Acting::Greedy, 300).unwrap();
    trainer.evaluate(Acting::Sampled, 300).unwrap();
    let mut seeds = seeds.lock().unwrap().clone();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 603);
}

/// An episode is ten steps; each earns its action, 0 or 1.
#[derive(Clone)]
struct Coins {
    space: BoxSpace,
    left: u32,
}

impl Env for Coins {
    type Info = ();

    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: 2 }
    }

    fn reset(&mut self, _seed: Option<u64>, observation: &mut [f32]) {
        self.left = 10;
        observation.fill(0.0);
    }

    fn step(&mut self, action: usize, _observation: &mut [f32]) -> Result<Step, InvalidAction> {
        self.left -= 1;
        Ok(Step { reward: action as f32, terminated: self.left == 0, truncated: false })
    }

    fn info(&self) {}
}

/// What observes 0 has logits of 0: both actions are as likely, of which the greedy policy takes the first.
#[test]
fn the_sampled_policy_draws_what_the_greedy_one_does_not() {
    let mut trainer = trainer(&Coins { space: BoxSpace::unit(1), left: 0 }, config(Schedule::Fixed), 1);
    assert_eq!(trainer.evaluate(Acting::Greedy, 1000).unwrap().mean(), 0.0);
    // Binomial(10, 1/2): a mean of 5, of 1000 episodes with a standard error of 0.05.
    let sampled = trainer.evaluate(Acting::Sampled, 1000).unwrap().mean();
    assert!((sampled - 5.0).abs() < 0.25, "{sampled}");
    assert_eq!(
        trainer.evaluate(Acting::Sampled, 1000).unwrap().mean(),
        sampled,
        "the same episodes each time"
    );
    // An episode has its draws, however many are played beside it, and they are not those of another.
    let means: Vec<f64> =
        (1..=8).map(|episodes| trainer.evaluate(Acting::Sampled, episodes).unwrap().mean()).collect();
    let returns: Vec<f64> = (0..8)
        .map(|i| means[i] * (i + 1) as f64 - if i > 0 { means[i - 1] * i as f64 } else { 0.0 })
        .collect();
    assert!(returns.iter().all(|sum| (sum - sum.round()).abs() < 1e-9), "{returns:?}");
    assert!(returns.iter().any(|sum| (sum - returns[0]).abs() > 0.5), "{returns:?}");
}

#[test]
fn an_evaluation_needs_no_more_memory_for_more_episodes() {
    let env = Counted::new();
    let copies = env.copies.clone();
    let mut trainer = trainer(&env, config(Schedule::Fixed), 1);
    let found = trainer.evaluate(Acting::Greedy, 20_000).unwrap().mean();
    let most = copies[1].load(Ordering::Relaxed);
    assert!(most < 600, "{most} copies");
    // Uniform in 0..1000, standard error 2: each episode has a seed of its own.
    assert!((found - 499.5).abs() < 10.0, "{found}");
    assert_eq!(found, trainer.evaluate(Acting::Greedy, 20_000).unwrap().mean());
    assert!(trainer.evaluate(Acting::Greedy, 0).unwrap().mean().is_nan());
}

/// Two rows, of which only the first is asked, if `asked`, and has one action then.
#[derive(Clone)]
struct Silent {
    space: BoxSpace,
    alive: bool,
    asked: bool,
}

impl Silent {
    fn write(&self, out: Agents<'_>) {
        out.observations.fill(0.5);
        out.alive.fill(self.alive);
        out.action_mask.fill(false);
        out.action_mask[1] = self.asked;
    }
}

impl ParallelEnv for Silent {
    type Info = ();
    const PARALLEL_FROM: usize = 1;

    fn agents(&self) -> usize {
        2
    }

    fn masked(&self) -> bool {
        true
    }

    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: 2 }
    }

    fn reset(&mut self, _seed: Option<u64>, out: Agents<'_>) {
        self.write(out);
    }

    fn step(&mut self, _actions: &[usize], out: Agents<'_>) -> Result<Ending, InvalidAction> {
        out.rewards.fill(1.0);
        out.died.fill(false);
        self.write(out);
        Ok(Ending::default())
    }

    fn info(&self) {}

    fn state_len(&self) -> usize {
        0
    }

    fn write_state(&self, _state: &mut [f32]) {}
}

#[test]
fn where_nobody_is_asked_nothing_is_learned() {
    for (schedule, memory) in SCHEDULES.into_iter().flat_map(|schedule| [(schedule, 0), (schedule, 5)]) {
        for alive in [false, true] {
            let env = Silent { space: BoxSpace::unit(3), alive, asked: false };
            let config = with_memory(config(schedule), memory);
            let mut trainer = trainer(&env, config.clone(), 1);
            let before = trainer.learner().save().unwrap();
            let all: Vec<Update> = (0..4).map(|_| trainer.update().unwrap()).collect();
            assert_eq!(trainer.learner().save().unwrap(), before);
            for update in &all {
                assert_eq!((update.minibatches, update.eps), (0, all[0].eps));
                if schedule == Schedule::Kl {
                    assert_eq!(update.learning_rate, config.learning_rate);
                }
            }
        }
    }
}

/// Their actions are drawn all the same, from no policy.
#[test]
fn rows_that_are_not_asked_do_not_move_the_shares_of_actions() {
    let env = Silent { space: BoxSpace::unit(3), alive: true, asked: true };
    let mut trainer = trainer(&env, config(Schedule::Prophet), 1);
    for _ in 0..5 {
        let (_, _, _, moved) = trainer.update().unwrap().risk.unwrap();
        assert_eq!(moved, 0.0);
    }
}

#[test]
fn an_update_ends_when_the_policy_has_moved_far_enough() {
    let minibatches = |target_kl: f64| {
        let config = TrainConfig { target_kl, ..config(Schedule::Fixed) };
        trainer(&cluster(), config, 1).update().unwrap().minibatches
    };
    // 48 samples are two minibatches of about 20, twice.
    assert_eq!((minibatches(0.0), minibatches(100.0)), (4, 4));
    // The first sees the policy that acted: nothing has moved.
    assert_eq!(minibatches(1e-6), 2);
}

#[test]
fn the_rate_of_the_schedule_kl_goes_against_the_kl() {
    for (target_kl, factor) in [(100.0, 1.5), (1e-9, 1.0 / 1.5)] {
        let config = TrainConfig { target_kl, learning_rate: 1e-3, ..config(Schedule::Kl) };
        let mut trainer = trainer(&cluster(), config, 1);
        for update in 0..3 {
            let rate = trainer.update().unwrap().learning_rate;
            let expected = 1e-3 * [1.0, factor, factor * factor][update];
            assert!((rate - expected).abs() < 1e-12, "{target_kl}, {update}: {rate}");
        }
    }
}

#[test]
fn a_loss_that_is_no_number_is_reported_and_changes_no_parameter() {
    for normalize_returns in [false, true] {
        let mut env = Counted::new();
        env.bad = true;
        let config = TrainConfig { normalize_returns, ..config(Schedule::Fixed) };
        let mut trainer = trainer(&env, config, 1);
        let before = trainer.learner().save().unwrap();
        let UpdateError::NonFinite(problem) = trainer.update().unwrap_err() else { panic!("it diverged") };
        assert!(problem.update == 1 && !problem.loss.is_finite(), "{problem}");
        assert_eq!(trainer.learner().save().unwrap(), before);
    }
}

/// The native learner on a device that goes away in the middle of one of the calls.
struct Fallible {
    learner: NativeLearner,
    call: &'static str,
    /// Calls until then.
    left: Arc<AtomicUsize>,
}

impl Fallible {
    fn answer(&self, call: &str) -> Result<(), LearnerError> {
        let last = || self.left.fetch_sub(1, Ordering::Relaxed) == 1;
        if call == self.call && last() {
            Err(LearnerError::new(self.call, "cuda:0", "it is gone"))
        } else {
            Ok(())
        }
    }
}

impl Learner for Fallible {
    fn act(
        &mut self,
        observations: &[f32],
        memory: &mut [f32],
        logits: &mut [f32],
        values: &mut [f32],
    ) -> Result<(), LearnerError> {
        self.answer("act")?;
        Learner::act(&mut self.learner, observations, memory, logits, values)
    }

    fn begin(&mut self, samples: &Samples<'_>) -> Result<(), LearnerError> {
        self.answer("begin")?;
        self.learner.begin(samples)
    }

    fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Result<Terms, LearnerError> {
        self.answer("loss")?;
        Learner::loss(&mut self.learner, samples, minibatch)
    }

    fn step(&mut self, learning_rate: f32, max_norm: f32) -> Result<(), LearnerError> {
        self.answer("step")?;
        Learner::step(&mut self.learner, learning_rate, max_norm)
    }

    fn gradient(&self) -> Result<Vec<Tensor>, LearnerError> {
        Learner::gradient(&self.learner)
    }

    fn save(&self) -> Result<Vec<Tensor>, LearnerError> {
        self.answer("save")?;
        Learner::save(&self.learner)
    }

    fn steps(&self) -> u64 {
        self.learner.steps()
    }

    fn load(&mut self, tensors: &[Tensor], steps: u64) -> Result<(), String> {
        self.learner.load(tensors, steps)
    }
}

/// An update asks to act in each of 16 steps, after an episode that time ended in, and for the last values;
/// it begins once, and has four minibatches. Whichever of the calls fails, the update does, with what was said.
#[test]
fn what_a_learner_fails_at_is_what_the_trainer_says() {
    let env = K8sEnv::new(K8sConfig { max_steps: 11, ..K8sConfig::default() });
    let config = config(Schedule::Fixed);
    let spaces = Spaces { observation: 30, actions: 6, view: 0 };
    let failing = |call: &'static str, k: usize| {
        let mut learner = NativeLearner::new(&config.network, spaces);
        learner.load(&initial(&config.network, spaces, 1), 0).unwrap();
        let left = Arc::new(AtomicUsize::new(k));
        let learner = Fallible { learner, call, left: left.clone() };
        (Trainer::new(env.clone(), config.clone(), 5, 2000, Box::new(learner)).unwrap(), left)
    };
    for (call, calls) in [("act", 18), ("begin", 1), ("loss", 4), ("step", 4)] {
        for k in 1..=2 * calls {
            let (mut trainer, left) = failing(call, k);
            if k > calls {
                trainer.update().unwrap();
            }
            let error = trainer.update().unwrap_err();
            let UpdateError::Learner(error) = error else { panic!("{error}") };
            assert_eq!(error.to_string(), format!("cannot {call} on the device cuda:0: it is gone"));
            assert_eq!(trainer.updates(), u64::from(k > calls), "an update that failed is none");
            assert_eq!(left.load(Ordering::Relaxed), 0, "the trainer went on with it");
        }
    }
    for acting in [Acting::Greedy, Acting::Sampled] {
        let (mut trainer, _) = failing("act", 11);
        assert_eq!(trainer.evaluate(acting, 3).unwrap_err().doing, "act");
    }
    let (trainer, _) = failing("save", 1);
    let problem = trainer.save().unwrap_err();
    assert!(problem.contains("cannot save on the device cuda:0"), "{problem}");
}

/// Nothing that the policy follows from moves while it is only observed, and the rest does.
#[test]
fn who_observes_learns_nothing() {
    for schedule in SCHEDULES {
        let mut trainer = trainer(&cluster(), config(schedule), 1);
        updates(&mut trainer, 2);
        let before = trainer.save().unwrap();
        trainer.set_in_force(&config(schedule), 1.0, true);
        for _ in 0..3 {
            let update = trainer.update().unwrap();
            assert_eq!(
                (update.learning_rate, update.terms.approx_kl.abs() < 1e-6),
                (0.0, true),
                "{update:?}"
            );
            assert!(update.minibatches > 0 && update.terms.value > 0.0, "{update:?}");
        }
        let after = trainer.save().unwrap();
        for tensor in before.arrays.tensors.iter().filter(|tensor| tensor.name != "discounted") {
            let now = after.arrays.tensors.iter().find(|other| other.name == tensor.name).unwrap();
            assert_eq!(tensor, now, "{schedule:?}");
        }
        assert_eq!(before.arrays.wide, after.arrays.wide);
        assert_ne!(before.arrays.bytes, after.arrays.bytes);
        trainer.set_in_force(&config(schedule), 1.0, false);
        trainer.update().unwrap();
        assert_ne!(trainer.save().unwrap().arrays.tensors, after.arrays.tensors);
    }
}

/// A gain of a power of two is, to the bit, a rate of so many times; and what is in force as before changes nothing.
#[test]
fn a_gain_is_a_rate_of_so_many_times() {
    let at = |rate: f64| TrainConfig { learning_rate: rate, ..config(Schedule::Fixed) };
    let trained = |change: &dyn Fn(&mut Trainer<K8sEnv>)| {
        let mut trainer = trainer(&cluster(), at(0.004), 1);
        updates(&mut trainer, 2);
        change(&mut trainer);
        updates(&mut trainer, 2);
        bits(&trainer.save().unwrap()).0
    };
    let plain = trained(&|_| {});
    assert_eq!(trained(&|trainer| trainer.set_in_force(&at(0.004), 1.0, false)), plain);
    let halved = trained(&|trainer| trainer.set_in_force(&at(0.004), 0.5, false));
    assert_eq!(trained(&|trainer| trainer.set_in_force(&at(0.002), 1.0, false)), halved);
    assert_ne!(halved, plain);
    let weighed = TrainConfig { entropy: 0.5, ..at(0.004) };
    assert_ne!(trained(&|trainer| trainer.set_in_force(&weighed, 1.0, false)), plain);
}
