//! Limits of trainings that differ in the seed alone: each training is one value.

use super::super::as_f64;
use super::super::student::{mean_interval, mean_interval_with, summed_interval_among};
use super::super::summary::{mean, standard_deviation};
use super::super::{FEW, Interval};
use super::{DoseCurve, Method, Range, replicates};

/// The mean limit of `curves`, each of another training, with its 95% interval: its error is that of the trainings
/// and, since they lived through the same episodes, that of the episodes, by bootstrap.
///
/// The mean is `None` where one of them has no limit; the interval for fewer than two trainings or [`FEW`] episodes,
/// and where a resample has no limit.
pub fn mean_limit(curves: &[&DoseCurve], method: Method) -> (Option<f64>, Option<Interval>) {
    let Some(limits) = limits_of(curves, method) else { return (None, None) };
    let interval = || {
        mean_interval(&limits)?;
        mean_interval_with(&limits, of_episodes(curves, &[], method)?)
    };
    (mean(&limits), interval())
}

/// By how much the mean limit of `x` is above that of `y`, with its 95% interval, one of `among`. The errors are those
/// of the trainings on each side that has several, and that of the episodes, which all lived through.
///
/// `None` where one has no limit, for different numbers of episodes, and as in [`mean_limit`].
pub fn mean_difference(
    x: &[&DoseCurve],
    y: &[&DoseCurve],
    method: Method,
    among: usize,
) -> Option<(f64, Interval)> {
    let (of_x, of_y) = (limits_of(x, method)?, limits_of(y, method)?);
    let mut errors = vec![of_episodes(x, y, method)?];
    for limits in [&of_x, &of_y].into_iter().filter(|limits| limits.len() > 1) {
        let n = as_f64(limits.len());
        errors.push((standard_deviation(limits)?.powi(2) / n, n - 1.0));
    }
    let difference = mean(&of_x)? - mean(&of_y)?;
    Some((difference, summed_interval_among(difference, &errors, among)?))
}

fn limits_of(curves: &[&DoseCurve], method: Method) -> Option<Vec<f64>> {
    let limit = |curve: &&DoseCurve| limit(curve, &curve.survived(), method);
    curves.iter().map(limit).collect()
}

fn limit(curve: &DoseCurve, survived: &[u64], method: Method) -> Option<f64> {
    let range = Range::of(method, &curve.doses, survived, curve.episodes());
    (range.low >= range.high).then_some(range.low).filter(|limit| limit.is_finite())
}

/// The variance, with its degrees of freedom, that the episodes give the mean limit of `x` without that of `y`.
fn of_episodes(x: &[&DoseCurve], y: &[&DoseCurve], method: Method) -> Option<(f64, f64)> {
    let episodes = x.first()?.episodes();
    if episodes < FEW || x.iter().chain(y).any(|curve| curve.episodes() != episodes) {
        return None;
    }
    let of = |side: &[&DoseCurve], drawn: &[usize]| {
        let limits = side.iter().map(|curve| limit(curve, &curve.survived_of(drawn), method));
        mean(&limits.collect::<Option<Vec<f64>>>()?)
    };
    let value = |drawn: &[usize]| Some(of(x, drawn)? - if y.is_empty() { 0.0 } else { of(y, drawn)? });
    let values: Vec<f64> = replicates(episodes, value).into_iter().collect::<Option<_>>()?;
    Some((standard_deviation(&values)?.powi(2), as_f64(episodes) - 1.0))
}
