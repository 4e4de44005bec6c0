//! What the program does to the terminal or pipe that it writes to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs::File;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Place, Ran, TINY, end, pty};
use rustix::process::{Pid, Signal, kill_process};

/// A bar comes after two seconds; who has seen none by then will see none.
const PATIENCE: Duration = Duration::from_millis(3500);

/// What the program shows on standard error if that is a terminal, and after how long. It is
/// interrupted when our patience ends, if it has not ended before.
fn on_terminal(place: &Place, arguments: &str, no_color: &str) -> (String, Option<Duration>) {
    let (mut master, terminal) = pty::pair();
    let mut command = place.command(arguments);
    command.stdout(Stdio::null()).stderr(terminal).env("TERM", "xterm");
    if !no_color.is_empty() {
        // The terminal library on its own would give in to this.
        command.env("NO_COLOR", no_color).env("CLICOLOR_FORCE", "1");
    }
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    drop(command);
    let reader = std::thread::spawn(move || {
        let (mut shown, mut first, mut buffer) = (Vec::new(), None, [0; 4096]);
        // On Linux reading ends with an error, not an end of file, when nobody has the terminal open.
        while let Ok(count @ 1..) = master.read(&mut buffer) {
            first.get_or_insert_with(|| start.elapsed());
            shown.extend_from_slice(&buffer[..count]);
        }
        (String::from_utf8(shown).unwrap(), first)
    });
    interrupt_after(&mut child, start);
    end(child, arguments);
    reader.join().unwrap()
}

fn interrupt_after(child: &mut Child, start: Instant) {
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() >= PATIENCE {
            kill_process(Pid::from_child(child), Signal::INT).unwrap();
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

const INTERRUPTED: &str = "error: interrupted by SIGINT";

/// A bar for those who wait, in colour if wanted; a line now and then in a pipe. All at once, to wait once.
#[test]
fn a_long_run_shows_a_bar() {
    let place = Place::new();
    let long = format!("gardener --generations 100000000 --seed 1 --threads 1 {TINY}");
    let quiet = format!("{long} -q");
    let (coloured, plain, quiet, piped) = std::thread::scope(|scope| {
        let coloured = scope.spawn(|| on_terminal(&place, &long, ""));
        let plain = scope.spawn(|| on_terminal(&place, &long, "1"));
        let quiet = scope.spawn(|| on_terminal(&place, &quiet, ""));
        let mut child = place.command(&long).spawn().unwrap();
        interrupt_after(&mut child, Instant::now());
        let piped = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        (coloured.join().unwrap(), plain.join().unwrap(), quiet.join().unwrap(), piped)
    });
    for (shown, first) in [&coloured, &plain] {
        assert!(shown.contains(" generations, "), "{shown:?}");
        assert!(shown.ends_with(&format!("\u{1b}[2K{INTERRUPTED}\r\n")), "not cleared: {shown:?}");
        assert!(first.unwrap() >= Duration::from_secs(2), "drawn after {first:?}");
    }
    assert!(coloured.0.contains("\u{1b}[36m"), "no colour: {coloured:?}");
    assert!(!plain.0.contains("\u{1b}[36m"), "colour in spite of NO_COLOR: {plain:?}");
    assert_eq!(quiet.0, format!("{INTERRUPTED}\r\n"));
    let lines: Vec<&str> = piped.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("[2 s] "), "{piped:?}");
    assert!(lines[0].contains(" of 100000000 generations") && lines[1] == INTERRUPTED, "{piped:?}");
}

#[test]
fn a_short_run_shows_nothing() {
    let place = Place::new();
    for arguments in [&format!("gardener --generations 50 --seed 1 {TINY}"), "list"] {
        assert_eq!(on_terminal(&place, arguments, ""), (String::new(), None), "{arguments}");
    }
}

/// Nor does anything else colour a pipe: [`Ran::of`] looks at all that the tests run.
#[test]
fn quiet_leaves_the_result_and_nothing_else() {
    let place = Place::new();
    let quiet = place.ok("benchmark --episodes 2 --seed 1 --out quiet --quiet").stdout;
    let loud = place.ok("benchmark --episodes 2 --seed 1 --out loud").stdout;
    assert_eq!(loud, format!("{quiet}wrote loud\n"));
}

#[test]
fn errors_and_help_have_no_colour_in_a_pipe() {
    let place = Place::new();
    for arguments in ["--help", "benchmark --help", "nope", "benchmark --episodes 0", "replay nope", ""] {
        for force in [false, true] {
            let mut command = place.command(arguments);
            if force {
                command.env("NO_COLOR", "1");
            }
            Ran::of(command.output().unwrap(), arguments);
        }
    }
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let place = Place::new();
    place.ok("record k8s --steps 3 --seed 1 --out trace");
    for (number, arguments) in [
        &format!("gardener --generations 30 --seed 1 {TINY}"),
        "benchmark --episodes 3 --seed 1",
        "controls --env k8s --episodes 3",
        "drift --steps 300 --seed 1 --no-monitor",
        "record gardener --steps 2",
        "throughput --seconds 0.05 --num-envs 8",
        "rerun trace",
        "replay trace/trace.json",
        "check k8s",
        "list",
        "list --env gardener",
        "experiments",
        "doctor",
        "--help",
        "--version",
    ]
    .iter()
    .enumerate()
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let with_out = !arguments.starts_with("--") && *arguments != "experiments";
        let arguments =
            if with_out { format!("{arguments} --out out{number}") } else { (*arguments).to_owned() };
        let output = place.command(&arguments).stdout(writer).output().unwrap();
        let ran = Ran::of(output, &arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments}");
        assert!(!with_out || place.json(&format!("out{number}/run.json"))["status"] == "finished");
    }
}

#[test]
fn a_refusal_survives_a_closed_standard_error() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for (arguments, code) in [("benchmark --env k9s", 2), ("benchmark --episodes 0", 2)] {
        let status = place.command(arguments).stderr(writer.try_clone().unwrap()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_on_a_full_disk_is_exit_1() {
    let place = Place::new();
    for arguments in ["list", "benchmark --episodes 2 --seed 1 --out out"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(place.command(arguments).stdout(full).output().unwrap(), arguments);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.starts_with("error: cannot write standard output: "), "{ran:?}");
    }
    assert_eq!(place.json("out/run.json")["status"], "failed");
    assert_eq!(place.csv("out/episodes.csv").rows.len(), 4);
}

/// Forty columns: no message is cut in the middle of a word, ours or those about options; nor is help.
#[test]
fn a_narrow_terminal_cuts_no_word() {
    let place = Place::new();
    for arguments in
        ["benchmark --env k9s", "benchmark --episodes 0", "benchmark --agents random,smith", "drift --help"]
    {
        let (mut master, terminal) = pty::pair();
        let size = rustix::termios::Winsize { ws_row: 24, ws_col: 40, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&terminal, size).unwrap();
        let mut command = place.command(arguments);
        command
            .stdout(terminal.try_clone().unwrap())
            .stderr(terminal)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1");
        let reader = std::thread::spawn(move || {
            let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(count @ 1..) = master.read(&mut buffer) {
                shown.extend_from_slice(&buffer[..count]);
            }
            String::from_utf8(shown).unwrap()
        });
        let mut child = command.spawn().unwrap();
        drop(command);
        child.wait().unwrap();
        let shown = reader.join().unwrap();
        assert!(shown.len() > 60, "{arguments}: {shown:?}");
        for line in shown.lines() {
            assert!(line.chars().count() <= 40, "{arguments}: {line:?} in {shown:?}");
        }
    }
}
