//! What a training depends on: world, settings, steps and seed.

use resonetics_agents::prophet::config::{Schedule, TrainConfig};
use resonetics_agents::prophet::learner::SEQUENCE;
use resonetics_agents::prophet::network::Spaces;
use resonetics_analysis::read::log::Episodes;
use resonetics_envs::config::resolve;
use resonetics_envs::doses::Draw;
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::K8sEnv;
use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointName;
use super::extension::Extension;
use super::learner::LearnerKind;
use crate::config_toml;
use crate::error::Error;
use crate::memory;
use crate::plan::Lumen;
use crate::plan::range::{TRAINING_STEPS, within};
use crate::rollout::Playable;
use crate::setup::{Setup, WorldSettings};

/// Everything that a training depends on; config.toml is this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Everything random follows from it.
    pub seed: u64,
    /// Steps of single environments that it was begun for; see [`Train::total`].
    pub steps: u64,
    /// The library that computes the networks.
    pub learner: LearnerKind,
    /// The training's settings.
    pub train: TrainConfig,
    /// The checkpoint of another training that it starts from; none: from networks of its own seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Start>,
    /// Whether it is watched.
    #[serde(default, skip_serializing_if = "Lumen::is_off")]
    pub lumen: Lumen,
    /// The world.
    pub env: Setup,
    /// Other numbers of steps from checkpoints on, in their order; the last tables of config.toml.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extension>,
}

/// The checkpoint of another training that a training starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// As typed: a training's run directory, with a checkpoint behind an @ where it is not the best one.
    pub run: String,
    /// Which one that was.
    #[serde(flatten)]
    pub checkpoint: CheckpointName,
}

impl Train {
    /// A training of `steps` steps of single environments in `env`, from networks of its own.
    pub fn new(seed: u64, steps: u64, learner: LearnerKind, train: TrainConfig, env: Setup) -> Train {
        Train { seed, steps, learner, train, from: None, lumen: Lumen::default(), env, extended: Vec::new() }
    }

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
        self.check_extensions()?;
        let checked = resolve(&self.train, None, &[]);
        checked.map(drop).map_err(|error| Error::Refused(format!("[train]: {error}")))?;
        self.fits()
    }

    /// How it trains in a few words, for tables: learner, networks, discount, decay, rollout, minibatch, and the drifts
    /// where episodes have their own.
    pub fn recipe(&self) -> String {
        let TrainConfig { num_envs, horizon, minibatch, gamma, lambda, network, doses, .. } = &self.train;
        let learner = match self.learner {
            LearnerKind::Native => "ppo",
            LearnerKind::Torch => "ppo torch",
        };
        let conv = if network.conv_channels > 0 {
            format!("conv {} ", network.conv_channels)
        } else {
            String::new()
        };
        let hidden = match &network.hidden[..] {
            [first, rest @ ..] if rest.iter().all(|width| width == first) => {
                format!("{}x{first}", network.hidden.len())
            }
            widths => widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-"),
        };
        let memory = if network.memory > 0 { format!(" memory {}", network.memory) } else { String::new() };
        let drifts = match (&doses.values[..], doses.draw) {
            ([], _) if doses.margin > 0.0 => format!(" margin {}", doses.margin),
            ([], _) => String::new(),
            ([low, high], Draw::Range) => format!(" drifts {low} to {high}"),
            (values, _) => {
                format!(" drifts {}", values.iter().map(f64::to_string).collect::<Vec<_>>().join(" "))
            }
        };
        let from = self
            .from
            .as_ref()
            .map_or_else(String::new, |from| format!(" from step {}", from.checkpoint.step));
        format!(
            "{learner} {conv}{hidden}{memory} gamma {gamma} lambda {lambda} envs {num_envs}x{horizon} minibatch {minibatch}{drifts}{from}"
        )
    }

    /// Steps of single environments that are asked for in the end.
    pub fn total(&self) -> u64 {
        self.extended.last().map_or(self.steps, |extension| extension.steps)
    }

    /// Those that were asked for when `done` were done: the schedules go by them.
    pub fn total_at(&self, done: u64) -> u64 {
        let since = self.extended.iter().rfind(|extension| extension.at_step <= done);
        since.map_or(self.steps, |extension| extension.steps)
    }

    /// Steps that a training goes to which is asked for `steps`: whole rollouts.
    pub fn whole(&self, steps: u64) -> u64 {
        self.train.updates(steps) * self.steps_per_update()
    }

    /// Each extension begins where there may be a checkpoint and goes further than that.
    fn check_extensions(&self) -> Result<(), Error> {
        let (mut from, mut total) = (0, self.steps);
        for (number, &Extension { at_step, steps }) in (1..).zip(&self.extended) {
            within(&format!("extended.{number}.steps"), steps, &TRAINING_STEPS)?;
            let last = self.whole(total);
            if !(from..=last).contains(&at_step) || at_step % self.steps_per_update() != 0 {
                return Err(Error::Refused(format!(
                    "`extended.{number}.at_step = {at_step}`: allowed are multiples of {} from {from} to {last}",
                    self.steps_per_update()
                )));
            }
            if self.whole(steps) <= at_step {
                return Err(Error::Refused(format!(
                    "`extended.{number}.steps = {steps}`: {} in whole rollouts is not more than the {at_step} that were done",
                    self.whole(steps)
                )));
            }
            (from, total) = (at_step, steps);
        }
        Ok(())
    }

    /// The learning rate of a linear schedule with `done` of `total` steps done; none for other schedules.
    pub fn linear_rate(&self, done: u64, total: u64) -> Option<f64> {
        let TrainConfig { learning_rate, learning_rate_final, schedule, .. } = self.train;
        let progress = (done as f64 / self.whole(total) as f64).min(1.0);
        (schedule == Schedule::Linear)
            .then_some(learning_rate + (learning_rate_final - learning_rate) * progress)
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
