//! An episode's own drift: drawn from a range or a list, so that one training meets many.

use serde::{Deserialize, Serialize};

use crate::config::{Allowed, short};
use crate::math::uniform;
use crate::stream::{Key, scale};

/// How an episode's dose is drawn from [`Doses::values`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Draw {
    /// Uniform from the first of two values to the second.
    #[default]
    Range,
    /// One of the values, each as likely.
    List,
}

/// What each episode's drift is drawn from: a cluster's `mem_drift_mu`, a garden's `dirt_growth`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doses {
    /// How.
    pub draw: Draw,
    /// From what, each in [0, 1]; none, the default, leaves it to the margin.
    pub values: Vec<f64>,
    /// Without values: each episode's drift is uniform from the world's own to (1 + this) times it, and 1 at most. 0,
    /// the default, leaves the world's own drift to every episode; at most 10. With values it means nothing.
    #[serde(default)]
    pub margin: f64,
}

impl Doses {
    /// Whether every episode has the world's own drift.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.margin == 0.0
    }

    /// The same, without the margin: the drifts that were asked for.
    #[must_use]
    pub fn asked_for(&self) -> Doses {
        Doses { margin: 0.0, ..self.clone() }
    }

    /// Refuses what nothing can be drawn from.
    pub fn check(&self, allowed: &mut Allowed) {
        for &value in &self.values {
            allowed.number("values", value, 0.0..=1.0);
        }
        allowed.number("margin", self.margin, 0.0..=10.0);
        let ordered = matches!(self.values[..], [] | [_, _]) && self.values.is_sorted();
        let list =
            format!("[{}]", self.values.iter().map(|&value| short(value)).collect::<Vec<_>>().join(", "));
        let needs = "a range needs its lowest and its highest value, such as [0.005, 0.025]";
        allowed.rule(self.draw == Draw::List || ordered, "values", list, needs);
    }

    /// The dose of the episode whose stream is `key`; `own` where none is drawn. It takes the word at step 0 and
    /// `index`.
    #[inline(always)]
    pub fn of(&self, own: f32, key: Key, index: u32) -> f32 {
        if self.is_empty() { own } else { self.drawn(own, key, index) }
    }

    #[inline(never)]
    fn drawn(&self, own: f32, key: Key, index: u32) -> f32 {
        let (word, _) = key.words(0, index);
        match (self.draw, &self.values[..]) {
            (_, []) => (f64::from(own) * (1.0 + self.margin * f64::from(uniform(word)))).min(1.0) as f32,
            (Draw::Range, &[low, high]) => (low + (high - low) * f64::from(uniform(word))) as f32,
            (Draw::List, values) => values[scale(word, values.len() as u32) as usize] as f32,
            _ => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Domain;

    fn drawn(draw: Draw, values: &[f64], margin: f64) -> Vec<f32> {
        let doses = Doses { draw, values: values.to_vec(), margin };
        (0..10_000).map(|episode| doses.of(0.5, Key::new(3, Domain::Episode, episode), 7 << 24)).collect()
    }

    #[test]
    fn a_range_is_covered_evenly() {
        let doses = drawn(Draw::Range, &[0.01, 0.03], 0.0);
        assert!(doses.iter().all(|dose| (0.01..0.03).contains(dose)));
        let mean = doses.iter().map(|&dose| f64::from(dose)).sum::<f64>() / 1e4;
        // Uniform: standard deviation 0.02 / sqrt(12), 5.8e-5 of the mean; five of them.
        assert!((mean - 0.02).abs() < 2.9e-4, "{mean}");
    }

    #[test]
    fn of_a_list_each_value_is_as_likely() {
        let doses = drawn(Draw::List, &[0.01, 0.02, 0.05], 3.0);
        for value in [0.01, 0.02, 0.05] {
            let count = doses.iter().filter(|&&dose| dose == value).count();
            // Binomial(10,000, 1/3): 3,333 +- 47; five standard deviations.
            assert!((3097..=3570).contains(&count), "{value}: {count}");
        }
    }

    #[test]
    fn without_values_it_is_the_worlds_own() {
        assert!(drawn(Draw::Range, &[], 0.0).iter().all(|&dose| dose == 0.5));
        assert!(drawn(Draw::List, &[], 0.0).iter().all(|&dose| dose == 0.5));
    }

    #[test]
    fn a_margin_is_above_the_worlds_own() {
        let doses = drawn(Draw::Range, &[], 0.2);
        assert!(doses.iter().all(|dose| (0.5..0.6).contains(dose)));
        let mean = doses.iter().map(|&dose| f64::from(dose)).sum::<f64>() / 1e4;
        // Uniform from 0.5 to 0.6: as above, five standard deviations of the mean.
        assert!((mean - 0.55).abs() < 1.45e-3, "{mean}");
        assert_eq!(doses, drawn(Draw::List, &[], 0.2));
    }
}
