//! The trainer: proximal policy optimisation on one page, read from top to bottom: [`Trainer::update`]
//! collects a rollout, estimates advantages, learns. It knows no tensor library and no file.
//!
//! Beside it: what it draws (`draws`), where a rollout lies (`rollout`), the advantages ([`super::advantage`]),
//! what it counts (`counters`), what its policy earns (`evaluation`), how it is saved ([`super::state`]).

use ndarray::ArrayView2;
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::stream::lane_seed;
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};
use resonetics_kernel::pid::KernelPidTuner;

use super::advantage::standardized;
use super::config::{Schedule, TrainConfig};
use super::counters::Counters;
use super::draws::{Purpose, draw_actions, draw_normals, shuffle};
use super::evaluation::Measured;
use super::learner::{Learner, LearnerError, Minibatch, Terms};
use super::memory::{Gathered, Memory, Sequences};
use super::normalizer::Normalizer;
use super::order::Order;
use super::risk_rate::RiskRate;
use super::rollout::{Rollout, explained_variance, shares};
use super::timings::{Lap, LossTimings, Timings};
use super::update::mean_terms;
use crate::policy::contiguous;

pub use super::evaluation::{Acting, Earned};
pub use super::update::{NonFinite, Update, UpdateError};

/// A training in progress.
pub struct Trainer<E> {
    pub(super) config: TrainConfig,
    seed: u64,
    total_steps: u64,
    pub(super) learner: Box<dyn Learner>,
    pub(super) envs: VecEnv<E>,
    pub(super) batch: Batch,
    prototype: E,
    /// What the learning rate is multiplied by.
    gain: f64,
    /// Whether rollouts are played and nothing is learned from them.
    observing: bool,
    pub(super) observation_normalizer: Normalizer,
    pub(super) return_normalizer: Normalizer,
    /// `[N]`: discounted sum of each row's rewards.
    pub(super) discounted: Vec<f32>,
    /// What each row remembers.
    pub(super) memory: Memory,
    pub(super) counters: Counters,
    pub(super) tuner: KernelPidTuner,
    pub(super) risk_rate: Option<RiskRate>,
    rollout: Rollout,
    /// Without what the learner says of itself.
    timings: Timings,
    /// What the learner had said when the timings were last taken.
    taken: LossTimings,
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
        envs.reset(Purpose::Episodes.seed(seed), &mut batch);
        let rows = batch.rewards.len();
        Ok(Trainer {
            observation_normalizer: Normalizer::new(batch.observations.ncols()),
            return_normalizer: Normalizer::new(1),
            discounted: vec![0.0; rows],
            memory: Memory::new(config.network.remembered(), rows),
            counters: Counters {
                learning_rate: config.learning_rate,
                order: Order::new(config.num_envs - config.restarting()),
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
            gain: 1.0,
            observing: false,
        })
    }

    /// Measures the policy ([`Trainer::evaluate`]) in copies of this world, not of the one that it is trained in: of
    /// one without the margin of the training, for example.
    #[must_use]
    pub fn measured_in(mut self, prototype: E) -> Trainer<E> {
        self.prototype = prototype;
        self
    }

    /// Updates that the whole training takes.
    pub fn planned_updates(&self) -> u64 {
        self.config.updates(self.total_steps)
    }

    /// Changes how many steps of single environments the whole training takes: the schedules go by it from the
    /// next update on.
    pub fn set_total_steps(&mut self, total_steps: u64) {
        self.total_steps = total_steps;
    }

    /// From the next update on trains by `config`, which may differ in what shapes neither rollouts nor networks: rates,
    /// weights, clips, epochs, the minibatch. The learning rate is multiplied by `gain` (0 or more); while `observing`
    /// rollouts are played and looked at, and nothing is learned from them: policy and normalisers stay as they are.
    pub fn set_in_force(&mut self, config: &TrainConfig, gain: f64, observing: bool) {
        self.config.clone_from(config);
        (self.gain, self.observing) = (gain, observing);
    }

    /// From the next update on the environments go on, from where they are, under the settings of `trained`; the policy is
    /// measured in copies of `measured`.
    ///
    /// # Errors
    /// If they have other sizes; nothing has changed then.
    pub fn change_worlds(&mut self, trained: &E, measured: &E) -> Result<(), String> {
        self.envs.change_to(trained, &mut self.batch).map_err(|error| error.to_string())?;
        self.prototype = measured.clone();
        Ok(())
    }

    /// Refuses what [`Trainer::change_worlds`] would refuse.
    ///
    /// # Errors
    /// As there.
    pub fn fits(&self, trained: &E) -> Result<(), String> {
        self.envs.changed_to(trained).map(drop).map_err(|error| error.to_string())
    }

    /// Steps of single environments in a rollout.
    pub fn steps_per_update(&self) -> u64 {
        (self.config.num_envs * self.config.horizon) as u64
    }

    /// One rollout and what is learned from it.
    ///
    /// # Errors
    /// If a loss or a gradient was no number, or the learner failed; the training is then not to go on from here.
    pub fn update(&mut self) -> Result<Update, UpdateError> {
        let (mut whole, mut lap) = (Lap::start(), Lap::start());
        self.collect()?;
        lap.to(&mut self.timings.rollout);
        self.normalize_rewards();
        self.estimate_advantages()?;
        lap.to(&mut self.timings.advantages);
        let update = self.learn()?;
        lap = Lap::start();
        // The next rollout is seen with what this one has shown.
        if self.config.normalize_observations && !self.observing {
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

    /// Steps every environment `horizon` times with actions drawn from the policy; [`Trainer::update`]
    /// begins with it.
    ///
    /// # Errors
    /// If the learner failed.
    pub fn collect(&mut self) -> Result<(), LearnerError> {
        let rows = self.batch.rewards.len();
        let width = self.batch.observations.ncols();
        let actions = self.envs.action_space().n;
        let (horizon, restarting) = (self.config.horizon, self.config.restarting());
        self.restart(restarting);
        self.rollout.resize(horizon, rows, width, actions, self.batch.action_mask.nrows() > 0);
        self.rollout.remembered.resize(horizon, &self.memory);
        let mut logits = vec![0.0; rows * actions];
        let mut chosen = vec![0; rows];
        let key = Purpose::Actions.key(self.seed);
        for t in 0..horizon {
            let at = t * rows..(t + 1) * rows;
            let rollout = &mut self.rollout;
            let mask = rollout.write_seen(at.clone(), &self.batch);
            rollout.remembered.write(t, &self.memory);
            let seen = at.start * width..at.end * width;
            self.observation_normalizer
                .apply(&rollout.raw[seen.clone()], &mut rollout.observations[seen.clone()]);
            let (memory, values) = (self.memory.step(&self.batch), &mut rollout.values[at.clone()]);
            self.learner.act(&rollout.observations[seen], memory, &mut logits, values)?;
            let step = (self.counters.updates as usize * horizon + t) as u32;
            let (mask, log_probs) = (&rollout.action_mask[mask], &mut rollout.log_probs[at.clone()]);
            draw_actions(key, step, &logits, mask, &mut chosen, log_probs);
            for (action, &chosen) in rollout.actions[at.clone()].iter_mut().zip(&chosen) {
                *action = chosen as u32;
            }
            // Actions come from the action space.
            let _ = self.envs.step(&chosen, &mut self.batch);
            let gamma = self.config.gamma as f32;
            rollout.write_outcome(at.clone(), &self.batch, gamma, &mut self.discounted);
            if self.batch.truncated.iter().any(|&truncated| truncated) {
                // The values of the observations that truncated episodes ended with, and of what they remembered.
                let finals = self.normalized(self.batch.final_observations.view());
                let memory = self.memory.copy();
                self.learner.act(&finals, memory, &mut logits, &mut self.rollout.bootstrap[at])?;
            }
            self.memory.begin_anew(&self.envs, &self.batch);
            self.counters.count_episodes(&self.batch, restarting);
        }
        Ok(())
    }

    /// Begins new episodes in the first environments, but for the first rollout, which begins with new ones. What
    /// goes on there is cut as at the end of any rollout, with the value of what would follow.
    fn restart(&mut self, restarting: usize) {
        if restarting == 0 || self.counters.updates == 0 {
            return;
        }
        let (envs, root) = (self.config.num_envs, Purpose::Restarts.seed(self.seed));
        let first = self.counters.updates * envs as u64;
        let seeds: Vec<Option<u64>> =
            (0..envs).map(|env| (env < restarting).then(|| lane_seed(root, first + env as u64))).collect();
        self.envs.reset_lanes(&seeds, &mut self.batch);
        let rows = restarting * self.envs.agents();
        self.discounted[..rows].fill(0.0);
        self.memory.forget(rows);
    }

    fn normalized(&self, observations: ArrayView2<'_, f32>) -> Vec<f32> {
        let mut normalized = vec![0.0; observations.len()];
        self.observation_normalizer.apply(contiguous(observations), &mut normalized);
        normalized
    }

    /// Divides the rewards by the standard deviation of the discounted returns, this rollout's among them.
    fn normalize_rewards(&mut self) {
        if self.config.normalize_returns {
            let Rollout { discounted, alive, rewards, .. } = &mut self.rollout;
            if !self.observing {
                self.return_normalizer.update(discounted, alive);
            }
            let scale = self.return_normalizer.scales()[0];
            for reward in rewards {
                *reward = (*reward * scale).clamp(-10.0, 10.0);
            }
        }
    }

    /// Generalised advantage estimation over the rollout, with the value of what follows its last step.
    fn estimate_advantages(&mut self) -> Result<(), LearnerError> {
        let rows = self.batch.rewards.len();
        let mut last_values = vec![0.0; rows];
        let mut logits = vec![0.0; rows * self.envs.action_space().n];
        let last = self.normalized(self.batch.observations.view());
        self.learner.act(&last, self.memory.copy(), &mut logits, &mut last_values)?;
        let (gamma, lambda) = (self.config.gamma as f32, self.config.lambda as f32);
        self.rollout.write_advantages(&last_values, gamma, lambda);
        Ok(())
    }

    /// Epochs of minibatches over the rollout.
    fn learn(&mut self) -> Result<Update, UpdateError> {
        // Beyond its end a training goes on with what it ended with: a straight line would go below 0.
        let progress = (self.counters.updates as f64 / self.planned_updates() as f64).min(1.0);
        let chosen = self.rollout.chosen();
        let learning_rate = self.learning_rate(progress, &chosen);
        let entropy_weight = mix(self.config.entropy, self.config.entropy_final, progress);
        let weights = self.config.loss_weights(entropy_weight, self.tuner.eps);
        if weights.caps_temporal > 0.0 {
            self.rollout.write_successors(self.batch.rewards.len());
        }
        let samples = self.rollout.samples();
        self.learner.begin(&samples)?;
        let pieces = ((chosen.len() + self.config.minibatch / 2) / self.config.minibatch).max(1);
        // What an epoch puts into an order: samples, or the sequences that a memory is carried through.
        let sequences = self.rollout.remembered.sequences(&self.rollout.alive, &self.rollout.asked);
        let mut order = sequences.as_ref().map_or(chosen, Sequences::all);
        let mut gathered = Gathered::default();
        let mut sums = Vec::new();
        let mut noise = Vec::new();
        let mut lap = Lap::start();
        // Who only observes looks at each sample once.
        let epochs = if self.observing { 1 } else { self.config.epochs };
        'epochs: for epoch in 0..epochs {
            let turn = self.counters.updates * self.config.epochs as u64 + epoch as u64;
            shuffle(Purpose::Order.key(self.seed).derive(0, turn), &mut order);
            let flow_key = Purpose::Flow.key(self.seed).derive(0, turn);
            for piece in 0..pieces {
                let part = piece * order.len() / pieces..(piece + 1) * order.len() / pieces;
                if part.is_empty() {
                    continue;
                }
                let mut rows = &order[part];
                let mut asked = rows;
                if let Some(all) = &sequences {
                    all.gather(rows, &self.rollout.asked, &mut gathered);
                    (rows, asked) = (&gathered.rows, &gathered.asked);
                }
                if weights.flow > 0.0 || weights.caps_spatial > 0.0 {
                    let count = rows.len() * self.batch.observations.ncols();
                    draw_normals(flow_key, piece as u32, count, &mut noise);
                }
                let (advantage_mean, advantage_scale) = standardized(samples.advantages, asked);
                let (sequences, noise) = (&gathered.sequences[..], &noise[..]);
                let minibatch =
                    Minibatch { rows, sequences, noise, advantage_mean, advantage_scale, loss: weights };
                lap.to(&mut self.timings.assembly);
                let terms = self.learner.loss(&samples, &minibatch)?;
                // What the learner does it says itself, see `take_timings`.
                lap = Lap::start();
                if !terms.finite() {
                    let Terms { loss, gradient_norm, .. } = terms;
                    let update = self.counters.updates + 1;
                    return Err(NonFinite { update, loss, gradient_norm }.into());
                }
                sums.push(terms);
                if self.observing {
                    continue;
                }
                if self.config.target_kl > 0.0 && terms.approx_kl > 1.5 * self.config.target_kl {
                    break 'epochs;
                }
                self.learner.step(learning_rate as f32, self.config.max_grad_norm as f32)?;
                lap.to(&mut self.timings.optimizer);
            }
        }
        let terms = mean_terms(&sums);
        // Where nobody was asked nothing was learned, and there is nothing to adapt to.
        if !sums.is_empty() && !self.observing {
            self.adapt(&terms);
        }
        let means = self.counters.means();
        Ok(Update {
            return_mean: means.map(|means| means.0),
            length_mean: means.map(|means| means.1),
            learning_rate,
            entropy_weight,
            eps: f64::from(weights.eps),
            risk: self.risk_rate.as_ref().map(RiskRate::summary),
            explained_variance: explained_variance(&self.rollout),
            minibatches: sums.len(),
            terms,
            ..Update::default()
        })
    }

    /// The learning rate of an update from the samples `asked`, at `progress` through the training.
    fn learning_rate(&mut self, progress: f64, asked: &[u32]) -> f64 {
        let TrainConfig { learning_rate, learning_rate_final, .. } = self.config;
        let key = Purpose::Dropout.key(self.seed).derive(0, self.counters.updates);
        if self.observing {
            return 0.0;
        }
        let rate = match (self.config.schedule, &mut self.risk_rate) {
            (Schedule::Fixed, _) => learning_rate,
            (Schedule::Linear, _) => mix(learning_rate, learning_rate_final, progress),
            (Schedule::Prophet, Some(risk_rate)) => {
                let actions = self.envs.action_space().n;
                risk_rate.before(progress, shares(&self.rollout.actions, asked, actions), key)
            }
            _ => self.counters.learning_rate,
        };
        rate * self.gain * 0.5_f64.powi(self.counters.rollbacks as i32)
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

    /// What the policy earns in `episodes` episodes, the same each time: on seeds of their own, for
    /// each way of acting others, and with draws of their own.
    ///
    /// # Errors
    /// If the learner failed.
    pub fn evaluate(&mut self, acting: Acting, episodes: usize) -> Result<Earned, LearnerError> {
        let (learner, normalizer) = (&mut *self.learner, &self.observation_normalizer);
        let remembered = self.memory.numbers;
        Measured { learner, normalizer, prototype: &self.prototype, remembered, seed: self.seed, acting }
            .earned(episodes)
    }

    /// Where the time of the updates went since the last call.
    pub fn take_timings(&mut self) -> Timings {
        let all = self.learner.timings();
        let before = std::mem::replace(&mut self.taken, all);
        let mut timings = std::mem::take(&mut self.timings);
        timings.add_loss(&all, &before);
        timings
    }

    /// The learner.
    pub fn learner(&self) -> &dyn Learner {
        &*self.learner
    }
}

fn mix(from: f64, to: f64, progress: f64) -> f64 {
    from + (to - from) * progress
}
