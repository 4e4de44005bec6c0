//! The garden's options beyond the rules, its ends and its rewards.
#![allow(clippy::unwrap_used)] // helpers of tests

use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::{
    GardenerConfig, GardenerEnv, Generation, GenerationNoise, LifeEvent, RewardConfig, World, action,
    features,
};
use resonetics_envs::risk::Verdict;
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};

fn small() -> GardenerConfig {
    GardenerConfig {
        grid_size: 6,
        view_size: 5,
        init_agents: 3,
        min_population: 0,
        max_population: 8,
        ..GardenerConfig::default()
    }
}

/// No dirt, no perturbation; damping draws of 1, which every alpha below 1 stops.
fn still(config: &GardenerConfig) -> GenerationNoise {
    GenerationNoise {
        damping: vec![1.0; config.max_population],
        dirt: vec![0.0; config.cells()],
        flow: vec![0.0; config.cells()],
    }
}

/// A garden with `dirt` everywhere and gardeners of these energies on the diagonal.
fn garden(config: &GardenerConfig, dirt: f32, energies: &[f64]) -> World {
    let total = f64::from(dirt) * config.cells() as f64;
    let gardeners = energies.iter().enumerate().map(|(i, &energy)| ([i, i], energy));
    World::with_state(config.clone(), vec![dirt; config.cells()], total, gardeners)
}

fn generation(world: &mut World, act: usize) -> Generation {
    let config = world.config().clone();
    world.begin_generation(|| [0, 0]);
    world.finish_generation(&vec![act; config.max_population], &still(&config))
}

fn forgotten(world: &World) -> Vec<usize> {
    let slot = |event: &LifeEvent| match *event {
        LifeEvent::Forget { slot } => Some(slot),
        LifeEvent::Born { .. } => None,
    };
    world.events().iter().filter_map(slot).collect()
}

#[test]
fn memories_are_never_cleared_in_the_rules() {
    let mut world = garden(&small(), 0.0, &[50.0; 3]);
    for _ in 0..30 {
        generation(&mut world, action::CLEAN);
        assert!(forgotten(&world).is_empty());
    }
}

#[test]
fn memories_are_cleared_at_each_interval_of_a_life() {
    let mut config = small();
    config.memory.reset_interval = 4;
    let mut world = garden(&config, 0.0, &[50.0; 2]);
    let cleared: Vec<usize> = (1..=9)
        .filter(|_| {
            generation(&mut world, action::CLEAN);
            !forgotten(&world).is_empty()
        })
        .collect();
    assert_eq!(cleared, [4, 8]);
}

/// Every generation has a risk of at least 0.9: an emergency ratio cannot change it.
fn doomed() -> GardenerConfig {
    let mut config = small();
    config.risk.w_saturation = 10.0;
    config.risk.smoothing.ema_alpha = 0.5;
    config
}

#[test]
fn memories_are_cleared_once_when_the_verdict_turns_to_collapse() {
    let mut config = doomed();
    config.memory.reset_on_collapse = true;
    let mut world = garden(&config, 0.9, &[50.0; 3]);
    let mut verdicts = Vec::new();
    for _ in 0..6 {
        let row = generation(&mut world, action::WAIT);
        let turned = row.verdict == Verdict::Collapse && verdicts.last() != Some(&Verdict::Collapse);
        assert_eq!(forgotten(&world).len(), if turned { 3 } else { 0 }, "after {verdicts:?}");
        verdicts.push(row.verdict);
    }
    assert_eq!(verdicts.iter().filter(|&&verdict| verdict == Verdict::Collapse).count(), 5, "{verdicts:?}");
}

#[test]
fn saturation_raises_the_risk_of_a_full_garden_alone() {
    let settled = |dirt: f32, weight: f64| {
        let mut config = small();
        config.risk.w_saturation = weight;
        let mut world = garden(&config, dirt, &[]);
        (0..200).map(|_| generation(&mut world, action::WAIT).collapse_risk).last().unwrap()
    };
    // Nothing changes and nobody lives: the rules see three terms, logistic(-1.5) = 0.1824 for
    // change and volatility and logistic(-1) = 0.2689 for emergencies, and so a calm garden.
    let calm = 0.8 * 0.182_425_5 + 0.2 * 0.268_941_4;
    assert!((settled(0.95, 0.0) - calm).abs() < 1e-6, "{}", settled(0.95, 0.0));
    // With the option, logistic(12 * 0.45) = 0.99550 and logistic(-12 * 0.45) = 0.00450 are added.
    assert!((settled(0.95, 0.6) - (calm + 0.6 * 0.995_503_7)).abs() < 1e-6);
    assert!((settled(0.05, 0.6) - (calm + 0.6 * 0.004_496_3)).abs() < 1e-6);
}

#[test]
fn survival_mode_breeds_in_the_rules_and_not_with_stop_breeding() {
    for (stop_breeding, population) in [(false, 2), (true, 1)] {
        let mut config = small();
        config.control.stop_breeding = stop_breeding;
        config.control.damping.survival_on_risk = 0.0;
        // A clean cell: the safe action is to wait, and who waits may breed. The rich one had
        // wanted to move, or to wait itself.
        for wanted in [action::WAIT, 0] {
            let mut world = garden(&config, 0.0, &[90.0]);
            assert_eq!(generation(&mut world, wanted).population, population, "wanted {wanted}");
            assert!(world.restraint().survival);
        }
    }
}

#[test]
fn stop_breeding_stops_what_damping_imposed_and_lets_wishes_breed() {
    let mut config = small();
    config.control.stop_breeding = true;
    // A draw of 1 is above an alpha below 1: a move becomes a wait. A wait stays a wait.
    config.control.damping.min_alpha = 0.5;
    config.control.damping.risk_to_damping = 100.0;
    config.control.damping.survival_on_risk = 2.0;
    for (wanted, population) in [(0, 1), (action::WAIT, 2)] {
        let mut world = garden(&config, 0.0, &[90.0]);
        generation(&mut world, action::CLEAN);
        assert_eq!(generation(&mut world, wanted).population, population, "wanted {wanted}");
        assert!(world.restraint().alpha < 1.0 && !world.restraint().survival);
    }
}

#[test]
fn without_control_nothing_is_replaced() {
    let mut config = small();
    config.control.damping.survival_on_risk = 0.0;
    config.control.enabled = false;
    let mut world = garden(&config, 0.5, &[50.0]);
    generation(&mut world, 1);
    assert_eq!(world.gardeners()[0].cell, [1, 0]);
}

fn environment(config: GardenerConfig) -> (VecEnv<GardenerEnv>, Batch) {
    let mut vector = VecEnv::new(vec![GardenerEnv::new(config)], Autoreset::Disabled).unwrap();
    let mut batch = vector.batch();
    vector.reset(3, &mut batch);
    (vector, batch)
}

#[test]
fn a_garden_is_lost_after_enough_generations_of_dirt_in_a_row() {
    let mut config = small();
    config.init_agents = 0;
    // Nobody cleans: the mean grows by 0.05 a generation and passes 0.5 in the tenth or so.
    config.dirt_growth = 0.1;
    config.lost.dirt_share = 0.5;
    config.lost.generations = 4;
    let (mut vector, mut batch) = environment(config);
    let mut above = 0;
    while !batch.terminated[0] {
        vector.step(&[0; 8], &mut batch).unwrap();
        above += u32::from(vector.env(0).world().mean_dirt() >= 0.5);
        assert_eq!(batch.terminated[0], above == 4, "{above} generations above");
        assert!(!batch.truncated[0]);
    }
}

#[test]
fn a_generation_below_begins_the_count_again() {
    let mut config = small();
    (config.init_agents, config.min_population, config.dirt_growth) = (8, 8, 0.02);
    (config.lost.dirt_share, config.lost.generations) = (0.08, 3);
    config.control.enabled = false;
    let (mut vector, mut batch) = environment(config);
    let (mut above, mut longest, mut interrupted) = (0, 0, 0);
    for generation in 0..400 {
        // All walk along for a while, then all clean.
        let act = if generation % 13 < 8 { [1, 3][generation % 2] } else { action::CLEAN };
        vector.step(&[act; 8], &mut batch).unwrap();
        let is_above = vector.env(0).world().mean_dirt() >= 0.08;
        interrupted += u32::from(above > 0 && above < 3 && !is_above);
        above = if is_above { above + 1 } else { 0 };
        longest = longest.max(above);
        assert_eq!(batch.terminated[0], above >= 3, "generation {generation}");
        if batch.terminated[0] {
            break;
        }
    }
    assert!(interrupted > 0 && longest == 3, "interrupted {interrupted}, longest {longest}");
}

#[test]
fn the_last_generation_truncates() {
    let (mut vector, mut batch) = environment(GardenerConfig { max_generations: 3, ..small() });
    for generation in 1..=3 {
        vector.step(&[5; 8], &mut batch).unwrap();
        assert_eq!((batch.terminated[0], batch.truncated[0]), (false, generation == 3));
    }
}

#[test]
fn rewards_are_what_energy_and_the_team_gained() {
    let mut config = GardenerConfig { dirt_growth: 0.3, reproduce_threshold: 51.0, ..small() };
    config.control.enabled = false;
    config.reward.energy_weight = 2.0;
    config.reward.cost_weight = 1.0;
    config.reward.saving_weight = 0.0;
    config.reward.birth_weight = 3.0;
    config.reward.team_weight = 0.25;
    config.reward.clean_weight = 0.5;
    let cost = config.reproduce_cost;
    let (mut vector, mut batch) = environment(config);
    let mut bred = 0;
    for generation in 0..40 {
        let before = vector.env(0).world().gardeners().to_vec();
        let acts = [[4, 5][generation / 3 % 2], 5, generation % 4, 4, 5, 0, 4, 1];
        vector.step(&acts, &mut batch).unwrap();
        let env = &vector.env(0);
        let team = 0.25 * env.info().removed + 0.5 * (1.0 - env.info().total_entropy / 36.0);
        let mut rewards = [0.0; 8];
        for old in &before {
            let Some(new) = env.world().gardeners().iter().find(|new| new.id == old.id) else { continue };
            // Breeding is an investment, not a loss: what it costs does not count.
            let births = env.events().iter().filter(
                |event| matches!(event, LifeEvent::Born { parent: Some(parent), .. } if *parent == old.slot),
            );
            let births = births.count();
            bred += births;
            let births = births as f64;
            rewards[old.slot] = 2.0 * (new.energy - old.energy + births * cost) + team + 3.0 * births;
        }
        for (slot, expected) in rewards.iter().enumerate() {
            let found = f64::from(batch.rewards[slot]);
            assert!((found - expected).abs() < 1e-5, "slot {slot}: {found}, not {expected}");
        }
    }
    assert!(bred > 0, "nobody bred");
}

/// Gardeners that are rich from the first generation on breed until there are eight; all see how many there are, and
/// that they can breed until then.
#[test]
fn everybody_sees_what_share_of_the_population_there_is_and_whether_it_can_breed() {
    let mut config =
        GardenerConfig { reproduce_threshold: 1.0, reproduce_cost: 1.0, dirt_growth: 0.0, ..small() };
    config.control.enabled = false;
    let (mut vector, mut batch) = environment(config);
    let mut met = Vec::new();
    for _ in 0..4 {
        let there = batch.alive.iter().filter(|alive| **alive).count();
        met.push(there);
        for (row, &alive) in batch.observations.rows().into_iter().zip(&batch.alive) {
            let expected = if alive { there as f32 / 8.0 } else { 0.0 };
            assert_eq!(row[25 + features::POPULATION], expected);
            assert_eq!(row[25 + features::BREEDS], f32::from(alive && there < 8));
        }
        vector.step(&[action::WAIT; 8], &mut batch).unwrap();
    }
    assert_eq!(met, [3, 6, 8, 8]);
}

/// Three with 50 energy in a garden with room: who sees that it can breed breeds by waiting, and nobody else does.
#[test]
fn who_sees_that_it_can_breed_does_by_waiting() {
    for (reproduce_threshold, reproduce_cost, can) in
        [(49.0, 49.0, true), (51.0, 1.0, false), (1.0, 51.0, false), (50.0, 1.0, false), (1.0, 50.0, false)]
    {
        let mut config = GardenerConfig {
            reproduce_threshold,
            reproduce_cost,
            dirt_growth: 0.0,
            living_cost: 0.0,
            ..small()
        };
        config.control.enabled = false;
        let (mut vector, mut batch) = environment(config);
        for (row, &alive) in batch.observations.rows().into_iter().zip(&batch.alive) {
            assert_eq!(row[25 + features::BREEDS], f32::from(alive && can));
        }
        vector.step(&[action::WAIT; 8], &mut batch).unwrap();
        let there = batch.alive.iter().filter(|alive| **alive).count();
        assert_eq!(there, if can { 6 } else { 3 }, "{reproduce_threshold}, {reproduce_cost}");
    }
}

/// Who cleans where nothing is dirty earns nothing and pays 0.1 of its 50 for living.
#[test]
fn what_gardeners_pay_counts_as_much_as_is_said() {
    for (cost_weight, saving_weight, reproduce_threshold, max_population, counts) in [
        (0.0, 0.0, 80.0, 8, 0.0),
        (0.5, 0.0, 80.0, 8, 0.5),
        (1.0, 0.0, 80.0, 8, 1.0),
        (0.25, 0.5, 80.0, 8, 0.75),
        (0.25, 0.5, 49.95, 8, 0.75),
        (0.25, 0.5, 49.85, 8, 0.25),
        // Nobody saves for a child that has no room.
        (0.25, 0.5, 80.0, 4, 0.75),
        (0.25, 0.5, 80.0, 3, 0.25),
    ] {
        let mut config = GardenerConfig { reproduce_threshold, max_population, dirt_growth: 0.0, ..small() };
        config.control.enabled = false;
        config.reward = RewardConfig {
            energy_weight: 2.0,
            cost_weight,
            saving_weight,
            team_weight: 0.0,
            clean_weight: 0.0,
            birth_weight: 0.0,
        };
        let (mut vector, mut batch) = environment(config);
        vector.step(&vec![action::CLEAN; max_population], &mut batch).unwrap();
        for (slot, alive) in batch.alive.iter().enumerate() {
            let expected = if *alive { -0.2 * counts } else { 0.0 };
            let found = f64::from(batch.rewards[slot]);
            assert!((found - expected).abs() < 1e-6, "{cost_weight}, {saving_weight}: {found}");
        }
    }
}

#[test]
fn removed_is_the_dirt_that_cleaning_took() {
    let mut config = small();
    config.control.enabled = false;
    let mut world = garden(&config, 0.8, &[50.0, 40.0]);
    // Two cells lose 0.5 each; each cleaner gets 0.5 * 3 and pays 0.1 for living.
    let row = generation(&mut world, action::CLEAN);
    assert!((row.removed - 1.0).abs() < 1e-6);
    assert!((row.total_entropy - (0.8 * 36.0 - 1.0)).abs() < 1e-4);
    assert!((world.gardeners()[0].energy - 51.4).abs() < 1e-6);
    let (earned, paid) = world.balance(1);
    assert!((earned - 1.5).abs() < 1e-6 && (paid - 0.1).abs() < 1e-6);
}

/// The risk of one generation by hand: 0.15 (0.55 s(3 (gradient / 15 - 0.5)) + 0.25 s(3 (volatility / 8 - 0.5)) +
/// 0.20 s(-1)), with s the logistic function; all cells gain the most dirt and all gardeners are gone.
#[allow(clippy::disallowed_methods)] // to 1e-5
#[test]
fn a_larger_garden_is_judged_as_one_of_the_rules_size_per_cell() {
    let risk = |grid_size: usize, people: usize, per_cell: bool| {
        let mut config =
            GardenerConfig { grid_size, max_population: 10 * people, ..GardenerConfig::default() };
        (config.init_agents, config.min_population) = (0, 0);
        config.risk.per_cell = per_cell;
        let mut world = garden(&config, 0.0, &vec![-1.0; people]);
        world.begin_generation(|| [0, 0]);
        let noise = GenerationNoise { dirt: vec![1.0; config.cells()], ..still(&config) };
        let row = world.finish_generation(&vec![action::WAIT; config.max_population], &noise);
        assert!((row.entropy_gradient - 0.005 * config.cells() as f64).abs() < 1e-3, "{row:?}");
        assert_eq!(row.population_volatility as usize, people);
        row.collapse_risk
    };
    // 18 of dirt and 8 gardeners in the garden of the rules; 72 and 16 in one of four times the cells and
    // twice the gardeners, whose scales are then 60 and 16.
    let s = |x: f64| 1.0 / (1.0 + (-x).exp());
    let by_hand = |dirt: f64, people: f64| {
        0.15 * (0.55 * s(3.0 * (dirt / 15.0 - 0.5)) + 0.25 * s(3.0 * (people / 8.0 - 0.5)) + 0.2 * s(-1.0))
    };
    for (size, people, per_cell, expected) in [
        (60, 8, false, by_hand(18.0, 8.0)),
        (60, 8, true, by_hand(18.0, 8.0)),
        (120, 16, false, by_hand(72.0, 16.0)),
        (120, 16, true, by_hand(18.0, 8.0)),
        (30, 4, true, by_hand(18.0, 8.0)),
        (30, 4, false, by_hand(4.5, 4.0)),
    ] {
        let found = risk(size, people, per_cell);
        assert!((found - expected).abs() < 1e-5, "{size} {people} {per_cell}: {found}, by hand {expected}");
    }
}
