//! What the program does to the terminal or pipe that it writes to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod common;

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use common::{Place, Ran, TINY};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Work for some three seconds on any machine: its speed is measured first.
fn long(place: &Place) -> String {
    let garden =
        |generations: u64| format!("gardener --generations {generations} --seed 1 --threads 1 {TINY}");
    let mut generations = 2_000;
    loop {
        let start = std::time::Instant::now();
        place.ok(&garden(generations));
        let seconds = start.elapsed().as_secs_f64();
        if seconds > 0.2 {
            return garden((generations as f64 * 4.0 / seconds) as u64);
        }
        generations *= 4;
    }
}

/// What the program shows on standard error if that is a terminal.
fn on_terminal(place: &Place, arguments: &str, no_color: &str) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().write(true).open(name).unwrap();
    let mut command = place.command(arguments);
    command.stdout(Stdio::null()).stderr(terminal).env("TERM", "xterm");
    if !no_color.is_empty() {
        // The terminal library on its own would give in to this.
        command.env("NO_COLOR", no_color).env("CLICOLOR_FORCE", "1");
    }
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    // On Linux reading ends with an error, not an end of file, when nobody has the terminal open.
    let _ = File::from(master).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

/// A bar for those who wait, in colour if wanted; none for others. In one test, as the runs would
/// slow each other down.
#[test]
fn a_long_run_shows_a_bar() {
    let place = Place::new();
    let long = long(&place);
    let shown = std::thread::scope(|scope| {
        let plain = scope.spawn(|| on_terminal(&place, &long, "1"));
        let coloured = on_terminal(&place, &long, "");
        [coloured, plain.join().unwrap()]
    });
    for shown in &shown {
        assert!(shown.contains(" generations, "), "{shown:?}");
        assert!(shown.ends_with("\u{1b}[2K"), "not cleared: {shown:?}");
        assert!(!shown.contains(" 0/"), "drawn too early: {shown:?}");
    }
    assert!(shown[0].contains("\u{1b}[36m"), "no colour: {:?}", shown[0]);
    assert!(!shown[1].contains("\u{1b}[36m"), "colour in spite of NO_COLOR: {:?}", shown[1]);
    let quiet = format!("{long} -q");
    let [quiet, piped] = std::thread::scope(|scope| {
        let quiet = scope.spawn(|| on_terminal(&place, &quiet, ""));
        let piped = place.ok(&long).stderr;
        [quiet.join().unwrap(), piped]
    });
    assert_eq!((quiet.as_str(), piped.as_str()), ("", ""));
}

#[test]
fn a_short_run_shows_nothing() {
    let place = Place::new();
    assert_eq!(on_terminal(&place, &format!("gardener --generations 50 --seed 1 {TINY}"), ""), "");
    assert_eq!(on_terminal(&place, "list", ""), "");
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
