//! In which settings runs differ.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use resonetics_analysis::report::{Cell, Run, Table};

use super::Inputs;
use super::filled::filled;
use crate::commands::Plan;

/// All settings of a run as dotted keys and values. Thousands of runs share the texts.
pub(super) type Settings = BTreeMap<Arc<str>, Arc<str>>;

/// What config.toml says, as it is planned, where it is that of a command that can be repeated.
pub(super) type Planned = Option<Result<Plan, String>>;

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

/// Reads each config.toml once, for all who ask what it says.
#[derive(Default)]
pub(super) struct Reader {
    texts: HashSet<Arc<str>>,
    /// Settings that the config.toml read last lacks and its plan has the program's own values for.
    pub(super) lacking: Vec<String>,
}

impl Inputs {
    /// The names of the groups of the runs `among`, by run: runs are of one group if they agree in all
    /// settings but the seed. A name tells the settings in which groups differ, in short where there are
    /// many, and no two groups have the same. A run without config.toml has none: nobody knows what its
    /// settings are.
    pub fn groups(&self, among: &[usize]) -> BTreeMap<usize, String> {
        let (mut trainings, mut reader) = (BTreeMap::new(), Reader::default());
        // The groups in the order of their first runs; how many files and which runs are of each.
        let mut groups: Vec<(Settings, usize, BTreeSet<usize>)> = Vec::new();
        let mut places: BTreeMap<Settings, usize> = BTreeMap::new();
        let mut known: BTreeMap<usize, usize> = BTreeMap::new();
        for &run in among.iter().filter(|&&run| !self.runs[run].config.is_empty()) {
            let place = *known.entry(run).or_insert_with(|| {
                let mut settings = self.settings[run].clone();
                grouped(&mut settings, &self.folders[run], &mut trainings, &mut reader);
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

/// Leaves of the `settings` of a run those that make its group. Of an agent that was trained they are those
/// of its training, so that trainings that differ in the seed alone are one; `trainings` are those known
/// already, with their names.
fn grouped(
    settings: &mut Settings,
    folder: &Path,
    trainings: &mut BTreeMap<Settings, Arc<str>>,
    reader: &mut Reader,
) {
    settings.retain(|key, _| !OF_NO_GROUP.contains(&&**key));
    let Some(agent) = settings.get("agent").cloned() else { return };
    let trained = agent.strip_prefix("prophet:").and_then(|dir| training(Path::new(dir), folder, reader));
    if let Some(training) = trained {
        let name = Arc::clone(trainings.entry(training).or_insert(agent));
        settings.insert("agent".into(), name);
        // Which checkpoint of it played goes with its seed.
        settings.retain(|key, _| !key.starts_with("checkpoint"));
    }
}

/// The settings, seed apart, of the training in `dir`, a path from where the run in `folder` was started,
/// if it is still there.
fn training(dir: &Path, folder: &Path, reader: &mut Reader) -> Option<Settings> {
    let above = folder.ancestors().skip(1).take(super::DEPTH).map(|above| above.join(dir));
    let found = |dir: std::path::PathBuf| {
        let config = dir.join("config.toml");
        config.is_file().then(|| fs::read_to_string(config).ok())?
    };
    let config = [dir.to_path_buf()].into_iter().chain(above).find_map(found)?;
    let (_, mut settings) = reader.read(&config);
    settings.retain(|key, _| !OF_NO_GROUP.contains(&&**key));
    Some(settings)
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

impl Reader {
    /// What a config.toml plans, and its settings, those that it is too old to name among them.
    pub(super) fn read(&mut self, config: &str) -> (Planned, Settings) {
        #[cfg(test)]
        super::counts::CONFIGS.with(|count| count.set(count.get() + 1));
        let plan = (!config.is_empty()).then(|| Plan::parse(config));
        self.lacking.clear();
        let plan = plan.map(|plan| {
            plan.or_else(|problem| {
                let (plan, lacking) = filled(config).ok_or(problem)?;
                self.lacking = lacking;
                Ok(plan)
            })
        });
        let whole = plan.as_ref().and_then(|plan| toml::Table::try_from(plan.as_ref().ok()?).ok());
        let mut table = whole.or_else(|| config.parse().ok()).unwrap_or_default();
        // Which one it was nobody knows.
        if self.lacking.iter().any(|key| key == "seed") {
            table.remove("seed");
        }
        (plan, self.flattened(table))
    }

    /// A table as dotted keys and values.
    fn flattened(&mut self, table: toml::Table) -> Settings {
        fn add(prefix: &str, value: &toml::Value, into: &mut dyn FnMut(&str, &str)) {
            let dotted =
                |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::Table(table) => {
                    table.iter().for_each(|(key, value)| add(&dotted(key), value, into));
                }
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
        let mut shared = |text: &str| {
            if let Some(known) = self.texts.get(text) {
                return Arc::clone(known);
            }
            let text: Arc<str> = text.into();
            self.texts.insert(Arc::clone(&text));
            text
        };
        let mut settings = Settings::new();
        add("", &toml::Value::Table(table), &mut |key, value| {
            settings.insert(shared(key), shared(value));
        });
        settings
    }
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
            format!(
                "{command}seed = 1\nlearner = \"native\"\n[train]\ngamma = 0.5\n[env]\nname = \"gardener\"\n"
            )
        };
        let all = inputs(&[
            both[1].clone(),
            train("command = \"train\"\nsteps = 1024\n"),
            train("command = \"train\"\n"),
        ]);
        assert!(
            matches!(all.plan(0), Some(Ok(Plan::Drift(plan))) if plan.steps == 9 && plan.batch_size == 1)
        );
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
}
