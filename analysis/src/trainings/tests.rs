use super::*;

fn training(name: &str, group: &str, values: &[(f64, f64)]) -> Training {
    let mut column = Column { name: "return_mean", ..Column::default() };
    for &(x, y) in values {
        column.curve.add(x, y);
        column.first.get_or_insert((x, y));
        column.last = Some((x, y));
    }
    let steps = values.last().map_or(0.0, |last| last.0);
    Training {
        name: name.to_owned(),
        group: group.to_owned(),
        world: String::new(),
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
    let curve = averaged("all", &columns, true);
    assert_eq!((curve.points[0], curve.points[GRID]), ((100.0, 2.5), (300.0, 5.0)));
    assert_eq!(curve.band[0], (100.0, 1.0, 100.0));
    let part = &parts(&runs).unwrap()[0];
    assert!(part.sentences[0].contains("300 to 900 steps"), "{:?}", part.sentences);
    assert!(part.figures[0].caption.contains("interquartile mean"));
}

/// Each run beside itself: of runs that start far apart it is still seen that all of them rose.
#[test]
fn seeds_together_say_yes_or_that_nothing_is_shown() {
    let answer = |ends: [(f64, f64); 3]| {
        let run = |(first, last)| training("one", "all", &[(1.0, first), (2.0, last)]);
        parts(&ends.map(run)).unwrap().remove(0).answer
    };
    assert_eq!(
        answer([(1.0, 3.0), (50.0, 53.0), (100.0, 104.0)]),
        "Yes: over 3 seeds the mean return of 100 episodes rose from 50.33 to 53.33 on average, by +3.00 (95% +2.00 to +4.00), in 2 steps."
    );
    assert!(answer([(3.0, 1.0), (53.0, 50.0), (104.0, 100.0)]).starts_with("No: over 3 seeds"));
    let mixed = answer([(1.0, 3.0), (50.0, 48.0), (100.0, 101.0)]);
    assert!(mixed.starts_with("Not shown: over 3 seeds the mean"), "{mixed}");
}

#[test]
fn of_many_settings_the_best_are_named() {
    let sweep: Vec<_> = ["a", "b", "c", "d", "e", "f"]
        .into_iter()
        .zip([3.0, 1.0, 6.0, 2.0, 5.0, 4.0])
        .map(|(name, last)| training(name, name, &[(1.0, 0.0), (2.0, last)]))
        .collect();
    let answer = parts(&sweep).unwrap().remove(0).answer;
    let named: Vec<_> = answer.split(": the mean").map(|text| &text[text.len() - 1..]).collect();
    assert_eq!(named, ["c", "e", "f", "a", "."], "{answer}");
    assert!(
        answer.starts_with("Of 6 settings those that end best: c: the mean return of 100 episodes rose"),
        "{answer}"
    );
}

#[test]
fn one_run_has_no_band_and_that_is_said() {
    let part = &parts(&[training("one", "all", &[(1.0, 2.0), (2.0, 5.0)])]).unwrap()[0];
    assert_eq!(part.answer, "The mean return of 100 episodes rose from 2.00 to 5.00 in 2 steps.");
    assert!(part.sentences[0].contains("there is no interval"));
    assert!(!part.figures[0].wide.contains("<polygon"));
    assert_eq!(part.figures.len(), 1, "nothing is drawn of columns without values");
}

/// One value says nothing of learning, and one that never moves is no fall.
#[test]
fn one_value_is_no_answer() {
    let answer = |values: &[(f64, f64)]| parts(&[training("one", "all", values)]).unwrap().remove(0).answer;
    assert_eq!(
        answer(&[(5.0, 3.0)]),
        "That cannot be said: in 5 steps the mean return of 100 episodes was not measured twice."
    );
    assert!(answer(&[(1.0, 3.0), (5.0, 3.0)]).contains(" stayed at 3.00 in 5 steps"));
}

/// By hand: 0.1 at first, 0.9 in the middle, 0.3 in the last quarter; single values at the ends do not
/// count.
#[test]
fn a_drift_is_judged_by_its_quarters() {
    let mut values: Vec<(f64, f64)> = (0..=100)
        .map(|i| match i {
            0..=25 => (f64::from(i), 0.1),
            26..75 => (f64::from(i), 0.9),
            _ => (f64::from(i), 0.3),
        })
        .collect();
    // The ends are far off, their neighbours as far to the other side.
    (values[0].1, values[1].1, values[99].1, values[100].1) = (0.15, 0.05, 0.5, 0.1);
    let mut drift = training("one", "all", &values);
    drift.log.columns[0].name = "gap_R";
    let answer = drift_part(&[drift]).unwrap().answer;
    assert_eq!(
        answer,
        "The squared error rose from 0.1000 in the first quarter to 0.3000 in the last in 100 steps."
    );
}

/// Returns of a garden are thousands, those of a cluster tens: each has its own axis.
#[test]
fn worlds_have_parts_of_their_own() {
    let run = |world: &str, last| Training {
        world: world.to_owned(),
        ..training(world, world, &[(1.0, 1.0), (2.0, last)])
    };
    let parts = parts(&[run("k8s", 50.0), run("gardener", 9000.0), run("k8s", 55.0)]).unwrap();
    let told: Vec<_> =
        parts.iter().map(|part| (part.question.as_str(), part.figures[0].name.as_str())).collect();
    assert_eq!(
        told,
        [
            ("Did the training learn? (k8s)", "training-k8s-return_mean"),
            ("Did the training learn? (gardener)", "training-gardener-return_mean")
        ]
    );
    assert!(!parts[0].figures[0].wide.contains("9000") && parts[1].figures[0].wide.contains("8000"));
}
