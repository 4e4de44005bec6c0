#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! - [`setup::Setup`]: a world by its name with all its settings; [`overlay::Overlay`] lays a file of settings over it.
//! - [`training::Training`]: a training from its settings to its files; [`training::Stopped`]: one that goes on;
//!   [`training::Runtime`]: who watches it, and on which device it computes.
//! - [`trained::policy`]: an agent by its name, also `prophet:DIR`, the best checkpoint of a training.
//! - [`rollout::play_with`]: episodes on seeds of yours; [`evaluation::evaluate`]: a trained agent in fresh ones.
//! - [`sweep::Sweep`]: many trainings over settings and seeds.
//! - [`limit::curves`]: how much drift agents carry, yours in worlds of yours among them.
//! - [`inputs::Inputs`] and [`findings::report`]: runs found, read, compared and told.
//! - [`plan::Plan`] and [`run_dir::RunDir`]: for a command of your own that keeps what it did.
//!
//! # Errors
//!
//! One type, [`Error`], whose text is a sentence for the user: what, where, what to do. [`Error::is_refusal`] tells
//! what was asked for and cannot be done from what failed on the way. Nothing that is in a file or was asked for
//! panics. Long work asks [`interrupt::check`], which answers once [`interrupt::install`] has been called.
//!
//! # The other crates
//!
//! Depends on [`resonetics_agents`], whose policies it plays and trains, and [`resonetics_analysis`], whose readers
//! and reports it feeds. The program `resonetics` and other front ends depend on it.

pub mod benchmark;
pub mod chain;
pub mod claim;
pub mod commands;
pub mod config_toml;
pub mod episodes;
pub mod error;
pub mod evaluation;
pub mod files;
pub mod findings;
pub mod garden_csv;
pub mod inputs;
pub mod interrupt;
pub mod lifespan;
pub mod limit;
pub mod listen;
pub mod memory;
pub mod monitor;
pub mod onnx;
pub mod overlay;
pub mod plan;
pub mod progress;
pub mod rollout;
pub mod run_dir;
mod sensitivity;
pub mod setup;
pub mod shell;
pub mod sweep;
pub mod tensorboard;
pub mod trace;
pub mod trained;
pub mod training;
mod unfinished;

pub use error::Error;
