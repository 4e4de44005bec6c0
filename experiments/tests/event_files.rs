//! `train --tensorboard`: each step once, whatever happened to the process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{Place, SMALL, STEPS};
use prost::Message;

/// What is read of an event (tensorflow/core/util/event.proto).
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// Step and values of each event in the one event file of `dir`.
fn events(place: &Place, dir: &str) -> Vec<(i64, BTreeMap<String, f32>)> {
    let names = place.names(&format!("{dir}/tensorboard"));
    let [name] = &*names else { panic!("{names:?}") };
    assert!(name.starts_with("events.out.tfevents."), "{name}");
    let bytes = place.bytes(&format!("{dir}/tensorboard/{name}"));
    let (mut rest, mut found) = (&*bytes, Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        found.push(Event::decode(&rest[12..12 + length]).unwrap());
        rest = &rest[16 + length..];
    }
    assert_eq!(found[0].file_version.as_deref(), Some("brain.Event:2"));
    let values = |event: &Event| {
        let values = event.summary.clone().unwrap().values.into_iter();
        values.map(|value| (value.tag, value.simple_value.unwrap())).collect()
    };
    found[1..].iter().map(|event| (event.step, values(event))).collect()
}

/// The events of the training in `dir` are the rows of its training.csv.
fn are_its_rows(place: &Place, dir: &str) {
    let csv = place.csv(&format!("{dir}/training.csv"));
    let events = events(place, dir);
    let steps: Vec<i64> = csv.numbers("steps").into_iter().map(|steps| steps as i64).collect();
    assert_eq!(events.iter().map(|event| event.0).collect::<Vec<_>>(), steps, "each step once");
    for name in [
        "return_mean",
        "greedy_return",
        "sampled_return",
        "loss",
        "policy_loss",
        "value_loss",
        "entropy",
        "learning_rate",
        "approx_kl",
        "explained_variance",
    ] {
        for (cell, (step, values)) in csv.column(name).into_iter().zip(&events) {
            let found = values.get(name).map_or_else(String::new, f32::to_string);
            assert_eq!(found, cell, "{name} at step {step}");
        }
    }
    assert!(events[1..].iter().all(|(_, values)| values["steps_per_second"] > 0.0));
}

#[test]
fn events_are_written_if_asked_for() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 1 {SMALL}", 20 * STEPS);
    place.ok(&format!("{training} --tensorboard --out out"));
    are_its_rows(&place, "out");
    place.ok(&format!("{training} --out without"));
    assert!(!place.path("without/tensorboard").exists());
    assert_eq!(place.bytes("out/training.csv"), place.bytes("without/training.csv"));
}

#[test]
fn a_killed_and_resumed_training_has_each_step_once() {
    let place = Place::new();
    let training = format!("train --steps {} --seed 1 {SMALL} --tensorboard --out", 100 * STEPS);
    let start = Instant::now();
    place.ok(&format!("{training} whole"));
    let alone = start.elapsed();
    let mut met = 0;
    for (trial, shares) in [[0.2, 0.3], [0.4, 0.3], [0.05, 0.6]].iter().enumerate() {
        let dir = format!("out-{trial}");
        for share in shares {
            let begun = place.path(&format!("{dir}/config.toml")).exists();
            let arguments = if begun {
                format!("train --resume {dir} --no-monitor")
            } else {
                format!("{training} {dir}")
            };
            let mut child = place.command(&arguments).spawn().unwrap();
            // With libtorch linked the program takes most of a second to start.
            while child.try_wait().unwrap().is_none() && !place.path(&format!("{dir}/config.toml")).exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(alone.mul_f64(*share));
            met += u32::from(child.try_wait().unwrap().is_none());
            let _ = child.kill();
            child.wait().unwrap();
        }
        let rest = place.run(&format!("train --resume {dir} --tensorboard --no-monitor"));
        assert_eq!((rest.code, &*rest.stderr), (Some(0), ""), "{rest:?}");
        are_its_rows(&place, &dir);
        assert_eq!(place.bytes(&format!("{dir}/training.csv")), place.bytes("whole/training.csv"));
    }
    assert!(met >= 3, "{met} kills met a process at work");
}
