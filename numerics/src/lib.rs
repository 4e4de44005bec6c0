#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! - [`stream::Key`]: one stream of random numbers; [`stream::Domain`] says whose it is, and
//!   [`stream::lane_seed`] gives each of many environments or episodes a seed of its own.
//! - [`stream::Stream`]: the same as a generator for the crate `rand`.
//! - [`math`]: `ln`, `exp`, `tanh` and their kin, with their error bounds.
//! - [`cpu::CpuPath`]: runs a loop compiled for SSE2, AVX2 or AVX-512, whichever this CPU has.
//!
//! # What is promised
//!
//! Tests freeze the values of the streams: a change to them would change the meaning of published seeds, and the
//! changelog says so. Random numbers come from Threefry-2x32 (Salmon et al. 2011); they are for simulation, never
//! for secrets.
//!
//! # The other crates
//!
//! This is the lowest layer and depends on none of them. `resonetics-envs` (environments) and
//! `resonetics-kernel` (training mathematics) build on it, `resonetics-agents` on both of these, and
//! `resonetics-analysis` takes its resampling from here.

pub mod cpu;
pub mod math;
pub mod stream;
