//! Traces that cannot be replayed (exit 2) and traces that are not true (exit 1).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::Place;
use serde_json::{Value, json};

/// Short traces of both worlds, as the program records them.
fn recorded() -> Vec<(&'static str, Value)> {
    let place = Place::new();
    let garden = format!("record gardener --agent evolved --steps 12 --seed 1 --out garden {}", common::TINY);
    place.ok("record k8s --agent random --steps 12 --seed 1 --out cluster");
    place.ok(&garden);
    ["cluster", "garden"].map(|name| (name, place.json(&format!("{name}/trace.json")))).into()
}

fn at<'a>(trace: &'a mut Value, pointer: &str) -> &'a mut Value {
    trace.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"))
}

fn refused(place: &Place, trace: &[u8]) -> String {
    place.write("trace.json", trace);
    let said = place.refused("replay trace.json");
    assert!(said.starts_with("error: cannot replay trace.json: "), "{said}");
    said
}

#[test]
fn a_trace_cut_anywhere_is_no_trace() {
    let place = Place::new();
    for (_, trace) in recorded() {
        let bytes = trace.to_string().into_bytes();
        let n = bytes.len();
        for cut in [0, 1, 2, 10, n / 4, n / 2, 3 * n / 4, n - 100, n - 2, n - 1] {
            let said = refused(&place, &bytes[..cut]);
            assert!(said.contains("not a complete JSON file"), "cut at {cut}: {said}");
        }
    }
}

#[test]
fn what_is_no_trace_is_refused() {
    let place = Place::new();
    for (text, parts) in [
        ("hello", "not a complete JSON file"),
        ("{} {}", "not a complete JSON file"),
        ("null", "known are v4.5 and v4.6"),
        ("[]", "known are v4.5 and v4.6"),
        (r#"{"rules": 4.5}"#, "known are v4.5 and v4.6"),
        (r#"{"rules": "v9.9"}"#, "`v9.9`; known are v4.5 and v4.6 (cluster), v3.3.3 (garden)"),
        (r#"{"rules": "v4.5"}"#, "missing field `config`"),
        (r#"{"rules": "v3.3.3"}"#, "missing field `config`"),
    ] {
        let said = refused(&place, text.as_bytes());
        assert!(said.contains(parts), "{text}: {said}");
    }
    place.write("trace.json", b"{\"rules\": \"v4.5\xff\"}");
    let said = place.refused("replay trace.json");
    assert_eq!(said, "error: cannot read trace.json: it is not UTF-8 text\n");
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let edits = [
        ("cluster", "/steps/3/action", json!(6), "step 3: "),
        ("cluster", "/steps/3/action", json!(-1), "-1"),
        ("cluster", "/steps/3/action", json!(1.5), "1.5"),
        ("cluster", "/steps/3/action", json!("up"), "up"),
        ("cluster", "/steps/3/reward", json!(null), "null"),
        ("cluster", "/steps/3/cpu_noise", json!([0.0]), "step 3: its noise"),
        ("cluster", "/steps/3/memory_noise", json!([]), "step 3: its noise"),
        ("cluster", "/steps/3/memory_noise/0", json!(null), "null"),
        ("cluster", "/steps/3/terminated", json!(0), "expected a boolean"),
        ("cluster", "/steps", json!({}), "expected a sequence"),
        ("cluster", "/steps/3", json!(null), "null"),
        ("cluster", "/grid", json!([4]), "invalid length 1"),
        ("cluster", "/grid", json!([4, 5]), "20"),
        ("cluster", "/grid", json!([0, 16]), "`height = 0`"),
        ("cluster", "/grid", json!([1_000_000, 1_000_000]), "`height = 1000000`"),
        ("cluster", "/initial/cpu", json!([0.5]), "16"),
        ("cluster", "/initial/agent", json!([4, 0]), "agent"),
        ("cluster", "/initial/budget", json!(null), "null"),
        ("cluster", "/initial/memory/5", json!(1e300), "memory holds inf: allowed are numbers from 0 to 1"),
        (
            "cluster",
            "/config",
            json!({"max_step": 9}),
            "its settings: `max_step = 9`: unknown key; did you mean",
        ),
        ("cluster", "/config", json!({"max_steps": 0}), "`max_steps = 0`: allowed are whole numbers from 1"),
        ("cluster", "/config", json!({"max_steps": null}), "`max_steps = "),
        ("cluster", "/rules", json!("v3.3.3"), "missing field"),
        ("garden", "/rules", json!("v4.6"), "missing field"),
        ("garden", "/generations/2/inputs/intended/0/1", json!(6), "generation 3: action 6"),
        ("garden", "/generations/2/inputs/intended/0", json!([1]), "invalid length 1"),
        ("garden", "/generations/2/inputs/dirt_uniform", json!([0.5]), "generation 3: its noise"),
        ("garden", "/generations/2/inputs/flow_noise", json!([]), "generation 3: its noise"),
        ("garden", "/generations/2/inputs/spawn", json!([[1]]), "invalid length 1"),
        (
            "garden",
            "/generations/2/inputs/spawn",
            json!([[1000, 1000]]),
            "generation 3: newcomer on [1000, 1000]",
        ),
        ("garden", "/generations/2/expected/risk", json!(null), "null"),
        ("garden", "/generations/2/expected/csv_row", json!(5), "expected a string"),
        ("garden", "/initial/grid", json!([0.0, 0.0]), "its initial grid has 2 cells, expected 64"),
        ("garden", "/initial/gardeners", json!([]), "it starts with 0 gardeners, its settings say 4"),
        ("garden", "/initial/gardeners/1/id", json!(7), "gardener 1 has another id"),
        ("garden", "/initial/gardeners/1/row", json!(8), "outside the grid"),
        ("garden", "/initial/gardeners/1/energy", json!("much"), "much"),
        ("garden", "/config/grid_size", json!(1_000_000), "`grid_size = 1000000`"),
        ("garden", "/config/risk", json!({"alpha": 1}), "its settings: `risk.alpha = 1`: unknown key"),
    ];
    let place = Place::new();
    for (name, trace) in recorded() {
        for (_, pointer, value, part) in edits.iter().filter(|edit| edit.0 == name) {
            let mut trace = trace.clone();
            *at(&mut trace, pointer) = value.clone();
            let said = refused(&place, trace.to_string().as_bytes());
            assert!(said.contains(part), "{name} {pointer} = {value}: no {part} in {said}");
        }
    }
}

/// A place to edit, the new value, and the field that then deviates.
#[test]
fn an_edited_trace_deviates() {
    let edits = [
        ("cluster", "/steps/3/reward", json!(0.5), "reward"),
        ("cluster", "/steps/3/observation/0", json!(0.9), "observation"),
        ("cluster", "/steps/3/observation", json!([0.5]), "observation"),
        ("cluster", "/initial/observation/29", json!(0.9), "observation"),
        ("cluster", "/steps/3/avg_load", json!(0.9), "avg_load"),
        ("cluster", "/steps/3/budget", json!(7.0), "budget"),
        ("cluster", "/steps/3/oom_nodes", json!(1), "oom_nodes"),
        ("cluster", "/steps/3/critical_oom", json!(1), "critical_oom"),
        ("cluster", "/steps/3/terminated", json!(true), "terminated"),
        ("cluster", "/steps/3/truncated", json!(true), "truncated"),
        ("cluster", "/steps/3/cpu_noise/2", json!(0.3), "avg_load"),
        ("cluster", "/config", json!({"time_penalty": -0.02}), "reward"),
        ("cluster", "/rules", json!("v4.6"), "observation"),
        ("garden", "/generations/2/expected/risk", json!(0.9), "risk"),
        ("garden", "/generations/2/expected/flow", json!(0.9), "flow"),
        ("garden", "/generations/2/expected/total_entropy", json!(1e9), "total_entropy"),
        ("garden", "/generations/2/expected/verdict", json!("collapse"), "verdict"),
        ("garden", "/generations/2/expected/damping_alpha", json!(0.1), "damping_alpha"),
        ("garden", "/generations/2/expected/survival_mode", json!(true), "survival_mode"),
        ("garden", "/generations/2/expected/gardeners", json!([]), "gardeners"),
        ("garden", "/generations/2/expected/gardeners/0/3", json!(1.0), "energy"),
        ("garden", "/generations/9/expected/grid/0", json!(0.9), "grid"),
        ("garden", "/generations/2/expected/csv_row", json!(""), "csv_columns"),
        ("garden", "/generations/2/expected/csv_row", json!("3,4,a,b,c"), "csv_integers"),
        ("garden", "/generations/2/inputs/intended", json!([]), "asked"),
        ("garden", "/generations/2/inputs/damping_draws", json!([]), "damping_draws"),
        ("garden", "/generations/2/inputs/spawn", json!([[1, 1]]), "spawns"),
        ("garden", "/generations/2/inputs/dirt_uniform/3", json!(50.0), "total_entropy"),
        ("garden", "/initial/gardeners/1/energy", json!(-1e300), "gardeners"),
        ("garden", "/initial/grid/0", json!(1e300), "total_entropy"),
    ];
    let place = Place::new();
    for (name, trace) in recorded() {
        for (_, pointer, value, field) in edits.iter().filter(|edit| edit.0 == name) {
            let mut trace = trace.clone();
            *at(&mut trace, pointer) = value.clone();
            place.write("trace.json", trace.to_string());
            let ran = place.run("replay trace.json");
            let what = format!("{name} {pointer} = {value}: {ran:?}");
            assert_eq!(ran.code, Some(1), "{what}");
            let problem = "error: trace.json deviates by more than the tolerance, ";
            assert!(ran.stderr.starts_with(problem), "{what}");
            let result = ran.json();
            assert_eq!(result["within_tolerance"], false, "{what}");
            let beyond = result["deviation"][field].as_f64() > result["tolerance"][field].as_f64();
            // An infinite deviation is null, as JSON has no infinity.
            assert!(beyond || result["deviation"][field].is_null(), "{what}");
        }
    }
}

#[test]
fn a_trace_without_steps_shows_nothing() {
    let place = Place::new();
    for (name, mut trace) in recorded() {
        let steps = if name == "garden" { "/generations" } else { "/steps" };
        *at(&mut trace, steps) = json!([]);
        let said = refused(&place, trace.to_string().as_bytes());
        assert!(said.contains("it holds no steps to replay"), "{said}");
    }
}
