//! The terms of the loss with their gradients by the networks' outputs, [`LANES`] samples side by side.
//! Sums over samples go in the samples' order.

use resonetics_envs::cpu::Work;
use resonetics_envs::math::{self, LANES, Lanes};
use resonetics_kernel::dense::padded;

use crate::prophet::categorical::{FORBIDDEN, log_softmax_lanes};
use crate::prophet::learner::{LossWeights, Samples, Sequence, Terms};

/// A block of a minibatch.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub rows: &'a [u32],
    /// Whose rows these are, where networks have a memory, and the place of the first of them in the minibatch.
    pub sequences: &'a [Sequence],
    pub from: usize,
    pub noise: &'a [f32],
    /// Samples in the whole minibatch that have terms in the loss.
    pub b: usize,
    pub weights: LossWeights,
    /// Mean and scale.
    pub advantage: (f32, f32),
    /// Of the whole minibatch, see `NativeLearner::means`.
    pub means: (f64, f64),
}

/// 1 - cos(2 pi x / period) and its derivative.
#[inline(always)]
pub(super) fn structure(x: f32, period: f32) -> (f32, f32) {
    let turns = x / period;
    let turn = ((turns - turns.floor()) * 4_294_967_296.0) as u32;
    let (sin, cos) = math::sin_cos_turn(turn);
    (1.0 - cos, std::f32::consts::TAU / period * sin)
}

/// The numbers of `rows` among `all`, side by side; zeros where there are fewer than [`LANES`].
#[inline(always)]
fn gathered(all: &[f32], rows: &[u32]) -> Lanes {
    let mut lanes = [0.0; LANES];
    for (lane, &row) in lanes.iter_mut().zip(rows) {
        *lane = all[row as usize];
    }
    lanes
}

/// The logits `[rows, padded(actions)]` of `rows` side by side, those of actions that could not be chosen as such.
#[inline(always)]
pub(super) fn masked_logits(samples: &Samples<'_>, logits: &[f32], rows: &[u32], out: &mut [Lanes]) {
    let actions = out.len();
    let width = padded(actions);
    for (lane, &row) in rows.iter().enumerate() {
        for (slot, &logit) in out.iter_mut().zip(&logits[lane * width..][..actions]) {
            slot[lane] = logit;
        }
        if !samples.action_mask.is_empty() {
            let mask = &samples.action_mask[row as usize * actions..][..actions];
            for (slot, &allowed) in out.iter_mut().zip(mask) {
                if !allowed {
                    slot[lane] = FORBIDDEN;
                }
            }
        }
    }
}

/// The policy's terms and their gradient with respect to the logits.
pub(super) struct PolicyLoss<'a> {
    pub samples: &'a Samples<'a>,
    pub part: Part<'a>,
    /// `[rows, padded(actions)]`
    pub logits: &'a [f32],
    /// Of log-probabilities and of probabilities, `[actions]` each, and one that is left alone.
    pub room: &'a mut [Vec<Lanes>; 3],
    pub d_logits: &'a mut [f32],
    pub sums: &'a mut Terms,
}

impl Work for PolicyLoss<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let width = padded(self.room[0].len());
        for (i, rows) in self.part.rows.chunks(LANES).enumerate() {
            self.side_by_side(rows, i * LANES * width, width);
        }
    }
}

impl Part<'_> {
    /// Whether x + eps n is looked at.
    pub(super) fn flows(&self) -> bool {
        self.weights.flow != 0.0 && !self.noise.is_empty()
    }
}

impl PolicyLoss<'_> {
    /// At most [`LANES`] samples, whose logits begin at `from`.
    #[inline(always)]
    fn side_by_side(&mut self, rows: &[u32], from: usize, width: usize) {
        let PolicyLoss { samples, part, logits, room: [log_probs, probabilities, _], d_logits, sums } = self;
        let actions = log_probs.len();
        let share = 1.0 / part.b as f32;
        let LossWeights { clip, entropy: entropy_weight, .. } = part.weights;
        let mut action = [0; LANES];
        for (lane, &row) in rows.iter().enumerate() {
            action[lane] = samples.actions[row as usize];
        }
        masked_logits(samples, &logits[from..], rows, log_probs);
        log_softmax_lanes(log_probs, probabilities);
        let mut now = [0.0; LANES];
        for (lane, &action) in action.iter().enumerate() {
            now[lane] = log_probs[action as usize][lane];
        }
        let then = gathered(samples.log_probs, rows);
        let advantage = gathered(samples.advantages, rows);
        let (mut gain, mut kl, mut clips) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let mut pull = [0.0; LANES];
        for i in 0..LANES {
            let advantage = (advantage[i] - part.advantage.0) * part.advantage.1;
            let log_ratio = now[i] - then[i];
            let ratio = math::flush(math::exp(log_ratio));
            let clipped = ratio.clamp(1.0 - clip, 1.0 + clip);
            gain[i] = (ratio * advantage).min(clipped * advantage);
            kl[i] = ratio - 1.0 - log_ratio;
            clips[i] = if (ratio - 1.0).abs() > clip { 1.0 } else { 0.0 };
            let free = ratio * advantage <= clipped * advantage;
            pull[i] = if free { math::flush(-advantage * ratio * share) } else { 0.0 };
        }
        let mut entropy = [0.0; LANES];
        for (p, log_p) in probabilities.iter().zip(&*log_probs) {
            for i in 0..LANES {
                entropy[i] -= p[i] * log_p[i];
            }
        }
        for lane in 0..rows.len() {
            sums.policy -= f64::from(gain[lane]);
            sums.approx_kl += f64::from(kl[lane]);
            sums.clip_fraction += clips[lane];
            sums.entropy += f64::from(entropy[lane]);
        }
        let spread = math::flush(entropy_weight * share);
        for (j, (p, log_p)) in probabilities.iter_mut().zip(&*log_probs).enumerate() {
            for i in 0..LANES {
                let chosen = if action[i] == j as u32 { 1.0 } else { 0.0 };
                p[i] = math::flush(pull[i] * (chosen - p[i]) + spread * p[i] * (log_p[i] + entropy[i]));
            }
        }
        for lane in 0..rows.len() {
            let out = &mut d_logits[from + lane * width..][..actions];
            for (out, d) in out.iter_mut().zip(&*probabilities) {
                *out = d[lane];
            }
        }
    }
}

/// The value's terms and their gradient with respect to the value.
pub(super) struct ValueLoss<'a> {
    pub samples: &'a Samples<'a>,
    pub part: Part<'a>,
    /// `[rows, padded(1)]`
    pub values: &'a [f32],
    pub d_values: &'a mut [f32],
    pub sums: &'a mut Terms,
}

impl Work for ValueLoss<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let ValueLoss { samples, part, values, d_values, sums } = self;
        let width = padded(1);
        let share = 1.0 / part.b as f32;
        let weights = part.weights;
        let (gap, structured) = (math::tanh(part.means.0 as f32), math::tanh(part.means.1 as f32));
        // d tension / d gap and d tension / d structure.
        let by_gap = (1.0 - gap * gap) * structured;
        let by_structure = (1.0 - structured * structured) * gap;
        for (chunk, rows) in part.rows.chunks(LANES).enumerate() {
            let at = chunk * LANES;
            let mut value = [0.0; LANES];
            for lane in 0..rows.len() {
                value[lane] = values[(at + lane) * width];
            }
            let target = gathered(samples.returns, rows);
            let old = gathered(samples.values, rows);
            let (mut squares, mut losses) = ([0.0; LANES], [0.0; LANES]);
            let (mut structures, mut slopes) = ([0.0; LANES], [0.0; LANES]);
            for i in 0..LANES {
                let error = value[i] - target[i];
                squares[i] = error * error;
                losses[i] = error * error;
                slopes[i] = 2.0 * error;
            }
            if weights.value_clip > 0.0 {
                for i in 0..LANES {
                    let moved = value[i] - old[i];
                    let clipped = old[i] + moved.clamp(-weights.value_clip, weights.value_clip) - target[i];
                    let larger = clipped * clipped > losses[i];
                    let slope = if moved.abs() < weights.value_clip { 2.0 * clipped } else { 0.0 };
                    losses[i] = if larger { clipped * clipped } else { losses[i] };
                    slopes[i] = if larger { slope } else { slopes[i] };
                }
            }
            for i in 0..LANES {
                let (s, s_slope) = structure(value[i], weights.period);
                structures[i] = s;
                slopes[i] = 0.5 * weights.value * slopes[i] + weights.structure * s_slope;
                if weights.tension != 0.0 {
                    let error = value[i] - target[i];
                    slopes[i] -= weights.tension * (by_gap * 2.0 * error + by_structure * s_slope);
                }
            }
            for lane in 0..rows.len() {
                sums.value += f64::from(losses[lane]);
                // The gap that the tension is a function of; `summed_up` makes the tension of it.
                sums.tension += f64::from(squares[lane]);
                sums.structure += f64::from(structures[lane]);
                d_values[(at + lane) * width] = math::flush(slopes[lane] * share);
            }
        }
    }
}

/// The flow of `outputs` outputs and its gradient with respect to f(x) (added) and f(x + eps n).
pub(super) struct FlowLoss<'a> {
    pub part: Part<'a>,
    pub outputs: usize,
    pub plain: &'a [f32],
    pub perturbed: &'a [f32],
    pub d_plain: &'a mut [f32],
    pub d_perturbed: &'a mut [f32],
    pub sums: &'a mut Terms,
}

impl Work for FlowLoss<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let FlowLoss { part, outputs, plain, perturbed, d_plain, d_perturbed, sums } = self;
        let width = padded(outputs);
        let scale = 1.0 / (part.weights.eps * part.weights.eps * outputs as f32);
        let slope = 2.0 * part.weights.flow * scale / part.b as f32;
        for i in 0..part.rows.len() {
            let mut sum = 0.0;
            for j in i * width..i * width + outputs {
                let difference = perturbed[j] - plain[j];
                sum += difference * difference;
                d_plain[j] = math::flush(d_plain[j] - slope * difference);
                d_perturbed[j] = math::flush(slope * difference);
            }
            sums.flow += f64::from(sum * scale);
        }
    }
}

/// The groups' sums as the terms of the minibatch of `b` samples, with the gradient's norm and what is no sum over
/// samples, `l2`.
pub(super) fn summed_up(
    groups: &[&Terms],
    b: usize,
    weights: LossWeights,
    (gradient_norm, l2): (f64, f64),
) -> Terms {
    let mean = |of: fn(&Terms) -> f64| groups.iter().map(|sums| of(sums)).sum::<f64>() / b as f64;
    let mut terms = Terms {
        policy: mean(|terms| terms.policy),
        value: mean(|terms| terms.value),
        entropy: mean(|terms| terms.entropy),
        flow: mean(|terms| terms.flow),
        structure: mean(|terms| terms.structure),
        l2,
        caps_spatial: mean(|terms| terms.caps_spatial),
        caps_temporal: mean(|terms| terms.caps_temporal),
        approx_kl: mean(|terms| terms.approx_kl),
        clip_fraction: mean(|terms| terms.clip_fraction),
        gradient_norm,
        ..Terms::default()
    };
    let gap = mean(|terms| terms.tension);
    terms.tension = f64::from(math::tanh(gap as f32) * math::tanh(terms.structure as f32));
    terms.loss = terms.policy + f64::from(weights.value) * 0.5 * terms.value
        - f64::from(weights.entropy) * terms.entropy
        + f64::from(weights.flow) * terms.flow
        + f64::from(weights.structure) * terms.structure
        - f64::from(weights.tension) * terms.tension
        + f64::from(weights.l2) * terms.l2
        + f64::from(weights.caps_spatial) * terms.caps_spatial
        + f64::from(weights.caps_temporal) * terms.caps_temporal;
    terms
}
