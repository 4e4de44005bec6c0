//! What holds for any cluster, any actions and all time.
#![allow(clippy::unwrap_used)] // helpers of tests

use proptest::prelude::*;
use resonetics_envs::env::{Env, Step};
use resonetics_envs::k8s::{ACTIONS, K8sConfig, K8sEnv, OBSERVATION, PRIORITIES, Schedule};

prop_compose! {
    fn config()(
        height in 3usize..12,
        width in 3usize..12,
        v46: bool,
        schedule in prop_oneof![
            Just(Schedule::Constant), Just(Schedule::Ramp), Just(Schedule::Seasonal),
            Just(Schedule::Regime), Just(Schedule::Shocks)
        ],
        mem_drift_mu in -0.02f64..0.1,
        sigma in 0.0f64..0.3,
        initial in 0.0f64..1.0,
        max_budget in 0.1f64..30.0,
        budget_recovery in prop_oneof![Just(0.0), 0.0f64..2.0],
        costs in (0.0f64..2.0, 0.1f64..8.0),
        shield: bool,
    ) -> K8sConfig {
        let base = if v46 { K8sConfig::v46() } else { K8sConfig::default() };
        let mut config = K8sConfig {
            height, width, mem_drift_mu, max_budget, budget_recovery,
            cpu_noise_sigma: sigma, mem_noise_sigma: sigma,
            initial_cpu_max: initial, initial_memory_max: initial,
            clean_cost: costs.0, scale_cost: costs.1,
            ..base
        };
        config.drift.schedule = schedule;
        config.control.enabled = shield;
        config
    }
}

fn actions() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..ACTIONS, 1..120)
}

/// The observations, as bits, and steps of an episode, whatever its flags say.
fn play(env: &mut K8sEnv, seed: Option<u64>, actions: &[usize]) -> (Vec<Vec<u32>>, Vec<Step>) {
    let mut observation = [f32::NAN; OBSERVATION];
    let bits = |observation: &[f32]| observation.iter().map(|value| value.to_bits()).collect();
    env.reset(seed, &mut observation);
    let mut observations = vec![bits(&observation)];
    let steps = actions.iter().map(|&action| {
        let step = env.step(action, &mut observation).unwrap();
        observations.push(bits(&observation));
        step
    });
    let steps = steps.collect();
    (observations, steps)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_stays_within_its_bounds(config in config(), seed: u64, actions in actions()) {
        let mut env = K8sEnv::new(config.clone());
        let mut observation = [f32::NAN; OBSERVATION];
        env.reset(Some(seed), &mut observation);
        let priority = env.state().priority;
        prop_assert!(priority.iter().all(|level| PRIORITIES.contains(level)));
        for &action in &actions {
            prop_assert!(env.observation_space().contains(&observation), "{observation:?}");
            let step = env.step(action, &mut observation).unwrap();
            prop_assert!(step.reward.is_finite());
            let (state, info) = (env.state(), env.info());
            prop_assert!(state.cpu.iter().chain(&state.memory).all(|value| (0.0..=1.0).contains(value)));
            prop_assert!((0.0..=config.max_budget).contains(&state.budget));
            prop_assert!(state.agent[0] < config.height && state.agent[1] < config.width);
            prop_assert_eq!(&state.priority, &priority);
            prop_assert!(info.critical_oom <= info.oom_nodes && info.oom_nodes as usize <= config.nodes());
        }
    }

    #[test]
    fn the_sums_are_those_of_the_nodes_alone(config in config(), seed: u64, actions in actions()) {
        // With these even an empty node is out of memory and critical: lanes beyond the grid must not be.
        let config = K8sConfig { oom_memory: 0.0, critical_priority: 0.0, ..config };
        let mut env = K8sEnv::new(config.clone());
        env.reset(Some(seed), &mut [0.0; OBSERVATION]);
        for &action in &actions {
            env.step(action, &mut [0.0; OBSERVATION]).unwrap();
            let (state, info) = (env.state(), env.info());
            prop_assert_eq!((info.oom_nodes as usize, info.critical_oom as usize), (config.nodes(), config.nodes()));
            let load = state.cpu.iter().chain(&state.memory).map(|&value| f64::from(value)).sum::<f64>();
            let mean = load / (2 * config.nodes()) as f64;
            prop_assert!((f64::from(info.avg_load) - mean).abs() < 1e-6, "{} {mean}", info.avg_load);
        }
    }

    #[test]
    fn a_seed_gives_its_episode_again_and_another_seed_another(
        config in config(), seed: u64, actions in actions()
    ) {
        let mut env = K8sEnv::new(config.clone());
        let first = play(&mut env, Some(seed), &actions);
        let second_episode = play(&mut env, None, &actions);
        prop_assert_eq!(&first, &play(&mut env, Some(seed), &actions));
        prop_assert_eq!(&second_episode, &play(&mut env, None, &actions));
        let fresh = play(&mut K8sEnv::new(config), Some(seed), &actions);
        prop_assert_eq!(&first, &fresh);
        prop_assert_ne!(&first.0, &second_episode.0);
        prop_assert_ne!(&first.0, &play(&mut env, Some(seed ^ 1), &actions).0);
    }

    #[test]
    fn a_step_is_the_rules_with_the_noise_that_was_announced(
        config in config(), seed: u64, actions in actions()
    ) {
        let mut stepped = K8sEnv::new(config);
        let mut observation = [0.0; OBSERVATION];
        stepped.reset(Some(seed), &mut observation);
        let mut replayed = stepped.clone();
        for &action in &actions {
            // The noise comes from the stream, whatever was replayed before; the shield is asked.
            let (cpu, memory) = stepped.next_noise();
            prop_assert_eq!(&(cpu.clone(), memory.clone()), &replayed.next_noise());
            let replay = replayed.step_with_noise(stepped.shielded(action), &cpu, &memory).unwrap();
            prop_assert_eq!(stepped.step(action, &mut observation).unwrap(), replay);
            prop_assert_eq!(stepped.state(), replayed.state());
            prop_assert_eq!(stepped.info(), replayed.info());
        }
    }

    #[test]
    fn the_budget_is_what_was_not_spent(config in config(), seed: u64, actions in actions()) {
        let mut config = config;
        config.control.enabled = false;
        let mut env = K8sEnv::new(config.clone());
        env.reset(Some(seed), &mut [0.0; OBSERVATION]);
        let mut budget = config.max_budget;
        for &action in &actions {
            let state = env.state();
            let hot = (0..config.nodes())
                .filter(|&node| state.cpu[node] > 0.8 || state.memory[node] > 0.8)
                .count();
            let spent = match action {
                4 if budget >= config.clean_cost => config.clean_cost,
                5 => (budget / config.scale_cost).floor().min(hot as f64) * config.scale_cost,
                _ => 0.0,
            };
            budget = (budget - spent + config.budget_recovery).min(config.max_budget);
            env.step(action, &mut [0.0; OBSERVATION]).unwrap();
            prop_assert!((env.info().budget - budget).abs() < 1e-9, "{} {budget}", env.info().budget);
            budget = env.info().budget;
        }
    }

    #[test]
    fn an_action_outside_the_space_changes_nothing(config in config(), seed: u64, action in ACTIONS..99) {
        let mut env = K8sEnv::new(config);
        let mut observation = [0.0; OBSERVATION];
        env.reset(Some(seed), &mut observation);
        let (state, seen) = (env.state(), observation);
        prop_assert_eq!(env.step(action, &mut observation).unwrap_err().action, action);
        prop_assert_eq!((env.state(), observation), (state, seen));
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused() {
    let mut env = K8sEnv::new(K8sConfig { height: 3, width: 5, ..K8sConfig::default() });
    let good = env.state();
    assert_eq!(good.cpu.len(), 15);
    assert!(env.set_state(&good).is_ok());
    let mut bad = vec![good.clone(); 6];
    bad[0].cpu.pop();
    bad[1].memory[3] = f32::NAN;
    bad[2].priority[0] = 1.5;
    bad[3].agent = [3, 0];
    bad[4].agent = [0, 5];
    bad[5].budget = 100.1;
    for state in bad {
        assert!(env.set_state(&state).is_err());
        assert_eq!(env.state(), good, "a refused state leaves no trace");
    }
}

#[test]
fn starts_are_spread_as_the_rules_say() {
    let mut env = K8sEnv::new(K8sConfig::default());
    let (mut cpu, mut memory, mut high, mut agents) = (0.0, 0.0, [0; 3], [0; 16]);
    for seed in 0..2000 {
        env.reset(Some(seed), &mut [0.0; OBSERVATION]);
        let state = env.state();
        assert!(state.cpu.iter().all(|&value| value < 0.3) && state.memory.iter().all(|&value| value < 0.1));
        cpu += state.cpu.iter().map(|&value| f64::from(value)).sum::<f64>();
        memory += state.memory.iter().map(|&value| f64::from(value)).sum::<f64>();
        for level in state.priority {
            high[PRIORITIES.iter().position(|&priority| priority == level).unwrap()] += 1;
        }
        agents[state.agent[0] * 4 + state.agent[1]] += 1;
        assert_eq!(state.budget, 100.0);
    }
    // 32,000 nodes: means within 5 standard deviations, 0.3 / sqrt(12 * 32,000) and a third of it.
    assert!((cpu / 32e3 - 0.15).abs() < 5.0 * 4.9e-4 && (memory / 32e3 - 0.05).abs() < 5.0 * 1.62e-4);
    // Binomial: 10,667 +- 84.4 and 125 +- 10.9.
    assert!(high.iter().all(|count| (10_245..=11_088).contains(count)), "{high:?}");
    assert!(agents.iter().all(|count| (71..=179).contains(count)), "{agents:?}");
}
