//! What the trainer learns where the right answer is known, and that it does not learn it where it cannot.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use resonetics_agents::prophet::config::{Schedule, TrainConfig};
use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces, Tensor};
use resonetics_agents::prophet::trainer::{Acting, Trainer};
use resonetics_envs::env::{Agents, Ending, Env, InvalidAction, ParallelEnv, Step};
use resonetics_envs::space::{BoxSpace, Discrete};
use resonetics_envs::stream::{Domain, Key};

fn config() -> TrainConfig {
    TrainConfig {
        num_envs: 4,
        horizon: 30,
        epochs: 10,
        minibatch: 120,
        gamma: 0.9,
        lambda: 1.0,
        learning_rate: 0.02,
        entropy: 0.0,
        normalize_observations: false,
        normalize_returns: false,
        network: Network { hidden: vec![16], conv_channels: 0, memory: 0 },
        ..TrainConfig::default()
    }
}

struct Trained<E> {
    trainer: Trainer<E>,
    spaces: Spaces,
    network: Network,
}

fn train<E: ParallelEnv + Clone + Sync>(env: E, config: TrainConfig, updates: u64) -> Trained<E> {
    let observation = env.observation_space().len();
    let spaces = Spaces { observation, actions: env.action_space().n, view: 0 };
    let network = config.network.clone();
    let mut learner = NativeLearner::new(&network, spaces);
    learner.load(&initial(&network, spaces, 3), 0).unwrap();
    let steps = updates * (config.num_envs * config.horizon) as u64;
    let mut trainer = Trainer::new(env, config, 3, steps, Box::new(learner)).unwrap();
    for _ in 0..updates {
        trainer.update().unwrap();
    }
    Trained { trainer, spaces, network }
}

impl<E: ParallelEnv + Clone + Sync> Trained<E> {
    fn parameters(&self) -> Vec<Tensor> {
        self.trainer.learner().save().unwrap()
    }

    /// Probabilities of the actions and the value of an observation.
    fn act(&self, observation: &[f32]) -> (Vec<f64>, f64) {
        let mut learner = NativeLearner::new(&self.network, self.spaces);
        learner.load(&self.parameters(), 0).unwrap();
        let (mut logits, mut value) = (vec![0.0; self.spaces.actions], [0.0]);
        learner.act(observation, &mut [], &mut logits, &mut value);
        let sum: f64 = logits.iter().map(|&x| exp(x)).sum();
        (logits.iter().map(|&x| exp(x) / sum).collect(), f64::from(value[0]))
    }
}

#[allow(clippy::disallowed_methods)] // no trajectory depends on it
fn exp(x: f32) -> f64 {
    f64::from(x).exp()
}

/// 1 + 0.9 + ... of `steps` steps, each with reward 1.
fn worth(steps: i32) -> f64 {
    (1.0 - 0.9_f64.powi(steps)) / 0.1
}

fn near(found: f64, expected: f64, bound: f64) {
    assert!((found - expected).abs() < bound, "{found} for {expected}");
}

/// Reward 1 in each of 5 steps, whatever is done.
#[derive(Clone)]
struct Five {
    /// Whether the fifth step terminates; else time is up.
    terminates: bool,
    /// Whether an observation tells the step; else all are alike.
    tells: bool,
    step: usize,
    space: BoxSpace,
}

impl Five {
    fn new(terminates: bool, tells: bool) -> Five {
        Five { terminates, tells, step: 0, space: BoxSpace::unit(6) }
    }

    fn write(&self, observation: &mut [f32]) {
        one_hot(if self.tells { self.step } else { 0 }, observation);
    }
}

fn one_hot(place: usize, observation: &mut [f32]) {
    observation.fill(0.0);
    observation[place] = 1.0;
}

fn hot(place: usize) -> Vec<f32> {
    let mut observation = vec![0.0; 6];
    one_hot(place, &mut observation);
    observation
}

impl Env for Five {
    type Info = ();

    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: 2 }
    }

    fn reset(&mut self, _seed: Option<u64>, observation: &mut [f32]) {
        self.step = 0;
        self.write(observation);
    }

    fn step(&mut self, _action: usize, observation: &mut [f32]) -> Result<Step, InvalidAction> {
        self.step += 1;
        self.write(observation);
        let over = self.step == 5;
        Ok(Step { reward: 1.0, terminated: over && self.terminates, truncated: over && !self.terminates })
    }

    fn info(&self) {}
}

/// Time that is up ends nothing: 1 / (1 - gamma). The end itself does: the mean of what 5, 4, ..., 1 steps
/// are worth, which is what a value that cannot tell them apart comes to with lambda 1.
#[test]
fn what_is_truncated_goes_on_and_what_terminates_does_not() {
    for (terminates, expected) in [(false, 10.0), (true, (1..=5).map(worth).sum::<f64>() / 5.0)] {
        for lambda in [1.0, 0.5] {
            let config = TrainConfig { lambda, ..config() };
            let (_, value) = train(Five::new(terminates, false), config, 150).act(&hot(0));
            if lambda == 1.0 {
                near(value, expected, 0.1);
            } else if !terminates {
                near(value, 10.0, 0.2);
            }
        }
    }
}

/// The same with rollouts that cut the episodes where they like.
#[test]
fn a_rollout_may_end_anywhere() {
    for horizon in [1, 7] {
        let config = TrainConfig { horizon, num_envs: 8, minibatch: 1000, ..config() };
        let (_, value) = train(Five::new(false, false), config, 300).act(&hot(0));
        near(value, 10.0, 0.2);
    }
}

#[test]
fn a_value_that_sees_the_time_knows_what_is_left() {
    for lambda in [0.0, 0.8, 1.0] {
        let trained = train(Five::new(true, true), TrainConfig { lambda, ..config() }, 150);
        for step in 0..5 {
            near(trained.act(&hot(step)).1, worth(5 - step as i32), 0.1);
        }
    }
}

/// In standard deviations of what an episode has earned so far, discounted: 1, 1.9, 2.71, 3.439, 4.0951,
/// each as often.
#[test]
fn normalised_returns_are_in_standard_deviations() {
    let so_far: Vec<f64> = (1..=5).map(worth).collect();
    let mean = so_far.iter().sum::<f64>() / 5.0;
    let deviation = (so_far.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 5.0).sqrt();
    for terminates in [true, false] {
        let config = TrainConfig { normalize_returns: true, ..config() };
        let trained = train(Five::new(terminates, terminates), config, 150);
        let expected = if terminates { worth(5) } else { 10.0 };
        near(trained.act(&hot(0)).1, expected / deviation, 0.1);
    }
}

/// Two bits are seen, and one action is right, for one step.
#[derive(Clone)]
struct Bits {
    /// Which action is right for [first bit][second bit].
    right: [[usize; 2]; 2],
    blind: bool,
    seed: u64,
    episode: u64,
    seen: [usize; 2],
    space: BoxSpace,
}

impl Bits {
    fn new(right: [[usize; 2]; 2], blind: bool) -> Bits {
        Bits { right, blind, seed: 0, episode: 0, seen: [0; 2], space: BoxSpace::unit(2) }
    }
}

impl Env for Bits {
    type Info = ();

    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: 2 }
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) {
        (self.seed, self.episode) = seed.map_or((self.seed, self.episode + 1), |seed| (seed, 0));
        let (word, _) = Key::new(self.seed, Domain::Episode, self.episode).words(0, 0);
        self.seen = [word as usize & 1, word as usize >> 1 & 1];
        for (out, bit) in observation.iter_mut().zip(self.seen) {
            *out = if self.blind { 0.5 } else { bit as f32 };
        }
    }

    fn step(&mut self, action: usize, _observation: &mut [f32]) -> Result<Step, InvalidAction> {
        let right = self.right[self.seen[0]][self.seen[1]] == action;
        Ok(Step { reward: f32::from(u8::from(right)), terminated: true, truncated: false })
    }

    fn info(&self) {}
}

#[test]
fn the_better_arm_is_learned_by_who_learns() {
    let arms = || Bits::new([[1; 2]; 2], true);
    let still = TrainConfig { learning_rate: 0.0, schedule: Schedule::Fixed, ..config() };
    let untrained = train(arms(), still, 10);
    near(untrained.act(&[0.5; 2]).0[1], 0.5, 0.02);
    assert_eq!(untrained.parameters()[0], initial(&untrained.network, untrained.spaces, 3)[0]);
    // Minibatches of a single sample as well: their advantage is not normalised away.
    for minibatch in [120, 1] {
        let mut trained = train(arms(), TrainConfig { minibatch, epochs: 2, ..config() }, 15);
        let (p, value) = trained.act(&[0.5; 2]);
        assert!(p[1] > 0.9, "minibatches of {minibatch}: {p:?}");
        assert!(value > 0.5, "{value}");
        assert_eq!(trained.trainer.evaluate(Acting::Greedy, 50).unwrap().mean(), 1.0);
    }
}

#[test]
fn an_action_that_depends_on_both_bits_is_learned_by_who_sees_them() {
    let exclusive_or = [[0, 1], [1, 0]];
    // Three of four right is a place to stay at for who makes up its mind too early: with this entropy 1 of 16
    // seeds does, with a third of it 10 of 16.
    let config = TrainConfig { learning_rate: 0.01, entropy: 0.3, ..config() };
    let mut trained = train(Bits::new(exclusive_or, false), config.clone(), 150);
    assert_eq!(trained.trainer.evaluate(Acting::Greedy, 300).unwrap().mean(), 1.0);
    for (bits, right) in [([0.0, 0.0], 0), ([0.0, 1.0], 1), ([1.0, 0.0], 1), ([1.0, 1.0], 0)] {
        assert!(trained.act(&bits).0[right] > 0.9, "{bits:?}");
    }
    // Binomial(300, 1/2) / 300: 0.5 +- 0.029.
    let blind = train(Bits::new(exclusive_or, true), config, 150)
        .trainer
        .evaluate(Acting::Greedy, 300)
        .unwrap()
        .mean();
    assert!((0.35..0.65).contains(&blind), "{blind}");
}

/// Two rows with four actions; what is forbidden would pay, and is counted.
#[derive(Clone)]
struct Forbidding {
    key: Key,
    step: u32,
    mask: [bool; 8],
    asked: Arc<AtomicUsize>,
    violations: Arc<AtomicUsize>,
    space: BoxSpace,
}

impl Forbidding {
    fn new() -> Forbidding {
        let (asked, violations) = Default::default();
        let key = Key::new(0, Domain::Episode, 0);
        Forbidding { key, step: 0, mask: [false; 8], asked, violations, space: BoxSpace::unit(4) }
    }

    /// Row 0 may do some of it, row 1 nothing at every third step.
    fn write(&mut self, out: Agents<'_>) {
        for row in 0..2 {
            let (bits, other) = self.key.words(self.step, row);
            let mask = &mut self.mask[4 * row as usize..][..4];
            for (action, allowed) in mask.iter_mut().enumerate() {
                let free = bits >> action & 1 == 1 || action as u32 == other >> 30;
                *allowed = free && !(row == 1 && self.step.is_multiple_of(3));
            }
            for (out, allowed) in out.observations[4 * row as usize..].iter_mut().zip(mask) {
                *out = f32::from(u8::from(*allowed));
            }
        }
        out.action_mask.copy_from_slice(&self.mask);
        out.alive.fill(true);
    }
}

impl ParallelEnv for Forbidding {
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
        Discrete { n: 4 }
    }

    fn reset(&mut self, seed: Option<u64>, out: Agents<'_>) {
        if let Some(seed) = seed {
            self.key = Key::new(seed, Domain::Episode, 0);
        }
        self.write(out);
    }

    fn step(&mut self, actions: &[usize], out: Agents<'_>) -> Result<Ending, InvalidAction> {
        for (row, &action) in actions.iter().enumerate() {
            let mask = &self.mask[4 * row..][..4];
            let bad = mask.contains(&true) && !mask[action];
            self.asked.fetch_add(usize::from(mask.contains(&true)), Ordering::Relaxed);
            self.violations.fetch_add(usize::from(bad), Ordering::Relaxed);
            out.rewards[row] = f32::from(u8::from(bad)) + action as f32 / 10.0;
        }
        out.died.fill(false);
        self.step += 1;
        self.write(out);
        Ok(Ending { terminated: false, truncated: self.step.is_multiple_of(20) })
    }

    fn info(&self) {}

    fn state_len(&self) -> usize {
        0
    }

    fn write_state(&self, _state: &mut [f32]) {}
}

#[test]
fn what_is_forbidden_is_never_done() {
    let env = Forbidding::new();
    let (asked, violations) = (env.asked.clone(), env.violations.clone());
    let mut trained = train(env, TrainConfig { normalize_observations: true, ..config() }, 100);
    trained.trainer.evaluate(Acting::Greedy, 20).unwrap();
    let (asked, violations) = (asked.load(Ordering::Relaxed), violations.load(Ordering::Relaxed));
    // Five of six rows, of 100 rollouts of 120 steps of two rows.
    assert!(asked > 20_000, "{asked}");
    assert_eq!(violations, 0, "of {asked}");
}

/// Rows 0 to 2: somebody lives three steps, dies, and the next is born at once; the same with two steps of
/// nobody in between; never anybody. An observation tells the age; in dead rows there is `noise`.
#[derive(Clone)]
struct Dying {
    noise: f32,
    /// Whether only newborns choose their action.
    helpless: bool,
    /// What is seen of the living beside their age.
    mark: f32,
    step: usize,
    space: BoxSpace,
}

impl Dying {
    fn new(noise: f32, mark: f32) -> Dying {
        Dying { noise, mark, helpless: false, step: 0, space: BoxSpace::unit(6) }
    }

    /// The age of who lives in a row.
    fn age(&self, row: usize) -> Option<usize> {
        [Some(self.step % 3), Some(self.step % 5).filter(|age| *age < 3), None][row]
    }

    fn write(&self, out: Agents<'_>) {
        for row in 0..3 {
            let observation = &mut out.observations[6 * row..][..6];
            let age = self.age(row);
            match age {
                Some(age) => {
                    one_hot(age, observation);
                    observation[5] = self.mark;
                }
                None => observation.fill(self.noise),
            }
            out.alive[row] = age.is_some();
            let asked = age.is_some_and(|age| age == 0 || !self.helpless);
            out.action_mask[2 * row..][..2].fill(asked);
        }
    }
}

impl ParallelEnv for Dying {
    type Info = ();
    const PARALLEL_FROM: usize = 1;

    fn agents(&self) -> usize {
        3
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
        self.step = 0;
        self.write(out);
    }

    fn step(&mut self, actions: &[usize], out: Agents<'_>) -> Result<Ending, InvalidAction> {
        for row in 0..3 {
            let age = self.age(row);
            // A little depends on the action, so that the policy moves.
            out.rewards[row] = age.map_or(self.noise, |_| 1.0 + 0.01 * actions[row] as f32 - 0.01);
            out.died[row] = age == Some(2);
        }
        self.step += 1;
        self.write(out);
        Ok(Ending { terminated: false, truncated: self.step == 49 })
    }

    fn info(&self) {}

    fn state_len(&self) -> usize {
        0
    }

    fn write_state(&self, _state: &mut [f32]) {}
}

#[test]
fn a_life_is_worth_what_is_left_of_it_whoever_is_born_behind_it() {
    let trained = train(Dying::new(0.0, 0.0), TrainConfig { lambda: 0.9, ..config() }, 200);
    for age in 0..3 {
        near(trained.act(&hot(age)).1, worth(3 - age as i32), 0.1);
    }
}

/// What follows a choice is known, though nobody learns the values in between.
#[test]
fn steps_that_nothing_is_chosen_in_belong_to_the_choice_before_them() {
    for lambda in [0.0, 0.8] {
        let mut env = Dying::new(0.0, 0.0);
        env.helpless = true;
        let trained = train(env, TrainConfig { lambda, ..config() }, 100);
        near(trained.act(&hot(0)).1, worth(3), 0.1);
    }
}

#[test]
fn rows_without_anybody_leave_no_trace() {
    for schedule in [Schedule::Linear, Schedule::Prophet] {
        let config = TrainConfig {
            normalize_observations: true,
            normalize_returns: true,
            schedule,
            lambda: 0.8,
            ..config()
        };
        let with = |noise: f32, mark: f32| train(Dying::new(noise, mark), config.clone(), 6);
        let quiet = with(0.0, 0.0);
        assert_eq!(quiet.parameters(), with(1e6, 0.0).parameters());
        assert_ne!(quiet.parameters(), with(0.0, 0.7).parameters());
    }
}
