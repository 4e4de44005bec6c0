//! Why a file could not be read.

use std::path::PathBuf;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder or a pipe.
    #[error("{} is not a file; write what is to be read into a file", path.display())]
    NoFile {
        /// What is no file.
        path: PathBuf,
    },
    /// A file without a row.
    #[error("{}, line 1: {problem}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// A line that cannot be meant.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// A cell that cannot be meant.
    #[error("{}, line {line}, column `{column}`: found `{found}`; allowed: {allowed}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// The column's name in the header.
        column: String,
        /// What stands there, shortened.
        found: String,
        /// What may stand there.
        allowed: String,
    },
    /// The caller said to stop.
    #[error("stopped")]
    Stopped,
}
