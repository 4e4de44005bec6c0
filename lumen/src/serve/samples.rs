//! Samples of the metrics that there are.

use std::collections::HashMap;

use super::names::{METRICS, Metric};

/// A sample: the values of its labels, and its own.
pub(super) type Sample = (Vec<String>, f64);

/// Samples by the names of their metrics.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples(HashMap<&'static str, Vec<Sample>>);

impl Samples {
    /// Adds a sample; what is not known, or no finite number, is none. A second one with the same labels is left out,
    /// for it would spoil all others.
    pub(super) fn add(&mut self, name: &'static str, labels: &[&str], value: Option<f64>) {
        debug_assert!(
            METRICS.iter().any(|metric| metric.name == name && metric.labels.len() == labels.len()),
            "{name} {labels:?}"
        );
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        let samples = self.0.entry(name).or_default();
        if samples.iter().all(|(others, _)| *others != labels) {
            samples.push((labels, value));
        }
    }

    /// The metrics that have samples, in the order of the list.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Metric, &[Sample])> {
        METRICS.iter().filter_map(|metric| Some((metric, self.0.get(metric.name)?.as_slice())))
    }
}
