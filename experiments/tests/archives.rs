//! Runs that are frozen, restored elsewhere and gone on with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Place, SMALL, STEPS, TINY, assert_same, send, wait_until};
use rustix::process::Signal;

/// What must be the same of a training, wherever and however often it was gone on with: its tables and checkpoints.
/// metrics.csv tells the time.
fn counted(place: &Place, dir: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = place.files(dir);
    files.retain(|name, _| {
        let path = Path::new(name);
        let ending = path.extension().unwrap_or_default();
        (ending == "csv" || ending == "safetensors") && name != "metrics.csv"
    });
    files
}

/// The folder that `lumen freeze` says that it wrote.
fn frozen(place: &Place, arguments: &str) -> String {
    let ran = place.ok(&format!("lumen freeze {arguments}"));
    ran.last_line().strip_prefix("wrote ").unwrap_or_else(|| panic!("{ran:?}")).to_owned()
}

/// The events of windows, without what only a moment or a folder knows.
fn windows(place: &Place, dir: &str) -> Vec<serde_json::Value> {
    let text = place.text(&format!("{dir}/events.jsonl"));
    let event = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let observed = text.lines().map(event).filter(|event| event["event_type"] == "observe");
    observed.map(|event| event["signals"].clone()).collect()
}

/// Freezes `training` at five moments while it runs, kills it, restores each archive elsewhere, resumes it there, and
/// compares it with one that was never touched.
fn five_moments(settings: &str, updates: u64) {
    let training = format!("train --steps {} --seed 4 {SMALL} {settings}", updates * STEPS);
    let place = Place::new();
    place.ok(&format!("{training} --out whole"));
    let whole = counted(&place, "whole");
    let mut child = place.command(&format!("{training} --out runs/out")).spawn().unwrap();
    let mut archives = Vec::new();
    for part in 1..=5_u64 {
        let rows = updates * part / 7;
        let path = place.path("runs/out/timing.jsonl");
        wait_until(|| fs::read_to_string(&path).is_ok_and(|text| text.lines().count() as u64 >= rows));
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was frozen");
        archives.push(frozen(&place, "runs/out"));
    }
    let was_at_work = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    assert!(was_at_work);
    let mut steps = Vec::new();
    for (number, archive) in archives.iter().enumerate() {
        place.ok(&format!("lumen verify {archive}"));
        let manifest = place.json(&format!("{archive}/manifest.json"));
        assert_eq!(manifest["run"]["status"], "running");
        steps.push(manifest["run"]["step"].as_u64().unwrap());
        let out = format!("elsewhere-{number}/new");
        place.ok(&format!("lumen restore {archive} --out {out}"));
        let checkpoint = format!("{out}/checkpoints/step-{:012}.json", steps[number]);
        let csv_bytes = place.json(&checkpoint)["csv_bytes"].as_u64().unwrap();
        assert_eq!(place.bytes(&format!("{out}/training.csv")).len() as u64, csv_bytes);
        let update = steps[number] / STEPS;
        let timed = place.text(&format!("{out}/timing.jsonl"));
        assert_eq!(timed.lines().count() as u64, update);
        let last: serde_json::Value = serde_json::from_str(timed.lines().last().unwrap()).unwrap();
        assert_eq!(last["update"], update);
        let log = place.text(&format!("{out}/events.jsonl"));
        assert!(log.ends_with('\n') || log.is_empty());
        for line in log.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(event["trace"]["clock"].as_u64().unwrap() <= update, "{line}");
        }
        place.ok(&format!("train --resume {out} --no-monitor"));
        assert_same(&counted(&place, &out), &whole, &format!("{settings}, frozen at step {}", steps[number]));
        assert_eq!(windows(&place, &out), windows(&place, "whole"));
        assert_eq!(place.json(&format!("{out}/run.json"))["status"], "finished");
    }
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
}

#[test]
fn a_training_frozen_at_five_moments_goes_on_elsewhere_with_the_same_bytes() {
    five_moments("--lumen --tensorboard --set train.checkpoint_every=2 --set train.eval_every=4", 2400);
}

#[test]
fn a_garden_training_frozen_while_it_runs_does_too() {
    five_moments(&format!("--env gardener {TINY} --set max_generations=50 --lumen"), 700);
}

/// What is frozen again while nothing has changed is there already, also of a run at work.
#[test]
fn a_training_that_stands_still_is_frozen_once() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 2 {SMALL} --lumen --out out", 100_000 * STEPS);
    let mut child = place.under_way(&training, "out/timing.jsonl", 2000);
    send(&child, Signal::STOP);
    let first = frozen(&place, "out --label x");
    let before = place.untouched("archive");
    let again = place.ok("lumen freeze out --label x");
    assert_eq!(again.last_line(), format!("nothing new: the same is in {first}"));
    assert!(place.untouched("archive") == before);
    send(&child, Signal::CONT);
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    // Killed, it is frozen as it lies there.
    let killed = frozen(&place, "out --label x");
    place.ok(&format!("lumen restore {killed} --out restored"));
    assert_eq!(place.bytes("restored/training.csv"), place.bytes("out/training.csv"));
    place.ok(&format!("lumen verify --deep {killed}"));
}

/// Checkpoints come and go many times a second while it is read, whole each time.
#[test]
fn a_training_that_writes_and_prunes_all_the_time_is_frozen_whole() {
    let place = Place::new();
    let settings = "--set train.checkpoint_every=1 --set train.eval_every=1 --set train.eval_episodes=1 --set train.keep=1";
    let training = format!("train --steps {} --seed 2 {SMALL} {settings} --out out", 1_000_000 * STEPS);
    let mut child = place.under_way(&training, "out/checkpoints/step-000000000256.json", 1);
    // It comes before the checkpoints in an archive: by the time that they are stored, the trainer has deleted them.
    place.write("out/a.bin", vec![0; 24 << 20]);
    let mut steps = Vec::new();
    for number in 0..25 {
        let archive = frozen(&place, &format!("out --label {number}"));
        place.ok(&format!("lumen verify {archive}"));
        let manifest = place.json(&format!("{archive}/manifest.json"));
        let files = manifest["files"].as_array().unwrap();
        let has = |name: &str| files.iter().any(|file| file["path"].as_str().unwrap() == name);
        let step = manifest["run"]["step"].as_u64().unwrap();
        assert!(has(&format!("checkpoints/step-{step:012}.json")));
        assert!(has(&format!("checkpoints/step-{step:012}.safetensors")));
        assert_eq!(has("checkpoints/best.json"), has("checkpoints/best.safetensors"));
        steps.push(step);
        if number % 6 == 0 {
            let out = format!("restored-{number}");
            place.ok(&format!("lumen restore {archive} --out {out}"));
            // Nothing is missing that going on asks for.
            let more = step + 3 * STEPS;
            let resumed = place.ok(&format!("train --resume {out} --steps {more} --no-monitor --quiet"));
            assert_eq!(place.json(&format!("{out}/run.json"))["status"], "finished", "{resumed:?}");
        }
    }
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    assert!(steps.windows(2).all(|pair| pair[0] <= pair[1]) && steps[0] < steps[24], "{steps:?}");
}

#[test]
fn a_drift_frozen_while_it_runs_goes_on_elsewhere() {
    let place = Place::new();
    let drift = "drift --seed 2 --steps 9000 --lumen --no-monitor";
    place.ok(&format!("{drift} --out whole"));
    let mut child = place.under_way(&format!("{drift} --out out"), "out/drift.csv", 400_000);
    let archive = frozen(&place, "out");
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    place.ok(&format!("lumen restore {archive} --out new"));
    place.ok("drift --resume new --no-monitor");
    assert_same(&counted(&place, "new"), &counted(&place, "whole"), "drift");
    assert_eq!(windows(&place, "new"), windows(&place, "whole"));
}

#[test]
fn other_runs_are_archived_too() {
    let place = Place::new();
    place.ok(&format!("gardener --generations 120 --seed 1 {TINY} --lumen --out garden"));
    place.ok("benchmark --episodes 3 --seed 1 --agents random,heuristic --out benchmark");
    for run in ["garden", "benchmark"] {
        let archive = frozen(&place, run);
        place.ok(&format!("lumen verify --deep {archive}"));
        place.ok(&format!("lumen restore {archive} --out back-{run}"));
        assert_same(&place.files(&format!("back-{run}")), &place.files(run), run);
    }
    let listed = place.ok("lumen archive");
    assert_eq!(listed.last_line(), "2 archives, as the index says");
    // One at work, which has no checkpoints: whole lines.
    let long = "gardener --generations 10000000 --seed 1 --lumen --out work";
    let mut child = place.under_way(long, "work/resonetics_data.csv", 20_000);
    let archive = frozen(&place, "work");
    place.ok(&format!("lumen restore {archive} --out back-work"));
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    for name in ["resonetics_data.csv", "events.jsonl"] {
        let text = place.text(&format!("back-work/{name}"));
        assert!(text.ends_with('\n') && place.text(&format!("work/{name}")).starts_with(&text), "{name}");
    }
}

#[test]
fn each_end_has_its_status() {
    let place = Place::new();
    place.ok(&format!("gardener --generations 60 --seed 1 {TINY} --out garden"));
    let archive = frozen(&place, "garden");
    let status = |arguments: &str| {
        let ran = place.run(arguments);
        (ran.code, ran.stdout, ran.stderr)
    };
    for arguments in [
        "lumen verify nowhere",
        "lumen verify garden",
        "lumen restore nowhere --out x",
        "lumen freeze nowhere",
        "lumen archive nowhere",
        "lumen retain nowhere",
    ] {
        let (code, _, said) = status(arguments);
        assert!(code == Some(3) && said.starts_with("error: "), "{arguments}: {code:?} {said}");
    }
    for arguments in [
        "lumen verify garden/run.json",
        &format!("lumen restore {archive} --out garden"),
        "lumen freeze . --to elsewhere",
        "lumen freeze garden --to garden/archive",
        "lumen freeze garden --preset some",
        "lumen retain --keep-days -1",
        "lumen retain --apply 00",
    ] {
        place.refused(arguments);
    }
    let bundle = place.path(&format!("{archive}/bundle.tar.zst"));
    let mut bytes = fs::read(&bundle).unwrap();
    bytes.truncate(300);
    fs::write(&bundle, bytes).unwrap();
    let (code, told, said) = status(&format!("lumen verify {archive}"));
    assert_eq!(code, Some(1));
    assert!(told.contains("bundle.tar.zst: mismatch: ") && told.contains(": truncated: "), "{told}");
    assert!(told.lines().any(|line| line.starts_with("run.json: missing: ")), "{told}");
    assert!(said.contains("faults"), "{said}");
    let (code, ..) = status(&format!("lumen restore {archive} --out x"));
    assert_eq!((code, place.path("x").exists()), (Some(1), false));
    // The index and the plan, as they are typed.
    fs::remove_file(place.path("archive/index.jsonl")).unwrap();
    let (code, told, _) = status("lumen archive");
    assert!(code == Some(1) && told.contains("is not in the index"), "{told}");
    place.ok("lumen archive --reindex");
    place.ok("lumen archive");
    let plan = place.ok("lumen retain");
    assert_eq!(plan.last_line(), "1 to keep, 0 to delete");
}

#[test]
fn a_training_without_a_checkpoint_is_refused() {
    let place = Place::new();
    let settings = "--set train.checkpoint_every=1000000";
    let training = format!("train --steps {} --seed 2 {SMALL} {settings} --out out", 1_000_000 * STEPS);
    let mut child = place.under_way(&training, "out/timing.jsonl", 100);
    let ran = place.run("lumen freeze out");
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("no checkpoint yet"), "{ran:?}");
}
