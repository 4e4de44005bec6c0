//! The routes: what each allows behind its `?`, and what it answers.

use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use resonetics_runs::error::Error;
use resonetics_runs::run_dir::seconds;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{self, Refusal};
use super::encode::{Form, encoded};
use super::known::Shared;
use super::query::Params;
use super::readers::Readers;
use super::samples::Samples;
use super::{export, fleet};
use crate::ledger::Row;
use crate::source::run_name;
use crate::store::{MOST_ROWS, Page, Query, Reader, Window};

/// What answers are made from.
pub(super) struct App {
    pub(super) shared: Arc<Shared>,
    pub(super) readers: Readers,
}

/// What is asked for.
pub(super) struct Asked {
    pub(super) params: Params,
    /// The `Accept` header.
    pub(super) accept: String,
}

type Answer = fn(&App, &Asked) -> Result<Response, Refusal>;

/// A route: its path, the parameters that it knows, its answer.
pub(super) type Route = (&'static str, &'static [&'static str], Answer);

const PAGE: &[&str] = &["run", "from", "to", "limit", "last", "cursor"];

/// All routes. A GET changes nothing.
pub(super) const ROUTES: &[Route] = &[
    ("/api/rmb:last", &["run"], |app, asked| last(app, asked, Reader::last_rmb)),
    ("/api/ure:last", &["run"], |app, asked| last(app, asked, Reader::last_ure)),
    ("/api/rmb", PAGE, |app, asked| page(app, asked, Reader::rmb)),
    ("/api/ure", PAGE, |app, asked| page(app, asked, Reader::ure)),
    ("/api/levels", PAGE, |app, asked| page(app, asked, Reader::levels)),
    ("/api/lumen/metrics", &["last", "run"], points),
    ("/api/fleet", &["run", "limit"], of_fleet),
    ("/api/runs", &["limit", "cursor"], runs),
    ("/healthz", &[], |_, _| Ok(answer::json(&json!({"status": "ok"})))),
    ("/readyz", &[], ready),
    ("/metrics", &[], metrics),
    ("/metrics_ure", &[], metrics),
    ("/openapi.json", &[], |_, _| {
        let text = include_str!("../../openapi.json");
        Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
    }),
];

/// Columns of the points of `/api/lumen/metrics`.
const HEADER: [&str; 5] = ["ts", "phase_diff", "entropy_rate", "creative_band", "risk_band"];
/// Points where nothing is said.
const POINTS: usize = 600;
/// Runs of `/api/fleet` where nothing is said, and at most.
const FLEETS: [usize; 2] = [20, 100];

/// What `ask` reads from the store; a store that is not there has no answer, which is another thing than an empty one.
fn of_store<T>(app: &App, ask: impl FnOnce(&Reader) -> Result<T, Error>) -> Result<T, Refusal> {
    let missing =
        || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the store is not there; /readyz says more");
    app.readers.ask(ask)?.ok_or_else(missing)
}

fn last<R: Serialize>(
    app: &App,
    asked: &Asked,
    ask: fn(&Reader, Option<&str>) -> Result<Option<R>, Error>,
) -> Result<Response, Refusal> {
    let run = asked.params.run()?;
    let row = of_store(app, |reader| ask(reader, run))?;
    Ok(row.map_or_else(|| answer::json(&json!({})), |row| answer::json(&row)))
}

fn page<R: Serialize>(
    app: &App,
    asked: &Asked,
    ask: fn(&Reader, &Query) -> Result<Page<R>, Error>,
) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Rows<R> {
        rows: Vec<R>,
        next: Option<String>,
    }
    let query = asked.params.page()?;
    let Page { rows, next } = of_store(app, |reader| ask(reader, &query))?;
    Ok(answer::json(&Rows { rows, next: next.map(|next| next.to_string()) }))
}

fn points(app: &App, asked: &Asked) -> Result<Response, Refusal> {
    let (run, last) = (asked.params.run()?, asked.params.count("last", POINTS, MOST_ROWS)?);
    let windows = of_store(app, |reader| reader.metrics(run, last))?;
    let points: Vec<Value> = windows.iter().map(point).collect();
    let info = json!({"source": "store", "rows": points.len()});
    Ok(answer::json(&json!({"ok": true, "header": HEADER, "points": points, "info": info})))
}

fn point(window: &Window) -> Value {
    json!({
        "ts": window.ts,
        "phase_diff": window.phase,
        "entropy_rate": window.entropy_rate,
        "creative_band": window.creative,
        "risk_band": window.risk_band,
        "entity_id": window.entity_id,
        "clock": window.clock,
        "residual": window.residual,
    })
}

fn of_fleet(app: &App, asked: &Asked) -> Result<Response, Refusal> {
    let [usual, most] = FLEETS;
    let (run, limit) = (asked.params.run()?, asked.params.count("limit", usual, most)?);
    let known = app.shared.get();
    let running: Vec<&str> = known.live.iter().map(|run| &*run.name).collect();
    let fleet = of_store(app, |reader| fleet::fleet(reader, run, limit, &running, seconds()))?;
    Ok(answer::json(&fleet))
}

/// A row of the ledger without its folder's path.
fn shown(row: &Row) -> Value {
    json!({
        "run_id": row.run_id,
        "name": run_name(Path::new(&row.path)),
        "command": row.command,
        "cell": row.cell,
        "pipeline": row.pipeline,
        "region": row.region,
        "runner": row.runner,
        "version": row.version,
        "trace_id": row.trace_id,
        "started": row.started,
        "ended": row.ended,
        "seconds": row.seconds,
        "outcome": row.outcome,
        "error_class": row.error_class,
    })
}

fn runs(app: &App, asked: &Asked) -> Result<Response, Refusal> {
    let limit = asked.params.count("limit", 1000, MOST_ROWS)?;
    let known = app.shared.get();
    let unknown =
        || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the ledger is not read yet; /readyz says more");
    let (_, rows) = known.ledger.as_ref().ok_or_else(unknown)?;
    // Rows are in this order.
    let place = |row: &Row| (row.started.clone(), row.run_id.clone());
    let from = asked.params.after_run()?.map_or(0, |(started, id)| {
        let last = (started.to_owned(), id.to_owned());
        rows.partition_point(|row| place(row) <= last)
    });
    let to = rows.len().min(from + limit);
    let next = (to < rows.len()).then(|| format!("{}~{}", rows[to - 1].started, rows[to - 1].run_id));
    let shown: Vec<Value> = rows[from..to].iter().map(shown).collect();
    Ok(answer::json(&json!({"rows": shown, "next": next})))
}

#[allow(clippy::unnecessary_wraps)] // as all routes
fn ready(app: &App, _: &Asked) -> Result<Response, Refusal> {
    let known = app.shared.get();
    let mut reasons = known.reasons.clone();
    if known.ledger.is_none() && reasons.iter().all(|reason| !reason.starts_with("ledger")) {
        reasons.push("ledger: it is not read yet");
    }
    match app.readers.ask(|reader| reader.last_rmb(Some(""))) {
        Ok(Some(_)) => {}
        Ok(None) => reasons.push("store: it is not there"),
        Err(_) => reasons.push("store: it cannot be asked"),
    }
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, answer::json(&json!({"ready": reasons.is_empty(), "reasons": reasons}))).into_response())
}

/// Prometheus gets what is known, and nothing of what is not: a store that cannot be read has no samples.
#[allow(clippy::unnecessary_wraps)] // as all routes
fn metrics(app: &App, asked: &Asked) -> Result<Response, Refusal> {
    let (known, now) = (app.shared.get(), seconds());
    let mut samples = Samples::default();
    export::beside_store(&known, now, &mut samples);
    let of_store = app.readers.ask(|reader| {
        let mut samples = samples.clone();
        export::of_store(reader, &known, now, &mut samples)?;
        Ok(samples)
    });
    if let Ok(Some(all)) = of_store {
        samples = all;
    }
    let form = Form::accepted(&asked.accept);
    Ok(([(CONTENT_TYPE, form.content_type())], encoded(samples, form)).into_response())
}
