//! Records of what was done with the keys of custodians: when, by whom, which seals. One counts once enough custodians
//! signed it, and then it is in the log.

use std::collections::BTreeSet;

use humantime::parse_rfc3339;
use resonetics_runs::Error;
use serde::{Deserialize, Serialize};

use super::dsse::Envelope;
use super::log::Log;
use super::root::Signed;
use super::text::{hash_of_hex, strict};

/// What a record is called in an envelope.
pub const KIND: &str = "application/vnd.resonetics.custody+json";
/// What may have been done.
pub const EVENTS: [&str; 6] = ["initial", "open", "sign", "close", "audit", "revoke"];
/// The most letters of a note, and of the number of a seal.
const NOTE: usize = 1_000;
const SEAL: usize = 100;

/// A picture, by the hash of its file, which is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Photo {
    /// Its name.
    pub path: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// When, RFC 3339 in UTC.
    pub ts_utc: String,
    /// One of [`EVENTS`].
    pub event: String,
    /// Ids of the keys of who was there.
    pub participants: Vec<String>,
    /// Numbers of seals.
    pub seal_ids: Vec<String>,
    /// Pictures.
    pub photos: Vec<Photo>,
    /// Which root it is about: its fingerprint.
    pub root_fingerprint: String,
    /// What else there is to say. It goes into the log, for everybody to read.
    pub notes: String,
}

/// What state a root is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its keys are at hand.
    Active,
    /// Its keys are put away.
    Sealed,
    /// There is a newer version.
    Replaced,
    /// It is not to be trusted any more.
    Revoked,
}

impl Record {
    /// Its bytes, as they are signed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    /// Reads what was signed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Record, String> {
        let record: Record = strict(bytes)?;
        if parse_rfc3339(&record.ts_utc).is_err() {
            return Err("its moment is none like 2026-11-30T12:00:00Z".to_owned());
        }
        if !EVENTS.contains(&&*record.event) {
            return Err(format!("`{}` is none of {}", record.event, EVENTS.join(", ")));
        }
        let hash = |text: &String| hash_of_hex(text).is_some();
        let photos = |photo: &Photo| hash(&photo.sha256) && is_name(&photo.path);
        if !hash(&record.root_fingerprint)
            || !record.participants.iter().all(hash)
            || !record.photos.iter().all(photos)
        {
            return Err(
                "a key, a picture or the root is not named by a SHA-256, or a picture by a path".to_owned()
            );
        }
        if record.notes.chars().count() > NOTE || record.seal_ids.iter().any(|seal| seal.len() > SEAL) {
            return Err(format!("notes have {NOTE} letters at most, and the number of a seal {SEAL}"));
        }
        Ok(record)
    }
}

/// Whether a picture is named, and not told by a path of a machine.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '\\', '\0'])
}

/// Whether a record that enough of its root's custodians signed is about this root, and what it says.
fn about(envelope: &Envelope, root: &Signed, seen: &mut BTreeSet<Vec<u8>>) -> Option<Record> {
    let record = Record::parse(&envelope.body).ok().filter(|_| envelope.kind == KIND)?;
    let counts = record.root_fingerprint == root.fingerprint && root.root.signed(envelope);
    // Whoever runs the log could put an old one into another envelope, and so into the log again.
    (counts && seen.insert(envelope.body.clone())).then_some(record)
}

/// The state of a root by what a log says: a newer version, or the last record about it; none where it says nothing.
///
/// # Errors
/// Any I/O error.
pub fn state(root: &Signed, log: &Log) -> Result<Option<State>, Error> {
    let (mut state, mut seen) = (None, BTreeSet::new());
    log.each(&mut |_, bytes| {
        let Ok(envelope) = Envelope::open(bytes) else { return Ok(()) };
        if let Ok(next) = Signed::of(envelope.clone())
            && root.followed_by(&next).is_ok()
            && state != Some(State::Revoked)
        {
            state = Some(State::Replaced);
        }
        let Some(record) = about(&envelope, root, &mut seen) else { return Ok(()) };
        state = match (record.event.as_str(), state) {
            (_, Some(State::Revoked)) | ("revoke", _) => Some(State::Revoked),
            (_, Some(State::Replaced)) => state,
            ("close" | "audit", _) => Some(State::Sealed),
            _ => Some(State::Active),
        };
        Ok(())
    })?;
    Ok(state)
}

impl State {
    /// As it is told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Sealed => "sealed",
            State::Replaced => "replaced",
            State::Revoked => "revoked",
        }
    }
}

/// When custodians last did something, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// When the root that is in force is to be replaced.
    pub expires: Option<f64>,
    /// The last record of anything but an audit.
    pub ceremony: Option<f64>,
    /// The last audit.
    pub audit: Option<f64>,
}

/// What a log says of `root` and of the versions that followed it.
///
/// # Errors
/// Any I/O error.
pub fn times(root: &Signed, log: &Log) -> Result<Times, Error> {
    let (mut current, mut times, mut seen) = (root.clone(), Times::default(), BTreeSet::new());
    log.each(&mut |_, bytes| {
        let Ok(envelope) = Envelope::open(bytes) else { return Ok(()) };
        if let Some(record) = about(&envelope, &current, &mut seen) {
            let at = parse_rfc3339(&record.ts_utc).ok();
            let at = at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let is_audit = record.event == "audit";
            let last = if is_audit { &mut times.audit } else { &mut times.ceremony };
            *last = at.map(|at| at.as_secs_f64()).or(*last);
        } else if let Ok(next) = Signed::of(envelope)
            && current.followed_by(&next).is_ok()
        {
            current = next;
        }
        Ok(())
    })?;
    times.expires = current.root.expires_at().map(|at| at as f64);
    Ok(times)
}
