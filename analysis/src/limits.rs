//! The part of a report about drift limits: which agent carries the most drift.

mod answer;
mod sides;
#[cfg(test)]
mod tests;
mod world;

use serde_json::{Value, json};

use self::sides::{Beside, Side, sides};
pub use self::world::World;
use crate::agents::Named;
use crate::chart::{CURVES, ChartError, Curve, Labels, Size, lines, picked, range};
use crate::read::GoOn;
use crate::read::doses::Doses;
use crate::report::{Cell, Figure, Part, Table, at_most, thousands};
use crate::stats::Interval;
use crate::stats::aggregate::share_interval;
use crate::stats::dose::{DoseCurve, Estimate, Limits, limits, rises};

const WORDS: [(&str, &str); 4] = [
    ("dose", "the value of one setting, such as the drift, at which systems were tried"),
    ("drift limit", "the dose at which half of the systems are lost within the length of a life"),
    (
        "Spearman-Karber",
        "the limit as the mean dose that a system bears, without a fifth at each end; no shape of the curve is assumed but that more are lost at a higher dose",
    ),
    ("logistic", "the limit by a logistic curve through all doses"),
];

/// Worlds of which the answer speaks and that have a figure.
const SAID: usize = 6;

/// An agent in a figure.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Its name.
    pub name: &'a str,
    /// Who survived.
    pub curve: &'a DoseCurve,
    /// Its limits.
    pub limits: &'a Limits,
}

/// What a report says of `worlds`, of which there is at least one; nothing once `go_on` says no.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn part(worlds: &[World], go_on: GoOn<'_>) -> Result<Part, ChartError> {
    let named = Named::of(worlds.iter().flat_map(|world| &world.agents).map(|agent| agent.recipe.as_ref()));
    let mut all = Table::new(
        "Drift limits: the dose at which half are lost",
        &named.columns(
            "world, agent",
            &[
                "episodes",
                "doses",
                "Spearman-Karber (95%)",
                "logistic (95%)",
                "falls with the dose",
                "below the best by (95%)",
            ],
        ),
    );
    let mut by_dose = Table::new(
        "Share that lives to the end",
        &named.columns("world, agent", &["dose", "episodes", "alive", "share (95%)", "mean life, steps"]),
    );
    let (mut answers, mut sentences, mut figures, mut findings) = (vec![], vec![], vec![], vec![]);
    for (number, world) in worlds.iter().enumerate() {
        let mut found: Vec<Limits> = Vec::new();
        for agent in &world.agents {
            if !go_on() {
                return Ok(Part::default());
            }
            found.push(limits(&agent.curve));
        }
        let (sides, beside) = sides(world, &found);
        let decimals = decimals(world);
        for (agent, limits) in world.agents.iter().zip(&found) {
            let alone = sides.iter().position(|side| side.members == [agent.agent.as_str()]);
            let above = alone.and_then(|side| beside.iter().find(|beside| beside.side == side));
            let (name, recipe) = (format!("{}, {}", world.name, agent.agent), agent.recipe.as_ref());
            all.rows.push(named.row(&name, recipe, row(agent, limits, above, decimals)));
            by_dose.rows.extend(shares(agent).map(|row| named.row(&name, recipe, row)));
        }
        for (place, side) in sides.iter().enumerate().filter(|(_, side)| side.members.len() > 1) {
            let above = beside.iter().find(|beside| beside.side == place);
            let name = format!("{}, mean of {}", world.name, side.name);
            all.rows.push(named.row_of(&name, &side.recipes(world), row_of_trainings(side, above, decimals)));
        }
        answers.push(answer::answer(world, &sides, &beside, decimals));
        sentences.extend(remarks(world, &found));
        if number < SAID {
            figures.push(figure(world, &found, number + 1)?);
        }
        findings.push(json_of(world, &found, &sides, &beside));
    }
    Ok(Part {
        question: "Which agent carries the most drift?".to_owned(),
        words: &WORDS,
        answer: at_most(SAID, &answers, " ", "worlds"),
        sentences,
        figures,
        tables: vec![all, by_dose],
        findings: json!({ "kind": "limits", "worlds": findings }),
    })
}

/// Decimals that show four digits of the largest dose.
fn decimals(world: &World) -> usize {
    let doses = world.agents.iter().flat_map(|agent| agent.curve.doses());
    let largest = doses.fold(0.0_f64, |largest, dose| largest.max(dose.abs()));
    if largest > 0.0 { (3.0 - largest.log10().floor()).clamp(0.0, 15.0) as usize } else { 3 }
}

fn row(agent: &Doses, limits: &Limits, above: Option<&Beside>, decimals: usize) -> Vec<Cell> {
    vec![
        Cell::count(agent.curve.episodes() as u64),
        Cell::count(agent.curve.doses().len() as u64),
        limit_cell(limits.spearman_karber, decimals),
        limit_cell(limits.logistic, decimals),
        Cell::text(if limits.monotone { "yes" } else { "no" }),
        above.map_or_else(|| Cell::text("–"), |above| limit_cell(above.by, decimals)),
    ]
}

fn row_of_trainings(side: &Side, above: Option<&Beside>, decimals: usize) -> Vec<Cell> {
    vec![
        Cell::text("–"),
        Cell::text("–"),
        limit_cell(side.limit, decimals),
        Cell::text("–"),
        Cell::text("–"),
        above.map_or_else(|| Cell::text("–"), |above| limit_cell(above.by, decimals)),
    ]
}

/// A limit with its interval, or the bound that is all there is.
fn limit_cell(estimate: Estimate, decimals: usize) -> Cell {
    let Some(limit) = estimate.limit else {
        let text = match (estimate.low, estimate.high) {
            (None, None) => return Cell::text("–"),
            (Some(low), None) => format!("above {low:.decimals$}"),
            (None, Some(high)) => format!("below {high:.decimals$}"),
            (Some(low), Some(high)) => format!("between {low:.decimals$} and {high:.decimals$}"),
        };
        return Cell { text, value: estimate.low.or(estimate.high) };
    };
    if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
        return Cell::estimate(Some(limit), Some(Interval { low, high }), decimals);
    }
    let open = match (estimate.low, estimate.high) {
        (Some(low), _) => format!(" ({low:.decimals$} or more)"),
        (_, Some(high)) => format!(" ({high:.decimals$} or less)"),
        _ => String::new(),
    };
    Cell { text: format!("{limit:.decimals$}{open}"), value: Some(limit) }
}

fn shares(agent: &Doses) -> impl Iterator<Item = Vec<Cell>> {
    let of = agent.curve.episodes();
    let lives = agent.curve.survived().into_iter().zip(&agent.mean_life);
    agent.curve.doses().iter().zip(lives).map(move |(dose, (alive, life))| {
        let interval = share_interval(alive as usize, of);
        let percent = interval.map(|ends| Interval { low: 100.0 * ends.low, high: 100.0 * ends.high });
        vec![
            Cell { text: dose.to_string(), value: Some(*dose) },
            Cell::count(of as u64),
            Cell::count(alive),
            Cell::estimate(Some(100.0 * alive as f64 / of as f64), percent, 1),
            Cell::number(Some(*life), 1),
        ]
    })
}

/// What should be known of curves that are not as they should be.
fn remarks(world: &World, found: &[Limits]) -> Vec<String> {
    let mut remarks = Vec::new();
    for (agent, limits) in world.agents.iter().zip(found) {
        let name = format!("{}, {}", world.name, agent.agent);
        let doses = agent.curve.doses();
        if let Some((low, high)) = rises(&agent.curve, 0.05).first().filter(|_| !limits.monotone) {
            remarks.push(format!(
                "{name}: more live at {} than at {}, by more than chance: the share does not simply fall with the dose, and one limit does not sum it up.",
                doses[*high], doses[*low]
            ));
        }
        if let Estimate { limit: None, low: Some(low), high: Some(high) } = limits.logistic {
            remarks.push(format!(
                "{name}: the share falls so steeply between {low} and {high} that the doses determine no logistic curve."
            ));
        }
        let ends = |estimate: Estimate| estimate.low.zip(estimate.high).filter(|_| estimate.limit.is_some());
        if let (Some(karber), Some(logistic)) = (ends(limits.spearman_karber), ends(limits.logistic))
            && (karber.1 < logistic.0 || logistic.1 < karber.0)
        {
            remarks.push(format!(
                "{name}: the two methods differ by more than their intervals: the curve has not the logistic shape, and the limit by Spearman-Karber is the one to go by."
            ));
        }
    }
    remarks
}

/// The share alive over the doses, with 95% bands, a curve an agent; from one half a line falls to its limit.
pub fn curves(shown: &[Shown<'_>]) -> Vec<Curve> {
    let curve = |shown: &Shown<'_>| {
        let of = shown.curve.episodes();
        let survived = shown.curve.survived();
        let doses = || shown.curve.doses().iter().zip(&survived);
        let band = doses().filter_map(|(&dose, &alive)| {
            share_interval(alive as usize, of).map(|ends| (dose, ends.low, ends.high))
        });
        let points = doses().map(|(&dose, &alive)| (dose, alive as f64 / of as f64)).collect();
        let limit = shown.limits.spearman_karber.limit;
        let drop = limit.map(|limit| vec![(limit, 0.5), (limit, 0.0)]).unwrap_or_default();
        let name = shown.name.to_owned();
        [
            Curve { name: name.clone(), points, band: band.collect() },
            Curve { name, points: drop, band: Vec::new() },
        ]
    };
    shown.iter().flat_map(curve).filter(|curve| !curve.points.is_empty()).collect()
}

/// Draws the shares of `shown`, of which there is at least one; `dose` is what the doses are values of. Of more than
/// [`CURVES`] agents it names three.
///
/// # Errors
/// That the drawing library refused.
pub fn chart(title: &str, dose: &str, shown: &[Shown<'_>], size: Size) -> Result<String, ChartError> {
    let doses = shown.iter().flat_map(|shown| shown.curve.doses().iter().copied());
    let x = range(doses).unwrap_or(0.0..1.0);
    let labels = Labels { title, x: dose, y: "share alive" };
    let curves = if shown.len() > CURVES {
        let ranks: Vec<Option<f64>> = shown.iter().map(|shown| shown.limits.spearman_karber.limit).collect();
        picked(&ranks, "their limits", |i, _| curves(&shown[i..=i]).into_iter().next()).0
    } else {
        curves(shown)
    };
    lines(&labels, x, 0.0..1.0, &curves, size)
}

fn figure(world: &World, found: &[Limits], number: usize) -> Result<Figure, ChartError> {
    let agents = world.agents.iter().zip(found);
    let shown: Vec<Shown<'_>> =
        agents.map(|(agent, limits)| Shown { name: &agent.agent, curve: &agent.curve, limits }).collect();
    let life = world.life.map_or_else(String::new, |life| format!(" {} steps", thousands(life as f64)));
    let title = format!("{}: share that lives{life}", world.name);
    let many = if shown.len() > CURVES {
        " The best, the median and the worst, by their limits, are named; the table has all of them."
    } else {
        ""
    };
    let caption = format!(
        "Share of the systems in {} that live to the end, with 95% bands; a line falls from one half to each limit.{many}",
        world.name
    );
    let dose = world.dose.as_deref().unwrap_or("dose");
    Figure::new(format!("limit-{number}"), caption, |size| chart(&title, dose, &shown, size))
}

fn json_of(world: &World, found: &[Limits], sides: &[Side], beside: &[Beside]) -> Value {
    let agent = |(agent, limits): (&Doses, &Limits)| {
        json!({
            "agent": agent.agent, "episodes": agent.curve.episodes(), "doses": agent.curve.doses(),
            "survived": agent.curve.survived(), "mean_life": agent.mean_life,
            "doses_with_fewer_episodes": agent.unfinished, "spearman_karber": limits.spearman_karber,
            "logistic": limits.logistic, "monotone": limits.monotone,
        })
    };
    let trainings = sides.iter().filter(|side| side.members.len() > 1);
    let difference = |beside: &Beside| json!({ "best": sides[0].name, "other": sides[beside.side].name, "pairs": beside.pairs, "difference": beside.by });
    json!({
        "world": world.name, "dose": world.dose, "life": world.life,
        "agents": world.agents.iter().zip(found).map(agent).collect::<Vec<_>>(),
        "trainings": trainings.map(|side| json!({ "agents": side.members, "limit": side.limit })).collect::<Vec<_>>(),
        "differences": beside.iter().map(difference).collect::<Vec<_>>(),
    })
}
