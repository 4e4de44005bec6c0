//! The native learner against its formulas (`prophet::learner::LossWeights`), in plain f64 loops: losses,
//! gradients as central differences of the loss, steps; and that nothing depends on threads or the CPU.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests
#![allow(clippy::disallowed_methods)] // an oracle's mathematics is the standard library's

use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::{Learner, LossWeights, Minibatch, Recurrent, Samples, Terms};
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces, Tensor};
use resonetics_envs::cpu::CpuPath;
use resonetics_envs::stream::{Domain, Key};

/// Numbers of a test, in order.
struct Numbers(Key, u32);

impl Numbers {
    fn new(seed: u64) -> Numbers {
        Numbers(Key::new(seed, Domain::Space, 0), 0)
    }

    fn uniform(&mut self) -> f64 {
        self.1 += 1;
        f64::from(self.0.words(0, self.1).0) / 4_294_967_296.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.uniform() * bound as f64) as usize
    }

    /// Uniform in +-`size`.
    fn around(&mut self, size: f64) -> f64 {
        size * (2.0 * self.uniform() - 1.0)
    }

    /// `size` or its negative, moved by at most a fifth: away from 0 and from 1.
    fn side(&mut self, size: f64) -> f64 {
        let sign = if self.uniform() < 0.5 { -1.0 } else { 1.0 };
        sign * size * (1.0 + self.around(0.2))
    }
}

/// A network's parameters in f64: weights `[out, in]` and biases in turn.
type Net = Vec<Vec<f64>>;

/// Outputs of dense layers with tanh between them.
fn forward(net: &Net, x: &[f64]) -> Vec<f64> {
    let mut values = x.to_vec();
    for (i, layer) in net.chunks(2).enumerate() {
        let inputs = values.len();
        values = (0..layer[1].len())
            .map(|o| {
                let mut sum = layer[1][o];
                for j in 0..inputs {
                    sum += layer[0][o * inputs + j] * values[j];
                }
                if i + 1 < net.len() / 2 { sum.tanh() } else { sum }
            })
            .collect();
    }
    values
}

/// Log-probabilities of the allowed actions; none for the others.
fn log_probs(logits: &[f64], mask: &[bool]) -> Vec<Option<f64>> {
    let allowed = |i: usize| mask.is_empty() || mask[i];
    let sum: f64 = (0..logits.len()).filter(|&i| allowed(i)).map(|i| logits[i].exp()).sum();
    (0..logits.len()).map(|i| allowed(i).then(|| logits[i] - sum.ln())).collect()
}

/// Samples, a minibatch of them, and networks.
struct Case {
    network: Network,
    spaces: Spaces,
    tensors: Vec<Tensor>,
    /// Actor and critic.
    nets: [Net; 2],
    observations: Vec<f32>,
    mask: Vec<bool>,
    actions: Vec<u32>,
    old_log_probs: Vec<f32>,
    old_values: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
    successors: Vec<u32>,
    rows: Vec<u32>,
    noise: Vec<f32>,
    weights: LossWeights,
}

const PLAIN: LossWeights = LossWeights {
    clip: 0.2,
    value_clip: 0.0,
    value: 0.7,
    entropy: 0.0,
    flow: 0.0,
    structure: 0.0,
    tension: 0.0,
    eps: 0.2,
    period: 3.0,
    l2: 0.0,
    caps_spatial: 0.0,
    caps_sigma: 0.3,
    caps_temporal: 0.0,
};

const ALL: LossWeights = LossWeights {
    value_clip: 0.3,
    entropy: 0.05,
    flow: 0.1,
    structure: 0.2,
    tension: 0.3,
    l2: 0.01,
    caps_spatial: 0.4,
    caps_temporal: 0.6,
    ..PLAIN
};

const MEAN: f32 = 0.2;
const SCALE: f32 = 1.5;

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

impl Case {
    /// Parameters and samples away from the places where the loss has no derivative.
    fn new(seed: u64, hidden: &[usize], b: usize, masked: bool, weights: LossWeights) -> Case {
        let mut numbers = Numbers::new(seed);
        let network = Network { hidden: hidden.to_vec(), conv_channels: 0, memory: 0 };
        let spaces = Spaces { observation: 6, actions: 4, view: 0 };
        let mut tensors = initial(&network, spaces, seed);
        let count = tensors.len() / 3;
        for tensor in &mut tensors[..count] {
            let inputs = tensor.shape.get(1).copied().unwrap_or(4) as f64;
            tensor.data.iter_mut().for_each(|x| *x = numbers.around(1.8 / inputs.sqrt()) as f32);
        }
        let all: Net = tensors[..count].iter().map(|tensor| wide(&tensor.data)).collect();
        let nets = [all[..count / 2].to_vec(), all[count / 2..].to_vec()];
        // More samples than the minibatch has, in another order.
        let n = b + 5;
        let mut rows: Vec<u32> = (0..n as u32).collect();
        for i in (1..n).rev() {
            rows.swap(i, numbers.below(i + 1));
        }
        rows.truncate(b);
        let mut case = Case {
            network,
            spaces,
            tensors,
            nets,
            observations: (0..n * 6).map(|_| numbers.around(1.5) as f32).collect(),
            mask: Vec::new(),
            actions: Vec::new(),
            old_log_probs: Vec::new(),
            old_values: Vec::new(),
            advantages: Vec::new(),
            returns: Vec::new(),
            // Every fifth has none but itself.
            successors: (0..n as u32).map(|i| if i % 5 == 0 { i } else { (i + 3) % n as u32 }).collect(),
            rows,
            noise: Vec::new(),
            weights,
        };
        for row in 0..n {
            let action = numbers.below(4);
            let mask: Vec<bool> = (0..4).map(|i| i == action || numbers.uniform() < 0.5).collect();
            let mask = if masked { mask } else { Vec::new() };
            let x = wide(&case.observations[row * 6..][..6]);
            let log_prob = log_probs(&forward(&case.nets[0], &x), &mask)[action].unwrap();
            let value = forward(&case.nets[1], &x)[0];
            // Ratios within 1 +- 0.2 and outside; moves of the value within 0.3 and outside.
            let (log_ratio, moved) =
                if numbers.uniform() < 0.5 { (numbers.side(0.1), 0.15) } else { (numbers.side(0.5), 0.6) };
            let old = value - numbers.side(moved);
            let clipped = old + (value - old).clamp(-0.3, 0.3);
            let target = loop {
                let target = value + numbers.side(1.0);
                if ((value - target).abs() - (clipped - target).abs()).abs() > 1e-2 || moved < 0.3 {
                    break target;
                }
            };
            case.mask.extend(mask);
            case.actions.push(action as u32);
            case.old_log_probs.push((log_prob - log_ratio) as f32);
            case.old_values.push(old as f32);
            case.returns.push(target as f32);
            case.advantages.push((f64::from(MEAN) + numbers.side(1.0)) as f32);
        }
        if weights.flow > 0.0 || weights.caps_spatial > 0.0 {
            case.noise = (0..b * 6).map(|_| numbers.around(2.0) as f32).collect();
        }
        case
    }

    fn learner(&self) -> NativeLearner {
        let mut learner = NativeLearner::new(&self.network, self.spaces);
        learner.load(&self.tensors, 0).unwrap();
        learner
    }

    fn native(&self, learner: &mut NativeLearner) -> Terms {
        let samples = Samples {
            observations: &self.observations,
            action_mask: &self.mask,
            actions: &self.actions,
            log_probs: &self.old_log_probs,
            values: &self.old_values,
            advantages: &self.advantages,
            returns: &self.returns,
            successors: &self.successors,
            recurrent: Recurrent::default(),
        };
        let minibatch = Minibatch {
            rows: &self.rows,
            sequences: &[],
            noise: &self.noise,
            advantage_mean: MEAN,
            advantage_scale: SCALE,
            loss: self.weights,
        };
        learner.begin(&samples).unwrap();
        learner.loss(&samples, &minibatch)
    }

    /// x of the i-th sample, and x + eps n.
    fn inputs(&self, i: usize) -> (Vec<f64>, Vec<f64>) {
        let x = wide(&self.observations[self.rows[i] as usize * 6..][..6]);
        let moved = if self.weights.flow > 0.0 { self.moved(i, &x, self.weights.eps) } else { Vec::new() };
        (x, moved)
    }

    /// x + `size` n of the i-th sample.
    fn moved(&self, i: usize, x: &[f64], size: f32) -> Vec<f64> {
        let noise = &self.noise[i * 6..][..6];
        (0..6).map(|j| x[j] + f64::from(size) * f64::from(noise[j])).collect()
    }

    /// Probabilities of all actions at x, with the mask of a sample.
    fn probabilities(&self, net: &Net, x: &[f64], row: usize) -> Vec<f64> {
        let mask = if self.mask.is_empty() { &[] } else { &self.mask[row * 4..][..4] };
        log_probs(&forward(net, x), mask).iter().map(|log_p| log_p.map_or(0.0, f64::exp)).collect()
    }

    /// The squared distances of CAPS for the i-th sample: of x + sigma n, and of its successor's observation.
    fn caps(&self, net: &Net, i: usize, x: &[f64]) -> [f64; 2] {
        let row = self.rows[i] as usize;
        let here = self.probabilities(net, x, row);
        let distance = |there: Vec<f64>| here.iter().zip(&there).map(|(p, q)| (p - q).powi(2)).sum::<f64>();
        let next = self.successors[row] as usize;
        let spatial = self.weights.caps_spatial > 0.0;
        let spatial = spatial.then(|| self.moved(i, x, self.weights.caps_sigma));
        let temporal = self.weights.caps_temporal > 0.0;
        let temporal = temporal.then(|| wide(&self.observations[next * 6..][..6]));
        [(spatial, row), (temporal, next)]
            .map(|(moved, row)| moved.map_or(0.0, |moved| distance(self.probabilities(net, &moved, row))))
    }

    fn flow(&self, net: &Net, plain: &[f64], moved: &[f64]) -> f64 {
        if moved.is_empty() {
            return 0.0;
        }
        let moved = forward(net, moved);
        let squares: f64 = (0..plain.len()).map(|j| (moved[j] - plain[j]).powi(2)).sum();
        squares / plain.len() as f64 / f64::from(self.weights.eps).powi(2)
    }

    /// The actor's terms: policy, entropy, flow, L2, CAPS, KL and share of clipped ratios.
    fn actor(&self, net: &Net) -> Terms {
        let mut terms = Terms::default();
        let clip = f64::from(self.weights.clip);
        let b = self.rows.len() as f64;
        for (i, &row) in self.rows.iter().enumerate() {
            let row = row as usize;
            let (x, moved) = self.inputs(i);
            let logits = forward(net, &x);
            let mask = if self.mask.is_empty() { &[] } else { &self.mask[row * 4..][..4] };
            let log_p = log_probs(&logits, mask);
            let log_ratio = log_p[self.actions[row] as usize].unwrap() - f64::from(self.old_log_probs[row]);
            let ratio = log_ratio.exp();
            let advantage = (f64::from(self.advantages[row]) - f64::from(MEAN)) * f64::from(SCALE);
            let clipped = ratio.max(1.0 - clip).min(1.0 + clip);
            terms.policy -= (ratio * advantage).min(clipped * advantage) / b;
            terms.entropy -= log_p.iter().flatten().map(|log_p| log_p.exp() * log_p).sum::<f64>() / b;
            terms.flow += self.flow(net, &logits, &moved) / b;
            terms.approx_kl += (ratio - 1.0 - log_ratio) / b;
            terms.clip_fraction += if (ratio - 1.0).abs() > clip { 1.0 / b } else { 0.0 };
            let [spatial, temporal] = self.caps(net, i, &x);
            terms.caps_spatial += spatial / b;
            terms.caps_temporal += temporal / b;
        }
        if self.weights.l2 > 0.0 {
            // Weights and biases in turn.
            terms.l2 = net.iter().step_by(2).flatten().map(|w| w * w).sum::<f64>() / 2.0;
        }
        terms
    }

    /// The critic's terms: value, flow, structure and tension.
    fn critic(&self, net: &Net) -> Terms {
        let mut terms = Terms::default();
        let (clip, period) = (f64::from(self.weights.value_clip), f64::from(self.weights.period));
        let b = self.rows.len() as f64;
        let mut gap = 0.0;
        for (i, &row) in self.rows.iter().enumerate() {
            let (x, moved) = self.inputs(i);
            let value = forward(net, &x)[0];
            let target = f64::from(self.returns[row as usize]);
            let old = f64::from(self.old_values[row as usize]);
            let clipped = old + (value - old).max(-clip).min(clip);
            let error = (value - target).powi(2);
            terms.value += if clip > 0.0 { error.max((clipped - target).powi(2)) } else { error } / b;
            gap += error / b;
            terms.flow += self.flow(net, &[value], &moved) / b;
            terms.structure += (1.0 - (std::f64::consts::TAU * value / period).cos()) / b;
        }
        terms.tension = gap.tanh() * terms.structure.tanh();
        terms
    }

    fn loss(&self, actor: &Terms, critic: &Terms) -> f64 {
        let LossWeights { value, entropy, flow, structure, tension, .. } = self.weights;
        let LossWeights { l2, caps_spatial, caps_temporal, .. } = self.weights;
        actor.policy + f64::from(value) * 0.5 * critic.value - f64::from(entropy) * actor.entropy
            + f64::from(flow) * (actor.flow + critic.flow)
            + f64::from(structure) * critic.structure
            - f64::from(tension) * critic.tension
            + f64::from(l2) * actor.l2
            + f64::from(caps_spatial) * actor.caps_spatial
            + f64::from(caps_temporal) * actor.caps_temporal
    }

    fn compare_terms(&self, found: &Terms) {
        let (actor, critic) = (self.actor(&self.nets[0]), self.critic(&self.nets[1]));
        for (name, found, expected) in [
            ("policy", found.policy, actor.policy),
            ("entropy", found.entropy, actor.entropy),
            ("flow", found.flow, actor.flow + critic.flow),
            ("kl", found.approx_kl, actor.approx_kl),
            ("clip fraction", found.clip_fraction, actor.clip_fraction),
            ("value", found.value, critic.value),
            ("structure", found.structure, critic.structure),
            ("tension", found.tension, critic.tension),
            ("l2", found.l2, actor.l2),
            ("spatial", found.caps_spatial, actor.caps_spatial),
            ("temporal", found.caps_temporal, actor.caps_temporal),
            ("loss", found.loss, self.loss(&actor, &critic)),
        ] {
            assert!((found - expected).abs() < 1e-5, "{name} {found} for {expected}");
        }
    }

    /// Compares the derivative by each parameter whose turn it is in steps of `every`.
    fn compare_gradient(&self, learner: &NativeLearner, every: usize) -> usize {
        const H: f64 = 1e-5;
        let gradient = learner.gradient();
        let whole = [self.actor(&self.nets[0]), self.critic(&self.nets[1])];
        let mut norm = 0.0;
        let (mut turn, mut compared) = (0, 0);
        for (which, net) in self.nets.iter().enumerate() {
            for (t, tensor) in net.iter().enumerate() {
                let found = &gradient[which * net.len() + t];
                let name = &found.name;
                norm += found.data.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>();
                for i in 0..tensor.len() {
                    turn += 1;
                    if turn % every != 0 {
                        continue;
                    }
                    let at = |by: f64| {
                        let mut net = net.clone();
                        net[t][i] += by;
                        if which == 0 {
                            self.loss(&self.actor(&net), &whole[1])
                        } else {
                            self.loss(&whole[0], &self.critic(&net))
                        }
                    };
                    let expected = (at(H) - at(-H)) / (2.0 * H);
                    let found = f64::from(found.data[i]);
                    assert!((found - expected).abs() < 1e-5, "{name} {i}: {found} for {expected}");
                    compared += 1;
                }
            }
        }
        assert!(norm > 1e-4, "nothing to compare");
        compared
    }
}

fn check(case: &Case, every: usize) -> usize {
    let mut learner = case.learner();
    let terms = case.native(&mut learner);
    case.compare_terms(&terms);
    let norm: f64 = learner.gradient().iter().flat_map(|tensor| wide(&tensor.data)).map(|g| g * g).sum();
    assert!((terms.gradient_norm - norm.sqrt()).abs() < 1e-6);
    case.compare_gradient(&learner, every)
}

#[test]
fn each_term_alone_has_its_value_and_gradient() {
    let only = LossWeights { value: 0.0, ..PLAIN };
    for (i, weights) in [
        PLAIN,
        LossWeights { value_clip: 0.3, ..PLAIN },
        LossWeights { entropy: 0.5, ..only },
        LossWeights { entropy: -0.5, ..only },
        LossWeights { flow: 0.2, ..only },
        LossWeights { structure: 0.5, ..only },
        LossWeights { tension: 0.8, ..only },
        LossWeights { l2: 0.3, ..only },
        LossWeights { caps_spatial: 2.0, ..only },
        LossWeights { caps_temporal: 2.0, ..only },
    ]
    .into_iter()
    .enumerate()
    {
        for masked in [false, true] {
            let case = Case::new(i as u64, &[7, 9], 65, masked, weights);
            assert_eq!(check(&case, 1), 2 * (7 * 7 + 9 * 8) + 10 * 5);
        }
    }
}

#[test]
fn the_whole_gradient_of_small_networks_is_right_for_any_batch() {
    // 1100: more blocks than groups.
    for (i, b) in [1, 3, 64, 65, 300, 1100].into_iter().enumerate() {
        check(&Case::new(20 + i as u64, &[5], b, true, ALL), 1);
        if b <= 300 {
            check(&Case::new(30 + i as u64, &[7, 9], b, false, ALL), 1);
        }
    }
}

#[test]
fn the_gradient_of_large_networks_is_right() {
    for b in [1, 3] {
        check(&Case::new(40 + b as u64, &[64, 64], b, true, ALL), 1);
    }
    for b in [64, 65, 300] {
        // A prime: no column or row is left out.
        assert!(check(&Case::new(40 + b as u64, &[64, 64], b, true, ALL), 61) > 150);
    }
}

/// A step of a training, and what is left of it.
fn trained(case: &Case) -> (Vec<Terms>, Vec<Tensor>, Vec<f32>, Vec<f32>) {
    let mut learner = case.learner();
    let mut terms = Vec::new();
    for _ in 0..3 {
        terms.push(case.native(&mut learner));
        learner.step(0.01, 0.5);
    }
    let rows = case.actions.len();
    let (mut logits, mut values) = (vec![0.0; rows * 4], vec![0.0; rows]);
    learner.act(&case.observations, &mut [], &mut logits, &mut values);
    (terms, learner.save(), logits, values)
}

#[test]
fn threads_and_cpu_paths_change_no_bit() {
    let best = CpuPath::current();
    for b in [65, 300, 1100] {
        let case = Case::new(50, &[20, 33], b, true, ALL);
        let expected = trained(&case);
        for threads in 1..=3 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(|| trained(&case)) == expected, "{threads} threads, {b} samples");
        }
        for path in CpuPath::available() {
            path.force();
            let found = trained(&case);
            best.force();
            assert!(found == expected, "{path}, {b} samples");
        }
    }
}

/// Numbers that are neither 0 nor as long as others: each costs a hundred times the time.
fn subnormal(tensors: &[Tensor]) -> usize {
    tensors.iter().flat_map(|tensor| &tensor.data).filter(|x| x.is_subnormal()).count()
}

/// An action that is never taken any more has a probability of 1e-38, and a ratio like that where it was taken
/// once. Nothing else reaches its weights and biases.
#[test]
fn a_sure_policy_keeps_no_subnormal_number() {
    for (masked, weights) in [(false, PLAIN), (true, ALL)] {
        let mut case = Case::new(70, &[20, 33], 300, masked, weights);
        let biases = case.tensors.iter_mut().find(|tensor| tensor.name == "actor.2.bias").unwrap();
        biases.data[3] = -90.0;
        let mut learner = case.learner();
        for step in 0..200 {
            let terms = case.native(&mut learner);
            assert!(terms.finite(), "{terms:?}");
            let found = [subnormal(&learner.gradient()), subnormal(&learner.save())];
            assert_eq!(found, [0, 0], "step {step}, masked {masked}: in the gradient, in what is kept");
            learner.step(1e-4, 0.5);
        }
    }
}

#[test]
fn acting_gives_the_networks_outputs_whatever_the_number_of_rows() {
    let case = Case::new(60, &[7, 9], 1100, false, PLAIN);
    let mut learner = case.learner();
    let mut alone = case.learner();
    for rows in [1, 63, 64, 65, 300, 1100] {
        let (mut logits, mut values) = (vec![0.0; rows * 4], vec![0.0; rows]);
        learner.act(&case.observations[..rows * 6], &mut [], &mut logits, &mut values);
        for row in (0..rows).step_by(7) {
            let x = &case.observations[row * 6..][..6];
            let expected = [forward(&case.nets[0], &wide(x)), forward(&case.nets[1], &wide(x))].concat();
            let found = [&logits[row * 4..][..4], &values[row..=row]].concat();
            for (found, expected) in found.iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} for {expected}");
            }
            let (mut one, mut value) = ([0.0; 4], [0.0]);
            alone.act(x, &mut [], &mut one, &mut value);
            assert_eq!([&one[..], &value].concat(), found, "row {row} of {rows}");
        }
    }
}

/// Kingma, Ba 2015, with the gradient's norm cut.
#[test]
fn a_step_is_adams_with_the_clipped_gradient() {
    let case = Case::new(70, &[7, 9], 65, false, ALL);
    for max_norm in [0.05, 1e9] {
        let mut learner = case.learner();
        let flat = |tensors: &[Tensor]| -> Vec<f64> {
            tensors.iter().flat_map(|tensor| wide(&tensor.data)).collect()
        };
        let count = flat(&learner.gradient()).len();
        let (mut m, mut v) = (vec![0.0; count], vec![0.0; count]);
        for step in 1..=3 {
            let before = flat(&learner.save());
            let norm = case.native(&mut learner).gradient_norm;
            let gradient = flat(&learner.gradient());
            let scale = (f64::from(max_norm) / norm).min(1.0);
            assert_eq!(scale < 1.0, max_norm < 1.0);
            learner.step(0.01, max_norm);
            let after = flat(&learner.save());
            for i in 0..count {
                let g = gradient[i] * scale;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m_hat, v_hat) = (m[i] / (1.0 - 0.9_f64.powi(step)), v[i] / (1.0 - 0.999_f64.powi(step)));
                let expected = before[i] - 0.01 * m_hat / (v_hat.sqrt() + 1e-5);
                assert!((after[i] - expected).abs() < 2e-6, "{i}: {} for {expected}", after[i]);
                assert!((after[count + i] - m[i]).abs() < 1e-6 && (after[2 * count + i] - v[i]).abs() < 1e-6);
            }
            assert_eq!(learner.steps(), step as u64);
        }
    }
}

#[test]
fn what_one_learner_saved_another_goes_on_from_bit_for_bit() {
    let case = Case::new(80, &[7, 9], 65, true, ALL);
    let mut learner = case.learner();
    case.native(&mut learner);
    learner.step(0.01, 0.5);
    let mut copy = NativeLearner::new(&case.network, case.spaces);
    copy.load(&learner.save(), learner.steps()).unwrap();
    for _ in 0..3 {
        assert_eq!(case.native(&mut learner), case.native(&mut copy));
        assert_eq!(learner.gradient(), copy.gradient());
        learner.step(0.01, 0.5);
        copy.step(0.01, 0.5);
        assert_eq!((learner.save(), learner.steps()), (copy.save(), copy.steps()));
    }
    let shapes: Vec<_> = learner.save().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
    let expected = case.network.parameters(case.spaces);
    for (part, prefix) in ["", "adam.m.", "adam.v."].into_iter().enumerate() {
        let part = &shapes[part * expected.len()..][..expected.len()];
        assert!(part.iter().zip(&expected).all(|(a, b)| a.0 == format!("{prefix}{}", b.0) && a.1 == b.1));
    }
}

#[test]
fn a_wrong_name_or_shape_is_refused_and_changes_nothing() {
    let case = Case::new(90, &[7, 9], 3, false, PLAIN);
    let mut learner = case.learner();
    case.native(&mut learner);
    learner.step(0.01, 0.5);
    let before = learner.save();
    let other = initial(&case.network, case.spaces, 7);
    for at in 0..other.len() {
        let name = other[at].name.clone();
        let with = |change: &dyn Fn(&mut Tensor)| {
            let mut tensors = other.clone();
            change(&mut tensors[at]);
            tensors
        };
        for tensors in [
            with(&|tensor| tensor.name.push('x')),
            with(&|tensor| tensor.shape.push(1)),
            with(&|tensor| tensor.shape[0] += 1),
            with(&|tensor| tensor.data.push(0.0)),
        ] {
            let problem = learner.load(&tensors, 9).unwrap_err();
            assert!(problem.contains(&name), "{problem}");
            assert_eq!((learner.save(), learner.steps()), (before.clone(), 1));
        }
    }
    // The order of tensors is free.
    let mut turned = other.clone();
    turned.reverse();
    learner.load(&turned, 9).unwrap();
    assert_eq!((learner.save(), learner.steps()), (other, 9));
}

/// 3x3 kernels without padding over a 5x5 view, then what follows the view.
#[test]
fn the_convolution_is_that_of_plain_loops() {
    let mut numbers = Numbers::new(1);
    let network = Network { hidden: vec![6], conv_channels: 3, memory: 0 };
    let spaces = Spaces { observation: 28, actions: 4, view: 5 };
    let mut tensors = initial(&network, spaces, 1);
    for tensor in &mut tensors {
        tensor.data.iter_mut().for_each(|x| *x = numbers.around(0.5) as f32);
    }
    let mut learner = NativeLearner::new(&network, spaces);
    learner.load(&tensors, 0).unwrap();
    assert_eq!(learner.save(), tensors);
    let observations: Vec<f32> = (0..70 * 28).map(|_| numbers.around(1.0) as f32).collect();
    let (mut logits, mut values) = (vec![0.0; 70 * 4], vec![0.0; 70]);
    learner.act(&observations, &mut [], &mut logits, &mut values);
    for row in 0..70 {
        let x = wide(&observations[row * 28..][..28]);
        for (net, found) in [&logits[row * 4..][..4], &values[row..=row]].into_iter().enumerate() {
            let of: Vec<Vec<f64>> = tensors[net * 6..][..6].iter().map(|tensor| wide(&tensor.data)).collect();
            let mut features = Vec::new();
            for channel in 0..3 {
                for y in 0..3 {
                    for column in 0..3 {
                        let mut sum = of[1][channel];
                        for dy in 0..3 {
                            for dx in 0..3 {
                                sum += of[0][channel * 9 + dy * 3 + dx] * x[(y + dy) * 5 + column + dx];
                            }
                        }
                        features.push(sum.tanh());
                    }
                }
            }
            features.extend(&x[25..]);
            let expected = forward(&of[2..].to_vec(), &features);
            for (found, expected) in found.iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{row} {net}: {found} for {expected}");
            }
        }
    }
}

/// No place for a kernel: the rest of the observation is all there is.
#[test]
fn a_view_smaller_than_the_kernel_has_no_features() {
    for view in 0..3 {
        let network = Network { hidden: vec![6], conv_channels: 3, memory: 0 };
        let spaces = Spaces { observation: 12, actions: 4, view };
        let mut learner = NativeLearner::new(&network, spaces);
        learner.load(&initial(&network, spaces, 1), 0).unwrap();
        let (mut logits, mut values) = ([0.0; 4], [0.0]);
        learner.act(&[0.5; 12], &mut [], &mut logits, &mut values);
        assert_ne!(values, [0.0]);
    }
}

/// Its gradient would be that of a network whose convolution is given.
#[test]
#[should_panic(expected = "no gradient of a convolution")]
fn a_convolution_cannot_be_trained_by_mistake() {
    let mut case = Case::new(1, &[5], 3, false, PLAIN);
    case.network.conv_channels = 2;
    let mut learner = NativeLearner::new(&case.network, Spaces { view: 2, ..case.spaces });
    case.native(&mut learner);
}

/// A term of single observations would leave out what is remembered.
#[test]
#[should_panic(expected = "the terms of CAPS are of single observations")]
fn caps_does_not_go_with_a_memory_by_mistake() {
    let mut case = Case::new(1, &[5], 3, false, LossWeights { caps_temporal: 0.1, ..PLAIN });
    case.network.memory = 2;
    let mut learner = NativeLearner::new(&case.network, case.spaces);
    case.native(&mut learner);
}
