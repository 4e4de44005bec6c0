//! Samples as text, in the two forms that Prometheus reads.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::samples::Samples;

/// A form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The classic one, which all tools read.
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Form {
    /// What is asked for by an `Accept` header: `OpenMetrics` where it is named.
    pub(super) fn accepted(accept: &str) -> Form {
        let mut named = accept.split(',').map(|form| form.split(';').next().unwrap_or_default().trim());
        let open = named.any(|form| form.eq_ignore_ascii_case("application/openmetrics-text"));
        if open { Form::OpenMetrics } else { Form::Classic }
    }

    /// Its `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Form::Classic => prometheus_text::CONTENT_TYPE,
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The text of `samples`.
pub(super) fn encoded(samples: Samples, form: Form) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(samples));
    let mut text = String::new();
    // A String takes all that is written.
    let _ = match form {
        Form::Classic => prometheus_text::encode(&mut text, &registry),
        Form::OpenMetrics => text::encode(&mut text, &registry),
    };
    text
}

impl Collector for Samples {
    /// As a collector we give the help ourselves: what is registered gets a full stop at its end.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (metric, samples) in self.iter() {
            // The encoder adds `_total` to a counter's name.
            let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
            let kind = if metric.is_counter() { MetricType::Counter } else { MetricType::Gauge };
            let mut family = encoder.encode_descriptor(name, metric.help, None, kind)?;
            for (values, value) in samples {
                let labels: Vec<(&str, &str)> =
                    metric.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
                let mut sample = family.encode_family(&labels)?;
                if metric.is_counter() {
                    sample.encode_counter::<NoLabelSet, u64, f64>(&(*value as u64), None)?;
                } else {
                    sample.encode_gauge(value)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_what_is_asked_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Form::accepted(prometheus), Form::OpenMetrics);
        assert_eq!(Form::accepted("text/plain, Application/OpenMetrics-Text"), Form::OpenMetrics);
        for classic in ["", "*/*", "text/plain;version=0.0.4", "application/json"] {
            assert_eq!(Form::accepted(classic), Form::Classic, "{classic}");
        }
    }

    #[test]
    fn labels_are_escaped_and_help_ends_as_it_is() {
        let mut samples = Samples::default();
        samples.add("rmb_events_total", &["a\"b\\c\nd"], Some(3.0));
        samples.add("rmb_events_total", &["a\"b\\c\nd"], Some(4.0));
        samples.add("lumen_phase_diff", &["x"], Some(f64::NAN));
        samples.add("lumen_risk_band", &["x"], Some(0.25));
        samples.add("lumen_entropy_rate", &["x"], None);
        let risk = "# HELP lumen_risk_band Mean risk in the last window, 0 to 1\n# TYPE lumen_risk_band gauge\nlumen_risk_band{run=\"x\"} 0.25\n";
        let help = "Events of the run that ever came, also those that were cut back since";
        let sample = "rmb_events_total{run=\"a\\\"b\\\\c\\nd\"} 3\n";
        assert_eq!(
            encoded(samples.clone(), Form::Classic),
            format!("# HELP rmb_events_total {help}\n# TYPE rmb_events_total counter\n{sample}{risk}")
        );
        assert_eq!(
            encoded(samples, Form::OpenMetrics),
            format!("# HELP rmb_events {help}\n# TYPE rmb_events counter\n{sample}{risk}# EOF\n")
        );
        assert_eq!(encoded(Samples::default(), Form::OpenMetrics), "# EOF\n");
    }
}
