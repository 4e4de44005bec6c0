//! What the JSON file of a checkpoint says: which training it belongs to, and what it is sealed with.

use std::ops::RangeInclusive;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::best::Best;
use crate::commands::Reached;
use crate::error::Error;
use crate::files::{sha256, text};
use crate::training::extension::{self, Extension};

/// The formats that are read; the last is written. They grow with each change of what is written: since 2 there are
/// what the rows remember and the returns that a best checkpoint is held against.
pub(super) const FORMATS: RangeInclusive<u32> = 1..=2;
/// The settings of a run, in its directory and, as they were, beside its checkpoints.
pub(super) const CONFIG: &str = "config.toml";

/// Which training a checkpoint belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub(super) env: String,
    /// SHA-256 of the run's config.toml as it was when the run began.
    pub(super) config: String,
    /// By what it was extended since, and before the checkpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) extended: Vec<Extension>,
}

impl Identity {
    /// That of the training in `env` whose config.toml is in `dir`.
    ///
    /// # Errors
    /// That config.toml cannot be read, or that more was added to it than what extends a training.
    pub fn of(env: &str, dir: &Path) -> Result<Identity, Error> {
        let path = dir.join(CONFIG);
        let text = text(&path)?;
        let (begun, extended) = extension::split(&text).map_err(|problem| {
            Error::Refused(format!("{} was edited: {problem}; take out what is not of it", path.display()))
        })?;
        Ok(Identity { env: env.to_owned(), config: sha256(begun.as_bytes()), extended })
    }

    /// Whether a checkpoint that belongs to `other` was extended otherwise than this training.
    pub(super) fn extended_otherwise(&self, other: &Identity) -> bool {
        self.config == other.config && !self.extended.starts_with(&other.extended)
    }
}

/// The bytes of a config.toml as they were when the run began.
pub(super) fn begun(bytes: &[u8]) -> &[u8] {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| extension::split(text).ok()).map_or(bytes, |(begun, _)| begun.as_bytes())
}

/// What a checkpoint's JSON file says, beside its own checksum.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record<N> {
    pub format: u32,
    pub version: String,
    pub identity: Identity,
    /// SHA-256 of the safetensors file.
    pub safetensors: String,
    pub csv_bytes: u64,
    pub best: Option<Best>,
    /// How far the run had come with its `commands.jsonl`, where it was told anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
    /// What whoever watches the run goes on from, where somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Value>,
    pub numbers: N,
}

/// The record as JSON text, closed by its own checksum.
pub(super) fn sealed<N: Serialize>(record: &Record<N>) -> Result<Vec<u8>, Error> {
    let failed = |error: serde_json::Error| Error::Failed(format!("cannot encode a checkpoint: {error}"));
    let mut value = serde_json::to_value(record).map_err(failed)?;
    let sum = sha256(value.to_string().as_bytes());
    if let Value::Object(fields) = &mut value {
        fields.insert("sha256".to_owned(), sum.into());
    }
    let mut bytes = serde_json::to_vec_pretty(&value).map_err(failed)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The record in a text.
pub(super) fn opened<N: DeserializeOwned>(text: &str) -> Result<Record<N>, String> {
    let mut value: Value =
        serde_json::from_str(text).map_err(|error| format!("it is not a complete JSON file ({error})"))?;
    let format = value.get("format").and_then(Value::as_u64);
    if !format.is_some_and(|format| u32::try_from(format).is_ok_and(|format| FORMATS.contains(&format))) {
        let found = format.map_or_else(|| "none".to_owned(), |format| format.to_string());
        let version = value.get("version").and_then(Value::as_str).unwrap_or("unknown");
        return Err(format!(
            "its format is {found}, written by version {version}; this program reads format {} to {}",
            FORMATS.start(),
            FORMATS.end()
        ));
    }
    let sum = value.as_object_mut().and_then(|fields| fields.shift_remove("sha256"));
    if sum.as_ref().and_then(Value::as_str) != Some(&sha256(value.to_string().as_bytes())) {
        return Err("it was edited (its own checksum differs)".to_owned());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}
