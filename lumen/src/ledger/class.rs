//! How runs end, and why they ended without their result, in words that may be labels: no text of a message, no path.

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// With its result.
    Ok,
    /// Without.
    Failed,
    /// By a signal that it heard.
    Interrupted,
    /// Its record says that it runs, and no process is at work in it.
    Killed,
    /// It is at work, or its file system has no locks that could tell.
    Running,
}

impl Outcome {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Killed => "killed",
            Self::Running => "running",
        }
    }
}

/// The class of a run's end. `run.json` keeps the message and not its kind, so this is told by how our messages begin
/// and end; what is none of ours is `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorClass {
    /// What was asked for could not be done.
    Refused,
    /// The system refused to do something with a file.
    Io,
    /// A loss or a gradient was no number.
    Diverged,
    /// What computes the networks failed.
    Learner,
    /// It ended without saying why, most likely by a panic.
    Panic,
    /// A signal that it heard.
    Interrupted,
    /// A signal that it could not hear.
    Killed,
    /// None of these.
    Unknown,
}

/// What a message about a file ends with.
const REMEDIES: [&str; 8] = [
    "; check the path",
    "; its links lead in a circle: check the path",
    "; raise the limit of open files (ulimit -n)",
    "; change its permissions or choose another path",
    "; nothing was overwritten: choose another path or remove it",
    "; free some space and run it again",
    "; raise the file size limit (ulimit -f) and run it again",
    "; check the device and run it again",
];

impl ErrorClass {
    /// Of a run that ended so; `None` where nothing went wrong, or it has not ended.
    pub(super) fn of(outcome: Outcome, message: Option<&str>) -> Option<ErrorClass> {
        match outcome {
            Outcome::Ok | Outcome::Running => None,
            Outcome::Interrupted => Some(Self::Interrupted),
            Outcome::Killed => Some(Self::Killed),
            Outcome::Failed => Some(message.map_or(Self::Unknown, Self::of_message)),
        }
    }

    fn of_message(message: &str) -> ErrorClass {
        let begins = |words: &[&str]| words.iter().any(|word| message.starts_with(word));
        if message.starts_with("cannot ") && message.contains(" on the device ") {
            Self::Learner
        } else if message.starts_with("cannot ") && REMEDIES.iter().any(|remedy| message.ends_with(remedy)) {
            Self::Io
        } else if message.contains("gradient norm") {
            Self::Diverged
        } else if message.starts_with("ended without a result") {
            Self::Panic
        } else if begins(&["unknown ", "expected "])
            || message.contains("; allowed")
            || message.contains("known are")
        {
            Self::Refused
        } else {
            Self::Unknown
        }
    }

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Io => "io",
            Self::Diverged => "diverged",
            Self::Learner => "learner",
            Self::Panic => "panic",
            Self::Interrupted => "interrupted",
            Self::Killed => "killed",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use resonetics_runs::error;

    use super::*;

    #[test]
    fn messages_about_files_are_of_files() {
        for kind in [
            std::io::ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied,
            std::io::ErrorKind::AlreadyExists,
            std::io::ErrorKind::StorageFull,
            std::io::ErrorKind::FileTooLarge,
            std::io::ErrorKind::Other,
        ] {
            let message = error::io("write", Path::new("/some/where"))(kind.into()).to_string();
            assert_eq!(ErrorClass::of(Outcome::Failed, Some(&message)), Some(ErrorClass::Io), "{message}");
        }
    }

    #[test]
    fn each_end_has_its_class() {
        let failed = |message| ErrorClass::of(Outcome::Failed, message);
        assert_eq!(failed(None), Some(ErrorClass::Unknown));
        assert_eq!(failed(Some("something else")), Some(ErrorClass::Unknown));
        assert_eq!(
            failed(Some("cannot add tensors on the device cuda:0: out of memory; use fewer rows")),
            Some(ErrorClass::Learner)
        );
        assert_eq!(
            failed(Some("ended without a result, most likely by a panic; see its messages")),
            Some(ErrorClass::Panic)
        );
        assert_eq!(ErrorClass::of(Outcome::Killed, Some("x")), Some(ErrorClass::Killed));
        assert_eq!(ErrorClass::of(Outcome::Interrupted, None), Some(ErrorClass::Interrupted));
        assert_eq!((ErrorClass::of(Outcome::Ok, None), ErrorClass::of(Outcome::Running, None)), (None, None));
    }
}
