//! What runs wrote, read back and looked at: readers, statistics, figures, reports.
//!
//! Plain data: no world, no clock, and no file is written.
// Statistics and figures are no trajectory: the system's ln and exp will do.
#![allow(clippy::disallowed_methods)]

pub mod agents;
pub mod chart;
pub mod evaluations;
pub mod garden;
pub mod lives;
pub mod picture;
pub mod read;
pub mod report;
pub mod stats;
pub mod thinned;
pub mod trainings;
