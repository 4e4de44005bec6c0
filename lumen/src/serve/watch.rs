//! The thread that keeps store, ledger and targets up to date, and leaves what it found for those who ask.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use resonetics_runs::error::Error;
use resonetics_runs::interrupt;
use resonetics_runs::run_dir::seconds;

use super::kept::Kept;
use super::known::{Known, Settings, Shared};
use super::live;
use super::names::MOST_RUNS;
use super::readers::{Id, id};
use super::targets;
use crate::ledger;
use crate::resonance::observer::observed;
use crate::source::run_name;
use crate::store::Store;

/// The time between two looks at the signals.
const ATTENTION: Duration = Duration::from_millis(50);

/// What is in the way where what is known of proofs and copies is not to be read.
const UNLOOKED: &str = "proofs: log, certificates or records of copies cannot be read";

/// What the thread has.
pub(super) struct Watch {
    settings: Settings,
    store: Option<(Id, Store)>,
    known: Known,
    shared: Arc<Shared>,
    /// Remarks for the terminal; each once.
    notes: Sender<String>,
    told: HashSet<String>,
    scanned: Option<Instant>,
    /// Whether that failed.
    unscanned: bool,
    observed: Option<Instant>,
    /// Whether the log of proofs could not be looked at.
    unlooked: bool,
}

impl Watch {
    /// With a store that is open.
    pub(super) fn new(settings: Settings, store: Store, shared: Arc<Shared>, notes: Sender<String>) -> Watch {
        let store = id(&settings.store).map(|id| (id, store));
        let known = Known::default();
        let told = HashSet::new();
        Watch {
            settings,
            store,
            known,
            shared,
            notes,
            told,
            scanned: None,
            unscanned: false,
            observed: None,
            unlooked: false,
        }
    }

    /// Looks again and again, until one of the signals arrives.
    pub(super) fn run(mut self) {
        loop {
            let begun = Instant::now();
            if self.once().is_err() {
                return;
            }
            while begun.elapsed() < self.settings.every.ingest {
                if interrupt::check().is_err() {
                    return;
                }
                std::thread::sleep(ATTENTION.min(self.settings.every.ingest));
            }
        }
    }

    /// Looks at all that is due.
    ///
    /// # Errors
    /// [`Error::Interrupted`] alone: what else goes wrong is told, shown, and tried again.
    pub(super) fn once(&mut self) -> Result<(), Error> {
        self.known.reasons.clear();
        let mut paths: Vec<PathBuf> = self.settings.runs.clone();
        paths.retain(|path| path.exists());
        if paths.len() < self.settings.runs.len() {
            self.known.reasons.push("runs: a folder is not there");
        }
        let due = |last: Option<Instant>, every: Duration| last.is_none_or(|last| last.elapsed() >= every);
        if due(self.scanned, self.settings.every.scan) {
            let done = self.scan(&paths);
            self.unscanned = done.is_err();
            self.met("ledger: it cannot be read or written", done)?;
            self.scanned = Some(Instant::now());
        } else if self.unscanned {
            self.known.reasons.push("ledger: it cannot be read or written");
        }
        if due(self.observed, self.settings.every.observe) {
            self.observe();
            self.look_at_proofs()?;
            self.observed = Some(Instant::now());
        } else if self.unlooked {
            self.known.reasons.push(UNLOOKED);
        }
        live::refresh(&mut self.known.live, MOST_RUNS);
        if let Some(path) = &self.settings.targets {
            let done = targets::write(path, &self.known.live).map(|_| ());
            self.met("targets: they cannot be written", done)?;
        }
        // What is known now, before a long log is read.
        let reasons = self.known.reasons.clone();
        self.known.reasons.extend(self.known.ingested.is_none().then_some("store: logs are not read yet"));
        self.shared.set(self.known.clone());
        self.known.reasons = reasons;
        let done = self.ingest(&paths);
        self.met("store: it cannot be read or written", done)?;
        self.shared.set(self.known.clone());
        Ok(())
    }

    /// Notes what went wrong.
    fn met(&mut self, reason: &'static str, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Ok(()) => Ok(()),
            Err(Error::Interrupted(signal)) => Err(Error::Interrupted(signal)),
            Err(error) => {
                self.known.reasons.push(reason);
                self.tell(error.to_string());
                Ok(())
            }
        }
    }

    fn tell(&mut self, note: String) {
        // What comes back each second is told once; what is told has a bound.
        if self.told.len() < 1000 && self.told.insert(note.clone()) {
            let _ = self.notes.send(note);
        }
    }

    fn ingest(&mut self, paths: &[PathBuf]) -> Result<(), Error> {
        let path = &self.settings.store;
        let there = id(path);
        // One that was moved away or replaced is another store.
        if self.store.as_ref().is_none_or(|(of, _)| there != Some(*of)) {
            self.store = None;
            let store = Store::open(path)?;
            self.store = id(path).map(|id| (id, store));
        }
        let Some((_, store)) = &mut self.store else { return Ok(()) };
        let done = store.ingest(paths);
        if done.is_err() {
            self.store = None;
        }
        for (path, reason) in done?.left_out {
            self.tell(format!("{} is left out: {reason}", path.display()));
        }
        self.known.ingested = Some(seconds());
        Ok(())
    }

    fn scan(&mut self, paths: &[PathBuf]) -> Result<(), Error> {
        let (ledger, unread) = ledger::update(&self.settings.ledger, paths, &self.settings.place)?;
        for run in unread {
            self.tell(format!("{} is not counted: {}", run.path.display(), run.reason));
        }
        let mut names: HashMap<String, &str> = HashMap::new();
        let mut same = Vec::new();
        for row in &ledger.rows {
            if let Some(other) = names.insert(run_name(Path::new(&row.path)), &row.path) {
                same.push(format!(
                    "{other} and {} have one name: in events and metrics they are one run",
                    row.path
                ));
            }
        }
        for note in same {
            self.tell(note);
        }
        self.known.live = live::live(&ledger.rows);
        self.known.ledger = Some((seconds(), Arc::new(ledger.rows)));
        Ok(())
    }

    /// Copies of archives and certificates, and the log of proofs.
    fn look_at_proofs(&mut self) -> Result<(), Error> {
        let kept = Kept::look(&self.settings.kept);
        self.unlooked = kept.is_err();
        match kept {
            Ok(kept) => self.known.kept = Some(kept),
            Err(error) => self.met(UNLOOKED, Err(error))?,
        }
        let Some(settings) = self.settings.log.clone() else { return Ok(()) };
        let mut proofs = self.known.proofs.as_deref().cloned().unwrap_or_default();
        let looked = proofs.look(&settings);
        self.unlooked |= looked.is_err();
        let remark = match looked {
            Ok(remark) => remark,
            Err(error) => return self.met(UNLOOKED, Err(error)),
        };
        self.known.proofs = Some(Arc::new(proofs));
        if let Some(remark) = remark {
            self.tell(remark);
        }
        Ok(())
    }

    fn observe(&mut self) {
        let Some((_, rows)) = &self.known.ledger else { return };
        let now = seconds();
        let (all, notes) = observed(rows, &self.settings.observer, now);
        self.known.observed = Some((now, Arc::new(all)));
        for note in notes {
            self.tell(note);
        }
    }
}
