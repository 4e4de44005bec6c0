//! What inputs hold, kind by kind, and the report about it: for `analyze`, `report` and the page of `serve`.

use std::collections::BTreeMap;

use resonetics_analysis::agents::{self, Benchmark};
use resonetics_analysis::chart::ChartError;
use resonetics_analysis::evaluations::{self, Evaluation};
use resonetics_analysis::garden::{self, Garden, Rules};
use resonetics_analysis::lives;
use resonetics_analysis::read::{Kind, ReadError, Table, episodes, lifetimes, log, open};
use resonetics_analysis::report::Report;
use resonetics_analysis::trainings::{self, Training};
use resonetics_envs::gardener::GardenerConfig;

use crate::commands::Plan;
use crate::failure::{self, Failure};
use crate::inputs::{Input, Inputs};
use crate::interrupt;
use crate::setup::WorldSettings;

/// What the files hold, kind by kind.
#[derive(Default)]
struct Found {
    gardens: Vec<Garden>,
    benchmarks: Vec<Benchmark>,
    trainings: Vec<Training>,
    drifts: Vec<Training>,
    worlds: Vec<lifetimes::World>,
    evaluations: Vec<(String, Evaluation)>,
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
        report.parts.push(agents::part(&worlds).map_err(drawn)?);
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
        report.parts.push(garden::part(&found.gardens).map_err(drawn)?);
    }
    if !found.worlds.is_empty() {
        report.parts.push(lives::part(&found.worlds).map_err(drawn)?);
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
            let evaluation = Evaluation::read(&input.path).map_err(refused)?;
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
    if found.empty.len() == inputs.files.len()
        && let Some(last) = found.empty.pop()
    {
        return Err(refused(last));
    }
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
            let garden = found.rows(Garden::read(table, &name, &group, rules, &go_on))?;
            found.gardens.extend(garden);
        }
        Kind::Episodes => {
            let world = world(inputs, input)?;
            let agents = found.rows(episodes::read(table, &go_on))?;
            found.benchmarks.extend(agents.map(|agents| Benchmark { world, run: name, agents }));
        }
        Kind::Training | Kind::Drift => {
            let world = match Plan::parse(&inputs.runs[input.run].config) {
                Ok(Plan::Train(plan)) => plan.env.name,
                _ => String::new(),
            };
            let log = found.rows(log::read(table, &go_on))?;
            let training = log.map(|log| Training { name, group, world, log });
            if kind == Kind::Training { &mut found.trainings } else { &mut found.drifts }.extend(training);
        }
        Kind::Lifetimes => {
            let mut worlds = found.rows(lifetimes::read(table, &go_on))?.unwrap_or_default();
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

/// The settings of the garden that `input` is the log of; the rules' where no config.toml says more,
/// which is noted.
fn rules(found: &mut Found, inputs: &mut Inputs, input: &Input) -> Result<Rules, Failure> {
    let of = |config: &GardenerConfig| Rules {
        cells: config.cells() as u64,
        lost_share: config.lost.dirt_share,
        lost_generations: config.lost.generations.into(),
        collapse_risk: config.risk.smoothing.collapse_th,
        survival_flow: config.control.damping.survival_on_flow,
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
    let Some(Plan::Benchmark(mine)) = plan(inputs, input)? else { return Ok(input.name.clone()) };
    let mine = mine.env;
    let setup = |run: usize| match Plan::parse(&inputs.runs[run].config) {
        Ok(Plan::Benchmark(plan)) => Some(plan.env),
        _ => None,
    };
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
