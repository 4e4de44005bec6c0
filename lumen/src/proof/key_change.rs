//! Writing into a log what it says of keys: with the key itself, or with what custodians signed elsewhere.

use std::path::Path;

use resonetics_runs::Error;

use super::append::Writer;
use super::dsse::{Envelope, IN_TOTO};
use super::key::{Public, Secret};
use super::key_event::{KeyEvent, Revoked};
use super::note::Head;

/// The one who signs the heads of a log.
pub struct Log<'a> {
    /// Its folder.
    pub dir: &'a Path,
    /// The key of its heads.
    pub key: &'a Secret,
    /// The key of its heads until now, if that was another one.
    pub formerly: Option<&'a Public>,
}

/// Says in a log that `new` takes the place of `old`, signed by `old`. If the log's heads were signed by `old`, they are by
/// `new` from this one on. Yields the index of the entry, and the head.
///
/// # Errors
/// [`Error::Refused`] if both are one, and those of [`Writer::open`].
pub fn rotate(log: &Log<'_>, old: &Secret, new: &Secret) -> Result<(u64, Head), Error> {
    let (was, is) = (old.public(), new.public());
    if was == is {
        return Err(Error::Refused("both folders hold the same key: name another one with --new".to_owned()));
    }
    let mut writer = Writer::open_after(log.dir, log.key, log.formerly, None)?;
    let envelope = Envelope::seal(IN_TOTO, &KeyEvent::rotated(&was.id(), &is).bytes(), old);
    let (index, _) = writer.append_once(envelope.as_bytes())?;
    if log.key.public() == was {
        writer.hand_over(new);
    }
    Ok((index, writer.commit()?))
}

/// Says in a log that the key `key` is not to be trusted any more, signed by itself. Yields the index of the entry, and the
/// head.
///
/// # Errors
/// [`Error::Refused`] if it signs the heads too, since nobody would believe this one, or `since` lies ahead; those of
/// [`Writer::open`].
pub fn revoke(log: &Log<'_>, key: &Secret, reason: &str, since: Option<u64>) -> Result<(u64, Head), Error> {
    let keyid = key.public().id();
    if log.key.public().id() == keyid {
        return Err(Error::Refused(
            "this key signs the heads of the log too, and nobody believes a head by a revoked key: give the key that signs them now (--log-keys; `resonetics lumen keys rotate` makes one, or let custodians name it)".to_owned(),
        ));
    }
    let event = KeyEvent::Revoked(Revoked { keyid, reason: reason.to_owned(), since });
    let envelope = Envelope::seal(IN_TOTO, &event.bytes(), key);
    say(log, &envelope, since)
}

/// Appends an envelope about keys to a log, of which `since` is an index that has to be there already.
///
/// # Errors
/// [`Error::Refused`] if `since` lies ahead; those of [`Writer::open`].
pub fn say(log: &Log<'_>, envelope: &str, since: Option<u64>) -> Result<(u64, Head), Error> {
    let mut writer = Writer::open_after(log.dir, log.key, log.formerly, None)?;
    let size = writer.size();
    if let Some(since) = since.filter(|since| *since > size) {
        return Err(Error::Refused(format!(
            "{} has {size} entries, and {since} lies ahead of them; say `now`, or the first entry that does not count",
            log.dir.display()
        )));
    }
    let (index, _) = writer.append_once(envelope.as_bytes())?;
    Ok((index, writer.commit()?))
}
