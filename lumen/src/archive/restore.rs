//! Restoring a run: verified first, and then whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use resonetics_runs::inputs::Inputs;
use resonetics_runs::training::Stopped;
use resonetics_runs::{Error, claim, error, findings};

use super::bundle::{Nowhere, Take};
use super::manifest::{Entry, Manifest};
use super::sealed::Key;
use super::verify::{Verified, compared};

/// Commands whose runs have tables that can be analyzed.
const ANALYZED: [&str; 7] = ["gardener", "benchmark", "controls", "drift", "eval", "limit", "train"];

/// Restores the run of the archive in `dir` into the new or empty folder `out`; nothing is written of one that is not
/// good, which what it yields says.
///
/// # Errors
/// Those of [`verify`](super::verify()); [`Error::Refused`] if `out` holds anything; any I/O error.
pub fn restore(dir: &Path, out: &Path) -> Result<Verified, Error> {
    restored(dir, out, None)
}

/// The same, of an archive that `key` opens if it is encrypted.
///
/// # Errors
/// The same; [`Error::Refused`] for a key that does not open it.
pub fn restore_opened(dir: &Path, out: &Path, key: &Key) -> Result<Verified, Error> {
    restored(dir, out, Some(key))
}

fn restored(dir: &Path, out: &Path, key: Option<&Key>) -> Result<Verified, Error> {
    claim::check(Some(out))?;
    let verified = compared(dir, key, &mut Nowhere)?;
    if !verified.is_good() {
        return Ok(verified);
    }
    if verified.is_unread {
        let dir = dir.display();
        return Err(Error::Refused(format!("{dir} is encrypted: give --identity FILE, or --passphrase")));
    }
    let out = placed(out)?;
    let parent = out.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(error::io("create", parent))?;
    let staging = tempfile::Builder::new()
        .prefix(".tmp")
        .permissions(Permissions::from_mode(0o777))
        .tempdir_in(parent)
        .map_err(error::io("write in", parent))?;
    let written = compared(dir, key, &mut Writer { root: staging.path(), file: None })?;
    if !written.is_good() || written.manifest != verified.manifest {
        let dir = dir.display();
        return Err(Error::Failed(format!(
            "{dir} changed while it was restored; nothing was written: try again"
        )));
    }
    // Onto a folder it succeeds only if that is still empty.
    fs::rename(staging.path(), &out).map_err(error::io("create", &out))?;
    let _ = staging.keep();
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(error::io("write", parent))?;
    Ok(verified)
}

/// `out` by the name that it has where links have led, if it is there.
fn placed(out: &Path) -> Result<PathBuf, Error> {
    if !out.exists() {
        return Ok(out.to_path_buf());
    }
    let whole = fs::canonicalize(out).map_err(error::io("read", out))?;
    if std::env::current_dir().is_ok_and(|here| here == whole) {
        let out = out.display();
        return Err(Error::Refused(format!(
            "{out} is the current folder, which cannot be replaced; name a new one"
        )));
    }
    Ok(whole)
}

/// Writes files below a folder.
struct Writer<'a> {
    root: &'a Path,
    file: Option<(File, PathBuf)>,
}

impl Take for Writer<'_> {
    fn begin(&mut self, entry: &Entry) -> Result<(), Error> {
        let path = self.root.join(&entry.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(error::io("create", folder))?;
        }
        let file = File::create_new(&path).map_err(error::io("create", &path))?;
        self.file = Some((file, path));
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some((file, path)) = &mut self.file else { return Ok(()) };
        file.write_all(bytes).map_err(error::io("write", path))
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some((file, path)) = self.file.take() else { return Ok(()) };
        file.sync_all().map_err(error::io("write", &path))
    }
}

/// Restores the archive in `dir`, which is good, into a folder of its own, and looks whether what is there is of use: a
/// training goes on or is finished, and what is analyzed can be.
///
/// # Errors
/// Those of [`restore`]; [`Error::Failed`] with what is of no use.
pub fn check_deep(dir: &Path, manifest: &Manifest, key: Option<&Key>) -> Result<(), Error> {
    let scratch = tempfile::tempdir().map_err(error::io("create a folder in", &std::env::temp_dir()))?;
    let out = scratch.path().join("restored");
    if !restored(dir, &out, key)?.is_good() {
        return Err(Error::Failed(format!("{} changed while it was looked at; try again", dir.display())));
    }
    let command = manifest.run.command.as_deref().unwrap_or_default();
    let failed = |failure: Error| match failure {
        stopped @ Error::Interrupted(_) => stopped,
        failure => Error::Failed(format!("{}: restored, it is of no use: {failure}", dir.display())),
    };
    if command == "train" {
        Stopped::open(&out, "auto").map_err(failed)?;
    }
    if ANALYZED.contains(&command) {
        let inputs = Inputs::find(std::slice::from_ref(&out), false).map_err(failed)?;
        findings::report(inputs, None, "").map_err(failed)?;
    }
    Ok(())
}
