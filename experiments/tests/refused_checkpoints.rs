//! Checkpoints that are not what was written: refused with file and reason, and nothing is changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;

use common::{Place, SMALL, STEPS, TINY, assert_same, end, send};
use rustix::process::Signal;

/// A training of 60 updates in `out` that was interrupted behind its fourth checkpoint, and the stem of
/// its last one.
fn interrupted() -> (Place, String) {
    let place = Place::new();
    let training = format!("train --steps {} --seed 1 {SMALL} --out out", 60 * STEPS);
    let child = place.under_way(&training, "out/checkpoints/step-000000001536.json", 1);
    send(&child, Signal::INT);
    assert_eq!(end(child, &training).code, Some(130));
    let names = place.names("out/checkpoints");
    let last = names.iter().filter_map(|name| name.strip_suffix(".json")).next_back();
    (place, last.unwrap().to_owned())
}

/// What is done to a run, as a function of its directory and the stem of its last checkpoint.
type Damage = fn(&Place, &str, &str);

fn edit(place: &Place, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = place.bytes(file);
    let before = bytes.clone();
    change(&mut bytes);
    assert!(bytes != before, "{file} was not changed");
    place.write(file, bytes);
}

fn replace(place: &Place, file: &str, from: &str, to: &str) {
    edit(place, file, |bytes| *bytes = String::from_utf8_lossy(bytes).replacen(from, to, 1).into_bytes());
}

/// Damage to a checkpoint's file (`kind`): its end, and what the message must contain.
#[allow(clippy::too_many_lines)] // a list
fn damages() -> Vec<(&'static str, Damage, &'static [&'static str])> {
    vec![
        (
            "safetensors",
            |place, dir, stem| {
                edit(place, &format!("{dir}/checkpoints/{stem}.safetensors"), |bytes| {
                    bytes.truncate(bytes.len() / 2);
                });
            },
            &["not the file that was written"],
        ),
        (
            "safetensors",
            |place, dir, stem| {
                edit(place, &format!("{dir}/checkpoints/{stem}.safetensors"), Vec::clear);
            },
            &["not the file that was written"],
        ),
        (
            "safetensors",
            |place, dir, stem| {
                edit(place, &format!("{dir}/checkpoints/{stem}.safetensors"), |bytes| {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                });
            },
            &["not the file that was written", "SHA-256"],
        ),
        (
            "safetensors",
            |place, dir, stem| {
                fs::remove_file(place.path(&format!("{dir}/checkpoints/{stem}.safetensors"))).unwrap();
            },
            &["No such file"],
        ),
        (
            "json",
            |place, dir, stem| {
                replace(
                    place,
                    &format!("{dir}/checkpoints/{stem}.json"),
                    "\"episodes\": ",
                    "\"episodes\": 1",
                );
            },
            &["it was edited", "checksum"],
        ),
        (
            "json",
            |place, dir, stem| {
                replace(
                    place,
                    &format!("{dir}/checkpoints/{stem}.json"),
                    "\"csv_bytes\": ",
                    "\"csv_bytes\": 1",
                );
            },
            &["it was edited", "checksum"],
        ),
        (
            "json",
            |place, dir, stem| {
                replace(place, &format!("{dir}/checkpoints/{stem}.json"), "\"format\": 2", "\"format\": 7");
            },
            &["its format is 7", "written by version", "reads format 1"],
        ),
        (
            "json",
            |place, dir, stem| {
                edit(place, &format!("{dir}/checkpoints/{stem}.json"), |bytes| {
                    bytes.truncate(bytes.len() / 2);
                });
            },
            &["not a complete JSON file"],
        ),
        (
            "json",
            |place, dir, stem| {
                edit(place, &format!("{dir}/checkpoints/{stem}.json"), |bytes| bytes[20] = 0xff);
            },
            &["UTF-8"],
        ),
        (
            "json",
            |place, dir, stem| {
                // A checkpoint of another world, whole and sound.
                for kind in ["json", "safetensors"] {
                    let foreign = place.bytes(&format!("garden/checkpoints/best.{kind}"));
                    place.write(&format!("{dir}/checkpoints/{stem}.{kind}"), foreign);
                }
            },
            &["trained in env `gardener`, not `k8s`"],
        ),
        (
            "json",
            |place, dir, stem| {
                for kind in ["json", "safetensors"] {
                    let foreign = place.bytes(&format!("sister/checkpoints/best.{kind}"));
                    place.write(&format!("{dir}/checkpoints/{stem}.{kind}"), foreign);
                }
            },
            &["another config.toml"],
        ),
        (
            "",
            |place, dir, _| replace(place, &format!("{dir}/config.toml"), "gamma = 0.92", "gamma = 0.7"),
            &["config.toml was edited", "`gamma = 0.7`, was `gamma = 0.92`", "put it back: `cp ", "SHA-256"],
        ),
    ]
}

fn others(place: &Place) {
    place.ok(&format!(
        "train --steps 384 --seed 1 {SMALL} --env gardener {TINY} --set max_generations=20 --out garden"
    ));
    place.ok(&format!("train --steps 384 --seed 2 {SMALL} --out sister"));
}

#[test]
fn a_training_does_not_go_on_from_a_damaged_checkpoint() {
    let (place, last) = interrupted();
    others(&place);
    for (number, (kind, damage, parts)) in damages().into_iter().enumerate() {
        let dir = format!("out-{number}");
        place.copy("out", &dir);
        // What a kill leaves is not tidied up either.
        place.write(&format!("{dir}/checkpoints/.tmpAbc"), "");
        damage(&place, &dir, &last);
        let said = place.refused_in(&dir, &format!("train --resume {dir} --no-monitor"));
        let file = if kind.is_empty() { dir.clone() } else { format!("{dir}/checkpoints/{last}.{kind}") };
        for part in [&*file].iter().chain(parts) {
            assert!(said.contains(part), "{number}: no {part} in {said}");
        }
        // Deleting helps unless it is the settings that do not fit.
        assert_eq!(said.contains("which is intact"), !kind.is_empty(), "{said}");
    }
}

#[test]
fn a_training_goes_on_from_an_older_checkpoint_as_the_message_says() {
    let (place, last) = interrupted();
    place.ok(&format!("train --steps {} --seed 1 {SMALL} --out whole", 60 * STEPS));
    edit(&place, &format!("out/checkpoints/{last}.safetensors"), |bytes| bytes[9] ^= 1);
    let said = place.refused("train --resume out --no-monitor");
    assert!(said.contains(&format!("delete {last}.json and {last}.safetensors")), "{said}");
    for kind in ["json", "safetensors"] {
        fs::remove_file(place.path(&format!("out/checkpoints/{last}.{kind}"))).unwrap();
    }
    place.ok("train --resume out --no-monitor");
    assert_same(&place.trained("out"), &place.trained("whole"), "from an older checkpoint");
}

/// The stems of the numbered checkpoints in `dir`, the oldest first.
fn numbered(place: &Place, dir: &str) -> Vec<String> {
    let names = place.names(&format!("{dir}/checkpoints"));
    let stems = names.iter().filter_map(|name| name.strip_suffix(".json"));
    stems.filter(|stem| stem.starts_with("step-")).map(str::to_owned).collect()
}

fn delete(place: &Place, dir: &str, stem: &str) {
    for kind in ["json", "safetensors"] {
        fs::remove_file(place.path(&format!("{dir}/checkpoints/{stem}.{kind}"))).unwrap();
    }
}

#[test]
fn the_checkpoint_that_is_advised_is_whole() {
    let (place, _) = interrupted();
    place.ok(&format!("train --steps {} --seed 1 {SMALL} --out whole", 60 * STEPS));
    let stems = numbered(&place, "out");
    let [oldest, middle, last] = &stems[..] else { panic!("{stems:?}") };
    // The one before the last is no way out: both have to go.
    edit(&place, &format!("out/checkpoints/{last}.json"), |bytes| bytes.truncate(9));
    edit(&place, &format!("out/checkpoints/{middle}.safetensors"), |bytes| bytes[9] ^= 1);
    place.copy("out", "none");
    let said = place.refused_in("out", "train --resume out --no-monitor");
    for part in [last, middle, &format!("to continue from {oldest}, which is intact")] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    delete(&place, "out", last);
    delete(&place, "out", middle);
    place.ok("train --resume out --no-monitor");
    assert_same(&place.trained("out"), &place.trained("whole"), "from the oldest checkpoint");

    // Where none is, the best one may be.
    edit(&place, &format!("none/checkpoints/{oldest}.safetensors"), |bytes| bytes[9] ^= 1);
    let said = place.refused_in("none", "train --resume none --no-monitor");
    assert!(said.contains("none is intact") && said.contains("copy best.json to step-"), "{said}");
    assert!(said.contains("resonetics rerun none --out NEW"), "{said}");
}

#[test]
fn an_edited_config_is_told_whatever_is_deleted() {
    let (place, _) = interrupted();
    place.ok(&format!("train --steps {} --seed 1 {SMALL} --out whole", 60 * STEPS));
    let config = place.bytes("out/config.toml");
    place.copy("out", "old");
    // As older versions leave it.
    fs::remove_file(place.path("old/checkpoints/config.toml")).unwrap();
    for dir in ["out", "old"] {
        replace(&place, &format!("{dir}/config.toml"), "steps = 7680", "steps = 9600");
        let resume = format!("train --resume {dir} --no-monitor");
        for stem in numbered(&place, dir).iter().rev() {
            let said = place.refused_in(dir, &resume);
            for part in [&format!("{dir}/config.toml was edited"), "SHA-256", "put it back"] {
                assert!(said.contains(part), "no {part} in {said}");
            }
            assert!(!said.contains("delete"), "{said}");
            assert_eq!(said.contains("line 3, `steps = 9600`, was `steps = 7680`"), dir == "out", "{said}");
            delete(&place, dir, stem);
        }
        // The best one is left, and belongs to the same settings.
        let said = place.refused_in(dir, &resume);
        assert!(said.contains("config.toml was edited"), "{said}");
        // Put back, it says what can be done, and that can be done.
        place.write(&format!("{dir}/config.toml"), &config);
        let said = place.refused_in(dir, &resume);
        for part in [&format!("{dir}/checkpoints holds no numbered checkpoint"), "nothing was begun anew"] {
            assert!(said.contains(part), "no {part} in {said}");
        }
        let (_, rest) = said.split_once("copy best.json to ").unwrap();
        let (stem, _) = rest.split_once(".json").unwrap();
        for kind in ["json", "safetensors"] {
            let best = place.bytes(&format!("{dir}/checkpoints/best.{kind}"));
            place.write(&format!("{dir}/checkpoints/{stem}.{kind}"), best);
        }
        place.ok(&resume);
        assert_same(&place.trained(dir), &place.trained("whole"), dir);
    }
}

#[test]
fn what_was_trained_is_never_begun_anew() {
    let (place, _) = interrupted();
    let resume = "train --resume out --no-monitor";
    for stem in numbered(&place, "out").iter().chain(&["best".to_owned()]) {
        delete(&place, "out", stem);
    }
    // Its rows are left, then its timings alone.
    for gone in ["", "out/training.csv"] {
        if !gone.is_empty() {
            fs::remove_file(place.path(gone)).unwrap();
        }
        let said = place.refused_in("out", resume);
        for part in ["holds no numbered checkpoint", "out/training.csv", "updates", "resonetics rerun out"] {
            assert!(said.contains(part), "no {part} in {said}");
        }
        assert!(!said.contains("best"), "{said}");
    }
}

#[test]
fn a_best_checkpoint_that_a_kill_kept_away_is_written_again() {
    let place = Place::new();
    // Its one checkpoint is the best one too; the kill met it between the two.
    place.ok(&format!("train --steps {} --seed 1 {SMALL} --out whole", 3 * STEPS));
    place.copy("whole", "out");
    replace(&place, "out/run.json", "\"finished\"", "\"running\"");
    delete(&place, "out", "best");
    place.ok("train --resume out --no-monitor");
    assert_same(&place.trained("out"), &place.trained("whole"), "without its best checkpoint");
}

#[test]
fn a_training_does_not_go_on_without_its_rows() {
    let (place, _) = interrupted();
    let csv = |dir: &str| format!("{dir}/training.csv");
    let damages: [(Damage, &[&str]); 4] = [
        (
            |place, dir, _| fs::remove_file(place.path(&format!("{dir}/training.csv"))).unwrap(),
            &["No such file"],
        ),
        (
            |place, dir, _| edit(place, &format!("{dir}/training.csv"), |bytes| bytes.truncate(300)),
            &["has 300 bytes, its checkpoint says ", "it was cut"],
        ),
        (
            |place, dir, _| fs::remove_file(place.path(&format!("{dir}/run.json"))).unwrap(),
            &["run.json", "No such file"],
        ),
        (
            |place, dir, _| replace(place, &format!("{dir}/run.json"), "{", ""),
            &["run.json", "not a complete JSON file"],
        ),
    ];
    for (number, (damage, parts)) in damages.into_iter().enumerate() {
        let dir = format!("out-{number}");
        place.copy("out", &dir);
        damage(&place, &dir, "");
        let said = place.refused_in(&dir, &format!("train --resume {dir} --no-monitor"));
        let file = if number < 2 { csv(&dir) } else { format!("{dir}/run.json") };
        for part in [&*file].iter().chain(parts) {
            assert!(said.contains(part), "{number}: no {part} in {said}");
        }
    }
    // An edited config.toml is first of all one with settings.
    place.copy("out", "edited");
    for (from, to, part) in [
        ("gamma = 0.92", "gamma = 1.8", "`gamma = 1.8`"),
        ("gamma = 1.8", "gama = 0.8", "unknown field `gama`"),
        ("steps = 7680", "steps = 0", "steps"),
        ("command = \"train\"", "command = \"eat\"", "`eat`"),
    ] {
        replace(&place, "edited/config.toml", from, to);
        let said = place.refused_in("edited", "train --resume edited --no-monitor");
        assert!(said.contains("edited/config.toml") && said.contains(part), "{said}");
        if from.starts_with("gamma = 1") {
            replace(&place, "edited/config.toml", to, "gamma = 0.92");
        } else if to.starts_with("steps") {
            replace(&place, "edited/config.toml", to, from);
        }
    }
}

#[test]
fn a_damaged_best_checkpoint_neither_plays_nor_competes() {
    let (place, _) = interrupted();
    others(&place);
    for (number, (kind, damage, parts)) in damages().into_iter().enumerate() {
        let dir = format!("out-{number}");
        place.copy("out", &dir);
        damage(&place, &dir, "best");
        let commands = [
            format!("eval --run {dir} --seed 1"),
            format!("benchmark --seed 1 --agents random,prophet:{dir}"),
        ];
        // Both read it alike, and each takes half a second to be sure.
        for command in commands.iter().take(if number % 4 == 0 { 2 } else { 1 }) {
            let said = place.refused_in(&dir, command);
            let file = if kind.is_empty() { dir.clone() } else { format!("{dir}/checkpoints/best.{kind}") };
            for part in [&*file].iter().chain(parts) {
                assert!(said.contains(part), "{command}, {number}: no {part} in {said}");
            }
            assert!(!said.contains("delete best"), "{said}");
            assert!(!kind.is_empty() || !said.contains("--resume"), "{said}");
        }
    }
    fs::remove_file(place.path("out/checkpoints/best.json")).unwrap();
    for command in ["eval --run out --seed 1", "benchmark --seed 1 --agents prophet:out"] {
        let said = place.refused_in("out", command);
        assert!(
            said.contains("out/checkpoints holds no best checkpoint") && said.contains("--resume"),
            "{said}"
        );
    }
}

/// A run that two programs made is neither's alone: it says so when the second goes on, in its record, and
/// when it is repeated with another outcome.
#[test]
fn a_run_says_which_programs_made_it() {
    let (place, _) = interrupted();
    replace(&place, "out/run.json", "\"commit\": \"", "\"commit\": \"0ther-");
    let said = place.ok("train --resume out --no-monitor").stdout;
    assert!(said.starts_with("commit 0ther-") && said.contains(" worked on it before"), "{said}");
    let record = place.json("out/run.json");
    let earlier = record["earlier_commits"].as_array().unwrap();
    assert!(earlier.len() == 1 && earlier[0].as_str().unwrap().starts_with("0ther-"), "{record}");
    edit(&place, "out/training.csv", |bytes| bytes.extend_from_slice(b"1,2\n"));
    let ran = place.run("rerun out --out again");
    assert!(ran.code == Some(1) && ran.stderr.contains("in part by commit 0ther-"), "{ran:?}");
}

/// Advice of a finished training can be followed, also as it is typed.
#[test]
fn a_finished_training_without_its_best_is_repeated() {
    let place = Place::new();
    place.ok(&format!("train --steps {STEPS} --seed 1 {SMALL} --out out"));
    fs::rename(place.path("out"), place.path("it is")).unwrap();
    fs::remove_file(place.path("it is/checkpoints/best.json")).unwrap();
    let said = place.refused_of(&["eval", "--run", "it is"]);
    for part in ["any more: put it back", "`resonetics rerun 'it is' --out NEW`"] {
        assert!(said.contains(part), "{said}");
    }
    fs::remove_file(place.path("it is/config.toml")).unwrap();
    let said = place.refused_of(&["train", "--resume", "it is"]);
    assert!(said.contains("it is kept in it is/checkpoints/config.toml"), "{said}");
}
