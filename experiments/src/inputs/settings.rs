//! In which settings runs differ.

use std::collections::{BTreeMap, BTreeSet};

use resonetics_analysis::report::{Cell, Run, Table};

use super::Inputs;
use crate::commands::Plan;

/// All settings of a run as dotted keys and values.
pub(super) type Settings = BTreeMap<String, String>;

impl Inputs {
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

/// The keys that are not the same in all of `all`.
pub(super) fn differing(all: &[&Settings]) -> Vec<String> {
    let keys: BTreeSet<&String> = all.iter().copied().flat_map(BTreeMap::keys).collect();
    let differs = |key: &&&String| all.iter().any(|settings| settings.get(**key) != all[0].get(**key));
    keys.iter().filter(differs).map(|key| (*key).clone()).collect()
}

/// The settings of `run`, those that its config.toml is too old to name among them.
pub(super) fn settings(run: &Run) -> Settings {
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
    use super::*;

    #[test]
    fn the_settings_in_which_runs_differ_are_a_table() {
        let run = |seed: u32, x: u32| Run {
            config: format!("seed = {seed}\n[env.settings]\nx = {x}\ny = 1\n"),
            ..Run::default()
        };
        let inputs = Inputs { runs: vec![run(1, 1), run(9, 1), run(2, 2)], ..Inputs::default() };
        let table = &inputs.differences()[0];
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
