//! A pack that is verified: whether it can be gone on with here, and where.

use std::path::{Path, PathBuf};

use resonetics_runs::{Error, claim};
use tempfile::TempDir;

use super::resume::Resume;
use crate::archive::restore;
use crate::context::Context;

/// A pack, all of it verified.
#[derive(Debug)]
pub struct Opened {
    /// What to do.
    pub resume: Resume,
    /// What is known.
    pub context: Context,
    /// The archive in it, in a folder that goes again.
    pub(super) archive: Option<(TempDir, PathBuf)>,
}

impl Opened {
    /// Whether the run itself is in the pack.
    pub fn has_run(&self) -> bool {
        self.archive.is_some()
    }

    /// Refuses what cannot be gone on with by a program that has these `features`, in the folder `to`: with an archive a
    /// new or empty one, else that of the run, which must be as it was packed. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] with what to do; any I/O error.
    pub fn check(&self, to: &Path, features: &[&str]) -> Result<(), Error> {
        if let Some(missing) = self.resume.features.iter().find(|needed| !features.contains(&&***needed)) {
            return Err(Error::Refused(format!(
                "the run needs `{}`, which this program was built without; build it with `--features {0}`",
                missing.escape_default()
            )));
        }
        if self.has_run() {
            return claim::check(Some(to)).map_err(|failure| match failure {
                Error::Refused(text) => Error::Refused(text.replace("--out", "--to")),
                other => other,
            });
        }
        if !to.join("config.toml").exists() {
            return Err(Error::Refused(format!(
                "the pack holds no archive, and {} is not the run's folder: name it with --to, or pack the run with --archive",
                to.display()
            )));
        }
        self.resume.refuse_other(to)
    }

    /// Makes the run's folder ready in `to`: restores it if it is in the pack, whole or not at all.
    ///
    /// # Errors
    /// Those of [`Opened::check`]; any I/O error.
    pub fn place(&self, to: &Path, features: &[&str]) -> Result<(), Error> {
        self.check(to, features)?;
        let Some((_, dir)) = &self.archive else { return Ok(()) };
        if restore(dir, to)?.is_good() {
            return Ok(());
        }
        Err(Error::Failed(format!(
            "the archive changed while it was restored into {}; try again",
            to.display()
        )))
    }
}
