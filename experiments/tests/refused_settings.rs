//! Arguments and settings that are refused: exit 2, what was wrong and what is allowed, and
//! nothing created.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use common::Place;

/// The command, and what its message must contain.
const ARGUMENTS: &[(&str, &[&str])] = &[
    ("gardener --generations 0", &["'0'", "--generations", "from 1 to 1000000000"]),
    ("gardener --generations -5", &["'-5'", "--generations", "from 1 to 1000000000"]),
    ("gardener --generations ten", &["'ten'", "--generations", "from 1 to 1000000000"]),
    ("gardener --generations 1.5", &["'1.5'", "--generations", "from 1 to 1000000000"]),
    ("gardener --generations 1000000001", &["'1000000001'", "--generations", "from 1 to 1000000000"]),
    ("gardener --runs 0", &["'0'", "--runs", "from 1 to 9999"]),
    ("gardener --runs -1", &["'-1'", "--runs", "from 1 to 9999"]),
    ("gardener --runs x", &["'x'", "--runs", "from 1 to 9999"]),
    ("gardener --runs 10000", &["'10000'", "--runs", "from 1 to 9999"]),
    ("benchmark --episodes 0", &["'0'", "--episodes", "from 1 to 10000000"]),
    ("benchmark --episodes -1", &["'-1'", "--episodes", "from 1 to 10000000"]),
    ("benchmark --episodes NaN", &["'NaN'", "--episodes", "from 1 to 10000000"]),
    ("benchmark --episodes 99999999999999999999", &["--episodes", "from 1 to 10000000"]),
    ("controls --episodes 1", &["'1'", "--episodes", "from 2 to 1000000"]),
    ("controls --episodes 1000001", &["'1000001'", "--episodes", "from 2 to 1000000"]),
    ("record k8s --steps 0", &["'0'", "--steps", "from 1 to 1000000"]),
    ("record k8s --steps -3", &["'-3'", "--steps", "from 1 to 1000000"]),
    ("record k8s --steps 1000001", &["'1000001'", "--steps", "from 1 to 1000000"]),
    ("throughput --num-envs 0", &["'0'", "--num-envs", "from 1 to 16777216"]),
    ("throughput --num-envs -4", &["'-4'", "--num-envs", "from 1 to 16777216"]),
    ("throughput --num-envs 16777217", &["'16777217'", "--num-envs", "from 1 to 16777216"]),
    ("throughput --rollout 0", &["'0'", "--rollout", "from 1 to 1000000"]),
    ("throughput --rollout 8 --env gardener", &["--rollout", "is for clusters"]),
    ("throughput --seconds 0", &["'0' for '--seconds", "above 0 and up to 86400"]),
    ("throughput --seconds -1", &["'-1' for '--seconds", "above 0 and up to 86400"]),
    ("throughput --seconds nan", &["'nan' for '--seconds", "above 0 and up to 86400"]),
    ("throughput --seconds inf", &["'inf' for '--seconds", "above 0 and up to 86400"]),
    ("throughput --seconds 1e9", &["'1e9' for '--seconds", "above 0 and up to 86400"]),
    ("throughput --seconds soon", &["'soon'", "--seconds"]),
    ("list --threads 0", &["'0'", "--threads", "from 1 to 1024"]),
    ("list --threads -2", &["'-2'", "--threads", "from 1 to 1024"]),
    ("list --threads 1025", &["'1025'", "--threads", "from 1 to 1024"]),
    ("benchmark --seed -1", &["'-1'", "--seed", "from 0 to 9223372036854775807"]),
    ("benchmark --seed 9223372036854775808", &["--seed", "from 0 to 9223372036854775807"]),
    ("benchmark --seed me", &["'me'", "--seed", "from 0 to 9223372036854775807"]),
    ("frobnicate", &["'frobnicate'", "Usage"]),
    ("gardner", &["'gardner'", "'gardener'"]),
    ("benchmark --episode 5", &["'--episode'", "'--episodes'"]),
    ("gardener --env k8s", &["'--env'"]),
    ("benchmark --env k9s", &["`k9s`", "k8s, k8s-v4.6, gardener"]),
    ("record k9s", &["`k9s`", "k8s, k8s-v4.6, gardener"]),
    ("check k9s", &["`k9s`", "k8s, k8s-v4.6, gardener"]),
    ("throughput --env k9s", &["`k9s`", "k8s, k8s-v4.6, gardener"]),
    ("controls --env k9s", &["`k9s`", "k8s, k8s-v4.6, gardener"]),
    ("list --env k9s", &["`k9s`", "k8s, k8s-v4.6, gardener"]),
    ("benchmark --preset gale", &["`gale`", "calm, reference, storm"]),
    ("controls --preset gale", &["`gale`", "calm, reference, storm"]),
    ("list --env k8s --preset gale", &["`gale`", "calm, reference, storm"]),
    ("gardener --agent smith", &["`smith`", "gardener", "evolved, heuristic, patrol, random, idle"]),
    ("gardener --agent planner", &["`planner`", "evolved, heuristic, patrol, random, idle"]),
    ("record gardener --agent planner", &["`planner`", "evolved, heuristic, patrol, random, idle"]),
    ("throughput --agent evolved", &["`evolved`", "random, heuristic, patrol, planner, idle"]),
    ("benchmark --agents random,evolved", &["`evolved`", "k8s", "random, heuristic, patrol, planner, idle"]),
    ("controls --agent planner", &["`planner`", "evolved, heuristic, patrol, random, idle"]),
    ("benchmark --agents random,heuristic,random", &["`random`", "twice"]),
    ("benchmark --agents random,", &["``", "random, heuristic, patrol, planner, idle"]),
    ("benchmark --agents ,random", &["``", "random, heuristic, patrol, planner, idle"]),
    ("benchmark --agents=", &["``", "random, heuristic, patrol, planner, idle"]),
    ("controls --set max_steps=9", &["--env"]),
    ("benchmark --config missing.toml", &["missing.toml", "No such file"]),
    ("benchmark --config .", &["cannot read .", "directory"]),
    ("replay missing.json", &["missing.json", "No such file"]),
    ("rerun missing", &["missing/config.toml", "No such file"]),
];

#[test]
fn arguments() {
    let place = Place::new();
    for (arguments, parts) in ARGUMENTS {
        let said = place.refused(arguments);
        for part in *parts {
            assert!(said.contains(part), "{arguments}: no {part} in {said}");
        }
    }
}

#[test]
fn nothing_at_all_gets_the_help() {
    let place = Place::new();
    let ran = place.run("");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    for command in ["gardener", "benchmark", "controls", "record", "replay", "throughput", "rerun"] {
        assert!(ran.stderr.contains(&format!("  {command} ")), "{ran:?}");
        let help = place.ok(&format!("{command} --help"));
        assert!(help.stdout.contains("Usage: ") && help.stdout.contains("--out <DIR>"), "{help:?}");
    }
    assert!(place.names("").is_empty());
}

/// Environment, key, value as in TOML, and what the message must contain besides the key.
const SETTINGS: &[(&str, &str, &str, &[&str])] = &[
    ("k8s", "max_step", "10", &["= 10`", "unknown key", "did you mean `max_steps`?"]),
    ("k8s", "drift.shedule", "\"ramp\"", &["unknown key", "did you mean `drift.schedule`?"]),
    ("gardener", "risk.ema_alfa", "0.5", &["= 0.5`", "unknown key", "did you mean `risk.ema_alpha`?"]),
    ("k8s", "grid_size", "60", &["= 60`", "unknown key", "known are", "height, width"]),
    ("gardener", "max_steps", "60", &["= 60`", "unknown key", "grid_size"]),
    ("k8s", "max_steps", "\"many\"", &["= \"many\"`", "expected a whole number", "not a string"]),
    ("k8s", "max_steps", "1.5", &["= 1.5`", "expected a whole number"]),
    ("k8s", "max_steps", "true", &["= true`", "expected a whole number", "not true or false"]),
    ("k8s", "mem_drift_mu", "\"fast\"", &["= \"fast\"`", "expected a number"]),
    ("k8s", "control.enabled", "1", &["= 1`", "expected true or false"]),
    ("k8s", "control.suppress", "\"up\"", &["= \"up\"`", "expected a list"]),
    ("k8s", "control.suppress", "[\"fly\"]", &["fly", "`up`", "`scale`"]),
    ("k8s", "risk", "1", &["= 1`", "this is a table"]),
    ("k8s", "observation_rules", "\"v5\"", &["= \"v5\"`", "`v4.5`", "`v4.6`"]),
    ("k8s", "drift.schedule", "\"up\"", &["= \"up\"`", "`constant`", "`shocks`"]),
    ("k8s", "max_steps", "0", &["= 0`", "from 1 to 1000000000"]),
    ("k8s", "max_steps", "-1", &["= -1`"]),
    ("k8s", "max_steps", "99999999999", &["= 99999999999`"]),
    ("k8s", "height", "2", &["= 2`", "from 3 to 64"]),
    ("k8s", "width", "65", &["= 65`", "from 3 to 64"]),
    ("k8s", "max_budget", "0", &["= 0`", "from 0.001 to 1000000"]),
    ("k8s", "mem_drift_mu", "1.01", &["= 1.01`", "from -1 to 1"]),
    ("k8s", "mem_drift_mu", "nan", &["= nan`", "from -1 to 1"]),
    ("k8s", "mem_drift_mu", "inf", &["= inf`", "from -1 to 1"]),
    ("k8s", "mem_drift_mu", "-inf", &["= -inf`", "from -1 to 1"]),
    ("k8s", "risk.ema_alpha", "nan", &["= nan`", "from 0 to 1"]),
    ("gardener", "grid_size", "4", &["= 4`", "from 5 to 512"]),
    ("gardener", "grid_size", "513", &["= 513`", "from 5 to 512"]),
    ("gardener", "view_size", "8", &["= 8`", "odd"]),
    ("gardener", "max_population", "5000", &["= 5000`", "from 1 to 4096"]),
    ("gardener", "init_agents", "81", &["= 81`", "from 0 to 80"]),
    ("gardener", "min_population", "81", &["= 81`", "from 0 to 80"]),
    ("gardener", "dirt_growth", "nan", &["= nan`", "from 0 to 1"]),
    ("gardener", "move_cost", "inf", &["= inf`", "from 0 to 1000"]),
    ("gardener", "control.min_alpha", "1.1", &["= 1.1`", "from 0 to 1"]),
];

#[test]
fn settings_on_the_command_line() {
    let place = Place::new();
    for (env, key, value, parts) in SETTINGS {
        let set = format!("{key}={value}");
        let said = place.refused_of(&["benchmark", "--env", env, "--set", &set]);
        for part in [&format!("error: --set: `{key} = ") as &str].iter().chain(*parts) {
            assert!(said.contains(part), "{env} {set}: no {part} in {said}");
        }
    }
}

#[test]
fn settings_in_a_file_with_their_line() {
    let place = Place::new();
    for (env, key, value, parts) in SETTINGS {
        let (table, leaf) =
            key.split_once('.').map_or((String::new(), *key), |(table, leaf)| (format!("[{table}]"), leaf));
        place.write("storm.toml", format!("# a storm\n\n{table}\n{leaf} = {value}\n"));
        let said = place.refused(&format!("benchmark --env {env} --config storm.toml"));
        for part in [&format!("error: storm.toml, line 4: `{key} = ") as &str].iter().chain(*parts) {
            assert!(said.contains(part), "{env} {key} = {value}: no {part} in {said}");
        }
    }
}

#[test]
fn files_that_are_no_toml() {
    let place = Place::new();
    let files: &[(&[u8], &[&str])] = &[
        (b"max_steps = 10\nmem_drift_mu = \n", &["line 2", "mem_drift_mu"]),
        (b"max_steps = 10\n\nmax_steps = 11\n", &["line 3", "max_steps = 11", "duplicate key"]),
        (b"max_steps = 10\n[drift\n", &["line 2", "[drift"]),
        (b"what is this", &["line 1", "what is this"]),
        (b"max_steps = 10\nname = \"\xff\"\n", &["UTF-8"]),
    ];
    for (bytes, parts) in files {
        place.write("bad.toml", bytes);
        let said = place.refused("benchmark --config bad.toml");
        for part in ["bad.toml"].iter().chain(*parts) {
            assert!(said.contains(part), "no {part} in {said}");
        }
    }
}

#[test]
fn a_set_that_is_no_pair() {
    let place = Place::new();
    for set in ["max_steps", ""] {
        let said = place.refused_of(&["benchmark", "--set", set]);
        assert!(said.contains("expected key=value"), "{said}");
    }
}

/// Settings on top of each other: preset, file, --set, each over the one before.
#[test]
fn the_later_setting_wins() {
    let place = Place::new();
    place.write("a.toml", "max_steps = 7\nheight = 5\n");
    place.ok("benchmark --preset storm --config a.toml --set max_steps=9 --episodes 2 --seed 1 --out out");
    let config: toml::Table = place.text("out/config.toml").parse().unwrap();
    let settings = &config["env"]["settings"];
    assert_eq!(settings["max_steps"].as_integer(), Some(9));
    assert_eq!(settings["height"].as_integer(), Some(5));
    assert_eq!(settings["mem_drift_mu"].as_float(), Some(0.008));
    assert_eq!(place.csv("out/episodes.csv").column("steps"), ["9"; 4]);
}

/// Opening a pipe waits for its writer: nothing that is named, and nothing in a run, is waited for.
#[test]
fn what_is_no_file_is_not_waited_for() {
    let place = Place::new();
    place.ok("benchmark --episodes 2 --seed 1 --out run");
    let fifo = |name: &str| {
        let _ = std::fs::remove_file(place.path(name));
        let made = std::process::Command::new("mkfifo").arg(place.path(name)).status().unwrap();
        assert!(made.success());
    };
    fifo("pipe");
    let refused = |arguments: &str, part: &str| {
        let child = place.command(arguments).spawn().unwrap();
        let ran = common::end(child, arguments);
        assert!(ran.code == Some(2) && ran.stderr.contains(part), "{arguments}: {ran:?}");
    };
    for file in ["pipe", "/dev/zero"] {
        for command in ["benchmark --config", "train --no-monitor --config", "replay"] {
            refused(&format!("{command} {file}"), file);
        }
    }
    refused("analyze pipe", "pipe");
    fifo("run/config.toml");
    let commands = [
        "rerun run",
        "train --resume run",
        "eval --seed 1 --run run",
        "benchmark --seed 1 --agents prophet:run",
    ];
    for command in commands.into_iter().chain(["drift --resume run"]) {
        refused(command, "run/config.toml");
    }
    fifo("run/run.json");
    place.ok("analyze run --out report -q");
    // A pipe of the shell's is read, to its end or to the limit.
    let piped = |script: &str| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_resonetics")]).current_dir(place.path(""));
        common::Ran::of(shell.output().unwrap(), script)
    };
    let ran =
        piped("echo max_steps=7 | \"$1\" benchmark --episodes 2 --seed 1 --out piped --config /dev/stdin");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(place.text("piped/config.toml").contains("max_steps = 7\n"));
    let ran = piped("yes | \"$1\" benchmark --episodes 2 --config /dev/stdin");
    assert!(ran.code == Some(2) && ran.stderr.contains("has more than 8388608 bytes"), "{ran:?}");
    std::os::unix::fs::symlink("circle", place.path("circle")).unwrap();
    for command in ["benchmark --config circle", "analyze circle", "eval --seed 1 --run circle"] {
        let said = place.refused(command);
        assert!(said.contains("in a circle") && !said.contains("device"), "{command}: {said}");
    }
}
