//! `train`: the files that it leaves, what they depend on, what it refuses, and that it learns.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::common;

use common::{Csv, Place, SMALL, STEPS, TINY, assert_same};

const HEADER: &str = "update,steps,episodes,return_mean,length_mean,greedy_return,learning_rate,mode,risk,target_risk,\
    delta_ema,entropy_weight,eps,loss,policy_loss,value_loss,entropy,flow,structure,tension,approx_kl,clip_fraction,\
    gradient_norm,explained_variance,minibatches,rollbacks,sampled_return";

/// A small training of so many updates.
fn train(updates: u64, seed: u64, more: &str) -> String {
    format!("train --steps {} --seed {seed} {SMALL} {more}", updates * STEPS)
}

fn numbers_where_there_are_some(csv: &Csv, name: &str) -> Vec<f64> {
    csv.column(name).into_iter().filter(|cell| !cell.is_empty()).map(common::number).collect()
}

/// What is learned depends on the margin; what the untrained policy earns does not, since it is measured in the world
/// that was asked for, nor does a training with values of its own.
#[test]
fn a_margin_is_trained_with_and_not_measured_with() {
    let place = Place::new();
    for (env, updates) in [
        ("k8s", 6),
        ("gardener --set grid_size=12 --set max_population=9 --set init_agents=5 --set min_population=5", 2),
    ] {
        let run = |name: &str, sets: &str| {
            place.ok(&train(updates, 1, &format!("--env {env} {sets} --out {name}-{updates}")));
            place.csv(&format!("{name}-{updates}/training.csv"))
        };
        let (own, above) =
            (run("own", "--set train.doses.margin=0"), run("above", "--set train.doses.margin=4"));
        for measured in [5, 26] {
            assert_eq!(own.rows[0][measured], above.rows[0][measured], "{env}");
        }
        assert_ne!(own.column("loss"), above.column("loss"), "{env}");
        let values = ["0", "4"].map(|margin| {
            run(
                &format!("values{margin}"),
                &format!("--set train.doses.values=[0.01,0.02] --set train.doses.margin={margin}"),
            )
        });
        assert_eq!(values[0].rows, values[1].rows, "{env}");
        assert_ne!(values[0].rows[0][5], own.rows[0][5], "{env}");
    }
}

#[test]
fn a_training_leaves_its_files() {
    let place = Place::new();
    // Half an update more than 40: rounded down.
    let ran = place.ok(&train(40, 1, "--steps 5184 --out out").replacen("--steps 5120 ", "", 1));
    let said: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        said[0],
        "trains for 5120 steps: --steps 5184 is 40 whole rollouts of 128 steps (train.num_envs 4 x train.horizon 32)"
    );
    assert_eq!(*said.last().unwrap(), "wrote out");
    assert_eq!(
        place.names("out"),
        ["checkpoints", "config.toml", "lock", "run.json", "timing.jsonl", "training.csv"]
    );
    let checkpoints = ["best", "step-000000004608", "step-000000004992", "step-000000005120"];
    let both =
        checkpoints.iter().flat_map(|name| ["json", "safetensors"].map(|kind| format!("{name}.{kind}")));
    let mut both: Vec<String> = both.chain(["config.toml".to_owned()]).collect();
    both.sort();
    assert_eq!(place.names("out/checkpoints"), both);

    let mut csv = place.csv("out/training.csv");
    assert_eq!(csv.header, HEADER);
    // Before the first update there is what the untrained policy earns, and nothing else.
    let untrained = csv.rows.remove(0);
    let (greedy, sampled) = (common::number(&untrained[5]), common::number(&untrained[26]));
    assert!(greedy.is_finite() && sampled.is_finite() && greedy != sampled, "{untrained:?}");
    let expected = |at: usize| if [0, 1, 2, 25].contains(&at) { "0" } else { "" };
    assert!((0..26).filter(|at| *at != 5).all(|at| untrained[at] == expected(at)), "{untrained:?}");
    let sampled = csv.column("sampled_return");
    assert!(sampled[..39].iter().all(|cell| cell.is_empty()) && !sampled[39].is_empty(), "{sampled:?}");
    let expected: Vec<f64> = (1..=40_u32).map(f64::from).collect();
    assert_eq!(csv.numbers("update"), expected);
    assert_eq!(csv.numbers("steps"), expected.iter().map(|update| update * 128.0).collect::<Vec<_>>());
    assert!(csv.column("rollbacks").iter().all(|cell| *cell == "0"));
    assert!(csv.column("minibatches").iter().all(|cell| *cell == "4"));
    assert!(csv.column("mode").iter().all(|cell| cell.is_empty()), "only the schedule `prophet` has modes");
    let rates: Vec<f64> = (0..40).map(|done| 0.003 * (1.0 - f64::from(done) / 40.0)).collect();
    for (found, expected) in csv.numbers("learning_rate").iter().zip(rates) {
        assert!((found - expected).abs() < 1e-8, "{found} {expected}");
    }
    for name in ["loss", "policy_loss", "value_loss", "entropy", "approx_kl", "explained_variance"] {
        assert!(csv.numbers(name).iter().all(|number| number.is_finite()), "{name}");
    }
    // The greedy policy plays where a checkpoint is due, and the best of those is kept.
    let due: Vec<u64> = (1..=40).filter(|update| update % 3 == 0 || *update == 40).collect();
    let greedy = csv.column("greedy_return");
    let played: Vec<u64> = (1..=40).filter(|&update| !greedy[update as usize - 1].is_empty()).collect();
    assert_eq!(played, due);
    let highest = numbers_where_there_are_some(&csv, "greedy_return").into_iter().fold(f64::MIN, f64::max);
    let best = &place.json("out/checkpoints/best.json")["best"];
    assert_eq!(best["greedy_return"].as_f64().unwrap() as f32, highest as f32);
    let update = best["update"].as_u64().unwrap();
    assert_eq!(common::number(greedy[update as usize - 1]), highest);
    let last = common::number(greedy[39]);
    let untrained = common::number(&untrained[5]);
    assert_eq!(
        said[1],
        format!(
            "greedy return, mean of 4 episodes: untrained {untrained:.2}, last {last:.2} at step 5120, \
             best {highest:.2} at step {}",
            update * 128
        )
    );
    assert_eq!(
        said[2..6],
        [
            "next: resonetics eval --run out",
            "      resonetics benchmark --agents random,heuristic,prophet:out",
            "      resonetics report out",
            "      resonetics serve out"
        ]
    );
    let last = place.json("out/checkpoints/step-000000005120.json");
    assert_eq!(&last["best"], best);
    assert_eq!(last["csv_bytes"].as_u64(), Some(place.bytes("out/training.csv").len() as u64));

    let timing = place.text("out/timing.jsonl");
    let lines: Vec<serde_json::Value> =
        timing.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 40);
    assert!(lines.iter().zip(1_u64..).all(|(line, update)| line["update"] == update));
    assert!(lines.iter().all(|line| line["steps_per_second"].as_f64().unwrap() > 0.0));
    let record = place.json("out/run.json");
    assert_eq!((&record["status"], &record["command"]), (&"finished".into(), &"train".into()));
    let config: toml::Table = place.text("out/config.toml").parse().unwrap();
    assert_eq!(config["train"]["num_envs"].as_integer(), Some(4));
    assert_eq!(config["steps"].as_integer(), Some(5184), "what was asked for; in whole rollouts it is less");
    assert_eq!(config["env"]["name"].as_str(), Some("k8s"));
}

#[test]
fn files_depend_on_the_seed_and_on_nothing_else() {
    let garden = format!("--env gardener {TINY} --set max_generations=20");
    for (updates, more) in [(20, "--set control.enabled=true"), (8, &garden)] {
        let (here, there) = (Place::new(), Place::new());
        here.ok(&train(updates, 5, &format!("{more} --threads 2 --out out")));
        there.ok(&train(updates, 5, &format!("{more} --threads 1 --quiet --out deep/er")));
        assert_same(&there.trained("deep/er"), &here.trained("out"), more);
        here.ok(&train(updates, 6, &format!("{more} --out other")));
        let (other, this) = (here.trained("other"), here.trained("out"));
        for name in ["training.csv", "checkpoints/best.safetensors"] {
            assert!(other[name] != this[name], "{more}: another seed, and {name} is the same");
        }
    }
}

#[test]
fn a_training_repeats() {
    let place = Place::new();
    place.ok(&train(10, 2, "--env k8s-v4.6 --set drift.schedule=ramp --out out"));
    let ran = place.ok("rerun out --out again");
    assert_eq!(ran.stdout, "wrote again\ntraining.csv: identical\n");
    assert_same(&place.trained("again"), &place.trained("out"), "again");
}

#[test]
fn the_schedule_prophet_tells_its_risk() {
    let place = Place::new();
    let set = "--set train.schedule=prophet --set train.kernel.flow=0.01 --set train.kernel.tune=true";
    place.ok(&train(12, 3, &format!("{set} --out out")));
    let mut csv = place.csv("out/training.csv");
    csv.rows.remove(0);
    let modes = ["PANIC", "ALERT", "WARNING", "CRUISE"];
    assert!(csv.column("mode").iter().all(|mode| modes.contains(&mode.to_uppercase().as_str())), "{csv:?}");
    for name in ["risk", "target_risk"] {
        assert!(csv.numbers(name).iter().all(|risk| (0.0..=1.0).contains(risk)), "{name}");
    }
    assert!(csv.numbers("flow").iter().all(|&flow| flow > 0.0));
    assert!(csv.numbers("eps").iter().any(|&eps| eps != 0.01), "the tuner moves eps");
}

#[test]
fn gardeners_train_too() {
    let place = Place::new();
    place.ok(&train(
        12,
        1,
        &format!("--env gardener {TINY} --set max_generations=40 --set train.eval_every=2 --out out"),
    ));
    let mut csv = place.csv("out/training.csv");
    csv.rows.remove(0);
    assert_eq!(csv.rows.len(), 12);
    assert!(numbers_where_there_are_some(&csv, "length_mean").iter().all(|&mean| mean > 0.0 && mean <= 40.0));
    // At every second of the checkpoints after 3, 6, 9 and 12 updates.
    let measured: Vec<bool> = csv.column("greedy_return").iter().map(|cell| !cell.is_empty()).collect();
    assert_eq!(
        measured,
        [6, 12].iter().fold(vec![false; 12], |mut all, at| {
            all[at - 1] = true;
            all
        })
    );
    assert!(csv.numbers("gradient_norm").iter().all(|&norm| norm > 0.0 && norm.is_finite()));
}

/// Random agents earn 28.6 in the cluster, the rule of thumb 50.4.
#[test]
fn prophet_learns_the_cluster_and_without_a_rate_it_does_not() {
    let place = Place::new();
    let greedy =
        |out: &str| numbers_where_there_are_some(&place.csv(&format!("{out}/training.csv")), "greedy_return");
    let train = "train --env k8s --steps 40960 --seed 1 --no-monitor --set train.epochs=5 --set train.eval_episodes=40";
    place.ok(&format!("{train} --out out"));
    let learned = greedy("out");
    assert!(*learned.last().unwrap() > 53.0, "{learned:?}");
    // Long enough for a hundred episodes of up to 500 steps.
    let train = train.replace("40960", "61440").replace("epochs=5", "epochs=1");
    place.ok(&format!("{train} --set train.learning_rate=0 --out still"));
    let still = greedy("still");
    assert!(still.iter().all(|&greedy| greedy < 40.0), "{still:?}");
    // What never changes earns the same from beginning to end, and no more than it does by chance: 28.5 for
    // random actions, with a standard deviation of 17 (`benchmark --agents random --episodes 2000`). The mean of
    // 100 training episodes comes when the first 100 have ended, not when the first have.
    let csv = place.csv("still/training.csv");
    let sampled = numbers_where_there_are_some(&csv, "sampled_return");
    assert_eq!(sampled.len(), 2, "{sampled:?}");
    assert!(sampled.iter().all(|mean| (mean - 28.5).abs() < 9.0), "{sampled:?}");
    let means = numbers_where_there_are_some(&csv, "return_mean");
    assert!(!means.is_empty() && means.iter().all(|mean| (mean - 28.5).abs() < 6.0), "{means:?}");
    let first = csv.column("return_mean").iter().position(|cell| !cell.is_empty()).unwrap();
    assert!(
        csv.numbers("episodes")[first] >= 100.0
            && csv.column("return_mean")[first..].iter().all(|cell| !cell.is_empty())
    );
    let lengths = numbers_where_there_are_some(&csv, "length_mean");
    assert!(lengths.iter().all(|length| (440.0..=500.0).contains(length)), "{lengths:?}");
}

/// Less than a rollout is a rollout; said, planned and recorded alike, in every world and recipe.
#[test]
fn steps_below_one_rollout_train_for_one() {
    let place = Place::new();
    let garden =
        format!("--no-monitor --env gardener {TINY} --set max_generations=5 --set train.eval_episodes=1");
    for (dir, more, rollout, of) in [
        ("cluster", SMALL.to_owned(), 128, "128 steps (train.num_envs 4 x train.horizon 32)"),
        ("garden", garden, 1024, "1024 steps (train.num_envs 4 x train.horizon 256)"),
        (
            "large",
            "--no-monitor --recipe large --set train.num_envs=100 --set train.epochs=1 --set train.eval_episodes=1"
                .to_owned(),
            6400,
            "6400 steps (train.num_envs 100 x train.horizon 64)",
        ),
    ] {
        let ran = place.ok(&format!("train --steps 100 --seed 1 {more} --out {dir}"));
        let expected = format!("--steps 100 is less than one rollout of {of}: trains for one");
        assert_eq!(ran.stdout.lines().next(), Some(&*expected));
        let csv = place.csv(&format!("{dir}/training.csv"));
        assert_eq!(csv.numbers("steps"), [0.0, f64::from(rollout)], "{dir}");
        let config: toml::Table = place.text(&format!("{dir}/config.toml")).parse().unwrap();
        assert_eq!(config["steps"].as_integer(), Some(100), "{dir}: as it was asked for");
        assert_eq!(numbers_where_there_are_some(&csv, "sampled_return").len(), 2, "{dir}: beginning and end");
    }
    // What asks for whole rollouts is told nothing, and quiet is quiet.
    let ran = place.ok(&train(1, 1, "--out whole"));
    assert!(ran.stdout.starts_with("greedy return"), "{ran:?}");
    let ran = place.ok(&train(1, 1, "--out quiet --quiet"));
    assert_eq!(ran.stdout, "");
}

/// What is typed behind a small training, and what its message must contain.
const REFUSED: &[(&str, &[&str])] = &[
    ("--set train.gama=0.5", &["--set: `train.gama = 0.5`", "unknown key", "did you mean `train.gamma`?"]),
    ("--set train.network.with=3", &["`train.network.with = 3`", "unknown key"]),
    ("--set train.kernel.flo=1", &["`train.kernel.flo = 1`", "did you mean `train.kernel.flow`?"]),
    ("--set train=3", &["`train = 3`", "table"]),
    ("--set train.num_envs=0", &["`train.num_envs = 0`", "from 1 to 1048576"]),
    ("--set train.num_envs=-1", &["`train.num_envs = -1`"]),
    ("--set train.horizon=65537", &["`train.horizon = 65537`", "from 1 to 65536"]),
    ("--set train.epochs=0", &["`train.epochs = 0`", "from 1 to 1000"]),
    ("--set train.minibatch=0", &["`train.minibatch = 0`", "from 1 to 16777216"]),
    ("--set train.minibatch=1.5", &["`train.minibatch = 1.5`", "expected a whole number"]),
    ("--set train.gamma=nan", &["`train.gamma = nan`", "from 0 to 1"]),
    ("--set train.lambda=1.01", &["`train.lambda = 1.01`", "from 0 to 1"]),
    ("--set train.learning_rate=nan", &["`train.learning_rate = nan`", "from 0 to 1"]),
    ("--set train.learning_rate=inf", &["`train.learning_rate = inf`", "from 0 to 1"]),
    ("--set train.learning_rate=-0.1", &["`train.learning_rate = -0.1`", "from 0 to 1"]),
    ("--set train.learning_rate=\"fast\"", &["`train.learning_rate = \"fast\"`", "expected a number"]),
    ("--set train.learning_rate_final=2", &["`train.learning_rate_final = 2", "from 0 to 1"]),
    ("--set train.schedule=cosine", &["train.schedule", "`linear`", "`prophet`"]),
    ("--set train.schedule=kl", &["`train.target_kl = 0`", "above 0"]),
    ("--set train.clip=0", &["`train.clip = 0", "from 0.000001 to 10"]),
    ("--set train.value_clip=nan", &["`train.value_clip = nan`", "from 0 to 1000000"]),
    ("--set train.value_weight=-1", &["`train.value_weight = -1", "from 0 to 1000000"]),
    ("--set train.entropy=11", &["`train.entropy = 11", "from -10 to 10"]),
    ("--set train.entropy_final=nan", &["`train.entropy_final = nan`", "from -10 to 10"]),
    ("--set train.max_grad_norm=0", &["`train.max_grad_norm = 0", "from 0.000001 to 1000000000"]),
    ("--set train.target_kl=101", &["`train.target_kl = 101", "from 0 to 100"]),
    ("--set train.normalize_returns=1", &["`train.normalize_returns = 1`", "true or false"]),
    ("--set train.network.hidden=[]", &["`train.network.hidden = []`", "1 to 8 widths from 1 to 4096"]),
    (
        "--set train.network.hidden=[4097]",
        &["`train.network.hidden = [4097]`", "1 to 8 widths from 1 to 4096"],
    ),
    ("--set train.network.conv_channels=257", &["`train.network.conv_channels = 257`", "from 0 to 256"]),
    ("--set train.network.memory=4097", &["`train.network.memory = 4097`", "from 0 to 4096"]),
    ("--set train.kernel.flow=1e308", &["`train.kernel.flow = 1e308`"]),
    ("--set train.kernel.flow=-1e-300", &["`train.kernel.flow = -1e-300`"]),
    ("--set train.kernel.flow=nan", &["`train.kernel.flow = nan`", "from 0 to 1000000"]),
    ("--set train.kernel.eps=0", &["`train.kernel.eps = 0", "from 0.0001 to 10"]),
    ("--set train.kernel.period=0", &["`train.kernel.period = 0", "from 0.001 to 1000000"]),
    ("--set train.kernel.tension=-1", &["`train.kernel.tension = -1", "from 0 to 1000000"]),
    ("--set train.kernel.l2=-1", &["`train.kernel.l2 = -1", "from 0 to 1000000"]),
    ("--set train.kernel.caps_spatial=nan", &["`train.kernel.caps_spatial = nan`", "from 0 to 1000000"]),
    ("--set train.kernel.caps_sigma=0", &["`train.kernel.caps_sigma = 0", "from 0.0001 to 10"]),
    (
        "--set train.network.memory=4 --set train.kernel.caps_temporal=0.1",
        &["`train.kernel.caps_temporal = 0.1`", "with `network.memory` above 0 only 0 is allowed"],
    ),
    ("--set train.checkpoint_every=0", &["`train.checkpoint_every = 0`", "from 1 to 1000000"]),
    ("--set train.keep=0", &["`train.keep = 0`", "from 1 to 1000"]),
    ("--set train.eval_episodes=0", &["`train.eval_episodes = 0`", "from 1 to 100000"]),
    ("--set train.max_rollbacks=101", &["`train.max_rollbacks = 101`", "from 0 to 100"]),
    ("--set max_step=3", &["`max_step = 3`", "did you mean `max_steps`?"]),
    ("--env k9s", &["`k9s`", "k8s, k8s-v4.6, gardener"]),
    ("--preset gale", &["`gale`", "calm, reference, storm"]),
    ("--recipe huge", &["'huge'", "standard, large"]),
    ("--learner jax", &["'jax'", "native, torch"]),
    ("--device cuda", &["--device cuda", "--learner torch"]),
    ("--set train.network.conv_channels=8", &["`train.network.conv_channels`", "native", "--learner torch"]),
    (
        "--set train.num_envs=1048576 --set train.horizon=65536",
        &["`train.num_envs = 1048576`, `train.horizon = 65536`", "GiB of memory", "is free"],
    ),
    (
        "--env gardener --set grid_size=512 --set train.num_envs=1048576 --set train.horizon=1",
        &["`train.num_envs = 1048576`", "GiB of memory"],
    ),
];

/// As in a container: what the machine has is not what the process may have.
#[cfg(target_os = "linux")]
#[test]
fn what_the_process_may_not_have_is_refused_before_it_is_taken() {
    let place = Place::new();
    let large = "--set train.num_envs=65536 --set train.horizon=64 --out out";
    for command in [
        &format!("train --seed 1 --no-monitor --threads 2 {large}"),
        "throughput --num-envs 16000000 --seconds 0.2 --threads 2",
        "throughput --train --set train.num_envs=65536 --set train.horizon=64 --seconds 0.2 --threads 2",
    ] {
        let ran = place.limited("-v 1200000", command);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{command}: {ran:?}");
        for part in ["GiB of memory, but only ", " MiB of address space (ulimit -v)"] {
            assert!(ran.stderr.contains(part), "{command}: no {part} in {ran:?}");
        }
    }
    assert!(place.names("").is_empty());
    // What fits, fits.
    let ran = place.limited("-v 1200000", &format!("train --steps 256 --seed 1 {SMALL} --out small -q"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let place = Place::new();
    for (typed, parts) in REFUSED {
        let said = place.refused(&format!("train --seed 1 {SMALL} {typed} --out out"));
        for part in *parts {
            assert!(said.contains(part), "{typed}: no {part} in {said}");
        }
    }
    for (steps, shown) in
        [("0", "'0'"), ("-5", "'-5'"), ("1e6", "'1e6'"), ("1000000000001", "'1000000000001'")]
    {
        let said = place.refused(&format!("train --seed 1 {SMALL} --steps {steps} --out out"));
        assert!(said.contains(shown) && said.contains("--steps") && said.contains("from 1 to 1000000000000"));
    }
}

#[test]
fn a_file_with_settings_of_the_training_is_refused_by_line() {
    let place = Place::new();
    place.write("mine.toml", "max_steps = 50\n\n[train]\nhorizon = 8\ngamma = 1.5\n");
    let said = place.refused("train --seed 1 --no-monitor --config mine.toml");
    assert!(
        said.contains("mine.toml, line 5: `train.gamma = 1.5`") && said.contains("from 0 to 1"),
        "{said}"
    );
    place.write("mine.toml", "max_steps = 50\n\n[train]\nhorizon = 8\ngamma = 0.5\n");
    place.ok("train --seed 1 --steps 128 --no-monitor --config mine.toml --out out");
    let config: toml::Table = place.text("out/config.toml").parse().unwrap();
    assert_eq!(
        (config["train"]["horizon"].as_integer(), config["train"]["gamma"].as_float()),
        (Some(8), Some(0.5))
    );
}

#[cfg(not(feature = "torch"))]
#[test]
fn without_libtorch_the_torch_learner_is_refused_with_a_remedy() {
    let place = Place::new();
    let said = place.refused(&format!("train --seed 1 {SMALL} --learner torch --out out"));
    for part in ["--learner torch", "cargo xtask libtorch", "--features torch"] {
        assert!(said.contains(part), "{said}");
    }
}

/// The first update takes many seconds: lines come all the same.
#[test]
fn a_long_update_says_that_it_goes_on() {
    let place = Place::new();
    let mut child = place
        .command(
            "train --seed 1 --steps 4000000 --threads 1 --no-monitor --set train.num_envs=4096 \
             --set train.horizon=256 --set train.eval_episodes=1 --out t",
        )
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with('[') && line.ends_with(" s] 0 of 3 updates\n"), "{line}");
}

/// Libtorch is refused memory in the middle of an update: the training has failed, says at what and what
/// helps, and keeps its checkpoint, which leads to where an unbroken training leads.
#[cfg(all(feature = "torch", target_os = "linux"))]
#[test]
fn a_learner_without_memory_ends_the_training_and_its_checkpoint_goes_on() {
    // One minibatch an update, of which a layer takes 64 MiB.
    let wide = "train --seed 1 --steps 49152 --learner torch --device cpu --threads 1 --set train.num_envs=8 \
                --set train.horizon=1024 --set train.minibatch=8192 --set train.epochs=1 \
                --set train.network.hidden=[2048] --set train.checkpoint_every=1 --set train.eval_episodes=1 --no-monitor --out";
    let place = Place::new();
    let mut child =
        place.under_way(&format!("{wide} broken"), "broken/checkpoints/step-000000008192.json", 1);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // Room for all of it but two of the layers or three that an update has at a time.
    let ran = place.limited(&format!("-v {}", peak - 150 * 1024), "train --resume broken --no-monitor");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let run = place.json("broken/run.json");
    assert_eq!(run["status"], "failed");
    let error = run["error"].as_str().unwrap();
    assert!(error.starts_with("cannot compute the loss of a minibatch on the device cpu: "), "{error}");
    assert!(error.ends_with(": train with a smaller `num_envs`, `minibatch` or `network.hidden`"), "{error}");
    assert!(ran.stderr.contains(error), "{}", ran.stderr);
    place.ok("train --resume broken --no-monitor");
    place.ok(&format!("{wide} unbroken"));
    assert_same(&place.trained("broken"), &place.trained("unbroken"), "without memory for a while");
}
