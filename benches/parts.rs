//! One part of the work, so and so many times: what `callgrind` counts for docs/PERFORMANCE.md.
//!
//!     parts PART COUNT
#![allow(clippy::expect_used, clippy::print_stderr)]

use std::hint::black_box;
use std::process::ExitCode;

use ndarray::Array2;
use resonetics_agents::{Evolved, GardenerHeuristic, GardenerHeuristicConfig, Observations, Policy};
use resonetics_envs::cpu::{CpuPath, Work};
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv};
use resonetics_envs::k8s::{ACTIONS, K8sConfig, K8sEnv, OBSERVATION, Parts};
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
    clusters: &'a mut Parts,
}

impl Work for Repeat<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let key = Key::new(1, Domain::Episode, 0);
        let (cpu, memory): (Lanes, Lanes) = ([0.001; LANES], [-0.001; LANES]);
        let mut observations = [[0.0; OBSERVATION]; LANES];
        for step in 0..self.count {
            match self.part {
                Part::Words => _ = black_box(key.lanes(black_box(step), 0)),
                Part::Normals => _ = black_box(key.normals(black_box(step), 0)),
                Part::Drift => _ = black_box(self.clusters.drift(black_box(&cpu), black_box(&memory))),
                Part::Load => _ = black_box(black_box(&mut *self.clusters).load()),
                Part::Observation => black_box(&mut *self.clusters).observe(black_box(&mut observations)),
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

/// Generations of one garden with about 20 evolved brains, or with 80 heuristic gardeners.
fn generations(count: u32, evolved: bool) {
    let alive = if evolved { GardenerConfig::default().min_population } else { 80 };
    let init_agents = alive.max(GardenerConfig::default().init_agents);
    let max_population = init_agents.max(GardenerConfig::default().max_population);
    let garden =
        GardenerConfig { min_population: alive, init_agents, max_population, ..GardenerConfig::default() };
    let mut policy: Box<dyn Policy> = if evolved {
        Box::new(Evolved::new(1, &garden))
    } else {
        Box::new(GardenerHeuristic::new(GardenerHeuristicConfig::default(), &garden))
    };
    let mut envs = VecEnv::new(vec![GardenerEnv::new(garden)], Autoreset::Disabled).expect("one garden");
    let mut batch = envs.batch();
    let mut actions = vec![0; max_population];
    let mut state = Array2::zeros((1, 2));
    for generation in 0..count {
        if generation % 300 == 0 {
            envs.reset_lanes(&[Some(u64::from(generation))], &mut batch);
            policy.begin_episode(0, Key::new(generation.into(), Domain::Policy, 0));
        }
        for &event in envs.env(0).events() {
            policy.life(0, event);
        }
        envs.write_states(&mut state);
        policy.act(&Observations::of(&batch, state.view()), &mut actions);
        envs.step(&actions, &mut batch).expect("actions below 6");
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, count] = &arguments[..] else {
        eprintln!(
            "usage: parts words|normals|drift|load|observation|step|generation-evolved|generation-heuristic COUNT"
        );
        return ExitCode::from(2);
    };
    let count = count.parse().expect("a number of repetitions");
    let mut clusters = Parts::new();
    let part = match part.as_str() {
        "step" => {
            steps(count);
            return ExitCode::SUCCESS;
        }
        "generation-evolved" | "generation-heuristic" => {
            generations(count, part == "generation-evolved");
            return ExitCode::SUCCESS;
        }
        "words" => Part::Words,
        "normals" => Part::Normals,
        "drift" => Part::Drift,
        "load" => Part::Load,
        _ => Part::Observation,
    };
    CpuPath::dispatch(Repeat { part, count, clusters: &mut clusters });
    ExitCode::SUCCESS
}
