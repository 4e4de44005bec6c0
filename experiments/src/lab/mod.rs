//! The lab: plants whose knobs are turned, and what the estimators of effects say of them.

pub mod plant;
pub mod tables;
