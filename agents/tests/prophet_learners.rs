//! The two learners are each other's oracle: the same parameters, samples and minibatches give the
//! same terms, gradients, steps and actions.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)] // helpers of tests

use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::{Learner, LossWeights, Minibatch, Recurrent, Samples};
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces, Tensor};
use resonetics_agents::prophet::torch::TorchLearner;
use resonetics_envs::stream::{Domain, Key};
use resonetics_kernel::torch::device::Device;

/// What may lie between them (the project's own promise).
const TOLERANCE: f64 = 1e-5;

const WEIGHTS: LossWeights = LossWeights {
    clip: 0.2,
    value_clip: 0.3,
    value: 0.7,
    entropy: 0.02,
    flow: 0.05,
    structure: 0.1,
    tension: 0.2,
    eps: 0.1,
    period: 3.0,
    l2: 0.01,
    caps_spatial: 0.3,
    caps_sigma: 0.2,
    caps_temporal: 0.4,
};

struct Case {
    network: Network,
    spaces: Spaces,
    observations: Vec<f32>,
    mask: Vec<bool>,
    actions: Vec<u32>,
    /// log-probabilities, values, advantages, returns
    numbers: [Vec<f32>; 4],
    noise: Vec<f32>,
    successors: Vec<u32>,
    rows: Vec<u32>,
}

fn case(seed: u64, hidden: &[usize], spaces: Spaces, n: usize, b: usize, masked: bool) -> Case {
    let key = Key::new(seed, Domain::Space, 7);
    let normal = |tag: u64, i: usize| key.derive(1, tag).normals(0, i as u32).0[0];
    let normals = |tag: u64, count: usize| (0..count).map(|i| normal(tag, i)).collect::<Vec<f32>>();
    let actions: Vec<u32> = (0..n).map(|i| key.below(spaces.actions as u32, 1, i as u32)).collect();
    let mask = |i: usize| i % spaces.actions == actions[i / spaces.actions] as usize || normal(8, i) > -0.5;
    Case {
        network: Network { hidden: hidden.to_vec(), conv_channels: 0, memory: 0 },
        spaces,
        observations: normals(2, n * spaces.observation),
        mask: if masked { (0..n * spaces.actions).map(mask).collect() } else { Vec::new() },
        numbers: [
            normals(3, n).iter().map(|x| -1.5 + 0.3 * x).collect(),
            normals(4, n),
            normals(5, n),
            normals(6, n),
        ],
        noise: normals(7, b * spaces.observation),
        successors: (0..n).map(|i| if i % 4 == 0 { i } else { (i + 3) % n } as u32).collect(),
        rows: (0..b).map(|i| (i * 7 % n) as u32).collect(),
        actions,
    }
}

impl Case {
    fn samples(&self) -> Samples<'_> {
        let [log_probs, values, advantages, returns] = &self.numbers;
        Samples {
            observations: &self.observations,
            action_mask: &self.mask,
            actions: &self.actions,
            log_probs,
            values,
            advantages,
            returns,
            successors: &self.successors,
            recurrent: Recurrent::default(),
        }
    }

    fn learners(&self) -> [Box<dyn Learner>; 2] {
        // A policy that is not uniform, so that logits matter.
        let mut tensors = initial(&self.network, self.spaces, 5);
        for tensor in tensors.iter_mut().filter(|tensor| tensor.name.starts_with("actor.")) {
            tensor.data.iter_mut().for_each(|x| *x *= 3.0);
        }
        let native = NativeLearner::new(&self.network, self.spaces);
        let torch = TorchLearner::new(&self.network, self.spaces, Device::Cpu, 1).unwrap();
        let mut both: [Box<dyn Learner>; 2] = [Box::new(native), Box::new(torch)];
        for learner in &mut both {
            learner.load(&tensors, 0).unwrap();
        }
        both
    }
}

fn close(what: &str, a: f64, b: f64) {
    assert!((a - b).abs() < TOLERANCE * (1.0 + b.abs()), "{what}: {a} and {b}");
}

fn same(a: &[Tensor], b: &[Tensor]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!((&a.name, &a.shape), (&b.name, &b.shape));
        a.data.iter().zip(&b.data).for_each(|(x, y)| close(&a.name, (*x).into(), (*y).into()));
    }
}

#[test]
fn both_learners_see_the_same_losses_and_gradients_and_take_the_same_steps() {
    let cluster = Spaces { observation: 30, actions: 6, view: 0 };
    let small = Spaces { observation: 3, actions: 2, view: 0 };
    for (seed, hidden, spaces, n, b, masked) in [
        (1, &[64, 64][..], cluster, 200, 64, false),
        (2, &[64, 64], cluster, 300, 257, true),
        (3, &[5], small, 10, 1, false),
        (4, &[9, 17, 33], cluster, 90, 65, true),
    ] {
        let case = case(seed, hidden, spaces, n, b, masked);
        let [mut native, mut torch] = case.learners();
        let samples = case.samples();
        native.begin(&samples).unwrap();
        torch.begin(&samples).unwrap();
        let few = LossWeights { flow: 0.0, tension: 0.0, value_clip: 0.0, ..WEIGHTS };
        for weights in [WEIGHTS, few, LossWeights { caps_spatial: 0.0, l2: 0.0, ..few }] {
            let noise = if weights.flow > 0.0 || weights.caps_spatial > 0.0 { &case.noise[..] } else { &[] };
            let minibatch = Minibatch {
                rows: &case.rows,
                sequences: &[],
                noise,
                advantage_mean: 0.1,
                advantage_scale: 0.8,
                loss: weights,
            };
            let a = native.loss(&samples, &minibatch).unwrap();
            let b = torch.loss(&samples, &minibatch).unwrap();
            for (what, a, b) in [
                ("loss", a.loss, b.loss),
                ("policy", a.policy, b.policy),
                ("value", a.value, b.value),
                ("entropy", a.entropy, b.entropy),
                ("flow", a.flow, b.flow),
                ("structure", a.structure, b.structure),
                ("tension", a.tension, b.tension),
                ("l2", a.l2, b.l2),
                ("caps_spatial", a.caps_spatial, b.caps_spatial),
                ("caps_temporal", a.caps_temporal, b.caps_temporal),
                ("approx_kl", a.approx_kl, b.approx_kl),
                ("clip_fraction", a.clip_fraction, b.clip_fraction),
                ("gradient_norm", a.gradient_norm, b.gradient_norm),
            ] {
                close(what, a, b);
            }
            same(&native.gradient().unwrap(), &torch.gradient().unwrap());
            native.step(1e-3, 0.5).unwrap();
            torch.step(1e-3, 0.5).unwrap();
        }
        let (mut logits, mut values) =
            ([vec![0.0; n * spaces.actions], vec![0.0; n * spaces.actions]], [vec![0.0; n], vec![0.0; n]]);
        native.act(&case.observations, &mut [], &mut logits[0], &mut values[0]).unwrap();
        torch.act(&case.observations, &mut [], &mut logits[1], &mut values[1]).unwrap();
        logits[0].iter().zip(&logits[1]).for_each(|(a, b)| assert!((a - b).abs() < 1e-4, "{a}, {b}"));
        values[0].iter().zip(&values[1]).for_each(|(a, b)| assert!((a - b).abs() < 1e-4, "{a}, {b}"));
    }
}

/// A run that was trained on tensors, convolution and all, acts the same without them.
#[test]
fn the_native_learner_evaluates_a_convolution_as_torch_does() {
    let spaces = Spaces { observation: 54, actions: 6, view: 7 };
    let mut case = case(9, &[32], spaces, 40, 40, true);
    case.network.conv_channels = 4;
    let [mut native, mut torch] = case.learners();
    let (mut logits, mut values) = ([vec![0.0; 240], vec![0.0; 240]], [vec![0.0; 40], vec![0.0; 40]]);
    native.act(&case.observations, &mut [], &mut logits[0], &mut values[0]).unwrap();
    torch.act(&case.observations, &mut [], &mut logits[1], &mut values[1]).unwrap();
    for (a, b) in logits[0].iter().chain(&values[0]).zip(logits[1].iter().chain(&values[1])) {
        close("output", (*a).into(), (*b).into());
    }
    assert!(logits[0].iter().any(|x| x.abs() > 0.05), "outputs worth comparing");
}
