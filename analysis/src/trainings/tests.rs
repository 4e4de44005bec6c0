#![allow(clippy::disallowed_methods)] // libm is the oracle

use super::*;
use crate::read::log::{Log, SAMPLED};

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
        log: Log { rows: values.len() as u64, steps, columns: vec![column], ..Log::default() },
        ..Training::default()
    }
}

/// The mean of four seeds, and its band, by hand.
#[test]
fn several_seeds_share_a_curve() {
    let run = |height: f64| {
        training("one", "all", &[(100.0, height), (200.0, 2.0 * height), (300.0, 2.0 * height)])
    };
    let runs = [1.0, 2.0, 3.0, 100.0].map(run);
    let columns: Vec<Column> = runs.iter().map(|run| run.log.columns[0].clone()).collect();
    let curve = averaged("all", &columns, true);
    assert_eq!((curve.points[0], curve.points[GRID]), ((100.0, 2.5), (300.0, 5.0)));
    // Between two points as on the line that a single run is drawn with, not as stairs.
    assert_eq!(curve.points[GRID / 4], (150.0, 3.75));
    assert_eq!(curve.band[0].0, 100.0);
    let part = &parts(&runs, None).unwrap()[0];
    assert!(part.figures[0].caption.contains("interquartile mean"));
}

/// Three seeds to 100,000 steps and one stopped at 8,000, by hand: 60.2 is the mean of the three that are
/// whole, 14.25 what all four had at 8,000. One crashed seed ends nobody's curve.
#[test]
fn runs_of_unequal_length_are_compared_where_they_can_be() {
    let line = |end: f64, from: f64, to: f64| {
        let point = |i: u32| {
            let x = 1000.0 * f64::from(i);
            (x, from + (to - from) * (x - 1000.0) / (end - 1000.0))
        };
        (1..=(end / 1000.0) as u32).map(point).collect::<Vec<_>>()
    };
    let whole = |name: &str, last: f64| {
        // 14.2 at 8,000.
        let (mut early, late) = (line(8000.0, 10.7, 14.2), line(100_000.0, 0.0, last));
        early.extend(late.into_iter().skip(8));
        Training { planned: Some(40_960.0), ..training(name, "4 runs", &early) }
    };
    let s4 = Training { planned: Some(40_960.0), ..training("s4", "4 runs", &line(8000.0, 10.9, 14.4)) };
    let runs = [whole("s1", 60.1), whole("s2", 60.2), whole("s3", 60.3), s4.clone()];
    let part = &parts(&runs, None).unwrap()[0];
    assert!(
        part.answer.starts_with("Yes: over 3 seeds, those of 4 that are complete, the mean return of 100 episodes rose from 10.70 to 60.20 on average, by +49.50 (95% ")
            && part.answer.ends_with("), in 100,000 steps."),
        "{}",
        part.answer
    );
    assert_eq!(
        part.sentences[0],
        "4 runs: the runs have 8,000 to 100,000 steps; the mean and its band are of those that are complete; at 8,000 steps, where all 4 are, return_mean is 14.25 on average."
    );
    assert!(part.figures[0].wide.contains("3 of 4 runs") && !part.figures[0].wide.contains("\n4 runs\n"));
    // Nobody knows what was to be, or the others went as far as they were to: they are the longest, no more.
    let unplanned = runs.clone().map(|run| Training { planned: None, ..run });
    let beyond = runs.clone().map(|run| Training { planned: Some(5000.0), ..run });
    for part in [&parts(&unplanned, None).unwrap()[0], &parts(&beyond, None).unwrap()[0]] {
        assert!(
            part.answer.contains("over 3 seeds, those of 4 that went furthest, the mean"),
            "{}",
            part.answer
        );
        assert!(
            part.sentences[0].contains("are of those that went furthest; at 8,000"),
            "{}",
            part.sentences[0]
        );
    }
    let compared = Compared::of("all", runs.iter().collect());
    assert_eq!(compared.apart()[0].name, "s4");
    assert_eq!(compared.together().len(), 3);
    // One whole run says nothing of seeds: both as far as both go, and each has a curve of its own.
    let two = &parts(&[whole("s1", 60.1), s4.clone()], None).unwrap()[0];
    assert!(two.answer.contains("over 2 seeds, where the shortest ends, the mean return of 100 episodes rose from 10.80 to 14.30 on average"), "{}", two.answer);
    assert!(two.answer.ends_with(" in 8,000 steps."), "{}", two.answer);
    assert!(!two.figures[0].wide.contains("<polygon"));
    assert!(
        two.sentences[0].contains(" steps; fewer than two are complete, so each"),
        "{}",
        two.sentences[0]
    );
    for planned in [None, Some(5000.0)] {
        let two = [whole("s1", 60.1), s4.clone()].map(|run| Training { planned, ..run });
        let remark = &parts(&two, None).unwrap()[0].sentences[0];
        assert!(remark.contains(" steps; only one went furthest, so each"), "{remark}");
    }
    // None of two that were killed at the same step is whole.
    let killed =
        |name: &str| Training { planned: Some(9e9), ..training(name, "all", &line(8000.0, 1.0, 2.0)) };
    let pair = [killed("a"), killed("b")];
    let killed = Compared::of("all", pair.iter().collect());
    assert_eq!((killed.runs().len(), killed.until(), killed.choice()), (2, 8000.0, String::new()));
}

/// Each run beside itself: of runs that start far apart it is still seen that all of them rose.
#[test]
fn seeds_together_say_yes_or_that_nothing_is_shown() {
    let answer = |ends: [(f64, f64); 3]| {
        let run = |(first, last)| training("one", "all", &[(1.0, first), (2.0, last)]);
        parts(&ends.map(run), None).unwrap().remove(0).answer
    };
    assert_eq!(
        answer([(1.0, 3.0), (50.0, 53.0), (100.0, 104.0)]),
        "Yes: over 3 seeds the mean return of 100 episodes rose from 50.33 to 53.33 on average, by +3.00 (95% +0.52 to +5.48), in 2 steps."
    );
    assert!(answer([(3.0, 1.0), (53.0, 50.0), (104.0, 100.0)]).starts_with("No: over 3 seeds"));
    let mixed = answer([(1.0, 3.0), (50.0, 48.0), (100.0, 101.0)]);
    assert!(mixed.starts_with("Not shown: over 3 seeds the mean"), "{mixed}");
}

/// scipy 1.17.1: `ttest_1samp(gains, 0).confidence_interval()`: gains of 2 and 8, and of 1, 2 and 9.
#[test]
fn few_seeds_are_told_with_the_interval_that_they_have() {
    let answer = |group: &str, gains: &[f64]| -> Vec<Training> {
        gains.iter().map(|gain| training("one", group, &[(1.0, 20.0), (2.0, 20.0 + gain)])).collect()
    };
    let told = |runs: &[Training]| parts(runs, None).unwrap().remove(0).answer;
    let two = told(&answer("all", &[2.0, 8.0]));
    assert!(
        two.starts_with("Not shown: over 2 seeds") && two.contains("+5.00 (95% -33.12 to +43.12)"),
        "{two}"
    );
    let three = told(&answer("all", &[1.0, 2.0, 9.0]));
    assert!(
        three.starts_with("Not shown: over 3 seeds") && three.contains("+4.00 (95% -6.83 to +14.83)"),
        "{three}"
    );
    let alike = told(&answer("all", &[5.0, 5.0, 5.0]));
    assert!(alike.starts_with("Not shown: over 3 seeds") && !alike.contains("95%"), "{alike}");
    // Two settings are two chances for a yes: t.ppf(1 - 0.025 / 2, 2) = 6.205.
    let both = told(&[answer("x", &[2.0, 3.0, 4.0]), answer("y", &[2.0, 3.0, 4.0])].concat());
    assert!(
        both.starts_with("x: not shown: over 3 seeds")
            && both.contains("(95% for 2 settings at once, -0.58 to +6.58)"),
        "{both}"
    );
}

#[test]
fn of_many_settings_the_best_are_named() {
    let sweep: Vec<_> = ["a", "b", "c", "d", "e", "f"]
        .into_iter()
        .zip([3.0, 1.0, 6.0, 2.0, 5.0, 4.0])
        .map(|(name, last)| training(name, name, &[(1.0, 0.0), (2.0, last)]))
        .collect();
    let answer = parts(&sweep, None).unwrap().remove(0).answer;
    let named: Vec<_> = answer.split(": the mean").map(|text| &text[text.len() - 1..]).collect();
    assert_eq!(named, ["c", "e", "f", "a", "."], "{answer}");
    assert!(
        answer.starts_with("Of 6 settings those that end best: c: the mean return of 100 episodes rose"),
        "{answer}"
    );
}

#[test]
fn one_run_has_no_band_and_that_is_said() {
    let part = &parts(&[training("one", "all", &[(1.0, 2.0), (2.0, 5.0)])], None).unwrap()[0];
    assert_eq!(part.answer, "The mean return of 100 episodes rose from 2.00 to 5.00 in 2 steps.");
    assert!(part.sentences[0].contains("there is no interval"));
    assert!(!part.figures[0].wide.contains("<polygon"));
    assert_eq!(part.figures.len(), 1, "nothing is drawn of columns without values");
}

/// One value says nothing of learning, and one that never moves is no fall.
#[test]
fn one_value_is_no_answer() {
    let answer =
        |values: &[(f64, f64)]| parts(&[training("one", "all", values)], None).unwrap().remove(0).answer;
    assert_eq!(
        answer(&[(5.0, 3.0)]),
        "That cannot be said of the mean return of 100 episodes in 5 steps: it was not measured twice."
    );
    assert!(answer(&[(1.0, 3.0), (5.0, 3.0)]).contains(" stayed at 3.00 in 5 steps"));
}

/// The target of RULES section 3, without noise, in four quarters, by this test's own hand.
fn target(step: u32, total: u32) -> f64 {
    let s = f64::from(step);
    match 4 * step / total {
        0 => (0.1 * s).sin(),
        1 if (step / 20).is_multiple_of(2) => 1.0,
        1 => -1.0,
        2 => 0.5 * (0.02 * s).sin() * (0.006 * s).cos() + 0.5 * (0.002 * s).sin(),
        _ => 0.3 * (0.01 * s).sin() + 0.2 * (0.005 * s).cos(),
    }
}

fn drift(name: &str, steps: u32, says: impl Fn(u32, f64) -> f64) -> Training {
    let (mut gap, mut to_follow) =
        (Column { name: "gap_R", ..Column::default() }, Column { name: "target", ..Column::default() });
    for step in 0..steps {
        let target = target(step, 2000);
        let error = (says(step, target) - target).powi(2);
        gap.curve.add(f64::from(step), error);
        gap.first.get_or_insert((f64::from(step), error));
        gap.last = Some((f64::from(step), error));
        to_follow.curve.add(f64::from(step), target);
    }
    let log = Log { rows: 1, steps: f64::from(steps - 1), columns: vec![gap, to_follow], ..Log::default() };
    Training {
        name: name.to_owned(),
        group: "all".to_owned(),
        log,
        planned: Some(2000.0),
        ..Training::default()
    }
}

/// Each quarter beside the variance of its own target: a network that says the same always follows nothing,
/// though its error falls from the second quarter on because the target does.
#[test]
fn a_drift_is_judged_by_the_variance_of_each_quarter() {
    let answer = |drifts: &[Training]| drift_part(drifts).unwrap().answer;
    let zero = answer(&[drift("zero", 2000, |_, _| 0.0)]);
    assert!(zero.starts_with("No: no quarter had a squared error below half the variance of the quarter's target; worst is the third quarter, at "), "{zero}");
    let near = answer(&[drift("near", 2000, |_, target| 0.9 * target)]);
    assert!(near.starts_with("Yes: each quarter had"), "{near}");
    let late = answer(&[drift("late", 2000, |step, target| if step < 500 { 0.0 } else { target })]);
    assert!(late.starts_with("Only in part: only the second and third and fourth quarters had"), "{late}");
    assert!(late.contains("worst is the first quarter, at 1.0"), "{late}");
    // Half of it and nothing more is known of the rest; of the target nothing at all.
    let stopped = answer(&[drift("stopped", 1000, |_, target| target)]);
    assert!(stopped.starts_with("Yes, as far as it went: the first and second quarters had"), "{stopped}");
    let mut silent = drift("silent", 2000, |_, _| 0.0);
    silent.log.columns.truncate(1);
    assert!(answer(&[silent]).starts_with("That cannot be said: the log does not contain the target"));
    // The target is told; that there is too little of it, or of the error, is another thing.
    let mut lost = drift("nan", 2000, |_, _| 0.0);
    lost.log.columns[0] = Column { name: "gap_R", ..Column::default() };
    assert_eq!(answer(&[lost]), "That cannot be said: no error in the log is a number.");
    let mut one = drift("one", 1, |_, _| 0.0);
    one.log.columns[1].first = Some((0.0, 0.0));
    assert_eq!(
        answer(&[one]),
        "That cannot be said: the log has too few rows to tell how the target varies."
    );
    // The figure has powers of ten.
    let part = drift_part(&[drift("zero", 2000, |_, _| 0.0)]).unwrap();
    assert_eq!(part.figures[0].name, "drift-gap_R");
    assert!(part.figures[0].wide.contains("\n0.01\n") && part.figures[0].wide.contains("\n1\n"));
}

/// Over seeds it is the interval that is judged. By hand: saying 0.9 and 0.5 of the target, errors are 0.01 and
/// 0.25 of its mean square, which in the third quarter is 2.347 times its variance, so that their mean is 0.31, and
/// the upper end t.ppf(0.975, 1) = 12.706 standard errors of 0.28 above it.
#[test]
fn a_drift_of_several_seeds_says_no_more_than_its_intervals() {
    let of = |name: &str, says: f64| drift(name, 2000, move |_, target| says * target);
    let told = |drifts: &[Training]| drift_part(drifts).unwrap();
    let apart = told(&[of("a", 0.9), of("b", 0.5)]);
    assert!(
        apart.answer.starts_with("Not shown: over 2 seeds each quarter had")
            && apart.answer.contains("0.31 times the variance (95% 0.00 to 3.88)"),
        "{}",
        apart.answer
    );
    assert_eq!(apart.findings["groups"][0]["verdict"], "not shown");
    let near = told(&[of("a", 0.9), of("b", 0.91), of("c", 0.92)]).answer;
    assert!(near.starts_with("Yes: over 3 seeds each quarter had"), "{near}");
    let far = told(&[of("a", 0.0), of("b", 0.01), of("c", 0.02)]).answer;
    assert!(far.starts_with("No: over 3 seeds no quarter had"), "{far}");
    // What the longer one did where the shorter had ended already is no part of it.
    let long = drift("long", 2000, |step, target| if step < 1200 { 0.9 * target } else { 9.0 });
    let short = drift("short", 1200, |_, target| 0.91 * target);
    let both = told(&[long, short]).answer;
    assert!(
        both.starts_with("Yes, as far as it went: over 2 seeds, where the shortest ends, the first and second and third quarters had"),
        "{both}"
    );
}

/// scipy 1.17.1, t.ppf(0.975, 1) = 12.706: gains of 30 and 31 that begin before training, though the means of
/// episodes begin late.
#[test]
fn a_killed_training_is_told_from_its_beginning() {
    let run = |name: &str, sampled: f64, last: f64| {
        let mut run = training(name, "all", &[(56_320.0, 54.0), (114_688.0, last)]);
        let mut column = training("", "", &[(0.0, sampled)]).log.columns.remove(0);
        column.name = SAMPLED;
        run.log.columns.push(column);
        run
    };
    let two = [run("a", 28.0, 58.0), run("b", 29.0, 60.0)];
    assert_eq!(
        parts(&two, None).unwrap()[0].answer,
        "Yes: over 2 seeds the mean return with sampled actions rose from 28.50 before training to 59.00 in the last 100 episodes of training on average, by +30.50 (95% +24.15 to +36.85), in 114,688 steps."
    );
    // One that was not killed has a sampled return at its end, which is further on: the line to it is no curve.
    let mut whole = run("whole", 28.0, 58.0);
    whole.log.steps = 1e6;
    whole.log.columns[0].curve.add(1e6, 90.0);
    whole.log.columns[0].last = Some((1e6, 90.0));
    whole.log.columns[1].curve.add(1e6, 91.0);
    whole.log.columns[1].last = Some((1e6, 91.0));
    let mut ended = two[1].clone();
    ended.log.columns[1].curve.add(114_688.0, 61.0);
    ended.log.columns[1].last = Some((114_688.0, 61.0));
    for other in [two[1].clone(), ended] {
        let told = parts(&[whole.clone(), other], None).unwrap().remove(0).answer;
        assert!(told.contains("rose from 28.50 before training to 59.00 in the last"), "{told}");
    }
}

/// Of runs whose means begin at different steps each is looked at from where all have one: from 9 and 8 to 7,
/// though the first had 1 before that.
#[test]
fn seeds_begin_together() {
    let mut early = training("a", "all", &[(100.0, 1.0), (200.0, 9.0), (300.0, 7.0)]);
    let late = training("b", "all", &[(200.0, 8.0), (300.0, 7.0)]);
    let told = |runs: &[Training]| parts(runs, None).unwrap().remove(0);
    let both = told(&[early.clone(), late.clone()]);
    assert_eq!(
        both.answer,
        "Not shown: over 2 seeds the mean return of 100 episodes fell from 8.50 to 7.00 on average, by -1.50 (95% -7.85 to +4.85), from step 200 on, in 300 steps."
    );
    let found = &both.findings["groups"][0];
    assert_eq!(
        (&found["verdict"], &found["gain"], &found["seeds"]),
        (&"not shown".into(), &(-1.5).into(), &2.into())
    );
    // Also of one run it is said where its first value stands, if its log begins before.
    early.log.columns.push(Column { name: "loss", first: Some((50.0, 1.0)), ..Column::default() });
    assert_eq!(
        told(&[early]).answer,
        "The mean return of 100 episodes rose from 1.00 to 7.00 from step 100 on, in 300 steps."
    );
}

/// Copies of a run are one seed, and without learning nothing is a yes.
#[test]
fn copies_are_no_seeds_and_a_rate_of_zero_learns_nothing() {
    let run = |name: &str, seed: u32, last| Training {
        seed: Some(seed.to_string()),
        ..training(name, "6 runs", &[(1.0, 20.0), (2.0, last)])
    };
    let six = ["a", "b", "c", "d", "e", "f"].map(|name| run(name, 1, 19.0));
    let part = &parts(&six, None).unwrap()[0];
    assert_eq!(part.answer, "The mean return of 100 episodes fell from 20.00 to 19.00 in 2 steps.");
    assert!(
        part.sentences.contains(
            &"b, c and 3 more: the same settings and the same seed as a; only that one is counted and drawn."
                .to_owned()
        ),
        "{:?}",
        part.sentences
    );
    assert!(part.sentences[0].starts_with("a: one run, so there is no interval"), "{:?}", part.sentences);
    let three = [run("a", 1, 22.0), run("copy", 1, 22.0), run("b", 2, 23.0), run("c", 3, 24.0)];
    assert!(parts(&three, None).unwrap()[0].answer.starts_with("Yes: over 3 seeds the mean"));
    let fixed = three.map(|run| Training { fixed: true, ..run });
    assert!(parts(&fixed, None).unwrap()[0].answer.starts_with("Not shown: over 3 seeds the mean"));
}

/// As many decimals as show what is said.
#[test]
fn small_changes_are_seen() {
    let told = |ends: &[(f64, f64)]| {
        let run = |&(first, last): &(f64, f64)| training("one", "all", &[(1.0, first), (2.0, last)]);
        parts(&ends.iter().map(run).collect::<Vec<_>>(), None).unwrap().remove(0).answer
    };
    assert!(told(&[(-0.0004, 0.0004)]).contains(" rose from -0.0004 to 0.0004 in"));
    assert!(told(&[(-0.0, -0.0)]).contains(" stayed at 0.00 in"));
    // Gains of -0.004 and -0.006: 12.706 standard errors of 0.001 about -0.005.
    let two = told(&[(7.89, 7.886), (7.89, 7.884)]);
    assert!(two.contains("fell from 7.890 to 7.885 on average, by -0.005 (95% -0.018 to +0.008)"), "{two}");
}

/// Nothing is told of the episodes that ended first; measured by itself, the policy tells its gain from the
/// beginning, and a killed training as far as it got.
#[test]
fn gains_begin_without_bias() {
    let answer = |runs: &[Training]| parts(runs, None).unwrap().remove(0);
    let biased = |biased, ended| {
        let mut run = training("one", "all", &[(16_384.0, 28.0), (40_960.0, 29.0)]);
        run.log.counts_episodes = true;
        (run.log.biased, run.log.ended) = (biased, ended);
        run
    };
    let told = answer(&[biased(3, Some((34.0, 85.0)))]);
    assert_eq!(
        told.answer,
        "The mean return of the last 34 to 85 episodes rose from 28.00 to 29.00 from step 16,384 on, in 40,960 steps."
    );
    assert!(
        told.sentences
            .iter()
            .any(|text| text.starts_with("Mean returns start once long episodes have also ended"))
    );
    // Three more episodes than at first, all lost early, or one time with more: neither says anything.
    for ended in [(32.0, 35.0), (100.0, 140.0)] {
        let answer = answer(&[biased(3, Some(ended))]).answer;
        assert!(answer.contains("too few episodes had ended"), "{answer}");
    }
    let mut none = biased(9, None);
    none.log.columns.clear();
    assert_eq!(
        answer(&[none]).answer,
        "That cannot be said of the mean return of 100 episodes in 40,960 steps: too few episodes had ended, at two steps, for a mean that does not cover only early losses."
    );
    let sampled = |last: Option<f64>| {
        let mut run = training("one", "all", &[(16_384.0, 40.0), (40_960.0, 50.0)]);
        let values = [(0.0, 28.5), (40_960.0, last.unwrap_or_default())];
        let mut column = training("", "", &values[..=usize::from(last.is_some())]).log.columns.remove(0);
        column.name = "sampled_return";
        run.log.columns.push(column);
        run
    };
    assert_eq!(
        answer(&[sampled(Some(55.0))]).answer,
        "The mean return with sampled actions rose from 28.50 to 55.00 in 40,960 steps."
    );
    assert_eq!(
        answer(&[sampled(None)]).answer,
        "The mean return with sampled actions rose from 28.50 before training to 50.00 in the last 100 episodes of training in 40,960 steps."
    );
    let fixed = Training { fixed: true, ..sampled(Some(29.0)) };
    assert!(
        answer(&[fixed])
            .sentences
            .iter()
            .any(|text| text.starts_with("With a learning rate of 0 nothing is learned"))
    );
}

/// What is measured now and then is told with its own steps.
#[test]
fn a_return_is_told_at_the_step_at_which_it_was_measured() {
    let greedy = |at: f64| {
        let mut run = training("one", "all", &[(1000.0, 2.0), (5000.0, 5.0)]);
        let column = Column {
            name: "greedy_return",
            last: Some((at, 7.0)),
            highest: Some((2000.0, 9.0)),
            ..Column::default()
        };
        run.log.columns.push(column);
        parts(&[run], None).unwrap().remove(0).answer
    };
    assert!(
        greedy(5000.0)
            .ends_with("; with greedy actions it was 7.00 at the end and 9.00 at best, at step 2,000.")
    );
    assert!(
        greedy(4000.0).contains("it was 7.00 at step 4,000, when it was last measured, and 9.00 at best")
    );
    let mut sampled = training("one", "all", &[(1000.0, 2.0), (5000.0, 5.0)]);
    sampled.log.columns.push(Column {
        name: "sampled_return",
        first: Some((0.0, 1.0)),
        last: Some((4000.0, 8.0)),
        ..Column::default()
    });
    assert_eq!(
        parts(&[sampled], None).unwrap()[0].answer,
        "The mean return with sampled actions rose from 1.00 to 8.00 in 4,000 steps."
    );
}

/// What was killed is told beside the answer, of many the first.
#[test]
fn what_is_not_whole_is_told_beside_the_answer() {
    let run = |name: &str| Training {
        unfinished: Some(format!("{name} was killed: 2 of 9 steps.")),
        ..training(name, name, &[(1.0, 2.0), (2.0, 5.0)])
    };
    let answer = parts(&["a", "b", "c", "d", "e"].map(run), None).unwrap().remove(0).answer;
    assert!(answer.ends_with(" a was killed: 2 of 9 steps. b was killed: 2 of 9 steps. c was killed: 2 of 9 steps. The same holds for 2 more: see the notes."), "{answer}");
}

/// Returns of a garden are thousands, those of a cluster tens: each has its own axis.
#[test]
fn worlds_have_parts_of_their_own() {
    let run = |world: &str, last| Training {
        world: world.to_owned(),
        ..training(world, world, &[(1.0, 1.0), (2.0, last)])
    };
    let parts = parts(&[run("k8s", 50.0), run("gardener", 9000.0), run("k8s", 55.0)], None).unwrap();
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

/// Runs of `group` with the seeds 1, 2, ... that begin at 0 and end at `ends`.
fn seeded(group: &str, ends: &[f64]) -> Vec<Training> {
    let run = |(seed, &end): (usize, &f64)| Training {
        seed: Some((seed + 1).to_string()),
        ..training(&format!("{group}-{}", seed + 1), group, &[(1.0, 0.0), (2.0, end)])
    };
    ends.iter().enumerate().map(run).collect()
}

fn beside(runs: &[Training], baseline: &str) -> (Value, Vec<String>) {
    let part = parts(runs, Some(baseline)).unwrap().remove(0);
    (part.findings["against_baseline"]["groups"].clone(), part.sentences)
}

fn near(found: &Value, low: f64, high: f64) {
    let ends = [found[0].as_f64().unwrap(), found[1].as_f64().unwrap()];
    assert!((ends[0] - low).abs() < 1e-6 && (ends[1] - high).abs() < 1e-6, "{ends:?}");
}

/// By hand: differences of 2, 3 and 4 have the mean 3 and the deviation 1, so 3 -+ 4.302653 / sqrt(3) (the 97.5%
/// point of Student's t with 2 degrees of freedom). The other way round all of it has the other sign.
#[test]
fn a_baseline_is_compared_seed_by_seed() {
    let runs = [seeded("a", &[10.0, 50.0, 100.0]), seeded("b", &[12.0, 53.0, 104.0])].concat();
    let (found, said) = beside(&runs, "a");
    assert_eq!((found[0]["pairs"].as_u64(), found[0]["difference"].as_f64()), (Some(3), Some(3.0)));
    near(&found[0]["interval"], 0.515_862_3, 5.484_137_7);
    assert!(
        said[0].starts_with("b learns more than a: after 2 steps") && said[0].contains("3 pairs"),
        "{said:?}"
    );
    // By the name of a run, too.
    let (found, said) = beside(&runs, "b-2");
    near(&found[0]["interval"], -5.484_137_7, -0.515_862_3);
    assert!(said[0].starts_with("a learns less than b: "), "{said:?}");
    // Other seeds are no pairs: Welch, by hand. Variances 2033.33 and 2116.33, each over 3; the difference is lost.
    let mut others = runs.clone();
    others.iter_mut().skip(3).for_each(|run| run.seed = Some(format!("1{}", run.name)));
    let (found, said) = beside(&others, "a");
    assert!(found[0]["pairs"].is_null() && said[0].contains("no difference is shown"), "{said:?}");
    // Two groups at once: the point of 98.75%, 6.205347 with 2 degrees of freedom.
    let three = [runs.clone(), seeded("c", &[10.0, 51.0, 99.0])].concat();
    let (found, said) = beside(&three, "a");
    near(&found[0]["interval"], 3.0 - 6.205_346_8 / 3.0_f64.sqrt(), 3.0 + 6.205_346_8 / 3.0_f64.sqrt());
    assert!(
        said[0].contains("no difference is shown") && said[0].contains("for 2 comparisons at once"),
        "{said:?}"
    );
}

/// Data on which "learns more" would be false though the end is higher, and too few to say.
#[test]
fn what_a_baseline_cannot_show_is_not_said() {
    let runs = [seeded("a", &[10.0, 50.0, 100.0]), seeded("b", &[12.0, 53.0, 104.0])].concat();
    let mut fixed = runs.clone();
    fixed.iter_mut().skip(3).for_each(|run| run.fixed = true);
    assert!(beside(&fixed, "a").1[0].starts_with("b ends higher than a: "));
    assert!(beside(&fixed, "b").1[0].starts_with("a ends lower than b: "));
    let mut ahead = runs.clone();
    for run in ahead.iter_mut().skip(3) {
        let end = run.log.columns[0].last.unwrap().1;
        *run =
            Training { seed: run.seed.clone(), ..training(&run.name, "b", &[(1.0, end + 1.0), (2.0, end)]) };
    }
    assert!(beside(&ahead, "a").1[0].starts_with("b ends higher than a: "), "it fell");
    let one = [seeded("a", &[10.0]), seeded("b", &[500.0])].concat();
    assert!(beside(&one, "a").1[0].contains("too few seeds to say"));
    assert!(beside(&seeded("a", &[1.0, 2.0]), "a").1[0].starts_with("There is nothing to compare"));
    let problem = baseline(&runs, "nobody").unwrap_err();
    assert_eq!(
        problem,
        "no training or group of trainings is called `nobody`; groups: a; b; a run by its name stands for its group"
    );
}
