//! Proof: what a run's results are and where they come from, said so that a stranger can check it months later with a
//! public key and no trust in who said it; and that nothing that was said is taken back.
//!
//! - [`statement`]: what is said, in [`dsse`], an envelope that [`key`] signs;
//! - [`log`]: where it is written down, as [`tiles`] of a Merkle [`tree`] with a signed head ([`note`]): [`append`],
//!   [`verify`], [`heads`] that were seen, their [`consistency`], [`witness`]es, and how it is [`publish`]ed;
//! - [`mod@file`]: all of it in one file, and [`check`], which asks nobody;
//! - [`trust`]: who may say it, and for which part of a log: keys, [`root`] metadata of custodians, and what the log says of
//!   keys ([`key_event`], [`key_log`]; how it is written: [`key_change`], [`request`], [`custody`]),
//!   certificates ([`chain`], [`issue`]);
//! - [`fingerprint`]: all files of a folder in one hash; [`detached`]: a signature beside a file.

pub mod append;
pub mod asked;
pub mod chain;
pub mod check;
mod check_log;
pub mod consistency;
pub mod custody;
pub mod detached;
pub mod digest;
pub mod dsse;
pub mod edge;
pub mod file;
pub mod fingerprint;
pub mod heads;
pub mod issue;
pub mod key;
pub mod key_change;
pub mod key_event;
pub mod key_log;
pub mod log;
pub mod note;
pub mod publish;
pub mod request;
pub mod root;
pub mod statement;
pub mod text;
pub mod tiles;
pub mod tree;
pub mod trust;
pub mod verdict;
pub mod verify;
pub mod witness;
