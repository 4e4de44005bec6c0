//! How what is on record differs from what is in the store. Nothing is changed.

use std::collections::BTreeMap;

use resonetics_runs::Error;

use super::open::Remote;
use super::record::Records;
use super::store::READ;
use crate::archive::place::Archive;

/// A copy of which record and store say different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key of its bundle.
    pub key: String,
    /// `only here`, `only there` or `differs`.
    pub what: &'static str,
    /// The id of the archive.
    pub id: String,
}

impl Remote {
    /// Compares the newest copies that are on record beside `archive` with the sidecars in the store; yields how many are
    /// the same, and the others.
    ///
    /// # Errors
    /// [`Error::Failed`] if the store cannot be asked, any I/O error.
    pub fn compare(&self, archive: &Archive) -> Result<(usize, Vec<Difference>), Error> {
        let records = Records::read(archive)?;
        let there = self.tried(READ.0, READ.1, |_| self.there(&self.prefix));
        let there = there.map_err(|problem| problem.told("list the copies"))?;
        let mut there: BTreeMap<String, _> =
            there.into_iter().map(|(line, _)| (line.key.clone(), line)).collect();
        let older =
            |key: &str| records.lines.iter().any(|line| line.provider == self.provider && line.key == key);
        let mut same = 0;
        let mut differences = Vec::new();
        let mut told = |key: String, what, id| differences.push(Difference { key, what, id });
        for line in records.copies(&self.provider, &self.prefix) {
            match there.remove(&line.key) {
                None => told(line.key, "only here", line.archive_id),
                Some(other) if other.sha256 != line.sha256 || other.archive_id != line.archive_id => {
                    told(line.key, "differs", line.archive_id);
                }
                Some(_) => same += 1,
            }
        }
        // Older copies of the same archive are on record too, and no difference.
        for (key, line) in there.into_iter().filter(|(key, _)| !older(key)) {
            told(key, "only there", line.archive_id);
        }
        Ok((same, differences))
    }
}
