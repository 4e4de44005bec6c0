//! The directory that holds what one run was asked to do and what came of it.

use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use humantime::format_rfc3339_millis;
use serde::Serialize;
use serde_json::Value;

use crate::claim::claim;
use crate::error::{self, Error};
use crate::files::{self, check_writable, sha256, text, write_atomic, write_new};
use crate::progress::Tell;
use crate::trace;

static COMMIT: OnceLock<&str> = OnceLock::new();

/// Says of which commit this program was built, for all records that it writes; the first word counts.
pub fn built_from(commit: &'static str) {
    let _ = COMMIT.set(commit);
}

/// The commit that this program was built from; `unknown` where it has not said so.
pub fn commit() -> &'static str {
    COMMIT.get().copied().unwrap_or("unknown")
}

static HOST: OnceLock<String> = OnceLock::new();

/// Says that this process is `program`, which calls this library, for all records that it writes: what was typed to
/// start it is not what a run was asked for.
pub fn called_from(program: &str) {
    let _ = HOST.set(program.to_owned());
}

/// What `run.json` says about a run.
#[derive(Serialize)]
pub struct RunRecord {
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    called_from: Option<&'static str>,
    arguments: Vec<String>,
    version: &'static str,
    commit: &'static str,
    /// The commits of other programs that it was begun or gone on with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    earlier_commits: Vec<String>,
    /// SHA-256 of `config.toml` as it was written: whether it was edited since.
    #[serde(skip_serializing_if = "String::is_empty")]
    config_sha256: String,
    seed: Option<u64>,
    /// By which its evaluations, archives and statements are found: see [`trace`].
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    threads: usize,
    host: Host,
    started_at: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resumed_at: Vec<String>,
    finished_at: Option<String>,
    wall_seconds: Option<f64>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitor: Option<MonitoredAt>,
}

/// Where a run can be watched while it is at work.
#[derive(Serialize)]
struct MonitoredAt {
    metrics: String,
    health: String,
}

#[derive(Serialize)]
struct Host {
    os: &'static str,
    arch: &'static str,
    cpu_model: Option<String>,
    cores: usize,
}

impl RunRecord {
    /// The record of `command`, starting now in this process on this machine.
    #[must_use]
    pub fn new(command: &str, seed: Option<u64>) -> Self {
        let called_from = HOST.get().map(String::as_str);
        let typed = || std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
        Self {
            command: command.to_owned(),
            called_from,
            arguments: if called_from.is_some() { Vec::new() } else { typed().collect() },
            version: env!("CARGO_PKG_VERSION"),
            commit: commit(),
            earlier_commits: Vec::new(),
            config_sha256: String::new(),
            seed,
            trace_id: None,
            threads: rayon::current_num_threads(),
            host: Host {
                os: std::env::consts::OS,
                arch: std::env::consts::ARCH,
                cpu_model: cpu_model(),
                cores: std::thread::available_parallelism().map_or(1, Into::into),
            },
            started_at: now(),
            resumed_at: Vec::new(),
            finished_at: None,
            wall_seconds: None,
            status: "running",
            error: None,
            monitor: None,
        }
    }

    /// Of a run whose config.toml is `config_toml` from now on.
    #[must_use]
    pub fn with_settings(mut self, config_toml: &str) -> Self {
        self.config_sha256 = sha256(config_toml.as_bytes());
        self
    }

    /// In the trace of the run in `path`, where it has one; what `LUMEN_TRACE_ID` says comes first.
    #[must_use]
    pub fn traced_with(mut self, path: &Path) -> Self {
        self.trace_id = read_record(path).ok().as_ref().and_then(trace_of);
        self
    }

    /// With the addresses at which it can be watched, for metrics and for health.
    #[must_use]
    pub fn watched_at(mut self, addresses: Option<[SocketAddr; 2]>) -> Self {
        let monitor = addresses.map(|at| at.map(|address| format!("http://{address}")));
        self.monitor = monitor.map(|[metrics, health]| MonitoredAt { metrics, health });
        self
    }
}

/// The trace id in a record.
fn trace_of(record: &Value) -> Option<String> {
    record.get("trace_id")?.as_str().filter(|text| trace::is_trace_id(text)).map(str::to_owned)
}

pub(crate) fn now() -> String {
    format_rfc3339_millis(SystemTime::UNIX_EPOCH + since_1970()).to_string()
}

/// Seconds since 1970.
pub fn seconds() -> f64 {
    since_1970().as_millis() as f64 / 1e3
}

/// Nothing on a clock that is set to before.
#[allow(clippy::disallowed_methods)] // the one place
fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// What the machine calls its processor, where it says so.
pub fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// A directory of one run's files, with `config.toml` and a `run.json` kept up to date.
///
/// Call [`RunDir::finish`] at the end; a run dropped without it is recorded as failed.
pub struct RunDir {
    path: PathBuf,
    record: RunRecord,
    started: Instant,
    /// `config.toml`, locked until the run has ended, however it ends: see [`held`].
    _lock: Option<File>,
}

impl RunDir {
    /// Creates `out`, or `runs/<command>-0001` with the next free number, and writes
    /// `config.toml` and `run.json` there.
    ///
    /// # Errors
    /// [`Error::Refused`] if `out` holds anything already (it is left as it was) or cannot be
    /// written, or `LUMEN_TRACE_ID` is none, [`Error::Failed`] on a full disk and other I/O errors.
    pub fn create(out: Option<&Path>, mut record: RunRecord, config_toml: &str) -> Result<Self, Error> {
        record.trace_id = trace::told()?.or(record.trace_id).or_else(trace::drawn);
        let path = claim(out, &record.command)?;
        record.config_sha256 = sha256(config_toml.as_bytes());
        let record_path = path.join("run.json");
        // First, because of two processes given one empty directory only one can create it.
        write_new(&record_path, &json(&record)?).map_err(|failure| match failure {
            refused if refused.is_refusal() && record_path.exists() => Error::Refused(format!(
                "another run has just begun in {}; nothing was overwritten: choose another --out",
                path.display()
            )),
            other => other,
        })?;
        if let Err(failure) = write_new(&path.join("config.toml"), config_toml.as_bytes()) {
            // Otherwise the next attempt at the same directory would be refused.
            let _ = fs::remove_file(record_path);
            return Err(failure);
        }
        let lock = lock(&path);
        Ok(Self { path, record, started: Instant::now(), _lock: lock })
    }

    /// Goes on in `path`, where a run was interrupted or killed: its `run.json` says so from now on.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no `run.json` or it is no JSON.
    pub fn resume(path: &Path, mut record: RunRecord, tell: &Tell<'_>) -> Result<Self, Error> {
        let before = read_record(path)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let resumed = before.get("resumed_at").and_then(Value::as_array);
        record.resumed_at = resumed.into_iter().flatten().filter_map(text).collect();
        record.resumed_at.push(std::mem::take(&mut record.started_at));
        record.trace_id = trace_of(&before).or_else(trace::drawn);
        record.started_at = before.get("started_at").and_then(text).unwrap_or_default();
        let earlier = before.get("earlier_commits").and_then(Value::as_array);
        record.earlier_commits = earlier.into_iter().flatten().filter_map(text).collect();
        if let Some(other) = before.get("commit").and_then(text).filter(|before| before != commit()) {
            tell(&format!(
                "commit {other} worked on it before, and this is {}: it may end with other numbers than either would alone",
                commit()
            ))?;
            if !record.earlier_commits.contains(&other) {
                record.earlier_commits.push(other);
            }
        }
        if record.config_sha256.is_empty() {
            record.config_sha256 = before.get("config_sha256").and_then(text).unwrap_or_default();
        }
        let lock = lock(path);
        write_atomic(&path.join("run.json"), &json(&record)?)?;
        Ok(Self { path: path.to_path_buf(), record, started: Instant::now(), _lock: lock })
    }

    /// Where the run's files go.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records how the run ended in `run.json` and hands `outcome` back.
    ///
    /// # Errors
    /// That of `outcome`; [`Error::Failed`], with both reasons, if `run.json` cannot be written.
    pub fn finish(mut self, outcome: Result<(), Error>) -> Result<(), Error> {
        let (status, error) = match &outcome {
            Ok(()) => ("finished", None),
            Err(Error::Interrupted(_)) => ("interrupted", None),
            Err(failure) => ("failed", Some(failure.to_string())),
        };
        match (self.close(status, error), outcome) {
            (Ok(()), outcome) => outcome,
            (Err(unwritten), Ok(())) => Err(Error::Failed(unwritten.to_string())),
            (Err(unwritten), Err(first)) => Err(Error::Failed(format!("{first}; then {unwritten}"))),
        }
    }

    fn close(&mut self, status: &'static str, error: Option<String>) -> Result<(), Error> {
        let seconds = self.started.elapsed().as_secs_f64();
        self.record.finished_at = Some(now());
        self.record.wall_seconds = Some((seconds * 1e3).round() / 1e3);
        self.record.status = status;
        self.record.error = error;
        write_atomic(&self.path.join("run.json"), &json(&self.record)?)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if self.record.status == "running" {
            let error = "ended without a result, most likely by a panic; see its messages";
            let _ = self.close("failed", Some(error.to_owned()));
        }
    }
}

/// Marks a run as one that is going on. A file system without locks cannot: nobody is held off by this one.
fn lock(path: &Path) -> Option<File> {
    // For writing, or NFS would refuse it.
    let file = File::options().append(true).open(path.join("config.toml")).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// Holds off every other process that would train in `dir` until it is dropped; a dead process holds off none.
///
/// # Errors
/// [`Error::Refused`] if another process trains there; any I/O error.
pub fn exclusive(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    check_writable(&path)?;
    let file = File::options().create(true).append(true).open(&path).map_err(error::io("open", &path))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::Refused(format!(
            "another process trains in {}: wait for it, or stop it, and try again",
            dir.display()
        )),
        TryLockError::Error(error) => error::io("lock", &path)(error),
    })?;
    Ok(file)
}

/// Whether a process is at work in the run in `path`; none if there is no telling. A dead process holds
/// nothing.
pub fn held(path: &Path) -> Option<bool> {
    let file = files::open(&path.join("config.toml")).ok()?;
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

/// How the run in `path` ended: as its `run.json` says, or `killed` if it says `running` and no process is at
/// work in it; `None` if there is no telling.
pub fn ended(path: &Path) -> Option<String> {
    ended_within(path, &patience())
}

/// The same; a process that holds the run is believed to be at work only if it still is when `waits` says no more.
fn ended_within(path: &Path, waits: &dyn Fn() -> bool) -> Option<String> {
    loop {
        // Before the record: a run that ends in between has written how.
        let held = held(path);
        let status = status(path).ok()??;
        if status != "running" || held != Some(true) {
            return Some(if held == Some(false) && status == "running" {
                "killed".to_owned()
            } else {
                status
            });
        }
        if !waits() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How long it takes until a process that was killed holds nothing any more.
const TEARDOWN: Duration = Duration::from_millis(500);

/// Whether there is a reason to look again. What was killed before this process first looked holds nothing once it
/// has waited for so long, so all runs of a listing wait no longer than one.
fn patience() -> impl Fn() -> bool {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let first = *FIRST.get_or_init(Instant::now);
    move || first.elapsed() < TEARDOWN
}

/// What the `run.json` in `path` says of how the run ended.
///
/// # Errors
/// [`Error::Refused`] if there is none or it is no JSON.
pub fn status(path: &Path) -> Result<Option<String>, Error> {
    Ok(read_record(path)?.get("status").and_then(Value::as_str).map(str::to_owned))
}

/// What `run.json` in `path` says.
///
/// # Errors
/// [`Error::Refused`] if there is none or it is no JSON.
pub fn read_record(path: &Path) -> Result<Value, Error> {
    let path = path.join("run.json");
    let text = text(&path)?;
    serde_json::from_str(&text)
        .map_err(|error| {
            let path = path.display();
            Error::Refused(format!(
                "{path} is not a complete JSON file: {error}; put it back, or write {{}} into it: all but when the run was started is in the other files"
            ))
        })
}

fn json(record: &RunRecord) -> Result<Vec<u8>, Error> {
    let mut bytes = serde_json::to_vec_pretty(record)
        .map_err(|error| Error::Failed(format!("cannot encode run.json: {error}; please report this")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(path: &Path) -> Result<RunDir, Error> {
        let record = RunRecord::new("test", Some(7));
        RunDir::create(Some(path), record, "a = 1\n")
    }

    fn record(path: &Path) -> serde_json::Value {
        let text = fs::read_to_string(path.join("run.json")).unwrap();
        assert!(text.ends_with("}\n"));
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_run_is_running_then_finished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("not/yet/there");
        let run = started(&path).unwrap();
        assert_eq!(run.path(), path);
        let before = record(&path);
        assert_eq!(before["status"], "running");
        assert!(before["finished_at"].is_null() && before["wall_seconds"].is_null());
        assert_eq!(held(&path), Some(true));
        run.finish(Ok(())).unwrap();
        assert_eq!((held(&path), held(dir.path())), (Some(false), None));
        let after = record(&path);
        assert_eq!(after["status"], "finished");
        assert!(after.get("error").is_none());
        for (key, value) in [("command", "test"), ("version", env!("CARGO_PKG_VERSION"))] {
            assert_eq!(after[key], value);
        }
        assert_eq!(
            (after["seed"].as_u64(), after["threads"].as_u64()),
            (Some(7), Some(rayon::current_num_threads() as u64))
        );
        let time = |key: &str| humantime::parse_rfc3339(after[key].as_str().unwrap()).unwrap();
        assert!(time("started_at") <= time("finished_at"));
        assert!(after["started_at"].as_str().unwrap().ends_with('Z'));
        let config = fs::read_to_string(path.join("config.toml")).unwrap();
        assert_eq!(config, "a = 1\n");
    }

    /// A process that was killed may hold its run for a while yet.
    #[test]
    fn what_holds_a_run_is_looked_at_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("run.json"), "{\"status\": \"running\"}").unwrap();
        fs::write(dir.path().join("config.toml"), "").unwrap();
        let dying = lock(dir.path()).unwrap();
        assert_eq!(ended_within(dir.path(), &|| false).as_deref(), Some("running"));
        let looks = std::cell::RefCell::new((0, Some(dying)));
        let waits = || {
            let mut looks = looks.borrow_mut();
            looks.0 += 1;
            if looks.0 == 3 {
                looks.1 = None;
            }
            looks.0 < 100
        };
        assert_eq!(ended_within(dir.path(), &waits).as_deref(), Some("killed"));
    }

    #[test]
    fn a_failure_is_recorded_and_handed_back() {
        let dir = tempfile::tempdir().unwrap();
        let run = started(dir.path()).unwrap();
        let failure = run.finish(Err(Error::Refused("no such".into()))).unwrap_err();
        assert!(failure.is_refusal());
        let after = record(dir.path());
        assert_eq!((&after["status"], &after["error"]), (&"failed".into(), &"no such".into()));
    }

    #[test]
    fn a_run_dropped_is_failed() {
        let dir = tempfile::tempdir().unwrap();
        drop(started(dir.path()).unwrap());
        assert_eq!(record(dir.path())["status"], "failed");
    }

    #[test]
    fn a_record_that_cannot_be_written_is_reported_beside_the_first_reason() {
        let dir = tempfile::tempdir().unwrap();
        for (outcome, first) in [(Ok(()), "cannot"), (Err(Error::Interrupted(2)), "interrupted")] {
            let path = dir.path().join("gone");
            let run = started(&path).unwrap();
            fs::remove_dir_all(&path).unwrap();
            let failure = run.finish(outcome).unwrap_err();
            assert!(!failure.is_refusal());
            let text = failure.to_string();
            assert!(text.starts_with(first) && text.contains("run.json"), "{text}");
        }
    }

    #[test]
    fn the_second_run_in_one_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _first = started(dir.path()).unwrap();
        let text = started(dir.path()).err().unwrap().to_string();
        assert!(text.contains("already holds config.toml"), "{text}");
    }

    #[test]
    fn of_many_at_once_one_gets_an_empty_directory() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let together = std::sync::Barrier::new(8);
            let one = || {
                together.wait();
                started(dir.path())
            };
            let results: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                threads.into_iter().map(|it| it.join().unwrap()).collect()
            });
            let codes = results.iter().map(|it| it.as_ref().map_or_else(Error::is_refusal, |_| false));
            let mut codes: Vec<_> = codes.collect();
            let told = results.iter().filter_map(|it| it.as_ref().err()).all(|failure| {
                let text = failure.to_string();
                ["another run has just begun", "already holds "].iter().any(|part| text.contains(part))
            });
            assert!(told, "a loser is told of something else");
            codes.sort_unstable();
            assert_eq!(codes, [false, true, true, true, true, true, true, true]);
        }
    }
}
