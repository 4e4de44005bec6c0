//! The mathematics of Prophet (RULES section 3).

pub mod dense;
pub mod adam;
