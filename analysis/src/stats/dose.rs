//! Dose and response: at which dose half of the systems are lost, from outcomes at several doses.
//!
//! Two estimates stand side by side. The trimmed Spearman-Karber estimate (Hamilton, Russo and Thurston 1977,
//! "Trimmed Spearman-Karber method for estimating median lethal concentrations in toxicity bioassays",
//! Environmental Science and Technology 11, 714 to 719; correction 1978, 12, 417) assumes no shape, only that
//! more are lost at a higher dose. The logistic fit assumes a shape and uses all doses for it.
//!
//! The scale of the doses is the caller's: bioassays give logarithms of concentrations, a drift is given as it is.

use rand::RngExt;
use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

use super::bootstrap::{Resampled, resamples, tail};
use super::paired::holm;
use super::{FEW, as_f64};

/// Newton's steps at most; a fit that exists needs a dozen.
const STEPS: usize = 100;

/// Outcomes of one agent at several doses, with the same episodes at each.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseCurve {
    doses: Vec<f64>,
    alive: Vec<Vec<bool>>,
}

/// The dose at which half are lost, with its 95% interval; in the unit of the doses.
///
/// Without a `limit` the ends are bounds: where half or more live at the highest dose only `low` is set, where half
/// or more are lost at the lowest one only `high`, and both where all that is known is that it lies between two doses.
/// Beside a limit, an end that is missing lies beyond the doses, or there are too few episodes for an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub limit: Option<f64>,
    /// Lower end, or bound.
    pub low: Option<f64>,
    /// Upper end, or bound.
    pub high: Option<f64>,
}

/// What is known of the limit of one agent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// By the trimmed Spearman-Karber method.
    pub spearman_karber: Estimate,
    /// By the logistic fit.
    pub logistic: Estimate,
    /// Whether no share of survivors rises with the dose by more than chance ([`rises`] at 5%).
    pub monotone: bool,
}

/// A logistic curve: the share that survives at `dose` is 1 / (1 + exp(-(intercept + slope * dose))).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Logistic {
    /// The log odds of survival at dose 0.
    pub intercept: f64,
    /// What a unit of dose adds to the log odds.
    pub slope: f64,
}

/// How a limit is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// The trimmed Spearman-Karber method.
    SpearmanKarber,
    /// The logistic fit.
    Logistic,
}

impl Method {
    /// All, in the order of tables.
    pub const ALL: [Method; 2] = [Method::SpearmanKarber, Method::Logistic];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Method::SpearmanKarber => "spearman-karber",
            Method::Logistic => "logistic",
        }
    }
}

impl DoseCurve {
    /// `alive[d][i]` says whether episode i survived at `doses[d]`; episode i has the same seed at every dose.
    ///
    /// `None` without a dose or an episode, for doses that are not finite or do not ascend, and unless every dose
    /// has as many episodes.
    pub fn new(doses: Vec<f64>, alive: Vec<Vec<bool>>) -> Option<DoseCurve> {
        let episodes = alive.first().filter(|first| !first.is_empty())?.len();
        let even = alive.len() == doses.len() && alive.iter().all(|row| row.len() == episodes);
        (even && ascend(&doses)).then_some(DoseCurve { doses, alive })
    }

    /// The doses, ascending.
    pub fn doses(&self) -> &[f64] {
        &self.doses
    }

    /// Episodes at each dose, at least 1.
    pub fn episodes(&self) -> usize {
        self.alive.first().map_or(0, Vec::len)
    }

    /// How many survived at each dose.
    pub fn survived(&self) -> Vec<u64> {
        self.alive.iter().map(|row| row.iter().filter(|&&alive| alive).count() as u64).collect()
    }

    /// How many of the `drawn` episodes survive at each dose.
    fn survived_of(&self, drawn: &[usize]) -> Vec<u64> {
        self.alive.iter().map(|row| drawn.iter().filter(|&&i| row[i]).count() as u64).collect()
    }
}

/// Where the limit lies for all that some outcomes say: a number where both ends are the same, otherwise between
/// them; beyond the doses they are infinite.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    const UNKNOWN: Range = Range { low: f64::NEG_INFINITY, high: f64::INFINITY };

    fn at(limit: f64) -> Range {
        Range { low: limit, high: limit }
    }

    fn above(dose: f64) -> Range {
        Range { low: dose, high: f64::INFINITY }
    }

    fn below(dose: f64) -> Range {
        Range { low: f64::NEG_INFINITY, high: dose }
    }

    fn of(method: Method, doses: &[f64], survived: &[u64], episodes: usize) -> Range {
        match method {
            Method::SpearmanKarber => Range::spearman_karber(doses, survived, episodes),
            Method::Logistic => Range::logistic(doses, survived, episodes),
        }
    }

    fn spearman_karber(doses: &[f64], survived: &[u64], episodes: usize) -> Range {
        let n = as_f64(episodes);
        let lost: Vec<f64> = survived.iter().map(|&alive| 1.0 - alive as f64 / n).collect();
        let Some(lost) = pool_adjacent_violators(&lost, &vec![1.0; lost.len()]) else {
            return Range::UNKNOWN;
        };
        let (Some(&first), Some(&last)) = (lost.first(), lost.last()) else { return Range::UNKNOWN };
        match (first >= 0.5, last <= 0.5) {
            (true, true) => Range::UNKNOWN,
            (true, false) => Range::below(doses[0]),
            (false, true) => Range::above(doses[doses.len() - 1]),
            (false, false) => least_trim(&lost)
                .and_then(|trim| spearman_karber(doses, &lost, trim))
                .map_or(Range::UNKNOWN, Range::at),
        }
    }

    fn logistic(doses: &[f64], survived: &[u64], episodes: usize) -> Range {
        let of = episodes as u64;
        let (lowest, highest) = (doses[0], doses[doses.len() - 1]);
        let alive = doses.iter().zip(survived).filter(|(_, n)| **n > 0).map(|(dose, _)| *dose).next_back();
        let lost = doses.iter().zip(survived).find(|(_, n)| **n < of).map(|(dose, _)| *dose);
        let (Some(alive), Some(lost)) = (alive, lost) else {
            return if lost.is_none() { Range::above(highest) } else { Range::below(lowest) };
        };
        if alive <= lost {
            // Separated. With one dose of mixed outcomes, `alive` is `lost`: the limit lies between its neighbours.
            let before = doses.iter().rev().find(|dose| **dose < lost);
            let behind = doses.iter().find(|dose| **dose > alive);
            let low = before.map_or(f64::NEG_INFINITY, |dose| *dose);
            return Range { low, high: behind.map_or(f64::INFINITY, |dose| *dose) };
        }
        match logistic(doses, survived, &vec![of; doses.len()]).and_then(Logistic::limit) {
            None => Range::UNKNOWN,
            // A curve says nothing of doses at which nothing was seen.
            Some(limit) if limit < lowest => Range::below(lowest),
            Some(limit) if limit > highest => Range::above(highest),
            Some(limit) => Range::at(limit),
        }
    }
}

fn ascend(doses: &[f64]) -> bool {
    !doses.is_empty()
        && doses.iter().all(|dose| dose.is_finite())
        && doses.windows(2).all(|pair| pair[0] < pair[1])
}

/// The nearest sequence that never falls: neighbours that do are replaced by their mean, weighed, until none is left
/// (Ayer, Brunk, Ewing, Reid and Silverman 1955, "An empirical distribution function for sampling with incomplete
/// information").
///
/// `None` for different lengths, a value that is not finite, or a weight that is not above 0.
pub fn pool_adjacent_violators(values: &[f64], weights: &[f64]) -> Option<Vec<f64>> {
    let usable = values.iter().all(|value| value.is_finite())
        && weights.iter().all(|weight| weight.is_finite() && *weight > 0.0);
    if values.len() != weights.len() || !usable {
        return None;
    }
    // Weight, weighed sum and number of the values of each block.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in values.iter().zip(weights) {
        let mut block = (*weight, value * weight, 1);
        while let Some(before) = blocks.last().filter(|before| before.1 / before.0 > block.1 / block.0) {
            block = (before.0 + block.0, before.1 + block.1, before.2 + block.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    Some(blocks.iter().flat_map(|block| vec![block.1 / block.0; block.2]).collect())
}

/// The least trim in [0, 0.5) with which [`spearman_karber`] has a value: shares below it and above 1 - it were not seen.
///
/// This is the automatic trim of the program that the method is known by (US EPA, "Trimmed Spearman-Karber",
/// version 1.5). `None` unless `lost` begins below a half and ends above it.
pub fn least_trim(lost: &[f64]) -> Option<f64> {
    let trim = lost.first()?.max(1.0 - lost.last()?).max(0.0);
    (trim < 0.5).then_some(trim)
}

/// The trimmed Spearman-Karber estimate of the dose at which half are lost, in the unit of `doses`.
///
/// The mean of the distribution whose share up to each of `doses` is that of `lost`, straight in between, without the
/// share `trim` at each end. `lost` are shares in [0, 1] that never fall ([`pool_adjacent_violators`]).
/// `None` for doses that do not ascend, other shares, a trim outside [0, 0.5), and where `lost` does not
/// reach from `trim` to 1 - `trim`.
pub fn spearman_karber(doses: &[f64], lost: &[f64], trim: f64) -> Option<f64> {
    let shares = lost.iter().all(|share| (0.0..=1.0).contains(share));
    let rise = lost.windows(2).all(|pair| pair[0] <= pair[1]);
    if !ascend(doses) || doses.len() != lost.len() || !shares || !rise || !(0.0..0.5).contains(&trim) {
        return None;
    }
    let (bottom, top) = (trim, 1.0 - trim);
    if *lost.first()? > bottom || *lost.last()? < top {
        return None;
    }
    // Each piece is straight, so the mean of what it keeps is the middle of where it is cut.
    let piece = |(dose, lost): (&[f64], &[f64])| {
        let (from, to) = (lost[0].max(bottom), lost[1].min(top));
        if to <= from {
            return 0.0;
        }
        let at = |share: f64| dose[0] + (dose[1] - dose[0]) * (share - lost[0]) / (lost[1] - lost[0]);
        (to - from) * f64::midpoint(at(from), at(to))
    };
    let sum: f64 = doses.windows(2).zip(lost.windows(2)).map(piece).sum();
    let limit = sum / (top - bottom);
    limit.is_finite().then_some(limit)
}

impl Logistic {
    /// The share that survives at `dose`, in [0, 1].
    pub fn share(self, dose: f64) -> f64 {
        1.0 / (1.0 + (-(self.intercept + self.slope * dose)).exp())
    }

    /// The dose at which half survive; `None` unless fewer do at a higher dose.
    pub fn limit(self) -> Option<f64> {
        let limit = -self.intercept / self.slope;
        (self.slope < 0.0 && limit.is_finite()).then_some(limit)
    }
}

/// The logistic curve of the greatest likelihood for `survived` out of `episodes` at each of `doses`, by Newton's
/// method (iteratively reweighted least squares).
///
/// `None` for fewer than two doses, doses that do not ascend, a dose without episodes or with more survivors than
/// episodes, and where there is no such curve: all alive, all lost, or outcomes that a dose separates, for which
/// steeper is always likelier (Albert and Anderson 1984, "On the existence of maximum likelihood estimates in
/// logistic regression models").
pub fn logistic(doses: &[f64], survived: &[u64], episodes: &[u64]) -> Option<Logistic> {
    let counts = survived.len() == doses.len()
        && episodes.len() == doses.len()
        && survived.iter().zip(episodes).all(|(alive, of)| *of > 0 && alive <= of);
    if !ascend(doses) || doses.len() < 2 || !counts || separated(survived, episodes) {
        return None;
    }
    // Doses from -1 to 1: the two numbers sought are then of one size.
    let (lowest, highest) = (doses[0], doses[doses.len() - 1]);
    let (center, scale) = (f64::midpoint(lowest, highest), (highest - lowest) / 2.0);
    let rows: Vec<[f64; 3]> = doses
        .iter()
        .zip(survived.iter().zip(episodes))
        .map(|(dose, (alive, of))| [(dose - center) / scale, *alive as f64, *of as f64])
        .collect();
    let [intercept, slope] = newton(&rows)?;
    let fit = Logistic { intercept: intercept - slope * center / scale, slope: slope / scale };
    (fit.intercept.is_finite() && fit.slope.is_finite()).then_some(fit)
}

/// Whether a dose separates the alive from the lost, on whichever sides they are, or there is but one kind.
fn separated(survived: &[u64], episodes: &[u64]) -> bool {
    let alive = |i: &usize| survived[*i] > 0;
    let lost = |i: &usize| survived[*i] < episodes[*i];
    let places = || 0..survived.len();
    let ends = |first: Option<usize>, last: Option<usize>| first.zip(last);
    let alive = ends(places().find(alive), places().rev().find(alive));
    let lost = ends(places().find(lost), places().rev().find(lost));
    match (alive, lost) {
        (Some((first_alive, last_alive)), Some((first_lost, last_lost))) => {
            last_alive <= first_lost || last_lost <= first_alive
        }
        _ => true,
    }
}

/// Intercept and slope of the greatest likelihood; each row has a dose, how many are alive there, and of how many.
fn newton(rows: &[[f64; 3]]) -> Option<[f64; 2]> {
    let mut at = [0.0, 0.0];
    let mut likelihood = log_likelihood(rows, at);
    for _ in 0..STEPS {
        let (mut gradient, mut hessian) = ([0.0; 2], [0.0; 3]);
        for [dose, alive, of] in rows {
            let share = 1.0 / (1.0 + (-(at[0] + at[1] * dose)).exp());
            let (residual, weight) = (alive - of * share, of * share * (1.0 - share));
            gradient = [gradient[0] + residual, gradient[1] + residual * dose];
            hessian = [hessian[0] + weight, hessian[1] + weight * dose, hessian[2] + weight * dose * dose];
        }
        let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
        let step = [
            (hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant,
            (hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant,
        ];
        if !step.iter().all(|part| part.is_finite()) {
            return None;
        }
        let size = |of: [f64; 2]| of[0].abs().max(of[1].abs());
        if size(step) <= 1e-12 * (1.0 + size(at)) {
            return Some([at[0] + step[0], at[1] + step[1]]);
        }
        // A whole step may overshoot where the curve is nearly a jump.
        let tried = (0..60).find_map(|halvings| {
            let part = 0.5_f64.powi(halvings);
            let next = [at[0] + part * step[0], at[1] + part * step[1]];
            let found = log_likelihood(rows, next);
            (found >= likelihood).then_some((next, found))
        });
        // No step is better: what is left is rounding.
        let Some((next, found)) = tried else { return Some(at) };
        (at, likelihood) = (next, found);
    }
    Some(at)
}

fn log_likelihood(rows: &[[f64; 3]], [intercept, slope]: [f64; 2]) -> f64 {
    // ln(1 + exp(x)) without overflow.
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    let of_row = |[dose, alive, of]: &[f64; 3]| {
        let odds = intercept + slope * dose;
        -alive * softplus(-odds) - (of - alive) * softplus(odds)
    };
    rows.iter().map(of_row).sum()
}

/// The pairs of doses between which more survive at the higher one by more than chance at the level `level`, each as
/// the places of the two.
///
/// Every pair has McNemar's exact test on the episodes with different outcomes (McNemar 1947), on the side of a rise;
/// Holm's correction for all pairs.
pub fn rises(curve: &DoseCurve, level: f64) -> Vec<(usize, usize)> {
    let places = 0..curve.doses.len();
    let pairs: Vec<(usize, usize)> =
        places.clone().flat_map(|low| (low + 1..places.end).map(move |high| (low, high))).collect();
    let p_values: Vec<f64> =
        pairs.iter().map(|&(low, high)| rise_p(&curve.alive[low], &curve.alive[high])).collect();
    pairs.into_iter().zip(holm(&p_values)).filter(|(_, p)| *p < level).map(|(pair, _)| pair).collect()
}

/// The chance that as many or more of the episodes that differ survive at the higher dose, if neither is likelier.
fn rise_p(low: &[bool], high: &[bool]) -> f64 {
    let count = |at_low: bool| low.iter().zip(high).filter(|(l, h)| **l == at_low && l != h).count() as u64;
    let (up, down) = (count(false), count(true));
    if up <= down {
        return 1.0;
    }
    Binomial::new(0.5, up + down).map_or(1.0, |binomial| binomial.sf(up - 1))
}

/// The limit of `curve` by both methods.
///
/// The intervals are percentile intervals over episodes, each drawn with its outcomes at all doses, widened as
/// in [`bootstrap_interval`](super::bootstrap::bootstrap_interval). In a resample without a number its bounds
/// count; an end that lies among them beyond the doses is not given. Below [`FEW`] episodes there is no interval.
pub fn limits(curve: &DoseCurve) -> Limits {
    let ranges = |survived: &[u64]| {
        Method::ALL.map(|method| Range::of(method, &curve.doses, survived, curve.episodes()))
    };
    let found = ranges(&curve.survived());
    let [spearman_karber, logistic] =
        estimates(found, curve.episodes(), |drawn| ranges(&curve.survived_of(drawn)));
    Limits { spearman_karber, logistic, monotone: rises(curve, 0.05).is_empty() }
}

/// By how much the limit of `curve` is above that of `other`, by `method`: the same episodes are drawn for both.
///
/// `None` unless both have as many episodes; episode i must have the same seed in both.
pub fn difference(curve: &DoseCurve, other: &DoseCurve, method: Method) -> Option<Estimate> {
    let episodes = curve.episodes();
    if episodes != other.episodes() {
        return None;
    }
    let between = |survived: &[u64], others: &[u64]| {
        let own = Range::of(method, &curve.doses, survived, episodes);
        let other = Range::of(method, &other.doses, others, episodes);
        [Range { low: own.low - other.high, high: own.high - other.low }]
    };
    let found = between(&curve.survived(), &other.survived());
    let range = |drawn: &[usize]| between(&curve.survived_of(drawn), &other.survived_of(drawn));
    let [estimate] = estimates(found, episodes, range);
    Some(estimate)
}

/// The estimates whose values on all `episodes` are `found`, from those on resamples.
fn estimates<const N: usize>(
    found: [Range; N],
    episodes: usize,
    ranges: impl Fn(&[usize]) -> [Range; N],
) -> [Estimate; N] {
    let tail = if episodes < FEW { None } else { tail(episodes, episodes - 1) };
    let mut stream = Resampled::Limits.stream();
    let mut resample = || {
        let drawn: Vec<usize> = (0..episodes).map(|_| stream.random_range(0..episodes)).collect();
        ranges(&drawn)
    };
    let count = if tail.is_none() { 0 } else { resamples(episodes) };
    let replicates: Vec<[Range; N]> = (0..count).map(|_| resample()).collect();
    let mut estimates = [Estimate::default(); N];
    for (i, estimate) in estimates.iter_mut().enumerate() {
        let of_one = |end: fn(&Range) -> f64| replicates.iter().map(|ranges| end(&ranges[i])).collect();
        let ends = tail.map(|tail| {
            [
                quantile_of(of_one(|range| range.low), tail),
                quantile_of(of_one(|range| range.high), 1.0 - tail),
            ]
        });
        *estimate = Estimate::of(found[i], ends);
    }
    estimates
}

impl Estimate {
    /// What was `found`, with the ends of its interval where there is one.
    fn of(found: Range, ends: Option<[f64; 2]>) -> Estimate {
        let finite = |end: f64| Some(end).filter(|end| end.is_finite());
        let [low, high] = ends.map_or([None; 2], |ends| ends.map(finite));
        if found.low >= found.high {
            return Estimate { limit: finite(found.low), low, high };
        }
        // Where there is no interval, what all episodes say is all there is.
        let bound =
            |end: f64, drawn: Option<f64>| finite(end).and(if ends.is_some() { drawn } else { finite(end) });
        Estimate { limit: None, low: bound(found.low, low), high: bound(found.high, high) }
    }
}

/// As [`quantile`](super::summary::quantile) of `ends`, some of which may be infinite.
fn quantile_of(ends: Vec<f64>, q: f64) -> f64 {
    let mut sorted = ends;
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = q * as_f64(last);
    // 0 <= position <= last, so the cast neither wraps nor cuts anything off.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let below = position.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    if low == high { low } else { low + (high - low) * position.fract() }
}

#[cfg(test)]
mod tests {
    use super::super::test_data::assert_close;
    use super::*;

    /// By hand: shares lost 0, 1/4, 3/4, 1 at 1, 2, 3, 4 are symmetric about 2.5. With 1/4, 1/2, 1 at 0, 1, 3 the trim is
    /// 1/4: the pieces kept are [0, 1] with 1/4 and [1, 2] with 1/4, whose middles are 1/2 and 3/2.
    #[test]
    fn spearman_karber_by_hand() {
        assert_close(
            spearman_karber(&[1.0, 2.0, 3.0, 4.0], &[0.0, 0.25, 0.75, 1.0], 0.0).unwrap(),
            2.5,
            1e-15,
        );
        let lost = [0.25, 0.5, 1.0];
        assert_eq!(least_trim(&lost), Some(0.25));
        assert_close(spearman_karber(&[0.0, 1.0, 3.0], &lost, 0.25).unwrap(), 1.0, 1e-15);
        assert_eq!(spearman_karber(&[0.0, 1.0, 3.0], &lost, 0.2), None);
    }
}
