//! A run in a line: what it was asked to do, how far it is, what came of it. Read from the ends of its files,
//! and again only when they have changed.

use std::path::Path;
use std::time::SystemTime;

use resonetics_runs::run_dir::held;
use resonetics_runs::trained::PROPHET;
use resonetics_runs::training::Train;
use serde::Serialize;
use serde_json::Value;
use toml::Table;

use super::ends::{json, regular, start};

mod result;

/// What a row is made of; of a file that is not there, or is none, nothing.
const FILES: [&str; 9] = [
    "run.json",
    "config.toml",
    "training.csv",
    "drift.csv",
    "resonetics_data.csv",
    "benchmark.csv",
    "summary.csv",
    "eval.json",
    "throughput.json",
];
/// What a training is played from.
const BEST: &str = "checkpoints/best.json";

/// A run as the page lists it. Numbers that a browser would round are texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Row {
    /// Its path below the directory, by `/`.
    name: String,
    command: Option<String>,
    /// World and, unless it is the usual one, preset, of each world.
    worlds: Vec<String>,
    agents: Vec<String>,
    /// How the trained ones came about, and after how many steps.
    recipes: Vec<String>,
    /// Whether the control layer is on, in a run with one world.
    control: Option<bool>,
    seed: Option<String>,
    started_at: Option<String>,
    status: Option<String>,
    /// Steps or generations so far.
    steps: Option<u64>,
    /// Those that were asked for.
    planned: Option<u64>,
    /// The number that counts most, in words.
    result: Option<String>,
    /// What the result sorts by.
    value: Option<f64>,
    /// Whether it can be watched at play.
    trained: bool,
}

/// How long each file is and when it was written.
type Stamp = [Option<(u64, Option<SystemTime>)>; FILES.len()];

/// A row and the files that it was made of.
pub(super) struct Known {
    stamp: Stamp,
    row: Row,
    /// Whether a process was at work there, which only a lock tells; none if it had ended, or there is no telling.
    at_work: Option<bool>,
}

/// Whether a process is at work in the run in `folder`; none if there is no telling.
pub(super) fn at_work(folder: &Path) -> Option<bool> {
    regular(&folder.join("config.toml")).and_then(|_| held(folder))
}

impl Known {
    /// The run in `folder`, from `before` as far as its files are the same.
    pub(super) fn of(folder: &Path, name: &str, before: Option<Known>) -> Known {
        let file = |name: &str| {
            let metadata = regular(&folder.join(name))?;
            Some((metadata.len(), metadata.modified().ok()))
        };
        // A run that has ended is at work again only after its run.json has changed.
        let ended = before.as_ref().is_some_and(|known| known.row.status.as_deref() != Some("running"));
        // Before run.json is read: a run that ends in between has written how.
        let at_work = if ended { None } else { at_work(folder) };
        let stamp = FILES.map(file);
        let row = match before {
            Some(known) if known.stamp == stamp => known.row,
            _ => Row::read(folder, name),
        };
        let trained = row.command.as_deref() == Some("train") && regular(&folder.join(BEST)).is_some();
        Known { stamp, row: Row { trained, ..row }, at_work }
    }

    /// What the page is told.
    pub(super) fn row(&self) -> Row {
        let mut row = self.row.clone();
        if self.at_work == Some(false) && row.status.as_deref() == Some("running") {
            row.status = Some("killed".to_owned());
        }
        row
    }
}

impl Row {
    fn read(folder: &Path, name: &str) -> Row {
        let record = json(&folder.join("run.json")).filter(Value::is_object);
        let text = |key| record.as_ref()?.get(key)?.as_str().map(str::to_owned);
        let seed = record.as_ref().and_then(|record| Some(record.get("seed")?.as_u64()?.to_string()));
        let status = match text("status") {
            None if record.is_none() => Some("run.json cannot be read".to_owned()),
            status => status,
        };
        let mut row = Row {
            name: name.to_owned(),
            command: text("command"),
            seed,
            started_at: text("started_at"),
            status,
            ..Row::default()
        };
        let text = start(&folder.join("config.toml"));
        let config = text.as_ref().and_then(|text| text.parse::<Table>().ok());
        if let Some(config) = config {
            let training = text.and_then(|text| Train::parse(&text).ok().flatten());
            row.recipes = training.map_or_else(|| recipes(&config), |training| vec![training.recipe()]);
            row.worlds = each(&config, world);
            row.agents = agents(&config);
            row.control = config
                .get("env")
                .and_then(|env| env.get("settings")?.get("control")?.get("enabled")?.as_bool());
            // What a training was begun for, or extended to since.
            let extended = config.get("extended").and_then(toml::Value::as_array);
            let last = extended.and_then(|all| all.last()?.get("steps"));
            let steps = last.or(["steps", "generations"].into_iter().find_map(|key| config.get(key)));
            row.planned = steps.and_then(toml::Value::as_integer).and_then(|steps| steps.try_into().ok());
        }
        if let Some(command) = &row.command {
            let found = result::of(folder, command);
            (row.steps, row.result) = (found.steps, found.text);
            row.value = found.value.filter(|value| value.is_finite());
        }
        row
    }
}

/// What a config.toml says of its world, or of those that it lists, each once.
fn each(config: &Table, of: impl Fn(&Table) -> Option<String>) -> Vec<String> {
    let worlds = config.get("worlds").and_then(toml::Value::as_array).into_iter().flatten();
    let listed = worlds.filter_map(|world| of(world.as_table()?));
    let mut found: Vec<String> = of(config).into_iter().chain(listed).collect();
    found.dedup();
    found
}

fn world(table: &Table) -> Option<String> {
    let env = table.get("env")?;
    let name = env.get("name")?.as_str()?;
    let preset = env.get("preset").and_then(toml::Value::as_str).filter(|preset| *preset != "reference");
    Some(preset.map_or_else(|| name.to_owned(), |preset| format!("{name}, {preset}")))
}

/// How the trained agents of a run came about, by its config.toml: of a training its own plan says that.
fn recipes(config: &Table) -> Vec<String> {
    let trained = config.get("checkpoints").and_then(toml::Value::as_array).into_iter().flatten();
    let recipe = |agent: &toml::Value| {
        let recipe = agent.get("recipe")?.as_str()?;
        let sampled = agent.get("sample").and_then(toml::Value::as_bool) == Some(true);
        let sampled = if sampled { ", sampled" } else { "" };
        Some(format!("{recipe}, {} steps{sampled}", agent.get("step")?.as_integer()?))
    };
    trained.filter_map(recipe).collect()
}

/// Who acts in a run, by its config.toml.
fn agents(config: &Table) -> Vec<String> {
    let text = |value: &toml::Value| value.as_str().map(str::to_owned);
    match config.get("command").and_then(toml::Value::as_str) {
        // A training has one agent, its own.
        Some("train") => vec!["prophet".to_owned()],
        Some("eval") => {
            config.get("run").and_then(text).map(|run| format!("{PROPHET}{run}")).into_iter().collect()
        }
        _ => {
            let several = config.get("agents").and_then(toml::Value::as_array).into_iter().flatten();
            several.filter_map(text).chain(each(config, |table| table.get("agent").and_then(text))).collect()
        }
    }
}
