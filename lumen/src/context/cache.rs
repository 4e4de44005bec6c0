//! The context of a run, kept in its folder.

use std::fs;
use std::path::Path;

use rayon::prelude::*;
use resonetics_runs::files::{self, TEXT, write_atomic};
use resonetics_runs::{Error, error};

use super::file::{FILE, is_ours};
use super::sources::{Source, paths};
use super::{Context, Of, tool};
use crate::archive::{Archive, MANIFEST};
use crate::event;
use crate::told::Told;

/// What stands before the paths of archives' manifests among sources.
const ARCHIVE: &str = "archive:";
/// What config.toml says of a run with a trained agent, whose folder lies elsewhere and is none of its sources.
const TRAINED: &str = "prophet:";

/// A context, and whence it came.
#[derive(Debug)]
pub struct Got {
    /// What is known.
    pub context: Context,
    /// Whether it was kept from before.
    pub is_kept: bool,
    /// What kept it from being kept now.
    pub unkept: Option<String>,
}

/// What is known of a run: what was kept, if all that it follows from is the same, else summed up now and, if `keep`,
/// kept. Nothing is kept of a run at work, whose files are others a moment later.
///
/// # Errors
/// Any I/O error of reading, [`Error::Interrupted`].
pub fn known(of: &Of<'_>, keep: bool) -> Result<Got, Error> {
    let got = |context, is_kept, unkept| Ok(Got { context, is_kept, unkept });
    let sources = if of.state == "running" { None } else { sources(of)? };
    let Some(sources) = sources.filter(|_| keep) else {
        return got(of.rebuilt(Vec::new())?, false, None);
    };
    let path = of.folder.join(FILE);
    if let Some(context) = kept(&path)
        && context.tool == tool()
        && context.name == of.name
        && context.state == of.state
        && context.sources == sources
    {
        return got(context, true, None);
    }
    let context = of.rebuilt(sources)?;
    // What changed while it was read was perhaps summed up in part.
    if self::sources(of)?.as_ref() != Some(&context.sources) {
        return got(context, false, Some("its files changed meanwhile".to_owned()));
    }
    if path.symlink_metadata().is_ok() && !is_ours(&path) {
        let why = format!("{} is somebody else's file: it is left alone", path.display());
        return got(context, false, Some(why));
    }
    // A folder that cannot be written keeps nothing, and that is no reason to know nothing.
    let unkept = write_atomic(&path, &context.encoded()?).err().map(|failure| failure.to_string());
    got(context, false, unkept)
}

/// What the kept context of the run in `folder` says of its log, if that is the same.
pub fn told(folder: &Path) -> Option<Told> {
    let path = folder.join(event::FILE);
    let context = kept(&folder.join(FILE)).filter(|context| context.tool == tool())?;
    let then = context.sources.iter().find(|source| source.path == event::FILE)?;
    let same = fs::symlink_metadata(&path).is_ok_and(|now| now.is_file() && now.len() == then.size);
    let now = same.then(|| Source::of(&path, event::FILE).ok()).flatten()?;
    (now == *then).then_some(context.known.told)
}

fn kept(path: &Path) -> Option<Context> {
    let bytes = is_ours(path).then(|| files::read(path, TEXT).ok()).flatten()?;
    Context::parse(&bytes).ok()
}

/// All that the context of a run follows from; `None` where that cannot be told.
fn sources(of: &Of<'_>) -> Result<Option<Vec<Source>>, Error> {
    let config = of.folder.join("config.toml");
    let settings = if config.exists() { files::read(&config, TEXT)? } else { Vec::new() };
    if String::from_utf8_lossy(&settings).contains(TRAINED) {
        return Ok(None);
    }
    let Some(paths) = paths(of.folder)? else { return Ok(None) };
    // Side by side: to hash is all that it costs to find that nothing has changed.
    let of_path = |path: &String| Source::of(&of.folder.join(path), path);
    let mut all = paths.par_iter().map(of_path).collect::<Result<Vec<Source>, Error>>()?;
    if let Some(archive) = of.archives {
        all.extend(manifests(archive, of.name)?);
    }
    all.sort();
    Ok(Some(all))
}

/// The manifests of the archives of run `name`.
fn manifests(archive: &Archive, name: &str) -> Result<Vec<Source>, Error> {
    let folder = archive.path(name);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).map_err(error::io("read", &folder))? {
        let entry = entry.map_err(error::io("read", &folder))?;
        let path = entry.path().join(MANIFEST);
        let called = format!("{ARCHIVE}{name}/{}/{MANIFEST}", entry.file_name().to_string_lossy());
        if path.is_file() {
            all.push(Source::of(&path, &called)?);
        }
    }
    Ok(all)
}
