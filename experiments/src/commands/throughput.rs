//! `throughput`: how many steps a second, with the actions drawn in the same loop.

use clap::Args;
use rayon::prelude::*;
use resonetics_agents::Policy;
use resonetics_envs::cpu::{CpuPath, Work};
use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::{self, K8sEnv};
use resonetics_envs::math::LANES;
use resonetics_envs::stream::{Domain, Key, lane_seed, scale};
use resonetics_envs::vector::{Autoreset, Seen, VecEnv};
use resonetics_runs::Error;
use resonetics_runs::memory;
use resonetics_runs::rollout::{Playable, Rollout};
use resonetics_runs::setup::{Setup, WorldSettings};
use resonetics_runs::trained::TrainedAgents;
use serde_json::{Value, json};

use super::clock::Clock;
use super::context::Context;
use super::reported::{Report, described, reported};
use super::typed::{FixedSeedArgs, Learner, OutArgs, Recipe, WorldArgs, whole};
use crate::progress::Bar;

/// Generations after which a garden starts anew.
const GENERATIONS: u32 = 1000;

#[derive(Debug, Args)]
pub struct ThroughputArgs {
    /// Environment: k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Agent [default: random in the cluster, evolved in the garden]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Environments side by side [default: 4096 clusters, 1 garden]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1..=16_777_216))]
    pub num_envs: Option<u32>,
    /// Instead of stepping all environments in turn, take this many steps of as many as fit in the cache,
    /// then of the next ones; random agents in the cluster only
    #[arg(long, value_name = "STEPS", value_parser = whole::<u32>(1..=1_000_000), conflicts_with_all = ["agent", "train"])]
    pub rollout: Option<u32>,
    /// Measure a training instead: environments alone, with inference, and whole updates; sizes come from
    /// --recipe and --set train.…
    #[arg(long, conflicts_with_all = ["agent", "num_envs"])]
    pub train: bool,
    /// With --train: library that computes the networks
    #[arg(long, value_enum, default_value_t = Learner::Native, requires = "train")]
    pub learner: Learner,
    /// With --train: device of the torch learner: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto", requires = "train")]
    pub device: String,
    /// With --train: settings to start from
    #[arg(long, value_enum, default_value_t = Recipe::Standard, requires = "train")]
    pub recipe: Recipe,
    /// Seconds to measure, after a warm-up of a fifth of that
    #[arg(long, value_name = "S", default_value_t = 2.0, allow_negative_numbers = true, value_parser = seconds)]
    pub seconds: f64,
    #[command(flatten)]
    pub seed: FixedSeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

fn seconds(typed: &str) -> Result<f64, String> {
    let seconds = typed.parse().ok().filter(|&seconds: &f64| seconds > 0.0 && seconds <= 86_400.0);
    seconds.ok_or_else(|| "allowed are numbers above 0 and up to 86400".to_owned())
}

pub fn run(args: &ThroughputArgs, context: Context) -> Result<(), Error> {
    let setup = args.world.world(&args.env)?;
    let garden = matches!(setup.settings, WorldSettings::Gardener(_));
    let agent = args.agent.as_deref().unwrap_or(if garden { "evolved" } else { "random" });
    let trained = TrainedAgents::default().open(&[agent])?;
    trained.policy(&setup, agent, 1)?;
    if (garden || agent != "random") && args.rollout.is_some() {
        return Err(Error::Refused(
            "--rollout: is for clusters, k8s or k8s-v4.6, with random actions".to_owned(),
        ));
    }
    let num_envs = args.num_envs.unwrap_or(if garden { 1 } else { 4096 }) as usize;
    let seed = args.seed.seed;
    let mut config = described(
        "throughput",
        [
            ("seed", (seed as i64).into()),
            ("agent", agent.into()),
            ("num_envs", (num_envs as i64).into()),
            ("seconds", args.seconds.into()),
            ("rollout", i64::from(args.rollout.unwrap_or(0)).into()),
            ("env", setup.table()?),
        ],
    );
    if !trained.is_empty() {
        let table = toml::Value::try_from(&trained).map_err(|error| Error::Failed(error.to_string()))?;
        config.insert("checkpoints".to_owned(), table);
    }
    let policy = || trained.policy(&setup, agent, 1);
    reported(&config, args.out.out.as_deref(), || {
        let progress = Bar::new((args.seconds * 12.0) as u64, "tenths of a second", context.quiet);
        let clock = Clock { seconds: args.seconds, progress: &progress };
        let measured = match &setup.settings {
            WorldSettings::K8s(settings) if agent == "random" => {
                measure_random(&K8sEnv::new(settings.env.clone()), num_envs, seed, args.rollout, &clock)?
            }
            WorldSettings::K8s(settings) => {
                measure_policy(&K8sEnv::new(settings.env.clone()), &policy, num_envs, seed, &clock)?
            }
            WorldSettings::Gardener(settings) => {
                measure_policy(&GardenerEnv::new(settings.env.clone()), &policy, num_envs, seed, &clock)?
            }
        };
        progress.finish();
        let text = format!("{}\n", measured.json(&setup, agent, num_envs, context));
        Ok(Report { text, file: "throughput.json", outcome: Ok(()) })
    })
}

/// What was counted.
struct Measured {
    seconds: f64,
    /// Steps of single environments.
    steps: u64,
    /// Actions chosen by living agents.
    agent_steps: u64,
    bytes_per_env: usize,
}

impl Measured {
    fn json(&self, setup: &Setup, agent: &str, num_envs: usize, context: Context) -> Value {
        let garden = matches!(setup.settings, WorldSettings::Gardener(_));
        let per_second = |count: u64| (count as f64 / self.seconds).round();
        let for_garden = |value: f64| if garden { json!(value) } else { Value::Null };
        json!({
            "env": setup.name,
            "agent": agent,
            "num_envs": num_envs,
            "threads": context.threads,
            "seconds": (self.seconds * 1e3).round() / 1e3,
            "steps_per_second": per_second(self.steps),
            "generations_per_second": for_garden(per_second(self.steps)),
            "agent_steps_per_second": per_second(self.agent_steps),
            "mean_population": for_garden(self.agent_steps as f64 / self.steps as f64),
            "bytes_per_env": self.bytes_per_env,
            "cpu": CpuPath::current().to_string(),
        })
    }
}

/// Random actions for environments from number `first`, a multiple of 16, on: 32 from one draw.
struct DrawActions<'a> {
    actions: &'a mut [usize],
    first: usize,
    key: Key,
    step: u32,
}

impl Work for DrawActions<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (block, actions) in self.actions.chunks_mut(2 * LANES).enumerate() {
            let (x, y) = self.key.lanes(self.step, (self.first + block * LANES) as u32);
            for (action, word) in actions.iter_mut().zip(x.into_iter().chain(y)) {
                *action = scale(word, k8s::ACTIONS as u32) as usize;
            }
        }
    }
}

/// Clusters with random actions and same-step autoreset. By slices: `steps` steps of as many as fit the
/// cache, then of the next ones. In lockstep: one step of all, then the next; each thread draws for its own.
fn measure_random(
    env: &K8sEnv,
    num_envs: usize,
    seed: u64,
    rollout: Option<u32>,
    clock: &Clock<'_>,
) -> Result<Measured, Error> {
    let bytes_per_env = bytes(env) + size_of::<usize>();
    memory::fits(&format!("--num-envs {num_envs}"), bytes_per_env.saturating_mul(num_envs))?;
    let mut envs = VecEnv::new(vec![env.clone(); num_envs], Autoreset::SameStep).map_err(Error::Failed)?;
    let mut batch = envs.batch();
    envs.reset(seed, &mut batch);
    let key = Key::new(seed, Domain::Policy, 0);
    let mut actions = vec![0; num_envs];
    let lanes = match rollout {
        Some(_) => envs.lanes_in_cache(env.heap_bytes()),
        None => num_envs.div_ceil(rayon::current_num_threads()),
    };
    let (steps, rounds) = (rollout.unwrap_or(1), if rollout.is_some() { 1 } else { 100_000 / num_envs });
    let mut done = 0;
    let (seconds, steps, agent_steps) = clock.time(|| {
        for _ in 0..rounds.max(1) {
            let policy = |seen: &Seen<'_>, actions: &mut [usize]| {
                let (first, step) = (seen.lanes.start, done + seen.step);
                CpuPath::dispatch(DrawActions { actions, first, key, step });
            };
            envs.rollout(steps, lanes, &mut batch, &mut actions, policy)
                .map_err(|error| Error::Failed(error.to_string()))?;
            done = done.wrapping_add(steps);
        }
        let steps = u64::from(steps) * (rounds.max(1) * num_envs) as u64;
        Ok((steps, steps))
    })?;
    Ok(Measured { seconds, steps, agent_steps, bytes_per_env })
}

/// Bytes of one environment with its observation, reward, flags and masks.
fn bytes<E: Playable>(env: &E) -> usize {
    let mask = if env.masked() { env.action_space().n + 2 } else { 0 };
    let row = (env.observation_space().len() + 1) * size_of::<f32>() + mask;
    size_of::<E>() + env.heap_bytes() + env.agents() * row + 2
}

/// A policy in each environment on its own, environments side by side.
fn measure_policy<E: Playable + Clone>(
    env: &E,
    policy: &dyn Fn() -> Result<Box<dyn Policy>, Error>,
    num_envs: usize,
    seed: u64,
    clock: &Clock<'_>,
) -> Result<Measured, Error> {
    let bytes_per_env = bytes(env) + policy()?.heap_bytes();
    memory::fits(&format!("--num-envs {num_envs}"), bytes_per_env.saturating_mul(num_envs))?;
    let rollouts: Result<Vec<_>, Error> =
        (0..num_envs).map(|_| Rollout::new(vec![env.clone()], policy()?)).collect();
    let mut lanes: Vec<Lane<E>> = rollouts?
        .into_iter()
        .zip(0..)
        .map(|(rollout, lane)| Lane { rollout, seed: lane_seed(seed, lane), episode: 0, steps: 0 })
        .collect();
    for lane in &mut lanes {
        lane.restart();
    }
    let (seconds, steps, agent_steps) = clock.time(|| {
        let done: Result<Vec<(u64, u64)>, Error> =
            lanes.par_iter_mut().map(|lane| lane.advance(100)).collect();
        Ok(done?.into_iter().fold((0, 0), |sum, done| (sum.0 + done.0, sum.1 + done.1)))
    })?;
    Ok(Measured { seconds, steps, agent_steps, bytes_per_env })
}

struct Lane<E> {
    rollout: Rollout<E>,
    seed: u64,
    episode: u64,
    steps: u32,
}

impl<E: Playable> Lane<E> {
    fn restart(&mut self) {
        self.rollout.reset(&[lane_seed(self.seed, self.episode)]);
        self.episode += 1;
        self.steps = 0;
    }

    /// Takes `count` steps; yields them and the actions of living agents in them.
    fn advance(&mut self, count: u32) -> Result<(u64, u64), Error> {
        let mut agent_steps = 0;
        for _ in 0..count {
            let over = self.rollout.batch.terminated[0] || self.rollout.batch.truncated[0];
            if over || (!self.rollout.batch.alive.is_empty() && self.steps >= GENERATIONS) {
                self.restart();
            }
            let alive = &self.rollout.batch.alive;
            agent_steps +=
                if alive.is_empty() { 1 } else { alive.iter().filter(|&&alive| alive).count() as u64 };
            self.rollout.step()?;
            self.steps += 1;
        }
        Ok((count.into(), agent_steps))
    }
}
