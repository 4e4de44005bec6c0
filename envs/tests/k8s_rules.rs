//! Single steps of the cluster that were computed by hand from RULES section 1, without noise.
#![allow(clippy::unwrap_used)] // helpers of tests

use resonetics_envs::env::{Env, Step};
use resonetics_envs::k8s::{Action, K8sConfig, K8sEnv, K8sState};

const NODES: usize = 16;

/// Every node at cpu 0.3 and memory 0.1 with priority 0.5, the agent at (1, 2): node 6.
fn calm() -> K8sState {
    K8sState {
        cpu: vec![0.3; NODES],
        memory: vec![0.1; NODES],
        priority: vec![0.5; NODES],
        agent: [1, 2],
        budget: 50.0,
    }
}

fn step(config: &K8sConfig, state: &K8sState, action: Action) -> (Step, K8sEnv) {
    let mut env = K8sEnv::new(config.clone());
    env.set_state(state).unwrap();
    let zeros = vec![0.0; config.nodes()];
    let step = env.step_with_noise(action as usize, &zeros, &zeros).unwrap();
    (step, env)
}

fn close(found: f32, expected: f64) {
    assert!((f64::from(found) - expected).abs() < 1e-6, "{found}, not {expected}");
}

#[test]
fn moves_go_around_the_torus_and_cost_only_time() {
    let moves = [
        (Action::Up, [0, 3], [3, 3]),
        (Action::Down, [3, 0], [0, 0]),
        (Action::Left, [2, 0], [2, 3]),
        (Action::Right, [2, 3], [2, 0]),
        (Action::Up, [2, 1], [1, 1]),
        (Action::Down, [1, 1], [2, 1]),
        (Action::Left, [1, 2], [1, 1]),
        (Action::Right, [1, 1], [1, 2]),
    ];
    for (action, from, to) in moves {
        let (step, env) = step(&K8sConfig::default(), &K8sState { agent: from, ..calm() }, action);
        assert_eq!(env.state(), K8sState { agent: to, budget: 50.5, ..calm() });
        close(step.reward, -0.01);
        assert!(!step.terminated && !step.truncated);
    }
}

#[test]
fn clean_pays_and_earns_by_what_it_removed() {
    let mut state = calm();
    (state.cpu[6], state.memory[6], state.priority[6]) = (0.7, 0.4, 1.0);
    let (step, env) = step(&K8sConfig::default(), &state, Action::Clean);
    // Removed 0.5 + 0.4 = 0.9; 0.9 / 1.5 * (1 + 1) = 1.2.
    close(step.reward, 1.2 - 0.01);
    close(env.state().cpu[6], 0.2);
    assert_eq!(env.state().memory[6], 0.0);
    assert_eq!(env.state().budget, 50.0 - 0.5 + 0.5);
    assert_eq!((env.state().cpu[5], env.state().memory[5]), (0.3, 0.1));
}

#[test]
fn clean_earns_no_more_than_its_full_reward() {
    let mut state = calm();
    (state.cpu[6], state.memory[6], state.priority[6]) = (0.9, 0.9, 0.2);
    let config = K8sConfig { clean_full: 1.0, ..K8sConfig::default() };
    // Removed 0.5 + 0.9 = 1.4 > 1: 1 * (1 + 0.2).
    close(step(&config, &state, Action::Clean).0.reward, 1.2 - 0.01);
}

#[test]
fn clean_of_little_is_penalised_though_paid() {
    let mut state = calm();
    (state.cpu[6], state.memory[6]) = (0.1, 0.05);
    let (step, env) = step(&K8sConfig::default(), &state, Action::Clean);
    close(step.reward, -0.1 - 0.01);
    assert_eq!((env.state().cpu[6], env.state().memory[6], env.state().budget), (0.0, 0.0, 50.0));
}

#[test]
fn clean_without_budget_changes_nothing() {
    let (step, env) = step(&K8sConfig::default(), &K8sState { budget: 0.4, ..calm() }, Action::Clean);
    close(step.reward, -0.2 - 0.01);
    assert_eq!(env.state(), K8sState { budget: 0.4 + 0.5, ..calm() });
}

/// Nodes 3, 7 and 12 are hotspots: by cpu, by memory, by both and thus the worst.
fn hot(budget: f64) -> K8sState {
    let mut state = K8sState { budget, ..calm() };
    (state.cpu[3], state.memory[3]) = (0.9, 0.1);
    (state.cpu[7], state.memory[7]) = (0.2, 0.85);
    (state.cpu[12], state.memory[12]) = (0.95, 0.9);
    state
}

#[test]
fn scale_relieves_all_that_the_budget_affords() {
    let (step, env) = step(&K8sConfig::default(), &hot(50.0), Action::Scale);
    close(step.reward, 0.8 - 0.01);
    let state = env.state();
    for (node, cpu, memory) in [(3, 0.6, 0.0), (7, 0.0, 0.55), (12, 0.65, 0.6), (6, 0.3, 0.1)] {
        close(state.cpu[node], cpu);
        close(state.memory[node], memory);
    }
    assert_eq!(state.budget, 50.0 - 15.0 + 0.5);
}

#[test]
fn scale_of_a_part_takes_the_worst_by_cpu_and_memory() {
    let (step, env) = step(&K8sConfig::default(), &hot(14.9), Action::Scale);
    // floor(14.9 / 5) = 2 of 3: node 12 (1.85), then node 7 (1.05) before node 3 (1.0).
    close(step.reward, 0.8 * 2.0 / 3.0 - 0.01);
    let state = env.state();
    for (node, cpu, memory) in [(3, 0.9, 0.1), (7, 0.0, 0.55), (12, 0.65, 0.6)] {
        close(state.cpu[node], cpu);
        close(state.memory[node], memory);
    }
    close(state.budget as f32, 14.9 - 10.0 + 0.5);
}

#[test]
fn scale_takes_no_more_than_it_pays_for_among_equals() {
    let mut state = K8sState { budget: 10.0, ..calm() };
    for node in [2, 5, 9, 14] {
        state.cpu[node] = 0.9;
    }
    let (step, env) = step(&K8sConfig::default(), &state, Action::Scale);
    close(step.reward, 0.8 * 2.0 / 4.0 - 0.01);
    let relieved: Vec<usize> = (0..NODES).filter(|&node| env.state().cpu[node] != state.cpu[node]).collect();
    assert_eq!(relieved, [2, 5]);
}

#[test]
fn scale_of_nothing_and_without_budget_is_penalised() {
    let (none, env) = step(&K8sConfig::default(), &calm(), Action::Scale);
    close(none.reward, -0.2 - 0.01);
    assert_eq!(env.state(), K8sState { budget: 50.5, ..calm() });
    let (poor, env) = step(&K8sConfig::default(), &hot(4.9), Action::Scale);
    close(poor.reward, -0.5 - 0.01);
    assert_eq!(env.state(), hot(4.9 + 0.5));
}

#[test]
fn a_hotspot_is_above_the_threshold_not_at_it() {
    let mut state = calm();
    state.cpu[0] = 0.8;
    close(step(&K8sConfig::default(), &state, Action::Scale).0.reward, -0.2 - 0.01);
}

#[test]
fn scaling_never_takes_the_budget_below_zero() {
    // In floating point floor(budget / cost) * cost can be above the budget.
    let config = |cost: f64| K8sConfig { scale_cost: cost, budget_recovery: 0.0, ..K8sConfig::default() };
    let mut overdrawn = 0;
    for i in 0..20_000 {
        let cost = 0.25 + f64::from(i) * 1e-4;
        let budget = (3.0 * cost).next_down();
        overdrawn += u32::from((budget / cost).floor() * cost > budget);
        let (_, env) = step(&config(cost), &hot(budget), Action::Scale);
        assert!(env.state().budget >= 0.0, "cost {cost}: {}", env.state().budget);
    }
    assert!(overdrawn > 0, "no case of what this looks for");
}

#[test]
fn noise_is_added_after_the_action_and_cut_to_the_range() {
    let mut env = K8sEnv::new(K8sConfig::default());
    let mut state = calm();
    (state.cpu[6], state.memory[6]) = (0.4, 0.3);
    env.set_state(&state).unwrap();
    let (mut cpu, mut memory) = (vec![0.0; NODES], vec![0.0; NODES]);
    (cpu[6], memory[6]) = (0.05, 0.02);
    (cpu[0], memory[0]) = (-0.9, -0.2);
    (cpu[1], memory[1]) = (0.9, 0.01);
    env.step_with_noise(Action::Clean as usize, &cpu, &memory).unwrap();
    let after = env.state();
    for (node, cpu, memory) in [(6, 0.05, 0.02), (0, 0.0, 0.0), (1, 1.0, 0.11), (2, 0.3, 0.1)] {
        close(after.cpu[node], cpu);
        close(after.memory[node], memory);
    }
}

/// Nodes 0.. out of memory with these priorities.
fn out_of_memory(priorities: &[f32]) -> K8sState {
    let mut state = calm();
    for (node, &priority) in priorities.iter().enumerate() {
        (state.memory[node], state.priority[node]) = (0.99, priority);
    }
    state
}

#[test]
fn nodes_out_of_memory_are_penalised_the_critical_more() {
    let (step, env) = step(&K8sConfig::default(), &out_of_memory(&[0.5, 1.0, 1.0]), Action::Up);
    close(step.reward, -0.01 - 3.0 * 2.0 - 2.0 * 3.0);
    assert_eq!((env.info().oom_nodes, env.info().critical_oom), (3, 2));
    assert!(step.terminated && !step.truncated);
}

#[test]
fn any_node_out_of_memory_ends_v45_and_just_below_does_not() {
    let end = |state: &K8sState| step(&K8sConfig::default(), state, Action::Up).0.terminated;
    assert!(end(&out_of_memory(&[0.2])));
    let mut state = calm();
    state.memory[0] = 0.9899;
    assert!(!end(&state));
}

#[test]
fn v46_ends_by_two_nodes_or_a_critical_one() {
    let end = |config: &K8sConfig, priorities: &[f32]| {
        step(config, &out_of_memory(priorities), Action::Up).0.terminated
    };
    let rules = K8sConfig::v46();
    assert!(!end(&rules, &[0.5]));
    assert!(end(&rules, &[0.5, 0.2]));
    assert!(end(&rules, &[1.0]));
    let lenient = K8sConfig { critical_oom_terminate: false, ..K8sConfig::v46() };
    assert!(!end(&lenient, &[1.0]));
    let strict = K8sConfig { terminate_on_any_oom: true, ..K8sConfig::v46() };
    assert!(end(&strict, &[0.5]));
    // Any node ends it, or else the two other rules count: with the first they are not asked.
    let three = K8sConfig { oom_terminate_threshold: 3, ..K8sConfig::v46() };
    assert!(!end(&three, &[0.5, 0.2]));
}

#[test]
fn average_load_above_its_threshold_ends_it() {
    let at = |config: &K8sConfig, load: f32| {
        let state = K8sState { cpu: vec![load; NODES], memory: vec![load; NODES], ..calm() };
        let (step, env) = step(config, &state, Action::Up);
        close(env.info().avg_load, f64::from(load));
        step.terminated
    };
    assert!(!at(&K8sConfig::default(), 0.84) && at(&K8sConfig::default(), 0.86));
    assert!(!at(&K8sConfig::v46(), 0.89) && at(&K8sConfig::v46(), 0.91));
}

#[test]
fn v46_rewards_a_falling_load() {
    let mut state = calm();
    (state.cpu[6], state.memory[6]) = (0.7, 0.4);
    let (cleaned, env) = step(&K8sConfig::v46(), &state, Action::Clean);
    // 0.9 / 1.5 * 1.5 for the clean; the load of 32 values fell by 0.9 / 32, weighted by 0.5.
    close(cleaned.reward, 0.9 - 0.01 + 0.5 * 0.9 / 32.0);
    close(env.info().avg_load, (15.0 * 0.4 + 0.2) / 32.0);
    let mut env = K8sEnv::new(K8sConfig::v46());
    env.set_state(&calm()).unwrap();
    let grown = env.step_with_noise(0, &[0.0; NODES], &[0.02; NODES]).unwrap();
    close(grown.reward, -0.01 - 0.5 * 0.01);
}

#[test]
fn budget_recovers_up_to_its_maximum() {
    let budget = |from: f64| step(&K8sConfig::default(), &K8sState { budget: from, ..calm() }, Action::Up).1;
    assert_eq!(budget(10.0).info().budget, 10.5);
    assert_eq!(budget(99.8).info().budget, 100.0);
}

#[test]
fn the_last_step_truncates() {
    let config = K8sConfig { max_steps: 2, ..K8sConfig::default() };
    let mut env = K8sEnv::new(config);
    env.set_state(&calm()).unwrap();
    let zeros = [0.0; NODES];
    assert!(!env.step_with_noise(0, &zeros, &zeros).unwrap().truncated);
    let last = env.step_with_noise(0, &zeros, &zeros).unwrap();
    assert!(last.truncated && !last.terminated);
}

#[test]
fn the_observation_is_the_neighbourhood_the_place_and_the_budget() {
    let number = |scale: f32| (0..NODES).map(|node| node as f32 * scale).collect::<Vec<_>>();
    let state = K8sState {
        cpu: number(0.01),
        memory: number(0.001),
        priority: number(0.0001),
        agent: [0, 3],
        budget: 25.0,
    };
    // Around row 0, column 3, row by row: rows 3, 0, 1 and columns 2, 3, 0.
    let around = [14.0, 15.0, 12.0, 2.0, 3.0, 0.0, 6.0, 7.0, 4.0];
    for (config, row, col) in [(K8sConfig::default(), 0.0, 0.75), (K8sConfig::v46(), 0.0, 1.0)] {
        let mut env = K8sEnv::new(config);
        env.set_state(&state).unwrap();
        let mut observation = [9.0; 30];
        env.observe(&mut observation);
        for (k, node) in around.iter().enumerate() {
            close(observation[3 * k], node * 0.01);
            close(observation[3 * k + 1], node * 0.001);
            close(observation[3 * k + 2], node * 0.0001);
        }
        assert_eq!(observation[27..], [row, col, 0.25]);
    }
}

/// RULES section 1.2. Survival mode from a risk of 0 on replaces every action; `wasted_only` knows none.
#[test]
fn a_control_of_wasted_actions_replaces_nothing_else() {
    let mut config = K8sConfig::default();
    config.control.enabled = true;
    config.control.damping.survival_on_risk = 0.0;
    let shielded = |config: &K8sConfig, state: &K8sState, action: Action| {
        let mut env = K8sEnv::new(config.clone());
        env.set_state(state).unwrap();
        env.shielded(action as usize)
    };
    let [mut bare, mut hot, mut poor] = [calm(), calm(), calm()];
    (bare.cpu[6], bare.memory[6]) = (0.05, 0.1);
    hot.memory[0] = 0.9;
    // Enough for a clean, too little for a scale; and for nothing.
    (poor.memory[0], poor.budget) = (0.9, 4.0);
    let broke = K8sState { budget: 0.4, ..calm() };
    assert_eq!(shielded(&config, &calm(), Action::Left), Action::Clean as usize);
    config.control.wasted_only = true;
    for action in [Action::Up, Action::Down, Action::Left, Action::Right] {
        assert_eq!(shielded(&config, &poor, action), action as usize);
    }
    let cases = [
        // 0.3 + 0.1 is at least `clean_worth`, 0.05 + 0.1 is not; all neighbours are alike, and the first is up.
        (calm(), Action::Clean, Action::Clean),
        (bare, Action::Clean, Action::Up),
        (broke, Action::Clean, Action::Up),
        (calm(), Action::Scale, Action::Clean),
        (hot, Action::Scale, Action::Scale),
        (poor, Action::Scale, Action::Clean),
    ];
    for (place, (state, action, expected)) in cases.into_iter().enumerate() {
        assert_eq!(shielded(&config, &state, action), expected as usize, "{place}");
    }
}
