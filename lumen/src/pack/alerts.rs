//! Alerts that fire, as an Alertmanager tells them.

use std::time::Duration;

use resonetics_runs::Error;
use serde::Deserialize;

use crate::http::agent;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const MOST_BYTES: u64 = 8 << 20;
/// The most alerts that are kept.
const MOST: usize = 100;

#[derive(Deserialize)]
struct Alert {
    labels: Labels,
}

#[derive(Deserialize)]
struct Labels {
    alertname: String,
    severity: Option<String>,
    run: Option<String>,
}

/// The alerts that fire at the Alertmanager `url` for the run of this name, or for no run, as `NAME (SEVERITY)`, sorted.
/// Their other labels may name machines, and are not kept.
///
/// # Errors
/// [`Error::Failed`] if it does not answer so.
pub(super) fn firing(url: &str, run: &str) -> Result<Vec<String>, Error> {
    let failed = |why: String| Error::Failed(format!("the Alertmanager did not say what fires: {why}"));
    let url =
        format!("{}/api/v2/alerts?active=true&silenced=false&inhibited=false", url.trim_end_matches('/'));
    let mut answer = agent(PATIENCE).get(&url).call().map_err(|error| failed(error.to_string()))?;
    let text = answer.body_mut().with_config().limit(MOST_BYTES).read_to_string();
    let text = text.map_err(|error| failed(error.to_string()))?;
    let alerts: Vec<Alert> = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let ours = alerts.into_iter().filter(|alert| alert.labels.run.as_deref().is_none_or(|of| of == run));
    let mut told: Vec<String> = ours
        .map(|alert| {
            let Labels { alertname, severity, run } = alert.labels;
            let severity = severity.unwrap_or_else(|| "no severity".to_owned());
            let of = if run.is_some() { "" } else { ", of no run" };
            let text = format!("{alertname} ({severity}{of})");
            text.chars().filter(|letter| !letter.is_control()).take(200).collect()
        })
        .collect();
    told.sort();
    told.dedup();
    told.truncate(MOST);
    Ok(told)
}
