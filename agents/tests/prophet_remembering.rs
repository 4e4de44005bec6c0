//! The trainer and a memory: which state a row has at each step, whatever ends or begins there; that a rollout is
//! learned from as it was made; and that a memory learns what nobody can without one.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::sync::{Arc, Mutex};

use resonetics_agents::prophet::config::{Schedule, TrainConfig};
use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::{
    Learner, LearnerError, Minibatch, SEQUENCE, Samples, Sequence, Terms,
};
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces, Tensor};
use resonetics_agents::prophet::trainer::{Acting, Trainer};
use resonetics_envs::env::{Agents, Ending, Env, InvalidAction, ParallelEnv, Step};
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv};
use resonetics_envs::k8s::{K8sConfig, K8sEnv};
use resonetics_envs::space::{BoxSpace, Discrete};
use resonetics_envs::stream::{Domain, Key};

fn config(memory: usize) -> TrainConfig {
    TrainConfig {
        num_envs: 8,
        horizon: 24,
        epochs: 6,
        minibatch: 96,
        gamma: 0.9,
        lambda: 0.95,
        learning_rate: 0.01,
        entropy: 0.01,
        normalize_observations: false,
        normalize_returns: false,
        network: Network { hidden: vec![16], conv_channels: 0, memory },
        ..TrainConfig::default()
    }
}

fn trainer<E: ParallelEnv + Clone + Sync>(env: E, config: TrainConfig, updates: u64) -> Trainer<E> {
    let observation = env.observation_space().len();
    let spaces = Spaces { observation, actions: env.action_space().n, view: 0 };
    let mut learner = NativeLearner::new(&config.network, spaces);
    learner.load(&initial(&config.network, spaces, 3), 0).unwrap();
    let steps = updates * (config.num_envs * config.horizon) as u64;
    Trainer::new(env, config, 3, steps, Box::new(learner)).unwrap()
}

/// A row: what becomes of it in its step.
#[derive(Clone, Copy, PartialEq)]
enum Row {
    Lives,
    /// It lives and is not asked.
    Waits,
    /// It dies in the step, and another is there at once, or nobody.
    Dies,
    Nobody,
    /// It lives on and has to forget.
    Forgets,
}
use Row::{Dies, Forgets, Lives, Nobody, Waits};

/// Two rows for 12 steps, then time is up; over and over.
const SCRIPT: [[Row; 2]; 12] = [
    [Lives, Lives],
    [Lives, Waits],
    [Lives, Lives],
    [Lives, Dies],
    [Lives, Lives],
    [Forgets, Lives],
    [Lives, Dies],
    [Lives, Nobody],
    [Lives, Nobody],
    [Waits, Lives],
    [Waits, Lives],
    [Lives, Lives],
];

#[derive(Clone)]
struct Scripted {
    step: usize,
    space: BoxSpace,
}

impl Scripted {
    fn write(&self, out: Agents<'_>) {
        out.observations.fill(0.5);
        for (row, now) in SCRIPT[self.step % 12].into_iter().enumerate() {
            out.alive[row] = now != Nobody;
            out.action_mask[2 * row..][..2].fill(now != Nobody && now != Waits);
        }
    }
}

impl ParallelEnv for Scripted {
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
        self.step = 0;
        self.write(out);
    }

    fn step(&mut self, _actions: &[usize], out: Agents<'_>) -> Result<Ending, InvalidAction> {
        for (row, now) in SCRIPT[self.step].into_iter().enumerate() {
            out.rewards[row] = 1.0;
            out.died[row] = now == Dies;
        }
        self.step += 1;
        self.write(out);
        Ok(Ending { terminated: false, truncated: self.step == 12 })
    }

    fn info(&self) {}

    fn state_len(&self) -> usize {
        0
    }

    fn write_state(&self, _state: &mut [f32]) {}

    fn write_forgotten(&self, forgotten: &mut [bool]) {
        for (row, now) in SCRIPT[self.step.wrapping_sub(1).min(11)].into_iter().enumerate() {
            forgotten[row] |= self.step > 0 && now == Forgets;
        }
    }
}

/// Rows, sequences, what they begin with, and which samples begin anew.
type Part = (Vec<u32>, Vec<Sequence>, Vec<f32>, Vec<bool>);

/// What a learner was asked.
#[derive(Default)]
struct Asked {
    /// The first number of each row's memory before each act.
    ages: Vec<Vec<f32>>,
    /// Of each minibatch: its rows, its sequences, what they begin with, and which samples begin anew.
    minibatches: Vec<Part>,
}

/// Counts in a row's memory how often it has acted.
struct Counting(Arc<Mutex<Asked>>);

impl Learner for Counting {
    fn act(
        &mut self,
        _observations: &[f32],
        memory: &mut [f32],
        logits: &mut [f32],
        values: &mut [f32],
    ) -> Result<(), LearnerError> {
        self.0.lock().unwrap().ages.push(memory.iter().copied().step_by(2).collect());
        for x in memory.iter_mut() {
            *x += 1.0;
        }
        logits.fill(0.0);
        values.fill(0.0);
        Ok(())
    }

    fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Result<Terms, LearnerError> {
        let (states, begins) = (samples.recurrent.states.to_vec(), samples.recurrent.begins.to_vec());
        let (rows, sequences) = (minibatch.rows.to_vec(), minibatch.sequences.to_vec());
        self.0.lock().unwrap().minibatches.push((rows, sequences, states, begins));
        Ok(Terms::default())
    }

    fn step(&mut self, _learning_rate: f32, _max_norm: f32) -> Result<(), LearnerError> {
        Ok(())
    }

    fn gradient(&self) -> Result<Vec<Tensor>, LearnerError> {
        Ok(Vec::new())
    }

    fn save(&self) -> Result<Vec<Tensor>, LearnerError> {
        Ok(Vec::new())
    }

    fn steps(&self) -> u64 {
        0
    }

    fn load(&mut self, _tensors: &[Tensor], _steps: u64) -> Result<(), String> {
        Ok(())
    }
}

fn counted(horizon: usize, updates: usize) -> Asked {
    counted_in(1, 0.0, horizon, updates)
}

fn counted_in(num_envs: usize, restart: f64, horizon: usize, updates: usize) -> Asked {
    let asked = Arc::default();
    let config = TrainConfig {
        num_envs,
        restart,
        horizon,
        epochs: 1,
        minibatch: 1000,
        schedule: Schedule::Fixed,
        ..config(1)
    };
    let env = Scripted { step: 0, space: BoxSpace::unit(1) };
    let mut trainer = Trainer::new(env, config, 3, 1000, Box::new(Counting(Arc::clone(&asked)))).unwrap();
    for _ in 0..updates {
        trainer.update().unwrap();
    }
    drop(trainer);
    Arc::into_inner(asked).unwrap().into_inner().unwrap()
}

/// Steps that each row remembers at each of the script's, worked out by hand; behind the last the episode's last
/// observation, whose value is asked for before anybody forgets.
const AGES: [[f32; 2]; 13] = [
    [0., 0.],
    [1., 1.],
    [2., 2.],
    [3., 3.],
    [4., 0.],
    [5., 1.],
    [0., 2.],
    [1., 0.],
    [2., 0.],
    [3., 0.],
    [4., 1.],
    [5., 2.],
    [6., 3.],
];

#[test]
fn what_a_row_remembers_begins_with_its_life_and_with_an_episode() {
    // One rollout of two episodes: an act for each step, and one behind each episode and one behind the rollout.
    let all = counted(24, 1).ages;
    let expected: Vec<Vec<f32>> = AGES.iter().chain(&AGES).map(|ages| ages.to_vec()).collect();
    assert_eq!(all[..26], expected);
    assert_eq!(all[26], [0.0, 0.0]);
    // Rollouts that end where they like: behind each the value of what follows, and nothing is carried off by it.
    let all = counted(5, 5).ages;
    let mut found = Vec::new();
    let mut looks = all.into_iter();
    for t in 0..25 {
        found.push(looks.next().unwrap());
        if t % 12 == 11 {
            assert_eq!(looks.next().unwrap(), AGES[12], "the last observation");
        }
        if t % 5 == 4 {
            assert_eq!(looks.next().unwrap(), AGES[(t + 1) % 12], "step {t}");
        }
    }
    let expected: Vec<Vec<f32>> = (0..25).map(|t| AGES[t % 12].to_vec()).collect();
    assert_eq!(found, expected);
}

/// The first of two environments begins anew with each rollout, and remembers nothing then.
#[test]
fn what_begins_anew_with_a_rollout_remembers_nothing() {
    let all = counted_in(2, 0.5, 5, 2).ages;
    // Five steps and a look at what follows, which is before anything begins anew.
    assert_eq!(all[5], [5.0, 1.0, 5.0, 1.0]);
    assert_eq!(all[6], [0.0, 0.0, 5.0, 1.0]);
}

#[test]
fn sequences_are_the_rows_lives_without_what_nobody_needs() {
    let asked = counted(24, 1);
    let [(rows, sequences, states, begins)] = &asked.minibatches[..] else { panic!("one minibatch") };
    // 24 steps in one sequence a row, in the order of an epoch. Row 1 of both episodes is absent in two steps.
    let mut lengths: Vec<u32> = Vec::new();
    let mut from = 0;
    for sequence in sequences {
        lengths.push(sequence.end - from);
        let of = &rows[from as usize..sequence.end as usize];
        assert!(of.iter().all(|sample| sample % 2 == sequence.state), "one row");
        assert!(of.windows(2).all(|pair| pair[0] < pair[1]), "in the order of time");
        let there = |t: &u32| SCRIPT[*t as usize % 12][sequence.state as usize] != Nobody;
        let expected: Vec<u32> = (0..24).filter(there).map(|t| 2 * t + sequence.state).collect();
        assert_eq!(of, expected);
        from = sequence.end;
    }
    lengths.sort_unstable();
    assert_eq!(lengths, [20, 24]);
    assert_eq!(states[..], [0.0; 4]);
    for t in 0..24 {
        for row in 0..2 {
            let anew = t > 0 && AGES[t % 12][row] == 0.0;
            assert_eq!(begins[2 * t + row], anew, "step {t}, row {row}");
        }
    }
    // Five steps, from the sixth on: what was remembered of the first five, and nothing behind the last choice.
    let asked = counted(5, 2);
    let (rows, sequences, states, _) = &asked.minibatches[1];
    // Steps 5 to 9. Row 0 waits in the last, row 1 is absent in 7 and 8.
    let mut found: Vec<(u32, Vec<u32>)> = Vec::new();
    let mut from = 0;
    for sequence in sequences {
        found.push((sequence.state, rows[from as usize..sequence.end as usize].to_vec()));
        from = sequence.end;
    }
    found.sort_unstable();
    assert_eq!(found, [(0, vec![0, 2, 4, 6]), (1, vec![1, 3, 9])]);
    assert_eq!(states[..], [5.0, 5.0, 1.0, 1.0]);
}

/// Longer rollouts are cut into equal parts that a gradient goes back through.
#[test]
fn no_sequence_is_longer_than_a_gradient_goes_back() {
    for (horizon, steps) in [(1, 1), (SEQUENCE, SEQUENCE), (SEQUENCE + 1, 33), (130, 44)] {
        let asked = counted(horizon, 1);
        let (_, sequences, states, _) = &asked.minibatches[0];
        assert_eq!(states.len(), 4 * horizon.div_ceil(steps), "{horizon}");
        let ends = sequences.iter().map(|sequence| sequence.end);
        let longest = [0].into_iter().chain(ends.clone()).zip(ends).map(|(a, b)| b - a).max();
        assert_eq!(longest, Some(steps as u32), "{horizon}");
    }
}

/// Nothing has moved in the policy, so that every ratio is 1 to the bit, if the memory is carried through the
/// sequences as it was through the rollout: over deaths, births, cleared memories, ends of episodes, cuts.
#[test]
fn a_rollout_is_learned_from_as_it_was_made() {
    fn still<E: ParallelEnv + Clone + Sync>(env: E, horizon: usize) {
        let config =
            TrainConfig { horizon, learning_rate: 0.0, learning_rate_final: 0.0, epochs: 2, ..config(9) };
        let mut trainer = trainer(env, config, 4);
        for _ in 0..4 {
            let update = trainer.update().unwrap();
            assert!(update.minibatches > 2);
            assert_eq!((update.terms.approx_kl, update.terms.clip_fraction), (0.0, 0.0));
            assert!(update.terms.entropy > 0.0);
        }
    }
    for horizon in [24, 100] {
        still(K8sEnv::new(K8sConfig { max_steps: 21, ..K8sConfig::default() }), horizon);
        still(garden(7), horizon);
        still(Recall { space: BoxSpace::unit(3), ..Recall::new(3) }, horizon);
    }
}

/// A small garden in which memories are cleared every so many generations, where it is above 0.
fn garden(reset_interval: u32) -> GardenerEnv {
    let mut config = GardenerConfig {
        grid_size: 6,
        init_agents: 3,
        min_population: 2,
        max_population: 5,
        max_generations: 25,
        view_size: 3,
        ..GardenerConfig::default()
    };
    config.memory.reset_interval = reset_interval;
    GardenerEnv::new(config)
}

/// The first observation shows a bit, the following ones a clock alone. After `delay` steps the action that is
/// the bit earns 1; no other step earns anything.
///
/// Who does not remember sees the same at the last step whatever the bit was, which is 0 or 1 with probability
/// one half, independent of all that is seen then: no choice there is right more often than in half of the
/// episodes.
#[derive(Clone)]
struct Recall {
    delay: usize,
    seed: u64,
    episode: u64,
    bit: usize,
    step: usize,
    space: BoxSpace,
}

impl Recall {
    fn new(delay: usize) -> Recall {
        Recall { delay, seed: 0, episode: 0, bit: 0, step: 0, space: BoxSpace::unit(3) }
    }
}

impl Env for Recall {
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
        (self.bit, self.step) = (word as usize & 1, 0);
        observation.fill(0.0);
        observation[self.bit] = 1.0;
    }

    fn step(&mut self, action: usize, observation: &mut [f32]) -> Result<Step, InvalidAction> {
        let over = self.step == self.delay;
        let right = over && action == self.bit;
        self.step += 1;
        observation.fill(0.0);
        observation[2] = self.step as f32 / self.delay as f32;
        Ok(Step { reward: f32::from(u8::from(right)), terminated: over, truncated: false })
    }

    fn info(&self) {}
}

#[test]
fn what_was_seen_is_remembered_by_who_has_a_memory_and_by_nobody_else() {
    let learned = |memory: usize, delay: usize| {
        let mut trainer = trainer(Recall::new(delay), config(memory), 150);
        for _ in 0..150 {
            trainer.update().unwrap();
        }
        trainer.evaluate(Acting::Greedy, 1000).unwrap().mean()
    };
    for delay in [3, 10] {
        let found = learned(8, delay);
        assert!(found > 0.99, "{delay} steps: {found}");
        // Binomial(1000, 1/2) / 1000: 0.5 +- 0.016, whatever is chosen; five standard deviations.
        let blind = learned(0, delay);
        assert!((0.42..0.58).contains(&blind), "{delay} steps without a memory: {blind}");
    }
}

/// Each of 4 steps earns the bit that the first observation showed, as +1 or -1; then time is up.
#[derive(Clone)]
struct Fortune(Recall);

impl Env for Fortune {
    type Info = ();

    fn observation_space(&self) -> &BoxSpace {
        Env::observation_space(&self.0)
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: 2 }
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) {
        Env::reset(&mut self.0, seed, observation);
    }

    fn step(&mut self, action: usize, observation: &mut [f32]) -> Result<Step, InvalidAction> {
        let over = Env::step(&mut self.0, action, observation)?.terminated;
        Ok(Step { reward: 2.0 * self.0.bit as f32 - 1.0, terminated: false, truncated: over })
    }

    fn info(&self) {}
}

/// Time that is up ends nothing: +-1 / (1 - gamma) at each step, if what follows the last one is valued by what
/// was remembered before it. If that were the memory of the next episode, which knows nothing yet, it would be
/// worth 0: +-1 at the last step, +-3.4 at the first.
#[test]
fn what_is_truncated_is_worth_what_is_remembered_of_it() {
    let config = TrainConfig { lambda: 1.0, ..config(8) };
    let mut trainer = trainer(Fortune(Recall::new(3)), config.clone(), 300);
    for _ in 0..300 {
        trainer.update().unwrap();
    }
    let spaces = Spaces { observation: 3, actions: 2, view: 0 };
    let mut learner = NativeLearner::new(&config.network, spaces);
    learner.load(&trainer.learner().save().unwrap(), 0).unwrap();
    for bit in 0..2 {
        let expected = [-10.0, 10.0][bit];
        let mut memory = vec![0.0; 16];
        for step in 0..4 {
            let mut observation = [0.0; 3];
            if step == 0 {
                observation[bit] = 1.0;
            } else {
                observation[2] = step as f32 / 3.0;
            }
            let (mut logits, mut value) = ([0.0; 2], [0.0]);
            learner.act(&observation, &mut memory, &mut logits, &mut value);
            assert!((value[0] - expected).abs() < 1.0, "bit {bit}, step {step}: {} for {expected}", value[0]);
        }
    }
}
