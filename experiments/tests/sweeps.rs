//! `sweep`: a training in each cell as it is alone, one table of them, and that it goes on after any kill.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;
use std::time::Duration;

use common::{Place, end, send};
use rustix::process::Signal;

/// Four choices with two seeds each.
const PLAN: &str = "steps = 6000\nseeds = [3, 4]\nevaluate = 10\nevaluation_seed = 7\n[settings]\nmax_steps = 100\n\
    train.checkpoint_every = 2\n[grid]\ntrain.learning_rate = [0.001, 0.003]\nmem_drift_mu = [0.01, 0.03]\n";

/// The tables, and of each cell what does not depend on when and where it was trained.
fn outcome(place: &Place, dir: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = vec!["table.csv".to_owned(), "groups.csv".to_owned()];
    for key in place.names(&format!("{dir}/cells")) {
        for name in ["training.csv", "evaluation.json", "config.toml", "checkpoints/best.safetensors"] {
            files.push(format!("cells/{key}/{name}"));
        }
    }
    files.into_iter().map(|name| (name.clone(), place.bytes(&format!("{dir}/{name}")))).collect()
}

#[test]
fn cells_are_the_trainings_that_they_say() {
    let place = Place::new();
    place.write("plan.toml", PLAN);
    let listed = place.ok("sweep plan.toml --list").stdout;
    let cells: Vec<(&str, &str)> = listed.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!(cells.len(), 8);
    assert_eq!(cells[0].1, "train.learning_rate=0.001 mem_drift_mu=0.01 seed=3");
    assert!(!place.path("runs").exists(), "a list makes nothing");
    let said = place.ok("sweep plan.toml --out out --threads 2").stdout;
    assert!(
        said.contains("mean return of each training, in 10 fresh episodes; the best 4 choices:"),
        "{said}"
    );
    let table = place.csv("out/table.csv");
    assert_eq!(table.column("key"), cells.iter().map(|cell| cell.0).collect::<Vec<_>>());
    assert_eq!(
        table.column("mem_drift_mu"),
        ["0.01", "0.01", "0.03", "0.03", "0.01", "0.01", "0.03", "0.03"]
    );
    assert_eq!(table.column("seed"), ["3", "4", "3", "4", "3", "4", "3", "4"]);

    // The sixth of them alone.
    let (key, alone) =
        (cells[5].0, "--set max_steps=100 --set train.checkpoint_every=2 --set train.learning_rate=0.003");
    place
        .ok(&format!("train --no-monitor --steps 6000 --seed 4 {alone} --set mem_drift_mu=0.01 --out alone"));
    let cell = format!("out/cells/{key}");
    assert_eq!(place.bytes("alone/training.csv"), place.bytes(&format!("{cell}/training.csv")));
    assert_eq!(place.bytes("alone/config.toml"), place.bytes(&format!("{cell}/config.toml")));
    place.ok("eval --run alone --episodes 10 --seed 7 --out eval --quiet");
    let (eval, row) = (place.json("eval/eval.json"), place.json(&format!("{cell}/evaluation.json")));
    for name in ["return_mean", "return_low", "return_high", "steps_mean", "lost"] {
        let there = match name {
            "lost" => &eval["terminated"],
            "return_low" => &eval["return_mean_low"],
            "return_high" => &eval["return_mean_high"],
            name => &eval[name],
        };
        assert_eq!(&row[name], there, "{name}");
        assert!((table.numbers(name)[5] - there.as_f64().unwrap()).abs() < 1e-6, "{name}");
    }
    let greedy: Vec<f64> = place
        .csv("alone/training.csv")
        .column("greedy_return")
        .iter()
        .skip(1)
        .filter_map(|cell| cell.parse().ok())
        .collect();
    assert!((table.numbers("greedy_best")[5] - greedy.iter().copied().fold(f64::MIN, f64::max)).abs() < 1e-6);

    // A group is the mean of its trainings.
    let groups = place.csv("out/groups.csv");
    let returns = table.numbers("return_mean");
    for (group, found) in groups.numbers("return_mean").into_iter().enumerate() {
        let mean = f64::midpoint(returns[2 * group], returns[2 * group + 1]);
        assert!((found - mean).abs() < 2e-6, "{found}, expected {mean}");
    }
    // Of two values the interval of Student's t is the mean +- 12.7062 halves of what they lie apart.
    let half = 12.706_204_7 * (returns[0] - returns[1]).abs() / 2.0;
    let [low, high] = ["return_low", "return_high"].map(|name| groups.numbers(name)[0]);
    assert!((high - low - 2.0 * half).abs() < 1e-4 * (1.0 + half), "{low} to {high}, expected +- {half}");
    assert!(place.ok("sweep --resume out").stdout.contains("is finished: nothing to do"));
    assert!(place.ok("analyze out").stdout.contains("train.learning_rate"));
}

#[test]
fn what_was_killed_goes_on_and_ends_alike() {
    let (whole, killed) = (Place::new(), Place::new());
    for place in [&whole, &killed] {
        place.write("plan.toml", PLAN);
    }
    whole.ok("sweep plan.toml --out out --threads 2 --quiet");
    let key = whole.csv("out/table.csv").column("key")[0].to_owned();
    let mut child = killed.under_way(
        "sweep plan.toml --out out --threads 1",
        &format!("out/cells/{key}/training.csv"),
        400,
    );
    let said = killed.refused("sweep --resume out");
    assert!(said.contains("another process is at work in out"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    // Killed and interrupted at many moments, with one thread and with two.
    for (round, wait) in [5, 40, 90, 15, 60].into_iter().enumerate() {
        let mut command = killed.command(&format!("sweep --resume out --quiet --threads {}", 1 + round % 2));
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        if round % 2 == 0 {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            send(&child, Signal::TERM);
            end(child, "sweep");
        }
    }
    killed.ok("sweep --resume out --quiet --threads 2");
    let (found, expected) = (outcome(&killed, "out"), outcome(&whole, "out"));
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found == expected, "{} differs", found.0);
    }
    assert_eq!(found.len(), expected.len());
}

/// A cell that fails holds up no other; a cell gone is trained again; an evaluation that is damaged is told.
#[test]
fn one_cell_fails_alone() {
    let place = Place::new();
    // The second one's folder cannot be a run.
    place.write("plan.toml", "steps = 2048\nseeds = [1, 2, 3]\nevaluate = 4\n[settings]\nmax_steps = 50\n");
    let listed = place.ok("sweep plan.toml --list").stdout;
    let keys: Vec<&str> = listed.lines().map(|line| line.split_once(' ').unwrap().0).collect();
    place.ok("sweep plan.toml --out out --quiet");
    let before = place.bytes("out/table.csv");
    fs::remove_dir_all(place.path(&format!("out/cells/{}", keys[0]))).unwrap();
    fs::remove_dir_all(place.path(&format!("out/cells/{}", keys[1]))).unwrap();
    place.write(&format!("out/cells/{}", keys[1]), "in the way");
    // As if it had been killed.
    let record = place.text("out/run.json").replace("\"finished\"", "\"running\"");
    place.write("out/run.json", record);
    let ran = place.run("sweep --resume out");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains(&format!("seed=2 ({}): ", keys[1])), "{ran:?}");
    assert_eq!(place.csv("out/table.csv").column("seed"), ["1", "3"]);
    fs::remove_file(place.path(&format!("out/cells/{}", keys[1]))).unwrap();
    place.ok("sweep --resume out --quiet");
    assert_eq!(place.bytes("out/table.csv"), before);
}

#[test]
fn what_is_no_plan_is_refused() {
    let place = Place::new();
    place.write("plan.toml", "steps = 2048\n[grid]\nmem_drift = [0.1]\n");
    for (arguments, words) in [
        ("sweep", "<PLAN>"),
        ("sweep nowhere.toml", "cannot read nowhere.toml"),
        (
            "sweep plan.toml",
            "plan.toml: the plan: `mem_drift = 0.1`: unknown key; did you mean `mem_drift_mu`?",
        ),
        ("sweep plan.toml --resume out", "cannot be used with"),
        ("sweep --resume nowhere", "cannot read nowhere"),
    ] {
        let said = place.refused(arguments);
        assert!(said.contains(words), "{arguments}: {said}");
    }
    assert!(!place.path("runs").exists());
}
