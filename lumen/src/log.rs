//! The two files of a run that is watched: `events.jsonl`, and `metrics.csv` with the four signals of each window. A thread
//! of its own writes them, in batches of whole lines.
//!
//! Both hold wall time: nothing compares their bytes, and `rerun` leaves them out.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use resonetics_runs::error::{self, Error};
use resonetics_runs::files::{put_aside, read, write_atomic};
use resonetics_runs::run_dir::seconds;

use crate::event::{Event, FILE, Kind, Signals};

/// The file with the four signals of each window.
pub const METRICS: &str = "metrics.csv";
const HEADER: &str = "ts,phase_diff,entropy_rate,creative_band,risk_band\n";

/// Lines of a batch at most.
const BATCH: usize = 20;
/// How long a window's line waits for others at most.
const FLUSH: Duration = Duration::from_millis(500);
/// Lines that wait to be written at most: what has no room is dropped and counted where nobody may wait.
const QUEUE: usize = 4096;

/// What to do with a line for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Drop it and count it: the source must not wait.
    Drop,
    /// Wait for room.
    Wait,
}

/// Writes the files. What is sent is written even if it is dropped without [`Log::finish`].
#[derive(Debug)]
pub struct Log {
    sender: Option<SyncSender<(SystemTime, Event)>>,
    full: Full,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

/// What was written before a source went on.
#[derive(Debug, Default)]
pub struct Kept {
    /// Its events up to the clock at which it goes on.
    pub events: Vec<Event>,
    /// Where a log went that could not be read, and why.
    pub aside: Option<String>,
}

impl Log {
    /// Begins the files in `dir`, which holds none.
    ///
    /// # Errors
    /// That they cannot be created, or are there.
    pub fn create(dir: &Path, full: Full) -> Result<Log, Error> {
        let create = |name: &str| {
            let path = dir.join(name);
            let file = File::options().append(true).create_new(true).open(&path);
            file.map(|file| (file, path.clone())).map_err(error::io("create", &path))
        };
        let events = create(FILE)?;
        let mut metrics = create(METRICS)?;
        metrics.0.write_all(HEADER.as_bytes()).map_err(error::io("write", &metrics.1))?;
        Log::start(events, metrics, full)
    }

    /// Goes on with the files in `dir` of a source that goes on at `clock`: what is behind it is cut away, as the
    /// source's own log is. Begins them where there are none. A log that holds a line which is no event is put aside
    /// whole, and a new one begins.
    ///
    /// # Errors
    /// That they cannot be read or written.
    pub fn resume(dir: &Path, clock: u64, full: Full) -> Result<(Log, Kept), Error> {
        let (path, metrics) = (dir.join(FILE), dir.join(METRICS));
        let mut kept = Kept::default();
        if clock == 0 && path.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            // The source begins anew, and its own log was put aside too.
            put_aside(&path)?;
            put_aside(&metrics)?;
        }
        if path.symlink_metadata().is_ok() {
            match whole_events(&read(&path, u64::MAX)?) {
                Ok(events) => {
                    let length = cut(&events, clock);
                    kept.events = events.into_iter().map(|(event, _)| event).take(length.0).collect();
                    let file = File::options().write(true).open(&path).map_err(error::io("open", &path))?;
                    file.set_len(length.1).map_err(error::io("cut", &path))?;
                }
                Err(problem) => {
                    put_aside(&path)?;
                    kept.aside = Some(format!(
                        "{}: {problem}; it was put aside, and a new one begins",
                        path.display()
                    ));
                }
            }
        }
        // What a kill had left of the table follows from the events.
        if kept.events.is_empty() && kept.aside.is_none() && metrics.symlink_metadata().is_err() {
            return Log::create_missing(&path, &metrics, full).map(|log| (log, kept));
        }
        let rows: String = kept.events.iter().filter_map(|event| row(&event.ts, event)).collect();
        if kept.aside.is_some() {
            put_aside(&metrics)?;
        }
        write_atomic(&metrics, format!("{HEADER}{rows}").as_bytes())?;
        Log::create_missing(&path, &metrics, full).map(|log| (log, kept))
    }

    fn create_missing(events: &Path, metrics: &Path, full: Full) -> Result<Log, Error> {
        let open = |path: &Path| {
            let file = File::options().append(true).create(true).open(path);
            file.map(|file| (file, path.to_path_buf())).map_err(error::io("open", path))
        };
        let mut metrics = open(metrics)?;
        if metrics.0.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            metrics.0.write_all(HEADER.as_bytes()).map_err(error::io("write", &metrics.1))?;
        }
        Log::start(open(events)?, metrics, full)
    }

    fn start(events: (File, PathBuf), metrics: (File, PathBuf), full: Full) -> Result<Log, Error> {
        let (sender, receiver) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("lumen".to_owned())
            .spawn(move || write(&receiver, &seen, events, metrics))
            .map_err(|error| Error::Failed(format!("cannot start a thread that writes events: {error}")))?;
        Ok(Log { sender: Some(sender), full, dropped, thread: Some(thread) })
    }

    /// Hands over an event, which gets the present time.
    pub fn send(&self, event: Event) {
        let Some(sender) = &self.sender else { return };
        let line = (UNIX_EPOCH + Duration::from_secs_f64(seconds().max(0.0)), event);
        let sent = match self.full {
            Full::Wait => sender.send(line).is_ok(),
            Full::Drop => sender.try_send(line).is_ok(),
        };
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all is written; yields how many events there was no room for.
    ///
    /// # Errors
    /// What kept it from writing.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.end()?;
        Ok(self.dropped.load(Ordering::Relaxed))
    }

    fn end(&mut self) -> Result<(), Error> {
        drop(self.sender.take());
        let outcome = self.thread.take().map(JoinHandle::join);
        outcome.map_or(Ok(()), |outcome| {
            outcome.unwrap_or_else(|_| Err(Error::Failed("the thread that writes events ended".to_owned())))
        })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Writes what comes until nobody can send any more.
fn write(
    receiver: &Receiver<(SystemTime, Event)>,
    dropped: &AtomicU64,
    mut events: (File, PathBuf),
    mut metrics: (File, PathBuf),
) -> Result<(), Error> {
    let (mut lines, mut rows) = (String::new(), String::new());
    let mut told = 0;
    while let Ok(first) = receiver.recv() {
        let deadline = Instant::now() + FLUSH;
        let mut next = Some(first);
        let mut count = 0;
        while let Some((at, mut event)) = next.take() {
            // What happens seldom, and is not made again from the tables of the run, is written at once.
            let seldom = event.event_type != Kind::Observe;
            event.ts = humantime::format_rfc3339_millis(at).to_string();
            rows.extend(row(&event.ts, &event));
            add(&mut lines, &event);
            let lost = dropped.load(Ordering::Relaxed);
            if lost > told {
                told = lost;
                add(&mut lines, &dropping(&event, lost));
            }
            count += 1;
            if count < BATCH && !seldom {
                next = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok();
            }
        }
        // One call for a batch: what a kill cuts is the last line at most.
        events.0.write_all(lines.as_bytes()).map_err(error::io("write", &events.1))?;
        metrics.0.write_all(rows.as_bytes()).map_err(error::io("write", &metrics.1))?;
        lines.clear();
        rows.clear();
    }
    Ok(())
}

fn add(lines: &mut String, event: &Event) {
    // An event is plain data: it always is JSON.
    if let Ok(line) = serde_json::to_string(event) {
        lines.push_str(&line);
        lines.push('\n');
    }
}

/// That `lost` events had no room so far, behind `event`.
fn dropping(event: &Event, lost: u64) -> Event {
    let mut told = event.clone();
    told.event_type = Kind::Decide;
    told.memory_bridge.key = format!("dropped:{lost}");
    told.reason = Some("dropped".to_owned());
    (told.signals, told.levels) = (None, None);
    told
}

/// The row of a window of a whole source; lanes have none.
fn row(ts: &str, event: &Event) -> Option<String> {
    let Some(Signals { phase_diff, entropy_rate, creative_band, risk_band, .. }) = &event.signals else {
        return None;
    };
    let is_lane = event.entity_id.matches('/').count() > 1;
    let cell = |value: &Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
    let cells = [phase_diff, entropy_rate, creative_band, risk_band].map(cell).join(",");
    (!is_lane).then(|| format!("{ts},{cells}\n"))
}

/// The events of a log with the place behind each; what a kill cut off at its end is left out.
///
/// # Errors
/// The first line that is none, and why.
pub fn whole_events(bytes: &[u8]) -> Result<Vec<(Event, u64)>, String> {
    let mut events = Vec::new();
    let mut end = 0;
    for (number, line) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
        end += line.len() as u64;
        if !line.ends_with(b"\n") {
            break;
        }
        let event = crate::store::event(line).map_err(|why| format!("line {number} is no event: {why}"))?;
        events.push((event, end));
    }
    Ok(events)
}

/// How many events, and bytes, there are up to the last one at or before `clock`. Behind a return to an earlier state the
/// clock is lower than before: the last one in the order of lines counts.
fn cut(events: &[(Event, u64)], clock: u64) -> (usize, u64) {
    let last = events.iter().rposition(|(event, _)| event.trace.clock <= clock);
    last.map_or((0, 0), |last| (last + 1, events[last].1))
}
