//! `study`: what it refuses, its tables recomputed from its runs, and that it goes on where it was stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;

use common::{Place, end};
use rustix::process::{Pid, Signal, kill_process};

/// Ten trainings of two updates and ten evaluations.
const SMALL: &str = "study rates --seeds 2 --steps 2048 --episodes 8 --out out";

#[test]
fn what_is_no_study_is_refused() {
    let place = Place::new();
    let said = place.refused("study smith");
    assert!(
        said.contains("`smith`")
            && said.contains("limits, drifts, controls, foresight, kernel, rates, memory, sb3"),
        "{said}"
    );
    for arguments in ["study", "study rates --list", "study rates --seeds 0", "study rates --episodes=-1"] {
        let ran = place.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments}: {ran:?}");
    }
    fs::create_dir(place.path("out")).unwrap();
    place.write("out/mine.txt", "mine");
    assert!(place.refused(SMALL).contains("already holds mine.txt"));
    place.write("out/study.toml", "study = \"rates\"\n");
    assert!(place.refused(SMALL).contains("study.toml"));
}

#[test]
fn the_list_says_what_each_costs() {
    let listed = Place::new().ok("study --list --seeds 1 --steps 1000000 --episodes 100").stdout;
    // By hand: five trainings of a million steps and five evaluations of at most 100 x 500.
    let of_rates = listed.lines().skip_while(|line| !line.starts_with("rates: ")).nth(1).unwrap();
    assert!(of_rates.trim().starts_with("10 runs, 5.2 million steps, about "), "{of_rates}");
    assert_eq!(listed.lines().filter(|line| line.ends_with(" on two cores")).count(), 9);
}

/// Stopped in the middle and gone on with, a study has the tables of one that was not; what was finished is not done again.
#[test]
fn a_stopped_study_goes_on() {
    let (whole, stopped) = (Place::new(), Place::new());
    let ran = whole.ok(&format!("{SMALL} --quiet --threads 2"));
    let child = stopped.under_way(&format!("{SMALL} --threads 1"), "out/eval-1-seed-1/eval.json", 1);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ended = end(child, SMALL);
    assert_eq!(ended.code, Some(143), "{ended:?}");
    let records = |place: &Place| -> Vec<(String, Vec<u8>)> {
        let names = place
            .names("out")
            .into_iter()
            .filter(|name| place.path(&format!("out/{name}/run.json")).is_file());
        names.map(|name| (name.clone(), place.bytes(&format!("out/{name}/run.json")))).collect()
    };
    let before = records(&stopped);
    let done: Vec<_> = before
        .into_iter()
        .filter(|(_, record)| String::from_utf8_lossy(record).contains("\"finished\""))
        .collect();
    assert!((3..20).contains(&done.len()), "{}", done.len());
    let again = stopped.run(&format!("{SMALL} --quiet"));
    assert_eq!((again.code, &again.stdout), (Some(0), &ran.stdout), "{again:?}");
    let after = records(&stopped);
    assert!(done.iter().all(|record| after.contains(record)), "a finished run was done again");
    for table in ["out/values.csv", "out/summary.csv", "out/answers.txt"] {
        assert_eq!(stopped.text(table), whole.text(table), "{table}");
    }
    // Once more there is nothing to do.
    let once_more = stopped.run(&format!("{SMALL} --quiet"));
    assert_eq!((once_more.code, once_more.stdout, records(&stopped)), (Some(0), ran.stdout, after));
    let other = stopped.refused("study rates --seeds 3 --steps 2048 --episodes 8 --out out");
    assert!(other.contains("holds the study rates with --seeds 2 --steps 2048 --episodes 8"), "{other}");
    check(&whole);
}

/// The values are those of the runs, and the means those of the values, to the six decimals of summary.csv.
fn check(place: &Place) {
    let (values, summary) = (place.csv("out/values.csv"), place.csv("out/summary.csv"));
    let found = |variant: usize, seed: usize, key: &str| {
        place.json(&format!("out/eval-{variant}-seed-{seed}/eval.json"))[key].as_f64().unwrap()
    };
    for (place, variant) in ["linear", "fixed", "kl"].into_iter().enumerate() {
        let own = values.only("variant", variant).only("measure", "return").numbers("value");
        let expected = [found(place, 1, "return_mean"), found(place, 2, "return_mean")];
        assert_eq!(own, expected, "{variant}");
        let row = summary.only("variant", variant).only("measure", "return");
        assert!((row.numbers("mean")[0] - f64::midpoint(expected[0], expected[1])).abs() < 1e-6);
        let first = [found(0, 1, "return_mean"), found(0, 2, "return_mean")];
        let difference = (expected[0] - first[0] + expected[1] - first[1]) / 2.0;
        if place > 0 {
            assert!((row.numbers("difference")[0] - difference).abs() < 1e-6);
        }
    }
}

/// A row of values.csv, in which names have commas.
#[derive(serde::Deserialize)]
struct Measured {
    group: String,
    variant: String,
    measure: String,
    value: f64,
}

fn values(place: &Place) -> Vec<Measured> {
    let rows = csv::Reader::from_path(place.path("out/values.csv")).unwrap().into_deserialize();
    rows.collect::<Result<_, _>>().unwrap()
}

/// The settings are the defaults but for the drift and the length of a life, and each training is a unit.
#[test]
fn lives_are_those_of_the_benchmarks() {
    let place = Place::new();
    place.ok("study lives --seeds 2 --steps 40000 --episodes 3 --out out --quiet");
    let values = values(&place);
    for (number, (group, set)) in
        [("reference, 500 steps", 500), ("0.02, 2000 steps", 2000)].iter().enumerate()
    {
        let cell = [0, 2][number];
        let played = place.csv(&format!("out/benchmark-{cell}/benchmark.csv"));
        let own = |agent: &str| -> Vec<f64> {
            let own = values.iter().filter(|row| row.group == *group && row.variant == agent);
            own.filter(|row| row.measure == "steps lived").map(|row| row.value).collect()
        };
        let agents: Vec<String> =
            (1..=2).map(|seed| format!("prophet:out/train-{cell}-seed-{seed}")).collect();
        let means = agents.iter().map(|agent| played.only("agent", agent).numbers("steps_mean")[0]);
        for (own, mean) in own("prophet").iter().zip(means) {
            assert!((own - mean).abs() < 1e-6, "{group}: {own}, not {mean}");
        }
        assert_eq!((own("prophet").len(), own("patrol").len(), own("heuristic").len()), (2, 3, 3));
        let config: toml::Table =
            toml::from_str(&place.text(&format!("out/train-{cell}-seed-1/config.toml"))).unwrap();
        assert_eq!(config["env"]["settings"]["max_steps"].as_integer(), Some(*set));
    }
}

/// The areas of the first garden are those of a report about its run alone.
#[test]
fn foresight_is_told_garden_by_garden() {
    let place = Place::new();
    place.ok("study foresight --seeds 2 --steps 500 --out out --quiet");
    let values = values(&place);
    place.ok("analyze out/gardens-saturation/run-0002/resonetics_data.csv --quiet --out alone");
    let alone = place.json("alone/analysis.json");
    let signals = &alone["parts"][0]["findings"]["gardens"][0]["signals"];
    for (place, signal) in ["risk", "flow", "verdict"].iter().enumerate() {
        let measure = format!("area under the ROC curve: {signal}");
        let own: Vec<f64> = values
            .iter()
            .filter(|row| row.variant == "a risk that sees saturation" && row.measure == measure)
            .map(|row| row.value)
            .collect();
        assert_eq!((own.len(), own[1]), (2, signals[place]["area"].as_f64().unwrap()), "{signal}");
    }
}

/// Return, drift limit and seconds are those of the runs.
#[test]
fn a_memory_is_compared_by_returns_and_limits() {
    let place = Place::new();
    place.ok("study memory --seeds 1 --steps 25600 --episodes 9 --out out --quiet");
    let values = values(&place);
    let limits = place.csv("out/limit-seed-1/limits.csv");
    for (number, variant) in ["no memory", "memory"].into_iter().enumerate() {
        let found = |measure: &str| -> Vec<f64> {
            let own = values.iter().filter(|row| row.variant == variant && row.measure == measure);
            own.map(|row| row.value).collect()
        };
        let evaluated = place.json(&format!("out/eval-{number}-seed-1/eval.json"));
        assert_eq!(found("return"), [evaluated["return_mean"].as_f64().unwrap()]);
        let agent = format!("prophet:out/train-fast-{number}-seed-1");
        let limit = limits.only("agent", &agent).only("method", "spearman-karber").numbers("limit");
        assert_eq!((found("drift limit"), limit.len()), (limit, 1), "{agent}");
        let seconds = |drift: &str| {
            place.json(&format!("out/train-{drift}-{number}-seed-1/run.json"))["wall_seconds"]
                .as_f64()
                .unwrap()
        };
        assert_eq!(found("training, seconds"), [seconds("reference"), seconds("fast")]);
        let config = place.text(&format!("out/train-fast-{number}-seed-1/config.toml"));
        let config: toml::Table = toml::from_str(&config).unwrap();
        let train = &config["train"];
        assert_eq!(train["network"]["memory"].as_integer(), Some(64 * number as i64));
        assert_eq!(train["doses"]["values"].as_array().unwrap(), &[0.018, 0.027].map(toml::Value::Float));
        assert_eq!(config["env"]["settings"]["max_steps"].as_integer(), Some(2000));
    }
}

const PEERS: &str = "study sb3 --seeds 4 --steps 1024 --episodes 2 --out out --quiet";

/// A program that runs no Python, but leaves what the scripts leave: as a return the number of options, and as the steps of
/// each point what was asked for.
const FAKE: &str = r#"#!/bin/sh
[ "$1" = -c ] && exit 0
[ -f "$1" ] || exit 3
count=$#
points=
while [ $# -gt 0 ]; do
    case $1 in
        --at | --steps) points="$points{\"at\": $2, \"processor_seconds\": 2.5, \"return_mean\": $count, \"steps_mean\": $2}," ;;
        --like) [ -f "$2" ] || exit 4 ;;
        --out) out=$2 ;;
    esac
    shift
done
mkdir "$out" && echo "{\"points\": [${points%,}]}" > "$out/peer.json"
"#;

/// Where Python lacks what is needed, ours are run and the rest is skipped in words; once a Python has it, the study goes on.
#[cfg(unix)]
#[test]
fn stable_baselines3_is_skipped_where_it_is_missing_and_made_up_for_later() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let said = place.refused(&format!("{PEERS} --python ./nothing"));
    assert!(said.contains("--python: `./nothing` cannot run Stable-Baselines3 ("), "{said}");
    assert!(!place.path("out").exists());
    let other = place.refused("study rates --python python3 --out out");
    assert!(other.contains("--python: no run of the study rates needs it"), "{other}");
    let without = place.command(PEERS).env("PATH", "").output().unwrap();
    let said = String::from_utf8_lossy(&without.stdout).into_owned();
    assert!(without.status.success(), "{without:?}");
    assert!(said.contains("Skipped: ") && said.contains("pip install stable-baselines3==2.9.2"), "{said}");
    assert!(!said.contains("SB3, its defaults"), "{said}");
    let ours = place.bytes("out/train-fast-seed-3/run.json");

    place.write("python", FAKE);
    fs::set_permissions(place.path("python"), fs::Permissions::from_mode(0o755)).unwrap();
    let with = place.ok(&format!("{PEERS} --python ./python"));
    assert!(!with.stdout.contains("Skipped"), "{with:?}");
    assert_eq!(place.bytes("out/train-fast-seed-3/run.json"), ours, "what was done is not done again");
    let values = values(&place);
    let found = |group: &str, variant: &str, measure: &str| -> Vec<f64> {
        let own = values.iter().filter(|row| row.group == group && row.variant == variant);
        own.filter(|row| row.measure == measure).map(|row| row.value).collect()
    };
    // The script, --seed, --steps, --at twice, --max-steps, --drift, --episodes and --out; and --like.
    assert_eq!(found("reference, all steps", "SB3, its defaults", "return"), [17.0; 4]);
    assert_eq!(found("fast, all steps", "SB3, Prophet's settings", "return"), [19.0; 3]);
    // Of 1,024 steps Prophet makes two rollouts of 512, of 2,560 two of 1,024: an update is more than a tenth.
    assert_eq!(found("reference, a tenth of the steps", "SB3, its defaults", "steps lived"), [512.0; 4]);
    assert_eq!(found("fast, a tenth of the steps", "SB3, its defaults", "steps lived"), [1024.0; 3]);
    assert_eq!(found("fast, all steps", "SB3, its defaults", "steps lived"), [2560.0; 3]);
    let all = place.json("out/eval-fast-seed-2-tenths-10/eval.json");
    assert_eq!(found("fast, all steps", "Prophet", "return")[1], all["return_mean"].as_f64().unwrap());
    assert_eq!(all["checkpoint"]["step"], 2048);
    // The seconds of each update: steps over steps a second.
    let timed: f64 = place
        .text("out/train-fast-seed-2/timing.jsonl")
        .lines()
        .map(|line| {
            1024.0
                / serde_json::from_str::<serde_json::Value>(line).unwrap()["steps_per_second"]
                    .as_f64()
                    .unwrap()
        })
        .sum();
    let seconds = found("fast, all steps", "Prophet", "training, seconds of a core")[1];
    assert!((seconds - timed).abs() < 1e-9, "{seconds} {timed}");
}

/// Two processes do not work on one study, and a run that fails is named with its log.
#[test]
fn a_study_is_one_processs_and_says_what_failed() {
    let place = Place::new();
    let child = place.under_way(&format!("{SMALL} --threads 1"), "out/train-0-seed-1/run.json", 1);
    let second = place.run(SMALL);
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(second.stderr.contains("another process works on the study in out"), "{second:?}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    end(child, SMALL);
    // A training whose settings were edited does not go on.
    let config = place.text("out/train-0-seed-1/config.toml");
    let run = place.text("out/train-0-seed-1/run.json");
    place.write("out/train-0-seed-1/config.toml", config.replace("gamma", "gama"));
    place.write(
        "out/train-0-seed-1/run.json",
        run.replace("finished", "killed").replace("interrupted", "killed"),
    );
    // On a busy machine it may have been finished and evaluated before it was stopped.
    let evaluated = place.path("out/eval-0-seed-1");
    if evaluated.exists() {
        fs::remove_dir_all(&evaluated).unwrap();
    }
    let failed = place.run(&format!("{SMALL} --quiet"));
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("train-0-seed-1 failed: out/train-0-seed-1.log"), "{failed:?}");
    assert!(place.text("out/train-0-seed-1.log").contains("gama"));
    assert!(place.path("out/eval-4-seed-2/eval.json").is_file(), "others go on");
    assert!(!evaluated.exists());
}
