//! In which settings runs differ.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use resonetics_analysis::report::{Cell, Run, Table};

use super::{Input, Inputs};

/// A config.toml as dotted keys and values. Thousands of runs share the texts.
pub(super) type Settings = BTreeMap<Arc<str>, Arc<str>>;

/// Runs that stand side by side in the table of their differences; of more, each has a row.
const BESIDE: usize = 8;

/// The settings of each of `runs`: a config.toml is parsed once.
pub(super) fn of(runs: &[Run]) -> Vec<Settings> {
    let mut texts = HashSet::new();
    runs.iter().map(|run| flattened(&run.config, &mut texts)).collect()
}

impl Inputs {
    /// For each of `files`: the settings in which their runs differ, seeds apart, as `key=value`; runs
    /// with the same text are of one group. Runs that differ in nothing share their common name. A file
    /// without config.toml is a group of its own: nobody knows what its settings are.
    pub fn groups(&self, files: &[&Input]) -> Vec<String> {
        let known: Vec<&Settings> = files.iter().map(|file| &self.settings[file.run]).collect();
        let mut keys = differing(&known);
        keys.retain(|key| &**key != "seed");
        let of_known = known.iter().filter(|settings| !settings.is_empty()).count();
        files.iter().map(|file| self.group(file, &keys, of_known)).collect()
    }

    /// As [`Inputs::groups`] of one file, which is one of `among` files of runs with a config.toml, that
    /// differ in the settings `keys`.
    fn group(&self, file: &Input, keys: &[Arc<str>], among: usize) -> String {
        let (run, settings) = (&self.runs[file.run], &self.settings[file.run]);
        if run.config.is_empty() {
            return file.name.clone();
        }
        match keys.len() {
            0 if among == 1 => run.name.clone(),
            0 => format!("{among} runs"),
            1..=3 => keys.iter().map(|key| told(key, settings)).collect::<Vec<_>>().join(", "),
            _ => run.name.clone(),
        }
    }

    /// The settings in which runs of the same command differ: a table a command, a row a setting, or a
    /// row a run where there are many.
    pub fn differences(&self) -> Vec<Table> {
        let mut of_command: BTreeMap<&str, Vec<(&Run, &Settings)>> = BTreeMap::new();
        for (run, settings) in self.runs.iter().zip(&self.settings) {
            if !run.config.is_empty() {
                let command = settings.get("command").map_or("", |command| command);
                of_command.entry(command).or_default().push((run, settings));
            }
        }
        of_command.iter().filter_map(|(command, runs)| differences(command, runs)).collect()
    }
}

/// A setting as it stands in the name of a group.
fn told(key: &str, settings: &Settings) -> String {
    let short = key.strip_prefix("env.").unwrap_or(key);
    let short = short.strip_prefix("settings.").unwrap_or(short);
    format!("{short}={}", value(key, settings))
}

fn value<'a>(key: &str, settings: &'a Settings) -> &'a str {
    settings.get(key).map_or("–", |value| value)
}

fn differences(command: &str, runs: &[(&Run, &Settings)]) -> Option<Table> {
    let keys = differing(&runs.iter().map(|(_, settings)| *settings).collect::<Vec<_>>());
    let caption = format!("Settings in which the runs of {command} differ");
    let cell = |key: &str, settings: &Settings| Cell::text(value(key, settings));
    let mut table;
    if runs.len() > BESIDE {
        let names: Vec<&str> = ["run"].into_iter().chain(keys.iter().map(|key| &**key)).collect();
        table = Table::new(caption, &names);
        for (run, settings) in runs {
            let cells = keys.iter().map(|key| cell(key, settings));
            table.rows.push([Cell::text(&run.name)].into_iter().chain(cells).collect());
        }
    } else {
        let names = ["setting"].into_iter().chain(runs.iter().map(|(run, _)| run.name.as_str()));
        table = Table::new(caption, &names.collect::<Vec<_>>());
        for key in &keys {
            let cells = runs.iter().map(|(_, settings)| cell(key, settings));
            table.rows.push([Cell::text(&**key)].into_iter().chain(cells).collect());
        }
    }
    (!keys.is_empty()).then_some(table)
}

/// The keys of the settings that are not the same in all of `all`, sorted; those without any do not count.
fn differing(all: &[&Settings]) -> Vec<Arc<str>> {
    let mut all = all.iter().filter(|settings| !settings.is_empty());
    let Some(first) = all.next() else { return Vec::new() };
    let mut keys: BTreeSet<Arc<str>> = BTreeSet::new();
    for settings in all {
        let other = settings.iter().filter(|(key, value)| first.get(*key) != Some(value));
        let gone = first.iter().filter(|(key, _)| !settings.contains_key(*key));
        keys.extend(other.chain(gone).map(|(key, _)| Arc::clone(key)));
    }
    keys.into_iter().collect()
}

/// A config.toml as dotted keys and values, each text of which is in `texts`, once.
fn flattened(config: &str, texts: &mut HashSet<Arc<str>>) -> Settings {
    fn add(prefix: &str, value: &toml::Value, into: &mut dyn FnMut(&str, &str)) {
        let dotted = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(table) => table.iter().for_each(|(key, value)| add(&dotted(key), value, into)),
            toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                let items = (1_u32..).zip(items);
                items.for_each(|(number, item)| add(&dotted(&number.to_string()), item, into));
            }
            value => match value.as_str() {
                Some(text) => into(prefix, text),
                None => into(prefix, &value.to_string()),
            },
        }
    }
    #[cfg(test)]
    super::counts::CONFIGS.with(|count| count.set(count.get() + 1));
    let mut shared = |text: &str| {
        if let Some(known) = texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        texts.insert(Arc::clone(&text));
        text
    };
    let mut settings = Settings::new();
    if let Ok(table) = config.parse::<toml::Table>() {
        add("", &toml::Value::Table(table), &mut |key, value| {
            settings.insert(shared(key), shared(value));
        });
    }
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
        let runs: Vec<Run> = configs.iter().enumerate().map(run).collect();
        Inputs { settings: of(&runs), runs, ..Inputs::default() }
    }

    #[test]
    fn a_group_is_told_by_what_differs_beside_the_seed() {
        let one = "seed = 1\n[env.settings]\nx = 1\n";
        let other = "seed = 2\n[env.settings]\nx = 2\n";
        let three = inputs(&[one, &one.replace("seed = 1", "seed = 9"), other]);
        let groups = |runs: &[usize]| {
            let input = |&run: &usize| {
                let name = "some.csv".to_owned();
                Input { path: PathBuf::new(), run, name, typed: false }
            };
            let files: Vec<Input> = runs.iter().map(input).collect();
            three.groups(&files.iter().collect::<Vec<_>>())
        };
        assert_eq!(groups(&[0, 1, 2]), ["x=1", "x=1", "x=2"]);
        assert_eq!(groups(&[0]), ["r0"]);
        assert_eq!(groups(&[0, 1]), ["2 runs", "2 runs"]);
        let table = &three.differences()[0];
        assert_eq!(
            table.rows.iter().map(|row| row[0].text.as_str()).collect::<Vec<_>>(),
            ["env.settings.x", "seed"]
        );
    }

    /// A setting that only the first has, or all but the first, differs; a run without config.toml has none.
    #[test]
    fn a_setting_that_is_not_there_differs() {
        for configs in [["a = 1\nb = 1", "", "a = 1"], ["a = 1", "", "a = 1\nb = 1"]] {
            let all = inputs(&configs);
            let keys = differing(&all.settings.iter().collect::<Vec<_>>());
            assert_eq!(keys.iter().map(|key| &**key).collect::<Vec<_>>(), ["b"], "{configs:?}");
        }
    }

    /// Many runs have a row each: a column each would be wider than any page.
    #[test]
    fn many_runs_stand_below_each_other() {
        let configs: Vec<String> = (0..9).map(|seed| format!("seed = {seed}\nx = 1\n")).collect();
        let table = |count: usize| {
            let configs: Vec<&str> = configs[..count].iter().map(String::as_str).collect();
            let table = inputs(&configs).differences().remove(0);
            (table.columns[0].clone(), table.columns.len(), table.rows.len())
        };
        assert_eq!(table(8), ("setting".to_owned(), 9, 1));
        assert_eq!(table(9), ("run".to_owned(), 2, 9));
    }

    #[test]
    fn every_setting_has_a_line_of_its_own() {
        let config = "a = [1, 2]\n[[worlds]]\nagent = \"x\"\n[[worlds]]\nagent = \"y\"\n";
        let settings = flattened(config, &mut HashSet::new());
        let lines: Vec<_> = settings.iter().map(|(key, value)| format!("{key} {value}")).collect();
        assert_eq!(lines, ["a [1, 2]", "worlds.1.agent x", "worlds.2.agent y"]);
    }
}
