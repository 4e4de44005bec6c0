//! Routes: what they answer and what they refuse.

use std::collections::BTreeSet;

use resonetics_lumen::event::Fleet;
use resonetics_lumen::serve::routes;
use serde_json::{Value, json};

use super::support::{Runs, Served, bytes, now, time, window, windows};

fn rows(page: &Value) -> Vec<Value> {
    page["rows"].as_array().unwrap().clone()
}

#[test]
fn an_empty_store_has_nothing_to_say() {
    let runs = Runs::new();
    let served = runs.serve();
    served.until("ready", |served| served.get("/readyz").status == 200);
    assert_eq!(served.json("/api/rmb:last"), json!({}));
    assert_eq!(served.json("/api/ure:last"), json!({}));
    for path in ["/api/rmb", "/api/ure", "/api/levels", "/api/runs"] {
        assert_eq!(served.json(path), json!({"rows": [], "next": null}), "{path}");
    }
    assert_eq!(served.json("/api/fleet"), json!({"runs": [], "leaderboard": []}));
    let points = served.json("/api/lumen/metrics");
    assert_eq!((&points["points"], &points["info"]["rows"]), (&json!([]), &json!(0)));
    assert_eq!(served.json("/readyz"), json!({"ready": true, "reasons": []}));
    assert_eq!(served.json("/healthz"), json!({"status": "ok"}));
}

#[test]
fn rows_are_those_of_the_logs() {
    let mut runs = Runs::new();
    runs.begin("one", 5);
    runs.begin("two", 3);
    let at = now() - 1000;
    runs.log("one", &[window("one/training", 1, at, 0.25), window("one/training", 2, at + 1, 0.9)]);
    runs.log("two", &[window("two/training", 1, at + 2, 0.6)]);
    let served = runs.serve();
    served.until_events("one", 2.0);
    served.until_events("two", 1.0);
    let two = json!({"ts": time(at + 2), "entity_id": "two/training", "residual": 0.6, "phase": null, "risk": "WATCH"});
    assert_eq!(served.json("/api/rmb:last"), two);
    let one = json!({"ts": time(at + 1), "entity_id": "one/training", "residual": 0.9, "harmony": 0.75, "coherence": null, "action": "NONE"});
    assert_eq!(served.json("/api/ure:last?run=one"), one);
    assert_eq!(served.json("/api/rmb:last?run=none"), json!({}));
    assert_eq!(rows(&served.json("/api/rmb")).len(), 3);
    let levels: Vec<Value> =
        rows(&served.json("/api/levels?run=one")).iter().map(|row| row["final"].clone()).collect();
    assert_eq!(levels, ["CALM", "ALERT"]);
    let points = served.json("/api/lumen/metrics?last=2");
    assert_eq!(points["header"], json!(["ts", "phase_diff", "entropy_rate", "creative_band", "risk_band"]));
    assert_eq!(points["points"][1]["creative_band"], 0.5);
    assert_eq!(points["points"].as_array().unwrap().len(), 2);
    // Both ends of a time are in it, whichever way it is written.
    for (from, to) in [(at.to_string(), (at + 1).to_string()), (time(at), time(at + 1))] {
        assert_eq!(rows(&served.json(&format!("/api/ure?from={from}&to={to}"))).len(), 2, "{from}");
    }
}

#[test]
fn pages_hold_each_row_once_while_rows_come() {
    let mut runs = Runs::new();
    runs.begin("run", 5);
    let at = now() - 100_000;
    // Many in the same millisecond.
    let event = |clock: u64| window("run/training", clock, at + (clock / 7) as i64, 0.5);
    runs.log("run", &(1..=100).map(event).collect::<Vec<_>>());
    let served = runs.serve();
    served.until_events("run", 100.0);
    for path in ["/api/rmb", "/api/ure", "/api/levels"] {
        let before = served.sample("rmb_events_total{run=\"run\"}").unwrap() as u64;
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = served.json(&format!("{path}?run=run&limit=9{cursor}"));
            assert!(rows(&page).len() <= 9);
            seen.extend(rows(&page).iter().map(ToString::to_string));
            pages += 1;
            if pages == 3 {
                runs.log("run", &(before + 1..=before + 20).map(event).collect::<Vec<_>>());
                served.until_events("run", (before + 20) as f64);
            }
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen.len() as u64, before + 20, "{path}");
        let unique: BTreeSet<&String> = seen.iter().collect();
        if path == "/api/levels" {
            assert_eq!(unique.len(), seen.len());
        }
        let one = served.json(&format!("{path}?limit=10000"));
        assert_eq!(rows(&one).iter().map(ToString::to_string).collect::<Vec<_>>(), seen, "{path}");
    }
}

#[test]
fn the_ledger_is_paged_and_names_no_folder() {
    let mut runs = Runs::new();
    for number in 0..7 {
        runs.ended(&format!("run-{number}"), 100 - number, "finished");
    }
    let served = runs.serve();
    served.until("seven", |served| served.get("/api/runs").body.matches("run_id").count() == 7);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = served.json(&format!("/api/runs?limit=3{cursor}"));
        names.extend(rows(&page).iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        if names.len() == 3 {
            runs.ended("run-7", 1, "failed");
            served.until("eight", |served| served.get("/api/runs").body.matches("run_id").count() == 8);
        }
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, (0..8).map(|number| format!("run-{number}")).collect::<Vec<_>>());
    let text = served.get("/api/runs").body;
    assert!(!text.contains(&*runs.dir.path().to_string_lossy()) && text.contains("\"outcome\":\"failed\""));
}

#[test]
fn a_fleet_is_what_its_lanes_say() {
    let mut runs = Runs::new();
    runs.begin("calm", 5);
    runs.begin("wild", 3);
    runs.log("calm", &windows("calm", 2, 0.25));
    let at = now() - 2000;
    let mut whole = window("wild/k8s", 2, at + 1, 0.7);
    let fleet = Fleet {
        coupling: Some(0.5),
        phase_bandwidth: Some(1.25),
        entropy_bits: Some(1.0),
        letters: [1, 0, 1],
        worst: Some(1),
    };
    whole.fleet = Some(fleet);
    let lane = |lane: u64, residual: f64| window(&format!("wild/k8s/{lane}"), 2, at, residual);
    runs.log("wild", &[lane(1, 0.1), lane(2, 0.3), lane(2, 0.95), whole]);
    let served = runs.serve();
    served.until_events("wild", 4.0);
    served.until_events("calm", 2.0);
    let found = served.json("/api/fleet");
    let wild = found["runs"].as_array().unwrap().iter().find(|row| row["run"] == "wild").unwrap();
    assert_eq!(wild["letters"], json!({"RISK": 1, "SAFE": 1, "WATCH": 0}));
    assert_eq!(wild["worst"], json!({"entity_id": "wild/k8s/2", "residual": 0.95}));
    assert_eq!((&wild["units"], &wild["running"]), (&json!(2), &json!(true)));
    assert_eq!((&wild["coupling"], &wild["phase_bandwidth"]), (&json!(0.5), &json!(1.25)));
    assert!(wild["age_seconds"].as_f64().unwrap() >= 2.0);
    let order: Vec<&Value> = found["leaderboard"].as_array().unwrap().iter().map(|row| &row["run"]).collect();
    assert_eq!(order, ["calm", "wild"]);
    assert_eq!(served.json("/api/fleet?run=none")["runs"], json!([]));
    // The same, for Prometheus.
    let text = served.metrics();
    assert!(text.contains("fractal_coupling{window=\"latest\",experiment=\"wild\"} 0.5\n"), "{text}");
    assert!(!text.contains("fractal_coupling{window=\"latest\",experiment=\"calm\"}"));
}

#[test]
fn what_cannot_be_asked_is_named() {
    let runs = Runs::new();
    let served = runs.serve();
    served.until("ready", |served| served.get("/readyz").status == 200);
    for (path, says) in [
        ("/api/rmb?limit=0", "`limit` is `0`; allowed: 1 to 10000"),
        ("/api/rmb?limit=10001", "`limit` is `10001`"),
        ("/api/ure?limit=%2B5", "`limit` is `+5`"),
        ("/api/levels?limit=", "`limit` is ``"),
        ("/api/rmb?from=yesterday", "`from` is `yesterday`; allowed: milliseconds"),
        ("/api/rmb?to=-1", "`to` is `-1`"),
        ("/api/rmb?cursor=1", "`cursor` is `1`; allowed: what a page gave"),
        ("/api/rmb?cursor=-1.5", "`cursor` is `-1.5`"),
        ("/api/runs?cursor=1.5", "`cursor` is `1.5`"),
        ("/api/rmb?run=", "`run` is ``"),
        ("/api/rmb?run=a/b", "`run` is `a/b`"),
        ("/api/rmb?run=a&run=b", "`run` is `b`; allowed: it once"),
        ("/api/rmb?rnu=a", "`rnu` is not known here; allowed: run, from, to, limit, last, cursor"),
        ("/api/rmb:last?limit=1", "`limit` is not known here; allowed: run"),
        ("/api/lumen/metrics?last=0", "`last` is `0`; allowed: 1 to 10000"),
        ("/api/fleet?limit=101", "`limit` is `101`; allowed: 1 to 100"),
        ("/healthz?x=1", "allowed: none"),
        ("/metrics?x=1", "allowed: none"),
    ] {
        let answered = served.get(path);
        let error: Value = serde_json::from_str(&answered.body).unwrap();
        assert_eq!(answered.status, 400, "{path}: {}", answered.body);
        assert!(error["error"].as_str().unwrap().contains(says), "{path}: {error}");
    }
    let lost = served.get("/api/nothing");
    assert_eq!(lost.status, 404);
    assert!(lost.body.contains("\"error\""));
    assert_eq!(served.get(&format!("/api/rmb?run={}", "a".repeat(5000))).status, 414);
}

#[test]
fn only_its_own_name_and_only_looks() {
    let runs = Runs::new();
    let served = runs.serve();
    served.until("ready", |served| served.get("/readyz").status == 200);
    let port = served.address.port();
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"] {
        assert_eq!(served.ask("GET", "/healthz", &format!("{host}:{port}"), "").status, 200, "{host}");
    }
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "localhost:1".to_owned(),
        String::new(),
    ] {
        let answered = served.ask("GET", "/api/rmb", &host, "");
        assert_eq!(answered.status, 421, "{host}");
        assert!(!answered.body.contains("rows"));
    }
    let host = served.address.to_string();
    let names = ["lumen.db", "runs.jsonl", "targets.json"];
    let before = names.map(|name| bytes(&runs.path(name)));
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answered = served.ask(method, "/api/rmb", &host, "Content-Length: 0\r\n");
        assert_eq!(answered.status, 405, "{method}");
        assert!(answered.head.contains("allow: get,head") && answered.body.contains("error"));
    }
    for path in routes() {
        let (get, head) = (served.get(path), served.ask("HEAD", path, &host, ""));
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        assert!(get.head.contains("x-content-type-options: nosniff") && get.head.contains("no-store"));
    }
    assert_eq!(names.map(|name| bytes(&runs.path(name))), before);
}

#[test]
fn the_description_is_of_these_routes() {
    let runs = Runs::new();
    let served: Served = runs.serve();
    let described = served.json("/openapi.json");
    let paths: Vec<&String> = described["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, routes().collect::<Vec<_>>());
    for (path, item) in described["paths"].as_object().unwrap() {
        let names: Vec<&Value> =
            item["get"]["parameters"].as_array().unwrap().iter().map(|known| &known["name"]).collect();
        let answered = served.get(&format!("{path}?no-such-thing=1"));
        let said: Vec<Value> = match answered.body.split_once("allowed: ").unwrap().1.trim_end_matches("\"}")
        {
            "none" => Vec::new(),
            names => names.split(", ").map(Value::from).collect(),
        };
        assert_eq!(names, said.iter().collect::<Vec<_>>(), "{path}");
    }
}
