//! The server: a port, the thread that watches, and an orderly end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use resonetics_runs::error::{self, Error};
use resonetics_runs::interrupt::{self, Stop};
use resonetics_runs::listen::listen;
use resonetics_runs::progress::Tell;
use tokio::runtime;
use tokio::sync::oneshot;

use super::api::App;
use super::http::router;
use super::known::{Settings, Shared};
use super::readers::Readers;
use super::watch::Watch;
use crate::store::Store;

/// The usual port.
pub const USUAL: u16 = 8088;
/// The time between two looks at the signals.
const ATTENTION: Duration = Duration::from_millis(100);
/// How long answers that are under way may take at the end.
const FAREWELL: Duration = Duration::from_secs(1);
/// Answers that are made at the same time.
const THREADS: usize = 4;

/// A server that listens.
pub struct Server {
    settings: Settings,
    store: Store,
    address: SocketAddr,
    listener: TcpListener,
}

impl Server {
    /// Listens at 127.0.0.1, and opens or makes the store.
    ///
    /// # Errors
    /// [`Error::Refused`] if the port is taken or the store is none; what the system says.
    pub fn new(settings: Settings) -> Result<Server, Error> {
        if let Some(path) = settings.targets.as_ref().filter(|path| path.is_file()) {
            // It is written over each second.
            let is_ours = resonetics_runs::files::read(path, 1 << 24).is_ok_and(|bytes| {
                bytes.is_empty() || serde_json::from_slice::<Vec<serde_json::Value>>(&bytes).is_ok()
            });
            if !is_ours {
                return Err(Error::Refused(format!(
                    "{} is no list of targets: nothing was overwritten; choose another --targets",
                    path.display()
                )));
            }
        }
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port.unwrap_or(USUAL)));
        let refused = |error: io::Error| {
            Error::Refused(format!(
                "cannot listen at {at}: {error}; choose another port with --port (0 picks a free one)"
            ))
        };
        let (listener, address) = listen(at.ip(), settings.port, USUAL).map_err(refused)?;
        let store = Store::open(&settings.store)?;
        for path in [Some(&settings.ledger), settings.targets.as_ref()].into_iter().flatten() {
            if path.is_dir() {
                return Err(error::io("write", path)(io::ErrorKind::IsADirectory.into()));
            }
        }
        Ok(Server { settings, store, address, listener })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The usual port if it was taken.
    pub fn instead_of(&self) -> Option<u16> {
        (self.settings.port.is_none() && self.address.port() != USUAL).then_some(USUAL)
    }

    /// Serves until SIGINT or SIGTERM, which is how it ends in order. Remarks go to `tell`, each once.
    ///
    /// # Errors
    /// [`Error::Failed`] if the system gives no threads, sockets or timers; that of `tell`.
    pub fn run(self, tell: &Tell<'_>) -> Result<(), Error> {
        let failed = |error: io::Error| Error::Failed(format!("cannot start the server: {error}"));
        let shared = Arc::new(Shared::default());
        let (notes, told) = channel();
        let app = App { shared: Arc::clone(&shared), readers: Readers::of(&self.settings.store) };
        let watch = Watch::new(self.settings, self.store, shared, notes);
        let stop = Stop::here();
        let watching = std::thread::Builder::new()
            .name("lumen".to_owned())
            .spawn(move || stop.on_threads(1, || watch.run()))
            .map_err(failed)?;
        let mut builder = runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(THREADS).build().map_err(failed)?;
        let served = runtime.block_on(serve(self.listener, Arc::new(app), self.address, &told, tell));
        // It hears of the same signals; where `tell` failed nobody would end it.
        if served.is_ok() {
            let _ = watching.join();
        }
        served
    }
}

async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    address: SocketAddr,
    told: &Receiver<String>,
    tell: &Tell<'_>,
) -> Result<(), Error> {
    let failed = |error: io::Error| Error::Failed(format!("cannot start the server: {error}"));
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async {
        let _ = stopped.await;
    };
    let server = axum::serve(listener, router(app, address)).with_graceful_shutdown(until);
    let serving = tokio::spawn(server.into_future());
    while interrupt::check().is_ok() {
        for note in told.try_iter() {
            tell(&note)?;
        }
        tokio::time::sleep(ATTENTION).await;
    }
    drop(stop);
    let _ = tokio::time::timeout(FAREWELL, serving).await;
    Ok(())
}
