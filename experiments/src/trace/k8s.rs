//! Traces of the cluster.

use resonetics_agents::Policy;
use resonetics_envs::env::{Env, ParallelEnv};
use resonetics_envs::k8s::{K8sConfig, K8sEnv, K8sState, OBSERVATION, Rules};
use resonetics_runs::Error;
use resonetics_runs::rollout::Rollout;
use resonetics_runs::setup::{Setup, WorldSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::compared::{Compared, Deviations};
use super::given::sets;
use crate::progress::Bar;

/// Tolerance of everything that is a number (RULES.md).
const TOLERANCE: f64 = 1e-5;

#[derive(Serialize, Deserialize)]
pub struct Trace {
    rules: String,
    /// Settings that differ from the rules'.
    config: Map<String, Value>,
    /// Height and width.
    grid: [usize; 2],
    initial: Initial,
    steps: Vec<Step>,
}

#[derive(Serialize, Deserialize)]
struct Initial {
    cpu: Vec<f32>,
    memory: Vec<f32>,
    priority: Vec<f32>,
    agent: [usize; 2],
    budget: f64,
    observation: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct Step {
    action: usize,
    cpu_noise: Vec<f32>,
    memory_noise: Vec<f32>,
    observation: Vec<f32>,
    reward: f64,
    terminated: bool,
    truncated: bool,
    avg_load: f64,
    oom_nodes: u32,
    critical_oom: u32,
    budget: f64,
}

fn environment(rules: &str) -> &'static str {
    if rules == "v4.6" { "k8s-v4.6" } else { "k8s" }
}

/// Replays a trace step by step.
pub fn replay(trace: &Trace) -> Result<Compared, String> {
    let mut settings = vec![format!("height={}", trace.grid[0]), format!("width={}", trace.grid[1])];
    sets(&trace.config, "", &mut settings);
    let setup = super::given::setup(environment(&trace.rules), &settings)?;
    let WorldSettings::K8s(settings) = setup.settings else { return Err("not a cluster".to_owned()) };
    let mut env = K8sEnv::new(settings.env);
    let Initial { cpu, memory, priority, agent, budget, .. } = &trace.initial;
    env.set_state(&K8sState {
        cpu: cpu.clone(),
        memory: memory.clone(),
        priority: priority.clone(),
        agent: *agent,
        budget: *budget,
    })?;
    let nodes = env.config().nodes();
    let mut deviations = Deviations::default();
    let mut observation = [0.0; OBSERVATION];
    env.observe(&mut observation);
    deviations.numbers("observation", TOLERANCE, &observation, &trace.initial.observation);
    for (number, recorded) in trace.steps.iter().enumerate() {
        if recorded.cpu_noise.len() != nodes || recorded.memory_noise.len() != nodes {
            return Err(format!(
                "step {number}: its noise does not have one value for each of the {nodes} nodes"
            ));
        }
        let step = env
            .step_with_noise(recorded.action, &recorded.cpu_noise, &recorded.memory_noise)
            .map_err(|error| format!("step {number}: {error}"))?;
        env.observe(&mut observation);
        let info = Env::info(&env);
        deviations.numbers("observation", TOLERANCE, &observation, &recorded.observation);
        deviations.number("reward", TOLERANCE, step.reward.into(), recorded.reward);
        deviations.number("avg_load", TOLERANCE, info.avg_load.into(), recorded.avg_load);
        deviations.number("budget", TOLERANCE, info.budget, recorded.budget);
        deviations.exact("oom_nodes", &info.oom_nodes, &recorded.oom_nodes);
        deviations.exact("critical_oom", &info.critical_oom, &recorded.critical_oom);
        deviations.exact("terminated", &step.terminated, &recorded.terminated);
        deviations.exact("truncated", &step.truncated, &recorded.truncated);
    }
    Ok(Compared { steps: trace.steps.len(), deviations })
}

/// Records one episode of at most `steps` steps.
pub fn record(
    setup: &Setup,
    config: &K8sConfig,
    policy: Box<dyn Policy>,
    seed: u64,
    steps: u32,
    progress: &Bar,
) -> Result<Trace, Error> {
    let rules = if config.observation_rules == Rules::V46 { "v4.6" } else { "v4.5" };
    let mut rollout = Rollout::new(vec![K8sEnv::new(config.clone())], policy)?;
    rollout.reset(&[seed]);
    let env = rollout.envs.env(0);
    let K8sState { cpu, memory, priority, agent, budget } = env.state();
    let observation = rollout.batch.observations.iter().copied().collect();
    let mut trace = Trace {
        rules: rules.to_owned(),
        config: overrides(setup, rules)?,
        grid: [config.height, config.width],
        initial: Initial { cpu, memory, priority, agent, budget, observation },
        steps: Vec::new(),
    };
    while trace.steps.len() < steps as usize && !(rollout.batch.terminated[0] || rollout.batch.truncated[0]) {
        resonetics_runs::interrupt::check()?;
        progress.inc(1);
        rollout.act();
        let env = rollout.envs.env(0);
        // What the shield lets through is what the rules see.
        let action = env.shielded(rollout.actions[0]);
        let (cpu_noise, memory_noise) = env.next_noise();
        rollout.advance()?;
        let info = ParallelEnv::info(&*rollout.envs.env(0));
        trace.steps.push(Step {
            action,
            cpu_noise,
            memory_noise,
            observation: rollout.batch.observations.iter().copied().collect(),
            reward: rollout.batch.rewards[0].into(),
            terminated: rollout.batch.terminated[0],
            truncated: rollout.batch.truncated[0],
            avg_load: info.avg_load.into(),
            oom_nodes: info.oom_nodes,
            critical_oom: info.critical_oom,
            budget: info.budget,
        });
    }
    Ok(trace)
}

/// The settings that differ from those of the rules; the grid has a field of its own, and neither
/// drift nor shield is part of a recorded transition.
fn overrides(setup: &Setup, rules: &str) -> Result<Map<String, Value>, Error> {
    let base = Setup::preset(environment(rules), "reference")?;
    let base = base.settings_table();
    let left_out = ["height", "width", "observation_rules", "drift", "risk", "flow", "control", "agent"];
    let mut config = Map::new();
    for (key, value) in setup.settings_table() {
        if !left_out.contains(&key.as_str()) && base.get(&key) != Some(&value) {
            let value = serde_json::to_value(value).map_err(|error| Error::Failed(error.to_string()))?;
            config.insert(key, value);
        }
    }
    Ok(config)
}
