//! Readers of the CSV files that runs write, row by row: a file of any length in the same memory.
//!
//! An error names file, line and column, what was found and what is allowed. What was passed over (a
//! last line that was cut) is noted, not hidden.

mod error;
mod kind;
mod magic;
mod table;

pub mod doses;
pub mod episodes;
pub mod garden;
pub mod lifetimes;
pub mod log;

use std::path::Path;

pub use error::ReadError;
pub use kind::Kind;
pub use magic::foreign;
pub use table::{GoOn, Row, Table, whole};

/// Opens the file at `path` and says what it holds.
///
/// # Errors
/// As [`Table::open`] and [`Kind::of`].
pub fn open(path: &Path) -> Result<(Kind, Table), ReadError> {
    let table = Table::open(path)?;
    let kind = Kind::of(&table)?;
    Ok((kind, table))
}

#[cfg(test)]
mod tests;
