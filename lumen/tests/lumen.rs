//! All tests of Lumen in one binary: linked once, they run beside each other.

#[path = "archive/main.rs"]
mod archive;
mod context;
mod doctor;
mod packs;
#[path = "proof/main.rs"]
mod proof;
mod runs;
mod schemas;
#[path = "serve/main.rs"]
mod serve;
mod signals;
mod status;
#[path = "store/main.rs"]
mod store;
