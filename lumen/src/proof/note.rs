//! Heads of a log as C2SP writes them: a checkpoint (<https://c2sp.org/tlog-checkpoint>) in a signed note
//! (<https://c2sp.org/signed-note>), with Ed25519.
//!
//! The text is the log's origin, its size and its root, a line each; after an empty line there is a line for each
//! signature, `— NAME BASE64`, of 4 bytes that name the key and the 64 of the signature.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::key::{Public, Secret};
use super::text::{base64, hex, of_base64};
use super::tree::Hash;

/// What the key's kind is in its hash: Ed25519.
const ED25519: u8 = 1;
/// What the kind of a witness's key is there: a signature with its time before it.
const COSIGNATURE: u8 = 4;
/// How a line with a signature begins.
const DASH: &str = "\u{2014} ";

/// What a log was at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which log.
    pub origin: String,
    /// Its entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A head, and what of it is signed by whom.
#[derive(Clone, Debug)]
pub struct Note {
    /// What is signed.
    pub head: Head,
    /// The signed text itself.
    text: String,
    /// Names, hashes of keys and signatures.
    signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

/// Whether a text can name a log: no space, no plus, no control character, 200 letters at most.
#[must_use]
pub fn is_origin(name: &str) -> bool {
    let plain = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '+';
    (1..=200).contains(&name.len()) && name.chars().all(plain)
}

/// What names a key in a note.
#[must_use]
pub fn key_hash(name: &str, key: &Public) -> [u8; 4] {
    hash_of(name, ED25519, key)
}

fn hash_of(name: &str, kind: u8, key: &Public) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update(b"\n")
        .chain_update([kind])
        .chain_update(key.bytes())
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// What a witness signs of a note: that it saw it at `time`, in seconds since 1970.
fn seen(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

/// `text`, which is that of `note`, with the signature of a witness of this name below.
#[must_use]
pub fn cosigned(note: &Note, text: &str, name: &str, key: &Secret, time: u64) -> String {
    let mut signature = hash_of(name, COSIGNATURE, &key.public()).to_vec();
    signature.extend_from_slice(&time.to_be_bytes());
    signature.extend_from_slice(&key.sign(&seen(&note.text, time)));
    format!("{text}{DASH}{name} {}\n", base64(&signature))
}

impl Head {
    /// The text that is signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, base64(&self.root))
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "origin": self.origin, "size": self.size, "root": hex(&self.root) })
    }

    /// The note of this head, signed by the log.
    #[must_use]
    pub fn signed(&self, key: &Secret) -> String {
        let text = self.text();
        let mut signature = key_hash(&self.origin, &key.public()).to_vec();
        signature.extend_from_slice(&key.sign(text.as_bytes()));
        format!("{text}\n{DASH}{} {}\n", self.origin, base64(&signature))
    }
}

impl Note {
    /// Reads a note; none if it is not one of a checkpoint.
    #[must_use]
    pub fn parse(note: &str) -> Option<Note> {
        let control = |letter: char| letter.is_control() && letter != '\n';
        if note.chars().any(control) {
            return None;
        }
        // The signatures follow the last empty line.
        let (text, below) = note.rsplit_once("\n\n")?;
        let text = format!("{text}\n");
        let mut lines = text.lines();
        let origin = lines.next()?.to_owned();
        let digits = lines.next()?;
        let size: u64 = digits.parse().ok()?;
        let root = of_base64(lines.next()?)?.try_into().ok()?;
        // One way to write it, and lines that say something.
        if !is_origin(&origin) || size.to_string() != digits || lines.any(str::is_empty) {
            return None;
        }
        let mut signatures = Vec::new();
        for line in below.strip_suffix('\n')?.split('\n') {
            let (name, bytes) = line.strip_prefix(DASH)?.split_once(' ')?;
            let bytes = of_base64(bytes)?;
            let (hash, signature) = bytes.split_first_chunk::<4>()?;
            if !is_origin(name) || signature.is_empty() {
                return None;
            }
            signatures.push((name.to_owned(), *hash, signature.to_vec()));
        }
        Some(Note { head: Head { origin, size, root }, text, signatures })
    }

    /// Whether the log itself signed it with one of `keys`: `None` if there is no signature by any of them.
    #[must_use]
    pub fn signed_by(&self, keys: &[Public]) -> Option<bool> {
        let mut known = None;
        for (name, hash, signature) in &self.signatures {
            for key in keys.iter().filter(|key| key_hash(name, key) == *hash) {
                let good = *name == self.head.origin && key.verified(self.text.as_bytes(), signature);
                known = Some(known.unwrap_or(true) && good);
            }
        }
        known
    }

    /// Whether a witness with this key signed it: `None` if there is no signature by it.
    #[must_use]
    pub fn cosigned_by(&self, key: &Public) -> Option<bool> {
        let mut known = None;
        for (name, hash, signature) in &self.signatures {
            if hash_of(name, COSIGNATURE, key) != *hash {
                continue;
            }
            let good = signature.split_first_chunk::<8>().is_some_and(|(time, signature)| {
                key.verified(&seen(&self.text, u64::from_be_bytes(*time)), signature)
            });
            known = Some(known.unwrap_or(true) && good);
        }
        known
    }
}
