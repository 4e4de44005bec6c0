//! What a copy consists of, as it says itself.

use object_store::path::Path;
use resonetics_runs::Error;
use serde::{Deserialize, Serialize};

use crate::archive::manifest::{BUNDLE, MANIFEST, SUMS};
use crate::archive::sealed::{BUNDLE_AGE, MANIFEST_AGE};

/// What it says that it is.
const FORMAT: &str = "resonetics-remote/1";
/// What its name ends with.
pub(super) const ENDING: &str = ".sidecar.json";
/// The most bytes of one.
pub(super) const MOST: u64 = 1 << 16;

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Its name in the archive.
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// What a copy consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sidecar {
    format: String,
    pub(super) archive_id: String,
    /// The name of the run's folder.
    pub(super) run: String,
    pub(super) created_at: String,
    pub(super) uploaded_at: String,
    /// `age` or `none`.
    pub(super) enc: String,
    pub(super) files: Vec<Part>,
}

impl Sidecar {
    pub(super) fn new(
        archive_id: &str,
        run: &str,
        created_at: &str,
        uploaded_at: String,
        files: Vec<Part>,
    ) -> Sidecar {
        let is_sealed = files.iter().any(|part| part.name == BUNDLE_AGE);
        Sidecar {
            format: FORMAT.to_owned(),
            archive_id: archive_id.to_owned(),
            run: run.to_owned(),
            created_at: created_at.to_owned(),
            uploaded_at,
            enc: if is_sealed { "age" } else { "none" }.to_owned(),
            files,
        }
    }

    pub(super) fn encoded(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| {
            Error::Failed(format!("cannot encode a sidecar: {error}; please report this"))
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The sidecar in these bytes, if it is one of ours.
    pub(super) fn parse(bytes: &[u8]) -> Result<Sidecar, String> {
        let sidecar: Sidecar =
            serde_json::from_slice(bytes).map_err(|error| format!("the sidecar cannot be read: {error}"))?;
        if sidecar.format != FORMAT {
            return Err(format!("its sidecar is not of the format {FORMAT}"));
        }
        let names: Vec<&str> = sidecar.files.iter().map(|part| part.name.as_str()).collect();
        let whole = match sidecar.enc.as_str() {
            "age" => names == [BUNDLE_AGE, MANIFEST_AGE, MANIFEST, SUMS],
            "none" => names == [BUNDLE, MANIFEST, SUMS],
            _ => false,
        };
        let hex = |text: &str| {
            text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_name = |text: &str| {
            !text.is_empty()
                && !text.starts_with('.')
                && !text.contains(['/', '\\'])
                && !text.contains(char::is_control)
        };
        if !whole
            || !hex(&sidecar.archive_id)
            || !is_name(&sidecar.run)
            || sidecar.files.iter().any(|part| !hex(&part.sha256))
        {
            return Err("its sidecar says what no copy of ours is".to_owned());
        }
        Ok(sidecar)
    }

    /// The bundle.
    pub(super) fn bundle(&self) -> Option<&Part> {
        self.files.first()
    }
}

/// The object that holds the file `name` of the copy with the bundle at `key`.
pub(super) fn object(key: &Path, name: &str) -> Path {
    if name == BUNDLE || name == BUNDLE_AGE {
        return key.clone();
    }
    beside(key, &format!(".{name}"))
}

/// The sidecar of the copy with the bundle at `key`.
pub(super) fn sidecar(key: &Path) -> Path {
    beside(key, ENDING)
}

/// The bundle of the copy with the sidecar `at`.
pub(super) fn bundle(at: &Path, sidecar: &Sidecar) -> Path {
    let ending = if sidecar.enc == "age" { ".tar.zst.age" } else { ".tar.zst" };
    raw(&format!("{}{ending}", at.as_ref().strip_suffix(ENDING).unwrap_or(at.as_ref())))
}

fn beside(key: &Path, ending: &str) -> Path {
    let whole = key.as_ref();
    let stem = whole.strip_suffix(".age").unwrap_or(whole);
    let stem = stem.strip_suffix(".tar.zst").unwrap_or(stem);
    raw(&format!("{stem}{ending}"))
}

/// What was a path before: nothing of it is encoded again.
fn raw(text: &str) -> Path {
    Path::parse(text).unwrap_or_default()
}
