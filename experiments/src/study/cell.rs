//! What a study is made of.

use std::fs;
use std::path::Path;

use resonetics_analysis::evaluations::{self, Evaluation};
use resonetics_analysis::read::{episodes, open};
use resonetics_analysis::stats::dose::Method;
use resonetics_runs::Error;
use resonetics_runs::error::io;
use resonetics_runs::interrupt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The seed of whatever is played to measure; trainings have the seeds from 1 on.
const MEASURED: u64 = 1_000_001;

/// Steps that a core trains in a second, in a cluster, where there are three million or more, and in a garden, and steps of a
/// cluster that it plays, as measured on a machine of today: for what a study says of its cost.
const TRAINED: f64 = 75_000.0;
const TRAINED_LONG: f64 = 150_000.0;
const TRAINED_GENERATIONS: f64 = 1_400.0;
const PLAYED: f64 = 1_500_000.0;

/// Steps of a cluster that a generation of a garden costs.
pub const GENERATION: u64 = 75;

/// How large a study is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Training seeds, from 1 on.
    pub seeds: u32,
    /// Steps of each training.
    pub steps: u64,
    /// Episodes of whatever is measured.
    pub episodes: u32,
}

/// A run of a study.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its folder, below that of the study.
    pub name: String,
    /// The command and its options, without those that every cell has.
    pub words: Vec<String>,
    /// Cells that must be finished before.
    pub needs: Vec<String>,
    /// Environment steps.
    pub steps: u64,
    /// Seconds of one core, roughly.
    pub seconds: f64,
    /// Whether its words are a script and its options, for Python.
    pub python: bool,
}

/// A number that is measured, and which way is better.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name, with its unit.
    pub name: &'static str,
    /// Decimals that are shown.
    pub decimals: usize,
    /// Whether more of it is better.
    pub more_is_better: bool,
}

/// What was measured of one unit: a training, or an episode of an agent that is not trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// What is compared among itself, such as a drift.
    pub group: String,
    /// What is compared; the first of a group is what the others are compared with.
    pub variant: String,
    /// Which unit: those of two variants with the same seed are a pair.
    pub seed: u64,
    /// Its number among the measures of the study.
    pub measure: usize,
    /// The number.
    pub value: f64,
}

/// Reads what was measured, from the files of the cells below a folder.
pub type Values = fn(dir: &Path, size: Size) -> Result<Vec<Unit>, Error>;

/// A study.
pub struct Study {
    /// What is typed.
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
    /// How large it is unless something else is typed.
    pub size: Size,
    /// The runs that it is made of, with the paths that they have below `dir`.
    pub cells: fn(dir: &Path, size: Size) -> Vec<Cell>,
    /// What is measured.
    pub measures: &'static [Measure],
    /// What was measured, from the files of the cells below `dir`; none where a report has it all.
    pub values: Option<Values>,
    /// The cell, an `analyze`, whose answers are its own.
    pub report: Option<&'static str>,
}

impl Cell {
    fn new(name: String, words: &[&str]) -> Cell {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Cell { name, words, needs: Vec::new(), steps: 0, seconds: 1.0, python: false }
    }

    /// What is run.
    pub fn command(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// A training of the cluster.
    pub fn training(name: String, seed: u32, steps: u64, sets: &[&str]) -> Cell {
        Cell::training_in("k8s", name, seed, steps, sets)
    }

    /// A training in the environment `env`.
    pub fn training_in(env: &str, name: String, seed: u32, steps: u64, sets: &[&str]) -> Cell {
        let (seed, typed) = (seed.to_string(), steps.to_string());
        let mut words = vec!["train", "--env", env, "--no-monitor", "--seed", &seed, "--steps", &typed];
        for set in sets {
            words.extend(["--set", *set]);
        }
        let rate = match (env, steps) {
            ("gardener", _) => TRAINED_GENERATIONS,
            // Minibatches are larger where there are more steps.
            (_, ..3_000_000) => TRAINED,
            _ => TRAINED_LONG,
        };
        let cell = Cell::new(name, &words);
        Cell { steps, seconds: 1.0 + steps as f64 / rate, ..cell }
    }

    /// The same, of so many steps, each of which costs as many of a cluster as `weight` says.
    pub fn of(self, steps: u64, weight: u64) -> Cell {
        Cell { steps, seconds: 1.0 + (steps * weight) as f64 / PLAYED, ..self }
    }

    /// The evaluation, seeing with so much noise, of the training `of`.
    pub fn evaluation(dir: &Path, name: String, of: &str, size: Size, noise: &str) -> Cell {
        let mut cell = Cell::measured(name, &below(dir, of), of, 500, size);
        cell.words.extend(["--obs-noise".to_owned(), noise.to_owned()]);
        cell
    }

    /// The evaluation of `run`, a checkpoint of the training `of`, in episodes of `life` steps at most.
    pub fn measured(name: String, run: &str, of: &str, life: u32, size: Size) -> Cell {
        let episodes = size.episodes.to_string();
        let words = ["eval", "--run", run, "--episodes", &episodes, "--seed", &MEASURED.to_string()];
        let steps = u64::from(life) * u64::from(size.episodes);
        let needs = vec![of.to_owned()];
        Cell { needs, steps, seconds: steps as f64 / PLAYED, ..Cell::new(name, &words) }
    }

    /// A script of `study/peers` with its options, which takes so many seconds.
    pub fn script(dir: &Path, name: String, script: &str, words: &[&str], seconds: f64) -> Cell {
        let script = below(dir, &format!("{}/{script}", super::python::FOLDER));
        let words = [&[script.as_str()], words].concat();
        Cell { seconds, python: true, ..Cell::new(name, &words) }
    }

    /// A benchmark of `agents`, some of which are of the cells `needs`, with further `words`.
    pub fn benchmark(name: String, agents: &[String], needs: &[String], size: Size, words: &[&str]) -> Cell {
        let (episodes, seed) = (size.episodes.to_string(), MEASURED.to_string());
        let mut all = vec!["benchmark", "--episodes", &episodes, "--seed", &seed];
        for agent in agents {
            all.extend(["--agents", agent]);
        }
        all.extend(words);
        let steps = 500 * u64::from(size.episodes) * agents.len() as u64;
        Cell { needs: needs.to_vec(), steps, seconds: steps as f64 / PLAYED, ..Cell::new(name, &all) }
    }

    /// The drift limits, in lives of `life` steps, of `agents`, some of which are of the cells `needs`, with further
    /// `words`.
    pub fn limit(
        name: String,
        agents: &[String],
        needs: &[String],
        (life, episodes): (u32, u32),
        words: &[&str],
    ) -> Cell {
        let seed = MEASURED.to_string();
        let (typed, each) = (life.to_string(), episodes.to_string());
        let mut all = vec!["limit", "--seed", &seed, "--life", &typed, "--episodes", &each];
        for agent in agents {
            all.extend(["--agents", agent]);
        }
        all.extend(words);
        // Some twenty doses, at which half of the lives are short.
        let steps = 10 * u64::from(life) * u64::from(episodes) * agents.len() as u64;
        Cell { needs: needs.to_vec(), steps, seconds: 1.0 + steps as f64 / PLAYED, ..Cell::new(name, &all) }
    }

    /// Any other command, of so many steps.
    pub fn other(name: &str, words: &[&str], needs: Vec<String>, steps: u64) -> Cell {
        let cell = Cell::new(name.to_owned(), words);
        Cell { needs, steps, seconds: 1.0 + steps as f64 / PLAYED, ..cell }
    }
}

/// The path of a cell as it is typed.
pub fn below(dir: &Path, cell: &str) -> String {
    dir.join(cell).display().to_string()
}

/// The name of a trained agent of the cell `of`.
pub fn prophet(dir: &Path, of: &str) -> String {
    format!("prophet:{}", below(dir, of))
}

/// What the evaluation in a cell found.
///
/// # Errors
/// That it cannot be read.
pub fn evaluated(dir: &Path, cell: &str) -> Result<Evaluation, Error> {
    Ok(Evaluation::read(&dir.join(cell).join(evaluations::FILE))?)
}

/// The episodes of the benchmark in a cell, agent by agent.
///
/// # Errors
/// That they cannot be read.
pub fn played(dir: &Path, cell: &str) -> Result<Vec<episodes::Played>, Error> {
    let (_, mut table) = open(&dir.join(cell).join("episodes.csv"))?;
    Ok(episodes::read(&mut table, &|| interrupt::check().is_ok())?)
}

/// What `loads` reads of a row of episodes.csv.
#[derive(Deserialize)]
pub struct Load {
    /// Whose episode it was.
    pub agent: String,
    /// Mean load of a cluster, or mean dirt of a garden, over its steps.
    pub avg_load: Option<f64>,
}

/// The mean loads in the episodes of the benchmark in a cell.
///
/// # Errors
/// That they cannot be read.
pub fn loads(dir: &Path, cell: &str) -> Result<Vec<Load>, Error> {
    rows(&dir.join(cell).join("episodes.csv"))
}

fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let failed = |error: csv::Error| io("read", path)(error.into());
    let mut rows = csv::Reader::from_path(path).map_err(failed)?;
    rows.deserialize().collect::<Result<_, _>>().map_err(failed)
}

/// A row of limits.csv.
#[derive(Deserialize)]
struct LimitRow {
    agent: String,
    limit: Option<f64>,
    method: String,
}

/// The drift limits that the run of `limit` in a cell found, agent by agent, by Spearman-Karber; none of those who have a
/// bound alone.
///
/// # Errors
/// That they cannot be read.
pub fn limits(dir: &Path, cell: &str) -> Result<Vec<(String, Option<f64>)>, Error> {
    let rows: Vec<LimitRow> = rows(&dir.join(cell).join("limits.csv"))?;
    let method = Method::SpearmanKarber.name();
    let own = rows.into_iter().filter(|row| row.method == method);
    Ok(own.map(|row| (row.agent, row.limit)).collect())
}

/// Seconds that the run in a cell took.
///
/// # Errors
/// That its run.json cannot be read.
pub fn seconds(dir: &Path, cell: &str) -> Result<Option<f64>, Error> {
    let record = resonetics_runs::run_dir::read_record(&dir.join(cell))?;
    Ok(record.get("wall_seconds").and_then(serde_json::Value::as_f64))
}

/// The parts in the analysis.json of a cell.
///
/// # Errors
/// That it cannot be read.
pub fn parts(dir: &Path, cell: &str) -> Result<Vec<serde_json::Value>, Error> {
    let path = dir.join(cell).join("analysis.json");
    let text = fs::read_to_string(&path).map_err(io("read", &path))?;
    let found: serde_json::Value = serde_json::from_str(&text)
        .map_err(|problem| Error::Failed(format!("{}: {problem}", path.display())))?;
    Ok(found["parts"].as_array().cloned().unwrap_or_default())
}

/// The answers in the analysis.json of a cell.
///
/// # Errors
/// That it cannot be read.
pub fn answers(dir: &Path, cell: &str) -> Result<Vec<String>, Error> {
    let text = |part: &serde_json::Value, key: &str| part[key].as_str().unwrap_or_default().to_owned();
    let said = |part: &serde_json::Value| format!("{} {}", text(part, "question"), text(part, "answer"));
    Ok(parts(dir, cell)?.iter().map(said).collect())
}
