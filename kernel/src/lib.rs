#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! - [`terms::kernel`]: all terms of the loss and its gradient, from the outputs of any network.
//! - [`mlp::Mlp`] and [`adam::Adam`]: a small network, forward and backward, and its optimizer; for large
//!   ones [`dense`], and [`min_gru`] for those that remember.
//! - [`prophet_optimizer::ProphetOptimizer`]: from a predicted risk to a learning rate;
//!   [`risk_predictor`] predicts it, [`pid::KernelPidTuner`] tunes the weights of the loss.
//! - [`worker`] and [`drift`]: the experiment with a drifting target that puts them together.
//!
//! All of it is written once for `f32`, which trains, and `f64`, which is its oracle ([`real::Real`]).
//! RULES in this documentation are the rules of Resonetics, which `resonetics-envs` has as its page `rules`;
//! section 3 is about this crate.
//!
//! # Errors
//!
//! None: arrays whose lengths do not fit are mistakes of the program and panic, as each function says. NaN goes in and
//! comes out. With the feature `torch`, finding a device can fail, with a sentence that says why. What has
//! state (Adam, the tuners, the optimizer) can be saved and read back with serde.
//!
//! # The other crates
//!
//! Depends on `resonetics-numerics` alone and knows no environment. `resonetics-agents` trains with it.

pub mod adam;
pub mod dense;
pub mod drift;
pub mod min_gru;
pub mod mlp;
pub mod pid;
pub mod prophet_optimizer;
pub mod real;
pub mod risk_predictor;
pub mod terms;
#[cfg(feature = "torch")]
pub mod torch;
pub mod worker;
