//! `record`: a trace of one episode, in the format that `replay` takes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Context, seed, within};
use crate::cli::{RecordArgs, STEPS};
use crate::failure::Failure;
use crate::files::write_new;
use crate::out::say;
use crate::setup::{Setup, WorldSettings};
use crate::trace;

/// Everything that the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub seed: u64,
    pub steps: u32,
    pub agent: String,
    pub env: Setup,
}

pub fn run(args: &RecordArgs, context: Context) -> Result<(), Failure> {
    let env = Setup::new(&args.env, &args.world)?;
    env.policy(&args.agent, 1)?;
    let plan = Plan { seed: seed(&args.seed)?, steps: args.steps, agent: args.agent.clone(), env };
    super::Plan::Record(plan).start(args.out.out.as_deref(), context).map(drop)
}

impl Plan {
    pub fn check(&self) -> Result<(), Failure> {
        within("steps", self.steps.into(), &STEPS)?;
        self.env.policy(&self.agent, 1).map(drop)
    }

    pub fn execute(&self, dir: &Path, _context: Context) -> Result<(), Failure> {
        let text = match &self.env.settings {
            WorldSettings::K8s(settings) => {
                let trace = trace::k8s::record(&self.env, &settings.env, &self.agent, self.seed, self.steps)?;
                serde_json::to_string(&trace)
            }
            WorldSettings::Gardener(settings) => {
                let trace =
                    trace::gardener::record(&self.env, &settings.env, &self.agent, self.seed, self.steps)?;
                serde_json::to_string(&trace)
            }
        }
        .map_err(|error| Failure::Failed(format!("cannot write the trace as JSON: {error}")))?;
        let path = dir.join("trace.json");
        write_new(&path, format!("{text}\n").as_bytes())?;
        say(format_args!("recorded {}: resonetics replay {0} replays it", path.display()))
    }
}
