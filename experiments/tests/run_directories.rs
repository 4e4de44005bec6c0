//! Where a run's files go, and what happens when they cannot go there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;

use common::{Csv, Place, Ran, TINY};

/// The commands that make a run directory, short enough to repeat.
fn commands() -> [String; 4] {
    [
        format!("gardener --generations 3 --seed 1 {TINY}"),
        "benchmark --episodes 2 --seed 1".to_owned(),
        "controls --env k8s --episodes 2 --seed 1".to_owned(),
        "record k8s --steps 2 --seed 1".to_owned(),
    ]
}

/// The commands that write files only where they are told to.
const REPORTS: [&str; 5] =
    ["list", "doctor", "check k8s", "throughput --seconds 0.01 --num-envs 16", "replay trace.json"];

fn trace(place: &Place) {
    place.ok("record k8s --steps 2 --seed 1 --out trace -q");
    fs::rename(place.path("trace/trace.json"), place.path("trace.json")).unwrap();
    fs::remove_dir_all(place.path("trace")).unwrap();
}

#[test]
fn runs_are_numbered_by_command() {
    for arguments in commands() {
        let place = Place::new();
        let name = arguments.split(' ').next().unwrap();
        for number in 1..=3 {
            let ran = place.ok(&arguments);
            assert_eq!(ran.last_line(), format!("wrote runs/{name}-{number:04}"));
        }
        assert_eq!(place.names("runs"), [1, 2, 3].map(|number| format!("{name}-{number:04}")));
        assert_eq!(place.names(""), ["runs"]);
    }
}

#[test]
fn a_finished_run_has_its_files_and_says_what_it_was() {
    let expected: [&[&str]; 4] = [
        &["config.toml", "dirt.svg", "resonetics_data.csv", "run.json", "summary.csv"],
        &["benchmark.csv", "config.toml", "episodes.csv", "run.json"],
        &["config.toml", "lifetimes.csv", "run.json", "summary.csv", "survival-k8s.svg", "survival.csv"],
        &["config.toml", "run.json", "trace.json"],
    ];
    for (arguments, expected) in commands().iter().zip(expected) {
        let place = Place::new();
        let arguments = format!("{arguments} --out out --threads 2");
        place.ok(&arguments);
        assert_eq!(place.names("out"), expected);
        let record = place.json("out/run.json");
        assert_eq!(record["status"], "finished");
        assert_eq!(record["arguments"], serde_json::json!(common::words(&arguments)));
        assert_eq!((&record["seed"], &record["threads"]), (&1.into(), &2.into()));
        let config: toml::Table = place.text("out/config.toml").parse().unwrap();
        assert_eq!(config["seed"].as_integer(), Some(1));
        assert_eq!(config["command"].as_str(), arguments.split(' ').next());
    }
}

#[test]
fn reports_are_written_if_asked() {
    let place = Place::new();
    trace(&place);
    for (report, file) in
        REPORTS.iter().zip(["list.txt", "doctor.txt", "check.txt", "throughput.json", "replay.json"])
    {
        let ran = place.ok(&format!("{report} --out {file}.d"));
        assert_eq!(place.text(&format!("{file}.d/{file}")).trim_end(), ran.stdout.trim_end(), "{report}");
        assert_eq!(place.json(&format!("{file}.d/run.json"))["status"], "finished");
    }
}

#[test]
fn processes_at_once_get_directories_of_their_own() {
    let place = Place::new();
    let start = || place.command(&commands()[0]).spawn().unwrap();
    let children: Vec<_> = (0..8).map(|_| start()).collect();
    for child in children {
        assert_eq!(Ran::of(child.wait_with_output().unwrap(), "gardener").code, Some(0));
    }
    let expected: Vec<_> = (1..=8).map(|number| format!("gardener-{number:04}")).collect();
    assert_eq!(place.names("runs"), expected);
    for name in expected {
        assert_eq!(place.csv(&format!("runs/{name}/resonetics_data.csv")).rows.len(), 3);
    }
}

#[test]
fn of_processes_with_one_out_a_single_one_gets_it() {
    let place = Place::new();
    let start = || place.command(&format!("{} --out out", commands()[0])).spawn().unwrap();
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    let end = |child: std::process::Child| Ran::of(child.wait_with_output().unwrap(), "gardener").code;
    let mut codes: Vec<_> = children.into_iter().map(end).collect();
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(2), Some(2), Some(2)]);
    assert_eq!(place.csv("out/resonetics_data.csv").rows.len(), 3);
    assert_eq!(place.json("out/run.json")["status"], "finished");
}

#[test]
fn what_is_there_is_refused_and_untouched() {
    let place = Place::new();
    trace(&place);
    fs::create_dir(place.path("out")).unwrap();
    place.write("out/run.json", b"mine\0");
    place.write("file", "mine too");
    let runs = commands();
    for arguments in runs.iter().map(String::as_str).chain(REPORTS) {
        for out in ["out", "file"] {
            let ran = place.run(&format!("{arguments} --out {out}"));
            assert_eq!(ran.code, Some(2), "{arguments}: {ran:?}");
            assert!(ran.stderr.starts_with(&format!("error: {out} already ")), "{ran:?}");
            assert!(ran.stderr.contains("nothing was overwritten: choose another --out or remove it"));
        }
    }
    assert_eq!(place.names(""), ["file", "out", "trace.json"]);
    assert_eq!(place.names("out"), ["run.json"]);
    assert_eq!(
        (place.bytes("out/run.json"), place.text("file")),
        (b"mine\0".to_vec(), "mine too".to_owned())
    );
}

#[test]
fn an_empty_directory_is_accepted() {
    let place = Place::new();
    fs::create_dir(place.path("out")).unwrap();
    place.ok(&format!("{} --out out", commands()[0]));
    assert_eq!(place.json("out/run.json")["status"], "finished");
}

#[test]
fn a_place_that_cannot_be_written_is_refused_by_name() {
    let place = Place::new();
    place.write("file", "");
    let mut places = vec![("file/sub", "file/sub"), ("file/sub/deeper", "file/sub")];
    if cfg!(target_os = "linux") {
        places.push(("/proc/sub", "/proc/sub"));
    }
    for arguments in commands() {
        for (out, named) in &places {
            let said = place.refused(&format!("{arguments} --out {out}"));
            assert!(said.starts_with(&format!("error: cannot create {named}: ")), "{said}");
        }
    }
    place.write("runs", "");
    let said = place.refused(&commands()[0]);
    assert!(said.starts_with("error: cannot create runs"), "{said}");
}

#[test]
fn a_file_that_cannot_grow_is_exit_1_and_keeps_whole_rows() {
    let garden = format!("gardener --generations 100000 --seed 1 --out out {TINY}");
    for (arguments, file) in [
        (garden.as_str(), "out/resonetics_data.csv"),
        ("benchmark --episodes 3000 --seed 1 --set max_steps=5 --out out", "out/episodes.csv"),
    ] {
        let place = Place::new();
        let ran = place.limited("-f 64", arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.stderr.starts_with(&format!("error: cannot write {file}: ")), "{ran:?}");
        assert!(Csv::parse(&place.text(file)).rows.len() > 100);
        let record = place.json("out/run.json");
        assert_eq!(record["status"], "failed");
        assert_eq!(format!("error: {}\n", record["error"].as_str().unwrap()), ran.stderr);
    }
}

#[test]
fn a_trace_that_finds_no_room_is_exit_1_and_not_there() {
    let place = Place::new();
    let ran = place.limited("-f 64", "record k8s --steps 500 --seed 1 --out out");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.starts_with("error: cannot create out/trace.json: "), "{ran:?}");
    assert_eq!(place.names("out"), ["config.toml", "run.json"]);
    assert_eq!(place.json("out/run.json")["status"], "failed");
}
