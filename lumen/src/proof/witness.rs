//! Witnesses: those who keep the heads of a log elsewhere, and sign that each one they saw follows the one before, as C2SP
//! has it (<https://c2sp.org/tlog-cosignature>). A log that tells others something else finds no witness for it.

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_runs::files::{sha256, text_within, write_atomic};
use resonetics_runs::{Error, error};

use super::append::locked;
use super::consistency::{Consistency, one_log};
use super::heads::Heads;
use super::key::{Public, Secret};
use super::log::Log;
use super::note::{Head, Note, cosigned, is_origin};

/// The heads that a witness has seen, in its folder.
const HEADS: &str = "heads.jsonl";
/// The most bytes of a checkpoint.
const MOST: u64 = 1 << 16;

/// Where a witness keeps the last head that it signed of the log of this origin, in its folder `dir`.
#[must_use]
pub fn place(dir: &Path, origin: &str) -> PathBuf {
    dir.join(&sha256(origin.as_bytes())[..16]).join("checkpoint")
}

/// Looks at the log in the folder `log`, whose heads `keys` sign, and signs its head if it follows those that the folder
/// `dir` knows. Yields the head and where the note with the signature lies.
///
/// # Errors
/// [`Error::Failed`] if the log was taken back or is another one; [`Error::Refused`] for a name that can be none; those of
/// [`Log::open`].
pub fn witness(
    log: &Path,
    keys: &[Public],
    dir: &Path,
    key: &Secret,
    name: &str,
    time: u64,
) -> Result<(Head, PathBuf), Error> {
    if !is_origin(name) {
        return Err(Error::Refused(format!(
            "`{name}` cannot name a witness; allowed are 1 to 200 letters without spaces and `+`"
        )));
    }
    let mut log = Log::open(log, keys)?;
    let head = log.head.clone();
    let Some(note) = Note::parse(&log.note) else {
        return Err(Error::Failed(format!("the checkpoint of {} is none", head.origin)));
    };
    if note.signed_by(std::slice::from_ref(&key.public())).is_some() {
        return Err(Error::Refused(
            "this key signs the log itself: a witness has a key of their own (--keys)".to_owned(),
        ));
    }
    fs::create_dir_all(dir).map_err(error::io("create", dir))?;
    let _lock = locked(dir)?;
    let path = dir.join(HEADS);
    let mut heads = Heads::read(&path)?;
    for (size, root) in heads.of(&head.origin) {
        if size > head.size {
            return Err(Error::Failed(format!(
                "the log {} had {size} entries and has {}: entries were taken back; nothing was signed",
                head.origin, head.size
            )));
        }
        let proof = log.consistency(size, head.size)?;
        let shown = [Consistency::new(&head.origin, size, head.size, &proof)];
        let seen = Head { origin: head.origin.clone(), size, root };
        if one_log(&seen, &head, &shown) != Some(true) {
            return Err(Error::Failed(format!(
                "the log {} is another one than was seen at {size} entries; nothing was signed, keep both heads",
                head.origin
            )));
        }
    }
    let place = place(dir, &head.origin);
    if place.exists() {
        let before = text_within(&place, MOST)?;
        let mine = Note::parse(&before).and_then(|note| note.cosigned_by(&key.public())) == Some(true);
        if !mine {
            return Err(Error::Refused(format!(
                "{} is signed by another witness: nothing was overwritten; choose a folder of your own",
                place.display()
            )));
        }
    }
    // What was signed is known first: a witness that was killed signs no fork.
    heads.keep(&head, &path)?;
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).map_err(error::io("create", folder))?;
    }
    write_atomic(&place, cosigned(&note, &log.note, name, key, time).as_bytes())?;
    Ok((head, place))
}
