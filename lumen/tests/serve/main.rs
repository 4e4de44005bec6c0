//! `lumen serve` as it is asked over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // helpers of tests

mod api;
mod export;
mod proofs;
mod support;
mod unknown;
