//! Copies of archives elsewhere: in another folder, S3 and what is compatible, Google's and Azure's stores.
//!
//! A copy is the archive's files under `<prefix>/<run>/<UTC>/<SHA-256 of the bundle>.tar.zst.age` and names beside it, and a
//! sidecar, which is uploaded last and says what there must be: without it there is no copy. Nothing is replaced: each copy
//! has a time of its own, and what is there already is refused. `remote_index.jsonl` beside the archives says which copies
//! were made and what was found when their bytes were read back ([`record`]).

mod check;
mod copies;
mod open;
mod pull;
mod push;
pub mod record;
mod sidecar;
mod store;
mod sync;
mod trouble;

pub use check::Checked;
pub use copies::Query;
pub use open::{Remote, Settings};
pub use push::Pushed;
pub use sync::Difference;
