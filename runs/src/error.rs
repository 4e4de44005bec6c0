//! Why something could not be done: what, where, and what to do about it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use resonetics_agents::prophet::learner::LearnerError;
use resonetics_analysis::chart::ChartError;
use resonetics_analysis::read::ReadError;
use resonetics_envs::config::ConfigError;
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Why a run ended before its work was done, or never began. Its text is one line for the user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for cannot be done as it was asked; nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// A setting that is unknown, of another type or out of range, with its place.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// A table that cannot be read, with file, line and column.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The system refused to do something with a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A figure that cannot be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// What holds the networks failed, on a device without memory for one.
    #[error(transparent)]
    Learner(#[from] LearnerError),
    /// The work began and could not be carried through.
    #[error("{0}")]
    Failed(String),
    /// What was asked about is not there, or cannot be known.
    #[error("{0}")]
    Unknown(String),
    /// The signal of this number arrived: see [`crate::interrupt`].
    #[error("interrupted by {}", signal(*.0))]
    Interrupted(i32),
}

/// What the system refused to do with a file, and what helps.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}; {}", .path.display(), remedy(.source).0)]
pub struct FileError {
    /// What was to be done, such as `read`.
    pub doing: String,
    /// With which file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl Error {
    /// Whether something else has to be asked for: another path, other settings, other permissions. If not,
    /// the work failed, on a full disk for one, or was interrupted.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Read(ReadError::Io { source, .. }) => remedy(source).1,
            Self::File(file) => remedy(&file.source).1,
            Self::Read(ReadError::Stopped)
            | Self::Chart(_)
            | Self::Learner(_)
            | Self::Failed(_)
            | Self::Unknown(_)
            | Self::Interrupted(_) => false,
            Self::Refused(_) | Self::Setting(_) | Self::Read(_) => true,
        }
    }
}

/// Turns the I/O error of doing `what` to `path` into an [`Error`] that names both.
pub fn io(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| FileError { doing: what.to_owned(), path: path.to_path_buf(), source }.into()
}

/// What helps against an error, and whether it is another path or other permissions.
fn remedy(error: &io::Error) -> (&'static str, bool) {
    // Kinds that the standard library does not name yet.
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::LOOP) => return ("its links lead in a circle: check the path", true),
        Some(Errno::MFILE | Errno::NFILE) => return ("raise the limit of open files (ulimit -n)", false),
        _ => {}
    }
    match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::InvalidFilename => ("check the path", true),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            ("change its permissions or choose another path", true)
        }
        ErrorKind::AlreadyExists => ("nothing was overwritten: choose another path or remove it", true),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ("free some space and run it again", false),
        ErrorKind::FileTooLarge => ("raise the file size limit (ulimit -f) and run it again", false),
        _ => ("check the device and run it again", false),
    }
}

fn signal(number: i32) -> String {
    match number {
        SIGINT => "SIGINT".to_owned(),
        SIGTERM => "SIGTERM".to_owned(),
        SIGHUP => "SIGHUP".to_owned(),
        SIGQUIT => "SIGQUIT".to_owned(),
        number => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: ErrorKind) -> Error {
        io("write", Path::new("some/where.csv"))(kind.into())
    }

    #[test]
    fn signals_are_named() {
        let shown = |signal| Error::Interrupted(signal).to_string();
        assert_eq!(shown(2), "interrupted by SIGINT");
        assert_eq!(shown(15), "interrupted by SIGTERM");
        assert_eq!(
            (shown(1).as_str(), shown(3).as_str()),
            ("interrupted by SIGHUP", "interrupted by SIGQUIT")
        );
        assert_eq!(shown(12), "interrupted by signal 12");
    }

    #[test]
    fn what_the_user_named_is_refused() {
        for kind in [
            ErrorKind::NotFound,
            ErrorKind::NotADirectory,
            ErrorKind::IsADirectory,
            ErrorKind::InvalidFilename,
            ErrorKind::PermissionDenied,
            ErrorKind::ReadOnlyFilesystem,
            ErrorKind::AlreadyExists,
        ] {
            assert!(of(kind).is_refusal(), "{kind:?}");
        }
    }

    #[test]
    fn links_in_a_circle_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("link", &link).unwrap();
        let failure = io("read", &link)(std::fs::read(&link).unwrap_err());
        let text = failure.to_string();
        assert!(failure.is_refusal() && text.contains("in a circle") && !text.contains("device"), "{text}");
    }

    #[test]
    fn what_happens_at_run_time_is_failed() {
        for kind in
            [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge, ErrorKind::Other]
        {
            assert!(!of(kind).is_refusal(), "{kind:?}");
        }
    }

    /// The same, whether a table's reader says it or a file's.
    #[test]
    fn what_the_system_refuses_to_a_reader_is_told_apart() {
        let path = || Path::new("some/where.csv").to_path_buf();
        for (kind, refusal) in [(ErrorKind::NotFound, true), (ErrorKind::Other, false)] {
            let error = Error::from(ReadError::Io { path: path(), source: kind.into() });
            assert_eq!(error.is_refusal(), refusal, "{kind:?}");
        }
        assert!(!Error::from(ReadError::Stopped).is_refusal());
        assert!(Error::from(ReadError::NoFile { path: path() }).is_refusal());
    }

    #[test]
    fn io_names_operation_path_and_remedy() {
        let text = of(ErrorKind::StorageFull).to_string();
        assert!(text.starts_with("cannot write some/where.csv: "), "{text}");
        assert!(text.ends_with("; free some space and run it again"), "{text}");
    }
}
