//! How groups of trainings end beside a baseline.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::answer::{Last, digits, last, rounded};
use super::compared::Compared;
use super::shown::Shown;
use crate::report::{Cell, Table, thousands};
use crate::stats::Interval;
use crate::stats::student::{mean_interval_among, welch_interval_among};
use crate::stats::summary::mean;

/// The groups of one world beside the baseline.
pub(super) struct Beside<'a> {
    baseline: &'a Compared<'a>,
    comparisons: Vec<Comparison<'a>>,
    /// How many intervals hold together in 95% of cases.
    among: usize,
}

/// One group beside the baseline.
struct Comparison<'a> {
    group: &'a Compared<'a>,
    /// `None`: the two have no measure in common.
    ends: Option<(Last, Last)>,
    /// Values of the group and of the baseline with the same seed; `None` where the seeds are not the same.
    pairs: Option<Vec<(f64, f64)>>,
    difference: Option<f64>,
    interval: Option<Interval>,
}

impl<'a> Beside<'a> {
    /// `None` if no group and no run of one is called `name`.
    pub(super) fn of(shown: &Shown, groups: &'a [Compared<'a>], name: &str) -> Option<Beside<'a>> {
        let has_run = |group: &&Compared<'_>| group.is_of(name);
        let baseline =
            groups.iter().find(|group| group.name == name).or_else(|| groups.iter().find(has_run))?;
        let others = groups.iter().filter(|group| !std::ptr::eq(*group, baseline));
        let mut comparisons: Vec<_> = others.map(|group| compared(shown, group, baseline)).collect();
        let among = comparisons.iter().filter(|comparison| comparison.interval(1).is_some()).count();
        for comparison in &mut comparisons {
            comparison.interval = comparison.interval(among);
        }
        Some(Beside { baseline, comparisons, among })
    }

    pub(super) fn sentences(&self) -> Vec<String> {
        if self.comparisons.is_empty() {
            return vec![format!(
                "There is nothing to compare with {}: all trainings are of its group.",
                self.baseline.name
            )];
        }
        self.comparisons.iter().map(|comparison| self.sentence(comparison)).collect()
    }

    fn sentence(&self, comparison: &Comparison<'_>) -> String {
        let (name, base) = (comparison.group.name, self.baseline.name);
        let verdict = comparison.verdict();
        let Some(((ends, _), difference)) = comparison.ends.as_ref().zip(comparison.difference) else {
            return format!(
                "{name} compared with {base}: that cannot be said: no return was measured to the end in both."
            );
        };
        let places = digits(Some(difference), comparison.interval);
        let by = if difference < 0.0 { "below" } else { "above" };
        let size = rounded(difference.abs(), places);
        let (mine, theirs) = (comparison.group.until(), self.baseline.until());
        let steps = if mine == theirs {
            format!("after {} steps", thousands(mine))
        } else {
            format!("after {} steps, the baseline after {},", thousands(mine), thousands(theirs))
        };
        let together =
            if self.among > 1 { format!(" for {} comparisons at once,", self.among) } else { String::new() };
        let interval = comparison.interval.map_or_else(String::new, |Interval { low, high }| {
            format!(" (95%{together} {low:+.places$} to {high:+.places$})")
        });
        let measure = measure(ends);
        let answer = match verdict {
            MORE | LESS | HIGHER | LOWER => format!("{name} {verdict} {base}"),
            _ => format!("{name} compared with {base}: {verdict}"),
        };
        format!(
            "{answer}: {steps} {measure} is {size} {by} it on average{interval}, over {}.",
            comparison.over(self.baseline)
        )
    }

    pub(super) fn table(&self) -> Table {
        let caption = format!(
            "Compared with the baseline {}: the return at the end, with 95% intervals by Student's t{}",
            self.baseline.name,
            if self.among > 1 {
                format!(" that hold for {} comparisons at once", self.among)
            } else {
                String::new()
            }
        );
        let columns = ["group", "measure", "seeds", "baseline's seeds", "pairs", "mean", "baseline's mean"];
        let rest = ["difference", "low", "high", "answer"];
        let mut table = Table::new(caption, &columns.into_iter().chain(rest).collect::<Vec<_>>());
        for comparison in &self.comparisons {
            let means =
                comparison.ends.as_ref().map(|(mine, theirs)| (mean(&mine.values), mean(&theirs.values)));
            table.rows.push(vec![
                Cell::text(comparison.group.name),
                Cell::text(comparison.ends.as_ref().map_or("", |(mine, _)| measure(mine))),
                Cell::count(comparison.group.runs().len() as u64),
                Cell::count(self.baseline.runs().len() as u64),
                Cell::count(comparison.pairs.as_ref().map_or(0, Vec::len) as u64),
                Cell::number(means.and_then(|means| means.0), 3),
                Cell::number(means.and_then(|means| means.1), 3),
                Cell::number(comparison.difference, 3),
                Cell::number(comparison.interval.map(|ends| ends.low), 3),
                Cell::number(comparison.interval.map(|ends| ends.high), 3),
                Cell::text(comparison.verdict()),
            ]);
        }
        table
    }

    pub(super) fn found(&self) -> Value {
        let of = |comparison: &Comparison<'_>| {
            json!({
                "group": comparison.group.name,
                "measure": comparison.ends.as_ref().map(|(mine, _)| measure(mine)),
                "seeds": comparison.group.runs().len(),
                "baseline_seeds": self.baseline.runs().len(),
                "pairs": comparison.pairs.as_ref().map(Vec::len),
                "difference": comparison.difference,
                "interval": comparison.interval.map(|ends| [ends.low, ends.high]),
                "intervals_together": self.among,
                "verdict": comparison.verdict(),
            })
        };
        json!({
            "baseline": self.baseline.name,
            "groups": self.comparisons.iter().map(of).collect::<Vec<_>>(),
        })
    }
}

const MORE: &str = "learns more than";
const LESS: &str = "learns less than";
/// Where the one that ends higher began higher, too, or could learn nothing.
const HIGHER: &str = "ends higher than";
const LOWER: &str = "ends lower than";

impl Comparison<'_> {
    fn interval(&self, among: usize) -> Option<Interval> {
        let (mine, theirs) = self.ends.as_ref()?;
        match &self.pairs {
            Some(pairs) => {
                let differences: Vec<f64> = pairs.iter().map(|(mine, theirs)| mine - theirs).collect();
                mean_interval_among(&differences, among)
            }
            None => welch_interval_among(&mine.values, &theirs.values, among),
        }
    }

    fn verdict(&self) -> &'static str {
        let Some((mine, theirs)) = &self.ends else { return "not measured alike" };
        match self.interval {
            Some(interval) if interval.low > 0.0 => {
                if learned_more(mine, theirs) {
                    MORE
                } else {
                    HIGHER
                }
            }
            Some(interval) if interval.high < 0.0 => {
                if learned_more(theirs, mine) {
                    LESS
                } else {
                    LOWER
                }
            }
            Some(_) => "no difference is shown",
            None => "too few seeds to say",
        }
    }

    /// How many values it rests on.
    fn over(&self, baseline: &Compared<'_>) -> String {
        let seeds = |count: usize| if count == 1 { "1 seed".to_owned() } else { format!("{count} seeds") };
        match &self.pairs {
            Some(pairs) if pairs.len() == 1 => "1 pair with the same seed".to_owned(),
            Some(pairs) => format!("{} pairs with the same seed", pairs.len()),
            None => {
                let (mine, theirs) = (self.group.runs().len(), baseline.runs().len());
                format!("{} and the baseline's {}, which are not the same", seeds(mine), seeds(theirs))
            }
        }
    }
}

/// A higher return at the end is learned if it rose, and by more than the other's.
fn learned_more(higher: &Last, lower: &Last) -> bool {
    higher.gain.is_some_and(|gain| gain > 0.0 && gain > lower.gain.unwrap_or(0.0))
}

fn measure(ends: &Last) -> &'static str {
    if ends.sampled { "the mean return with sampled actions" } else { "the mean return of training episodes" }
}

fn compared<'a>(shown: &Shown, group: &'a Compared<'a>, baseline: &Compared<'_>) -> Comparison<'a> {
    let both = |of_episodes| last(shown, group, of_episodes).zip(last(shown, baseline, of_episodes));
    // A return with sampled actions is compared with its like alone.
    let ends = both(false).filter(|(mine, theirs)| mine.sampled == theirs.sampled).or_else(|| both(true));
    let pairs = ends.as_ref().and_then(|(mine, theirs)| paired((group, mine), (baseline, theirs)));
    let difference =
        ends.as_ref().and_then(|(mine, theirs)| Some(mean(&mine.values)? - mean(&theirs.values)?));
    Comparison { group, ends, pairs, difference, interval: None }
}

/// The values of both by seed, if the seeds of both are known and the same.
fn paired(mine: (&Compared<'_>, &Last), theirs: (&Compared<'_>, &Last)) -> Option<Vec<(f64, f64)>> {
    let by_seed = |(group, ends): (&Compared<'_>, &Last)| -> Option<HashMap<String, f64>> {
        let seeds = group.runs().iter().map(|run| run.seed.clone());
        seeds.zip(&ends.values).map(|(seed, &value)| Some((seed?, value))).collect()
    };
    let (others, runs) = (by_seed(theirs)?, mine.0.runs());
    if others.len() != runs.len() {
        return None;
    }
    let pair = |(run, &value): (&&super::Training, &f64)| Some((value, *others.get(run.seed.as_ref()?)?));
    runs.iter().zip(&mine.1.values).map(pair).collect()
}
