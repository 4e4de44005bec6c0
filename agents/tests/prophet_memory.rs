//! Networks with a memory against their formulas (`prophet::network::Network`, `prophet::learner::LossWeights`), in
//! plain f64 loops: losses, gradients as central differences, what is remembered; both learners.
#![allow(clippy::unwrap_used)] // helpers of tests
#![allow(clippy::disallowed_methods)] // an oracle's mathematics is the standard library's

use std::collections::HashMap;

use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::{
    Learner, LossWeights, Minibatch, Recurrent, SEQUENCE, Samples, Sequence, Terms,
};
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces, Tensor};
use resonetics_envs::cpu::CpuPath;
use resonetics_envs::stream::{Domain, Key};

const SPACES: Spaces = Spaces { observation: 6, actions: 4, view: 0 };

const ALL: LossWeights = LossWeights {
    clip: 0.2,
    value_clip: 0.3,
    value: 0.7,
    entropy: 0.05,
    flow: 0.1,
    structure: 0.2,
    tension: 0.3,
    eps: 0.2,
    period: 3.0,
    l2: 0.01,
    caps_spatial: 0.0,
    caps_sigma: 0.1,
    caps_temporal: 0.0,
};
const PLAIN: LossWeights =
    LossWeights { value_clip: 0.0, entropy: 0.0, flow: 0.0, structure: 0.0, tension: 0.0, l2: 0.0, ..ALL };

const MEAN: f32 = 0.2;
const SCALE: f32 = 1.5;

/// Numbers of a test, in order.
struct Numbers(Key, u32);

impl Numbers {
    /// Uniform in +-`size`.
    fn around(&mut self, size: f64) -> f64 {
        self.1 += 1;
        size * (f64::from(self.0.words(0, self.1).0) / 2_147_483_648.0 - 1.0)
    }

    fn chance(&mut self, p: f64) -> bool {
        self.around(0.5) + 0.5 < p
    }

    /// `size` or its negative, moved by at most a fifth: away from 0 and from 1.
    fn side(&mut self, size: f64) -> f64 {
        let sign = if self.chance(0.5) { -1.0 } else { 1.0 };
        sign * size * (1.0 + self.around(0.2))
    }

    fn many(&mut self, count: usize, size: f64) -> Vec<f32> {
        (0..count).map(|_| self.around(size) as f32).collect()
    }
}

type Parameters = HashMap<String, Vec<f64>>;

/// `W` x + b, or without b.
fn dense(parameters: &Parameters, name: &str, x: &[f64]) -> Vec<f64> {
    let weight = &parameters[&format!("{name}.weight")];
    let none = vec![0.0; weight.len() / x.len()];
    let bias = parameters.get(&format!("{name}.bias")).unwrap_or(&none);
    let rows = weight.chunks(x.len()).zip(bias);
    rows.map(|(row, b)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b).collect()
}

/// Outputs of `net` for x with the state `before`, and the state after it.
fn step(p: &Parameters, net: &str, layers: usize, x: &[f64], before: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut x = x.to_vec();
    for layer in 0..layers {
        x = dense(p, &format!("{net}.{layer}"), &x).into_iter().map(f64::tanh).collect();
    }
    let gates = dense(p, &format!("{net}.memory.gate"), &x);
    let candidates = dense(p, &format!("{net}.memory.candidate"), &x);
    let mut state = Vec::new();
    for ((gate, candidate), before) in gates.into_iter().zip(candidates).zip(before) {
        let z = 1.0 / (1.0 + (-gate).exp());
        state.push((1.0 - z) * before + z * candidate.tanh());
    }
    let outputs = dense(p, &format!("{net}.{layers}"), &x);
    let remembered = dense(p, &format!("{net}.memory.head"), &state);
    (outputs.iter().zip(remembered).map(|(a, b)| a + b).collect(), state)
}

/// Sequences of samples with a minibatch of them.
struct Case {
    network: Network,
    tensors: Vec<Tensor>,
    observations: Vec<f32>,
    mask: Vec<bool>,
    actions: Vec<u32>,
    log_probs: Vec<f32>,
    values: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
    states: Vec<f32>,
    begins: Vec<bool>,
    asked: Vec<bool>,
    rows: Vec<u32>,
    sequences: Vec<Sequence>,
    noise: Vec<f32>,
    weights: LossWeights,
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

impl Case {
    /// `count` sequences of 1 to `length` samples, every other of which goes into the minibatch, from the last to
    /// the first. Some samples begin a life; `silent` of them were not asked. Away from where the loss has no
    /// derivative.
    fn new(seed: u64, network: &Network, (count, length): (usize, usize), silent: f64) -> Case {
        let mut numbers = Numbers(Key::new(seed, Domain::Space, 0), 0);
        let mut tensors = initial(network, SPACES, seed);
        let parameters = tensors.len() / 3;
        for tensor in &mut tensors[..parameters] {
            let inputs = tensor.shape.get(1).copied().unwrap_or(4) as f64;
            tensor.data.iter_mut().for_each(|x| *x = numbers.around(1.8 / inputs.sqrt()) as f32);
        }
        // Steps side by side, as in a rollout.
        let n = count * length;
        let mut case = Case {
            network: network.clone(),
            tensors,
            observations: numbers.many(n * 6, 1.5),
            mask: Vec::new(),
            actions: Vec::new(),
            log_probs: Vec::new(),
            values: Vec::new(),
            advantages: Vec::new(),
            returns: Vec::new(),
            states: numbers.many(count * network.remembered(), 1.0),
            begins: (0..n).map(|_| numbers.chance(0.2)).collect(),
            asked: (0..n).map(|_| !numbers.chance(silent)).collect(),
            rows: Vec::new(),
            sequences: Vec::new(),
            noise: Vec::new(),
            weights: ALL,
        };
        for sequence in (0..count).rev().step_by(2) {
            let steps = 1 + (numbers.around(0.5).abs() * 2.0 * length as f64) as usize;
            case.rows.extend((0..steps.min(length)).map(|step| (step * count + sequence) as u32));
            case.sequences.push(Sequence { end: case.rows.len() as u32, state: sequence as u32 });
        }
        case.noise = numbers.many(case.rows.len() * 6, 2.0);
        case.choose(&mut numbers, n);
        case
    }

    /// Actions, and what was known of them: ratios within 1 +- 0.2 and outside, moves of the value within 0.3 and
    /// outside.
    fn choose(&mut self, numbers: &mut Numbers, n: usize) {
        let mut outputs = vec![(vec![0.0; 4], 0.0); n];
        let p = self.parameters();
        self.walk(&p, |row, _, plain, _| outputs[row] = (plain[0].clone(), plain[1][0]));
        for (logits, value) in outputs {
            let action = (numbers.around(2.0) + 2.0) as usize;
            let mask: Vec<bool> = (0..4).map(|i| i == action || numbers.chance(0.6)).collect();
            let log_prob = log_probs(&logits, &mask)[action].unwrap();
            let (log_ratio, moved) =
                if numbers.chance(0.5) { (numbers.side(0.1), 0.15) } else { (numbers.side(0.5), 0.6) };
            let old = value - numbers.side(moved);
            let clipped = old + (value - old).clamp(-0.3, 0.3);
            let target = loop {
                let target = value + numbers.side(1.0);
                if ((value - target).abs() - (clipped - target).abs()).abs() > 1e-2 || moved < 0.3 {
                    break target;
                }
            };
            self.mask.extend(mask);
            self.actions.push(action as u32);
            self.log_probs.push((log_prob - log_ratio) as f32);
            self.values.push(old as f32);
            self.returns.push(target as f32);
            self.advantages.push((f64::from(MEAN) + numbers.side(1.0)) as f32);
        }
    }

    fn with(mut self, weights: LossWeights) -> Case {
        if weights.flow == 0.0 {
            self.noise.clear();
        }
        self.weights = weights;
        self
    }

    fn parameters(&self) -> Parameters {
        let count = self.tensors.len() / 3;
        self.tensors[..count].iter().map(|tensor| (tensor.name.clone(), wide(&tensor.data))).collect()
    }

    /// Goes through the minibatch's samples: `see(sample, asked, outputs of both nets, those for x + eps n)`.
    fn walk(&self, p: &Parameters, mut see: impl FnMut(usize, bool, [Vec<f64>; 2], [Vec<f64>; 2])) {
        let (units, layers) = (self.network.memory, self.network.hidden.len());
        let mut from = 0;
        for sequence in &self.sequences {
            let first = &self.states[sequence.state as usize * 2 * units..][..2 * units];
            let mut states = [wide(&first[..units]), wide(&first[units..])];
            for i in from..sequence.end as usize {
                let row = self.rows[i] as usize;
                if self.begins[row] {
                    states = [vec![0.0; units], vec![0.0; units]];
                }
                let x = wide(&self.observations[row * 6..][..6]);
                let noise = if self.noise.is_empty() { &[0.0; 6] } else { &self.noise[i * 6..][..6] };
                let eps = f64::from(self.weights.eps);
                let moved: Vec<f64> = x.iter().zip(noise).map(|(x, &n)| x + eps * f64::from(n)).collect();
                let [actor, critic] = ["actor", "critic"];
                let (logits, actors) = step(p, actor, layers, &x, &states[0]);
                let (value, critics) = step(p, critic, layers, &x, &states[1]);
                let aside = [
                    step(p, actor, layers, &moved, &states[0]).0,
                    step(p, critic, layers, &moved, &states[1]).0,
                ];
                see(row, self.asked[row], [logits, value], aside);
                states = [actors, critics];
            }
            from = sequence.end as usize;
        }
    }

    /// The terms by the formula, without the norm.
    fn oracle(&self, p: &Parameters) -> Terms {
        let w = self.weights;
        let [clip, value_clip, eps, period] = [w.clip, w.value_clip, w.eps, w.period].map(f64::from);
        let b = self.rows.iter().filter(|&&row| self.asked[row as usize]).count() as f64;
        let (mut t, mut gap) = (Terms::default(), 0.0);
        self.walk(p, |row, asked, [logits, value], aside| {
            if !asked {
                return;
            }
            let log_p = log_probs(&logits, &self.mask[row * 4..][..4]);
            let log_ratio = log_p[self.actions[row] as usize].unwrap() - f64::from(self.log_probs[row]);
            let ratio = log_ratio.exp();
            let advantage = (f64::from(self.advantages[row]) - f64::from(MEAN)) * f64::from(SCALE);
            t.policy -= (ratio * advantage).min(ratio.clamp(1.0 - clip, 1.0 + clip) * advantage) / b;
            t.entropy -= log_p.iter().flatten().map(|log_p| log_p.exp() * log_p).sum::<f64>() / b;
            t.approx_kl += (ratio - 1.0 - log_ratio) / b;
            t.clip_fraction += if (ratio - 1.0).abs() > clip { 1.0 / b } else { 0.0 };
            let (old, target) = (f64::from(self.values[row]), f64::from(self.returns[row]));
            let squared = (value[0] - target).powi(2);
            let near = old + (value[0] - old).clamp(-value_clip, value_clip);
            t.value += if value_clip > 0.0 { squared.max((near - target).powi(2)) } else { squared } / b;
            gap += squared / b;
            t.structure += (1.0 - (std::f64::consts::TAU * value[0] / period).cos()) / b;
            for (at, there) in [&logits, &value].into_iter().zip(&aside) {
                let squares = at.iter().zip(there).map(|(at, there)| (there - at).powi(2));
                t.flow += squares.sum::<f64>() / (eps * eps * b * at.len() as f64);
            }
        });
        t.tension = gap.tanh() * t.structure.tanh();
        if w.l2 > 0.0 {
            let weights =
                p.iter().filter(|(name, _)| name.starts_with("actor.") && name.ends_with(".weight"));
            t.l2 = weights.flat_map(|(_, weights)| weights).map(|w| w * w).sum::<f64>() / 2.0;
        }
        let [value, entropy, flow, structure, tension] =
            [w.value, w.entropy, w.flow, w.structure, w.tension].map(f64::from);
        t.loss =
            t.policy + 0.5 * value * t.value - entropy * t.entropy + flow * t.flow + structure * t.structure
                - tension * t.tension
                + f64::from(w.l2) * t.l2;
        t
    }

    fn loss(&self, learner: &mut dyn Learner) -> Terms {
        let samples = Samples {
            observations: &self.observations,
            action_mask: &self.mask,
            actions: &self.actions,
            log_probs: &self.log_probs,
            values: &self.values,
            advantages: &self.advantages,
            returns: &self.returns,
            successors: &[],
            recurrent: Recurrent { states: &self.states, begins: &self.begins, asked: &self.asked },
        };
        let minibatch = Minibatch {
            rows: &self.rows,
            sequences: &self.sequences,
            noise: &self.noise,
            advantage_mean: MEAN,
            advantage_scale: SCALE,
            loss: self.weights,
        };
        learner.begin(&samples).unwrap();
        learner.loss(&samples, &minibatch).unwrap()
    }

    fn native(&self) -> NativeLearner {
        let mut learner = NativeLearner::new(&self.network, SPACES);
        learner.load(&self.tensors, 0).unwrap();
        learner
    }

    fn learners(&self) -> Vec<(&'static str, Box<dyn Learner>)> {
        #[allow(unused_mut)] // without libtorch there is one
        let mut all: Vec<(&str, Box<dyn Learner>)> = vec![("native", Box::new(self.native()))];
        #[cfg(feature = "torch")]
        {
            use resonetics_agents::prophet::torch::TorchLearner;
            use resonetics_kernel::torch::device::Device;
            let mut torch = TorchLearner::new(&self.network, SPACES, Device::Cpu, 1).unwrap();
            torch.load(&self.tensors, 0).unwrap();
            all.push(("torch", Box::new(torch)));
        }
        all
    }
}

/// Log-probabilities of the allowed actions; none for the others.
fn log_probs(logits: &[f64], mask: &[bool]) -> Vec<Option<f64>> {
    let sum: f64 = logits.iter().zip(mask).filter(|(_, allowed)| **allowed).map(|(x, _)| x.exp()).sum();
    logits.iter().zip(mask).map(|(x, allowed)| allowed.then(|| x - sum.ln())).collect()
}

fn network(hidden: &[usize], memory: usize) -> Network {
    Network { hidden: hidden.to_vec(), conv_channels: 0, memory }
}

/// Terms, and the derivative by every `every`-th parameter, of each learner against the oracle.
fn check(case: &Case, every: usize) {
    const H: f64 = 1e-5;
    let mut p = case.parameters();
    let expected = case.oracle(&p);
    for (who, mut learner) in case.learners() {
        let found = case.loss(learner.as_mut());
        for (name, found, expected) in [
            ("policy", found.policy, expected.policy),
            ("entropy", found.entropy, expected.entropy),
            ("flow", found.flow, if case.weights.flow > 0.0 { expected.flow } else { 0.0 }),
            ("kl", found.approx_kl, expected.approx_kl),
            ("clip fraction", found.clip_fraction, expected.clip_fraction),
            ("value", found.value, expected.value),
            ("structure", found.structure, expected.structure),
            ("tension", found.tension, expected.tension),
            ("loss", found.loss, expected.loss),
        ] {
            assert!((found - expected).abs() < 1e-5, "{who}: {name} {found} for {expected}");
        }
        let gradient = learner.gradient().unwrap();
        let norm: f64 = gradient.iter().flat_map(|tensor| wide(&tensor.data)).map(|g| g * g).sum();
        assert!((found.gradient_norm - norm.sqrt()).abs() < 1e-5 && norm > 1e-3, "{who}: norm");
        let mut turn = 0;
        for Tensor { name, data, .. } in gradient {
            for (i, found) in data.into_iter().enumerate() {
                turn += 1;
                if turn % every != 0 {
                    continue;
                }
                let there = p[&name][i];
                let mut at = |x: f64| {
                    p.get_mut(&name).unwrap()[i] = x;
                    case.oracle(&p).loss
                };
                let expected = (at(there + H) - at(there - H)) / (2.0 * H);
                at(there);
                let found = f64::from(found);
                assert!((found - expected).abs() < 1e-5, "{who}: {name} {i}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn losses_and_gradients_through_time_are_those_of_the_formula() {
    let only = LossWeights { value: 0.0, ..PLAIN };
    for (i, (weights, silent)) in [
        (PLAIN, 0.0),
        (ALL, 0.0),
        (ALL, 0.4),
        (LossWeights { flow: 0.2, ..only }, 0.3),
        (LossWeights { tension: 0.8, ..only }, 0.3),
    ]
    .into_iter()
    .enumerate()
    {
        for net in [network(&[7, 9], 5), network(&[5], 20)] {
            check(&Case::new(i as u64, &net, (9, 12), silent).with(weights), 5);
        }
    }
    // The longest sequences, in blocks that they do not fill, more of them than groups.
    check(&Case::new(9, &network(&[8], 17), (70, SEQUENCE), 0.2).with(ALL), 41);
}

/// At the size of a training they agree with each other, and go on agreeing.
#[cfg(feature = "torch")]
#[test]
fn both_learners_take_the_same_steps() {
    let case = Case::new(30, &network(&[64, 64], 64), (40, SEQUENCE), 0.2);
    let close = |what: &str, a: f64, b: f64| {
        assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{what}: {a} and {b}");
    };
    let [(_, mut native), (_, mut torch)]: [_; 2] = case.learners().try_into().ok().unwrap();
    for step in 0..3 {
        let (a, b) = (case.loss(native.as_mut()), case.loss(torch.as_mut()));
        for (what, a, b) in [
            ("loss", a.loss, b.loss),
            ("flow", a.flow, b.flow),
            ("approx_kl", a.approx_kl, b.approx_kl),
            ("gradient_norm", a.gradient_norm, b.gradient_norm),
        ] {
            close(&format!("{what}, step {step}"), a, b);
        }
        for (a, b) in native.gradient().unwrap().iter().zip(torch.gradient().unwrap()) {
            assert_eq!((&a.name, &a.shape), (&b.name, &b.shape));
            a.data.iter().zip(&b.data).for_each(|(x, y)| close(&a.name, (*x).into(), (*y).into()));
        }
        native.step(1e-3, 0.5).unwrap();
        torch.step(1e-3, 0.5).unwrap();
    }
}

/// Far from the actions: without a gradient through time, the first samples would have none of the last ones'.
#[test]
fn only_the_last_sample_is_asked_and_the_first_one_learns() {
    let mut case = Case::new(11, &network(&[6], 8), (2, 12), 0.0).with(PLAIN);
    case.begins.fill(false);
    // Gates that are nearly closed: much of what was is still there.
    for tensor in case.tensors.iter_mut().filter(|tensor| tensor.name.ends_with("memory.gate.bias")) {
        tensor.data.fill(-2.0);
    }
    case.rows = (0..12).map(|step| step * 2).collect();
    case.sequences = vec![Sequence { end: 12, state: 0 }];
    case.asked = (0..24).map(|row| row == 22).collect();
    // Nothing but the first sample has a third number.
    for row in 1..24 {
        case.observations[row * 6 + 2] = 0.0;
    }
    check(&case, 1);
    for (who, mut learner) in case.learners() {
        case.loss(learner.as_mut());
        let gradient = learner.gradient().unwrap();
        let weights = &gradient.iter().find(|tensor| tensor.name == "critic.0.weight").unwrap().data;
        assert!(weights.iter().skip(2).step_by(6).any(|x| x.abs() > 1e-4), "{who}");
    }
}

/// Acting sample by sample gives what the formula gives, whatever the number of rows, and goes on from there.
#[test]
fn acting_remembers() {
    let case = Case::new(20, &network(&[7, 9], 5), (300, 8), 0.0);
    let p = case.parameters();
    for (who, mut learner) in case.learners() {
        let mut alone = case.native();
        for rows in [1, 65, 300] {
            let mut memory = vec![0.0; rows * 10];
            let mut expected = vec![[vec![0.0; 5], vec![0.0; 5]]; rows];
            for t in 0..8 {
                let observations = &case.observations[t * 300 * 6..][..rows * 6];
                let (mut logits, mut values) = (vec![0.0; rows * 4], vec![0.0; rows]);
                let before = memory.clone();
                learner.act(observations, &mut memory, &mut logits, &mut values).unwrap();
                for row in (0..rows).step_by(7) {
                    let x = &observations[row * 6..][..6];
                    let (a, actor) = step(&p, "actor", 2, &wide(x), &expected[row][0]);
                    let (v, critic) = step(&p, "critic", 2, &wide(x), &expected[row][1]);
                    let found = [&logits[row * 4..][..4], &values[row..=row], &memory[row * 10..][..10]];
                    let found = found.concat();
                    for (found, expected) in found.iter().zip([&a[..], &v, &actor, &critic].concat()) {
                        assert!((f64::from(*found) - expected).abs() < 1e-5, "{who}: {found}, {expected}");
                    }
                    if who == "native" {
                        let (mut one, mut value) = ([0.0; 4], [0.0]);
                        let mut own = before[row * 10..][..10].to_vec();
                        alone.act(x, &mut own, &mut one, &mut value);
                        assert_eq!([&one[..], &value, &own].concat(), found, "row {row} of {rows}");
                    }
                    expected[row] = [actor, critic];
                }
            }
        }
    }
}

/// Steps of a training, and what is left of it.
fn trained(case: &Case) -> (Vec<Terms>, Vec<Tensor>, Vec<f32>, Vec<f32>) {
    let mut learner = case.native();
    let mut terms = Vec::new();
    for _ in 0..3 {
        terms.push(case.loss(&mut learner));
        learner.step(0.01, 0.5);
    }
    let rows = case.actions.len();
    let mut memory: Vec<f32> = case.states.iter().copied().cycle().take(rows * 40).collect();
    let (mut logits, mut values) = (vec![0.0; rows * 4], vec![0.0; rows]);
    learner.act(&case.observations, &mut memory, &mut logits, &mut values);
    (terms, learner.save(), memory, [logits, values].concat())
}

#[test]
fn threads_and_cpu_paths_change_no_bit() {
    let best = CpuPath::current();
    for (count, length) in [(9, 12), (80, 50)] {
        let case = Case::new(50, &network(&[20, 33], 20), (count, length), 0.3);
        let expected = trained(&case);
        for threads in 1..=3 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(|| trained(&case)) == expected, "{threads} threads, {count} sequences");
        }
        for path in CpuPath::available() {
            path.force();
            let found = trained(&case);
            best.force();
            assert!(found == expected, "{path}, {count} sequences");
        }
    }
}

#[test]
fn what_one_learner_saved_another_goes_on_from_bit_for_bit() {
    let case = Case::new(80, &network(&[7, 9], 5), (9, 12), 0.3);
    let mut learner = case.native();
    case.loss(&mut learner);
    learner.step(0.01, 0.5);
    let mut copy = NativeLearner::new(&case.network, SPACES);
    copy.load(&learner.save(), learner.steps()).unwrap();
    assert_eq!(case.loss(&mut learner), case.loss(&mut copy));
    learner.step(0.01, 0.5);
    copy.step(0.01, 0.5);
    assert_eq!(learner.save(), copy.save());
    // Every parameter has moved, and stands under its own name.
    let before: Vec<&Tensor> = case.tensors.iter().take(case.tensors.len() / 3).collect();
    for (before, after) in before.iter().zip(learner.save()) {
        assert_eq!((&before.name, &before.shape), (&after.name, &after.shape));
        assert!(before.data.iter().zip(&after.data).all(|(a, b)| a != b), "{}", after.name);
    }
}

/// Gates that never open and never close, states that fade: nothing becomes subnormal.
#[test]
fn a_memory_keeps_no_subnormal_number() {
    let mut case = Case::new(70, &network(&[20], 20), (9, 60), 0.3);
    for tensor in case.tensors.iter_mut().filter(|tensor| tensor.name.ends_with("memory.gate.bias")) {
        tensor.data.iter_mut().enumerate().for_each(|(i, x)| *x = [-90.0, 90.0, 0.0, 2.0][i % 4]);
    }
    for tensor in case.tensors.iter_mut().filter(|tensor| tensor.name.contains("candidate")) {
        tensor.data.fill(0.0);
    }
    let mut learner = case.native();
    let (mut logits, mut values) = (vec![0.0; 4], vec![0.0]);
    let mut memory = vec![1e-6; 40];
    for update in 0..20 {
        assert!(case.loss(&mut learner).finite());
        let kept = [learner.gradient(), learner.save()].concat();
        let subnormal = kept.iter().flat_map(|tensor| &tensor.data).filter(|x| x.is_subnormal()).count();
        assert_eq!(subnormal, 0, "update {update}");
        learner.act(&case.observations[..6], &mut memory, &mut logits, &mut values);
        assert!(memory.iter().all(|x| !x.is_subnormal()), "{memory:?}");
        learner.step(1e-4, 0.5);
    }
}

#[test]
#[should_panic(expected = "a sequence has 1 to 64 samples")]
fn a_sequence_that_is_too_long_is_refused() {
    let mut case = Case::new(1, &network(&[5], 3), (2, SEQUENCE + 1), 0.0);
    case.rows = (0..=SEQUENCE as u32).map(|step| step * 2).collect();
    case.sequences = vec![Sequence { end: SEQUENCE as u32 + 1, state: 0 }];
    case.noise = vec![0.0; case.rows.len() * 6];
    case.loss(&mut case.native());
}
