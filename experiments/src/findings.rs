//! What inputs hold, kind by kind, and the report about it: for `analyze`, `report` and the page of `serve`.

use std::collections::{HashMap, HashSet};

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
use crate::inputs::{Input, Inputs, REFUSED, first_of};
use crate::interrupt;
use crate::progress::Progress;
use crate::setup::WorldSettings;

/// What the files hold, kind by kind.
#[derive(Default)]
struct Found {
    gardens: Vec<Garden>,
    benchmarks: Vec<Benchmark>,
    trainings: Vec<Training>,
    drifts: Vec<Training>,
    worlds: Vec<lifetimes::World>,
    /// Names of `worlds` as their files have them.
    named: HashSet<String>,
    evaluations: Vec<(String, Evaluation)>,
    /// What the files were that were left out, and why.
    left_out: Vec<Failure>,
    /// What is noted of them.
    left_out_notes: Vec<String>,
    /// Whether there is a garden without a config.toml.
    assumed: bool,
}

impl Found {
    /// What was read of `input`; none where it is left out. A file without rows may have been typed with
    /// others, `*` does; another that was typed must not be left out.
    fn rows<T>(&mut self, input: &Input, read: Result<T, ReadError>) -> Result<Option<T>, Failure> {
        match read {
            Ok(rows) => Ok(Some(rows)),
            Err(problem @ ReadError::Empty { .. }) => {
                self.left_out_notes.push(format!("left out: {problem}"));
                self.left_out.push(refused(problem));
                Ok(None)
            }
            Err(problem) => self.usable(input, Err(refused(problem))),
        }
    }

    /// As [`Found::rows`] for what was made of a file.
    fn usable<T>(&mut self, input: &Input, made: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match made {
            Ok(made) => Ok(Some(made)),
            Err(failure) if input.typed || matches!(failure, Failure::Interrupted(_)) => Err(failure),
            Err(failure) => {
                self.left_out_notes.push(format!("{REFUSED}{failure}"));
                self.left_out.push(failure);
                Ok(None)
            }
        }
    }
}

/// What is found in `inputs`; `made_by` is the command line that makes this report again.
///
/// # Errors
/// [`Failure::Usage`] for a file that was typed and cannot be read, with its place, and if none can; that a
/// figure cannot be drawn; an interrupt.
pub fn report(mut inputs: Inputs, baseline: Option<&str>, made_by: &str) -> Result<Report, Failure> {
    let found = found(&mut inputs)?;
    if let Some(cells) = inputs.cells.filter(|_| !found.assumed) {
        return Err(Failure::Usage(format!(
            "`--cells {cells}`: there is no garden without a config.toml among the files"
        )));
    }
    let mut report = Report { title: title(&inputs), ..Report::default() };
    let drawn = |error: ChartError| Failure::Failed(error.to_string());
    let progress = inputs.progress.take();
    let go_on = || {
        progress.iter().for_each(Progress::tick);
        interrupt::check().is_ok()
    };
    if !found.benchmarks.is_empty() {
        let worlds = agents::worlds(&found.benchmarks, baseline, &go_on)
            .map_err(|problem| interrupt::check().err().unwrap_or(Failure::Usage(problem)))?;
        interrupt::check()?;
        report.parts.push(agents::part(&worlds).map_err(drawn)?);
    } else if let Some(baseline) = baseline {
        return Err(Failure::Usage(format!(
            "`--baseline {baseline}`: there is no benchmark among the files"
        )));
    }
    interrupt::check()?;
    if !found.trainings.is_empty() {
        report.parts.extend(trainings::parts(&found.trainings).map_err(drawn)?);
    }
    if !found.evaluations.is_empty() {
        report.parts.push(evaluations::part(&found.evaluations).map_err(drawn)?);
    }
    interrupt::check()?;
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

/// What cannot be read is left out and noted; there is an error if that is all.
fn found(inputs: &mut Inputs) -> Result<Found, Failure> {
    let (mut found, mut tables) = (Found::default(), Vec::new());
    let mut plans = Plans::of(inputs)?;
    let tick = |inputs: &Inputs| inputs.progress.iter().for_each(|progress| progress.inc(1));
    for input in &inputs.files {
        interrupt::check()?;
        let config = plans.checked(input).map_err(|problem| unusable(input, problem));
        if found.usable(input, config)?.is_none() {
            tick(inputs);
        } else if input.path.extension().is_some_and(|extension| extension == "json") {
            let evaluation = found.rows(input, Evaluation::read(&input.path))?;
            found.evaluations.extend(evaluation.map(|evaluation| (input.name.clone(), evaluation)));
            tick(inputs);
        } else if let Some((kind, _)) = found.rows(input, open(&input.path))? {
            // Closed again: a sweep may have more files than may be open.
            tables.push((kind, input.clone()));
        } else {
            tick(inputs);
        }
    }
    let mut groups = grouped(inputs, &tables);
    plans.name_worlds(inputs);
    for ((kind, input), group) in tables.into_iter().zip(&mut groups) {
        interrupt::check()?;
        if let Some((_, mut table)) = found.rows(&input, open(&input.path))? {
            add(&mut found, inputs, &plans, kind, &mut table, &input, std::mem::take(group))?;
            inputs.notes.extend_from_slice(table.notes());
        }
        tick(inputs);
    }
    if found.left_out.len() == inputs.files.len() {
        return Err(nothing_readable(found.left_out));
    }
    inputs.notes.append(&mut found.left_out_notes);
    Ok(found)
}

/// The group of each of `tables` among those of its kind.
fn grouped(inputs: &Inputs, tables: &[(Kind, Input)]) -> Vec<String> {
    let mut groups = vec![String::new(); tables.len()];
    let mut of_kind: HashMap<Kind, Vec<usize>> = HashMap::new();
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

/// Why nothing is left of files that were all left out.
fn nothing_readable(mut left_out: Vec<Failure>) -> Failure {
    if left_out.len() == 1
        && let Some(only) = left_out.pop()
    {
        return only;
    }
    let texts: Vec<String> = left_out.iter().map(Failure::to_string).collect();
    Failure::Usage(format!("none of the {} files can be read: {}", texts.len(), first_of(&texts, 4)))
}

fn add(
    found: &mut Found,
    inputs: &mut Inputs,
    plans: &Plans,
    kind: Kind,
    table: &mut Table,
    input: &Input,
    group: String,
) -> Result<(), Failure> {
    let go_on = || {
        inputs.progress.iter().for_each(Progress::tick);
        interrupt::check().is_ok()
    };
    let name = input.name.clone();
    match kind {
        Kind::Garden => {
            let rules = rules(plans, inputs, input);
            let Some((rules, assumed)) = found.usable(input, rules)? else { return Ok(()) };
            let garden = found.rows(input, Garden::read(table, &name, &group, rules, &go_on))?;
            found.assumed |= assumed.is_some();
            inputs.notes.extend(assumed);
            found.gardens.extend(garden);
        }
        Kind::Episodes => {
            let world = found.usable(input, plans.world(input))?;
            let Some(world) = world else { return Ok(()) };
            let agents = found.rows(input, episodes::read(table, &go_on))?;
            found.benchmarks.extend(agents.map(|agents| Benchmark { world, run: name, agents }));
        }
        Kind::Training | Kind::Drift => {
            let world = match plans.of_run(input.run) {
                Some(Ok(Plan::Train(plan))) => plan.env.name.clone(),
                _ => String::new(),
            };
            let log = found.rows(input, log::read(table, &go_on))?;
            let training = log.map(|log| Training { name, group, world, log });
            if kind == Kind::Training { &mut found.trainings } else { &mut found.drifts }.extend(training);
        }
        Kind::Lifetimes => {
            let mut worlds = found.rows(input, lifetimes::read(table, &go_on))?.unwrap_or_default();
            for world in &mut worlds {
                if !found.named.insert(world.name.clone()) {
                    world.name = format!("{} ({name})", world.name);
                }
            }
            found.worlds.extend(worlds);
        }
    }
    Ok(())
}

/// What the config.toml of each run plans: parsed once, however many files are read by it.
struct Plans {
    /// `None` where there is no config.toml.
    of_runs: Vec<Option<Result<Plan, String>>>,
    /// Of each run of a benchmark the name of its world, once they are named.
    worlds: HashMap<usize, String>,
    /// Why a config.toml is no TOML, by run.
    broken: HashMap<usize, String>,
}

impl Plans {
    fn of(inputs: &Inputs) -> Result<Plans, Failure> {
        let mut plans =
            Plans { of_runs: Vec::new(), worlds: HashMap::new(), broken: HashMap::new() };
        for (number, run) in inputs.runs.iter().enumerate() {
            interrupt::check()?;
            #[cfg(test)]
            crate::inputs::counts::PLANS.with(|count| count.set(count.get() + 1));
            let plan = (!run.config.is_empty()).then(|| Plan::parse(&run.config));
            // Another command's, or no TOML at all.
            if matches!(plan, Some(Err(_)))
                && let Err(problem) = run.config.parse::<toml::Table>()
            {
                plans.broken.insert(number, problem.to_string().trim_end().to_owned());
            }
            plans.of_runs.push(plan);
        }
        Ok(plans)
    }

    fn of_run(&self, run: usize) -> Option<&Result<Plan, String>> {
        self.of_runs[run].as_ref()
    }

    /// That the config.toml beside `input` is TOML, or none is there.
    fn checked(&self, input: &Input) -> Result<(), &str> {
        self.broken.get(&input.run).map_or(Ok(()), |problem| Err(problem))
    }

    /// What the config.toml beside `input` says, if there is one.
    fn plan(&self, input: &Input) -> Result<Option<&Plan>, Failure> {
        let plan = self.of_run(input.run).map(Result::as_ref).transpose();
        plan.map_err(|problem| unusable(input, problem))
    }

    /// Gives the worlds in which benchmarks were played their names: the same for runs with the same
    /// settings. Settings that were changed by hand have no name: the first run that has them lends its own.
    fn name_worlds(&mut self, inputs: &Inputs) {
        let mut worlds: Vec<(usize, String, String)> = Vec::new();
        // By name the settings that go by it, and by settings the first run that has them.
        let (mut of_name, mut first): (HashMap<String, usize>, HashMap<String, usize>) = Default::default();
        for (run, plan) in self.of_runs.iter().enumerate() {
            let Some(Ok(Plan::Benchmark(plan))) = plan else { continue };
            let env = &plan.env;
            let name = if env.preset == "reference" {
                env.name.clone()
            } else {
                format!("{}, {}", env.name, env.preset)
            };
            // What is equal is written alike; a hash of numbers there is none.
            let settings = format!("{env:?}");
            if !first.contains_key(&settings) {
                first.insert(settings.clone(), run);
                *of_name.entry(name.clone()).or_default() += 1;
            }
            worlds.push((run, name, settings));
        }
        let named = worlds.into_iter().map(|(run, name, settings)| {
            let lender = &inputs.runs[first[&settings]].name;
            let alone = of_name[&name] == 1;
            (run, if alone { name } else { format!("{name} ({lender})") })
        });
        self.worlds = named.collect();
    }

    /// The name of the world in which a benchmark was played.
    fn world(&self, input: &Input) -> Result<String, Failure> {
        self.plan(input)?;
        Ok(self.worlds.get(&input.run).unwrap_or(&input.name).clone())
    }
}

/// The settings of the garden that `input` is the log of; the rules' where no config.toml says more, and
/// then a note that says so.
fn rules(plans: &Plans, inputs: &Inputs, input: &Input) -> Result<(Rules, Option<String>), Failure> {
    let of = |config: &GardenerConfig| Rules {
        cells: config.cells() as u64,
        lost_share: config.lost.dirt_share,
        lost_generations: config.lost.generations.into(),
        collapse_risk: config.risk.smoothing.collapse_th,
        survival_flow: config.control.damping.survival_on_flow,
    };
    if let Some(Plan::Gardener(plan)) = plans.plan(input)?
        && let WorldSettings::Gardener(settings) = &plan.env.settings
    {
        return Ok((of(&settings.env), None));
    }
    let mut rules = of(&GardenerConfig::default());
    rules.cells = inputs.cells.unwrap_or(rules.cells);
    let note = format!(
        "{}: no config.toml of a garden beside it, so {} assumed: {} cells{}, lost at {} for {} generations",
        input.path.display(),
        if inputs.cells.is_some() { "these settings are" } else { "the rules' settings are" },
        rules.cells,
        if inputs.cells.is_some() { " as typed" } else { " (another number: --cells)" },
        rules.lost_share,
        rules.lost_generations
    );
    Ok((rules, Some(note)))
}

fn unusable(input: &Input, problem: &str) -> Failure {
    Failure::Usage(format!("cannot use the config.toml beside {}: {problem}", input.path.display()))
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
