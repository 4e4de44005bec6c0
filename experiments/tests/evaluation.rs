//! A trained Prophet at work: `eval`, and as an agent of `benchmark`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::{Place, SMALL, STEPS, TINY, assert_same, end, number, wait_until};
use serde_json::Value;

/// A training in `out` that has learned to keep the cluster.
fn trained() -> Place {
    let place = Place::new();
    place.ok("train --steps 16384 --seed 1 --no-monitor --set train.epochs=5 --set train.eval_episodes=40 --out out");
    place
}

fn value(found: &Value, key: &str) -> f64 {
    found[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {found}"))
}

#[test]
fn eval_tells_how_it_fares() {
    let place = trained();
    let plain = place.ok("eval --run out --episodes 200 --seed 3");
    let found = plain.json();
    let keys: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "run",
            "env",
            "seed",
            "episodes",
            "obs_noise",
            "drift_scale",
            "return_mean",
            "return_mean_low",
            "return_mean_high",
            "return_std",
            "steps_mean",
            "terminated"
        ]
    );
    assert_eq!(
        (&found["run"], &found["env"], &found["seed"], &found["episodes"]),
        (&"out".into(), &"k8s".into(), &3.into(), &200.into())
    );
    let [mean, low, high] =
        ["return_mean", "return_mean_low", "return_mean_high"].map(|key| value(&found, key));
    assert!(low < mean && mean < high && high - low < 5.0, "{found}");
    assert!(
        mean > 50.0 && value(&found, "steps_mean") > 490.0 && value(&found, "terminated") < 0.05,
        "{found}"
    );

    // The same again, on any number of threads; other episodes with another seed.
    for threads in ["--threads 1", "--threads 2"] {
        assert_eq!(
            place.ok(&format!("eval --run out --episodes 200 --seed 3 {threads}")).stdout,
            plain.stdout
        );
    }
    assert_ne!(
        place.ok("eval --run out --episodes 200 --seed 4").json()["return_mean"],
        found["return_mean"]
    );
    assert_eq!(place.names(""), ["out"], "it writes only where it is told to");
    place.ok("eval --run out --episodes 200 --seed 3 --out report");
    assert_eq!(place.names("report"), ["config.toml", "eval.json", "run.json"]);
    assert_eq!(place.text("report/eval.json"), plain.stdout);
}

#[test]
fn noise_and_drift_make_it_worse() {
    let place = trained();
    let mean = |options: &str| {
        let found = place.ok(&format!("eval --run out --episodes 100 --seed 3 {options}")).json();
        (value(&found, "return_mean"), value(&found, "steps_mean"))
    };
    let plain = mean("");
    assert_eq!(mean("--obs-noise 0 --drift-scale 1"), plain);
    let blind = mean("--obs-noise 100");
    assert!(blind.0 < plain.0 - 10.0, "{plain:?} {blind:?}");
    let slightly = mean("--obs-noise 0.1");
    assert!(slightly.0 > blind.0, "{slightly:?} {blind:?}");
    let fast = mean("--drift-scale 10");
    assert!(fast.1 < plain.1 - 100.0, "{plain:?} {fast:?}");
    let faster = mean("--drift-scale 20");
    assert!(faster.1 < fast.1, "{fast:?} {faster:?}");
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let place = Place::new();
    place.ok(&format!("train --steps 384 --seed 1 {SMALL} --out out"));
    place.ok(&format!("gardener --generations 3 --seed 1 {TINY} --out garden"));
    place.ok("doctor --out report");
    let cases: &[(&str, &[&str])] = &[
        ("eval --run out --obs-noise -1", &["--obs-noise -1", "from 0 to 1000"]),
        ("eval --run out --obs-noise nan", &["--obs-noise NaN", "from 0 to 1000"]),
        ("eval --run out --obs-noise inf", &["--obs-noise inf", "from 0 to 1000"]),
        ("eval --run out --obs-noise 1001", &["--obs-noise 1001", "from 0 to 1000"]),
        ("eval --run out --obs-noise much", &["'much'", "--obs-noise"]),
        ("eval --run out --drift-scale -1", &["--drift-scale -1", "from 0 to 1000"]),
        ("eval --run out --drift-scale nan", &["--drift-scale NaN", "from 0 to 1000"]),
        (
            "eval --run out --drift-scale 1000",
            &["--drift-scale 1000", "`mem_drift_mu = 5.0`", "from -1 to 1"],
        ),
        ("eval --run out --episodes 0", &["'0'", "--episodes", "from 1 to 10000000"]),
        ("eval --run out --seed -1", &["'-1'", "--seed"]),
        ("eval", &["--run <DIR>"]),
        ("eval --run missing --seed 1", &["missing/config.toml", "No such file"]),
        ("eval --run garden --seed 1", &["garden is no training"]),
        ("eval --run report --seed 1", &["report/config.toml"]),
        ("benchmark --seed 1 --agents prophet:missing", &["missing/config.toml", "No such file"]),
        ("benchmark --seed 1 --agents prophet:", &["config.toml"]),
        ("benchmark --seed 1 --agents random,prophet:garden", &["garden is no training"]),
        ("benchmark --seed 1 --agents random,profet", &["`profet`", "prophet:DIR"]),
        (
            "benchmark --seed 1 --env gardener --agents random,prophet:out",
            &["out was trained in k8s, with 30 numbers in an observation and 6 actions; gardener has"],
        ),
        ("benchmark --seed 1 --agents prophet:out,random,prophet:out", &["`prophet:out`", "twice"]),
    ];
    for (arguments, parts) in cases {
        let said = place.refused_in("out", arguments);
        for part in *parts {
            assert!(said.contains(part), "{arguments}: no {part} in {said}");
        }
    }
}

#[test]
fn prophet_competes() {
    let place = trained();
    let before = place.untouched("out");
    let ran = place.ok("benchmark --agents random,prophet:out --episodes 40 --seed 1 --out bench");
    let prophet = ran.stdout.lines().find(|line| line.starts_with("prophet:out | reward ")).unwrap();
    assert!(prophet.contains("oom_rate="), "{prophet}");
    let csv = place.csv("bench/benchmark.csv");
    assert_eq!(csv.column("agent"), ["random", "prophet:out"]);
    let mean = csv.numbers("return_mean");
    assert!(mean[1] > 50.0 && mean[0] < 40.0, "{csv:?}");
    assert!(number(csv.column("win_rate")[1]) > 0.9, "{csv:?}");
    // The same episodes as `eval` plays.
    let found = place.ok("eval --run out --episodes 40 --seed 1").json();
    assert!((value(&found, "return_mean") - mean[1]).abs() < 1e-5, "{found} {csv:?}");
    assert_eq!(place.csv("bench/episodes.csv").only("agent", "prophet:out").rows.len(), 40);
    assert!(place.untouched("out") == before);
    // A folder may be called as sweeps call it.
    place.copy("out", "lr=0.003,seed=1");
    let agents = ["random,prophet:lr=0.003,seed=1", "prophet:lr=0.003,seed=1"];
    for (agents, out) in [(&agents[..1], "one"), (&["random", agents[1]], "two")] {
        let options: Vec<&str> = agents.iter().flat_map(|agent| ["--agents", agent]).collect();
        let ran = place
            .run_of(&[&["benchmark", "--episodes", "3", "--seed", "1", "--out", out][..], &options].concat());
        assert!(ran.code == Some(0) && ran.stdout.contains("prophet:lr=0.003,seed=1 | reward "), "{ran:?}");
        let config: toml::Table = place.text(&format!("{out}/config.toml")).parse().unwrap();
        let agents = config["agents"].as_array().unwrap();
        assert_eq!(agents, &["random", "prophet:lr=0.003,seed=1"].map(toml::Value::from));
        place.ok(&format!("rerun {out} --out {out}-again"));
        place.ok(&format!("analyze {out} --out {out}-report -q"));
    }
    let ran = place.ok("rerun bench --out again");
    assert!(!ran.stdout.contains("DIFFERENT"), "{ran:?}");
}

#[test]
fn a_trained_gardener_plays_in_its_garden() {
    let place = Place::new();
    let garden = format!("--env gardener {TINY} --set max_generations=20");
    place.ok(&format!("train --steps 384 --seed 1 {SMALL} {garden} --out out"));
    let found = place.ok("eval --run out --episodes 5 --seed 1").json();
    assert_eq!(found["env"], "gardener");
    assert!(value(&found, "steps_mean") <= 20.0);
    place.ok(&format!("benchmark {garden} --agents heuristic,prophet:out --episodes 3 --seed 1 --out bench"));
    assert_eq!(place.csv("bench/benchmark.csv").column("agent"), ["heuristic", "prophet:out"]);
    // Another view is another observation.
    let said = place.refused(
        "benchmark --env gardener --set view_size=7 --agents heuristic,prophet:out --episodes 3 --seed 1",
    );
    assert!(said.contains("out was trained in gardener"), "{said}");
}

#[test]
fn evaluating_an_unfinished_training_does_not_disturb_it() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 1 {SMALL} --set train.checkpoint_every=1", 300 * STEPS);
    let training = training.replacen("--set train.checkpoint_every=3 ", "", 1);
    place.ok(&format!("{training} --out whole"));
    let mut child = place.command(&format!("{training} --out out")).spawn().unwrap();
    wait_until(|| place.path("out/checkpoints/best.json").exists());
    let mut evaluated = 0;
    while child.try_wait().unwrap().is_none() {
        place.ok("eval --run out --episodes 2 --seed 1");
        evaluated += 1;
    }
    assert_eq!(end(child, &training).code, Some(0));
    assert!(evaluated > 2, "the training was over before it was looked at");
    assert_same(&place.trained("out"), &place.trained("whole"), "evaluated meanwhile");
}
