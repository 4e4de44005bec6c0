//! Learning curves: one training, or several that differ in the seed alone.

use resonetics_numerics::stream::{Domain, Key, Stream};
use serde_json::{Value, json};

use crate::chart::{ChartError, Corner, Curve, Labels, lines, range};
use crate::read::log::{Column, Log};
use crate::report::{Cell, Figure, Part, Table, capitalised};
use crate::stats::bootstrap::bootstrap_interval;
use crate::stats::summary::interquartile_mean;

/// Steps at which the curves of several runs are compared.
const GRID: usize = 60;

/// A training or a drift.
#[derive(Clone, Debug)]
pub struct Training {
    /// The run's name.
    pub name: String,
    /// The runs that differ in nothing but the seed share this.
    pub group: String,
    /// What was logged.
    pub log: Log,
}

/// What a report shows of a log.
struct Shown {
    question: &'static str,
    kind: &'static str,
    /// Columns that get a figure, with the unit of each; the first that has values is the one that counts.
    columns: &'static [(&'static str, &'static str)],
    /// How many of the columns say how well it goes.
    counting: usize,
    /// Whether less is better.
    less: bool,
}

const TRAINING: Shown = Shown {
    question: "Did the training learn?",
    kind: "training",
    columns: &[
        ("greedy_return", "return of an episode, greedy actions"),
        ("return_mean", "mean return of the last 100 episodes"),
        ("value_loss", "value loss (squared normalised return)"),
        ("entropy", "entropy of the policy, nats"),
    ],
    counting: 2,
    less: false,
};

const DRIFT: Shown = Shown {
    question: "Did the network follow the target that drifts?",
    kind: "drift",
    columns: &[
        ("gap_R", "squared error"),
        ("smoothed_risk", "smoothed risk (0 to 1)"),
        ("lr", "learning rate"),
    ],
    counting: 1,
    less: true,
};

/// What a report says of the trainings, of which there is at least one.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn part(trainings: &[Training]) -> Result<Part, ChartError> {
    said(&TRAINING, trainings)
}

/// What a report says of drift experiments, of which there is at least one.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn drift_part(drifts: &[Training]) -> Result<Part, ChartError> {
    said(&DRIFT, drifts)
}

fn said(shown: &Shown, trainings: &[Training]) -> Result<Part, ChartError> {
    let mut figures = Vec::new();
    for (column, unit) in shown.columns {
        figures.extend(figure(shown, trainings, column, unit)?);
    }
    let answers: Vec<String> =
        trainings.iter().map(|training| answer(shown, training, trainings.len() > 1)).collect();
    Ok(Part {
        question: shown.question.to_owned(),
        answer: answers.join(" "),
        sentences: remarks(trainings),
        figures,
        tables: vec![table(shown, trainings)],
        findings: json!({ "kind": shown.kind, "runs": trainings.iter().map(|training| found(shown, training)).collect::<Vec<_>>() }),
    })
}

/// The first column that counts and has values.
fn counting<'a>(shown: &Shown, training: &'a Training) -> Option<&'a Column> {
    let columns = shown.columns[..shown.counting].iter();
    columns.filter_map(|(name, _)| training.log.column(name)).find(|column| column.first.is_some())
}

fn answer(shown: &Shown, training: &Training, name_it: bool) -> String {
    let place = if name_it { format!("{}: ", training.name) } else { String::new() };
    let steps = training.log.steps;
    let column = counting(shown, training);
    let ends = column.and_then(|column| Some((column, column.first?, column.last?)));
    let Some((column, (_, first), (_, last))) = ends else {
        return format!("{place}in {steps:.0} steps nothing was measured that could say so.");
    };
    let better = if shown.less { last < first } else { last > first };
    let verb = if better { "Yes" } else { "No" };
    let best = column
        .highest
        .filter(|_| !shown.less)
        .map_or_else(String::new, |(at, best)| format!(", the best {best:.2} at step {at:.0}"));
    format!(
        "{place}{verb}: {} went from {first:.3} to {last:.3} in {steps:.0} steps{best}.",
        column.name.replace('_', " ")
    )
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
    for training in trainings {
        match groups.iter_mut().find(|(group, _)| *group == training.group) {
            Some((_, members)) => members.push(training),
            None => groups.push((&training.group, vec![training])),
        }
    }
    groups
}

fn table(shown: &Shown, trainings: &[Training]) -> Table {
    let mut table = Table::new(
        "Each run",
        &["run", "steps", "rows", "measure", "first", "last", "highest", "highest at step"],
    );
    for training in trainings {
        for column in shown.columns.iter().filter_map(|(name, _)| training.log.column(name)) {
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
    let measures = shown.columns.iter().filter_map(|(name, _)| training.log.column(name)).map(|column| {
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
    column: &str,
    unit: &str,
) -> Result<Option<Figure>, ChartError> {
    let (mut curves, mut banded) = (Vec::new(), false);
    for (group, members) in groups(trainings) {
        let of =
            |member: &&Training| member.log.column(column).filter(|column| column.first.is_some()).cloned();
        let columns: Vec<Column> = members.iter().filter_map(of).collect();
        match &columns[..] {
            [] => {}
            [one] => curves.push(one.curve.curve(group)),
            several => {
                banded = true;
                curves.push(averaged(group, several));
            }
        }
    }
    let values = curves.iter().flat_map(|curve| {
        let band = curve.band.iter().flat_map(|&(_, low, high)| [low, high]);
        curve.points.iter().map(|point| point.1).chain(band)
    });
    let Some(y) = range(values) else { return Ok(None) };
    let end = trainings.iter().map(|training| training.log.steps).fold(1.0, f64::max);
    let title = column.replace('_', " ");
    let labels = Labels {
        title: &title,
        x: "steps",
        y: unit,
        legend: if shown.less { Corner::UpperRight } else { Corner::LowerRight },
    };
    let band = if banded {
        " Runs that differ in the seed alone share a curve: their interquartile mean with its 95% bootstrap band."
    } else if curves.iter().any(|curve| !curve.band.is_empty()) {
        " The band spans the least and the greatest value where several rows share a point."
    } else {
        ""
    };
    let caption = format!("{} over the steps: {unit}.{band}", capitalised(&title));
    Figure::new(format!("{}-{column}", shown.kind), caption, |size| {
        lines(&labels, 0.0..end, y.clone(), &curves, size)
    })
    .map(Some)
}

/// The interquartile mean of `columns` with its 95% band, where all of them have values.
fn averaged(name: &str, columns: &[Column]) -> Curve {
    let ends = |pick: fn(&Column) -> Option<(f64, f64)>| columns.iter().filter_map(pick).map(|end| end.0);
    let start = ends(|column| column.first).fold(0.0, f64::max);
    let end = ends(|column| column.last).fold(f64::INFINITY, f64::min);
    let mut curve = Curve { name: name.to_owned(), ..Curve::default() };
    let mut stream = Stream::new(Key::new(0, Domain::Statistics, 5));
    let points: Vec<Vec<(f64, f64)>> = columns.iter().map(|column| column.curve.points()).collect();
    for i in 0..=GRID {
        let x = start + (end - start) * i as f64 / GRID as f64;
        let at: Vec<f64> = points.iter().filter_map(|points| value_at(points, x)).collect();
        if let Some(mean) = interquartile_mean(&at).filter(|_| at.len() == columns.len() && start <= end) {
            curve.points.push((x, mean));
            if let Some(interval) = bootstrap_interval(&at, interquartile_mean, &mut stream) {
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
mod tests {
    use super::*;

    fn training(name: &str, group: &str, values: &[(f64, f64)]) -> Training {
        let mut column = Column { name: "greedy_return", ..Column::default() };
        for &(x, y) in values {
            column.curve.add(x, y);
            column.first.get_or_insert((x, y));
            column.last = Some((x, y));
        }
        let steps = values.last().map_or(0.0, |last| last.0);
        Training {
            name: name.to_owned(),
            group: group.to_owned(),
            log: Log { rows: values.len() as u64, steps, columns: vec![column] },
        }
    }

    /// Four runs of different length: the mean ends with the shortest, and its value is by hand.
    #[test]
    fn several_seeds_share_a_curve() {
        let run = |height: f64, end: f64| {
            training("one", "all", &[(100.0, height), (200.0, 2.0 * height), (end, 2.0 * height)])
        };
        let runs = [run(1.0, 300.0), run(2.0, 400.0), run(3.0, 300.0), run(100.0, 900.0)];
        let columns: Vec<Column> = runs.iter().map(|run| run.log.columns[0].clone()).collect();
        let curve = averaged("all", &columns);
        assert_eq!((curve.points[0], curve.points[GRID]), ((100.0, 2.5), (300.0, 5.0)));
        assert_eq!(curve.band[0], (100.0, 1.0, 100.0));
        let part = part(&runs).unwrap();
        assert!(part.sentences[0].contains("300 to 900 steps"), "{:?}", part.sentences);
        assert!(part.figures[0].caption.contains("interquartile mean"));
    }

    #[test]
    fn one_run_has_no_band_and_that_is_said() {
        let part = part(&[training("one", "all", &[(1.0, 2.0), (2.0, 5.0)])]).unwrap();
        assert!(part.answer.starts_with("Yes: greedy return went from 2.000 to 5.000"), "{}", part.answer);
        assert!(part.sentences[0].contains("there is no interval"));
        assert!(!part.figures[0].wide.contains("<polygon"));
        assert_eq!(part.figures.len(), 1, "nothing is drawn of columns without values");
    }
}
