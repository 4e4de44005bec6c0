//! The learner on libtorch (feature `torch`), for GPUs, wide nets and convolutions.
//!
//! It draws nothing: noise comes with the minibatch, initial parameters with [`Learner::load`]. On the
//! CPU with a given number of threads the same calls give the same bits.

use resonetics_kernel::torch::adam::{self, Adam};
use resonetics_kernel::torch::{flow, gap, structure, tension};
use tch::{Device, Kind, Tensor as Array, no_grad};

use super::learner::{Learner, Minibatch, Samples, Terms};
use super::network::{NETS, Network, Spaces, Tensor};

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
        let names = network.parameters(spaces);
        let zeros = || {
            let shapes = names.iter().map(|(_, shape)| shape.iter().map(|&size| size as i64).collect());
            shapes.map(|shape: Vec<i64>| Array::f_zeros(shape, (Kind::Float, device))).collect()
        };
        let zeros = || -> Result<Vec<Array>, String> {
            let all: Result<_, _> = zeros();
            all.map_err(|error: tch::TchError| format!("device {device:?}: {error}"))
        };
        let parameters: Vec<_> = zeros()?.iter().map(|zero| zero.set_requires_grad(true)).collect();
        let adam = Adam::new(&parameters, 1e-5, 0.0);
        let gradients = zeros()?;
        let norm = adam::norm(&gradients);
        let network = network.clone();
        Ok(Self { network, spaces, device, names, parameters, gradients, norm, adam, samples: None })
    }

    /// Logits `[n, A]` or values `[n, 1]` of observations `[n, D]`.
    fn forward(&self, net: usize, observations: &Array) -> Array {
        let half = self.parameters.len() / NETS.len();
        let mut layers = self.parameters[net * half..][..half].chunks(2);
        let mut x = observations.shallow_clone();
        if self.network.conv_channels > 0
            && let Some([weight, bias]) = layers.next()
        {
            let side = self.spaces.view as i64;
            let view = x.narrow(1, 0, side * side).reshape([-1, 1, side, side]);
            let rest = x.narrow(1, side * side, x.size()[1] - side * side);
            let maps = view.conv2d(weight, Some(bias), 1, 0, 1, 1).tanh();
            x = Array::cat(&[maps.flatten(1, -1), rest], 1);
        }
        let last = layers.len() - 1;
        for (number, layer) in layers.enumerate() {
            x = x.linear(&layer[0], Some(&layer[1]));
            if number < last {
                x = x.tanh();
            }
        }
        x
    }

    fn upload<T: tch::kind::Element>(&self, data: &[T]) -> Array {
        Array::from_slice(data).to_device(self.device)
    }

    fn carry_over(&self, samples: &Samples<'_>) -> OnDevice {
        let n = samples.actions.len() as i64;
        let actions: Vec<i64> = samples.actions.iter().map(|&action| action.into()).collect();
        let forbidden =
            || self.upload(samples.action_mask).logical_not().view([n, self.spaces.actions as i64]);
        OnDevice {
            observations: self.upload(samples.observations).view([n, self.spaces.observation as i64]),
            forbidden: (!samples.action_mask.is_empty()).then(forbidden),
            actions: self.upload(&actions),
            log_probs: self.upload(samples.log_probs),
            values: self.upload(samples.values),
            advantages: self.upload(samples.advantages),
            returns: self.upload(samples.returns),
        }
    }

    /// Arrays of the same shapes as the parameters, under `prefix` and the parameters' names.
    fn named<'a>(&'a self, prefix: &'a str, arrays: &'a [Array]) -> impl Iterator<Item = Tensor> + 'a {
        self.names.iter().zip(arrays).map(move |((name, shape), array)| {
            let mut data = vec![0.0; array.numel()];
            array.to_device(Device::Cpu).contiguous().copy_data(&mut data, array.numel());
            Tensor { name: format!("{prefix}{name}"), shape: shape.clone(), data }
        })
    }

    /// The terms of [`super::learner::LossWeights`] in the order of [`Terms`] up to the clip fraction,
    /// each 0-dimensional; the first has a graph.
    fn terms(&self, samples: &OnDevice, minibatch: &Minibatch<'_>) -> [Array; 9] {
        let weights = &minibatch.loss;
        let [clip, value_clip] = [weights.clip, weights.value_clip].map(f64::from);
        let rows: Vec<i64> = minibatch.rows.iter().map(|&row| row.into()).collect();
        let rows = self.upload(&rows);
        let take = |array: &Array| array.index_select(0, &rows);
        let observations = take(&samples.observations);
        let logits = self.forward(ACTOR, &observations);
        let values = self.forward(CRITIC, &observations);

        let allowed = match &samples.forbidden {
            Some(forbidden) => logits.masked_fill(&take(forbidden), FORBIDDEN),
            None => logits.shallow_clone(),
        };
        let log_probs = allowed.log_softmax(1, Kind::Float);
        let entropy = -(log_probs.exp() * &log_probs).sum_dim_intlist(1, false, Kind::Float).mean(None);
        let log_prob = log_probs.gather(1, &take(&samples.actions).unsqueeze(1), false).squeeze_dim(1);
        let log_ratio = log_prob - take(&samples.log_probs);
        let ratio = log_ratio.exp();
        let advantages = (take(&samples.advantages) - f64::from(minibatch.advantage_mean))
            * f64::from(minibatch.advantage_scale);
        let clipped = ratio.clamp(1.0 - clip, 1.0 + clip) * &advantages;
        let policy = -(&ratio * &advantages).minimum(&clipped).mean(None);

        let value = values.squeeze_dim(1);
        let (old, returns) = (take(&samples.values), take(&samples.returns));
        let squared = (&value - &returns).square();
        let value_loss = if value_clip > 0.0 {
            let near = &old + (&value - &old).clamp(-value_clip, value_clip);
            squared.maximum(&(near - &returns).square()).mean(None)
        } else {
            squared.mean(None)
        };

        let flow = if weights.flow == 0.0 {
            Array::zeros([], (Kind::Float, self.device))
        } else {
            let noise = self.upload(minibatch.noise);
            let noise = noise.view([1, minibatch.rows.len() as i64, self.spaces.observation as i64]);
            let of = |net, output| {
                flow(|x| self.forward(net, x), &observations, output, &noise, weights.eps.into())
            };
            of(ACTOR, &logits) + of(CRITIC, &values)
        };
        let structure = structure(&value, weights.period.into());
        let tension = tension(&gap(&value, &returns), &structure);
        let weigh = |term: &Array, weight: f32| term * f64::from(weight);
        let loss = &policy + weigh(&value_loss, 0.5 * weights.value) - weigh(&entropy, weights.entropy)
            + weigh(&flow, weights.flow)
            + weigh(&structure, weights.structure)
            - weigh(&tension, weights.tension);
        let approx_kl = (&ratio - 1.0 - &log_ratio).mean(None);
        let clip_fraction = (&ratio - 1.0).abs().gt(clip).to_kind(Kind::Float).mean(None);
        [loss, policy, value_loss, entropy, flow, structure, tension, approx_kl, clip_fraction]
    }
}

impl Learner for TorchLearner {
    fn act(&mut self, observations: &[f32], logits: &mut [f32], values: &mut [f32]) {
        let (rows, of_logits) = (values.len(), logits.len());
        if rows == 0 {
            return;
        }
        no_grad(|| {
            let x = self.upload(observations).view([rows as i64, self.spaces.observation as i64]);
            self.forward(ACTOR, &x).copy_data(logits, of_logits);
            self.forward(CRITIC, &x).copy_data(values, rows);
        });
    }

    fn begin(&mut self, samples: &Samples<'_>) {
        self.samples = Some(self.carry_over(samples));
    }

    fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Terms {
        let begun = self.samples.take().unwrap_or_else(|| self.carry_over(samples));
        let terms = self.terms(&begun, minibatch);
        self.samples = Some(begun);
        self.gradients = Array::run_backward(&terms[..1], &self.parameters, false, false);
        self.norm = adam::norm(&self.gradients);
        // One copy from the device for all.
        let mut read = [0.0_f32; 10];
        let all: Vec<&Array> = terms.iter().chain([&self.norm]).collect();
        no_grad(|| Array::stack(&all, 0).copy_data(&mut read, 10));
        let read = read.map(f64::from);
        Terms {
            loss: read[0],
            policy: read[1],
            value: read[2],
            entropy: read[3],
            flow: read[4],
            structure: read[5],
            tension: read[6],
            approx_kl: read[7],
            clip_fraction: read[8],
            gradient_norm: read[9],
        }
    }

    fn step(&mut self, learning_rate: f32, max_norm: f32) {
        adam::clip(&mut self.gradients, &self.norm, max_norm.into());
        self.adam.step(&mut self.parameters, &self.gradients, learning_rate.into());
    }

    fn gradient(&self) -> Vec<Tensor> {
        self.named("", &self.gradients).collect()
    }

    fn save(&self) -> Vec<Tensor> {
        let first = self.named("adam.m.", &self.adam.first);
        let second = self.named("adam.v.", &self.adam.second);
        self.named("", &self.parameters).chain(first).chain(second).collect()
    }

    fn steps(&self) -> u64 {
        self.adam.steps
    }

    fn load(&mut self, tensors: &[Tensor], steps: u64) -> Result<(), String> {
        let expected: Vec<_> = ["", "adam.m.", "adam.v."]
            .iter()
            .flat_map(|prefix| self.names.iter().map(move |(name, shape)| (format!("{prefix}{name}"), shape)))
            .collect();
        if tensors.len() != expected.len() {
            return Err(format!("{} tensors, expected {}", tensors.len(), expected.len()));
        }
        for (tensor, (name, shape)) in tensors.iter().zip(&expected) {
            let Tensor { name: found, shape: found_shape, data } = tensor;
            if (found, found_shape) != (name, shape) || data.len() != shape.iter().product::<usize>() {
                return Err(format!(
                    "`{found}` {found_shape:?} with {} numbers, expected `{name}` {shape:?}",
                    data.len()
                ));
            }
        }
        let Adam { first, second, .. } = &mut self.adam;
        let arrays = self.parameters.iter_mut().chain(first).chain(second);
        no_grad(|| {
            for (array, tensor) in arrays.zip(tensors) {
                let shape = array.size();
                array.copy_(&Array::from_slice(&tensor.data).view(&shape[..]));
            }
        });
        self.adam.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
