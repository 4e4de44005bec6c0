//! The tests of the worlds through their public interface, in one binary: linked once, they run beside
//! each other. `cargo test -p resonetics-envs --test worlds saved::` runs those of a file.

mod brain_forward;
mod changed;
mod checker;
mod config;
mod digest;
mod gardener_model;
mod gardener_options;
mod k8s_properties;
mod k8s_rules;
mod saved;
mod side_by_side;
mod stream_statistics;
mod vector_contract;
mod vector_garden;
mod vector_parallel;
