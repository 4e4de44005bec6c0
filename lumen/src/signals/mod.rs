//! What windows of rows say: pure functions of plain numbers. docs/LUMEN.md has the formulas and what they were worth on
//! recorded runs.

#![allow(clippy::disallowed_methods)] // no trajectory depends on a signal

pub mod entropy;
pub mod fleet;
pub mod level;
pub mod phase;
pub mod residual;
pub mod window;
