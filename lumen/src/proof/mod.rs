//! Proof: what a run's results are and where they come from, said so that a stranger can check it months later with a
//! public key and no trust in who said it; and that nothing that was said is taken back.
//!
//! - [`statement`]: what is said, in [`dsse`], an envelope that [`key`] signs;
//! - [`log`]: where it is written down, as [`tiles`] of a Merkle [`tree`] with a signed head ([`note`]): [`append`],
//!   [`verify`], and [`heads`] that were seen;
//! - [`mod@file`]: all of it in one file, and [`check`], which asks nobody;
//! - [`fingerprint`]: all files of a folder in one hash; [`detached`]: a signature beside a file.

pub mod append;
pub mod check;
pub mod detached;
pub mod digest;
pub mod dsse;
pub mod edge;
pub mod file;
pub mod fingerprint;
pub mod heads;
pub mod key;
pub mod log;
pub mod note;
pub mod statement;
pub mod text;
pub mod tiles;
pub mod tree;
pub mod verify;
