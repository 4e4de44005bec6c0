//! The event store: a database of `SQLite` that holds what the `events.jsonl` of many runs say, and is asked instead of
//! them.
//!
//! [`Store`] writes: [`Store::ingest`] reads files on from where it stopped, [`Store::check`] compares both.
//! [`Reader`] reads, and can do nothing else. [`rotate`] is for those who write `events.jsonl`.
//!
//! What holds:
//! - An event is there once, however often its line is read: it is what (run, loop, iter, type, SHA-256 of the line)
//!   says. Rows and the offset up to which a file was read are committed together, so a kill loses and doubles nothing.
//! - A file is known by device, inode and its first bytes, not by its name: renamed ones are read on, an inode that
//!   another file has got is read from its start. (A file that was copied or came from a backup is known by its path
//!   and first bytes.)
//! - A file that was cut back, as a resumed training does, is the log that it is now: the rows of lines that are gone
//!   are deleted, those before the cut stay as they are. Its lines are compared with the rows to find the cut. A file
//!   that is cut to nothing and begun anew with another first line is another file: the old rows stay.
//! - A file that was deleted leaves its rows: rotation may throw logs away, the store keeps what they said.
//! - The sums of a run, [`Totals`], count each event that ever came; they never go down, whatever is cut.
//! - A line that is no event is kept in `refused` with place and reason. One without line end waits for it.

mod check;
mod compare;
mod ingest;
mod line;
mod lines;
mod lookup;
mod read;
mod recent;
mod rotate;
mod schema;
mod source;
mod walk;
mod write;

pub use check::{Checked, FileChecked};
pub use ingest::{Ingested, Store};
pub use line::{LINE_BYTES, event};
pub use lookup::{MemoryRow, Totals};
pub(crate) use read::time;
pub use read::{Cursor, LevelRow, MOST_ROWS, Page, Query, Reader, Rmb, Ure, Window};
pub use recent::Recent;
pub use rotate::{Rotation, rotate};
pub(crate) use schema::APPLICATION;
pub use schema::VERSION;
