//! The part of a report about trainings: learning curves of one, or of several that differ only in the seed.

mod answer;
mod compared;
mod drift;

use std::collections::HashMap;

use serde_json::{Value, json};

use self::answer::answers;
use self::compared::Compared;
use crate::chart::{CURVES, ChartError, Curve, Labels, lines, lines_over_log, picked, range};
use crate::read::log::{Column, Log, SAMPLED};
use crate::report::{Cell, Figure, Part, Table, some_of};
use crate::stats::FEW;
use crate::stats::bootstrap::{Resampled, bootstrap_interval};
use crate::stats::summary::{interquartile_mean, mean, quantile};
use crate::thinned::Thinned;

/// Steps at which the curves of several runs are compared.
const GRID: usize = 60;

/// A training or a drift.
#[derive(Clone, Debug, Default)]
pub struct Training {
    /// The run's name.
    pub name: String,
    /// The runs that differ in nothing but the seed share this.
    pub group: String,
    /// The environment it was trained in; empty where that is not known. Returns of different ones are
    /// not drawn on one axis.
    pub world: String,
    /// What was logged.
    pub log: Log,
    /// Steps that it was to have; `None` where that is not known.
    pub planned: Option<f64>,
    /// What there is to say of one that is not whole.
    pub unfinished: Option<String>,
    /// Whether its settings let it learn nothing.
    pub fixed: bool,
    /// Its seed, where that is known: runs of one group with the same seed are copies of one run.
    pub seed: Option<String>,
}

/// Of more trainings than this a curve keeps [`COARSE`] points, and those that no figure shows none.
const MANY: usize = 100;
const COARSE: usize = 128;

impl Training {
    /// Leaves of its curves what is drawn when there are `count` of them.
    #[must_use]
    pub fn bounded(mut self, count: usize) -> Training {
        let drawn =
            |name: &str| TRAINING.measures.iter().chain(DRIFT.measures).any(|measure| measure.column == name);
        for column in self.log.columns.iter_mut().filter(|_| count > MANY) {
            if drawn(column.name) { column.curve.coarsen(COARSE) } else { column.curve = Thinned::default() }
        }
        self
    }
}

/// A column that gets a figure.
struct Measure {
    column: &'static str,
    title: &'static str,
    unit: &'static str,
    /// What it is and what to look for.
    caption: &'static str,
}

/// What a report shows of a log.
struct Shown {
    question: &'static str,
    kind: &'static str,
    /// The first says how well it goes.
    measures: &'static [Measure],
    /// Whether less is better.
    less: bool,
}

const TRAINING: Shown = Shown {
    question: "Did the training learn?",
    kind: "training",
    measures: &[
        Measure {
            column: "return_mean",
            title: "Return while training",
            unit: "mean return of up to 100 episodes",
            caption: "Mean return of the last 100 training episodes, or of as many as have ended: it rises while the policy learns and levels off when it has.",
        },
        Measure {
            column: SAMPLED,
            title: "Return with sampled actions",
            unit: "mean return of an episode",
            caption: "Mean return of episodes that are not trained on, with actions drawn as in training: before the first update, and later on.",
        },
        Measure {
            column: "greedy_return",
            title: "Return with greedy actions",
            unit: "return of an episode",
            caption: "Return when the likeliest action is always taken, measured now and then on episodes that are not trained on.",
        },
        Measure {
            column: "value_loss",
            title: "Value loss",
            unit: "squared normalised return",
            caption: "Squared error of the value network, in normalised returns: small once it knows what to expect.",
        },
        Measure {
            column: "entropy",
            title: "Entropy of the policy",
            unit: "entropy, nats",
            caption: "How undecided the policy is: 0 always takes the same action, the logarithm of the number of actions guesses.",
        },
    ],
    less: false,
};

const DRIFT: Shown = Shown {
    question: "Did the network follow the target that drifts?",
    kind: "drift",
    measures: &[
        Measure {
            column: "gap_R",
            title: "Error (gap R)",
            unit: "squared error",
            caption: "Squared distance between the network and the target that drifts away from it, on a logarithmic scale. Each quarter of the target is another kind of wave, of another size: errors are to be compared with the variance of the quarter.",
        },
        Measure {
            column: "smoothed_risk",
            title: "Smoothed risk",
            unit: "risk (0 to 1)",
            caption: "The risk that the predictor sees, smoothed; the learning rate listens to it.",
        },
        Measure {
            column: "lr",
            title: "Learning rate",
            unit: "learning rate",
            caption: "The learning rate that follows from the risk.",
        },
    ],
    less: true,
};

/// What a report says of the trainings, of which there is at least one: a part an environment.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn parts(trainings: &[Training]) -> Result<Vec<Part>, ChartError> {
    let mut worlds: Vec<&str> = Vec::new();
    for training in trainings {
        if !worlds.contains(&training.world.as_str()) {
            worlds.push(&training.world);
        }
    }
    let one = worlds.len() == 1;
    let part = |world: &str| {
        if one {
            return said(&TRAINING, trainings, "");
        }
        let of_world: Vec<Training> =
            trainings.iter().filter(|training| training.world == world).cloned().collect();
        said(&TRAINING, &of_world, world)
    };
    worlds.into_iter().map(part).collect()
}

/// What a report says of drift experiments, of which there is at least one.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn drift_part(drifts: &[Training]) -> Result<Part, ChartError> {
    said(&DRIFT, drifts, "")
}

/// `world` is named where there are several.
fn said(shown: &Shown, trainings: &[Training], world: &str) -> Result<Part, ChartError> {
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
    Ok(Part {
        question: format!("{}{place}", shown.question),
        answer,
        sentences: remarks(shown, &groups, trainings),
        figures,
        words: &[],
        tables,
        findings: json!({
            "kind": shown.kind,
            "world": world,
            "groups": of_groups,
            "runs": trainings.iter().map(|training| found(shown, training)).collect::<Vec<_>>(),
        }),
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
            "Mean returns begin where long episodes have ended too: before that they would be of those that were lost early ({names})."
        ));
    }
    if let Some(names) = named(&|training| training.fixed) {
        remarks.push(format!(
            "With a learning rate of 0 nothing is learned: what changed did so by chance ({names})."
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

/// The first of `names`, and how many more there are.
fn listed(names: &[&str]) -> String {
    match names {
        [first, second, _, others @ ..] if !others.is_empty() => {
            format!("{first}, {second} and {} more", others.len() + 1)
        }
        _ => names.join(", "),
    }
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
        " Runs that differ in the seed alone share a curve, their interquartile mean with its 95% bootstrap band (of fewer than six runs a band from the lowest to the highest), from where the last of them has a value to their end; those that ended early have curves of their own."
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

/// The value at `x` on the line between the finite points beside it, as a single run is drawn; that of the
/// first or last point beyond them.
fn value_at(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let place = points.partition_point(|(at, _)| *at <= x);
    let is_finite = |point: &&(f64, f64)| point.1.is_finite();
    let before = points[..place].iter().rev().find(is_finite);
    let after = points[place..].iter().find(is_finite);
    match (before, after) {
        (Some(&(from, low)), Some(&(to, high))) => Some(low + (high - low) * (x - from) / (to - from)),
        (one, other) => one.or(other).map(|point| point.1),
    }
}

#[cfg(test)]
mod tests;
