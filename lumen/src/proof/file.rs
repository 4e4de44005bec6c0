//! A proof: a statement in its envelope, the head of a log, and that the one is in the other.

use std::path::{Path, PathBuf};

use resonetics_runs::Error;
use resonetics_runs::files::{check_new, write_new};
use serde::{Deserialize, Serialize};

use super::append::Writer;
use super::chain::Chain;
use super::dsse::Envelope;
use super::key::{Public, Secret};
use super::key_log::{self, Entry};
use super::log::Log;
use super::statement::Statement;
use super::text::{hash_of_hex, hex, strict};
use super::tree::Hash;

/// What the file says that it is.
pub const FORMAT: &str = "resonetics-proof/1";
/// What stands behind a run's name in that of its proof.
const ENDING: &str = ".proof.json";
/// The most bytes of a proof.
pub const MOST: u64 = 1 << 20;

/// A proof as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    format: String,
    /// The envelope, byte for byte: these are the bytes of the log's entry.
    pub envelope: String,
    /// The note with the log's head.
    pub checkpoint: String,
    /// Which entry of the log it is.
    pub index: u64,
    inclusion: Vec<String>,
    /// What the log said of keys up to that head. Older proofs have none of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Entry>,
    /// The certificate of the signer and that of the root, in PEM, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<String>,
    /// The list of revoked certificates, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crl: Option<String>,
}

/// Where the proof of a run lies: beside its folder.
#[must_use]
pub fn beside(run: &Path) -> PathBuf {
    // `runs/a/` and `runs/a` are one folder.
    let plain: PathBuf = run.components().collect();
    let mut name = plain.into_os_string();
    name.push(ENDING);
    name.into()
}

/// The folder that a proof lies beside, by its name.
#[must_use]
pub fn run_of(proof: &Path) -> Option<PathBuf> {
    let name = proof.file_name()?.to_str()?.strip_suffix(ENDING)?;
    Some(proof.with_file_name(name))
}

impl Proof {
    /// Reads a proof.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Proof, String> {
        let proof: Proof = strict(bytes)?;
        if proof.format != FORMAT {
            return Err(format!("its format is not {FORMAT}"));
        }
        Ok(proof)
    }

    /// What is said, and its bytes as they are signed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn statement(&self) -> Result<(Statement, Vec<u8>), String> {
        let envelope = Envelope::open(self.envelope.as_bytes())?;
        Ok((Statement::parse(&envelope.body)?, envelope.body))
    }

    /// The certificates of the signer.
    #[must_use]
    pub fn chain(&self) -> Option<Chain> {
        Some(Chain { certificates: self.chain.clone()?, crl: self.crl.clone() })
    }

    /// The hashes that lead from the entry to the root; none where one of them is no hash.
    #[must_use]
    pub fn inclusion(&self) -> Option<Vec<Hash>> {
        self.inclusion.iter().map(|text| hash_of_hex(text)).collect()
    }
}

/// Who signs a proof, and the log that takes it.
pub struct By<'a> {
    /// The key of statement and heads.
    pub key: &'a Secret,
    /// The folder of the log.
    pub log: &'a Path,
    /// How a new log is called.
    pub origin: Option<&'a str>,
    /// The key of the log's heads until now, if that was another one.
    pub formerly: Option<&'a Public>,
    /// Certificates of the key, which go with the proof.
    pub chain: Option<&'a Chain>,
}

/// Signs `statement`, appends it to the log and writes the proof as `path`, which must not be there yet. A statement that is
/// in the log already is not appended again: what was killed before its proof was written can be done again.
///
/// # Errors
/// [`Error::Refused`] if there is such a file, and those of [`Writer::open`]; any I/O error.
pub fn prove(statement: &Statement, by: &By<'_>, path: &Path) -> Result<Proof, Error> {
    check_new(path)?;
    let envelope = statement.sealed(by.key);
    let mut writer = Writer::open_after(by.log, by.key, by.formerly, by.origin)?;
    let (index, _) = writer.append_once(envelope.as_bytes())?;
    writer.commit()?;
    let mut log = Log::open(by.log, &[by.key.public()])?;
    let inclusion = log.inclusion(index)?.iter().map(|hash| hex(hash)).collect();
    let keys = key_log::entries(&mut log)?;
    drop(writer);
    let checkpoint = log.note.clone();
    let chain = by.chain.map(|chain| chain.certificates.clone());
    let crl = by.chain.and_then(|chain| chain.crl.clone());
    let proof = Proof { format: FORMAT.to_owned(), envelope, checkpoint, index, inclusion, keys, chain, crl };
    let mut bytes = serde_json::to_vec_pretty(&proof)
        .map_err(|error| Error::Failed(format!("cannot encode the proof: {error}; please report this")))?;
    bytes.push(b'\n');
    write_new(path, &bytes)?;
    Ok(proof)
}
