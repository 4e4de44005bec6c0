//! Proofs: trees against the definitions of RFC 6962, logs that are damaged, taken back and forked, keys as openssl reads
//! them, and proofs of which each part is changed, judged by both verifiers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod cases;
mod chain;
mod check;
mod common;
mod custodians;
mod folders;
mod keys;
mod log;
mod made;
mod peers;
mod publish;
mod tree;
mod trust;
