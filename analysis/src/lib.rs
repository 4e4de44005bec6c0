#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! - [`stats`]: [`student::mean_interval`](stats::student::mean_interval) for a mean or paired
//!   differences, [`bootstrap::bootstrap_interval`](stats::bootstrap::bootstrap_interval) for everything else,
//!   [`survival::kaplan_meier`](stats::survival::kaplan_meier) for how long runs last.
//! - [`read::open`]: which of the known files a CSV is, and its rows; any length in the same memory.
//! - [`agents`], [`trainings`], [`garden`], [`lives`], [`evaluations`]: what a report says of each kind of file,
//!   as a [`report::Part`].
//! - [`report::Report`]: the parts together, as text, JSON or one HTML page ([`report::page`]).
//!
//! # Errors
//!
//! - [`read::ReadError`]: with the file, line and column, what was found there and what is allowed.
//! - [`chart::ChartError`]: a figure that cannot be drawn.
//! - Statistics give `None` for values that are not finite or too few of them; none panics.
//!
//! # The other crates
//!
//! Takes the random stream of its resampling from `resonetics-numerics` and knows no environment and no
//! agent: it works on what runs wrote, or on any numbers of yours.

// Statistics and figures are no trajectory: the system's ln and exp will do.
#![allow(clippy::disallowed_methods)]

pub mod agents;
pub mod chart;
pub mod evaluations;
pub mod garden;
pub mod limits;
pub mod lives;
pub mod picture;
pub mod read;
pub mod report;
pub mod stats;
pub mod thinned;
pub mod trainings;
