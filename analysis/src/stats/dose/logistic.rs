//! The logistic curve of the greatest likelihood.

use serde::Serialize;

use super::karber::ascend;

/// Newton's steps at most; a fit that exists needs a dozen.
const STEPS: usize = 100;

/// A logistic curve: the share that survives at `dose` is 1 / (1 + exp(-(intercept + slope * dose))).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Logistic {
    /// The log odds of survival at dose 0.
    pub intercept: f64,
    /// What a unit of dose adds to the log odds.
    pub slope: f64,
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

/// The likelihood at one place, as far as its second derivatives.
struct Likelihood {
    log: f64,
    gradient: [f64; 2],
    /// The second derivatives without their sign: by the intercept, mixed, by the slope.
    curvature: [f64; 3],
}

impl Likelihood {
    /// Each row has a dose, how many are alive there, and of how many.
    fn at(rows: &[[f64; 3]], [intercept, slope]: [f64; 2]) -> Likelihood {
        let mut sum = Likelihood { log: 0.0, gradient: [0.0; 2], curvature: [0.0; 3] };
        for [dose, alive, of] in rows {
            let odds = intercept + slope * dose;
            // Nothing here overflows.
            let small = (-odds.abs()).exp();
            let share = if odds < 0.0 { small } else { 1.0 } / (1.0 + small);
            sum.log += alive * odds - of * (odds.max(0.0) + small.ln_1p());
            let (residual, weight) = (alive - of * share, of * small / ((1.0 + small) * (1.0 + small)));
            sum.gradient = [sum.gradient[0] + residual, sum.gradient[1] + residual * dose];
            let [first, mixed, second] = sum.curvature;
            sum.curvature = [first + weight, mixed + weight * dose, second + weight * dose * dose];
        }
        sum
    }

    /// Newton's step.
    fn step(&self) -> [f64; 2] {
        let ([first, mixed, second], [by_first, by_second]) = (self.curvature, self.gradient);
        let determinant = first * second - mixed * mixed;
        [
            (second * by_first - mixed * by_second) / determinant,
            (first * by_second - mixed * by_first) / determinant,
        ]
    }
}

/// Intercept and slope of the greatest likelihood of `rows`.
fn newton(rows: &[[f64; 3]]) -> Option<[f64; 2]> {
    let size = |of: [f64; 2]| of[0].abs().max(of[1].abs());
    let mut at = [0.0, 0.0];
    let mut here = Likelihood::at(rows, at);
    for _ in 0..STEPS {
        let step = here.step();
        if !size(step).is_finite() {
            return None;
        }
        // A whole step overshoots where the curve is nearly a jump. Rounding alone makes no step worse.
        let worst = here.log - 1e-9 * (1.0 + here.log.abs());
        let next = (0..60).find_map(|halvings| {
            let part = 0.5_f64.powi(halvings);
            let next = [at[0] + part * step[0], at[1] + part * step[1]];
            let there = Likelihood::at(rows, next);
            (there.log >= worst).then_some((next, there))
        });
        (at, here) = next?;
        if size(step) <= 1e-12 * (1.0 + size(at)) {
            return Some(at);
        }
    }
    None
}
