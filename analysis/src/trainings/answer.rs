//! What a training did, in a sentence.

use serde_json::{Value, json};

use super::compared::Compared;
use super::shown::Shown;
use super::training::Training;
use crate::read::log::{Column, SAMPLED};
use crate::report::{capitalised, thousands};
use crate::stats::Interval;
use crate::stats::student::mean_interval_among;
use crate::stats::summary::mean;
use crate::thinned::value_at;

/// Settings of which the answer speaks; the table has all.
const SAID: usize = 4;

/// Where the runs of one group began and where they ended, by the measure that counts.
struct Ends<'a> {
    group: &'a Compared<'a>,
    runs: usize,
    steps: f64,
    /// What was measured.
    measure: String,
    /// What is said behind the first value and behind the last, where they are not of the same measure.
    told: (String, String),
    /// Means over the runs of their begin and end; `None`: some run was not measured at two steps.
    means: Option<(f64, f64)>,
    /// The step at which the last of the runs begins.
    since: f64,
    /// Whether the log of some run begins before that.
    late: bool,
    /// Whether the means that there were are of the episodes that ended first, which says nothing.
    biased: bool,
    /// Whether none of the runs could learn anything.
    fixed: bool,
    /// 95% interval of the mean difference, each run with itself; `None` for one run, or a few that differ alike.
    difference: Option<Interval>,
    /// How many groups have such an interval: 95% is that all of them hold.
    among: usize,
    /// Of one run: the step and value of its last return with greedy actions, and of its highest.
    greedy: Option<((f64, f64), (f64, f64))>,
}

const NOT_SHOWN: &str = "not shown";

impl Ends<'_> {
    /// Whether the runs learned, where they are several; those that could not did not, whatever their returns say.
    fn verdict(&self) -> Option<&'static str> {
        if self.runs < 2 || self.means.is_none() {
            return None;
        }
        let shown = self.difference.filter(|_| !self.fixed);
        Some(match shown {
            Some(interval) if interval.low > 0.0 => "yes",
            Some(interval) if interval.high < 0.0 => "no",
            _ => NOT_SHOWN,
        })
    }

    fn found(&self) -> Value {
        json!({
            "group": self.group.name,
            "seeds": self.runs,
            "measure": self.measure,
            "since": self.since,
            "steps": self.steps,
            "first": self.means.map(|(first, _)| first),
            "last": self.means.map(|(_, last)| last),
            "gain": self.means.map(|(first, last)| last - first),
            "interval": self.difference.map(|ends| [ends.low, ends.high]),
            "intervals_together": self.among,
            "verdict": self.verdict(),
        })
    }
}

/// What `groups` did: only several seeds say yes or no, one run alone says what happened.
pub(super) fn answers(shown: &Shown, groups: &[Compared<'_>]) -> (String, Vec<Value>) {
    // Of many settings one would seem to learn by chance: their intervals hold together.
    let several = groups.iter().filter(|group| group.runs().len() > 1).count();
    let mut all: Vec<Ends<'_>> = groups.iter().map(|group| ends(shown, group, several)).collect();
    let found = all.iter().map(Ends::found).collect();
    let mut texts = Vec::new();
    if all.len() > SAID {
        let last = |ends: &Ends<'_>| ends.means.map_or(f64::INFINITY, |(_, last)| -last);
        all.sort_by(|a, b| last(a).total_cmp(&last(b)));
        texts.push(format!("Of {} settings those that end best:", all.len()));
    }
    texts.extend(all.iter().take(SAID).map(|ends| answer(ends, groups.len() > 1)));
    let text = texts.join(" ");
    // The name of a run stays as it is.
    (if groups.len() > 1 { text } else { capitalised(&text) }, found)
}

fn ends<'a>(shown: &Shown, group: &'a Compared<'a>, among: usize) -> Ends<'a> {
    let (members, until) = (group.runs(), group.until());
    let sampled = measured(SAMPLED, members, until);
    // A curve between two values that stand far apart is a guess: what a killed run is compared with is not on it.
    let measured_there =
        members.iter().all(|member| last_step(member, SAMPLED).is_some_and(|last| last <= until));
    let of_episodes = sampled.len() < members.len() || !measured_there;
    let from_sampled = if of_episodes { sampled_then_episodes(shown, members, until) } else { Vec::new() };
    let is_mixed = !from_sampled.is_empty();
    let both = if is_mixed {
        from_sampled
    } else if of_episodes {
        measured(shown.measures[0].column, members, until)
    } else {
        sampled
    };
    let alone = of_episodes && !is_mixed;
    let moved_on = !alone || members.iter().all(|member| member.log.moved_on());
    let complete = both.len() == members.len() && moved_on;
    let differences: Vec<f64> = both.iter().map(|ends| ends.last - ends.first).collect();
    let of_all = |pick: fn(&Measured) -> f64| mean(&both.iter().map(pick).collect::<Vec<_>>());
    let greedy = members[0].log.column("greedy_return").filter(|_| members.len() == 1);
    let since = both.iter().map(|ends| ends.from).fold(0.0, f64::max);
    Ends {
        group,
        runs: members.len(),
        // What is measured now and then may end before the log does.
        steps: both.iter().map(|ends| ends.to).reduce(f64::max).unwrap_or(until),
        measure: if alone { of_how_many(members) } else { "the mean return with sampled actions".to_owned() },
        told: if is_mixed {
            let first = if since == 0.0 {
                "before training".to_owned()
            } else {
                format!("at step {}", thousands(since))
            };
            (format!(" {first}"), " in the last 100 episodes of training".to_owned())
        } else {
            Default::default()
        },
        means: of_all(|ends| ends.first).zip(of_all(|ends| ends.last)).filter(|_| complete),
        since,
        late: !is_mixed && members.iter().any(|member| first_step(member).is_some_and(|first| first < since)),
        biased: alone && (!moved_on || members.iter().any(|member| member.log.biased > 0)),
        fixed: members.iter().all(|member| member.fixed),
        difference: mean_interval_among(&differences, among).filter(|_| complete),
        among,
        greedy: greedy.and_then(|column| Some((column.last?, column.highest?))),
    }
}

/// The first step at which anything was logged.
fn first_step(member: &Training) -> Option<f64> {
    let steps = member.log.columns.iter().filter_map(|column| column.first);
    steps.map(|first| first.0).reduce(f64::min)
}

fn last_step(member: &Training, name: &str) -> Option<f64> {
    Some(member.log.column(name)?.last?.0)
}

/// How a group ended.
pub(super) struct Last {
    /// What was measured.
    pub(super) sampled: bool,
    /// A value for each of the runs, in their order.
    pub(super) values: Vec<f64>,
    /// By how much they rose on average since they began; `None`: not known, or they could learn nothing.
    pub(super) gain: Option<f64>,
}

/// How the runs of `group` ended, by the measure that [`answers`] takes, or, if `of_episodes`, by the mean of their
/// training episodes; `None` where some run has none that says anything.
pub(super) fn last(shown: &Shown, group: &Compared<'_>, of_episodes: bool) -> Option<Last> {
    let (members, until) = (group.runs(), group.until());
    let told = ends(shown, group, 1);
    let (first, last) = told.means?;
    let sampled = measured(SAMPLED, members, until);
    let there = members.iter().all(|member| last_step(member, SAMPLED).is_some_and(|last| last <= until));
    let all_sampled = there && sampled.len() == members.len();
    let values: Vec<f64> = if all_sampled && !of_episodes {
        sampled.iter().map(|ends| ends.last).collect()
    } else {
        let end = |member: &&Training| {
            let column = member.log.column(shown.measures[0].column)?;
            let (at, last) = column.last?;
            if at <= until { Some(last) } else { value_at(&column.curve.points(), until) }
        };
        members.iter().map(end).collect::<Option<_>>()?
    };
    let gain = Some(last - first).filter(|_| !told.fixed);
    Some(Last { sampled: all_sampled && !of_episodes, values, gain })
}

/// What each of `members` had in the column called `name`, from where the last of them begins, until `until`;
/// those are left out that have no two values there.
fn measured(name: &str, members: &[&Training], until: f64) -> Vec<Measured> {
    let first = |member: &&Training| Some(member.log.column(name)?.first?.0);
    let since = members.iter().filter_map(first).fold(0.0, f64::max);
    let of = |member: &&Training| first_and_last(member.log.column(name)?, since, until);
    members.iter().filter_map(of).collect()
}

/// From the sampled return with which each of `members` begins to the mean of its training episodes at `until`,
/// which are played by the same policy; none if one of them lacks either. A training that was killed has no
/// sampled return but the first, and its mean of a hundred episodes begins late.
fn sampled_then_episodes(shown: &Shown, members: &[&Training], until: f64) -> Vec<Measured> {
    let of = |member: &&Training| {
        let (from, first) = member.log.column(SAMPLED)?.first?;
        let episodes = first_and_last(member.log.column(shown.measures[0].column)?, from, until);
        // One mean is enough: it is no first value here.
        let (to, last) = match episodes {
            Some(ends) => (ends.to, ends.last),
            None => member.log.column(shown.measures[0].column)?.last.filter(|last| last.0 <= until)?,
        };
        let begins = first_step(member).is_some_and(|step| step == from);
        (begins && from < to).then_some(Measured { from, first, to, last })
    };
    let all: Vec<Measured> = members.iter().filter_map(of).collect();
    let together = all.windows(2).all(|pair| pair[0].from == pair[1].from);
    if all.len() == members.len() && together { all } else { Vec::new() }
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

/// From the step `since` until the step `until`, if there are two values.
fn first_and_last(column: &Column, since: f64, until: f64) -> Option<Measured> {
    let (mut from, mut first) = column.first?;
    let (mut to, mut last) = column.last?;
    if from < since {
        (from, first) = (since, value_at(&column.curve.points(), since)?);
    }
    if to > until {
        (to, last) = (until, value_at(&column.curve.points(), until)?);
    }
    (from < to).then_some(Measured { from, first, to, last })
}

/// Decimals that show how wide the interval is and that the ends differ, two at least.
fn decimals(ends: &Ends<'_>) -> usize {
    digits(ends.means.map(|(first, last)| last - first), ends.difference)
}

/// The same of a `change` and its interval.
pub(super) fn digits(change: Option<f64>, interval: Option<Interval>) -> usize {
    let change = change.map(f64::abs);
    let width = interval.map(|ends| 0.1 * (ends.high - ends.low));
    let scales = [change, width].into_iter().flatten().filter(|scale| *scale > 0.0);
    scales.map(|scale| (-scale.log10().floor()).clamp(2.0, 9.0) as usize).max().unwrap_or(2)
}

/// `value` with so many decimals; nothing is `-0.00`.
pub(super) fn rounded(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let is_zero = !text.contains(|c: char| ('1'..='9').contains(&c));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
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
            "too few episodes had ended, at two steps, for a mean that does not cover only early losses"
        } else {
            "it was not measured twice"
        };
        return format!("{place}that cannot be said of {measure} in {steps} steps: {why}{greedy}.");
    };
    let digits = decimals(ends);
    let (from, to) = (rounded(first, digits), rounded(last, digits));
    let (at_first, at_last) = &ends.told;
    let went = if from == to && at_first.is_empty() {
        format!("stayed at {from}")
    } else {
        let verb = if last > first { "rose" } else { "fell" };
        format!("{verb} from {from}{at_first} to {to}{at_last}")
    };
    let since = if ends.biased || ends.late {
        format!("from step {} on, ", thousands(ends.since))
    } else {
        String::new()
    };
    if let Some(Interval { low, high }) = ends.difference {
        let together =
            if ends.among > 1 { format!(" for {} settings at once,", ends.among) } else { String::new() };
        return format!(
            "{place}{}: over {runs} seeds{} {measure} {went} on average, by {:+.digits$} (95%{together} {low:+.digits$} to {high:+.digits$}), {since}in {steps} steps.",
            ends.verdict().unwrap_or(NOT_SHOWN),
            group.choice(),
            last - first
        );
    }
    if *runs > 1 {
        return format!(
            "{place}{NOT_SHOWN}: over {runs} seeds{} {measure} {went} on average, by the same amount for each of them, which does not show how seeds differ, {since}in {steps} steps.",
            group.choice()
        );
    }
    format!("{place}{measure} {went} {since}in {steps} steps{greedy}.")
}
