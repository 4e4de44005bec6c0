//! Packing a run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use resonetics_runs::files::check_new;
use resonetics_runs::run_dir::ended;
use resonetics_runs::{Error, error};
use tempfile::{TempDir, TempPath};

use super::resume::{Inside, Resume, is_plain};
use super::{ARCHIVE, CONTEXT, RESUME, SUMS, alerts};
use crate::archive::bundle::{NotAdded, Packer};
use crate::archive::{self, BUNDLE, Frozen, MANIFEST, Options, Preset, freeze, restore};
use crate::context::cache::known;
use crate::context::sources::Source;
use crate::context::{Context, Of};

/// The most letters of a note.
const NOTE: usize = 1000;

/// What is asked of a pack.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The file to write, which must not be there.
    pub to: &'a Path,
    /// The folder of archives into which the run is frozen, and from which that archive is packed; none without.
    pub archive: Option<&'a Path>,
    /// What its maker adds.
    pub note: Option<&'a str>,
    /// The address of an Alertmanager to ask.
    pub alertmanager: Option<&'a str>,
    /// Whether what is known may be kept in the run's folder, and taken from there.
    pub keep: bool,
}

/// What was packed.
#[derive(Debug)]
pub struct Packed {
    /// What to do.
    pub resume: Resume,
    /// What is known.
    pub context: Context,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Packs the run in `run` as it is `now`, in seconds since 1970. One at work is frozen first, if only for the moment: the
/// pack is of its last checkpoint.
///
/// # Errors
/// [`Error::Unknown`] if there is no such run; [`Error::Refused`] for one that cannot be gone on with, for a file that is
/// there, for a note that is none, and as [`freeze`]; any I/O error.
pub fn pack(run: &Path, asked: &Asked<'_>, now: f64) -> Result<Packed, Error> {
    asked.note.map_or(Ok(()), check_note)?;
    let (folder, name) = named(run)?;
    check_new(asked.to)?;
    let state = state(run)?;
    let scratch = tempfile::tempdir().map_err(error::io("create a folder in", &std::env::temp_dir()))?;
    let frozen = frozen(&folder, asked, &state, &scratch, now)?;
    // Of a run at work all that is said is of the moment at which it was frozen.
    let at = match &frozen {
        Some(frozen) if state == "running" => {
            let at = scratch.path().join("at").join(&name);
            restore(&frozen.dir, &at)?;
            at
        }
        _ => folder,
    };
    let mut resume = Resume::of(&at, &name, &state)?;
    if let Some(frozen) = frozen.as_ref().filter(|_| asked.archive.is_some()) {
        let dir = frozen.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        resume.archive = Some(Inside { dir, id: frozen.manifest.id.clone() });
        resume.agrees(&frozen.manifest).map_err(|why| {
            Error::Failed(format!("{} changed while it was packed ({why}); pack it again", run.display()))
        })?;
    }
    // It is at work, so that nobody says of it that it was killed.
    let held = (state == "running").then(|| File::options().append(true).open(at.join("config.toml")));
    let held = held.and_then(Result::ok).filter(|config| config.lock().is_ok());
    let context = context(&Of { folder: &at, name: &name, state: &state, archives: None }, asked)?;
    drop(held);
    let archive = frozen.filter(|_| asked.archive.is_some()).map(|frozen| frozen.dir);
    let bytes = written(asked.to, &resume, &context, archive.as_deref())?;
    Ok(Packed { resume, context, bytes })
}

/// How the run in the folder `run` stands now, and that folder as a whole path.
///
/// # Errors
/// As [`pack`].
pub fn stands(run: &Path) -> Result<(Resume, PathBuf), Error> {
    let (folder, name) = named(run)?;
    let state = state(run)?;
    Ok((Resume::of(&folder, &name, &state)?, folder))
}

fn state(run: &Path) -> Result<String, Error> {
    ended(run).ok_or_else(|| {
        Error::Refused(format!("{}/run.json does not say how the run is; put it back", run.display()))
    })
}

/// The run's folder as a whole path, and its name.
fn named(run: &Path) -> Result<(PathBuf, String), Error> {
    let shown = run.display();
    if run.symlink_metadata().is_err() {
        return Err(Error::Unknown(format!("there is no run {shown}; give the folder of one")));
    }
    let folder = fs::canonicalize(run).map_err(error::io("read", run))?;
    if !folder.join("run.json").exists() {
        return Err(Error::Refused(format!(
            "{shown} is no run: it holds no run.json; give the folder of one"
        )));
    }
    let name = folder.file_name().and_then(|name| name.to_str()).filter(|name| is_plain(name));
    let name = name
        .ok_or_else(|| Error::Refused(format!("{shown} cannot be packed under its name; rename the folder")))?
        .to_owned();
    Ok((folder, name))
}

fn check_note(note: &str) -> Result<(), Error> {
    if note.chars().count() <= NOTE && !note.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::Refused(format!("--note: allowed are up to {NOTE} letters without control characters")))
}

/// An archive of the run, if one is asked for or it is at work.
fn frozen(
    folder: &Path,
    asked: &Asked<'_>,
    state: &str,
    scratch: &TempDir,
    now: f64,
) -> Result<Option<Frozen>, Error> {
    let for_now = scratch.path().join("archive");
    let to = match asked.archive {
        Some(to) => to,
        None if state == "running" => &for_now,
        None => return Ok(None),
    };
    freeze(folder, &Options { to, label: None, preset: Preset::Run, seal: None }, now).map(Some)
}

/// What is known, with what was asked for besides.
fn context(of: &Of<'_>, asked: &Asked<'_>) -> Result<Context, Error> {
    let mut context = known(of, asked.keep)?.context;
    // Whole hashes: who has the files elsewhere knows no times of here.
    let Some(paths) = crate::context::sources::paths(of.folder)? else {
        return Err(Error::Refused(format!(
            "{} holds links or too many files to be packed; put files in the place of links",
            of.name
        )));
    };
    let whole = |path: &String| Source::whole(&of.folder.join(path), path);
    context.sources = paths.iter().map(whole).collect::<Result<_, _>>()?;
    context.note = asked.note.map(str::to_owned);
    context.alerts = asked.alertmanager.map(|url| alerts::firing(url, of.name)).transpose()?;
    Ok(context)
}

/// Writes the pack, whole or not at all; yields its bytes.
fn written(to: &Path, resume: &Resume, context: &Context, archive: Option<&Path>) -> Result<u64, Error> {
    let parent = to.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let staging = tempfile::Builder::new().prefix(".tmp").tempdir_in(parent);
    let staging = staging.map_err(error::io("write in", parent))?;
    let path = staging.path().join("pack");
    let mut packer = Packer::create(&path, None)?;
    let mut sums = String::new();
    let mut add = |name: &str, size: u64, from: &mut dyn std::io::Read| {
        let sum = packer.add(name, size, &mut { from }).map_err(|failure| match failure {
            NotAdded::Short => {
                Error::Failed(format!("{name} changed while it was packed; pack the run again"))
            }
            NotAdded::Unread(failure) => error::io("read", Path::new(name))(failure),
            NotAdded::Other(failure) => failure,
        })?;
        sums += &format!("{sum}  {name}\n");
        Ok::<(), Error>(())
    };
    for (name, bytes) in [(RESUME, resume.encoded()?), (CONTEXT, context.encoded()?)] {
        add(name, bytes.len() as u64, &mut &bytes[..])?;
    }
    for name in archive.iter().flat_map(|_| [MANIFEST, archive::SUMS, BUNDLE]) {
        let place = archive.unwrap_or(Path::new("")).join(name);
        let mut file = File::open(&place).map_err(error::io("read", &place))?;
        let size = file.metadata().map_err(error::io("read", &place))?.len();
        add(&format!("{ARCHIVE}{name}"), size, &mut file)?;
    }
    let bytes = sums.clone().into_bytes();
    packer
        .add(SUMS, bytes.len() as u64, &mut &bytes[..])
        .map_err(|_| Error::Failed(format!("cannot write {}; please report this", to.display())))?;
    let packed = packer.finish()?;
    let staged = TempPath::try_from_path(path).map_err(error::io("write", to))?;
    staged.persist_noclobber(to).map_err(|failure| error::io("create", to)(failure.error))?;
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(error::io("write", parent))?;
    Ok(packed.bytes)
}
