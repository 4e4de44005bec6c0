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
use resonetics_envs::gardener::{Brains, GardenerConfig, GardenerEnv};
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

/// The digest of `steps` steps of `lanes` environments.
fn course<E: ParallelEnv + Clone>(env: &E, lanes: usize, steps: usize, threads: usize) -> String {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut vector = VecEnv::new(vec![env.clone(); lanes], Autoreset::NextStep).unwrap();
    let mut batch = vector.batch();
    let n = env.action_space().n;
    let mut hash = Sha256::new();
    vector.reset(SEED, &mut batch);
    for _ in 0..=steps {
        let values = batch.observations.iter().chain(&batch.rewards);
        let mut bytes: Vec<u8> = values.flat_map(|value| value.to_bits().to_le_bytes()).collect();
        let ends = batch.terminated.iter().chain(&batch.truncated);
        let flags = ends.chain(&batch.alive).chain(&batch.died).chain(&batch.action_mask);
        bytes.extend(flags.map(|&flag| u8::from(flag)));
        hash.update(&bytes);
        let rows = batch.observations.rows().into_iter();
        let actions: Vec<usize> = rows.map(|row| action(row.as_slice().unwrap(), n)).collect();
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
    frozen(what, digest, |threads| course(&K8sEnv::new(config.clone()), 300, 600, threads));
}

#[test]
fn k8s_v45() {
    cluster("v4.5", K8sConfig::default(), "3b12e1a78d72ee1d1555d7fba1a6786b4d85998093f8952877056e62c37ebdda");
}

#[test]
fn k8s_v46_7x4() {
    let config = K8sConfig { height: 7, width: 4, ..K8sConfig::v46() };
    cluster("v4.6 7x4", config, "94c3fbd9985476e2c22d34dc1e3c7d4f73c3a1b87fce205cc51df2103aaed394");
}

#[test]
fn k8s_shield() {
    let mut config = K8sConfig::default();
    config.control.enabled = true;
    cluster("shield", config, "ca45e7713fff9301346642860ecb224bfda2013f821e676905395d7b4e67dcfa");
}

#[test]
fn k8s_drift_schedules() {
    let digests = [
        (Schedule::Ramp, "1b089d3f5268dd9a95fe1c8db9a9d82e22ae343052bb8838a6d5218a53f195d4"),
        (Schedule::Seasonal, "151e531a7ac95a78d6b9aea01f70e16790fab9f4c81753f12aa67e85861dd2ec"),
        (Schedule::Regime, "cab1b0079ef79e963857adf474ff7e745993cc603994d488e8321a57481ed81d"),
        (Schedule::Shocks, "ae10c7681ebf7e9bd8d2f74dcca4342de4bff73f2edaa009bfdcd0c11802cd18"),
    ];
    for (schedule, digest) in digests {
        let mut config = K8sConfig::default();
        config.drift.schedule = schedule;
        cluster(&format!("{schedule:?}"), config, digest);
    }
}

#[test]
fn gardener() {
    let env = GardenerEnv::new(GardenerConfig::default());
    frozen("gardener", "ab2da3ec3e9b7b4fade4566346a8fe239ce6430e37d2bbfc180fc864a35d183c", |threads| {
        course(&env, 3, 200, threads)
    });
}

#[test]
fn brains() {
    frozen("brains", "7ec877fb17ee010a95d83ffc5d0623aebea4d5d2fb8f38822099bcc37e756f40", |_| {
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
