//! What custodians sign, each at a machine of their own that need not be connected to anything: a file with the request
//! goes in, one with their part comes out, and who has enough parts puts them together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::custody::{self, Record};
use super::dsse::{Envelope, IN_TOTO, pae};
use super::key::Secret;
use super::key_event::KeyEvent;
use super::root::{self, Root};
use super::text::{base64, of_base64, strict};

/// What a request says that it is.
const REQUEST: &str = "resonetics-request/1";
/// What a part says that it is.
const PART: &str = "resonetics-part/1";
/// The most bytes of either.
pub const MOST: u64 = 1 << 19;

/// What is asked to be signed.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the bytes are.
    pub kind: String,
    /// The bytes.
    pub body: Vec<u8>,
}

/// What is asked to be signed, understood.
#[derive(Clone, Debug)]
pub enum Asks {
    /// Root metadata.
    Root(Root),
    /// Something to be said of a key.
    Key(KeyEvent),
    /// A record of what was done with keys.
    Custody(Record),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    format: String,
    payload_type: String,
    payload: String,
}

/// One custodian's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    format: String,
    /// Whose it is.
    pub keyid: String,
    sig: String,
}

impl Request {
    /// Asks for root metadata.
    #[must_use]
    pub fn root(root: &Root) -> Request {
        Request { kind: root::KIND.to_owned(), body: root.bytes() }
    }

    /// Asks for something to be said of a key.
    #[must_use]
    pub fn key(event: &KeyEvent) -> Request {
        Request { kind: IN_TOTO.to_owned(), body: event.bytes() }
    }

    /// Asks for a record.
    #[must_use]
    pub fn custody(record: &Record) -> Request {
        Request { kind: custody::KIND.to_owned(), body: record.bytes() }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Request, String> {
        let read: Written = strict(bytes)?;
        let body = of_base64(&read.payload).filter(|_| read.format == REQUEST);
        let body = body.ok_or_else(|| format!("it is not {REQUEST}"))?;
        Ok(Request { kind: read.payload_type, body })
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> String {
        let payload_type = self.kind.clone();
        let written = Written { format: REQUEST.to_owned(), payload_type, payload: base64(&self.body) };
        serde_json::json!(written).to_string() + "\n"
    }

    /// What it asks for.
    ///
    /// # Errors
    /// That it asks for nothing that custodians sign.
    pub fn asks(&self) -> Result<Asks, String> {
        match self.kind.as_str() {
            root::KIND => Root::parse(&self.body).map(Asks::Root),
            custody::KIND => Record::parse(&self.body).map(Asks::Custody),
            _ => {
                let envelope = Envelope::unsigned(&self.kind, &self.body);
                let event = KeyEvent::of(&envelope);
                event.map(Asks::Key).ok_or_else(|| "it asks for nothing that custodians sign".to_owned())
            }
        }
    }

    /// What would be signed, word for word.
    ///
    /// # Errors
    /// That it is no JSON.
    pub fn shown(&self) -> Result<Value, String> {
        strict(&self.body)
    }

    /// The part of who has this key.
    #[must_use]
    pub fn signed(&self, key: &Secret) -> Part {
        let sig = base64(&key.sign(&pae(&self.kind, &self.body)));
        Part { format: PART.to_owned(), keyid: key.public().id(), sig }
    }

    /// The envelope with these parts, sorted by their keys, each key once.
    ///
    /// # Errors
    /// That a part is damaged, or there is none.
    pub fn joined(&self, parts: &[Part]) -> Result<(String, Envelope), String> {
        let mut signatures = BTreeMap::new();
        for part in parts {
            let sig = of_base64(&part.sig).ok_or_else(|| format!("the part of {} is damaged", part.keyid))?;
            signatures.insert(part.keyid.clone(), sig);
        }
        let signatures: Vec<(String, Vec<u8>)> = signatures.into_iter().collect();
        let text = Envelope::joined(&self.kind, &self.body, &signatures);
        let envelope = Envelope::open(text.as_bytes())?;
        Ok((text, envelope))
    }
}

impl Part {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Part, String> {
        let part: Part = strict(bytes)?;
        if part.format != PART {
            return Err(format!("it is not {PART}"));
        }
        Ok(part)
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }
}
