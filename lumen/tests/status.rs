//! How runs are now, of folders in every state.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use resonetics_lumen::event::{Event, Level};
use resonetics_lumen::status::{Status, of_run, of_server};
use resonetics_runs::run_dir::seconds;

use crate::runs::{run, scanned, time, timings};

/// A log whose windows say these levels, the last one now.
fn log(folder: &Path, source: &str, levels: &[Level]) {
    let good =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/event-v1/good.jsonl"));
    let line = good.unwrap().lines().next().unwrap().to_owned();
    let mut text = fs::read_to_string(folder.join("events.jsonl")).unwrap_or_default();
    for (at, level) in levels.iter().enumerate() {
        let mut event: Event = serde_json::from_str(&line).unwrap();
        event.entity_id = format!("a/{source}");
        event.ts = time(seconds());
        event.trace.clock = 8 * (at as u64 + 2);
        event.levels.as_mut().unwrap().last = Some(*level);
        event.signals.as_mut().unwrap().residual = Some(0.25 * at as f64);
        text += &format!("{}\n", serde_json::to_string(&event).unwrap());
    }
    fs::write(folder.join("events.jsonl"), text).unwrap();
}

fn status(of: &Path) -> Status {
    of_run(&scanned(of).rows[0], seconds())
}

#[test]
fn what_ended_passes_unless_it_failed() {
    let dir = tempfile::tempdir().unwrap();
    for (state, told, wrong) in [
        ("finished", "ok", None),
        ("interrupted", "interrupted", None),
        ("failed", "failed", Some("failed: unknown")),
        ("running", "killed", Some("killed: killed")),
    ] {
        let folder = run(dir.path(), "a", state, (100.0, 40.0), Some("x"));
        // That it was lost in the end is no fault of a garden's run.
        log(&folder, "garden", &[Level::Alert, Level::Alert]);
        let found = status(dir.path());
        assert_eq!((found.state, found.level, found.clock), (told, Some(Level::Alert), Some(24)));
        assert_eq!(found.wrong, wrong.map(str::to_owned).into_iter().collect::<Vec<_>>());
        if state == "finished" {
            assert_eq!(found.residual, Some(0.25));
            assert!(found.age_s.is_some_and(|age| (40.0..50.0).contains(&age)), "{found:?}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn one_at_work_fails_by_its_level_and_its_silence() {
    let dir = tempfile::tempdir().unwrap();
    let folder = run(dir.path(), "a", "running", (2000.0, 0.0), None);
    let held = fs::File::options().append(true).open(folder.join("config.toml")).unwrap();
    held.lock().unwrap();
    // Nothing was heard since it began, and how fast it should be is not known.
    let found = status(dir.path());
    assert_eq!((found.state, found.level, found.clock, found.residual), ("running", None, None, None));
    let silent = |status: Status, begins: &str, ends: &str| {
        let wrong = status.wrong.join("; ");
        assert!(wrong.starts_with(begins) && wrong.ends_with(ends), "{wrong}");
    };
    silent(found, "no update for 20", " s, 900 are allowed");
    // Updates of one second, the last one now; then two minutes ago; then such that take twelve seconds each.
    timings(&folder, &[100.0; 5]);
    assert_eq!(status(dir.path()).wrong, [""; 0]);
    let old = |ago| {
        let file = fs::File::options().append(true).open(folder.join("timing.jsonl")).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs_f64(seconds() - ago)).unwrap();
    };
    old(100.0);
    silent(status(dir.path()), "no update for 1", " s, 60 are allowed");
    timings(&folder, &[100.0 / 12.0; 5]);
    old(100.0);
    assert_eq!(status(dir.path()).wrong, [""; 0]);
    // One window alone is no level; of two sources the worse one counts, and lanes do not.
    log(&folder, "training", &[Level::Calm, Level::Calm, Level::Alert]);
    assert_eq!((status(dir.path()).level, status(dir.path()).wrong), (Some(Level::Calm), vec![]));
    log(&folder, "training/3", &[Level::Alert, Level::Alert]);
    assert_eq!(status(dir.path()).level, Some(Level::Calm));
    log(&folder, "other", &[Level::Alert, Level::Alert]);
    assert_eq!(
        (status(dir.path()).level, status(dir.path()).wrong),
        (Some(Level::Alert), vec!["level ALERT".to_owned()])
    );
}

#[test]
fn what_lies_ahead_or_cannot_be_read_is_no_good_sign() {
    let dir = tempfile::tempdir().unwrap();
    let folder = run(dir.path(), "a", "running", (2000.0, 0.0), None);
    let held = fs::File::options().append(true).open(folder.join("config.toml")).unwrap();
    held.lock().unwrap();
    log(&folder, "training", &[Level::Calm, Level::Calm]);
    let text = fs::read_to_string(folder.join("events.jsonl")).unwrap();
    let year = &time(seconds())[..4];
    fs::write(folder.join("events.jsonl"), text.replace(&format!("\"{year}-"), "\"2999-")).unwrap();
    let found = status(dir.path());
    assert!(
        found.wrong.join("").starts_with("no update for 20") && found.age_s.unwrap() > 1999.0,
        "{found:?}"
    );
    fs::write(folder.join("run.json"), "{").unwrap();
    let mut ledger = resonetics_lumen::ledger::Ledger::default();
    let place = resonetics_lumen::ledger::Place::new(None, None).unwrap();
    let unread = ledger.scan(&[dir.path().to_path_buf()], &place).unwrap();
    let found = resonetics_lumen::status::of_unread(&unread[0]);
    assert_eq!((found.name.as_str(), found.state, found.wrong.len()), ("a", "unreadable", 1));
}

/// A server that gives one answer and ends.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    url
}

#[test]
fn servers_answer_or_fail() {
    let good = of_server(&server("200 OK"));
    assert_eq!((good.state, good.wrong), ("answers", vec![]));
    let bad = of_server(&server("503 Service Unavailable"));
    assert_eq!((bad.state, bad.wrong), ("silent", vec!["it answers 503".to_owned()]));
    let elsewhere = of_server(&server("302 Found\r\nLocation: http://127.0.0.1:9/"));
    assert!(elsewhere.wrong[0].starts_with("it answers 302: it is elsewhere"), "{elsewhere:?}");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = of_server(&format!("http://{gone}/"));
    assert!(gone.state == "silent" && gone.wrong.len() == 1, "{gone:?}");
}
