//! Files of runs as far as the page looks at them: small ones whole, of others the end, and none behind a link.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use resonetics_runs::error::{self, Error};
use resonetics_runs::files;
use serde_json::Value;

/// More of a run.json, a config.toml or the like is not read.
const MOST: u64 = 1_000_000;

/// What there is to know of a path that is a file and no link, device or pipe, which might block.
pub fn regular(path: &Path) -> Option<Metadata> {
    path.symlink_metadata().ok().filter(Metadata::is_file)
}

/// A small file of text.
pub fn start(path: &Path) -> Option<String> {
    regular(path)?;
    String::from_utf8(files::read(path, MOST).ok()?).ok()
}

/// A small file of JSON.
pub fn json(path: &Path) -> Option<Value> {
    serde_json::from_str(&start(path)?).ok()
}

/// The last `most` bytes of a file, and where they begin.
pub fn end(path: &Path, most: u64) -> io::Result<(u64, Vec<u8>)> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(most);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok((from, bytes))
}

/// Refuses a file of a run that a link has put there: what is read here is quoted, and must be the run's.
///
/// # Errors
/// [`Error::Refused`] for a link.
pub fn not_led_away(run: &Path, path: &Path) -> Result<(), Error> {
    let whole = run.canonicalize().map_err(error::io("read", run))?;
    let inside = path.strip_prefix(run).map(|below| whole.join(below));
    match path.canonicalize().ok() {
        Some(led) if Some(&led) != inside.as_ref().ok() => {
            Err(Error::Refused(format!("{} is a link, and links are not followed here", path.display())))
        }
        _ => Ok(()),
    }
}
