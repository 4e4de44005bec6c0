//! A step allocates nothing: the batch owns the memory. A program of its own, because its
//! allocator counts.
#![allow(unsafe_code)] // an allocator cannot be written without
#![allow(clippy::unwrap_used)] // helpers of tests

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use rayon::ThreadPoolBuilder;
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv};
use resonetics_envs::k8s::{K8sConfig, K8sEnv};
use resonetics_envs::stream::{Domain, Key};
use resonetics_envs::vector::{Autoreset, VecEnv};

struct Counting;

thread_local! {
    /// Of this thread, so that tests beside do not count.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations in `steps` steps of `lanes` environments, on one thread, where all work is done.
fn allocations<E: ParallelEnv + Clone>(env: &E, lanes: usize, autoreset: Autoreset, steps: usize) -> usize {
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut vector = VecEnv::new(vec![env.clone(); lanes], autoreset).unwrap();
    let mut batch = vector.batch();
    vector.reset(1, &mut batch);
    // A restored environment has room for all that can come, too.
    let saved = vector.save().unwrap();
    vector.restore(&saved, &mut batch).unwrap();
    let mut actions = vec![0; batch.rewards.len()];
    let n = env.action_space().n as u32;
    pool.install(|| {
        let before = ALLOCATIONS.get();
        for step in 0..steps {
            for (row, action) in actions.iter_mut().enumerate() {
                *action = Key::new(2, Domain::Space, row as u64).below(n, step as u32, 0) as usize;
            }
            vector.step(&actions, &mut batch).unwrap();
        }
        ALLOCATIONS.get() - before
    })
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(before)));
    assert!(ALLOCATIONS.get() > before);
}

#[test]
fn clusters_allocate_nothing_in_2000_steps_with_their_resets() {
    for (height, width) in [(4, 4), (9, 11)] {
        for autoreset in [Autoreset::NextStep, Autoreset::SameStep] {
            let env = K8sEnv::new(K8sConfig { height, width, ..K8sConfig::default() });
            assert_eq!(allocations(&env, 200, autoreset, 2000), 0, "{height}x{width}, {autoreset:?}");
        }
    }
}

#[test]
fn a_shield_allocates_nothing() {
    let mut config = K8sConfig::default();
    config.control.enabled = true;
    assert_eq!(allocations(&K8sEnv::new(config), 20, Autoreset::NextStep, 2000), 0);
}

#[test]
fn gardens_allocate_nothing_within_an_episode() {
    // Births, deaths and newcomers; starting an episode makes a new garden and does allocate.
    let config = GardenerConfig {
        init_agents: 2,
        min_population: 2,
        birth_energy: 10.0,
        dirt_growth: 0.05,
        reproduce_threshold: 10.5,
        reproduce_cost: 5.0,
        max_generations: 2000,
        ..GardenerConfig::default()
    };
    assert_eq!(allocations(&GardenerEnv::new(config), 2, Autoreset::Disabled, 1000), 0);
}
