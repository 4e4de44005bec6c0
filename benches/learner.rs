//! The native learner's work on so many minibatches of the cluster's size, and nothing else: for profilers,
//! and for `callgrind`, which counts instructions whatever else the machine does.
//!
//!     learner MINIBATCH COUNT
#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::time::Instant;

use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::{Learner, LossWeights, Minibatch, Recurrent, Samples};
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces};
use resonetics_envs::stream::{Domain, Key};

const SPACES: Spaces = Spaces { observation: 30, actions: 6, view: 0 };
const WEIGHTS: LossWeights = LossWeights {
    clip: 0.2,
    value_clip: 0.0,
    value: 1.0,
    entropy: 0.01,
    flow: 0.0,
    structure: 0.0,
    tension: 0.0,
    eps: 0.01,
    period: 3.0,
    l2: 0.0,
    caps_spatial: 0.0,
    caps_sigma: 0.1,
    caps_temporal: 0.0,
};

fn main() -> ExitCode {
    let arguments: Vec<usize> =
        std::env::args().skip(1).map(|argument| argument.parse().expect("a number")).collect();
    let &[b, count] = &arguments[..] else {
        eprintln!("usage: learner MINIBATCH COUNT");
        return ExitCode::from(2);
    };
    let key = Key::new(1, Domain::Space, 0);
    let n = b.max(8_192);
    let numbers = |tag, count: usize| {
        let key = key.derive(0, tag);
        (0..count).map(|i| key.uniform(0, i as u32) - 0.5).collect::<Vec<f32>>()
    };
    let samples = Samples {
        observations: &numbers(0, n * SPACES.observation),
        action_mask: &[],
        actions: &(0..n).map(|i| key.below(SPACES.actions as u32, 1, i as u32)).collect::<Vec<_>>(),
        log_probs: &numbers(1, n).iter().map(|x| -1.8 + 0.3 * x).collect::<Vec<_>>(),
        values: &numbers(2, n),
        advantages: &numbers(3, n),
        returns: &numbers(4, n),
        successors: &[],
        recurrent: Recurrent::default(),
    };
    let network = Network { hidden: vec![64, 64], conv_channels: 0, memory: 0 };
    let mut learner = NativeLearner::new(&network, SPACES);
    learner.load(&initial(&network, SPACES, 1), 0).expect("its own tensors");
    learner.begin(&samples).expect("the native learner does not fail");
    // Every minibatch other rows, in no order that a prefetcher knows.
    let rows: Vec<u32> = (0..n).map(|i| (i * 5_003 % n) as u32).collect();
    let start = Instant::now();
    let mut loss = 0.0;
    for i in 0..count {
        let from = i * b % (n - b + 1);
        let rows = &rows[from..from + b];
        let minibatch = Minibatch {
            rows,
            sequences: &[],
            noise: &[],
            advantage_mean: 0.0,
            advantage_scale: 3.0,
            loss: WEIGHTS,
        };
        loss = learner.loss(&samples, &minibatch).loss;
        learner.step(3e-4, 0.5);
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = (b * count) as f64 / seconds;
    println!("{{\"minibatch\":{b},\"samples_per_second\":{rate:.0},\"loss\":{loss:.6}}}");
    ExitCode::SUCCESS
}
