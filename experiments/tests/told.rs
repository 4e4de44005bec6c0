//! Runs that are told something while they are at work: it takes effect at a moment of their own clock, is on record, and is
//! done again by whoever goes on with the run or repeats it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;
use std::process::Child;
use std::time::Duration;

use common::{Place, Ran, SMALL, STEPS, TINY, assert_same, end, wait_until};
use serde_json::Value;

/// The lines of a record, commands and results.
fn record(place: &Place, dir: &str) -> Vec<Value> {
    let text = place.text(&format!("{dir}/commands.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn commands(record: &[Value]) -> Vec<&Value> {
    record.iter().filter(|line| line.get("cmd").is_some()).collect()
}

/// Waits until `dir` listens, tells it something, and yields the clock at which that took effect.
fn tell(place: &Place, dir: &str, command: &str) -> u64 {
    let ran = told(place, dir, command);
    let answer = ran.json();
    assert_eq!(answer["done"], true, "{command}: {ran:?}");
    answer["clock"].as_u64().unwrap()
}

fn told(place: &Place, dir: &str, command: &str) -> Ran {
    let ctl = format!("lumen ctl {dir} {command} --json");
    let last = std::cell::RefCell::new(None);
    wait_until(|| {
        let ran = place.run(&ctl);
        // It may just be starting.
        let waits = ran.stderr.contains("listens to nobody")
            || ran.stderr.contains("no process")
            || ran.stderr.contains("is no run");
        *last.borrow_mut() = Some(ran);
        !waits
    });
    last.into_inner().unwrap()
}

/// What remains of a training but for when it was told what.
fn trained(place: &Place, dir: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut files = place.trained(dir);
    files.remove("commands.jsonl").unwrap();
    files
}

/// A number between 0 and 1, another each time.
fn draw(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

/// Thirty commands at moments that nobody chose, and ten kills: what is left is what two unbroken replays of the record leave,
/// on one thread and on two.
#[test]
fn commands_and_kills_are_replayed_to_the_same_bytes() {
    let place = Place::new();
    let training = format!(
        "train --steps {} --seed 4 {SMALL} --set control.enabled=true --set train.max_rollbacks=9 --set train.keep=4 \
         --threads 2 --out out",
        2400 * STEPS
    );
    let resume = "train --resume out --no-monitor --threads 1";
    let mut child = place.command(&training).spawn().unwrap();
    let mut seed = 7;
    let all = [
        "knob.set train.entropy=0.02",
        "gain.scale 0.7",
        "knob.set mem_drift_mu=0.012",
        "loop.set hz=3 batch=8",
        "checkpoint.now",
        "control.off",
        "observe.on",
        "knob.set train.clip=0.3",
        "observe.off",
        "control.on",
        "gain.scale 1.5",
        "back",
        "knob.set control.min_alpha=0.4",
        "knob.set train.learning_rate=0.002",
        "checkpoint.now",
    ];
    for (number, command) in all.iter().chain(&all).enumerate() {
        std::thread::sleep(Duration::from_millis((60.0 * draw(&mut seed)) as u64));
        if *command == "back" {
            // While it is paused no checkpoint goes.
            tell(&place, "out", "pause");
            let refused = told(&place, "out", "rollback.to 1").stderr;
            let kept: Vec<&str> = refused.rsplit("there are ").next().unwrap().trim().split(", ").collect();
            tell(&place, "out", &format!("rollback.to {}", kept[kept.len() / 2]));
            tell(&place, "out", "continue");
        } else {
            tell(&place, "out", command);
        }
        if number % 3 == 2 {
            std::thread::sleep(Duration::from_millis((40.0 * draw(&mut seed)) as u64));
            child.kill().unwrap();
            child.wait_with_output().unwrap();
            child = place.command(resume).spawn().unwrap();
        }
    }
    let ran = end(child, resume);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = record(&place, "out");
    let told = commands(&lines);
    assert_eq!(told.len(), 34);
    assert!(told.iter().any(|line| line["cmd"] == "rollback.to"), "{told:?}");
    assert!(told.windows(2).all(|two| two[0]["clock"].as_u64() <= two[1]["clock"].as_u64()));
    let last = told.last().unwrap()["clock"].as_u64().unwrap();
    assert!(last < 2400, "the last one came at {last}: the training is too short for this test");
    for threads in [1, 2] {
        let again = format!("again-{threads}");
        let ran = place.ok(&format!("rerun out --threads {threads} --out {again}"));
        assert!(
            ran.stdout.contains(&format!("replays what out was told: {} commands", told.len())),
            "{ran:?}"
        );
        assert_same(&trained(&place, &again), &trained(&place, "out"), &again);
    }
    // It did make a difference.
    let plain = training.replace("--out out", "--out plain");
    place.ok(&plain);
    assert_ne!(place.text("plain/training.csv"), place.text("out/training.csv"));
}

#[test]
fn a_garden_is_told_and_repeated() {
    let place = Place::new();
    let garden = format!("gardener --generations 60000 --seed 3 --agent heuristic {TINY} --out out");
    let child = place.under_way(&garden, "out/resonetics_data.csv", 1);
    let clocks = [
        tell(&place, "out", "knob.set dirt_growth=0.05"),
        tell(&place, "out", "control.off"),
        tell(&place, "out", "gain.scale 0.5 --by someone --note tried"),
        tell(&place, "out", "control.on"),
    ];
    assert!(clocks.is_sorted() && clocks[0] > 0, "{clocks:?}");
    for (refused, why) in [
        ("checkpoint.now", "no training"),
        ("knob.set grid_size=9", "shapes the world"),
        ("knob.set nothing=9", "nothing"),
        ("knob.set dirt_growth=9", "allowed"),
    ] {
        let ran = told(&place, "out", refused);
        assert!(ran.code == Some(2) && ran.stderr.contains(why), "{refused}: {ran:?}");
    }
    assert_eq!(end(child, &garden).code, Some(0));
    let printed = place.ok("lumen ctl out").stdout;
    assert!(printed.contains("| gain.scale factor=0.5 | someone (tried) | from generation "), "{printed}");
    assert_eq!(printed.lines().count(), 4);
    place.ok("rerun out --out again");
    assert_eq!(place.csv_files("again"), place.csv_files("out"));
    place.ok(&garden.replace("--out out", "--out plain"));
    assert_ne!(place.csv_files("plain"), place.csv_files("out"));
}

/// What the clusters of now cannot go on under, and keys with blanks, are refused before they are on record.
#[test]
fn what_would_end_the_run_is_refused() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 4 {SMALL} --out out", 20_000 * STEPS);
    let child = place.command(&training).spawn().unwrap();
    tell(&place, "out", "gain.scale 0.5");
    let before = place.text("out/commands.jsonl");
    for (words, why) in [
        (&["knob.set", "max_budget=1"][..], "does not fit"),
        (&["knob.set", " height=8"], "is no setting"),
        (&["knob.set", "train.entropy=0.01\nnum_envs=8"], "is no setting"),
        (&["gain.scale", "0.5", "--by", "gate"], "neither `gate`"),
        (&["gain.scale", "0.5", "--by", "7"], "is no number"),
        (&["gain.scale", "0.5", "--note", "\u{1b}[2J"], "no control characters"),
    ] {
        let ran = place.run_of(&[&["lumen", "ctl", "out"], words].concat());
        assert!(ran.code == Some(2) && ran.stderr.contains(why), "{words:?}: {ran:?}");
    }
    assert_eq!(place.text("out/commands.jsonl"), before);
    // Watched from a moment at which no checkpoint is.
    tell(&place, "out", "pause");
    for _ in 0..3 {
        place.ok("lumen up out");
        place.ok("lumen down out");
        tell(&place, "out", "continue");
        tell(&place, "out", "pause");
    }
    tell(&place, "out", "stop");
    stopped(child);
}

#[test]
fn paused_stopped_and_locked() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 4 {SMALL} --out out", 20_000 * STEPS);
    let child = place.command(&training).spawn().unwrap();
    let at = tell(&place, "out", "pause");
    let rows = || place.bytes("out/timing.jsonl").len();
    let then = rows();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(rows(), then, "it goes on though it is paused");
    // What is told meanwhile takes effect at the same moment.
    assert_eq!(tell(&place, "out", "gain.scale 0.5"), at);
    assert_eq!(tell(&place, "out", "continue"), at);
    wait_until(|| rows() > then);
    tell(&place, "out", "gateway.lock");
    let locked = told(&place, "out", "gain.scale 2");
    assert!(locked.code == Some(2) && locked.stderr.contains("locked"), "{locked:?}");
    tell(&place, "out", "stop");
    let ran = end(child, &training);
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert_eq!(place.json("out/run.json")["status"], "interrupted");
    assert!(place.refused("lumen ctl out pause").contains("it is `interrupted`"));
    // A second writer is refused by the lock, and the record is as it was.
    let before = place.text("out/commands.jsonl");
    let child = place.command("train --resume out --no-monitor").spawn().unwrap();
    let locked = told(&place, "out", "pause");
    assert!(locked.stderr.contains("locked"), "{locked:?}");
    tell(&place, "out", "stop");
    stopped(child);
    assert!(place.text("out/commands.jsonl").starts_with(&before));
    // Changed, it is refused, and the run is as it was.
    let record = place.text("out/commands.jsonl");
    place.write("out/commands.jsonl", record.replace("\"factor\":0.5", "\"factor\":0.6"));
    let untouched = place.untouched("out");
    let refused = place.run("train --resume out --no-monitor");
    assert!(refused.code == Some(2) && refused.stderr.contains("commands.jsonl, line 4"), "{refused:?}");
    for name in ["config.toml", "training.csv", "commands.jsonl"] {
        assert_eq!(place.untouched("out")[name], untouched[name], "{name}");
    }
}

fn stopped(child: Child) {
    assert_eq!(end(child, "the resumed training").code, Some(130));
}

#[test]
fn who_is_no_run_is_not_told() {
    let place = Place::new();
    assert!(place.refused("lumen ctl nothing pause").contains("no run"));
    place.ok(&format!("train --steps {} --seed 4 {SMALL} --out out", 4 * STEPS));
    assert!(place.refused("lumen ctl out pause").contains("it is `finished`"));
    assert!(place.refused("lumen ctl out reboot").contains("known are checkpoint.now"));
    assert_eq!(place.ok("lumen ctl out").stdout, "");
    assert!(!fs::exists(place.path("out/commands.jsonl")).unwrap());
}
