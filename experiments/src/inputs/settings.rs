//! In which settings runs differ.

use std::collections::{BTreeMap, BTreeSet};

use resonetics_analysis::report::{Cell, Run, Table};

use super::{Input, Inputs};

impl Inputs {
    /// The settings in which the runs `among` differ, seeds apart, as `key=value`, for the run of `input`;
    /// runs with the same text are of one group. Runs that differ in nothing share their common name. A
    /// file without config.toml is a group of its own: nobody knows what its settings are.
    pub fn group(&self, input: &Input, among: &[usize]) -> String {
        let run = input.run;
        if self.runs[run].config.is_empty() {
            return input.name.clone();
        }
        let keys = differing(among.iter().map(|&run| &self.runs[run]));
        let settings = flattened(&self.runs[run].config);
        let told: Vec<String> = keys
            .iter()
            .filter(|key| key.as_str() != "seed")
            .map(|key| {
                let short = key.strip_prefix("env.").unwrap_or(key);
                let short = short.strip_prefix("settings.").unwrap_or(short);
                format!("{short}={}", settings.get(key).map_or("–", String::as_str))
            })
            .collect();
        let alone = among
            .iter()
            .filter(|&&other| flattened_but_seed(&self.runs[other]) == flattened_but_seed(&self.runs[run]))
            .count()
            == 1;
        if told.len() > 3 || (told.is_empty() && alone) {
            return self.runs[run].name.clone();
        }
        if told.is_empty() { format!("{} runs", among.len()) } else { told.join(", ") }
    }

    /// The settings in which runs of the same command differ: a table a command, a row a setting.
    pub fn differences(&self) -> Vec<Table> {
        let mut of_command: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| !run.config.is_empty()) {
            let command = flattened(&run.config).remove("command").unwrap_or_default();
            of_command.entry(command).or_default().push(run);
        }
        of_command.iter().filter_map(|(command, runs)| differences(command, runs)).collect()
    }
}

fn differences(command: &str, runs: &[&Run]) -> Option<Table> {
    let names: Vec<&str> = ["setting"].into_iter().chain(runs.iter().map(|run| run.name.as_str())).collect();
    let mut table = Table::new(format!("Settings in which the runs of {command} differ"), &names);
    let settings: Vec<_> = runs.iter().map(|run| flattened(&run.config)).collect();
    for key in differing(runs.iter().copied()) {
        let value =
            |settings: &BTreeMap<String, String>| Cell::text(settings.get(&key).map_or("–", String::as_str));
        table.rows.push([Cell::text(&key)].into_iter().chain(settings.iter().map(value)).collect());
    }
    (!table.rows.is_empty()).then_some(table)
}

/// The keys of the settings that are not the same in all `runs`.
fn differing<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<String> {
    let all: Vec<_> = runs.filter(|run| !run.config.is_empty()).map(|run| flattened(&run.config)).collect();
    let keys: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let differs = |key: &&&String| all.iter().any(|settings| settings.get(**key) != all[0].get(**key));
    keys.iter().filter(differs).map(|key| (*key).clone()).collect()
}

/// A config.toml as dotted keys and values.
fn flattened(config: &str) -> BTreeMap<String, String> {
    fn add(prefix: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
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
    let mut settings = BTreeMap::new();
    if let Ok(table) = config.parse::<toml::Table>() {
        add("", &toml::Value::Table(table), &mut settings);
    }
    settings
}

/// As [`flattened`], without the seed.
fn flattened_but_seed(run: &Run) -> BTreeMap<String, String> {
    let mut settings = flattened(&run.config);
    settings.remove("seed");
    settings
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn inputs(configs: &[&str]) -> Inputs {
        let run = |(number, config): (usize, &&str)| Run {
            name: format!("r{number}"),
            config: (*config).to_owned(),
            ..Run::default()
        };
        Inputs { runs: configs.iter().enumerate().map(run).collect(), ..Inputs::default() }
    }

    #[test]
    fn a_group_is_told_by_what_differs_beside_the_seed() {
        let one = "seed = 1\n[env.settings]\nx = 1\n";
        let other = "seed = 2\n[env.settings]\nx = 2\n";
        let three = inputs(&[one, &one.replace("seed = 1", "seed = 9"), other]);
        let all = [0, 1, 2];
        let group = |run: usize, among: &[usize]| {
            three.group(&Input { path: PathBuf::new(), run, name: "some.csv".to_owned() }, among)
        };
        assert_eq!(group(0, &all), "x=1");
        assert_eq!(group(1, &all), "x=1");
        assert_eq!(group(2, &all), "x=2");
        assert_eq!(group(0, &[0]), "r0");
        assert_eq!(group(0, &[0, 1]), "2 runs");
        let table = &three.differences()[0];
        assert_eq!(
            table.rows.iter().map(|row| row[0].text.as_str()).collect::<Vec<_>>(),
            ["env.settings.x", "seed"]
        );
    }

    #[test]
    fn every_setting_has_a_line_of_its_own() {
        let settings = flattened("a = [1, 2]\n[[worlds]]\nagent = \"x\"\n[[worlds]]\nagent = \"y\"\n");
        let lines: Vec<_> = settings.iter().map(|(key, value)| format!("{key} {value}")).collect();
        assert_eq!(lines, ["a [1, 2]", "worlds.1.agent x", "worlds.2.agent y"]);
    }
}
