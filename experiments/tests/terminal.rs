//! What the program does to the terminal or pipe it writes to.

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use tempfile::TempDir;

fn demo(dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resonetics"));
    command.current_dir(dir.path()).args(arguments);
    command.stdout(Stdio::null()).env("TERM", "xterm");
    command.env_remove("CLICOLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// What the program shows on standard error if that is a terminal.
fn on_terminal(dir: &TempDir, arguments: &[&str], no_color: &str) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().write(true).open(name).unwrap();
    let mut command = demo(dir, arguments);
    command.stderr(terminal).env("NO_COLOR", no_color);
    if no_color.is_empty() {
        command.env_remove("NO_COLOR");
    } else {
        // The terminal library on its own would give in to this.
        command.env("CLICOLOR_FORCE", "1");
    }
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    // On Linux reading ends with an error, not an end of file, when nobody has the terminal open.
    let _ = File::from(master).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

const LONG: [&str; 4] = ["--rows", "6", "--pause", "500"];

#[test]
fn a_long_run_shows_a_bar_and_clears_it() {
    let shown = on_terminal(&tempfile::tempdir().unwrap(), &LONG, "");
    assert!(shown.contains("/6 rows, "), "{shown:?}");
    assert!(shown.contains("writing"), "{shown:?}");
    assert!(!shown.contains("3/6"), "drawn too early: {shown:?}");
    assert!(shown.contains("\u{1b}[36m"), "no colour: {shown:?}");
    assert!(shown.ends_with("\u{1b}[2K"), "not cleared: {shown:?}");
}

#[test]
fn no_color_is_honoured() {
    let shown = on_terminal(&tempfile::tempdir().unwrap(), &LONG, "1");
    assert!(shown.contains("/6 rows, "), "{shown:?}");
    assert!(!shown.contains("\u{1b}[36m"), "{shown:?}");
}

#[test]
fn a_short_run_shows_nothing() {
    let short = ["--rows", "10", "--pause", "100"];
    let shown = on_terminal(&tempfile::tempdir().unwrap(), &short, "");
    assert_eq!(shown, "");
}

#[test]
fn a_quiet_run_shows_nothing() {
    let quiet = [&LONG[..], &["--quiet"]].concat();
    let shown = on_terminal(&tempfile::tempdir().unwrap(), &quiet, "");
    assert_eq!(shown, "");
}

#[test]
fn no_terminal_no_bar() {
    let dir = tempfile::tempdir().unwrap();
    let output = demo(&dir, &LONG).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
}

#[test]
fn a_closed_pipe_does_not_stop_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = demo(&dir, &["--out", "out", "--rows", "3"]);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_on_a_full_disk_is_exit_1() {
    let dir = tempfile::tempdir().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = demo(&dir, &["--out", "out", "--rows", "3"]);
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("cannot write standard output: "), "{text}");
}
