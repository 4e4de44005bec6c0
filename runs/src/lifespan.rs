//! Does the system live longer under one agent than under another? The question that returns and win rates do
//! not answer.

use resonetics_analysis::report::capitalised;
use resonetics_analysis::stats::Interval;
use resonetics_analysis::stats::compare::paired_counts;
use resonetics_analysis::stats::student::mean_interval_among;
use resonetics_analysis::stats::summary::mean;
use serde::Serialize;

use crate::rollout::Episode;
use crate::setup::{Setup, WorldSettings};
use crate::trained::PROPHET;

/// What lives are counted in.
pub fn unit(env: &Setup) -> &'static str {
    if matches!(env.settings, WorldSettings::Gardener(_)) { "generations" } else { "steps" }
}

/// How long the system lives under one agent and under another, on the same seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Its name.
    pub agent: String,
    /// The name of the other one.
    pub baseline: String,
    /// `longer`, `shorter`, `as long` where both live to the limit in all episodes, `no difference shown`, or `too few pairs`.
    pub verdict: &'static str,
    /// Mean life in steps or generations, up to the limit.
    pub mean: f64,
    /// That of the other one.
    pub baseline_mean: f64,
    /// Mean difference of the pairs.
    pub difference: f64,
    /// Its 95% interval; of several comparisons all hold at once in 95% of cases.
    pub low: Option<f64>,
    /// The interval's other end.
    pub high: Option<f64>,
    /// All of it, in words.
    pub sentence: String,
}

/// Whether the system lives longer under `agent` than under `first`, from episodes on the same seeds, each
/// with the agent's name. A life that reached the limit counts as that long: what is compared are mean lives
/// up to the limit. It is one of `among` such sentences, all of which hold in 95% of cases.
pub fn compared(agent: (&str, &[Episode]), first: (&str, &[Episode]), env: &Setup, among: usize) -> Compared {
    let (name, mine) = agent;
    let (other, theirs) = first;
    let (n, limit, unit) = (mine.len(), env.limit(), unit(env));
    let lived = |episodes: &[Episode]| episodes.iter().filter(|episode| !episode.terminated).count();
    let title = titled(name);
    let steps = |episodes: &[Episode]| -> Vec<f64> {
        episodes.iter().map(|episode| f64::from(episode.steps)).collect()
    };
    let (my_steps, their_steps) = (steps(mine), steps(theirs));
    let differences: Vec<f64> = my_steps.iter().zip(&their_steps).map(|(mine, other)| mine - other).collect();
    let interval = mean_interval_among(&differences, among);
    let [my_mean, their_mean, difference] =
        [&my_steps, &their_steps, &differences].map(|values| mean(values).unwrap_or(f64::NAN));
    let (low, high) = (interval.map(|ends| ends.low), interval.map(|ends| ends.high));
    let (agent, baseline) = (name.to_owned(), other.to_owned());
    let of = |verdict: &'static str, sentence: String| Compared {
        agent,
        baseline,
        verdict,
        mean: my_mean,
        baseline_mean: their_mean,
        difference,
        low,
        high,
        sentence,
    };
    if lived(mine) == n && lived(theirs) == n {
        let all = if n == 1 { "in the one episode".to_owned() } else { format!("in all {n} episodes") };
        let unit = if limit == 1 { unit.trim_end_matches('s') } else { unit };
        return of(
            "as long",
            format!("{title} lives as long as {other}: both to the limit of {limit} {unit} {all}"),
        );
    }
    let (verdict, words) = match interval {
        Some(Interval { low, .. }) if low > 0.0 => ("longer", format!("{title} lives longer than {other}")),
        Some(Interval { high, .. }) if high < 0.0 => {
            ("shorter", format!("{title} lives shorter than {other}"))
        }
        Some(_) => (
            "no difference shown",
            format!("{title} and {other}: no difference in how long they live is shown"),
        ),
        None => {
            ("too few pairs", format!("{title} and {other}: {n} pairs are too few to say who lives longer"))
        }
    };
    let words = if n == 1 { words.replace("1 pairs are", "one pair is") } else { words };
    let level = if among > 1 { format!("95% for all {among} at once") } else { "95%".to_owned() };
    let range = interval
        .map_or_else(String::new, |Interval { low, high }| format!(", {level} {low:+.1} to {high:+.1}"));
    let mut text = format!(
        "{words}: {my_mean:.1} {unit} on average against {their_mean:.1} ({difference:+.1}{range}), to the limit of {limit} in {}/{n} against {}/{n}",
        lived(mine),
        lived(theirs)
    );
    let returns =
        |episodes: &[Episode]| -> Vec<f64> { episodes.iter().map(|episode| episode.total_reward).collect() };
    if let Some(counts) = paired_counts(&returns(mine), &returns(theirs)) {
        let shorter = interval.is_some_and(|interval| interval.high < 0.0);
        let longer = interval.is_some_and(|interval| interval.low > 0.0);
        if shorter && counts.wins > counts.losses {
            text += &format!("; that it earns more in {}/{n} is no longer life", counts.wins);
        }
        if longer && counts.losses > counts.wins {
            text += &format!("; that it earns less in {}/{n} is no shorter life", counts.losses);
        }
    }
    of(verdict, text)
}

/// The name of an agent where a line begins with it; that of a trained one is a path.
pub fn titled(agent: &str) -> String {
    if agent.starts_with(PROPHET) { agent.to_owned() } else { capitalised(agent) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(steps: &[u32], lost: bool, reward: f64) -> Vec<Episode> {
        let life = |&steps: &u32| Episode {
            seed: 0,
            total_reward: reward,
            steps,
            terminated: lost,
            truncated: !lost,
            oom: None,
            avg_load: 0.0,
            budget: None,
        };
        steps.iter().map(life).collect()
    }

    fn said(mine: &[Episode], theirs: &[Episode]) -> String {
        let env = Setup::preset("k8s", "reference").unwrap();
        compared(("planner", mine), ("random", theirs), &env, 1).sentence
    }

    /// Means and differences by hand; the interval of equal differences is that difference.
    #[test]
    fn who_lives_longer_is_said_whatever_it_earns() {
        let short: Vec<u32> = (0..40).map(|i| 100 + i).collect();
        let long: Vec<u32> = short.iter().map(|steps| steps + 50).collect();
        let (dies, lives_on) = (lives(&short, true, 9.0), lives(&long, true, 1.0));
        assert_eq!(
            said(&dies, &lives_on),
            "Planner lives shorter than random: 119.5 steps on average against 169.5 (-50.0, 95% -50.0 to -50.0), \
             to the limit of 500 in 0/40 against 0/40; that it earns more in 40/40 is no longer life"
        );
        let longer = said(&lives_on, &dies);
        assert!(longer.starts_with("Planner lives longer than random: 169.5 "), "{longer}");
        assert!(longer.ends_with("; that it earns less in 40/40 is no shorter life"), "{longer}");
        let poor = said(&lives(&short, true, 0.0), &lives_on);
        assert!(poor.ends_with("0/40 against 0/40"), "{poor}");
    }

    #[test]
    fn all_to_the_limit_is_as_long_and_one_pair_says_nothing() {
        let whole = lives(&[500; 3], false, 1.0);
        assert_eq!(
            said(&whole, &whole),
            "Planner lives as long as random: both to the limit of 500 steps in all 3 episodes"
        );
        let one = said(&lives(&[100], true, 1.0), &lives(&[500], false, 1.0));
        assert_eq!(
            one,
            "Planner and random: one pair is too few to say who lives longer: 100.0 steps on average against \
             500.0 (-400.0), to the limit of 500 in 0/1 against 1/1"
        );
        let mixed: Vec<u32> = (0..40).map(|i| if i % 2 == 0 { 100 } else { 300 }).collect();
        let other: Vec<u32> = mixed.iter().map(|steps| 400 - steps).collect();
        let said = said(&lives(&mixed, true, 1.0), &lives(&other, true, 1.0));
        assert!(
            said.starts_with("Planner and random: no difference in how long they live is shown"),
            "{said}"
        );
    }
}
