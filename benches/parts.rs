//! One part of the work, so and so many times: what `callgrind` counts for docs/PERFORMANCE.md.
//!
//!     parts PART COUNT
#![allow(clippy::expect_used, clippy::print_stderr)]

use std::hint::black_box;
use std::process::ExitCode;

use resonetics_envs::cpu::{CpuPath, Work};
use resonetics_envs::k8s::{ACTIONS, K8sConfig, K8sEnv, OBSERVATION};
use resonetics_envs::math::{LANES, Lanes};
use resonetics_envs::stream::{Domain, Key};
use resonetics_envs::vector::{Autoreset, VecEnv};

/// Environments of a vector: so many that their state stays in the first cache.
const ENVS: usize = 64;

#[derive(Clone, Copy)]
enum Part {
    Words,
    Normals,
    Drift,
    Load,
    Observation,
}

struct Repeat<'a> {
    part: Part,
    count: u32,
    env: &'a mut K8sEnv,
}

impl Work for Repeat<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let key = Key::new(1, Domain::Episode, 0);
        let (cpu, memory): (Lanes, Lanes) = ([0.001; LANES], [-0.001; LANES]);
        let mut observation = [0.0; OBSERVATION];
        for step in 0..self.count {
            match self.part {
                Part::Words => _ = black_box(key.lanes(black_box(step), 0)),
                Part::Normals => _ = black_box(key.normals(black_box(step), 0)),
                Part::Drift => _ = black_box(self.env.drift_alone(black_box(&cpu), black_box(&memory))),
                Part::Load => _ = black_box(black_box(&mut *self.env).load_alone()),
                Part::Observation => black_box(&mut *self.env).observe(black_box(&mut observation)),
            }
        }
    }
}

/// Steps of a vector, with actions drawn beforehand.
fn steps(count: u32) {
    let key = Key::new(2, Domain::Policy, 0);
    let actions: Vec<Vec<usize>> = (0..256)
        .map(|step| (0..ENVS as u32).map(|row| key.below(ACTIONS as u32, step, row) as usize).collect())
        .collect();
    let envs = vec![K8sEnv::new(K8sConfig::default()); ENVS];
    let mut envs = VecEnv::new(envs, Autoreset::SameStep).expect("equal environments");
    let mut batch = envs.batch();
    envs.reset(1, &mut batch);
    for step in 0..count / ENVS as u32 {
        envs.step(&actions[step as usize % actions.len()], &mut batch).expect("actions below 6");
    }
    black_box(&batch);
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, count] = &arguments[..] else {
        eprintln!("usage: parts words|normals|drift|load|observation|step COUNT");
        return ExitCode::from(2);
    };
    let count = count.parse().expect("a number of repetitions");
    let mut env = K8sEnv::new(K8sConfig::default());
    let part = match part.as_str() {
        "step" => {
            steps(count);
            return ExitCode::SUCCESS;
        }
        "words" => Part::Words,
        "normals" => Part::Normals,
        "drift" => Part::Drift,
        "load" => Part::Load,
        _ => Part::Observation,
    };
    CpuPath::dispatch(Repeat { part, count, env: &mut env });
    ExitCode::SUCCESS
}
