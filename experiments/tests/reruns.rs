//! `rerun`: a run is repeated from its config.toml, and every difference is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;
use std::path::Path;

use common::{Place, Ran, TINY};

fn garden() -> String {
    format!("gardener --generations 40 --seed 3 --runs 2 --out out {TINY}")
}

const CLUSTER: &str = "benchmark --episodes 3 --seed 3 --set max_steps=50 --out out";
const LIMIT: &str = "limit --agents heuristic,patrol --life 50 --episodes 5 --seed 3 --out out";
const LIVES: &str = "controls --env k8s --episodes 3 --seed 3 --out out";

fn started(arguments: &str) -> Place {
    let place = Place::new();
    place.ok(arguments);
    place
}

/// What a rerun says of each file.
fn told(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().filter(|line| line.ends_with(": identical") || line.contains(": DIFFERENT")).collect()
}

#[test]
fn every_kind_of_run_repeats() {
    let garden = garden();
    let cases: [(&str, &[&str]); 8] = [
        (&garden, &["run-0001/resonetics_data.csv", "run-0002/resonetics_data.csv", "summary.csv"]),
        (CLUSTER, &["benchmark.csv", "episodes.csv"]),
        (LIMIT, &["doses.csv", "limits.csv", "lives.csv"]),
        (LIVES, &["lifetimes.csv", "summary.csv", "survival.csv"]),
        ("drift --steps 200 --seed 3 --out out --no-monitor", &["drift.csv"]),
        (
            "drift --steps 90 --seed 3 --out out --batch-size 5 --no-kernel --centred-risk --no-monitor",
            &["drift.csv"],
        ),
        ("record k8s --steps 30 --seed 3 --out out --agent random", &["trace.json"]),
        (
            "benchmark --env k8s-v4.6 --preset storm --episodes 2 --seed 3 --out out --set agent.clean_memory=0.4 \
             --set control.suppress=[\"up\"] --set drift.schedule=ramp --set control.enabled=true",
            &["benchmark.csv", "episodes.csv"],
        ),
    ];
    for (arguments, files) in cases {
        let place = started(arguments);
        let ran = place.ok("rerun out --out again");
        let expected: Vec<String> = files.iter().map(|file| format!("{file}: identical")).collect();
        assert_eq!(told(&ran), expected, "{arguments}");
        assert_eq!(place.bytes("again/config.toml"), place.bytes("out/config.toml"));
        for file in files {
            assert!(place.bytes(&format!("again/{file}")) == place.bytes(&format!("out/{file}")), "{file}");
        }
    }
}

#[test]
fn a_rerun_gets_a_number_of_its_own_and_changes_nothing() {
    let place = Place::new();
    place.ok(&CLUSTER.replace(" --out out", ""));
    let before = place.csv_files("runs/benchmark-0001");
    let ran = place.ok("rerun runs/benchmark-0001");
    assert!(ran.stdout.contains("wrote runs/benchmark-0002\n"), "{ran:?}");
    assert_eq!(place.names("runs"), ["benchmark-0001", "benchmark-0002"]);
    assert!(place.csv_files("runs/benchmark-0001") == before);
    assert!(place.csv_files("runs/benchmark-0002") == before);
    let said = place.refused("rerun runs/benchmark-0001 --out runs/benchmark-0002");
    assert!(said.contains("already holds"), "{said}");
}

#[test]
fn a_file_missing_cut_or_edited_is_different() {
    type Edit = fn(&Place);
    let edits: [(&str, Edit, &[&str]); 5] = [
        ("missing", |place| fs::remove_file(place.path("out/episodes.csv")).unwrap(), &["episodes.csv"]),
        (
            "cut",
            |place| place.write("out/episodes.csv", &place.bytes("out/episodes.csv")[..99]),
            &["episodes.csv"],
        ),
        (
            "edited",
            |place| place.write("out/benchmark.csv", place.text("out/benchmark.csv").replacen('5', "6", 1)),
            &["benchmark.csv"],
        ),
        ("added", |place| place.write("out/mine.csv", "a\n"), &["mine.csv"]),
        (
            "both empty",
            |place| {
                place.write("out/benchmark.csv", "");
                place.write("out/episodes.csv", "");
            },
            &["benchmark.csv", "episodes.csv"],
        ),
    ];
    for (what, edit, differing) in edits {
        let place = started(CLUSTER);
        edit(&place);
        let ran = place.run("rerun out --out again");
        assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
        let told = told(&ran);
        for file in ["benchmark.csv", "episodes.csv", "mine.csv"] {
            let different = told.iter().any(|line| line.starts_with(&format!("{file}: DIFFERENT")));
            assert_eq!(different, differing.contains(&file), "{what}: {ran:?}");
        }
        assert!(ran.stderr.starts_with("error: the runs differ in "), "{what}: {ran:?}");
        assert!(ran.stderr.contains(&differing.join(", ")), "{what}: {ran:?}");
    }
}

#[test]
fn a_changed_seed_or_setting_is_different() {
    for (old, new) in [("seed = 3", "seed = 4"), ("max_steps = 50", "max_steps = 40")] {
        let place = started(CLUSTER);
        let config = place.text("out/config.toml");
        assert!(config.contains(old));
        place.write("out/config.toml", config.replacen(old, new, 1));
        let ran = place.run("rerun out --out again");
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let told = told(&ran);
        assert!(told[0].starts_with("benchmark.csv: DIFFERENT (from line 2 on)"), "{ran:?}");
        assert!(told[1].starts_with("episodes.csv: DIFFERENT (from line 2 on)"), "{ran:?}");
        assert!(ran.stderr.contains("config.toml has been edited since it was written"), "{ran:?}");
        assert!(!ran.stderr.contains("a file was edited"), "{ran:?}");
    }
}

/// Every reason that is known is told, and threads are none.
#[test]
fn the_reason_of_a_difference_is_told() {
    let cases: [(&str, &str, &str); 4] = [
        ("\"version\": \"", "\"version\": \"9.", "it was made by version 9."),
        ("\"commit\": \"", "\"commit\": \"x", ", commit x"),
        ("\"status\": \"finished\"", "\"status\": \"interrupted\"", "did not finish: it is `interrupted`"),
        ("\"status\": \"finished\"", "\"status\": \"running\"", "the recorded run was killed before its end"),
    ];
    for (from, to, reason) in cases {
        let place = started(&format!("{CLUSTER} --threads 1"));
        let record = place.text("out/run.json");
        assert!(record.contains(from), "no {from} in {record}");
        place.write("out/run.json", record.replacen(from, to, 1));
        place.ok("rerun out --out same --threads 2");
        place.write("out/episodes.csv", place.text("out/episodes.csv").replacen("true", "false", 1));
        let ran = place.run("rerun out --out again --threads 2");
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(reason) && !ran.stderr.contains("thread"), "{reason}: {ran:?}");
        assert!(!ran.stderr.contains("config.toml has been edited"), "{reason}: {ran:?}");
    }
    let place = started(CLUSTER);
    place.write("out/episodes.csv", &place.bytes("out/episodes.csv")[..120]);
    let ran = place.run("rerun out --out again");
    assert!(ran.stdout.contains("episodes.csv: DIFFERENT (the recorded file ends at 120 of "), "{ran:?}");
    let known = !ran.stderr.contains("-dirty") && !ran.stderr.contains("commit unknown");
    let plain = ran.stderr.ends_with(
        "episodes.csv: version, commit and settings are those that were recorded: a file was edited or cut\n",
    );
    assert!(plain || !known, "{ran:?}");
}

#[test]
fn without_csv_files_there_is_nothing_to_compare() {
    let place = started(CLUSTER);
    fs::remove_file(place.path("out/episodes.csv")).unwrap();
    fs::remove_file(place.path("out/benchmark.csv")).unwrap();
    let ran = place.run("rerun out --out again");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), "error: out holds no CSV file to compare\n"));
}

/// What is replaced in config.toml by what, and what the refusal must contain.
const EDITS: &[(&str, &str, &str, &[&str])] = &[
    (CLUSTER, "episodes = 3", "episodes = 0", &["`episodes = 0`", "from 1 to 10000000"]),
    (CLUSTER, "episodes = 3", "episodes = 10000001", &["`episodes = 10000001`", "from 1 to 10000000"]),
    (CLUSTER, "episodes = 3", "episodes = -3", &["line 3: `episodes = -3`"]),
    (CLUSTER, "episodes = 3", "episodes = nan", &["line 3: `episodes = nan`", "u32"]),
    (CLUSTER, "episodes = 3", "episodez = 3", &["line 3: ", "unknown field `episodez`", "`episodes`"]),
    (CLUSTER, "episodes = 3\n", "", &["missing field `episodes`"]),
    (CLUSTER, "seed = 3", "seed = 9223372036854775808", &["9223372036854775808"]),
    (CLUSTER, "seed = 3", "seed = \"x\"", &["line 2: `seed = \"x\"`", "expected u64"]),
    (
        CLUSTER,
        "[\"random\", \"heuristic\"]",
        "[]",
        &["`agents = []`", "random, heuristic, patrol, planner, idle"],
    ),
    (CLUSTER, "\"heuristic\"]", "\"evolved\"]", &["`evolved`", "random, heuristic, patrol, planner, idle"]),
    (CLUSTER, "\"heuristic\"]", "\"random\"]", &["`random`", "twice"]),
    (CLUSTER, "\"heuristic\"]", "\"heuristic\"", &["config.toml", "line"]),
    (
        CLUSTER,
        "command = \"benchmark\"",
        "command = \"list\"",
        &["`list`", "gardener, benchmark, controls, drift, record, eval, limit or train"],
    ),
    (
        CLUSTER,
        "command = \"benchmark\"\n",
        "",
        &["`command`", "gardener, benchmark, controls, drift, record, eval, limit or train"],
    ),
    (CLUSTER, "name = \"k8s\"", "name = \"k9s\"", &["`k9s`", "k8s, k8s-v4.6, gardener"]),
    (
        CLUSTER,
        "name = \"k8s\"",
        "name = \"gardener\"",
        &["env.settings: `observation_rules = ", "unknown key"],
    ),
    (CLUSTER, "preset = \"reference\"", "preset = \"gale\"", &["`gale`", "calm, reference, storm"]),
    (CLUSTER, "max_steps = 50", "max_steps = 0", &["env.settings: `max_steps = 0`", "from 1 to 1000000000"]),
    (CLUSTER, "max_steps = 50", "max_step = 50", &["env.settings: `max_step = 50`", "`max_steps`?"]),
    (CLUSTER, "max_steps = 50", "max_steps = 50.5", &["env.settings: `max_steps = 50.5`", "a whole number"]),
    (
        CLUSTER,
        "mem_drift_mu = 0.005",
        "mem_drift_mu = nan",
        &["env.settings: `mem_drift_mu = nan`", "from -1 to 1"],
    ),
    (LIVES, "episodes = 3", "episodes = 1", &["`episodes = 1`", "from 2 to 1000000"]),
    (
        LIVES,
        "agent = \"random\"",
        "agent = \"evolved\"",
        &["`evolved`", "random, heuristic, patrol, planner, idle"],
    ),
    (LIVES, "max_steps = 2000", "max_steps = -1", &["`max_steps = -1`"]),
    (LIMIT, "life = 50", "life = 0", &["`life = 0`", "from 1 to 1000000000"]),
    (LIMIT, "life = 50", "life = 60", &["`env.settings.max_steps = 50`", "60"]),
    (LIMIT, "dose = \"mem_drift_mu\"", "dose = \"mem_drift\"", &["`mem_drift`", "`mem_drift_mu`"]),
    (LIMIT, "mem_drift_mu = 0.005", "mem_drift_mu = 0.0", &["mem_drift_mu = 0", "above 0"]),
    (LIMIT, "\"patrol\"]", "\"heuristic\"]", &["`heuristic`", "twice"]),
];

#[test]
fn an_edited_configuration_is_refused() {
    for (arguments, old, new, parts) in EDITS {
        let place = started(arguments);
        let config = place.text("out/config.toml");
        assert!(config.contains(old), "no {old} in {config}");
        place.write("out/config.toml", config.replacen(old, new, 1));
        let said = place.refused("rerun out --out again");
        for part in *parts {
            assert!(said.contains(part), "{old} -> {new}: no {part} in {said}");
        }
        assert!(said.starts_with("error: cannot repeat out/config.toml: "), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn an_edited_configuration_of_a_garden_is_refused() {
    for (old, new, part) in [
        ("\nruns = 2", "\nruns = 0", "`runs = 0`: allowed are whole numbers from 1 to 9999"),
        ("\ngenerations = 40", "\ngenerations = 0", "`generations = 0`: allowed are whole numbers from 1 to"),
        ("\nagent = \"evolved\"", "\nagent = \"planner\"", "evolved, heuristic, patrol, random, idle"),
        ("grid_size = 8", "grid_size = 4", "`grid_size = 4`: allowed are whole numbers from 5 to 512"),
    ] {
        let place = started(&garden());
        let config = place.text("out/config.toml");
        assert!(config.contains(old), "no {old} in {config}");
        place.write("out/config.toml", config.replacen(old, new, 1));
        let said = place.refused("rerun out --out again");
        assert!(said.contains(part), "{said}");
    }
    // A garden's run in a cluster.
    let place = started(CLUSTER);
    let config = place.text("out/config.toml");
    let config =
        config.replacen("benchmark", "gardener", 1).replacen("episodes = 3", "generations = 3\nruns = 1", 1);
    place.write(
        "out/config.toml",
        config.replacen("agents = [\"random\", \"heuristic\"]", "agent = \"random\"", 1),
    );
    let said = place.refused("rerun out --out again");
    assert!(said.contains("not k8s"), "{said}");
}

#[test]
fn a_cut_empty_or_missing_configuration_is_refused() {
    let place = started(CLUSTER);
    let config = place.text("out/config.toml");
    let end_of = |part: &str| config.find(part).unwrap() + part.len();
    for cut in
        [0, 5, end_of("command ="), end_of("episodes = 3\n"), end_of("name ="), end_of("[env.settings")]
    {
        place.write("out/config.toml", &config[..cut]);
        let said = place.refused("rerun out --out again");
        assert!(said.contains("out/config.toml"), "cut at {cut}: {said}");
    }
    place.write("out/config.toml", b"seed = \"\xff\"");
    assert!(place.refused("rerun out --out again").contains("UTF-8"));
    fs::remove_file(place.path("out/config.toml")).unwrap();
    assert!(place.refused("rerun out --out again").contains("cannot read out/config.toml: No such file"));
    // What a report leaves cannot be repeated.
    place.ok("doctor --out doctor");
    assert!(place.refused("rerun doctor --out again").contains("doctor/config.toml"));
}

/// One of when gardeners did not see yet whether they can breed.
#[test]
fn a_training_from_before_its_world_showed_more_is_not_repeated() {
    let place = Place::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/garden-53");
    fs::create_dir_all(place.path("old/checkpoints")).unwrap();
    for name in ["config.toml", "training.csv"] {
        place.write(&format!("old/{name}"), fs::read(data.join(name)).unwrap());
    }
    for extension in ["json", "safetensors"] {
        let name = format!("checkpoints/step-000000000016.{extension}");
        place.write(&format!("old/{name}"), fs::read(data.join(&name)).unwrap());
    }
    let said =
        "old was trained when an observation in gardener had 53 numbers; it has 54 now: train it again";
    for command in ["rerun old --out other", "eval --run old@last --out other"] {
        let refused = place.refused_in("old", command);
        assert!(refused.contains(said), "{command}: {refused}");
        assert!(!place.path("other").exists(), "{command}");
    }
}
