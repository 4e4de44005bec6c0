//! The part of a report about lifetimes with and without the control layer.

use serde_json::{Value, json};

use crate::agents::Named;
use crate::chart::{ChartError, Curve, Labels, lines, steps};
use crate::read::lifetimes::World;
use crate::report::{Cell, Figure, Part, Table, at_most, counted, p_text};
use crate::stats::Interval;
use crate::stats::log_rank::{LogRank, log_rank_test};
use crate::stats::restricted_mean::{horizon, paired_restricted_mean_interval, restricted_mean};
use crate::stats::survival::{Lifetime, kaplan_meier, median_survival};

const WORDS: [(&str, &str); 4] = [
    ("control layer", "Via Negativa: it holds back the actions that accelerate collapse"),
    (
        "lost, median, restricted mean",
        "without control → with it; the restricted mean counts a life up to the longest one seen, or as far as both survival curves are known",
    ),
    ("pair", "a life without and one with control under the same seed, so under the same drift"),
    ("log-rank p", "the probability that chance alone separates the two survival curves at least this far"),
];

/// Worlds of which the answer speaks and that have a figure.
const SAID: u32 = 6;

/// What a report says of `worlds`, of which there is at least one.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn part(worlds: &[World]) -> Result<Part, ChartError> {
    let named = Named::of(worlds.iter().map(|world| world.recipe.as_ref()));
    let mut table = Table::new(
        "Lives without and with control, in steps (k8s) or generations (gardener)",
        &named.columns(
            "world, agent",
            &["pairs", "lost", "median", "restricted mean", "difference (95%)", "log-rank p"],
        ),
    );
    let (mut answers, mut figures, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    let mut sentences = Vec::new();
    for (number, world) in (1..).zip(worlds) {
        let found = found(world);
        if found.pairs < world.off.len().max(world.on.len()) {
            let pairs = match found.pairs {
                0 => "no seed was run both with and without control".to_owned(),
                1 => "the difference is of the one pair with the same seed".to_owned(),
                n => format!("the difference is of the {n} pairs with the same seed"),
            };
            sentences.push(format!(
                "{}: {} without and {} with control; {pairs}.",
                world.name,
                counted(world.off.len() as u64, "life", "lives"),
                counted(world.on.len() as u64, "life", "lives")
            ));
        }
        sentences.extend(found.remark);
        answers.push(found.answer.clone());
        if number <= SAID {
            figures.push(figure(world, number)?);
        }
        findings.push(found.json.clone());
        table.rows.push(named.row(&world.name, world.recipe.as_ref(), found.row));
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
    answer: String,
    remark: Option<String>,
    row: Vec<Cell>,
    json: Value,
}

fn found(world: &World) -> Found {
    let lives = |side: &[(u64, Lifetime)]| side.iter().map(|(_, life)| *life).collect::<Vec<_>>();
    let (off, on) = (lives(&world.off), lives(&world.on));
    let pairs = paired(world);
    let (off_pairs, on_pairs): (Vec<Lifetime>, Vec<Lifetime>) = pairs.iter().copied().unzip();
    // Where there is no pair, or no life of one side, the others have their means.
    let sides: Vec<&[Lifetime]> = [&off, &on, &off_pairs, &on_pairs]
        .into_iter()
        .map(Vec::as_slice)
        .filter(|side| !side.is_empty())
        .collect();
    let horizon = horizon(&sides).unwrap_or_default();
    let mean = |lives: &[Lifetime]| restricted_mean(lives, horizon).map(|mean| mean.mean);
    let median = |lives: &[Lifetime]| kaplan_meier(lives).and_then(|rows| median_survival(&rows));
    let lost = |lives: &[Lifetime]| lives.iter().filter(|life| life.lost).count() as u64;
    let difference = mean(&on_pairs).zip(mean(&off_pairs)).map(|(on, off)| on - off);
    let interval = paired_restricted_mean_interval(&on_pairs, &off_pairs, horizon);
    let p = log_rank_test(&on, &off).filter(LogRank::is_told).map(|test| test.p_value);
    let row = vec![
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
    Found {
        pairs: pairs.len(),
        answer: answer(&world.name, &pairs, horizon, difference.zip(interval), p),
        remark: cut_short(&world.name, &off, &on, horizon),
        row,
        json,
    }
}

/// Whether lives are longer with control, or the reason why that cannot be said.
fn answer(
    name: &str,
    pairs: &[(Lifetime, Lifetime)],
    horizon: f64,
    found: Option<(f64, Interval)>,
    p: Option<f64>,
) -> String {
    let lost = |life: &Lifetime| life.lost && life.time <= horizon;
    let unit = unit(name);
    let reason = match pairs {
        [] => "no seed was run both with and without control".to_owned(),
        _ if horizon <= 0.0 => format!("one side is unknown beyond 0 {unit}"),
        pairs if !pairs.iter().any(|(off, on)| lost(off) || lost(on)) => {
            format!(
                "in {} no life was lost within {horizon:.0} {unit}, without control or with it",
                counted(pairs.len() as u64, "pair", "pairs")
            )
        }
        [_] => "one pair does not generalise to other seeds".to_owned(),
        pairs => match found {
            None => format!("{} pairs with equal differences are too few", pairs.len()),
            Some((difference, Interval { low, high })) => {
                let word = match (low > 0.0, high < 0.0) {
                    (true, _) => "yes",
                    (_, true) => "no, shorter",
                    _ => "no difference is shown",
                };
                let p = p.map_or_else(String::new, |p| format!("; log-rank p {}", p_text(p)));
                return format!(
                    "{name}: {word}, {difference:+.1} {unit} on average up to {horizon:.0} (95% {low:+.1} to {high:+.1}{p})."
                );
            }
        },
    };
    format!("{name}: that cannot be said: {reason}.")
}

/// That lives are compared up to less than the longest of them, and whose curve is not known further.
fn cut_short(name: &str, off: &[Lifetime], on: &[Lifetime], horizon: f64) -> Option<String> {
    let longest = |lives: &[Lifetime]| lives.iter().map(|life| life.time).fold(0.0, f64::max);
    let unknown = |lives: &[Lifetime]| {
        !lives.is_empty() && restricted_mean(lives, longest(off).max(longest(on))).is_none()
    };
    let sides = match (unknown(off), unknown(on)) {
        (true, false) => "the curve without control is",
        (false, true) => "the curve with control is",
        _ => "the curves are",
    };
    (horizon < longest(off).max(longest(on))).then(|| {
        format!("{name}: {sides} not known beyond {horizon:.0} {}, where the longest lives were still running; means count lives up to that point.", unit(name))
    })
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
            recipe: None,
            off: (0..20).map(|seed| (seed, life(10.0 + seed as f64))).collect(),
            on: (0..21).rev().map(|seed| (seed, life(15.0 + seed as f64))).collect(),
        };
        let part = part(&[world]).unwrap();
        assert!(
            part.answer.starts_with("k8s, random: yes, +5.0 steps on average up to 35 (95% +5.0 to +5.0"),
            "{}",
            part.answer
        );
        assert!(part.sentences[0].contains("the 20 pairs with the same seed"), "{:?}", part.sentences);
    }

    /// The lives without and with control in pairs; a negative one was still going on.
    fn told(lives: &[(i32, i32)]) -> (String, Vec<String>, Value) {
        let side = |pick: fn(&(i32, i32)) -> i32| -> Vec<(u64, Lifetime)> {
            let life = |pair| Lifetime { time: f64::from(pick(pair).abs()), lost: pick(pair) > 0 };
            (0..).zip(lives).map(|(seed, pair)| (seed, life(pair))).collect()
        };
        let (off, on) = (side(|pair| pair.0), side(|pair| pair.1));
        let world = World { name: "k8s, x".to_owned(), recipe: None, off, on };
        let part = part(&[world]).unwrap();
        (part.answer, part.sentences, part.findings["worlds"][0].clone())
    }

    // One of 41 is censored at 230, the longest of its side; the other side's longest is 300. lifelines 0.30.3:
    // restricted means to 230 of 109.8 and 140.5, log-rank p 4e-5; scipy 1.17.1: a percentile bootstrap of
    // pairs gives +20.6 to +40.1, to which Student's t, with its own tails, is near.
    #[test]
    fn lives_are_compared_as_far_as_both_curves_are_known() {
        let (answer, sentences, found) = told(&PAIRS);
        assert_eq!(
            answer,
            "k8s, x: yes, +30.7 steps on average up to 230 (95% +20.4 to +41.1; log-rank p <0.001)."
        );
        assert_eq!(sentences.len(), 1);
        assert!(
            sentences[0].contains("the curve with control is not known beyond 230 steps"),
            "{sentences:?}"
        );
        let number = |name: &str| found[name].as_f64().unwrap();
        assert_eq!(number("horizon"), 230.0);
        for (name, expected) in [("mean_without", 109.8), ("mean_with", 140.5), ("difference", 30.7)] {
            assert!((number(name) - expected).abs() < 0.05, "{name} {}", number(name));
        }
        assert!((number("log_rank_p") - 4e-5).abs() < 5e-6);
    }

    #[test]
    fn where_nothing_can_be_said_the_reason_is_the_true_one() {
        let censored = [(-500, -500); 50];
        let lost = "in 50 pairs no life was lost within 500 steps, without control or with it.";
        assert_eq!(told(&censored).0, format!("k8s, x: that cannot be said: {lost}"));
        // Limits of their own for the two sides.
        let (answer, sentences, _) = told(&[(-500, -300); 50]);
        assert!(
            answer.ends_with("in 50 pairs no life was lost within 300 steps, without control or with it."),
            "{answer}"
        );
        assert!(sentences[0].contains("the curve with control is not known beyond 300"), "{sentences:?}");
        assert!(told(&[(100, 200)]).0.ends_with("one pair does not generalise to other seeds."));
        // Neither sign of two equal differences is likelier than the other.
        assert!(told(&[(100, 105), (120, 125)]).0.ends_with("2 pairs with equal differences are too few."));
        let apart = World {
            name: "k8s, x".to_owned(),
            recipe: None,
            off: vec![(1, Lifetime { time: 5.0, lost: true })],
            on: vec![(2, Lifetime { time: 6.0, lost: true })],
        };
        let part_apart = part(&[apart]).unwrap();
        let said =
            "k8s, x: 1 life without and 1 life with control; no seed was run both with and without control.";
        assert!(part_apart.sentences.contains(&said.to_owned()), "{:?}", part_apart.sentences);
        let answer = part_apart.answer;
        assert!(answer.ends_with("no seed was run both with and without control."), "{answer}");
        assert!(told(&[(-500, -500)]).0.contains("in 1 pair no life was lost"));
        // One side all lost, the other all censored: as clear as can be.
        let clear: Vec<(i32, i32)> = (0..12).map(|i| (100 + i, -500)).collect();
        assert!(
            told(&clear).0.starts_with("k8s, x: yes, +394.5 steps on average up to 500"),
            "{}",
            told(&clear).0
        );
    }

    /// Two and three pairs say nothing unless they are very much alike (scipy 1.17.1: `ttest_1samp`).
    #[test]
    fn few_pairs_say_little() {
        let two = told(&[(100, 102), (100, 108)]).0;
        assert!(
            two.contains("no difference is shown, +5.0 steps on average up to 108 (95% -33.1 to +43.1)"),
            "{two}"
        );
        let three = told(&[(100, 101), (100, 102), (100, 109)]).0;
        assert!(
            three.contains("no difference is shown, +4.0 steps on average up to 109 (95% -6.8 to +14.8)"),
            "{three}"
        );
    }

    #[rustfmt::skip]
    const PAIRS: [(i32, i32); 41] = [
        (80, -230), (119, 132), (97, 140), (110, 155), (124, 133), (127, 132), (110, 131), (120, 139), (74, 124), (110, 149), (120, 155), (100, 145), (69, 88), (131, 145), (116, 145), (144, 149), (135, 189), (58, 73), (147, 189), (55, 79), (149, 155), (84, 119), (126, 177), (99, 149), (150, 182), (100, 151), (123, 156), (67, 95), (62, 69), (67, 103), (77, 98), (136, 168), (149, 194), (88, 119), (114, 172), (99, 140), (94, 133), (124, 155), (124, 143), (93, 141), (300, 120),
    ];
}
