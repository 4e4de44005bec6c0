//! `drift`: the checkpoints that it leaves, and that one goes on from them as if nothing had happened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use common::{Place, assert_same, end, send, wait_until};
use rustix::process::Signal;

const RESUME: &str = "drift --resume out --no-monitor";

/// All that must not depend on when it ran.
fn left(place: &Place, dir: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = place.files(dir);
    files.remove("run.json").expect("a run.json");
    files.retain(|name, _| !name.contains(".before-"));
    files
}

/// The same line but for the speed, which the log alone has.
fn last_line(text: &str) -> &str {
    text.lines().find(|line| line.starts_with("drift | steps ")).unwrap()
}

#[test]
fn the_last_three_of_a_checkpoint_every_500_steps() {
    let place = Place::new();
    for (steps, expected) in [
        (499, vec![]),
        (700, vec!["step-000000000500"]),
        (2200, vec!["step-000000001000", "step-000000001500", "step-000000002000"]),
    ] {
        let out = format!("out-{steps}");
        place.ok(&format!("drift --steps {steps} --seed 1 --batch-size 2 --no-monitor --out {out}"));
        let files: Vec<String> = expected
            .iter()
            .flat_map(|stem| [format!("{stem}.json"), format!("{stem}.safetensors")])
            .collect();
        let files = ["config.toml".to_owned()].into_iter().chain(files).collect::<Vec<_>>();
        assert_eq!(place.names(&format!("{out}/checkpoints")), files);
    }
    let json = place.json("out-2200/checkpoints/step-000000002000.json");
    let csv = place.csv("out-2200/drift.csv");
    let state = &json["numbers"]["drift"];
    assert_eq!(state["step"], 2000);
    // Columns have eight decimals; the knobs of the next step are those behind this one.
    for (number, column, row) in [
        (&state["optimizer"]["lr"], "lr", 1999),
        (&state["optimizer"]["smoothed_risk"], "smoothed_risk", 1999),
        (&state["delta_ema"], "delta_ema", 1999),
        (&state["tuner"]["w_r"], "wR", 2000),
        (&state["tuner"]["eps"], "eps", 2000),
        (&state["errors"][9], "gap_R", 1999),
    ] {
        let (found, expected) = (number.as_f64().unwrap(), csv.numbers(column)[row]);
        assert!((found - expected).abs() < 1e-8, "{column}: {found}, {expected}");
    }
    assert_eq!(state["errors"].as_array().unwrap().len(), 10);
    let text = place.text("out-2200/drift.csv");
    let length: usize = text.lines().take(2001).map(|line| line.len() + 1).sum();
    assert_eq!(json["csv_bytes"], length);
    // Six arrays of f32: 1 -> 32 -> 32 -> 1 and 3 -> 32 -> 32 -> 1, with two moments each.
    let bytes = place.bytes("out-2200/checkpoints/step-000000002000.safetensors");
    let head = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let head: serde_json::Value = serde_json::from_slice(&bytes[8..8 + head]).unwrap();
    let arrays = head.as_object().unwrap();
    assert_eq!(arrays.len(), 6, "{head}");
    for (net, count) in [("worker", 1153), ("predictor", 1217)] {
        for name in ["parameters", "m", "v"] {
            let array = &arrays[&format!("{net}.{name}")];
            assert_eq!((array["dtype"].as_str(), &array["shape"]), (Some("F32"), &[count].into()));
        }
    }
}

#[test]
fn a_drift_that_was_stopped_goes_on_as_if_it_had_not_been() {
    for options in ["--batch-size 2", "--no-kernel --centred-risk"] {
        let place = Place::new();
        let drift = format!("drift --steps 20000 --seed 4 --no-monitor {options}");
        let whole = place.ok(&format!("{drift} --out whole"));
        let files = left(&place, "whole");
        // Killed before its first checkpoint, as far as a kill lets itself be aimed; behind one; interrupted.
        for (file, bytes, signal) in [
            ("out/drift.csv", 1, Signal::KILL),
            ("out/checkpoints/step-000000002500.json", 1, Signal::KILL),
            ("out/checkpoints/step-000000004000.json", 1, Signal::INT),
        ] {
            let mut command = place.command(&format!("{drift} --out out"));
            let child = command.stdout(Stdio::null()).spawn().unwrap();
            wait_until(|| fs::metadata(place.path(file)).is_ok_and(|file| file.len() >= bytes));
            send(&child, signal);
            assert!(end(child, &drift).code != Some(0), "it was over before the signal");
            // A kill may have left these.
            place.write("out/.tmpAb12Cd", "half");
            let ran = place.ok(RESUME);
            assert_eq!(last_line(&ran.stdout), last_line(&whole.stdout));
            assert_same(&left(&place, "out"), &files, &format!("{options}, {file}"));
            assert_eq!(place.json("out/run.json")["status"], "finished");
            let before = place.untouched("out");
            assert_eq!(place.ok(RESUME).stdout, "out is finished: nothing to do\n");
            assert!(place.untouched("out") == before);
            fs::remove_dir_all(place.path("out")).unwrap();
        }
    }
}

#[test]
fn a_drift_is_never_begun_anew() {
    let place = Place::new();
    let mut command = place.command("drift --steps 100000000 --seed 4 --no-monitor --out out");
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    wait_until(|| place.path("out/checkpoints/step-000000001500.json").exists());
    send(&child, Signal::KILL);
    end(child, "a drift");
    let config = place.text("out/config.toml");
    place.write("out/config.toml", config.replace("steps = 100000000", "steps = 3000"));
    let said = place.refused_in("out", RESUME);
    for part in ["out/config.toml was edited", "was `steps = 100000000`", "put it back: `cp "] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    place.write("out/config.toml", config);
    for name in place.names("out/checkpoints").iter().filter(|name| name.starts_with("step-")) {
        fs::remove_file(place.path(&format!("out/checkpoints/{name}"))).unwrap();
    }
    let said = place.refused_in("out", RESUME);
    for part in ["holds no numbered checkpoint", "out/drift.csv", "resonetics rerun out --out NEW"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
}

#[test]
fn what_cannot_be_resumed_is_refused_and_left_alone() {
    let place = Place::new();
    let drift = "drift --steps 1000000000 --seed 4 --no-monitor --out out";
    let mut command = place.command(drift);
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    wait_until(|| place.path("out/checkpoints/step-000000000500.json").exists());
    let said = place.refused(RESUME);
    assert!(said.contains("another process trains in out"), "{said}");
    send(&child, Signal::INT);
    assert_eq!(end(child, drift).code, Some(130));
    let stem = place.names("out/checkpoints").pop().unwrap().replace(".safetensors", "");
    for (name, from, to, part) in [
        (format!("checkpoints/{stem}.json"), "\"step\": ", "\"step\": 1", "it was edited"),
        ("config.toml".to_owned(), "seed = 4", "seed = 5", "was edited"),
        ("drift.csv".to_owned(), "\n", "", "it was cut"),
    ] {
        place.copy("out", "bad");
        let text = place.text(&format!("bad/{name}"));
        let text = if to.is_empty() { text[..100].to_owned() } else { text.replacen(from, to, 1) };
        place.write(&format!("bad/{name}"), text);
        let said = place.refused_in("bad", "drift --resume bad --no-monitor");
        assert!(said.contains(part) && said.contains(&name), "{name}: {said}");
        fs::remove_dir_all(place.path("bad")).unwrap();
    }
    let said = place.refused("train --resume out --no-monitor");
    assert!(said.contains("is not a training"), "{said}");
    for option in [
        "--steps 5",
        "--batch-size 2",
        "--no-kernel",
        "--no-tune",
        "--centred-risk",
        "--learner native",
        "--seed 1",
        "--out other",
    ] {
        let said = place.refused(&format!("{RESUME} {option}"));
        let name = option.split(' ').next().unwrap();
        assert!(said.contains("cannot be used with") && said.contains(name), "{option}: {said}");
    }
}

/// Killed behind its first checkpoint, a run on libtorch ends with the bytes of one that was not stopped, `rerun`
/// makes them again, and its config.toml says what computed it.
#[cfg(feature = "torch")]
#[test]
fn a_drift_on_libtorch_goes_on_to_the_same_bytes() {
    let place = Place::new();
    let drift = "drift --steps 1700 --seed 4 --batch-size 2 --learner torch --device cpu --no-monitor";
    place.ok(&format!("{drift} --out whole"));
    assert!(place.text("whole/config.toml").contains("learner = \"torch\""));
    let mut child =
        place.under_way(&format!("{drift} --out out"), "out/checkpoints/step-000000000500.json", 1);
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it was over before the signal");
    place.ok(&format!("{RESUME} --device cpu"));
    assert_same(&left(&place, "out"), &left(&place, "whole"), "libtorch, killed");
    let said = place.ok("rerun whole --out again").stdout;
    assert!(said.contains("drift.csv: identical"), "{said}");
    // Other rounding, from the first steps on.
    place.ok("drift --steps 1700 --seed 4 --batch-size 2 --no-monitor --out native");
    assert!(place.text("native/drift.csv") != place.text("whole/drift.csv"));
}
