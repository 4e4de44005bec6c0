//! The same seed gives the same bytes, on any number of threads; another seed gives others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::{Place, TINY};

/// Commands in which the threads have something to share out.
fn commands() -> [String; 5] {
    [
        format!("gardener --generations 150 --runs 4 {TINY}"),
        "gardener --generations 40 --runs 3 --agent heuristic".to_owned(),
        "benchmark --episodes 150 --agents random,heuristic,planner".to_owned(),
        format!(
            "benchmark --env gardener --agents evolved,random --episodes 5 --set max_generations=90 {TINY}"
        ),
        "controls --episodes 6 --set max_steps=300 --env k8s".to_owned(),
    ]
}

#[test]
fn threads_change_nothing() {
    for command in commands() {
        let place = Place::new();
        let mut all = [1, 2, 5].map(|threads| {
            let ran = place.ok(&format!("{command} --seed 9 --threads {threads} --out {threads} -q"));
            (
                ran.stdout,
                place.csv_files(&threads.to_string()),
                place.bytes(&format!("{threads}/config.toml")),
            )
        });
        all.reverse();
        let [five, two, one] = all;
        assert!(one == two, "{command}: one thread, two threads");
        assert!(one == five, "{command}: one thread, five threads");
    }
}

#[test]
fn both_worlds_of_controls_are_the_same_on_any_threads() {
    let place = Place::new();
    for threads in [1, 5] {
        place.ok(&format!("controls --episodes 3 --seed 4 --threads {threads} --out {threads}"));
    }
    assert!(place.csv_files("1") == place.csv_files("5"));
}

/// Its log tells the speed, which differs; its file does not.
#[test]
fn drift_is_the_same_again_and_another_with_another_seed() {
    let place = Place::new();
    for (name, seed, threads) in [("one", 4, 1), ("five", 4, 5), ("other", 5, 1)] {
        let options = format!("--seed {seed} --threads {threads} --out {name} --no-monitor");
        place.ok(&format!("drift --steps 300 --batch-size 2 {options}"));
    }
    assert!(place.csv_files("one") == place.csv_files("five"));
    assert!(place.csv_files("one") != place.csv_files("other"));
}

#[test]
fn seeds_change_everything() {
    for command in commands() {
        let place = Place::new();
        for seed in [0, 1] {
            place.ok(&format!("{command} --seed {seed} --out {seed}"));
        }
        for ((name, zero), (_, one)) in place.csv_files("0").iter().zip(place.csv_files("1")) {
            assert!(*zero != one, "{command}: {name}");
        }
    }
}

#[test]
fn a_seed_that_was_drawn_is_printed_and_repeats_the_run() {
    for command in commands() {
        let place = Place::new();
        let ran = place.ok(&format!("{command} --out drawn"));
        let first = ran.stdout.lines().next().unwrap();
        let seed: u64 = first.split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(first, format!("seed {seed} was drawn: --seed {seed} repeats this"));
        assert_eq!(place.json("drawn/run.json")["seed"], seed);
        place.ok(&format!("{command} --out typed --seed {seed}"));
        assert!(place.csv_files("drawn") == place.csv_files("typed"), "{command}");
        let again = place.ok(&format!("{command} --out again"));
        assert_ne!(again.stdout.lines().next().unwrap(), first, "drawn twice");
    }
}

#[test]
fn several_runs_have_folders_and_seeds_of_their_own() {
    let place = Place::new();
    let garden = format!("gardener --generations 60 --seed 2 {TINY}");
    place.ok(&format!("{garden} --runs 11 --out all"));
    let folders: Vec<String> = (1..=11).map(|run| format!("run-{run:04}")).collect();
    let folder_names: Vec<_> =
        place.names("all").into_iter().filter(|name| name.starts_with("run-")).collect();
    assert_eq!(folder_names, folders);
    let mut logs: Vec<_> =
        folders.iter().map(|run| place.bytes(&format!("all/{run}/resonetics_data.csv"))).collect();
    // Fewer of them are the same ones, and each alone is the run of its seed.
    place.ok(&format!("{garden} --runs 2 --out two"));
    assert!(place.bytes("two/run-0002/resonetics_data.csv") == logs[1]);
    let seed = place.csv("all/summary.csv").column("seed")[6].to_owned();
    place.ok(&format!("gardener --generations 60 --seed {seed} {TINY} --out alone"));
    assert!(place.bytes("alone/resonetics_data.csv") == logs[6]);
    logs.sort();
    logs.dedup();
    assert_eq!(logs.len(), 11, "two runs are the same");
}

#[test]
fn a_longer_run_begins_with_the_shorter_one() {
    let place = Place::new();
    place.ok(&format!("gardener --generations 50 --seed 2 {TINY} --out short"));
    place.ok(&format!("gardener --generations 80 --seed 2 {TINY} --out long"));
    let log = |name: &str| place.text(&format!("{name}/resonetics_data.csv"));
    assert!(log("long").starts_with(&log("short")));
}

#[test]
fn control_matters() {
    let place = Place::new();
    let garden = format!("gardener --generations 100 --seed 2 {TINY}");
    place.ok(&format!("{garden} --out on"));
    place.ok(&format!("{garden} --no-control --out off"));
    place.ok(&format!("{garden} --set control.enabled=false --out set"));
    assert!(place.csv_files("on") != place.csv_files("off"));
    assert!(place.csv_files("set") == place.csv_files("off"));
}
