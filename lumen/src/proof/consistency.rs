//! That a log at one size is the beginning of what it was at another, as a file: with it who has two heads finds out
//! whether they are of one log, without the log.

use serde::{Deserialize, Serialize};

use super::note::Head;
use super::text::{hash_of_hex, hex, strict};
use super::tree::{Hash, consistent};

/// What such a file says that it is.
pub const FORMAT: &str = "resonetics-consistency/1";
/// The most bytes of one.
pub const MOST: u64 = 1 << 16;

/// A proof of consistency.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    format: String,
    origin: String,
    old: u64,
    new: u64,
    proof: Vec<String>,
}

impl Consistency {
    /// That of the log `origin` from `old` entries to `new` ones.
    #[must_use]
    pub fn new(origin: &str, old: u64, new: u64, proof: &[Hash]) -> Consistency {
        let proof = proof.iter().map(|hash| hex(hash)).collect();
        Consistency { format: FORMAT.to_owned(), origin: origin.to_owned(), old, new, proof }
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Consistency, String> {
        let read: Consistency = strict(bytes)?;
        if read.format != FORMAT || !read.proof.iter().all(|hash| hash_of_hex(hash).is_some()) {
            return Err(format!("it is not {FORMAT}; `resonetics lumen log consistency` makes one"));
        }
        Ok(read)
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }

    fn shows(&self, old: &Head, new: &Head) -> Option<bool> {
        if self.origin != new.origin || (self.old, self.new) != (old.size, new.size) {
            return None;
        }
        let proof: Vec<Hash> = self.proof.iter().filter_map(|hash| hash_of_hex(hash)).collect();
        Some(consistent(old.size, &old.root, new.size, &new.root, &proof))
    }
}

/// Whether two heads are of one log: none where nothing shows it.
#[must_use]
pub fn one_log(a: &Head, b: &Head, shown: &[Consistency]) -> Option<bool> {
    if a.origin != b.origin {
        return Some(false);
    }
    if a.size == b.size {
        return Some(a.root == b.root);
    }
    let (old, new) = if a.size < b.size { (a, b) } else { (b, a) };
    shown.iter().find_map(|proof| proof.shows(old, new))
}
