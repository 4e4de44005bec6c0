//! What is wrong with an archive.

use std::fmt;

/// In which way something is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is not there.
    Missing,
    /// It is there with other bytes, under another name, or says something else.
    Mismatch,
    /// It is there and should not be.
    Extra,
    /// Its end is not there.
    Truncated,
}

impl Kind {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Mismatch => "mismatch",
            Self::Extra => "extra",
            Self::Truncated => "truncated",
        }
    }
}

/// A file of an archive, or of the run in it, that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its path: one of the three files, or that of a file of the run.
    pub path: String,
    /// In which way.
    pub kind: Kind,
    /// What was found.
    pub why: String,
}

impl Fault {
    pub(crate) fn new(path: impl Into<String>, kind: Kind, why: impl Into<String>) -> Fault {
        Fault { path: path.into(), kind, why: why.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What damage has made of a name is no command for a terminal.
        let path: String = self.path.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        write!(to, "{path}: {}: {}", self.kind.name(), self.why)
    }
}
