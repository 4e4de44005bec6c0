//! A trained Prophet as a policy.

use super::categorical::likeliest;
use super::native::NativeLearner;
use super::normalizer::Normalizer;
use crate::policy::{Observations, Policy, contiguous};

/// Networks that act greedily on normalised observations. They are those of the native learner, whichever
/// trained them: it needs no device, and cannot fail.
pub struct Prophet {
    learner: NativeLearner,
    normalizer: Normalizer,
    actions: usize,
    normalized: Vec<f32>,
    logits: Vec<f32>,
    values: Vec<f32>,
}

impl Prophet {
    /// The policy of `learner`, which chooses from `actions` actions.
    pub fn new(learner: NativeLearner, normalizer: Normalizer, actions: usize) -> Prophet {
        let [normalized, logits, values] = [const { Vec::new() }; 3];
        Prophet { learner, normalizer, actions, normalized, logits, values }
    }
}

impl Policy for Prophet {
    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        let (rows, n) = (seen.rows(), self.actions);
        self.normalized.resize(seen.observations.len(), 0.0);
        self.logits.resize(rows * n, 0.0);
        self.values.resize(rows, 0.0);
        self.normalizer.apply(contiguous(seen.observations), &mut self.normalized);
        self.learner.act(&self.normalized, &mut [], &mut self.logits, &mut self.values);
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

    /// It would act on what it saw before.
    #[test]
    #[should_panic(expected = "standard layout")]
    fn strided_observations_are_refused() {
        let observations = Array2::zeros((3, 3).f());
        act(&observations, &Array2::default((0, 3)), Normalizer::new(3));
    }
}
