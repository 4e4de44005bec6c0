//! Noise that estimators are tried on before anybody believes them: series in which nothing happened, alike from row
//! to row, with a trend, with a jump that is not theirs.

use serde::Serialize;

use super::as_f64;
use super::draws::Drawn;

/// A kind of noise, of which there are any number of series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Noise {
    /// What tables call it.
    pub name: &'static str,
    /// Coefficient of a row on the one before, in (-1, 1).
    pub rho: f64,
    /// By how many standard deviations of a row the series rises, evenly, from its first row to its last.
    pub trend: f64,
    /// Size of a jump, in standard deviations of a row; where it comes is drawn evenly over the series.
    pub jump: f64,
}

/// What every estimator must stay silent on.
pub const NOISES: [Noise; 7] = [
    Noise { name: "independent rows", rho: 0.0, trend: 0.0, jump: 0.0 },
    Noise { name: "AR(1) 0.9", rho: 0.9, trend: 0.0, jump: 0.0 },
    Noise { name: "AR(1) 0.98", rho: 0.98, trend: 0.0, jump: 0.0 },
    Noise { name: "independent rows, trend of 5 sd", rho: 0.0, trend: 5.0, jump: 0.0 },
    Noise { name: "AR(1) 0.9, trend of 5 sd", rho: 0.9, trend: 5.0, jump: 0.0 },
    Noise { name: "AR(1) 0.98, trend of 5 sd", rho: 0.98, trend: 5.0, jump: 0.0 },
    Noise { name: "AR(1) 0.9, jump of 3 sd", rho: 0.9, trend: 0.0, jump: 3.0 },
];

impl Noise {
    /// The series number `index` under `seed`: `rows` rows whose noise has the mean 0 and the standard deviation 1
    /// from the first row on: x(t) = rho x(t - 1) + sqrt(1 - rho²) e(t).
    pub fn series(&self, rows: usize, seed: u64, index: u64) -> Vec<f64> {
        let mut draws = Drawn::Noise.stream(seed, index);
        // Drawn first, so that the same series is there with and without a jump.
        let jump_at = draws.uniform() * as_f64(rows);
        let fresh = (1.0 - self.rho * self.rho).sqrt();
        let mut value = draws.normal();
        let mut series = Vec::with_capacity(rows);
        for row in 0..rows {
            let at = as_f64(row);
            let rise = self.trend * at / as_f64(rows.max(2) - 1);
            let jump = if at >= jump_at { self.jump } else { 0.0 };
            series.push(value + rise + jump);
            value = self.rho * value + fresh * draws.normal();
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::super::serial::ar1;
    use super::super::summary::{mean, standard_deviation};
    use super::super::test_data::assert_close;
    use super::*;

    /// Standard errors of an AR(1) series of n rows: of the mean sqrt((1 + rho) / (1 - rho) / n), of rho
    /// sqrt((1 - rho²) / n), of the variance sqrt(2 (1 + rho²) / (1 - rho²) / n); four of each.
    #[test]
    fn noise_is_what_it_says() {
        let n = 200_000;
        for noise in &NOISES[..3] {
            let rho = noise.rho;
            let values = noise.series(n, 3, 0);
            let per_row = 4.0 / as_f64(n).sqrt();
            assert_close(mean(&values).unwrap(), 0.0, per_row * ((1.0 + rho) / (1.0 - rho)).sqrt());
            let variance = standard_deviation(&values).unwrap().powi(2);
            assert_close(variance, 1.0, per_row * (2.0 * (1.0 + rho * rho) / (1.0 - rho * rho)).sqrt());
            assert_close(ar1(&values).unwrap(), rho, per_row * (1.0 - rho * rho).sqrt());
        }
    }

    /// A series begins as it goes on: of many first rows the deviation is 1, too.
    #[test]
    fn the_first_row_is_no_exception() {
        let firsts: Vec<f64> = (0..4_000).map(|index| NOISES[2].series(1, 4, index)[0]).collect();
        let bound = 4.0 / (2.0 * 4_000.0_f64).sqrt();
        assert_close(standard_deviation(&firsts).unwrap(), 1.0, bound);
    }

    #[test]
    fn trend_and_jump_are_added_to_the_same_noise() {
        let plain = NOISES[1].series(101, 5, 7);
        let risen = NOISES[4].series(101, 5, 7);
        let jumped = NOISES[6].series(101, 5, 7);
        let added = |of: &[f64], row: usize| of[row] - plain[row];
        assert_close(added(&risen, 0), 0.0, 1e-12);
        assert_close(added(&risen, 100), 5.0, 1e-12);
        let jumps = (0..101).filter(|&row| added(&jumped, row) > 1.5).count();
        assert!(jumps > 0 && jumps < 101);
        assert_close(added(&jumped, 100), 3.0, 1e-12);
        assert_ne!(NOISES[0].series(9, 5, 0), NOISES[0].series(9, 5, 1));
    }
}
