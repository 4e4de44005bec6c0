//! `lumen serve`: what is known of all runs, over HTTP on this machine alone: questions to the store (`/api/...`),
//! metrics for Prometheus (`/metrics`), and where Prometheus finds the monitors of trainings at work (`targets.json`).
//!
//! A thread of its own (`watch.rs`) reads the logs of runs into the store, the folders of runs into the ledger, and writes
//! the targets. What is asked for is read from the store's indexes, from what that thread found last, and from nothing
//! else: no request changes anything or reads a whole file.
//!
//! What is not known has no sample, a null or no row; see `export` for how old it may be.

mod answer;
mod api;
mod encode;
mod export;
mod fleet;
mod http;
mod kept;
mod known;
pub(crate) mod live;
mod names;
mod once;
mod proofs;
mod query;
mod readers;
mod samples;
mod server;
mod targets;
mod time;
mod watch;

pub use http::routes;
pub use kept::KeptSettings;
pub use known::{Intervals, Settings};
pub use names::{MOST_RUNS, exporter_names};
pub use once::{TEXTFILE, forget, once, push, textfile};
pub use proofs::LogSettings;
pub use server::{Server, USUAL};
