//! Packs: one file that says where a run was and how it goes on, and that may hold the run itself.
//!
//! `RUN.pack` is a tar, compressed by zstd, of
//! - `resume.toml`: what to do ([`Resume`]);
//! - `context.json`: what is known ([`Context`](crate::context::Context));
//! - `archive/manifest.json`, `archive/SHA256SUMS`, `archive/bundle.tar.zst`: an archive of the run, if one was asked for;
//! - `SHA256SUMS`: the sums of all before it.
//!
//! They stand in this order, with the headers of bundles. Nothing in it is of a time or a machine, so the same run is
//! the same pack. Nothing in it is run: a command is put together anew, from a closed list.

mod alerts;
mod open;
mod read;
mod resume;
mod write;

pub use open::Opened;
pub use read::open;
pub use resume::{Inside, Next, Ports, Resume};
pub use write::{Asked, Packed, pack, stands};

/// What to do.
const RESUME: &str = "resume.toml";
/// What is known.
const CONTEXT: &str = crate::context::file::FILE;
/// The folder of the archive.
const ARCHIVE: &str = "archive/";
/// The sums.
const SUMS: &str = "SHA256SUMS";
