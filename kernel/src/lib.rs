//! The mathematics of Prophet (RULES section 3): the kernel's terms with their gradients ([`terms`]),
//! small networks ([`mlp`]), the fast layers of large ones ([`dense`]) and their optimizer ([`adam`]), and
//! what reads the risk and turns the knobs ([`prophet_optimizer`], [`pid`], [`risk_predictor`]).
//!
//! Everything is a function of plain arrays and of noise that the caller draws: no generator, no
//! clock, no tensors of a framework. What has state can be saved with serde.

pub mod adam;
pub mod dense;
pub mod drift;
pub mod mlp;
pub mod pid;
pub mod prophet_optimizer;
pub mod real;
pub mod risk_predictor;
pub mod terms;
#[cfg(feature = "torch")]
pub mod torch;
pub mod worker;
