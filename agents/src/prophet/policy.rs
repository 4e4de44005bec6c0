//! A trained Prophet as a policy.

use resonetics_envs::gardener::LifeEvent;
use resonetics_envs::stream::{Domain, Key};

use super::categorical::{choose, forbid, likeliest, log_softmax};
use super::native::NativeLearner;
use super::normalizer::Normalizer;
use crate::policy::{Observations, Policy, contiguous};

/// Networks that act on normalised observations, by their likeliest action unless they are [`Prophet::sampled`].
/// They are those of the native learner, whichever trained them: it needs no device, and cannot fail. What they
/// remember begins anew with each episode and life.
pub struct Prophet {
    learner: NativeLearner,
    normalizer: Normalizer,
    actions: usize,
    /// Rows of an environment.
    agents: usize,
    /// `[rows, M]`, as far as rows have been heard of.
    memory: Vec<f32>,
    normalized: Vec<f32>,
    logits: Vec<f32>,
    values: Vec<f32>,
    /// `[actions]`
    probabilities: Vec<f32>,
    /// Of each environment what its actions are drawn from, and the steps of its episode; none: nothing is drawn.
    streams: Vec<(Key, u32)>,
}

impl Prophet {
    /// The policy of `learner`, which chooses from `actions` actions.
    pub fn new(learner: NativeLearner, normalizer: Normalizer, actions: usize) -> Prophet {
        let [memory, normalized, logits, values] = [const { Vec::new() }; 4];
        let (probabilities, streams) = (vec![0.0; actions], Vec::new());
        Prophet {
            learner,
            normalizer,
            actions,
            agents: 1,
            memory,
            normalized,
            logits,
            values,
            probabilities,
            streams,
        }
    }

    /// The same with actions drawn from the policy, in `envs` environments: an episode draws from a stream of its
    /// own, below the key that it begins with, so that it does not depend on those beside it.
    #[must_use]
    pub fn sampled(mut self, envs: usize) -> Prophet {
        self.streams = (0..envs as u64).map(|env| (Key::new(0, Domain::Policy, env), 0)).collect();
        self
    }

    /// Draws an action for each row that is asked.
    fn draw(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        let n = self.actions;
        let agents = actions.len() / self.streams.len();
        let mask = contiguous(seen.action_mask);
        for (env, (key, step)) in self.streams.iter_mut().enumerate() {
            for agent in 0..agents {
                let row = env * agents + agent;
                if seen.asked(row) {
                    let logits = &mut self.logits[row * n..][..n];
                    forbid(logits, if mask.is_empty() { mask } else { &mask[row * n..][..n] });
                    log_softmax(logits, &mut self.probabilities);
                    actions[row] = choose(&self.probabilities, key.uniform(*step, agent as u32));
                }
            }
            *step += 1;
        }
    }

    /// The same for environments of `agents` rows each.
    #[must_use]
    pub fn for_agents(self, agents: usize) -> Prophet {
        Prophet { agents, ..self }
    }

    /// Numbers that a row remembers, M.
    pub fn remembered(&self) -> usize {
        self.learner.network().remembered()
    }

    /// The probabilities of all actions, `[n, A]` into `probabilities`, for `observations` `[n, D]`; `action_mask` is `[n, A]`, or
    /// empty where all actions are allowed (those of a row with none are all 0). What rows remember is the caller's
    /// `memory` `[n, M]`, 0 where an episode begins, which becomes what they remember after it.
    ///
    /// # Panics
    /// If the lengths are not those of n rows.
    pub fn probabilities(
        &mut self,
        observations: &[f32],
        action_mask: &[bool],
        memory: &mut [f32],
        probabilities: &mut [f32],
    ) {
        let n = self.actions;
        let rows = probabilities.len() / n;
        self.normalized.resize(observations.len(), 0.0);
        self.logits.resize(rows * n, 0.0);
        self.values.resize(rows, 0.0);
        self.normalizer.apply(observations, &mut self.normalized);
        self.learner.act(&self.normalized, memory, &mut self.logits, &mut self.values);
        for (row, probabilities) in probabilities.chunks_exact_mut(n).enumerate() {
            let logits = &mut self.logits[row * n..][..n];
            let mask = if action_mask.is_empty() { action_mask } else { &action_mask[row * n..][..n] };
            if !mask.is_empty() && !mask.contains(&true) {
                probabilities.fill(0.0);
                continue;
            }
            forbid(logits, mask);
            log_softmax(logits, probabilities);
        }
    }

    /// Forgets what so many rows from `first` on remember.
    fn forget(&mut self, first: usize, rows: usize) {
        let each = self.learner.network().remembered();
        let end = (first + rows) * each;
        self.memory.resize(self.memory.len().max(end), 0.0);
        self.memory[first * each..end].fill(0.0);
    }
}

impl Policy for Prophet {
    fn begin_episode(&mut self, env: usize, key: Key) {
        self.forget(env * self.agents, self.agents);
        // Beside what else is drawn in the episode, such as the noise of `Noisy`.
        if let Some(stream) = self.streams.get_mut(env) {
            *stream = (key.derive(Domain::Policy as u32, 2), 0);
        }
    }

    fn life(&mut self, env: usize, event: LifeEvent) {
        let (LifeEvent::Born { slot, .. } | LifeEvent::Forget { slot }) = event;
        self.forget(env * self.agents + slot, 1);
    }

    fn heap_bytes(&self) -> usize {
        self.agents * self.learner.network().remembered() * size_of::<f32>()
    }

    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        let (rows, n) = (seen.rows(), self.actions);
        self.normalized.resize(seen.observations.len(), 0.0);
        self.logits.resize(rows * n, 0.0);
        self.values.resize(rows, 0.0);
        self.normalizer.apply(contiguous(seen.observations), &mut self.normalized);
        let remembered = rows * self.learner.network().remembered();
        self.memory.resize(self.memory.len().max(remembered), 0.0);
        let memory = &mut self.memory[..remembered];
        self.learner.act(&self.normalized, memory, &mut self.logits, &mut self.values);
        if !self.streams.is_empty() {
            return self.draw(seen, actions);
        }
        let mask = contiguous(seen.action_mask);
        for (row, action) in actions.iter_mut().enumerate() {
            if seen.asked(row) {
                let mask = if mask.is_empty() { mask } else { &mask[row * n..][..n] };
                *action = likeliest(&self.logits[row * n..][..n], mask);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ShapeBuilder};

    use super::super::learner::Learner;
    use super::super::network::{Network, Spaces};
    use super::*;

    /// Says that action a is worth the a-th number of the observation.
    fn reader() -> NativeLearner {
        let network = Network { hidden: vec![], conv_channels: 0, memory: 0 };
        let mut learner = NativeLearner::new(&network, Spaces { observation: 3, actions: 3, view: 0 });
        let mut tensors = learner.save();
        assert_eq!((&tensors[0].name[..], &tensors[0].shape[..]), ("actor.0.weight", &[3, 3][..]));
        tensors[0].data = vec![1., 0., 0., 0., 1., 0., 0., 0., 1.];
        learner.load(&tensors, 0).unwrap();
        learner
    }

    fn act(observations: &Array2<f32>, mask: &Array2<bool>, normalizer: Normalizer) -> Vec<usize> {
        let state = Array2::zeros((0, 0));
        let seen =
            Observations { observations: observations.view(), action_mask: mask.view(), state: state.view() };
        let mut actions = vec![9; observations.nrows()];
        Prophet::new(reader(), normalizer, 3).act(&seen, &mut actions);
        actions
    }

    #[test]
    fn the_likeliest_allowed_action_is_chosen_by_who_is_asked() {
        let observations = Array2::from_shape_vec((3, 3), vec![1., 5., 2., 3., 5., 4., 1., 5., 2.]).unwrap();
        let free = Array2::default((0, 3));
        assert_eq!(act(&observations, &free, Normalizer::new(3)), [1, 1, 1]);
        let mask = [true, false, true, true, false, false, false, false, false];
        let mask = Array2::from_shape_vec((3, 3), mask.to_vec()).unwrap();
        assert_eq!(act(&observations, &mask, Normalizer::new(3)), [2, 0, 9]);
        // What is seen is normalised: 5 is little where 5 is usual.
        let mut normalizer = Normalizer::new(3);
        normalizer.update(&[0.0, 5.0, 0.0], &[]);
        assert_eq!(act(&observations, &free, normalizer), [2, 2, 2]);
    }

    /// Each action as often as its probability says, a forbidden one never; the same in whichever batch.
    #[test]
    #[allow(clippy::disallowed_methods)] // an oracle's mathematics is the standard library's
    fn actions_are_drawn_from_the_policy_by_each_episode_alone() {
        const EPISODES: u64 = 4000;
        let logits = [0.0_f32, 1.0, -0.5];
        let draw = |episodes: std::ops::Range<u64>, mask: Option<[bool; 3]>| {
            let count = (episodes.end - episodes.start) as usize;
            let observations = Array2::from_shape_fn((count, 3), |(_, action)| logits[action]);
            let rows = if mask.is_some() { count } else { 0 };
            let mask = Array2::from_shape_fn((rows, 3), |(_, action)| mask.is_some_and(|mask| mask[action]));
            let state = Array2::zeros((0, 0));
            let (observations, action_mask) = (observations.view(), mask.view());
            let seen = Observations { observations, action_mask, state: state.view() };
            let mut prophet = Prophet::new(reader(), Normalizer::new(3), 3).sampled(count);
            for (env, seed) in episodes.enumerate() {
                prophet.begin_episode(env, Key::new(seed, Domain::Policy, 0));
            }
            let mut steps = [vec![9; count], vec![9; count]];
            for actions in &mut steps {
                prophet.act(&seen, actions);
            }
            steps
        };
        let [first, second] = draw(0..EPISODES, None);
        let sum: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
        for (action, &logit) in logits.iter().enumerate() {
            let p = f64::from(logit).exp() / sum;
            let deviation = (p * (1.0 - p) / EPISODES as f64).sqrt();
            for actions in [&first, &second] {
                let share =
                    actions.iter().filter(|&&chosen| chosen == action).count() as f64 / EPISODES as f64;
                assert!((share - p).abs() < 5.0 * deviation, "{action}: {share}, expected {p}");
            }
        }
        assert_ne!(first, second, "each step draws anew");
        // Episodes 7 to 9 alone.
        assert_eq!(draw(7..10, None), [first[7..10].to_vec(), second[7..10].to_vec()]);
        let [masked, _] = draw(0..EPISODES, Some([true, false, true]));
        assert!(masked.contains(&0) && masked.contains(&2) && !masked.contains(&1));
        assert_eq!(draw(0..5, Some([false; 3]))[0], [9; 5], "who is not asked does not act");
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // an oracle's mathematics is the standard library's
    fn probabilities_are_those_of_the_logits_of_allowed_actions() {
        let mut policy = Prophet::new(reader(), Normalizer::new(3), 3);
        let observations = [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 2.0];
        let mask = [true, true, true, true, false, true, false, false, false];
        let mut found = [9.0; 9];
        policy.probabilities(&observations, &mask, &mut [], &mut found);
        let e = 1_f64.exp();
        let all = 1.0 + e + e * e;
        let expected =
            [1.0 / all, e / all, e * e / all, 1.0 / (1.0 + e * e), 0.0, e * e / (1.0 + e * e), 0.0, 0.0, 0.0];
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((f64::from(found) - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
        let mut free = [9.0; 9];
        policy.probabilities(&observations, &[], &mut [], &mut free);
        assert_eq!([&free[..3], &free[3..6], &free[6..]], [&found[..3]; 3]);
    }

    /// Says that action 1 is worth how much of the second number it has seen, of which all that comes is
    /// remembered at once and for good where the first number is 1.
    fn rememberer() -> NativeLearner {
        let network = Network { hidden: vec![2], conv_channels: 0, memory: 1 };
        let mut learner = NativeLearner::new(&network, Spaces { observation: 2, actions: 2, view: 0 });
        let mut tensors = learner.save();
        for (name, data) in [
            ("actor.0.weight", &[9.0, 0.0, 0.0, 9.0][..]),
            ("actor.memory.gate.weight", &[80.0, 0.0]),
            ("actor.memory.gate.bias", &[-40.0]),
            ("actor.memory.candidate.weight", &[0.0, 9.0]),
            ("actor.memory.head.weight", &[0.0, 1.0]),
        ] {
            tensors.iter_mut().find(|tensor| tensor.name == name).unwrap().data = data.to_vec();
        }
        learner.load(&tensors, 0).unwrap();
        learner
    }

    /// Two environments of two rows each. What they have seen they remember, until an episode or a life begins
    /// where they are, or they have to forget.
    #[test]
    fn memories_are_those_of_an_episode_and_a_life() {
        let mut policy = Prophet::new(rememberer(), Normalizer::new(2), 2).for_agents(2);
        assert_eq!(policy.heap_bytes(), 2 * 2 * 4);
        let (mask, state) = (Array2::default((0, 2)), Array2::zeros((0, 0)));
        let act = |policy: &mut Prophet, seen: [f32; 2]| {
            let observations = Array2::from_shape_fn((4, 2), |(_, column)| seen[column]);
            let (observations, action_mask) = (observations.view(), mask.view());
            let mut actions = vec![9; 4];
            policy.act(&Observations { observations, action_mask, state: state.view() }, &mut actions);
            actions
        };
        let key = Key::new(0, resonetics_envs::stream::Domain::Policy, 0);
        (0..2).for_each(|env| policy.begin_episode(env, key));
        assert_eq!(act(&mut policy, [0.0, 0.0]), [0; 4]);
        assert_eq!(act(&mut policy, [1.0, 1.0]), [1; 4]);
        assert_eq!(act(&mut policy, [0.0, 0.0]), [1; 4]);
        policy.life(1, LifeEvent::Forget { slot: 0 });
        assert_eq!(act(&mut policy, [0.0, 0.0]), [1, 1, 0, 1]);
        policy.life(0, LifeEvent::Born { slot: 1, id: 7, parent: Some(0) });
        assert_eq!(act(&mut policy, [0.0, 0.0]), [1, 0, 0, 1]);
        policy.begin_episode(0, key);
        assert_eq!(act(&mut policy, [0.0, 0.0]), [0, 0, 0, 1]);
        policy.begin_episode(1, key);
        assert_eq!(act(&mut policy, [0.0, 0.0]), [0; 4]);
    }

    /// It would act on what it saw before.
    #[test]
    #[should_panic(expected = "standard layout")]
    fn strided_observations_are_refused() {
        let observations = Array2::zeros((3, 3).f());
        act(&observations, &Array2::default((0, 3)), Normalizer::new(3));
    }
}
