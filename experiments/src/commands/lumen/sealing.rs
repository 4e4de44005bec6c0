//! For whom archives are encrypted, and what opens them.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::{Key, Seal};
use resonetics_lumen::notify::variable;
use resonetics_runs::Error;

use super::passphrase::typed_for;

/// The variable with the passphrase; with `_FILE` behind it, that of the file that has it.
const VARIABLE: &str = "LUMEN_ARCHIVE_PASS";

/// What a command that encrypts can be told.
#[derive(Debug, Args)]
pub struct Sealing {
    /// Encrypt it for whoever has the identity of AGE1..., a recipient of age; can be given more than once
    #[arg(long, value_name = "AGE1...")]
    pub to_recipient: Vec<String>,
    /// Encrypt it for the recipients in this file, a line each
    #[arg(long, value_name = "FILE")]
    pub recipients: Option<PathBuf>,
    /// Encrypt it by a passphrase: LUMEN_ARCHIVE_PASS_FILE, LUMEN_ARCHIVE_PASS, or typed
    #[arg(long, conflicts_with_all = ["to_recipient", "recipients"])]
    pub passphrase: bool,
}

impl Sealing {
    /// What was asked for.
    pub fn seal(&self) -> Result<Option<Seal>, Error> {
        if self.passphrase {
            if let Some(told) = variable(VARIABLE)? {
                return Seal::by(told).map(Some);
            }
            let first = typed_for(VARIABLE, "passphrase of the archive")?;
            if typed_for(VARIABLE, "the same again")? != first {
                return Err(Error::Refused(
                    "the two passphrases differ: nothing was written; try again".to_owned(),
                ));
            }
            return Seal::by(first).map(Some);
        }
        let mut all = self.to_recipient.clone();
        if let Some(path) = &self.recipients {
            let read = Seal::recipients(path)?;
            // What else a file may hold is not told.
            if Seal::to(&read).is_err() {
                return Err(Error::Refused(format!(
                    "{} holds a line that is no recipient of age, or none at all: a line each, age1…",
                    path.display()
                )));
            }
            all.extend(read);
        } else if all.is_empty() {
            return Ok(None);
        }
        Seal::to(&all).map(Some)
    }
}

/// What a command that decrypts can be told.
#[derive(Debug, Args)]
pub struct Opening {
    /// The file with the identity that opens it, as age-keygen writes it
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Open it by a passphrase: LUMEN_ARCHIVE_PASS_FILE, LUMEN_ARCHIVE_PASS, or typed
    #[arg(long, conflicts_with = "identity")]
    pub passphrase: bool,
}

impl Opening {
    /// What was given.
    pub fn key(&self) -> Result<Option<Key>, Error> {
        if self.passphrase {
            return secret().map(|secret| Some(Key::passphrase(secret)));
        }
        self.identity.as_deref().map(Key::read).transpose()
    }
}

/// The passphrase: as the variable says it, or typed.
pub fn secret() -> Result<String, Error> {
    variable(VARIABLE)?.map_or_else(|| typed_for(VARIABLE, "passphrase of the archive"), Ok)
}
