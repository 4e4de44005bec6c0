//! What comes of the lives: the files that sum up.

use std::fmt::Write as _;
use std::path::Path;

use resonetics_analysis::chart::Size;
use resonetics_analysis::limits::{Shown, World, chart, part};
use resonetics_analysis::read::doses::Doses;
use resonetics_analysis::stats::dose::{DoseCurve, Estimate, Limits, Method, limits};
use resonetics_envs::stream::lane_seed;
use serde_json::{Value, json};

use super::{Life, Response};
use crate::error::Error;
use crate::files::write_atomic;
use crate::inputs::trained::agent_identity;
use crate::plan::Limit;
use crate::trained::{PROPHET, TrainedAgents};

/// Columns of `doses.csv` and `limits.csv`, before those of [`TrainedAgents::columns`].
const DOSES: [&str; 5] = ["agent", "dose", "episodes", "survived", "mean_life"];
const LIMITS: [&str; 5] = ["agent", "limit", "low", "high", "method"];

/// What is known of one agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its name.
    pub agent: String,
    /// Who survived at which dose.
    pub curve: DoseCurve,
    /// Its limit.
    pub limits: Limits,
}

impl Found {
    /// The limit by one method.
    pub fn estimate(&self, method: Method) -> Estimate {
        match method {
            Method::SpearmanKarber => self.limits.spearman_karber,
            Method::Logistic => self.limits.logistic,
        }
    }
}

/// The limits of those that were played.
pub fn found(responses: &[Response]) -> Vec<Found> {
    let of = |response: &Response| {
        let curve = response.curve()?;
        Some(Found { agent: response.agent.clone(), limits: limits(&curve), curve })
    };
    responses.iter().filter_map(of).collect()
}

/// Writes `doses.csv`, `limits.csv`, `limits.json` and the figure `limit-ENV.svg` into `dir`, in place of those that a run
/// left that was stopped.
///
/// # Errors
/// Any I/O error, naming the file, and that the figure cannot be drawn.
pub fn write(plan: &Limit, responses: &[Response], found: &[Found], dir: &Path) -> Result<(), Error> {
    let rows = responses.iter().flat_map(|response| {
        response.doses.iter().map(|(dose, lives)| {
            [
                response.agent.clone(),
                dose.to_string(),
                lives.len().to_string(),
                lives.iter().filter(|life| life.survived).count().to_string(),
                format!("{:.6}", mean_life(lives)),
            ]
        })
    });
    write_atomic(&dir.join("doses.csv"), &table(DOSES, rows, &plan.checkpoints)?)?;
    let rows = found.iter().flat_map(|found| {
        Method::ALL.map(|method| {
            let Estimate { limit, low, high } = found.estimate(method);
            [found.agent.clone(), six(limit), six(low), six(high), method.name().to_owned()]
        })
    });
    write_atomic(&dir.join("limits.csv"), &table(LIMITS, rows, &plan.checkpoints)?)?;
    let json = format!("{}\n", summary(plan, responses, found));
    write_atomic(&dir.join("limits.json"), json.as_bytes())?;
    let shown: Vec<Shown<'_>> = found
        .iter()
        .map(|found| Shown { name: &found.agent, curve: &found.curve, limits: &found.limits })
        .collect();
    if shown.is_empty() {
        return Ok(());
    }
    let title = format!("{}: share that lives {} {}", plan.env.name, plan.life, plan.steps());
    let svg = chart(&title, &plan.dose, &shown, Size::Wide)?;
    write_atomic(&dir.join(format!("limit-{}.svg", plan.env.name)), svg.as_bytes())
}

/// Which agent carries the most, in words: as a report says it.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn answer(plan: &Limit, responses: &[Response]) -> Result<String, Error> {
    let agent = |response: &Response| {
        let curve = response.curve()?;
        let episodes = curve.episodes();
        let (whole, part): (Vec<_>, Vec<_>) =
            response.doses.iter().partition(|(_, lives)| lives.len() == episodes);
        Some(Doses {
            agent: response.agent.clone(),
            // Trainings that differ in the seed alone are one agent.
            training: response.agent.strip_prefix(PROPHET).and_then(agent_identity),
            recipe: None,
            seeds: (0..episodes as u64).map(|i| lane_seed(plan.seed, i)).collect(),
            mean_life: whole.iter().map(|(_, lives)| mean_life(lives)).collect(),
            unfinished: part.iter().map(|(dose, _)| *dose).collect(),
            episodes: response.doses.iter().map(|(_, lives)| lives.len() as u64).sum(),
            curve,
        })
    };
    let agents = responses.iter().filter_map(agent).collect();
    let (name, dose, life) = (plan.env.name.clone(), Some(plan.dose.clone()), Some(plan.life.into()));
    let part = part(&[World { name, dose, life, agents }], &|| true)?;
    Ok(format!("{} {}", part.question, part.answer))
}

fn mean_life(lives: &[Life]) -> f64 {
    lives.iter().map(|life| f64::from(life.steps)).sum::<f64>() / lives.len() as f64
}

/// A number in six digits, whatever its size; empty where there is none.
fn six(number: Option<f64>) -> String {
    let rounded = |number: f64| format!("{number:.5e}").parse().unwrap_or(number);
    number.map_or_else(String::new, |number| rounded(number).to_string())
}

/// Rows that begin with the name of an agent, with how it came about behind them where one was trained.
fn table<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    trained: &TrainedAgents,
) -> Result<Vec<u8>, Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let fail = |error: String| Error::Failed(format!("cannot write a table: {error}"));
    csv.write_record(header.iter().chain(trained.columns())).map_err(|error| fail(error.to_string()))?;
    for row in rows {
        let cells = trained.cells(&row[0]);
        csv.write_record(row.iter().chain(&cells)).map_err(|error| fail(error.to_string()))?;
    }
    csv.into_inner().map_err(|error| fail(error.to_string()))
}

fn summary(plan: &Limit, responses: &[Response], found: &[Found]) -> Value {
    let agent = |found: &Found| {
        let episodes = found.curve.episodes();
        let share: Vec<f64> =
            found.curve.survived().iter().map(|&alive| alive as f64 / episodes as f64).collect();
        let lives = responses.iter().find(|response| response.agent == found.agent);
        let whole =
            lives.iter().flat_map(|response| &response.doses).filter(|(_, lives)| lives.len() == episodes);
        json!({
            "agent": found.agent,
            "checkpoint": plan.checkpoints.checkpoint(&found.agent),
            "monotone": found.limits.monotone,
            "doses": found.curve.doses(),
            "share_alive": share,
            "mean_life": whole.map(|(_, lives)| mean_life(lives)).collect::<Vec<f64>>(),
            "spearman_karber": found.limits.spearman_karber,
            "logistic": found.limits.logistic,
        })
    };
    json!({
        "env": plan.env.name,
        "dose": plan.dose,
        "life": plan.life,
        "episodes": plan.episodes,
        "seed": plan.seed,
        "agents": found.iter().map(agent).collect::<Vec<Value>>(),
    })
}

/// What an estimate says, in words, without its dose.
pub(super) fn words(estimate: Estimate) -> String {
    let Estimate { limit, low, high } = estimate;
    let mut text = match (limit, low, high) {
        (Some(limit), ..) => six(Some(limit)),
        (None, Some(low), None) => format!("above {}", six(Some(low))),
        (None, None, Some(high)) => format!("below {}", six(Some(high))),
        (None, Some(low), Some(high)) => format!("between {} and {}", six(Some(low)), six(Some(high))),
        (None, None, None) => "unknown".to_owned(),
    };
    if limit.is_some() {
        let _ = match (low, high) {
            (Some(low), Some(high)) => write!(text, " (95% {} to {})", six(Some(low)), six(Some(high))),
            (Some(low), None) => write!(text, " (95% from {})", six(Some(low))),
            (None, Some(high)) => write!(text, " (95% up to {})", six(Some(high))),
            (None, None) => Ok(()),
        };
    }
    text
}

impl Found {
    /// What is known, in a line for the user.
    pub fn line(&self, dose: &str) -> String {
        let [karber, logistic] = Method::ALL.map(|method| words(self.estimate(method)));
        let (doses, survived) = (self.curve.doses(), self.curve.survived());
        let all = self.curve.episodes() as u64;
        let carried = survived.iter().take_while(|&&alive| alive == all).count();
        let lost = survived.iter().rposition(|&alive| alive > 0).map_or(0, |last| last + 1);
        let mut line = format!("{} | {dose} limit {karber} | logistic {logistic}", self.agent);
        if carried > 0 {
            let _ = write!(line, " | all live up to {}", doses[carried - 1]);
        }
        if let Some(dose) = doses.get(lost) {
            let _ = write!(line, " | all are lost from {dose}");
        }
        if !self.limits.monotone {
            line += " | not monotone: at some dose more live than at a lower one, and one limit does not say it all";
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_as_bounds() {
        let estimate = |limit, low, high| words(Estimate { limit, low, high });
        assert_eq!(
            estimate(Some(0.025_912_345), Some(0.0258), Some(0.026)),
            "0.0259123 (95% 0.0258 to 0.026)"
        );
        assert_eq!(estimate(Some(0.5), None, None), "0.5");
        assert_eq!(estimate(None, Some(0.04), None), "above 0.04");
        assert_eq!(estimate(None, None, Some(0.04)), "below 0.04");
        assert_eq!(estimate(None, Some(0.02), Some(0.04)), "between 0.02 and 0.04");
    }
}
