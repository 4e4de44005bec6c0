//! Archives: what is frozen comes back, and what is damaged is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod common;
mod damage;
mod frozen;
mod hostile;
mod index;
mod remote;
mod retention;
mod sealed;
