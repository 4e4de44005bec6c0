//! The v8.5 recording: every section replays, and none may be missing or untrue (exit 1).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::{Place, Ran};
use serde_json::{Value, json};

/// The sections of the recording, in the order in which they are told.
const SECTIONS: [&str; 6] =
    ["kernel", "prophet_optimizer", "kernel_pid", "risk_predictor", "drift_target", "gardener_brain"];

fn recording() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference/prophet_kernel.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn replayed(place: &Place, trace: &Value) -> Ran {
    place.write("trace.json", trace.to_string());
    place.run("replay trace.json")
}

/// What tensors take part in; a build with libtorch replays these on tensors too.
const WITH_TENSORS: [&str; 3] = ["kernel", "risk_predictor", "gardener_brain"];

/// The names under which this build tells the sections.
fn names() -> Vec<String> {
    let torch = |name: &str| cfg!(feature = "torch") && WITH_TENSORS.contains(&name);
    let of = |name: &str| [Some(format!("{name}.native")), torch(name).then(|| format!("{name}.torch"))];
    SECTIONS.iter().flat_map(|name| of(name)).flatten().collect()
}

/// Asserts that `section` alone is not as it should be, and yields what is said of it.
fn only_wrong(ran: &Ran, section: &str, what: &str) -> Value {
    assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
    let name = format!("{section}.native");
    assert!(ran.stderr.starts_with(&format!("error: trace.json section {name}")), "{what}: {ran:?}");
    let result = ran.json();
    assert_eq!(result["within_tolerance"], false, "{what}");
    for (other, found) in result["sections"].as_object().unwrap() {
        let mine = other.starts_with(&format!("{section}."));
        assert_eq!(found["within_tolerance"] == true, !mine, "{what}: {other} {found}");
    }
    result["sections"][&name].clone()
}

#[test]
fn every_section_replays() {
    let place = Place::new();
    let ran = replayed(&place, &recording());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let result = ran.json();
    assert_eq!((&result["rules"], &result["within_tolerance"]), (&"v8.5".into(), &true.into()));
    let sections = result["sections"].as_object().unwrap();
    assert_eq!(sections.keys().collect::<Vec<_>>(), names().iter().collect::<Vec<_>>());
    for (section, steps) in SECTIONS.iter().zip([3_u64, 80, 80, 6, 400, 4]) {
        for name in names().iter().filter(|name| name.starts_with(&format!("{section}."))) {
            assert_eq!(sections[name]["steps"], steps, "{name}");
        }
    }
    let steps: u64 = sections.values().map(|found| found["steps"].as_u64().unwrap()).sum();
    assert_eq!(result["steps"].as_u64(), Some(steps));
    // Numbers within 1e-5, what is exact within nothing.
    let tolerances = |field: &str| {
        let of = sections.values().filter_map(|found| found["tolerance"].get(field)?.as_f64());
        of.collect::<Vec<f64>>()
    };
    for field in ["gap_R", "loss_flow", "metric_flow", "gap_S", "tension", "loss", "grad_weight", "grad_bias"]
    {
        assert_eq!(tolerances(field).first(), Some(&1e-5), "{field}");
        assert!(tolerances(field).iter().all(|&tolerance| tolerance == 1e-5), "{field}");
    }
    for field in ["lr", "smoothed_risk", "wR", "eps", "risk", "target", "probabilities", "hidden", "cell"] {
        assert_eq!(tolerances(field).first(), Some(&1e-5), "{field}");
        assert!(tolerances(field).iter().all(|&tolerance| tolerance == 1e-5), "{field}");
    }
    assert_eq!((tolerances("mode"), tolerances("status")), (vec![0.0], vec![0.0]));
}

#[test]
fn a_missing_section_is_wrong() {
    let place = Place::new();
    for section in SECTIONS {
        let mut trace = recording();
        trace.as_object_mut().unwrap().remove(section).unwrap();
        let found = only_wrong(&replayed(&place, &trace), section, section);
        assert_eq!(found["problem"], "it is missing");
    }
    let ran = replayed(&place, &json!({ "rules": "v8.5" }));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.json()["sections"].as_object().unwrap().values().all(|found| found["problem"] == "it is missing")
    );
}

/// The pointers to every kind of number: those that differ in their indices only are of one kind.
fn numbers(value: &Value, pointer: &str, kind: &str, found: &mut BTreeMap<String, Vec<String>>) {
    match value {
        Value::Number(_) => found.entry(kind.to_owned()).or_default().push(pointer.to_owned()),
        Value::Object(fields) => {
            for (key, value) in fields {
                numbers(value, &format!("{pointer}/{key}"), &format!("{kind}/{key}"), found);
            }
        }
        Value::Array(values) => {
            // The columns of a row are kinds of their own.
            let row = values.len() < 6 && pointer.contains("/rows/");
            for (i, value) in values.iter().enumerate() {
                let kind = if row { format!("{kind}/{i}") } else { format!("{kind}/*") };
                numbers(value, &format!("{pointer}/{i}"), &kind, found);
            }
        }
        _ => {}
    }
}

/// Every kind of number in the recording counts: with some of them changed, the section is wrong.
#[test]
fn changed_numbers_are_wrong() {
    let place = Place::new();
    let trace = recording();
    let mut kinds = BTreeMap::new();
    for section in SECTIONS {
        numbers(&trace[section], &format!("/{section}"), section, &mut kinds);
    }
    assert!(kinds.len() > 50, "{:?}", kinds.keys());
    for (kind, pointers) in kinds {
        let mut trace = trace.clone();
        // Several, for one alone may be a unit asleep, or a corner of a view that pooling drops;
        // not all, for a softmax does not see a shift of all.
        let n = pointers.len();
        for pointer in BTreeSet::from([1, 3, 5].map(|part| part * n / 7)).into_iter().map(|at| &pointers[at])
        {
            let number = trace.pointer_mut(pointer).unwrap();
            *number = match number.as_u64() {
                Some(whole) => json!(whole + 1),
                None => json!(number.as_f64().unwrap() + 0.5),
            };
        }
        let section = kind.split('/').next().unwrap();
        let found = only_wrong(&replayed(&place, &trace), section, &kind);
        assert!(found["problem"].is_string() || found["deviation"].is_object(), "{kind}: {found}");
    }
}

/// Each expected value is compared with what it names.
#[test]
fn an_edited_value_deviates_under_its_name() {
    let place = Place::new();
    for (section, pointer, value, field) in [
        ("kernel", "/kernel/1/expected/gap_R", json!(2.9), "gap_R"),
        ("kernel", "/kernel/1/expected/loss_flow", json!(0.4), "loss_flow"),
        ("kernel", "/kernel/1/expected/metric_flow", json!(0.6), "metric_flow"),
        ("kernel", "/kernel/1/expected/gap_S", json!(1.1), "gap_S"),
        ("kernel", "/kernel/1/expected/tension", json!(0.7), "tension"),
        ("kernel", "/kernel/1/expected/loss", json!(2.4), "loss"),
        ("kernel", "/kernel/2/layers/1/grad_weight/255", json!(9.0), "grad_weight"),
        ("kernel", "/kernel/2/layers/2/grad_bias", json!([]), "grad_bias"),
        ("prophet_optimizer", "/prophet_optimizer/rows/9/1", json!(0.5), "lr"),
        ("prophet_optimizer", "/prophet_optimizer/rows/9/2", json!("none"), "mode"),
        ("prophet_optimizer", "/prophet_optimizer/rows/9/3", json!(7), "status"),
        ("prophet_optimizer", "/prophet_optimizer/rows/9/4", json!(0.9), "smoothed_risk"),
        ("prophet_optimizer", "/prophet_optimizer/config/beta2", json!(0.99), "config"),
        ("kernel_pid", "/kernel_pid/rows/79/2", json!(0.5), "wR"),
        ("kernel_pid", "/kernel_pid/rows/79/3", json!(0.5), "eps"),
        ("risk_predictor", "/risk_predictor/expected/5", json!(0.5), "risk"),
        ("drift_target", "/drift_target/noise_free/399", json!(2.0), "target"),
        ("gardener_brain", "/gardener_brain/steps/3/cell/15", json!(0.5), "cell"),
    ] {
        let mut trace = recording();
        *trace.pointer_mut(pointer).unwrap() = value;
        let found = only_wrong(&replayed(&place, &trace), section, pointer);
        let deviation = &found["deviation"];
        let beyond: Vec<&String> = deviation
            .as_object()
            .unwrap()
            .iter()
            // An infinite deviation is null, as JSON has no infinity.
            .filter(|(name, largest)| {
                largest.is_null() || largest.as_f64() > found["tolerance"][name].as_f64()
            })
            .map(|(name, _)| name)
            .collect();
        assert_eq!(beyond, [field], "{pointer}: {found}");
    }
}

/// What does not fit the format is a finding about its section, with what is wrong.
#[test]
fn a_section_that_does_not_fit_is_wrong() {
    let place = Place::new();
    for (section, pointer, value, part) in [
        ("kernel", "/kernel", json!([]), "it holds nothing to replay"),
        ("kernel", "/kernel", json!(null), "does not fit the trace format"),
        ("kernel", "/kernel/0/batch", json!(0), "case 0: its dimensions are [0, 1, 1, 32]"),
        ("kernel", "/kernel/0/hidden", json!(1_000_000_000), "case 0: its dimensions"),
        ("kernel", "/kernel/0/eps", json!(0), "case 0: eps is 0"),
        ("kernel", "/kernel/0/layers", json!([]), "case 0: layers: 0 numbers, expected 3"),
        ("kernel", "/kernel/1/layers/0/bias", json!([1.0]), "case 1: layer 0's bias: 1 numbers, expected 32"),
        ("kernel", "/kernel/1/loss_noise", json!([]), "case 1: loss_noise: 0 numbers, expected 80"),
        ("kernel", "/kernel/1/activation", json!("sine"), "unknown variant `sine`"),
        ("prophet_optimizer", "/prophet_optimizer/rows", json!([]), "it holds nothing to replay"),
        ("prophet_optimizer", "/prophet_optimizer/config", json!({}), "missing field `risk_thresholds`"),
        ("kernel_pid", "/kernel_pid/rows/0", json!([1.0]), "invalid length 1"),
        ("risk_predictor", "/risk_predictor/state", json!([1.0]), "its state has 1 numbers"),
        ("risk_predictor", "/risk_predictor/layers", json!([]), "layers: 0 numbers, expected 1217"),
        ("drift_target", "/drift_target/total_steps", json!(-1), "invalid value"),
        ("gardener_brain", "/gardener_brain/view_size", json!(8), "view_size 8 is not an odd number"),
        ("gardener_brain", "/gardener_brain/steps/0/view", json!([]), "step 0: its view has 0 cells"),
    ] {
        let mut trace = recording();
        *trace.pointer_mut(pointer).unwrap() = value;
        let found = only_wrong(&replayed(&place, &trace), section, pointer);
        let problem = found["problem"].as_str().unwrap();
        assert!(problem.contains(part), "{pointer}: no {part} in {problem}");
    }
}
