//! However a run ends, what it leaves is valid and says how it ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::cell::Cell;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Csv, Place, TINY, end, hangups_are_ignored, wait_until};
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};

/// Commands that would take hours, the file that shows them under way, and its size then.
fn endless() -> [(String, &'static str, u64); 3] {
    let garden = format!("gardener --generations 100000000 --seed 1 --out out {TINY}");
    let runs = format!("{garden} --runs 8 --threads 2");
    let benchmark = "benchmark --episodes 10000000 --seed 1 --agents random --out out".to_owned();
    [
        (garden, "out/resonetics_data.csv", 10_000),
        (runs, "out/run-0001/resonetics_data.csv", 10_000),
        (benchmark, "out/episodes.csv", 1),
    ]
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until the program has taken over both signals: with libtorch linked it takes its time to start.
fn wait_for_handlers(child: &Child) {
    let both = [Signal::INT, Signal::TERM].map(|signal| 1 << (signal.as_raw() - 1));
    let status = format!("/proc/{}/status", child.id());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let Some(caught) = text.lines().find_map(|line| line.strip_prefix("SigCgt:")) else {
            return std::thread::sleep(Duration::from_secs(2)); // not Linux: no better way is known
        };
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        if both.iter().all(|bit| caught & bit != 0) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the program never listened to signals");
}

/// The files of a run, each of which must be one that a finished run has too.
fn only_known_names(place: &Place) {
    for name in place.names("out") {
        let known =
            ["config.toml", "run.json", "resonetics_data.csv", "episodes.csv"].contains(&name.as_str());
        assert!(known || name.starts_with("run-000"), "{name} was left behind");
    }
    assert!(!place.bytes("out/config.toml").is_empty());
}

#[test]
fn sigint_and_sigterm_end_in_order() {
    for (arguments, file, bytes) in endless() {
        for (signal, code, name) in [(Signal::INT, 130, "SIGINT"), (Signal::TERM, 143, "SIGTERM")] {
            let place = Place::new();
            let child = place.under_way(&arguments, file, bytes);
            send(&child, signal);
            let ran = end(child, &arguments);
            assert_eq!(ran.code, Some(code), "{arguments}: {ran:?}");
            assert_eq!(ran.stdout, "what was done until then is in out\n");
            assert_eq!(ran.stderr, format!("error: interrupted by {name}\n"));
            only_known_names(&place);
            for (name, text) in place.csv_files("out") {
                let csv = Csv::parse(&String::from_utf8(text).unwrap());
                let long = bytes > 1 && file.ends_with(&name);
                assert!(!long || csv.rows.len() > 100, "{name} lost its rows");
            }
            let record = place.json("out/run.json");
            assert_eq!(record["status"], "interrupted");
            assert!(record["finished_at"].is_string() && record["wall_seconds"].is_number());
        }
    }
}

/// Rows leave memory many at a time: none is lost in between, none written twice.
#[test]
fn an_interrupted_log_has_every_generation_up_to_its_end() {
    let place = Place::new();
    let (arguments, file, bytes) = &endless()[0];
    let child = place.under_way(arguments, file, *bytes);
    send(&child, Signal::INT);
    end(child, arguments);
    let csv = place.csv(file);
    let expected: Vec<String> = (1..=csv.rows.len()).map(|number| number.to_string()).collect();
    assert_eq!(csv.column("Gen"), expected);
}

#[test]
fn an_interrupted_drift_has_every_step_up_to_its_end() {
    let place = Place::new();
    // Nobody reads the log: it must not fill the pipe and stop.
    let arguments = "drift --steps 1000000000 --seed 1 --out out --no-monitor";
    let mut command = place.command(arguments);
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    let log = place.path("out/drift.csv");
    wait_until(|| std::fs::metadata(&log).is_ok_and(|file| file.len() > 10_000));
    send(&child, Signal::INT);
    let ran = end(child, arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(130), "error: interrupted by SIGINT\n"));
    let csv = place.csv("out/drift.csv");
    let expected: Vec<String> = (0..csv.rows.len()).map(|step| step.to_string()).collect();
    assert_eq!(csv.column("step"), expected);
    assert_eq!(place.json("out/run.json")["status"], "interrupted");
}

#[test]
fn a_second_sigint_ends_at_once() {
    let place = Place::new();
    // Nobody reads its log: once the pipe is full the program waits there and looks for no signal.
    let mut child =
        place.command("drift --steps 1000000000 --seed 1 --out out --no-monitor").spawn().unwrap();
    let log = child.stdout.take().unwrap();
    let lying = Cell::new(0);
    wait_until(|| {
        std::thread::sleep(Duration::from_millis(500));
        let before = lying.replace(ioctl_fionread(&log).unwrap());
        before > 0 && before == lying.get()
    });
    // Nor does another one end it at once; later it does.
    for (signal, wait) in [(Signal::INT, 0), (Signal::TERM, 300), (Signal::INT, 1500)] {
        send(&child, signal);
        std::thread::sleep(Duration::from_millis(wait));
        assert!(child.try_wait().unwrap().is_none(), "one of the first ones ended it");
    }
    send(&child, Signal::INT);
    let start = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// `timeout` sends SIGTERM twice within microseconds: to the process, then to its group.
#[test]
fn signals_that_arrive_together_are_one() {
    let (arguments, file, _) = endless()[0].clone();
    let pairs = [(Signal::TERM, Signal::TERM), (Signal::INT, Signal::INT), (Signal::TERM, Signal::INT)];
    for (first, second) in pairs.into_iter().cycle().take(30) {
        let place = Place::new();
        let child = place.under_way(&arguments, file, 100);
        let pid = Pid::from_child(&child);
        for signal in [first, second, second] {
            kill_process(pid, signal).unwrap();
        }
        let ran = end(child, &arguments);
        assert!([Some(130), Some(143)].contains(&ran.code), "{ran:?}");
        assert_eq!(ran.stdout, "what was done until then is in out\n", "{ran:?}");
        assert_eq!(place.json("out/run.json")["status"], "interrupted");
    }
}

#[test]
fn sigkill_leaves_whole_rows_and_a_run_that_says_running() {
    for (arguments, file, bytes) in endless() {
        for _ in 0..3 {
            let place = Place::new();
            let mut child = place.under_way(&arguments, file, bytes);
            child.kill().unwrap();
            assert_eq!(child.wait().unwrap().code(), None);
            only_known_names(&place);
            // A file without a byte was made in the moment of the kill, before its header.
            let started = place.csv_files("out").into_iter().filter(|(_, text)| !text.is_empty());
            for (name, text) in started {
                let csv = Csv::parse_started(&String::from_utf8(text).unwrap());
                let long = bytes > 1 && file.ends_with(&name);
                assert!(!long || csv.rows.len() > 100, "{name} lost its rows");
            }
            let record = place.json("out/run.json");
            assert_eq!((&record["status"], &record["finished_at"]), (&"running".into(), &().into()));
        }
    }
}

/// A terminal that is closed ends a run in order, and one under nohup not at all.
#[cfg(target_os = "linux")]
#[test]
fn sighup_ends_in_order_unless_it_is_ignored() {
    let (arguments, file, bytes) = endless()[0].clone();
    if !hangups_are_ignored() {
        let place = Place::new();
        let child = place.under_way(&arguments, file, bytes);
        send(&child, Signal::HUP);
        let ran = end(child, &arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(129), "error: interrupted by SIGHUP\n"));
        assert_eq!(place.json("out/run.json")["status"], "interrupted");
    }

    let place = Place::new();
    let program = place.command(&arguments);
    let mut nohup = std::process::Command::new("nohup");
    nohup.arg(program.get_program()).args(program.get_args()).current_dir(program.get_current_dir().unwrap());
    let child = nohup.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let path = place.path(file);
    let length = || std::fs::metadata(&path).map_or(0, |file| file.len());
    wait_until(|| length() >= bytes);
    send(&child, Signal::HUP);
    let before = length();
    wait_until(|| length() > before + bytes);
    send(&child, Signal::INT);
    assert_eq!(end(child, &arguments).code, Some(130));
}

#[test]
fn commands_that_write_nothing_stop_too() {
    let place = Place::new();
    let child = place.command("throughput --seconds 80000 --num-envs 16 --threads 1").spawn().unwrap();
    wait_for_handlers(&child);
    send(&child, Signal::TERM);
    let ran = end(child, "throughput");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(143), ""));
    assert!(place.names("").is_empty());
}
