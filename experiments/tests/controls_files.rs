//! `controls`: its three CSV files, recomputed from the first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::{Csv, Place, TINY};

const LIFETIMES: &str = "world,agent,control,episode,seed,lifetime,lost";
const SURVIVAL: &str = "world,control,time,at_risk,lost,censored,survival,survival_low,survival_high";

/// The product-limit estimate, naively: for each time, who is still there and who is lost.
fn check_survival(lives: &Csv, curve: &Csv) {
    let times = lives.numbers("lifetime");
    let lost: Vec<bool> = lives.column("lost").iter().map(|lost| *lost == "true").collect();
    let mut distinct = times.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    assert_eq!(curve.numbers("time"), distinct);
    let count = |holds: &dyn Fn(usize) -> bool| (0..times.len()).filter(|&i| holds(i)).count() as f64;
    let mut survival = 1.0;
    for (row, &time) in distinct.iter().enumerate() {
        let at_risk = count(&|i| times[i] >= time);
        let losses = count(&|i| times[i] == time && lost[i]);
        survival *= 1.0 - losses / at_risk;
        assert_eq!(curve.numbers("at_risk")[row], at_risk, "time {time}");
        assert_eq!(curve.numbers("lost")[row], losses, "time {time}");
        assert_eq!(curve.numbers("censored")[row], count(&|i| times[i] == time && !lost[i]), "time {time}");
        assert!((curve.numbers("survival")[row] - survival).abs() < 1e-6, "time {time}");
        let (low, high) = (curve.column("survival_low")[row], curve.column("survival_high")[row]);
        let certain = !(1e-9..1.0 - 1e-9).contains(&survival);
        assert_eq!((low.is_empty(), high.is_empty()), (certain, certain), "time {time}");
        if !certain {
            assert!(common::number(low) < survival && survival < common::number(high), "time {time}");
        }
    }
}

/// The area under the survival curve up to `horizon`.
fn restricted_mean(curve: &Csv, horizon: f64) -> f64 {
    let (mut area, mut from, mut height) = (0.0, 0.0, 1.0);
    for (time, survival) in curve.numbers("time").into_iter().zip(curve.numbers("survival")) {
        area += height * (time.min(horizon) - from).max(0.0);
        (from, height) = (time.min(horizon), survival);
    }
    area + height * (horizon - from)
}

/// The longest that a life may last, as config.toml says.
fn limit(place: &Place, world: &str) -> f64 {
    let config: toml::Table = place.text("out/config.toml").parse().unwrap();
    let worlds = config["worlds"].as_array().unwrap();
    let plan = worlds.iter().find(|plan| plan["env"]["name"].as_str() == Some(world)).unwrap();
    let settings = &plan["env"]["settings"];
    let limit = settings.get("max_steps").or(settings.get("max_generations")).unwrap();
    limit.as_integer().unwrap() as f64
}

fn check_files(place: &Place, worlds: &[&str], episodes: usize) {
    let (lives, curves) = (place.csv("out/lifetimes.csv"), place.csv("out/survival.csv"));
    let summary = place.csv("out/summary.csv");
    assert_eq!((lives.header.as_str(), curves.header.as_str()), (LIFETIMES, SURVIVAL));
    assert_eq!(summary.column("world"), worlds);
    assert_eq!(lives.rows.len(), 2 * episodes * worlds.len());
    for world in worlds {
        let row = summary.only("world", world);
        let of = |control: &str| {
            let lives = lives.only("world", world).only("control", control);
            let curve = curves.only("world", world).only("control", control);
            assert_eq!(lives.rows.len(), episodes);
            check_survival(&lives, &curve);
            (lives, curve)
        };
        let ((off, off_curve), (on, on_curve)) = (of("off"), of("on"));
        assert_eq!(off.column("seed"), on.column("seed"), "the seeds are paired");
        // Lives are censored at their limit only: both sides are observed up to it.
        let horizon = row.numbers("horizon")[0];
        assert_eq!(horizon, limit(place, world), "{world}");
        for (side, lives, curve) in [("without", &off, &off_curve), ("with", &on, &on_curve)] {
            let lost = lives.column("lost").iter().filter(|lost| **lost == "true").count();
            assert_eq!(row.column(&format!("lost_{side}")), [lost.to_string()]);
            let found = row.numbers(&format!("restricted_mean_{side}"))[0];
            assert!((found - restricted_mean(curve, horizon)).abs() < 1e-2, "{world} {side}: {found}");
            let half = curve.numbers("survival").iter().position(|&survival| survival <= 0.5 + 1e-6);
            let median = half.map(|row| curve.numbers("time")[row]);
            let cell = row.column(&format!("median_{side}"))[0].parse().ok();
            assert_eq!(cell, median, "{world} {side}");
        }
        let number = |name: &str| row.numbers(name)[0];
        let difference = number("restricted_mean_with") - number("restricted_mean_without");
        assert!((number("difference") - difference).abs() < 2e-6);
        let answer = match (number("difference_low"), number("difference_high")) {
            (low, _) if low > 0.0 => "yes: it lives longer",
            (_, high) if high < 0.0 => "no: it lives shorter",
            _ => "no difference shown",
        };
        assert_eq!(row.column("answer"), [answer]);
    }
}

#[test]
fn both_worlds_by_default() {
    let place = Place::new();
    let ran = place.ok("controls --episodes 4 --seed 2 --out out");
    check_files(&place, &["gardener", "k8s"], 4);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 9, "{ran:?}");
    assert_eq!(lines[0], "gardener (reference, evolved agent), 4 pairs:");
    assert_eq!(lines[4], "k8s (storm, random agent), 4 pairs:");
    assert!(lines[5].starts_with("  control off: lost "), "{ran:?}");
    assert!(lines[7].starts_with("  did control help? "), "{ran:?}");
}

/// With a step limit some lives are censored, with none all end in a loss.
#[test]
fn one_world_with_and_without_censoring() {
    for (world, settings) in [
        ("k8s", "--set max_steps=250"),
        ("k8s", "--preset calm --set max_steps=100"),
        ("k8s-v4.6", ""),
        ("gardener", &format!("--agent random --set max_generations=60 {TINY} --set dirt_growth=0.2")),
    ] {
        let place = Place::new();
        place.ok(&format!("controls --env {world} --episodes 40 --seed 1 --out out {settings}"));
        let lives = place.csv("out/lifetimes.csv");
        if settings.starts_with("--set max_steps=250") {
            let lost = lives.column("lost");
            assert!(lost.contains(&"true") && lost.contains(&"false"), "some are censored, some not");
            check_files(&place, &[world], 40);
        } else if settings.starts_with("--preset calm") {
            assert!(lives.column("lost").iter().all(|lost| *lost == "false"), "no life is lost");
            assert_eq!(place.csv("out/summary.csv").column("median_with"), [""]);
        } else {
            check_files(&place, &[world], 40);
        }
    }
}

#[test]
fn a_file_outranks_the_limit_that_controls_has_by_default() {
    let place = Place::new();
    place.write("limit.toml", "max_steps = 30\n");
    place.ok("controls --env k8s --config limit.toml --episodes 2 --seed 1 --out out");
    assert_eq!(limit(&place, "k8s"), 30.0);
}

/// Fifty pairs are not too few, and a p-value of nothing is none.
#[test]
fn that_nobody_was_lost_is_said() {
    let place = Place::new();
    let ran =
        place.ok("controls --env k8s --preset calm --set max_steps=100 --episodes 50 --seed 1 --out out");
    let said = "did control help? it cannot be seen here: nobody was lost, with control or without, up to the limit of 100 steps";
    assert!(ran.stdout.contains(said) && !ran.stdout.contains("log-rank"), "{ran:?}");
    assert_eq!(place.csv("out/summary.csv").column("answer"), ["nobody was lost"]);
}

/// Of few losses there is no p-value, and then none is printed.
#[test]
fn few_lives_have_no_p_value() {
    let place = Place::new();
    let ran = place.ok("controls --env k8s --episodes 2 --seed 1 --out out");
    assert!(ran.stdout.contains("did control help? no difference shown: "), "{ran:?}");
    assert!(!ran.stdout.contains("log-rank"), "{ran:?}");
    assert_eq!(place.csv("out/summary.csv").column("log_rank_p"), [""]);
}
