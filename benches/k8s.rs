//! A step of the cluster: its parts, alone, in a vector, on each CPU path, on larger grids.
#![allow(missing_docs)] // criterion's macros make the functions
#![allow(clippy::expect_used)] // a bench that cannot start has nothing to say

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use resonetics_envs::cpu::{CpuPath, Work};
use resonetics_envs::env::Env;
use resonetics_envs::k8s::{ACTIONS, K8sConfig, K8sEnv, OBSERVATION, Parts};
use resonetics_envs::math::{LANES, Lanes};
use resonetics_envs::stream::{Domain, Key};
use resonetics_envs::vector::{Autoreset, VecEnv};

struct Normals(Key, u32);

impl Work for Normals {
    type Output = (Lanes, Lanes);

    #[inline(always)]
    fn run(self) -> (Lanes, Lanes) {
        self.0.normals(self.1, 0)
    }
}

struct Drift<'a>(&'a mut Parts, &'a Lanes, &'a Lanes);

impl Work for Drift<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        self.0.drift(self.1, self.2)
    }
}

struct Load<'a>(&'a Parts);

impl Work for Load<'_> {
    type Output = Lanes;

    #[inline(always)]
    fn run(self) -> Lanes {
        self.0.load()
    }
}

struct Observe<'a>(&'a Parts, &'a mut [[f32; OBSERVATION]; LANES]);

impl Work for Observe<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.0.observe(self.1);
    }
}

/// Random actions for `steps` steps of `rows` rows, drawn beforehand.
fn actions(rows: usize, steps: usize) -> Vec<Vec<usize>> {
    let key = Key::new(2, Domain::Policy, 0);
    let draw = |step: usize, row: usize| key.below(ACTIONS as u32, step as u32, row as u32) as usize;
    (0..steps).map(|step| (0..rows).map(|row| draw(step, row)).collect()).collect()
}

fn normals(c: &mut Criterion) {
    let mut group = c.benchmark_group("32 normals");
    group.throughput(Throughput::Elements(32));
    for path in CpuPath::available() {
        path.force();
        let mut step = 0;
        group.bench_function(path.to_string(), |b| {
            b.iter(|| {
                step += 1;
                CpuPath::dispatch(Normals(Key::new(1, Domain::Episode, 0), black_box(step)))
            });
        });
    }
    group.finish();
}

/// What a step does beside drawing its noise: adding it, the mean load, the observation.
fn parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("parts of a step of 16 clusters");
    group.throughput(Throughput::Elements(LANES as u64));
    let (cpu, memory): (Lanes, Lanes) = ([0.001; LANES], [-0.001; LANES]);
    let mut clusters = Parts::new();
    let mut observations = [[0.0; OBSERVATION]; LANES];
    for path in CpuPath::available() {
        path.force();
        let id = |part: &str| BenchmarkId::new(part, path);
        group.bench_function(id("drift"), |b| {
            b.iter(|| CpuPath::dispatch(Drift(&mut clusters, black_box(&cpu), black_box(&memory))));
        });
        group.bench_function(id("load"), |b| b.iter(|| CpuPath::dispatch(Load(black_box(&clusters)))));
        group.bench_function(id("observation"), |b| {
            b.iter(|| CpuPath::dispatch(Observe(black_box(&clusters), black_box(&mut observations))));
        });
    }
    group.finish();
}

fn single(c: &mut Criterion) {
    let mut env = K8sEnv::new(K8sConfig::default());
    let mut observation = [0.0; OBSERVATION];
    let actions = actions(1, 1024);
    let mut step = 0;
    c.bench_function("k8s single step", |b| {
        b.iter(|| {
            step = (step + 1) % actions.len();
            let ended = env.step(actions[step][0], &mut observation);
            if ended.is_ok_and(|ended| ended.terminated || ended.truncated) {
                env.reset(None, &mut observation);
            }
        });
    });
}

fn vector(c: &mut Criterion) {
    let mut group = c.benchmark_group("k8s vector step");
    for (side, envs) in [(4, 64), (4, 4096), (16, 256), (64, 16)] {
        for path in CpuPath::available() {
            path.force();
            let config = K8sConfig { height: side, width: side, ..K8sConfig::default() };
            let envs = vec![K8sEnv::new(config); envs];
            let actions = actions(envs.len(), 16);
            group.throughput(Throughput::Elements(envs.len() as u64));
            let id = BenchmarkId::new(format!("{side}x{side} x{}", envs.len()), path);
            let mut envs = VecEnv::new(envs, Autoreset::SameStep).expect("equal environments");
            let mut batch = envs.batch();
            envs.reset(1, &mut batch);
            let mut step = 0;
            group.bench_function(id, |b| {
                b.iter(|| {
                    step = (step + 1) % actions.len();
                    envs.step(&actions[step], &mut batch)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, normals, parts, single, vector);
criterion_main!(benches);
