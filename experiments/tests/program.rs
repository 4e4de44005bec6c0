//! All tests that drive the program as its users do, in one binary: linked once, they run beside each
//! other. `cargo test --test program resume::` runs those of a file.

mod common;

mod analyze;
mod archives;
mod benchmark_files;
mod checkpoint_choice;
mod controls_files;
mod drift;
mod drift_checkpoints;
mod evaluation;
mod event_files;
mod export;
mod further_training;
mod garden_log;
#[cfg(feature = "torch")]
mod gpu;
mod guide;
mod keys;
mod limit;
mod lumen_now;
mod lumen_page;
mod lumen_runs;
mod monitoring;
mod packs;
mod proofs;
mod prophet_trace;
mod recorded_proofs;
mod refused_checkpoints;
mod refused_settings;
mod refused_traces;
mod remotes;
mod reports;
mod reproducibility;
mod reruns;
mod resume;
mod run_directories;
mod runbooks;
mod serving;
mod serving_runs;
mod signals;
mod study;
mod sweeps;
mod terminal;
mod told;
mod traces;
mod training;
mod watching;
