//! `lumen status` and `lumen export`, as operators and scripts use them.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Place, SMALL, STEPS};

#[test]
fn status_passes_or_fails_for_scripts() {
    let place = Place::new();
    assert!(place.refused("lumen status").contains("cannot read runs"));
    fs::create_dir(place.path("runs")).unwrap();
    let none = place.run("lumen status");
    assert_eq!(none.code, Some(3), "{none:?}");
    place.ok(&format!("train --steps {} --seed 4 {SMALL} --lumen --out runs/good", 24 * STEPS));
    let good = place.ok("lumen status");
    assert!(good.stdout.contains("good") && good.stdout.ends_with("\n1 pass, 0 fail\n"), "{good:?}");
    // At work, with a monitor that answers, then killed.
    let words = "train --steps 1000000000 --seed 6 --lumen --metrics-port 0 --health-port 0 --out runs/busy";
    let mut child = place.under_way(words, "runs/busy/events.jsonl", 2_000);
    let busy = place.run("lumen status --running --json");
    let said: serde_json::Value = serde_json::from_str(&busy.stdout).unwrap();
    let all: Vec<_> = ["pass", "fail"].iter().flat_map(|kind| said[kind].as_array().unwrap()).collect();
    assert_eq!((all.len(), &all[0]["name"], &all[0]["state"]), (1, &"busy".into(), &"running".into()));
    assert!(all[0]["clock"].as_u64().unwrap() > 0 && all[0]["age_s"].as_f64().unwrap() < 60.0, "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = place.run("lumen status runs");
    assert_eq!(killed.code, Some(1), "{killed:?}");
    assert!(killed.stdout.contains("killed: killed\n1 pass, 1 fail\n"), "{killed:?}");
    assert_eq!(killed.stderr, "error: 1 of 2 fail\n");
    let silent = place.run("lumen status runs/good --server http://127.0.0.1:9");
    assert!(silent.code == Some(1) && silent.stdout.contains("silent"), "{silent:?}");
    for words in ["lumen status --every 0", "lumen status --every x", "lumen status --every -5s"] {
        assert!(place.refused(words).contains("--every"), "{words}");
    }
    // What fails is told, and looked at again, until Ctrl-C.
    let mut again = place.command("lumen status runs --every 0.1s").spawn().unwrap();
    let lines = BufReader::new(again.stdout.take().unwrap()).lines();
    assert_eq!(lines.map_while(Result::ok).filter(|line| line == "1 pass, 1 fail").take(2).count(), 2);
    kill_process(Pid::from_child(&again), Signal::INT).unwrap();
    assert_eq!(again.wait().unwrap().code(), Some(0));
}

#[test]
fn what_prometheus_would_be_shown_is_written() {
    let place = Place::new();
    place.ok(&format!("train --steps {} --seed 4 {SMALL} --lumen --out runs/good", 24 * STEPS));
    fs::create_dir(place.path("text")).unwrap();
    let wrote = place.ok("lumen export --textfile text");
    assert!(wrote.stdout.contains("samples in text/lumen.prom"), "{wrote:?}");
    let text = place.text("text/lumen.prom");
    assert!(text.contains("\nlumen_runs_success_total{pipeline=\"train\","), "{text}");
    // It has ended: its own series have too.
    assert!(!text.contains("run=\"good\""), "{text}");
    let shown = place.ok("lumen export");
    assert!(shown.stdout.contains("# TYPE lumen_runs_total counter\n"), "{shown:?}");
    assert!(!place.path("targets.json").exists());
    let gone = place.run("lumen export --push http://127.0.0.1:9");
    assert_eq!((gone.code, gone.stdout.as_str()), (Some(1), ""), "{gone:?}");
    assert!(gone.stderr.starts_with("error: the Pushgateway took nothing: "), "{gone:?}");
    assert!(place.refused("lumen export --push").contains("PUSHGATEWAY_URL"));
    assert!(place.refused("lumen export --forget").contains("--push"));
    assert!(place.refused("lumen export nowhere").contains("nowhere"));
}
