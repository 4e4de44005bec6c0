//! Runs the program as a user does: what is in the run directory however the run ends.

use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn demo(dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resonetics"));
    command.current_dir(dir.path()).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(dir: &TempDir, arguments: &[&str]) -> Output {
    demo(dir, arguments).output().unwrap()
}

fn temp() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn record(run: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The number of rows in the run's CSV file, all of them whole and as the demo wrote them.
fn whole_rows(run: &Path) -> usize {
    let text = fs::read_to_string(run.join("rows.csv")).unwrap();
    let rows = text.lines().count() - 1;
    let mut expected = "step,payload\n".to_owned();
    for step in 0..rows {
        writeln!(expected, "{step},{}", "x".repeat(step % 300)).unwrap();
    }
    assert!(text == expected, "{rows} rows, not all whole");
    rows
}

/// Starts a long run in `out` and returns when the first rows are in its file.
fn under_way(dir: &TempDir) -> Child {
    let child = demo(dir, &["--out", "out", "--rows", "1000000", "--pause", "1"]);
    let child = { child }.spawn().unwrap();
    let csv = dir.path().join("out/rows.csv");
    wait_until(|| fs::metadata(&csv).is_ok_and(|file| file.len() > 10_000));
    child
}

fn wait_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "nothing happens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_finished_run_has_all_its_files() {
    let dir = temp();
    let output = run(&dir, &["--out", "out", "--rows", "1000"]);
    assert!(output.status.success() && output.stderr.is_empty());
    assert_eq!(output.stdout, b"out\n1000 rows\n");
    let out = dir.path().join("out");
    assert_eq!(names(&out), ["config.toml", "rows.csv", "run.json"]);
    assert_eq!(whole_rows(&out), 1000);
    let record = record(&out);
    assert_eq!(record["status"], "finished");
    let arguments = serde_json::json!(["--out", "out", "--rows", "1000"]);
    assert_eq!(record["arguments"], arguments);
}

#[test]
fn sigint_and_sigterm_end_in_order() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let dir = temp();
        let child = under_way(&dir);
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(stderr(&output).starts_with("error: interrupted by SIG"));
        let out = dir.path().join("out");
        assert_eq!(names(&out), ["config.toml", "rows.csv", "run.json"]);
        assert!(whole_rows(&out) > 50);
        assert_eq!(record(&out)["status"], "interrupted");
        assert!(record(&out)["finished_at"].is_string());
    }
}

#[test]
fn a_second_sigint_ends_at_once() {
    let dir = temp();
    let asleep = ["--out", "out", "--rows", "2", "--pause", "60000"];
    let mut child = demo(&dir, &asleep).spawn().unwrap();
    wait_until(|| dir.path().join("out/rows.csv").exists());
    std::thread::sleep(Duration::from_millis(200));
    send(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "the first one ended it");
    send(&child, Signal::INT);
    let start = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn sigkill_leaves_whole_rows() {
    for _ in 0..5 {
        let dir = temp();
        let mut child = under_way(&dir);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None);
        let out = dir.path().join("out");
        assert_eq!(names(&out), ["config.toml", "rows.csv", "run.json"]);
        assert!(whole_rows(&out) > 50);
        assert_eq!(record(&out)["status"], "running");
    }
}

#[test]
fn a_panic_is_a_failed_run_with_its_rows() {
    let dir = temp();
    let output = run(&dir, &["--out", "out", "--rows", "10", "--panic"]);
    assert!(!output.status.success());
    let out = dir.path().join("out");
    assert_eq!(record(&out)["status"], "failed");
    assert_eq!(whole_rows(&out), 10);
}

#[test]
fn what_is_there_is_refused_and_untouched() {
    let dir = temp();
    fs::create_dir(dir.path().join("out")).unwrap();
    fs::write(dir.path().join("out/run.json"), b"mine\0").unwrap();
    fs::write(dir.path().join("file"), b"mine too").unwrap();
    for out in ["out", "file"] {
        let output = run(&dir, &["--out", out, "--rows", "1"]);
        assert_eq!(output.status.code(), Some(2));
        let text = stderr(&output);
        assert!(text.starts_with(&format!("error: {out} already ")), "{text}");
        assert!(text.contains("nothing was overwritten: choose another --out or remove it"));
    }
    assert_eq!(names(dir.path()), ["file", "out"]);
    assert_eq!(names(&dir.path().join("out")), ["run.json"]);
    assert_eq!(fs::read(dir.path().join("out/run.json")).unwrap(), b"mine\0");
    assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"mine too");
}

#[test]
fn an_empty_directory_is_accepted() {
    let dir = temp();
    fs::create_dir(dir.path().join("out")).unwrap();
    assert!(run(&dir, &["--out", "out"]).status.success());
}

#[test]
fn a_place_that_cannot_be_written_is_exit_2_and_named() {
    let dir = temp();
    fs::write(dir.path().join("file"), b"").unwrap();
    let mut places = vec!["file/sub", "file/sub/deeper"];
    if cfg!(target_os = "linux") {
        places.push("/proc/sub");
    }
    for place in places {
        let output = run(&dir, &["--out", place]);
        assert_eq!(output.status.code(), Some(2), "{place}");
        let named = place.strip_suffix("/deeper").unwrap_or(place);
        let text = stderr(&output);
        assert!(text.starts_with(&format!("error: cannot create {named}: ")), "{text}");
    }
    assert_eq!(names(dir.path()), ["file"]);
}

/// As on a disk with room for 32 or 64 KiB, which of the two being up to the shell.
fn run_short_of_space(dir: &TempDir, arguments: &[&str]) -> Output {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 64 && exec \"$@\"", "sh"]);
    limited.arg(env!("CARGO_BIN_EXE_resonetics"));
    limited.args(arguments).current_dir(dir.path());
    limited.output().unwrap()
}

#[test]
fn a_file_that_cannot_grow_is_exit_1_and_keeps_whole_rows() {
    let dir = temp();
    let output = run_short_of_space(&dir, &["--out", "out", "--rows", "9999"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.starts_with("error: cannot write out/rows.csv: "), "{text}");
    let out = dir.path().join("out");
    assert!(whole_rows(&out) > 50);
    assert_eq!(record(&out)["status"], "failed");
    assert_eq!(format!("error: {}\n", record(&out)["error"].as_str().unwrap()), text);
}

#[test]
fn an_attempt_that_failed_half_way_does_not_block_the_next() {
    let dir = temp();
    let arguments = ["--out", "out", "--config", "20000"];
    let output = run_short_of_space(&dir, &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: cannot create out/config.toml: "));
    assert!(names(&dir.path().join("out")).is_empty());
    assert!(run(&dir, &arguments).status.success());
}

#[test]
fn processes_at_once_get_directories_of_their_own() {
    let dir = temp();
    let children: Vec<_> = (0..8).map(|_| demo(&dir, &[]).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let expected: Vec<_> = (1..=8).map(|number| format!("demo-{number:04}")).collect();
    assert_eq!(names(&dir.path().join("runs")), expected);
}
