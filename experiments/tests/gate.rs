//! The gate fires where something is wrong and not where nothing is; what it does is replayed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;
use std::time::Duration;

use common::{Place, SMALL, STEPS, TINY, assert_same, end, wait_until};
use serde_json::Value;

/// Where the gate of a run went, in the order of its events.
fn states(place: &Place, run: &str) -> Vec<String> {
    let log = place.text(&format!("{run}/events.jsonl"));
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let reasons = events.filter_map(|event| Some(event["reason"].as_str()?.to_owned()));
    reasons.filter_map(|reason| Some(reason.strip_prefix("gate ")?.to_owned())).collect()
}

/// Begins a training, tells it `fault` once it has gone `after` updates, and waits for its end.
fn trained_with(place: &Place, name: &str, settings: &str, after: u64, fault: &str) -> Option<i32> {
    let training = format!("train --steps {} --seed 4 {SMALL} {settings} --out {name}", 400 * STEPS);
    let child = place.command(&training).spawn().unwrap();
    let rows = || {
        let log = fs::read_to_string(place.path(&format!("{name}/timing.jsonl"))).unwrap_or_default();
        log.lines().count() as u64
    };
    wait_until(|| rows() >= after);
    if !fault.is_empty() {
        wait_until(|| place.run(&format!("lumen ctl {name} {fault}")).code == Some(0));
    }
    end(child, &training).code
}
