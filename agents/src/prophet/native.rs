//! The learner that needs no library: dense layers with hand-written gradients on f32 arrays.
//!
//! Results do not depend on the CPU or on the number of threads: a minibatch is cut into blocks of
//! `BLOCK` samples, the blocks into at most `GROUPS` groups by their number alone, and each
//! group sums its own gradient; the groups' sums are added in order.

use rayon::prelude::*;
use resonetics_envs::math;
use resonetics_kernel::adam::{Adam, AdamConfig, clip_norm};
use resonetics_kernel::dense::{Left, Start, add_rows, padded, product, tanh, tanh_backward, transpose};

use super::categorical::{forbid, log_softmax};
use super::learner::{Learner, LossWeights, Minibatch, Samples, Terms};
use super::network::{NETS, Network, Spaces, Tensor};
use super::timings::{Lap, LossTimings};

/// Samples whose activations fit a first-level cache together with the weights.
const BLOCK: usize = 64;
/// Parts of a minibatch that can be worked on at a time.
const GROUPS: usize = 16;
/// Samples from which on another thread is worth waking.
const PARALLEL_FROM: usize = 256;

const ACTOR: usize = 0;
const CRITIC: usize = 1;

/// A dense layer: `[input, output]` weights (transposed against their file), both padded, and the
/// bias behind them.
#[derive(Clone, Copy, Debug)]
struct Layer {
    input: usize,
    output: usize,
    weight: usize,
    bias: usize,
    end: usize,
}

/// Where a network's parameters are.
#[derive(Clone, Debug)]
struct Net {
    /// Weights and biases of the convolution, unpadded; empty where there is none.
    conv: std::ops::Range<usize>,
    layers: Vec<Layer>,
}

/// What a network computed for a block.
#[derive(Clone, Debug)]
struct Pass {
    /// `[BLOCK, input]` of the first layer.
    input: Vec<f32>,
    /// `[BLOCK, output]` a layer.
    outputs: Vec<Vec<f32>>,
}

/// What a group needs.
#[derive(Clone, Debug)]
struct Scratch {
    /// Of actor and critic, for x and for x + eps n.
    passes: [[Pass; 2]; 2],
    /// Gradients of a layer's outputs and of its inputs, `[BLOCK, widest]`.
    d_outputs: Vec<f32>,
    d_inputs: Vec<f32>,
    /// Gradients of the outputs of the two networks, for x and for x + eps n, `[BLOCK, output]`.
    d_heads: [[Vec<f32>; 2]; 2],
    gradient: Vec<f32>,
    sums: Terms,
    timings: LossTimings,
}

/// Networks and Adam on plain arrays. A convolution it can evaluate, but not train.
pub struct NativeLearner {
    network: Network,
    spaces: Spaces,
    nets: [Net; 2],
    parameters: Vec<f32>,
    gradient: Vec<f32>,
    /// Every layer's weights as `[output, input]`, at the same place.
    transposed: Vec<f32>,
    adam: Adam,
    groups: Vec<Scratch>,
    timings: LossTimings,
}

/// With the eps of PPO's reference implementations.
const ADAM: AdamConfig = AdamConfig { beta1: 0.9, beta2: 0.999, eps: 1e-5, weight_decay: 0.0 };

impl NativeLearner {
    /// Networks with all parameters 0: load what they start from.
    pub fn new(network: &Network, spaces: Spaces) -> NativeLearner {
        let mut at = 0;
        let nets = [spaces.actions, 1].map(|outputs| {
            let conv = at..at + 10 * network.conv_channels;
            at = conv.end;
            let mut input = padded(network.features(spaces));
            let layers = network.hidden.iter().chain([&outputs]).map(|&width| {
                let output = padded(width);
                let (weight, bias) = (at, at + input * output);
                at = bias + output;
                let layer = Layer { input, output, weight, bias, end: at };
                input = output;
                layer
            });
            Net { conv, layers: layers.collect() }
        });
        NativeLearner {
            network: network.clone(),
            spaces,
            nets,
            parameters: vec![0.0; at],
            gradient: vec![0.0; at],
            transposed: vec![0.0; at],
            adam: Adam::new(at, ADAM),
            groups: Vec::new(),
            timings: LossTimings::default(),
        }
    }

    /// The scratch of at least `count` groups; hand it back.
    fn take_groups(&mut self, count: usize) -> Vec<Scratch> {
        let mut groups = std::mem::take(&mut self.groups);
        while groups.len() < count {
            groups.push(self.scratch());
        }
        groups
    }

    fn scratch(&self) -> Scratch {
        let pass = |net: &Net| Pass {
            input: vec![0.0; BLOCK * net.layers[0].input],
            outputs: net.layers.iter().map(|layer| vec![0.0; BLOCK * layer.output]).collect(),
        };
        let widths =
            self.nets.iter().flat_map(|net| &net.layers).flat_map(|layer| [layer.input, layer.output]);
        let widest = BLOCK * widths.max().unwrap_or_default();
        let head = |net: &Net| vec![0.0; BLOCK * net.layers.last().map_or(0, |layer| layer.output)];
        let [actor, critic] = &self.nets;
        Scratch {
            passes: [[pass(actor), pass(critic)], [pass(actor), pass(critic)]],
            d_outputs: vec![0.0; widest],
            d_inputs: vec![0.0; widest],
            d_heads: [[head(actor), head(critic)], [head(actor), head(critic)]],
            gradient: vec![0.0; self.parameters.len()],
            sums: Terms::default(),
            timings: LossTimings::default(),
        }
    }

    /// Writes what enters the first layer for one observation.
    fn features(&self, net: &Net, observation: &[f32], input: &mut [f32]) {
        let channels = self.network.conv_channels;
        if channels == 0 {
            input[..observation.len()].copy_from_slice(observation);
            return;
        }
        let view = self.spaces.view;
        // As `Network::features` has it: a view smaller than the kernel has no place for it.
        let side = view.saturating_sub(2);
        let (kernels, biases) = self.parameters[net.conv.clone()].split_at(9 * channels);
        for (channel, kernel) in kernels.chunks_exact(9).enumerate() {
            for y in 0..side {
                for x in 0..side {
                    let mut sum = biases[channel];
                    for tap in 0..9 {
                        sum += kernel[tap] * observation[(y + tap / 3) * view + x + tap % 3];
                    }
                    input[(channel * side + y) * side + x] = math::tanh(sum);
                }
            }
        }
        let rest = &observation[view * view..];
        input[channels * side * side..][..rest.len()].copy_from_slice(rest);
    }

    /// The outputs of a network for the `rows` inputs in `pass`.
    fn forward(&self, net: &Net, pass: &mut Pass, rows: usize) {
        for (i, layer) in net.layers.iter().enumerate() {
            let (before, rest) = pass.outputs.split_at_mut(i);
            let input = before.last().unwrap_or(&pass.input);
            let output = &mut rest[0][..rows * layer.output];
            let weight = &self.parameters[layer.weight..layer.bias];
            let bias = Start::Bias(&self.parameters[layer.bias..layer.end]);
            product(Left::Rows(input, layer.input), weight, bias, layer.output, output);
            if i + 1 < net.layers.len() {
                tanh(output);
            }
        }
    }

    /// Adds to `gradient` what the gradient of the outputs in `d_outputs` gives.
    fn backward<'a>(
        &self,
        net: &Net,
        pass: &Pass,
        rows: usize,
        mut d_outputs: &'a mut [f32],
        mut d_inputs: &'a mut [f32],
        gradient: &mut [f32],
    ) {
        for (i, layer) in net.layers.iter().enumerate().rev() {
            let input = if i == 0 { &pass.input } else { &pass.outputs[i - 1] };
            let d_output = &d_outputs[..rows * layer.output];
            let d_weight = &mut gradient[layer.weight..layer.bias];
            let left = Left::Columns(&input[..rows * layer.input], layer.input);
            product(left, d_output, Start::Present, layer.output, d_weight);
            add_rows(d_output, &mut gradient[layer.bias..layer.end]);
            if i > 0 {
                let d_input = &mut d_inputs[..rows * layer.input];
                let weight = &self.transposed[layer.weight..layer.bias];
                product(Left::Rows(d_output, layer.output), weight, Start::Zero, layer.input, d_input);
                tanh_backward(&input[..rows * layer.input], d_input);
                (d_outputs, d_inputs) = (d_inputs, d_outputs);
            }
        }
    }

    /// Fills the inputs of `pass` with the samples `rows`, and those of `perturbed` with the samples
    /// plus eps times the noise where there is one.
    fn gather(&self, net: usize, samples: &Samples<'_>, part: Part<'_>, passes: &mut [[Pass; 2]; 2]) {
        let width = self.spaces.observation;
        let input = self.nets[net].layers[0].input;
        let [pass, perturbed] = passes;
        for (i, &row) in part.rows.iter().enumerate() {
            let observation = &samples.observations[row as usize * width..][..width];
            self.features(&self.nets[net], observation, &mut pass[net].input[i * input..(i + 1) * input]);
            if !part.noise.is_empty() {
                let noise = &part.noise[i * width..(i + 1) * width];
                let out = &mut perturbed[net].input[i * input..][..width];
                for ((out, x), n) in out.iter_mut().zip(observation).zip(noise) {
                    *out = x + part.weights.eps * n;
                }
            }
        }
    }

    /// One block: its terms into the sums, its gradient onto the group's.
    fn block(&self, samples: &Samples<'_>, part: Part<'_>, scratch: &mut Scratch) {
        let Scratch { passes, d_outputs, d_inputs, d_heads, gradient, sums, timings } = scratch;
        let mut lap = Lap::start();
        let rows = part.rows.len();
        let flow = !part.noise.is_empty();
        for net in [ACTOR, CRITIC] {
            self.gather(net, samples, part, passes);
            lap.to(&mut timings.assembly);
            self.forward(&self.nets[net], &mut passes[0][net], rows);
            if flow {
                self.forward(&self.nets[net], &mut passes[1][net], rows);
            }
            lap.to(&mut timings.forward);
        }
        let [d_plain, d_perturbed] = d_heads;
        let logits = last(&passes[0][ACTOR]);
        let values = last(&passes[0][CRITIC]);
        policy_loss(samples, part, logits, self.spaces.actions, &mut d_plain[ACTOR], sums);
        value_loss(samples, part, values, &mut d_plain[CRITIC], sums);
        if flow {
            for (net, outputs) in [(ACTOR, self.spaces.actions), (CRITIC, 1)] {
                let (plain, perturbed) = (last(&passes[0][net]), last(&passes[1][net]));
                flow_loss(part, outputs, plain, perturbed, &mut d_plain[net], &mut d_perturbed[net], sums);
            }
        }
        lap.to(&mut timings.terms);
        for which in 0..=usize::from(flow) {
            for net in [ACTOR, CRITIC] {
                let head = &d_heads[which][net];
                d_outputs[..head.len()].copy_from_slice(head);
                self.backward(&self.nets[net], &passes[which][net], rows, d_outputs, d_inputs, gradient);
            }
        }
        lap.to(&mut timings.backward);
    }

    /// Mean of (V(x) - return)^2 and of 1 - cos(2 pi V(x) / period) over a minibatch: the tension
    /// is a function of means, so that its gradient needs them first.
    fn means(&self, samples: &Samples<'_>, minibatch: &Minibatch<'_>, groups: &mut [Scratch]) -> (f64, f64) {
        let b = minibatch.rows.len();
        let count = groups.len();
        let weights = minibatch.loss;
        each(groups, b, |g, scratch| {
            scratch.sums = Terms::default();
            for rows in minibatch.rows[range(g, count, b)].chunks(BLOCK) {
                let part = Part { rows, noise: &[], b, weights, advantage: (0.0, 0.0), means: (0.0, 0.0) };
                self.gather(CRITIC, samples, part, &mut scratch.passes);
                let pass = &mut scratch.passes[0][CRITIC];
                self.forward(&self.nets[CRITIC], pass, rows.len());
                let width = pass.outputs.last().map_or(1, |output| output.len() / BLOCK);
                for (i, &row) in rows.iter().enumerate() {
                    let value = last(pass)[i * width];
                    let gap = f64::from(value - samples.returns[row as usize]);
                    scratch.sums.value += gap * gap;
                    scratch.sums.structure += f64::from(structure(value, weights.period).0);
                }
            }
        });
        let sum = |of: fn(&Terms) -> f64| groups.iter().map(|group| of(&group.sums)).sum::<f64>() / b as f64;
        (sum(|terms| terms.value), sum(|terms| terms.structure))
    }
}

/// A block of a minibatch.
#[derive(Clone, Copy)]
struct Part<'a> {
    rows: &'a [u32],
    noise: &'a [f32],
    /// Samples in the whole minibatch.
    b: usize,
    weights: LossWeights,
    /// Mean and scale.
    advantage: (f32, f32),
    /// Of the whole minibatch, see [`NativeLearner::means`].
    means: (f64, f64),
}

fn last(pass: &Pass) -> &[f32] {
    pass.outputs.last().map_or(&[], Vec::as_slice)
}

/// The samples of group `g` of `count`: whole blocks.
fn range(g: usize, count: usize, b: usize) -> std::ops::Range<usize> {
    let blocks = b.div_ceil(BLOCK);
    let at = |g: usize| (g * blocks / count * BLOCK).min(b);
    at(g)..at(g + 1)
}

/// Runs `work` for each group, in parallel where there is enough of it.
fn each(groups: &mut [Scratch], b: usize, work: impl Fn(usize, &mut Scratch) + Sync) {
    if b < PARALLEL_FROM {
        groups.iter_mut().enumerate().for_each(|(g, scratch)| work(g, scratch));
    } else {
        groups.par_iter_mut().enumerate().for_each(|(g, scratch)| work(g, scratch));
    }
}

/// 1 - cos(2 pi x / period) and its derivative.
#[inline(always)]
fn structure(x: f32, period: f32) -> (f32, f32) {
    let turns = x / period;
    let turn = ((turns - turns.floor()) * 4_294_967_296.0) as u32;
    let (sin, cos) = math::sin_cos_turn(turn);
    (1.0 - cos, std::f32::consts::TAU / period * sin)
}

/// The policy's terms and their gradient with respect to the logits.
fn policy_loss(
    samples: &Samples<'_>,
    part: Part<'_>,
    logits: &[f32],
    actions: usize,
    d_logits: &mut [f32],
    sums: &mut Terms,
) {
    let width = padded(actions);
    let share = 1.0 / part.b as f32;
    let LossWeights { clip, entropy: entropy_weight, .. } = part.weights;
    let mut log_probs = vec![0.0; actions];
    let mut probabilities = vec![0.0; actions];
    for (i, &row) in part.rows.iter().enumerate() {
        let row = row as usize;
        log_probs.copy_from_slice(&logits[i * width..][..actions]);
        if !samples.action_mask.is_empty() {
            forbid(&mut log_probs, &samples.action_mask[row * actions..][..actions]);
        }
        log_softmax(&mut log_probs, &mut probabilities);
        let action = samples.actions[row] as usize;
        let advantage = (samples.advantages[row] - part.advantage.0) * part.advantage.1;
        let log_ratio = log_probs[action] - samples.log_probs[row];
        let ratio = math::exp(log_ratio);
        let clipped = ratio.clamp(1.0 - clip, 1.0 + clip);
        let free = ratio * advantage <= clipped * advantage;
        sums.policy -= f64::from((ratio * advantage).min(clipped * advantage));
        sums.approx_kl += f64::from(ratio - 1.0 - log_ratio);
        sums.clip_fraction += f64::from(u8::from((ratio - 1.0).abs() > clip));
        let mut entropy = 0.0;
        for (p, log_p) in probabilities.iter().zip(&log_probs) {
            entropy -= p * log_p;
        }
        sums.entropy += f64::from(entropy);
        let pull = if free { -advantage * ratio * share } else { 0.0 };
        let spread = entropy_weight * share;
        let d_row = &mut d_logits[i * width..][..actions];
        for (j, d) in d_row.iter_mut().enumerate() {
            let p = probabilities[j];
            let chosen = f32::from(u8::from(j == action));
            *d = pull * (chosen - p) + spread * p * (log_probs[j] + entropy);
        }
    }
}

/// The value's terms and their gradient with respect to the value.
fn value_loss(samples: &Samples<'_>, part: Part<'_>, values: &[f32], d_values: &mut [f32], sums: &mut Terms) {
    let width = padded(1);
    let share = 1.0 / part.b as f32;
    let weights = part.weights;
    let (tanh_gap, tanh_structure) = (math::tanh(part.means.0 as f32), math::tanh(part.means.1 as f32));
    // d tension / d gap and d tension / d structure.
    let by_gap = (1.0 - tanh_gap * tanh_gap) * tanh_structure;
    let by_structure = (1.0 - tanh_structure * tanh_structure) * tanh_gap;
    for (i, &row) in part.rows.iter().enumerate() {
        let row = row as usize;
        let (value, target, old) = (values[i * width], samples.returns[row], samples.values[row]);
        let error = value - target;
        let mut loss = error * error;
        let mut slope = 2.0 * error;
        if weights.value_clip > 0.0 {
            let moved = value - old;
            let clipped = old + moved.clamp(-weights.value_clip, weights.value_clip) - target;
            if clipped * clipped > loss {
                loss = clipped * clipped;
                slope = if moved.abs() < weights.value_clip { 2.0 * clipped } else { 0.0 };
            }
        }
        let (s, s_slope) = structure(value, weights.period);
        sums.value += f64::from(loss);
        // The gap that the tension is a function of; `gathered` makes the tension of it.
        sums.tension += f64::from(error * error);
        sums.structure += f64::from(s);
        let mut d = 0.5 * weights.value * slope + weights.structure * s_slope;
        if weights.tension != 0.0 {
            d -= weights.tension * (by_gap * 2.0 * error + by_structure * s_slope);
        }
        d_values[i * width] = d * share;
    }
}

/// The flow of `outputs` outputs and its gradient with respect to f(x) (added) and f(x + eps n).
fn flow_loss(
    part: Part<'_>,
    outputs: usize,
    plain: &[f32],
    perturbed: &[f32],
    d_plain: &mut [f32],
    d_perturbed: &mut [f32],
    sums: &mut Terms,
) {
    let width = padded(outputs);
    let scale = 1.0 / (part.weights.eps * part.weights.eps * outputs as f32);
    let slope = 2.0 * part.weights.flow * scale / part.b as f32;
    for i in 0..part.rows.len() {
        let mut sum = 0.0;
        for j in i * width..i * width + outputs {
            let difference = perturbed[j] - plain[j];
            sum += difference * difference;
            d_plain[j] -= slope * difference;
            d_perturbed[j] = slope * difference;
        }
        sums.flow += f64::from(sum * scale);
    }
}

impl Learner for NativeLearner {
    fn act(&mut self, observations: &[f32], logits: &mut [f32], values: &mut [f32]) {
        let (width, actions, n) = (self.spaces.observation, self.spaces.actions, values.len());
        let each = n.div_ceil(GROUPS).next_multiple_of(BLOCK);
        let mut groups = self.take_groups(n.div_ceil(each));
        let this = &*self;
        let parts = observations
            .chunks(each * width)
            .zip(logits.chunks_mut(each * actions))
            .zip(values.chunks_mut(each))
            .zip(&mut groups);
        if n < PARALLEL_FROM {
            for (((observations, logits), values), scratch) in parts {
                this.act_part(observations, logits, values, scratch);
            }
        } else {
            let parts: Vec<_> = parts.collect();
            parts.into_par_iter().for_each(|(((observations, logits), values), scratch)| {
                this.act_part(observations, logits, values, scratch);
            });
        }
        self.groups = groups;
    }

    /// # Panics
    /// If the networks have a convolution, or the minibatch has no sample.
    fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Terms {
        assert_eq!(self.network.conv_channels, 0, "the native learner has no gradient of a convolution");
        let mut lap = Lap::start();
        let mut wall = LossTimings::default();
        for layer in self.nets.iter().flat_map(|net| &net.layers) {
            let weights = layer.weight..layer.bias;
            transpose(&self.parameters[weights.clone()], layer.output, &mut self.transposed[weights]);
        }
        lap.to(&mut wall.backward);
        let b = minibatch.rows.len();
        let count = b.div_ceil(BLOCK).min(GROUPS);
        let mut groups = self.take_groups(count);
        let weights = minibatch.loss;
        let tense = weights.tension != 0.0;
        let means = if tense { self.means(samples, minibatch, &mut groups[..count]) } else { (0.0, 0.0) };
        let advantage = (minibatch.advantage_mean, minibatch.advantage_scale);
        let width = self.spaces.observation;
        lap.to(&mut wall.forward);
        let this = &*self;
        each(&mut groups[..count], b, |g, scratch| {
            scratch.gradient.fill(0.0);
            scratch.sums = Terms::default();
            scratch.timings = LossTimings::default();
            for head in scratch.d_heads.iter_mut().flatten() {
                head.fill(0.0);
            }
            let mut at = range(g, count, b).start;
            for rows in minibatch.rows[range(g, count, b)].chunks(BLOCK) {
                let noise = if minibatch.noise.is_empty() {
                    &[]
                } else {
                    &minibatch.noise[at * width..(at + rows.len()) * width]
                };
                at += rows.len();
                this.block(samples, Part { rows, noise, b, weights, advantage, means }, scratch);
            }
        });
        let mut blocks = 0.0;
        lap.to(&mut blocks);
        self.gradient.copy_from_slice(&groups[0].gradient);
        for group in &groups[1..count] {
            add_rows(&group.gradient, &mut self.gradient);
        }
        lap.to(&mut wall.backward);
        let terms = gathered(&groups[..count], b, weights, &self.gradient);
        lap.to(&mut wall.terms);
        self.timings.add(&wall, 1.0);
        // The groups' seconds are those of all threads.
        let all: f64 = groups[..count].iter().map(|group| group.timings.sum()).sum();
        for group in &groups[..count] {
            self.timings.add(&group.timings, blocks / all);
        }
        self.groups = groups;
        terms
    }

    fn timings(&self) -> LossTimings {
        self.timings
    }

    fn step(&mut self, learning_rate: f32, max_norm: f32) {
        clip_norm(&mut self.gradient, max_norm.into());
        self.adam.step(&mut self.parameters, &self.gradient, learning_rate.into());
    }

    fn gradient(&self) -> Vec<Tensor> {
        self.export("", &self.gradient)
    }

    fn save(&self) -> Vec<Tensor> {
        let mut all = self.export("", &self.parameters);
        all.extend(self.export("adam.m.", &self.adam.m));
        all.extend(self.export("adam.v.", &self.adam.v));
        all
    }

    fn steps(&self) -> u64 {
        self.adam.steps
    }

    fn load(&mut self, tensors: &[Tensor], steps: u64) -> Result<(), String> {
        let shapes = self.network.parameters(self.spaces);
        let parameters = self.import("", &shapes, tensors)?;
        let m = self.import("adam.m.", &shapes, tensors)?;
        let v = self.import("adam.v.", &shapes, tensors)?;
        self.parameters = parameters;
        (self.adam.m, self.adam.v, self.adam.steps) = (m, v, steps);
        Ok(())
    }
}

impl NativeLearner {
    fn act_part(&self, observations: &[f32], logits: &mut [f32], values: &mut [f32], scratch: &mut Scratch) {
        let (width, actions) = (self.spaces.observation, self.spaces.actions);
        let [actor, critic] = &mut scratch.passes[0];
        for (block, values) in values.chunks_mut(BLOCK).enumerate() {
            let rows = values.len();
            for (net, pass) in self.nets.iter().zip([&mut *actor, &mut *critic]) {
                let input = net.layers[0].input;
                for i in 0..rows {
                    let observation = &observations[(block * BLOCK + i) * width..][..width];
                    self.features(net, observation, &mut pass.input[i * input..(i + 1) * input]);
                }
                self.forward(net, pass, rows);
            }
            for (i, value) in values.iter_mut().enumerate() {
                let out = &mut logits[(block * BLOCK + i) * actions..][..actions];
                out.copy_from_slice(&last(actor)[i * padded(actions)..][..actions]);
                *value = last(critic)[i * padded(1)];
            }
        }
    }

    /// Flat numbers in this learner's order as named tensors.
    fn export(&self, prefix: &str, flat: &[f32]) -> Vec<Tensor> {
        let shapes = self.network.parameters(self.spaces);
        let mut places = self.places();
        let mut out = Vec::with_capacity(shapes.len());
        for (name, shape) in shapes {
            let mut data = vec![0.0; shape.iter().product()];
            if let Some(place) = places.next() {
                place.visit(&shape, |at, i| data[i] = flat[at]);
            }
            out.push(Tensor { name: format!("{prefix}{name}"), shape, data });
        }
        out
    }

    fn import(
        &self,
        prefix: &str,
        shapes: &[(String, Vec<usize>)],
        tensors: &[Tensor],
    ) -> Result<Vec<f32>, String> {
        let mut flat = vec![0.0; self.parameters.len()];
        for ((name, shape), place) in shapes.iter().zip(self.places()) {
            let tensor = super::network::find(tensors, &format!("{prefix}{name}"), shape)?;
            place.visit(shape, |at, i| flat[at] = tensor.data[i]);
        }
        Ok(flat)
    }

    /// Where the parameters lie, in the order of [`Network::parameters`].
    fn places(&self) -> impl Iterator<Item = Place> + '_ {
        NETS.iter().zip(&self.nets).flat_map(|(_, net)| {
            let weights = net.conv.len() / 10 * 9;
            let conv = [Place::Plain(net.conv.start), Place::Plain(net.conv.start + weights)];
            let conv = conv.into_iter().filter(|_| !net.conv.is_empty());
            let dense = net
                .layers
                .iter()
                .flat_map(|layer| [Place::Transposed(layer.weight, layer.output), Place::Plain(layer.bias)]);
            conv.chain(dense)
        })
    }
}

/// Where a tensor lies in the flat array.
enum Place {
    /// One after the other from here on.
    Plain(usize),
    /// `[input, output]` from here on, rows this long.
    Transposed(usize, usize),
}

impl Place {
    /// Calls `visit(place in the flat array, place in the tensor)` for each element.
    fn visit(&self, shape: &[usize], mut visit: impl FnMut(usize, usize)) {
        let count: usize = shape.iter().product();
        match *self {
            Place::Plain(start) => (0..count).for_each(|i| visit(start + i, i)),
            Place::Transposed(start, stride) => {
                let inputs = shape[1];
                (0..count).for_each(|i| visit(start + i % inputs * stride + i / inputs, i));
            }
        }
    }
}

/// The groups' sums as the terms of the minibatch.
fn gathered(groups: &[Scratch], b: usize, weights: LossWeights, gradient: &[f32]) -> Terms {
    let mean = |of: fn(&Terms) -> f64| groups.iter().map(|group| of(&group.sums)).sum::<f64>() / b as f64;
    let mut terms = Terms {
        policy: mean(|terms| terms.policy),
        value: mean(|terms| terms.value),
        entropy: mean(|terms| terms.entropy),
        flow: mean(|terms| terms.flow),
        structure: mean(|terms| terms.structure),
        approx_kl: mean(|terms| terms.approx_kl),
        clip_fraction: mean(|terms| terms.clip_fraction),
        gradient_norm: gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt(),
        ..Terms::default()
    };
    let gap = mean(|terms| terms.tension);
    terms.tension = f64::from(math::tanh(gap as f32) * math::tanh(terms.structure as f32));
    terms.loss = terms.policy + f64::from(weights.value) * 0.5 * terms.value
        - f64::from(weights.entropy) * terms.entropy
        + f64::from(weights.flow) * terms.flow
        + f64::from(weights.structure) * terms.structure
        - f64::from(weights.tension) * terms.tension;
    terms
}
