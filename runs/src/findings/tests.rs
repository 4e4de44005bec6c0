use std::fs;

use resonetics_envs::gardener::GardenerConfig;

use super::*;
use crate::inputs::counts::{CONFIGS, OPENED};

/// Trainings in two worlds, two seeds of two learning rates each: within a world the rate alone tells them apart,
/// whatever differs between worlds.
#[test]
fn groups_are_named_by_what_differs_in_their_world() {
    const CONFIG: &str =
        include_str!("../../../experiments/tests/analyze/learned_nothing/19456/n-2/config.toml");
    const ROWS: &str = "steps,return_mean,greedy_return,learning_rate,loss,value_loss,entropy,approx_kl,explained_variance,rollbacks\n\
                        100,1,,0.1,0,0,0,0,0,0\n200,2,,0.1,0,0,0,0,0,0\n";
    let dir = tempfile::tempdir().unwrap();
    let garden = toml::to_string(&GardenerConfig::default()).unwrap();
    let (train, _) = CONFIG.split_once("[env]\n").unwrap();
    let garden = format!(
        "{train}[env]\nname = \"gardener\"\npreset = \"reference\"\n{}",
        format!("[env.settings]\n{garden}").replace("\n[", "\n[env.settings.")
    );
    for (world, config) in [("k8s", CONFIG), ("gardener", garden.as_str())] {
        for (rate, seed) in [("0.1", 1), ("0.1", 2), ("0.2", 1), ("0.2", 2)] {
            let folder = dir.path().join(format!("{world}-{rate}-{seed}"));
            fs::create_dir(&folder).unwrap();
            let config = config
                .replace("seed = 2", &format!("seed = {seed}"))
                .replace("learning_rate = 0.0", &format!("learning_rate = {rate}"));
            fs::write(folder.join("config.toml"), config).unwrap();
            fs::write(folder.join("training.csv"), ROWS).unwrap();
        }
    }
    let mut inputs = Inputs::find(&[dir.path().to_path_buf()], false).unwrap();
    for run in 0..8 {
        assert_eq!(inputs.plan(run).unwrap().err(), None);
    }
    let trainings = super::found(&mut inputs).unwrap().trainings;
    let groups: Vec<(&str, &str)> =
        trainings.iter().map(|one| (one.world.as_str(), one.group.as_str())).collect();
    let of = |world| ["0.1", "0.1", "0.2", "0.2"].map(|rate| (world, format!("train.learning_rate={rate}")));
    let expected: Vec<(&str, String)> = of("gardener").into_iter().chain(of("k8s")).collect();
    assert_eq!(groups, expected.iter().map(|(world, group)| (*world, group.as_str())).collect::<Vec<_>>());
    let seeds: Vec<&str> = trainings.iter().filter_map(|one| one.seed.as_deref()).collect();
    assert_eq!(seeds, ["1", "2"].repeat(4));
}

/// How many config.toml are parsed and files opened for a report of `runs` benchmarks, half of which
/// have settings of their own.
fn counted(runs: usize) -> (usize, usize) {
    let dir = tempfile::tempdir().unwrap();
    for run in 0..runs {
        let folder = dir.path().join(format!("r{run}"));
        fs::create_dir(&folder).unwrap();
        let drift = 0.001 * (1 + run / 2) as f64;
        let config = format!(
            "command = \"benchmark\"\nseed = {run}\nepisodes = 2\nagents = [\"random\"]\n\
             [env]\nname = \"k8s\"\npreset = \"reference\"\n[env.settings]\nmem_drift_mu = {drift}\n"
        );
        let rows = format!("random,{run},1,5,false,true\nrandom,{},2,5,false,true\n", run + 1000);
        fs::write(folder.join("config.toml"), config).unwrap();
        fs::write(folder.join("run.json"), "{}").unwrap();
        fs::write(
            folder.join("episodes.csv"),
            format!("agent,seed,return,steps,terminated,truncated\n{rows}"),
        )
        .unwrap();
    }
    CONFIGS.set(0);
    OPENED.set(0);
    let inputs = Inputs::find(&[dir.path().to_path_buf()], false).unwrap();
    let report = report(inputs, None, "").unwrap();
    assert_eq!((report.runs.len(), report.differences[0].rows.len()), (runs, runs));
    (CONFIGS.get(), OPENED.get())
}

/// Each config.toml is parsed once, and each file opened twice (what is it, and its rows), however many
/// there are.
#[test]
fn the_work_grows_with_the_runs() {
    for runs in [10, 40] {
        assert_eq!(counted(runs), (runs, 2 * runs));
    }
}

/// Three runs of `limit`: two in one world, whose agents are compared, and one with longer lives, which is another.
/// `mem_drift_mu` itself is what is varied: that it differs makes no other world.
#[test]
fn limits_of_one_world_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    // By hand: half are lost at 0.03, and at 0.02.
    for (name, agent, life, drift, alive) in [
        ("a", "patrol", 2000, "0.005", [12, 12, 6, 0]),
        ("b", "planner", 2000, "0.006", [12, 6, 0, 0]),
        ("c", "patrol", 500, "0.005", [12, 12, 6, 0]),
    ] {
        let folder = dir.path().join(name);
        fs::create_dir(&folder).unwrap();
        let config = format!(
            "command = \"limit\"\nseed = 1\nlife = {life}\ndose = \"mem_drift_mu\"\nepisodes = 12\n\
             [env]\nname = \"k8s\"\npreset = \"reference\"\n[env.settings]\nmem_drift_mu = {drift}\n"
        );
        let mut rows = "agent,dose,episode,seed,steps,survived\n".to_owned();
        for (dose, alive) in [0.01, 0.02, 0.03, 0.04].into_iter().zip(alive) {
            for episode in 0..12 {
                let survived = episode < alive;
                rows += &format!("{agent},{dose},{episode},{},9,{survived}\n", 100 + episode);
            }
        }
        fs::write(folder.join("config.toml"), config).unwrap();
        fs::write(folder.join("run.json"), "{\"status\":\"killed\"}").unwrap();
        fs::write(folder.join("lives.csv"), rows).unwrap();
        fs::write(folder.join("doses.csv"), "agent,dose,episodes,survived,mean_life\n").unwrap();
    }
    let of = |paths: &[&str]| {
        let paths: Vec<_> = paths.iter().map(|path| dir.path().join(path)).collect();
        report(Inputs::find(&paths, false).unwrap(), None, "").unwrap()
    };
    let all = of(&[""]);
    assert_eq!(all.parts.len(), 1);
    let part = &all.parts[0];
    assert_eq!(part.question, "Which agent carries the most drift?");
    assert!(
        part.answer
            .starts_with("k8s: patrol carries the most: half are lost at a mem_drift_mu of 0.03000 (95%"),
        "{}",
        part.answer
    );
    assert!(
        part.answer.contains("k8s (c): patrol: half are lost at a mem_drift_mu of 0.03000"),
        "{}",
        part.answer
    );
    assert!(part.answer.contains("a was killed: 48 lives are there."), "{}", part.answer);
    assert_eq!(part.findings["worlds"][0]["life"], 2000);
    // The summary that was typed leads to the rows, and so does the run.
    for path in ["a", "a/doses.csv", "a/lives.csv"] {
        assert!(of(&[path]).parts[0].answer.starts_with("k8s: patrol: half are lost at"), "{path}");
    }
}
