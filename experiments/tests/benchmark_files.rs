//! `benchmark`: its two CSV files, what it prints, and that they agree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::{Csv, Place, TINY, form, number};

const SUMMARY: &str = "agent,episodes,return_mean,return_std,return_iqm,return_iqm_low,return_iqm_high,steps_mean,\
    oom_rate,crit_rate,avg_load_mean,win_rate,probability_of_improvement";
const EPISODES: &str =
    "agent,episode,seed,return,steps,terminated,truncated,oom_nodes,critical_oom,avg_load,budget";

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Square root of the sum of squares over n - 1.
fn sample_std(values: &[f64]) -> f64 {
    let center = mean(values);
    (values.iter().map(|value| (value - center) * (value - center)).sum::<f64>()
        / (values.len() as f64 - 1.0))
        .sqrt()
}

/// Mean of what is left without the lowest and the highest quarter.
fn trimmed_mean(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = sorted.len() / 4;
    mean(&sorted[cut..sorted.len() - cut])
}

fn share(values: &[f64]) -> f64 {
    values.iter().filter(|&&value| value > 0.0).count() as f64 / values.len() as f64
}

/// Recomputes a row of benchmark.csv from the episodes of its agent and of the first agent.
fn check_row(row: &Csv, agent: &Csv, first: Option<&Csv>) {
    let near = |name: &str, expected: f64| {
        let found = row.numbers(name)[0];
        assert!((found - expected).abs() < 2e-6, "{name}: {found}, expected {expected} in {row:?}");
    };
    let returns = agent.numbers("return");
    near("episodes", returns.len() as f64);
    near("return_mean", mean(&returns));
    near("return_std", sample_std(&returns));
    near("return_iqm", trimmed_mean(&returns));
    let (low, high) = (row.numbers("return_iqm_low")[0], row.numbers("return_iqm_high")[0]);
    assert!(low < trimmed_mean(&returns) && trimmed_mean(&returns) < high, "{row:?}");
    near("steps_mean", mean(&agent.numbers("steps")));
    near("avg_load_mean", mean(&agent.numbers("avg_load")));
    let garden = agent.column("budget").iter().all(|cell| cell.is_empty());
    for (rate, count) in [("oom_rate", "oom_nodes"), ("crit_rate", "critical_oom")] {
        if garden {
            assert_eq!((row.column(rate)[0], agent.column(count)[0]), ("", ""));
        } else {
            near(rate, share(&agent.numbers(count)));
        }
    }
    let Some(first) = first else {
        assert_eq!((row.column("win_rate")[0], row.column("probability_of_improvement")[0]), ("", ""));
        return;
    };
    assert_eq!(agent.column("seed"), first.column("seed"), "the seeds are paired");
    let others = first.numbers("return");
    let wins = returns.iter().zip(&others).filter(|(a, b)| a > b).count();
    near("win_rate", wins as f64 / returns.len() as f64);
    let points = |a: f64, b: f64| if a > b { 1.0 } else { 0.5 * f64::from(u8::from(a == b)) };
    let pairs: f64 = returns.iter().map(|&a| others.iter().map(|&b| points(a, b)).sum::<f64>()).sum();
    near("probability_of_improvement", pairs / (returns.len() * others.len()) as f64);
}

fn check_files(place: &Place, agents: &[&str], episodes: usize) {
    let (all, summary) = (place.csv("out/episodes.csv"), place.csv("out/benchmark.csv"));
    assert_eq!((all.header.as_str(), summary.header.as_str()), (EPISODES, SUMMARY));
    assert_eq!(summary.column("agent"), agents);
    assert_eq!(all.rows.len(), agents.len() * episodes);
    let numbers: Vec<String> = (1..=episodes).map(|number| number.to_string()).collect();
    let first = all.only("agent", agents[0]);
    for (i, agent) in agents.iter().enumerate() {
        let own = all.only("agent", agent);
        assert_eq!(own.column("episode"), numbers);
        let mut seeds = own.column("seed");
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), episodes, "every episode has a seed of its own");
        for row in &own.rows {
            assert_ne!(row[5], row[6], "terminated or truncated: {row:?}");
        }
        check_row(&summary.only("agent", agent), &own, (i > 0).then_some(&first));
    }
}

#[test]
fn the_files_agree_in_every_world() {
    for (world, agents, episodes) in [
        ("--env k8s", "random,heuristic,patrol,planner,idle", 30),
        ("--env k8s --preset storm", "heuristic,random", 30),
        ("--env k8s-v4.6 --set height=3 --set width=6 --set max_steps=300", "idle,random", 21),
        (
            &format!("--env gardener --set max_generations=150 {TINY}"),
            "random,heuristic,patrol,evolved,idle",
            9,
        ),
    ] {
        let place = Place::new();
        place.ok(&format!("benchmark {world} --agents {agents} --episodes {episodes} --seed 1 --out out"));
        check_files(&place, &agents.split(',').collect::<Vec<_>>(), episodes);
    }
}

#[test]
fn the_heuristic_wins_every_time_and_the_terminal_says_so() {
    let place = Place::new();
    let ran = place.ok("benchmark --episodes 50 --seed 1 --out out");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let longer = "Heuristic lives longer than random: 500.0 steps on average against ";
    assert!(
        lines[2].starts_with(longer) && lines[2].contains("to the limit of 500 in 50/50 against "),
        "{ran:?}"
    );
    assert_eq!(lines[3], "Heuristic win-rate against random: 50/50 (ties: 0)");
    let summary = place.csv("out/benchmark.csv");
    for (line, agent) in lines[4..6].iter().zip(["random", "heuristic"]) {
        let row = summary.only("agent", agent);
        let [iqm, low, high] =
            ["return_iqm", "return_iqm_low", "return_iqm_high"].map(|name| number(row.column(name)[0]));
        let name = if agent == "random" { "Random" } else { "Heuristic" };
        assert_eq!(*line, format!("{name} interquartile mean: {iqm:+.3} (95% {low:+.3} to {high:+.3})"));
    }
    assert!(lines[6].starts_with("once published for random: -12.456 in 312.4 steps; measured: +2"));
    assert!(lines[7].starts_with("once published for heuristic: +18.912 in 456.8 steps; measured: +5"));
    assert_eq!(lines[8..], ["wrote out"]);
    let numbers =
        "reward μ=+#.### σ=#.### | steps μ=#.# | oom_rate=#.### | crit_rate=#.### | avg_load μ=#.###";
    for (line, agent) in lines.iter().zip(["random", "heuristic"]) {
        let own = line.split(" (").next().unwrap();
        assert_eq!(form(own), format!("{agent} | {numbers}"));
        let row = summary.only("agent", agent);
        let cell = |name: &str| number(row.column(name)[0]);
        let expected = format!(
            "{agent} | reward μ={:+.3} σ={:.3} | steps μ={:.1} | oom_rate={:.3} | crit_rate={:.3} | avg_load μ={:.3}",
            cell("return_mean"),
            cell("return_std"),
            cell("steps_mean"),
            cell("oom_rate"),
            cell("crit_rate"),
            cell("avg_load_mean")
        );
        assert_eq!(own, expected);
    }
    assert_eq!(summary.column("win_rate"), ["", "1.000000"]);
}

#[test]
fn a_loss_and_a_tie_are_counted_against_the_first_agent() {
    let place = Place::new();
    let ran = place.ok("benchmark --agents heuristic,random --episodes 20 --seed 1");
    assert_eq!(ran.stdout.lines().nth(3), Some("Random win-rate against heuristic: 0/20 (ties: 0)"));
    // One step of a world without noise: what does nothing earns the same everywhere.
    let still = "--set max_steps=1 --set cpu_noise_sigma=0 --set mem_noise_sigma=0 --agents idle,planner \
        --set scale_none_reward=0 --set clean_small_reward=0 --set clean_worth=2";
    let ran = place.ok(&format!("benchmark {still} --episodes 20 --seed 1"));
    let alike = "Planner lives as long as idle: both to the limit of 1 step in all 20 episodes";
    assert_eq!(ran.stdout.lines().nth(2), Some(alike));
    assert_eq!(ran.stdout.lines().nth(3), Some("Planner win-rate against idle: 0/20 (ties: 20)"));
}

#[test]
fn a_garden_is_told_by_its_losses() {
    let place = Place::new();
    let ran = place.ok(&format!(
        "benchmark --env gardener --agents idle --episodes 3 --seed 1 --set max_generations=50 {TINY}"
    ));
    let line = ran.stdout.lines().next().unwrap();
    let expected = "idle | reward μ=+#.### σ=#.### | steps μ=#.# | lost_rate=#.### | dirt μ=#.###";
    assert_eq!(form(line).replace("μ=-", "μ=+"), expected);
}

/// One episode has no spread: an empty cell, not 0.
#[test]
fn what_is_undefined_is_empty() {
    let place = Place::new();
    let ran = place.ok("benchmark --episodes 1 --seed 1 --out out");
    assert!(ran.stdout.contains(" σ=- | ") && !ran.stdout.contains("σ=0"), "{ran:?}");
    let life = "Heuristic lives as long as random: both to the limit of 500 steps in the one episode";
    assert_eq!(ran.stdout.lines().nth(2), Some(life));
    let summary = place.csv("out/benchmark.csv");
    assert_eq!(summary.column("return_std"), ["", ""]);
    assert!(summary.column("return_mean").iter().all(|cell| !cell.is_empty()));
}

/// On eight by twelve nodes the planner earns more and dies earlier: what is asked comes first.
#[test]
fn a_win_is_no_longer_life() {
    let place = Place::new();
    let ran = place.ok(
        "benchmark --set height=8 --set width=12 --agents random,planner --episodes 60 --seed 1 --out out",
    );
    let rows = place.csv("out/episodes.csv");
    let steps = |agent: &str| mean(&rows.only("agent", agent).numbers("steps"));
    assert!(steps("planner") < steps("random"), "the case is gone");
    let line = ran.stdout.lines().nth(2).unwrap();
    assert!(line.starts_with("Planner lives shorter than random: "), "{ran:?}");
    assert!(
        line.contains(&format!("{:.1} steps on average against {:.1}", steps("planner"), steps("random"))),
        "{ran:?}"
    );
    assert!(line.ends_with(" is no longer life"), "{ran:?}");
}
