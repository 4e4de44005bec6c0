//! Dose and response: at which dose half of the systems are lost, from outcomes at several doses.
//!
//! Two estimates stand side by side. The trimmed Spearman-Karber estimate (Hamilton, Russo and Thurston 1977,
//! "Trimmed Spearman-Karber method for estimating median lethal concentrations in toxicity bioassays",
//! Environmental Science and Technology 11, 714 to 719; correction 1978, 12, 417) assumes no shape, only that
//! more are lost at a higher dose. The logistic fit assumes a shape and uses all doses for it.
//!
//! The scale of the doses is the caller's: bioassays give logarithms of concentrations, a drift is given as it is.

mod karber;
mod logistic;
#[cfg(test)]
mod tests;
mod trainings;

pub use karber::{least_trim, pool_adjacent_violators, spearman_karber};
pub use logistic::{Logistic, logistic};
pub use trainings::{mean_difference, mean_limit};

use rand::RngExt;
use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

use karber::ascend;

use super::bootstrap::{Resampled, resamples, tail_among};
use super::paired::holm;
use super::{FEW, as_f64};

/// The least share that is cut off at each end of the distribution whose mean is a limit: half are lost at its median, and
/// tails draw its mean away from that. Trims of 10% to 20% are advised for irregular tails (Environment Canada 2005, "Guidance
/// document on statistical methods for environmental toxicity tests", EPS 1/RM/46).
pub const TRIM: f64 = 0.2;

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
    /// By the trimmed Spearman-Karber method, with a trim of [`TRIM`], or more where the shares need it ([`least_trim`]).
    pub spearman_karber: Estimate,
    /// By the logistic fit.
    pub logistic: Estimate,
    /// Whether no share of survivors rises with the dose by more than chance ([`rises`] at 5%).
    pub monotone: bool,
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

impl Limits {
    /// The estimate by `method`.
    pub fn of(&self, method: Method) -> Estimate {
        match method {
            Method::SpearmanKarber => self.spearman_karber,
            Method::Logistic => self.logistic,
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

    /// The same with the episodes at `kept` alone, in that order. `None` for none, or one that is not there.
    pub fn only(&self, kept: &[usize]) -> Option<DoseCurve> {
        let row = |row: &Vec<bool>| kept.iter().map(|&i| row.get(i).copied()).collect::<Option<Vec<bool>>>();
        DoseCurve::new(self.doses.clone(), self.alive.iter().map(row).collect::<Option<_>>()?)
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
                .and_then(|trim| spearman_karber(doses, &lost, trim.max(TRIM)))
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

/// The pairs of doses between which more survive at the higher one by more than chance at the level `level`, each as
/// the places of the two.
///
/// Every pair has the exact sign test of the episodes whose outcomes differ (`McNemar` 1947), on the side of a rise;
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
/// count; an end that lies among them beyond the doses is not given. Below [`FEW`] episodes there is no interval. Of a
/// curve that rises somewhere by more than chance there is no bound.
pub fn limits(curve: &DoseCurve) -> Limits {
    let ranges = |survived: &[u64]| {
        Method::ALL.map(|method| Range::of(method, &curve.doses, survived, curve.episodes()))
    };
    let found = ranges(&curve.survived());
    let monotone = rises(curve, 0.05).is_empty();
    // Where more of it keeps systems alive, half may be lost on either side of what a bound says.
    let told = |estimate: Estimate| {
        if monotone || estimate.limit.is_some() { estimate } else { Estimate::default() }
    };
    let [spearman_karber, logistic] =
        estimates(found, curve.episodes(), 1, |drawn| ranges(&curve.survived_of(drawn))).map(told);
    Limits { spearman_karber, logistic, monotone }
}

/// By how much the limit of `curve` is above that of `other`, by `method`: the same episodes are drawn for both. The
/// interval is one of `among` that are looked at together (Bonferroni).
///
/// `None` unless both have as many episodes; episode i must have the same seed in both.
pub fn difference(curve: &DoseCurve, other: &DoseCurve, method: Method, among: usize) -> Option<Estimate> {
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
    let [estimate] = estimates(found, episodes, among, range);
    Some(estimate)
}

/// The estimates whose values on all `episodes` are `found`, from those on resamples.
fn estimates<const N: usize>(
    found: [Range; N],
    episodes: usize,
    among: usize,
    ranges: impl Fn(&[usize]) -> [Range; N],
) -> [Estimate; N] {
    let tail = if episodes < FEW { None } else { tail_among(episodes, episodes - 1, among) };
    let replicates = if tail.is_none() { Vec::new() } else { replicates(episodes, ranges) };
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

/// What `of` says of each resample of the episodes.
fn replicates<T>(episodes: usize, of: impl Fn(&[usize]) -> T) -> Vec<T> {
    let mut stream = Resampled::Limits.stream();
    let mut replicate = || {
        let drawn: Vec<usize> = (0..episodes).map(|_| stream.random_range(0..episodes)).collect();
        of(&drawn)
    };
    (0..resamples(episodes)).map(|_| replicate()).collect()
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
