//! What inputs hold, kind by kind, and the report about it: for `analyze`, `report` and the page of `serve`.

mod held;
mod kinds;
mod named;
mod written;

use std::collections::{BTreeMap, HashMap, HashSet};

use resonetics_analysis::agents;
use resonetics_analysis::chart::ChartError;
use resonetics_analysis::evaluations::{self, Evaluation};
use resonetics_analysis::garden::{self, Garden};
use resonetics_analysis::limits;
use resonetics_analysis::lives;
use resonetics_analysis::read::{GoOn, Kind};
use resonetics_analysis::report::Report;
use resonetics_analysis::trainings;

use self::held::Found;
use self::kinds::{add, unusable};
use self::named::{dose_worlds, named_worlds, trained_in};
pub use self::written::write;
use crate::error::Error;
use crate::inputs::{Input, Inputs, first_of, opened};
use crate::interrupt;
use crate::unfinished;

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

fn title(inputs: &Inputs) -> String {
    let names: Vec<&str> = inputs.runs.iter().map(|run| run.name.as_str()).collect();
    match names.len() {
        0..=4 => names.join(", "),
        n => format!("{}, {} and {} more runs", names[0], names[1], n - 2),
    }
}

#[cfg(test)]
mod tests;
