//! Root metadata in the manner of TUF (<https://theupdateframework.github.io/specification/latest/>, 4.3 and 5.3): which
//! keys are trusted for what, said by several custodians, so that no single key can change it.
//!
//! What is signed are the bytes in a DSSE envelope, as everywhere here, so that nothing has to be spelt in one way. A new
//! version is valid if it is the next one and enough of the custodians of the old one signed it, and enough of its own.

use std::collections::BTreeMap;

use humantime::parse_rfc3339;
use resonetics_runs::files::sha256;
use serde::{Deserialize, Serialize};

use super::dsse::Envelope;
use super::key::Public;
use super::text::strict;

/// What root metadata is called in an envelope.
pub const KIND: &str = "application/vnd.resonetics.root+json";
/// The most bytes of a file with root metadata.
pub const MOST: u64 = 1 << 18;

/// Keys, and how many of them it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The ids of the keys, each once.
    pub keyids: Vec<String>,
    /// How many have to sign.
    pub threshold: u64,
}

/// Who is trusted for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The custodians: they say who is in any role, this one too.
    pub root: Role,
    /// Who signs statements.
    pub signer: Role,
    /// Who signs the heads of logs.
    pub log: Role,
    /// Who approves.
    pub approver: Role,
}

/// Root metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// Counts from 1, by one.
    pub version: u64,
    /// From when on it is to be replaced: `2027-01-31T00:00:00Z`.
    pub expires: String,
    /// The keys of all roles in PEM, by their ids.
    pub keys: BTreeMap<String, String>,
    /// Who is trusted for what.
    pub roles: Roles,
}

/// Root metadata as it was read.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What it says.
    pub root: Root,
    /// Its envelope.
    pub envelope: Envelope,
    /// SHA-256 of the signed bytes, in hex.
    pub fingerprint: String,
}

impl Root {
    /// Its bytes, as they are signed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    /// Reads what was signed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Root, String> {
        let root: Root = strict(bytes)?;
        if root.version == 0 || root.expires_at().is_none() {
            return Err(
                "its version begins at 1, and it expires at a moment like 2027-01-31T00:00:00Z".to_owned()
            );
        }
        for (id, pem) in &root.keys {
            if Public::parse(pem).is_none_or(|key| key.id() != *id) {
                return Err(format!("the key {id} is another one, or none"));
            }
        }
        let roles = &root.roles;
        for (name, role) in roles.named() {
            let mut ids = role.keyids.clone();
            ids.sort();
            ids.dedup();
            if ids.len() != role.keyids.len() || !ids.iter().all(|id| root.keys.contains_key(id)) {
                return Err(format!("the role {name} names a key twice, or one that is not there"));
            }
            // A role without keys is one that nobody has.
            if role.threshold == 0 || role.threshold > ids.len().max(1) as u64 {
                return Err(format!("the threshold of the role {name} is not between 1 and its keys"));
            }
        }
        if roles.root.keyids.is_empty() {
            return Err("the role root has no keys".to_owned());
        }
        Ok(root)
    }

    /// When it expires, in seconds since 1970.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        // One spelling, in seconds.
        let moment = parse_rfc3339(&self.expires)
            .ok()
            .filter(|_| self.expires.len() == 20 && !self.expires.ends_with(":60Z"))?;
        Some(moment.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
    }

    /// The keys of a role.
    #[must_use]
    pub fn keys_of(&self, role: &Role) -> Vec<Public> {
        role.keyids.iter().filter_map(|id| Public::parse(self.keys.get(id)?)).collect()
    }

    /// Whether enough custodians signed an envelope.
    #[must_use]
    pub fn signed(&self, envelope: &Envelope) -> bool {
        self.custodians(envelope) >= self.roles.root.threshold
    }

    /// How many custodians signed an envelope.
    #[must_use]
    pub fn custodians(&self, envelope: &Envelope) -> u64 {
        envelope.signers(&self.keys_of(&self.roles.root)).len() as u64
    }
}

impl Roles {
    /// The roles by their names.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &Role); 4] {
        [("root", &self.root), ("signer", &self.signer), ("log", &self.log), ("approver", &self.approver)]
    }
}

impl Signed {
    /// Reads root metadata that its own custodians signed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Signed, String> {
        Signed::of(Envelope::open(bytes)?)
    }

    /// Root metadata in an envelope, that its own custodians signed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(envelope: Envelope) -> Result<Signed, String> {
        if envelope.kind != KIND {
            return Err("it is no root metadata".to_owned());
        }
        let root = Root::parse(&envelope.body)?;
        if !root.signed(&envelope) {
            return Err(format!(
                "{} of its own custodians signed it, and it takes {}",
                root.custodians(&envelope),
                root.roles.root.threshold
            ));
        }
        let fingerprint = sha256(&envelope.body);
        Ok(Signed { root, envelope, fingerprint })
    }

    /// Whether `next` may take the place of this one.
    ///
    /// # Errors
    /// Why not.
    pub fn followed_by(&self, next: &Signed) -> Result<(), String> {
        let (is, wanted) = (next.root.version, self.root.version.saturating_add(1));
        if is != wanted {
            return Err(format!("it is version {is}, and {wanted} is next"));
        }
        let (signed, threshold) = (self.root.custodians(&next.envelope), self.root.roles.root.threshold);
        if signed < threshold {
            return Err(format!(
                "{signed} of the custodians of version {} signed it, and it takes {threshold}",
                self.root.version
            ));
        }
        Ok(())
    }
}
