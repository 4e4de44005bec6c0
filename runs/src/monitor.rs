//! A running training or drift as seen from outside: `/metrics`, `/healthz` and `/readyz` over HTTP.
//!
//! The trainer never waits for whoever asks: it leaves a copy of its numbers, the server's own
//! thread makes the text of them when it is asked.

mod metrics;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::runtime;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::listen::listen;
pub use metrics::Snapshot;

/// The usual ports, for metrics and for health.
pub const USUAL: [u16; 2] = [8000, 8080];

/// A training that has taken no step for so long is not ready.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// The latest snapshot, and when the training last moved. None is there until the training has been read from
/// its checkpoint: a counter that begins at 0 and jumps would count all that was counted before.
struct Latest {
    snapshot: Option<Snapshot>,
    stepped: Instant,
}

impl Latest {
    fn show(&mut self, snapshot: Snapshot) {
        if self.snapshot.is_none_or(|before| before.training_step != snapshot.training_step) {
            self.stepped = Instant::now();
        }
        self.snapshot = Some(snapshot);
    }
}

/// What the trainer and the server share.
struct Shared {
    latest: Mutex<Latest>,
    stalled_after: Duration,
}

/// The server; it stops when this is dropped.
pub struct Monitor {
    shared: Arc<Shared>,
    addresses: [SocketAddr; 2],
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Serves at `host`, all three paths on both ports, for metrics and for health: those that are given, 0
    /// letting the system choose, and otherwise the usual ones or, where they are taken, free ones. See
    /// [`Monitor::addresses`].
    ///
    /// # Errors
    /// [`Error::Refused`] if a port that is given is taken or the host is not this machine's;
    /// [`Error::Failed`] if the system gives no thread.
    pub fn start(host: IpAddr, metrics: Option<u16>, health: Option<u16>) -> Result<Monitor, Error> {
        Monitor::start_with(host, [metrics, health], STALLED_AFTER)
    }

    fn start_with(host: IpAddr, ports: [Option<u16>; 2], stalled_after: Duration) -> Result<Monitor, Error> {
        let (listeners, addresses) = listeners(host, ports)?;
        let latest = Latest { snapshot: None, stepped: Instant::now() };
        let shared = Arc::new(Shared { latest: Mutex::new(latest), stalled_after });
        let (stop, stopped) = oneshot::channel();
        let failed = |error: io::Error| Error::Failed(format!("cannot start the monitor: {error}"));
        let runtime = runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || runtime.block_on(serve(listeners, served, stopped)))
            .map_err(failed)?;
        Ok(Monitor { shared, addresses, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens: for metrics, for health.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        self.addresses
    }

    /// Shows `snapshot` from now on. Never waits: in the rare moment in which the server is reading it
    /// leaves the snapshot out, and the next one brings newer numbers.
    pub fn publish(&self, snapshot: Snapshot) {
        if let Ok(mut latest) = self.shared.latest.try_lock() {
            latest.show(snapshot);
        }
    }

    /// The training begins or goes on with the counters of `snapshot`, before its first step here.
    pub fn begin(&self, snapshot: Snapshot) {
        self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner).show(snapshot);
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Listeners that are taken before any training begins, one if both ports are the same, and the addresses
/// for metrics and for health.
fn listeners(host: IpAddr, ports: [Option<u16>; 2]) -> Result<(Vec<TcpListener>, [SocketAddr; 2]), Error> {
    let [metrics, health] = [0, 1].map(|at| ports[at].unwrap_or(USUAL[at]));
    let options = ["--metrics-port", "--health-port"];
    if metrics == health && metrics != 0 {
        let option = if ports[0].is_some() { options[0] } else { options[1] };
        let (listener, address) = listener(host, Some(metrics), metrics, option)?;
        return Ok((vec![listener], [address; 2]));
    }
    let one = |at: usize| listener(host, ports[at], USUAL[at], options[at]);
    // A free port must not be the one that was asked for.
    let [metrics, health] = if ports[0].is_some() {
        [one(0)?, one(1)?]
    } else {
        let health = one(1)?;
        [one(0)?, health]
    };
    Ok((vec![metrics.0, health.0], [metrics.1, health.1]))
}

fn listener(
    host: IpAddr,
    asked: Option<u16>,
    usual: u16,
    option: &str,
) -> Result<(TcpListener, SocketAddr), Error> {
    listen(host, asked, usual).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => format!("choose another port with {option} (0 picks a free one)"),
            io::ErrorKind::PermissionDenied => format!("choose a port from 1024 on with {option}"),
            io::ErrorKind::AddrNotAvailable => {
                "give --monitor-host an address of this machine, such as 127.0.0.1".to_owned()
            }
            _ => format!("choose another --monitor-host or {option}"),
        };
        let at = SocketAddr::new(host, asked.unwrap_or(usual));
        Error::Refused(format!(
            "cannot listen at {at}: {error}; {remedy}, or switch it off with --no-monitor"
        ))
    })
}

/// Serves until `stopped`; connections that are open then are cut with the runtime.
async fn serve(listeners: Vec<TcpListener>, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let app = Router::new()
        .route("/metrics", get(read(&shared, metrics)))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(read(&shared, ready)));
    for listener in listeners {
        // It is a socket of a kind that tokio knows, and the runtime is on.
        if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
            tokio::spawn(axum::serve(listener, app.clone()).into_future());
        }
    }
    let _ = stopped.await;
}

/// A handler that answers with what `answer` makes of the latest snapshot.
fn read<R: IntoResponse + 'static>(
    shared: &Arc<Shared>,
    answer: fn(Option<&Snapshot>, stalled: Option<Duration>) -> R,
) -> impl Fn() -> std::future::Ready<R> + Clone + Send + Sync + 'static {
    let shared = Arc::clone(shared);
    move || {
        let (snapshot, since) = {
            let latest = shared.latest.lock().unwrap_or_else(PoisonError::into_inner);
            (latest.snapshot, latest.stepped)
        };
        let idle = since.elapsed();
        std::future::ready(answer(snapshot.as_ref(), (idle >= shared.stalled_after).then_some(idle)))
    }
}

fn metrics(snapshot: Option<&Snapshot>, _: Option<Duration>) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::text(snapshot))
}

fn ready(snapshot: Option<&Snapshot>, stalled: Option<Duration>) -> (StatusCode, String) {
    let step = snapshot.map_or(0, |snapshot| snapshot.training_step);
    match stalled {
        _ if step == 0 => (StatusCode::SERVICE_UNAVAILABLE, "no training step yet\n".to_owned()),
        Some(idle) => {
            let text = format!("no training step for {} s, after step {step}\n", idle.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
        None => (StatusCode::OK, format!("ready, at step {step}\n")),
    }
}

#[cfg(test)]
mod tests;
