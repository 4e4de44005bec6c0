//! The learner on libtorch (feature `torch`), for GPUs, wide nets and convolutions.
//!
//! It draws nothing: noise comes with the minibatch, initial parameters with [`Learner::load`]. On the
//! CPU with a given number of threads the same calls give the same bits. Whatever libtorch refuses becomes a
//! [`LearnerError`]: only methods of tensors that begin with `f_` are used, the others panic.

mod memory;

use resonetics_kernel::torch::adam::{self, Adam};
use resonetics_kernel::torch::{Answer, TchError, flow, gap, structure, tension};
use tch::{Device, Kind, Tensor as Array, no_grad};

use super::learner::{Learner, LearnerError, LossWeights, Minibatch, Samples, Terms};
use super::network::{NETS, Network, Spaces, Tensor, find};

/// A logit of an action that may not be chosen: its probability is exactly 0, and 0 times its logarithm
/// is still a number.
const FORBIDDEN: f64 = -1e8;
/// Positions in [`NETS`].
const ACTOR: usize = 0;
const CRITIC: usize = 1;

/// Actor and critic on a device, with Adam.
#[derive(Debug)]
pub struct TorchLearner {
    network: Network,
    spaces: Spaces,
    device: Device,
    /// Names and shapes, in the order of `parameters`.
    names: Vec<(String, Vec<usize>)>,
    parameters: Vec<Array>,
    gradients: Vec<Array>,
    /// Of the gradients together.
    norm: Array,
    adam: Adam,
    samples: Option<OnDevice>,
}

/// [`Samples`] on the device.
#[derive(Debug)]
struct OnDevice {
    observations: Array,
    /// `[n, A]`, true where an action could not be chosen.
    forbidden: Option<Array>,
    actions: Array,
    log_probs: Array,
    values: Array,
    advantages: Array,
    returns: Array,
    successors: Option<Array>,
}

impl TorchLearner {
    /// All parameters 0, until they are loaded. `threads` is for operations of libtorch on the CPU, of the
    /// whole process; more than 1 pays on wide nets only.
    ///
    /// # Errors
    /// If the view does not fit the observation or the convolution, or the device does not answer.
    pub fn new(network: &Network, spaces: Spaces, device: Device, threads: usize) -> Result<Self, String> {
        let Spaces { observation, view, .. } = spaces;
        if view * view > observation {
            return Err(format!("a view of {view} x {view} is no part of {observation} numbers"));
        }
        if network.conv_channels > 0 && view < 3 {
            return Err(format!("a 3x3 convolution needs a view of at least 3 x 3, not {view} x {view}"));
        }
        tch::set_num_threads(threads.clamp(1, 1024) as i32);
        let learner = Self::zeroed(network, spaces, device);
        learner.map_err(|error| failed("make the networks", device)(error).to_string())
    }

    fn zeroed(network: &Network, spaces: Spaces, device: Device) -> Answer<Self> {
        let names = network.parameters(spaces);
        let zeros = || {
            let shapes = names.iter().map(|(_, shape)| shape.iter().map(|&size| size as i64).collect());
            shapes.map(|shape: Vec<i64>| Array::f_zeros(shape, (Kind::Float, device))).collect()
        };
        let zeros: [Answer<Vec<Array>>; 2] = [zeros(), zeros()];
        let [parameters, gradients] = zeros;
        let parameters =
            parameters?.iter().map(|zero| zero.f_set_requires_grad(true)).collect::<Answer<Vec<_>>>()?;
        let gradients = gradients?;
        let adam = Adam::new(&parameters, 1e-5, 0.0)?;
        let norm = adam::norm(&gradients)?;
        let network = network.clone();
        Ok(Self { network, spaces, device, names, parameters, gradients, norm, adam, samples: None })
    }

    /// Weights and biases of a net, and the parameters of its memory; none where there is none.
    fn layers(&self, net: usize) -> (&[Array], &[Array]) {
        let each = if self.network.memory > 0 { memory::PARAMETERS } else { 0 };
        let (dense, cells) = self.parameters.split_at(self.parameters.len() - NETS.len() * each);
        let half = dense.len() / NETS.len();
        (&dense[net * half..][..half], &cells[net * each..][..each])
    }

    /// What enters the last layer, and a memory, for observations `[n, D]`.
    fn hidden(&self, net: usize, observations: &Array) -> Answer<Array> {
        let (dense, _) = self.layers(net);
        let mut layers = dense[..dense.len() - 2].chunks(2);
        let mut x = observations.shallow_clone();
        if self.network.conv_channels > 0
            && let Some([weight, bias]) = layers.next()
        {
            let side = self.spaces.view as i64;
            let view = x.f_narrow(1, 0, side * side)?.f_reshape([-1, 1, side, side])?;
            let rest = x.f_narrow(1, side * side, x.size()[1] - side * side)?;
            let maps = view.f_conv2d(weight, Some(bias), 1, 0, 1, 1)?.f_tanh()?;
            x = Array::f_cat(&[maps.f_flatten(1, -1)?, rest], 1)?;
        }
        for layer in layers {
            x = x.f_linear(&layer[0], Some(&layer[1]))?.f_tanh()?;
        }
        Ok(x)
    }

    /// Logits `[n, A]` or values `[n, 1]` of observations `[n, D]`, with a memory of what came `before` them
    /// `[n, N]`; and the states after them.
    fn forward(
        &self,
        net: usize,
        observations: &Array,
        before: Option<&Array>,
    ) -> Answer<(Array, Option<Array>)> {
        let (dense, cell) = self.layers(net);
        let last = &dense[dense.len() - 2..];
        let hidden = self.hidden(net, observations)?;
        let outputs = hidden.f_linear(&last[0], Some(&last[1]))?;
        let (Some(before), [.., head]) = (before, cell) else { return Ok((outputs, None)) };
        let states = memory::states(cell, &hidden, before)?;
        let remembered = states.f_linear(head, None::<&Array>)?;
        Ok((outputs.f_add(&remembered)?, Some(states)))
    }

    fn upload<T: tch::kind::Element>(&self, data: &[T]) -> Answer<Array> {
        Array::f_from_slice(data)?.f_to_device(self.device)
    }

    fn carry_over(&self, samples: &Samples<'_>) -> Answer<OnDevice> {
        let n = samples.actions.len() as i64;
        let actions: Vec<i64> = samples.actions.iter().map(|&action| action.into()).collect();
        let forbidden = if samples.action_mask.is_empty() {
            None
        } else {
            let allowed = self.upload(samples.action_mask)?;
            Some(allowed.f_logical_not()?.f_view([n, self.spaces.actions as i64])?)
        };
        let successors = if samples.successors.is_empty() {
            None
        } else {
            let rows: Vec<i64> = samples.successors.iter().map(|&row| row.into()).collect();
            Some(self.upload(&rows)?)
        };
        Ok(OnDevice {
            observations: self.upload(samples.observations)?.f_view([n, self.spaces.observation as i64])?,
            forbidden,
            actions: self.upload(&actions)?,
            log_probs: self.upload(samples.log_probs)?,
            values: self.upload(samples.values)?,
            advantages: self.upload(samples.advantages)?,
            returns: self.upload(samples.returns)?,
            successors,
        })
    }

    /// Arrays of the same shapes as the parameters, under `prefix` and the parameters' names.
    fn named(&self, prefix: &str, arrays: &[Array]) -> Answer<Vec<Tensor>> {
        let named = self.names.iter().zip(arrays).map(|((name, shape), array)| {
            let mut data = vec![0.0; array.numel()];
            array.f_to_device(Device::Cpu)?.f_contiguous()?.f_copy_data(&mut data, array.numel())?;
            Ok(Tensor { name: format!("{prefix}{name}"), shape: shape.clone(), data })
        });
        named.collect()
    }

    /// The terms of [`LossWeights`] in the order of [`Terms`] up to the clip fraction,
    /// each 0-dimensional; the first has a graph.
    fn terms(
        &self,
        host: &Samples<'_>,
        samples: &OnDevice,
        minibatch: &Minibatch<'_>,
    ) -> Answer<[Array; 12]> {
        let weights = &minibatch.loss;
        let rows: Vec<i64> = minibatch.rows.iter().map(|&row| row.into()).collect();
        let mut rows = self.upload(&rows)?;
        let mut observations = samples.observations.f_index_select(0, &rows)?;
        let mut befores = [None, None];
        let mut noise = if weights.flow == 0.0 && weights.caps_spatial == 0.0 {
            None
        } else {
            let noise = self.upload(minibatch.noise)?;
            Some(noise.f_view([minibatch.rows.len() as i64, self.spaces.observation as i64])?)
        };
        if self.network.memory > 0 {
            let asked = |&i: &usize| host.recurrent.asked[minibatch.rows[i] as usize];
            let asked = (0..minibatch.rows.len()).filter(asked).map(|i| i as i64).collect::<Vec<_>>();
            let asked = self.upload(&asked)?;
            let take = |array: &Array| array.f_index_select(0, &asked);
            for (net, before) in befores.iter_mut().enumerate() {
                let cell = (self.layers(net).1, net * self.network.memory);
                let read = self.hidden(net, &observations)?;
                *before = Some(take(&memory::befores(cell, &read, host, minibatch, self.device)?)?);
            }
            (rows, observations) = (take(&rows)?, take(&observations)?);
            noise = noise.as_ref().map(take).transpose()?;
        }
        let take = |array: &Array| array.f_index_select(0, &rows);
        let outputs = |net: usize, x: &Array| Ok(self.forward(net, x, befores[net].as_ref())?.0);
        let logits = outputs(ACTOR, &observations)?;
        let values = outputs(CRITIC, &observations)?;
        let [policy, entropy, approx_kl, clip_fraction] = policy_terms(&logits, samples, &take, minibatch)?;

        let value = values.f_squeeze_dim(1)?;
        let (old, returns) = (take(&samples.values)?, take(&samples.returns)?);
        let value_loss = value_loss(&value, &old, &returns, weights.value_clip.into())?;
        let flow = if weights.flow != 0.0
            && let Some(noise) = &noise
        {
            let noise = noise.f_unsqueeze(0)?;
            let of =
                |net, output| flow(|x| outputs(net, x), &observations, output, &noise, weights.eps.into());
            of(ACTOR, &logits)?.f_add(&of(CRITIC, &values)?)?
        } else {
            self.zero()?
        };
        let l2 = if weights.l2 == 0.0 { self.zero()? } else { self.squared_weights()? };
        let [spatial, temporal] =
            self.caps((&observations, &logits), samples, (&rows, noise.as_ref()), weights)?;
        let structure = structure(&value, weights.period.into())?;
        let tension = tension(&gap(&value, &returns)?, &structure)?;
        let weigh = |term: &Array, weight: f32| term.f_mul_scalar(f64::from(weight));
        let loss = policy
            .f_add(&weigh(&value_loss, 0.5 * weights.value)?)?
            .f_sub(&weigh(&entropy, weights.entropy)?)?
            .f_add(&weigh(&flow, weights.flow)?)?
            .f_add(&weigh(&structure, weights.structure)?)?
            .f_sub(&weigh(&tension, weights.tension)?)?
            .f_add(&weigh(&l2, weights.l2)?)?
            .f_add(&weigh(&spatial, weights.caps_spatial)?)?
            .f_add(&weigh(&temporal, weights.caps_temporal)?)?;
        Ok([
            loss,
            policy,
            value_loss,
            entropy,
            flow,
            structure,
            tension,
            l2,
            spatial,
            temporal,
            approx_kl,
            clip_fraction,
        ])
    }

    fn zero(&self) -> Answer<Array> {
        Array::f_zeros([], (Kind::Float, self.device))
    }

    /// Half the sum of squares of the actor's weights.
    fn squared_weights(&self) -> Answer<Array> {
        let mut sum = self.zero()?;
        for ((name, _), parameter) in self.names.iter().zip(&self.parameters) {
            if name.starts_with(NETS[ACTOR]) && name.ends_with(".weight") {
                sum = sum.f_add(&parameter.f_square()?.f_sum(Kind::Float)?)?;
            }
        }
        sum.f_mul_scalar(0.5)
    }

    /// The spatial and the temporal term of CAPS, for the `rows` whose `logits` these are; 0 where it has no weight.
    fn caps(
        &self,
        (observations, logits): (&Array, &Array),
        samples: &OnDevice,
        (rows, noise): (&Array, Option<&Array>),
        weights: &LossWeights,
    ) -> Answer<[Array; 2]> {
        let probabilities = |logits: &Array, rows: &Array| {
            let allowed = allowed(logits, samples, &|array: &Array| array.f_index_select(0, rows))?;
            allowed.f_softmax(1, Kind::Float)
        };
        let distance = |moved: &Array, rows_there: &Array| {
            let there = probabilities(&self.forward(ACTOR, moved, None)?.0, rows_there)?;
            let gaps = probabilities(logits, rows)?.f_sub(&there)?.f_square()?;
            gaps.f_sum_dim_intlist(1, false, Kind::Float)?.f_mean(None)
        };
        let spatial = match noise {
            Some(noise) if weights.caps_spatial != 0.0 => {
                let noise = noise.f_mul_scalar(f64::from(weights.caps_sigma))?;
                distance(&observations.f_add(&noise)?, rows)?
            }
            _ => self.zero()?,
        };
        let temporal = match &samples.successors {
            Some(successors) if weights.caps_temporal != 0.0 => {
                let there = successors.f_index_select(0, rows)?;
                distance(&samples.observations.f_index_select(0, &there)?, &there)?
            }
            _ => self.zero()?,
        };
        Ok([spatial, temporal])
    }

    fn evaluate(
        &self,
        observations: &[f32],
        memory: &mut [f32],
        logits: &mut [f32],
        values: &mut [f32],
    ) -> Answer<()> {
        let rows = values.len();
        let units = self.network.memory as i64;
        no_grad(|| {
            let x = self.upload(observations)?.f_view([rows as i64, self.spaces.observation as i64])?;
            let mut states = Vec::new();
            let remembered = self.upload(memory)?.f_view([rows as i64, NETS.len() as i64 * units])?;
            for (net, out) in [(ACTOR, logits), (CRITIC, values)] {
                let before = remembered.f_narrow(1, net as i64 * units, units)?;
                let (outputs, after) = self.forward(net, &x, (units > 0).then_some(&before))?;
                let count = out.len();
                outputs.f_copy_data(out, count)?;
                states.extend(after);
            }
            if units > 0 {
                let count = memory.len();
                Array::f_cat(&states, 1)?.f_copy_data(memory, count)?;
            }
            Ok(())
        })
    }

    fn differentiate(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Answer<Terms> {
        let begun = match self.samples.take() {
            Some(begun) => begun,
            None => self.carry_over(samples)?,
        };
        let terms = self.terms(samples, &begun, minibatch)?;
        self.samples = Some(begun);
        self.gradients = Array::f_run_backward(&terms[..1], &self.parameters, false, false)?;
        self.norm = adam::norm(&self.gradients)?;
        // One copy from the device for all.
        let mut read = [0.0_f32; 13];
        let all: Vec<&Array> = terms.iter().chain([&self.norm]).collect();
        no_grad(|| Array::f_stack(&all, 0)?.f_copy_data(&mut read, 13))?;
        let read = read.map(f64::from);
        Ok(Terms {
            loss: read[0],
            policy: read[1],
            value: read[2],
            entropy: read[3],
            flow: read[4],
            structure: read[5],
            tension: read[6],
            l2: read[7],
            caps_spatial: read[8],
            caps_temporal: read[9],
            approx_kl: read[10],
            clip_fraction: read[11],
            gradient_norm: read[12],
        })
    }

    fn descend(&mut self, learning_rate: f32, max_norm: f32) -> Answer<()> {
        adam::clip(&mut self.gradients, &self.norm, max_norm.into())?;
        self.adam.step(&mut self.parameters, &self.gradients, learning_rate.into())
    }

    fn all(&self) -> Answer<Vec<Tensor>> {
        let mut all = self.named("", &self.parameters)?;
        all.extend(self.named("adam.m.", &self.adam.first)?);
        all.extend(self.named("adam.v.", &self.adam.second)?);
        Ok(all)
    }

    fn copy_from(&mut self, tensors: &[&Tensor]) -> Answer<()> {
        let Adam { first, second, .. } = &mut self.adam;
        let arrays = self.parameters.iter_mut().chain(first).chain(second);
        no_grad(|| {
            for (array, tensor) in arrays.zip(tensors) {
                let shape = array.size();
                array.f_copy_(&Array::f_from_slice(&tensor.data)?.f_view(&shape[..])?)?;
            }
            Ok(())
        })
    }
}

/// The logits of the rows that `take` takes, those of actions that could not be chosen as such.
fn allowed(logits: &Array, samples: &OnDevice, take: &impl Fn(&Array) -> Answer<Array>) -> Answer<Array> {
    match &samples.forbidden {
        Some(forbidden) => logits.f_masked_fill(&take(forbidden)?, FORBIDDEN),
        None => Ok(logits.shallow_clone()),
    }
}

/// The clipped policy loss, the entropy, the KL and the clip fraction of the rows that `take` takes.
fn policy_terms(
    logits: &Array,
    samples: &OnDevice,
    take: &impl Fn(&Array) -> Answer<Array>,
    minibatch: &Minibatch<'_>,
) -> Answer<[Array; 4]> {
    let clip = f64::from(minibatch.loss.clip);
    let log_probs = allowed(logits, samples, take)?.f_log_softmax(1, Kind::Float)?;
    let terms = log_probs.f_exp()?.f_mul(&log_probs)?;
    let entropy = terms.f_sum_dim_intlist(1, false, Kind::Float)?.f_mean(None)?.f_neg()?;
    let actions = take(&samples.actions)?.f_unsqueeze(1)?;
    let log_prob = log_probs.f_gather(1, &actions, false)?.f_squeeze_dim(1)?;
    let log_ratio = log_prob.f_sub(&take(&samples.log_probs)?)?;
    let ratio = log_ratio.f_exp()?;
    let advantages = take(&samples.advantages)?
        .f_sub_scalar(f64::from(minibatch.advantage_mean))?
        .f_mul_scalar(f64::from(minibatch.advantage_scale))?;
    let clipped = ratio.f_clamp(1.0 - clip, 1.0 + clip)?.f_mul(&advantages)?;
    let policy = ratio.f_mul(&advantages)?.f_minimum(&clipped)?.f_mean(None)?.f_neg()?;
    let moved = ratio.f_sub_scalar(1.0)?;
    let approx_kl = moved.f_sub(&log_ratio)?.f_mean(None)?;
    let clip_fraction = moved.f_abs()?.f_gt(clip)?.f_to_kind(Kind::Float)?.f_mean(None)?;
    Ok([policy, entropy, approx_kl, clip_fraction])
}

/// Mean squared error of the value, clipped where `clip` is above 0.
fn value_loss(value: &Array, old: &Array, returns: &Array, clip: f64) -> Answer<Array> {
    let squared = value.f_sub(returns)?.f_square()?;
    if clip > 0.0 {
        let near = old.f_add(&value.f_sub(old)?.f_clamp(-clip, clip)?)?;
        squared.f_maximum(&near.f_sub(returns)?.f_square()?)?.f_mean(None)
    } else {
        squared.f_mean(None)
    }
}

/// What libtorch said while `doing` this on `device`.
fn failed(doing: &'static str, device: Device) -> impl Fn(TchError) -> LearnerError {
    let device = match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        other => format!("{other:?}").to_lowercase(),
    };
    move |error| {
        let message = match error {
            TchError::Torch(message) => message,
            other => other.to_string(),
        };
        LearnerError::new(doing, &device, &message)
    }
}

impl Learner for TorchLearner {
    fn act(
        &mut self,
        observations: &[f32],
        memory: &mut [f32],
        logits: &mut [f32],
        values: &mut [f32],
    ) -> Result<(), LearnerError> {
        if values.is_empty() {
            return Ok(());
        }
        self.evaluate(observations, memory, logits, values)
            .map_err(failed("evaluate the networks", self.device))
    }

    fn begin(&mut self, samples: &Samples<'_>) -> Result<(), LearnerError> {
        let samples = self.carry_over(samples).map_err(failed("carry a rollout over", self.device))?;
        self.samples = Some(samples);
        Ok(())
    }

    fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Result<Terms, LearnerError> {
        let failed = failed("compute the loss of a minibatch", self.device);
        self.differentiate(samples, minibatch).map_err(failed)
    }

    fn step(&mut self, learning_rate: f32, max_norm: f32) -> Result<(), LearnerError> {
        let failed = failed("take a step of Adam", self.device);
        self.descend(learning_rate, max_norm).map_err(failed)
    }

    fn gradient(&self) -> Result<Vec<Tensor>, LearnerError> {
        self.named("", &self.gradients).map_err(failed("read the gradient", self.device))
    }

    fn save(&self) -> Result<Vec<Tensor>, LearnerError> {
        self.all().map_err(failed("read the parameters", self.device))
    }

    fn steps(&self) -> u64 {
        self.adam.steps
    }

    fn load(&mut self, tensors: &[Tensor], steps: u64) -> Result<(), String> {
        // By their names: a checkpoint holds others, too, in the order of its file.
        let mut found = Vec::new();
        for prefix in ["", "adam.m.", "adam.v."] {
            for (name, shape) in &self.names {
                found.push(find(tensors, &format!("{prefix}{name}"), shape)?);
            }
        }
        let failed = failed("load the parameters", self.device);
        self.copy_from(&found).map_err(|error| failed(error).to_string())?;
        self.adam.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
