//! What a training did, in a sentence.

use super::{Compared, Shown, Training, value_at};
use crate::read::log::{Column, SAMPLED};
use crate::report::{capitalised, thousands};
use crate::stats::Interval;
use crate::stats::student::mean_interval_among;
use crate::stats::summary::mean;

/// Settings of which the answer speaks; the table has all.
const SAID: usize = 4;

/// Where the runs of one group began and where they ended, by the measure that counts.
struct Ends<'a> {
    group: &'a Compared<'a>,
    runs: usize,
    steps: f64,
    /// What was measured.
    measure: String,
    /// Means over the runs of their begin and end; `None`: some run was not measured at two steps.
    means: Option<(f64, f64)>,
    /// The step at which the last of the runs begins.
    since: f64,
    /// Whether the means that there were are of the episodes that ended first, which says nothing.
    biased: bool,
    /// 95% interval of the mean difference, each run with itself; `None` for one run, or a few that differ alike.
    difference: Option<Interval>,
    /// How many groups have such an interval: 95% is that all of them hold.
    among: usize,
    /// Of one run: the step and value of its last return with greedy actions, and of its highest.
    greedy: Option<((f64, f64), (f64, f64))>,
}

/// What `groups` did: only several seeds say yes or no, one run alone says what happened.
pub(super) fn answers(shown: &Shown, groups: &[Compared<'_>]) -> String {
    // Of many settings one would seem to learn by chance: their intervals hold together.
    let several = groups.iter().filter(|group| group.runs().len() > 1).count();
    let mut all: Vec<Ends<'_>> = groups.iter().map(|group| ends(shown, group, several)).collect();
    let mut texts = Vec::new();
    if all.len() > SAID {
        let last = |ends: &Ends<'_>| ends.means.map_or(f64::INFINITY, |(_, last)| -last);
        all.sort_by(|a, b| last(a).total_cmp(&last(b)));
        texts.push(format!("Of {} settings those that end best:", all.len()));
    }
    texts.extend(all.iter().take(SAID).map(|ends| answer(ends, groups.len() > 1)));
    let text = texts.join(" ");
    // The name of a run stays as it is.
    if groups.len() > 1 { text } else { capitalised(&text) }
}

fn ends<'a>(shown: &Shown, group: &'a Compared<'a>, among: usize) -> Ends<'a> {
    let (members, until) = (group.runs(), group.until());
    let measured = |name: &'static str| -> Vec<Measured> {
        let of = |member: &&Training| first_and_last(member.log.column(name)?, until);
        members.iter().filter_map(of).collect()
    };
    let sampled = measured(SAMPLED);
    let of_episodes = sampled.len() < members.len();
    let both = if of_episodes { measured(shown.measures[0].column) } else { sampled };
    let moved_on = !of_episodes || members.iter().all(|member| member.log.moved_on());
    let complete = both.len() == members.len() && moved_on;
    let differences: Vec<f64> = both.iter().map(|ends| ends.last - ends.first).collect();
    let of_all = |pick: fn(&Measured) -> f64| mean(&both.iter().map(pick).collect::<Vec<_>>());
    let greedy = members[0].log.column("greedy_return").filter(|_| members.len() == 1);
    Ends {
        group,
        runs: members.len(),
        // What is measured now and then may end before the log does.
        steps: both.iter().map(|ends| ends.to).reduce(f64::max).unwrap_or(until),
        measure: if of_episodes {
            of_how_many(members)
        } else {
            "the mean return with sampled actions".to_owned()
        },
        means: of_all(|ends| ends.first).zip(of_all(|ends| ends.last)).filter(|_| complete),
        since: both.iter().map(|ends| ends.from).fold(0.0, f64::max),
        biased: of_episodes && (!moved_on || members.iter().any(|member| member.log.biased > 0)),
        difference: mean_interval_among(&differences, among).filter(|_| complete),
        among,
        greedy: greedy.and_then(|column| Some((column.last?, column.highest?))),
    }
}

/// What a mean return is of: 100 episodes, or as many as had ended.
fn of_how_many(members: &[&Training]) -> String {
    let counts =
        || members.iter().filter_map(|member| member.log.behind()).flat_map(|(first, last)| [first, last]);
    let (least, most) = (counts().fold(100.0, f64::min), counts().fold(0.0, f64::max));
    if least < most {
        format!("the mean return of the last {least:.0} to {most:.0} episodes")
    } else {
        format!("the mean return of {least:.0} episodes")
    }
}

/// The first value of a column and the last, and the steps at which they stand.
struct Measured {
    from: f64,
    first: f64,
    to: f64,
    last: f64,
}

/// Until the step `until`, if there are two.
fn first_and_last(column: &Column, until: f64) -> Option<Measured> {
    let (from, first) = column.first?;
    let (mut to, mut last) = column.last?;
    if to > until {
        (to, last) = (until, value_at(&column.curve.points(), until)?);
    }
    (from < to).then_some(Measured { from, first, to, last })
}

fn answer(ends: &Ends<'_>, name_it: bool) -> String {
    let Ends { group, runs, measure, .. } = ends;
    let place = if name_it { format!("{}: ", group.name) } else { String::new() };
    let steps = thousands(ends.steps);
    let greedy = ends.greedy.map_or_else(String::new, |((last_at, last), (at, best))| {
        // It is measured now and then.
        let when = if last_at < group.until() {
            format!("at step {}, when it was last measured,", thousands(last_at))
        } else {
            "at the end".to_owned()
        };
        format!(
            "; with greedy actions it was {last:.2} {when} and {best:.2} at best, at step {}",
            thousands(at)
        )
    });
    let Some((first, last)) = ends.means else {
        let why = if ends.biased {
            "too few episodes had ended for a mean that is not of those lost early alone, at two steps"
        } else {
            "it was not measured twice"
        };
        return format!("{place}that cannot be said of {measure} in {steps} steps: {why}{greedy}.");
    };
    let went = if last > first {
        format!("rose from {first:.2} to {last:.2}")
    } else if last < first {
        format!("fell from {first:.2} to {last:.2}")
    } else {
        format!("stayed at {first:.2}")
    };
    let since = if ends.biased { format!("from step {} on, ", thousands(ends.since)) } else { String::new() };
    if let Some(Interval { low, high }) = ends.difference {
        let word = match (low > 0.0, high < 0.0) {
            (true, _) => "yes",
            (_, true) => "no",
            _ => "not shown",
        };
        let together =
            if ends.among > 1 { format!(" for {} settings at once,", ends.among) } else { String::new() };
        return format!(
            "{place}{word}: over {runs} seeds{} {measure} {went} on average, by {:+.2} (95%{together} {low:+.2} to {high:+.2}), {since}in {steps} steps.",
            group.choice(),
            last - first
        );
    }
    if *runs > 1 {
        return format!(
            "{place}not shown: over {runs} seeds{} {measure} {went} on average, for each of them alike, which says nothing of how seeds differ, {since}in {steps} steps.",
            group.choice()
        );
    }
    format!("{place}{measure} {went} {since}in {steps} steps{greedy}.")
}
