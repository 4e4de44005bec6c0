//! What inputs hold, kind by kind, and the report about it: for `analyze`, `report` and the page of `serve`.

use resonetics_analysis::agents::{self, Benchmark};
use resonetics_analysis::chart::ChartError;
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
}

/// What is found in `inputs`; `made_by` is the command line that makes this report again.
///
/// # Errors
/// [`Failure::Usage`] for what cannot be read, with its place; that a figure cannot be drawn; an interrupt.
pub fn report(mut inputs: Inputs, baseline: Option<&str>, made_by: &str) -> Result<Report, Failure> {
    let found = found(&mut inputs)?;
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

fn found(inputs: &mut Inputs) -> Result<Found, Failure> {
    let mut tables = Vec::new();
    for input in &inputs.files {
        let (kind, table) = open(&input.path).map_err(refused)?;
        tables.push((kind, table, input.clone()));
    }
    let of_kind = |kind: Kind| {
        tables.iter().filter(|(found, ..)| *found == kind).map(|(.., input)| input.run).collect::<Vec<_>>()
    };
    let among: Vec<Vec<usize>> = tables.iter().map(|(kind, ..)| of_kind(*kind)).collect();
    let mut found = Found::default();
    for ((kind, mut table, input), among) in tables.into_iter().zip(among) {
        interrupt::check()?;
        let group = inputs.group(input.run, &among);
        add(&mut found, inputs, kind, &mut table, &input, group)?;
        inputs.notes.extend_from_slice(table.notes());
    }
    Ok(found)
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
            let rules = rules(inputs, input)?;
            found.gardens.push(Garden::read(table, &name, &group, rules, &go_on).map_err(refused)?);
        }
        Kind::Episodes => {
            let agents = episodes::read(table, &go_on).map_err(refused)?;
            found.benchmarks.push(Benchmark { world: world(inputs, input), run: name, agents });
        }
        Kind::Training | Kind::Drift => {
            let log = log::read(table, &go_on).map_err(refused)?;
            let world = match Plan::parse(&inputs.runs[input.run].config) {
                Ok(Plan::Train(plan)) => plan.env.name,
                _ => String::new(),
            };
            let training = Training { name, group, world, log };
            if kind == Kind::Training { &mut found.trainings } else { &mut found.drifts }.push(training);
        }
        Kind::Lifetimes => {
            let mut worlds = lifetimes::read(table, &go_on).map_err(refused)?;
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
fn rules(inputs: &mut Inputs, input: &Input) -> Result<Rules, Failure> {
    let config = &inputs.runs[input.run].config;
    let plan = if config.is_empty() { None } else { Some(Plan::parse(config)) };
    let of = |config: &GardenerConfig| Rules {
        cells: config.cells() as u64,
        lost_share: config.lost.dirt_share,
        lost_generations: config.lost.generations.into(),
        collapse_risk: config.risk.smoothing.collapse_th,
        survival_flow: config.control.damping.survival_on_flow,
    };
    match plan {
        Some(Ok(Plan::Gardener(plan))) => match &plan.env.settings {
            WorldSettings::Gardener(settings) => return Ok(of(&settings.env)),
            WorldSettings::K8s(_) => {}
        },
        Some(Err(problem)) => {
            let path = input.path.display();
            return Err(Failure::Usage(format!("cannot use the config.toml beside {path}: {problem}")));
        }
        _ => {}
    }
    let rules = of(&GardenerConfig::default());
    inputs.notes.push(format!(
        "{}: no config.toml of a garden beside it, so the rules' settings are assumed: {} cells, lost at {} for {} generations",
        input.path.display(),
        rules.cells,
        rules.lost_share,
        rules.lost_generations
    ));
    Ok(rules)
}

/// The name of the world in which a benchmark was played; the same for runs with the same settings.
fn world(inputs: &Inputs, input: &Input) -> String {
    let setup = |run: usize| match Plan::parse(&inputs.runs[run].config) {
        Ok(Plan::Benchmark(plan)) => Some(plan.env),
        _ => None,
    };
    let Some(mine) = setup(input.run) else { return input.name.clone() };
    let name = if mine.preset == "reference" {
        mine.name.clone()
    } else {
        format!("{}, {}", mine.name, mine.preset)
    };
    // Settings that were changed by hand have no name: the first run that has them lends its own.
    let same_name = |other: &crate::setup::Setup| (&other.name, &other.preset) == (&mine.name, &mine.preset);
    let others: Vec<_> = (0..inputs.runs.len()).filter_map(|run| Some((run, setup(run)?))).collect();
    if others.iter().filter(|(_, other)| same_name(other)).all(|(_, other)| *other == mine) {
        return name;
    }
    let first = others.iter().find(|(_, other)| *other == mine).map_or(input.run, |(run, _)| *run);
    format!("{name} ({})", inputs.runs[first].name)
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
