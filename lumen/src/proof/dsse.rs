//! Envelopes: DSSE (<https://github.com/secure-systems-lab/dsse>), version 1, with Ed25519.
//!
//! What is signed is no text that somebody would have to spell alike, but the bytes themselves, with their type and both
//! lengths before them.

use serde::{Deserialize, Serialize};

use super::key::{Public, Secret};
use super::text::{base64, of_base64, strict};

/// What in-toto statements are called in an envelope.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The bytes that are signed of a body of this kind.
#[must_use]
pub fn pae(kind: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

/// A signature, and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

/// What came in an envelope.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The bytes in it.
    pub body: Vec<u8>,
    /// What they are.
    pub kind: String,
    signatures: Vec<(String, Vec<u8>)>,
}

/// Whether somebody who is known signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The key of this id, which is known, and rightly.
    By(String),
    /// A key of this id, which is not known.
    Unknown(String),
    /// A signature of a known key is wrong.
    Wrong(String),
}

impl Envelope {
    /// The envelope of `body`, signed, as it is written.
    #[must_use]
    pub fn seal(kind: &str, body: &[u8], key: &Secret) -> String {
        Envelope::joined(kind, body, &[(key.public().id(), key.sign(&pae(kind, body)).to_vec())])
    }

    /// The envelope of `body` with signatures that were made elsewhere, each with the id of its key, as it is written.
    #[must_use]
    pub fn joined(kind: &str, body: &[u8], signatures: &[(String, Vec<u8>)]) -> String {
        let signatures = signatures.iter();
        let signatures =
            signatures.map(|(id, sig)| Signature { keyid: id.clone(), sig: base64(sig) }).collect();
        let written = Written { payload: base64(body), payload_type: kind.to_owned(), signatures };
        serde_json::json!(written).to_string()
    }

    /// What an envelope would hold that nobody signed yet.
    #[must_use]
    pub fn unsigned(kind: &str, body: &[u8]) -> Envelope {
        Envelope { body: body.to_vec(), kind: kind.to_owned(), signatures: Vec::new() }
    }

    /// Opens an envelope.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(bytes: &[u8]) -> Result<Envelope, String> {
        let written: Written = strict(bytes)?;
        let decoded = |text: &str| of_base64(text).ok_or_else(|| "it is not base64".to_owned());
        let body = decoded(&written.payload)?;
        let signatures = written.signatures.into_iter();
        let signatures = signatures.map(|signature| Ok((signature.keyid, decoded(&signature.sig)?)));
        let signatures: Vec<(String, Vec<u8>)> = signatures.collect::<Result<_, String>>()?;
        if signatures.is_empty() {
            return Err("it has no signature".to_owned());
        }
        Ok(Envelope { body, kind: written.payload_type, signatures })
    }

    /// Who of `keys` signed it. A wrong signature of one of them outweighs a right one of another.
    #[must_use]
    pub fn signed_by(&self, keys: &[Public]) -> Signed {
        let bytes = pae(&self.kind, &self.body);
        let mut good = None;
        for (id, signature) in &self.signatures {
            let Some(key) = keys.iter().find(|key| key.id() == *id) else { continue };
            if !key.verified(&bytes, signature) {
                return Signed::Wrong(id.clone());
            }
            good = good.or_else(|| Some(id.clone()));
        }
        let first = || self.signatures.first().map(|(id, _)| id.clone()).unwrap_or_default();
        good.map_or_else(|| Signed::Unknown(first()), Signed::By)
    }

    /// Those of `keys` that signed it, each once, by their ids: what a threshold counts. A wrong signature counts for
    /// nothing, so that one of several signers cannot veto the others.
    #[must_use]
    pub fn signers(&self, keys: &[Public]) -> Vec<String> {
        let bytes = pae(&self.kind, &self.body);
        let mut good: Vec<String> = Vec::new();
        for (id, signature) in &self.signatures {
            let right = keys.iter().any(|key| key.id() == *id && key.verified(&bytes, signature));
            if right && !good.contains(id) {
                good.push(id.clone());
            }
        }
        good
    }

    /// Whether a key signed it, and each time rightly: none if there is no signature under its id.
    #[must_use]
    pub fn signed_with(&self, key: &Public) -> Option<bool> {
        let (bytes, own) = (pae(&self.kind, &self.body), key.id());
        let mut of = self.signatures.iter().filter(|(id, _)| *id == own).peekable();
        of.peek()?;
        Some(of.all(|(_, signature)| key.verified(&bytes, signature)))
    }

    /// The ids under which it is signed, rightly or not.
    pub fn claimed(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|(id, _)| id.as_str())
    }
}
