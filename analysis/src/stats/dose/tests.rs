use super::super::test_data::assert_close;
use super::*;

/// At each dose so many of `of` episodes are alive, the first ones.
fn curve(doses: &[f64], alive: &[usize], of: usize) -> DoseCurve {
    let rows = alive.iter().map(|&alive| (0..of).map(|i| i < alive).collect()).collect();
    DoseCurve::new(doses.to_vec(), rows).unwrap()
}

fn estimate(limit: Option<f64>, low: Option<f64>, high: Option<f64>) -> Estimate {
    Estimate { limit, low, high }
}

/// By hand: shares lost 0, 1/4, 3/4, 1 at 1, 2, 3, 4 are symmetric about 2.5. With 1/4, 1/2, 1 at 0, 1, 3 the trim is
/// 1/4: the pieces kept are [0, 1] with 1/4 and [1, 2] with 1/4, whose middles are 1/2 and 3/2.
#[test]
fn spearman_karber_by_hand() {
    let four = [1.0, 2.0, 3.0, 4.0];
    assert_close(spearman_karber(&four, &[0.0, 0.25, 0.75, 1.0], 0.0).unwrap(), 2.5, 1e-15);
    let lost = [0.25, 0.5, 1.0];
    assert_eq!(least_trim(&lost), Some(0.25));
    assert_close(spearman_karber(&[0.0, 1.0, 3.0], &lost, 0.25).unwrap(), 1.0, 1e-15);
    // 16 of 20 alive, then 12, then 2: a trim of 1/5 cuts at (1 - 1/5 - 4/10) / (9/10 - 4/10) = 4/5 of the second piece. The
    // pieces weigh 1/5 and 2/5 and have the middles 1.5 and 2.4: 2.1.
    let found = limits(&curve(&[1.0, 2.0, 3.0], &[16, 12, 2], 20)).spearman_karber;
    assert_close(found.limit.unwrap(), 2.1, 1e-12);
}

/// Where more of it keeps all alive, a limit "below the lowest dose", at which all are lost, would be false.
#[test]
fn a_curve_that_rises_has_no_bound() {
    let rising = curve(&[1.0, 2.0, 3.0], &[0, 0, 20], 20);
    let unknown =
        Limits { spearman_karber: Estimate::default(), logistic: Estimate::default(), monotone: false };
    assert_eq!(limits(&rising), unknown);
    // By chance one may live where at less none did: all that is known is still a bound.
    let falling = limits(&curve(&[1.0, 2.0, 3.0], &[0, 0, 1], 20));
    assert!(falling.monotone && falling.spearman_karber.high == Some(1.0), "{falling:?}");
}

#[test]
fn what_has_no_estimate_has_none() {
    let doses = [0.0, 1.0, 3.0];
    assert_eq!(spearman_karber(&doses, &[0.25, 0.5, 1.0], 0.2), None, "the trim is too small");
    assert_eq!(spearman_karber(&doses, &[0.0, 0.5, 0.4], 0.2), None, "falling");
    assert_eq!(spearman_karber(&doses, &[0.0, 0.5, 1.1], 0.2), None, "no share");
    assert_eq!(spearman_karber(&doses, &[0.0, 1.0], 0.2), None, "lengths");
    assert_eq!(spearman_karber(&[0.0, 0.0, 1.0], &[0.0, 0.5, 1.0], 0.2), None, "twice the same dose");
    assert_eq!(spearman_karber(&doses, &[0.0, 0.5, 1.0], 0.5), None, "all trimmed");
    for lost in [&[0.5, 1.0][..], &[0.0, 0.5], &[]] {
        assert_eq!(least_trim(lost), None, "{lost:?}");
    }
    assert_eq!(pool_adjacent_violators(&[1.0], &[0.0]), None);
    assert_eq!(pool_adjacent_violators(&[f64::NAN], &[1.0]), None);
    assert_eq!(pool_adjacent_violators(&[1.0], &[]), None);
    for survived in [[4, 4, 4], [0, 0, 0], [4, 4, 0], [4, 2, 0], [0, 0, 4], [0, 3, 4]] {
        assert_eq!(logistic(&doses, &survived, &[4; 3]), None, "{survived:?}");
    }
    assert_eq!(logistic(&doses, &[5, 1, 0], &[4; 3]), None);
    assert_eq!(logistic(&doses[..1], &[2], &[4]), None);
    assert_eq!(logistic(&doses, &[4, 3], &[4, 4]), None);
    assert_eq!(logistic(&doses, &[1, 2, 3], &[4; 3]).unwrap().limit(), None, "the wrong way round");
    assert_eq!(DoseCurve::new(vec![], vec![]), None);
    assert_eq!(DoseCurve::new(vec![1.0], vec![vec![]]), None);
    assert_eq!(DoseCurve::new(vec![1.0, 1.0], vec![vec![true]; 2]), None);
    assert_eq!(DoseCurve::new(vec![1.0, 2.0], vec![vec![true], vec![true, false]]), None);
    assert_eq!(DoseCurve::new(vec![1.0, f64::INFINITY], vec![vec![true]; 2]), None);
}

#[test]
fn where_half_is_not_reached_there_is_a_bound() {
    let doses = [0.01, 0.02, 0.03];
    for of in [3, 40] {
        let alive = limits(&curve(&doses, &[of; 3], of));
        let lost = limits(&curve(&doses, &[0; 3], of));
        for (alive, lost) in [(alive.spearman_karber, lost.spearman_karber), (alive.logistic, lost.logistic)]
        {
            assert_eq!(alive, estimate(None, Some(0.03), None), "{of}");
            assert_eq!(lost, estimate(None, None, Some(0.01)), "{of}");
        }
    }
    // 22 of 40 at the highest dose: the half may as well lie before it, but not before the dose that 38 survive.
    let some = limits(&curve(&doses, &[40, 38, 22], 40));
    for bound in [some.spearman_karber, some.logistic] {
        assert_eq!((bound.limit, bound.high), (None, None));
        assert!((0.02..0.03).contains(&bound.low.unwrap()), "{bound:?}");
    }
    // Too few episodes for an interval: what was seen.
    assert_eq!(limits(&curve(&doses, &[5, 5, 3], 5)).spearman_karber, estimate(None, Some(0.03), None));
}

/// One dose between which and the next all are lost: the logistic curve is a step, anywhere between them.
#[test]
fn separated_outcomes_have_no_logistic_limit() {
    let doses = [1.0, 2.0, 3.0, 4.0];
    for of in [4, 30] {
        let found = limits(&curve(&doses, &[of, of, 0, 0], of));
        assert_eq!(found.logistic, estimate(None, Some(2.0), Some(3.0)), "{of}");
        assert_eq!(found.spearman_karber.limit, Some(2.5));
    }
    assert_eq!(limits(&curve(&doses, &[4, 2, 0, 0], 4)).logistic, estimate(None, Some(1.0), Some(3.0)));
}

#[test]
fn few_episodes_have_a_limit_and_no_interval() {
    let found = limits(&curve(&[1.0, 2.0, 3.0, 4.0], &[5, 4, 1, 0], 5));
    for found in [found.spearman_karber, found.logistic] {
        assert_close(found.limit.unwrap(), 2.5, 1e-12);
        assert_eq!((found.low, found.high), (None, None));
    }
}

/// A share that rises by one episode, or twice by as many as chance gives, is no rise; one that rises for good is.
#[test]
fn only_more_than_chance_is_a_rise() {
    let doses = [1.0, 2.0, 3.0];
    assert!(limits(&curve(&doses, &[20, 10, 11], 30)).monotone);
    // Five episodes and no other differ: 1/32, and three pairs of doses are tested.
    assert!(limits(&curve(&doses, &[20, 10, 15], 30)).monotone);
    let found = curve(&doses, &[20, 10, 18], 30);
    assert!(!limits(&found).monotone);
    assert_eq!(rises(&found, 0.05), [(1, 2)]);
    // Nobody is fewer: it does not matter that the lowest share is in the middle.
    assert!(limits(&curve(&doses, &[30, 20, 0], 30)).monotone);
    // Always better with more of it: no half is passed on the way down.
    let better = limits(&curve(&doses, &[5, 15, 25], 30));
    assert!(!better.monotone);
    assert_eq!(better.logistic.limit, None);
}

#[test]
fn a_difference_is_of_the_same_episodes() {
    let doses = [1.0, 2.0, 3.0, 4.0, 5.0];
    let low = curve(&doses, &[40, 30, 10, 0, 0], 40);
    let high = curve(&doses, &[40, 40, 30, 10, 0], 40);
    // Alike but for a dose: each resample shifts both limits by as much. The logistic curves differ in the ends that they see.
    for (method, tolerance) in [(Method::SpearmanKarber, 1e-9), (Method::Logistic, 0.02)] {
        let found = difference(&high, &low, method, 1).unwrap();
        let back = difference(&low, &high, method, 1).unwrap();
        for (found, back) in [(found.limit, back.limit), (found.low, back.high), (found.high, back.low)] {
            assert_close(found.unwrap(), 1.0, tolerance);
            assert_close(back.unwrap(), -1.0, tolerance);
        }
        // One whose half lies beyond 5 is better by more than 5 - 2.5.
        let beyond = difference(&curve(&doses, &[40; 5], 40), &low, method, 1).unwrap();
        assert_eq!((beyond.limit, beyond.high), (None, None));
        assert!((2.0..=2.5).contains(&beyond.low.unwrap()), "{beyond:?}");
    }
    // One of many that are looked at together is wider.
    let apart = curve(&doses, &[36, 28, 14, 6, 0], 40);
    let width = |among| {
        let found = difference(&high, &apart, Method::SpearmanKarber, among).unwrap();
        found.high.unwrap() - found.low.unwrap()
    };
    assert!(width(10) > 1.2 * width(1), "{} {}", width(10), width(1));
    assert_eq!(difference(&low, &curve(&doses, &[4; 5], 4), Method::Logistic, 1), None);
}
