//! A page for the browser of this machine: live worlds, the runs below a directory, and what the report of
//! one, or of several side by side, says while they still grow.
//!
//! It listens at 127.0.0.1 only, reads and never writes. A name that another site has pointed at this
//! address is refused by the Host header, and the page loads nothing from elsewhere.

mod answer;
mod ends;
mod live;
mod row;
mod run;
mod runs;
mod signals;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use resonetics_analysis::report::COLOURS;
use resonetics_envs::registry::{ENVIRONMENTS, PRESETS};
use resonetics_runs::error::{self, Error};
use resonetics_runs::interrupt;
use resonetics_runs::listen::listen;
use resonetics_runs::setup::Setup;
use resonetics_view::colour::cividis;
use serde_json::json as object;
use tokio::runtime;

use self::answer::{HTML, json, of_kind, refused};
use crate::view::show::RATES;

/// Nothing but what this server sends: no inline script, no inline style, nobody's frame.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Colours of the ramp that the page is told.
const RAMP: u32 = 64;
/// The usual port.
const USUAL: u16 = 8090;
/// The time between two looks at the signals.
const ATTENTION: Duration = Duration::from_millis(100);

/// A server that listens.
pub struct Server {
    /// Where the runs are.
    dir: PathBuf,
    address: SocketAddr,
    listener: TcpListener,
    /// The name of the run that the page opens on.
    opened: Option<String>,
    /// The port that was asked for.
    asked: Option<u16>,
}

impl Server {
    /// Listens at 127.0.0.1 and `port`, 0 letting the system choose; without one at the usual port or, where
    /// that is taken, at a free one. The page opens on `run`, which is
    /// below `dir` if both are given.
    ///
    /// # Errors
    /// [`Error::Refused`] if the port is taken, `dir` is no directory, or `run` is no run in it.
    pub fn new(dir: Option<&Path>, run: Option<&Path>, port: Option<u16>) -> Result<Server, Error> {
        // The usual one appears with the first run; one that is named and not there is a slip.
        if let Some(dir) = dir.filter(|dir| !dir.exists()) {
            return Err(Error::Refused(format!(
                "there is no {}; give --dir a folder of runs",
                dir.display()
            )));
        }
        let (dir, opened) = places(dir, run)?;
        if dir.exists() && !dir.is_dir() {
            return Err(Error::Refused(format!(
                "{} is not a directory; give --dir one of runs",
                dir.display()
            )));
        }
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(USUAL)));
        let refused = |error: io::Error| {
            Error::Refused(format!(
                "cannot listen at {at}: {error}; choose another port with --port (0 picks a free one)"
            ))
        };
        let (listener, address) = listen(at.ip(), port, USUAL).map_err(refused)?;
        Ok(Server { dir, address, listener, opened, asked: port })
    }

    /// What is opened in a browser.
    pub fn url(&self) -> String {
        let asked = self.opened.as_ref().map(|name| format!("?run={}", runs::escaped(name)));
        format!("http://{}/{}", self.address, asked.unwrap_or_default())
    }

    /// The usual port if it was taken.
    pub fn instead_of(&self) -> Option<u16> {
        (self.asked.is_none() && self.address.port() != USUAL).then_some(USUAL)
    }

    /// Serves until SIGINT or SIGTERM, which is how it ends in order.
    ///
    /// # Errors
    /// [`Error::Failed`] if the system gives no sockets or timers.
    pub fn run(self) -> Result<(), Error> {
        let failed = |error: io::Error| Error::Failed(format!("cannot start the server: {error}"));
        // One thread may read a run, the others look what there is.
        let mut builder = runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(3).build().map_err(failed)?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener).map_err(failed)?;
            tokio::spawn(axum::serve(listener, router(&self.dir, self.address)).into_future());
            while interrupt::check().is_ok() {
                tokio::time::sleep(ATTENTION).await;
            }
            Ok(())
        })
    }
}

/// The directory of runs, and the name of `run` in it.
fn places(dir: Option<&Path>, run: Option<&Path>) -> Result<(PathBuf, Option<String>), Error> {
    let usual = dir.unwrap_or(Path::new("runs")).to_path_buf();
    let Some(run) = run else { return Ok((usual, None)) };
    let whole = run.canonicalize().map_err(error::io("read", run))?;
    let above = whole.parent().filter(|_| dir.is_none()).map(Path::to_path_buf);
    for dir in [usual].into_iter().chain(above) {
        let name = dir.canonicalize().ok().and_then(|dir| whole.strip_prefix(dir).ok()?.to_str());
        if let Some(name) = name.filter(|name| runs::find(&dir, name).is_some()) {
            return Ok((dir, Some(name.to_owned())));
        }
    }
    let place = dir.map_or_else(String::new, |dir| format!(" in {}", dir.display()));
    Err(Error::Refused(format!("{} is not a run{place}: give a folder that holds a run.json", run.display())))
}

/// All routes, with the runs below `dir`; requests for another host than `address` are refused.
fn router(dir: &Path, address: SocketAddr) -> Router {
    let fixed = |kind: &'static str, text: &'static str| get(move || async move { of_kind(kind, text) });
    let script = |text| fixed("text/javascript; charset=utf-8", text);
    Router::new()
        .route("/", fixed(HTML, include_str!("page.html")))
        .route("/page.css", fixed("text/css; charset=utf-8", include_str!("page.css")))
        .route("/page.js", script(include_str!("page.js")))
        .route("/common.js", script(include_str!("common.js")))
        .route("/live.js", script(include_str!("live.js")))
        .route("/list.js", script(include_str!("list.js")))
        .route("/run.js", script(include_str!("run.js")))
        .route("/figures.js", script(include_str!("figures.js")))
        .route("/signals.js", script(include_str!("signals.js")))
        .route("/colours.css", fixed("text/css; charset=utf-8", COLOURS))
        .route("/icon.svg", fixed("image/svg+xml", include_str!("icon.svg")))
        .route("/worlds", get(worlds))
        .merge(Router::new().route("/live/{env}", get(live::live)).with_state(Arc::new(dir.to_path_buf())))
        .merge(
            Router::new()
                .route("/runs", get(runs::list))
                .route("/file", get(runs::file))
                .with_state(runs::Runs::below(dir.to_path_buf())),
        )
        .merge(
            Router::new()
                .route("/run", get(run::run))
                .route("/changes", get(run::changes))
                .route("/report", get(run::report))
                .with_state(run::Reports::of(dir.to_path_buf())),
        )
        .merge(
            Router::new()
                .route("/signals", get(signals::signals))
                .with_state(signals::Logs::of(dir.to_path_buf())),
        )
        .fallback(|| async { refused(StatusCode::NOT_FOUND, "there is no such page; see /\n".to_owned()) })
        .layer(from_fn_with_state(address, guarded))
}

/// Refuses requests for another host, and says to the browser what the page may do.
async fn guarded(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = address.port();
    let ours = host == address.to_string() || host == format!("localhost:{port}");
    let mut response = if ours {
        next.run(request).await
    } else {
        refused(StatusCode::MISDIRECTED_REQUEST, format!("this is http://{address}/, not {host}\n"))
    };
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// What can be chosen, and the colours of shares from 0 to 1.
async fn worlds() -> Response {
    let worlds = ENVIRONMENTS.iter().filter_map(|&(name, what)| {
        let setup = Setup::preset(name, "reference").ok()?;
        Some(object!({
            "name": name,
            "what": what,
            "agents": setup.agents(),
            "agent": setup.shown_agent(),
            "control": setup.control(),
        }))
    });
    let ramp: Vec<_> = (0..RAMP).map(|level| cividis(f64::from(level) / f64::from(RAMP - 1))).collect();
    json(&object!({
        "worlds": worlds.collect::<Vec<_>>(),
        "presets": PRESETS.map(|(name, _)| name),
        "trained": live::TRAINED,
        "rates": RATES,
        "ramp": ramp,
    }))
}
