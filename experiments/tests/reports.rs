//! The commands that print: list, doctor, experiments, check, throughput.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::Place;

#[test]
fn throughput_ends_with_one_json_object() {
    let keys = [
        "env",
        "agent",
        "num_envs",
        "threads",
        "seconds",
        "steps_per_second",
        "generations_per_second",
        "agent_steps_per_second",
        "mean_population",
        "bytes_per_env",
    ];
    let place = Place::new();
    for (arguments, env, agent, envs, garden) in [
        ("", "k8s", "random", 4096, false),
        ("--num-envs 64 --agent heuristic", "k8s", "heuristic", 64, false),
        ("--env k8s-v4.6 --num-envs 7 --set width=9", "k8s-v4.6", "random", 7, false),
        ("--env gardener", "gardener", "evolved", 1, true),
        ("--env gardener --num-envs 3 --agent idle --set grid_size=9", "gardener", "idle", 3, true),
    ] {
        let ran = place.ok(&format!("throughput --seconds 0.2 --threads 2 {arguments}"));
        let result = ran.json();
        for key in keys {
            assert!(result.get(key).is_some(), "no {key}: {ran:?}");
        }
        let number = |key: &str| result[key].as_f64();
        assert_eq!((&result["env"], &result["agent"]), (&env.into(), &agent.into()));
        assert_eq!((number("num_envs"), number("threads")), (Some(f64::from(envs)), Some(2.0)));
        assert!((0.2..30.0).contains(&number("seconds").unwrap()), "{ran:?}");
        assert!(number("bytes_per_env") > Some(100.0) && number("steps_per_second") > Some(1.0), "{ran:?}");
        if garden {
            assert_eq!(number("generations_per_second"), number("steps_per_second"));
            let population = number("mean_population").unwrap();
            let expected = number("steps_per_second").unwrap() * population;
            let ratio = number("agent_steps_per_second").unwrap() / expected;
            assert!((0.9..1.1).contains(&ratio) && (15.0..=80.0).contains(&population), "{ran:?}");
        } else {
            assert_eq!(number("agent_steps_per_second"), number("steps_per_second"));
            assert!(result["generations_per_second"].is_null() && result["mean_population"].is_null());
        }
    }
    assert!(place.names("").is_empty());
}

#[test]
fn list_names_everything_that_can_be_typed() {
    let place = Place::new();
    let listed = place.ok("list").stdout;
    for part in
        ["k8s ", "k8s-v4.6 ", "gardener ", "calm ", "reference ", "storm ", "planner", "patrol", "evolved"]
    {
        assert!(listed.contains(part), "no {part} in {listed}");
    }
    for line in listed.lines().filter_map(|line| line.trim().strip_prefix("agents: ")) {
        assert_eq!(line.split(", ").count(), 6, "{line}");
        assert!(line.ends_with(", prophet:DIR"), "{line}");
    }
    for command in ["train", "eval", "analyze", "report", "serve", "watch", "drift", "rerun", "benchmark"] {
        assert!(listed.contains(&format!("\n  {command} ")), "no {command} in {listed}");
        let experiments = place.ok("experiments").stdout;
        assert!(experiments.contains(&format!("-- {command}")), "no {command} in {experiments}");
    }
}

/// As `list` prints it, the file is for every command: a training takes all of it, others their part.
#[test]
fn the_listed_settings_of_a_training_are_taken_by_a_training() {
    let place = Place::new();
    let listed = place.ok("list --env k8s").stdout;
    let settings: toml::Table = listed.parse().unwrap();
    assert_eq!(settings["train"]["num_envs"].as_integer(), Some(16));
    place.write(
        "all.toml",
        listed.replace("num_envs = 16", "num_envs = 2").replace("max_steps = 500", "max_steps = 7"),
    );
    place.ok("train --config all.toml --set train.horizon=8 --steps 16 --seed 1 --no-monitor -q --out t");
    let config: toml::Table = place.text("t/config.toml").parse().unwrap();
    assert_eq!(config["train"]["num_envs"].as_integer(), Some(2));
    assert_eq!(config["train"]["horizon"].as_integer(), Some(8));
    assert_eq!(config["env"]["settings"]["max_steps"].as_integer(), Some(7));
    place.ok("benchmark --config all.toml --episodes 2 --seed 1 --out b");
    assert_eq!(place.csv("b/episodes.csv").column("steps"), ["7"; 4]);
    let said = place.refused("benchmark --config all.toml --set train.num_envs=3 --seed 1");
    assert!(said.contains("`train.num_envs = 3`") || said.contains("unknown key"), "{said}");
    place.write("bad.toml", "[train]\nnum_env = 3\n");
    let said = place.refused("benchmark --config bad.toml --seed 1");
    assert!(
        said.contains("bad.toml, line 2: `train.num_env = 3`: unknown key; did you mean `train.num_envs`?"),
        "{said}"
    );
}

/// What a run was made with is taken by the next one, whatever command each is of.
#[test]
fn the_configuration_of_a_run_is_accepted() {
    let place = Place::new();
    let world = "--preset storm --set max_steps=11";
    place.ok(&format!("benchmark {world} --episodes 2 --seed 1 -q --out bench"));
    place.ok(&format!("controls --env k8s {world} --episodes 2 --seed 1 -q --out lives"));
    place.ok(&format!("train {world} --set train.num_envs=2 --set train.horizon=8 --steps 16 --seed 1 --no-monitor -q --out t"));
    let mut cases = Vec::new();
    for from in ["bench", "lives", "t"] {
        cases.push((from, "benchmark --episodes 3 --seed 9 -q"));
        cases.push((from, "controls --env k8s --episodes 3 --seed 9 -q"));
        cases.push((from, "record k8s --seed 9 -q"));
        cases.push((from, "train --seed 9 --steps 16 --no-monitor -q"));
    }
    for (number, (from, command)) in cases.into_iter().enumerate() {
        let ran = place.run(&format!("{command} --config {from}/config.toml --out out{number}"));
        assert_eq!(ran.code, Some(0), "{from}, {command}: {ran:?}");
        let said = format!("note: {from}/config.toml belongs to a run of `");
        assert!(
            ran.stderr.starts_with(&said) && ran.stderr.contains(", preset storm, not its seed, "),
            "{ran:?}"
        );
        let taken: toml::Table = place.text(&format!("out{number}/config.toml")).parse().unwrap();
        let env = taken.get("env").unwrap_or_else(|| &taken["worlds"][0]["env"]);
        assert_eq!(env["preset"].as_str(), Some("storm"), "{from}, {command}");
        assert_eq!(env["settings"]["max_steps"].as_integer(), Some(11), "{from}, {command}");
        assert_eq!(taken["seed"].as_integer(), Some(9), "{from}, {command}");
        if let Some(train) = taken.get("train") {
            let expected = if from == "t" { 2 } else { 16 };
            assert_eq!(train["num_envs"].as_integer(), Some(expected), "{from}, {command}");
        }
    }
    let said = place.refused("record gardener --config bench/config.toml --seed 1");
    assert!(
        said.contains(
            "bench/config.toml belongs to a run of `benchmark` in k8s: its settings are not those of gardener"
        ),
        "{said}"
    );
    place.ok("drift --steps 3 --seed 1 --no-monitor -q --out drift");
    let said = place.refused("benchmark --config drift/config.toml --seed 1");
    assert!(said.contains("belongs to a run of `drift`: it holds no settings of a world"), "{said}");
}

/// One step cannot end a cluster: that says nothing against it.
#[test]
fn an_end_that_is_not_reached_breaks_nothing() {
    let place = Place::new();
    for (arguments, unseen) in [
        ("k8s --set max_steps=1", Some("terminated")),
        ("gardener --set max_generations=5 --set grid_size=8", None),
        ("gardener --set init_agents=0 --set min_population=0 --set grid_size=8", None),
    ] {
        let ran = place.ok(&format!("check {arguments}"));
        assert!(!ran.stdout.contains("BREAKS") && !ran.stdout.contains("problem: "), "{ran:?}");
        let said = ran
            .last_line()
            .contains(&format!("no episode was {}, so that end was not reached", unseen.unwrap_or("-")));
        assert_eq!(said, unseen.is_some(), "{ran:?}");
    }
}

#[test]
fn the_listed_settings_are_accepted_and_change_nothing() {
    let place = Place::new();
    for env in ["k8s", "k8s-v4.6", "gardener"] {
        for preset in ["calm", "reference", "storm"] {
            let listed = place.ok(&format!("list --env {env} --preset {preset}")).stdout;
            place.write("all.toml", &listed);
            let run = format!("record {env} --agent heuristic --steps 3 --seed 1 -q");
            place.ok(&format!("{run} --config all.toml --out {env}-{preset}-file"));
            place.ok(&format!("{run} --preset {preset} --out {env}-{preset}"));
            let trace = |dir: &str| place.bytes(&format!("{env}-{preset}{dir}/trace.json"));
            assert!(trace("-file") == trace(""), "{env} {preset}");
            let settings: toml::Table = listed.parse().unwrap();
            assert!(settings.contains_key("agent") && settings.contains_key("risk"), "{listed}");
        }
    }
}

#[test]
fn every_world_keeps_its_contract() {
    let place = Place::new();
    for arguments in ["k8s", "k8s-v4.6", "gardener", "k8s --preset storm", "k8s --set control.enabled=true"] {
        let ran = place.ok(&format!("check {arguments}"));
        let env = arguments.split(' ').next().unwrap();
        assert_eq!(ran.last_line(), format!("{env}: keeps the contract"));
        assert!(!ran.stdout.contains("problem: "), "{ran:?}");
        assert!(ran.stdout.contains("terminated seen") && ran.stdout.contains("truncated seen"), "{ran:?}");
    }
}

#[test]
fn doctor_says_what_it_found() {
    let place = Place::new();
    let said = place.ok("doctor --threads 3").stdout;
    assert!(said.starts_with(concat!("resonetics ", env!("CARGO_PKG_VERSION"), " (commit ")), "{said}");
    assert!(said.contains("\nthreads    3 (processors: "), "{said}");
    assert_eq!(said.lines().count(), if cfg!(feature = "torch") { 7 } else { 6 }, "{said}");
    let version = place.ok("--version").stdout;
    assert_eq!(version, concat!("resonetics ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// From any folder and with no variable set, the binary finds the libtorch that it was linked to, or
/// says how to get one.
#[test]
fn doctor_finds_libtorch_or_says_how_to_get_it() {
    let mut doctor = Place::new().command("doctor");
    doctor.env_remove("LIBTORCH").env_remove("LD_LIBRARY_PATH");
    let output = doctor.current_dir("/").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    if cfg!(feature = "torch") {
        assert!(said.contains("\nlibtorch   2.11.0"), "{said}");
        let why_not = ["no libtorch_cuda.so", "does not load", "sees no device"];
        let cuda = said.split_once("\ncuda       ").expect("a line on CUDA").1;
        assert!(cuda.contains("device") || cuda.starts_with("no: "), "{said}");
        assert!(!cuda.starts_with("no: ") || why_not.iter().any(|why| cuda.contains(why)), "{said}");
    } else {
        assert!(
            said.contains("\nlibtorch   not compiled in") && said.contains("`cargo xtask libtorch`"),
            "{said}"
        );
    }
}

/// What `experiments` tells a user to type is accepted; the long ones are shortened.
#[test]
fn the_listed_experiments_run() {
    let place = Place::new();
    let listed = place.ok("experiments").stdout;
    let commands: Vec<&str> =
        listed.lines().filter_map(|line| line.trim().split_once("-- ")).map(|parts| parts.1).collect();
    assert!(commands.len() >= 7, "{listed}");
    for command in commands {
        let short = command
            .replace("--episodes 1000", "--episodes 3")
            .replace("--episodes 200", "--episodes 3")
            .replace("--episodes 50", "--episodes 3")
            .replace("--generations 2000", "--generations 20")
            .replace("--steps 400000", "--steps 2048 --no-monitor")
            .replace("drift ", "drift --no-monitor ")
            // It serves until it is stopped.
            .replace("serve", "serve --help")
            .replace("throughput ", "throughput --seconds 0.1 ");
        place.ok(&short);
    }
}
