//! A signature beside any file: `FILE.sig.json`.
//!
//! What is signed is the format's name, the file's SHA-256 and the moment, a line each: openssl can check it with these
//! three lines and the public key. Which algorithm it is the format says, never the file.

use std::path::{Path, PathBuf};

use humantime::format_rfc3339_seconds;
use resonetics_runs::Error;
use resonetics_runs::files::{check_new, write_new};
use resonetics_runs::run_dir::seconds;
use serde::{Deserialize, Serialize};

use super::digest::digest;
use super::key::{Public, Secret};
use super::statement::Digest;
use super::text::{base64, hash_of_hex, of_base64, strict};

/// What the file says that it is.
pub const FORMAT: &str = "resonetics-signature/1";
/// What stands behind a file's name in that of its signature.
pub const ENDING: &str = ".sig.json";

/// A signature as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detached {
    format: String,
    /// Whose it is.
    pub keyid: String,
    /// What the file was.
    pub digest: Digest,
    /// When it was signed, RFC 3339.
    pub time: String,
    sig: String,
}

impl Detached {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Detached, String> {
        let read: Detached = strict(bytes)?;
        let plain = read.time.bytes().all(|byte| byte.is_ascii_graphic()) && read.time.len() <= 40;
        if read.format != FORMAT || !plain || hash_of_hex(&read.digest.sha256).is_none() {
            return Err(format!("it is not {FORMAT}"));
        }
        if of_base64(&read.sig).is_none() {
            return Err("its signature is not base64".to_owned());
        }
        Ok(read)
    }

    /// Whether `key` signed this.
    #[must_use]
    pub fn verified(&self, key: &Public) -> bool {
        let signature = of_base64(&self.sig).unwrap_or_default();
        key.verified(message(&self.digest.sha256, &self.time).as_bytes(), &signature)
    }
}

fn message(sha256: &str, time: &str) -> String {
    format!("{FORMAT}\n{sha256}\n{time}\n")
}

/// Signs the file at `path`; yields where the signature lies, which must not be there yet.
///
/// # Errors
/// [`Error::Refused`] if it is there, or the file cannot be read; any I/O error.
pub fn sign(path: &Path, key: &Secret) -> Result<PathBuf, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(ENDING);
    let beside = PathBuf::from(name);
    check_new(&beside)?;
    let (_, sha256) = digest(path)?;
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds() as u64);
    let time = format_rfc3339_seconds(now).to_string();
    let sig = base64(&key.sign(message(&sha256, &time).as_bytes()));
    let keyid = key.public().id();
    let written = Detached { format: FORMAT.to_owned(), keyid, digest: Digest { sha256 }, time, sig };
    let mut bytes = serde_json::to_vec_pretty(&written).map_err(|error| {
        Error::Failed(format!("cannot encode the signature: {error}; please report this"))
    })?;
    bytes.push(b'\n');
    write_new(&beside, &bytes)?;
    Ok(beside)
}
