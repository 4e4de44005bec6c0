//! Agents in a report.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde_json::json;

use super::named::Named;
use super::trained::{beside, sides};
use super::{Agent, Side, World, overall};
use crate::chart::{
    CURVES, ChartError, Curve, Estimate, Labels, intervals, lines, picked, picked_estimates, range,
};
use crate::report::{Cell, Figure, Part, Table, p_text};
use crate::stats::aggregate::{performance_profile, profile_intervals};
use crate::stats::bootstrap::resamples;
use crate::stats::{FEW, Interval};

const WORDS: [(&str, &str); 7] = [
    ("return", "the sum of the rewards of an episode"),
    (
        "interquartile mean",
        "the mean of the middle half of the returns: a few lucky or lost episodes do not move it (Agarwal et al. 2021)",
    ),
    ("optimality gap", "mean shortfall from the best agent's mean; returns above it count as equal to it"),
    ("lost", "episodes that ended in collapse rather than at the time limit"),
    (
        "probability of improvement",
        "the probability that an episode of the agent has a higher return than one of the baseline, ties counting half",
    ),
    (
        "signed-rank p",
        "Wilcoxon's test of the pairs with the same seed: the probability that chance alone gives differences at least as large",
    ),
    ("p, Holm", "the same, corrected for testing several agents"),
];

/// Worlds that have figures and tables of their own; of more, the first of them have figures.
const DRAWN: usize = 6;

/// What a report says of `worlds`, of which there is at least one.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn part(worlds: &[World]) -> Result<Part, ChartError> {
    let answer = if worlds.len() > DRAWN {
        winners(worlds)
    } else {
        worlds.iter().map(|world| answer(world, worlds.len() > 1)).collect::<Vec<_>>().join(" ")
    };
    let question = "Which agent does best?".to_owned();
    let mut part = Part { question, words: &WORDS, answer, ..Part::default() };
    if worlds.len() > DRAWN {
        part.sentences.push(format!(
            "{} worlds were played; the first {DRAWN} have figures of their own, and the tables have all.",
            worlds.len()
        ));
    }
    for (number, world) in (1_u32..).zip(worlds) {
        part.sentences.extend(remarks(world));
        if number as usize <= DRAWN {
            part.figures.extend(interval_figure(world, number)?);
            part.figures.extend(profile_figure(world, number)?);
        }
    }
    let named = Named::of(worlds.iter().flat_map(|world| &world.agents).map(|agent| agent.recipe.as_ref()));
    if worlds.len() > DRAWN {
        let tables = [aggregate_table, episodes_table];
        part.tables
            .extend(tables.iter().filter_map(|table| below(worlds, |world| Some(table(world, named)))));
        part.tables.extend(below(worlds, |world| comparison_table(world, named)));
        part.tables.extend(below(worlds, |world| trained_table(world, named)));
    } else {
        for world in worlds {
            part.tables.push(aggregate_table(world, named));
            part.tables.push(episodes_table(world, named));
            part.tables.extend(comparison_table(world, named));
            part.tables.extend(trained_table(world, named));
        }
    }
    let over_all = overall(worlds);
    if worlds.len() > 1 && over_all.is_empty() {
        part.sentences.push("Returns are not normalised across worlds: the worlds have different baselines, or in one of them no agent beats the baseline.".to_owned());
    }
    if !over_all.is_empty() {
        let mut table = Table::new(
            "Over all worlds, on a scale where 0 is the baseline's mean and 1 the best mean of each world",
            &named.columns(
                "agent",
                &["mean", "median", "interquartile mean", "optimality gap", "probability of improvement"],
            ),
        );
        for agent in &over_all {
            let recipe = worlds[0].agent(&agent.name).and_then(|agent| agent.recipe.as_ref());
            table.rows.push(named.row(
                &agent.name,
                recipe,
                vec![
                    Cell::number(agent.mean, 3),
                    Cell::number(agent.median, 3),
                    Cell::estimate(agent.iqm, agent.iqm_interval, 3),
                    Cell::number(agent.optimality_gap, 3),
                    Cell::number(agent.improvement, 3),
                ],
            ));
        }
        part.tables.push(table);
    }
    part.findings = json!({ "kind": "agents", "worlds": worlds, "over_all_worlds": over_all });
    Ok(part)
}

/// In how many of many worlds each agent is the best.
fn winners(worlds: &[World]) -> String {
    let mut wins: Vec<(&str, usize)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut shared = 0;
    for world in worlds {
        let best = world.agents.iter().filter_map(|agent| agent.iqm).reduce(f64::max);
        let mut of_best = world.agents.iter().filter(|agent| best.is_some() && agent.iqm == best);
        let Some(name) = of_best.next().map(|agent| agent.name.as_str()) else { continue };
        if of_best.next().is_some() {
            shared += 1;
            continue;
        }
        let place = *places.entry(name).or_insert_with(|| {
            wins.push((name, 0));
            wins.len() - 1
        });
        wins[place].1 += 1;
    }
    wins.sort_by_key(|(_, count)| Reverse(*count));
    let each = wins.iter().take(DRAWN).map(|(name, count)| format!("{name} in {count}"));
    let more = match wins.len().saturating_sub(DRAWN) {
        0 => String::new(),
        more => format!("; and {more} more agents in the others"),
    };
    let each = each.collect::<Vec<_>>().join(", ");
    let several = match (shared, wins.is_empty()) {
        (0, _) => String::new(),
        (_, true) => format!("shared by several agents in {shared}"),
        _ => format!("; in {shared} several agents share it"),
    };
    let of = if wins.is_empty() { "" } else { "that of " };
    format!(
        "Of {} worlds the highest interquartile mean return is {of}{each}{more}{several}. The tables have every world.",
        worlds.len()
    )
}

/// The tables of many worlds as one, with the world in the first column.
fn below(worlds: &[World], table: impl Fn(&World) -> Option<Table>) -> Option<Table> {
    let mut all: Option<Table> = None;
    for world in worlds {
        let Some(own) = table(world) else { continue };
        let all = all.get_or_insert_with(|| Table {
            caption: own.caption.replacen(&format!("in {}", world.name), "in each world", 1),
            columns: ["world".to_owned()].into_iter().chain(own.columns.clone()).collect(),
            rows: Vec::new(),
        });
        let named = |row: Vec<Cell>| [Cell::text(&world.name)].into_iter().chain(row).collect();
        all.rows.extend(own.rows.into_iter().map(named));
    }
    all
}

/// Decimals that show two digits or more of how far off the means may be, or, without intervals, of the
/// returns themselves.
fn decimals(world: &World) -> usize {
    let widths = world.agents.iter().filter_map(|agent| agent.mean_interval).map(|ends| ends.high - ends.low);
    let means = world.agents.iter().filter_map(|agent| agent.mean).map(f64::abs);
    let least = |values: &mut dyn Iterator<Item = f64>| {
        values.filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min)
    };
    let scale = [least(&mut widths.into_iter()), least(&mut means.into_iter()), 1.0];
    let scale = scale.into_iter().find(|scale| scale.is_finite()).unwrap_or(1.0);
    (1.0 - scale.log10().floor()).clamp(0.0, 9.0) as usize
}

fn answer(world: &World, name_it: bool) -> String {
    let place = if name_it { format!("In {}: ", world.name) } else { String::new() };
    let mut ranked: Vec<Side> = sides(&world.agents).into_iter().filter(|side| side.iqm.is_some()).collect();
    ranked.sort_by(|a, b| b.iqm.unwrap_or_default().total_cmp(&a.iqm.unwrap_or_default()));
    let digits = decimals(world);
    let shown = |side: &Side| iqm_text(side, digits);
    let [best, rest @ ..] = &ranked[..] else {
        return format!("{place}that cannot be said: no agent has finite returns.");
    };
    let Some(second) = rest.first() else {
        let (has, its) = if best.members.len() > 1 { ("have", "their") } else { ("has", "its") };
        return format!(
            "{place}{} {has} nothing to be compared with; {its} interquartile mean return is {}.",
            best.name,
            shown(best)
        );
    };
    let equal = 1 + rest.iter().take_while(|side| side.iqm == best.iqm).count();
    if equal > 1 {
        let names: Vec<&str> = ranked[..equal].iter().map(|side| side.name.as_str()).collect();
        // More than two are not compared in pairs.
        let apart = if equal == 2 { format!("; {}", apart(best, second, digits)) } else { String::new() };
        let next = ranked.get(equal);
        let next =
            next.map_or_else(String::new, |next| format!("; next is {} with {}", next.name, shown(next)));
        return format!(
            "{place}{} share the highest interquartile mean return, {:.digits$}{apart}{next}.",
            listed(&names),
            best.iqm.unwrap_or_default()
        );
    }
    format!(
        "{place}{} {} the highest interquartile mean return, {}, ahead of {} with {}; {}.",
        best.name,
        if best.members.len() > 1 { "have" } else { "has" },
        shown(best),
        second.name,
        shown(second),
        apart(best, second, digits)
    )
}

/// The names of several, the last after "and"; of more than four the first two.
fn listed(names: &[&str]) -> String {
    match names {
        [first, second, _, _, _, ..] => format!("{first}, {second} and {} others", names.len() - 2),
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        few => few.concat(),
    }
}

/// By how much `best` differs from `second` in the mean, where both played.
fn apart(best: &Side, second: &Side, digits: usize) -> String {
    let compared = beside(&best.played, &second.played);
    match (compared.pairs, compared.difference.zip(compared.difference_interval)) {
        (0, _) => "they share no seed".to_owned(),
        (1, _) => "one shared seed is too few to compare".to_owned(),
        (pairs, None) => {
            format!("{pairs} shared seeds with equal differences are too few to compare")
        }
        (pairs, Some((difference, Interval { low, high }))) => {
            let word = match (low > 0.0, high < 0.0) {
                (true, _) => "the mean difference is",
                (_, true) => "the mean is lower nevertheless, by",
                _ => "no difference in the mean is shown:",
            };
            format!(
                "on the {pairs} shared seeds {word} {difference:+.digits$} (95% {low:+.digits$} to {high:+.digits$})"
            )
        }
    }
}

/// The interquartile mean with its interval, and what the interval is of, or why there is none.
fn iqm_text(side: &Side, digits: usize) -> String {
    let iqm = side.iqm.unwrap_or_default();
    let of_training = side.played[0].training.is_some();
    let several = side.members.len() > 1;
    let scope = match (several, of_training) {
        (true, _) => format!(" over {} trainings", side.members.len()),
        (false, true) => " of this one training".to_owned(),
        _ => String::new(),
    };
    if let Some(Interval { low, high }) = side.iqm_interval {
        return format!("{iqm:.digits$} (95%{scope} {low:.digits$} to {high:.digits$})");
    }
    match side.played[0].returns.len() {
        1 if several && side.mean_interval.is_none() => {
            format!("{iqm:.digits$} (one episode of each, which is too few for an interval)")
        }
        _ if several => format!(
            "{iqm:.digits$} ({} trainings with equal results are too few for an interval)",
            side.members.len()
        ),
        1 => format!("{iqm:.digits$} (one episode, so no interval)"),
        n if n < FEW => format!("{iqm:.digits$} ({n} episodes are too few for an interval of it)"),
        _ => format!("{iqm:.digits$}"),
    }
}

fn remarks(world: &World) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(target) = world.target {
        let digits = decimals(world);
        let of = world.agents.iter().filter(|agent| agent.mean == world.target);
        let of = listed(&of.map(|agent| agent.name.as_str()).collect::<Vec<_>>());
        remarks.push(format!(
            "{}: the optimality gap is the mean shortfall from {target:.digits$}, the mean return of {of}, the best here; the baseline is {}. Intervals of means are Student's t, those of medians and interquartile means bootstraps of {} resamples, widened for small samples.",
            world.name,
            world.baseline,
            resamples(world.agents.iter().map(|agent| agent.played.returns.len()).max().unwrap_or_default())
        ));
    }
    for agent in &world.agents {
        if let Some((line, count)) = agent.played.not_finite {
            remarks.push(format!(
                "{} has returns that are NaN or infinite: {count}, the first in line {line}; no aggregate of it is given.",
                agent.name
            ));
        }
        if agent.episodes > agent.played.returns.len() as u64 {
            remarks.push(format!(
                "{} played {} episodes: the first {} that were read are analysed.",
                agent.name,
                agent.episodes,
                agent.played.returns.len()
            ));
        }
        match agent.played.returns.len() {
            1 => remarks.push(format!("{} played one episode: there is no interval.", agent.name)),
            n if n < FEW => remarks.push(format!(
                "{} played {n} episodes: too few for an interval of the median or the interquartile mean.",
                agent.name
            )),
            _ => {}
        }
    }
    for side in sides(&world.agents) {
        if side.members.len() > 1 {
            remarks.push(format!(
                "The trainings of {} differ only in the seed: the answer is over the trainings; table rows of a single one are over its episodes.",
                side.name
            ));
        } else if side.played[0].training.is_some() {
            remarks.push(format!(
                "{} is one training: its intervals are over its episodes; another training seed may do better or worse.",
                side.name
            ));
        }
    }
    let lengths = || world.agents.iter().map(|agent| agent.episodes);
    if lengths().min() != lengths().max() {
        remarks.push(format!(
            "{}: the agents played different numbers of episodes; pairs are those with the same seed.",
            world.name
        ));
    }
    remarks
}

fn episodes_table(world: &World, named: Named) -> Table {
    let columns = named.columns("agent", &["episodes", "lost", "steps, mean"]);
    let mut table = Table::new(format!("Episodes in {}", world.name), &columns);
    for agent in &world.agents {
        let cells =
            vec![Cell::count(agent.episodes), Cell::share(Some(agent.lost)), Cell::number(agent.steps, 1)];
        table.rows.push(named.row(&agent.name, agent.recipe.as_ref(), cells));
    }
    table
}

fn aggregate_table(world: &World, named: Named) -> Table {
    let digits = decimals(world);
    let columns = named.columns("agent", &["mean", "median", "interquartile mean", "optimality gap"]);
    let mut table = Table::new(format!("Returns in {}, with 95% intervals", world.name), &columns);
    for agent in &world.agents {
        let cells = vec![
            Cell::estimate(agent.mean, agent.mean_interval, digits),
            Cell::estimate(agent.median, agent.median_interval, digits),
            Cell::estimate(agent.iqm, agent.iqm_interval, digits),
            Cell::estimate(agent.optimality_gap, agent.optimality_gap_interval, digits),
        ];
        table.rows.push(named.row(&agent.name, agent.recipe.as_ref(), cells));
    }
    table
}

fn comparison_table(world: &World, named: Named) -> Option<Table> {
    let digits = decimals(world);
    let others = ["probability of improvement", "pairs", "mean difference", "signed-rank p", "p, Holm"];
    let mut table = Table::new(
        format!("Compared with the baseline {} in {}, with 95% intervals", world.baseline, world.name),
        &named.columns("agent", &others),
    );
    for agent in &world.agents {
        let Some(comparison) = &agent.against_baseline else { continue };
        let cells = vec![
            Cell::estimate(comparison.improvement, comparison.improvement_interval, 3),
            Cell::count(comparison.pairs as u64),
            Cell::estimate(comparison.difference, comparison.difference_interval, digits),
            Cell::p(comparison.p),
            Cell::p(comparison.p_holm),
        ];
        table.rows.push(named.row(&agent.name, agent.recipe.as_ref(), cells));
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Trainings that differ in the seed alone.
fn trained_table(world: &World, named: Named) -> Option<Table> {
    let digits = decimals(world);
    let others =
        ["trainings", "mean", "interquartile mean", "shared episodes", "mean difference from the baseline"];
    let mut table = Table::new(
        format!(
            "Trainings in {} that differ only in the seed, with 95% intervals over trainings",
            world.name
        ),
        &named.columns("agents", &others),
    );
    for side in &world.trained {
        let beside = side.against_baseline.as_ref();
        let cells = vec![
            Cell::count(side.members.len() as u64),
            Cell::estimate(side.mean, side.mean_interval, digits),
            Cell::estimate(side.iqm, side.iqm_interval, digits),
            beside.map_or_else(|| Cell::text("–"), |beside| Cell::count(beside.pairs as u64)),
            Cell::estimate(
                beside.and_then(|beside| beside.difference),
                beside.and_then(|beside| beside.difference_interval),
                digits,
            ),
        ];
        table.rows.push(named.row_of(&side.name, &side.recipes(), cells));
    }
    (!table.rows.is_empty()).then_some(table)
}

fn interval_figure(world: &World, number: u32) -> Result<Option<Figure>, ChartError> {
    let estimate = |agent: &Agent| {
        Some(Estimate { name: agent.name.clone(), value: agent.iqm?, interval: agent.iqm_interval })
    };
    let (estimates, note) = picked_estimates(world.agents.iter().filter_map(estimate).collect());
    if estimates.is_empty() {
        return Ok(None);
    }
    let best = world
        .agents
        .iter()
        .filter_map(|agent| agent.against_baseline.as_ref()?.p_holm)
        .fold(None, |least: Option<f64>, p| Some(least.map_or(p, |least| least.min(p))));
    let tested = best.map_or_else(String::new, |p| {
        format!(" The smallest corrected p-value against the baseline is {}.", p_text(p))
    });
    let caption = format!(
        "Interquartile mean of the returns in {}, with its 95% interval where there is one.{tested}{note}",
        world.name
    );
    let title = format!("Interquartile mean return, {}", world.name);
    Figure::new(format!("agents-{number}"), caption, |size| {
        intervals(&title, "return of an episode", &estimates, size)
    })
    .map(Some)
}

fn profile_figure(world: &World, number: u32) -> Result<Option<Figure>, ChartError> {
    let finite: Vec<&Agent> = world.agents.iter().filter(|agent| agent.mean.is_some()).collect();
    let all = finite.iter().flat_map(|agent| &agent.played.returns).copied();
    let Some(x) = range(all) else { return Ok(None) };
    let taus: Vec<f64> = (0..=200).map(|i| x.start + (x.end - x.start) * f64::from(i) / 200.0).collect();
    let curve = |agent: &Agent, banded: bool| {
        let shares = performance_profile(std::slice::from_ref(&agent.played.returns), &taus)?;
        let intervals =
            profile_intervals(&agent.played.returns, &taus).filter(|_| banded).unwrap_or_default();
        let band = taus.iter().zip(intervals).map(|(&tau, interval)| (tau, interval.low, interval.high));
        Some(Curve {
            name: agent.name.clone(),
            points: taus.iter().copied().zip(shares).collect(),
            band: band.collect(),
        })
    };
    let (curves, note) = if finite.len() > CURVES {
        let ranks: Vec<Option<f64>> = finite.iter().map(|agent| agent.iqm).collect();
        picked(&ranks, "interquartile mean", |index, named| curve(finite[index], named))
    } else {
        (finite.iter().filter_map(|agent| curve(agent, true)).collect(), String::new())
    };
    let title = format!("Performance profile, {}", world.name);
    let labels = Labels { title: &title, x: "return of an episode", y: "share of the episodes above" };
    let caption = format!(
        "Share of the episodes in {} with a return above each value, with pointwise 95% bands: a curve further to the right is better; where curves cross, neither agent is better everywhere.{note}",
        world.name
    );
    Figure::new(format!("profile-{number}"), caption, |size| {
        lines(&labels, x.clone(), 0.0..1.0, &curves, size)
    })
    .map(Some)
}
