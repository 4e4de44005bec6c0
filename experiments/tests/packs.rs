//! Runs that are packed, and gone on with elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Place, SMALL, STEPS, TINY, assert_same, send, wait_until};
use rustix::process::Signal;

/// What must be the same of a run, wherever it was gone on with.
fn counted(place: &Place, dir: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = place.files(dir);
    files.retain(|name, _| {
        let ending = Path::new(name).extension().unwrap_or_default();
        (ending == "csv" || ending == "safetensors") && name != "metrics.csv"
    });
    files
}

/// Starts `command` in `runs/out`, packs it with its archive while it is at work (standing still for the moment, if it
/// would be over too soon), kills it by SIGKILL, and goes on with the pack alone in an empty folder: the same bytes as
/// those of one that nobody touched.
fn killed_and_gone_on_with(command: &str, grown: (&str, u64), stands_still: bool) {
    let place = Place::new();
    place.ok(&format!("{command} --out whole"));
    let whole = counted(&place, "whole");
    let mut child = place.under_way(&format!("{command} --out runs/out"), grown.0, grown.1);
    if stands_still {
        send(&child, Signal::STOP);
    }
    let packed = place.ok("lumen pack runs/out --archive --to out.pack");
    assert!(packed.stdout.contains("with the run"), "{packed:?}");
    assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    let elsewhere = Place::new();
    elsewhere.write("moved.pack", place.bytes("out.pack"));
    drop(place);
    let told = elsewhere.ok("lumen resume moved.pack");
    assert!(told.stdout.lines().count() <= 20, "{told:?}");
    assert!(told.stdout.starts_with("out: ") && told.stdout.contains(" running"), "{told:?}");
    assert!(!told.stdout.contains("killed"), "{told:?}");
    assert!(told.stdout.contains("lumen resume moved.pack --to runs/out --go"), "{told:?}");
    assert_eq!(elsewhere.names(""), ["moved.pack"], "it was only looked at");
    elsewhere.ok("lumen resume moved.pack --to back --go");
    let record = elsewhere.json("back/run.json");
    assert_eq!((&record["status"], record["resumed_at"].as_array().unwrap().len()), (&"finished".into(), 1));
    assert_same(&counted(&elsewhere, "back"), &whole, command);
    // A second time it has nowhere to go.
    let said = elsewhere.refused("lumen resume moved.pack --to back --go");
    assert!(said.contains("already holds"), "{said}");
}

#[test]
fn a_training_killed_goes_on_from_its_pack_with_the_same_bytes() {
    let settings = "--lumen --set train.checkpoint_every=2 --set train.eval_every=4";
    let training = format!("train --steps {} --seed 4 {SMALL} {settings}", 2000 * STEPS);
    killed_and_gone_on_with(&training, ("runs/out/timing.jsonl", 20_000), false);
}

#[test]
fn a_drift_does_too() {
    let drift = "drift --seed 2 --steps 9000 --lumen --no-monitor";
    killed_and_gone_on_with(drift, ("runs/out/drift.csv", 400_000), true);
}

#[test]
fn a_stopped_run_goes_on_where_it_lies() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 2 {SMALL}", 1500 * STEPS);
    place.ok(&format!("{training} --out whole"));
    let mut child = place.under_way(&format!("{training} --out runs/out"), "runs/out/timing.jsonl", 20_000);
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    wait_until(|| place.run("lumen status runs").stdout.contains("killed"));
    place.ok("lumen pack runs/out");
    let told = place.ok("lumen resume out.pack");
    assert_eq!(told.last_line(), "to go on: resonetics train --resume runs/out --no-monitor");
    // Of the folder itself the same.
    let folder = place.ok("lumen resume runs/out");
    assert_eq!(folder.last_line(), told.last_line());
    assert!(folder.stdout.contains("out: train killed, checkpoint at step "), "{folder:?}");
    // Another run is refused, and what went on since.
    let looked_at = |arguments: &str| {
        let ran = place.run(arguments);
        assert!(ran.code == Some(2) && ran.stdout.starts_with("out: train killed"), "{ran:?}");
        assert!(place.refused(&format!("{arguments} --go")).contains(ran.stderr.trim_end()), "{ran:?}");
        ran.stderr
    };
    let said = looked_at("lumen resume out.pack --to whole");
    assert!(said.contains("is not there") || said.contains("another run"), "{said}");
    place.ok("lumen resume out.pack --go");
    assert_same(&counted(&place, "runs/out"), &counted(&place, "whole"), "resumed");
    let said = looked_at("lumen resume out.pack");
    assert!(said.contains("went on since") && said.contains("last checkpoint"), "{said}");
    // What is finished says so.
    let told = place.ok("lumen resume runs/out");
    assert_eq!(told.last_line(), "it is finished; to see what came out: resonetics analyze runs/out");
    place.ok("lumen pack runs/out --to done.pack");
    place.ok("lumen resume done.pack --to runs/out --go");
}

#[test]
fn what_is_kept_disturbs_no_comparison() {
    let place = Place::new();
    place.ok(&format!("gardener --generations 80 --seed 1 {TINY} --lumen --out garden"));
    let status = |place: &Place| {
        let told = place.ok("lumen status garden").stdout;
        told.lines().find(|line| line.starts_with("garden")).unwrap().to_owned()
    };
    let before = status(&place);
    let first = place.ok("lumen resume garden").stdout;
    assert!(place.path("garden/context.json").exists());
    assert_eq!(place.ok("lumen resume garden").stdout, first);
    assert_eq!(place.ok("lumen resume garden --no-cache").stdout, first);
    // All but the age.
    let words = |line: &str| line.split_whitespace().filter(|word| word.parse::<f64>().is_err()).count();
    assert_eq!(words(&status(&place)), words(&before));
    place.ok("rerun garden --out again");
    let analyzed = place.ok("analyze garden --out analyzed");
    assert!(!analyzed.stdout.contains("context.json"), "{analyzed:?}");
}

#[test]
fn each_end_has_its_status() {
    let place = Place::new();
    place.ok(&format!("gardener --generations 60 --seed 1 {TINY} --out garden"));
    place.ok("lumen pack garden --archive=kept --note it's");
    assert!(place.path("kept/garden").is_dir());
    for arguments in ["lumen pack nowhere", "lumen resume nowhere"] {
        let ran = place.run(arguments);
        assert!(ran.code == Some(3) && ran.stderr.starts_with("error: "), "{ran:?}");
    }
    place.write("foreign", "x");
    for arguments in [
        "lumen pack kept",
        "lumen pack garden",
        "lumen resume foreign",
        "lumen resume garden --to x",
        "lumen resume garden.pack --to garden --go",
        "lumen pack garden --to nowhere/x.pack",
    ] {
        place.refused(arguments);
    }
    let mut bytes = fs::read(place.path("garden.pack")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    place.write("bad.pack", &bytes);
    let ran = place.run("lumen resume bad.pack --to x --go");
    assert_eq!((ran.code, place.path("x").exists()), (Some(1), false), "{ran:?}");
    assert!(ran.stderr.contains("bad.pack: ") && ran.stderr.contains("take another copy"), "{ran:?}");
}
