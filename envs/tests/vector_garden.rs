//! The contract of a vector where agents come and go.
#![allow(clippy::unwrap_used)] // helpers of tests

use resonetics_envs::gardener::{ACTIONS, GardenerConfig, GardenerEnv};
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};

/// Two gardeners that starve in generation 5; the episode ends there or after.
fn starving(max_generations: u32, autoreset: Autoreset) -> (VecEnv<GardenerEnv>, Batch) {
    garden(0.5, max_generations, autoreset)
}

fn garden(birth_energy: f64, max_generations: u32, autoreset: Autoreset) -> (VecEnv<GardenerEnv>, Batch) {
    let config = GardenerConfig {
        grid_size: 8,
        init_agents: 2,
        min_population: 2,
        max_population: 4,
        birth_energy,
        dirt_growth: 0.0,
        max_generations,
        ..GardenerConfig::default()
    };
    let mut vector = VecEnv::new(vec![GardenerEnv::new(config)], autoreset).unwrap();
    let mut batch = vector.batch();
    vector.reset(1, &mut batch);
    (vector, batch)
}

/// Steps until the step in which the first gardeners die: they pay 0.1 a generation.
fn until_death(vector: &mut VecEnv<GardenerEnv>, batch: &mut Batch) {
    for generation in 1..=6 {
        vector.step(&[5; 4], batch).unwrap();
        if batch.died.iter().any(|&died| died) {
            assert!(generation >= 5, "generation {generation}");
            return;
        }
    }
    unreachable!("nobody died");
}

#[test]
fn who_died_is_said_once_and_its_slot_has_a_newcomer() {
    let (mut vector, mut batch) = starving(100, Autoreset::NextStep);
    until_death(&mut vector, &mut batch);
    assert_eq!(batch.died.iter().filter(|&&died| died).count(), 2);
    assert_eq!(batch.alive.iter().filter(|&&alive| alive).count(), 2);
    vector.step(&[5; 4], &mut batch).unwrap();
    assert!(batch.died.iter().all(|&died| !died));
}

/// The generation in which the first gardeners die.
fn generation_of_death() -> u32 {
    let (mut vector, mut batch) = starving(100, Autoreset::NextStep);
    until_death(&mut vector, &mut batch);
    vector.env(0).world().generation()
}

#[test]
fn same_step_says_who_died_in_the_last_step() {
    let (mut vector, mut batch) = starving(generation_of_death(), Autoreset::SameStep);
    until_death(&mut vector, &mut batch);
    assert!(batch.truncated[0]);
    // Reward and deaths are the last step's, what can be seen is the next episode's.
    assert_eq!(batch.died.to_vec(), [true, true, false, false]);
    assert_eq!(batch.alive.to_vec(), [true, true, false, false]);
    assert_eq!(vector.env(0).world().generation(), 0);
    assert!(batch.final_observations.iter().any(|&value| value != 0.0));
    vector.step(&[5; 4], &mut batch).unwrap();
    assert!(batch.died.iter().all(|&died| !died));
}

#[test]
fn a_garden_that_is_over_has_no_more_deaths() {
    let (mut vector, mut batch) = starving(generation_of_death(), Autoreset::Disabled);
    until_death(&mut vector, &mut batch);
    assert!(batch.truncated[0]);
    vector.step(&[5; 4], &mut batch).unwrap();
    assert!(batch.truncated[0] && batch.died.iter().all(|&died| !died));
}

#[test]
fn next_step_resets_without_deaths() {
    let (mut vector, mut batch) = starving(generation_of_death(), Autoreset::NextStep);
    until_death(&mut vector, &mut batch);
    assert!(batch.truncated[0]);
    vector.step(&[5; 4], &mut batch).unwrap();
    assert!(batch.died.iter().all(|&died| !died) && batch.rewards.iter().all(|&reward| reward == 0.0));
    assert_eq!(batch.alive.to_vec(), [true, true, false, false]);
}

#[test]
fn masks_follow_the_gardeners() {
    let (mut vector, mut batch) = garden(1.0, 100, Autoreset::NextStep);
    let mut seen = [0; 3];
    for _ in 0..12 {
        let env = vector.env(0);
        let world = env.world();
        for slot in 0..4 {
            let gardener = world.gardeners().iter().find(|gardener| gardener.slot == slot);
            assert_eq!(batch.alive[slot], gardener.is_some());
            let asked = gardener.is_some_and(|gardener| gardener.energy > 0.6);
            assert_eq!(batch.action_mask.row(slot).to_vec(), [asked; ACTIONS]);
            seen[usize::from(gardener.is_some()) + usize::from(asked)] += 1;
            assert!(gardener.is_some() || batch.observations.row(slot).iter().all(|&value| value == 0.0));
        }
        vector.step(&[5; 4], &mut batch).unwrap();
    }
    assert!(seen.iter().all(|&count| count > 0), "dead, in emergency, asked: {seen:?}");
}
