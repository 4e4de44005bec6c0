//! What is known of copies of archives elsewhere, and of certificates, for Prometheus.

use std::path::PathBuf;

use resonetics_runs::Error;
use resonetics_runs::files::text_within;
use resonetics_runs::run_dir::seconds;

use super::samples::Samples;
use crate::archive::Archive;
use crate::archive::remote::record::Records;
use crate::proof::chain::{MOST, certificates};

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct KeptSettings {
    /// The folder of archives, with `remote_index.jsonl`.
    pub archive: Option<PathBuf>,
    /// Certificates of who signs, in PEM, the signer's first.
    pub chain: Option<PathBuf>,
}

/// What was found last.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    at: f64,
    integrity: Option<bool>,
    signer_expires: Option<f64>,
}

impl Kept {
    /// Looks.
    ///
    /// # Errors
    /// [`Error::Refused`] for records or certificates that are none; any I/O error.
    pub(super) fn look(settings: &KeptSettings) -> Result<Kept, Error> {
        let records = settings.archive.as_deref().map(|dir| Records::read(&Archive::at(dir))).transpose()?;
        let signer_expires = match &settings.chain {
            None => None,
            Some(path) => {
                let refused = || {
                    Error::Refused(format!("{} holds no certificates in PEM; check the path", path.display()))
                };
                let chain = certificates(&text_within(path, MOST)?).ok_or_else(refused)?;
                let signer = chain.first().ok_or_else(refused)?;
                let ends = signer.tbs_certificate().validity().not_after.to_unix_duration();
                Some(ends.as_secs_f64())
            }
        };
        Ok(Kept { at: seconds(), integrity: records.and_then(|records| records.integrity()), signer_expires })
    }

    /// When it was looked at, in seconds since 1970.
    pub(super) fn at(&self) -> f64 {
        self.at
    }

    /// Its samples.
    pub(super) fn samples(&self, samples: &mut Samples) {
        let integrity = self.integrity.map(|good| f64::from(u8::from(good)));
        samples.add("lumen_remote_integrity_ok", &[], integrity);
        samples.add("lumen_key_expiry_timestamp", &["signer"], self.signer_expires);
    }
}
