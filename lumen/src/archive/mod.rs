//! Archives of runs: frozen, also while they train; verified by their own bytes; restored; thinned out by a plan.
//!
//! An archive is the folder `archive/RUN/TIME-ID8` with three files:
//! - `bundle.tar.zst`: the files of the run, sorted, in a tar with fixed owner, time and mode, so that the same files are
//!   the same bytes;
//! - `manifest.json`: what they are, each with its SHA-256, and which run this is ([`Manifest`]);
//! - `SHA256SUMS`: the sums of the other two, for `sha256sum -c`.
//!
//! Of an encrypted one the first two are `bundle.tar.zst.age` and `manifest.json.age`, and `manifest.json` says what everybody
//! may know (`sealed.rs`). Copies of archives are kept elsewhere by [`remote`].
//!
//! Its id is the SHA-256 of the manifest without what says who made it and when ([`Manifest::content_id`]).
//! `archive/index.jsonl` lists all archives that were made and deleted, as a chain of hashes ([`index`]).

pub(crate) mod bundle;
mod calendar;
mod commit;
mod decrypt;
mod fault;
mod freeze;
mod growing;
pub mod index;
mod manifest;
mod place;
pub mod remote;
mod restore;
pub mod retain;
mod running;
mod sealed;
mod source;
mod verify;

pub use decrypt::{decrypt_age, decrypt_lumenenc};
pub use fault::{Fault, Kind};
pub use freeze::{Frozen, Options, freeze};
pub use manifest::{BUNDLE, Entry, Highlight, MANIFEST, Manifest, Preset, RunFacts, SUMS};
pub use place::{Archive, Found};
pub use restore::{check_deep, restore, restore_opened};
pub use sealed::{BUNDLE_AGE, Key, MANIFEST_AGE, Seal};
pub use verify::{Verified, verify, verify_opened};
