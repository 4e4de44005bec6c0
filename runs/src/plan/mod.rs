//! What a run was asked to do, with everything that its result depends on: config.toml is this.

mod benchmark;
mod controls;
mod drift;
mod eval;
mod gardener;
mod limit;
pub(crate) mod lumen;
pub mod range;
mod record;

use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::benchmark::{Benchmark, check_agents};
pub use self::controls::{Controls, WorldPlan};
pub use self::drift::Drift;
pub use self::eval::Eval;
pub use self::gardener::Gardener;
pub use self::limit::Limit;
pub use self::lumen::{Gate, Lumen, Mode};
use self::range::{SEED, within};
pub use self::record::Record;
use crate::config_toml;
use crate::error::Error;
use crate::files::text;
use crate::run_dir::{RunDir, RunRecord};
use crate::setup::Setup;
use crate::trained::{PROPHET, TrainedAgents, named};
use crate::training::checkpoint::Checkpoints;
use crate::training::plan::Train;

/// An experiment with everything that its result depends on.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Plan {
    /// `gardener`
    Gardener(Gardener),
    /// `benchmark`
    Benchmark(Benchmark),
    /// `controls`
    Controls(Controls),
    /// `drift`
    Drift(Drift),
    /// `record`
    Record(Record),
    /// `eval`
    Eval(Eval),
    /// `limit`
    Limit(Limit),
    /// `train`
    Train(Box<Train>),
}

impl Plan {
    /// Reads the text of a config.toml.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Plan, String> {
        let (command, table) = config_toml::opened(text)?;
        match command.as_str() {
            "gardener" => Gardener::deserialize(table).map(Plan::Gardener),
            "benchmark" => Benchmark::deserialize(table).map(Plan::Benchmark),
            "controls" => Controls::deserialize(table).map(Plan::Controls),
            "drift" => Drift::deserialize(table).map(Plan::Drift),
            "record" => Record::deserialize(table).map(Plan::Record),
            "eval" => Eval::deserialize(table).map(Plan::Eval),
            "limit" => Limit::deserialize(table).map(Plan::Limit),
            "train" => Train::deserialize(table).map(Box::new).map(Plan::Train),
            _ => {
                return Err(format!(
                    "its `command` is `{command}`; what can be repeated is gardener, benchmark, controls, drift, record, eval, limit or train"
                ));
            }
        }
        .map_err(|error| config_toml::at_line(text, &error))
    }

    /// The command, and the seed that everything random follows from.
    pub fn name_and_seed(&self) -> (&'static str, u64) {
        match self {
            Plan::Gardener(plan) => ("gardener", plan.seed),
            Plan::Benchmark(plan) => ("benchmark", plan.seed),
            Plan::Controls(plan) => ("controls", plan.seed),
            Plan::Drift(plan) => ("drift", plan.seed),
            Plan::Record(plan) => ("record", plan.seed),
            Plan::Eval(plan) => ("eval", plan.seed),
            Plan::Limit(plan) => ("limit", plan.seed),
            Plan::Train(plan) => ("train", plan.seed),
        }
    }

    /// Refuses what the command line refuses: config.toml may have been edited.
    ///
    /// # Errors
    /// The first value that is not allowed, what needs more memory than there is, and an agent that cannot act.
    pub fn check(&self) -> Result<(), Error> {
        let (_, seed) = self.name_and_seed();
        within("seed", seed, &SEED)?;
        match self {
            Plan::Gardener(plan) => plan.check(),
            Plan::Benchmark(plan) => plan.check(),
            Plan::Controls(plan) => plan.check(),
            Plan::Drift(plan) => plan.check(),
            Plan::Record(plan) => plan.check(),
            Plan::Eval(plan) => plan.check(),
            Plan::Limit(plan) => plan.check(),
            Plan::Train(plan) => plan.check(),
        }
    }

    /// The world that it plays in, where its episodes are of one.
    pub fn played_in(&self) -> Option<&Setup> {
        match self {
            Plan::Benchmark(plan) => Some(&plan.env),
            Plan::Eval(plan) => Some(&plan.env),
            _ => None,
        }
    }

    /// What is written down of the trained agents of a benchmark, an evaluation or a limit.
    pub fn trained(&self) -> Option<&TrainedAgents> {
        match self {
            Plan::Benchmark(plan) => Some(&plan.checkpoints),
            Plan::Eval(plan) => Some(&plan.checkpoints),
            Plan::Limit(plan) => Some(&plan.checkpoints),
            _ => None,
        }
    }

    /// Its agents by name, and what is written down of those that were trained.
    fn cast(&mut self) -> Option<(Vec<String>, &mut TrainedAgents)> {
        match self {
            Plan::Gardener(plan) => Some((vec![plan.agent.clone()], &mut plan.checkpoints)),
            Plan::Benchmark(plan) => Some((plan.agents.clone(), &mut plan.checkpoints)),
            Plan::Limit(plan) => Some((plan.agents.clone(), &mut plan.checkpoints)),
            Plan::Controls(plan) => {
                let agents = plan.worlds.iter().map(|world| world.agent.clone());
                Some((agents.collect(), &mut plan.checkpoints))
            }
            Plan::Record(plan) => Some((vec![plan.agent.clone()], &mut plan.checkpoints)),
            Plan::Eval(plan) => Some((vec![format!("{PROPHET}{}", plan.run)], &mut plan.checkpoints)),
            Plan::Drift(_) | Plan::Train(_) => None,
        }
    }

    /// Its trained agents whose checkpoint is not written down: that was not done in the beginning.
    pub fn unrecorded(&mut self) -> Vec<String> {
        let Some((names, trained)) = self.cast() else { return Vec::new() };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        trained.unrecorded(&names).into_iter().map(str::to_owned).collect()
    }

    /// The checkpoint of its trained agent `name`, in words.
    pub fn checkpoint(&self, name: &str) -> Option<String> {
        self.clone().cast().and_then(|(_, trained)| trained.checkpoint(name).map(ToString::to_string))
    }

    /// The same with its trained agents read, so that no other checkpoint acts than the one written down.
    ///
    /// # Errors
    /// [`Error::Refused`] if one cannot be read, or is not the one that was written down.
    pub fn opened(mut self) -> Result<Plan, Error> {
        if let Some((names, trained)) = self.cast() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            *trained = std::mem::take(trained).open(&names)?;
        }
        Ok(self)
    }

    /// Creates the run directory, `out` or the next free one below `runs`, with what is planned in it;
    /// `monitor` is where the run can be watched.
    ///
    /// # Errors
    /// Those of [`Plan::check`] and [`RunDir::create`].
    pub fn begin(&self, out: Option<&Path>, monitor: Option<[SocketAddr; 2]>) -> Result<RunDir, Error> {
        self.check()?;
        let (name, seed) = self.name_and_seed();
        let config = toml::to_string(self)
            .map_err(|error| Error::Failed(format!("cannot write the settings as TOML: {error}")))?;
        let mut record = RunRecord::new(name, Some(seed)).watched_at(monitor);
        if let Plan::Eval(eval) = self {
            record = record.traced_with(Path::new(named(&eval.run)?.0));
        }
        RunDir::create(out, record, &config_toml::short_numbers(&config))
    }

    /// The plan of the run in `dir`, which was stopped and is to go on.
    ///
    /// # Errors
    /// [`Error::Refused`] if its config.toml is not there or not one to go on with, and where the one that it
    /// began with is kept.
    pub fn of_stopped(dir: &Path) -> Result<Plan, Error> {
        let config = dir.join("config.toml");
        let kept = || {
            let kept = Checkpoints::kept_settings(dir);
            kept.map_or_else(String::new, |kept| {
                format!("; as it was when the run began it is kept in {}", kept.display())
            })
        };
        let text = text(&config).map_err(|error| match error {
            refused if refused.is_refusal() => Error::Refused(refused.to_string() + &kept()),
            other => other,
        })?;
        Plan::parse(&text)
            .and_then(|plan| plan.check().map(|()| plan).map_err(|failure| failure.to_string()))
            .map_err(|problem| {
                Error::Refused(format!("cannot resume {}: {problem}{}", config.display(), kept()))
            })
    }
}
