//! A generation of the garden, and a thought of one brain, on each CPU path.
#![allow(missing_docs)] // criterion's macros make the functions
#![allow(clippy::expect_used)] // a bench that cannot start has nothing to say

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use resonetics_agents::{Evolved, GardenerHeuristic, GardenerHeuristicConfig, Idle, Observations, Policy};
use resonetics_envs::cpu::{CpuPath, Work};
use resonetics_envs::gardener::{Brains, GardenerConfig, GardenerEnv, action};
use resonetics_envs::stream::{Domain, Key};
use resonetics_envs::vector::{Autoreset, VecEnv};

struct Think<'a>(&'a mut Brains, &'a [f32]);

impl Work for Think<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        self.0.forward(0, self.1)[0]
    }
}

fn brain(c: &mut Criterion) {
    let mut group = c.benchmark_group("brain");
    for path in CpuPath::available() {
        path.force();
        let mut brains = Brains::new(1, 7);
        brains.fresh(0, Key::new(1, Domain::Brain, 0));
        let view: Vec<f32> = (0..49).map(|i| i as f32 / 49.0).collect();
        group.bench_function(path.to_string(), |b| {
            b.iter(|| CpuPath::dispatch(Think(&mut brains, &view)));
        });
    }
    group.finish();
}

/// One generation: policy and world.
fn generation(c: &mut Criterion) {
    let config = GardenerConfig::default();
    let heuristic = GardenerHeuristic::new(GardenerHeuristicConfig::default(), &config);
    let policies: [(&str, Box<dyn Policy>); 3] = [
        ("idle", Box::new(Idle { action: action::WAIT })),
        ("heuristic", Box::new(heuristic)),
        ("evolved", Box::new(Evolved::new(1, &config))),
    ];
    let mut group = c.benchmark_group("garden generation");
    group.throughput(Throughput::Elements(1));
    for (name, mut policy) in policies {
        let mut envs =
            VecEnv::new(vec![GardenerEnv::new(config.clone())], Autoreset::Disabled).expect("one garden");
        let mut batch = envs.batch();
        let mut actions = vec![0; config.max_population];
        let mut state = Array2::zeros((1, 2));
        let mut seed = 0;
        let mut over = true;
        group.bench_function(name, |b| {
            b.iter(|| {
                if over {
                    seed += 1;
                    envs.reset_lanes(&[Some(seed)], &mut batch);
                    policy.begin_episode(0, Key::new(seed, Domain::Policy, 0));
                }
                for &event in envs.env(0).events() {
                    policy.life(0, event);
                }
                envs.write_states(&mut state);
                policy.act(&Observations::of(&batch, state.view()), &mut actions);
                over = envs.step(&actions, &mut batch).is_err() || batch.terminated[0] || batch.truncated[0];
            });
        });
    }
    group.finish();
}

criterion_group!(benches, brain, generation);
criterion_main!(benches);
