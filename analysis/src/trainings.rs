//! The part of a report about trainings: learning curves of one, or of several that differ only in the seed.

mod answer;
mod beside;
mod compared;
mod drift;
mod shown;
mod training;

pub use self::training::Training;

use std::collections::HashMap;

use serde_json::{Value, json};

use self::answer::answers;
use self::beside::Beside;
use self::compared::Compared;
use self::shown::{DRIFT, Measure, Shown, TRAINING};
use self::training::MANY;
use crate::chart::{CURVES, ChartError, Curve, Labels, lines, lines_over_log, picked, range};
use crate::read::log::Column;
use crate::report::{Cell, Figure, Part, Table, listed, some_of};
use crate::stats::FEW;
use crate::stats::bootstrap::{Resampled, bootstrap_interval};
use crate::stats::summary::{interquartile_mean, mean, quantile};
use crate::thinned::value_at;

/// Steps at which the curves of several runs are compared.
const GRID: usize = 60;

/// Whether a group of `trainings`, or one of them, has this name.
///
/// # Errors
/// The names that there are.
pub fn baseline(trainings: &[Training], name: &str) -> Result<(), String> {
    if trainings.iter().any(|training| training.group == name || training.name == name) {
        return Ok(());
    }
    let mut known: Vec<&str> = Vec::new();
    for training in trainings {
        if !known.contains(&training.group.as_str()) {
            known.push(&training.group);
        }
    }
    Err(format!(
        "no training or group of trainings is called `{name}`; groups: {}; a run by its name stands for its group",
        known.join("; ")
    ))
}

/// What a report says of the trainings, of which there is at least one: a part an environment. The groups of each
/// are compared with that called `baseline`, or with that of the run of this name.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn parts(trainings: &[Training], baseline: Option<&str>) -> Result<Vec<Part>, ChartError> {
    let mut worlds: Vec<&str> = Vec::new();
    for training in trainings {
        if !worlds.contains(&training.world.as_str()) {
            worlds.push(&training.world);
        }
    }
    let one = worlds.len() == 1;
    let part = |world: &str| {
        if one {
            return said(&TRAINING, trainings, "", baseline);
        }
        let of_world: Vec<Training> =
            trainings.iter().filter(|training| training.world == world).cloned().collect();
        said(&TRAINING, &of_world, world, baseline)
    };
    worlds.into_iter().map(part).collect()
}

/// What a report says of drift experiments, of which there is at least one.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn drift_part(drifts: &[Training]) -> Result<Part, ChartError> {
    said(&DRIFT, drifts, "", None)
}

/// `world` is named where there are several.
fn said(
    shown: &Shown,
    trainings: &[Training],
    world: &str,
    baseline: Option<&str>,
) -> Result<Part, ChartError> {
    let mut figures = Vec::new();
    for measure in shown.measures {
        figures.extend(figure(shown, trainings, measure, world)?);
    }
    let place = if world.is_empty() { String::new() } else { format!(" ({world})") };
    let groups: Vec<Compared<'_>> =
        groups(trainings).into_iter().map(|(group, members)| Compared::of(group, members)).collect();
    let (mut answer, of_groups) = if shown.less { drift::answers(&groups) } else { answers(shown, &groups) };
    let unfinished = trainings.iter().filter_map(|training| training.unfinished.clone());
    answer += &some_of(&unfinished.collect::<Vec<_>>());
    let mut tables = vec![table(shown, trainings)];
    if shown.less {
        tables.insert(0, drift::table(&groups));
    }
    let beside = baseline.and_then(|name| Beside::of(shown, &groups, name));
    let mut sentences = remarks(shown, &groups, trainings);
    let mut findings = json!({
        "kind": shown.kind,
        "world": world,
        "groups": of_groups,
        "runs": trainings.iter().map(|training| found(shown, training)).collect::<Vec<_>>(),
    });
    if let Some(beside) = &beside {
        sentences.splice(0..0, beside.sentences());
        let table = beside.table();
        if !table.rows.is_empty() {
            tables.insert(0, table);
        }
        findings["against_baseline"] = beside.found();
    } else if let Some(name) = baseline {
        sentences
            .insert(0, format!("{name} is not among these trainings: nothing is compared with it here."));
    }
    Ok(Part {
        question: format!("{}{place}", shown.question),
        answer,
        sentences,
        figures,
        words: &[],
        tables,
        findings,
    })
}

fn remarks(shown: &Shown, groups: &[Compared<'_>], trainings: &[Training]) -> Vec<String> {
    let mut remarks = Vec::new();
    for group in groups {
        if group.members.len() == 1 {
            remarks.push(format!(
                "{}: one run, so there is no interval: another seed may do better or worse.",
                group.label()
            ));
        }
        remarks.extend(group.remark(shown.measures[0].column));
        remarks.extend(group.copied());
    }
    let named = |of: &dyn Fn(&Training) -> bool| {
        let names: Vec<&str> = trainings
            .iter()
            .filter(|&training| of(training))
            .map(|training| training.name.as_str())
            .collect();
        (!names.is_empty()).then(|| listed(&names))
    };
    if let Some(names) = named(&|training| training.log.biased > 0) {
        remarks.push(format!(
            "Mean returns start once long episodes have also ended; earlier ones would cover only early losses ({names})."
        ));
    }
    if let Some(names) = named(&|training| training.fixed) {
        remarks.push(format!(
            "With a learning rate of 0 nothing is learned: any change is due to chance ({names})."
        ));
    }
    for training in trainings {
        for column in &training.log.columns {
            if let Some((line, count)) = column.not_finite {
                remarks.push(format!(
                    "{}: values of {} that are NaN or infinite: {count}, the first in line {line}; the curve has gaps there.",
                    training.name, column.name
                ));
            }
        }
    }
    remarks
}

fn groups(trainings: &[Training]) -> Vec<(&str, Vec<&Training>)> {
    let mut groups: Vec<(&str, Vec<&Training>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for training in trainings {
        let place = *places.entry(&training.group).or_insert_with(|| {
            groups.push((&training.group, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(training);
    }
    groups
}

fn table(shown: &Shown, trainings: &[Training]) -> Table {
    let mut table = Table::new(
        "Each run",
        &["run", "steps", "rows", "measure", "first", "last", "highest", "highest at step"],
    );
    for training in trainings {
        for column in shown.measures.iter().filter_map(|measure| training.log.column(measure.column)) {
            table.rows.push(vec![
                Cell::text(&training.name),
                Cell::number(Some(training.log.steps), 0),
                Cell::count(training.log.rows),
                Cell::text(column.name),
                Cell::number(column.first.map(|first| first.1), 3),
                Cell::number(column.last.map(|last| last.1), 3),
                Cell::number(column.highest.map(|highest| highest.1), 3),
                Cell::number(column.highest.map(|highest| highest.0), 0),
            ]);
        }
    }
    table
}

fn found(shown: &Shown, training: &Training) -> Value {
    let columns = shown.measures.iter().filter_map(|measure| training.log.column(measure.column));
    let measures = columns.map(|column| {
        json!({
            "measure": column.name,
            "first": column.first, "last": column.last, "highest": column.highest,
            "not_finite": column.not_finite.map_or(0, |(_, count)| count),
        })
    });
    json!({ "name": training.name, "group": training.group, "steps": training.log.steps, "rows": training.log.rows, "measures": measures.collect::<Vec<_>>() })
}

/// A curve a group; of several runs the interquartile mean and its band.
fn figure(
    shown: &Shown,
    trainings: &[Training],
    measure: &Measure,
    world: &str,
) -> Result<Option<Figure>, ChartError> {
    let mut drawn: Vec<(String, Vec<&Training>)> = Vec::new();
    for (group, members) in groups(trainings) {
        let compared = Compared::of(group, members);
        drawn.push((compared.label(), compared.together().to_vec()));
        // A run that ended early has a curve of its own, or it would end that of the others.
        drawn.extend(compared.apart().into_iter().map(|member| (member.name.clone(), vec![member])));
    }
    let mut banded = false;
    let mut curve = |index: usize, named: bool| {
        let (name, members) = &drawn[index];
        let of = |member: &&Training| {
            let column = member.log.column(measure.column).filter(|column| column.first.is_some());
            column.map(|column| logarithmic(shown, measure, column.clone()))
        };
        let columns: Vec<Column> = members.iter().filter_map(of).collect();
        match &columns[..] {
            [] => None,
            [one] => Some(one.curve.curve(name)),
            several => {
                banded |= named;
                Some(averaged(name, several, named))
            }
        }
    };
    let (curves, note): (Vec<Curve>, String) = if drawn.len() > CURVES {
        let ranks: Vec<Option<f64>> = drawn.iter().map(|(_, members)| rank(shown, members)).collect();
        picked(&ranks, &format!("the last {}", shown.measures[0].unit), curve)
    } else {
        ((0..drawn.len()).filter_map(|index| curve(index, true)).collect(), String::new())
    };
    let values = curves.iter().flat_map(|curve| {
        let band = curve.band.iter().flat_map(|&(_, low, high)| [low, high]);
        curve.points.iter().map(|point| point.1).chain(band)
    });
    let Some(y) = range(values) else { return Ok(None) };
    let end = trainings.iter().map(|training| training.log.steps).fold(1.0, f64::max);
    let labels = Labels { title: measure.title, x: "steps", y: measure.unit };
    let band = if banded {
        " Runs that differ only in the seed share a curve, their interquartile mean with its 95% bootstrap band (of fewer than six runs a band from the lowest to the highest), from where the last of them has a value to their end; those that ended early have curves of their own."
    } else if curves.iter().any(|curve| !curve.band.is_empty()) {
        " The band spans the least and the greatest value where several rows share a point."
    } else {
        ""
    };
    let caption = format!("{}{band}{note}", measure.caption);
    let world = if world.is_empty() { String::new() } else { format!("{world}-") };
    let draw = if is_logarithmic(shown, measure) { lines_over_log } else { lines };
    Figure::new(format!("{}-{world}{}", shown.kind, measure.column), caption, |size| {
        draw(&labels, 0.0..end, y.clone(), &curves, size)
    })
    .map(Some)
}

/// Errors of a drift span powers of ten.
fn is_logarithmic(shown: &Shown, measure: &Measure) -> bool {
    shown.less && measure.column == shown.measures[0].column
}

/// `column` with the logarithms of its values, where the measure is drawn that way.
fn logarithmic(shown: &Shown, measure: &Measure, mut column: Column) -> Column {
    if is_logarithmic(shown, measure) {
        column.curve = column.curve.log10();
    }
    column
}

/// How well the runs of a group end by the first measure, the higher the better.
fn rank(shown: &Shown, members: &[&Training]) -> Option<f64> {
    let last = |member: &&Training| Some(member.log.column(shown.measures[0].column)?.last?.1);
    let ends: Vec<f64> = members.iter().filter_map(last).collect();
    mean(&ends).map(|end| if shown.less { -end } else { end })
}

/// The interquartile mean of `columns`, where all of them have values; `banded` with its 95% band, of few columns
/// from the least to the greatest value.
fn averaged(name: &str, columns: &[Column], banded: bool) -> Curve {
    let ends = |pick: fn(&Column) -> Option<(f64, f64)>| columns.iter().filter_map(pick).map(|end| end.0);
    let start = ends(|column| column.first).fold(0.0, f64::max);
    let end = ends(|column| column.last).fold(f64::INFINITY, f64::min);
    let mut curve = Curve { name: name.to_owned(), ..Curve::default() };
    let mut stream = Resampled::Curves.stream();
    let points: Vec<Vec<(f64, f64)>> = columns.iter().map(|column| column.curve.points()).collect();
    // A divisor, so that the last point has one.
    let coarse = if columns.len() > MANY { GRID / 12 } else { 1 };
    for i in 0..=GRID {
        let x = start + (end - start) * i as f64 / GRID as f64;
        let at: Vec<f64> = points.iter().filter_map(|points| value_at(points, x)).collect();
        if let Some(mean) = interquartile_mean(&at).filter(|_| at.len() == columns.len() && start <= end) {
            curve.points.push((x, mean));
            // Between the points of its ends a band is drawn straight; of many runs it takes long.
            if banded && i % coarse == 0 {
                let ends = if at.len() < FEW {
                    quantile(&at, 0.0).zip(quantile(&at, 1.0))
                } else {
                    bootstrap_interval(&at, interquartile_mean, &mut stream).map(|ends| (ends.low, ends.high))
                };
                curve.band.extend(ends.map(|(low, high)| (x, low, high)));
            }
        }
    }
    curve
}

#[cfg(test)]
mod tests;
