//! Learning curves: one training, or several that differ in the seed alone.

use resonetics_numerics::stream::{Domain, Key, Stream};
use serde_json::{Value, json};

use crate::chart::{ChartError, Curve, Labels, lines, range};
use crate::read::log::{Column, Log};
use crate::report::{Cell, Figure, Part, Table, capitalised};
use crate::stats::Interval;
use crate::stats::bootstrap::bootstrap_interval;
use crate::stats::summary::{interquartile_mean, mean};

/// Steps at which the curves of several runs are compared.
const GRID: usize = 60;

/// Settings of which the answer speaks; the table has all.
const SAID: usize = 4;

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
    let groups = groups(trainings);
    let mut ends: Vec<Ends<'_>> = groups.iter().map(|(group, members)| ends(shown, group, members)).collect();
    if ends.len() > SAID {
        let sign = if shown.less { 1.0 } else { -1.0 };
        let key = |ends: &Ends<'_>| ends.last.map_or(f64::INFINITY, |last| sign * last);
        ends.sort_by(|a, b| key(a).total_cmp(&key(b)));
    }
    let mut answers: Vec<String> =
        ends.iter().take(SAID).map(|ends| answer(shown, ends, groups.len() > 1)).collect();
    if ends.len() > SAID {
        answers.insert(0, format!("Of {} settings those that end best:", ends.len()));
    }
    Ok(Part {
        question: shown.question.to_owned(),
        answer: capitalised(&answers.join(" ")),
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

/// Where runs that differ in the seed alone began and ended, by the column that counts.
struct Ends<'a> {
    group: &'a str,
    runs: usize,
    steps: f64,
    column: Option<&'static str>,
    /// Mean over the runs.
    first: Option<f64>,
    /// Mean over the runs.
    last: Option<f64>,
    /// 95% interval of the mean difference, each run with itself; `None` for one run.
    difference: Option<Interval>,
    /// The highest value of a single run, with its step.
    best: Option<(f64, f64)>,
}

fn ends<'a>(shown: &Shown, group: &'a str, members: &[&Training]) -> Ends<'a> {
    let columns: Vec<&Column> = members.iter().filter_map(|member| counting(shown, member)).collect();
    let both: Vec<(f64, f64)> =
        columns.iter().filter_map(|column| Some((column.first?.1, column.last?.1))).collect();
    let differences: Vec<f64> = both.iter().map(|(first, last)| last - first).collect();
    let mut stream = Stream::new(Key::new(0, Domain::Statistics, 6));
    let alone = columns.first().filter(|_| members.len() == 1);
    Ends {
        group,
        runs: members.len(),
        steps: members.iter().map(|member| member.log.steps).fold(0.0, f64::max),
        column: columns.first().map(|column| column.name),
        first: mean(&both.iter().map(|ends| ends.0).collect::<Vec<_>>()),
        last: mean(&both.iter().map(|ends| ends.1).collect::<Vec<_>>()),
        difference: bootstrap_interval(&differences, mean, &mut stream),
        best: alone.and_then(|column| column.highest).filter(|_| !shown.less),
    }
}

/// Only several runs say yes or no: one alone says what it did.
fn answer(shown: &Shown, ends: &Ends<'_>, name_it: bool) -> String {
    let Ends { group, runs, steps, .. } = ends;
    let place = if name_it { format!("{group}: ") } else { String::new() };
    let (Some(column), Some(first), Some(last)) = (ends.column, ends.first, ends.last) else {
        return format!("{place}in {steps:.0} steps nothing was measured that could say so.");
    };
    let measure = column.replace('_', " ");
    let went = if last > first {
        "rose"
    } else if last < first {
        "fell"
    } else {
        "stayed"
    };
    if let Some(Interval { low, high }) = ends.difference {
        let better = if shown.less { high < 0.0 } else { low > 0.0 };
        let worse = if shown.less { low > 0.0 } else { high < 0.0 };
        let word = match (better, worse) {
            (true, _) => "yes",
            (_, true) => "no",
            _ => "not shown",
        };
        return format!(
            "{place}{word}: over {runs} seeds {measure} {went} from {first:.3} to {last:.3} on average, by {:+.3} (95% {low:+.3} to {high:+.3}), in {steps:.0} steps.",
            last - first
        );
    }
    let best =
        ends.best.map_or_else(String::new, |(at, best)| format!(", the best {best:.2} at step {at:.0}"));
    format!("{place}{measure} {went} from {first:.3} to {last:.3} in {steps:.0} steps{best}.")
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
    let labels = Labels { title: &title, x: "steps", y: unit };
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

    /// Each run beside itself: of runs that start far apart it is still seen that all of them rose.
    #[test]
    fn seeds_together_say_yes_or_that_nothing_is_shown() {
        let answer = |ends: [(f64, f64); 3]| {
            let run = |(first, last)| training("one", "all", &[(1.0, first), (2.0, last)]);
            part(&ends.map(run)).unwrap().answer
        };
        assert_eq!(
            answer([(1.0, 3.0), (50.0, 53.0), (100.0, 104.0)]),
            "Yes: over 3 seeds greedy return rose from 50.333 to 53.333 on average, by +3.000 (95% +2.000 to +4.000), in 2 steps."
        );
        assert!(answer([(3.0, 1.0), (53.0, 50.0), (104.0, 100.0)]).starts_with("No: over 3 seeds"));
        let mixed = answer([(1.0, 3.0), (50.0, 48.0), (100.0, 101.0)]);
        assert!(mixed.starts_with("Not shown: over 3 seeds greedy return rose"), "{mixed}");
    }

    #[test]
    fn of_many_settings_the_best_are_named() {
        let sweep: Vec<_> = ["a", "b", "c", "d", "e", "f"]
            .into_iter()
            .zip([3.0, 1.0, 6.0, 2.0, 5.0, 4.0])
            .map(|(name, last)| training(name, name, &[(1.0, 0.0), (2.0, last)]))
            .collect();
        let answer = part(&sweep).unwrap().answer;
        let named: Vec<_> = answer.split(": greedy").map(|text| &text[text.len() - 1..]).collect();
        assert_eq!(named, ["c", "e", "f", "a", "."], "{answer}");
        assert!(answer.starts_with("Of 6 settings those that end best: c: greedy return rose"), "{answer}");
    }

    #[test]
    fn one_run_has_no_band_and_that_is_said() {
        let part = part(&[training("one", "all", &[(1.0, 2.0), (2.0, 5.0)])]).unwrap();
        assert_eq!(part.answer, "Greedy return rose from 2.000 to 5.000 in 2 steps.");
        assert!(part.sentences[0].contains("there is no interval"));
        assert!(!part.figures[0].wide.contains("<polygon"));
        assert_eq!(part.figures.len(), 1, "nothing is drawn of columns without values");
    }
}
