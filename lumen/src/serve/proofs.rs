//! What is known of a transparency log, for Prometheus: whether it is whole, how large, and whether entries drawn at random
//! are in the head that was seen.
//!
//! The whole log is read when its head is another one, and else once an hour; entries are drawn each time. What it was seen
//! to be is remembered while this watches: a log that is cut or replaced meanwhile is not whole.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use resonetics_runs::Error;
use resonetics_runs::run_dir::seconds;

use super::samples::Samples;
use crate::proof::custody::{Times, times};
use crate::proof::dsse::Envelope;
use crate::proof::heads::{Heads, Held, held};
use crate::proof::key::Public;
use crate::proof::key_log::{Entries, is_about_keys};
use crate::proof::log::Log;
use crate::proof::note::{Head, Note};
use crate::proof::root::Signed;
use crate::proof::statement::{REPRODUCED, Statement};
use crate::proof::text::hex;
use crate::proof::tree::{includes, leaf};
use crate::proof::trust::{Judged, Trust};
use crate::proof::verify::verify;

/// Entries that are drawn each time.
const DRAWN: u64 = 8;
/// Seconds after which a log is read whole again though its head is the same.
const AGAIN_S: f64 = 3_600.0;
/// Windows of `tlog_inclusion_ok`, in seconds.
const WINDOWS: [(&str, f64); 2] = [("1h", 3_600.0), ("1d", 86_400.0)];

/// A log that is watched.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Its folder.
    pub dir: PathBuf,
    /// The keys that its head may be signed with.
    pub keys: Vec<Public>,
    /// Heads that were seen of it earlier. Read, and not added to.
    pub heads: Option<PathBuf>,
    /// Root metadata, whose custodians' records are in the log.
    pub root: Option<Signed>,
}

/// What was found of it last.
#[derive(Clone, Debug, Default)]
pub(super) struct Proofs {
    /// When, in seconds since 1970.
    at: f64,
    /// Whether entries, tiles, head, signature and the heads that were seen agree.
    whole: bool,
    /// Entries, and bytes on the disk.
    size: u64,
    bytes: u64,
    /// The first digits of its root.
    root: String,
    /// Entries that say that a run was repeated.
    reproduced: u64,
    /// Entries that were drawn: when, and whether they were there.
    drawn: VecDeque<(f64, bool)>,
    /// When it was last read whole, and at which head.
    read: Option<(f64, Head)>,
    /// What custodians did.
    custody: Times,
    /// What it was seen to be.
    seen: Option<Head>,
}

impl Proofs {
    /// Looks at the log. What is wrong with it is found, and comes back as a remark for the terminal.
    ///
    /// # Errors
    /// [`Error::Unknown`] where there is no log or the key is another one; [`Error::Interrupted`].
    pub(super) fn look(&mut self, settings: &LogSettings) -> Result<Option<String>, Error> {
        let now = seconds();
        let (log, wrong) = match Log::open(&settings.dir, &settings.keys) {
            Ok(log) => (Some(log), None),
            Err(Error::Failed(why)) => (None, Some(why)),
            // It was there, and its own: now it is gone, or another one's.
            Err(Error::Unknown(why)) if self.read.is_some() => (None, Some(why)),
            Err(error) => return Err(error),
        };
        self.at = now;
        let Some(mut log) = log else {
            self.whole = false;
            return Ok(wrong);
        };
        let due = self.read.as_ref().is_none_or(|(at, head)| now - at >= AGAIN_S || *head != log.head);
        let mut wrong = None;
        if due || !self.whole {
            wrong = match self.read_whole(&log, settings) {
                Ok(()) => None,
                Err(Error::Failed(why)) => Some(why),
                Err(error) => return Err(error),
            };
            self.whole = wrong.is_none();
            self.read = Some((now, log.head.clone()));
        }
        self.draw(&mut log, now)?;
        (self.size, self.root) = (log.head.size, hex(&log.head.root)[..12].to_owned());
        self.bytes = bytes(&settings.dir);
        Ok(wrong)
    }

    fn read_whole(&mut self, log: &Log, settings: &LogSettings) -> Result<(), Error> {
        let mut seen: Vec<_> = match &settings.heads {
            Some(path) => Heads::read(path)?.of(&log.head.origin),
            None => Vec::new(),
        };
        seen.extend(self.seen.iter().map(|head| (head.size, head.root)));
        seen.sort_unstable();
        seen.dedup();
        let shown = settings.dir.display();
        if self.seen.as_ref().is_some_and(|head| head.origin != log.head.origin) {
            return Err(Error::Failed(format!("{shown} is another log than it was: its origin changed")));
        }
        let sizes: Vec<u64> =
            seen.iter().map(|(size, _)| *size).filter(|size| *size <= log.head.size).collect();
        let roots = verify(log, &settings.dir, &sizes)?;
        match held(&seen, log.head.size, &roots) {
            Held::Good => {}
            Held::RolledBack { was } => {
                return Err(Error::Failed(format!("{shown} had {was} entries and has {}", log.head.size)));
            }
            Held::Forked { at } => {
                return Err(Error::Failed(format!(
                    "{shown}: its first {at} entries are others than they were"
                )));
            }
        }
        // One head is enough: what was seen at a smaller size is in it.
        self.seen = Some(log.head.clone());
        let (mut reproduced, mut keys) = (0, Entries::new());
        log.each(&mut |index, bytes| {
            let Ok(envelope) = Envelope::open(bytes) else { return Ok(()) };
            let said = Statement::parse(&envelope.body);
            reproduced += u64::from(said.is_ok_and(|said| said.build_type() == REPRODUCED));
            keys.extend(is_about_keys(&envelope).then_some((index, envelope)));
            Ok(())
        })?;
        self.reproduced = reproduced;
        let Some(root) = &settings.root else { return Ok(()) };
        self.custody = times(root, log)?;
        believed(log, settings, root, &keys)
    }

    /// Draws entries and asks for the proof that they are in the log.
    fn draw(&mut self, log: &mut Log, now: f64) -> Result<(), Error> {
        for _ in 0..DRAWN.min(log.head.size) {
            let mut random = [0; 8];
            if getrandom::fill(&mut random).is_err() {
                return Ok(());
            }
            let index = u64::from_le_bytes(random) % log.head.size;
            let there = match (log.entry(index), log.inclusion(index)) {
                (Ok(entry), Ok(path)) => includes(&log.head.root, log.head.size, index, &leaf(&entry), &path),
                (Err(error @ Error::Interrupted(_)), _) | (_, Err(error @ Error::Interrupted(_))) => {
                    return Err(error);
                }
                _ => false,
            };
            self.drawn.push_back((now, there));
        }
        let longest = WINDOWS[WINDOWS.len() - 1].1;
        while self.drawn.front().is_some_and(|(at, _)| now - at > longest) {
            self.drawn.pop_front();
        }
        Ok(())
    }

    /// When it was looked at, in seconds since 1970.
    pub(super) fn at(&self) -> f64 {
        self.at
    }

    /// Its samples.
    pub(super) fn samples(&self, now: f64, samples: &mut Samples) {
        samples.add("lumen_proof_chain_ok", &[], Some(f64::from(u8::from(self.whole))));
        if self.root.is_empty() {
            return;
        }
        samples.add("lumen_proof_chain_height", &[], Some(self.size as f64));
        samples.add("lumen_proof_chain_bytes", &[], Some(self.bytes as f64));
        samples.add("lumen_proof_chain_head_info", &[&self.root], Some(1.0));
        samples.add("tlog_entries_total", &[], Some(self.size as f64));
        samples.add("lumen_reproduced_total", &["same"], Some(self.reproduced as f64));
        samples.add("lumen_key_expiry_timestamp", &["root"], self.custody.expires);
        samples.add("custody_ceremony_timestamp", &[], self.custody.ceremony);
        samples.add("custody_audit_timestamp", &[], self.custody.audit);
        for (name, window) in WINDOWS {
            let mut within = self.drawn.iter().filter(|(at, _)| now - at <= window).peekable();
            let all = within.peek().is_some().then(|| within.all(|(_, there)| *there));
            samples.add("tlog_inclusion_ok", &[name], all.map(|all| f64::from(u8::from(all))));
        }
    }
}

/// Whether the key of the head is still trusted, by what the log says of keys.
fn believed(log: &Log, settings: &LogSettings, root: &Signed, keys: &Entries) -> Result<(), Error> {
    let trust = Trust::of(&[], Some(root), None, keys);
    match Note::parse(&log.note).map(|note| trust.of_head(&note)) {
        Some(Judged::Good { .. }) => Ok(()),
        _ => Err(Error::Failed(format!(
            "the key that signs the heads of {} is not, or no longer, one that the root trusts",
            settings.dir.display()
        ))),
    }
}

/// Bytes of the files below a folder; what cannot be read counts for none.
fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}
