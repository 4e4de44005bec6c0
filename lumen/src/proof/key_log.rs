//! What a log says of keys, taken out of it, so that who has not the log can check it: entries about keys, each with the
//! proof that it is in the log at a head. A proof has those of its own head; a file of them tells what was said since.
//!
//! That an entry is in the log is proven by it; that none was left out is known only to who has the log.

use std::collections::BTreeMap;
use std::path::Path;

use resonetics_runs::Error;
use resonetics_runs::files::{read, write_atomic};
use serde::{Deserialize, Serialize};

use super::dsse::Envelope;
use super::key_event::KeyEvent;
use super::log::Log;
use super::note::{Head, Note};
use super::root;
use super::text::{hash_of_hex, hex, strict};
use super::tree::{Hash, includes, leaf};

/// What such a file says that it is.
pub const FORMAT: &str = "resonetics-keys/1";
/// The most bytes of one.
pub const MOST: u64 = 1 << 24;

/// An entry of a log, and that it is in there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    envelope: String,
    index: u64,
    inclusion: Vec<String>,
}

/// What a log said of keys up to a head.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLog {
    format: String,
    /// The note with the head.
    pub checkpoint: String,
    /// The entries about keys.
    pub entries: Vec<Entry>,
}

/// Envelopes about keys by their indices in a log.
pub type Entries = BTreeMap<u64, Envelope>;

impl KeyLog {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<KeyLog, String> {
        let read: KeyLog = strict(bytes)?;
        if read.format != FORMAT || Note::parse(&read.checkpoint).is_none() {
            return Err(format!("it is not {FORMAT}; `resonetics lumen keys log` makes one"));
        }
        Ok(read)
    }

    /// All that a log says of keys.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn of(log: &mut Log) -> Result<KeyLog, Error> {
        let entries = entries(log)?;
        Ok(KeyLog { format: FORMAT.to_owned(), checkpoint: log.note.clone(), entries })
    }

    /// Writes it as `path`, in place of an older one.
    ///
    /// # Errors
    /// [`Error::Refused`] if something else lies there; any I/O error.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        if path.symlink_metadata().is_ok() && KeyLog::parse(&read(path, MOST)?).is_err() {
            return Err(Error::Refused(format!(
                "{} is something else than the entries of a log about keys: nothing was overwritten; choose another --out",
                path.display()
            )));
        }
        write_atomic(path, (serde_json::json!(self).to_string() + "\n").as_bytes())
    }

    /// Its head; none if its checkpoint is damaged.
    #[must_use]
    pub fn note(&self) -> Option<Note> {
        Note::parse(&self.checkpoint)
    }
}

/// The entries of a log that are about keys.
///
/// # Errors
/// Any I/O error.
pub fn entries(log: &mut Log) -> Result<Vec<Entry>, Error> {
    let mut found = Vec::new();
    log.each(&mut |index, bytes| {
        let text = std::str::from_utf8(bytes).ok();
        let about = Envelope::open(bytes).is_ok_and(|envelope| is_about_keys(&envelope));
        found.extend(text.filter(|_| about).map(|text| (index, text.to_owned())));
        Ok(())
    })?;
    let entry = |(index, envelope)| {
        let inclusion = log.inclusion(index)?.iter().map(|hash| hex(hash)).collect();
        Ok(Entry { envelope, index, inclusion })
    };
    found.into_iter().map(entry).collect()
}

/// Whether an envelope says whom to trust: root metadata, or what became of a key.
pub(crate) fn is_about_keys(envelope: &Envelope) -> bool {
    envelope.kind == root::KIND || KeyEvent::of(envelope).is_some()
}

/// The envelopes of `entries`, each of which is about keys and in the log at `head`; none if one is not.
#[must_use]
pub fn included(entries: &[Entry], head: &Head) -> Option<Entries> {
    let open = |entry: &Entry| {
        let path: Option<Vec<Hash>> = entry.inclusion.iter().map(|text| hash_of_hex(text)).collect();
        let hash = leaf(entry.envelope.as_bytes());
        let envelope = Envelope::open(entry.envelope.as_bytes()).ok().filter(is_about_keys)?;
        includes(&head.root, head.size, entry.index, &hash, &path?).then_some((entry.index, envelope))
    };
    entries.iter().map(open).collect()
}
