//! What a sweep varies: the file that users write.

use std::collections::BTreeMap;

use resonetics_envs::stream::{Domain, Key};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::cell::{Cell, Episodes};
use crate::config_toml::{self, short_numbers};
use crate::error::Error;
use crate::overlay::Overlay;
use crate::plan::range::{EPISODES, SEED, TRAINING_STEPS, within};
use crate::setup::{STEPS, Setup};
use crate::training::{LearnerKind, Train};

/// The most cells of a sweep.
const MOST: usize = 100_000;

/// Trainings over settings and seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The world: k8s, k8s-v4.6 or gardener.
    #[serde(default = "k8s")]
    pub env: String,
    /// calm, reference or storm.
    #[serde(default = "reference")]
    pub preset: String,
    /// Steps of each training.
    #[serde(default = "steps")]
    pub steps: u64,
    /// standard or large.
    #[serde(default = "standard")]
    pub recipe: String,
    /// A training for each of them in every choice of settings.
    #[serde(default = "one")]
    pub seeds: Vec<u64>,
    /// Fresh episodes in which each training's best checkpoint is measured; 0: it is not.
    #[serde(default = "episodes")]
    pub evaluate: u64,
    /// Their seed.
    #[serde(default = "first")]
    pub evaluation_seed: u64,
    /// What all cells have.
    #[serde(default)]
    pub settings: Table,
    /// Lists of values: each combination is tried.
    #[serde(default)]
    pub grid: Table,
    /// What is drawn instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<Random>,
}

/// A random search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// Choices of settings.
    pub samples: u64,
    /// Choice i follows from it and i: more samples leave those before as they are.
    #[serde(default = "first")]
    pub seed: u64,
    /// For each setting `{ low, high }`, with `log = true` where its size is what counts, or `{ choose = [...] }`.
    pub draw: Table,
}

/// How a setting is drawn.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draw {
    low: Option<f64>,
    high: Option<f64>,
    #[serde(default)]
    log: bool,
    choose: Option<Vec<Value>>,
}

fn k8s() -> String {
    "k8s".to_owned()
}

fn reference() -> String {
    "reference".to_owned()
}

fn standard() -> String {
    "standard".to_owned()
}

fn steps() -> u64 {
    STEPS
}

fn one() -> Vec<u64> {
    vec![1]
}

fn episodes() -> u64 {
    200
}

fn first() -> u64 {
    1
}

impl Sweep {
    /// Reads the text of a plan, or of a sweep's config.toml.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Sweep, String> {
        let (command, table) = config_toml::opened(text)?;
        if !["", "sweep"].contains(&command.as_str()) {
            return Err(format!("its `command` is `{command}`, not sweep"));
        }
        let mut plan = Sweep::deserialize(table).map_err(|error| config_toml::at_line(text, &error))?;
        // Dotted keys alone keep the order of the plan when they are written down: TOML puts tables behind values.
        let random = plan.random.as_mut().map(|random| &mut random.draw);
        for table in [Some(&mut plan.settings), Some(&mut plan.grid), random].into_iter().flatten() {
            *table = leaves(table).into_iter().collect();
        }
        Ok(plan)
    }

    /// The text of config.toml.
    ///
    /// # Errors
    /// [`Error::Failed`] for what is no TOML; no plan is known that leads to it.
    pub fn text(&self) -> Result<String, Error> {
        #[derive(Serialize)]
        struct Named<'a> {
            command: &'a str,
            #[serde(flatten)]
            plan: &'a Sweep,
        }
        let text = toml::to_string(&Named { command: "sweep", plan: self });
        let text = text.map_err(|error| Error::Failed(format!("cannot write the plan as TOML: {error}")))?;
        Ok(short_numbers(&text))
    }

    /// In which best checkpoints are measured.
    pub fn episodes(&self) -> Episodes {
        Episodes { count: self.evaluate, seed: self.evaluation_seed }
    }

    /// The settings that vary, dotted keys in the order of the plan.
    pub fn varied(&self) -> Vec<String> {
        let table = self.random.as_ref().map_or(&self.grid, |random| &random.draw);
        leaves(table).into_iter().map(|(key, _)| key).collect()
    }

    /// All cells: choices of settings in the order of the plan, and each with all seeds.
    ///
    /// # Errors
    /// [`Error::Refused`] for a setting that is refused, with the cell that has it, two cells that are the same, and none.
    pub fn cells(&self) -> Result<Vec<Cell>, Error> {
        within("steps", self.steps, &TRAINING_STEPS)?;
        within("evaluation_seed", self.evaluation_seed, &SEED)?;
        if self.evaluate > 0 {
            within("evaluate", self.evaluate, &EPISODES)?;
        }
        for &seed in &self.seeds {
            within("seeds", seed, &SEED)?;
        }
        if !["standard", "large"].contains(&self.recipe.as_str()) {
            return Err(Error::Refused(format!(
                "`recipe = \"{}\"`: allowed are standard and large",
                self.recipe
            )));
        }
        let choices = match &self.random {
            Some(_) if !self.grid.is_empty() => {
                return Err(Error::Refused("a plan has [grid] or [random], not both".to_owned()));
            }
            Some(random) => random.choices()?,
            None => grid(&self.grid)?,
        };
        if choices.len().saturating_mul(self.seeds.len()) > MOST {
            return Err(Error::Refused(format!(
                "{} choices of settings with {} seeds each are too many: allowed are {MOST} cells",
                choices.len(),
                self.seeds.len()
            )));
        }
        let mut cells = Vec::new();
        let mut known = BTreeMap::new();
        for choice in &choices {
            for &seed in &self.seeds {
                let cell = self.cell(choice, seed)?;
                if let Some(before) = known.insert(cell.key.clone(), cell.name()) {
                    return Err(Error::Refused(format!(
                        "{} and {before} are the same training",
                        cell.name()
                    )));
                }
                cells.push(cell);
            }
        }
        if cells.is_empty() {
            return Err(Error::Refused("`seeds = []`: at least one is needed".to_owned()));
        }
        Ok(cells)
    }

    fn cell(&self, choice: &[(String, Value)], seed: u64) -> Result<Cell, Error> {
        let set = |(key, value): &(String, Value)| format!("{key}={value}");
        let fixed = leaves(&self.settings);
        let sets = fixed.iter().chain(choice).map(set).collect();
        let overlay = Overlay { sets, ..Overlay::default() };
        let defaults = |env: &Setup| {
            let standard = env.training(self.steps);
            if self.recipe == "large" { standard.large() } else { standard }
        };
        let world = Setup::preset(&self.env, &self.preset)?;
        let (env, train) = overlay.over_training(world, &defaults, &|_| ()).map_err(|error| match error {
            Error::Setting(error) => Error::Refused(error.to_string().replacen("--set", "the plan", 1)),
            other => other,
        })?;
        let plan = Train::new(seed, self.steps, LearnerKind::Native, train, env);
        plan.check()?;
        Cell::new(choice.to_vec(), plan)
    }
}

/// The values of a table by their dotted keys. An inline table with `low`, `high` or `choose` is a value.
fn leaves(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner)
                if !["low", "high", "choose"].iter().any(|word| inner.contains_key(*word)) =>
            {
                found.extend(
                    leaves(inner).into_iter().map(|(below, value)| (format!("{key}.{below}"), value)),
                );
            }
            value => found.push((key.clone(), value.clone())),
        }
    }
    found
}

/// Every combination, the first key varying slowest.
fn grid(table: &Table) -> Result<Vec<Vec<(String, Value)>>, Error> {
    let mut choices = vec![Vec::new()];
    for (key, values) in leaves(table) {
        let Value::Array(values) = &values else {
            return Err(Error::Refused(format!("[grid] `{key} = {values}`: a list of values is needed")));
        };
        if choices.len().saturating_mul(values.len()) > MOST {
            return Err(Error::Refused(format!("[grid] has more than {MOST} combinations")));
        }
        let with = |choice: &Vec<(String, Value)>, value: &Value| {
            [&choice[..], &[(key.clone(), value.clone())]].concat()
        };
        choices = choices.iter().flat_map(|choice| values.iter().map(|value| with(choice, value))).collect();
    }
    if choices.is_empty() {
        return Err(Error::Refused("[grid] has an empty list: nothing to train".to_owned()));
    }
    Ok(choices)
}

impl Random {
    fn choices(&self) -> Result<Vec<Vec<(String, Value)>>, Error> {
        within("random.samples", self.samples, &(1..=MOST as u64))?;
        within("random.seed", self.seed, &SEED)?;
        let draws = leaves(&self.draw);
        if draws.is_empty() {
            return Err(Error::Refused("[random.draw] is empty: nothing is drawn".to_owned()));
        }
        let one = |sample: u64| {
            let key = Key::new(self.seed, Domain::Space, sample);
            let of = |(place, (name, how)): (u32, &(String, Value))| {
                Ok((name.clone(), drawn(name, how, key, place)?))
            };
            (0..).zip(&draws).map(of).collect()
        };
        (0..self.samples).map(one).collect()
    }
}

/// A value of the setting `name`, drawn as `how` says.
#[allow(clippy::disallowed_methods)] // rounded to four digits, a hundred million times what machines differ by
fn drawn(name: &str, how: &Value, key: Key, place: u32) -> Result<Value, Error> {
    let refuse = |problem: &str| Err(Error::Refused(format!("[random.draw] `{name} = {how}`: {problem}")));
    let Ok(draw) = how.clone().try_into::<Draw>() else {
        return refuse("{ low = A, high = B }, with log = true if you like, or { choose = [...] } is needed");
    };
    match draw {
        Draw { low: None, high: None, log: false, choose: Some(values) } if !values.is_empty() => {
            Ok(values[key.below(values.len() as u32, 0, place) as usize].clone())
        }
        Draw { low: Some(low), high: Some(high), log, choose: None } => {
            if !(low.is_finite() && high.is_finite() && low < high) || (log && low <= 0.0) {
                return refuse("low must be below high, and above 0 with log = true");
            }
            let share = f64::from(key.uniform(0, place));
            let value = if log { low * (high / low).powf(share) } else { low + (high - low) * share };
            let rounded = format!("{value:.3e}").parse().unwrap_or(value);
            // Rounded it could be beyond an end.
            Ok(Value::Float(f64::clamp(rounded, low, high)))
        }
        _ => refuse("low and high, or choose with at least one value, are needed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Sweep {
        Sweep::parse(text).unwrap()
    }

    fn refused(text: &str) -> String {
        match Sweep::parse(text) {
            Ok(plan) => plan.cells().unwrap_err().to_string(),
            Err(problem) => problem,
        }
    }

    #[test]
    fn a_grid_is_every_combination_with_every_seed() {
        let plan = plan(
            "steps = 4000\nseeds = [1, 2]\n[settings]\nmax_steps = 100\ntrain.gamma = 0.9\n[grid]\n\
             train.learning_rate = [0.001, 0.01]\nmem_drift_mu = [0.01, 0.02, 0.03]\n",
        );
        assert_eq!(plan.varied(), ["train.learning_rate", "mem_drift_mu"]);
        let cells = plan.cells().unwrap();
        assert_eq!(cells.len(), 12);
        let settings = cells.iter().map(|cell| (cell.plan.train.learning_rate, cell.plan.seed, cell.name()));
        let settings: Vec<_> = settings.collect();
        assert_eq!(settings[0], (0.001, 1, "train.learning_rate=0.001 mem_drift_mu=0.01 seed=1".to_owned()));
        assert_eq!(settings[3], (0.001, 2, "train.learning_rate=0.001 mem_drift_mu=0.02 seed=2".to_owned()));
        assert_eq!(settings[11], (0.01, 2, "train.learning_rate=0.01 mem_drift_mu=0.03 seed=2".to_owned()));
        assert!(cells.iter().all(|cell| cell.plan.env.limit() == 100 && cell.plan.train.gamma == 0.9));
        // A plan that is kept is the same plan, and so are its cells.
        let again = Sweep::parse(&plan.text().unwrap()).unwrap();
        assert_eq!(again, plan);
        let keys = |cells: &[Cell]| cells.iter().map(|cell| cell.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&again.cells().unwrap()), keys(&cells));
        assert!(cells.iter().all(|cell| cell.key.len() == 16));
    }

    #[test]
    fn without_a_grid_there_are_the_seeds() {
        let cells = plan("steps = 4000\nseeds = [3, 4]\n").cells().unwrap();
        assert_eq!(cells.iter().map(Cell::name).collect::<Vec<_>>(), ["seed=3", "seed=4"]);
    }

    #[test]
    fn a_random_search_draws_within_its_bounds_and_more_samples_change_no_earlier_one() {
        let text = |samples| {
            format!(
                "steps = 4000\n[random]\nsamples = {samples}\n[random.draw]\n\
                 train.learning_rate = {{ low = 1e-4, high = 1e-2, log = true }}\n\
                 mem_drift_mu = {{ low = 0.01, high = 0.03 }}\ntrain.horizon = {{ choose = [16, 32] }}\n"
            )
        };
        let (few, many) = (plan(&text(20)).cells().unwrap(), plan(&text(400)).cells().unwrap());
        assert!(few.iter().zip(&many).all(|(few, many)| few.key == many.key));
        let rates: Vec<f64> = many.iter().map(|cell| cell.plan.train.learning_rate).collect();
        assert!(rates.iter().all(|rate| (1e-4..=1e-2).contains(rate)));
        let below = rates.iter().filter(|&&rate| rate < 1e-3).count();
        assert!((160..240).contains(&below), "half of them are below the middle by size: {below}");
        let long = many.iter().filter(|cell| cell.plan.train.horizon == 32).count();
        assert!((160..240).contains(&long), "{long}");
    }

    #[test]
    fn what_cannot_be_trained_is_refused_in_words() {
        for (text, words) in [
            ("stepps = 1\n", "line 1"),
            ("command = \"train\"\n", "`command` is `train`"),
            ("env = \"k9s\"\n", "unknown environment `k9s`"),
            ("steps = 0\n", "`steps = 0`: allowed are"),
            ("recipe = \"huge\"\n", "allowed are standard and large"),
            ("seeds = []\n", "at least one is needed"),
            ("seeds = [1, 1]\n", "seed=1 and seed=1 are the same training"),
            ("seeds = [-1]\n", "line 1"),
            (
                "[grid]\nmem_drift = [1.0]\n",
                "the plan: `mem_drift = 1.0`: unknown key; did you mean `mem_drift_mu`",
            ),
            ("[grid]\nmem_drift_mu = 0.1\n", "a list of values is needed"),
            ("[grid]\nmem_drift_mu = []\n", "an empty list"),
            ("[grid]\nmem_drift_mu = [0.01, 0.01]\n", "are the same training"),
            ("[grid]\ntrain.gamma = [0.9, 1.5]\n", "`train.gamma = 1.5`: allowed are"),
            ("[grid]\nmem_drift_mu = [0.1]\n[random]\nsamples = 1\n[random.draw]\n", "not both"),
            ("[random]\nsamples = 1\n[random.draw]\n", "nothing is drawn"),
            ("[random]\nsamples = 0\n[random.draw]\nx = { low = 1, high = 2 }\n", "`random.samples = 0`"),
            ("[random]\nsamples = 1\n[random.draw]\ngap = { low = 2, high = 1 }\n", "low must be below high"),
            ("[random]\nsamples = 1\n[random.draw]\ngap = 1\n", "is needed"),
            ("[random]\nsamples = 1\n[random.draw]\ngap = { low = 0, high = 1, log = true }\n", "above 0"),
        ] {
            let problem = refused(text);
            assert!(problem.contains(words), "{text:?}: {problem}");
        }
    }
}
