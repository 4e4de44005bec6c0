//! The learner that needs no library: dense layers with hand-written gradients on f32 arrays.
//!
//! Results do not depend on the CPU or on the number of threads: a minibatch is cut into blocks of
//! `BLOCK` samples (or as many whole sequences as fit), the blocks into at most `GROUPS` groups by their number
//! alone, and each
//! group sums its own gradient; the groups' sums are added in order.

mod caps;
mod layout;
mod loss;
mod memory;
mod pass;
mod tensors;

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;
use resonetics_envs::cpu::CpuPath;
use resonetics_envs::math::{self, LANES, Lanes};
use resonetics_kernel::adam::{self, Adam, AdamConfig};
use resonetics_kernel::dense::{add_rows, padded, transpose};

use self::caps::{Aside, CapsLoss, Moved, decay};
use self::layout::{BLOCK, Cell, Layer, Net, Pass};
use self::loss::{FlowLoss, Part, PolicyLoss, ValueLoss, structure, summed_up};
use self::memory::{Block, Recalls, blocks, recollect, remember};
use self::pass::{backward, forward};
use self::tensors::{export, import};
use super::learner::{Learner, LearnerError, Minibatch, Samples, Terms};
use super::network::{Network, Spaces, Tensor};
use super::timings::{Lap, LossTimings};

/// Parts of a minibatch that can be worked on at a time.
const GROUPS: usize = 16;
/// Samples from which on another thread is worth waking.
const PARALLEL_FROM: usize = 256;

const ACTOR: usize = 0;
const CRITIC: usize = 1;

/// What a thread needs to work through a block; nothing in it outlives the block, and the columns of the
/// padding stay 0.
#[derive(Clone, Debug)]
struct Workspace {
    /// `[BLOCK, input]`: x and x + eps n.
    inputs: [Vec<f32>; 2],
    /// Of actor and critic, for x and for x + eps n.
    passes: [[Pass; 2]; 2],
    /// Gradients of the outputs of the two networks, for x and for x + eps n, `[BLOCK, output]`.
    d_heads: [[Vec<f32>; 2]; 2],
    /// Gradients between layers, `[BLOCK, widest]`.
    d_hidden: [Vec<f32>; 2],
    /// The actor elsewhere.
    aside: Aside,
    /// Log-probabilities and probabilities, here and elsewhere.
    room: [Vec<Lanes>; 3],
    recalls: Recalls,
}

/// What a group of blocks sums up to.
#[derive(Clone, Debug)]
struct Group {
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
    /// Its norm.
    norm: f64,
    /// The weights of every layer but the first as `[output, input]`, at the same place.
    transposed: Vec<f32>,
    adam: Adam,
    groups: Vec<Group>,
    /// One a thread, so that what a thread works with stays in its caches; never waited for.
    workspaces: Vec<Mutex<Workspace>>,
    timings: LossTimings,
}

/// With the eps of PPO's reference implementations.
const ADAM: AdamConfig = AdamConfig { beta1: 0.9, beta2: 0.999, eps: 1e-5, weight_decay: 0.0 };

impl NativeLearner {
    /// Networks with all parameters 0: load what they start from.
    pub fn new(network: &Network, spaces: Spaces) -> NativeLearner {
        let mut at = 0;
        let mut nets = [spaces.actions, 1].map(|outputs| {
            let conv = at..at + 10 * network.conv_channels;
            at = conv.end;
            let mut inputs = network.features(spaces);
            let layers = network.hidden.iter().chain([&outputs]).map(|&outputs| {
                let (input, output) = (padded(inputs), padded(outputs));
                let (weight, bias) = (at, at + input * output);
                at = bias + output;
                let layer = Layer { inputs, outputs, input, output, weight, bias, end: at };
                inputs = outputs;
                layer
            });
            Net { conv, layers: layers.collect(), memory: None }
        });
        for net in &mut nets {
            if let Some(&Layer { inputs, outputs, .. }) = net.layers.last() {
                net.memory = Cell::place(network, inputs, outputs, &mut at);
            }
        }
        NativeLearner {
            network: network.clone(),
            spaces,
            nets,
            parameters: vec![0.0; at],
            gradient: vec![0.0; at],
            norm: 0.0,
            transposed: vec![0.0; at],
            adam: Adam::new(at, ADAM),
            groups: Vec::new(),
            workspaces: Vec::new(),
            timings: LossTimings::default(),
        }
    }

    /// What its networks look like.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// A workspace for each thread that may ask for one.
    fn make_workspaces(&mut self) {
        while self.workspaces.len() < rayon::current_num_threads() {
            let of = |net: &Net| net.layers.iter().map(|layer| vec![0.0; BLOCK * layer.output]).collect();
            let passes = || [of(&self.nets[ACTOR]), of(&self.nets[CRITIC])];
            let input = vec![0.0; BLOCK * self.nets[ACTOR].layers[0].input];
            let head = |outputs| vec![0.0; BLOCK * padded(outputs)];
            let heads = [head(self.spaces.actions), head(1)];
            let hidden = self.network.hidden.iter().map(|&width| padded(width)).max();
            let hidden = vec![0.0; BLOCK * hidden.unwrap_or_default()];
            let room = vec![[0.0; LANES]; self.spaces.actions];
            self.workspaces.push(Mutex::new(Workspace {
                inputs: [input.clone(), input],
                passes: [passes(), passes()],
                d_heads: [heads.clone(), heads],
                d_hidden: [hidden.clone(), hidden],
                aside: Aside::new(&self.nets[ACTOR]),
                room: [room.clone(), room.clone(), room],
                recalls: Recalls::new(&self.nets),
            }));
        }
    }

    /// This thread's.
    fn workspace(&self) -> MutexGuard<'_, Workspace> {
        let thread = rayon::current_thread_index().unwrap_or_default();
        // A block begins by overwriting what a panic may have left.
        self.workspaces[thread].lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Fills `inputs` with the samples of `part`, and with the samples plus eps times the noise where
    /// there is one.
    fn gather(&self, samples: &Samples<'_>, part: Part<'_>, [plain, perturbed]: &mut [Vec<f32>; 2]) {
        let width = self.spaces.observation;
        let input = self.nets[ACTOR].layers[0].input;
        for (i, &row) in part.rows.iter().enumerate() {
            let observation = &samples.observations[row as usize * width..][..width];
            plain[i * input..][..width].copy_from_slice(observation);
            if part.flows() {
                let noise = &part.noise[i * width..(i + 1) * width];
                let out = &mut perturbed[i * input..][..width];
                for ((out, x), n) in out.iter_mut().zip(observation).zip(noise) {
                    *out = x + part.weights.eps * n;
                }
            }
        }
    }

    /// One block: its terms into the group's sums, its gradient onto the group's, or over it where it is
    /// the `first`.
    fn block(&self, samples: &Samples<'_>, part: Part<'_>, first: bool, group: &mut Group) {
        let Group { gradient, sums, timings } = group;
        let mut workspace = self.workspace();
        let Workspace { inputs, passes, d_heads, d_hidden, aside, room, recalls } = &mut *workspace;
        let rows = part.rows.len();
        let both = if part.flows() { 0..2 } else { 0..1 };
        let mut lap = Lap::start();
        self.gather(samples, part, inputs);
        recalls.begin(self.network.memory, samples, part);
        lap.to(&mut timings.assembly);
        for which in both.clone() {
            for (i, (net, pass)) in self.nets.iter().zip(&mut passes[which]).enumerate() {
                forward(net, &self.parameters, &inputs[which], pass, rows);
                remember(net, &self.parameters, (&inputs[which], pass), (recalls, i, which), rows);
            }
        }
        lap.to(&mut timings.forward);
        let heads = passes.as_flattened_mut().iter_mut().filter_map(|pass| pass.last_mut());
        let part = recalls.narrow(samples, part, heads);
        let asked = part.rows.len();
        let [plain, perturbed] = &*passes;
        let [d_plain, d_perturbed] = d_heads;
        let (logits, d_logits) = (last(&plain[ACTOR]), &mut d_plain[ACTOR][..]);
        CpuPath::dispatch(PolicyLoss { samples, part, logits, room, d_logits, sums });
        let (values, d_values) = (last(&plain[CRITIC]), &mut d_plain[CRITIC][..]);
        CpuPath::dispatch(ValueLoss { samples, part, values, d_values, sums });
        if both.len() > 1 {
            for (net, outputs) in [(ACTOR, self.spaces.actions), (CRITIC, 1)] {
                let (plain, perturbed) = (last(&plain[net]), last(&perturbed[net]));
                let (d_plain, d_perturbed) = (&mut d_plain[net][..], &mut d_perturbed[net][..]);
                let flow = FlowLoss { part, outputs, plain, perturbed, d_plain, d_perturbed, sums };
                CpuPath::dispatch(flow);
            }
        }
        lap.to(&mut timings.terms);
        // Whether something is in the group's gradient of a network.
        let mut begun = [!first; 2];
        for (moved, weight) in Moved::with_weights(part.weights) {
            let d_logits = &mut d_heads[0][ACTOR][..];
            let of_actor = (last(&passes[0][ACTOR]), d_logits);
            let sum = match moved {
                Moved::Perturbed => &mut sums.caps_spatial,
                Moved::Next => &mut sums.caps_temporal,
            };
            let room = (&mut *aside, &mut *room, &mut *d_hidden);
            self.caps((moved, weight), (samples, part), of_actor, room, (sum, gradient, !begun[ACTOR]));
            begun[ACTOR] = true;
        }
        lap.to(&mut timings.backward);
        recalls.widen(rows, asked, d_heads.as_flattened_mut());
        if self.network.memory > 0 {
            let of = (&self.nets, &self.transposed[..]);
            recollect(of, (inputs, passes), d_heads, recalls, (both.len(), rows), (gradient, first));
        }
        for which in both {
            for (i, net) in self.nets.iter().enumerate() {
                let d_head = &d_heads[which][i];
                let d_head = (&d_head[..d_head.len() / BLOCK * rows], &recalls.nets[i].d_inputs[which][..]);
                let first = !begun[i] && which == 0;
                backward(
                    (net, &self.transposed),
                    (&inputs[which], &passes[which][i]),
                    d_head,
                    d_hidden,
                    (gradient, first),
                );
            }
        }
        lap.to(&mut timings.backward);
    }

    /// A term of CAPS for one block: its distances into a sum, its gradient onto that of the logits and into the
    /// group's.
    fn caps(
        &self,
        (moved, weight): (Moved, f32),
        (samples, part): (&Samples<'_>, Part<'_>),
        (logits, d_logits): (&[f32], &mut [f32]),
        (aside, room, d_hidden): (&mut Aside, &mut [Vec<Lanes>; 3], &mut [Vec<f32>; 2]),
        (sum, gradient, first): (&mut f64, &mut [f32], bool),
    ) {
        let (actor, rows) = (&self.nets[ACTOR], part.rows.len());
        aside.gather(moved, samples, part, self.spaces.observation);
        forward(actor, &self.parameters, &aside.input, &mut aside.pass, rows);
        CpuPath::dispatch(CapsLoss { samples, part, weight, logits, d_logits, aside, room, sum });
        let d_head = &aside.d_head[..aside.d_head.len() / BLOCK * rows];
        backward(
            (actor, &self.transposed),
            (&aside.input, &aside.pass),
            (d_head, &[]),
            d_hidden,
            (gradient, first),
        );
    }

    /// Mean of (V(x) - return)^2 and of 1 - cos(2 pi V(x) / period) over a minibatch: the tension
    /// is a function of means, so that its gradient needs them first.
    fn means(
        &self,
        samples: &Samples<'_>,
        whole: Part<'_>,
        blocks: &[Block],
        groups: &mut [Group],
    ) -> (f64, f64) {
        let (count, b, weights) = (groups.len(), whole.b, whole.weights);
        each(groups, whole.rows.len(), |g, group| {
            group.sums = Terms::default();
            let mut workspace = self.workspace();
            let Workspace { inputs, passes, recalls, .. } = &mut *workspace;
            for block in &blocks[share(g, count, blocks.len())] {
                let part = block.part(Part { noise: &[], ..whole }, 0);
                self.gather(samples, part, inputs);
                recalls.begin(self.network.memory, samples, part);
                let (net, pass) = (&self.nets[CRITIC], &mut passes[0][CRITIC]);
                forward(net, &self.parameters, &inputs[0], pass, part.rows.len());
                remember(net, &self.parameters, (&inputs[0], pass), (recalls, CRITIC, 0), part.rows.len());
                let part = recalls.narrow(samples, part, passes[0][CRITIC].last_mut().into_iter());
                let values = last(&passes[0][CRITIC]).iter().step_by(padded(1));
                for (value, &row) in values.zip(part.rows) {
                    let gap = f64::from(value - samples.returns[row as usize]);
                    group.sums.value += gap * gap;
                    group.sums.structure += f64::from(structure(*value, weights.period).0);
                }
            }
        });
        let sum = |of: fn(&Terms) -> f64| groups.iter().map(|group| of(&group.sums)).sum::<f64>() / b as f64;
        (sum(|terms| terms.value), sum(|terms| terms.structure))
    }

    /// Logits and values of some observations.
    fn act_part(&self, observations: &[f32], memory: &mut [f32], logits: &mut [f32], values: &mut [f32]) {
        let (width, actions) = (self.spaces.observation, self.spaces.actions);
        let (units, remembered) = (self.network.memory, self.network.remembered());
        let mut workspace = self.workspace();
        let Workspace { inputs: [inputs, _], passes: [passes, _], recalls, .. } = &mut *workspace;
        for (block, values) in values.chunks_mut(BLOCK).enumerate() {
            let rows = values.len();
            let memory = &mut memory[block * BLOCK * remembered..][..rows * remembered];
            recalls.follow(units, memory, rows);
            for (i, (net, pass)) in self.nets.iter().zip(&mut *passes).enumerate() {
                // Without a convolution both networks see the same.
                if i == ACTOR || self.network.conv_channels > 0 {
                    for (row, input) in inputs.chunks_exact_mut(net.layers[0].input).take(rows).enumerate() {
                        self.features(net, &observations[(block * BLOCK + row) * width..][..width], input);
                    }
                }
                forward(net, &self.parameters, inputs, pass, rows);
                remember(net, &self.parameters, (inputs, pass), (recalls, i, 0), rows);
            }
            recalls.keep(units, memory);
            for (i, value) in values.iter_mut().enumerate() {
                let out = &mut logits[(block * BLOCK + i) * actions..][..actions];
                out.copy_from_slice(&last(&passes[ACTOR])[i * padded(actions)..][..actions]);
                *value = last(&passes[CRITIC])[i * padded(1)];
            }
        }
    }
}

fn last(pass: &Pass) -> &[f32] {
    pass.last().map_or(&[], Vec::as_slice)
}

/// The blocks of group `g` of `count`.
fn share(g: usize, count: usize, blocks: usize) -> Range<usize> {
    g * blocks / count..(g + 1) * blocks / count
}

/// Runs `work` for each group, in parallel where there is enough of it.
fn each(groups: &mut [Group], b: usize, work: impl Fn(usize, &mut Group) + Sync) {
    if b < PARALLEL_FROM {
        groups.iter_mut().enumerate().for_each(|(g, group)| work(g, group));
    } else {
        groups.par_iter_mut().enumerate().for_each(|(g, group)| work(g, group));
    }
}

/// What a [`Learner`] does: here none of it fails.
impl NativeLearner {
    /// See [`Learner::act`].
    pub fn act(&mut self, observations: &[f32], memory: &mut [f32], logits: &mut [f32], values: &mut [f32]) {
        self.make_workspaces();
        let (width, actions, n) = (self.spaces.observation, self.spaces.actions, values.len());
        if n < PARALLEL_FROM {
            self.act_part(observations, memory, logits, values);
            return;
        }
        let each = n.div_ceil(GROUPS).next_multiple_of(BLOCK);
        let mut memory: Vec<&mut [f32]> =
            memory.chunks_mut((each * self.network.remembered()).max(1)).collect();
        memory.resize_with(n.div_ceil(each), Default::default);
        let parts = observations.par_chunks(each * width).zip(logits.par_chunks_mut(each * actions));
        let parts = parts.zip(values.par_chunks_mut(each)).zip(memory);
        parts.for_each(|(((observations, logits), values), memory)| {
            self.act_part(observations, memory, logits, values);
        });
    }

    /// See [`Learner::loss`].
    ///
    /// # Panics
    /// If the networks have a convolution, or a memory and a term of CAPS; if the minibatch has no sample, or its
    /// sequences are not those of its rows.
    pub fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Terms {
        assert_eq!(self.network.conv_channels, 0, "the native learner has no gradient of a convolution");
        let alone = Moved::with_weights(minibatch.loss).next().is_none() || self.network.memory == 0;
        assert!(alone, "the terms of CAPS are of single observations, without a memory");
        self.make_workspaces();
        let mut lap = Lap::start();
        let mut wall = LossTimings::default();
        let cells = self.nets.iter().flat_map(|net| &net.memory).flat_map(|cell| [&cell.gates, &cell.head]);
        for layer in self.nets.iter().flat_map(|net| &net.layers[1..]).chain(cells) {
            let weights = layer.weight..layer.bias;
            transpose(&self.parameters[weights.clone()], layer.output, &mut self.transposed[weights]);
        }
        lap.to(&mut wall.backward);
        let rows = minibatch.rows.len();
        let asked = |row: &&u32| samples.recurrent.asked[**row as usize];
        let remembers = !minibatch.sequences.is_empty();
        let b = if remembers { minibatch.rows.iter().filter(asked).count() } else { rows };
        let blocks = blocks(minibatch);
        let count = blocks.len().min(GROUPS);
        let mut groups = std::mem::take(&mut self.groups);
        while groups.len() < count {
            let gradient = vec![0.0; self.parameters.len()];
            groups.push(Group { gradient, sums: Terms::default(), timings: LossTimings::default() });
        }
        let weights = minibatch.loss;
        let advantage = (minibatch.advantage_mean, minibatch.advantage_scale);
        let mut whole = Part {
            rows: minibatch.rows,
            sequences: minibatch.sequences,
            from: 0,
            noise: minibatch.noise,
            b,
            weights,
            advantage,
            means: (0.0, 0.0),
        };
        if weights.tension != 0.0 {
            whole.means = self.means(samples, whole, &blocks, &mut groups[..count]);
        }
        lap.to(&mut wall.forward);
        let this = &*self;
        each(&mut groups[..count], rows, |g, group| {
            group.sums = Terms::default();
            group.timings = LossTimings::default();
            for (i, block) in blocks[share(g, count, blocks.len())].iter().enumerate() {
                this.block(samples, block.part(whole, this.spaces.observation), i == 0, group);
            }
        });
        let mut seconds = 0.0;
        lap.to(&mut seconds);
        self.gradient.copy_from_slice(&groups[0].gradient);
        for group in &groups[1..count] {
            add_rows(&group.gradient, &mut self.gradient);
        }
        let l2 = match weights.l2 {
            0.0 => 0.0,
            weight => decay(&self.nets[ACTOR], &self.parameters, weight, &mut self.gradient),
        };
        self.norm = adam::norm(&self.gradient);
        lap.to(&mut wall.backward);
        let sums: Vec<&Terms> = groups[..count].iter().map(|group| &group.sums).collect();
        let terms = summed_up(&sums, b, weights, (self.norm, l2));
        lap.to(&mut wall.terms);
        self.timings.add(&wall, 1.0);
        // The groups' seconds are those of all threads.
        let all: f64 = groups[..count].iter().map(|group| group.timings.sum()).sum();
        for group in &groups[..count] {
            self.timings.add(&group.timings, seconds / all);
        }
        self.groups = groups;
        terms
    }

    /// See [`Learner::step`].
    pub fn step(&mut self, learning_rate: f32, max_norm: f32) {
        adam::clip(&mut self.gradient, self.norm, max_norm.into());
        self.adam.step(&mut self.parameters, &self.gradient, learning_rate.into());
    }

    /// See [`Learner::gradient`].
    pub fn gradient(&self) -> Vec<Tensor> {
        export("", &self.gradient, self.network.parameters(self.spaces), &self.nets)
    }

    /// See [`Learner::save`].
    pub fn save(&self) -> Vec<Tensor> {
        let groups = [("", &self.parameters), ("adam.m.", &self.adam.m), ("adam.v.", &self.adam.v)];
        let shapes = self.network.parameters(self.spaces);
        groups.iter().flat_map(|(prefix, flat)| export(prefix, flat, shapes.clone(), &self.nets)).collect()
    }
}

impl Learner for NativeLearner {
    fn act(
        &mut self,
        observations: &[f32],
        memory: &mut [f32],
        logits: &mut [f32],
        values: &mut [f32],
    ) -> Result<(), LearnerError> {
        NativeLearner::act(self, observations, memory, logits, values);
        Ok(())
    }

    fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Result<Terms, LearnerError> {
        Ok(NativeLearner::loss(self, samples, minibatch))
    }

    fn timings(&self) -> LossTimings {
        self.timings
    }

    fn step(&mut self, learning_rate: f32, max_norm: f32) -> Result<(), LearnerError> {
        NativeLearner::step(self, learning_rate, max_norm);
        Ok(())
    }

    fn gradient(&self) -> Result<Vec<Tensor>, LearnerError> {
        Ok(NativeLearner::gradient(self))
    }

    fn save(&self) -> Result<Vec<Tensor>, LearnerError> {
        Ok(NativeLearner::save(self))
    }

    fn steps(&self) -> u64 {
        self.adam.steps
    }

    fn load(&mut self, tensors: &[Tensor], steps: u64) -> Result<(), String> {
        let shapes = self.network.parameters(self.spaces);
        let of = |prefix| import(prefix, self.parameters.len(), &shapes, &self.nets, tensors);
        let [parameters, m, v] = [of("")?, of("adam.m.")?, of("adam.v.")?];
        self.parameters = parameters;
        (self.adam.m, self.adam.v, self.adam.steps) = (m, v, steps);
        Ok(())
    }
}
