//! A bundle becomes an archive: whole, once, and in the index.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use resonetics_runs::files::{sha256, write_new};
use resonetics_runs::{Error, error};

use super::bundle::Packed;
use super::index::{Index, Line};
use super::manifest::{BUNDLE, MANIFEST, Manifest, SUMS};
use super::place::{Archive, Said, Staging, name};
use super::sealed::{BUNDLE_AGE, MANIFEST_AGE, Seal};
use super::verify::verify;

/// An archive that is there now.
pub(super) struct Made {
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) is_new: bool,
    pub(super) damaged: Option<PathBuf>,
}

/// Makes the archive of `run` of the bundle that lies in `staging`, unless there is a good one with the same id.
pub(super) fn commit(
    archive: &Archive,
    run: &str,
    staging: Staging,
    manifest: Manifest,
    packed: &Packed,
    seal: Option<&Seal>,
) -> Result<Made, Error> {
    let _held = archive.hold()?;
    let mut index = Index::read(archive)?;
    let mut damaged = None;
    for (dir, same) in same(archive, run, &manifest.id, seal)? {
        if verify(&dir)?.is_good() {
            // Of an encrypted one what is there says less.
            let manifest = Manifest { created_at: same.created_at, ..manifest };
            return Ok(Made { dir, manifest, is_new: false, damaged });
        }
        damaged = Some(dir);
    }
    let from = staging.dir.path();
    let mut sums = format!("{}  {}\n", packed.sha256, seal.map_or(BUNDLE, |_| BUNDLE_AGE));
    let outer = match seal {
        None => manifest.clone(),
        Some(seal) => {
            let path = from.join(MANIFEST_AGE);
            let bytes = seal.sealed(&manifest.encoded()?).map_err(error::io("write", &path))?;
            write_new(&path, &bytes)?;
            sums += &format!("{}  {MANIFEST_AGE}\n", sha256(&bytes));
            manifest.outer(seal.mark())
        }
    };
    let encoded = outer.encoded()?;
    let manifest_sha256 = sha256(&encoded);
    write_new(&from.join(MANIFEST), &encoded)?;
    sums += &format!("{manifest_sha256}  {MANIFEST}\n");
    write_new(&from.join(SUMS), sums.as_bytes())?;
    synced(from)?;
    let parent = archive.path(run);
    fs::create_dir_all(&parent).map_err(error::io("create", &parent))?;
    let name = name(&manifest);
    let dir = parent.join(&name);
    fs::rename(from, &dir).map_err(|failure| match failure.kind() {
        ErrorKind::DirectoryNotEmpty => error::io("create", &dir)(ErrorKind::AlreadyExists.into()),
        _ => error::io("create", &dir)(failure),
    })?;
    staging.moved();
    synced(&parent)?;
    let said = Said { manifest: outer, manifest_sha256, bytes: packed.bytes };
    index.add(archive, Line::kept(run, &format!("{run}/{name}"), &said))?;
    Ok(Made { dir, manifest, is_new: true, damaged })
}

/// The archives of `run` that call themselves `id` and that the same can read.
fn same(
    archive: &Archive,
    run: &str,
    id: &str,
    seal: Option<&Seal>,
) -> Result<Vec<(PathBuf, Manifest)>, Error> {
    let mark = seal.map_or_else(|| "none".to_owned(), Seal::mark);
    let found = archive.found_of(Some(run))?.into_iter();
    let readable = found.filter_map(|found| Some((archive.path(&found.dir), found.said.ok()?.manifest)));
    let is_same = |(dir, manifest): &(PathBuf, Manifest)| {
        manifest.id == id
            && manifest.encryption == mark
            && seal.is_none_or(|seal| seal.opens(&dir.join(MANIFEST_AGE)))
    };
    Ok(readable.filter(is_same).collect())
}

/// Waits until the names in a folder are on the disk.
pub(super) fn synced(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(error::io("write", folder))
}
