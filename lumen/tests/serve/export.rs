//! `/metrics`, and where Prometheus finds trainings.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use resonetics_lumen::event::Kind;
use resonetics_lumen::serve::{MOST_RUNS, exporter_names};
use serde_json::Value;

use super::support::{Runs, Served, bytes, now, other, sample, window, windows};

const OPEN: &str = "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n";

fn open_metrics(served: &Served) -> String {
    let answered = served.ask("GET", "/metrics", &served.address.to_string(), OPEN);
    assert!(answered.head.contains("content-type: application/openmetrics-text; version=1.0.0"));
    answered.body
}

/// Sample names with their label names, after checking the form of the text.
fn parsed(text: &str) -> BTreeMap<String, Vec<String>> {
    let (mut families, mut samples, mut names) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    let mut open: Option<(String, String)> = None;
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(words.len() > 10 && !words.ends_with('.'), "{line}");
            assert!(families.insert(name.to_owned()), "{name} is there twice");
            open = Some((name.to_owned(), String::new()));
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            let (open, of) = open.as_mut().unwrap();
            assert_eq!(name, open);
            kind.clone_into(of);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
            assert!(samples.insert(series.to_owned()), "{series} is there twice");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let (family, kind) = open.as_ref().unwrap();
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert_eq!(name.trim_end_matches("_total"), family.trim_end_matches("_total"), "{line}");
            let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
            names.insert(name.to_owned(), labels.map(|(label, _)| label.to_owned()).collect());
        }
    }
    names
}

#[test]
fn both_forms_hold_the_same_samples_under_known_names() {
    let mut runs = Runs::new();
    runs.ended("good", 60, "finished");
    runs.ended("bad", 50, "failed");
    runs.begin("run", 5);
    runs.log("run", &windows("run", 30, 0.6));
    let served = runs.serve();
    served.until_events("run", 30.0);
    served.until("health of runs", |served| served.metrics().contains("resonance_entropy{"));
    let classic = served.get("/metrics");
    assert!(classic.head.contains("content-type: text/plain; version=0.0.4"), "{}", classic.head);
    let text = open_metrics(&served);
    assert!(text.ends_with("\n# EOF\n") && !classic.body.contains("# EOF"));
    let names = parsed(&classic.body);
    assert_eq!(names, parsed(&text));
    assert_eq!(names, parsed(&served.get("/metrics_ure").body));
    let known: BTreeMap<&str, &[&str]> =
        exporter_names().into_iter().map(|(name, _, labels)| (name, labels)).collect();
    for (name, labels) in &names {
        assert_eq!(known[&**name], labels.iter().map(String::as_str).collect::<Vec<_>>(), "{name}");
        assert!(!name.starts_with("prophet_"));
    }
    let value = |of: &str| sample(&classic.body, of);
    assert_eq!(value("rmb_residual_entropy_last{run=\"run\"}"), Some(0.6));
    assert_eq!(value("ure_residual_entropy_last{run=\"run\"}"), Some(0.6));
    assert_eq!(value("ure_harmony_index{run=\"run\"}"), Some(0.75));
    for kind in ["residual", "final"] {
        assert_eq!(value(&format!("lumen_level{{run=\"run\",kind=\"{kind}\"}}")), Some(1.0), "{kind}");
    }
    assert_eq!(value("lumen_level{run=\"run\",kind=\"ratio\"}"), Some(0.0));
    let labels = "{pipeline=\"train\",region=\"local\",runner=\"local\",version=\"0.1.0\"";
    assert_eq!(value(&format!("lumen_runs_total{labels}}}")), Some(2.0));
    assert_eq!(value(&format!("lumen_runs_success_total{labels}}}")), Some(1.0));
    assert_eq!(value(&format!("lumen_runs_failed_total{labels},error_class=\"unknown\"}}")), Some(1.0));
    assert_eq!(value(&format!("lumen_runs_failed_total{labels},error_class=\"io\"}}")), Some(0.0));
    assert_eq!(value("lumen_region_consecutive_failures{region=\"local\"}"), Some(1.0));
    assert_eq!(value("lumen_dropped_total{source=\"events\"}"), Some(0.0));
    assert!((value("lumen_run_update_interval_seconds{run=\"run\"}").unwrap() - 1.0).abs() < 1e-9);
    for source in ["store", "ledger", "run:run"] {
        let age = value(&format!("lumen_source_age_seconds{{source=\"{source}\"}}")).unwrap();
        assert!((0.0..20.0).contains(&age), "{source}: {age}");
        let window = value(&format!("lumen_source_window_seconds{{source=\"{source}\"}}")).unwrap();
        assert_eq!(window, if source == "store" { 60.0 } else { 300.0 });
    }
    let last = value("lumen_run_last_update_timestamp_seconds{run=\"run\"}").unwrap();
    assert!((last - now() as f64 / 1e3).abs() < 20.0);
    // Neither is measured here.
    assert!(!classic.body.contains("lumen_phase_diff") && !classic.body.contains("resonance_safety"));
    promtool(&classic.body);
}

/// Prometheus' own checker, where there is one.
fn promtool(text: &str) {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/ops/bin/promtool");
    let program = if own.is_file() { own } else { PathBuf::from("promtool") };
    let child =
        Command::new(program).args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("skipped: there is no promtool");
        return;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What rules and dashboards may name is what there is; nobody looks at safety, which is unknown as yet.
#[test]
fn the_list_of_metrics_is_the_one_that_rules_are_checked_with() {
    let kind = |(name, kind, labels): (&str, &str, &[&str])| {
        let labels = if labels.is_empty() { "-".to_owned() } else { labels.join(",") };
        format!("{name} {kind} {labels}")
    };
    let ours: BTreeSet<String> = exporter_names().into_iter().map(kind).collect();
    let listed = include_str!("../../../ops/metrics.txt").lines().map(str::to_owned);
    let mut listed: BTreeSet<String> = listed
        .filter(|line| !line.starts_with("prophet_") && !line.starts_with('#') && !line.is_empty())
        .collect();
    listed.insert("resonance_safety gauge channel,window".to_owned());
    assert_eq!(ours, listed);
}

#[test]
fn counters_survive_a_restart_and_a_cut() {
    let mut runs = Runs::new();
    runs.begin("run", 5);
    let mut events = windows("run", 10, 0.5);
    events.push(other("run", 11, Kind::Rollback, "rollback:11", "nonfinite"));
    runs.log("run", &events);
    let rollbacks = "rmb_rollback_total{run=\"run\"}";
    {
        let served = runs.serve();
        served.until_events("run", 11.0);
        assert_eq!(served.sample(rollbacks), Some(1.0));
        // As a training does that goes on from its last checkpoint.
        let log = runs.run("run").join("events.jsonl");
        let lines: Vec<Vec<u8>> =
            bytes(&log).split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        std::fs::write(&log, lines[..5].concat()).unwrap();
        served
            .until("the cut", |served| served.get("/api/rmb?run=run").body.matches("entity_id").count() == 5);
        assert_eq!(served.sample("rmb_events_total{run=\"run\"}"), Some(11.0));
        assert_eq!(served.sample(rollbacks), Some(1.0));
    }
    runs.log("run", &[window("run/training", 20, now(), 0.5)]);
    let served = runs.serve();
    served.until_events("run", 12.0);
    assert_eq!(served.sample(rollbacks), Some(1.0));
}

#[test]
fn series_end_with_their_run() {
    let mut runs = Runs::new();
    runs.begin("long", 9);
    runs.begin("short", 7);
    runs.log("long", &windows("long", 3, 0.5));
    runs.log("short", &windows("short", 3, 0.5));
    let served = runs.serve();
    served.until_events("long", 3.0);
    served.until_events("short", 3.0);
    let targets = || serde_json::from_slice::<Value>(&bytes(&runs.path("targets.json"))).unwrap();
    let group = |run: &str, port: &str| serde_json::json!({"targets": [port], "labels": {"run": run}});
    let (long, short) = (group("long", "127.0.0.1:819"), group("short", "127.0.0.1:817"));
    assert_eq!(targets(), serde_json::json!([long, short]));
    runs.end("short", 7, "finished");
    served.until("its end", |served| !served.metrics().contains("\"short\""));
    assert!(served.metrics().contains("rmb_events_total{run=\"long\"} 3\n"));
    let targets = || serde_json::from_slice::<Value>(&bytes(&runs.path("targets.json"))).unwrap();
    assert_eq!(targets(), serde_json::json!([long]));
    // Unchanged it is not written again.
    let written = || std::fs::metadata(runs.path("targets.json")).unwrap().modified().unwrap();
    let before = written();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(written(), before);
    // What is asked for stays.
    assert!(served.get("/api/rmb?run=short").body.contains("short/training"));
}

#[test]
fn of_many_runs_the_last_64_have_series() {
    let mut runs = Runs::new();
    for number in 0..MOST_RUNS as i64 + 6 {
        let name = format!("run-{number:02}");
        runs.begin(&name, 100 - number);
        runs.log(&name, &windows(&name, 2, 0.5));
    }
    let served = runs.serve();
    served.until_events("run-69", 2.0);
    let text = served.metrics();
    let count = |name: &str| text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).count();
    for name in ["rmb_events_total", "rmb_residual_entropy_last", "lumen_run_last_update_timestamp_seconds"] {
        assert_eq!(count(name), MOST_RUNS, "{name}");
    }
    assert!(!text.contains("run-05\"") && text.contains("run-06\""));
    parsed(&text);
}

#[test]
fn a_final_level_holds_until_two_windows_agree() {
    let mut runs = Runs::new();
    runs.begin("run", 5);
    let at = now() - 10_000;
    let event = |clock: u64, residual: f64| window("run/training", clock, at + clock as i64, residual);
    runs.log("run", &[event(1, 0.9)]);
    let served = runs.serve();
    let level =
        |served: &Served, kind: &str| served.sample(&format!("lumen_level{{run=\"run\",kind=\"{kind}\"}}"));
    served.until_events("run", 1.0);
    assert_eq!((level(&served, "residual"), level(&served, "final")), (Some(2.0), None));
    runs.log("run", &[event(2, 0.9), event(3, 0.1)]);
    served.until_events("run", 3.0);
    assert_eq!((level(&served, "residual"), level(&served, "final")), (Some(0.0), Some(2.0)));
    runs.log("run", &[event(4, 0.1)]);
    served.until_events("run", 4.0);
    assert_eq!(level(&served, "final"), Some(0.0));
    // Of fewer than 20 events there is no share of rollbacks.
    assert_eq!(level(&served, "ratio"), None);
    let back = |clock| other("run", clock, Kind::Rollback, &format!("rollback:{clock}"), "nonfinite");
    runs.log("run", &(5..21).map(back).collect::<Vec<_>>());
    served.until_events("run", 20.0);
    assert_eq!(level(&served, "ratio"), Some(2.0));
}

#[test]
fn what_was_dropped_is_summed_over_processes() {
    let mut runs = Runs::new();
    runs.begin("run", 5);
    runs.begin("other", 4);
    let lost = |run: &str, clock: u64, count: u64| {
        other(run, clock, Kind::Decide, &format!("dropped:{count}"), "dropped")
    };
    runs.log("run", &[lost("run", 1, 3), lost("run", 2, 5), lost("run", 3, 2)]);
    runs.log("other", &[lost("other", 1, 10)]);
    let served = runs.serve();
    served.until_events("run", 3.0);
    served.until_events("other", 1.0);
    assert_eq!(served.sample("lumen_dropped_total{source=\"events\"}"), Some(17.0));
}
