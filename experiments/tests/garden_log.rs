//! `gardener`: `resonetics_data.csv` as the rules have it, and its summary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::{Csv, DIRTY, EVENTFUL, Place, TINY, number};

const HEADER: &str = "Gen,Population,Avg_Energy,Total_Entropy,Emergency_Moves,Isolation_Saves,Entropy_Gradient,\
    Population_Volatility,Emergency_Ratio,Collapse_Risk,Flow,Verdict";

/// Decimals of each column but the last.
const DECIMALS: [usize; 11] = [0, 0, 2, 2, 0, 0, 3, 0, 4, 4, 4];

fn decimals(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

#[test]
fn the_log_has_the_columns_and_decimals_of_the_rules() {
    for agent in ["evolved", "heuristic", "patrol", "random", "idle"] {
        let place = Place::new();
        place.ok(&format!("gardener --generations 250 --seed 3 --agent {agent} --out out {TINY}"));
        let log = place.csv("out/resonetics_data.csv");
        assert_eq!(log.header, HEADER);
        assert_eq!(log.rows.len(), 250);
        for (row, generation) in log.rows.iter().zip(1..) {
            assert_eq!(row[0], generation.to_string());
            for (text, expected) in row.iter().zip(DECIMALS) {
                assert_eq!(decimals(text), expected, "{text} in {row:?}");
                assert!(number(text).is_finite());
            }
            assert!(["creative", "bubble", "collapse"].contains(&row[11].as_str()), "{row:?}");
        }
    }
}

/// Columns that follow from others do.
#[test]
fn the_columns_agree_with_each_other() {
    let place = Place::new();
    place.ok(&format!("{EVENTFUL} {TINY}"));
    let log = place.csv("out/resonetics_data.csv");
    let column = |name: &str| log.numbers(name);
    let (entropy, gradient) = (column("Total_Entropy"), column("Entropy_Gradient"));
    let (population, volatility) = (column("Population"), column("Population_Volatility"));
    let (moves, ratio) = (column("Emergency_Moves"), column("Emergency_Ratio"));
    let (saves, risk) = (column("Isolation_Saves"), column("Collapse_Risk"));
    let (mut entropy_before, mut population_before, mut saves_before) = (0.0, 4.0, 0.0);
    for i in 0..log.rows.len() {
        assert!((entropy[i] - entropy_before - gradient[i]).abs() < 0.0106, "row {i}");
        assert_eq!((population[i] - population_before).abs(), volatility[i], "row {i}");
        assert!((moves[i] / population[i] - ratio[i]).abs() < 0.000_051, "row {i}");
        assert_eq!(saves[i] - saves_before, moves[i], "row {i}");
        assert!((0.0..=64.0).contains(&entropy[i]) && (3.0..=8.0).contains(&population[i]));
        let verdict = match risk[i] {
            risk if risk >= 0.72 => "collapse",
            risk if risk >= 0.45 => "bubble",
            _ => "creative",
        };
        let rounded_to_limit = [0.72, 0.45].contains(&risk[i]);
        assert!(log.rows[i][11] == verdict || rounded_to_limit, "row {i}: {:?}", log.rows[i]);
        (entropy_before, population_before, saves_before) = (entropy[i], population[i], saves[i]);
    }
    assert!(volatility.iter().any(|&change| change > 0.0), "no birth and no death");
    assert!(moves.iter().any(|&moves| moves > 0.0), "no emergency");
    for verdict in ["creative", "bubble", "collapse"] {
        log.only("Verdict", verdict);
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_summary_follows_from_the_logs() {
    let place = Place::new();
    let ran = place.ok(&format!("gardener --generations 300 --seed 5 --runs 3 --out out {TINY} {DIRTY}"));
    let summary = place.csv("out/summary.csv");
    assert_eq!(
        summary.header,
        "run,seed,generations,lost_at,dirt_mean,dirt_max,dirt_end,population_mean,population_end,\
         creative_share,bubble_share,collapse_share"
    );
    assert_eq!(summary.column("run"), ["1", "2", "3"]);
    for run in 0..3 {
        let log: Csv = place.csv(&format!("out/run-{:04}/resonetics_data.csv", run + 1));
        let dirt: Vec<f64> = log.numbers("Total_Entropy").iter().map(|entropy| entropy / 64.0).collect();
        let near = |name: &str, expected: f64| {
            let found = summary.numbers(name)[run];
            assert!((found - expected).abs() < 1e-4, "run {run}: {name} {found}, expected {expected}");
        };
        near("generations", 300.0);
        near("dirt_mean", mean(&dirt));
        near("dirt_max", dirt.iter().copied().fold(0.0, f64::max));
        near("dirt_end", dirt[299]);
        near("population_mean", mean(&log.numbers("Population")));
        near("population_end", log.numbers("Population")[299]);
        for verdict in ["creative", "bubble", "collapse"] {
            let count = log.column("Verdict").iter().filter(|&&found| found == verdict).count();
            near(&format!("{verdict}_share"), count as f64 / 300.0);
        }
        let lost = dirt.windows(4).position(|four| four.iter().all(|&dirt| dirt >= 0.6));
        let lost = lost.map(|start| (start + 4).to_string());
        assert_eq!(summary.column("lost_at")[run], lost.clone().unwrap_or_default());
        assert!(lost.is_some(), "this storm loses every garden");
    }
    let line = ran.stdout.lines().next().unwrap();
    assert!(line.starts_with("evolved | generations 300 | dirt μ="), "{line}");
    assert!(line.contains("| lost 3/3 at generation μ="), "{line}");
}

/// In a larger garden than that of the rules the scales of the risk are exceeded by the size alone.
#[test]
fn scales_used_beyond_their_size_are_remarked() {
    let place = Place::new();
    let garden = "gardener --generations 2 --seed 1 --agent idle -q";
    for (settings, remarked) in [
        ("", false),
        ("--set grid_size=61", true),
        ("--set max_population=81", true),
        ("--set grid_size=61 --set risk.per_cell=true", false),
        ("--set grid_size=61 --set risk.entropy_grad_scale=16", false),
    ] {
        let ran = place.run(&format!("{garden} {settings}"));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.stderr.contains("risk.per_cell=true"), remarked, "{settings}: {ran:?}");
        assert_eq!(ran.stderr.is_empty(), !remarked, "{settings}: {ran:?}");
    }
}
