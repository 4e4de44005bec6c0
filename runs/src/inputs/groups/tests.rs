use std::fs;
use std::path::PathBuf;

use super::*;
use crate::inputs::settings::Reader;
use crate::plan::Plan;

fn inputs(configs: &[String]) -> Inputs {
    let run = |(number, config): (usize, &String)| Run {
        name: format!("r{number}"),
        config: config.clone(),
        ..Run::default()
    };
    let mut inputs = Inputs {
        runs: configs.iter().enumerate().map(run).collect(),
        folders: vec![PathBuf::new(); configs.len()],
        ..Inputs::default()
    };
    inputs.read_settings().unwrap();
    inputs
}

/// The names of the groups of runs with these `configs`, run by run.
fn groups(configs: &[String]) -> Vec<String> {
    let among: Vec<usize> = (0..configs.len()).collect();
    inputs(configs).groups(&among).into_values().collect()
}

#[test]
fn a_group_is_told_by_what_differs_beside_the_seed() {
    let config = |seed: u32, x: u32| format!("seed = {seed}\n[env.settings]\nx = {x}\n");
    let three = [config(1, 1), config(9, 1), config(2, 2)];
    assert_eq!(groups(&three), ["x=1", "x=1", "x=2"]);
    assert_eq!(groups(&three[..1]), ["r0"]);
    assert_eq!(groups(&three[..2]), ["2 runs", "2 runs"]);
    // Three gardens of one run.
    assert_eq!(inputs(&three[..1]).groups(&[0, 0, 0])[&0], "3 runs");
    assert_eq!(inputs(&[String::new()]).groups(&[0]).len(), 0, "nobody knows its settings");
    let table = &inputs(&three).differences()[0];
    assert_eq!(
        table.rows.iter().map(|row| row[0].text.as_str()).collect::<Vec<_>>(),
        ["env.settings.x", "seed"]
    );
}

/// However many settings differ, seeds stay together, and groups with the same short name apart.
#[test]
fn many_differences_shorten_a_name_and_split_nothing() {
    let config = |seed: u32, values: [u32; 5]| {
        let [a, b, c, d, e] = values;
        format!("seed = {seed}\na = {a}\nb = {b}\nc = {c}\nd = {d}\ne = {e}\n")
    };
    for (differ, [one, other]) in [
        ([1, 2, 3, 0, 0], ["a=0, b=0, c=0", "a=1, b=2, c=3"]),
        ([1, 2, 3, 4, 0], ["a=0, b=0 and 2 more", "a=1, b=2 and 2 more"]),
        ([1, 2, 3, 4, 5], ["a=0, b=0 and 3 more", "a=1, b=2 and 3 more"]),
    ] {
        let four = [config(1, [0; 5]), config(1, differ), config(2, [0; 5]), config(2, differ)];
        assert_eq!(groups(&four), [one, other, one, other]);
    }
    let same_beginning = [[0; 5], [0, 0, 0, 0, 1], [0, 0, 1, 1, 0], [1, 1, 0, 0, 0]];
    let pairs = same_beginning.map(|values| [config(1, values), config(2, values)]);
    // Two settings cannot tell four groups apart that no pair of them does: those that tell the most are told.
    let more = "a=0, c=0 and 3 more";
    let second = format!("{more} (2)");
    let (third, last) = ("a=0, c=1 and 3 more", "a=1, c=0 and 3 more");
    assert_eq!(groups(pairs.as_flattened()), [more, more, &second, &second, third, third, last, last]);
    let apart = [[0; 5], [0, 0, 0, 1, 1], [1, 1, 1, 0, 2], [1, 1, 1, 1, 3]];
    let names = groups(apart.map(|values| [config(1, values), config(2, values)]).as_flattened());
    assert_eq!(names[2], "a=0, e=1 and 3 more");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 4);
    // One run each has a name of its own.
    assert_eq!(groups(&same_beginning.map(|values| config(1, values))), ["r0", "r1", "r2", "r3"]);
    let long = |end: char| format!("a = \"{}{end}\"\n", "long/".repeat(20));
    assert_eq!(groups(&[long('x'), long('y')]), ["a=…g/long/long/long/long/x", "a=…g/long/long/long/long/y"]);
}

/// How many gardens were grown is no setting of a garden; two trainings that differ in the seed alone
/// are one agent.
#[test]
fn what_cannot_matter_makes_no_group() {
    let dir = tempfile::tempdir().unwrap();
    for (name, seed, rate) in [("t1", 1, 0.1), ("t2", 2, 0.1), ("t3", 3, 0.2)] {
        fs::create_dir(dir.path().join(name)).unwrap();
        let config = format!("command = \"train\"\nseed = {seed}\n[train]\nkeep = {seed}\nrate = {rate}\n");
        fs::write(dir.path().join(name).join("config.toml"), config).unwrap();
    }
    let config = |training: &str, runs: u32| {
        format!("seed = {runs}\nruns = {runs}\nagent = \"prophet:{}\"\n", dir.path().join(training).display())
    };
    assert_eq!(groups(&[config("t1", 1), config("t2", 3)]), ["2 runs", "2 runs"]);
    let all = groups(&[config("t1", 1), config("t2", 2), config("t3", 1), config("gone", 1)]);
    assert_eq!(all[0], all[1]);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 3, "{all:?}");
}

/// Many runs have a row each: a column each would be wider than any page.
#[test]
fn many_runs_stand_below_each_other() {
    let configs: Vec<String> = (0..9).map(|seed| format!("seed = {seed}\nx = 1\n")).collect();
    let table = |count: usize| {
        let table = inputs(&configs[..count]).differences().remove(0);
        (table.columns[0].clone(), table.columns.len(), table.rows.len())
    };
    assert_eq!(table(8), ("setting".to_owned(), 9, 1));
    assert_eq!(table(9), ("run".to_owned(), 2, 9));
}

/// A setting that only the first has, or all but the first, differs.
#[test]
fn a_setting_that_is_not_there_differs() {
    for configs in [["a = 1\nb = 1", "a = 1"], ["a = 1", "a = 1\nb = 1"]] {
        let all = inputs(&configs.map(str::to_owned));
        let keys = differing(&all.settings.iter().collect::<Vec<_>>());
        assert_eq!(keys.iter().map(|key| &**key).collect::<Vec<_>>(), ["b"], "{configs:?}");
    }
}

/// A key that was lost splits no group and leaves the plan known; one that nobody can guess does not.
#[test]
fn a_config_that_lacks_a_setting_still_plans() {
    let drift = |seed: u32, batch: &str| {
        format!(
            "command = \"drift\"\nseed = {seed}\nsteps = 9\n{batch}kernel = true\ntune = true\nrisk_target = \"sigmoid\"\n"
        )
    };
    let both = [drift(1, "batch_size = 1\n"), drift(2, "")];
    assert_eq!(groups(&both), ["2 runs", "2 runs"]);
    let train = |command: &str| {
        format!("{command}seed = 1\nlearner = \"native\"\n[train]\ngamma = 0.5\n[env]\nname = \"gardener\"\n")
    };
    let all = inputs(&[
        both[1].clone(),
        train("command = \"train\"\nsteps = 1024\n"),
        train("command = \"train\"\n"),
    ]);
    assert!(matches!(all.plan(0), Some(Ok(Plan::Drift(plan))) if plan.steps == 9 && plan.batch_size == 1));
    assert!(all.notes[0].contains("its config.toml lacks batch_size, for which"), "{:?}", all.notes);
    let Some(Ok(Plan::Train(plan))) = all.plan(1) else { panic!("a training") };
    // The garden's own recipe, and what was written.
    assert_eq!((plan.train.num_envs, plan.train.gamma, plan.env.preset.as_str()), (4, 0.5, "reference"));
    assert!(matches!(all.plan(2), Some(Err(_))));
    assert_eq!(all.setting(2, "env.name"), Some("gardener"));
    let without = inputs(&[drift(1, "").replace("seed = 1\n", "")]);
    assert!(matches!(without.plan(0), Some(Ok(_))));
    assert_eq!(without.setting(0, "seed"), None);
}

#[test]
fn every_setting_has_a_line_of_its_own() {
    let config = "a = [1, 2]\n[[worlds]]\nagent = \"x\"\n[[worlds]]\nagent = \"y\"\n";
    let (_, settings) = Reader::default().read(config);
    let lines: Vec<_> = settings.iter().map(|(key, value)| format!("{key} {value}")).collect();
    assert_eq!(lines, ["a [1, 2]", "worlds.1.agent x", "worlds.2.agent y"]);
}
