//! Runs as they are on disk, a server in this process, and the smallest client.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use resonetics_lumen::event::{
    Event, Group, Kind, Level, Levels, Memory, Op, Resonance, Risk, Room, Signals, Trace,
};
use resonetics_lumen::ledger::Place;
use resonetics_lumen::serve::{Intervals, Server, Settings};
use resonetics_runs::interrupt::Stop;
use resonetics_runs::run_dir::seconds;
use serde_json::Value;

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    (seconds() * 1e3) as i64
}

/// A folder with runs, and what is served from it.
pub(crate) struct Runs {
    pub(crate) dir: tempfile::TempDir,
    /// Locks of runs at work.
    locks: Vec<(String, File)>,
}

impl Runs {
    pub(crate) fn new() -> Runs {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("runs")).unwrap();
        Runs { dir, locks: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn run(&self, name: &str) -> PathBuf {
        self.path("runs").join(name)
    }

    /// A run at work, with a monitor, that began `age` seconds ago.
    pub(crate) fn begin(&mut self, name: &str, age: i64) {
        let folder = self.run(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.toml"), "seed = 1\n").unwrap();
        let lock = File::options().append(true).open(folder.join("config.toml")).unwrap();
        lock.lock().unwrap();
        self.locks.push((name.to_owned(), lock));
        self.record(name, age, "running", "");
    }

    /// The run ends so.
    pub(crate) fn end(&mut self, name: &str, age: i64, status: &str) {
        let ended = format!(", \"finished_at\": \"{}\", \"wall_seconds\": 1.5", time(now()));
        self.record(name, age, status, &ended);
        self.locks.retain(|(other, _)| other != name);
    }

    /// A run that has ended.
    pub(crate) fn ended(&mut self, name: &str, age: i64, status: &str) {
        self.begin(name, age);
        self.end(name, age, status);
    }

    fn record(&self, name: &str, age: i64, status: &str, more: &str) {
        let started = time(now() - age * 1000);
        let text = format!(
            "{{\"command\": \"train\", \"version\": \"0.1.0\", \"seed\": 7, \"started_at\": \"{started}\", \
             \"status\": \"{status}\", \"monitor\": {{\"metrics\": \"http://127.0.0.1:81{age}\", \"health\": \"x\"}}{more}}}"
        );
        fs::write(self.run(name).join("run.json"), text).unwrap();
    }

    /// Adds lines to the log of a run.
    pub(crate) fn log(&self, run: &str, events: &[Event]) {
        let text: String = events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
        let path = self.run(run).join("events.jsonl");
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            port: Some(0),
            store: self.path("lumen.db"),
            ledger: self.path("runs.jsonl"),
            observer: resonetics_lumen::resonance::observer::ObserverField::default(),
            targets: Some(self.path("targets.json")),
            runs: vec![self.path("runs")],
            log: None,
            kept: resonetics_lumen::serve::KeptSettings::default(),
            place: Place::new(None, None).unwrap(),
            every: Intervals {
                ingest: Duration::from_millis(30),
                scan: Duration::from_millis(60),
                observe: Duration::from_millis(120),
            },
        }
    }

    pub(crate) fn serve(&self) -> Served {
        Served::start(self.settings())
    }
}

/// A server at work; it ends when this is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn start(settings: Settings) -> Served {
        let server = Server::new(settings).unwrap();
        let address = server.address();
        let stop = Arc::new(AtomicBool::new(false));
        let by = Stop::by(&stop);
        let thread =
            std::thread::spawn(move || by.on_threads(1, || server.run(&|_| Ok(()))).unwrap().unwrap());
        Served { address, stop, thread: Some(thread) }
    }

    /// What is answered to a request for `path` with more `headers`.
    pub(crate) fn ask(&self, method: &str, path: &str, host: &str, headers: &str) -> Answered {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answered { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, &self.address.to_string(), "")
    }

    /// The JSON of an answer that is good.
    pub(crate) fn json(&self, path: &str) -> Value {
        let answered = self.get(path);
        assert_eq!(answered.status, 200, "{path}: {}", answered.body);
        assert!(answered.head.contains("content-type: application/json"), "{}", answered.head);
        serde_json::from_str(&answered.body).unwrap()
    }

    pub(crate) fn metrics(&self) -> String {
        self.get("/metrics").body
    }

    /// The value of a sample of the metrics.
    pub(crate) fn sample(&self, of: &str) -> Option<f64> {
        sample(&self.metrics(), of)
    }

    /// Waits until it is so; 30 s at most.
    pub(crate) fn until(&self, what: &str, so: impl Fn(&Served) -> bool) {
        let begun = Instant::now();
        while !so(self) {
            let late = begun.elapsed() > Duration::from_secs(30);
            assert!(!late, "never: {what}\n{}\n{}", self.get("/readyz").body, self.metrics());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the store has so many events of `run`, which is at work.
    pub(crate) fn until_events(&self, run: &str, count: f64) {
        let of = format!("rmb_events_total{{run=\"{run}\"}}");
        self.until(&format!("{of} {count}"), |served| served.sample(&of) == Some(count));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

pub(crate) fn sample(text: &str, of: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(of)?.strip_prefix(' ')?.parse().ok())
}

#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) fn time(ms: i64) -> String {
    let since = Duration::from_millis(ms as u64);
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since).to_string()
}

/// A window of `entity` that ended at `ms`, with this residual.
pub(crate) fn window(entity: &str, clock: u64, ms: i64, residual: f64) -> Event {
    let (level, risk) = match residual {
        residual if residual > 0.85 => (Level::Alert, Risk::Risk),
        residual if residual > 0.55 => (Level::Tense, Risk::Watch),
        _ => (Level::Calm, Risk::Safe),
    };
    Event {
        ts: time(ms),
        entity_id: entity.to_owned(),
        group: Group::DesignCore,
        event_type: Kind::Observe,
        resonance_v3: Resonance {
            phase_diff: 0.0,
            residual_entropy: residual,
            creative_band: Room::Mid,
            risk_band: risk,
        },
        memory_bridge: Memory {
            slot_id: format!("rmb/v17/slot-{}", clock % 32),
            op: Op::Upsert,
            key: format!("window:{clock}"),
            value_hash: "0123456789abcdef".to_owned(),
        },
        trace: Trace { loop_id: "train.k8s".to_owned(), iter: clock, host: "host".to_owned(), clock },
        phase_valid: false,
        signals: Some(Signals {
            residual: Some(residual),
            creative_band: Some(0.5),
            harmony_index: Some(0.75),
            ..Signals::default()
        }),
        levels: Some(Levels { residual: Some(level), rollback_ratio: None, last: Some(level) }),
        fleet: None,
        reason: None,
    }
}

/// Windows a second apart, the last one now.
pub(crate) fn windows(run: &str, count: u64, residual: f64) -> Vec<Event> {
    let now = now();
    let at = |clock: u64| now - ((count - clock) * 1000) as i64;
    (1..=count).map(|clock| window(&format!("{run}/training"), clock, at(clock), residual)).collect()
}

/// An event that is no window.
pub(crate) fn other(run: &str, clock: u64, kind: Kind, key: &str, reason: &str) -> Event {
    let mut event = window(&format!("{run}/training"), clock, now(), 0.5);
    (event.event_type, event.reason) = (kind, Some(reason.to_owned()));
    (event.signals, event.levels) = (None, None);
    key.clone_into(&mut event.memory_bridge.key);
    event
}

/// Bytes of a file.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
