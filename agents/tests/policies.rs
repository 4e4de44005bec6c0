//! The tests of the agents through their public interface, in one binary: linked once, they run beside
//! each other. `cargo test -p resonetics-agents --test policies random::` runs those of a file.

mod gardener_goals;
mod k8s_goals;
mod k8s_patrol;
mod prophet_learners;
mod prophet_learning;
mod prophet_memory;
mod prophet_native;
mod prophet_remembering;
mod prophet_trainer;
mod random;
