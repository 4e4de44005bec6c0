use super::*;

const RULES: Rules = Rules {
    cells: 100,
    lost_share: 0.75,
    lost_generations: 3,
    collapse_risk: 0.72,
    survival_flow: 0.85,
    risk_sees_dirt: false,
};

fn garden(rows: impl Iterator<Item = (f64, f64, usize)>) -> Garden {
    garden_from(1, RULES, rows)
}

fn garden_from(first: u64, rules: Rules, rows: impl Iterator<Item = (f64, f64, usize)>) -> Garden {
    let mut reading = Reading::new("one", "all", rules, None);
    for (generation, (dirt, risk, verdict)) in (first..).zip(rows) {
        reading.add(&row(generation, 100.0 * dirt, risk, verdict));
    }
    reading.finish()
}

fn row(generation: u64, total_entropy: f64, collapse_risk: f64, verdict: usize) -> Generation {
    Generation {
        generation,
        population: 1,
        avg_energy: 1.0,
        total_entropy,
        emergency_moves: 0,
        isolation_saves: 0,
        entropy_gradient: 0.0,
        population_volatility: 0,
        emergency_ratio: 0.0,
        collapse_risk,
        flow: None,
        verdict,
    }
}

/// Clean for 100 generations with a risk of 0.1, then 40 half dirty ones with 0.8, then lost at the
/// third above 0.75: generation 143.
#[test]
fn loss_lead_and_area_by_hand() {
    let rows = |i: u32| match i {
        0..100 => (0.2, 0.1, 0),
        100..140 => (0.5, 0.8, 1),
        _ => (0.9, 0.3, 0),
    };
    let garden = garden((0..200).map(rows));
    assert_eq!((garden.lost_at, garden.generations), (Some(143), 200));
    let [risk, flow, verdict, dirt] = &garden.signals;
    for warned in [risk, verdict, dirt] {
        assert_eq!((warned.first_warning, warned.lead), (Some(101), Some(42)));
    }
    assert_eq!((flow.present, flow.lead, flow.area), (false, None, None));
    // The risk warns in the 40 half dirty generations, of which 93 to 142 are near the loss: none in
    // vain. The dirt goes on warning, to the generation before the loss.
    assert_eq!((risk.warned, risk.quiet, risk.in_vain), (40, 92, 0));
    assert_eq!((dirt.warned, dirt.in_vain), (42, 0));
    // Generations 93 to 142 are positive: 8 with risk 0.1, 40 with 0.8, 2 with 0.3; 1 to 92 are not,
    // all with 0.1. The 42 are above all of them, the 8 tie.
    assert!((risk.area.unwrap() - (42.0 + 4.0) / 50.0).abs() < 1e-12);
    assert_eq!((garden.saturated, garden.saturated_creative), (60, 60));
    assert_eq!(garden.transitions, [[99 + 59, 1, 0], [1, 39, 0], [0, 0, 0]]);
    assert_eq!(garden.verdicts_by_dirt[5], [0, 40, 0]);
    assert_eq!(garden.lifetime(), 143);
}

/// Lost at 203, by hand. A warning that comes with the loss is none before it, nor is one further ahead
/// than the 50 generations that this report is about.
#[test]
fn a_warning_is_ahead_of_the_loss_and_near_it() {
    for (warns, lead, warned, said) in [
        (203..400, None, 0, "The risk did not reach the verdict collapse in the 50 generations before that"),
        (10..11, None, 0, "The risk did not reach the verdict collapse in the 50 generations before that"),
        (152..153, None, 0, "The risk did not reach"),
        (
            153..154,
            Some(50),
            1,
            "The risk reached the verdict collapse in the 50 generations before that, the first time 50 generations ahead",
        ),
        (202..400, Some(1), 1, "the first time 1 generation ahead"),
        (100..300, Some(50), 50, "the first time 50 generations ahead"),
    ] {
        let row = |i: u32| (if i > 200 { 0.9 } else { 0.2 }, if warns.contains(&i) { 0.9 } else { 0.1 }, 0);
        let garden = garden((1..300).map(row));
        let risk = &garden.signals[0];
        assert_eq!((garden.lost_at, risk.lead, risk.warned), (Some(203), lead, warned), "{warns:?}");
        assert_eq!(risk.first_warning, lead.map(|lead| 203 - lead));
        let answer = part(&[garden]).unwrap().answer;
        assert!(answer.contains(said), "{answer}");
    }
}

/// 75.00 of 100 in the log may have been 74.996: it is told, or the garden's own number is.
#[test]
fn rounded_dirt_leaves_a_loss_open_unless_the_garden_tells() {
    let dirt = |i: u32| match i {
        50 => 0.75,
        51..60 => 0.7501,
        _ => 0.2,
    };
    let read = |told: Option<Told>| {
        let mut reading = Reading::new("one", "all", RULES, told);
        for i in 1..100_u32 {
            reading.add(&row(i.into(), 100.0 * dirt(i), 0.1, 0));
        }
        reading.finish()
    };
    let open = read(None);
    assert_eq!((open.lost_at, open.lost_between), (Some(52), Some((52, Some(53)))));
    let remark = part(&[open]).unwrap().sentences.remove(0);
    assert_eq!(
        remark,
        "one: the log has two decimals of the dirt, so that the garden may have been lost at any generation from 52 to 53."
    );
    let told = read(Some(Told { lost_at: Some(53) }));
    assert_eq!((told.lost_at, told.lost_between), (Some(53), None));
    assert_eq!(read(Some(Told { lost_at: None })).lost_at, None);
    let held = {
        let mut reading = Reading::new("one", "all", RULES, None);
        (1..10).for_each(|i| reading.add(&row(i, 75.0, 0.1, 0)));
        reading.finish()
    };
    assert_eq!((held.lost_at, held.lost_between), (Some(3), Some((3, None))));
    assert!(part(&[held]).unwrap().sentences[0].ends_with("lost at generation 3 or later, or not at all."));
}

/// The verdict is not rounded: 0.7200 that read bubble was below the threshold.
#[test]
fn a_risk_that_is_rounded_to_its_threshold_is_judged_by_the_verdict() {
    for (verdict, warned) in [(1, 0), (2, 10)] {
        let rows = (1..40).map(|i| {
            (if i > 20 { 0.9 } else { 0.2 }, if (10..20).contains(&i) { 0.72 } else { 0.1 }, verdict)
        });
        assert_eq!(garden(rows).signals[0].warned, warned);
    }
}

/// What is said of a loss has to fit what the log shows of it.
#[test]
fn sentences_say_what_is_not_known() {
    let full = garden_from(500, RULES, (0..60).map(|_| (0.9, 0.1, 0)));
    assert!(
        part(&[full]).unwrap().sentences[0]
            .starts_with("one: the log begins at generation 500 with the garden full of dirt")
    );
    let nothing = garden((0..60).map(|_| (f64::NAN, 0.1, 0)));
    assert!(part(&[nothing]).unwrap().sentences[0].starts_with("one: no dirt in the log is a number"));
    // The line that guesses is no curve.
    let lost = garden((0..200).map(|i| (if i > 140 { 0.9 } else { 0.2 }, 0.1, 0)));
    let roc = part(&[lost]).unwrap().figures.into_iter().find(|figure| figure.name == "garden-roc").unwrap();
    assert!(roc.wide.contains("#9AA3AB") && roc.wide.contains("guessing (0.50)"));
    let sees = Rules { risk_sees_dirt: true, ..RULES };
    for (rules, looks) in [(RULES, true), (sees, false)] {
        let full = garden_from(1, rules, (0..60).map(|_| (0.9, 0.1, 0)));
        let answer = part(&[full]).unwrap().answer;
        assert!(answer.contains("The verdict misleads: in 60 of 60 generations"), "{answer}");
        assert_eq!(answer.contains("Risk and verdict look at change"), looks, "{answer}");
    }
}

/// A garden that holds has no positive moment, and its last 50 generations say nothing.
#[test]
fn a_garden_that_holds_has_no_area() {
    let holds = garden((0..60).map(|i| (0.2, f64::from(i) / 100.0, 0)));
    assert_eq!((holds.lost_at, holds.lifetime()), (None, 60));
    let mut roc = holds.signals[0].roc.clone();
    assert_eq!(roc.area(), None);
    // Ten generations count, with risks up to 0.09: a positive one at 0.05 is above five and ties one.
    roc.add(0.05, true);
    assert!((roc.area().unwrap() - 0.55).abs() < 1e-12);
}

/// A warning that no loss follows is in vain, also in a garden that holds.
#[test]
fn warnings_in_vain_are_counted() {
    let nervous = garden((0..200).map(|i| (0.2, if i % 10 == 0 { 0.9 } else { 0.1 }, 2)));
    let [risk, _, verdict, _] = &nervous.signals;
    assert_eq!((risk.quiet, risk.in_vain, risk.warned), (150, 15, 0));
    assert_eq!((verdict.in_vain, verdict.lead), (150, None));
    let told = part(&[nervous]).unwrap().sentences;
    assert_eq!(
        told,
        ["200 generations of a garden that was not lost read collapse; no loss followed in the log."]
    );
}

/// A log that begins late is drawn from there on, and gardens with other rules are told by theirs.
#[test]
fn a_part_of_a_log_has_its_own_axis_and_rules() {
    let late = garden_from(500, RULES, (0..600).map(|i| (f64::from(i) / 600.0, 0.1, 0)));
    let soft = Rules { lost_share: 0.4, collapse_risk: 0.5, ..RULES };
    let other = garden_from(1, soft, (0..600).map(|_| (0.5, 0.1, 0)));
    assert_eq!((late.lost_at, other.lost_at), (Some(500 + 452), Some(3)));
    let alone = part(std::slice::from_ref(&late)).unwrap();
    for name in ["garden-dirt", "garden-1"] {
        let figure = alone.figures.iter().find(|figure| figure.name == name).unwrap();
        let shown = |label: &str| figure.wide.contains(&format!("\n{label}\n"));
        assert!(shown("500") && shown("1000") && !shown("0"), "{name}");
    }
    let both = part(&[late, other]).unwrap();
    assert!(both.answer.contains("mean dirt at or above 75% or 40%"), "{}", both.answer);
    let signals = both.tables.iter().find(|table| table.caption == "Early warning of a loss").unwrap();
    assert_eq!(signals.rows[0][1].text, "0.72 or 0.50");
}

/// What the garden told of itself is said where its log ends before.
#[test]
fn a_loss_that_the_log_does_not_have_is_told() {
    let mut reading = Reading::new("one", "all", RULES, Some(Told { lost_at: Some(350) }));
    (1..=300).for_each(|i| reading.add(&row(i, 20.0, 0.1, 0)));
    let part = part(&[reading.finish()]).unwrap();
    assert_eq!(part.answer, "The garden was not lost in 300 generations.");
    assert_eq!(
        part.sentences[0],
        "one: its summary.csv says that it was lost at generation 350, but the log has generations 1 to 300."
    );
}

/// No more generations are told than there were, and what was lost has a name.
#[test]
fn losses_are_counted_in_whole_sentences() {
    let of = |group: &str, seed: u32, clean: u32| {
        let mut garden = garden((0..100).map(|i| (if i < clean { 0.2 } else { 0.9 }, 0.1, 0)));
        group.clone_into(&mut garden.group);
        garden.seed = Some((seed.to_string(), None));
        garden
    };
    // Lost at the third full generation: 3, 4 and 13.
    for (clean, said) in [
        (0, "The risk did not reach the verdict collapse in the 2 generations before that;"),
        (10, "The risk did not reach the verdict collapse in the 12 generations before that;"),
        (90, "The risk did not reach the verdict collapse in the 50 generations before that;"),
    ] {
        let answer = part(&[of("x", 1, clean)]).unwrap().answer;
        assert!(answer.contains(said), "{answer}");
    }
    let at_once = Rules { lost_generations: 1, ..RULES };
    let first = part(&[garden_from(1, at_once, (0..9).map(|_| (0.9, 0.9, 2)))]).unwrap().answer;
    assert!(
        first.contains("There was no generation before that in which the risk could have warned"),
        "{first}"
    );
    let two = [of("x", 1, 10), of("x", 2, 100)];
    let answer = part(&two).unwrap().answer;
    assert!(answer.starts_with("1 of 2 was lost, at generation 13. "), "{answer}");
    let groups = part(&[of("x", 1, 10), of("y", 1, 100)]).unwrap().answer;
    assert!(
        groups.starts_with(
            "x: the garden was lost at generation 13; y: the garden was not lost in 100 generations."
        ),
        "{groups}"
    );
    // A copy is none more, and of two the longer tells.
    let mut short = of("x", 1, 10);
    (short.generations, short.lost_at, short.name) = (5, None, "short".to_owned());
    let copied = part(&[short, of("x", 1, 10)]).unwrap();
    assert!(copied.answer.starts_with("The garden was lost at generation 13."), "{}", copied.answer);
    assert_eq!(
        copied.sentences.last().unwrap(),
        "short: the same settings and the same seed as one; only that one is counted and drawn."
    );
    let copied = part(&[of("x", 1, 10), of("x", 1, 10), of("x", 2, 100)]).unwrap();
    assert!(copied.answer.starts_with("1 of 2 was lost"), "{}", copied.answer);
    assert!(
        copied.sentences.contains(
            &"one: the same settings and the same seed as one; only that one is counted and drawn."
                .to_owned()
        ),
        "{:?}",
        copied.sentences
    );
}

/// The areas are those of settings under which a garden was lost: the others are named, where there are any.
#[test]
fn settings_that_the_areas_leave_out_are_named() {
    let of = |group: &str, seed: u32, lost: bool| {
        let row = |i: u32| (if lost && i > 140 { 0.9 } else { 0.2 }, if i > 120 { 0.8 } else { 0.1 }, 0);
        let mut garden = garden((0..200).map(row));
        group.clone_into(&mut garden.group);
        garden.seed = Some((seed.to_string(), None));
        garden
    };
    let all = [of("x", 1, true), of("y", 1, false), of("y", 2, false), of("z", 1, true), of("z", 2, false)];
    let said = part(&all).unwrap();
    let sentence = "The ROC areas leave out 1 setting under which nothing was lost (2 gardens): y.";
    assert!(said.answer.contains(&format!("(0.5 is guessing). {sentence}")), "{}", said.answer);
    // That is so: the areas are those without `y`, of which there is nothing to say.
    let without = [&all[..1], &all[3..]].concat();
    let rest = part(&without).unwrap();
    assert_eq!(said.findings["areas_of_all"], rest.findings["areas_of_all"]);
    let held = part(&all[1..3]).unwrap();
    let no_dirt = part(&[garden((0..60).map(|_| (f64::NAN, 0.1, 0)))]).unwrap();
    for none in [rest, held, no_dirt] {
        assert!(!none.answer.contains("leave out"), "{}", none.answer);
    }
    // A garden that was lost at once has no area.
    let mut at_once = garden((0..60).map(|_| (0.9, 0.1, 0)));
    at_once.group = "w".to_owned();
    let no_area = part(&[at_once, of("y", 1, false)]).unwrap();
    assert!(!no_area.answer.contains("leave out"), "{}", no_area.answer);
    let many: Vec<Garden> = (0..9).map(|i| of(&format!("s{i}"), 1, i == 0)).collect();
    let said = part(&many).unwrap().answer;
    let sentence = "The ROC areas leave out 8 settings under which nothing was lost (8 gardens): s1, s2, s3, s4, s5, s6, and 2 more settings, all of which are in the table.";
    assert!(said.contains(sentence), "{said}");
}

/// Two saturated generations and a rest are no loss; NaN breaks a row and is counted.
#[test]
fn only_generations_in_a_row_count() {
    let dirt = [0.8, 0.8, 0.1, 0.8, 0.8, f64::NAN, 0.8];
    let garden = garden(dirt.into_iter().map(|dirt| (dirt, f64::NAN, 0)));
    assert_eq!((garden.lost_at, garden.saturated, garden.not_finite), (None, 5, 8));
    assert_eq!(garden.risk_dirt_correlation, None);
    assert!(!garden.signals[0].present);
}
