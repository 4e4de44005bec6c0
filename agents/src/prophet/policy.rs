//! A trained Prophet as a policy.

use resonetics_envs::gardener::LifeEvent;
use resonetics_envs::stream::Key;

use super::categorical::likeliest;
use super::native::NativeLearner;
use super::normalizer::Normalizer;
use crate::policy::{Observations, Policy, contiguous};

/// Networks that act greedily on normalised observations. They are those of the native learner, whichever
/// trained them: it needs no device, and cannot fail. What they remember begins anew with each episode and life.
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
}

impl Prophet {
    /// The policy of `learner`, which chooses from `actions` actions.
    pub fn new(learner: NativeLearner, normalizer: Normalizer, actions: usize) -> Prophet {
        let [memory, normalized, logits, values] = [const { Vec::new() }; 4];
        Prophet { learner, normalizer, actions, agents: 1, memory, normalized, logits, values }
    }

    /// The same for environments of `agents` rows each.
    #[must_use]
    pub fn for_agents(self, agents: usize) -> Prophet {
        Prophet { agents, ..self }
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
    fn begin_episode(&mut self, env: usize, _key: Key) {
        self.forget(env * self.agents, self.agents);
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
