//! What inputs hold, kind by kind, and the report about it: for `analyze`, `report` and the page of `serve`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use resonetics_analysis::agents::{self, Benchmark};
use resonetics_analysis::chart::ChartError;
use resonetics_analysis::evaluations::{self, Evaluation};
use resonetics_analysis::garden::{self, Garden, Rules};
use resonetics_analysis::limits;
use resonetics_analysis::lives;
use resonetics_analysis::read::episodes::Recipe;
use resonetics_analysis::read::{GoOn, Kind, ReadError, Table, doses, episodes, lifetimes, log};
use resonetics_analysis::report::{Part, Report, some_of, thousands};
use resonetics_analysis::trainings::{self, Training};
use resonetics_envs::gardener::GardenerConfig;

use crate::error::{self, Error};
use crate::inputs::told::{self, Summaries};
use crate::inputs::{Input, Inputs, REFUSED, first_of, opened};
use crate::interrupt;
use crate::plan::Plan;
use crate::setup::WorldSettings;
use crate::trained::{PROPHET, TrainedAgents};
use crate::unfinished;

/// Behind the name of an agent whose actions were drawn: another policy than the same agent's greedy one.
const SAMPLED: &str = ", sampled";

/// What the files hold, kind by kind.
#[derive(Default)]
struct Found {
    gardens: Vec<Garden>,
    summaries: Summaries,
    /// The run of each of `gardens`.
    garden_runs: Vec<usize>,
    benchmarks: Vec<Benchmark>,
    trainings: Vec<Training>,
    drifts: Vec<Training>,
    worlds: Vec<lifetimes::World>,
    /// Agents at several doses, each with its run.
    doses: Vec<(usize, doses::Doses)>,
    /// Groups of which a garden was read.
    settings: HashSet<String>,
    /// Names of `worlds` as their files have them.
    named: HashSet<String>,
    evaluations: Vec<(String, Evaluation)>,
    /// What there is to say of runs that are not whole, beside the answer about their kind.
    unfinished: Vec<(Kind, String)>,
    /// Runs with a file that holds no row.
    empty: BTreeSet<usize>,
    /// What the files were that were left out, and why.
    left_out: Vec<Error>,
    /// What is noted of them.
    left_out_notes: Vec<String>,
    /// Whether there is a garden without a config.toml.
    assumed: bool,
}

impl Found {
    /// What was read of `input`; none where it is left out. A file without rows may have been typed with
    /// others, `*` does; another that was typed must not be left out.
    fn rows<T>(&mut self, input: &Input, read: Result<T, ReadError>) -> Result<Option<T>, Error> {
        match read {
            Ok(rows) => Ok(Some(rows)),
            Err(problem @ ReadError::Empty { .. }) => {
                self.empty.insert(input.run);
                self.left_out_notes.push(format!("left out: {problem}"));
                self.left_out.push(refused(problem));
                Ok(None)
            }
            Err(problem) => self.usable(input, Err(refused(problem))),
        }
    }

    /// As [`Found::rows`] for what was made of a file.
    fn usable<T>(&mut self, input: &Input, made: Result<T, Error>) -> Result<Option<T>, Error> {
        match made {
            Ok(made) => Ok(Some(made)),
            Err(failure) if input.typed || matches!(failure, Error::Interrupted(_)) => Err(failure),
            Err(failure) => {
                self.left_out_notes.push(format!("{REFUSED}{failure}"));
                self.left_out.push(failure);
                Ok(None)
            }
        }
    }

    /// `part` with what there is to say of runs of its kind that are not whole.
    fn with_unfinished(&self, kind: Kind, mut part: Part) -> Part {
        let of_kind = self.unfinished.iter().filter(|(of, _)| *of == kind);
        part.answer += &some_of(&of_kind.map(|(_, text)| text.clone()).collect::<Vec<_>>());
        part
    }
}

/// What is found in `inputs`; `made_by` is the command line that makes this report again.
///
/// # Errors
/// [`Error::Refused`] for a file that was typed and cannot be read, with its place, and if none can; that a
/// figure cannot be drawn; an interrupt.
pub fn report(mut inputs: Inputs, baseline: Option<&str>, made_by: &str) -> Result<Report, Error> {
    let found = found(&mut inputs)?;
    if let Some(cells) = inputs.cells.filter(|_| !found.assumed) {
        return Err(Error::Refused(format!(
            "`--cells {cells}`: there is no garden without a config.toml among the files"
        )));
    }
    let mut report = Report { title: title(&inputs), ..Report::default() };
    let drawn = |error: ChartError| Error::Failed(error.to_string());
    let progress = inputs.progress.take();
    let go_on = || {
        if let Some(progress) = &progress {
            progress.tick();
        }
        interrupt::check().is_ok()
    };
    let named = baseline.map(|name| trainings::baseline(&found.trainings, name));
    if !found.benchmarks.is_empty() {
        let worlds = worlds(&found, baseline, named.as_ref(), &go_on)?;
        let part = agents::part(&worlds).map_err(drawn)?;
        report.parts.push(found.with_unfinished(Kind::Episodes, part));
    } else if let (Some(baseline), Some(Err(problem))) = (baseline, named) {
        return Err(Error::Refused(if found.trainings.is_empty() {
            format!("`--baseline {baseline}`: there is no benchmark and no training among the files")
        } else {
            problem
        }));
    }
    interrupt::check()?;
    if !found.trainings.is_empty() {
        let mut parts = trainings::parts(&found.trainings, baseline).map_err(drawn)?.into_iter();
        report.parts.extend(parts.next().map(|first| found.with_unfinished(Kind::Training, first)));
        report.parts.extend(parts);
    }
    if !found.evaluations.is_empty() {
        report.parts.push(evaluations::part(&found.evaluations).map_err(drawn)?);
    }
    interrupt::check()?;
    if !found.gardens.is_empty() {
        let part = garden::part(&found.gardens).map_err(drawn)?;
        report.parts.push(found.with_unfinished(Kind::Garden, part));
    }
    if !found.worlds.is_empty() {
        let part = lives::part(&found.worlds).map_err(drawn)?;
        report.parts.push(found.with_unfinished(Kind::Lifetimes, part));
    }
    if !found.doses.is_empty() {
        let part = limits::part(&dose_worlds(&inputs, &found.doses), &go_on).map_err(drawn)?;
        interrupt::check()?;
        report.parts.push(found.with_unfinished(Kind::Doses, part));
    }
    if !found.drifts.is_empty() {
        let part = trainings::drift_part(&found.drifts).map_err(drawn)?;
        report.parts.push(found.with_unfinished(Kind::Drift, part));
    }
    report.differences = inputs.differences();
    made_by.clone_into(&mut report.made_by);
    env!("CARGO_PKG_VERSION").clone_into(&mut report.version);
    report.runs = inputs.runs;
    report.notes = inputs.notes;
    Ok(report)
}

/// The worlds of the benchmarks. Where the baseline is a training, `named`, agents are compared with their first.
fn worlds(
    found: &Found,
    baseline: Option<&str>,
    named: Option<&Result<(), String>>,
    go_on: GoOn<'_>,
) -> Result<Vec<agents::World>, Error> {
    let worlds = agents::worlds(&found.benchmarks, baseline, go_on);
    interrupt::check()?;
    let worlds = match (worlds, named) {
        (Err(_), Some(Ok(()))) => agents::worlds(&found.benchmarks, None, go_on),
        (Err(problem), Some(Err(others))) if !found.trainings.is_empty() => {
            Err(format!("{problem}; {others}"))
        }
        (worlds, _) => worlds,
    };
    interrupt::check()?;
    worlds.map_err(Error::Refused)
}

/// What cannot be read is left out and noted; there is an error if that is all.
fn found(inputs: &mut Inputs) -> Result<Found, Error> {
    let (mut found, mut tables) = (Found::default(), Vec::new());
    let broken = broken(inputs);
    let tick = |inputs: &Inputs| inputs.progress.iter().for_each(|progress| progress.inc(1));
    for input in &inputs.files {
        interrupt::check()?;
        let config = broken.get(&input.run).map_or(Ok(()), |problem| Err(unusable(input, problem)));
        if found.usable(input, config)?.is_none() {
            tick(inputs);
        } else if input.path.extension().is_some_and(|extension| extension == "json") {
            if let Some(mut evaluation) = found.rows(input, Evaluation::read(&input.path))? {
                evaluation.training = inputs.training(&evaluation.run, input.run);
                found.evaluations.push((input.name.clone(), evaluation));
            }
            tick(inputs);
        } else if let Some((kind, mut table)) = found.rows(input, opened(&input.path))? {
            // One without rows names no group. Closed again: a sweep may have more files than may be open.
            let has_rows = !matches!(table.row(), Ok(None));
            tables.push((kind, input.clone(), has_rows));
        } else {
            tick(inputs);
        }
    }
    let mut counts: HashMap<Kind, usize> = HashMap::new();
    for (kind, ..) in &tables {
        *counts.entry(*kind).or_default() += 1;
    }
    let (groups, worlds) = (grouped(inputs, &tables), named_worlds(inputs));
    for (kind, input, _) in tables {
        interrupt::check()?;
        if let Some((_, mut table)) = found.rows(&input, opened(&input.path))? {
            let group =
                groups.get(&kind).and_then(|groups| groups.get(&input.run)).unwrap_or(&input.name).clone();
            let world = worlds.get(&input.run);
            add(&mut found, inputs, kind, &mut table, &input, (group, world), counts[&kind])?;
            inputs.notes.extend_from_slice(table.notes());
        }
        tick(inputs);
    }
    if found.left_out.len() == inputs.files.len() {
        let told = found.empty.iter().filter_map(|&run| unfinished::rowless(&inputs.runs[run])).collect();
        return Err(nothing_readable(found.left_out, told));
    }
    gardens_unfinished(&mut found, inputs);
    empty_unfinished(&mut found, inputs);
    let of_trainings = found.trainings.iter().chain(&found.drifts).filter_map(|run| run.unfinished.clone());
    inputs.notes.extend(found.unfinished.iter().map(|(_, text)| text.clone()).chain(of_trainings));
    inputs.notes.append(&mut found.left_out_notes);
    Ok(found)
}

/// The groups of the runs of `tables` among those of their part of the report, by run.
fn grouped(inputs: &Inputs, tables: &[(Kind, Input, bool)]) -> HashMap<Kind, BTreeMap<usize, String>> {
    // Each world has a part of its own: what differs between worlds tells nothing within one.
    let mut of_part: HashMap<(Kind, String), Vec<usize>> = HashMap::new();
    for (kind, input, _) in tables.iter().filter(|(.., has_rows)| *has_rows) {
        let world = if *kind == Kind::Training { trained_in(inputs, input.run) } else { String::new() };
        of_part.entry((*kind, world)).or_default().push(input.run);
    }
    let mut of_kind: HashMap<Kind, BTreeMap<usize, String>> = HashMap::new();
    for ((kind, _), among) in of_part {
        of_kind.entry(kind).or_default().extend(inputs.groups(&among));
    }
    of_kind
}

/// The environment that the run trains in; empty where that is not known.
fn trained_in(inputs: &Inputs, run: usize) -> String {
    let planned = match inputs.plan(run) {
        Some(Ok(Plan::Train(plan))) => Some(plan.env.name.as_str()),
        _ => inputs.setting(run, "env.name"),
    };
    planned.unwrap_or_default().to_owned()
}

/// Why the config.toml of a run is no TOML, by run.
fn broken(inputs: &Inputs) -> HashMap<usize, String> {
    let problem = |run: usize| {
        // One that plans nothing may be another command's, or no TOML at all.
        inputs.plan(run)?.err()?;
        let problem = inputs.runs[run].config.parse::<toml::Table>().err()?;
        Some((run, problem.to_string().trim_end().to_owned()))
    };
    (0..inputs.runs.len()).filter_map(problem).collect()
}

/// Why nothing is left of files that were all left out, and what is `told` of their runs.
fn nothing_readable(mut left_out: Vec<Error>, told: Vec<String>) -> Error {
    let how = if told.is_empty() { String::new() } else { format!("; {}", first_of(&told, 4)) };
    if left_out.len() == 1
        && let Some(only) = left_out.pop()
    {
        return match only {
            refused if refused.is_refusal() && !matches!(refused, Error::File(_)) => {
                Error::Refused(refused.to_string() + &how)
            }
            other => other,
        };
    }
    let texts: Vec<String> = left_out.iter().map(Error::to_string).collect();
    Error::Refused(format!("none of the {} files can be read: {}{how}", texts.len(), first_of(&texts, 4)))
}

fn add(
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

/// The worlds in which agents were tried at several doses: those of runs that agree in all of the world but the dose
/// itself. An agent that several runs have is told apart by its run.
fn dose_worlds(inputs: &Inputs, all: &[(usize, doses::Doses)]) -> Vec<limits::World> {
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

/// What there is to say of the gardens of runs that are not whole.
fn gardens_unfinished(found: &mut Found, inputs: &Inputs) {
    let mut of_run: BTreeMap<usize, Vec<&Garden>> = BTreeMap::new();
    for (run, garden) in found.garden_runs.iter().zip(&found.gardens) {
        of_run.entry(*run).or_default().push(garden);
    }
    let text = |(&run, gardens): (&usize, &Vec<&Garden>)| {
        unfinished::gardens(&inputs.runs[run], inputs.plan(run)?.ok()?, gardens)
    };
    let texts: Vec<String> = of_run.iter().filter_map(text).collect();
    found.unfinished.extend(texts.into_iter().map(|text| (Kind::Garden, text)));
}

/// What there is to say of runs that wrote no row.
fn empty_unfinished(found: &mut Found, inputs: &Inputs) {
    let gardens: HashSet<usize> = found.garden_runs.iter().copied().collect();
    let runs = found.empty.iter().copied().filter(|run| !gardens.contains(run));
    let texts: Vec<_> = runs
        .filter_map(|run| unfinished::nothing(&inputs.runs[run], inputs.plan(run).and_then(Result::ok)))
        .collect();
    found.unfinished.extend(texts);
}

/// The worlds in which benchmarks were played, by run: the same name for runs with the same settings.
fn named_worlds(inputs: &Inputs) -> HashMap<usize, String> {
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

fn unusable(input: &Input, problem: &str) -> Error {
    Error::Refused(format!("cannot use the config.toml next to {}: {problem}", input.path.display()))
}

fn title(inputs: &Inputs) -> String {
    let names: Vec<&str> = inputs.runs.iter().map(|run| run.name.as_str()).collect();
    match names.len() {
        0..=4 => names.join(", "),
        n => format!("{}, {} and {} more runs", names[0], names[1], n - 2),
    }
}

/// What cannot be read is bad input; what the system refuses says so itself.
fn refused(error: ReadError) -> Error {
    match error {
        ReadError::Io { path, source } => error::io("read", &path)(source),
        ReadError::Stopped => interrupt::check().err().unwrap_or_else(|| Error::Failed("stopped".to_owned())),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests;
