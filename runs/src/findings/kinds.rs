//! What the rows of a file of each kind are, with what the config.toml beside it says.

use resonetics_analysis::agents::Benchmark;
use resonetics_analysis::garden::{self, Garden, Rules};
use resonetics_analysis::read::episodes::Recipe;
use resonetics_analysis::read::{Kind, Table, doses, episodes, lifetimes, log};
use resonetics_analysis::report::thousands;
use resonetics_analysis::trainings::Training;
use resonetics_envs::gardener::GardenerConfig;

use super::held::Found;
use super::named::trained_in;
use crate::error::Error;
use crate::inputs::{Input, Inputs, told};
use crate::interrupt;
use crate::plan::Plan;
use crate::setup::WorldSettings;
use crate::trained::{PROPHET, TrainedAgents};
use crate::unfinished;

/// Behind the name of an agent whose actions were drawn: another policy than the same agent's greedy one.
const SAMPLED: &str = ", sampled";

pub(super) fn add(
    found: &mut Found,
    inputs: &mut Inputs,
    kind: Kind,
    table: &mut Table,
    input: &Input,
    (group, world): (String, Option<&String>),
    among: usize,
) -> Result<(), Error> {
    match kind {
        Kind::Garden => garden(found, inputs, table, input, group, among),
        Kind::Episodes => benchmark(found, inputs, table, input, world),
        Kind::Training | Kind::Drift => training(found, inputs, kind, table, input, group, among),
        Kind::Lifetimes => lives(found, inputs, table, input),
        Kind::Doses => doses(found, inputs, table, input),
    }
}

/// Shows that the work goes on, and whether it is to.
fn goes_on(inputs: &Inputs) -> bool {
    inputs.progress.iter().for_each(|progress| progress.tick());
    interrupt::check().is_ok()
}

fn garden(
    found: &mut Found,
    inputs: &mut Inputs,
    table: &mut Table,
    input: &Input,
    group: String,
    among: usize,
) -> Result<(), Error> {
    let Some((rules, assumed)) = found.usable(input, rules(inputs, input))? else { return Ok(()) };
    let told = found.summaries.told(&input.path);
    let garden =
        found.rows(input, Garden::read(table, &input.name, &group, rules, told, &|| goes_on(inputs)))?;
    found.assumed |= assumed.is_some();
    inputs.notes.extend(assumed);
    // The first ones of the first settings have a figure of their own.
    if let Some(mut garden) = garden {
        // One run grows several, each from a seed of its own; what acts in it is another policy from another checkpoint.
        let checkpoint = inputs.setting(input.run, "checkpoints.1.sha256").unwrap_or_default();
        let seed = inputs.seed(input.run).map(|seed| format!("{seed} {checkpoint}"));
        garden.seed = seed.map(|seed| (seed, told::number(&input.path)));
        if let Some(Ok(Plan::Gardener(plan))) = inputs.plan(input.run) {
            garden.recipe = recipe(&plan.checkpoints, &plan.agent);
        }
        let shown = found.settings.len() < garden::DRAWN && found.settings.insert(group);
        found.garden_runs.push(input.run);
        found.gardens.push(if shown { garden } else { garden.bounded(among) });
    }
    Ok(())
}

/// How the trained agent called `name` came about.
fn recipe(trained: &TrainedAgents, name: &str) -> Option<Recipe> {
    let checkpoint = trained.checkpoint(name)?;
    Some(Recipe { name: trained.recipe(name).map(str::to_owned), steps: checkpoint.step })
}

fn benchmark(
    found: &mut Found,
    inputs: &Inputs,
    table: &mut Table,
    input: &Input,
    world: Option<&String>,
) -> Result<(), Error> {
    let Some(plan) = found.usable(input, plan(inputs, input))? else { return Ok(()) };
    let world = world.unwrap_or(&input.name).clone();
    let mut agents = found.rows(input, episodes::read(table, &|| goes_on(inputs)))?;
    let acted = plan.and_then(Plan::trained);
    for played in agents.iter_mut().flatten() {
        // One whose training is not there any more is one of its own.
        let training = played
            .agent
            .strip_prefix(PROPHET)
            .map(|typed| inputs.training(typed, input.run).unwrap_or_else(|| played.agent.clone()));
        played.training = training;
        played.recipe = acted.and_then(|acted| recipe(acted, &played.agent));
        if acted.is_some_and(|acted| acted.is_sampled(&played.agent)) {
            played.agent += SAMPLED;
            played.training.iter_mut().for_each(|training| *training += SAMPLED);
        }
    }
    let benchmark = agents.map(|agents| Benchmark { world, run: input.name.clone(), agents });
    if let (Some(benchmark), Some(plan)) = (&benchmark, plan) {
        let text = unfinished::benchmark(&inputs.runs[input.run], plan, benchmark);
        found.unfinished.extend(text.map(|text| (Kind::Episodes, text)));
    }
    found.benchmarks.extend(benchmark);
    Ok(())
}

fn training(
    found: &mut Found,
    inputs: &Inputs,
    kind: Kind,
    table: &mut Table,
    input: &Input,
    group: String,
    among: usize,
) -> Result<(), Error> {
    let run = &inputs.runs[input.run];
    let plan = inputs.plan(input.run).and_then(Result::ok);
    let trained = if let Some(Plan::Train(plan)) = plan { Some(plan) } else { None };
    let episodes = trained.map(|plan| plan.episodes());
    if let Some(log) = found.rows(input, log::read(table, episodes, &|| goes_on(inputs)))? {
        // The first step of a drift is 0.
        let steps = log.steps as u64 + u64::from(kind == Kind::Drift);
        let asked = || inputs.setting(input.run, "steps")?.parse().ok();
        let planned = match plan {
            Some(plan) => unfinished::planned_steps(plan),
            // A training goes to the last whole update, which is not known.
            None => asked().filter(|_| kind == Kind::Drift),
        };
        let training = Training {
            name: input.name.clone(),
            group,
            world: trained_in(inputs, input.run),
            planned: planned.map(|planned| planned.saturating_sub(u64::from(kind == Kind::Drift)) as f64),
            unfinished: match plan {
                Some(plan) => unfinished::steps(run, plan, steps),
                None => unfinished::unplanned(run, &format!("{} steps are there", thousands(steps as f64))),
            },
            fixed: trained.is_some_and(|plan| plan.is_fixed()),
            seed: inputs.seed(input.run),
            log,
        }
        .bounded(among);
        if kind == Kind::Training { &mut found.trainings } else { &mut found.drifts }.push(training);
    }
    Ok(())
}

fn lives(found: &mut Found, inputs: &Inputs, table: &mut Table, input: &Input) -> Result<(), Error> {
    let Some(plan) = found.usable(input, plan(inputs, input))? else { return Ok(()) };
    let Some(mut worlds) = found.rows(input, lifetimes::read(table, &|| goes_on(inputs)))? else {
        return Ok(());
    };
    if let Some(plan) = plan {
        let text = unfinished::lives(&inputs.runs[input.run], plan, &worlds);
        found.unfinished.extend(text.map(|text| (Kind::Lifetimes, text)));
    }
    for world in &mut worlds {
        if let Some(Plan::Controls(plan)) = plan {
            let of = plan.worlds.iter().find(|of| world.name == format!("{}, {}", of.env.name, of.agent));
            world.recipe = of.and_then(|of| recipe(&plan.checkpoints, &of.agent));
        }
        if !found.named.insert(world.name.clone()) {
            world.name = format!("{} ({})", world.name, input.name);
        }
    }
    found.worlds.extend(worlds);
    Ok(())
}

fn doses(found: &mut Found, inputs: &Inputs, table: &mut Table, input: &Input) -> Result<(), Error> {
    let Some(agents) = found.rows(input, doses::read(table, &|| goes_on(inputs)))? else { return Ok(()) };
    let run = &inputs.runs[input.run];
    let lives: u64 = agents.iter().map(|agent| agent.episodes).sum();
    // How many doses there are to be the command decides as it goes.
    let text = unfinished::unplanned(run, &format!("{} lives are there", thousands(lives as f64)));
    found.unfinished.extend(text.map(|text| (Kind::Doses, text)));
    let acted = inputs.plan(input.run).and_then(Result::ok).and_then(Plan::trained);
    for mut agent in agents {
        let typed = agent.agent.strip_prefix(PROPHET);
        agent.training =
            typed.map(|typed| inputs.training(typed, input.run).unwrap_or_else(|| agent.agent.clone()));
        agent.recipe = acted.and_then(|acted| recipe(acted, &agent.agent));
        if acted.is_some_and(|acted| acted.is_sampled(&agent.agent)) {
            agent.agent += SAMPLED;
            agent.training.iter_mut().for_each(|training| *training += SAMPLED);
        }
        found.doses.push((input.run, agent));
    }
    Ok(())
}

/// The settings of the garden that `input` is the log of; the rules' where no config.toml says more, and
/// then a note that says so.
fn rules(inputs: &Inputs, input: &Input) -> Result<(Rules, Option<String>), Error> {
    let of = |config: &GardenerConfig| Rules {
        cells: config.cells() as u64,
        lost_share: config.lost.dirt_share,
        lost_generations: config.lost.generations.into(),
        collapse_risk: config.risk.smoothing.collapse_th,
        survival_flow: config.control.damping.survival_on_flow,
        risk_sees_dirt: config.risk.w_saturation > 0.0,
    };
    if let Some(Plan::Gardener(plan)) = plan(inputs, input)?
        && let WorldSettings::Gardener(settings) = &plan.env.settings
    {
        return Ok((of(&settings.env), None));
    }
    let mut rules = of(&GardenerConfig::default());
    rules.cells = inputs.cells.unwrap_or(rules.cells);
    let note = format!(
        "{}: no garden config.toml next to it, so {} assumed: {} cells{}, lost at {} for {} generations",
        input.path.display(),
        if inputs.cells.is_some() { "these settings are" } else { "the rules' settings are" },
        rules.cells,
        if inputs.cells.is_some() { " as typed" } else { " (another number: --cells)" },
        rules.lost_share,
        rules.lost_generations
    );
    Ok((rules, Some(note)))
}

/// What the config.toml beside `input` says, if there is one.
fn plan<'a>(inputs: &'a Inputs, input: &Input) -> Result<Option<&'a Plan>, Error> {
    inputs.plan(input.run).transpose().map_err(|problem| unusable(input, problem))
}

pub(super) fn unusable(input: &Input, problem: &str) -> Error {
    Error::Refused(format!("cannot use the config.toml next to {}: {problem}", input.path.display()))
}
