//! What a training depends on: world, settings, steps and seed.

use resonetics_agents::prophet::config::{Schedule, TrainConfig};
use resonetics_agents::prophet::learner::SEQUENCE;
use resonetics_agents::prophet::network::Spaces;
use resonetics_analysis::read::log::Episodes;
use resonetics_envs::config::resolve;
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::K8sEnv;
use serde::{Deserialize, Serialize};

use super::learner::LearnerKind;
use crate::config_toml;
use crate::error::Error;
use crate::memory;
use crate::plan::range::{TRAINING_STEPS, within};
use crate::rollout::Playable;
use crate::setup::{Setup, WorldSettings};

/// Everything that a training depends on; config.toml is this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Everything random follows from it.
    pub seed: u64,
    /// Steps of single environments.
    pub steps: u64,
    /// The library that computes the networks.
    pub learner: LearnerKind,
    /// The training's settings.
    pub train: TrainConfig,
    /// The world.
    pub env: Setup,
}

impl Train {
    /// Reads the text of a config.toml; none if it is that of another command.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Option<Train>, String> {
        let (command, table) = config_toml::opened(text)?;
        if command != "train" {
            return Ok(None);
        }
        Train::deserialize(table).map(Some).map_err(|error| config_toml::at_line(text, &error))
    }

    /// Observations, actions and views of this plan's world.
    pub fn spaces(&self) -> Spaces {
        spaces(&self.env)
    }

    /// Refuses what the command line refuses.
    ///
    /// # Errors
    /// A number or a setting out of its range, and more memory than there is.
    pub fn check(&self) -> Result<(), Error> {
        within("steps", self.steps, &TRAINING_STEPS)?;
        let checked = resolve(&self.train, None, &[]);
        checked.map(drop).map_err(|error| Error::Refused(format!("[train]: {error}")))?;
        self.fits()
    }

    /// Steps of single environments in an update.
    pub fn steps_per_update(&self) -> u64 {
        (self.train.num_envs * self.train.horizon) as u64
    }

    /// How its episodes come about, for who reads its log.
    pub fn episodes(&self) -> Episodes {
        let longest = match &self.env.settings {
            WorldSettings::K8s(settings) => settings.env.max_steps,
            WorldSettings::Gardener(settings) => settings.env.max_generations,
        };
        Episodes { side_by_side: self.train.num_envs as f64, longest: longest.into() }
    }

    /// Whether its learning rate is 0 from beginning to end, so that it learns nothing.
    pub fn is_fixed(&self) -> bool {
        let TrainConfig { learning_rate, learning_rate_final, schedule, .. } = self.train;
        let stays = match schedule {
            Schedule::Fixed | Schedule::Kl => true,
            Schedule::Linear => learning_rate_final == 0.0,
            Schedule::Prophet => false,
        };
        learning_rate == 0.0 && stays
    }

    /// Refuses a training that needs more memory than there is.
    ///
    /// # Errors
    /// [`Error::Refused`] with both figures.
    pub fn fits(&self) -> Result<(), Error> {
        let bytes = match &self.env.settings {
            WorldSettings::K8s(settings) => bytes(self, &K8sEnv::new(settings.env.clone())),
            WorldSettings::Gardener(settings) => bytes(self, &GardenerEnv::new(settings.env.clone())),
        };
        let TrainConfig { num_envs, horizon, .. } = self.train;
        memory::fits(&format!("`train.num_envs = {num_envs}`, `train.horizon = {horizon}`"), bytes)
    }
}

/// Observations, actions and views of a world.
pub fn spaces(env: &Setup) -> Spaces {
    let of = |env: &dyn Fn() -> (usize, usize), view: usize| {
        let (observation, actions) = env();
        Spaces { observation, actions, view }
    };
    match &env.settings {
        WorldSettings::K8s(settings) => of(&|| sizes(&K8sEnv::new(settings.env.clone())), 0),
        WorldSettings::Gardener(settings) => {
            of(&|| sizes(&GardenerEnv::new(settings.env.clone())), settings.env.view_size)
        }
    }
}

/// Rows of a world.
pub(crate) fn agents(env: &Setup) -> usize {
    match &env.settings {
        WorldSettings::K8s(settings) => K8sEnv::new(settings.env.clone()).agents(),
        WorldSettings::Gardener(settings) => settings.env.max_population,
    }
}

fn sizes<E: ParallelEnv>(env: &E) -> (usize, usize) {
    (env.observation_space().len(), env.action_space().n)
}

/// Bytes that a training takes, about: its rollout, its environments and those that choose the best
/// checkpoint, and its networks.
pub(super) fn bytes<E: Playable>(plan: &Train, env: &E) -> usize {
    const FLOAT: usize = size_of::<f32>();
    let (width, actions) = sizes(env);
    let mask = if env.masked() { actions } else { 0 };
    let TrainConfig { num_envs, horizon, eval_episodes, network, .. } = &plan.train;
    // Observations as seen and normalised, allowed actions; eight numbers, three flags, its place in the
    // order of an epoch.
    let sample = (2 * width + 9) * FLOAT + mask + 3;
    let samples = num_envs.saturating_mul(env.agents()).saturating_mul(*horizon);
    // What is remembered: a flag and two numbers of a sequence for each sample, its states a few times a row.
    let remembered = network.remembered() * FLOAT;
    let sample = sample + if remembered > 0 { 1 + 3 * FLOAT } else { 0 };
    let states = remembered * (2 + horizon.div_ceil(SEQUENCE));
    // Last and final observations, reward, allowed actions and flags of each row.
    let row = (2 * width + 1) * FLOAT + mask + 2 + states;
    let one = size_of::<E>() + env.heap_bytes() + env.agents() * row;
    let shapes = network.parameters(plan.spaces());
    let parameters: usize = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    // Parameters, gradient, and Adam's two moments.
    let networks = 4 * FLOAT * parameters;
    samples
        .saturating_mul(sample)
        .saturating_add((num_envs + eval_episodes).saturating_mul(one))
        .saturating_add(networks)
}
