//! `lumen lab fork`: the other future of a run beside its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::{Place, SMALL, STEPS, TINY};

fn fork(place: &Place, words: &str) -> serde_json::Value {
    place.ok(&format!("lumen lab fork {words}"));
    let dir = words.rsplit("--out ").next().unwrap();
    place.json(&format!("{dir}/fork.json"))
}

/// Who really did it from the start with that setting from that moment on is the oracle: a run that was told so.
#[test]
fn a_garden_forks_into_what_it_would_have_been() {
    let place = Place::new();
    place.ok(&format!("gardener --generations 300 --seed 3 --agent heuristic {TINY} --out out"));
    let report = fork(&place, "out --at 100 --set dirt_growth=0.2 --out fork");
    assert_eq!((&report["at"], &report["unit"]), (&100.into(), &"generation".into()));
    assert!(report["what"][0].as_str().unwrap().starts_with("dirt_growth 0.2 instead of "), "{report}");
    assert_eq!(report["first_difference"], 101);
    let [ours, theirs] = ["out", "fork/changed"].map(|dir| place.csv(&format!("{dir}/resonetics_data.csv")));
    assert_eq!(ours.rows[..100], theirs.rows[..100]);
    assert_ne!(ours.rows[100], theirs.rows[100]);
    // The table is the two runs side by side.
    let table = place.csv("fork/fork.csv");
    assert_eq!(table.rows.len(), 200);
    let cells = 64.0;
    for (row, (before, after)) in
        ours.numbers("Total_Entropy")[100..].iter().zip(&theirs.numbers("Total_Entropy")[100..]).enumerate()
    {
        let [unchanged, changed] =
            ["unchanged", "changed"].map(|side| table.numbers(&format!("Total_Entropy_{side}"))[row]);
        assert!((unchanged - before / cells).abs() < 1e-6 && (changed - after / cells).abs() < 1e-6, "{row}");
    }
    assert!(place.text("fork/fork.svg").contains("dirt of a cell"));
    // With the setting that it had, nothing changes.
    let growth = report["what"][0].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    let ran = place.ok(&format!("lumen lab fork out --at 100 --set dirt_growth={growth} --out same"));
    assert!(ran.stdout.contains("both futures are the same"), "{ran:?}");
}

#[test]
fn a_training_forks_from_its_checkpoints_or_from_its_start() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 4 {SMALL} --set train.eval_every=1", 30 * STEPS);
    place.ok(&format!("{training} --out out"));
    // Checkpoints of the updates 24, 27 and 30 are kept.
    for (at, name) in [(25, "late"), (7, "early")] {
        let report = fork(&place, &format!("out --at {at} --set train.entropy=1.5 --out {name}"));
        assert_eq!(report["first_difference"], at + 1, "{report}");
        let [ours, theirs] =
            ["out", &format!("{name}/changed")].map(|dir| place.csv(&format!("{dir}/training.csv")));
        let at = at as usize + 1;
        assert_eq!(ours.rows[..at], theirs.rows[..at]);
        assert_eq!(ours.rows.len(), theirs.rows.len());
        assert_ne!(ours.rows[at..], theirs.rows[at..]);
    }
    // From a checkpoint or not, the future is the same one.
    let played = |name: &str| place.text(&format!("{name}/changed/training.csv"));
    fork(&place, "out --at 25 --set train.entropy=1.5 --out again");
    std::fs::remove_file(place.path("out/checkpoints/step-000000003072.json")).unwrap();
    fork(&place, "out --at 25 --set train.entropy=1.5 --out from-start");
    assert_eq!((played("again"), played("from-start")), (played("late"), played("late")));
    // And it can be repeated like any run.
    place.ok("rerun late/changed --out repeated");
}

#[test]
fn what_a_run_was_told_can_be_left_out() {
    let place = Place::new();
    let plain = format!("gardener --generations 40000 --seed 3 --agent heuristic {TINY}");
    let child = place.under_way(&format!("{plain} --out out"), "out/resonetics_data.csv", 1);
    common::wait_until(|| place.run("lumen ctl out knob.set dirt_growth=0.2 --by someone").code == Some(0));
    assert_eq!(common::end(child, &plain).code, Some(0));
    place.ok(&format!("{plain} --out plain"));
    for (number, name) in ["someone", "1"].into_iter().enumerate() {
        fork(&place, &format!("out --without {name} --out fork-{number}"));
        let without = format!("fork-{number}/changed/resonetics_data.csv");
        assert!(place.bytes(&without) == place.bytes("plain/resonetics_data.csv"), "{name}");
    }
    assert!(place.refused("lumen lab fork out --without nobody --out x").contains("was told nothing"));
}

#[test]
fn what_cannot_be_forked_is_refused() {
    let place = Place::new();
    place.ok(&format!("gardener --generations 30 --seed 3 --agent heuristic {TINY} --out out"));
    place.ok("benchmark --episodes 2 --seed 3 --agents random --out cards");
    for (words, why) in [
        ("out", "needs a difference"),
        ("out --set dirt_growth=0.1", "needs --at"),
        ("out --at 3 --set grid_size=9", "shapes the world"),
        ("out --at 30 --set dirt_growth=0.1", "the run ends at 30"),
        ("out --at 3 --set dirt_growth=9", "allowed"),
        ("out --at 3 --set train.clip=0.1", "no training"),
        ("cards --at 3 --set mem_drift_mu=0.1", "neither a training nor a single garden"),
        ("nothing --at 3 --set mem_drift_mu=0.1", "nothing"),
    ] {
        let told = place.refused(&format!("lumen lab fork {words} --out x"));
        assert!(told.contains(why), "{words}: {told}");
    }
}

/// A run that its gate gave up has another future without the gate; and so has a garden that its gate put into survival.
#[test]
fn what_would_have_come_without_the_gate_is_played() {
    let place = Place::new();
    let keeps = "--set train.checkpoint_every=4 --set train.keep=12 --set train.max_rollbacks=0";
    let training = format!("train --steps {} --seed 4 {SMALL} {keeps} --gate act --out out", 1500 * STEPS);
    // Once it has learned something that can be lost.
    let child = place.under_way(&training, "out/timing.jsonl", 7_000);
    common::wait_until(|| place.run("lumen ctl out gain.scale 100").code == Some(0));
    let ran = common::end(child, &training);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let played = place.run("lumen lab fork out --without gate --out fork");
    assert_eq!(played.code, Some(0), "{played:?}");
    let ends = place.csv("fork/changed/training.csv").numbers("update").last().copied();
    assert_eq!(ends, Some(1500.0));
    assert!(!place.text("fork/changed/commands.jsonl").contains("\"by\":\"gate\""));
    let garden = "gardener --generations 300 --seed 3 --agent heuristic --gate act --set lumen.gate.residual_max=0.05 --out garden";
    let ran = place.run(garden);
    assert!(ran.code == Some(0) && ran.stderr.contains("PROBATION"), "{ran:?}");
    let played = place.run("lumen lab fork garden --without gate --out fork-garden");
    assert_eq!(played.code, Some(0), "{played:?}");
    place.ok("gardener --generations 300 --seed 3 --agent heuristic --out plain");
    let data = |run: &str| place.bytes(&format!("{run}/resonetics_data.csv"));
    assert!(data("fork-garden/changed") == data("plain"));
}
