//! Runs that agree in all settings but the seed are of one group; how the groups are called.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use resonetics_analysis::report::Run;

use super::settings::{Settings, differing, settings};
use super::{DEPTH, Input, Inputs};

/// Keys in which runs of one group may differ: the seed, how many gardens were grown under it, and how many
/// checkpoints were kept.
const OF_NO_GROUP: [&str; 3] = ["seed", "runs", "train.keep"];

/// Settings that the name of a group may tell; of more it tells [`SHORTENED`] and counts the others.
const TOLD: usize = 3;
const SHORTENED: usize = 2;

/// Characters of a value in the name of a group.
const VALUE: usize = 24;

/// Runs that agree in all settings but the seed.
struct Group<'a> {
    settings: Settings,
    /// How many files they have.
    files: usize,
    /// The name of the first run.
    run: &'a str,
}

impl Inputs {
    /// The name of the group of each of `files`. It tells the settings in which groups differ, in short
    /// where there are many, and no two groups have the same; runs that differ in nothing share their common
    /// name. A file without config.toml is a group of its own: nobody knows what its settings are.
    pub fn groups(&self, files: &[&Input]) -> Vec<String> {
        let mut trainings = Vec::new();
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut places: BTreeMap<Settings, usize> = BTreeMap::new();
        let mut of_run: BTreeMap<usize, usize> = BTreeMap::new();
        for file in files.iter().filter(|file| !self.runs[file.run].config.is_empty()) {
            let run = &self.runs[file.run];
            let place = *of_run.entry(file.run).or_insert_with(|| {
                let settings = grouping(run, &self.folders[file.run], &mut trainings);
                *places.entry(settings.clone()).or_insert_with(|| {
                    groups.push(Group { settings, files: 0, run: &run.name });
                    groups.len() - 1
                })
            });
            groups[place].files += 1;
        }
        let names = match &groups[..] {
            [Group { files: 1, run, .. }] => vec![(*run).to_owned()],
            [Group { files, .. }] => vec![format!("{files} runs")],
            _ => names(&groups),
        };
        let name = |file: &&Input| of_run.get(&file.run).map_or(&file.name, |&place| &names[place]).clone();
        files.iter().map(name).collect()
    }
}

/// The names of several groups.
fn names(groups: &[Group<'_>]) -> Vec<String> {
    let keys = differing(&groups.iter().map(|group| &group.settings).collect::<Vec<_>>());
    let told = if keys.len() > TOLD { SHORTENED } else { keys.len() };
    let more = match keys.len() - told {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut taken = BTreeSet::new();
    let name = |group: &Group<'_>| {
        // The name of a single run is shorter and clearer than some of its settings.
        let text = if group.files == 1 && !more.is_empty() {
            group.run.to_owned()
        } else {
            let each: Vec<_> = keys[..told].iter().map(|key| told_of(&group.settings, key)).collect();
            each.join(", ") + &more
        };
        // Where the settings that are told are the same, a number tells the groups apart.
        let numbered = (2..).map(|number| format!("{text} ({number})"));
        let name = [text.clone()].into_iter().chain(numbered).find(|name| !taken.contains(name));
        let name = name.unwrap_or(text);
        taken.insert(name.clone());
        name
    };
    groups.iter().map(name).collect()
}

/// A setting as the name of a group has it.
fn told_of(settings: &Settings, key: &str) -> String {
    let short = key.strip_prefix("env.").unwrap_or(key);
    let short = short.strip_prefix("settings.").unwrap_or(short);
    let value = settings.get(key).map_or("–", |value| &**value);
    if value.chars().count() <= VALUE {
        return format!("{short}={value}");
    }
    // The ends of long values, such as paths, differ more often than their beginnings.
    let skipped = value.chars().count() + 1 - VALUE;
    format!("{short}=…{}", value.chars().skip(skipped).collect::<String>())
}

/// The settings that make the group of a run. Of an agent that was trained those of its training, so that
/// trainings that differ in the seed alone are one; `trainings` are those known already, by name.
fn grouping(run: &Run, folder: &Path, trainings: &mut Vec<(Settings, String)>) -> Settings {
    let mut settings = settings(run);
    settings.retain(|key, _| !OF_NO_GROUP.contains(&&**key));
    let agent = settings.get("agent").cloned().unwrap_or_default();
    let trained = agent.strip_prefix("prophet:").and_then(|dir| training(Path::new(dir), folder));
    if let Some(training) = trained {
        let known = trainings.iter().find(|(known, _)| *known == training).map(|(_, name)| name.clone());
        let name = known.unwrap_or_else(|| {
            trainings.push((training, agent.clone()));
            agent
        });
        settings.insert("agent".to_owned(), name);
        // Which checkpoint of it played goes with its seed.
        settings.retain(|key, _| !key.starts_with("checkpoint"));
    }
    settings
}

/// The settings, seed apart, of the training in `dir`, a path from where the run in `folder` was started,
/// if it is still there.
fn training(dir: &Path, folder: &Path) -> Option<Settings> {
    let above = folder.ancestors().skip(1).take(DEPTH).map(|above| above.join(dir));
    let found = |dir: PathBuf| fs::read_to_string(dir.join("config.toml")).ok();
    let config = [dir.to_path_buf()].into_iter().chain(above).find_map(found)?;
    let mut settings = settings(&Run { config, ..Run::default() });
    settings.retain(|key, _| !OF_NO_GROUP.contains(&&**key));
    Some(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(configs: &[String]) -> Inputs {
        let run = |(number, config): (usize, &String)| Run {
            name: format!("r{number}"),
            config: config.clone(),
            ..Run::default()
        };
        Inputs {
            runs: configs.iter().enumerate().map(run).collect(),
            folders: vec![PathBuf::new(); configs.len()],
            ..Inputs::default()
        }
    }

    /// The names of the groups of runs with these `configs`, of each as many files as `of` says.
    fn groups_of(configs: &[String], of: &[usize]) -> Vec<String> {
        let file = |&run: &usize| Input { path: PathBuf::new(), run, name: "some.csv".to_owned() };
        let files: Vec<Input> = of.iter().map(file).collect();
        inputs(configs).groups(&files.iter().collect::<Vec<_>>())
    }

    fn groups(configs: &[String]) -> Vec<String> {
        groups_of(configs, &(0..configs.len()).collect::<Vec<_>>())
    }

    #[test]
    fn a_group_is_told_by_what_differs_beside_the_seed() {
        let config = |seed: u32, x: u32| format!("seed = {seed}\n[env.settings]\nx = {x}\n");
        let three = [config(1, 1), config(9, 1), config(2, 2)];
        assert_eq!(groups(&three), ["x=1", "x=1", "x=2"]);
        assert_eq!(groups(&three[..1]), ["r0"]);
        assert_eq!(groups(&three[..2]), ["2 runs", "2 runs"]);
        // Three gardens of one run.
        assert_eq!(groups_of(&three[..1], &[0, 0, 0]), ["3 runs"; 3]);
        assert_eq!(groups(&[String::new()]), ["some.csv"], "nobody knows its settings");
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
        let more = "a=0, b=0 and 3 more";
        let (second, third) = (format!("{more} (2)"), format!("{more} (3)"));
        let last = "a=1, b=1 and 3 more";
        assert_eq!(groups(pairs.as_flattened()), [more, more, &second, &second, &third, &third, last, last]);
        // One run each has a name of its own.
        assert_eq!(groups(&same_beginning.map(|values| config(1, values))), ["r0", "r1", "r2", "r3"]);
        let long = |end: char| format!("a = \"{}{end}\"\n", "long/".repeat(20));
        assert_eq!(
            groups(&[long('x'), long('y')]),
            ["a=…g/long/long/long/long/x", "a=…g/long/long/long/long/y"]
        );
    }

    /// How many gardens were grown is no setting of a garden; two trainings that differ in the seed alone
    /// are one agent.
    #[test]
    fn what_cannot_matter_makes_no_group() {
        let dir = tempfile::tempdir().unwrap();
        for (name, seed, rate) in [("t1", 1, 0.1), ("t2", 2, 0.1), ("t3", 3, 0.2)] {
            fs::create_dir(dir.path().join(name)).unwrap();
            let config =
                format!("command = \"train\"\nseed = {seed}\n[train]\nkeep = {seed}\nrate = {rate}\n");
            fs::write(dir.path().join(name).join("config.toml"), config).unwrap();
        }
        let config = |training: &str, runs: u32| {
            format!(
                "seed = {runs}\nruns = {runs}\nagent = \"prophet:{}\"\n",
                dir.path().join(training).display()
            )
        };
        assert_eq!(groups(&[config("t1", 1), config("t2", 3)]), ["2 runs", "2 runs"]);
        let all = groups(&[config("t1", 1), config("t2", 2), config("t3", 1), config("gone", 1)]);
        assert_eq!(all[0], all[1]);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 3, "{all:?}");
    }
}
