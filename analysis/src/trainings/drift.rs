//! Did the network follow the target? The target of each quarter is another kind of wave (RULES section 3), so
//! a quarter's error is compared with the variance of its own target, which is the error of the best constant.

use serde_json::{Value, json};

use super::compared::Compared;
use super::training::Training;
use crate::read::log::{Column, TARGET};
use crate::report::{Cell, Table, capitalised, thousands};
use crate::stats::Interval;
use crate::stats::student::mean_interval_among;
use crate::stats::summary::mean;

const QUARTERS: [&str; 4] = ["first", "second", "third", "fourth"];

/// A quarter is followed if its squared error is below this share of the variance of its target.
const FOLLOWED: f64 = 0.5;

/// One quarter of a drift.
#[derive(Clone, Copy)]
struct Quarter {
    error: f64,
    variance: f64,
}

impl Quarter {
    fn share(self) -> f64 {
        self.error / self.variance
    }
}

/// The quarters of `drift` that were gone through until the step `until`; `None` for those that were not, and
/// where the file does not tell the target.
fn quarters(drift: &Training, until: f64) -> [Option<Quarter>; 4] {
    // The first step is 0.
    let steps = drift.planned.unwrap_or(drift.log.steps + 1.0);
    std::array::from_fn(|quarter| {
        let [from, to] = [quarter, quarter + 1].map(|quarter| steps * quarter as f64 / 4.0);
        let to = to.min(until + 1.0);
        let of = |name: &str| drift.log.column(name)?.curve.moments(from, to);
        let (error, target) = (of("gap_R")?, of("target")?);
        (target.variance > 1e-12).then_some(Quarter { error: error.mean, variance: target.variance })
    })
}

/// What `groups` did, and the same for a program.
pub(super) fn answers(groups: &[Compared<'_>]) -> (String, Vec<Value>) {
    // As of trainings, the intervals of several settings hold together.
    let among = groups.iter().filter(|group| group.runs().len() > 1).count();
    let one = groups.len() == 1;
    let (mut texts, mut found) = (Vec::new(), Vec::new());
    for group in groups {
        let shares = shares(group, among);
        let word = verdict(group, &shares);
        let text = answer(group, &shares, word, among);
        texts.push(if one { capitalised(&text) } else { format!("{}: {text}", group.name) });
        let quarters = shares.iter().map(|share| {
            json!({
                "quarter": QUARTERS[share.quarter],
                "error_by_variance": share.mean,
                "interval": share.interval.map(|ends| [ends.low, ends.high]),
            })
        });
        found.push(json!({
            "group": group.name,
            "seeds": group.runs().len(),
            "steps": group.until() + 1.0,
            "quarters": quarters.collect::<Vec<_>>(),
            "intervals_together": among,
            "verdict": word,
        }));
    }
    (texts.join(" "), found)
}

/// A quarter that all runs of a group went through: its error beside its variance.
struct Share {
    quarter: usize,
    mean: f64,
    interval: Option<Interval>,
}

impl Share {
    /// Whether it was followed; of several runs only if the interval says so.
    fn followed(&self, several: bool) -> Option<bool> {
        match self.interval {
            _ if !several => Some(self.mean < FOLLOWED),
            Some(interval) if interval.high < FOLLOWED => Some(true),
            Some(interval) if interval.low > FOLLOWED => Some(false),
            _ => None,
        }
    }
}

fn shares(group: &Compared<'_>, among: usize) -> Vec<Share> {
    let runs = group.runs();
    let all: Vec<[Option<Quarter>; 4]> = runs.iter().map(|run| quarters(run, group.until())).collect();
    let share = |quarter: usize| {
        let of_all: Vec<f64> = all.iter().filter_map(|run| run[quarter].map(Quarter::share)).collect();
        let mean = mean(&of_all).filter(|_| of_all.len() == runs.len())?;
        // No error is below 0.
        let interval = mean_interval_among(&of_all, among)
            .map(|ends| Interval { low: ends.low.max(0.0), high: ends.high });
        Some(Share { quarter, mean, interval })
    };
    (0..4).filter_map(share).collect()
}

fn verdict(group: &Compared<'_>, shares: &[Share]) -> Option<&'static str> {
    let several = group.runs().len() > 1;
    let followed: Option<Vec<bool>> = shares.iter().map(|share| share.followed(several)).collect();
    if shares.is_empty() {
        return None;
    }
    let Some(followed) = followed else { return Some("not shown") };
    Some(match followed.iter().filter(|followed| **followed).count() {
        0 => "no",
        4 => "yes",
        n if n == followed.len() => "yes, as far as it went",
        _ => "only in part",
    })
}

fn answer(group: &Compared<'_>, shares: &[Share], word: Option<&str>, among: usize) -> String {
    let worst = shares.iter().max_by(|a, b| a.mean.total_cmp(&b.mean));
    let Some((worst, word)) = worst.zip(word) else {
        return format!("that cannot be said: {}.", unknown(group));
    };
    let followed: Vec<&str> =
        shares.iter().filter(|share| share.mean < FOLLOWED).map(|share| QUARTERS[share.quarter]).collect();
    let quarters =
        format!("{} quarter{}", followed.join(" and "), if followed.len() == 1 { "" } else { "s" });
    let place = match followed.len() {
        0 => "no quarter".to_owned(),
        4 => "each quarter".to_owned(),
        n if n == shares.len() => format!("the {quarters}"),
        _ => format!("only the {quarters}"),
    };
    let (seeds, on_average) = match group.runs().len() {
        1 => (String::new(), ""),
        n => (format!(" over {n} seeds{}", group.choice()), ", on average"),
    };
    let together = if among > 1 { format!(" for {among} settings at once,") } else { String::new() };
    let interval = worst
        .interval
        .map_or_else(String::new, |Interval { low, high }| format!(" (95%{together} {low:.2} to {high:.2})"));
    format!(
        "{word}:{seeds} {place} had a squared error below half the variance of the quarter's target{on_average}; worst is the {} quarter, at {:.2} times the variance{interval}, where a constant has 1, in {} steps.",
        QUARTERS[worst.quarter],
        worst.mean,
        thousands(group.until() + 1.0)
    )
}

/// Why no quarter can be judged.
fn unknown(group: &Compared<'_>) -> &'static str {
    let lacks = |name: &str, of: fn(&Column) -> bool| {
        group.runs().iter().any(|run| run.log.column(name).is_none_or(of))
    };
    if lacks(TARGET, |_| false) {
        "the log does not contain the target, and an error without it says nothing"
    } else if lacks("gap_R", |column| column.first.is_none()) {
        "no error in the log is a number"
    } else if lacks(TARGET, |column| column.first.is_none()) {
        "no target in the log is a number"
    } else {
        "the log has too few rows to tell how the target varies"
    }
}

/// Error beside variance, quarter by quarter.
pub(super) fn table(groups: &[Compared<'_>]) -> Table {
    let mut table = Table::new(
        "Squared error compared with the variance of the target, which is the error of the best constant",
        &["run", "quarter", "squared error", "variance of the target", "error / variance"],
    );
    for run in groups.iter().flat_map(|group| &group.members) {
        for (name, quarter) in QUARTERS.into_iter().zip(quarters(run, run.log.steps)) {
            let number = |of: fn(Quarter) -> f64, digits| Cell::number(quarter.map(of), digits);
            table.rows.push(vec![
                Cell::text(&run.name),
                Cell::text(name),
                number(|quarter| quarter.error, 4),
                number(|quarter| quarter.variance, 4),
                number(Quarter::share, 2),
            ]);
        }
    }
    table
}
