//! What a proof is held against.

use super::chain::Chain;
use super::consistency::Consistency;
use super::heads::Heads;
use super::key::Public;
use super::key_log::KeyLog;
use super::note::Note;
use super::root::Signed;

/// What a proof is held against.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    /// The keys that are trusted.
    pub keys: &'a [Public],
    /// The root metadata that is trusted.
    pub root: Option<&'a Signed>,
    /// The fingerprint of the root of certificates that is trusted.
    pub chain_root: Option<&'a str>,
    /// Certificates, in place of those in the proof.
    pub chain: Option<&'a Chain>,
    /// What the log said of keys since.
    pub key_log: Option<&'a KeyLog>,
    /// Proofs that heads are of one log.
    pub consistency: &'a [Consistency],
    /// SHA-256 of a file, in hex, that should be among what the proof is of.
    pub artifact: Option<&'a str>,
    /// Heads of logs that were seen.
    pub heads: Option<&'a Heads>,
    /// The keys of witnesses of whom each must have signed a head of the log.
    pub witnesses: &'a [Public],
    /// A head of the log as witnesses signed it, if they did not sign that of the proof.
    pub cosigned: Option<&'a Note>,
    /// Proofs that the run was repeated.
    pub reproductions: &'a [Vec<u8>],
    /// The present, in seconds since 1970: what expires is held against it.
    pub now: u64,
}
