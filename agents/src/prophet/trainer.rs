//! The trainer: proximal policy optimisation on one page. It knows no tensor library and no file.

use rayon::prelude::*;
use resonetics_envs::cpu::{CpuPath, Work};
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::math::{self, LANES};
use resonetics_envs::stream::{Domain, Key, lane_seed, scale};
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};
use resonetics_kernel::pid::KernelPidTuner;
use resonetics_kernel::prophet_optimizer::Mode;
use serde::{Deserialize, Serialize};

use super::advantage::{Steps, advantages};
use super::categorical::{choose, forbid, likeliest, log_softmax};
use super::config::{Schedule, TrainConfig};
use super::learner::{Learner, LossWeights, Minibatch, Samples, Terms};
use super::normalizer::Normalizer;
use super::order::{Order, WINDOW};
use super::risk_rate::RiskRate;
use super::timings::{Lap, LossTimings, Timings};
use crate::policy::contiguous;

/// What a training draws, by number; a number is for ever.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Purpose {
    /// Episodes of the training's environments.
    Episodes = 0,
    /// Episodes that choose the best checkpoint.
    Evaluation = 1,
    /// Actions.
    Actions = 2,
    /// The order of samples in an epoch.
    Order = 3,
    /// Perturbations of the flow.
    Flow = 4,
    /// The risk predictor's dropout.
    Dropout = 5,
    /// Episodes that the sampled policy is measured in.
    SampledEpisodes = 6,
    /// Its actions there.
    SampledActions = 7,
}

/// How a policy acts where it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acting {
    /// By its likeliest action.
    Greedy,
    /// By actions drawn from it, as in training.
    Sampled,
}

/// A rollout of T steps in N rows, `[T * N]`, step by step.
#[derive(Default)]
struct Rollout {
    /// `[T * N, D]` as observed.
    raw: Vec<f32>,
    /// `[T * N, D]` normalised.
    observations: Vec<f32>,
    action_mask: Vec<bool>,
    actions: Vec<u32>,
    log_probs: Vec<f32>,
    values: Vec<f32>,
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    bootstrap: Vec<f32>,
    alive: Vec<bool>,
    /// Whether a row chose its action; there is nothing to learn from the others.
    asked: Vec<bool>,
    /// Discounted sum of the rewards so far in a row.
    discounted: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
}

/// What an update did.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Its number, from 1.
    pub update: u64,
    /// Steps of single environments so far.
    pub steps: u64,
    /// Episodes that have ended so far.
    pub episodes: u64,
    /// Mean return of the last 100 episodes in the order of their beginnings, up to the first that goes on;
    /// none before there are so many.
    pub return_mean: Option<f64>,
    /// Their mean length.
    pub length_mean: Option<f64>,
    /// The rate that it was made with.
    pub learning_rate: f64,
    /// The entropy's weight.
    pub entropy_weight: f64,
    /// The perturbation's size.
    pub eps: f64,
    /// Under the schedule `prophet`: mode, predicted risk, what it should have been, action drift.
    pub risk: Option<(Mode, f64, f64, f64)>,
    /// Means over the minibatches.
    pub terms: Terms,
    /// Of the returns by the values, see the source.
    pub explained_variance: f64,
    /// Times that the training has gone back to a checkpoint.
    pub rollbacks: u32,
    /// Minibatches that were used; fewer than planned where the KL ended the update.
    pub minibatches: usize,
}

/// A training in progress.
pub struct Trainer<E> {
    config: TrainConfig,
    seed: u64,
    total_steps: u64,
    pub(super) learner: Box<dyn Learner>,
    pub(super) envs: VecEnv<E>,
    pub(super) batch: Batch,
    prototype: E,
    pub(super) observation_normalizer: Normalizer,
    pub(super) return_normalizer: Normalizer,
    /// `[N]`: discounted sum of each row's rewards.
    pub(super) discounted: Vec<f32>,
    pub(super) counters: Counters,
    pub(super) tuner: KernelPidTuner,
    pub(super) risk_rate: Option<RiskRate>,
    rollout: Rollout,
    /// Without what the learner says of itself.
    timings: Timings,
    /// What the learner had said when the timings were last taken.
    taken: LossTimings,
}

/// The numbers of a training in progress that are no arrays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counters {
    pub updates: u64,
    pub steps: u64,
    pub episodes: u64,
    /// Of the schedule `kl`.
    pub learning_rate: f64,
    /// Times that the training went back to a checkpoint; each halves the learning rate.
    pub rollbacks: u32,
    /// Returns and lengths of the 100 episodes that the means are of, in the order of their beginnings.
    pub recent: Vec<(f64, u32)>,
    /// That order. Checkpoints of before it was kept have none.
    #[serde(default)]
    pub order: Order,
}

/// A loss or a gradient that is no number.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("loss {loss}, gradient norm {gradient_norm} in update {update}")]
pub struct NonFinite {
    /// The update, from 1.
    pub update: u64,
    /// The loss.
    pub loss: f64,
    /// The gradient's norm.
    pub gradient_norm: f64,
}

impl<E: ParallelEnv + Clone + Sync> Trainer<E> {
    /// A training of `total_steps` steps of single environments in copies of `prototype`, from the
    /// parameters that `learner` has.
    ///
    /// # Errors
    /// If the environment is not one that can be put side by side, has no row, or a rollout would have more
    /// samples than 32 bits can number.
    pub fn new(
        prototype: E,
        config: TrainConfig,
        seed: u64,
        total_steps: u64,
        learner: Box<dyn Learner>,
    ) -> Result<Trainer<E>, String> {
        let sizes = [config.num_envs, config.horizon, prototype.agents()];
        let samples = sizes.iter().try_fold(1, |all: usize, &size| all.checked_mul(size));
        if samples.is_none_or(|samples| samples == 0 || u32::try_from(samples).is_err()) {
            let [envs, horizon, agents] = sizes;
            return Err(format!(
                "a rollout of {envs} environments with {agents} rows each over {horizon} steps: allowed are 1 to \
                 {} samples",
                u32::MAX
            ));
        }
        let mut envs = VecEnv::new(vec![prototype.clone(); config.num_envs], Autoreset::SameStep)?;
        let mut batch = envs.batch();
        envs.reset(derived_seed(seed, Purpose::Episodes), &mut batch);
        let rows = batch.rewards.len();
        Ok(Trainer {
            observation_normalizer: Normalizer::new(batch.observations.ncols()),
            return_normalizer: Normalizer::new(1),
            discounted: vec![0.0; rows],
            counters: Counters {
                learning_rate: config.learning_rate,
                order: Order::new(config.num_envs),
                ..Counters::default()
            },
            tuner: KernelPidTuner { eps: config.kernel.eps, ..KernelPidTuner::default() },
            risk_rate: (config.schedule == Schedule::Prophet)
                .then(|| RiskRate::new(config.learning_rate, config.risk_target, seed)),
            rollout: Rollout::default(),
            timings: Timings::default(),
            taken: LossTimings::default(),
            config,
            seed,
            total_steps,
            learner,
            envs,
            batch,
            prototype,
        })
    }

    /// Updates that the whole training takes.
    pub fn planned_updates(&self) -> u64 {
        self.config.updates(self.total_steps)
    }

    /// Steps of single environments in a rollout.
    pub fn steps_per_update(&self) -> u64 {
        (self.config.num_envs * self.config.horizon) as u64
    }

    fn key(&self, purpose: Purpose) -> Key {
        Key::new(self.seed, Domain::Training, purpose as u64)
    }

    /// One rollout and what is learned from it.
    ///
    /// # Errors
    /// If a loss or a gradient was no number; the training is then not to go on from here.
    pub fn update(&mut self) -> Result<Update, NonFinite> {
        let (mut whole, mut lap) = (Lap::start(), Lap::start());
        self.collect();
        lap.to(&mut self.timings.rollout);
        self.normalize_rewards();
        self.estimate_advantages();
        lap.to(&mut self.timings.advantages);
        let update = self.learn()?;
        lap = Lap::start();
        // The next rollout is seen with what this one has shown.
        if self.config.normalize_observations {
            self.observation_normalizer.update(&self.rollout.raw, &self.rollout.alive);
        }
        lap.to(&mut self.timings.assembly);
        whole.to(&mut self.timings.total);
        self.counters.updates += 1;
        self.counters.steps += self.steps_per_update();
        Ok(Update {
            update: self.counters.updates,
            steps: self.counters.steps,
            episodes: self.counters.episodes,
            rollbacks: self.counters.rollbacks,
            ..update
        })
    }

    /// Where the time of the updates went since the last call.
    pub fn take_timings(&mut self) -> Timings {
        let all = self.learner.timings();
        let before = std::mem::replace(&mut self.taken, all);
        let mut timings = std::mem::take(&mut self.timings);
        timings.assembly += all.assembly - before.assembly;
        timings.forward += all.forward - before.forward;
        timings.terms += all.terms - before.terms;
        timings.backward += all.backward - before.backward;
        timings
    }

    /// Steps every environment `horizon` times with actions drawn from the policy; [`Trainer::update`]
    /// begins with it.
    pub fn collect(&mut self) {
        let rows = self.batch.rewards.len();
        let width = self.batch.observations.ncols();
        let actions = self.envs.action_space().n;
        let agents = rows / self.envs.len();
        let horizon = self.config.horizon;
        self.rollout.resize(horizon, rows, width, actions, self.batch.action_mask.nrows() > 0);
        let mut logits = vec![0.0; rows * actions];
        let mut chosen = vec![0; rows];
        let key = self.key(Purpose::Actions);
        for t in 0..horizon {
            let at = t * rows..(t + 1) * rows;
            let seen = at.start * width..at.end * width;
            let rollout = &mut self.rollout;
            rollout.raw[seen.clone()].copy_from_slice(contiguous(self.batch.observations.view()));
            self.observation_normalizer
                .apply(&rollout.raw[seen.clone()], &mut rollout.observations[seen.clone()]);
            self.learner.act(&rollout.observations[seen], &mut logits, &mut rollout.values[at.clone()]);
            let mut mask: &[bool] = &[];
            if self.batch.action_mask.nrows() > 0 {
                let place = at.start * actions..at.end * actions;
                rollout.action_mask[place.clone()].copy_from_slice(contiguous(self.batch.action_mask.view()));
                rollout.alive[at.clone()].copy_from_slice(contiguous(self.batch.alive.view()));
                mask = &rollout.action_mask[place];
                for (asked, mask) in rollout.asked[at.clone()].iter_mut().zip(mask.chunks_exact(actions)) {
                    *asked = mask.contains(&true);
                }
            } else {
                rollout.alive[at.clone()].fill(true);
                rollout.asked[at.clone()].fill(true);
            }
            let step = (self.counters.updates as usize * horizon + t) as u32;
            draw_actions(key, step, &logits, mask, &mut chosen, &mut rollout.log_probs[at.clone()]);
            for (action, &chosen) in rollout.actions[at.clone()].iter_mut().zip(&chosen) {
                *action = chosen as u32;
            }
            // Actions come from the action space.
            let _ = self.envs.step(&chosen, &mut self.batch);
            rollout.rewards[at.clone()].copy_from_slice(contiguous(self.batch.rewards.view()));
            for (row, i) in at.clone().enumerate() {
                let env = row / agents;
                let died = !self.batch.died.is_empty() && self.batch.died[row];
                rollout.terminated[i] = self.batch.terminated[env] || died;
                rollout.truncated[i] = self.batch.truncated[env] && !rollout.terminated[i];
                let over = rollout.terminated[i] || rollout.truncated[i];
                let alive = rollout.alive[i];
                let before = if alive { self.discounted[row] } else { 0.0 };
                let discounted = math::flush(before * self.config.gamma as f32 + rollout.rewards[i]);
                rollout.discounted[i] = discounted;
                // Who is born in this step has earned nothing before the next.
                self.discounted[row] = if over || !alive { 0.0 } else { discounted };
            }
            if self.batch.truncated.iter().any(|&truncated| truncated) {
                self.bootstrap(at, &mut logits);
            }
            self.count_episodes();
        }
    }

    /// Writes the values of the observations that truncated episodes ended with.
    fn bootstrap(&mut self, at: std::ops::Range<usize>, logits: &mut [f32]) {
        let finals = contiguous(self.batch.final_observations.view());
        let mut normalized = vec![0.0; finals.len()];
        self.observation_normalizer.apply(finals, &mut normalized);
        self.learner.act(&normalized, logits, &mut self.rollout.bootstrap[at]);
    }

    fn count_episodes(&mut self) {
        let Counters { episodes, order, recent, .. } = &mut self.counters;
        for env in 0..self.envs.len() {
            if self.batch.terminated[env] || self.batch.truncated[env] {
                *episodes += 1;
                order.ended(env, (self.batch.episode_return[env], self.batch.episode_length[env]), recent);
            }
        }
    }

    /// Divides the rewards by the standard deviation of the discounted returns, this rollout's among them.
    fn normalize_rewards(&mut self) {
        if self.config.normalize_returns {
            let Rollout { discounted, alive, rewards, .. } = &mut self.rollout;
            self.return_normalizer.update(discounted, alive);
            let scale = self.return_normalizer.scales()[0];
            for reward in rewards {
                *reward = (*reward * scale).clamp(-10.0, 10.0);
            }
        }
    }

    fn estimate_advantages(&mut self) {
        let rows = self.batch.rewards.len();
        let mut last_values = vec![0.0; rows];
        let mut normalized = vec![0.0; self.batch.observations.len()];
        self.observation_normalizer.apply(contiguous(self.batch.observations.view()), &mut normalized);
        let mut logits = vec![0.0; rows * self.envs.action_space().n];
        self.learner.act(&normalized, &mut logits, &mut last_values);
        let rollout = &mut self.rollout;
        let steps = Steps {
            rewards: &rollout.rewards,
            values: &rollout.values,
            terminated: &rollout.terminated,
            truncated: &rollout.truncated,
            bootstrap: &rollout.bootstrap,
            alive: &rollout.alive,
            asked: &rollout.asked,
            last_values: &last_values,
        };
        let (gamma, lambda) = (self.config.gamma as f32, self.config.lambda as f32);
        advantages(&steps, gamma, lambda, &mut rollout.advantages, &mut rollout.returns);
    }

    /// Epochs of minibatches over the rollout.
    fn learn(&mut self) -> Result<Update, NonFinite> {
        // Beyond its end a training goes on with what it ended with: a straight line would go below 0.
        let progress = (self.counters.updates as f64 / self.planned_updates() as f64).min(1.0);
        let asked = &self.rollout.asked;
        let mut rows: Vec<u32> = (0..asked.len() as u32).filter(|&i| asked[i as usize]).collect();
        let learning_rate = self.rate(progress, &rows);
        let entropy_weight = mix(self.config.entropy, self.config.entropy_final, progress);
        let weights = self.loss_weights(entropy_weight);
        let samples = self.rollout.samples();
        self.learner.begin(&samples);
        let pieces = ((rows.len() + self.config.minibatch / 2) / self.config.minibatch).max(1);
        let mut sums = Vec::new();
        let mut noise = Vec::new();
        let mut lap = Lap::start();
        'epochs: for epoch in 0..self.config.epochs {
            let turn = self.counters.updates * self.config.epochs as u64 + epoch as u64;
            shuffle(self.key(Purpose::Order).derive(0, turn), &mut rows);
            let flow_key = self.key(Purpose::Flow).derive(0, turn);
            for piece in 0..pieces {
                let part = piece * rows.len() / pieces..(piece + 1) * rows.len() / pieces;
                if part.is_empty() {
                    continue;
                }
                if weights.flow > 0.0 {
                    draw_normals(
                        flow_key,
                        piece as u32,
                        part.len() * self.batch.observations.ncols(),
                        &mut noise,
                    );
                }
                let rows = &rows[part];
                let (advantage_mean, advantage_scale) = standardized(samples.advantages, rows);
                let minibatch =
                    Minibatch { rows, noise: &noise, advantage_mean, advantage_scale, loss: weights };
                lap.to(&mut self.timings.assembly);
                let terms = self.learner.loss(&samples, &minibatch);
                // What the learner does it says itself, see `take_timings`.
                lap = Lap::start();
                if !terms.finite() {
                    let Terms { loss, gradient_norm, .. } = terms;
                    return Err(NonFinite { update: self.counters.updates + 1, loss, gradient_norm });
                }
                sums.push(terms);
                if self.config.target_kl > 0.0 && terms.approx_kl > 1.5 * self.config.target_kl {
                    break 'epochs;
                }
                self.learner.step(learning_rate as f32, self.config.max_grad_norm as f32);
                lap.to(&mut self.timings.optimizer);
            }
        }
        let terms = mean_terms(&sums);
        // Where nobody was asked nothing was learned, and there is nothing to adapt to.
        if !sums.is_empty() {
            self.adapt(&terms);
        }
        let recent = &self.counters.recent;
        let mean = |of: fn(&(f64, u32)) -> f64| {
            (recent.len() == WINDOW).then(|| recent.iter().map(of).sum::<f64>() / WINDOW as f64)
        };
        Ok(Update {
            return_mean: mean(|episode| episode.0),
            length_mean: mean(|episode| f64::from(episode.1)),
            learning_rate,
            entropy_weight,
            eps: f64::from(weights.eps),
            risk: self
                .risk_rate
                .as_ref()
                .map(|rate| (rate.mode(), rate.state.risk, rate.state.target_risk, rate.state.delta_ema)),
            explained_variance: explained_variance(&self.rollout),
            minibatches: sums.len(),
            terms,
            ..Update::default()
        })
    }

    /// The learning rate of an update from the samples `asked`, at `progress` through the training.
    fn rate(&mut self, progress: f64, asked: &[u32]) -> f64 {
        let TrainConfig { learning_rate, learning_rate_final, .. } = self.config;
        let key = self.key(Purpose::Dropout).derive(0, self.counters.updates);
        let rate = match (self.config.schedule, &mut self.risk_rate) {
            (Schedule::Linear, _) => mix(learning_rate, learning_rate_final, progress),
            (Schedule::Prophet, Some(risk_rate)) => {
                let actions = self.envs.action_space().n;
                risk_rate.before(progress, shares(&self.rollout.actions, asked, actions), key)
            }
            _ => self.counters.learning_rate,
        };
        rate * 0.5_f64.powi(self.counters.rollbacks as i32)
    }

    /// What an update's terms change for the next one.
    fn adapt(&mut self, terms: &Terms) {
        if self.config.schedule == Schedule::Kl {
            let factor = if terms.approx_kl > 2.0 * self.config.target_kl {
                1.0 / 1.5
            } else if terms.approx_kl < 0.5 * self.config.target_kl {
                1.5
            } else {
                1.0
            };
            self.counters.learning_rate = (self.counters.learning_rate * factor).clamp(1e-6, 1e-2);
        }
        if let Some(risk_rate) = &mut self.risk_rate {
            risk_rate.after(terms.value);
        }
        if self.config.kernel.tune {
            self.tuner.update(terms.value, terms.flow);
        }
    }

    fn loss_weights(&self, entropy: f64) -> LossWeights {
        let TrainConfig { clip, value_clip, value_weight, kernel, .. } = &self.config;
        LossWeights {
            clip: *clip as f32,
            value_clip: *value_clip as f32,
            value: *value_weight as f32,
            entropy: entropy as f32,
            flow: kernel.flow as f32,
            structure: kernel.structure as f32,
            tension: kernel.tension as f32,
            eps: self.tuner.eps as f32,
            period: kernel.period as f32,
        }
    }

    /// Mean return of the policy over `episodes` episodes, the same each time: on seeds of their own, for
    /// each way of acting others, and with draws of their own.
    pub fn evaluate(&mut self, acting: Acting, episodes: usize) -> f64 {
        // Side by side as many as are fast; all of them might not fit into memory.
        const CHUNK: usize = 256;
        let root = match acting {
            Acting::Greedy => derived_seed(self.seed, Purpose::Evaluation),
            Acting::Sampled => derived_seed(self.seed, Purpose::SampledEpisodes),
        };
        let mut returns = Vec::with_capacity(episodes);
        while returns.len() < episodes {
            let first = returns.len() as u64;
            let chunk = first..(first + CHUNK as u64).min(episodes as u64);
            match self.returns(acting, root, chunk) {
                Ok(batch) => returns.extend(batch),
                Err(_) => return f64::NAN,
            }
        }
        returns.iter().sum::<f64>() / episodes as f64
    }

    /// The returns of the policy's `episodes`, numbers of seeds below `root`.
    fn returns(
        &mut self,
        acting: Acting,
        root: u64,
        episodes: std::ops::Range<u64>,
    ) -> Result<ndarray::Array1<f64>, String> {
        let seeds: Vec<Option<u64>> = episodes.clone().map(|i| Some(lane_seed(root, i))).collect();
        let mut envs = VecEnv::new(vec![self.prototype.clone(); seeds.len()], Autoreset::Disabled)?;
        let mut batch = envs.batch();
        envs.reset_lanes(&seeds, &mut batch);
        let rows = batch.rewards.len();
        let n = envs.action_space().n;
        let agents = rows / seeds.len();
        let keys: Vec<Key> = episodes.map(|i| self.key(Purpose::SampledActions).derive(0, i)).collect();
        let mut normalized = vec![0.0; batch.observations.len()];
        let (mut logits, mut values) = (vec![0.0; rows * n], vec![0.0; rows]);
        let (mut actions, mut log_probs) = (vec![0; rows], vec![0.0; rows]);
        let mut step = 0;
        while !(0..seeds.len()).all(|env| batch.terminated[env] || batch.truncated[env]) {
            self.observation_normalizer.apply(contiguous(batch.observations.view()), &mut normalized);
            self.learner.act(&normalized, &mut logits, &mut values);
            let mask = contiguous(batch.action_mask.view());
            for (env, actions) in actions.chunks_exact_mut(agents).enumerate() {
                let of = env * agents * n..(env + 1) * agents * n;
                let (logits, mask) = (&logits[of.clone()], if mask.is_empty() { mask } else { &mask[of] });
                match acting {
                    Acting::Greedy => {
                        for (row, action) in actions.iter_mut().enumerate() {
                            let mask = if mask.is_empty() { mask } else { &mask[row * n..][..n] };
                            *action = likeliest(&logits[row * n..][..n], mask);
                        }
                    }
                    Acting::Sampled => draw_actions(keys[env], step, logits, mask, actions, &mut log_probs),
                }
            }
            step = step.wrapping_add(1);
            envs.step(&actions, &mut batch).map_err(|error| error.to_string())?;
        }
        Ok(batch.episode_return)
    }

    /// The learner.
    pub fn learner(&self) -> &dyn Learner {
        &*self.learner
    }
}

impl Rollout {
    fn resize(&mut self, horizon: usize, rows: usize, width: usize, actions: usize, masked: bool) {
        let n = horizon * rows;
        self.raw.resize(n * width, 0.0);
        self.observations.resize(n * width, 0.0);
        self.action_mask.resize(if masked { n * actions } else { 0 }, false);
        self.actions.resize(n, 0);
        for numbers in [
            &mut self.log_probs,
            &mut self.values,
            &mut self.rewards,
            &mut self.bootstrap,
            &mut self.discounted,
            &mut self.advantages,
            &mut self.returns,
        ] {
            numbers.resize(n, 0.0);
        }
        for flags in [&mut self.terminated, &mut self.truncated, &mut self.alive, &mut self.asked] {
            flags.resize(n, false);
        }
    }

    fn samples(&self) -> Samples<'_> {
        Samples {
            observations: &self.observations,
            action_mask: &self.action_mask,
            actions: &self.actions,
            log_probs: &self.log_probs,
            values: &self.values,
            advantages: &self.advantages,
            returns: &self.returns,
        }
    }
}

/// The seed of a training's own episodes: `lane_seed(seed, i)` belongs to the benchmarks.
fn derived_seed(seed: u64, purpose: Purpose) -> u64 {
    let (low, high) = Key::new(seed, Domain::Training, purpose as u64).words(0, 0);
    (u64::from(high) << 32 | u64::from(low)) >> 11
}

/// The share of each of `n` actions among those of the samples `asked`; empty where there are none.
fn shares(chosen: &[u32], asked: &[u32], n: usize) -> Vec<f64> {
    let mut shares = vec![0.0; if asked.is_empty() { 0 } else { n }];
    for &sample in asked {
        shares[chosen[sample as usize] as usize] += 1.0 / asked.len() as f64;
    }
    shares
}

fn mix(from: f64, to: f64, progress: f64) -> f64 {
    from + (to - from) * progress
}

/// Draws an action for each row from its logits, and writes its log-probability.
fn draw_actions(
    key: Key,
    step: u32,
    logits: &[f32],
    mask: &[bool],
    chosen: &mut [usize],
    log_probs: &mut [f32],
) {
    let n = logits.len() / chosen.len().max(1);
    let mut log_p = vec![0.0; n];
    let mut p = vec![0.0; n];
    for (row, (chosen, log_prob)) in chosen.iter_mut().zip(log_probs).enumerate() {
        log_p.copy_from_slice(&logits[row * n..][..n]);
        if !mask.is_empty() {
            forbid(&mut log_p, &mask[row * n..][..n]);
        }
        log_softmax(&mut log_p, &mut p);
        *chosen = choose(&p, key.uniform(step, row as u32));
        *log_prob = log_p[*chosen];
    }
}

/// Puts `rows` into a random order (Fisher and Yates).
fn shuffle(key: Key, rows: &mut [u32]) {
    CpuPath::dispatch(Shuffle { key, rows });
}

struct Shuffle<'a> {
    key: Key,
    rows: &'a mut [u32],
}

impl Work for Shuffle<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for first in (0..self.rows.len()).step_by(LANES).rev() {
            let (words, _) = self.key.lanes(0, first as u32);
            for i in (first.max(1)..self.rows.len().min(first + LANES)).rev() {
                self.rows.swap(i, scale(words[i - first], i as u32 + 1) as usize);
            }
        }
    }
}

/// Fills `noise` with `count` standard normals.
fn draw_normals(key: Key, piece: u32, count: usize, noise: &mut Vec<f32>) {
    // Four normals an index.
    const PIECE: usize = 8192;
    noise.resize(count, 0.0);
    noise
        .par_chunks_mut(PIECE)
        .enumerate()
        .for_each(|(i, out)| CpuPath::dispatch(Normals { key, piece, first: (i * PIECE / 4) as u32, out }));
}

struct Normals<'a> {
    key: Key,
    piece: u32,
    first: u32,
    out: &'a mut [f32],
}

impl Work for Normals<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.key.fill_normals(self.piece, self.first, self.out);
    }
}

/// Mean, and 1 / standard deviation, of the advantages of `rows`; 0 and 1 for a single row, which would
/// have nothing left to learn from.
fn standardized(advantages: &[f32], rows: &[u32]) -> (f32, f32) {
    if rows.len() < 2 {
        return (0.0, 1.0);
    }
    let of = || rows.iter().map(|&row| f64::from(advantages[row as usize]));
    let count = rows.len() as f64;
    let mean = of().sum::<f64>() / count;
    let variance = of().map(|a| (a - mean) * (a - mean)).sum::<f64>() / (count - 1.0);
    (mean as f32, (1.0 / (variance.sqrt() + 1e-8)) as f32)
}

fn mean_terms(all: &[Terms]) -> Terms {
    let mean = |of: fn(&Terms) -> f64| all.iter().map(of).sum::<f64>() / all.len().max(1) as f64;
    Terms {
        loss: mean(|terms| terms.loss),
        policy: mean(|terms| terms.policy),
        value: mean(|terms| terms.value),
        entropy: mean(|terms| terms.entropy),
        flow: mean(|terms| terms.flow),
        structure: mean(|terms| terms.structure),
        tension: mean(|terms| terms.tension),
        approx_kl: mean(|terms| terms.approx_kl),
        clip_fraction: mean(|terms| terms.clip_fraction),
        gradient_norm: mean(|terms| terms.gradient_norm),
    }
}

/// 1 - variance of (return - value) / variance of the return: 1 where the value foresaw everything,
/// 0 where a constant would have done as well.
fn explained_variance(rollout: &Rollout) -> f64 {
    let variance = |of: &dyn Fn(usize) -> f32| {
        let all: Vec<f64> =
            (0..rollout.asked.len()).filter(|&i| rollout.asked[i]).map(|i| f64::from(of(i))).collect();
        let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
        all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>()
    };
    let residual = variance(&|i| rollout.returns[i] - rollout.values[i]);
    let total = variance(&|i| rollout.returns[i]);
    if total > 0.0 { 1.0 - residual / total } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_rows_that_were_asked() {
        assert_eq!(shares(&[0, 2, 1, 2], &[1, 2, 3, 0], 4), [0.25, 0.25, 0.5, 0.0]);
        assert_eq!(shares(&[0, 2, 1, 2], &[1, 3], 3), [0.0, 0.0, 1.0]);
        assert!(shares(&[0, 2], &[], 3).is_empty());
    }

    #[test]
    fn advantages_get_mean_0_and_deviation_1_and_a_single_one_stays() {
        let (mean, scale) = standardized(&[9.0, 1.0, 9.0, 3.0, 5.0], &[1, 3, 4]);
        assert_eq!((mean, scale), (3.0, 0.5));
        assert_eq!(standardized(&[9.0, 1.0], &[1]), (0.0, 1.0));
        // All alike: nothing to prefer.
        let (mean, scale) = standardized(&[0.1; 7], &[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!((0.1 - mean) * scale, 0.0);
    }

    /// Of those that chose: 1 for a value that foresaw all, 0 for a constant, less for one that is further off.
    #[test]
    fn explained_variance_is_that_of_the_samples_that_are_learned_from() {
        let with = |values: [f32; 4]| {
            let asked = vec![true, true, false, true];
            let returns = vec![1.0, 2.0, 900.0, 3.0];
            explained_variance(&Rollout { asked, returns, values: values.to_vec(), ..Rollout::default() })
        };
        assert_eq!(with([1.0, 2.0, 0.0, 3.0]), 1.0);
        assert_eq!(with([11.0, 12.0, 0.0, 13.0]), 1.0);
        assert_eq!(with([7.0, 7.0, 0.0, 7.0]), 0.0);
        assert_eq!(with([3.0, 2.0, 0.0, 1.0]), -3.0);
    }

    #[test]
    fn every_order_is_as_likely() {
        let mut counts = [0; 6];
        for turn in 0..6000 {
            let mut rows = [0, 1, 2];
            shuffle(Key::new(5, Domain::Training, turn), &mut rows);
            let order = 2 * rows[0] + u32::from(rows[1] > rows[2]);
            counts[order as usize] += 1;
        }
        // Binomial(6000, 1/6): 1000 +- 29; five standard deviations.
        assert!(counts.iter().all(|count| (855..=1145).contains(count)), "{counts:?}");
    }

    /// Fisher and Yates as it is written in books, a word at a time.
    #[test]
    fn an_order_does_not_depend_on_how_many_words_are_drawn_at_once() {
        let key = Key::new(5, Domain::Training, 1);
        for n in [0, 1, 2, 15, 16, 17, 100] {
            let mut rows: Vec<u32> = (0..n).collect();
            let mut expected = rows.clone();
            shuffle(key, &mut rows);
            for i in (1..n).rev() {
                expected.swap(i as usize, key.below(i + 1, 0, i) as usize);
            }
            assert_eq!(rows, expected);
        }
    }

    #[test]
    fn normals_do_not_depend_on_how_many_are_drawn_and_differ_from_piece_to_piece() {
        let key = Key::new(5, Domain::Training, 0);
        let (mut few, mut many, mut other) = (vec![], vec![9.0; 5], vec![]);
        draw_normals(key, 3, 50, &mut few);
        draw_normals(key, 3, 20_000, &mut many);
        draw_normals(key, 4, 50, &mut other);
        assert_eq!((few.len(), many.len()), (50, 20_000));
        assert_eq!(few, many[..50]);
        let mut at_once = vec![0.0; many.len()];
        key.fill_normals(3, 0, &mut at_once);
        assert_eq!(many, at_once);
        assert!(few.iter().zip(&other).all(|(a, b)| a != b));
        let mean = many.iter().map(|&x| f64::from(x)).sum::<f64>() / 2e4;
        let square = many.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() / 2e4;
        // Five standard errors: 1 / 141 and sqrt(2) / 141.
        assert!(mean.abs() < 0.036 && (square - 1.0).abs() < 0.051, "{mean}, {square}");
    }
}
