//! `benches/gpu.sh`, what of it a machine without a GPU can show: every step works and is in the file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::Place;

/// The script, with a `torch` that python3 finds in `place`.
fn script(place: &Place, arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/gpu.sh");
    let mut command = Command::new("bash");
    command.arg(script).args(arguments).current_dir(place.path("")).env("PYTHONPATH", place.path(""));
    command.output().unwrap()
}

fn with_libtorch() -> Place {
    let place = Place::new();
    let folder = std::env::var_os("LIBTORCH").map(PathBuf::from).expect("cargo sets it");
    std::os::unix::fs::symlink(folder.canonicalize().unwrap(), place.path("torch")).unwrap();
    place
}

fn program() -> &'static str {
    Path::new(env!("CARGO_BIN_EXE_resonetics")).parent().and_then(Path::to_str).unwrap()
}

#[test]
fn the_script_for_gpus_does_all_its_steps_on_a_cpu() {
    let place = with_libtorch();
    let ran = script(&place, &["--device", "cpu", "--quick", "--out", "gpu.json", "--bin", program()]);
    let file = place.json("gpu.json");
    assert_eq!(ran.status.code(), Some(0), "{file:#}\n{ran:?}");
    assert_eq!((&file["device"], &file["quick"]), (&"cpu".into(), &true.into()));
    assert!(file["torch"].as_str().unwrap().starts_with("2.11.0"), "{}", file["torch"]);
    assert_eq!(file["failed"], serde_json::json!([]));
    let steps = file["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    let expected = [
        "doctor",
        "replay",
        "learners",
        "throughput-torch-64-819",
        "throughput-torch-256-819",
        "throughput-native-64-819",
        "throughput-torch-64-6553",
        "throughput-torch-256-6553",
        "throughput-native-64-6553",
        "throughput-native-256-819",
        "return-native",
        "return-torch",
    ];
    assert_eq!(names, expected);
    for step in steps {
        let (name, result) = (step["step"].as_str().unwrap(), &step["result"]);
        assert!(step["ok"] == true && step["error"].is_null(), "{step:#}");
        match name {
            "doctor" => {
                let lines = result.as_array().unwrap();
                let found = lines.iter().any(|line| line.as_str().unwrap().starts_with("libtorch   2.11.0"));
                assert!(found, "{result}");
            }
            "replay" => {
                assert_eq!(result["sections"]["kernel.torch"]["within_tolerance"], true, "{result}");
            }
            "learners" => {
                assert_eq!(result["within_tolerance"], true, "{result}");
                assert_eq!(result["tolerance"]["gradient"], 1e-5);
            }
            _ if name.starts_with("throughput") => {
                let asked = format!(
                    "throughput-{}-{}-{}",
                    result["learner"].as_str().unwrap(),
                    result["hidden"][0],
                    result["num_envs"]
                );
                assert_eq!(name, asked);
                assert!(result["training_steps_per_second"].as_f64() > Some(0.0), "{result}");
            }
            _ => {
                assert!(result["steps"].as_u64() > Some(0), "{result}");
                assert!(result["greedy_return_best"].is_f64(), "{result}");
            }
        }
    }
}

/// A step that fails is recorded, and those behind it are taken.
#[test]
fn a_step_that_fails_is_recorded_and_does_not_end_the_others() {
    let place = with_libtorch();
    let pretended =
        "#!/bin/sh\n[ \"$1\" = replay ] && { echo 'error: no such thing' >&2; exit 1; }\necho '{}'\n";
    place.write("resonetics", pretended);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(place.path("resonetics"), mode).unwrap();
    let ran = script(&place, &["--device", "cpu", "--quick", "--bin", "."]);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let file = place.json("gpu.json");
    // The trainings have left no files.
    assert_eq!(file["failed"], serde_json::json!(["replay", "return-native", "return-torch"]));
    assert_eq!(file["steps"].as_array().unwrap().len(), 12);
    assert_eq!(file["steps"][1]["error"], "error: no such thing");
}

#[test]
fn another_pytorch_is_refused_with_what_to_do() {
    let place = Place::new();
    std::fs::create_dir(place.path("torch")).unwrap();
    place.write("torch/version.py", "__version__ = '2.10.0+cu128'\n");
    let ran = script(&place, &["--device", "cpu", "--bin", program()]);
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("PyTorch is 2.10.0+cu128") && said.contains("pip install torch==2.11.0"), "{said}");
}

#[test]
fn the_learners_are_compared_on_a_device_and_what_is_not_there_is_refused() {
    let place = Place::new();
    let said: serde_json::Value =
        serde_json::from_str(&place.ok("doctor --learners --device cpu").stdout).unwrap();
    assert_eq!((&said["within_tolerance"], &said["device"]), (&true.into(), &"cpu".into()), "{said}");
    for command in ["doctor --learners", "replay trace.json"] {
        let said = place.refused(&format!("{command} --device gpu"));
        assert!(said.contains("--device") && said.contains("expected auto, cpu, cuda or cuda:N"), "{said}");
    }
}
