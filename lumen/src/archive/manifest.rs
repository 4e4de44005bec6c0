//! What an archive holds: `manifest.json`, and the id that follows from it.

use std::collections::BTreeSet;

use resonetics_runs::Error;
use resonetics_runs::files::sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sealed;

/// The manifest's file.
pub const MANIFEST: &str = "manifest.json";
/// The file with the sums of the other two.
pub const SUMS: &str = "SHA256SUMS";
/// The file with all files of the run.
pub const BUNDLE: &str = "bundle.tar.zst";

/// The format that is read and written; it grows with each change of what is in a manifest or a bundle.
pub(super) const FORMAT: u32 = 1;
/// What every entry may be done with: mode bits say more of a machine than of a run.
pub(super) const MODE: &str = "0644";
/// The most files of an archive, so that a manifest stays one that can be held in memory.
pub(super) const MOST_FILES: usize = 100_000;
/// The most bytes of a manifest.
pub(super) const MOST_BYTES: u64 = 64 << 20;
/// The most letters of a label.
const LABEL: usize = 200;
/// Fields that say who made an archive, when and for what: the same content is the same archive without them.
const NO_CONTENT: [&str; 4] = ["id", "created_at", "trace_id", "tool"];

/// Which files of a run are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// All that is of the run; not what was put aside (`.before-N`) or is hidden.
    Run,
    /// What Lumen, TensorBoard and the clock wrote of it.
    Telemetry,
    /// Figures, tables and pages.
    Reports,
    /// Everything in its folder.
    All,
}

/// A file of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its path in the run's folder, with `/`.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Their SHA-256 in hex.
    pub sha256: String,
    /// Always `0644`.
    pub mode: String,
}

/// Which run it is, and where it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFacts {
    /// What was run, as run.json says.
    pub command: Option<String>,
    /// Its seed.
    pub seed: Option<u64>,
    /// The commit of the program.
    pub commit: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// When it began: two runs with one folder's name are told apart by it.
    pub started_at: Option<String>,
    /// SHA-256 of its config.toml.
    pub config_sha256: Option<String>,
    /// What its run.json says: `running` for one that was frozen at work.
    pub status: Option<String>,
    /// Steps behind its last checkpoint.
    pub step: Option<u64>,
}

/// An effect that somebody may look for in this archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Highlight {
    /// What it is.
    pub text: String,
    /// Its size.
    pub effect: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What an archive holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format of archives: 1.
    pub format: u32,
    /// See [`Manifest::content_id`].
    pub id: String,
    /// What its maker calls it.
    pub label: Option<String>,
    /// When it was made, in UTC.
    pub created_at: String,
    /// Which files were asked for.
    pub preset: Preset,
    /// Which run it is.
    pub run: RunFacts,
    /// Sorted by path.
    pub files: Vec<Entry>,
    /// Of all files.
    pub total_bytes: u64,
    /// SHA-256 of the tar in the bundle.
    pub tar_sha256: String,
    /// Up to three.
    pub highlights: Vec<Highlight>,
    /// The trace that it belongs to, where the run has one.
    pub trace_id: Option<String>,
    /// How the bundle is encrypted: `none`; `age` inside of an encrypted archive, and in what lies beside it for everybody
    /// `age:` with a digest of the recipients, or `age:passphrase`.
    pub encryption: String,
    /// What made it.
    pub tool: String,
}

impl Manifest {
    /// The manifest in these bytes.
    ///
    /// # Errors
    /// Why they are none.
    pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))?;
        let format = value.get("format").and_then(Value::as_u64);
        if format != Some(FORMAT.into()) {
            let found = format.map_or_else(|| "none".to_owned(), |format| format.to_string());
            return Err(format!("its format is {found}; this program reads {FORMAT}"));
        }
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    /// The file's bytes.
    pub(super) fn encoded(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| unencoded(&error))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// SHA-256 of the JSON of all fields but `id`, `created_at`, `trace_id` and `tool`, with the keys of each object
    /// sorted and no space between.
    ///
    /// # Errors
    /// [`Error::Failed`] if it cannot be encoded.
    pub fn content_id(&self) -> Result<String, Error> {
        let mut value = serde_json::to_value(self).map_err(|error| unencoded(&error))?;
        if let Value::Object(fields) = &mut value {
            for name in NO_CONTENT {
                fields.shift_remove(name);
            }
        }
        value.sort_all_objects();
        Ok(sha256(value.to_string().as_bytes()))
    }

    /// What everybody may read of the manifest of an encrypted archive: when it was made, of which start of a run, and its
    /// id. Not what is in it.
    pub(super) fn outer(&self, mark: String) -> Manifest {
        Manifest {
            label: None,
            run: RunFacts { started_at: self.run.started_at.clone(), ..RunFacts::default() },
            files: Vec::new(),
            total_bytes: 0,
            tar_sha256: String::new(),
            highlights: Vec::new(),
            trace_id: None,
            encryption: mark,
            ..self.clone()
        }
    }

    /// Whether it is what everybody may read of another one.
    pub fn is_outer(&self) -> bool {
        sealed::is_mark(&self.encryption)
    }

    /// What no archive of ours would say.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.files.len() > MOST_FILES {
            problems.push(format!("it lists {} files, more than {MOST_FILES}", self.files.len()));
        }
        let mut folders = BTreeSet::new();
        for entry in &self.files {
            if let Err(problem) = check_path(&entry.path) {
                problems.push(format!("`{}`: {problem}", entry.path.escape_default()));
            }
            if entry.mode != MODE {
                problems.push(format!("`{}`: its mode is not {MODE}", entry.path.escape_default()));
            }
            folders.extend(entry.path.match_indices('/').map(|(at, _)| &entry.path[..at]));
        }
        for pair in self.files.windows(2) {
            let [before, entry] = [&pair[0].path, &pair[1].path];
            if before == entry {
                problems.push(format!("`{}` is listed twice", entry.escape_default()));
            } else if before > entry {
                problems.push(format!("`{}` is not in order", entry.escape_default()));
            }
        }
        if let Some(both) = self.files.iter().find(|entry| folders.contains(entry.path.as_str())) {
            problems.push(format!("`{}` is a file and a folder", both.path.escape_default()));
        }
        let total = self.files.iter().try_fold(0_u64, |sum, entry| sum.checked_add(entry.size));
        if total != Some(self.total_bytes) {
            problems.push(format!("its files do not sum up to total_bytes = {}", self.total_bytes));
        }
        if !["none", sealed::INSIDE].contains(&self.encryption.as_str()) && !self.is_outer() {
            problems.push(format!(
                "it is encrypted by `{}`, which this program cannot read",
                self.encryption.escape_default()
            ));
        }
        problems
    }
}

fn unencoded(error: &serde_json::Error) -> Error {
    Error::Failed(format!("cannot encode {MANIFEST}: {error}; please report this"))
}

/// Refuses a path that is no plain name of a file below a folder.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_path(path: &str) -> Result<(), String> {
    if path.starts_with('/') {
        return Err("its path is absolute".to_owned());
    }
    if path.chars().any(char::is_control) {
        return Err("its path has control characters".to_owned());
    }
    for part in path.split('/') {
        match part {
            "" => return Err("its path has an empty part".to_owned()),
            "." | ".." => return Err(format!("its path leads through `{part}`")),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a label that is long or has control characters.
///
/// # Errors
/// [`Error::Refused`] with what is allowed.
pub(super) fn check_label(label: &str) -> Result<(), Error> {
    if label.chars().count() > LABEL || label.chars().any(char::is_control) {
        return Err(Error::Refused(format!(
            "--label: allowed are up to {LABEL} letters without control characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        let entry = |path: &str, size: u64| Entry {
            path: path.to_owned(),
            size,
            sha256: "00".repeat(32),
            mode: MODE.to_owned(),
        };
        Manifest {
            format: FORMAT,
            id: String::new(),
            label: Some("before the storm é".to_owned()),
            created_at: "2026-01-31T12:00:00.000Z".to_owned(),
            preset: Preset::Run,
            run: RunFacts {
                command: Some("train".to_owned()),
                seed: Some(4),
                commit: None,
                version: Some("0.1.0".to_owned()),
                started_at: None,
                config_sha256: None,
                status: Some("running".to_owned()),
                step: Some(384),
            },
            files: vec![entry("checkpoints/a", 3), entry("config.toml", 4)],
            total_bytes: 7,
            tar_sha256: "11".repeat(32),
            highlights: Vec::new(),
            trace_id: None,
            encryption: "none".to_owned(),
            tool: "resonetics".to_owned(),
        }
    }

    /// The id that Python gives: `hashlib.sha256(json.dumps(m, sort_keys=True, separators=(",", ":"),
    /// ensure_ascii=False).encode())` of the manifest without the four fields.
    #[test]
    fn the_id_is_that_of_another_implementation() {
        let id = example().content_id().unwrap();
        assert_eq!(id, "0af7419fa42ad75882529e1f6d4fbfdc9bcccedf58defac45d562ffe25c11c4f");
        let mut other = example();
        (other.created_at, other.tool) = ("2027-01-01T00:00:00.000Z".to_owned(), "another".to_owned());
        (other.trace_id, other.id) = (Some("ab".repeat(16)), "x".to_owned());
        assert_eq!(other.content_id().unwrap(), id);
        other.files[0].size += 1;
        assert_ne!(other.content_id().unwrap(), id);
    }

    #[test]
    fn what_no_archive_of_ours_says_is_told() {
        assert_eq!(example().problems(), Vec::<String>::new());
        let with = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = example();
            change(&mut manifest);
            manifest.problems().join("; ")
        };
        for (path, told) in [
            ("/etc/passwd", "absolute"),
            ("../up", "leads through `..`"),
            ("a/../../up", "leads through `..`"),
            ("a//b", "empty part"),
            ("", "empty part"),
            ("./a", "leads through `.`"),
            ("a\nb", "control characters"),
            ("zz", "not in order"),
            ("config.toml", "listed twice"),
            ("config.toml/x", "a file and a folder"),
        ] {
            let problems = with(&|manifest| manifest.files[0].path = path.to_owned());
            assert!(problems.contains(told), "{path}: {problems}");
        }
        assert!(with(&|manifest| manifest.total_bytes = 8).contains("sum up"));
        assert!(with(&|manifest| manifest.files[0].size = u64::MAX).contains("sum up"));
        assert!(with(&|manifest| manifest.files[1].mode = "4755".to_owned()).contains("mode"));
        assert!(with(&|manifest| manifest.encryption = "rot13".to_owned()).contains("encrypted"));
    }

    #[test]
    fn labels_are_bounded() {
        assert!(check_label("before the storm").is_ok());
        assert!(check_label(&"x".repeat(201)).unwrap_err().is_refusal());
        assert!(check_label("a\tb").unwrap_err().is_refusal());
    }
}
