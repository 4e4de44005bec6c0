//! In which settings runs differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use resonetics_analysis::report::{Cell, Run, Table};

use super::Inputs;
use crate::commands::Plan;

/// All settings of a run as dotted keys and values.
type Settings = BTreeMap<String, String>;

/// Keys in which runs of one group may differ: the seed, how many gardens were grown under it, and how many
/// checkpoints were kept.
const OF_NO_GROUP: [&str; 3] = ["seed", "runs", "train.keep"];

/// Settings that the name of a group may tell; of more it tells [`SHORTENED`] and counts the others.
const TOLD: usize = 3;
const SHORTENED: usize = 2;

/// Characters of a value in the name of a group.
const VALUE: usize = 24;

impl Inputs {
    /// The names of the groups of the runs `among`, by run: runs are of one group if they agree in all
    /// settings but the seed. A name tells the settings in which groups differ, in short where there are
    /// many, and no two groups have the same. A run without config.toml has none: nobody knows what its
    /// settings are.
    pub fn groups(&self, among: &[usize]) -> BTreeMap<usize, String> {
        let mut trainings = Vec::new();
        // The groups in the order of their first runs; how many files and which runs are of each.
        let mut groups: Vec<(Settings, usize, BTreeSet<usize>)> = Vec::new();
        let mut places: BTreeMap<Settings, usize> = BTreeMap::new();
        let mut known: BTreeMap<usize, usize> = BTreeMap::new();
        for &run in among.iter().filter(|&&run| !self.runs[run].config.is_empty()) {
            let place = *known.entry(run).or_insert_with(|| {
                let settings = grouping(&self.runs[run], &self.folders[run], &mut trainings);
                *places.entry(settings.clone()).or_insert_with(|| {
                    groups.push((settings, 0, BTreeSet::new()));
                    groups.len() - 1
                })
            });
            groups[place].1 += 1;
            groups[place].2.insert(run);
        }
        let single = |(_, files, runs): &(Settings, usize, BTreeSet<usize>)| {
            runs.first().filter(|_| *files == 1).map(|&run| self.runs[run].name.as_str())
        };
        let names = if let [(_, files, _)] = &groups[..] {
            vec![single(&groups[0]).map_or_else(|| format!("{files} runs"), str::to_owned)]
        } else {
            let settings: Vec<&Settings> = groups.iter().map(|group| &group.0).collect();
            names(&settings, &groups.iter().map(single).collect::<Vec<_>>())
        };
        known.into_iter().map(|(run, place)| (run, names[place].clone())).collect()
    }

    /// The settings in which runs of the same command differ: a table a command, a row a setting.
    pub fn differences(&self) -> Vec<Table> {
        let mut of_command: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| !run.config.is_empty()) {
            let command = settings(run).remove("command").unwrap_or_default();
            of_command.entry(command).or_default().push(run);
        }
        of_command.iter().filter_map(|(command, runs)| differences(command, runs)).collect()
    }
}

fn differences(command: &str, runs: &[&Run]) -> Option<Table> {
    let names: Vec<&str> = ["setting"].into_iter().chain(runs.iter().map(|run| run.name.as_str())).collect();
    let mut table = Table::new(format!("Settings in which the runs of {command} differ"), &names);
    let settings: Vec<Settings> = runs.iter().map(|run| settings(run)).collect();
    for key in differing(&settings.iter().collect::<Vec<_>>()) {
        let value = |settings: &Settings| Cell::text(settings.get(&key).map_or("–", String::as_str));
        table.rows.push([Cell::text(&key)].into_iter().chain(settings.iter().map(value)).collect());
    }
    (!table.rows.is_empty()).then_some(table)
}

/// The names of groups with these `settings`; `single` is the name of a group's only run.
fn names(settings: &[&Settings], single: &[Option<&str>]) -> Vec<String> {
    let keys = differing(settings);
    let told = if keys.len() > TOLD { SHORTENED } else { keys.len() };
    let more = match keys.len() - told {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut taken = BTreeSet::new();
    let name = |(settings, single): (&&Settings, &Option<&str>)| {
        // Shorter and clearer than some of its settings.
        let text = match single.filter(|_| !more.is_empty()) {
            Some(run) => run.to_owned(),
            None => {
                let each: Vec<_> = keys[..told].iter().map(|key| told_of(settings, key)).collect();
                each.join(", ") + &more
            }
        };
        // Where the settings that are told are the same, a number tells the groups apart.
        let numbered = (2..).map(|number| format!("{text} ({number})"));
        let name = [text.clone()].into_iter().chain(numbered).find(|name| !taken.contains(name));
        let name = name.unwrap_or(text);
        taken.insert(name.clone());
        name
    };
    settings.iter().zip(single).map(name).collect()
}

/// A setting as the name of a group has it.
fn told_of(settings: &Settings, key: &str) -> String {
    let short = key.strip_prefix("env.").unwrap_or(key);
    let short = short.strip_prefix("settings.").unwrap_or(short);
    let value = settings.get(key).map_or("–", String::as_str);
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
    settings.retain(|key, _| !OF_NO_GROUP.contains(&key.as_str()));
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
    let above = folder.ancestors().skip(1).take(super::DEPTH).map(|above| above.join(dir));
    let found = |dir: std::path::PathBuf| fs::read_to_string(dir.join("config.toml")).ok();
    let config = [dir.to_path_buf()].into_iter().chain(above).find_map(found)?;
    let mut settings = settings(&Run { config, ..Run::default() });
    settings.retain(|key, _| !OF_NO_GROUP.contains(&key.as_str()));
    Some(settings)
}

/// The keys that are not the same in all of `all`.
fn differing(all: &[&Settings]) -> Vec<String> {
    let keys: BTreeSet<&String> = all.iter().copied().flat_map(BTreeMap::keys).collect();
    let differs = |key: &&&String| all.iter().any(|settings| settings.get(**key) != all[0].get(**key));
    keys.iter().filter(differs).map(|key| (*key).clone()).collect()
}

/// The settings of `run`, those that its config.toml is too old to name among them.
fn settings(run: &Run) -> Settings {
    let whole = Plan::parse(&run.config).ok().and_then(|plan| toml::to_string(&plan).ok());
    flattened(whole.as_deref().unwrap_or(&run.config))
}

/// A config.toml as dotted keys and values.
fn flattened(config: &str) -> Settings {
    fn add(prefix: &str, value: &toml::Value, into: &mut Settings) {
        let dotted = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(table) => table.iter().for_each(|(key, value)| add(&dotted(key), value, into)),
            toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                let items = (1_u32..).zip(items);
                items.for_each(|(number, item)| add(&dotted(&number.to_string()), item, into));
            }
            value => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                into.insert(prefix.to_owned(), text);
            }
        }
    }
    let mut settings = Settings::new();
    if let Ok(table) = config.parse::<toml::Table>() {
        add("", &toml::Value::Table(table), &mut settings);
    }
    settings
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

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

    #[test]
    fn every_setting_has_a_line_of_its_own() {
        let settings = flattened("a = [1, 2]\n[[worlds]]\nagent = \"x\"\n[[worlds]]\nagent = \"y\"\n");
        let lines: Vec<_> = settings.iter().map(|(key, value)| format!("{key} {value}")).collect();
        assert_eq!(lines, ["a [1, 2]", "worlds.1.agent x", "worlds.2.agent y"]);
    }
}
