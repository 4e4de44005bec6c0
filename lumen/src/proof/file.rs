//! A proof: a statement in its envelope, the head of a log, and that the one is in the other.

use std::path::{Path, PathBuf};

use resonetics_runs::Error;
use resonetics_runs::files::{check_new, write_new};
use serde::{Deserialize, Serialize};

use super::append::Writer;
use super::dsse::Envelope;
use super::key::Secret;
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

    /// The hashes that lead from the entry to the root; none where one of them is no hash.
    #[must_use]
    pub fn inclusion(&self) -> Option<Vec<Hash>> {
        self.inclusion.iter().map(|text| hash_of_hex(text)).collect()
    }
}

/// Signs `statement`, appends it to the log in the folder `log`, called `origin` if it is new, and writes the proof as
/// `path`, which must not be there yet. A statement that is in the log already is not appended again: what was killed
/// before its proof was written can be done again.
///
/// # Errors
/// [`Error::Refused`] if there is such a file, and those of [`Writer::open`]; any I/O error.
pub fn prove(
    statement: &Statement,
    key: &Secret,
    log: &Path,
    origin: Option<&str>,
    path: &Path,
) -> Result<Proof, Error> {
    check_new(path)?;
    let envelope = statement.sealed(key);
    let mut writer = Writer::open(log, key, origin)?;
    let (index, _) = writer.append_once(envelope.as_bytes())?;
    writer.commit()?;
    let mut log = Log::open(log, &[key.public()])?;
    let inclusion = log.inclusion(index)?.iter().map(|hash| hex(hash)).collect();
    drop(writer);
    let proof = Proof { format: FORMAT.to_owned(), envelope, checkpoint: log.note.clone(), index, inclusion };
    let mut bytes = serde_json::to_vec_pretty(&proof)
        .map_err(|error| Error::Failed(format!("cannot encode the proof: {error}; please report this")))?;
    bytes.push(b'\n');
    write_new(path, &bytes)?;
    Ok(proof)
}
