//! What a report answers is true of its files: of seeds that stay together, of trainings that learn nothing, of
//! losses and warnings, of runs that were killed.

use serde_json::Value;

use super::common::{Place, SMALL, TINY};
use super::{EPISODES, garden, part};

/// A log with a dirt of 64 cells and a risk for each generation from 1 on.
fn log(generations: u32, dirt: impl Fn(u32) -> f64, risk: impl Fn(u32) -> f64) -> String {
    let row =
        |n: u32| format!("{n},2,9.00,{:.2},0,0,0.000,0,0.0000,{:.4},0.0100,creative\n", dirt(n), risk(n));
    garden::COLUMNS.join(",") + "\n" + &(1..=generations).map(row).collect::<String>()
}

/// Two settings with two gardens each, of which one is lost; by hand, of each setting: the 50 generations
/// before the loss have a risk of 0.8, the 199 others of that garden 0.1; of the garden that holds 100 count, 50
/// of them with 0.8. So (249 + 50 / 2) / 299, whether the settings differ in three values or in four. (Alone,
/// the two that were lost would have an area of 1.)
#[test]
fn seeds_stay_together_however_many_settings_differ() {
    let place = Place::new();
    let lost =
        log(250, |n| if n > 200 { 57.6 } else { 12.8 }, |n| if (200..250).contains(&n) { 0.8 } else { 0.1 });
    let holds = log(150, |_| 12.8, |n| if n <= 50 { 0.8 } else { 0.1 });
    let differ = ["living_cost=0.2", "birth_energy=60", "clean_reward=2", "mutation_rate=0.03"];
    for count in [3, 4] {
        let other: String = differ[..count].iter().flat_map(|set| [" --set ", set]).collect();
        for (name, seed, more, log) in [
            ("a1", 1, "", &lost),
            ("a2", 2, "", &holds),
            ("b1", 1, &*other, &lost),
            ("b2", 2, &*other, &holds),
        ] {
            let out = format!("w{count}/{name}");
            place.ok(&format!("gardener --generations 1 --seed {seed} {TINY} {more} --out {out} -q"));
            // What the garden of one generation told of itself is not of this log.
            std::fs::remove_file(place.path(&format!("{out}/summary.csv"))).unwrap();
            place.write(&format!("{out}/resonetics_data.csv"), log);
        }
        let said = place.ok(&format!("analyze w{count} --out out{count}")).stdout;
        assert_eq!(said.matches("1 of 2 was lost, at generation 250").count(), 2, "{said}");
        let area =
            part(&place.json(&format!("out{count}/analysis.json")), "garden")["areas_of_all"][0].clone();
        assert!((area["area"].as_f64().unwrap() - 274.0 / 299.0).abs() < 1e-12, "{area}");
    }
}

/// Trainings whose learning rate is 0, of three seeds each.
const LEARNED_NOTHING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/analyze/learned_nothing");

/// Version 0.1.0 at commit 826823b wrote means of the episodes that had ended. Those that are lost end first: such
/// a mean is of them alone at first, and rises while nothing is learned.
#[test]
fn logs_of_the_episodes_that_ended_first_tell_no_gain() {
    let place = Place::new();
    for (steps, says) in [
        (
            "19456",
            "  That cannot be said of the mean return of the last 32 to 35 episodes in 19,456 steps: too few",
        ),
        ("32768", "  Not shown: over 3 seeds the mean return of the last "),
    ] {
        let said = place.run_of(&["analyze", &format!("{LEARNED_NOTHING}/{steps}")]).stdout;
        assert!(said.lines().nth(1).unwrap().starts_with(says), "{said}");
        assert!(said.contains("With a learning rate of 0 nothing is learned"), "{said}");
    }
}

/// Now the untrained policy is measured itself.
#[test]
fn a_training_that_learns_nothing_is_told_no_gain() {
    let place = Place::new();
    for seed in 1..=3 {
        place.ok(&format!(
            "train --steps 19456 --seed {seed} --set train.learning_rate=0 --set train.schedule=fixed \
             --set train.epochs=1 --no-monitor --out all/n-{seed} -q"
        ));
    }
    let said = place.ok("analyze all").stdout;
    let answer = said.lines().nth(1).unwrap();
    assert!(answer.starts_with("  Not shown: over 3 seeds the mean return with sampled actions "), "{said}");
    assert!(said.contains("With a learning rate of 0 nothing is learned"), "{said}");
}

/// The garden's own number, where there is one: the log of this garden says 358 or 359.
#[test]
fn a_loss_has_one_number() {
    let place = Place::new();
    let world = "--set grid_size=8 --set init_agents=2 --set min_population=1 --set max_population=4";
    place.ok(&format!(
        "gardener --generations 400 --agent idle --seed 7351845787765478 {world} --out one/run-0001 -q"
    ));
    let told = |file: &str| place.csv(file).column("lost_at")[0].to_owned();
    assert_eq!(told("one/run-0001/summary.csv"), "359");
    let said = place.ok("analyze one").stdout;
    assert!(said.contains("The garden was lost at generation 359."), "{said}");
    // Nothing beside the log: its rounding is said.
    std::fs::remove_file(place.path("one/run-0001/summary.csv")).unwrap();
    let said = place.ok("analyze one").stdout;
    assert!(said.contains("may have been lost at any generation from 358 to 359"), "{said}");
    // Several gardens have one summary.
    place.ok(&format!(
        "gardener --generations 300 --runs 3 --seed 5 {TINY} --set dirt_growth=0.08 --out three -q"
    ));
    let summary = place.text("three/summary.csv").replace("\n2,", "\n9,").replace("\n3,", "\n2,");
    place.write("three/summary.csv", &summary);
    place.ok("analyze three --out out");
    let gardens = part(&place.json("out/analysis.json"), "garden")["gardens"].clone();
    let second = place.csv("three/summary.csv").column("lost_at")[2].to_owned();
    assert_eq!(gardens[1]["lost_at"].to_string(), second, "the row of the second is the last here");
}

/// A warning counts in the 50 generations before the loss.
#[test]
fn a_warning_that_comes_with_the_loss_is_none() {
    let place = Place::new();
    place.write(
        "late.csv",
        log(300, |n| if n > 150 { 57.6 } else { 12.8 }, |n| if n >= 200 { 0.9 } else { 0.1 }),
    );
    place.write(
        "early.csv",
        log(300, |n| if n > 150 { 57.6 } else { 12.8 }, |n| if n == 10 { 0.9 } else { 0.1 }),
    );
    for name in ["late", "early"] {
        let said = place.ok(&format!("analyze {name}.csv --cells 64")).stdout;
        assert!(
            said.contains("The garden was lost at generation 200. The risk did not reach the verdict collapse in the 50 generations before that;"),
            "{said}"
        );
        assert!(said.contains("0 of 1"), "{said}");
    }
}

/// A run that was killed holds no lock, and its record says `running`; what is there of it is told, in the
/// answer, among the notes and beside its settings.
#[test]
fn what_was_killed_is_told_with_what_there_is_of_it() {
    let place = Place::new();
    place.ok("benchmark --agents planner,heuristic,random --episodes 30 --seed 1 --out b -q");
    let row = |agent: &str, n: u32| format!("{agent},{n},{n},1.5,500,false,true,0,0,0.2,8\n");
    let rows = |agent: &str, count: u32| (1..=count).map(|n| row(agent, n)).collect::<String>();
    place.ok(&format!("train --steps 4096 --seed 1 --out t {SMALL} -q"));
    let first = |name: &str, count: usize| {
        place.text(name).lines().take(count).flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let training = first("t/training.csv", 3);
    place.ok(&format!("gardener --generations 30 --runs 2 --seed 5 --out g {TINY} -q"));
    place.ok("controls --env k8s --episodes 4 --seed 1 --out c -q");
    place.ok("drift --steps 40 --seed 1 --no-monitor --out d -q");
    let steps = place.csv("t/training.csv").column("steps")[1].to_owned();
    let summaries = ["g/summary.csv", "c/summary.csv"];
    for (run, file, text, said) in [
        (
            "b",
            "episodes.csv",
            EPISODES.to_owned() + &rows("planner", 7),
            "1 of 3 agents, 7 of 30 episodes".to_owned(),
        ),
        (
            "b",
            "episodes.csv",
            EPISODES.to_owned() + &rows("planner", 30) + &rows("heuristic", 7),
            "2 of 3 agents, heuristic with 7 of 30 episodes".to_owned(),
        ),
        (
            "b",
            "episodes.csv",
            EPISODES.to_owned() + &rows("planner", 30) + &rows("heuristic", 30),
            "2 of 3 agents, with all 30 episodes".to_owned(),
        ),
        ("t", "training.csv", training, format!("{steps} of 4,096 steps")),
        (
            "g",
            "run-0002/resonetics_data.csv",
            first("g/run-0002/resonetics_data.csv", 11),
            "1 of 2 gardens, 40 of 60 generations".to_owned(),
        ),
        ("c", "lifetimes.csv", first("c/lifetimes.csv", 6), "1 of 1 worlds, 5 of 8 lives".to_owned()),
        ("d", "drift.csv", first("d/drift.csv", 11), "10 of 40 steps".to_owned()),
    ] {
        for name in summaries.into_iter().filter(|name| place.path(name).is_file()) {
            std::fs::remove_file(place.path(name)).unwrap();
        }
        place.write(&format!("{run}/{file}"), text);
        for (status, how) in [
            ("running", "was killed: "),
            ("interrupted", "was interrupted: "),
            ("failed", "failed: "),
            ("finished", "was finished, but not all of its rows are there: "),
        ] {
            let record = place.text(&format!("{run}/run.json"));
            let now = place.json(&format!("{run}/run.json"))["status"].as_str().unwrap().to_owned();
            let record =
                record.replace(&format!("\"status\": \"{now}\""), &format!("\"status\": \"{status}\""));
            place.write(&format!("{run}/run.json"), record);
            let _ = std::fs::remove_dir_all(place.path("out"));
            place.ok(&format!("report {run} --out out"));
            let analysis: Value = place.json("out/analysis.json");
            let sentence = format!("{run} {how}{said}.");
            // A file that was asked for is all there is of a run that did finish.
            if (run, status) == ("g", "finished") {
                continue;
            }
            let answer = analysis["parts"][0]["answer"].as_str().unwrap();
            assert!(answer.ends_with(&sentence), "{answer}, expected {sentence}");
            assert!(analysis["notes"].as_array().unwrap().contains(&sentence.clone().into()), "{analysis}");
            if status == "running" {
                assert!(place.text("out/report.html").contains(&format!("{run} · killed")));
            }
        }
    }
    std::fs::remove_file(place.path("d/drift.csv")).unwrap();
    place.write("d/run.json", place.text("d/run.json").replace("\"finished\"", "\"running\""));
    assert!(place.refused("report d").contains("d was killed and holds nothing to analyze"));
}

/// Makes the record of the run `name` say that it is at work, which is what a kill leaves.
fn kill(place: &Place, name: &str) {
    let record = format!("{name}/run.json");
    place.write(&record, place.text(&record).replace("\"finished\"", "\"running\""));
}

fn report(place: &Place, typed: &str) -> Value {
    let _ = std::fs::remove_dir_all(place.path("out"));
    place.ok(&format!("report {typed} --out out"));
    place.json("out/analysis.json")
}

/// A run that was killed before its first row is told beside the answer about the others, and names no group; where
/// there are no others, the error says it.
#[test]
fn what_was_killed_before_its_first_row_is_told() {
    let place = Place::new();
    for name in ["b", "b0"] {
        place.ok(&format!("benchmark --agents planner,random --episodes 6 --seed 1 --out {name} -q"));
    }
    place.write("b0/episodes.csv", EPISODES);
    for name in ["d", "d0"] {
        place.ok(&format!("drift --steps 40 --seed 1 --no-monitor --out {name} -q"));
    }
    for name in ["c", "c0"] {
        place.ok(&format!("controls --env k8s --episodes 2 --seed 1 --out {name} -q"));
        std::fs::remove_file(place.path(&format!("{name}/summary.csv"))).unwrap();
    }
    let header = |file: &str| place.text(file).lines().take(1).collect::<String>() + "\n";
    place.write("d0/drift.csv", header("d0/drift.csv"));
    place.write("c0/lifetimes.csv", header("c0/lifetimes.csv"));
    for name in ["b0", "c0", "d0"] {
        kill(&place, name);
    }
    let answer = |analysis: &Value| analysis["parts"][0]["answer"].as_str().unwrap().to_owned();
    let benchmarks = answer(&report(&place, "b b0"));
    assert!(benchmarks.ends_with("b0 was killed: 0 of 2 agents."), "{benchmarks}");
    let drifts = report(&place, "d d0");
    assert!(answer(&drifts).ends_with("d0 was killed: 0 of 40 steps."), "{drifts}");
    assert!(!drifts.to_string().contains("2 runs"), "{drifts}");
    let lives = answer(&report(&place, "c c0"));
    assert_eq!(lives.matches("c0 was killed: 0 of 1 worlds, 0 of 4 lives.").count(), 1, "{lives}");
    for name in ["b0", "c0", "d0"] {
        let refused = place.refused(&format!("report {name}"));
        assert!(refused.contains(&format!("; {name} was killed before its first row")), "{refused}");
    }
}

/// A key that was lost from a config.toml takes nothing else with it: how the run ended, how far it was to go, its
/// world, and the runs that it stands beside.
#[test]
fn a_config_that_lacks_a_key_hides_nothing() {
    let place = Place::new();
    place.ok("drift --steps 40 --seed 1 --no-monitor --out d -q");
    let rows: String = place.text("d/drift.csv").lines().take(22).flat_map(|line| [line, "\n"]).collect();
    place.write("d/drift.csv", rows);
    kill(&place, "d");
    let whole = place.text("d/config.toml");
    let without = |text: &str, key: &str| {
        let kept = text.lines().filter(|line| !line.starts_with(key));
        kept.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    place.ok("benchmark --agents planner,random --episodes 6 --seed 1 --out b -q");
    place.write("b/config.toml", without(&place.text("b/config.toml"), "seed"));
    assert!(report(&place, "b")["notes"].to_string().contains("b: its config.toml lacks seed, for which"));
    for (key, said) in
        [("batch_size", "d was killed: 21 of 40 steps."), ("steps", "d was killed: 21 steps are there.")]
    {
        place.write("d/config.toml", without(&whole, key));
        let analysis = report(&place, "d");
        let answer = analysis["parts"][0]["answer"].as_str().unwrap();
        assert!(answer.ends_with(said), "{answer}");
        assert_eq!(analysis["notes"].to_string().contains("lacks batch_size"), key == "batch_size");
    }
    for seed in 1..=2 {
        place.ok(&format!("train --steps 2048 --seed {seed} --out t{seed} {SMALL} -q"));
    }
    place.write("t2/config.toml", without(&place.text("t2/config.toml"), "value_weight"));
    let analysis = report(&place, "t1 t2");
    assert_eq!(analysis["parts"].as_array().unwrap().len(), 1, "{analysis}");
    assert!(analysis["notes"].to_string().contains("lacks train.value_weight"), "{analysis}");
}
