//! `record`: a trace of one episode, in the format that `replay` takes.

use std::path::Path;

use resonetics_agents::Policy;
use serde::{Deserialize, Serialize};

use super::{Context, seed, within};
use crate::cli::{RecordArgs, STEPS};
use crate::failure::Failure;
use crate::files::write_new;
use crate::inputs::command_line;
use crate::memory;
use crate::out::say;
use crate::progress::Progress;
use crate::setup::{Setup, WorldSettings};
use crate::trace;
use crate::training::TrainedAgents;

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub seed: u64,
    pub steps: u32,
    pub agent: String,
    #[serde(default, skip_serializing_if = "TrainedAgents::is_empty")]
    pub checkpoints: TrainedAgents,
    pub env: Setup,
}

pub fn run(args: &RecordArgs, context: Context) -> Result<(), Failure> {
    let env = Setup::new(&args.env, &args.world)?;
    env.policy(&args.agent, 1)?;
    let (agent, checkpoints) = (args.agent.clone(), TrainedAgents::default());
    let plan = Plan { seed: seed(&args.seed)?, steps: args.steps, agent, checkpoints, env };
    super::Plan::Record(plan).start(args.out.out.as_deref(), context).map(drop)
}

impl Plan {
    /// A trace is held in memory, numbers and text: some 24 bytes for each number.
    fn fits(&self) -> Result<(), Failure> {
        let numbers = match &self.env.settings {
            WorldSettings::K8s(settings) => 2 * settings.env.nodes() + 40,
            WorldSettings::Gardener(settings) => {
                2 * settings.env.cells() + settings.env.cells() / 10 + 8 * settings.env.max_population
            }
        };
        let bytes = 24_usize.saturating_mul(numbers).saturating_mul(self.steps as usize);
        memory::fits(&format!("--steps {}", self.steps), bytes)
    }

    fn policy(&self) -> Result<Box<dyn Policy>, Failure> {
        self.checkpoints.policy(&self.env, &self.agent, 1)
    }

    pub fn check(&self) -> Result<(), Failure> {
        within("steps", self.steps.into(), &STEPS)?;
        self.fits()?;
        self.policy().map(drop)
    }

    pub fn execute(&self, dir: &Path, context: Context) -> Result<(), Failure> {
        let progress = Progress::new(self.steps.into(), "steps", context.quiet);
        let text = match &self.env.settings {
            WorldSettings::K8s(settings) => {
                let trace = trace::k8s::record(
                    &self.env,
                    &settings.env,
                    self.policy()?,
                    self.seed,
                    self.steps,
                    &progress,
                )?;
                serde_json::to_string(&trace)
            }
            WorldSettings::Gardener(settings) => {
                let trace = trace::gardener::record(
                    &self.env,
                    &settings.env,
                    self.policy()?,
                    self.seed,
                    self.steps,
                    &progress,
                )?;
                serde_json::to_string(&trace)
            }
        }
        .map_err(|error| Failure::Failed(format!("cannot write the trace as JSON: {error}")))?;
        progress.finish();
        let path = dir.join("trace.json");
        write_new(&path, format!("{text}\n").as_bytes())?;
        let replay = command_line(["replay".to_owned(), path.display().to_string()].into_iter());
        say(format_args!("recorded {}: {replay} replays it", path.display()))
    }
}
