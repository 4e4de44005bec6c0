//! A log as a tree of static files that any web server can hand out: tiles, which never change, the checkpoint, and answers
//! for clients that ask for one entry (`v1/log/root`, `v1/log/entry/INDEX`).

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_runs::files::write_new;
use resonetics_runs::{Error, error, interrupt};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use super::consistency::{Consistency, one_log};
use super::log::{CHECKPOINT, Log, read_note};
use super::text::hex;
use super::tiles::{Tile, WIDTH};
use super::tree::leaf;
use super::verify::verify;

/// Writes the log in the folder `log` as the folder `to`, in place of an earlier publication of the same log, whole or not
/// at all. Yields its entries.
///
/// # Errors
/// [`Error::Refused`] if `to` is there and is none, [`Error::Failed`] if it is one of another log or of a longer one; those
/// of [`verify`]; any I/O error.
pub fn publish(log: &Path, to: &Path) -> Result<u64, Error> {
    let mut source = Log::open(log, &[])?;
    verify(&source, log, &[])?;
    let there = to.symlink_metadata().is_ok();
    apart(log, to)?;
    if there {
        follows(&mut source, to)?;
        nothing_else(to)?;
    }
    let name = to
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Error::Refused(format!("{} names no folder that could be made", to.display())))?;
    let staged = to.with_file_name(format!(".{name}.tmp"));
    if staged.exists() {
        // What a killed publication left.
        fs::remove_dir_all(&staged).map_err(error::io("remove", &staged))?;
    }
    let written = staged_tree(&mut source, log, &staged, there.then_some(to)).and_then(|()| {
        if !there {
            return fs::rename(&staged, to).map_err(error::io("rename", &staged));
        }
        // Both change places at once: a reader finds the one or the other.
        renameat_with(CWD, &staged, CWD, to, RenameFlags::EXCHANGE)
            .map_err(|errno| error::io("exchange", to)(errno.into()))
    });
    // The earlier one, or half of this one.
    if staged.exists() {
        let removed = fs::remove_dir_all(&staged).map_err(error::io("remove", &staged));
        return written.and(removed).map(|()| source.head.size);
    }
    written.map(|()| source.head.size)
}

/// Refuses a folder that is the log's, or one of which is in the other: publishing puts a folder in the place of another.
fn apart(log: &Path, to: &Path) -> Result<(), Error> {
    let real = |path: &Path| path.canonicalize().map_err(error::io("read", path));
    let log = real(log)?;
    let above = to.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real_to = match to.symlink_metadata() {
        Ok(there) if there.is_symlink() => {
            return Err(Error::Refused(format!(
                "{} is a link: nothing was overwritten; name the folder that it leads to",
                to.display()
            )));
        }
        Ok(_) => real(to)?,
        Err(_) if above.exists() => real(above)?.join(to.file_name().unwrap_or_default()),
        Err(_) => return Ok(()),
    };
    if real_to.starts_with(&log) || log.starts_with(&real_to) {
        return Err(Error::Refused(format!(
            "{} lies in the log, or the log in it: nothing was written; choose a folder apart from it",
            to.display()
        )));
    }
    Ok(())
}

/// Refuses a folder that holds more than what is published, which would be lost.
fn nothing_else(to: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(to).map_err(error::io("read", to))? {
        let entry = entry.map_err(error::io("read", to))?;
        if ![CHECKPOINT, "tile", "v1"].iter().any(|ours| entry.file_name() == *ours) {
            return Err(Error::Refused(format!(
                "{} is none of ours: nothing was overwritten; move it out of the published folder",
                entry.path().display()
            )));
        }
    }
    Ok(())
}

/// Refuses to publish what does not go on from what is there.
fn follows(source: &mut Log, to: &Path) -> Result<(), Error> {
    let before = match read_note(to) {
        Ok((note, _)) => note.head,
        Err(Error::Unknown(_)) => {
            return Err(Error::Refused(format!(
                "{} is there and is no published log: nothing was overwritten; choose another folder",
                to.display()
            )));
        }
        Err(error) => return Err(error),
    };
    let head = source.head.clone();
    let other = || {
        Error::Failed(format!(
            "{} is published of another log, or of one with more entries: nothing was overwritten",
            to.display()
        ))
    };
    if before.size > head.size || before.origin != head.origin {
        return Err(other());
    }
    let proof = source.consistency(before.size, head.size)?;
    let shown = [Consistency::new(&head.origin, before.size, head.size, &proof)];
    if one_log(&before, &head, &shown) == Some(true) { Ok(()) } else { Err(other()) }
}

fn staged_tree(source: &mut Log, log: &Path, staged: &Path, before: Option<&Path>) -> Result<(), Error> {
    let size = source.head.size;
    for number in 0..size.div_ceil(WIDTH) {
        let width = (size - number * WIDTH).min(WIDTH);
        put(staged, &Tile::Entries(number).path(width), &Tile::Entries(number).read(log, width)?)?;
    }
    let (mut level, mut hashes) = (0, size);
    while hashes > 0 {
        for number in 0..hashes.div_ceil(WIDTH) {
            interrupt::check()?;
            let width = (hashes - number * WIDTH).min(WIDTH);
            let tile = Tile::Hashes(level, number);
            put(staged, &tile.path(width), &tile.hashes(log, width)?.concat())?;
        }
        (level, hashes) = (level + 1, hashes / WIDTH);
    }
    if let Some(before) = before {
        for path in partials(&before.join("tile"))? {
            let Ok(inside) = path.strip_prefix(before) else { continue };
            let full = full_of(inside).is_some_and(|full| staged.join(full).exists());
            if !full && !staged.join(inside).exists() {
                put(staged, inside, &fs::read(&path).map_err(error::io("read", &path))?)?;
            }
        }
    }
    let root = hex(&source.head.root);
    let text = json!({ "size": size, "rootHash": root }).to_string() + "\n";
    put(staged, Path::new("v1/log/root"), text.as_bytes())?;
    let mut leaves = Vec::new();
    source.each(&mut |_, entry| {
        leaves.push(leaf(entry));
        Ok(())
    })?;
    for (index, leaf) in (0_u64..).zip(leaves) {
        interrupt::check()?;
        let proof: Vec<String> = source.inclusion(index)?.iter().map(|hash| hex(hash)).collect();
        let entry = json!({ "index": index, "leafHash": hex(&leaf), "rootHash": root, "proof": proof });
        let place = PathBuf::from(format!("v1/log/entry/{index}"));
        put(staged, &place, (entry.to_string() + "\n").as_bytes())?;
    }
    put(staged, Path::new(CHECKPOINT), source.note.as_bytes())
}

fn put(staged: &Path, place: &Path, bytes: &[u8]) -> Result<(), Error> {
    let path = staged.join(place);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(error::io("create", folder))?;
    }
    write_new(&path, bytes)
}

/// The partial tiles below a folder: a client with an older checkpoint may ask for them until there is a full one.
fn partials(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(error::io("read", &folder))? {
            let path = entry.map_err(error::io("read", &folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if full_of(&path).is_some() {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The full tile that a partial one becomes: `tile/0/000.p/2` is `tile/0/000`.
fn full_of(partial: &Path) -> Option<PathBuf> {
    let folder = partial.parent()?;
    let name = folder.file_name()?.to_str()?.strip_suffix(".p")?;
    Some(folder.with_file_name(name))
}
