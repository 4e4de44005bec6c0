//! What a training run shows, and its text for Prometheus.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// The text's type (OpenMetrics 1.0).
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A training run at one moment. What is `None` is not known, or not there in this run, and has no
/// line in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Training steps done; 0 until training begins.
    pub training_step: u64,
    /// The optimizer's present learning rate.
    pub learning_rate: Option<f64>,
    /// The risk that the predictor foretells, in `[0, 1]`.
    pub predicted_risk: Option<f64>,
    /// In a training the target risk less the predicted one, without its sign; in a drift the worker's
    /// recent error, the mean of the last gaps.
    pub actual_error: Option<f64>,
    /// 0 panic, 1 alert, 2 warning, 3 cruise.
    pub system_status: Option<u8>,
    /// The kernel's weight of the resonance.
    pub kernel_w_r: Option<f64>,
    /// The size of the kernel's perturbation.
    pub kernel_eps: Option<f64>,
    /// Mean return of the episodes that ended lately.
    pub episode_return_mean: Option<f64>,
    /// Training steps in a second, lately.
    pub steps_per_second: Option<f64>,
    /// Episodes that have ended.
    pub episodes: u64,
    /// Times that training went back to an earlier state.
    pub rollbacks: u64,
    /// Values met in training that were no finite number.
    pub nonfinite: u64,
}

/// The metrics in the OpenMetrics text format; none without a snapshot.
pub(super) fn text(snapshot: Option<&Snapshot>) -> String {
    let mut registry = Registry::with_prefix("prophet");
    if let Some(snapshot) = snapshot {
        snapshot.register(&mut registry);
    }
    let mut text = String::new();
    // A String takes all that is written.
    let _ = encode(&mut text, &registry);
    text
}

impl Snapshot {
    fn register(&self, registry: &mut Registry) {
        let gauges = [
            ("learning_rate", "Present learning rate", self.learning_rate),
            ("predicted_risk", "Predicted risk, 0 to 1", self.predicted_risk),
            (
                "actual_error",
                "Distance of the predicted risk from its target; in a drift the recent error",
                self.actual_error,
            ),
            ("system_status", "0 panic, 1 alert, 2 warning, 3 cruise", self.system_status.map(f64::from)),
            ("kernel_wR", "The kernel's weight of the resonance", self.kernel_w_r),
            ("kernel_eps", "Size of the kernel's perturbation", self.kernel_eps),
            ("episode_return_mean", "Mean return of the latest episodes", self.episode_return_mean),
            ("steps_per_second", "Training steps in a second, lately", self.steps_per_second),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                registry.register(name, help, ConstGauge::new(value));
            }
        }
        // The encoder adds `_total` to a counter's name.
        let counters = [
            ("training_step", "Training steps done", self.training_step),
            ("episodes", "Episodes that have ended", self.episodes),
            ("rollbacks", "Returns to an earlier state of the training", self.rollbacks),
            ("nonfinite", "Values that were no finite number", self.nonfinite),
        ];
        for (name, help, value) in counters {
            registry.register(name, help, ConstCounter::new(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Sample name -> value, after checking the form: for each metric HELP, TYPE and one sample.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        let lines = text.strip_suffix("# EOF\n").expect("ends with # EOF").lines().collect::<Vec<_>>();
        let mut samples = BTreeMap::new();
        for metric in lines.chunks(3) {
            let words = |line: usize| metric[line].split(' ').map(str::to_owned).collect::<Vec<_>>();
            let (help, kind, sample) = (words(0), words(1), words(2));
            assert_eq!(
                (&*help[0], &*help[1], &*kind[0], &*kind[1]),
                ("#", "HELP", "#", "TYPE"),
                "{metric:?}"
            );
            assert!(help.len() > 3 && metric[0].ends_with('.'), "{metric:?}");
            assert_eq!((&help[2], sample.len()), (&kind[2], 2), "{metric:?}");
            match kind[3].as_str() {
                "counter" => assert_eq!(sample[0], format!("{}_total", kind[2])),
                "gauge" => assert_eq!(sample[0], kind[2]),
                other => panic!("{other}"),
            }
            assert!(!kind[2].ends_with("_total"), "{metric:?}");
            let twice = samples.insert(sample[0].clone(), sample[1].parse().unwrap());
            assert_eq!(twice, None, "{} is there twice", sample[0]);
        }
        samples
    }

    #[test]
    fn every_metric_has_its_name_help_type_and_value() {
        let snapshot = Snapshot {
            training_step: u64::MAX,
            learning_rate: Some(1e-6),
            predicted_risk: Some(0.125),
            actual_error: Some(0.1),
            system_status: Some(3),
            kernel_w_r: Some(0.5),
            kernel_eps: Some(0.01),
            episode_return_mean: Some(-12.5),
            steps_per_second: Some(4e5),
            episodes: 7,
            rollbacks: 2,
            nonfinite: 1,
        };
        let expected = [
            ("prophet_learning_rate", 1e-6),
            ("prophet_predicted_risk", 0.125),
            ("prophet_actual_error", 0.1),
            ("prophet_training_step_total", u64::MAX as f64),
            ("prophet_system_status", 3.0),
            ("prophet_kernel_wR", 0.5),
            ("prophet_kernel_eps", 0.01),
            ("prophet_episode_return_mean", -12.5),
            ("prophet_steps_per_second", 4e5),
            ("prophet_episodes_total", 7.0),
            ("prophet_rollbacks_total", 2.0),
            ("prophet_nonfinite_total", 1.0),
        ];
        assert_eq!(
            parse(&text(Some(&snapshot))),
            expected.map(|(name, value)| (name.to_owned(), value)).into()
        );
        assert!(text(Some(&snapshot)).contains(&format!("_total {}\n", u64::MAX)));
    }

    #[test]
    fn what_is_not_known_has_no_line() {
        let samples = parse(&text(Some(&Snapshot::default())));
        assert!(samples.keys().all(|name| name.ends_with("_total")) && samples.len() == 4, "{samples:?}");
        assert_eq!(text(None), "# EOF\n");
    }

    #[test]
    fn a_number_that_diverged_is_shown_as_it_is() {
        let text = text(Some(&Snapshot { actual_error: Some(f64::NAN), ..Snapshot::default() }));
        assert!(text.contains("prophet_actual_error NaN\n"), "{text}");
    }
}
