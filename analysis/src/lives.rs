//! Lives with and without the control layer.

use serde_json::{Value, json};

use crate::chart::{ChartError, Curve, Labels, lines, steps};
use crate::read::lifetimes::World;
use crate::report::{Cell, Figure, Part, Table, at_most, p_text};
use crate::stats::Interval;
use crate::stats::bootstrap::Resampled;
use crate::stats::log_rank::log_rank_test;
use crate::stats::restricted_mean::{paired_restricted_mean_interval, restricted_mean};
use crate::stats::survival::{Lifetime, kaplan_meier, median_survival};

const WORDS: [(&str, &str); 4] = [
    ("control layer", "Via Negativa: it holds back the actions that hasten collapse"),
    (
        "lost, median, restricted mean",
        "without control → with it; the restricted mean counts a life up to the longest one seen",
    ),
    ("pair", "a life without and one with control under the same seed, so under the same drift"),
    ("log-rank p", "how often chance alone would part the two survival curves as far"),
];

/// Worlds of which the answer speaks and that have a figure.
const SAID: u32 = 6;

/// What a report says of `worlds`, of which there is at least one.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn part(worlds: &[World]) -> Result<Part, ChartError> {
    let mut table = Table::new(
        "Lives without and with control, in steps (k8s) or generations (gardener)",
        &["world, agent", "pairs", "lost", "median", "restricted mean", "difference (95%)", "log-rank p"],
    );
    let (mut answers, mut figures, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    let mut sentences = Vec::new();
    for (number, world) in (1..).zip(worlds) {
        let found = found(world);
        if found.pairs < world.off.len().max(world.on.len()) {
            sentences.push(format!(
                "{}: {} lives without and {} with control; the difference is of the {} pairs with the same seed.",
                world.name, world.off.len(), world.on.len(), found.pairs
            ));
        }
        if found.interval.is_none() {
            sentences.push(format!("{}: too few pairs for an interval.", world.name));
        }
        answers.push(found.answer.clone());
        if number <= SAID {
            figures.push(figure(world, number)?);
        }
        findings.push(found.json.clone());
        table.rows.push(found.row);
    }
    Ok(Part {
        question: "Does the system live longer with the control layer?".to_owned(),
        words: &WORDS,
        answer: at_most(SAID as usize, &answers, " ", "worlds"),
        sentences,
        figures,
        tables: vec![table],
        findings: json!({ "kind": "lifetimes", "worlds": findings }),
    })
}

struct Found {
    pairs: usize,
    interval: Option<Interval>,
    answer: String,
    row: Vec<Cell>,
    json: Value,
}

fn found(world: &World) -> Found {
    let lives = |side: &[(u64, Lifetime)]| side.iter().map(|(_, life)| *life).collect::<Vec<_>>();
    let (off, on) = (lives(&world.off), lives(&world.on));
    let horizon = off.iter().chain(&on).map(|life| life.time).fold(0.0, f64::max);
    let pairs = paired(world);
    let (off_pairs, on_pairs): (Vec<Lifetime>, Vec<Lifetime>) = pairs.iter().copied().unzip();
    let mean = |lives: &[Lifetime]| restricted_mean(lives, horizon).map(|mean| mean.mean);
    let median = |lives: &[Lifetime]| kaplan_meier(lives).and_then(|rows| median_survival(&rows));
    let lost = |lives: &[Lifetime]| lives.iter().filter(|life| life.lost).count() as u64;
    let difference = mean(&on_pairs).zip(mean(&off_pairs)).map(|(on, off)| on - off);
    let mut stream = Resampled::Lifetimes.stream();
    let interval = paired_restricted_mean_interval(&on_pairs, &off_pairs, horizon, &mut stream);
    let p = log_rank_test(&on, &off).map(|test| test.p_value);
    let answer = match (difference, interval) {
        (Some(difference), Some(Interval { low, high })) => {
            let word = if low > 0.0 {
                "yes"
            } else if high < 0.0 {
                "no, shorter"
            } else {
                "no difference is shown"
            };
            let p = p.map_or_else(String::new, |p| format!("; log-rank p {}", p_text(p)));
            format!(
                "{}: {word}, {difference:+.1} {} on average (95% {low:+.1} to {high:+.1}{p}).",
                world.name,
                unit(&world.name)
            )
        }
        _ => format!("{}: that cannot be said from {} pairs.", world.name, pairs.len()),
    };
    let row = vec![
        Cell::text(&world.name),
        Cell::count(pairs.len() as u64),
        Cell::change(Some(lost(&off) as f64), Some(lost(&on) as f64), 0),
        Cell::change(median(&off), median(&on), 0),
        Cell::change(mean(&off), mean(&on), 1),
        Cell::estimate(difference, interval, 1),
        Cell::p(p),
    ];
    let json = json!({
        "world": world.name, "pairs": pairs.len(), "horizon": horizon, "mean_without": mean(&off), "mean_with": mean(&on),
        "difference": difference, "difference_interval": interval, "log_rank_p": p,
    });
    Found { pairs: pairs.len(), interval, answer, row, json }
}

/// The lives without and with control that share a seed.
fn paired(world: &World) -> Vec<(Lifetime, Lifetime)> {
    let with: std::collections::HashMap<u64, Lifetime> = world.on.iter().copied().collect();
    world.off.iter().filter_map(|(seed, off)| with.get(seed).map(|on| (*off, *on))).collect()
}

/// What a life is counted in.
fn unit(world: &str) -> &'static str {
    if world.starts_with("gardener") {
        "generations"
    } else if world.starts_with("k8s") {
        "steps"
    } else {
        "steps or generations"
    }
}

/// Kaplan-Meier curves of `off`, lives without the control layer, and `on`, lives with it, each with its 95%
/// band, and where the last of them ends: at least 1, in the unit of the lifetimes.
pub fn survival_curves(off: &[Lifetime], on: &[Lifetime]) -> (Vec<Curve>, f64) {
    let mut curves = Vec::new();
    let mut end = 1.0_f64;
    for (control, lives) in [("off", off), ("on", on)] {
        let Some(rows) = kaplan_meier(lives) else { continue };
        end = rows.last().map_or(end, |row| end.max(row.time));
        let bound = |pick: fn(Interval) -> f64| {
            steps(rows.iter().map(move |row| (row.time, row.interval.map_or(row.survival, pick))))
        };
        let (low, high) = (bound(|interval| interval.low), bound(|interval| interval.high));
        curves.push(Curve {
            name: format!("control {control}"),
            points: steps(rows.iter().map(|row| (row.time, row.survival))),
            band: low.iter().zip(&high).map(|(low, high)| (low.0, low.1, high.1)).collect(),
        });
    }
    (curves, end)
}

fn figure(world: &World, number: u32) -> Result<Figure, ChartError> {
    let lives = |side: &[(u64, Lifetime)]| side.iter().map(|(_, life)| *life).collect::<Vec<_>>();
    let (curves, end) = survival_curves(&lives(&world.off), &lives(&world.on));
    let title = format!("{}: share still alive", world.name);
    let labels = Labels { title: &title, x: unit(&world.name), y: "share" };
    let caption = format!("Kaplan-Meier curves of the lives in {}, with 95% bands.", world.name);
    Figure::new(format!("survival-{number}"), caption, |size| {
        lines(&labels, 0.0..end, 0.0..1.0, &curves, size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_paired_by_seed_and_the_answer_follows() {
        let life = |time: f64| Lifetime { time, lost: true };
        let world = World {
            name: "k8s, random".to_owned(),
            off: (0..20).map(|seed| (seed, life(10.0 + seed as f64))).collect(),
            on: (0..21).rev().map(|seed| (seed, life(15.0 + seed as f64))).collect(),
        };
        let part = part(&[world]).unwrap();
        assert!(
            part.answer.starts_with("k8s, random: yes, +5.0 steps on average (95% +5.0 to +5.0"),
            "{}",
            part.answer
        );
        assert!(part.sentences[0].contains("the 20 pairs with the same seed"), "{:?}", part.sentences);
    }
}
