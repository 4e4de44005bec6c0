//! Seeded draws for what is simulated in statistics: normals and gammas in 53 bits from the crate's own streams
//! ([`Domain::Statistics`]). No trajectory of a world depends on them.

use std::f64::consts::TAU;

use rand::RngExt;
use resonetics_numerics::stream::{Domain, Key, Stream};

/// What draws are for. Each has streams of its own under a seed; the numbers never change, and begin where those of
/// [`super::bootstrap::Resampled`] will not come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Drawn {
    /// Signs of paired differences, where there are too many pairs for all patterns.
    Signs = 64,
    /// Which block of a pair comes first.
    Orders = 65,
    /// Noise of pairs, for the smallest effect that they can show.
    Power = 66,
    /// Effects from their posteriors.
    Effects = 67,
    /// What arms of a bandit may be worth, when one is chosen.
    Choices = 68,
    /// States and parameters of a local level.
    Levels = 69,
    /// Noise that estimators are tried on.
    Noise = 71,
}

impl Drawn {
    /// The stream number `index` under `seed`, from its beginning.
    pub(super) fn stream(self, seed: u64, index: u64) -> Draws {
        let key = Key::new(seed, Domain::Statistics, self as u64).derive(0, index);
        Draws { stream: Stream::new(key), spare: None }
    }
}

/// Draws of one stream, in order.
pub(super) struct Draws {
    stream: Stream,
    spare: Option<f64>,
}

impl Draws {
    /// A number in [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        self.stream.random()
    }

    /// A fair coin.
    pub(super) fn coin(&mut self) -> bool {
        self.stream.random()
    }

    /// 64 fair coins.
    pub(super) fn coins(&mut self) -> u64 {
        self.stream.random()
    }

    /// A standard normal number (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// A number of the gamma distribution of scale 1 and `shape`, at least 1/2 (Marsaglia and Tsang 2000, "A simple
    /// method for generating gamma variables"; below 1 by their section 6).
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let power = (1.0 - self.uniform()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * power;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, Gamma, Normal};

    use super::*;

    /// The largest distance of the empirical distribution from `cdf` (Kolmogorov and Smirnov).
    fn distance(mut values: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let apart = |(i, &value): (usize, &f64)| {
            let at = cdf(value);
            (at - i as f64 / n).abs().max((at - (i + 1) as f64 / n).abs())
        };
        values.iter().enumerate().map(apart).fold(0.0, f64::max)
    }

    // 1.95 / sqrt(n) is exceeded in 0.1% of cases (Smirnov 1948).
    #[test]
    fn draws_have_their_distributions() {
        let n = 20_000;
        let bound = 1.95 / f64::from(n).sqrt();
        let mut draws = Drawn::Noise.stream(1, 0);
        let normals = (0..n).map(|_| draws.normal()).collect();
        let standard = Normal::standard();
        assert!(distance(normals, |x| standard.cdf(x)) < bound);
        for shape in [0.5, 1.0, 2.5, 40.0] {
            let gamma = Gamma::new(shape, 1.0).unwrap();
            let values = (0..n).map(|_| draws.gamma(shape)).collect();
            assert!(distance(values, |x| gamma.cdf(x)) < bound, "{shape}");
        }
    }

    #[test]
    fn streams_differ_in_seed_purpose_and_number() {
        let first = |drawn: Drawn, seed, index| drawn.stream(seed, index).uniform();
        let all = [
            first(Drawn::Noise, 1, 0),
            first(Drawn::Noise, 1, 1),
            first(Drawn::Noise, 2, 0),
            first(Drawn::Levels, 1, 0),
        ];
        assert_eq!(all[0], first(Drawn::Noise, 1, 0));
        assert!((0..4).all(|i| (0..i).all(|j| all[i] != all[j])), "{all:?}");
    }
}
