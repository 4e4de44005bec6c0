//! A trained Prophet as a policy.

use super::categorical::likeliest;
use super::learner::Learner;
use super::normalizer::Normalizer;
use crate::policy::{Observations, Policy};

/// Networks that act greedily on normalised observations.
pub struct Prophet {
    learner: Box<dyn Learner>,
    normalizer: Normalizer,
    actions: usize,
    normalized: Vec<f32>,
    logits: Vec<f32>,
    values: Vec<f32>,
}

impl Prophet {
    /// The policy of `learner`, which chooses from `actions` actions.
    pub fn new(learner: Box<dyn Learner>, normalizer: Normalizer, actions: usize) -> Prophet {
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
        let observations = seen.observations.as_slice().unwrap_or_default();
        self.normalizer.apply(observations, &mut self.normalized);
        self.learner.act(&self.normalized, &mut self.logits, &mut self.values);
        for (row, action) in actions.iter_mut().enumerate() {
            if seen.asked(row) {
                let mask = if seen.action_mask.nrows() == 0 {
                    &[]
                } else {
                    &seen.action_mask.as_slice().unwrap_or_default()[row * n..][..n]
                };
                *action = likeliest(&self.logits[row * n..][..n], mask);
            }
        }
    }
}
