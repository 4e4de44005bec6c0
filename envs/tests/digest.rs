//! What published seeds mean, frozen: sha256 over the bits of observations, rewards and flags of
//! fixed protocols. Changing a digest changes the meaning of every published seed: CHANGELOG has
//! to say so, and recorded results have to be made again.
//!
//! The digests are our own output; that it is right is what all other tests are for. They hold on
//! every CPU path and any number of threads.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::fmt::Write;
use std::sync::Mutex;

use rayon::ThreadPoolBuilder;
use resonetics_envs::cpu::{CpuPath, Work};
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::{Brains, GardenerConfig, GardenerEnv, RewardConfig, features};
use resonetics_envs::k8s::{K8sConfig, K8sEnv, Schedule};
use resonetics_envs::stream::{Domain, Key};
use resonetics_envs::vector::{Autoreset, VecEnv};
use sha2::{Digest, Sha256};

const SEED: u64 = 1;
/// The CPU path is the process's: one test at a time.
static PATH: Mutex<()> = Mutex::new(());

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// An action that depends on every number of the observation, by arithmetic that is exact.
fn action(observation: &[f32], actions: usize) -> usize {
    let mixed = observation
        .iter()
        .fold(0u32, |mixed, value| (mixed.rotate_left(5) ^ value.to_bits()).wrapping_mul(0x9e37_79b9));
    (mixed >> 8) as usize % actions
}

/// The digest of `steps` steps of `lanes` environments, of whose rows the first `width` numbers are seen.
fn course<E: ParallelEnv + Clone>(
    env: &E,
    width: usize,
    (lanes, steps): (usize, usize),
    threads: usize,
) -> String {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut vector = VecEnv::new(vec![env.clone(); lanes], Autoreset::NextStep).unwrap();
    let mut batch = vector.batch();
    let n = env.action_space().n;
    let mut hash = Sha256::new();
    vector.reset(SEED, &mut batch);
    for _ in 0..=steps {
        let rows = || batch.observations.rows().into_iter().map(|row| &row.to_slice().unwrap()[..width]);
        let values = rows().flatten().chain(&batch.rewards);
        let mut bytes: Vec<u8> = values.flat_map(|value| value.to_bits().to_le_bytes()).collect();
        let ends = batch.terminated.iter().chain(&batch.truncated);
        let flags = ends.chain(&batch.alive).chain(&batch.died).chain(&batch.action_mask);
        bytes.extend(flags.map(|&flag| u8::from(flag)));
        hash.update(&bytes);
        let actions: Vec<usize> = rows().map(|row| action(row, n)).collect();
        pool.install(|| vector.step(&actions, &mut batch)).unwrap();
    }
    hex(hash)
}

/// Runs on every CPU path and on one and two threads, and compares with the frozen digest.
fn frozen(what: &str, digest: &str, run: impl Fn(usize) -> String) {
    let _alone = PATH.lock();
    let before = CpuPath::current();
    let paths = CpuPath::available();
    let found: Vec<(CpuPath, usize, String)> = paths
        .into_iter()
        .flat_map(|path| [1, 2].map(|threads| (path, threads)))
        .map(|(path, threads)| {
            assert!(path.force());
            (path, threads, run(threads))
        })
        .collect();
    before.force();
    for (path, threads, found) in found {
        assert_eq!(found, digest, "{what} on {path} with {threads} threads");
    }
}

fn cluster(what: &str, config: K8sConfig, digest: &str) {
    // 300 lanes: more than one piece for two threads.
    frozen(what, digest, |threads| course(&K8sEnv::new(config.clone()), 30, (300, 600), threads));
}

#[test]
fn k8s_v45() {
    cluster("v4.5", K8sConfig::default(), "39b6c686bed34b7e9a5b9f5d83074d12fd0bdcb93ddf8a747405d02fa91cddba");
}

#[test]
fn k8s_v46_7x4() {
    let config = K8sConfig { height: 7, width: 4, ..K8sConfig::v46() };
    cluster("v4.6 7x4", config, "e17cbc781a897c42c993a2b3feee98ced6b6f2c01be9914d376a7a80a5bc34f5");
}

#[test]
fn k8s_shield() {
    let mut config = K8sConfig::default();
    config.control.enabled = true;
    cluster("shield", config, "4e3f223dc04f99e3a55115192a779d1f980932e2b886d95d49db05a84cb42c68");
}

#[test]
fn k8s_drift_schedules() {
    let digests = [
        (Schedule::Ramp, "13cff83460d0eb87e90c74328beb5d188f3586d2c1b3da2412b53701c49cfed7"),
        (Schedule::Seasonal, "7ee8cfdbcea56de7e2633750e2c04743a25a3e2631c428c312bda5494ea0f7b3"),
        (Schedule::Regime, "c4a08cf43a7289e1e548b2059af4f600e6609ebc52ffeab0d1f905892391e7be"),
        (Schedule::Shocks, "4c5b666318ed203a852d05c2b6321c22a23076c0cfb379e0171e06718222e5c2"),
    ];
    for (schedule, digest) in digests {
        let mut config = K8sConfig::default();
        config.drift.schedule = schedule;
        cluster(&format!("{schedule:?}"), config, digest);
    }
}

#[test]
fn gardener() {
    // With the rewards that it was frozen with, and what gardeners saw then: neither the population nor whether they can breed.
    let seen = 49 + features::POPULATION;
    let reward = RewardConfig {
        energy_weight: 1.0,
        cost_weight: 1.0,
        saving_weight: 0.0,
        clean_weight: 0.0,
        team_weight: 0.1,
        birth_weight: 0.0,
    };
    let env = GardenerEnv::new(GardenerConfig { reward, ..GardenerConfig::default() });
    frozen("gardener", "44ae29a426c6e96bf56eb5a3500a729872e1c925bd27dbd0fc31a822788e161e", |threads| {
        course(&env, seen, (3, 200), threads)
    });
}

#[test]
fn brains() {
    frozen("brains", "1e82cb5e68d8e678f82b2d85268421695155893714f7a241c5a39e6e0e077e59", |_| {
        CpuPath::dispatch(Think)
    });
}

/// Three generations of brains, each thinking twenty times, for each of four views.
struct Think;

impl Work for Think {
    type Output = String;

    #[inline(always)]
    fn run(self) -> String {
        let mut hash = Sha256::new();
        for view in [5, 7, 9, 15] {
            let mut brains = Brains::new(3, view);
            brains.fresh(0, Key::new(SEED, Domain::Brain, 0));
            brains.breed(1, 0, 0.02, Key::new(SEED, Domain::Brain, 1));
            brains.breed(2, 1, 0.02, Key::new(SEED, Domain::Brain, 2));
            for step in 0..20 {
                for slot in 0..3 {
                    let key = Key::new(SEED, Domain::Space, slot as u64);
                    let cells = 0..(view * view) as u32;
                    let seen: Vec<f32> = cells.map(|cell| key.uniform(step, cell)).collect();
                    let logits = brains.forward(slot, &seen);
                    for logit in logits {
                        hash.update(logit.to_bits().to_le_bytes());
                    }
                }
            }
        }
        hex(hash)
    }
}
