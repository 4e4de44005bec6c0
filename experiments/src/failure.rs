//! Why a command ended early, and the exit status that says so.

use rustix::io::Errno;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Why a command ended before its work was done.
#[derive(Debug)]
pub enum Failure {
    /// What the user asked for cannot be done: exit status 2.
    Usage(String),
    /// The work began and could not be carried through: exit status 1.
    Failed(String),
    /// This signal arrived: exit status 128 and its number.
    Interrupted(i32),
}

impl Failure {
    /// The exit status of the process.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text),
            Self::Interrupted(signal_hook::consts::SIGINT) => f.write_str("interrupted by SIGINT"),
            Self::Interrupted(signal_hook::consts::SIGTERM) => f.write_str("interrupted by SIGTERM"),
            Self::Interrupted(signal_hook::consts::SIGHUP) => f.write_str("interrupted by SIGHUP"),
            Self::Interrupted(signal_hook::consts::SIGQUIT) => f.write_str("interrupted by SIGQUIT"),
            Self::Interrupted(signal) => write!(f, "interrupted by signal {signal}"),
        }
    }
}

/// Turns the I/O error of doing `what` to `path` into a [`Failure`] that names both.
///
/// Errors that another path or other permissions would cure are [`Failure::Usage`]; a full disk
/// and everything else is [`Failure::Failed`].
pub fn io(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |error| {
        let text = format!("cannot {what} {}: {error}", path.display());
        // Kinds that the standard library does not name yet.
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP) => {
                return Failure::Usage(format!("{text}; its links lead in a circle: check the path"));
            }
            Some(Errno::MFILE | Errno::NFILE) => {
                return Failure::Failed(format!("{text}; raise the limit of open files (ulimit -n)"));
            }
            _ => {}
        }
        match error.kind() {
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidFilename => Failure::Usage(format!("{text}; check the path")),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Failure::Usage(format!("{text}; change its permissions or choose another path"))
            }
            ErrorKind::AlreadyExists => {
                Failure::Usage(format!("{text}; nothing was overwritten: choose another path or remove it"))
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Failure::Failed(format!("{text}; free some space and run it again"))
            }
            ErrorKind::FileTooLarge => {
                Failure::Failed(format!("{text}; raise the file size limit (ulimit -f) and run it again"))
            }
            _ => Failure::Failed(format!("{text}; check the device and run it again")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: ErrorKind) -> Failure {
        io("write", Path::new("some/where.csv"))(kind.into())
    }

    #[test]
    fn exit_codes() {
        assert_eq!(Failure::Usage(String::new()).exit_code(), 2);
        assert_eq!(Failure::Failed(String::new()).exit_code(), 1);
        assert_eq!(Failure::Interrupted(2).exit_code(), 130);
        assert_eq!(Failure::Interrupted(15).exit_code(), 143);
    }

    #[test]
    fn signals_are_named() {
        let shown = |signal| Failure::Interrupted(signal).to_string();
        assert_eq!(shown(2), "interrupted by SIGINT");
        assert_eq!(shown(15), "interrupted by SIGTERM");
        assert_eq!(
            (shown(1).as_str(), shown(3).as_str()),
            ("interrupted by SIGHUP", "interrupted by SIGQUIT")
        );
        assert_eq!(shown(12), "interrupted by signal 12");
    }

    #[test]
    fn what_the_user_named_is_usage() {
        for kind in [
            ErrorKind::NotFound,
            ErrorKind::NotADirectory,
            ErrorKind::IsADirectory,
            ErrorKind::InvalidFilename,
            ErrorKind::PermissionDenied,
            ErrorKind::ReadOnlyFilesystem,
            ErrorKind::AlreadyExists,
        ] {
            assert_eq!(of(kind).exit_code(), 2, "{kind:?}");
        }
    }

    #[test]
    fn links_in_a_circle_are_usage() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("link", &link).unwrap();
        let failure = io("read", &link)(std::fs::read(&link).unwrap_err());
        let text = failure.to_string();
        assert!(
            failure.exit_code() == 2 && text.contains("in a circle") && !text.contains("device"),
            "{text}"
        );
    }

    #[test]
    fn what_happens_at_run_time_is_failed() {
        for kind in
            [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge, ErrorKind::Other]
        {
            assert_eq!(of(kind).exit_code(), 1, "{kind:?}");
        }
    }

    #[test]
    fn io_names_operation_path_and_remedy() {
        let text = of(ErrorKind::StorageFull).to_string();
        assert!(text.starts_with("cannot write some/where.csv: "), "{text}");
        assert!(text.ends_with("; free some space and run it again"), "{text}");
    }
}
