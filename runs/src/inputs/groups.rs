//! Which runs are of one group, and in which settings runs differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use resonetics_analysis::report::{Cell, Run, Table};

use super::Inputs;
use super::settings::Settings;
use crate::trained::PROPHET;

/// Keys in which runs of one group may differ: the seed, how many gardens were grown under it, and how many
/// checkpoints were kept.
const OF_NO_GROUP: [&str; 3] = ["seed", "runs", "train.keep"];

/// Settings that the name of a group may tell; of more it tells [`SHORTENED`] and counts the others.
const TOLD: usize = 3;
const SHORTENED: usize = 2;

/// Characters of a value in the name of a group.
const VALUE: usize = 24;

/// Runs that stand side by side in the table of their differences; of more each has a row.
const BESIDE: usize = 8;

impl Inputs {
    /// The names of the groups of the runs `among`, by run: runs are of one group if they agree in all
    /// settings but the seed. A name tells the settings in which groups differ, in short where there are
    /// many, and no two groups have the same. A run without config.toml has none: nobody knows what its
    /// settings are.
    pub fn groups(&self, among: &[usize]) -> BTreeMap<usize, String> {
        // The agents of trainings that differ in the seed alone have one name, that of the first.
        let mut trainings: HashMap<String, Arc<str>> = HashMap::new();
        // The groups in the order of their first runs; how many files and which runs are of each.
        let mut groups: Vec<(Settings, usize, BTreeSet<usize>)> = Vec::new();
        let mut places: BTreeMap<Settings, usize> = BTreeMap::new();
        let mut known: BTreeMap<usize, usize> = BTreeMap::new();
        for &run in among.iter().filter(|&&run| !self.runs[run].config.is_empty()) {
            let place = *known.entry(run).or_insert_with(|| {
                let mut settings = self.settings[run].clone();
                settings.retain(|key, _| !OF_NO_GROUP.contains(&&**key));
                let agent = settings.get("agent").cloned();
                if let Some(agent) = agent
                    && let Some(training) =
                        agent.strip_prefix(PROPHET).and_then(|typed| self.training(typed, run))
                {
                    settings.insert("agent".into(), Arc::clone(trainings.entry(training).or_insert(agent)));
                    // Which checkpoint of it played goes with its seed; whether it drew its actions does not.
                    settings.retain(|key, _| !key.starts_with("checkpoint") || key.ends_with(".sample"));
                }
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

    /// The seed of a run, where its config.toml tells it.
    pub fn seed(&self, run: usize) -> Option<String> {
        self.settings[run].get("seed").map(ToString::to_string)
    }

    /// The settings in which runs of the same command differ: a table a command, a row a setting, or a row
    /// a run where there are many.
    pub fn differences(&self) -> Vec<Table> {
        let mut of_command: BTreeMap<&str, Vec<(&Run, &Settings)>> = BTreeMap::new();
        for (run, settings) in self.runs.iter().zip(&self.settings) {
            if !run.config.is_empty() {
                of_command.entry(value(settings, "command")).or_default().push((run, settings));
            }
        }
        of_command.iter().filter_map(|(command, runs)| differences(command, runs)).collect()
    }
}

fn differences(command: &str, runs: &[(&Run, &Settings)]) -> Option<Table> {
    let keys = differing(&runs.iter().map(|(_, settings)| *settings).collect::<Vec<_>>());
    let command = if command == UNKNOWN { "" } else { command };
    let caption = format!("Settings in which the runs of {command} differ");
    let cell = |settings: &Settings, key: &str| Cell::text(value(settings, key));
    let mut table;
    if runs.len() > BESIDE {
        let names: Vec<&str> = ["run"].into_iter().chain(keys.iter().map(|key| &**key)).collect();
        table = Table::new(caption, &names);
        for (run, settings) in runs {
            let cells = keys.iter().map(|key| cell(settings, key));
            table.rows.push([Cell::text(&run.name)].into_iter().chain(cells).collect());
        }
    } else {
        let names = ["setting"].into_iter().chain(runs.iter().map(|(run, _)| run.name.as_str()));
        table = Table::new(caption, &names.collect::<Vec<_>>());
        for key in &keys {
            let cells = runs.iter().map(|(_, settings)| cell(settings, key));
            table.rows.push([Cell::text(&**key)].into_iter().chain(cells).collect());
        }
    }
    (!keys.is_empty()).then_some(table)
}

/// What stands for a setting that is not there.
const UNKNOWN: &str = "–";

fn value<'a>(settings: &'a Settings, key: &str) -> &'a str {
    settings.get(key).map_or(UNKNOWN, |value| value)
}

/// The names of groups with these `settings`; `single` is the name of a group's only run.
fn names(settings: &[&Settings], single: &[Option<&str>]) -> Vec<String> {
    let mut keys = differing(settings);
    let count = keys.len();
    if count > TOLD {
        keys = telling(settings, keys);
    }
    let more = match count - keys.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut taken: HashMap<String, usize> = HashMap::new();
    let name = |(settings, single): (&&Settings, Option<&str>)| {
        // Shorter and clearer than some of its settings.
        let text = if let Some(run) = single.filter(|_| !more.is_empty()) {
            run.to_owned()
        } else {
            let each: Vec<_> = keys.iter().map(|key| told_of(settings, key)).collect();
            each.join(", ") + &more
        };
        // Where the settings that are told are the same, a number tells the groups apart.
        let mut name = text.clone();
        while taken.contains_key(&name) {
            let number = taken.entry(text.clone()).or_insert(1);
            *number += 1;
            name = format!("{text} ({number})");
        }
        taken.insert(name.clone(), 1);
        name
    };
    settings.iter().zip(single.iter().copied()).map(name).collect()
}

/// The [`SHORTENED`] of `keys` that tell the most of `settings` apart, one after the other; the first where
/// several tell as many.
fn telling(settings: &[&Settings], mut keys: Vec<Arc<str>>) -> Vec<Arc<str>> {
    // Settings that the keys chosen so far do not tell apart have the same number.
    let mut class = vec![0; settings.len()];
    let mut chosen = Vec::new();
    for _ in 0..SHORTENED.min(keys.len()) {
        let told = |key: &str| {
            let mut numbers = HashMap::new();
            let number = |(settings, class): (&&Settings, &usize)| {
                let next = numbers.len();
                *numbers.entry((*class, value(settings, key).to_owned())).or_insert(next)
            };
            let classes: Vec<usize> = settings.iter().zip(&class).map(number).collect();
            (numbers.len(), classes)
        };
        let mut best = (0, 0, Vec::new());
        for (place, key) in keys.iter().enumerate() {
            let (count, classes) = told(key);
            if count > best.0 {
                best = (count, place, classes);
            }
        }
        chosen.push(keys.remove(best.1));
        class = best.2;
    }
    chosen.sort();
    chosen
}

/// A setting as the name of a group has it.
fn told_of(settings: &Settings, key: &str) -> String {
    let short = key.strip_prefix("env.").unwrap_or(key);
    let short = short.strip_prefix("settings.").unwrap_or(short);
    let value = value(settings, key);
    if value.chars().count() <= VALUE {
        return format!("{short}={value}");
    }
    // The ends of long values, such as paths, differ more often than their beginnings.
    let skipped = value.chars().count() + 1 - VALUE;
    format!("{short}=…{}", value.chars().skip(skipped).collect::<String>())
}

/// The keys that are not the same in all of `all`, sorted.
fn differing(all: &[&Settings]) -> Vec<Arc<str>> {
    let Some((first, others)) = all.split_first() else { return Vec::new() };
    let mut keys: BTreeSet<Arc<str>> = BTreeSet::new();
    for settings in others {
        let other = settings.iter().filter(|(key, value)| first.get(*key) != Some(value));
        let gone = first.iter().filter(|(key, _)| !settings.contains_key(*key));
        keys.extend(other.chain(gone).map(|(key, _)| Arc::clone(key)));
    }
    keys.into_iter().collect()
}

#[cfg(test)]
mod tests;
