//! Two worlds that drift toward collapse, and vectors of them.
pub mod checker;
pub mod config;
pub mod control;
pub mod cpu;
pub mod env;
pub mod gardener;
pub mod k8s;
pub mod math;
pub mod registry;
pub mod risk;
pub mod space;
pub mod stream;
pub mod vector;
