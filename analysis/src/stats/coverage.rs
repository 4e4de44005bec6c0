//! How often intervals hold what they are of, and how often a difference is told of pure noise: by
//! simulation. The table of docs/RULES.md, section 4:
//! `cargo test -p resonetics-analysis coverage -- --nocapture`.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal};

use super::bootstrap::bootstrap_interval;
use super::compare::improvement_interval;
use super::dose::{DoseCurve, Estimate, Limits, Method, difference, limits};
use super::restricted_mean::paired_restricted_mean_interval;
use super::student::mean_interval;
use super::summary::{interquartile_mean, quantile};
use super::survival::Lifetime;
use super::{FEW, Interval};

/// A distribution: its name, a draw of it from a uniform number, its mean, its interquartile mean and its
/// median (scipy 1.17.1: integrals of the quantile function).
type Drawn = (&'static str, fn(f64) -> f64, [f64; 3]);

const DISTRIBUTIONS: [Drawn; 5] = [
    ("normal", |u| 20.0 + 5.0 * z(u), [20.0, 20.0, 20.0]),
    ("uniform in [0, 60]", |u| 60.0 * u, [30.0, 30.0, 30.0]),
    ("lognormal, skewed", |u| z(u).exp(), [1.648_721, 1.072_923, 1.0]),
    (
        "lives cut at 500, a third there",
        |u| (-400.0 * (1.0 - u).ln()).min(500.0),
        [285.398, 293.405, 277.259],
    ),
    // Four in five played well, near 57, the others fail anywhere below.
    (
        "returns near the top, a fifth fails",
        |u| if u < 0.8 { 57.0 + z(u / 0.8) } else { 57.0 * (u - 0.8) / 0.2 },
        [51.3, 56.638, 56.685],
    ),
];

const NUMBERS: [usize; 5] = [2, 3, 5, 10, 30];

fn z(u: f64) -> f64 {
    Normal::standard().inverse_cdf(u)
}

fn sample(draw: fn(f64) -> f64, n: usize, rng: &mut StdRng) -> Vec<f64> {
    (0..n).map(|_| draw(rng.random())).collect()
}

/// The share of `times` intervals that hold `truth`; `None` if none was given. Those that are
/// not given are left out.
fn covered(times: usize, truth: f64, mut interval: impl FnMut() -> Option<Interval>) -> Option<f64> {
    let intervals: Vec<Interval> = (0..times).filter_map(|_| interval()).collect();
    let held = intervals.iter().filter(|ends| ends.low <= truth && truth <= ends.high).count();
    (!intervals.is_empty()).then(|| held as f64 / intervals.len() as f64)
}

/// A row of the table, printed: the share at each of [`NUMBERS`].
fn row(what: &str, name: &str, share: impl FnMut(usize) -> Option<f64>) -> [Option<f64>; 5] {
    let shares = NUMBERS.map(share);
    let cells = shares.map(|share| share.map_or("–".to_owned(), |share| format!("{:.1}", 100.0 * share)));
    println!("| {what} | {name} | {} |", cells.join(" | "));
    shares
}

#[test]
fn coverage_of_a_mean() {
    let rng = &mut StdRng::seed_from_u64(11);
    for (name, draw, [mean, ..]) in DISTRIBUTIONS {
        let shares = row("mean", name, |n| covered(2_000, mean, || mean_interval(&sample(draw, n, rng))));
        if name == "normal" {
            assert!(shares.into_iter().flatten().all(|share| (0.93..=0.97).contains(&share)), "{shares:?}");
        }
    }
}

/// What a verdict rests on: the mean difference of pairs of which both come from the same distribution.
#[test]
fn coverage_of_no_difference() {
    let rng = &mut StdRng::seed_from_u64(12);
    for (name, draw, _) in DISTRIBUTIONS {
        let shares = row("yes or no on noise", name, |n| {
            let differences = |rng: &mut StdRng| -> Vec<f64> {
                (0..n).map(|_| draw(rng.random()) - draw(rng.random())).collect()
            };
            let told = |ends: Interval| ends.low > 0.0 || ends.high < 0.0;
            let verdicts = (0..2_000).filter(|_| mean_interval(&differences(rng)).is_some_and(told)).count();
            Some(verdicts as f64 / 2_000.0)
        });
        assert!(shares.into_iter().flatten().all(|share| share < 0.07), "{name}: {shares:?}");
    }
}

#[test]
fn coverage_of_what_is_no_mean() {
    let rng = &mut StdRng::seed_from_u64(13);
    for (name, draw, [_, middle, median]) in DISTRIBUTIONS {
        for (what, truth, statistic) in [
            ("interquartile mean", middle, interquartile_mean as fn(&[f64]) -> Option<f64>),
            ("median", median, |values| quantile(values, 0.5)),
        ] {
            let shares = row(what, name, |n| {
                covered(300, truth, || {
                    let values = sample(draw, n, rng);
                    bootstrap_interval(&values, statistic, rng)
                })
            });
            assert_eq!(shares[..3], [None; 3], "too few");
            assert!(shares.into_iter().flatten().all(|share| share > 0.91), "{what}, {name}: {shares:?}");
        }
    }
}

#[test]
fn coverage_of_a_chance_to_beat() {
    let rng = &mut StdRng::seed_from_u64(14);
    let whole: fn(f64) -> f64 = |u| (2.0 * z(u)).round();
    let shifted: fn(f64) -> f64 = |u| 20.0 + 5.0 * (z(u) + 2.0_f64.sqrt());
    let normal = DISTRIBUTIONS[0].1;
    // The normal distribution's 1, scipy 1.17.1: norm.cdf(1).
    for (name, x, y, truth) in [
        ("the same", normal, normal, 0.5),
        ("the same, in whole numbers", whole, whole, 0.5),
        ("one better", shifted, normal, 0.841_345),
    ] {
        let shares = row("probability of improvement", name, |n| {
            covered(2_000, truth, || improvement_interval(&sample(x, n, rng), &sample(y, n, rng)))
        });
        assert!(shares.into_iter().flatten().all(|share| share > 0.94), "{name}: {shares:?}");
    }
}

/// Pairs of exponential lives, censored at random and at 300, that are as long on both sides.
#[test]
fn coverage_of_restricted_means() {
    let rng = &mut StdRng::seed_from_u64(15);
    let life = |rng: &mut StdRng| {
        let time: f64 = -200.0 * (1.0 - rng.random::<f64>()).ln();
        let end: f64 = (600.0 * rng.random::<f64>()).min(300.0);
        Lifetime { time: time.min(end), lost: time <= end }
    };
    let shares = row("restricted mean", "lives, a half censored", |n| {
        covered(2_000, 0.0, || {
            let (a, b): (Vec<_>, Vec<_>) = (0..n).map(|_| (life(rng), life(rng))).unzip();
            paired_restricted_mean_interval(&a, &b, super::restricted_mean::horizon(&[&a, &b])?)
        })
    });
    assert!(shares.into_iter().flatten().all(|share| share > 0.92), "{shares:?}");
}

/// What a system bears: a name, whether it is drawn anew at every dose, a draw from a uniform number, and its median.
type Borne = (&'static str, bool, fn(f64) -> f64, f64);

/// Systems at nine doses. Of a logistic distribution both methods have the limit; a skewed one has another shape than the
/// logistic fit assumes, and a median that is not its mean.
#[test]
fn coverage_of_a_limit() {
    let rng = &mut StdRng::seed_from_u64(16);
    let doses: Vec<f64> = (0..9).map(|i| 0.012 + 0.002 * f64::from(i)).collect();
    let logistic: fn(f64) -> f64 = |u| 0.02 + 0.0012 * (u / (1.0 - u)).ln();
    let cases: [Borne; 3] = [
        ("the same drift at every dose", false, logistic, 0.02),
        ("a drift of its own at every dose", true, logistic, 0.02),
        ("skewed", false, |u| 0.014 + 0.004 * (0.6 * z(u)).exp(), 0.018),
    ];
    for (name, anew, draw, truth) in cases {
        let mut found = |n: usize| {
            let borne: Vec<f64> = (0..n).map(|_| draw(rng.random())).collect();
            let mut alive = |dose: f64| {
                borne.iter().map(|own| if anew { draw(rng.random()) } else { *own } > dose).collect()
            };
            let alive = doses.iter().map(|&dose| alive(dose)).collect();
            limits(&DoseCurve::new(doses.clone(), alive).unwrap())
        };
        let of: Vec<Vec<Limits>> = NUMBERS.iter().map(|&n| (0..200).map(|_| found(n)).collect()).collect();
        for method in Method::ALL {
            let mut of = of.iter();
            let shares = row(&format!("drift limit, {}", method.name()), name, |n| {
                let mut found = of.next()?.iter().map(|limits| limits.of(method));
                let interval = || {
                    let Estimate { low, high, .. } = found.next()?;
                    // Of few systems only bounds are known.
                    low.zip(high).filter(|_| n >= FEW).map(|(low, high)| Interval { low, high })
                };
                covered(200, truth, interval)
            });
            assert_eq!(shares[..3], [None; 3], "too few");
            // A logistic curve has not the shape of a skewed one: its interval is shown, and not relied on.
            let fits = method == Method::SpearmanKarber || name != "skewed";
            let held = shares.into_iter().flatten().all(|share| share > 0.92);
            assert!(held || !fits, "{method:?}, {name}: {shares:?}");
        }
    }
}

/// Two agents of which every episode bears as much drift as any other.
#[test]
fn coverage_of_no_difference_between_limits() {
    let rng = &mut StdRng::seed_from_u64(18);
    let doses: Vec<f64> = (0..9).map(|i| 0.012 + 0.002 * f64::from(i)).collect();
    for method in Method::ALL {
        let shares = row("yes or no on noise", &format!("drift limits, {}", method.name()), |n| {
            let mut curve = || {
                let borne: Vec<f64> = (0..n).map(|_| 0.02 + 0.002 * z(rng.random())).collect();
                let alive = doses.iter().map(|&dose| borne.iter().map(|own| *own > dose).collect()).collect();
                DoseCurve::new(doses.clone(), alive).unwrap()
            };
            let mut told = || {
                let found = difference(&curve(), &curve(), method, 1);
                found.is_some_and(|found| found.low > Some(0.0) || found.high.is_some_and(|high| high < 0.0))
            };
            (n >= FEW).then(|| (0..200).filter(|_| told()).count() as f64 / 200.0)
        });
        assert!(shares.into_iter().flatten().all(|share| share < 0.08), "{method:?}: {shares:?}");
    }
}
