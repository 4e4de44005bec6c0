//! Health of a fleet of runs over a day or a week: what it was measured from, the five terms of resonance, and what
//! channels with weights of their own make of them (A8 to A10).

pub mod collect;
pub mod map;
pub mod metrics;
pub mod observer;
pub mod prometheus;
pub mod timing;
pub mod window;
