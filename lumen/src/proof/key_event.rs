//! What a log says of keys: that one took the place of another, and that one is no longer to be trusted. Both are in-toto
//! statements about keys, whose ids are SHA-256 as those of files.
//!
//! Since when, is told by the order of the log's entries, which its heads fix, and by no clock.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::dsse::{Envelope, IN_TOTO};
use super::key::Public;
use super::statement::TYPE;
use super::text::{hash_of_hex, strict};

/// What is said: another key signs from now on.
pub const ROTATED: &str = "urn:resonetics:key.rotated:v1";
/// What is said: a key is not to be trusted any more.
pub const REVOKED: &str = "urn:resonetics:key.revoked:v1";

/// Why a key is revoked: one of these words, and no other text.
pub const REASONS: [&str; 5] = ["unspecified", "key-compromise", "key-lost", "superseded", "cessation"];

/// A key took the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotated {
    /// The id of the key that signed so far.
    pub old: String,
    /// The id of the one that signs now.
    pub new: String,
    /// The first index that the new one signs, at the latest that behind this entry, which is meant where there is none.
    #[serde(deserialize_with = "there")]
    pub from: Option<u64>,
    /// The new key itself, in PEM.
    pub public: String,
}

/// A key is not to be trusted any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Its id.
    pub keyid: String,
    /// One of [`REASONS`].
    pub reason: String,
    /// The first index from which on its signatures count for nothing, at the latest that of this entry, which is meant
    /// where there is none.
    #[serde(deserialize_with = "there")]
    pub since: Option<u64>,
}

/// A value that may be null, and may not be missing.
fn there<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Option::deserialize(from)
}

/// What is said of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// A key took the place of another.
    Rotated(Rotated),
    /// A key is not to be trusted any more.
    Revoked(Revoked),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "_type")]
    kind: String,
    subject: Value,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Value,
}

impl KeyEvent {
    /// That `new` takes the place of the key `old`.
    #[must_use]
    pub fn rotated(old: &str, new: &Public) -> KeyEvent {
        KeyEvent::Rotated(Rotated { old: old.to_owned(), new: new.id(), from: None, public: new.pem() })
    }

    /// Its bytes, as they are signed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let (kind, predicate) = match self {
            KeyEvent::Rotated(rotated) => (ROTATED, json!(rotated)),
            KeyEvent::Revoked(revoked) => (REVOKED, json!(revoked)),
        };
        let subject = self.subject();
        json!({ "_type": TYPE, "subject": subject, "predicateType": kind, "predicate": predicate })
            .to_string()
            .into_bytes()
    }

    /// The keys that it is about.
    fn subject(&self) -> Value {
        let key = |name: &str, id: &str| json!({ "name": name, "digest": { "sha256": id } });
        match self {
            KeyEvent::Rotated(rotated) => json!([key("new", &rotated.new), key("old", &rotated.old)]),
            KeyEvent::Revoked(revoked) => json!([key("key", &revoked.keyid)]),
        }
    }

    /// What an envelope says of keys; none if it says something else.
    #[must_use]
    pub fn of(envelope: &Envelope) -> Option<KeyEvent> {
        if envelope.kind != IN_TOTO {
            return None;
        }
        let written: Written = strict(&envelope.body).ok()?;
        let said = match written.predicate_type.as_str() {
            ROTATED => {
                let rotated: Rotated = serde_json::from_value(written.predicate).ok()?;
                let public = Public::parse(&rotated.public)?;
                let whole = public.id() == rotated.new && rotated.old != rotated.new;
                (whole && hash_of_hex(&rotated.old).is_some()).then_some(KeyEvent::Rotated(rotated))?
            }
            REVOKED => {
                let revoked: Revoked = serde_json::from_value(written.predicate).ok()?;
                let whole = hash_of_hex(&revoked.keyid).is_some() && REASONS.contains(&&*revoked.reason);
                whole.then_some(KeyEvent::Revoked(revoked))?
            }
            _ => return None,
        };
        (written.kind == TYPE && written.subject == said.subject()).then_some(said)
    }
}
