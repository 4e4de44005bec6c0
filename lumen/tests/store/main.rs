//! The event store: what is read, once and only once, whatever happens to files and processes.
#![allow(clippy::unwrap_used)] // helpers of tests
#![allow(clippy::disallowed_methods)] // rotation is told the time

mod asked;
mod common;
mod files;
mod processes;
