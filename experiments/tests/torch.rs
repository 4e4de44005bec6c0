//! The tests of what libtorch does, or could disturb, in one binary of their own. Linked with it the program takes a third of
//! a second to start, a hundred times as long as without: the others (`program.rs`) do that two thousand times.

#[allow(dead_code)] // the other binary needs more of it
mod common;

mod drift_checkpoints;
mod gpu;
mod prophet_trace;
mod reports;
mod reproducibility;
mod signals;
mod training;
