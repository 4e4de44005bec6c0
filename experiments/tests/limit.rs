//! `limit`: what it refuses, its files recomputed from the lives, and that neither a kill nor threads are seen in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use common::{Csv, Place, TINY, end};
use resonetics_envs::stream::lane_seed;

const LIVES: &str = "agent,dose,episode,seed,steps,survived";
const DOSES: &str = "agent,dose,episodes,survived,mean_life";
const LIMITS: &str = "agent,limit,low,high,method";
/// Lives of some milliseconds.
const QUICK: &str = "limit --agents heuristic,patrol --life 150 --episodes 30 --seed 3 --out out";

#[test]
fn what_cannot_be_asked_is_refused_before_any_work() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 18] = [
        ("--dose mem_drift", &["`mem_drift`", "k8s", "`mem_drift_mu`", "clean_cost", "drift.ramp_factor"]),
        ("--dose ramp_factor", &["`ramp_factor`", "`drift.ramp_factor`"]),
        ("--dose nothing.like.it", &["`nothing.like.it`", "mem_drift_mu"]),
        ("--env gardener --dose mem_drift_mu", &["`mem_drift_mu`", "gardener", "dirt_growth"]),
        ("--dose drift.schedule", &["`drift.schedule`", "no number", "mem_drift_mu"]),
        ("--dose control.enabled", &["`control.enabled`", "no number"]),
        ("--dose drift", &["`drift`", "no number"]),
        ("--dose max_steps", &["`max_steps`", "--life"]),
        ("--dose time_penalty", &["time_penalty = -0.01", "above 0", "--set time_penalty=VALUE"]),
        ("--set mem_drift_mu=0", &["mem_drift_mu = 0", "above 0"]),
        ("--set max_steps=5", &["max_steps=5", "--life"]),
        ("--life 0", &["0", "1 to 1000000000"]),
        ("--env gardener --life 20", &["life 20", "lost.generations"]),
        ("--life=-5", &["-5", "1 to 1000000000"]),
        ("--episodes 0", &["0", "1 to 10000000"]),
        ("--agents patrol,smith", &["`smith`", "random, heuristic, patrol, planner, idle"]),
        ("--agents patrol,patrol", &["`patrol`", "twice"]),
        ("--agents patrol,prophet:none", &["none"]),
    ];
    for (arguments, parts) in cases {
        let said = place.refused(&format!("limit {arguments} --seed 1"));
        for part in parts {
            assert!(said.contains(part), "{arguments}: {part}: {said}");
        }
    }
    place.refused("limit --resume nowhere");
    place.refused("limit --resume nowhere --life 5");
    assert_eq!(place.names(""), Vec::<String>::new());
}

/// Recomputes what is summed up from the lives; yields those at the doses that count.
fn check_files(place: &Place, agents: &[&str], episodes: usize) -> Csv {
    let (lives, doses) = (place.csv("out/lives.csv"), place.csv("out/doses.csv"));
    let limits = place.csv("out/limits.csv");
    assert_eq!([&lives.header, &doses.header, &limits.header].map(String::as_str), [LIVES, DOSES, LIMITS]);
    // Row by row in the order of agents and doses.
    let mut rows = 0;
    for agent in agents {
        let own = doses.only("agent", agent);
        let values = own.numbers("dose");
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{agent}: {values:?}");
        for (row, dose) in own.column("dose").iter().enumerate() {
            let here = lives.only("agent", agent).only("dose", dose);
            let (steps, count) = (here.numbers("steps"), here.numbers("steps").len());
            assert_eq!(own.numbers("episodes")[row], count as f64, "{agent} at {dose}");
            let alive = here.column("survived").iter().filter(|survived| **survived == "true").count();
            assert_eq!(own.numbers("survived")[row], alive as f64, "{agent} at {dose}");
            let mean = steps.iter().sum::<f64>() / count as f64;
            assert!((own.numbers("mean_life")[row] - mean).abs() < 1e-6, "{agent} at {dose}");
            for (i, (number, seed)) in here.column("episode").iter().zip(here.column("seed")).enumerate() {
                assert_eq!((*number, seed), (&*(i + 1).to_string(), &*lane_seed(3, i as u64).to_string()));
            }
            rows += 1;
        }
    }
    assert_eq!(doses.column("agent").len(), rows);
    let methods = ["spearman-karber", "logistic"];
    assert_eq!(limits.column("agent"), agents.iter().flat_map(|agent| [*agent; 2]).collect::<Vec<_>>());
    assert_eq!(limits.column("method"), methods.repeat(agents.len()));
    let whole = doses.only("episodes", &episodes.to_string());
    let of = |agent: &str| whole.only("agent", agent).numbers("dose");
    assert!(agents.iter().all(|agent| of(agent) == of(agents[0])), "all agents at the same doses");
    whole
}

/// Where the line between the shares of survivors, made to fall, comes down to a half.
fn half(doses: &[f64], survived: &[f64], episodes: f64) -> f64 {
    let below = survived.iter().rposition(|&alive| 2.0 * alive >= episodes).unwrap();
    let (high, low) = (survived[below], survived[below + 1]);
    doses[below] + (high - episodes / 2.0) / (high - low) * (doses[below + 1] - doses[below])
}

#[test]
fn the_dose_that_half_survive_is_found() {
    let place = Place::new();
    let ran = place.ok(QUICK);
    let whole = check_files(&place, &["heuristic", "patrol"], 30);
    let limits = place.csv("out/limits.csv");
    let json = place.json("out/limits.json");
    assert_eq!(json["dose"], "mem_drift_mu");
    assert_eq!((&json["life"], &json["episodes"], &json["seed"]), (&150.into(), &30.into(), &3.into()));
    for (number, agent) in ["heuristic", "patrol"].into_iter().enumerate() {
        let own = whole.only("agent", agent);
        let (doses, survived) = (own.numbers("dose"), own.numbers("survived"));
        let step = doses.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        assert!(survived[0] >= 28.0 && survived.last() <= Some(&1.0), "{survived:?}");
        for method in ["spearman-karber", "logistic"] {
            let row = limits.only("agent", agent).only("method", method);
            let [limit, low, high] = ["limit", "low", "high"].map(|name| row.numbers(name)[0]);
            assert!(
                (limit - half(&doses, &survived, 30.0)).abs() <= 2.0 * step,
                "{agent}, {method}: {limit}"
            );
            assert!(low < limit && limit < high, "{agent}, {method}: {low} {limit} {high}");
        }
        let of = &json["agents"][number];
        assert_eq!((&of["agent"], &of["monotone"]), (&agent.into(), &true.into()));
        assert_eq!(of["doses"].as_array().unwrap().len(), doses.len());
        assert!(
            ran.stdout.lines().any(|line| line.starts_with(&format!("{agent} | mem_drift_mu limit 0.0")))
        );
    }
    assert!(ran.stdout.contains("Which agent carries the most drift? k8s: patrol carries the most: "));
    let patrol = limits.only("agent", "patrol").numbers("limit");
    assert!(patrol[0] > limits.only("agent", "heuristic").numbers("limit")[0]);
    // The same from the settings, on any number of threads.
    place.ok("rerun out --out again");
    place.ok(&format!("{} --threads 3", QUICK.replace("--out out", "--out three")));
    for file in ["lives.csv", "doses.csv", "limits.csv", "limits.json", "limit-k8s.svg"] {
        let bytes = place.bytes(&format!("out/{file}"));
        assert!(
            bytes == place.bytes(&format!("again/{file}")) && bytes == place.bytes(&format!("three/{file}"))
        );
    }
}

#[test]
fn a_garden_has_a_limit_and_any_number_can_be_the_dose() {
    let place = Place::new();
    let garden =
        format!("limit --env gardener {TINY} --agents heuristic,idle --episodes 20 --seed 3 --out out");
    let lost = "--set lost.dirt_share=0.4 --set lost.generations=3";
    place.ok(&format!("{garden} --life 80 {lost}"));
    check_files(&place, &["heuristic", "idle"], 20);
    assert_eq!(place.json("out/limits.json")["dose"], "dirt_growth");
    assert!(place.path("out/limit-gardener.svg").exists());
    let limit = |agent: &str| place.csv("out/limits.csv").only("agent", agent).numbers("limit")[0];
    assert!(limit("heuristic") > limit("idle"));
    fs::remove_dir_all(place.path("out")).unwrap();
    // A whole number: none of its doses is a fraction.
    let arguments = "limit --dose height --agents patrol --life 300 --episodes 10 --seed 3 --out out \
        --set mem_drift_mu=0.016";
    place.ok(arguments);
    let doses = place.csv("out/doses.csv");
    assert!(doses.numbers("dose").iter().all(|dose| dose.fract() == 0.0 && (3.0..=64.0).contains(dose)));
    assert!(doses.column("dose").len() == doses.column("dose").iter().collect::<BTreeSet<_>>().len());
}

#[test]
fn where_all_live_or_all_are_lost_there_is_a_bound() {
    let place = Place::new();
    let run = "limit --agents patrol --episodes 10 --seed 3 --out out --dose scale_cost";
    for (settings, bound, words) in
        [("--life 30", "low", "limit above"), ("--life 50 --set mem_drift_mu=0.5", "high", "limit below")]
    {
        let ran = place.ok(&format!("{run} {settings}"));
        let limits = place.csv("out/limits.csv");
        assert_eq!(limits.column("limit"), ["", ""], "{settings}");
        let other = if bound == "low" { "high" } else { "low" };
        assert_eq!(limits.column(other), ["", ""], "{settings}");
        assert!(limits.numbers(bound)[0] > 0.0, "{settings}");
        assert!(ran.stdout.contains(words), "{ran:?}");
        fs::remove_dir_all(place.path("out")).unwrap();
    }
    // More of it keeps a system alive.
    let ran = place
        .ok("limit --agents patrol --episodes 20 --seed 3 --out out --dose budget_recovery --life 400 \
         --set mem_drift_mu=0.016 --set budget_recovery=0.001 --set max_budget=20");
    assert_eq!(place.json("out/limits.json")["agents"][0]["monotone"], false);
    assert!(ran.stdout.contains("not monotone"), "{ran:?}");
}

/// Kills it at shares of the time that it takes alone and resumes it each time.
#[test]
fn a_killed_run_goes_on_as_if_it_had_not_been() {
    let place = Place::new();
    let long =
        |out: &str| format!("limit --agents patrol,planner --life 400 --episodes 60 --seed 3 --out {out}");
    let start = Instant::now();
    place.ok(&long("whole"));
    let alone = start.elapsed();
    let files = ["lives.csv", "doses.csv", "limits.csv", "limits.json", "limit-k8s.svg"];
    let (mut kills, mut met) = (0, 0);
    for shares in [&[0.2_f64][..], &[0.4, 0.3, 0.5], &[0.8]] {
        let mut arguments = long("out");
        for &share in shares {
            let mut child = place.command(&arguments).spawn().unwrap();
            std::thread::sleep(alone.mul_f64(share));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                met += 1;
            }
            end(child, &arguments);
            kills += 1;
            if place.path("out/config.toml").exists() {
                arguments = "limit --resume out".to_owned();
            }
        }
        place.ok(&arguments);
        for file in files {
            assert!(
                place.bytes(&format!("out/{file}")) == place.bytes(&format!("whole/{file}")),
                "{file}, killed at {shares:?} of {alone:?}"
            );
        }
        assert_eq!(place.json("out/run.json")["status"], "finished");
        assert!(place.ok("limit --resume out").stdout.contains("finished: nothing to do"));
        fs::remove_dir_all(place.path("out")).unwrap();
    }
    assert!(2 * met >= kills, "{met} of {kills} kills met a process at work");
}

/// A run that was stopped has no summaries yet, and its last row may be cut.
#[test]
fn what_was_edited_is_not_gone_on_from() {
    let place = Place::new();
    place.ok(QUICK);
    let whole = place.text("out/lives.csv");
    let stopped = |lives: &str| {
        fs::remove_dir_all(place.path("cut")).ok();
        fs::create_dir(place.path("cut")).unwrap();
        for file in ["config.toml", "run.json"] {
            fs::copy(place.path(&format!("out/{file}")), place.path(&format!("cut/{file}"))).unwrap();
        }
        let record = place.text("cut/run.json").replace("\"finished\"", "\"interrupted\"");
        place.write("cut/run.json", record);
        place.write("cut/lives.csv", lives);
    };
    for length in [0, 10, LIVES.len() + 1, 900, whole.len() / 2, whole.len() - 3, whole.len()] {
        stopped(&whole[..length]);
        place.ok("limit --resume cut");
        assert!(place.text("cut/lives.csv") == whole, "{length}");
        assert_eq!(place.text("cut/limits.csv"), place.text("out/limits.csv"));
    }
    let lines: Vec<&str> = whole.lines().collect();
    let without = |row: usize| [&lines[..row], &lines[row + 1..]].concat().join("\n") + "\n";
    for (edited, part) in [
        (without(5), "line 6"),
        (whole.replacen("heuristic", "planner", 1), "line 2"),
        (whole.replacen("true", "maybe", 1), "is no row of agent,dose,"),
        (whole.replacen("dose", "does", 1), "line 1"),
        (format!("{whole}{}\n", lines[1]), "is not what comes there"),
    ] {
        stopped(&edited);
        let said = place.refused("limit --resume cut");
        assert!(said.contains(part), "{part}: {said}");
        assert_eq!(place.text("cut/lives.csv"), edited);
    }
    stopped(&whole[..900]);
    place.write("cut/config.toml", place.text("cut/config.toml").replace("episodes = 30", "episodes = 31"));
    assert!(place.refused("limit --resume cut").contains("has been edited"));
    place.ok("gardener --generations 3 --seed 1 --out garden -q");
    assert!(place.refused("limit --resume garden").contains("not a run of limit"));
}

#[test]
fn an_interrupted_run_keeps_its_lives() {
    let place = Place::new();
    let arguments = "limit --agents patrol,planner --life 100000 --episodes 2000 --seed 3 --out out";
    let child = place.under_way(arguments, "out/lives.csv", 200);
    common::send(&child, rustix::process::Signal::INT);
    let start = Instant::now();
    let ran = end(child, arguments);
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(place.json("out/run.json")["status"], "interrupted");
    assert!(place.csv("out/lives.csv").column("agent").len() > 3);
}
