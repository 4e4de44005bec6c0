//! Which checkpoint of a training acts, and whether its actions are drawn: `prophet:DIR@last`, `--sample`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::{Place, SMALL, STEPS};
use sha2::{Digest, Sha256};

/// A training in `out` that keeps its last three checkpoints, each three updates behind the one before.
fn trained() -> Place {
    let place = Place::new();
    place.ok(&format!("train --steps {} --seed 1 {SMALL} --out out", 18 * STEPS));
    place
}

fn sum(place: &Place, name: &str) -> String {
    let digest = Sha256::digest(place.bytes(&format!("out/checkpoints/{name}.safetensors")));
    digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn step_name(updates: u64) -> String {
    format!("step-{:012}", updates * STEPS)
}

/// The step and the SHA-256 are those of the file by that name; the same name acts in every command.
#[test]
fn each_checkpoint_can_act() {
    let place = trained();
    let middle = format!("@{}", 15 * STEPS);
    let last = format!("@{}", 18 * STEPS);
    for (typed, file) in [
        ("", "best".to_owned()),
        ("@best", "best".to_owned()),
        ("@last", step_name(18)),
        (&last, step_name(18)),
        (&middle, step_name(15)),
    ] {
        let out = format!("eval{typed}");
        let found = place.ok(&format!("eval --run out{typed} --episodes 3 --seed 1 -q --out {out}")).json();
        assert_eq!(found["run"], format!("out{typed}"));
        assert_eq!(found["checkpoint"]["sha256"], sum(&place, &file), "{typed}");
        let config: toml::Table = place.text(&format!("{out}/config.toml")).parse().unwrap();
        assert_eq!(config["checkpoints"][0]["sha256"].as_str().unwrap(), sum(&place, &file), "{typed}");
        // The same policy, whichever command it acts in.
        let bench = format!("bench{typed}");
        place.ok(&format!("benchmark --agents prophet:out{typed} --episodes 3 --seed 1 --out {bench}"));
        let rows = |run: &str| place.csv(&format!("{run}/episodes.csv")).column("return").join(" ");
        assert_eq!(rows(&out), rows(&bench), "{typed}");
        for (command, out) in [
            (format!("controls --env k8s --agent prophet:out{typed} --episodes 3 --seed 1"), "controls"),
            (format!("record k8s --agent prophet:out{typed} --steps 5 --seed 1"), "record"),
        ] {
            let out = format!("{out}{typed}");
            place.ok(&format!("{command} --out {out}"));
            let config: toml::Table = place.text(&format!("{out}/config.toml")).parse().unwrap();
            assert_eq!(config["checkpoints"][0]["sha256"].as_str().unwrap(), sum(&place, &file), "{command}");
        }
        place
            .ok(&format!("watch k8s --agent prophet:out{typed} --seed 1 --steps 3 --png picture{typed}.png"));
        let ran = place.ok(&format!("rerun {out} --out again{typed}"));
        assert!(!ran.stdout.contains("DIFFERENT"), "{ran:?}");
    }
    // Two of one training may meet, and the same one twice may not.
    let ran = place.ok("benchmark --agents prophet:out@best,prophet:out@last --episodes 9 --seed 1 -q");
    assert!(!ran.stdout.contains("seeds)"), "no seeds of one training: {ran:?}");
    let said = place.refused("benchmark --agents prophet:out,prophet:out@best --episodes 3 --seed 1");
    assert!(said.contains("`prophet:out@best` is named twice, as `prophet:out` before"), "{said}");
}

#[test]
fn a_folder_with_an_at_sign_is_a_folder() {
    let place = trained();
    place.copy("out", "out@last");
    std::fs::remove_file(place.path(&format!("out@last/checkpoints/{}.json", step_name(18)))).unwrap();
    let step = |run: &str| {
        place.ok(&format!("eval --run {run} --episodes 2 --seed 1 -q")).json()["checkpoint"]["step"].as_u64()
    };
    assert_eq!(step("out@last@last"), Some(15 * STEPS), "the last one of the folder out@last");
    assert_eq!(step("out@last"), step("out"), "its best one");
    let ran = place.ok("benchmark --agents random,prophet:out@last@last --episodes 3 --seed 1");
    assert!(ran.stdout.contains(&format!("{} training steps", 15 * STEPS)), "{ran:?}");
}

#[test]
fn what_is_not_kept_is_refused() {
    let place = trained();
    let kept = format!("kept are {}, {}, {}, and the best one", 12 * STEPS, 15 * STEPS, 18 * STEPS);
    let gone = format!("out keeps no checkpoint of step {}: {kept}", STEPS + 1);
    let agent = format!("prophet:out@{}", STEPS + 1);
    for command in [
        format!("eval --run out@{} --seed 1", STEPS + 1),
        format!("benchmark --agents random,{agent} --seed 1"),
        format!("controls --env k8s --agent {agent} --seed 1"),
        format!("record k8s --agent {agent} --seed 1"),
        format!("watch k8s --agent {agent} --seed 1 --steps 3 --png picture.png"),
    ] {
        let said = place.refused_in("out", &command);
        assert!(said.contains(&gone), "{command}: {said}");
    }
    let said = place.refused("eval --run out@first --seed 1");
    assert!(said.contains("out@first: `@first`: allowed are @best, @last and @STEP"), "{said}");
    let said = place.refused("eval --run missing@last --seed 1");
    assert!(said.contains("missing/config.toml"), "{said}");
    // Recorded, and gone since.
    place.ok("eval --run out@last --episodes 3 --seed 1 --out eval");
    for name in [step_name(18), "best".to_owned()] {
        for extension in ["json", "safetensors"] {
            std::fs::remove_file(place.path(&format!("out/checkpoints/{name}.{extension}"))).unwrap();
        }
    }
    let said = place.refused("rerun eval --out late");
    assert!(said.contains("out has another last checkpoint now: step 1920"), "{said}");
}

#[test]
fn drawn_actions_are_another_policy_and_the_same_in_any_batch() {
    let place = trained();
    let returns = |options: &str, out: &str| {
        place.ok(&format!("eval --run out --episodes 70 --seed 1 -q {options} --out {out}"));
        place.csv(&format!("{out}/episodes.csv")).column("return").join(" ")
    };
    let greedy = returns("", "greedy");
    let drawn = returns("--sample", "drawn");
    assert_ne!(greedy, drawn);
    assert_eq!(returns("--sample --threads 1", "one"), drawn);
    assert_eq!(returns("--sample --threads 3", "three"), drawn);
    // 70 episodes are two batches of the vector; the first ten are the same alone.
    place.ok("benchmark --agents prophet:out --episodes 10 --seed 1 --sample --out bench");
    let ten = place.csv("bench/episodes.csv").column("return").join(" ");
    assert!(drawn.starts_with(&format!("{ten} ")), "{ten}\n{drawn}");
    assert_eq!(place.json("drawn/eval.json")["sample"], true);
    assert_eq!(place.csv("bench/benchmark.csv").column("actions"), ["sampled"]);
    for run in ["drawn", "bench"] {
        let ran = place.ok(&format!("rerun {run} --out {run}-again"));
        assert!(ran.stdout.contains("episodes.csv: identical"), "{ran:?}");
    }
    for command in [
        "benchmark --agents random,heuristic --seed 1 --sample",
        "watch k8s --agent heuristic --seed 1 --steps 3 --png picture.png --sample",
    ] {
        let said = place.refused(command);
        assert!(
            said.contains("--sample draws the actions of") && said.contains(" trained: name one"),
            "{said}"
        );
    }
    let pictures = ["", "--sample"].map(|options| {
        let name = format!("p{}.png", options.len());
        place.ok(&format!("watch k8s --agent prophet:out --seed 1 --steps 60 --png {name} {options}"));
        place.bytes(&name)
    });
    assert!(pictures[0] != pictures[1]);
    // Greedy and drawn on the same seeds are two agents of a report.
    place.ok("analyze bench greedy/episodes.csv --out report");
    let told = place.text("report/analysis.json");
    assert!(told.contains("\"prophet:out, sampled\""), "{told}");
}

/// In a garden, and where its limit is looked for, as in a benchmark.
#[test]
fn gardens_and_limits_take_drawn_actions() {
    let place = trained();
    let world = "--set grid_size=10 --set max_population=8 --set init_agents=4 --set min_population=4";
    place.ok(&format!("train --env gardener --steps {} --seed 1 {SMALL} {world} --out garden", 6 * STEPS));
    for (options, actions, name) in [("", "greedy", "likeliest"), ("--sample", "sampled", "drawn")] {
        let garden =
            format!("gardener --agent prophet:garden --generations 40 --runs 2 --seed 1 {world} {options}");
        place.ok(&format!("{garden} --out {name}-garden"));
        assert_eq!(place.csv(&format!("{name}-garden/summary.csv")).column("actions"), [actions; 2]);
        let limit = "limit --agents prophet:out --life 20 --episodes 10 --seed 1";
        place.ok(&format!("{limit} {options} --out {name}-limit"));
        let limits = place.csv(&format!("{name}-limit/limits.csv"));
        assert!(limits.column("actions").iter().all(|shown| *shown == actions));
        let ran = place.ok(&format!("rerun {name}-limit --out {name}-again"));
        assert!(ran.stdout.contains("lives.csv: identical"), "{ran:?}");
    }
    let log = |name: &str| place.bytes(&format!("{name}/run-0001/resonetics_data.csv"));
    assert!(log("likeliest-garden") != log("drawn-garden"));
    assert!(place.bytes("likeliest-limit/lives.csv") != place.bytes("drawn-limit/lives.csv"));
    assert!(place.refused("limit --agents patrol --sample").contains("was trained: name one"));
    // Drawn and likeliest actions are two policies of one training, and so are two checkpoints of it.
    place.ok("report likeliest-limit drawn-limit --out limits");
    let told = place.text("limits/analysis.json");
    assert!(told.contains("prophet:out, sampled") && !told.contains("other seed"), "{told}");
    assert!(place.text("limits/report.html").contains(">training steps</button>"), "a column of its own");
    for updates in [3, 6] {
        let agent = format!("prophet:garden@{}", updates * STEPS);
        place.ok(&format!(
            "gardener --agent {agent} --generations 40 --runs 2 --seed 1 {world} --out g{updates}"
        ));
    }
    place.ok("analyze likeliest-garden drawn-garden --out ways");
    place.ok("analyze g3 g6 --out checkpoints");
    for report in ["ways", "checkpoints"] {
        let told = place.text(&format!("{report}/analysis.json"));
        assert!(!told.contains("only that one is counted"), "{report}: {told}");
        assert!(
            told.contains("\"recipe\": {\n") && told.contains("\"name\": \"ppo 2x64"),
            "{report}: {told}"
        );
        assert!(
            place.text(&format!("{report}/report.html")).contains(">training steps</button>"),
            "{report}"
        );
    }
}

/// What `limit` says at its end is what a report says: trainings that differ in the seed alone are one agent.
#[test]
fn trainings_of_several_seeds_are_one_agent_of_a_limit() {
    let place = trained();
    place.ok(&format!("train --steps {} --seed 2 {SMALL} --out other", 18 * STEPS));
    let ran = place.ok(
        "limit --agents random,prophet:out@last,prophet:other@last --life 60 --episodes 20 --seed 1 --out l",
    );
    let told =
        ran.stdout.lines().find(|line| line.starts_with("Which agent carries the most drift?")).unwrap();
    assert!(told.to_lowercase().contains("prophet:out@last, prophet:other@last (2 seeds)"), "{told}");
    place.ok("report l --out told");
    let answer = told.strip_prefix("Which agent carries the most drift? ").unwrap();
    let report: serde_json::Value = place.json("told/analysis.json");
    assert!(report.to_string().contains(&serde_json::to_string(answer).unwrap()), "{answer}");
    let html = place.text("told/report.html");
    let row = html.split("mean of prophet:out@last, prophet:other@last").nth(1).unwrap();
    assert!(row.split("</tr>").next().unwrap().contains("ppo 2x64"), "{row}");
}

/// Beside a trained agent stands how it came about; where there is none, no column says so.
#[test]
fn tables_say_how_a_trained_agent_came_about() {
    const RECIPE: &str = "ppo 2x64 gamma 0.92 lambda 0.8 envs 4x32 minibatch 64";
    let place = trained();
    let ran = place.ok("benchmark --agents random,prophet:out@last --episodes 20 --seed 1 --out bench");
    let line = ran.stdout.lines().find(|line| line.starts_with("prophet:out@last | ")).unwrap();
    assert!(line.ends_with(&format!(" | {RECIPE} | {} training steps", 18 * STEPS)), "{line}");
    let csv = place.csv("bench/benchmark.csv");
    assert_eq!(csv.column("recipe"), ["", RECIPE]);
    assert_eq!(csv.column("training_steps"), ["", &(18 * STEPS).to_string()]);
    assert_eq!(csv.column("checkpoint_sha256"), ["", &sum(&place, &step_name(18))]);
    assert_eq!(csv.column("actions"), ["", "greedy"]);
    // Columns of a newer version are no difference, and another number is.
    let cut: String = place
        .text("bench/benchmark.csv")
        .lines()
        .map(|line| line.rsplitn(5, ',').last().unwrap().to_owned() + "\n")
        .collect();
    place.write("bench/benchmark.csv", &cut);
    assert!(place.ok("rerun bench --out again").stdout.contains("benchmark.csv: identical"));
    place.write("bench/benchmark.csv", cut.replace("random,20,", "random,21,"));
    assert!(place.run("rerun bench --out other").stdout.contains("benchmark.csv: DIFFERENT"));

    place.ok("eval --run out --episodes 20 --seed 1 --out eval");
    assert_eq!(place.json("eval/eval.json")["recipe"], RECIPE);
    place.ok("analyze bench/episodes.csv eval --out report");
    assert!(place.text("report/analysis.json").contains(&format!("\"recipe\": \"{RECIPE}\"")));
    place.ok("controls --env k8s --agent prophet:out --episodes 8 --seed 1 --out controls");
    assert_eq!(place.csv("controls/summary.csv").column("recipe"), [RECIPE]);
    assert!(place.ok("rerun controls --out controls-again").stdout.contains("summary.csv: identical"));
    assert!(place.ok("analyze controls --out controls-report").stdout.contains(RECIPE));
    place.ok("benchmark --agents random,heuristic --episodes 9 --seed 1 --out plain");
    assert!(!place.text("plain/benchmark.csv").contains("recipe"));
    place.ok("analyze plain --out plain-report");
    assert!(!place.text("plain-report/analysis.json").contains("\"recipe\": \""));
}
