//! What a memory costs: steps a second of whole trainings with and without one at the same widths, in turns, and
//! the median of their ratios. On one thread or more, as `RAYON_NUM_THREADS` says.
//!
//!     memory [SECONDS A TURN [PAIRS]]
#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::time::Instant;

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::Learner;
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::{Network, Spaces};
use resonetics_agents::prophet::trainer::Trainer;
use resonetics_envs::k8s::{K8sConfig, K8sEnv};

const SPACES: Spaces = Spaces { observation: 30, actions: 6, view: 0 };

fn trainer(config: &TrainConfig, memory: usize) -> Trainer<K8sEnv> {
    let network = Network { hidden: vec![64, 64], conv_channels: 0, memory };
    let config = TrainConfig { network, ..config.clone() };
    let mut learner = NativeLearner::new(&config.network, SPACES);
    learner.load(&initial(&config.network, SPACES, 1), 0).expect("its own tensors");
    let env = K8sEnv::new(K8sConfig::default());
    Trainer::new(env, config, 1, 1_000_000_000_000, Box::new(learner)).expect("a rollout that fits")
}

/// Steps a second in so many seconds.
fn rate(trainer: &mut Trainer<K8sEnv>, seconds: f64) -> f64 {
    let (start, before) = (Instant::now(), trainer.steps());
    while start.elapsed().as_secs_f64() < seconds {
        trainer.update().expect("a loss that is a number");
    }
    (trainer.steps() - before) as f64 / start.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> ExitCode {
    let arguments: Result<Vec<f64>, _> = std::env::args().skip(1).map(|word| word.parse()).collect();
    let (seconds, pairs) = match arguments.as_deref() {
        Ok([]) => (2.0, 5.0),
        Ok(&[seconds]) => (seconds, 5.0),
        Ok(&[seconds, pairs]) if pairs >= 1.0 => (seconds, pairs),
        _ => {
            eprintln!("usage: memory [SECONDS A TURN [PAIRS]]");
            return ExitCode::from(2);
        }
    };
    let small = TrainConfig::default();
    let wide = TrainConfig { num_envs: 64, horizon: 128, minibatch: 1024, ..small.clone() };
    for (name, config) in [("16 x 64, minibatch 256", small), ("64 x 128, minibatch 1,024", wide)] {
        for memory in [32, 64] {
            let (mut without, mut with) = (trainer(&config, 0), trainer(&config, memory));
            let (mut rates, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
            // The first pair warms up.
            for turn in 0..=pairs as usize {
                let pair = [rate(&mut without, seconds), rate(&mut with, seconds)];
                if turn > 0 {
                    (0..2).for_each(|i| rates[i].push(pair[i]));
                    ratios.push(pair[1] / pair[0]);
                }
            }
            let [dense, remembering] = rates.map(|mut rates| median(&mut rates));
            println!(
                "{name}, [64, 64]: {dense:.0} steps/s; with a memory of {memory}: {remembering:.0}; ratio {:.3}",
                median(&mut ratios)
            );
        }
    }
    ExitCode::SUCCESS
}
