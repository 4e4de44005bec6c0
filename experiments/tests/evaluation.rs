//! A trained Prophet at work: `eval`, and as an agent of `benchmark`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::{Place, SMALL, STEPS, TINY, assert_same, end, number, wait_until};
use serde_json::Value;
use sha2::{Digest, Sha256};

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
    let plain = place.ok("eval --run out --episodes 200 --seed 3 -q");
    let found = plain.json();
    let keys: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "run",
            "recipe",
            "checkpoint",
            "sample",
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
            "terminated",
            "action_switches",
            "jacobian_norm",
            "jacobian_singular"
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
            place.ok(&format!("eval --run out --episodes 200 --seed 3 -q {threads}")).stdout,
            plain.stdout
        );
    }
    assert_ne!(
        place.ok("eval --run out --episodes 200 --seed 4 -q").json()["return_mean"],
        found["return_mean"]
    );
    assert_eq!(place.names("runs"), [1, 2, 3, 4].map(|number| format!("eval-{number:04}")));
    let ran = place.ok("eval --run out --episodes 200 --seed 3 --out report");
    assert_eq!(ran.stdout, format!("{}wrote report\n", plain.stdout));
    assert_eq!(place.names("report"), ["config.toml", "episodes.csv", "eval.json", "run.json"]);
    assert_eq!(place.text("report/eval.json"), plain.stdout);

    // Episode by episode as a benchmark writes them, and what was told is of them.
    let rows = place.csv("report/episodes.csv");
    assert_eq!(rows.rows.len(), 200);
    let returns = rows.numbers("return");
    assert!((returns.iter().sum::<f64>() / 200.0 - mean).abs() < 1e-5);
    place.ok("benchmark --agents prophet:out --episodes 200 --seed 3 --out bench");
    assert_eq!(place.bytes("bench/episodes.csv"), place.bytes("report/episodes.csv"));
    let ran = place.ok("rerun report --out again");
    let told: Vec<&str> =
        ran.stdout.lines().filter(|line| line.contains(": ") && line.contains("ident")).collect();
    assert_eq!(told, ["episodes.csv: identical", "eval.json: identical"]);
}

#[test]
fn noise_and_drift_make_it_worse() {
    let place = trained();
    let mean = |options: &str| {
        let found = place.ok(&format!("eval --run out --episodes 100 --seed 3 -q {options}")).json();
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
        ("eval --run garden --seed 1", &["garden is not a training"]),
        ("eval --run report --seed 1", &["report/config.toml"]),
        ("benchmark --seed 1 --agents prophet:missing", &["missing/config.toml", "No such file"]),
        ("benchmark --seed 1 --agents prophet:", &["config.toml"]),
        ("benchmark --seed 1 --agents random,prophet:garden", &["garden is not a training"]),
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
    let found = place.ok("eval --run out --episodes 40 --seed 1 -q").json();
    assert!((value(&found, "return_mean") - mean[1]).abs() < 1e-5, "{found} {csv:?}");
    assert_eq!(place.csv("bench/episodes.csv").only("agent", "prophet:out").rows.len(), 40);
    assert!(place.untouched("out") == before);
    // One training is one agent, whatever it is called, and a copy of it no other seed.
    let twice = place.refused("benchmark --agents random,prophet:out,prophet:./out/ --seed 1");
    assert!(twice.contains("agent `prophet:./out/` is named twice, as `prophet:out` before"), "{twice}");
    place.copy("out", "copy");
    let said = place.ok("benchmark --agents random,prophet:out,prophet:copy --episodes 9 --seed 1 -q").stdout;
    assert_eq!(said.matches("one training; another training seed may do better").count(), 2, "{said}");
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
    let found = place.ok("eval --run out --episodes 5 --seed 1 -q").json();
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

/// A training with several checkpoints, and the names of two of them: the best one and another.
fn with_checkpoints() -> (Place, String, String) {
    let place = Place::new();
    place.ok(&format!("train --steps {} --seed 1 {SMALL} --set train.keep=9 --out out", 30 * STEPS));
    let bytes = |name: &str| place.bytes(&format!("out/checkpoints/{name}.safetensors"));
    let names = place.names("out/checkpoints");
    let numbered = names.iter().filter_map(|name| name.strip_suffix(".safetensors"));
    let numbered: Vec<&str> = numbered.filter(|name| name.starts_with("step-")).collect();
    let (best, others): (Vec<&str>, Vec<&str>) =
        numbered.iter().partition(|name| bytes(name) == bytes("best"));
    let (best, other) = (best[0].to_owned(), others[0].to_owned());
    (place, best, other)
}

/// Makes the checkpoint `name` the best one, as a training that goes on would.
fn make_best(place: &Place, name: &str) {
    for extension in ["safetensors", "json"] {
        let bytes = place.bytes(&format!("out/checkpoints/{name}.{extension}"));
        place.write(&format!("out/checkpoints/best.{extension}"), bytes);
    }
}

fn step_of(name: &str) -> u64 {
    name.strip_prefix("step-").unwrap().parse().unwrap()
}

const PLAYED: [(&str, &str); 4] = [
    ("benchmark", "benchmark --agents random,prophet:out --episodes 3 --seed 1"),
    ("controls", "controls --env k8s --agent prophet:out --episodes 3 --seed 1"),
    ("record", "record k8s --agent prophet:out --steps 9 --seed 1"),
    ("eval", "eval --run out --episodes 3 --seed 1"),
];

/// The SHA-256 is that of the file, the step that of its numbered twin.
#[test]
fn what_acted_is_written_down_and_no_other_is_taken_for_it() {
    let (place, best, other) = with_checkpoints();
    let sum = |name: &str| {
        let digest = Sha256::digest(place.bytes(&format!("out/checkpoints/{name}.safetensors")));
        digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    };
    for (name, command) in PLAYED {
        place.ok(&format!("{command} --out {name}"));
        let config: toml::Table = place.text(&format!("{name}/config.toml")).parse().unwrap();
        let acted = &config["checkpoints"][0];
        assert_eq!(acted["agent"].as_str(), Some("prophet:out"));
        assert_eq!(acted["sha256"].as_str(), Some(sum("best").as_str()), "{name}");
        assert_eq!(acted["step"].as_integer(), Some(step_of(&best) as i64), "{name}");
        assert_eq!(acted["update"].as_integer(), Some((step_of(&best) / STEPS) as i64), "{name}");
    }
    let told = &place.json("eval/eval.json")["checkpoint"];
    assert_eq!((&told["step"], &told["sha256"]), (&step_of(&best).into(), &sum("best").into()));

    // Another best one: the recorded one still acts while it is kept, and nothing does when it is gone.
    make_best(&place, &other);
    for (name, command) in PLAYED {
        let ran = place.ok(&format!("rerun {name} --out {name}-again"));
        assert!(
            ran.stdout.contains(": identical") && !ran.stdout.contains("DIFFERENT"),
            "{command}: {ran:?}"
        );
        assert_eq!(
            place.bytes(&format!("{name}/config.toml")),
            place.bytes(&format!("{name}-again/config.toml"))
        );
    }
    for extension in ["safetensors", "json"] {
        std::fs::remove_file(place.path(&format!("out/checkpoints/{best}.{extension}"))).unwrap();
    }
    for (name, _) in PLAYED {
        let said = place.refused(&format!("rerun {name} --out late"));
        let now = format!(
            "out has another best checkpoint now: step {}, SHA-256 {}",
            step_of(&other),
            &sum(&other)[..12]
        );
        let then = format!("recorded was step {}, SHA-256 ", step_of(&best));
        assert!(said.contains(&now) && said.contains(&then), "{said}");
    }
}

/// Runs from before checkpoints were written down.
#[test]
fn what_was_not_written_down_is_not_known() {
    let (place, _, other) = with_checkpoints();
    for (name, command) in PLAYED {
        place.ok(&format!("{command} --out {name}"));
        let config = place.text(&format!("{name}/config.toml"));
        let (front, back) = config.split_once("[[checkpoints]]").unwrap();
        let (_, back) = back.split_once("\n[").unwrap();
        place.write(&format!("{name}/config.toml"), format!("{front}[{back}"));
    }
    std::fs::remove_file(place.path("eval/episodes.csv")).unwrap();
    let told = place.text("eval/eval.json");
    let (front, back) = told.split_once("\"checkpoint\":").unwrap();
    place.write("eval/eval.json", format!("{front}{}", back.split_once("},").unwrap().1));
    for (name, _) in PLAYED {
        let ran = place.ok(&format!("rerun {name} --out {name}-again"));
        assert!(ran.stdout.contains("does not say which checkpoint of prophet:out acted"), "{ran:?}");
        assert!(!ran.stdout.contains("DIFFERENT"), "{ran:?}");
        assert!(place.text(&format!("{name}-again/config.toml")).contains("[[checkpoints]]"));
    }
    make_best(&place, &other);
    let ran = place.run("rerun benchmark --out late");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let reason = "which checkpoint of prophet:out acted was not recorded; it may have been trained on since, and is step ";
    assert!(ran.stderr.contains(&format!("{reason}{}", step_of(&other))), "{ran:?}");
}

/// Its episodes are no benchmark beside the evaluation.
#[test]
fn an_evaluation_is_counted_once() {
    let place = Place::new();
    place.ok(&format!("train --steps 384 --seed 1 {SMALL} --out out"));
    place.ok("eval --run out --episodes 6 --seed 1 --out eval");
    place.ok("benchmark --agents random --episodes 6 --seed 1 --out bench");
    let kinds = |paths: &str, out: &str| {
        place.ok(&format!("analyze {paths} --out {out}"));
        let parts = place.json(&format!("{out}/analysis.json"))["parts"].as_array().unwrap().clone();
        parts
            .iter()
            .map(|part| part["findings"]["kind"].as_str().unwrap_or("?").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds("eval", "a"), ["evaluation"]);
    assert_eq!(kinds("eval/eval.json", "b"), ["evaluation"]);
    let both = kinds("eval bench", "c");
    assert_eq!(both.iter().filter(|kind| *kind == "evaluation").count(), 1, "{both:?}");
    assert!(!place.text("c/analysis.json").contains("\"prophet:out\""));
    // Who names the rows gets them, in the world of the benchmark.
    let both = kinds("eval/episodes.csv bench", "d");
    assert_eq!(both.len(), 1, "{both:?}");
}
