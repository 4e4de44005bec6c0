//! More steps for a training (`train --resume DIR --steps N`), and a start from another one (`train --from DIR`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;
use std::path::Path;
use std::time::Instant;

use common::{Place, SMALL, STEPS, assert_same, end, send};
use rustix::process::Signal;

/// A finished training of nine updates in `dir`, with checkpoints behind the third, the sixth and the ninth.
fn begun(place: &Place, dir: &str, seed: u32) {
    place.ok(&format!("train --steps {} --seed {seed} {SMALL} --out {dir}", 9 * STEPS));
}

fn extend(dir: &str, updates: u64) -> String {
    format!("train --resume {dir} --steps {} --no-monitor", updates * STEPS)
}

/// Kills whatever `command` does at a share of the time that it takes alone.
fn kill_at(place: &Place, command: &str, share: f64, alone: std::time::Duration) -> bool {
    let mut child = place.command(command).spawn().unwrap();
    std::thread::sleep(alone.mul_f64(share));
    let met = child.try_wait().unwrap().is_none();
    if met {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    met
}

/// By hand: the rate of update u of U, counted from 0, is 0.003 (1 - u / U); U is 9 and then 20.
#[test]
fn a_finished_training_is_extended_and_its_rate_said_and_recorded() {
    let place = Place::new();
    begun(&place, "out", 3);
    let (config, csv) = (place.text("out/config.toml"), place.text("out/training.csv"));
    let ran = place.ok(&extend("out", 20));
    assert_eq!(
        ran.stdout.lines().next(),
        Some(
            "trains from step 1152 to 2560 instead of 1152: the learning rate continues at 0.00165, on the line of a training \
             of 2560 steps, which ends at 0; on that of 1152 steps it was 0 here"
        )
    );
    assert_eq!(
        place.text("out/config.toml"),
        format!("{config}\n[[extended]]\nat_step = 1152\nsteps = 2560\n")
    );
    assert!(place.text("out/training.csv").starts_with(&csv));
    let log = place.csv("out/training.csv");
    for (update, rate) in (0_u32..).zip(log.column("learning_rate").into_iter().skip(1)) {
        let planned = if update < 9 { 9.0 } else { 20.0 };
        let expected = 0.003 * (1.0 - f64::from(update) / planned);
        assert!(
            (common::number(rate) - expected).abs() < 1e-9,
            "update {update}: {rate}, by hand {expected}"
        );
    }
    assert_eq!(log.rows.len(), 21);
    assert_eq!(place.json("out/run.json")["status"], "finished");
    // Asked for again there is nothing to do; fewer steps than done are refused.
    assert_eq!(place.ok(&extend("out", 20)).stdout, "out is finished: nothing to do\n");
    assert_eq!(place.ok("train --resume out --no-monitor").stdout, "out is finished: nothing to do\n");
    for updates in [1, 9, 19] {
        let said = place.refused_in("out", &extend("out", updates));
        assert!(said.contains("out has 2560 steps behind its last checkpoint already"), "{said}");
    }
    let said = place.refused("train --resume out --steps 0 --no-monitor");
    assert!(said.contains("'0'"), "{said}");
    // The whole again, both parts.
    let ran = place.ok("rerun out --out again");
    assert!(ran.stdout.contains("training.csv: identical"), "{ran:?}");
    let shared = |dir: &str| {
        let mut files = place.trained(dir);
        files.retain(|name, _| Path::new(name).extension().is_none_or(|end| end != "json") && name != "lock");
        files
    };
    assert_same(&shared("again"), &shared("out"), "repeated");
    // And further.
    place.ok(&extend("out", 23));
    assert!(place.ok("rerun out --out thrice").stdout.contains("training.csv: identical"));
    let report = place.ok("report out --out report").stdout;
    assert!(!report.contains("not all of its rows"), "{report}");
}

/// Killed anywhere, at its beginning too, and gone on with by either command.
#[test]
fn a_killed_extension_is_not_seen_in_its_files() {
    let place = Place::new();
    begun(&place, "begun", 4);
    place.copy("begun", "whole");
    let start = Instant::now();
    place.ok(&extend("whole", 120));
    let alone = start.elapsed();
    let whole = place.trained("whole");
    let (mut kills, mut met) = (0, 0);
    for shares in [&[0.0_f64][..], &[0.03, 0.05], &[0.2], &[0.35, 0.3], &[0.6, 0.1]] {
        place.copy("begun", "out");
        for &share in shares {
            kills += 1;
            met += u32::from(kill_at(&place, &extend("out", 120), share, alone));
        }
        let extended = place.text("out/config.toml").contains("[[extended]]");
        let finish = if extended { "train --resume out --no-monitor" } else { &extend("out", 120) };
        place.ok(finish);
        assert_same(&place.trained("out"), &whole, &format!("killed at {shares:?} of {alone:?}"));
        fs::remove_dir_all(place.path("out")).unwrap();
    }
    assert!(2 * met >= kills, "{met} of {kills} kills met a process at work");
    // Between the two files that say so: the settings are extended and the run is not yet said to be running.
    place.copy("begun", "out");
    place.write("out/config.toml", place.bytes("whole/config.toml"));
    place.ok("train --resume out --no-monitor");
    assert_same(&place.trained("out"), &whole, "killed before run.json was written");
    let said = place.ok("rerun out --out again").stdout;
    assert!(said.contains("training.csv: identical"), "{said}");
}

#[test]
fn a_stopped_training_goes_on_for_more_or_fewer_steps() {
    for updates in [400, 60] {
        let place = Place::new();
        let training = format!("train --steps {} --seed 2 {SMALL} --out out", 200 * STEPS);
        let child = place.under_way(&training, "out/checkpoints/step-000000000768.json", 1);
        send(&child, Signal::INT);
        assert_eq!(end(child, &training).code, Some(130));
        let names = place.names("out/checkpoints");
        let last =
            names.iter().filter_map(|name| name.strip_suffix(".json")?.strip_prefix("step-")).next_back();
        let done = last.unwrap().parse::<u64>().unwrap();
        let ran = place.run(&extend("out", updates));
        if done >= updates * STEPS {
            assert_eq!(ran.code, Some(2), "{ran:?}");
            continue;
        }
        assert!(
            ran.stdout.starts_with(&format!(
                "trains from step {done} to {} instead of {}: ",
                updates * STEPS,
                200 * STEPS
            )),
            "{ran:?}"
        );
        let config: toml::Table = place.text("out/config.toml").parse().unwrap();
        assert_eq!(config["extended"][0]["at_step"].as_integer(), Some(done as i64));
        assert_eq!(place.csv("out/training.csv").rows.len() as u64, 1 + updates);
        assert!(place.ok("rerun out --out again").stdout.contains("training.csv: identical"));
    }
}

#[test]
fn an_edited_extension_is_refused() {
    let place = Place::new();
    begun(&place, "out", 3);
    place.ok(&extend("out", 20));
    let config = place.text("out/config.toml");
    for (from, to, parts) in [
        ("steps = 2560", "steps = 5120", &["[[extended]] say 5120 steps from step 1152 on"][..]),
        ("at_step = 1152", "at_step = 768", &["was made with 2560 steps from step 1152 on"]),
        ("\n[[extended]]\nat_step = 1152\nsteps = 2560\n", "", &["[[extended]] say none"]),
        (
            "at_step = 1152",
            "at_step = 100",
            &["`extended.1.at_step = 100`", "multiples of 128 from 0 to 1152"],
        ),
        ("steps = 2560", "steps = 1200", &["`extended.1.steps = 1200`", "not more than the 1152"]),
        ("gamma = 0.92", "gamma = 0.9", &["out/config.toml was edited", "was `gamma = 0.92`"]),
    ] {
        let edited = config.replacen(from, to, 1);
        assert_ne!(edited, config, "{from}");
        place.write("out/config.toml", edited);
        let said = place.refused_in("out", "train --resume out --no-monitor");
        for part in parts {
            assert!(said.contains(part), "{from}: no {part} in {said}");
        }
    }
    place.write("out/config.toml", config + "\n[train.kernel]\nflow = 1.0\n");
    place.refused_in("out", "train --resume out --no-monitor");
}

/// With nothing learned in it the policy is that of the start.
#[test]
fn a_training_starts_from_another_ones_weights() {
    let place = Place::new();
    begun(&place, "first", 1);
    let still =
        "--set train.schedule=fixed --set train.learning_rate=0 --set train.normalize_observations=false";
    place.ok(&format!("train --from first@last --steps 384 --seed 2 {SMALL} {still} --out still"));
    for run in ["first@last", "still@last"] {
        place.ok(&format!("eval --run {run} --episodes 9 --seed 5 --out eval-{run}"));
    }
    let returns = |run: &str| place.csv(&format!("eval-{run}/episodes.csv")).column("return").join(" ");
    assert_eq!(returns("first@last"), returns("still@last"));
    let last = "checkpoints/step-000000001152";
    for extension in ["json", "safetensors"] {
        assert_eq!(
            place.bytes(&format!("still/checkpoints/start.{extension}")),
            place.bytes(&format!("first/{last}.{extension}"))
        );
    }
    let from = |run: &str| {
        let config: toml::Table = place.text(&format!("{run}/config.toml")).parse().unwrap();
        config["from"].clone()
    };
    let told = &place.json("eval-first@last/eval.json")["checkpoint"];
    assert_eq!(from("still")["run"].as_str(), Some("first@last"));
    assert_eq!(from("still")["step"].as_integer(), Some(1152));
    assert_eq!(from("still")["sha256"].as_str(), told["sha256"].as_str());
    let recipe = place.json("eval-still@last/eval.json")["recipe"].clone();
    assert!(recipe.as_str().unwrap().ends_with(" from step 1152"), "{recipe}");

    // Other settings, another world; the start is not the beginning of another seed.
    let training = format!("train --from first --env k8s-v4.6 --set train.gamma=0.9 --seed 2 {SMALL}");
    let said = place.ok(&format!("{training} --steps {} --out second", 6 * STEPS)).stdout;
    assert!(said.contains("greedy return, mean of 4 episodes: at the start "), "{said}");
    place.ok(&format!(
        "train --env k8s-v4.6 --set train.gamma=0.9 --seed 2 {SMALL} --steps {} --out other",
        6 * STEPS
    ));
    assert_ne!(place.bytes("second/training.csv"), place.bytes("other/training.csv"));
    let ran = place.ok("rerun second --out again");
    assert!(ran.stdout.contains("training.csv: identical"), "{ran:?}");

    // Without the other training it goes on, from its start too, and is not repeated.
    let whole = place.trained("second");
    fs::rename(place.path("first"), place.path("moved")).unwrap();
    for name in place.names("second/checkpoints") {
        if !name.starts_with("start") && name != "config.toml" {
            fs::remove_file(place.path(&format!("second/checkpoints/{name}"))).unwrap();
        }
    }
    for name in ["training.csv", "timing.jsonl"] {
        fs::remove_file(place.path(&format!("second/{name}"))).unwrap();
    }
    let record = place.text("second/run.json").replace("\"finished\"", "\"running\"");
    place.write("second/run.json", record);
    place.ok("train --resume second --no-monitor");
    assert_same(&place.trained("second"), &whole, "without the other one");
    let said = place.refused("rerun second --out late");
    assert!(said.contains("first/config.toml"), "{said}");
}

#[test]
fn a_start_that_does_not_fit_is_refused() {
    let place = Place::new();
    begun(&place, "first", 1);
    for (options, parts) in [
        (
            "--from first --set train.network.hidden=[32]",
            &[
                "--from first: its networks have other shapes",
                "`actor.0.weight` is [64, 30] there and [32, 30] here",
            ][..],
        ),
        (
            "--from first --set train.network.memory=8",
            &["`actor.memory.gate.weight` is missing there", "and memory = 0, ", " and 8, 30 and 6 of k8s"],
        ),
        (
            "--from first --env gardener",
            &["other shapes", "30 numbers in an observation and 6 actions of k8s"],
        ),
        ("--from first@7", &["first keeps no checkpoint of step 7: kept are 384, 768, 1152"]),
        ("--from missing", &["missing/config.toml"]),
        ("--from first --resume first", &["cannot be used with"]),
    ] {
        let said = place.refused_in("first", &format!("train --steps 384 --seed 1 --no-monitor {options}"));
        for part in parts {
            assert!(said.contains(part), "{options}: no {part} in {said}");
        }
    }
    // Another checkpoint goes by the name by now, and the recorded one is gone.
    place.ok(&format!("train --from first@last --steps 384 --seed 2 {SMALL} --out second"));
    place.ok(&extend("first", 30));
    let best = place.path("first/checkpoints/best.json");
    if fs::read(&best).unwrap() == place.bytes("second/checkpoints/start.json") {
        fs::remove_file(best).unwrap();
    }
    let said = place.refused("rerun second --out late");
    assert!(said.contains("first has another last checkpoint now: step 3840"), "{said}");
    // A copy that was changed is no start.
    let mut bytes = place.bytes("second/checkpoints/start.safetensors");
    bytes.reverse();
    place.write("second/checkpoints/start.safetensors", bytes);
    for name in place.names("second/checkpoints") {
        if name.starts_with("step-") || name.starts_with("best") {
            fs::remove_file(place.path(&format!("second/checkpoints/{name}"))).unwrap();
        }
    }
    for name in ["training.csv", "timing.jsonl"] {
        fs::remove_file(place.path(&format!("second/{name}"))).unwrap();
    }
    let record = place.text("second/run.json").replace("\"finished\"", "\"running\"");
    place.write("second/run.json", record);
    let ran = place.run("train --resume second --no-monitor");
    assert!(
        ran.code == Some(2) && ran.stderr.contains("start.json is not what this training starts from"),
        "{ran:?}"
    );
}
