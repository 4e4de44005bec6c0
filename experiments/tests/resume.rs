//! A training that was killed or interrupted goes on as if it had not been.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;
use std::time::{Duration, Instant};

use common::{Place, SMALL, STEPS, TINY, assert_same, end, send};
use rustix::process::Signal;

const RESUME: &str = "train --resume out --no-monitor";
/// A training that takes minutes.
const LONG: &str = "train --steps 2560000 --seed 1 --out out";

/// Kills `training` (into `out`) at shares of the time that it takes alone, several times one training
/// where a list has several, resumes it, and compares what it leaves. At least half of the kills must
/// have met a process at work.
fn killed(updates: u64, settings: &str, trials: &[&[f64]]) {
    let training = format!("train --steps {} --seed 4 {SMALL} {settings}", updates * STEPS);
    let place = Place::new();
    let start = Instant::now();
    place.ok(&format!("{training} --out whole"));
    let alone = start.elapsed();
    let whole = place.trained("whole");
    let (mut kills, mut met) = (0, 0);
    for shares in trials {
        for &share in *shares {
            let begun = place.path("out/config.toml").exists();
            if !begun && place.path("out").exists() {
                // Killed before its settings were written: there is nothing to go on from.
                fs::remove_dir_all(place.path("out")).unwrap();
            }
            let arguments = if begun { RESUME.to_owned() } else { format!("{training} --out out") };
            let mut child = place.command(&arguments).spawn().unwrap();
            std::thread::sleep(alone.mul_f64(share));
            kills += 1;
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
            }
            let ran = common::Ran::of(child.wait_with_output().unwrap(), &arguments);
            assert!([None, Some(0)].contains(&ran.code), "{ran:?}");
            met += u32::from(ran.code.is_none());
        }
        if place.path("out/config.toml").exists() {
            place.ok(RESUME);
            assert_same(
                &place.trained("out"),
                &whole,
                &format!("{settings}, killed at {shares:?} of {alone:?}"),
            );
            assert_eq!(place.json("out/run.json")["status"], "finished");
        }
        if place.path("out").exists() {
            fs::remove_dir_all(place.path("out")).unwrap();
        }
    }
    assert!(2 * met >= kills, "{met} of {kills} kills met a process at work");
}

#[test]
fn a_killed_cluster_training_with_control_and_drift_is_not_seen_in_its_files() {
    let settings = "--set control.enabled=true --set drift.schedule=regime --set train.checkpoint_every=2";
    let trials: &[&[f64]] = &[
        &[0.0],
        &[0.01, 0.02, 0.04],
        &[0.07],
        &[0.13, 0.21],
        &[0.29],
        &[0.37, 0.19, 0.31],
        &[0.53],
        &[0.61, 0.11],
        &[0.83],
        &[0.23, 0.17, 0.13, 0.29],
    ];
    killed(120, settings, trials);
}

#[test]
fn a_killed_training_under_the_schedule_prophet_is_not_seen_in_its_files() {
    let settings = "--set train.schedule=prophet --set train.kernel.flow=0.1 --set train.kernel.tune=true \
        --set train.kernel.structure=0.01 --set train.kernel.tension=0.01";
    killed(60, settings, &[&[0.03], &[0.17, 0.41], &[0.33], &[0.59, 0.27], &[0.71]]);
}

#[test]
fn a_killed_garden_training_is_not_seen_in_its_files() {
    let settings = format!("--env gardener {TINY} --set max_generations=50 --set control.enabled=true");
    killed(40, &settings, &[&[0.02], &[0.19, 0.37], &[0.43], &[0.57, 0.23], &[0.67]]);
}

/// What gardeners remember goes on where they were, and is cleared where it was.
#[test]
fn a_killed_training_with_a_memory_is_not_seen_in_its_files() {
    let settings = format!(
        "--env gardener {TINY} --set max_generations=50 --set memory.reset_interval=7 --set train.network.memory=6"
    );
    killed(40, &settings, &[&[0.19, 0.37], &[0.43], &[0.67]]);
}

#[test]
fn an_interrupted_training_says_so_and_goes_on() {
    for (signal, code, name) in [(Signal::INT, 130, "SIGINT"), (Signal::TERM, 143, "SIGTERM")] {
        let place = Place::new();
        let training = format!("train --steps {} --seed 2 {SMALL}", 150 * STEPS);
        place.ok(&format!("{training} --out whole"));
        // Behind the first checkpoint.
        let first = "out/checkpoints/step-000000000384.json";
        let child = place.under_way(&format!("{training} --out out"), first, 1);
        send(&child, signal);
        let ran = end(child, &training);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let said: Vec<&str> = ran.stdout.lines().collect();
        assert!(said[0].starts_with("greedy return, mean of 4 episodes: untrained "), "{ran:?}");
        assert_eq!(
            said[1..],
            ["to resume: resonetics train --resume out", "what was done until then is in out"]
        );
        assert_eq!(ran.stderr, format!("error: interrupted by {name}\n"));
        let record = place.json("out/run.json");
        assert_eq!(record["status"], "interrupted");
        // Every row, and no part of one.
        let csv = place.csv("out/training.csv");
        assert_eq!(csv.rows.len(), 1 + place.text("out/timing.jsonl").lines().count());
        assert_eq!(place.ok(RESUME).last_line(), "wrote out");
        assert_same(&place.trained("out"), &place.trained("whole"), name);
        let resumed = place.json("out/run.json");
        assert_eq!((&resumed["status"], &resumed["started_at"]), (&"finished".into(), &record["started_at"]));
        assert_eq!(resumed["resumed_at"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_finished_training_is_left_alone() {
    let place = Place::new();
    place.ok(&format!("train --steps {} --seed 2 {SMALL} --out out", 7 * STEPS));
    let before = place.untouched("out");
    // A write in the same tick of the file system's clock would not be seen.
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(place.ok(RESUME).stdout, "out is finished: nothing to do\n");
    assert!(place.untouched("out") == before);
    // Settings that are edited make no longer training of it.
    let config = place.text("out/config.toml").replace("steps = 896", "steps = 1792");
    place.write("out/config.toml", config);
    let said = place.refused_in("out", RESUME);
    assert!(said.contains("out/config.toml was edited") && said.contains("`steps = 1792`"), "{said}");
}

#[test]
fn two_do_not_train_in_one_directory() {
    let place = Place::new();
    let mut child = place.under_way(&format!("{LONG} {SMALL}"), "out/timing.jsonl", 200);
    let said = place.refused(RESUME);
    assert!(said.contains("another process trains in out"), "{said}");
    assert!(child.try_wait().unwrap().is_none());
    send(&child, Signal::INT);
    assert_eq!(end(child, LONG).code, Some(130));
}

#[test]
fn what_a_kill_left_half_written_is_deleted() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 2 {SMALL}", 60 * STEPS);
    place.ok(&format!("{training} --out whole"));
    let mut child =
        place.under_way(&format!("{training} --out out"), "out/checkpoints/step-000000000768.json", 1);
    child.kill().unwrap();
    child.wait().unwrap();
    for name in [".tmpAb12Cd", "checkpoints/.tmpXyZ", "checkpoints/step-000000000001.safetensors"] {
        place.write(&format!("out/{name}"), "half");
    }
    place.ok(RESUME);
    assert_same(&place.trained("out"), &place.trained("whole"), "half written files");
}

#[test]
fn a_directory_without_its_first_checkpoint_starts_anew() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 2 {SMALL}", 9 * STEPS);
    place.ok(&format!("{training} --out whole"));
    // As a kill leaves it: nothing but settings; a header or a part of it; rows but no checkpoint.
    let record = place.text("whole/run.json").replace("\"finished\"", "\"running\"");
    let csv = place.text("whole/training.csv");
    let rows = |count: usize| csv.split_inclusive('\n').take(1 + count).collect::<String>();
    for (name, left) in [("none", None), ("part", Some("upda".into())), ("header", Some(rows(0)))] {
        let out = format!("out-{name}");
        fs::create_dir(place.path(&out)).unwrap();
        place.write(&format!("{out}/config.toml"), place.bytes("whole/config.toml"));
        place.write(&format!("{out}/run.json"), &record);
        if let Some(left) = left {
            place.write(&format!("{out}/training.csv"), left);
        }
        place.ok(&format!("train --resume {out} --no-monitor"));
        assert_same(&place.trained(&out), &place.trained("whole"), name);
        assert!(!place.names(&out).iter().any(|name| name.contains("before")));
    }
    // Rows are never lost: those of each start are kept. The last one is as a kill leaves it that meets the
    // first checkpoint.
    for (number, left) in [(1, rows(1) + "2,2"), (2, rows(2)), (3, rows(3))] {
        let now = place.path("out");
        if now.exists() {
            fs::remove_dir_all(place.path("out/checkpoints")).unwrap();
        } else {
            fs::create_dir(now).unwrap();
            place.write("out/config.toml", place.bytes("whole/config.toml"));
        }
        place.write("out/run.json", &record);
        place.write("out/training.csv", &left);
        place.write("out/timing.jsonl", "{\"update\":1,\"steps\":128}\n{\"upd");
        let said = place.ok(RESUME).stdout;
        let kept = format!("out/training.csv.before-{number}");
        assert!(said.contains("before its first checkpoint") && said.contains(&kept), "{said}");
        assert_eq!(place.text(&kept), left);
        assert_same(&place.trained("out"), &place.trained("whole"), &kept);
    }
}

#[test]
fn settings_beside_resume_are_refused() {
    let place = Place::new();
    for option in [
        "--env k8s",
        "--seed 1",
        "--learner native",
        "--recipe large",
        "--preset calm",
        "--config a.toml",
        "--set train.gamma=0.5",
        "--out other",
    ] {
        let said = place.refused(&format!("{RESUME} {option}"));
        let name = option.split(' ').next().unwrap();
        assert!(said.contains("cannot be used with") && said.contains(name), "{option}: {said}");
    }
}

#[test]
fn what_is_no_training_is_not_resumed() {
    let place = Place::new();
    let said = place.refused("train --resume missing --no-monitor");
    assert!(said.contains("missing/config.toml") && said.contains("No such file"), "{said}");
    place.ok("benchmark --episodes 2 --seed 1 --out other");
    let said = place.refused_in("other", "train --resume other --no-monitor");
    assert!(said.contains("other is not a training"), "{said}");
}
