//! What inputs hold, kind by kind, and the report about it: for `analyze`, `report` and the page of `serve`.

use std::collections::BTreeMap;
use std::path::Path;

use resonetics_analysis::agents::{self, Benchmark};
use resonetics_analysis::chart::ChartError;
use resonetics_analysis::evaluations::{self, Evaluation};
use resonetics_analysis::garden::{self, Garden, Rules, Told};
use resonetics_analysis::lives;
use resonetics_analysis::read::{Kind, ReadError, Table, episodes, lifetimes, log, open};
use resonetics_analysis::report::{Part, Report, some_of};
use resonetics_analysis::trainings::{self, Training};
use resonetics_envs::gardener::GardenerConfig;

use crate::commands::Plan;
use crate::failure::{self, Failure};
use crate::inputs::trained::folder;
use crate::inputs::{Input, Inputs};
use crate::interrupt;
use crate::setup::WorldSettings;
use crate::unfinished;

/// What the files hold, kind by kind.
#[derive(Default)]
struct Found {
    gardens: Vec<Garden>,
    /// The run of each of `gardens`.
    garden_runs: Vec<usize>,
    benchmarks: Vec<Benchmark>,
    trainings: Vec<Training>,
    drifts: Vec<Training>,
    worlds: Vec<lifetimes::World>,
    evaluations: Vec<(String, Evaluation)>,
    /// What there is to say of runs that are not whole, beside the answer about their kind.
    unfinished: Vec<(Kind, String)>,
    /// Files without rows.
    empty: Vec<ReadError>,
    /// Whether there is a garden without a config.toml.
    assumed: bool,
}

impl Found {
    /// What was read, `None` for a file without rows.
    fn rows<T>(&mut self, read: Result<T, ReadError>) -> Result<Option<T>, Failure> {
        match read {
            Ok(rows) => Ok(Some(rows)),
            Err(problem @ ReadError::Empty { .. }) => {
                self.empty.push(problem);
                Ok(None)
            }
            Err(problem) => Err(refused(problem)),
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
/// [`Failure::Usage`] for what cannot be read, with its place; that a figure cannot be drawn; an interrupt.
pub fn report(mut inputs: Inputs, baseline: Option<&str>, made_by: &str) -> Result<Report, Failure> {
    let found = found(&mut inputs)?;
    if let Some(cells) = inputs.cells.filter(|_| !found.assumed) {
        return Err(Failure::Usage(format!(
            "`--cells {cells}`: there is no garden without a config.toml among the files"
        )));
    }
    let mut report = Report { title: title(&inputs), ..Report::default() };
    let drawn = |error: ChartError| Failure::Failed(error.to_string());
    if !found.benchmarks.is_empty() {
        let worlds = agents::worlds(&found.benchmarks, baseline, &|| interrupt::check().is_ok())
            .map_err(|problem| interrupt::check().err().unwrap_or(Failure::Usage(problem)))?;
        let part = agents::part(&worlds).map_err(drawn)?;
        report.parts.push(found.with_unfinished(Kind::Episodes, part));
    } else if let Some(baseline) = baseline {
        return Err(Failure::Usage(format!(
            "`--baseline {baseline}`: there is no benchmark among the files"
        )));
    }
    if !found.trainings.is_empty() {
        report.parts.extend(trainings::parts(&found.trainings).map_err(drawn)?);
    }
    if !found.evaluations.is_empty() {
        report.parts.push(evaluations::part(&found.evaluations).map_err(drawn)?);
    }
    if !found.gardens.is_empty() {
        let part = garden::part(&found.gardens).map_err(drawn)?;
        report.parts.push(found.with_unfinished(Kind::Garden, part));
    }
    if !found.worlds.is_empty() {
        let part = lives::part(&found.worlds).map_err(drawn)?;
        report.parts.push(found.with_unfinished(Kind::Lifetimes, part));
    }
    if !found.drifts.is_empty() {
        report.parts.push(trainings::drift_part(&found.drifts).map_err(drawn)?);
    }
    report.differences = inputs.differences();
    made_by.clone_into(&mut report.made_by);
    env!("CARGO_PKG_VERSION").clone_into(&mut report.version);
    report.runs = inputs.runs;
    report.notes = inputs.notes;
    Ok(report)
}

/// Files without rows are noted; there is an error if all are.
fn found(inputs: &mut Inputs) -> Result<Found, Failure> {
    let (mut found, mut tables) = (Found::default(), Vec::new());
    for input in &inputs.files {
        let config = &inputs.runs[input.run].config;
        config.parse::<toml::Table>().map_err(|problem| unusable(input, problem.to_string().trim_end()))?;
        if input.path.extension().is_some_and(|extension| extension == "json") {
            let mut evaluation = Evaluation::read(&input.path).map_err(refused)?;
            evaluation.training = inputs.training(&evaluation.run, input);
            found.evaluations.push((input.name.clone(), evaluation));
        } else if let Some((kind, _)) = found.rows(open(&input.path))? {
            // Closed again: a sweep may have more files than may be open.
            tables.push((kind, input.clone()));
        }
    }
    let groups = grouped(inputs, &tables);
    for ((kind, input), group) in tables.into_iter().zip(groups) {
        interrupt::check()?;
        let (_, mut table) = open(&input.path).map_err(refused)?;
        add(&mut found, inputs, kind, &mut table, &input, group)?;
        inputs.notes.extend_from_slice(table.notes());
    }
    gardens_unfinished(&mut found, inputs);
    if found.empty.len() == inputs.files.len()
        && let Some(last) = found.empty.pop()
    {
        return Err(refused(last));
    }
    let of_trainings = found.trainings.iter().chain(&found.drifts).filter_map(|run| run.unfinished.clone());
    inputs.notes.extend(found.unfinished.iter().map(|(_, text)| text.clone()).chain(of_trainings));
    inputs.notes.extend(found.empty.iter().map(|problem| format!("left out: {problem}")));
    Ok(found)
}

/// The group of each of `tables` among those of its kind.
fn grouped(inputs: &Inputs, tables: &[(Kind, Input)]) -> Vec<String> {
    let mut groups = vec![String::new(); tables.len()];
    let mut of_kind: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    for (place, (kind, _)) in tables.iter().enumerate() {
        of_kind.entry(*kind).or_default().push(place);
    }
    for places in of_kind.values() {
        let files: Vec<&Input> = places.iter().map(|&place| &tables[place].1).collect();
        for (&place, group) in places.iter().zip(inputs.groups(&files)) {
            groups[place] = group;
        }
    }
    groups
}

fn add(
    found: &mut Found,
    inputs: &mut Inputs,
    kind: Kind,
    table: &mut Table,
    input: &Input,
    group: String,
) -> Result<(), Failure> {
    let go_on = || interrupt::check().is_ok();
    let name = input.name.clone();
    match kind {
        Kind::Garden => {
            let rules = rules(found, inputs, input)?;
            let told = told(&input.path);
            let garden = found.rows(Garden::read(table, &name, &group, rules, told, &go_on))?;
            found.garden_runs.extend(garden.iter().map(|_| input.run));
            found.gardens.extend(garden);
        }
        Kind::Episodes => {
            let world = world(inputs, input)?;
            let mut agents = found.rows(episodes::read(table, &go_on))?;
            for played in agents.iter_mut().flatten() {
                // One whose training is not there any more is one of its own.
                let training = folder(&played.agent)
                    .map(|dir| inputs.training(dir, input).unwrap_or_else(|| played.agent.clone()));
                played.training = training;
            }
            let benchmark = agents.map(|agents| Benchmark { world, run: name, agents });
            if let (Some(benchmark), Some(plan)) = (&benchmark, plan(inputs, input)?) {
                let text = unfinished::benchmark(&inputs.runs[input.run], &plan, benchmark);
                found.unfinished.extend(text.map(|text| (kind, text)));
            }
            found.benchmarks.extend(benchmark);
        }
        Kind::Training | Kind::Drift => {
            let run = &inputs.runs[input.run];
            let plan = Plan::parse(&run.config).ok();
            let trained = if let Some(Plan::Train(plan)) = &plan { Some(plan) } else { None };
            let episodes = trained.map(|plan| plan.episodes());
            if let Some(log) = found.rows(log::read(table, episodes, &go_on))? {
                // The first step of a drift is 0.
                let steps = log.steps as u64 + u64::from(kind == Kind::Drift);
                let planned = plan.as_ref().and_then(unfinished::planned_steps);
                let training = Training {
                    name,
                    group,
                    world: trained.map_or_else(String::new, |plan| plan.env.name.clone()),
                    planned: planned.map(|planned| (planned - u64::from(kind == Kind::Drift)) as f64),
                    unfinished: plan.as_ref().and_then(|plan| unfinished::steps(run, plan, steps)),
                    fixed: trained.is_some_and(|plan| plan.is_fixed()),
                    log,
                };
                if kind == Kind::Training { &mut found.trainings } else { &mut found.drifts }.push(training);
            }
        }
        Kind::Lifetimes => {
            let mut worlds = found.rows(lifetimes::read(table, &go_on))?.unwrap_or_default();
            if let Some(plan) = plan(inputs, input)? {
                let text = unfinished::lives(&inputs.runs[input.run], &plan, &worlds);
                found.unfinished.extend(text.map(|text| (kind, text)));
            }
            for world in &mut worlds {
                if found.worlds.iter().any(|known| known.name == world.name) {
                    world.name = format!("{} ({name})", world.name);
                }
            }
            found.worlds.extend(worlds);
        }
    }
    Ok(())
}

/// What there is to say of the gardens of runs that are not whole.
fn gardens_unfinished(found: &mut Found, inputs: &Inputs) {
    let mut of_run: BTreeMap<usize, Vec<&Garden>> = BTreeMap::new();
    for (run, garden) in found.garden_runs.iter().zip(&found.gardens) {
        of_run.entry(*run).or_default().push(garden);
    }
    let text = |(&run, gardens): (&usize, &Vec<&Garden>)| {
        let run = &inputs.runs[run];
        unfinished::gardens(run, &Plan::parse(&run.config).ok()?, gardens)
    };
    let texts: Vec<String> = of_run.iter().filter_map(text).collect();
    found.unfinished.extend(texts.into_iter().map(|text| (Kind::Garden, text)));
}

/// What the garden whose log is `path` told of its loss, in the summary.csv of its run.
fn told(path: &Path) -> Option<Told> {
    if path.file_name()? != Kind::Garden.file() {
        return None;
    }
    let folder = path.parent()?;
    // `gardener --runs` writes one for all, one folder up.
    let run = folder.file_name().and_then(|name| name.to_str()?.strip_prefix("run-")?.parse::<u32>().ok());
    let (above, run) = match run.filter(|_| !folder.join("config.toml").is_file()) {
        Some(run) => (folder.parent()?, run),
        None => (folder, 1),
    };
    let mut summary = csv::Reader::from_path(above.join("summary.csv")).ok()?;
    let column = |name: &str, header: &csv::StringRecord| header.iter().position(|column| column == name);
    let header = summary.headers().ok()?.clone();
    let (runs, lost_at) = (column("run", &header)?, column("lost_at", &header)?);
    let row = summary.records().filter_map(Result::ok).find(|row| row.get(runs) == Some(&run.to_string()))?;
    let lost_at = row.get(lost_at)?;
    let generation = if lost_at.is_empty() { None } else { Some(lost_at.parse().ok()?) };
    Some(Told { lost_at: generation })
}

/// The settings of the garden that `input` is the log of; the rules' where no config.toml says more,
/// which is noted.
fn rules(found: &mut Found, inputs: &mut Inputs, input: &Input) -> Result<Rules, Failure> {
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
        return Ok(of(&settings.env));
    }
    found.assumed = true;
    let mut rules = of(&GardenerConfig::default());
    rules.cells = inputs.cells.unwrap_or(rules.cells);
    inputs.notes.push(format!(
        "{}: no config.toml of a garden beside it, so {} assumed: {} cells{}, lost at {} for {} generations",
        input.path.display(),
        if inputs.cells.is_some() { "these settings are" } else { "the rules' settings are" },
        rules.cells,
        if inputs.cells.is_some() { " as typed" } else { " (another number: --cells)" },
        rules.lost_share,
        rules.lost_generations
    ));
    Ok(rules)
}

/// What the config.toml beside `input` says, if there is one.
fn plan(inputs: &Inputs, input: &Input) -> Result<Option<Plan>, Failure> {
    let config = &inputs.runs[input.run].config;
    if config.is_empty() {
        return Ok(None);
    }
    Plan::parse(config).map(Some).map_err(|problem| unusable(input, &problem))
}

fn unusable(input: &Input, problem: &str) -> Failure {
    Failure::Usage(format!("cannot use the config.toml beside {}: {problem}", input.path.display()))
}

/// The name of the world in which a benchmark was played; the same for runs with the same settings.
fn world(inputs: &Inputs, input: &Input) -> Result<String, Failure> {
    let Some(mine) = plan(inputs, input)?.and_then(|plan| plan.played_in().cloned()) else {
        return Ok(input.name.clone());
    };
    let setup = |run: usize| Plan::parse(&inputs.runs[run].config).ok()?.played_in().cloned();
    let name = if mine.preset == "reference" {
        mine.name.clone()
    } else {
        format!("{}, {}", mine.name, mine.preset)
    };
    // Settings that were changed by hand have no name: the first run that has them lends its own.
    let same_name = |other: &crate::setup::Setup| (&other.name, &other.preset) == (&mine.name, &mine.preset);
    let others: Vec<_> = (0..inputs.runs.len()).filter_map(|run| Some((run, setup(run)?))).collect();
    if others.iter().filter(|(_, other)| same_name(other)).all(|(_, other)| *other == mine) {
        return Ok(name);
    }
    let first = others.iter().find(|(_, other)| *other == mine).map_or(input.run, |(run, _)| *run);
    Ok(format!("{name} ({})", inputs.runs[first].name))
}

fn title(inputs: &Inputs) -> String {
    let names: Vec<&str> = inputs.runs.iter().map(|run| run.name.as_str()).collect();
    match names.len() {
        0..=4 => names.join(", "),
        n => format!("{}, {} and {} more runs", names[0], names[1], n - 2),
    }
}

/// What cannot be read is bad input; what the system refuses says so itself.
fn refused(error: ReadError) -> Failure {
    match error {
        ReadError::Io { path, source } => failure::io("read", &path)(source),
        ReadError::Stopped => {
            interrupt::check().err().unwrap_or_else(|| Failure::Failed("stopped".to_owned()))
        }
        error => Failure::Usage(error.to_string()),
    }
}
