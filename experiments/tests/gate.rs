//! The gate fires where something is wrong and not where nothing is; what it does is replayed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;
use std::time::Duration;

use common::{Place, Ran, SMALL, STEPS, assert_same, end, wait_until};
use serde_json::Value;

/// Where the gate of a run went, in the order of its events.
fn states(place: &Place, run: &str) -> Vec<String> {
    let log = place.text(&format!("{run}/events.jsonl"));
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let reasons = events.filter_map(|event| Some(event["reason"].as_str()?.to_owned()));
    reasons.filter_map(|reason| Some(reason.strip_prefix("gate ")?.to_owned())).collect()
}

/// Settings of a training with checkpoints enough to go back to.
const KEEPS: &str = "--set train.checkpoint_every=4 --set train.keep=12 --set train.eval_episodes=8";

/// Plays a training of 300 updates, and once it has gone 100 tells it `fault`, if that is anything.
fn trained(place: &Place, name: &str, settings: &str, fault: &str) -> Ran {
    let training = format!("train --steps {} {SMALL} {KEEPS} {settings} --out {name}", 300 * STEPS);
    let child = place.command(&training).spawn().unwrap();
    let rows = || {
        fs::read_to_string(place.path(&format!("{name}/timing.jsonl"))).unwrap_or_default().lines().count()
    };
    if !fault.is_empty() {
        wait_until(|| rows() >= 100);
        wait_until(|| place.run(&format!("lumen ctl {name} {fault}")).code == Some(0));
    }
    end(child, &training)
}

/// What `by` told a run: the commands' names.
fn told(place: &Place, run: &str, by: &str) -> Vec<String> {
    let record = fs::read_to_string(place.path(&format!("{run}/commands.jsonl"))).unwrap_or_default();
    let lines = record.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["by"] == by).map(|line| line["cmd"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn faults_in_a_training_trip_the_gate_and_acting_it_goes_back() {
    let place = Place::new();
    for (name, settings, fault) in [
        ("rate", "--seed 4", "gain.scale 100"),
        ("drift", "--seed 4 --preset storm", "knob.set mem_drift_mu=0.04"),
        // The weight of the loss: the gradient is no number.
        ("nan", "--seed 4 --set train.max_grad_norm=1000000", "gain.scale 1000"),
    ] {
        let warned = trained(&place, &format!("{name}-warn"), &format!("{settings} --gate warn"), fault);
        assert_eq!(warned.code, Some(0), "{name}: {warned:?}");
        assert!(warned.stderr.contains("the gate is TRIPPED"), "{name}: {warned:?}");
        let states = states(&place, &format!("{name}-warn"));
        assert_eq!(states.first().map(String::as_str), Some("TRIPPED"), "{name}");
        assert!(told(&place, &format!("{name}-warn"), "gate").is_empty(), "{name}: it acts");
        let acted = trained(&place, &format!("{name}-act"), &format!("{settings} --gate act"), fault);
        let told = told(&place, &format!("{name}-act"), "gate");
        let ways: Vec<&str> = told.iter().map(String::as_str).collect();
        assert!(ways.contains(&"observe.on"), "{name}: {ways:?} {acted:?}");
        match acted.code {
            Some(0) => {}
            // It gave up, with the reason, and everything is kept.
            Some(1) => {
                assert!(acted.stderr.contains("the gate gave up: it went back 3 times"), "{name}: {acted:?}");
                assert_eq!(place.json(&format!("{name}-act/run.json"))["status"], "failed");
                assert_eq!(ways.last(), Some(&"give.up"));
            }
            _ => panic!("{name}: {acted:?}"),
        }
        // Repeated, it does the same.
        let again = place.run(&format!("rerun {name}-act --out {name}-again"));
        assert_eq!(again.code, acted.code, "{name}: {again:?}");
        let log = |side: &str| place.bytes(&format!("{name}-{side}/training.csv"));
        assert!(log("again") == log("act"), "{name}");
    }
}

#[test]
fn healthy_trainings_gardens_and_clusters_trip_nothing() {
    let place = Place::new();
    for seed in 1..=20 {
        let training = format!("train-{seed}");
        trained(&place, &training, &format!("--seed {seed} --gate act"), "");
        assert!(states(&place, &training).is_empty(), "{training}");
        let garden = format!("garden-{seed}");
        place.ok(&format!(
            "gardener --generations 400 --seed {seed} --agent heuristic --gate act --out {garden}"
        ));
        assert!(states(&place, &garden).is_empty(), "{garden}");
    }
    place.ok("benchmark --episodes 20 --seed 1 --agents heuristic --gate warn --out clusters");
    assert!(states(&place, "clusters").is_empty());
}

#[test]
fn a_drift_of_five_times_trips_the_gate_of_a_garden_and_of_clusters() {
    let place = Place::new();
    let garden = "gardener --generations 1500 --seed 1 --agent evolved --gate warn --out garden";
    let ran = place.run(garden);
    assert_eq!(ran.code, Some(0));
    assert!(states(&place, "garden").contains(&"TRIPPED".to_owned()), "{ran:?}");
    place.ok("benchmark --episodes 20 --seed 1 --agents heuristic --set mem_drift_mu=0.025 --gate warn --out clusters");
    let tripped = states(&place, "clusters").iter().filter(|state| *state == "TRIPPED").count();
    // The others are lost within 15 steps of passing 0.85.
    assert!(tripped >= 10, "{tripped} of 20");
}

/// Killed again and again while its gate acts, a training ends with the bytes of its own repetition.
#[test]
fn what_the_gate_did_survives_kills() {
    let place = Place::new();
    let training = format!(
        "train --steps {} --seed 4 {SMALL} {KEEPS} --set train.max_rollbacks=9 --gate act --out out",
        400 * STEPS
    );
    let resume = "train --resume out --no-monitor";
    let mut child = place.command(&training).spawn().unwrap();
    let rows = || fs::read_to_string(place.path("out/timing.jsonl")).unwrap_or_default().lines().count();
    wait_until(|| rows() >= 60);
    wait_until(|| place.run("lumen ctl out gain.scale 100").code == Some(0));
    for kill in 0..8_u64 {
        std::thread::sleep(Duration::from_millis(60 + 37 * kill % 90));
        child.kill().unwrap();
        child.wait_with_output().unwrap();
        child = place.command(resume).spawn().unwrap();
    }
    let ran = end(child, resume);
    assert!([Some(0), Some(1)].contains(&ran.code), "{ran:?}");
    assert!(told(&place, "out", "gate").iter().any(|cmd| cmd == "rollback.to"));
    for threads in [1, 2] {
        let again = format!("again-{threads}");
        place.run(&format!("rerun out --threads {threads} --out {again}"));
        let kept = |run: &str| {
            let mut files = place.trained(run);
            files.retain(|name, _| {
                !["commands.jsonl", "events.jsonl", "metrics.csv"].contains(&name.as_str())
            });
            files
        };
        assert_same(&kept(&again), &kept("out"), &again);
    }
}

/// A fault, the level rises, the gate warns; told to act, it goes back; then it is told to be quiet, and the run comes to
/// its end.
#[test]
fn a_run_is_watched_from_some_moment_on_and_no_more_from_another() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 4 {SMALL} {KEEPS} --out out", 3000 * STEPS);
    let child = place.command(&training).spawn().unwrap();
    wait_until(|| place.run("lumen up out").code == Some(0));
    let events = || fs::read_to_string(place.path("out/events.jsonl")).unwrap_or_default();
    wait_until(|| events().contains("\"observe\""));
    place.ok("lumen ctl out gain.scale 100");
    wait_until(|| events().contains("level ALERT") && events().contains("gate TRIPPED"));
    assert!(!events().contains("gate HOLD"));
    place.ok("lumen up out --gate act");
    wait_until(|| events().contains("gate PROBATION"));
    place.ok("lumen down out");
    let then = events();
    place.ok("lumen ctl out gain.scale 0.01");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(events(), then);
    place.ok("lumen ctl out stop");
    assert_eq!(end(child, &training).code, Some(130));
}
