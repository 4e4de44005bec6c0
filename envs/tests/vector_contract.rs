//! Each cell of the contract of a vector, on an environment with known answers.
#![allow(clippy::unwrap_used)] // helpers of tests

use resonetics_envs::env::{Env, InvalidAction, Step};
use resonetics_envs::saved::SaveError;
use resonetics_envs::space::{BoxSpace, Discrete};
use resonetics_envs::stream::lane_seed;
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};

/// Observes [seed (where small), episode, steps]. The reward is the action; an episode is
/// terminated by action 9 and truncated after `limit` steps.
#[derive(Clone)]
struct Counting {
    limit: u32,
    seed: u64,
    episode: u32,
    steps: u32,
    space: BoxSpace,
}

const END: usize = 9;

impl Counting {
    fn new(limit: u32) -> Counting {
        let space = BoxSpace::new(vec![0.0; 3], vec![f32::MAX; 3]).unwrap();
        Counting { limit, seed: 0, episode: 0, steps: 0, space }
    }

    fn observe(&self, observation: &mut [f32]) {
        observation.copy_from_slice(&[self.seed as f32, self.episode as f32, self.steps as f32]);
    }
}

impl Env for Counting {
    type Info = (u64, u32, u32);

    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: END + 1 }
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) {
        self.episode = if seed.is_some() { 0 } else { self.episode + 1 };
        self.seed = seed.unwrap_or(self.seed);
        self.steps = 0;
        self.observe(observation);
    }

    fn step(&mut self, action: usize, observation: &mut [f32]) -> Result<Step, InvalidAction> {
        self.steps += 1;
        self.observe(observation);
        let (terminated, truncated) = (action == END, self.steps >= self.limit);
        Ok(Step { reward: action as f32, terminated, truncated })
    }

    fn info(&self) -> (u64, u32, u32) {
        (self.seed, self.episode, self.steps)
    }
}

/// Two lanes under seeds 5 and 6. Lane 0 is truncated after 3 steps, lane 1 goes on.
fn start(autoreset: Autoreset) -> (VecEnv<Counting>, Batch) {
    let mut vector = VecEnv::new(vec![Counting::new(3), Counting::new(3)], autoreset).unwrap();
    let mut batch = vector.batch();
    vector.reset_lanes(&[Some(5), Some(6)], &mut batch);
    (vector, batch)
}

fn step(vector: &mut VecEnv<Counting>, batch: &mut Batch, actions: [usize; 2]) {
    vector.step(&actions, batch).unwrap();
}

/// What lane 0 shows: observation, reward, terminated, truncated.
fn lane(batch: &Batch, lane: usize) -> ([f32; 3], f32, bool, bool) {
    let row = batch.observations.row(lane);
    ([row[0], row[1], row[2]], batch.rewards[lane], batch.terminated[lane], batch.truncated[lane])
}

fn tally(batch: &Batch, lane: usize) -> (f64, u32) {
    (batch.episode_return[lane], batch.episode_length[lane])
}

#[test]
fn steps_before_the_end_are_the_same_in_every_mode() {
    for autoreset in [Autoreset::NextStep, Autoreset::SameStep, Autoreset::Disabled] {
        let (mut vector, mut batch) = start(autoreset);
        assert_eq!(lane(&batch, 0), ([5.0, 0.0, 0.0], 0.0, false, false));
        assert_eq!(lane(&batch, 1), ([6.0, 0.0, 0.0], 0.0, false, false));
        step(&mut vector, &mut batch, [2, 3]);
        assert_eq!(lane(&batch, 0), ([5.0, 0.0, 1.0], 2.0, false, false));
        assert_eq!(lane(&batch, 1), ([6.0, 0.0, 1.0], 3.0, false, false));
    }
}

#[test]
fn next_step_resets_in_a_step_of_its_own() {
    let (mut vector, mut batch) = start(Autoreset::NextStep);
    for action in [2, 4, 8] {
        step(&mut vector, &mut batch, [action, 0]);
    }
    // The last step.
    assert_eq!(lane(&batch, 0), ([5.0, 0.0, 3.0], 8.0, false, true));
    assert_eq!(tally(&batch, 0), (14.0, 3));
    // The step after: its action is ignored, even the one that terminates.
    step(&mut vector, &mut batch, [END, END]);
    assert_eq!(lane(&batch, 0), ([5.0, 1.0, 0.0], 0.0, false, false));
    // And after that: a new episode, counted from nothing.
    step(&mut vector, &mut batch, [END, 1]);
    assert_eq!(lane(&batch, 0), ([5.0, 1.0, 1.0], 9.0, true, false));
    assert_eq!(tally(&batch, 0), (9.0, 1));
    assert_eq!(batch.final_observations.nrows(), 0);
}

#[test]
fn same_step_keeps_the_final_observation_and_begins_the_next_episode() {
    let (mut vector, mut batch) = start(Autoreset::SameStep);
    step(&mut vector, &mut batch, [2, 0]);
    step(&mut vector, &mut batch, [END, 0]);
    // The last step.
    assert_eq!(lane(&batch, 0), ([5.0, 1.0, 0.0], 9.0, true, false));
    assert_eq!(batch.final_observations.row(0).to_vec(), [5.0, 0.0, 2.0]);
    assert_eq!(tally(&batch, 0), (11.0, 2));
    // The step after is the first of the next episode.
    step(&mut vector, &mut batch, [4, 0]);
    assert_eq!(lane(&batch, 0), ([5.0, 1.0, 1.0], 4.0, false, false));
    // Lane 1 has been truncated in that step.
    assert_eq!(lane(&batch, 1), ([6.0, 1.0, 0.0], 0.0, false, true));
    assert_eq!(batch.final_observations.row(1).to_vec(), [6.0, 0.0, 3.0]);
    // And after: the second episode's tally holds nothing of the first.
    step(&mut vector, &mut batch, [END, 1]);
    assert_eq!(tally(&batch, 0), (13.0, 2));
    assert_eq!(lane(&batch, 1), ([6.0, 1.0, 1.0], 1.0, false, false));
}

#[test]
fn disabled_holds_the_end_until_the_lane_is_reset() {
    let (mut vector, mut batch) = start(Autoreset::Disabled);
    step(&mut vector, &mut batch, [2, 0]);
    step(&mut vector, &mut batch, [END, 0]);
    assert_eq!(lane(&batch, 0), ([5.0, 0.0, 2.0], 9.0, true, false));
    assert_eq!(tally(&batch, 0), (11.0, 2));
    for _ in 0..2 {
        // The steps after: flags, observation and tally stay, the reward is 0.
        step(&mut vector, &mut batch, [3, 3]);
        assert_eq!(lane(&batch, 0), ([5.0, 0.0, 2.0], 0.0, true, false));
        assert_eq!(tally(&batch, 0), (11.0, 2));
        assert_eq!(vector.env(0).info(), (5, 0, 2), "it was not stepped");
    }
    assert_eq!(lane(&batch, 1), ([6.0, 0.0, 3.0], 0.0, false, true));
    vector.reset_lanes(&[Some(7), None], &mut batch);
    assert_eq!(lane(&batch, 0), ([7.0, 0.0, 0.0], 0.0, false, false));
    step(&mut vector, &mut batch, [1, 1]);
    assert_eq!(lane(&batch, 0), ([7.0, 0.0, 1.0], 1.0, false, false));
    assert_eq!(lane(&batch, 1), ([6.0, 0.0, 3.0], 0.0, false, true));
}

#[test]
fn both_ends_in_one_step_are_both_reported() {
    for autoreset in [Autoreset::NextStep, Autoreset::SameStep, Autoreset::Disabled] {
        let (mut vector, mut batch) = start(autoreset);
        step(&mut vector, &mut batch, [0, 0]);
        step(&mut vector, &mut batch, [0, 0]);
        step(&mut vector, &mut batch, [END, 0]);
        assert_eq!((batch.terminated[0], batch.truncated[0]), (true, true));
        assert_eq!((batch.terminated[1], batch.truncated[1]), (false, true));
    }
}

#[test]
fn an_invalid_action_is_refused_before_any_lane_has_moved() {
    let (mut vector, mut batch) = start(Autoreset::NextStep);
    step(&mut vector, &mut batch, [2, 3]);
    let before = batch.clone();
    let refused = vector.step(&[1, END + 1], &mut batch).unwrap_err();
    assert_eq!(refused, InvalidAction { action: 10, row: 1, n: 10 });
    assert_eq!(refused.to_string(), "action 10 of row 1 is outside the action space: allowed are 0 to 9");
    assert_eq!(batch.observations, before.observations);
    assert_eq!(batch.rewards, before.rewards);
    assert_eq!((vector.env(0).info(), vector.env(1).info()), ((5, 0, 1), (6, 0, 1)));
}

#[test]
fn reset_lanes_touches_only_its_lanes() {
    let (mut vector, mut batch) = start(Autoreset::NextStep);
    step(&mut vector, &mut batch, [2, 3]);
    vector.reset_lanes(&[None, Some(8)], &mut batch);
    assert_eq!(lane(&batch, 0), ([5.0, 0.0, 1.0], 2.0, false, false));
    assert_eq!(lane(&batch, 1), ([8.0, 0.0, 0.0], 0.0, false, false));
    step(&mut vector, &mut batch, [END, END]);
    assert_eq!((tally(&batch, 0), tally(&batch, 1)), ((11.0, 2), (9.0, 1)));
}

#[test]
fn the_next_episode_begins_where_it_is_asked_for() {
    let (mut vector, mut batch) = start(Autoreset::NextStep);
    step(&mut vector, &mut batch, [END, 3]);
    assert!(batch.terminated[0]);
    vector.next_episodes(&[true, false], &mut batch);
    assert_eq!(lane(&batch, 0), ([5.0, 1.0, 0.0], 0.0, false, false));
    assert_eq!(lane(&batch, 1), ([6.0, 0.0, 1.0], 3.0, false, false));
    // It has begun: the next step is one of it, and counts.
    step(&mut vector, &mut batch, [END, END]);
    assert_eq!(lane(&batch, 0), ([5.0, 1.0, 1.0], 9.0, true, false));
    assert_eq!((tally(&batch, 0), tally(&batch, 1)), ((9.0, 1), (12.0, 2)));
    let mut infos = vec![(0, 0, 0); 2];
    vector.write_infos(&mut infos);
    assert_eq!(infos, [(5, 1, 1), (6, 0, 2)]);
}

#[test]
fn reset_gives_each_lane_its_own_seed() {
    let (mut vector, mut batch) = start(Autoreset::NextStep);
    vector.reset(1, &mut batch);
    for lane in 0..vector.len() {
        assert_eq!(vector.env(lane).info(), (lane_seed(1, lane as u64), 0, 0));
    }
}

#[test]
fn environments_that_do_not_match_are_refused() {
    let mut other = Counting::new(3);
    other.space = BoxSpace::unit(3);
    let refused = VecEnv::new(vec![Counting::new(3), Counting::new(3), other], Autoreset::NextStep);
    assert!(refused.err().unwrap().contains("environment 2"));
    assert!(VecEnv::<Counting>::new(Vec::new(), Autoreset::NextStep).is_err());
}

#[test]
#[should_panic(expected = "one action a row")]
fn a_missing_action_is_a_bug_of_the_caller() {
    let (mut vector, mut batch) = start(Autoreset::NextStep);
    let _ = vector.step(&[0], &mut batch);
}

#[test]
fn what_an_environment_does_not_save_no_vector_does() {
    let (mut vector, mut batch) = start(Autoreset::SameStep);
    assert_eq!(vector.save(), Err(SaveError::Unsupported));
    assert!(vector.restore(&[], &mut batch).is_err());
    assert_eq!(Env::save(&*vector.env(0)), Err(SaveError::Unsupported));
    let mut env = Counting::new(3);
    assert_eq!(Env::restore(&mut env, &[], &mut [0.0; 3]), Err(SaveError::Unsupported));
}
