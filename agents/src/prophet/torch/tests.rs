//! The oracle is the formula of the boundary in f64, in plain loops, and its finite differences.
#![allow(clippy::disallowed_methods)] // no trajectory depends on it

use std::f64::consts::TAU;

use super::*;
use crate::prophet::learner::{LossWeights, Recurrent};

/// A small case: parameters, six samples, a minibatch of five of them, its noise.
struct Case {
    network: Network,
    spaces: Spaces,
    parameters: Vec<Tensor>,
    observations: Vec<f32>,
    action_mask: Vec<bool>,
    actions: Vec<u32>,
    log_probs: Vec<f32>,
    values: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
    noise: Vec<f32>,
    weights: LossWeights,
}

const ROWS: [u32; 5] = [4, 0, 3, 5, 1];
const MEAN: f32 = 0.1;
const SCALE: f32 = 1.3;

/// Numbers in [-1, 1) without a pattern.
fn numbers(count: usize, start: u64) -> Vec<f32> {
    let mix = |i: u64| (i + start * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (0..count as u64).map(|i| mix(i + 1) as f32 / 8_388_608.0 - 1.0).collect()
}

impl Case {
    fn new(conv_channels: usize, masked: bool) -> Self {
        let network = Network { hidden: vec![5, 4], conv_channels, memory: 0 };
        let spaces = Spaces { observation: 18, actions: 3, view: 4 };
        let parameters = network.parameters(spaces).into_iter().enumerate().map(|(i, (name, shape))| {
            let data = numbers(shape.iter().product(), 100 + i as u64).iter().map(|x| 0.7 * x).collect();
            Tensor { name, shape, data }
        });
        let allowed = [true, false, true, true, true, false, false, true, true];
        Self {
            parameters: parameters.collect(),
            network,
            spaces,
            observations: numbers(6 * 18, 1),
            action_mask: if masked { [allowed, allowed].concat() } else { Vec::new() },
            actions: vec![0, 1, 2, 2, 0, 1],
            log_probs: vec![-0.2, -1.9, -1.1, -0.4, -1.5, -0.7],
            values: numbers(6, 3),
            advantages: numbers(6, 4).iter().map(|x| 2.0 * x).collect(),
            returns: numbers(6, 5).iter().map(|x| 2.0 * x).collect(),
            noise: numbers(5 * 18, 6),
            weights: LossWeights {
                clip: 0.2,
                value_clip: 0.3,
                value: 0.6,
                entropy: 0.05,
                flow: 0.4,
                structure: 0.3,
                tension: 0.2,
                eps: 0.05,
                period: 3.0,
                l2: 0.02,
                caps_spatial: 0.5,
                caps_sigma: 0.2,
                caps_temporal: 0.7,
            },
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
            successors: &[1, 1, 4, 5, 0, 5],
            recurrent: Recurrent::default(),
        }
    }

    fn minibatch(&self) -> Minibatch<'_> {
        let (noise, loss) = (&self.noise, self.weights);
        Minibatch { rows: &ROWS, sequences: &[], noise, advantage_mean: MEAN, advantage_scale: SCALE, loss }
    }

    fn learner(&self) -> TorchLearner {
        let mut learner = TorchLearner::new(&self.network, self.spaces, Device::Cpu, 1).unwrap();
        let mut state = learner.save().unwrap();
        state[..self.parameters.len()].clone_from_slice(&self.parameters);
        learner.load(&state, 0).unwrap();
        learner
    }

    /// The parameters in f64.
    fn wide(&self) -> Vec<Vec<f64>> {
        self.parameters.iter().map(|tensor| tensor.data.iter().map(|&x| x.into()).collect()).collect()
    }

    fn row(&self, row: usize) -> Vec<f64> {
        self.observations[row * 18..][..18].iter().map(|&x| x.into()).collect()
    }

    /// One net on one observation.
    fn net(&self, net: usize, parameters: &[Vec<f64>], x: &[f64]) -> Vec<f64> {
        let half = parameters.len() / 2;
        let mut layers = parameters[net * half..][..half].chunks(2);
        let mut x = x.to_vec();
        if self.network.conv_channels > 0 {
            let layer = layers.next().unwrap();
            let mut features = Vec::new();
            for channel in 0..self.network.conv_channels {
                for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let mut sum = layer[1][channel];
                    for (k, weight) in layer[0][channel * 9..][..9].iter().enumerate() {
                        sum += weight * x[(row + k / 3) * 4 + column + k % 3];
                    }
                    features.push(sum.tanh());
                }
            }
            features.extend_from_slice(&x[16..]);
            x = features;
        }
        let last = layers.len() - 1;
        for (number, layer) in layers.enumerate() {
            let rows = layer[0].chunks(x.len()).zip(&layer[1]);
            let sums = rows.map(|(w, b)| w.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>() + b);
            x = sums.map(|sum| if number < last { sum.tanh() } else { sum }).collect();
        }
        x
    }

    /// [`Terms`] by the formula, without the norm.
    fn oracle(&self, parameters: &[Vec<f64>]) -> Terms {
        let w = self.weights;
        let [clip, value_clip, eps] = [w.clip, w.value_clip, w.eps].map(f64::from);
        let mut t = Terms::default();
        let (mut gap, b) = (0.0, ROWS.len() as f64);
        for (position, &row) in ROWS.iter().enumerate() {
            let row = row as usize;
            let x = self.row(row);
            let logits = self.net(ACTOR, parameters, &x);
            let value = self.net(CRITIC, parameters, &x)[0];
            let allowed = |a: usize| self.action_mask.is_empty() || self.action_mask[row * 3 + a];
            let total: f64 = (0..3).filter(|&a| allowed(a)).map(|a| logits[a].exp()).sum();
            let log_prob = |a: usize| logits[a] - total.ln();
            t.entropy -=
                (0..3).filter(|&a| allowed(a)).map(|a| log_prob(a).exp() * log_prob(a)).sum::<f64>() / b;
            let log_ratio = log_prob(self.actions[row] as usize) - f64::from(self.log_probs[row]);
            let ratio = log_ratio.exp();
            let advantage = (f64::from(self.advantages[row]) - f64::from(MEAN)) * f64::from(SCALE);
            t.policy -= (ratio * advantage).min(ratio.clamp(1.0 - clip, 1.0 + clip) * advantage) / b;
            t.approx_kl += (ratio - 1.0 - log_ratio) / b;
            t.clip_fraction += f64::from(u8::from((ratio - 1.0).abs() > clip)) / b;
            let (old, target) = (f64::from(self.values[row]), f64::from(self.returns[row]));
            let squared = (value - target).powi(2);
            let near = old + (value - old).clamp(-value_clip, value_clip);
            t.value += if value_clip > 0.0 { squared.max((near - target).powi(2)) } else { squared } / b;
            gap += squared / b;
            t.structure += (1.0 - (TAU * value / f64::from(w.period)).cos()) / b;
            if w.flow != 0.0 {
                let noise = &self.noise[position * 18..][..18];
                let moved: Vec<f64> = x.iter().zip(noise).map(|(x, &n)| x + eps * f64::from(n)).collect();
                for net in [ACTOR, CRITIC] {
                    let (at, there) = (self.net(net, parameters, &x), self.net(net, parameters, &moved));
                    let squares = at.iter().zip(&there).map(|(at, there)| (there - at).powi(2));
                    t.flow += squares.sum::<f64>() / (eps * eps * b * at.len() as f64);
                }
            }
            let probabilities = |row: usize, x: &[f64]| -> Vec<f64> {
                let allowed = |a: usize| self.action_mask.is_empty() || self.action_mask[row * 3 + a];
                let logits = self.net(ACTOR, parameters, x);
                let each = (0..3).map(|a| if allowed(a) { logits[a].exp() } else { 0.0 });
                let total: f64 = each.clone().sum();
                each.map(|p| p / total).collect()
            };
            let here = probabilities(row, &x);
            let distance =
                |there: Vec<f64>| here.iter().zip(&there).map(|(p, q)| (p - q).powi(2)).sum::<f64>();
            if w.caps_spatial != 0.0 {
                let noise = self.noise[position * 18..][..18].iter().map(|&n| f64::from(w.caps_sigma * n));
                let moved: Vec<f64> = x.iter().zip(noise).map(|(x, n)| x + n).collect();
                t.caps_spatial += distance(probabilities(row, &moved)) / b;
            }
            let next = self.samples().successors[row] as usize;
            t.caps_temporal += distance(probabilities(next, &self.row(next))) / b;
        }
        t.tension = gap.tanh() * t.structure.tanh();
        let [value, entropy, flow, structure, tension] =
            [w.value, w.entropy, w.flow, w.structure, w.tension].map(f64::from);
        t.loss =
            t.policy + 0.5 * value * t.value - entropy * t.entropy + flow * t.flow + structure * t.structure
                - tension * t.tension;
        let weights = parameters[..parameters.len() / 2].iter().step_by(2).flatten();
        t.l2 = weights.map(|w| w * w).sum::<f64>() / 2.0;
        for (weight, term) in
            [(w.l2, t.l2), (w.caps_spatial, t.caps_spatial), (w.caps_temporal, t.caps_temporal)]
        {
            t.loss += f64::from(weight) * term;
        }
        t
    }

    /// The gradient by central differences.
    fn differences(&self) -> Vec<Vec<f64>> {
        const H: f64 = 1e-6;
        let mut parameters = self.wide();
        let mut gradient = parameters.clone();
        for tensor in 0..parameters.len() {
            for i in 0..parameters[tensor].len() {
                let there = parameters[tensor][i];
                let mut at = |value: f64| {
                    parameters[tensor][i] = value;
                    self.oracle(&parameters).loss
                };
                gradient[tensor][i] = (at(there + H) - at(there - H)) / (2.0 * H);
                parameters[tensor][i] = there;
            }
        }
        gradient
    }
}

fn close(what: &str, got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance, "{what}: {got}, expected {expected}");
}

/// Terms and gradient against the oracle.
fn check(name: &str, case: &Case) {
    let mut learner = case.learner();
    learner.begin(&case.samples()).unwrap();
    let got = learner.loss(&case.samples(), &case.minibatch()).unwrap();
    let expected = case.oracle(&case.wide());
    for (what, got, expected) in [
        ("loss", got.loss, expected.loss),
        ("policy", got.policy, expected.policy),
        ("value", got.value, expected.value),
        ("entropy", got.entropy, expected.entropy),
        ("flow", got.flow, expected.flow),
        ("structure", got.structure, expected.structure),
        ("tension", got.tension, expected.tension),
        ("l2", got.l2, expected.l2),
        ("caps_spatial", got.caps_spatial, expected.caps_spatial),
        ("caps_temporal", got.caps_temporal, expected.caps_temporal),
        ("approx_kl", got.approx_kl, expected.approx_kl),
        ("clip_fraction", got.clip_fraction, expected.clip_fraction),
    ] {
        close(&format!("{name}: {what}"), got, expected, 1e-5);
    }
    let mut square = 0.0;
    for (got, expected) in learner.gradient().unwrap().iter().zip(case.differences()) {
        for (i, (&got, expected)) in got.data.iter().zip(expected).enumerate() {
            close(&format!("{name}: gradient {i}"), got.into(), expected, 1e-5);
            square += expected * expected;
        }
    }
    close(&format!("{name}: norm"), got.gradient_norm, square.sqrt(), 1e-5);
}

#[test]
fn loss_and_gradient_are_those_of_the_formula() {
    let case = Case::new(0, true);
    // Both branches of both clips, or the test shows nothing of them.
    let terms = case.oracle(&case.wide());
    let clipped = terms.clip_fraction;
    assert!(clipped > 0.0 && clipped < 1.0, "{terms:?}");
    check("dense, masked", &case);
    check("convolution", &Case::new(2, false));
    let mut case = Case::new(2, true);
    case.weights.value_clip = 0.0;
    let wider = case.oracle(&case.wide()).value;
    assert!(terms.value != wider, "the value clip never holds");
    case.weights.flow = 0.0;
    check("neither value clip nor flow", &case);
    case.weights.caps_spatial = 0.0;
    case.noise.clear();
    check("nor noise", &case);
}

#[test]
fn a_small_rollout_acts_as_the_plain_loops_do() {
    let case = Case::new(2, true);
    let (mut logits, mut values) = (vec![0.0; 6 * 3], vec![0.0; 6]);
    case.learner().act(&case.observations, &mut [], &mut logits, &mut values).unwrap();
    let parameters = case.wide();
    for row in 0..6 {
        let expected = case.net(ACTOR, &parameters, &case.row(row));
        for (action, expected) in expected.into_iter().enumerate() {
            close("logit, not masked", logits[row * 3 + action].into(), expected, 1e-6);
        }
        close("value", values[row].into(), case.net(CRITIC, &parameters, &case.row(row))[0], 1e-6);
    }
    case.learner().act(&[], &mut [], &mut [], &mut []).unwrap();
}

#[test]
fn steps_clip_the_norm_and_follow_adam() {
    let case = Case::new(2, true);
    let mut learner = case.learner();
    let mut expected = case.wide().concat();
    let (mut m, mut v) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
    for step in 1..=4 {
        let norm = learner.loss(&case.samples(), &case.minibatch()).unwrap().gradient_norm;
        let max_norm = if step < 4 { 0.3 } else { 100.0 };
        assert!((norm > f64::from(max_norm)) == (step < 4), "step {step}: {norm}");
        let scale = (f64::from(max_norm) / (norm + 1e-6)).min(1.0);
        let gradient: Vec<f32> =
            learner.gradient().unwrap().into_iter().flat_map(|tensor| tensor.data).collect();
        learner.step(0.02, max_norm).unwrap();
        for i in 0..expected.len() {
            let g = f64::from(gradient[i]) * scale;
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.999 * v[i] + 0.001 * g * g;
            let (m_hat, v_hat) = (m[i] / (1.0 - 0.9_f64.powi(step)), v[i] / (1.0 - 0.999_f64.powi(step)));
            expected[i] -= 0.02 * m_hat / (v_hat.sqrt() + 1e-5);
        }
        let got = learner.save().unwrap().into_iter().flat_map(|tensor| tensor.data);
        let expected = expected.iter().chain(&m).chain(&v);
        for (i, (got, &expected)) in got.zip(expected).enumerate() {
            close(&format!("step {step}, number {i}"), got.into(), expected, 2e-6);
        }
    }
    assert_eq!(learner.steps(), 4);
}

/// Nothing but what is saved decides what follows, to the bit.
#[test]
fn what_is_loaded_goes_on_where_the_saved_one_would() {
    let case = Case::new(2, true);
    let train = |learner: &mut TorchLearner| {
        for _ in 0..3 {
            learner.loss(&case.samples(), &case.minibatch()).unwrap();
            learner.step(0.01, 0.5).unwrap();
        }
    };
    let mut unbroken = case.learner();
    train(&mut unbroken);
    let mut resumed = TorchLearner::new(&case.network, case.spaces, Device::Cpu, 1).unwrap();
    resumed.load(&unbroken.save().unwrap(), unbroken.steps()).unwrap();
    assert_eq!(resumed.save().unwrap(), unbroken.save().unwrap());
    train(&mut unbroken);
    train(&mut resumed);
    assert_eq!(resumed.save().unwrap(), unbroken.save().unwrap());
    assert_eq!(resumed.steps(), 6);
    let names: Vec<_> =
        resumed.save().unwrap().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
    let parameters = case.network.parameters(case.spaces);
    let prefixed = |prefix: &str| {
        let named = parameters.iter().map(move |(name, shape)| (format!("{prefix}{name}"), shape.clone()));
        named.collect::<Vec<_>>()
    };
    assert_eq!(names, [prefixed(""), prefixed("adam.m."), prefixed("adam.v.")].concat());
}

/// Makes a state one that does not fit.
type Change = fn(&mut Vec<Tensor>);

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let case = Case::new(0, false);
    let mut learner = case.learner();
    let before = learner.save().unwrap();
    let wrong: [(&str, Change); 4] = [
        ("there is no tensor `adam.m.actor.2.bias`", |state| state.truncate(17)),
        ("there is no tensor `actor.0.weight`", |state| state[0].name = "actor.0.weights".to_owned()),
        ("tensor `adam.v.critic.2.bias` has shape [1, 1], expected [1]", |state| {
            state[35].shape = vec![1, 1];
        }),
        ("tensor `critic.0.weight` has shape [5, 18]", |state| state[6].data.truncate(19)),
    ];
    for (message, change) in wrong {
        let mut state = before.clone();
        state[1].data.fill(9.0);
        change(&mut state);
        let problem = learner.load(&state, 7).unwrap_err();
        assert!(problem.contains(message), "{problem}");
        assert_eq!((learner.save().unwrap(), learner.steps()), (before.clone(), 0), "{message}");
    }
    let spaces = Spaces { view: 2, ..case.spaces };
    let network = Network { conv_channels: 1, ..case.network.clone() };
    assert!(TorchLearner::new(&network, spaces, Device::Cpu, 1).unwrap_err().contains("at least 3 x 3"));
    let spaces = Spaces { view: 5, ..case.spaces };
    assert!(TorchLearner::new(&case.network, spaces, Device::Cpu, 1).is_err());
}

/// Asked for more than an address space has, libtorch says so, and so does the learner.
#[test]
fn what_libtorch_refuses_is_an_error_and_no_panic() {
    let case = Case::new(0, false);
    let mut learner = case.learner();
    let beyond = Array::f_zeros([1 << 44], (Kind::Float, Device::Cpu));
    let error = beyond.map_err(failed("take a step of Adam", Device::Cpu)).unwrap_err().to_string();
    assert!(error.starts_with("cannot take a step of Adam on the device cpu: "), "{error}");
    assert!(error.ends_with(": train with a smaller `num_envs`, `minibatch` or `network.hidden`"), "{error}");
    assert!(!error.contains('\n') && !error.contains("frame #"), "{error}");
    // An index behind the last sample, and observations of another width.
    let rows = &[6][..];
    let minibatch = Minibatch { rows, noise: &case.noise[..18], ..case.minibatch() };
    let error = learner.loss(&case.samples(), &minibatch).unwrap_err();
    assert_eq!((error.doing, &error.device[..]), ("compute the loss of a minibatch", "cpu"));
    let samples = Samples { observations: &case.observations[1..], ..case.samples() };
    assert_eq!(learner.begin(&samples).unwrap_err().doing, "carry a rollout over");
    let (mut logits, mut values) = ([0.0; 3], [0.0; 1]);
    assert!(learner.act(&[0.0; 17], &mut [], &mut logits, &mut values).is_err());
    // It is none that lasts: the next call is answered.
    assert!(learner.loss(&case.samples(), &case.minibatch()).unwrap().finite());
}
