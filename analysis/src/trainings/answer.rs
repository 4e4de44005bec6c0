//! What a training did, in a sentence.

use super::{Shown, Training};
use crate::read::log::Column;
use crate::report::capitalised;
use crate::stats::Interval;
use crate::stats::student::mean_interval_among;
use crate::stats::summary::mean;

/// Settings of which the answer speaks; the table has all.
const SAID: usize = 4;

/// Where the runs of one group began and where they ended, by the measure that counts.
struct Ends<'a> {
    group: &'a str,
    runs: usize,
    steps: f64,
    /// Means over the runs of their begin and end; `None`: some run was not measured at two steps.
    means: Option<(f64, f64)>,
    /// 95% interval of the mean difference, each run with itself; `None` for one run, or a few that differ alike.
    difference: Option<Interval>,
    /// How many groups have such an interval: 95% is that all of them hold.
    among: usize,
    /// Of one run: its last return with greedy actions, and the step and value of its highest.
    greedy: Option<(f64, (f64, f64))>,
}

/// What `groups` did: only several seeds say yes or no, one run alone says what happened.
pub(super) fn answers(shown: &Shown, groups: &[(&str, Vec<&Training>)]) -> String {
    // Of many settings one would seem to learn by chance: their intervals hold together.
    let several = groups.iter().filter(|(_, members)| members.len() > 1).count();
    let mut all: Vec<Ends<'_>> =
        groups.iter().map(|(group, members)| ends(shown, group, members, several)).collect();
    let mut texts = Vec::new();
    if all.len() > SAID {
        let sign = if shown.less { 1.0 } else { -1.0 };
        let last = |ends: &Ends<'_>| ends.means.map_or(f64::INFINITY, |(_, last)| sign * last);
        all.sort_by(|a, b| last(a).total_cmp(&last(b)));
        texts.push(format!("Of {} settings those that end best:", all.len()));
    }
    texts.extend(all.iter().take(SAID).map(|ends| answer(shown, ends, groups.len() > 1)));
    let text = texts.join(" ");
    // The name of a run stays as it is.
    if groups.len() > 1 { text } else { capitalised(&text) }
}

fn ends<'a>(shown: &Shown, group: &'a str, members: &[&Training], among: usize) -> Ends<'a> {
    let column = |member: &&Training| member.log.column(shown.measures[0].column).cloned();
    let columns: Vec<Column> = members.iter().filter_map(column).collect();
    let of = if shown.less { quarters } else { first_and_last };
    let both: Vec<(f64, f64)> = columns.iter().filter_map(of).collect();
    let complete = both.len() == members.len();
    let differences: Vec<f64> = both.iter().map(|(first, last)| last - first).collect();
    let of_all = |pick: fn(&(f64, f64)) -> f64| mean(&both.iter().map(pick).collect::<Vec<_>>());
    let greedy = members[0].log.column("greedy_return").filter(|_| members.len() == 1);
    Ends {
        group,
        runs: members.len(),
        steps: members.iter().map(|member| member.log.steps).fold(0.0, f64::max),
        means: of_all(|ends| ends.0).zip(of_all(|ends| ends.1)).filter(|_| complete),
        difference: mean_interval_among(&differences, among).filter(|_| complete),
        among,
        greedy: greedy.and_then(|column| Some((column.last?.1, column.highest?))),
    }
}

/// What is measured at two steps at least.
fn first_and_last(column: &Column) -> Option<(f64, f64)> {
    let (first, last) = (column.first?, column.last?);
    (first.0 < last.0).then_some((first.1, last.1))
}

/// The means of the first and of the last quarter: a target that moves makes single values jump.
fn quarters(column: &Column) -> Option<(f64, f64)> {
    let (from, to) = (column.first?.0, column.last?.0);
    let of = |range: std::ops::RangeInclusive<f64>| {
        let points = column.curve.points();
        let inside = points.iter().filter(|(x, y)| range.contains(x) && y.is_finite());
        mean(&inside.map(|point| point.1).collect::<Vec<_>>())
    };
    let quarter = (to - from) / 4.0;
    (from < to).then(|| of(from..=from + quarter).zip(of(to - quarter..=to)))?
}

fn answer(shown: &Shown, ends: &Ends<'_>, name_it: bool) -> String {
    let Ends { group, runs, steps, .. } = ends;
    let place = if name_it { format!("{group}: ") } else { String::new() };
    let measure = if shown.less { "the squared error" } else { "the mean return of 100 episodes" };
    let Some((first, last)) = ends.means else {
        return format!("{place}that cannot be said: in {steps:.0} steps {measure} was not measured twice.");
    };
    let (from, to) = if shown.less {
        (format!("{first:.4} in the first quarter"), format!("{last:.4} in the last"))
    } else {
        (format!("{first:.2}"), format!("{last:.2}"))
    };
    let went = if last > first {
        format!("rose from {from} to {to}")
    } else if last < first {
        format!("fell from {from} to {to}")
    } else {
        format!("stayed at {from}")
    };
    if let Some(Interval { low, high }) = ends.difference {
        let (up, down) = (low > 0.0, high < 0.0);
        let (better, worse) = if shown.less { (down, up) } else { (up, down) };
        let word = match (better, worse) {
            (true, _) => "yes",
            (_, true) => "no",
            _ => "not shown",
        };
        let digits = if shown.less { 4 } else { 2 };
        let together =
            if ends.among > 1 { format!(" for {} settings at once,", ends.among) } else { String::new() };
        return format!(
            "{place}{word}: over {runs} seeds {measure} {went} on average, by {:+.digits$} (95%{together} {low:+.digits$} to {high:+.digits$}), in {steps:.0} steps.",
            last - first
        );
    }
    if *runs > 1 {
        return format!(
            "{place}not shown: over {runs} seeds {measure} {went} on average, for each of them alike, which says nothing of how seeds differ, in {steps:.0} steps."
        );
    }
    let greedy = ends.greedy.map_or_else(String::new, |(last, (at, best))| {
        format!("; with greedy actions it was {last:.2} at the end and {best:.2} at best, at step {at:.0}")
    });
    format!("{place}{measure} {went} in {steps:.0} steps{greedy}.")
}
