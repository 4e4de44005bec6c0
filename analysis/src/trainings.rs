//! Learning curves: one training, or several that differ in the seed alone.

mod answer;

use std::collections::HashMap;

use serde_json::{Value, json};

use self::answer::answers;
use crate::chart::{CURVES, ChartError, Curve, Labels, lines, picked, range};
use crate::read::log::{Column, Log};
use crate::report::{Cell, Figure, Part, Table};
use crate::stats::bootstrap::{Resampled, bootstrap_interval};
use crate::stats::summary::{interquartile_mean, mean};
use crate::thinned::Thinned;

/// Steps at which the curves of several runs are compared.
const GRID: usize = 60;

/// A training or a drift.
#[derive(Clone, Debug)]
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
            unit: "mean return of 100 episodes",
            caption: "Mean return of the last 100 training episodes: it rises while the policy learns and levels off when it has.",
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
            caption: "Squared distance between the network and the target that drifts away from it.",
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
    Ok(Part {
        question: format!("{}{place}", shown.question),
        answer: answers(shown, &groups(trainings)),
        sentences: remarks(trainings),
        figures,
        words: &[],
        tables: vec![table(shown, trainings)],
        findings: json!({
            "kind": shown.kind,
            "world": world,
            "runs": trainings.iter().map(|training| found(shown, training)).collect::<Vec<_>>(),
        }),
    })
}

fn remarks(trainings: &[Training]) -> Vec<String> {
    let mut remarks = Vec::new();
    for (group, members) in groups(trainings) {
        if members.len() == 1 {
            remarks.push(format!(
                "{group}: one run, so there is no interval: another seed may do better or worse."
            ));
            continue;
        }
        let ends: Vec<f64> = members.iter().map(|member| member.log.steps).collect();
        let (short, long) =
            ends.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &end| (low.min(end), high.max(end)));
        if short < long {
            remarks.push(format!("{group}: the runs have {short:.0} to {long:.0} steps; the mean and its band end where the shortest ends."));
        }
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

/// A curve a group; of several runs the interquartile mean and its 95% band.
fn figure(
    shown: &Shown,
    trainings: &[Training],
    measure: &Measure,
    world: &str,
) -> Result<Option<Figure>, ChartError> {
    let mut banded = false;
    let groups = groups(trainings);
    let mut curve = |index: usize, named: bool| {
        let (group, members) = &groups[index];
        let of = |member: &&Training| {
            member.log.column(measure.column).filter(|column| column.first.is_some()).cloned()
        };
        let columns: Vec<Column> = members.iter().filter_map(of).collect();
        match &columns[..] {
            [] => None,
            [one] => Some(one.curve.curve(group)),
            several => {
                banded |= named;
                Some(averaged(group, several, named))
            }
        }
    };
    let (curves, note): (Vec<Curve>, String) = if groups.len() > CURVES {
        let ranks: Vec<Option<f64>> = groups.iter().map(|(_, members)| rank(shown, members)).collect();
        picked(&ranks, &format!("the last {}", shown.measures[0].unit), curve)
    } else {
        ((0..groups.len()).filter_map(|index| curve(index, true)).collect(), String::new())
    };
    let values = curves.iter().flat_map(|curve| {
        let band = curve.band.iter().flat_map(|&(_, low, high)| [low, high]);
        curve.points.iter().map(|point| point.1).chain(band)
    });
    let Some(y) = range(values) else { return Ok(None) };
    let end = trainings.iter().map(|training| training.log.steps).fold(1.0, f64::max);
    let labels = Labels { title: measure.title, x: "steps", y: measure.unit };
    let band = if banded {
        " Runs that differ in the seed alone share a curve, their interquartile mean with its 95% bootstrap band, from where the last of them has a value to where the first of them ends."
    } else if curves.iter().any(|curve| !curve.band.is_empty()) {
        " The band spans the least and the greatest value where several rows share a point."
    } else {
        ""
    };
    let caption = format!("{}{band}{note}", measure.caption);
    let world = if world.is_empty() { String::new() } else { format!("{world}-") };
    Figure::new(format!("{}-{world}{}", shown.kind, measure.column), caption, |size| {
        lines(&labels, 0.0..end, y.clone(), &curves, size)
    })
    .map(Some)
}

/// How well the runs of a group end by the first measure, the higher the better.
fn rank(shown: &Shown, members: &[&Training]) -> Option<f64> {
    let last = |member: &&Training| Some(member.log.column(shown.measures[0].column)?.last?.1);
    let ends: Vec<f64> = members.iter().filter_map(last).collect();
    mean(&ends).map(|end| if shown.less { -end } else { end })
}

/// The interquartile mean of `columns`, where all of them have values, `banded` with its 95% band.
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
            if banded
                && i % coarse == 0
                && let Some(interval) = bootstrap_interval(&at, interquartile_mean, &mut stream)
            {
                curve.band.push((x, interval.low, interval.high));
            }
        }
    }
    curve
}

/// The last finite value at or before `x`.
fn value_at(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let until = points.partition_point(|(at, _)| *at <= x);
    points[..until].iter().rev().map(|(_, value)| *value).find(|value| value.is_finite())
}

#[cfg(test)]
mod tests;
