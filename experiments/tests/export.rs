//! `export`: ONNX Runtime, from Python's package index, computes from the file what the policy computes here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use common::{Place, SMALL, STEPS};
use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces};
use resonetics_agents::prophet::normalizer::Normalizer;
use resonetics_envs::stream::{Domain, Key};
use resonetics_runs::onnx;
use serde_json::{Value, json};

const RUNTIME: [&str; 2] = ["onnxruntime==1.32.0", "numpy==2.4.6"];

/// Reads `{model, observation, action_mask}` of the file that is named, and prints what the model makes of it; `{}` where
/// only the interface is asked for.
const SCRIPT: &str = r#"
import json, sys
import numpy as np
import onnxruntime
asked = json.load(open(sys.argv[1]))
session = onnxruntime.InferenceSession(asked["model"], providers=["CPUExecutionProvider"])
said = {
    "inputs": [[one.name, one.type, one.shape] for one in session.get_inputs()],
    "outputs": [[one.name, one.type, one.shape] for one in session.get_outputs()],
    "metadata": session.get_modelmeta().custom_metadata_map,
}
if "observation" in asked:
    fed = {
        "observation": np.array(asked["observation"], dtype=np.float32),
        "action_mask": np.array(asked["action_mask"], dtype=bool),
    }
    if "memory" in asked:
        fed["memory"] = np.array(asked["memory"], dtype=np.float32)
    names = [one.name for one in session.get_outputs()]
    said["found"] = {name: out.tolist() for name, out in zip(names, session.run(names, fed))}
print(json.dumps(said))
"#;

/// The Python of an environment of its own with ONNX Runtime, or why there is none.
fn python() -> Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let provide = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnxruntime");
        let python = folder.join("bin/python");
        let run = |command: &mut Command| match command.output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(problem) => Err(problem.to_string()),
        };
        if run(Command::new(&python).args(["-c", "import onnxruntime"])).is_err() {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
            let mut pip = Command::new(&python);
            run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(RUNTIME))?;
        }
        Ok(python)
    };
    FOUND.get_or_init(provide).clone()
}

/// What ONNX Runtime says of `asked`; none, in words, where it cannot be had.
fn asked(place: &Place, asked: &Value) -> Option<Value> {
    let python = match python() {
        Ok(python) => python,
        Err(problem) => {
            eprintln!("skipped: Python with {} cannot be had: {problem}", RUNTIME.join(" and "));
            return None;
        }
    };
    place.write("asked.json", asked.to_string());
    let output = Command::new(python).args(["-c", SCRIPT]).arg(place.path("asked.json")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}")))
}

fn numbers(value: &Value) -> Vec<f64> {
    match value.as_array() {
        Some(values) => values.iter().flat_map(numbers).collect(),
        None => vec![value.as_f64().unwrap()],
    }
}

/// Networks of each kind: dense, behind a convolution, with a memory, with both.
fn networks() -> [(Network, Spaces); 6] {
    [
        (
            Network { hidden: vec![64, 64], conv_channels: 0, memory: 0 },
            Spaces { observation: 30, actions: 6, view: 0 },
        ),
        (
            Network { hidden: vec![5, 17, 3], conv_channels: 0, memory: 0 },
            Spaces { observation: 7, actions: 2, view: 0 },
        ),
        (
            Network { hidden: vec![32], conv_channels: 8, memory: 0 },
            Spaces { observation: 49 + 4, actions: 6, view: 7 },
        ),
        (
            Network { hidden: vec![8], conv_channels: 3, memory: 0 },
            Spaces { observation: 9, actions: 4, view: 3 },
        ),
        (
            Network { hidden: vec![16, 8], conv_channels: 0, memory: 5 },
            Spaces { observation: 7, actions: 3, view: 0 },
        ),
        (
            Network { hidden: vec![6], conv_channels: 3, memory: 4 },
            Spaces { observation: 11, actions: 2, view: 3 },
        ),
    ]
}

/// The oracle is the native learner; the softmax is written down here once more.
#[test]
#[allow(clippy::disallowed_methods)] // an oracle's mathematics is the standard library's
fn onnx_runtime_computes_the_same_probabilities() {
    const ROWS: usize = 37;
    let place = Place::new();
    let key = Key::new(11, Domain::Space, 0);
    for (number, (network, spaces)) in networks().into_iter().enumerate() {
        let (d, a) = (spaces.observation, spaces.actions);
        let normal = |tag: u64, i: usize| key.derive(number as u32, tag).normals(0, i as u32).0[0];
        let mut tensors = initial(&network, spaces, 3);
        // The first policy is nearly uniform: wider, and biases that are not 0.
        for (tag, tensor) in (0..).zip(tensors.iter_mut().filter(|tensor| !tensor.name.starts_with("adam.")))
        {
            for (i, number) in tensor.data.iter_mut().enumerate() {
                *number += 0.5 * normal(100 + tag, i);
            }
        }
        let observations: Vec<f32> = (0..ROWS * d).map(|i| 3.0 * normal(1, i) + (i % d) as f32).collect();
        let mask: Vec<bool> = (0..ROWS * a).map(|i| i % a == 0 || normal(2, i) > -0.5).collect();
        for seen in [true, false] {
            let mut normalizer = Normalizer::new(d);
            if seen {
                normalizer.update(&observations[..20 * d], &[]);
            }
            let entries = [("resonetics.recipe", "none".to_owned())];
            let bytes = onnx::policy(&network, spaces, &tensors, &normalizer, &entries).unwrap();
            place.write("model.onnx", &bytes);
            let rows = |width: usize, i: usize| i * width..(i + 1) * width;
            let shaped: Vec<&[f32]> = (0..ROWS).map(|i| &observations[rows(d, i)]).collect();
            let masks: Vec<&[bool]> = (0..ROWS).map(|i| &mask[rows(a, i)]).collect();
            let model = place.path("model.onnx").display().to_string();
            let mut question = json!({ "model": model, "observation": shaped, "action_mask": masks });
            // The actor's units and then the critic's, as of a step in the middle of an episode.
            let m = 2 * network.memory;
            let mut memory: Vec<f32> = (0..ROWS * m).map(|i| 0.5 * normal(3, i)).collect();
            if m > 0 {
                question["memory"] = json!(memory.chunks(m).collect::<Vec<_>>());
            }
            let Some(said) = asked(&place, &question) else { return };

            let mut learner = NativeLearner::new(&network, spaces);
            learner.load(&tensors, 0).unwrap();
            let mut normalized = vec![0.0; observations.len()];
            normalizer.apply(&observations, &mut normalized);
            let (mut logits, mut values) = (vec![0.0; ROWS * a], vec![0.0; ROWS]);
            learner.act(&normalized, &mut memory, &mut logits, &mut values);
            let found = &said["found"];
            let [probabilities, told, value] =
                ["probabilities", "logits", "value"].map(|name| numbers(&found[name]));
            assert_eq!((probabilities.len(), told.len(), value.len()), (ROWS * a, ROWS * a, ROWS));
            if m > 0 {
                let next = numbers(&found["next_memory"]);
                assert_eq!(next.len(), memory.len());
                assert!(
                    next.iter().zip(&memory).all(|(a, b)| (a - f64::from(*b)).abs() < 1e-5),
                    "{network:?}"
                );
            }
            let mut spread = 0.0_f64;
            for i in 0..ROWS {
                assert!((value[i] - f64::from(values[i])).abs() < 1e-5 * (1.0 + value[i].abs()), "row {i}");
                let of = rows(a, i);
                let allowed = |j: usize| mask[j];
                let sum: f64 = of.clone().filter(|&j| allowed(j)).map(|j| f64::from(logits[j]).exp()).sum();
                for j in of {
                    let expected = if allowed(j) { f64::from(logits[j]).exp() / sum } else { 0.0 };
                    assert!(
                        (probabilities[j] - expected).abs() < 1e-5,
                        "{network:?}, row {i}: {}",
                        probabilities[j]
                    );
                    let expected = if allowed(j) { f64::from(logits[j]) } else { -1e8 };
                    assert!((told[j] - expected).abs() < 1e-4, "{network:?}, row {i}: {}", told[j]);
                    spread = spread.max(probabilities[j]);
                }
            }
            assert!(spread > 0.9, "some policy is decided: {spread}");
        }
    }
}

/// The exported checkpoint takes the actions that `record` has seen the agent take.
#[test]
fn an_exported_policy_acts_as_the_agent() {
    let place = Place::new();
    place.ok(&format!("train --steps {} --seed 1 {SMALL} --out out", 18 * STEPS));
    let ran = place.ok("export out@last --onnx policy.onnx");
    assert!(ran.stdout.starts_with("wrote policy.onnx: step 2304, SHA-256 "), "{ran:?}");
    let before = place.bytes("policy.onnx");
    assert!(place.refused("export out@last --onnx policy.onnx").contains("policy.onnx"));
    assert_eq!(place.bytes("policy.onnx"), before, "nothing is overwritten");
    assert!(place.refused("export out@7 --onnx other.onnx").contains("out keeps no checkpoint of step 7"));
    assert!(place.refused("export missing --onnx other.onnx").contains("missing/config.toml"));
    assert!(place.refused("export out").contains("--onnx <FILE>"));
    place.ok("export out@last --onnx again.onnx -q");
    assert_eq!(place.bytes("again.onnx"), before, "the same checkpoint is the same file");

    place.ok("record k8s --agent prophet:out@last --steps 200 --seed 4 --out trace");
    let trace = place.json("trace/trace.json");
    let steps = trace["steps"].as_array().unwrap();
    let seen =
        [&trace["initial"]["observation"]].into_iter().chain(steps.iter().map(|step| &step["observation"]));
    let observations: Vec<&Value> = seen.take(steps.len()).collect();
    let masks = vec![vec![true; 6]; steps.len()];
    let model = place.path("policy.onnx").display().to_string();
    let question = json!({ "model": model, "observation": observations, "action_mask": masks });
    let Some(said) = asked(&place, &question) else { return };
    assert_eq!(
        said["inputs"],
        json!([["observation", "tensor(float)", ["N", 30]], ["action_mask", "tensor(bool)", ["N", 6]]])
    );
    assert_eq!(
        said["outputs"],
        json!([
            ["probabilities", "tensor(float)", ["N", 6]],
            ["logits", "tensor(float)", ["N", 6]],
            ["value", "tensor(float)", ["N"]]
        ])
    );
    assert_eq!(
        (&said["metadata"]["resonetics.step"], &said["metadata"]["resonetics.env"]),
        (&"2304".into(), &"k8s".into())
    );
    for (step, row) in steps.iter().zip(said["found"]["probabilities"].as_array().unwrap()) {
        let row = numbers(row);
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        assert_eq!(step["action"], best, "{row:?}");
    }
}
