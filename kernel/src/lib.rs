//! The mathematics of Prophet (RULES section 3).

#[cfg(feature = "torch")]
pub mod torch;
