//! A policy at work in a vector of environments, and episodes played by it.

use ndarray::Array2;
use rayon::prelude::*;
use resonetics_agents::{Observations, Policy};
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::{Decisions, GardenerEnv, LifeEvent};
use resonetics_envs::k8s::{Action, K8sEnv};
use resonetics_envs::stream::{Domain, Key};
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};

use crate::error::Error;
use crate::interrupt;
use crate::memory;
use crate::progress::Progress;
use crate::setup::{Setup, WorldSettings};

/// What the benchmark looks at after a step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshot {
    /// Average load of a cluster, mean dirt of a garden.
    pub load: f64,
    /// Nodes out of memory, and those of them with critical priority; none in a garden.
    pub oom: Option<(u32, u32)>,
    /// What is left of a cluster's budget.
    pub budget: Option<f64>,
}

/// What whoever watches episodes is told of an environment after a step: how near it is to what ends it, and what was
/// done. What is not known is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Telemetry {
    /// Average load of a cluster, mean dirt of a garden, and the value from which on it is lost by it.
    pub load: [f64; 2],
    /// In a cluster the memory that is nearest to ending the episode, and the value at which a node fails.
    pub memory: Option<[f64; 2]>,
    /// Share of those who acted that cleaned, scaled, or were replaced by control.
    pub effort: f64,
    /// Share of the decisions that were the agent's own.
    pub own: f64,
    /// The world's risk, with the control layer's name for it.
    pub risk: Option<(f64, &'static str)>,
}

/// An environment that experiments can play.
pub trait Playable: ParallelEnv + Clone + Sync {
    /// Births and cleared memories since the last step.
    fn events(&self) -> &[LifeEvent] {
        &[]
    }
    /// See [`Snapshot`].
    fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }
    /// Bytes of one environment beyond `size_of`.
    fn heap_bytes(&self) -> usize {
        0
    }
    /// What it is like after a step with the actions that were `chosen`, and who did what in it, by numbers that
    /// individuals keep: added to `acts`. None if nobody can say how near its loss is.
    fn telemetry(&self, chosen: &[usize], acts: &mut Vec<(u64, usize)>) -> Option<Telemetry> {
        let _ = (chosen, acts);
        None
    }
}

impl Playable for K8sEnv {
    fn telemetry(&self, chosen: &[usize], acts: &mut Vec<(u64, usize)>) -> Option<Telemetry> {
        let config = self.config();
        let replaced = self.replaced();
        let action = replaced.or_else(|| chosen.first().copied())?;
        acts.push((0, action));
        let works =
            replaced.is_some() || action == Action::Clean as usize || action == Action::Scale as usize;
        Some(Telemetry {
            load: [ParallelEnv::info(self).avg_load.into(), config.avg_load_terminate_threshold],
            memory: Some([self.worst_memory(), config.oom_memory]),
            effort: f64::from(u8::from(works)),
            own: f64::from(u8::from(replaced.is_none())),
            risk: self.control().map(|(state, _)| (state.risk, state.verdict.name())),
        })
    }

    fn snapshot(&self) -> Snapshot {
        let info = ParallelEnv::info(self);
        Snapshot {
            load: info.avg_load.into(),
            oom: Some((info.oom_nodes, info.critical_oom)),
            budget: Some(info.budget),
        }
    }

    fn heap_bytes(&self) -> usize {
        K8sEnv::heap_bytes(self)
    }
}

impl Playable for GardenerEnv {
    fn telemetry(&self, _: &[usize], acts: &mut Vec<(u64, usize)>) -> Option<Telemetry> {
        let world = self.world();
        let Decisions { made, worked, forced } = world.decisions();
        acts.extend(world.acts());
        let share = |count: u32| f64::from(count) / f64::from(made.max(1));
        let state = world.risk();
        Some(Telemetry {
            load: [world.mean_dirt(), world.config().lost.dirt_share],
            memory: None,
            effort: share(worked),
            own: 1.0 - share(forced),
            risk: Some((state.risk, state.verdict.name())),
        })
    }

    fn events(&self) -> &[LifeEvent] {
        GardenerEnv::events(self)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { load: self.world().mean_dirt(), oom: None, budget: None }
    }

    fn heap_bytes(&self) -> usize {
        GardenerEnv::heap_bytes(self)
    }
}

/// A policy at work in a vector of environments.
pub struct Rollout<E> {
    /// The environments.
    pub envs: VecEnv<E>,
    /// What they showed last.
    pub batch: Batch,
    /// `[rows]`: what was chosen last.
    pub actions: Vec<usize>,
    policy: Box<dyn Policy>,
    states: Array2<f32>,
    /// Episodes that are over and not stepped any more.
    ended: Vec<bool>,
}

impl<E: Playable> Rollout<E> {
    /// `policy` in `envs`, which stay as they are at the end of an episode.
    ///
    /// # Errors
    /// [`Error::Failed`] for environments that cannot be put side by side.
    pub fn new(envs: Vec<E>, policy: Box<dyn Policy>) -> Result<Rollout<E>, Error> {
        let envs = VecEnv::new(envs, Autoreset::Disabled).map_err(Error::Failed)?;
        let batch = envs.batch();
        let state_len = if policy.needs_state() { envs.state_len() } else { 0 };
        let rows = if policy.needs_state() { envs.len() } else { 0 };
        Ok(Rollout {
            actions: vec![0; batch.rewards.len()],
            states: Array2::zeros((rows, state_len)),
            ended: vec![false; envs.len()],
            envs,
            batch,
            policy,
        })
    }

    /// Starts an episode in each environment with a seed.
    pub fn reset(&mut self, seeds: &[u64]) {
        let some: Vec<Option<u64>> = seeds.iter().map(|&seed| Some(seed)).collect();
        self.envs.reset_lanes(&some, &mut self.batch);
        self.ended.fill(false);
        for (env, &seed) in seeds.iter().enumerate() {
            self.policy.begin_episode(env, Key::new(seed, Domain::Policy, 0));
        }
        self.tell();
    }

    /// Starts another episode in each lane whose own is over, with the seed that `seed` has for the lane.
    pub fn go_on(&mut self, seed: &mut dyn FnMut(usize) -> u64) {
        if !self.ended.contains(&true) {
            return;
        }
        let seeds: Vec<Option<u64>> =
            (0..self.envs.len()).map(|lane| self.ended[lane].then(|| seed(lane))).collect();
        self.envs.reset_lanes(&seeds, &mut self.batch);
        for (env, seed) in seeds.iter().enumerate() {
            let Some(seed) = seed else { continue };
            self.ended[env] = false;
            self.policy.begin_episode(env, Key::new(*seed, Domain::Policy, 0));
            for &event in self.envs.env(env).events() {
                self.policy.life(env, event);
            }
        }
    }

    fn tell(&mut self) {
        for env in 0..self.envs.len() {
            if !self.ended[env] {
                for &event in self.envs.env(env).events() {
                    self.policy.life(env, event);
                }
            }
        }
    }

    /// The actions that the policy chooses now, left in `actions`.
    pub fn act(&mut self) {
        if self.policy.needs_state() {
            self.envs.write_states(&mut self.states);
        }
        self.policy.act(&Observations::of(&self.batch, self.states.view()), &mut self.actions);
    }

    /// Steps with `actions`.
    ///
    /// # Errors
    /// [`Error::Failed`] if the policy chose an action that there is not.
    pub fn advance(&mut self) -> Result<(), Error> {
        self.envs
            .step(&self.actions, &mut self.batch)
            .map_err(|error| Error::Failed(format!("the agent chose badly: {error}")))?;
        self.tell();
        for env in 0..self.ended.len() {
            self.ended[env] = self.batch.terminated[env] || self.batch.truncated[env];
        }
        Ok(())
    }

    /// Chooses actions and steps with them.
    ///
    /// # Errors
    /// As [`Rollout::advance`].
    pub fn step(&mut self) -> Result<(), Error> {
        self.act();
        self.advance()
    }
}

/// An episode as the benchmark sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// The seed it was played with.
    pub seed: u64,
    /// Sum of its rewards.
    pub total_reward: f64,
    /// Steps it lasted.
    pub steps: u32,
    /// Whether it ended by loss.
    pub terminated: bool,
    /// Whether it ended at the time limit.
    pub truncated: bool,
    /// The most nodes that were out of memory at a time, and the most critical ones.
    pub oom: Option<(u32, u32)>,
    /// Mean over the steps of the average load (the mean dirt in a garden).
    pub avg_load: f64,
    /// What was left of the budget at the end.
    pub budget: Option<f64>,
}

/// Makes a policy for so many environments.
pub type MakePolicy<'a> = dyn Fn(usize) -> Result<Box<dyn Policy>, Error> + Sync + 'a;

/// Watches episodes that are played side by side, on a thread.
pub trait Watches {
    /// A step in lane `lane` led to `telemetry`; `acts` is who did what in it.
    fn step(&mut self, lane: usize, telemetry: &Telemetry, acts: &[(u64, usize)]);
    /// All lanes that still play have stepped.
    fn stepped(&mut self) {}
    /// The episode of lane `lane` is over: by loss or not.
    fn ended(&mut self, lane: usize, lost: bool);
}

/// Makes what watches so many lanes, of which the first plays the episode of this number, from 0.
pub type Watching<'a> = dyn Fn(usize, usize) -> Box<dyn Watches + 'a> + Sync + 'a;

/// Plays an episode for each seed with the policies that `policy` makes, in parallel; the result does not depend
/// on the threads.
///
/// # Errors
/// Those of `policy`, and [`Error::Interrupted`].
pub fn play_with(
    setup: &Setup,
    policy: &MakePolicy<'_>,
    seeds: &[u64],
    progress: &dyn Progress,
) -> Result<Vec<Episode>, Error> {
    play_watched(setup, policy, seeds, progress, None)
}

/// The same, watched.
///
/// # Errors
/// As [`play_with`].
pub fn play_watched(
    setup: &Setup,
    policy: &MakePolicy<'_>,
    seeds: &[u64],
    progress: &dyn Progress,
    watching: Option<&Watching<'_>>,
) -> Result<Vec<Episode>, Error> {
    match &setup.settings {
        WorldSettings::K8s(settings) => {
            let env = K8sEnv::new(settings.env.clone());
            play_lanes_in(&env, policy, seeds, 64, progress, watching)
        }
        WorldSettings::Gardener(settings) => {
            let env = GardenerEnv::new(settings.env.clone());
            play_lanes_in(&env, policy, seeds, 1, progress, watching)
        }
    }
}

/// As [`play_with`], in copies of `env`, which may be one of your own, `lanes` of them side by side.
///
/// # Errors
/// As [`play_with`], and [`Error::Refused`] for more environments than there is memory for.
pub fn play_in<E: Playable>(
    env: &E,
    policy: &MakePolicy<'_>,
    seeds: &[u64],
    lanes: usize,
    progress: &dyn Progress,
) -> Result<Vec<Episode>, Error> {
    play_lanes_in(env, policy, seeds, lanes, progress, None)
}

fn play_lanes_in<E: Playable>(
    env: &E,
    policy: &MakePolicy<'_>,
    seeds: &[u64],
    lanes: usize,
    progress: &dyn Progress,
    watching: Option<&Watching<'_>>,
) -> Result<Vec<Episode>, Error> {
    let threads = rayon::current_num_threads().min(seeds.len().div_ceil(lanes));
    let together = threads * lanes.min(seeds.len());
    let bytes = (size_of::<E>() + env.heap_bytes()).saturating_mul(together);
    memory::fits(&format!("{together} environments side by side (fewer with fewer --threads)"), bytes)?;
    let pieces: Result<Vec<Vec<Episode>>, Error> = seeds
        .par_chunks(lanes)
        .enumerate()
        .map(|(chunk, seeds)| {
            let policy = policy(seeds.len())?;
            let mut rollout = Rollout::new(vec![env.clone(); seeds.len()], policy)?;
            let watches = watching.map(|watching| watching(chunk * lanes, seeds.len()));
            let episodes = play_lanes(&mut rollout, seeds, progress, watches)?;
            progress.inc(seeds.len() as u64);
            Ok(episodes)
        })
        .collect();
    Ok(pieces?.concat())
}

/// Plays one episode in each lane to its end.
fn play_lanes<E: Playable>(
    rollout: &mut Rollout<E>,
    seeds: &[u64],
    progress: &dyn Progress,
    mut watches: Option<Box<dyn Watches + '_>>,
) -> Result<Vec<Episode>, Error> {
    let rows = rollout.actions.len() / seeds.len();
    let mut acts = Vec::new();
    rollout.reset(seeds);
    let new = |seed: &u64| Episode {
        seed: *seed,
        total_reward: 0.0,
        steps: 0,
        terminated: false,
        truncated: false,
        oom: None,
        avg_load: 0.0,
        budget: None,
    };
    let mut episodes: Vec<Episode> = seeds.iter().map(new).collect();
    let mut playing = episodes.len();
    while playing > 0 {
        interrupt::check()?;
        progress.tick();
        rollout.step()?;
        for (lane, episode) in episodes.iter_mut().enumerate() {
            if episode.terminated || episode.truncated {
                continue;
            }
            let env = rollout.envs.env(lane);
            let now = env.snapshot();
            if let Some(watches) = &mut watches {
                acts.clear();
                let chosen = &rollout.actions[lane * rows..(lane + 1) * rows];
                if let Some(telemetry) = env.telemetry(chosen, &mut acts) {
                    watches.step(lane, &telemetry, &acts);
                }
            }
            episode.steps += 1;
            episode.avg_load += now.load;
            let before = episode.oom.unwrap_or_default();
            episode.oom = now.oom.map(|(oom, critical)| (oom.max(before.0), critical.max(before.1)));
            episode.terminated = rollout.batch.terminated[lane];
            episode.truncated = rollout.batch.truncated[lane];
            if episode.terminated || episode.truncated {
                episode.total_reward = rollout.batch.episode_return[lane];
                episode.avg_load /= f64::from(episode.steps);
                episode.budget = now.budget;
                playing -= 1;
                if let Some(watches) = &mut watches {
                    watches.ended(lane, episode.terminated);
                }
            }
        }
        if let Some(watches) = &mut watches {
            watches.stepped();
        }
    }
    Ok(episodes)
}
