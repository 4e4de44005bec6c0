//! The worlds of runs, and their names.

use std::collections::HashMap;

use resonetics_analysis::limits;
use resonetics_analysis::read::doses;

use crate::inputs::Inputs;
use crate::plan::Plan;

/// The environment that the run trains in; empty where that is not known.
pub(super) fn trained_in(inputs: &Inputs, run: usize) -> String {
    let planned = match inputs.plan(run) {
        Some(Ok(Plan::Train(plan))) => Some(plan.env.name.as_str()),
        _ => inputs.setting(run, "env.name"),
    };
    planned.unwrap_or_default().to_owned()
}

/// The worlds in which benchmarks were played, by run: the same name for runs with the same settings.
pub(super) fn named_worlds(inputs: &Inputs) -> HashMap<usize, String> {
    let mut worlds: Vec<(usize, String, String)> = Vec::new();
    // How many settings go by a name, and the first run that has given settings.
    let mut of_name: HashMap<String, usize> = HashMap::new();
    let mut first: HashMap<String, usize> = HashMap::new();
    for run in 0..inputs.runs.len() {
        let Some(env) = inputs.plan(run).and_then(|plan| plan.ok()?.played_in()) else { continue };
        let name = if env.preset == "reference" {
            env.name.clone()
        } else {
            format!("{}, {}", env.name, env.preset)
        };
        // What is equal is written alike, and numbers cannot be hashed.
        let settings = format!("{env:?}");
        if !first.contains_key(&settings) {
            first.insert(settings.clone(), run);
            *of_name.entry(name.clone()).or_default() += 1;
        }
        worlds.push((run, name, settings));
    }
    // Settings that were changed by hand have no name: the first run that has them lends its own.
    let named = worlds.into_iter().map(|(run, name, settings)| {
        let lender = &inputs.runs[first[&settings]].name;
        (run, if of_name[&name] == 1 { name } else { format!("{name} ({lender})") })
    });
    named.collect()
}

/// The worlds in which agents were tried at several doses: those of runs that agree in all of the world but the dose
/// itself. An agent that several runs have is told apart by its run.
pub(super) fn dose_worlds(inputs: &Inputs, all: &[(usize, doses::Doses)]) -> Vec<limits::World> {
    let mut worlds: Vec<(String, limits::World)> = Vec::new();
    for (run, agent) in all {
        let settings = inputs.world_at_doses(*run);
        let place = worlds.iter().position(|(known, _)| *known == settings).unwrap_or_else(|| {
            let setting = |key: &str| inputs.setting(*run, key);
            let name = match (setting("env.name"), setting("env.preset")) {
                (None, _) => inputs.runs[*run].name.clone(),
                (Some(name), None | Some("reference")) => name.to_owned(),
                (Some(name), Some(preset)) => format!("{name}, {preset}"),
            };
            let taken = worlds.iter().any(|(_, world)| world.name == name);
            let name = if taken { format!("{name} ({})", inputs.runs[*run].name) } else { name };
            let dose = setting("dose").map(|key| key.rsplit('.').next().unwrap_or(key).to_owned());
            let life = setting("life").and_then(|life| life.parse().ok());
            worlds.push((settings, limits::World { name, dose, life, agents: Vec::new() }));
            worlds.len() - 1
        });
        let mut agent = agent.clone();
        let agents = &mut worlds[place].1.agents;
        if agents.iter().any(|known| known.agent == agent.agent) {
            agent.agent = format!("{} ({})", agent.agent, inputs.runs[*run].name);
        }
        agents.push(agent);
    }
    worlds.into_iter().map(|(_, world)| world).collect()
}
