//! Runs in folders become lines of a ledger, and what was measured in a window.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use humantime::format_rfc3339_millis;
use resonetics_lumen::ledger::class::ErrorClass;
use resonetics_lumen::ledger::counts::{consecutive_failures, counts};
use resonetics_lumen::ledger::{Ledger, Outcome, Place, Row, update};
use resonetics_lumen::resonance::collect::{Collected, collect};
use resonetics_lumen::resonance::map::{Formulas, map};
use resonetics_lumen::resonance::metrics::Metrics;
use resonetics_lumen::resonance::observer::{ObserverField, observed, observed_in};
use resonetics_lumen::resonance::prometheus::{Queries, ask};
use resonetics_lumen::resonance::timing::seconds_of;
use resonetics_lumen::resonance::window::Window;
use resonetics_runs::run_dir::seconds;
use serde_json::json;

pub(crate) fn time(seconds: f64) -> String {
    format_rfc3339_millis(std::time::UNIX_EPOCH + std::time::Duration::from_secs_f64(seconds)).to_string()
}

/// A run below `at` that began `from` and ended `to` seconds before now.
pub(crate) fn run(
    at: &Path,
    name: &str,
    status: &str,
    (from, to): (f64, f64),
    error: Option<&str>,
) -> PathBuf {
    let folder = at.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), "a = 1\n").unwrap();
    let ended = (status != "running").then(|| time(seconds() - to));
    let record = json!({"command": "train", "version": "0.1.0", "seed": 1, "started_at": time(seconds() - from),
        "finished_at": ended, "wall_seconds": from - to, "status": status, "error": error});
    fs::write(folder.join("run.json"), record.to_string()).unwrap();
    folder
}

/// Updates of 100 steps each, at these rates.
pub(crate) fn timings(folder: &Path, rates: &[f64]) {
    let line = |(at, rate): (usize, &f64)| {
        format!("{{\"update\":{},\"steps\":{},\"steps_per_second\":{rate}}}\n", at + 1, 100 * (at + 1))
    };
    fs::write(folder.join("timing.jsonl"), rates.iter().enumerate().map(line).collect::<String>()).unwrap();
}

fn here() -> Place {
    Place::new(None, None).unwrap()
}

fn day() -> Window {
    Window::parse("24h").unwrap()
}

pub(crate) fn scanned(at: &Path) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.scan(&[at.to_path_buf()], &here()).unwrap();
    ledger
}

fn collected(at: &Path) -> Collected {
    collect(&scanned(at).rows, &day(), seconds())
}

#[test]
fn scanning_twice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (runs, file) = (dir.path().join("runs"), dir.path().join("runs.jsonl"));
    run(&runs, "a", "finished", (100.0, 90.0), None);
    run(
        &runs,
        "b",
        "failed",
        (80.0, 70.0),
        Some("cannot write x: no space; free some space and run it again"),
    );
    run(&runs, "c", "interrupted", (60.0, 50.0), None);
    // Says that it runs, and nobody holds it.
    run(&runs, "sweep/cells/0123", "running", (40.0, 0.0), None);
    fs::create_dir_all(runs.join("foreign")).unwrap();
    fs::write(runs.join("foreign/run.json"), "{\"status\": \"finished\"}").unwrap();
    fs::create_dir_all(runs.join("broken")).unwrap();
    fs::write(runs.join("broken/run.json"), "{\"status\": ").unwrap();
    let (ledger, unread) = update(&file, std::slice::from_ref(&runs), &here()).unwrap();
    assert_eq!(unread.len(), 2);
    let found: Vec<_> = ledger.rows.iter().map(|row| (row.outcome, row.error_class)).collect();
    let expected = [
        (Outcome::Ok, None),
        (Outcome::Failed, Some(ErrorClass::Io)),
        (Outcome::Interrupted, Some(ErrorClass::Interrupted)),
        (Outcome::Killed, Some(ErrorClass::Killed)),
    ];
    assert_eq!(found, expected);
    assert_eq!(ledger.rows[3].cell.as_deref(), Some("0123"));
    let first = fs::read(&file).unwrap();
    // Another region changes nothing that is known.
    let elsewhere = Place::new(Some("elsewhere-2"), Some("me")).unwrap();
    update(&file, &[runs.clone(), runs.clone()], &elsewhere).unwrap();
    assert_eq!(fs::read(&file).unwrap(), first);
    let checked = resonetics_lumen::validate::validate(&file).unwrap();
    assert_eq!((checked.records, checked.first), (4, vec![]));

    // What was moved keeps its id, what was copied gets the next number, what is gone stays.
    let id = |path: &str| {
        let rows = Ledger::read(&file).unwrap().rows;
        rows.into_iter().find(|row| row.path.ends_with(path)).map(|row| row.run_id)
    };
    let before = id("/a").unwrap();
    assert!(before.ends_with("-train-1") && before.contains("-local-"), "{before}");
    fs::rename(runs.join("a"), runs.join("z")).unwrap();
    update(&file, std::slice::from_ref(&runs), &here()).unwrap();
    assert_eq!((id("/z"), id("/a")), (Some(before.clone()), None));
    fs::create_dir(runs.join("copy")).unwrap();
    fs::copy(runs.join("z/run.json"), runs.join("copy/run.json")).unwrap();
    update(&file, std::slice::from_ref(&runs), &here()).unwrap();
    assert_eq!(id("/copy"), Some(before.replace("-train-1", "-train-2")));
    fs::remove_dir_all(runs.join("z")).unwrap();
    update(&file, &[runs], &here()).unwrap();
    assert_eq!(id("/z"), Some(before));
}

#[test]
fn a_bad_label_and_a_bad_ledger_are_refused() {
    let long = "x".repeat(33);
    for bad in ["", "Seoul", "a b", "a/b", long.as_str()] {
        assert!(Place::new(Some(bad), None).is_err() && Place::new(None, Some(bad)).is_err(), "{bad}");
    }
    assert_eq!(here().region, "local");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("runs.jsonl");
    fs::write(&file, "{\"run_id\": 5}\n").unwrap();
    let error = Ledger::read(&file).unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("line 1: column 12"), "{error}");
}

#[test]
fn counters_tell_what_ended() {
    let dir = tempfile::tempdir().unwrap();
    for (at, status) in ["finished", "failed", "interrupted", "running"].into_iter().enumerate() {
        run(dir.path(), status, status, (100.0 + at as f64, 90.0), Some("x"));
    }
    let mut rows = scanned(dir.path()).rows;
    let (labels, all) = counts(&rows).into_iter().next().unwrap();
    assert_eq!(
        (labels.pipeline.as_str(), labels.runner.as_str(), labels.version.as_str()),
        ("train", "local", "0.1.0")
    );
    // Somebody's Ctrl-C is neither a success nor a failure, and so is what was asked for wrongly.
    assert_eq!((all.total, all.success), (3, 1));
    let some: Vec<_> = all.failed.into_iter().filter(|(_, failed)| *failed > 0).collect();
    assert_eq!(some, [(ErrorClass::Killed, 1), (ErrorClass::Unknown, 1)]);
    let now = rows.iter().filter_map(|row| seconds_of(row.ended.as_deref()?)).fold(0.0, f64::max);
    let in_a_row = |rows: &[Row], later: f64| consecutive_failures(rows, now + later).get("local").copied();
    // The one that ended well did so first, and the one that was killed began too long ago.
    let good = rows.iter_mut().find(|row| row.outcome == Outcome::Ok).unwrap();
    good.ended = Some(good.started.clone());
    assert_eq!(in_a_row(&rows, 0.0), Some(1));
    assert_eq!(in_a_row(&rows, 7.0 * 3600.0), None);
    for row in &mut rows {
        if row.outcome == Outcome::Failed {
            row.error_class = Some(ErrorClass::Refused);
        }
    }
    let refused = &counts(&rows)[&labels];
    assert_eq!((refused.total, refused.success), (2, 1));
    // The labels of a run at work are there, with 0.
    for row in &mut rows {
        row.outcome = Outcome::Running;
    }
    let begun = &counts(&rows)[&labels];
    assert_eq!((begun.total, begun.success, begun.failed.values().sum::<u64>()), (0, 0, 0));
    assert!(begun.failed.len() > 3 && in_a_row(&rows, 0.0).is_none());
}

/// 80 updates, the first 60 at 100 steps a second (1 s), the last 20 at 50 (2 s): the first quarter has 1 s, the 95th
/// percentile of all is 2 s, so a slowdown of 1. Two of eight runs failed.
#[test]
fn a_window_is_collected() {
    let dir = tempfile::tempdir().unwrap();
    let folder = run(dir.path(), "a", "finished", (300.0, 10.0), None);
    timings(&folder, &[[100.0; 60].as_slice(), &[50.0; 20]].concat());
    for at in 0..5 {
        run(dir.path(), &format!("ok-{at}"), "finished", (50.0, 20.0), None);
    }
    run(dir.path(), "bad", "failed", (50.0, 20.0), Some("x"));
    run(dir.path(), "dead", "running", (50.0, 0.0), None);
    run(dir.path(), "stopped", "interrupted", (50.0, 20.0), None);
    run(dir.path(), "long-ago", "failed", (200_000.0, 190_000.0), None);
    let Collected { metrics, notes } = collected(dir.path());
    assert!(notes.is_empty(), "{notes:?}");
    let value = serde_json::to_value(&metrics).unwrap();
    assert_eq!(value["failure_hist"], json!({"ok": 6, "unknown": 1, "killed": 1}));
    assert_eq!((&value["fail_rate"], &value["slowdown"]), (&json!(0.25), &json!(1.0)));
    assert_eq!(value["latency_p95_ms"], json!(2000.0));
    assert_eq!(value["gap_minutes"], json!(0.0));
    assert_eq!(value["series_rates"].as_array().unwrap().len(), 80);
    assert_eq!(value["ages"]["series_rates"], json!(10.0));
    let read = Metrics::parse(&value.to_string()).unwrap();
    let resonance = map(&read, Formulas::Corrected);
    assert_eq!((resonance.phase, resonance.continuity), (Some(3.5), Some(1.0)));
    assert_eq!((resonance.safety, resonance.partial), (None, vec!["safety".to_owned()]));
    // In the window alone: of two hours ago nothing is known.
    let later = collect(&scanned(dir.path()).rows, &Window::parse("1h").unwrap(), seconds() + 7200.0);
    assert_eq!(map(&later.metrics, Formulas::Corrected).coherence, None);

    let (seen, _) = observed(&scanned(dir.path()).rows, &ObserverField::default(), seconds());
    assert_eq!(seen.len(), 10);
    assert!(seen.iter().all(|seen| seen.resonance.partial == ["safety"] && seen.age_s.is_some()));
    let (same, _) =
        observed_in(None, &[dir.path().to_path_buf()], &here(), &ObserverField::default(), seconds())
            .unwrap();
    assert_eq!(same.len(), 10);
}

/// A run at work whose last update is long ago, one update of two minutes among others; what overlaps counts once.
#[test]
fn minutes_without_updates_are_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let folder = run(dir.path(), "a", "finished", (900.0, 300.0), None);
    // 100 steps at 100/120 a second are 120 s.
    timings(&folder, &[100.0, 100.0 / 120.0, 100.0]);
    assert_eq!(collected(dir.path()).metrics.gap_minutes.unwrap().value(), 2.0);
    let folder = run(dir.path(), "b", "running", (240.0, 0.0), None);
    timings(&folder, &[]);
    let held = fs::File::options().append(true).open(folder.join("config.toml")).unwrap();
    held.lock().unwrap();
    let gap = collected(dir.path()).metrics.gap_minutes.unwrap().value();
    assert!((gap - 6.0).abs() < 0.1, "{gap}");
    let folder = run(dir.path(), "c", "running", (200.0, 0.0), None);
    timings(&folder, &[]);
    let held_too = fs::File::options().append(true).open(folder.join("config.toml")).unwrap();
    held_too.lock().unwrap();
    let gap = collected(dir.path()).metrics.gap_minutes.unwrap().value();
    assert!((gap - 6.0).abs() < 0.1, "{gap}");
}

/// Each input missing, stale or unreadable: what it feeds is unknown, and what hangs on that.
#[test]
fn nothing_fails_open() {
    let known = json!({"window_s": 60, "series_rates": [10, 10, 10], "gap_minutes": 0, "failure_hist": {"ok": 3},
        "chain_ok": true, "dsse_ok": true, "tlog_ok": true, "last_ceremony_age_d": 0, "slowdown": 0, "fail_rate": 0});
    let mapped =
        |value: &serde_json::Value| map(&Metrics::parse(&value.to_string()).unwrap(), Formulas::Corrected);
    assert_eq!(mapped(&known).check(), Ok(()));
    for (field, term) in [
        ("series_rates", "symmetry"),
        ("gap_minutes", "continuity"),
        ("failure_hist", "entropy"),
        ("chain_ok", "safety"),
        ("dsse_ok", "safety"),
        ("tlog_ok", "safety"),
        ("last_ceremony_age_d", "safety"),
        ("slowdown", "phase"),
        ("fail_rate", "phase"),
    ] {
        let (mut missing, mut null, mut stale, mut unreadable) =
            (known.clone(), known.clone(), known.clone(), known.clone());
        missing.as_object_mut().unwrap().remove(field);
        null[field] = json!(null);
        stale["ages"] = json!({field: 61});
        for value in [missing, null, stale] {
            let found = mapped(&value);
            assert_eq!(found.partial, [term], "{value}");
            assert!(serde_json::to_value(&found).unwrap()[term].is_null() && found.check().is_err());
        }
        unreadable[field] = json!("?");
        assert!(Metrics::parse(&unreadable.to_string()).is_err());
    }
}

/// The same of runs: a timing that cannot be read, is of the future or is not there tells nothing.
#[test]
fn what_runs_do_not_tell_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(map(&collected(dir.path()).metrics, Formulas::Corrected).partial.len(), 6);
    let good = run(dir.path(), "a", "finished", (300.0, 10.0), None);
    let partial = || map(&collected(dir.path()).metrics, Formulas::Corrected).partial;
    assert_eq!(partial(), ["symmetry", "continuity", "safety", "phase"]);
    timings(&good, &[100.0; 79]);
    // A quarter of 79 has 19.
    assert_eq!(partial(), ["safety", "phase"]);
    timings(&good, &[100.0; 80]);
    assert_eq!(partial(), ["safety"]);
    let bad = run(dir.path(), "b", "finished", (300.0, 10.0), None);
    fs::write(bad.join("timing.jsonl"), "{\"update\": 1\n\n").unwrap();
    assert_eq!(partial(), ["symmetry", "continuity", "safety", "phase"]);
    assert_eq!(collected(dir.path()).notes.len(), 1);
    fs::remove_dir_all(bad).unwrap();
    // Of an end that lies ahead nothing is counted.
    run(dir.path(), "a", "finished", (300.0, -500.0), None);
    assert_eq!(partial(), ["entropy", "safety", "phase"]);
}

/// Answers one question after the other, and hands out what was asked.
fn prometheus(answers: Vec<&'static str>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap();
            asked.push(String::from_utf8_lossy(&bytes[..read]).lines().next().unwrap().to_owned());
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
            stream.write_all(format!("{head}{answer}").as_bytes()).unwrap();
        }
        asked
    });
    (url, thread)
}

fn answered(query: &str, answer: &'static str) -> Result<Metrics, String> {
    let (url, thread) = prometheus(vec![answer]);
    let mut metrics = Metrics::parse(r#"{"window_s": 60, "fail_rate": 0.5}"#).unwrap();
    let done = ask(&url, &Queries::parse("q.yaml", query).unwrap(), 1000.0, &mut metrics);
    let asked = thread.join().unwrap();
    assert!(asked[0].starts_with("GET /api/v1/query?query="), "{asked:?}");
    done.map(|()| metrics).map_err(|error| error.to_string())
}

const ONE: &str =
    r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[990.5,"0.25"]}]}}"#;
const NONE: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;

#[test]
fn a_prometheus_is_asked() {
    let metrics = answered("fail_rate: sum(a) / sum(b)\n", ONE).unwrap();
    assert_eq!(metrics.fail_rate.unwrap().value(), 0.25);
    assert_eq!(metrics.ages.unwrap()["fail_rate"].value(), 10.0);
    // What it does not know is not known, whatever was known before.
    assert_eq!(answered("fail_rate: nope\n", NONE).unwrap().fail_rate, None);
    let nan = r#"{"status":"success","data":{"resultType":"scalar","result":[990.5,"NaN"]}}"#;
    assert_eq!(answered("fail_rate: nope\n", nan).unwrap().fail_rate, None);
    let two = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"class":"ok"},"value":[990.5,"6.7"]},{"metric":{"class":"io"},"value":[990.5,"1"]}]}}"#;
    let hist = answered("failure_hist: sum by (class) (x)\n", two).unwrap().failure_hist.unwrap();
    assert_eq!(hist.into_iter().collect::<Vec<_>>(), [("io".to_owned(), 1), ("ok".to_owned(), 7)]);
    let one = r#"{"status":"success","data":{"resultType":"scalar","result":[990.5,"1"]}}"#;
    assert_eq!(answered("chain_ok: scalar(x)\n", one).unwrap().chain_ok, Some(true));

    for (query, answer, reason) in [
        ("fail_rate: x\n", two, "2 numbers where one is asked for"),
        ("chain_ok: x\n", ONE, "0 or 1"),
        (
            "fail_rate: x\n",
            r#"{"status":"error","errorType":"bad_data","error":"x"}"#,
            "refuses the query: bad_data",
        ),
        ("fail_rate: x\n", "<html>", "no answer of a Prometheus"),
        (
            "slowdown: x\n",
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,"+Inf"]}}"#,
            "a finite number",
        ),
        ("failure_hist: x\n", ONE, "no label `class`"),
        (
            "fail_rate: x\n",
            r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
            "no instant vector",
        ),
    ] {
        let said = answered(query, answer).unwrap_err();
        let field = query.split(':').next().unwrap();
        assert!(said.starts_with(field) && said.contains(reason), "{said}");
    }
}

#[test]
fn bad_queries_are_refused_with_their_place() {
    for (text, place) in [
        ("fail_rate: a\nfail_rat: b\n", "line 2, column 1"),
        ("fail_rate: [a]\n", "line 1, column 12"),
        ("fail_rate: a\nfail_rate: b\n", "line 2, column 1"),
        ("- a\n", "line 1"),
        ("a: {\n", "line"),
        ("{}\n", "no query"),
    ] {
        let error = Queries::parse("q.yaml", text).unwrap_err();
        assert!(error.is_refusal() && error.to_string().contains(place), "{text}: {error}");
    }
    let queries = Queries::parse("q.yaml", "fail_rate: a\n").unwrap();
    assert!(ask("https://127.0.0.1", &queries, 0.0, &mut Metrics::default()).unwrap_err().is_refusal());
    // A port that nobody listens at.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = ask(&format!("http://{port}"), &queries, 0.0, &mut Metrics::default()).unwrap_err();
    assert!(!error.is_refusal() && error.to_string().contains("fail_rate"), "{error}");
}
