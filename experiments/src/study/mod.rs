//! Studies: questions that many runs answer together.
//!
//! A study is a list of cells, each an ordinary run with plain settings in a folder of its own; what was done is done, so
//! a study that was stopped goes on with the cells that are left.

pub mod all;
pub mod cell;
mod controls;
mod drifts;
mod foresight;
mod kernel;
mod limits;
mod lives;
mod memory;
pub mod python;
mod rates;
mod sb3;
pub mod summary;
mod units;
pub mod work;
