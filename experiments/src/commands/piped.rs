//! Pipes of this process as files: a table is read twice, which a pipe cannot be.

use std::fs;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use resonetics_analysis::read::{ReadError, open};
use resonetics_runs::error::{self, Error};
use resonetics_runs::files::copy;
use tempfile::TempDir;

/// What stands for the standard input on the command line, beside its path.
const DASH: &str = "-";
const STDIN: &str = "/dev/stdin";

/// Copies of what came through pipes; they go when this does.
#[derive(Default)]
pub struct Piped {
    place: Option<TempDir>,
    /// Of each copy the file, its folder's name, which a report calls it by.
    copies: Vec<(PathBuf, String)>,
}

impl Piped {
    /// `paths` with a file in place of each pipe of this process, which is read to its end.
    ///
    /// # Errors
    /// [`Error::Refused`] for a terminal or another device as the standard input; as [`copy`].
    pub fn copied(&mut self, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
        let mut files: Vec<PathBuf> = Vec::new();
        for path in paths {
            files.push(self.file(path)?);
        }
        Ok(files)
    }

    fn file(&mut self, path: &Path) -> Result<PathBuf, Error> {
        let is_dash = path.as_os_str() == DASH;
        let path = if is_dash { Path::new(STDIN) } else { path };
        let own = path.starts_with("/dev") || path.starts_with("/proc");
        let is_pipe = own && fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
        if !is_pipe && path != Path::new(STDIN) {
            return Ok(path.to_path_buf());
        }
        let name = if path == Path::new(STDIN) {
            "standard input".to_owned()
        } else {
            format!("pipe {}", path.file_name().unwrap_or_default().display())
        };
        if let Some((file, _)) = self.copies.iter().find(|(_, other)| *other == name) {
            return Ok(file.clone());
        }
        let place = match self.place.take() {
            Some(place) => place,
            None => TempDir::new().map_err(error::io("create a folder in", &std::env::temp_dir()))?,
        };
        let folder = self.place.insert(place).path().join(&name);
        fs::create_dir(&folder).map_err(error::io("create", &folder))?;
        let file = folder.join(&name);
        self.copies.push((file.clone(), name));
        copy(path, &file, &|file| begins(file, &self.copies)).map_err(|error| match error {
            refused if refused.is_refusal() && path == Path::new(STDIN) && !is_pipe => Error::Refused(format!(
                "nothing comes through the standard input: it is {}; pipe a table into it, or give a file",
                if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) { "a folder" } else { "a device" }
            )),
            other => other,
        })?;
        Ok(file)
    }

    /// `text` with the names of the pipes in place of those of their copies.
    pub fn named(&self, text: &str) -> String {
        let name =
            |text: String, (file, name): &(PathBuf, String)| text.replace(&file.display().to_string(), name);
        self.copies.iter().fold(text.to_owned(), name)
    }

    /// The same of what an error says.
    pub fn told(&self, failure: Error) -> Error {
        if self.copies.is_empty() || !failure.is_refusal() {
            return failure;
        }
        Error::Refused(self.named(&failure.to_string()))
    }
}

/// Refuses what cannot be read, by the lines that have come through the pipe so far.
fn begins(file: &Path, copies: &[(PathBuf, String)]) -> Result<(), Error> {
    let name = copies.iter().find(|(copy, _)| copy == file).map_or("a pipe", |(_, name)| name);
    if fs::File::open(file).is_ok_and(|mut file| {
        let mut first = [0];
        file.read_exact(&mut first).is_ok() && first == *b"{"
    }) {
        return Err(Error::Refused(format!(
            "{name} is JSON: only tables are read from a pipe; give an eval.json by its path"
        )));
    }
    match open(file) {
        // More may come.
        Ok(_) | Err(ReadError::Empty { .. }) => Ok(()),
        Err(problem) => Err(Error::Refused(problem.to_string().replace(&file.display().to_string(), name))),
    }
}
