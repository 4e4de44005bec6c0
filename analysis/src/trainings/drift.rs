//! Did the network follow the target? The target of each quarter is another kind of wave (RULES section 3), so
//! a quarter's error is compared with the variance of its own target, which is the error of the best constant.

use super::{Compared, Training};
use crate::report::{Cell, Table, capitalised, thousands};
use crate::stats::Interval;
use crate::stats::student::mean_interval;
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

/// The quarters of `drift` that were gone through; `None` for those that were not, and where the file does
/// not tell the target.
fn quarters(drift: &Training) -> [Option<Quarter>; 4] {
    // The first step is 0.
    let steps = drift.planned.unwrap_or(drift.log.steps + 1.0);
    std::array::from_fn(|quarter| {
        let [from, to] = [quarter, quarter + 1].map(|quarter| steps * quarter as f64 / 4.0);
        let of = |name: &str| drift.log.column(name)?.curve.moments(from, to);
        let (error, target) = (of("gap_R")?, of("target")?);
        (target.variance > 1e-12).then_some(Quarter { error: error.mean, variance: target.variance })
    })
}

pub(super) fn answers(groups: &[Compared<'_>]) -> String {
    let one = groups.len() == 1;
    let texts: Vec<String> = groups
        .iter()
        .map(|group| {
            let text = answer(group);
            if one { capitalised(&text) } else { format!("{}: {text}", group.name) }
        })
        .collect();
    texts.join(" ")
}

fn answer(group: &Compared<'_>) -> String {
    let runs = group.runs();
    let all: Vec<[Option<Quarter>; 4]> = runs.iter().map(|run| quarters(run)).collect();
    let mut shares: Vec<(usize, Vec<f64>, f64)> = Vec::new();
    for quarter in 0..4 {
        let of_all: Vec<f64> = all.iter().filter_map(|run| run[quarter].map(Quarter::share)).collect();
        if let Some(mean) = mean(&of_all).filter(|_| of_all.len() == runs.len()) {
            shares.push((quarter, of_all, mean));
        }
    }
    let Some((worst, of_worst, at_worst)) = shares.iter().max_by(|a, b| a.2.total_cmp(&b.2)) else {
        return "that cannot be said: the log does not tell the target, and an error alone says nothing."
            .to_owned();
    };
    let followed: Vec<&str> =
        shares.iter().filter(|share| share.2 < FOLLOWED).map(|share| QUARTERS[share.0]).collect();
    let known = shares.len();
    let quarters = |names: &[&str]| {
        format!("{} quarter{}", names.join(" and "), if names.len() == 1 { "" } else { "s" })
    };
    let (word, place) = match followed.len() {
        0 => ("no", "in no quarter".to_owned()),
        4 => ("yes", "in each quarter".to_owned()),
        n if n == known => ("yes, as far as it went", format!("in the {}", quarters(&followed))),
        _ => ("only in part", format!("in the {} alone", quarters(&followed))),
    };
    let seeds = match runs.len() {
        1 => String::new(),
        n => format!(" over {n} seeds{}", group.choice()),
    };
    let interval = mean_interval(of_worst);
    let interval =
        interval.map_or_else(String::new, |Interval { low, high }| format!(" (95% {low:.2} to {high:.2})"));
    format!(
        "{word}:{seeds} {place} was the squared error below half the variance of that quarter's target; worst is the {} quarter, with {at_worst:.2} times the variance{interval}, where a constant has 1, in {} steps.",
        QUARTERS[*worst],
        thousands(group.until() + 1.0)
    )
}

/// Error beside variance, quarter by quarter.
pub(super) fn table(groups: &[Compared<'_>]) -> Table {
    let mut table = Table::new(
        "Squared error beside the variance of the target, which is the error of the best constant",
        &["run", "quarter", "squared error", "variance of the target", "error / variance"],
    );
    for run in groups.iter().flat_map(|group| &group.members) {
        for (name, quarter) in QUARTERS.into_iter().zip(quarters(run)) {
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
