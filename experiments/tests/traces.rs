//! `record` and `replay`: what is recorded replays, and the recordings of the reference too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::path::Path;

use common::{Place, TINY};

fn replayed(place: &Place, trace: &str, rules: &str) -> u64 {
    let ran = place.ok(&format!("replay {trace}"));
    let result = ran.json();
    assert_eq!((&result["within_tolerance"], &result["rules"]), (&true.into(), &rules.into()), "{ran:?}");
    assert_eq!(result["trace"], trace);
    // A trace in sections reads like several.
    let whole = [&result];
    let sections = result["sections"].as_object();
    let parts = sections.map_or(whole.to_vec(), |sections| sections.values().collect());
    for part in parts {
        for (field, deviation) in part["deviation"].as_object().unwrap() {
            let tolerance = part["tolerance"][field].as_f64().unwrap();
            assert!(deviation.as_f64().unwrap() <= tolerance, "{field}: {ran:?}");
        }
    }
    result["steps"].as_u64().unwrap()
}

#[test]
fn every_recording_of_the_reference() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference");
    let names = common::names(&folder);
    assert_eq!(names.len(), 17);
    for name in names {
        let rules = match name.split('_').take(2).collect::<Vec<_>>()[..] {
            ["k8s", "v45"] => "v4.5",
            ["k8s", "v46"] => "v4.6",
            ["prophet", _] => "v8.5",
            _ => "v3.3.3",
        };
        std::fs::copy(folder.join(&name), place.path(&name)).unwrap();
        assert!(replayed(&place, &name, rules) > 0, "{name}");
    }
}

#[test]
fn what_is_recorded_replays() {
    let shield = "--set control.enabled=true --set control.suppress_from_risk=0";
    let cases = [
        ("k8s", "random", 500, "", "v4.5"),
        ("k8s", "heuristic", 300, "", "v4.5"),
        ("k8s", "planner", 200, "--preset storm", "v4.5"),
        ("k8s-v4.6", "patrol", 100, "--set height=5", "v4.6"),
        ("k8s", "idle", 500, "--preset calm", "v4.5"),
        ("k8s", "random", 300, "--set height=3 --set width=5", "v4.5"),
        ("k8s", "random", 300, "--set height=9 --set width=7", "v4.5"),
        ("k8s", "random", 300, "--set observation_rules=v4.6", "v4.6"),
        ("k8s", "random", 300, shield, "v4.5"),
        ("k8s", "random", 200, "--set clean_cost=20 --set scale_cost=30 --set oom_penalty=7", "v4.5"),
        ("k8s", "random", 300, "--set drift.schedule=ramp --set drift.ramp_steps=100", "v4.5"),
        ("k8s", "random", 300, "--set drift.schedule=seasonal --set drift.season_steps=40", "v4.5"),
        ("k8s", "random", 300, "--set drift.schedule=regime --set drift.regime_steps=20", "v4.5"),
        ("k8s", "random", 300, "--set drift.schedule=shocks --set drift.shock_probability=0.2", "v4.5"),
        ("k8s-v4.6", "random", 500, "", "v4.6"),
        ("k8s-v4.6", "heuristic", 200, "--set width=8", "v4.6"),
        ("k8s-v4.6", "random", 400, &format!("--set terminate_on_any_oom=true {shield}"), "v4.6"),
        ("gardener", "evolved", 30, "", "v3.3.3"),
        ("gardener", "heuristic", 30, "--preset storm", "v3.3.3"),
        ("gardener", "patrol", 30, "", "v3.3.3"),
        ("gardener", "random", 400, TINY, "v3.3.3"),
        ("gardener", "idle", 60, TINY, "v3.3.3"),
        ("gardener", "evolved", 300, &format!("{TINY} --set memory.reset_interval=5"), "v3.3.3"),
        ("gardener", "random", 100, &format!("{TINY} --set control.enabled=false"), "v3.3.3"),
        ("gardener", "random", 200, &format!("{TINY} --set control.survival_on_risk=0.3"), "v3.3.3"),
        ("gardener", "evolved", 40, "--set init_agents=0 --set min_population=3 --set grid_size=9", "v3.3.3"),
        (
            "gardener",
            "random",
            400,
            &format!("{TINY} --set birth_energy=4 --set reproduce_cost=3 --set reproduce_threshold=6"),
            "v3.3.3",
        ),
    ];
    let place = Place::new();
    for (number, (env, agent, steps, settings, rules)) in cases.iter().enumerate() {
        place.ok(&format!("record {env} --agent {agent} --steps {steps} --seed 7 --out {number} {settings}"));
        let trace = place.json(&format!("{number}/trace.json"));
        let recorded = trace.get("steps").or(trace.get("generations")).unwrap().as_array().unwrap().len();
        assert_eq!(
            replayed(&place, &format!("{number}/trace.json"), rules),
            recorded as u64,
            "{env} {settings}"
        );
        assert!(*env == "gardener" && recorded == *steps || recorded > 20, "{env} {settings}: {recorded}");
    }
}

/// The schedule shows in the noise that is recorded: its mean over the nodes follows the drift.
#[test]
fn a_ramp_shows_in_the_recorded_noise() {
    let place = Place::new();
    place.ok("record k8s --agent planner --steps 100 --seed 1 --out out --set mem_noise_sigma=0 \
         --set drift.schedule=ramp --set drift.ramp_steps=50 --set drift.ramp_factor=3");
    let trace = place.json("out/trace.json");
    let noise = |step: usize| trace["steps"][step]["memory_noise"][0].as_f64().unwrap();
    assert!((noise(0) - 0.005).abs() < 1e-3 && noise(0) < noise(25) && noise(25) < noise(49));
    assert!((noise(99) - 0.015).abs() < 1e-6, "{}", noise(99));
}

/// A shield replaces actions; what is recorded is what the rules saw.
#[test]
fn a_shield_shows_in_the_recorded_actions() {
    let place = Place::new();
    place.ok("record k8s --agent idle --steps 100 --seed 1 --out off --preset storm");
    place.ok(
        "record k8s --agent idle --steps 100 --seed 1 --out on --preset storm --set control.enabled=true \
        --set control.suppress_from_risk=0",
    );
    let actions = |name: &str| {
        let trace = place.json(&format!("{name}/trace.json"));
        let steps = trace["steps"].as_array().unwrap().iter();
        steps.map(|step| step["action"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert!(actions("off").iter().all(|&action| action == 3));
    assert!(actions("on").iter().any(|&action| action != 3));
    replayed(&place, "on/trace.json", "v4.5");
}
