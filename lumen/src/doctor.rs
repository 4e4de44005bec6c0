//! Whether all that Lumen needs is as it should be: schemas, store, log, keys, archives, clock, disk, a server. It changes
//! nothing, not even by opening: what would leave a file behind is read by its bytes.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use resonetics_runs::{Error, error, interrupt};

use crate::archive::Archive;
use crate::archive::index::{Index, differences};
use crate::proof::heads::{Heads, Held, held};
use crate::proof::key::{SECRET, private};
use crate::proof::log::{CHECKPOINT, Log};
use crate::proof::verify::verify;
use crate::status::of_server;
use crate::store::{APPLICATION, VERSION};
use crate::validate::{Kind, validator};

/// Bytes that there should be on the disk: a run of some length, or the store of a few.
const ROOM: u64 = 1 << 30;
/// How far the clocks of machines that share files may be apart, in seconds.
const CLOCKS_S: f64 = 60.0;
/// How deep files are looked at for their times.
const DEPTH: usize = 2;

/// Where things lie.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder that what follows is in.
    pub dir: PathBuf,
    /// The store.
    pub store: PathBuf,
    /// The log of proofs.
    pub log: PathBuf,
    /// The heads of it that were seen.
    pub heads: PathBuf,
    /// The folder of the key that signs.
    pub keys: PathBuf,
    /// The folder of archives.
    pub archive: PathBuf,
    /// Servers to ask.
    pub servers: Vec<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Not there, and need not be.
    Absent,
}

impl State {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Bad => "BAD",
            State::Absent => "-",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what.
    pub what: &'static str,
    /// How it is.
    pub state: State,
    /// In words, with what to do where it is bad.
    pub told: String,
}

/// Looks at everything as it is `now`, in seconds since 1970.
///
/// # Errors
/// [`Error::Interrupted`]. What is wrong is no error but a [`Finding`].
pub fn examine(places: &Places, now: f64) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for (what, look) in [
        ("schemas", &schemas as &dyn Fn() -> Looked),
        ("store", &|| store(&places.store)),
        ("log", &|| log(&places.log, &places.heads)),
        ("keys", &|| keys(&places.keys)),
        ("archive", &|| archive(&places.archive)),
        ("clock", &|| clock(&places.dir, now)),
        ("disk", &|| disk(&places.dir)),
    ] {
        interrupt::check()?;
        found.push(finding(what, look())?);
    }
    for url in &places.servers {
        let status = of_server(url);
        let (state, told) = match status.wrong.first() {
            None => (State::Good, format!("{url} answers")),
            Some(why) => (State::Bad, format!("{url}: {why}; start it, or check the address")),
        };
        found.push(Finding { what: "server", state, told });
    }
    Ok(found)
}

/// What is good, what is not there, or what is wrong.
type Looked = Result<(State, String), Error>;

fn finding(what: &'static str, looked: Looked) -> Result<Finding, Error> {
    match looked {
        Ok((state, told)) => Ok(Finding { what, state, told }),
        Err(stopped @ Error::Interrupted(_)) => Err(stopped),
        Err(problem) => Ok(Finding { what, state: State::Bad, told: problem.to_string() }),
    }
}

fn good(told: String) -> (State, String) {
    (State::Good, told)
}

fn absent(path: &Path) -> (State, String) {
    (State::Absent, format!("there is no {}", path.display()))
}

fn bad<T>(told: String) -> Result<T, Error> {
    Err(Error::Failed(told))
}

fn schemas() -> Looked {
    let kinds = [Kind::EventV1, Kind::EventV2, Kind::Metrics, Kind::Resonance, Kind::Runs];
    for kind in kinds {
        validator(kind.schema().unwrap_or_default())?;
    }
    Ok(good(format!("{} are what schemas may be", kinds.len())))
}

/// By the header of its file: whoever opens a store makes files beside it.
fn store(path: &Path) -> Looked {
    if !path.exists() {
        return Ok(absent(path));
    }
    let shown = path.display();
    let file = resonetics_runs::files::open(path)?;
    let bytes = file.metadata().map_err(error::io("read", path))?.len();
    let mut header = Vec::new();
    file.take(100).read_to_end(&mut header).map_err(error::io("read", path))?;
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    if header.is_empty() && Path::new(&name).exists() {
        return Ok(good(format!("{shown} is new: all of it is in the file beside it")));
    }
    let number = |at: usize| {
        header.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
    };
    if !header.starts_with(b"SQLite format 3\0") || i64::from(number(68)) != APPLICATION {
        return bad(format!(
            "{shown} is no store; put a copy back, or remove it and run `resonetics lumen ingest`"
        ));
    }
    if i64::from(number(60)) != VERSION {
        return bad(format!(
            "{shown} has version {} of the schema, and this program reads {VERSION}; use the program that made it, or remove it and run `resonetics lumen ingest`",
            number(60)
        ));
    }
    // A page of 65,536 bytes is written as 1.
    let page = match u64::from(number(16) >> 16) {
        1 => 65_536,
        page => page,
    };
    let pages = u64::from(number(28));
    if pages * page > bytes {
        return bad(format!(
            "{shown} has {bytes} bytes, and says {}: it was cut; put a copy back, or remove it and run `resonetics lumen ingest`",
            pages * page
        ));
    }
    Ok(good(format!(
        "{shown}: version {VERSION}, {bytes} bytes; `resonetics lumen ingest --check` compares what is in it"
    )))
}

fn log(dir: &Path, heads: &Path) -> Looked {
    if !dir.join(CHECKPOINT).exists() {
        return Ok(absent(&dir.join(CHECKPOINT)));
    }
    let log = Log::open(dir, &[])?;
    let (size, shown) = (log.head.size, dir.display());
    let seen = Heads::read(heads)?.of(&log.head.origin);
    let sizes: Vec<u64> = seen.iter().map(|(size, _)| *size).filter(|seen| *seen <= size).collect();
    let roots = verify(&log, dir, &sizes)?;
    match held(&seen, size, &roots) {
        Held::Good => Ok(good(format!("{shown}: {size} entries, {} heads of it were seen", seen.len()))),
        Held::RolledBack { was } => bad(format!(
            "{shown} had {was} entries and has {size}: entries were taken back; keep this copy, and ask who runs the log"
        )),
        Held::Forked { at } => bad(format!(
            "{shown} is another log than the one that was seen: its first {at} entries are others; keep both heads, they prove it"
        )),
    }
}

fn keys(dir: &Path) -> Looked {
    let secret = dir.join(SECRET);
    if !secret.exists() {
        return Ok(absent(&secret));
    }
    private(dir, 0o700)?;
    private(&secret, 0o600)?;
    Ok(good(format!("{} is its owner's alone", dir.display())))
}

fn archive(dir: &Path) -> Looked {
    if !dir.is_dir() {
        return Ok(absent(dir));
    }
    let archive = Archive::at(dir);
    let found = archive.found()?;
    let told = differences(&Index::read(&archive)?, &found);
    match told.first() {
        None => Ok(good(format!("{}: {} archives, as the index says", dir.display(), found.len()))),
        Some(first) => bad(format!(
            "the index of {} differs in {} places, the first: {first}; look into them, then use `resonetics lumen archive --reindex`",
            dir.display(),
            told.len()
        )),
    }
}

/// A clock that is behind what was written makes runs look stalled, and times lie.
fn clock(dir: &Path, now: f64) -> Looked {
    let mut newest = (0.0, dir.to_path_buf());
    newer(dir, DEPTH, &mut newest)?;
    let (written, path) = newest;
    if written > now + CLOCKS_S {
        return bad(format!(
            "{} was written {:.0} s after the present time of this clock; set the clock, or that of the machine that wrote it",
            path.display(),
            written - now
        ));
    }
    Ok(good("no file is of a time to come".to_owned()))
}

fn newer(dir: &Path, depth: usize, newest: &mut (f64, PathBuf)) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(error::io("read", dir))? {
        interrupt::check()?;
        let entry = entry.map_err(error::io("read", dir))?;
        // What goes in the meantime was not written in the future.
        let Ok(metadata) = entry.metadata() else { continue };
        let written = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let written = written.map_or(0.0, |since| since.as_secs_f64());
        if written > newest.0 {
            *newest = (written, entry.path());
        }
        if metadata.is_dir() && depth > 0 {
            newer(&entry.path(), depth - 1, newest)?;
        }
    }
    Ok(())
}

fn disk(dir: &Path) -> Looked {
    let failed = || error::io("read", dir);
    let folder = File::open(dir).map_err(failed())?;
    let room = rustix::fs::fstatvfs(&folder).map_err(|error| failed()(error.into()))?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let told = format!("{:.1} GiB are free", free as f64 / f64::from(1 << 30));
    if free < ROOM {
        return bad(format!(
            "{told} where {} lies; free some: `resonetics lumen retain` says which archives are too many",
            dir.display()
        ));
    }
    Ok(good(told))
}
