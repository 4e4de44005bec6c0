//! What the rows before an event say of the variances: their likelihood over all shares of the level's, and draws.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::super::as_f64;
use super::super::draws::Draws;
use super::kalman::{Filtered, Rows, filter};

/// Logits of the shares that are looked at: from 2e-9 to as near to 1.
const REACH: f64 = 20.0;
const APART: f64 = 0.4;
const POINTS: usize = 101;

/// The two variances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Variances {
    pub(super) irregular: f64,
    pub(super) level: f64,
}

/// Likelihood times prior over shares s of the level's variance in the sum of both. The prior is flat in the root of
/// s, the deviation of a step of the level, and in the logarithm of the sum, which then is the sum of squares over
/// a chi-square number.
pub(super) struct Posterior {
    points: Vec<Point>,
}

struct Point {
    share: f64,
    /// Up to all points before this one, at most 1.
    below: f64,
    weight: f64,
    filtered: Filtered,
    /// Lower triangle of the root of the covariance.
    root: Vec<f64>,
}

/// One draw of everything before the event.
pub(super) struct Drawn {
    pub(super) variances: Variances,
    pub(super) state: Vec<f64>,
}

fn share(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

fn at(rows: Rows<'_>, logit: f64) -> Filtered {
    filter(rows, share(-logit), share(logit))
}

/// The likeliest variances: the best of the grid, then golden sections of what lies beside it until the logit is known
/// to 1e-7.
pub(super) fn likeliest(rows: Rows<'_>) -> Variances {
    let height = |logit: f64| at(rows, logit).profile();
    let mut best = (-REACH, f64::NEG_INFINITY);
    for i in 0..POINTS {
        let logit = -REACH + APART * as_f64(i);
        let found = height(logit);
        if found > best.1 {
            best = (logit, found);
        }
    }
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (best.0 - APART, best.0 + APART);
    while high - low > 1e-7 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if height(left) < height(right) {
            low = left;
        } else {
            high = right;
        }
    }
    let logit = f64::midpoint(low, high);
    let scale = at(rows, logit).scale();
    Variances { irregular: scale * share(-logit), level: scale * share(logit) }
}

impl Posterior {
    /// `None` where the rows are fewer than the states, or fitted without error.
    pub(super) fn new(rows: Rows<'_>) -> Option<Posterior> {
        let mut points = Vec::with_capacity(POINTS);
        for i in 0..POINTS {
            let logit = -REACH + APART * as_f64(i);
            let filtered = at(rows, logit);
            // d sqrt(s) / d logit = sqrt(s) (1 - s) / 2.
            let height = filtered.profile() + (share(logit).sqrt() * share(-logit)).ln();
            if !height.is_finite() {
                return None;
            }
            let root = cholesky(&filtered.covariance, filtered.state.len());
            points.push(Point { share: share(logit), below: 0.0, weight: height, filtered, root });
        }
        let highest = points.iter().map(|point| point.weight).fold(f64::NEG_INFINITY, f64::max);
        for point in &mut points {
            point.weight = (point.weight - highest).exp();
        }
        let total: f64 = points.iter().map(|point| point.weight).sum();
        let mut below = 0.0;
        for point in &mut points {
            point.weight /= total;
            point.below = below;
            below += point.weight;
        }
        Some(Posterior { points })
    }

    /// Draws a share, then the sum of variances, then the state after the last row.
    pub(super) fn draw(&self, draws: &mut Draws) -> Drawn {
        let place = draws.uniform();
        let after = self.points.partition_point(|point| point.below <= place);
        let point = &self.points[after.max(1) - 1];
        let filtered = &point.filtered;
        let scale = filtered.squares / (2.0 * draws.gamma(as_f64(filtered.counted) / 2.0));
        let d = filtered.state.len();
        let normals: Vec<f64> = (0..d).map(|_| scale.sqrt() * draws.normal()).collect();
        let mut state = filtered.state.clone();
        for i in 0..d {
            for j in 0..=i {
                state[i] += point.root[i * d + j] * normals[j];
            }
        }
        let variances = Variances { irregular: scale * (1.0 - point.share), level: scale * point.share };
        Drawn { variances, state }
    }

    /// The probability that the row `ahead` rows after the last, 1 or more, is at most `y`, given its controls.
    pub(super) fn below(&self, y: f64, controls: &[f64], ahead: usize) -> Option<f64> {
        let mut below = 0.0;
        for point in self.points.iter().filter(|point| point.weight > 1e-6) {
            let (mean, variance) = point.filtered.fitted(controls);
            let variance = variance + as_f64(ahead) * point.share + (1.0 - point.share);
            let scale = (variance * point.filtered.scale()).sqrt();
            below += point.weight * StudentsT::new(mean, scale, as_f64(point.filtered.counted)).ok()?.cdf(y);
        }
        Some(below)
    }
}

/// The lower triangle L with L L' = `matrix`, of d rows; what rounding made negative counts as 0.
fn cholesky(matrix: &[f64], d: usize) -> Vec<f64> {
    let mut root = vec![0.0; d * d];
    for i in 0..d {
        for j in 0..=i {
            let mut rest = matrix[i * d + j];
            for k in 0..j {
                rest -= root[i * d + k] * root[j * d + k];
            }
            root[i * d + j] = if i == j {
                rest.max(0.0).sqrt()
            } else if root[j * d + j] > 0.0 {
                rest / root[j * d + j]
            } else {
                0.0
            };
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::super::super::test_data::assert_close;
    use super::*;

    #[test]
    fn a_root_times_itself_is_the_matrix() {
        let matrix = [4.0, 2.0, 0.6, 2.0, 5.0, 1.5, 0.6, 1.5, 3.0];
        let root = cholesky(&matrix, 3);
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|k| root[i * 3 + k] * root[j * 3 + k]).sum();
                assert_close(product, matrix[i * 3 + j], 1e-14);
            }
        }
        assert_eq!(cholesky(&[0.0, 0.0, 0.0, -1e-18], 2), [0.0; 4]);
    }
}
