//! Statistics for comparing agents: robust summaries, bootstrap intervals, survival analysis of how
//! long a run lasts before it loses, and how well a score foretells the loss.
//!
//! And for experiments on what is running, whose rows are alike from one to the next: what one event did ([`serial`],
//! [`placebo`], [`local_level`]), what pairs of blocks say ([`blocks`], [`sign_flip`]), what is believed of it
//! ([`bayes`]), which value is best ([`bandit`]); and how often each speaks where nothing happened ([`noise`],
//! [`trials`]).
//!
//! Nearly everything is a plain function on slices. Inputs must be finite; a function
//! returns `None` where they are not, or where there are too few of them for
//! the quantity to be defined. No function panics.
// No trajectory depends on these: the system's ln and exp will do.
#![allow(clippy::disallowed_methods)]

pub mod aggregate;
pub mod bandit;
pub mod bayes;
pub mod blocks;
pub mod bootstrap;
pub mod compare;
pub mod correlation;
pub mod dose;
pub mod local_level;
pub mod log_rank;
pub mod noise;
pub mod paired;
pub mod placebo;
pub mod restricted_mean;
pub mod roc;
pub mod serial;
pub mod sign_flip;
pub mod student;
pub mod summary;
pub mod survival;
pub mod trials;

mod draws;

#[cfg(test)]
mod coverage;
#[cfg(test)]
mod false_alarms;
#[cfg(test)]
mod test_data;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

/// A two-sided 95% interval, in the units of the quantity it is about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end, at least `low`.
    pub high: f64,
}

/// Below so many values there is no interval of what is no mean, nor of a mean of equal values: independent
/// values all lie on one side of their median in 2^(1-n) of cases, which is 6% for five and 3% for six.
pub const FEW: usize = 6;

/// The 97.5% point of the standard normal distribution, about 1.96.
fn normal_95() -> f64 {
    Normal::standard().inverse_cdf(0.975)
}

/// A count as a float: exact, since no slice here comes near 2^53 elements.
#[allow(clippy::cast_precision_loss)]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::test_data::assert_close;
    use super::*;

    // scipy 1.17.1: stats.norm.ppf(0.975)
    #[test]
    fn normal_point_matches_scipy() {
        assert_close(normal_95(), 1.959_963_984_540_054, 1e-12);
    }
}
