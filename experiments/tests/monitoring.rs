//! A training or a drift that is watched from outside, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Child;
use std::time::Duration;

use common::{Place, SMALL, end, send, wait_until};
use rustix::process::Signal;

/// A training that takes minutes, without a word about its monitor.
fn long() -> String {
    let small = SMALL.replace(" --no-monitor", "");
    format!("train --steps 2560000 --seed 1 {small} --set train.schedule=prophet --out out")
}

/// Status, head and body of the answer.
fn get(address: &str, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

/// What follows `before` in `line`, up to a slash.
fn address(line: &str, before: &str) -> String {
    let (_, rest) = line.split_once(before).unwrap_or_else(|| panic!("no {before} in {line}"));
    rest.split('/').next().unwrap().to_owned()
}

/// Starts `arguments` and yields the addresses for metrics and health that it prints first.
fn watched(place: &Place, arguments: &str) -> (Child, String, String) {
    let mut child = place.command(arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.ends_with("/healthz and /readyz\n"), "{line}");
    (child, address(&line, "metrics at http://"), address(&line, "health at http://"))
}

fn sample(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    common::number(line.unwrap_or_else(|| panic!("no {name} in {text}")))
}

/// Sockets that a process has open.
#[cfg(target_os = "linux")]
fn sockets(child: &Child) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let targets = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn a_training_shows_its_numbers_while_it_runs() {
    let place = Place::new();
    let (child, metrics, health) = watched(&place, &format!("{} --metrics-port 0 --health-port 0", long()));
    assert_ne!(metrics, health);
    assert_eq!(get(&health, "/healthz").0, 200);
    wait_until(|| get(&health, "/readyz").0 == 200);
    let (_, _, ready) = get(&health, "/readyz");
    assert!(ready.starts_with("ready, at step "), "{ready}");
    // An episode lasts up to 500 steps, and its mean is there once the first is over.
    wait_until(|| get(&metrics, "/metrics").2.contains("\nprophet_episode_return_mean "));
    let (status, head, text) = get(&metrics, "/metrics");
    assert!(status == 200 && head.contains("application/openmetrics-text"), "{head}");
    let mut names: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "prophet_actual_error",
            "prophet_episode_return_mean",
            "prophet_episodes_total",
            "prophet_kernel_eps",
            "prophet_learning_rate",
            "prophet_nonfinite_total",
            "prophet_predicted_risk",
            "prophet_rollbacks_total",
            "prophet_steps_per_second",
            "prophet_system_status",
            "prophet_training_step_total",
        ]
    );
    assert!(sample(&text, "prophet_learning_rate") > 0.0 && sample(&text, "prophet_steps_per_second") > 0.0);
    assert!((0.0..=3.0).contains(&sample(&text, "prophet_system_status")));
    assert!(sample(&text, "prophet_episodes_total") >= 1.0);
    assert_eq!(sample(&text, "prophet_rollbacks_total"), 0.0);
    let step = sample(&text, "prophet_training_step_total");
    assert!(step > 0.0 && step % 128.0 == 0.0);
    wait_until(|| sample(&get(&metrics, "/metrics").2, "prophet_training_step_total") > step);
    #[cfg(target_os = "linux")]
    assert!(sockets(&child) >= 2);
    send(&child, Signal::INT);
    assert_eq!(end(child, "a watched training").code, Some(130));
    assert!(TcpStream::connect(&metrics).is_err(), "the port is still open");

    // A resumed training is watched as well, and counts on from its checkpoint whenever it is asked: no
    // counter begins at 0 and jumps.
    let counters = |place: &Place| {
        let names = place.names("out/checkpoints");
        let last = names.iter().filter_map(|name| name.strip_suffix(".json")).next_back().unwrap();
        let counters = &place.json(&format!("out/checkpoints/{last}.json"))["numbers"]["counters"];
        ["steps", "episodes"].map(|name| counters[name].as_f64().unwrap())
    };
    let [steps, episodes] = counters(&place);
    assert!(steps > 0.0 && episodes > 0.0);
    let (child, metrics, health) = watched(&place, "train --resume out --metrics-port 0 --health-port 0");
    loop {
        let (ready, text) = (get(&health, "/readyz"), get(&metrics, "/metrics").2);
        if text != "# EOF\n" {
            assert!(sample(&text, "prophet_training_step_total") >= steps, "{text}");
            assert!(sample(&text, "prophet_episodes_total") >= episodes, "{text}");
        }
        if ready.0 == 200 {
            break;
        }
        assert_eq!(ready.2, "no training step yet\n");
    }
    send(&child, Signal::INT);
    assert_eq!(end(child, "a resumed training").code, Some(130));
}

#[test]
fn a_port_that_is_taken_is_refused_before_anything_is_written() {
    let place = Place::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    for (option, other) in [("--metrics-port", "--health-port"), ("--health-port", "--metrics-port")] {
        let said = place.refused(&format!("{} {option} {port} {other} 0", long()));
        for part in [&format!("127.0.0.1:{port}"), option, "--no-monitor"] {
            assert!(said.contains(part), "no {part} in {said}");
        }
    }
    for (options, part) in [
        ("--metrics-port 65536", "from 0 to 65535"),
        ("--health-port -1", "from 0 to 65535"),
        ("--monitor-host here", "--monitor-host"),
        ("--monitor-host 192.0.2.1 --metrics-port 0 --health-port 0", "--monitor-host"),
    ] {
        let said = place.refused(&format!("{} {options}", long()));
        assert!(said.contains(part), "{said}");
    }
    // Nor does a training that is to go on.
    let child = place.under_way(&format!("{} --no-monitor", long()), "out/timing.jsonl", 200);
    send(&child, Signal::INT);
    end(child, "a training");
    place.refused_in("out", &format!("train --resume out --metrics-port {port} --health-port 0"));
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_monitor_nothing_is_opened() {
    let place = Place::new();
    let arguments = format!("{} --no-monitor --metrics-port 0", long());
    let child = place.under_way(&arguments, "out/timing.jsonl", 200);
    // That of `lumen ctl`, which no network reaches.
    assert_eq!(sockets(&child), 1);
    send(&child, Signal::INT);
    let ran = end(child, &arguments);
    assert_eq!(ran.last_line(), "what was done until then is in out");
    assert!(!ran.stdout.contains("http"), "{ran:?}");
}

/// A step is over in microseconds: what is read is of some step, and of one.
#[test]
fn a_drift_shows_its_numbers_while_it_runs() {
    let place = Place::new();
    let drift = "drift --steps 1000000000 --seed 1 --out out";
    let (mut child, metrics, health) = watched(&place, &format!("{drift} --metrics-port 0 --health-port 0"));
    // Nobody else reads the log: it must not fill the pipe and stop.
    let mut log = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    assert_eq!(get(&health, "/healthz").0, 200);
    wait_until(|| get(&health, "/readyz").0 == 200);
    let (_, _, text) = get(&metrics, "/metrics");
    let step = sample(&text, "prophet_training_step_total") as usize;
    wait_until(|| sample(&get(&metrics, "/metrics").2, "prophet_training_step_total") as usize > step);
    send(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    reader.join().unwrap().unwrap();
    assert!(TcpStream::connect(&metrics).is_err(), "the port is still open");

    let csv = place.csv("out/drift.csv");
    let shown = |name: &str| sample(&text, &format!("prophet_{name}"));
    for (name, column) in
        [("learning_rate", "lr"), ("predicted_risk", "risk"), ("kernel_wR", "wR"), ("kernel_eps", "eps")]
    {
        let (found, row) = (shown(name), csv.numbers(column)[step - 1]);
        assert!((found - row).abs() < 1e-8, "{name} after step {step}: {found}, {row}");
    }
    let modes = ["panic", "alert", "warning", "cruise"];
    assert_eq!(modes[shown("system_status") as usize], csv.column("mode")[step - 1]);
    // The mean error of the last ten steps.
    let errors = &csv.numbers("gap_R")[step.saturating_sub(10)..step];
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!((shown("actual_error") - mean).abs() < 1e-7, "{}, {mean}", shown("actual_error"));
}

#[test]
fn a_drift_at_a_port_that_is_taken_is_refused_and_its_rerun_is_not_watched() {
    let place = Place::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    for (option, other) in [("--metrics-port", "--health-port"), ("--health-port", "--metrics-port")] {
        let said = place.refused(&format!("drift --steps 3 --seed 1 --out out {option} {port} {other} 0"));
        for part in [&format!("127.0.0.1:{port}"), option, "--no-monitor"] {
            assert!(said.contains(part), "no {part} in {said}");
        }
    }
    let ran = place.ok("drift --steps 3 --seed 1 --out out --metrics-port 0 --health-port 0 --quiet");
    assert!(!ran.stdout.contains("http"), "{ran:?}");
    assert!(!place.ok("rerun out --out again").stdout.contains("http"));
}

/// Whether these ports are free here or not: afterwards they are taken.
#[test]
fn usual_ports_that_are_taken_give_way_in_trainings_side_by_side() {
    let _taken = [8000, 8080].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    let place = Place::new();
    let small = SMALL.replace(" --no-monitor", "");
    let start = |seed: u32| {
        let arguments = format!("train --steps 12800 --seed {seed} {small} --out out-{seed}");
        (seed, place.command(&arguments).spawn().unwrap())
    };
    let mut addresses = Vec::new();
    for (seed, child) in [1, 2, 3].map(start) {
        let ran = end(child, "a training");
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        for port in [8000, 8080] {
            assert!(ran.stdout.contains(&format!("port {port} is taken: http://127.0.0.1:")), "{ran:?}");
        }
        let monitor = &place.json(&format!("out-{seed}/run.json"))["monitor"];
        for (kind, before) in [("metrics", "metrics at "), ("health", "health at ")] {
            let address = monitor[kind].as_str().unwrap();
            assert!(ran.stdout.contains(&format!("{before}{address}/")), "{address}: {ran:?}");
            addresses.push(address.to_owned());
        }
    }
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 6);
    // A drift does the same, and one that is typed is refused still.
    let ran = place.ok("drift --steps 3 --seed 1 --out drift");
    assert!(ran.stdout.contains("port 8000 is taken: "), "{ran:?}");
    assert!(
        place.refused("drift --steps 3 --seed 1 --out no --metrics-port 8000").contains("--metrics-port")
    );
}
