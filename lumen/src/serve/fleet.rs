//! `/api/fleet`: what the units of each run have in common, and which run is how near to its loss.

use std::collections::{BTreeMap, HashMap};

use resonetics_runs::error::Error;
use serde::Serialize;

use crate::event::{Event, Fleet, Risk};
use crate::store::Reader;

/// Events of a run that are looked at, from the last one back.
const DEEP: usize = 2000;

/// The runs of a store that told something last.
#[derive(Debug, Serialize)]
pub(super) struct Fleets {
    /// The run that told something last comes first.
    runs: Vec<OfRun>,
    /// By mean residual, the one furthest from its loss first.
    leaderboard: Vec<Rank>,
}

/// The units of a run: its lanes, or where there are none its sources, as their last windows say.
#[derive(Debug, Serialize)]
struct OfRun {
    run: String,
    /// Whether it is at work.
    running: bool,
    units: usize,
    /// Units at each letter.
    letters: BTreeMap<&'static str, u64>,
    worst: Option<Worst>,
    /// RFC 3339, UTC.
    updated: Option<String>,
    age_seconds: Option<f64>,
    residual_mean: Option<f64>,
    coupling: Option<f64>,
    phase_bandwidth: Option<f64>,
    entropy_bits: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Worst {
    entity_id: String,
    residual: f64,
}

#[derive(Debug, Serialize)]
struct Rank {
    run: String,
    residual_mean: f64,
}

/// The runs of `reader`, or `run` alone, `limit` at most; `running` are at work; `now` in seconds since 1970.
pub(super) fn fleet(
    reader: &Reader,
    run: Option<&str>,
    limit: usize,
    running: &[&str],
    now: f64,
) -> Result<Fleets, Error> {
    let names = match run {
        Some(run) => reader.totals_of(run)?.map(|totals| totals.run).into_iter().collect(),
        None => reader.newest_runs(limit)?,
    };
    let runs: Vec<OfRun> =
        names.iter().map(|name| units(reader, name, running, now)).collect::<Result<_, _>>()?;
    let rank = |units: &OfRun| Some(Rank { run: units.run.clone(), residual_mean: units.residual_mean? });
    let mut leaderboard: Vec<Rank> = runs.iter().filter_map(rank).collect();
    leaderboard.sort_by(|a, b| a.residual_mean.total_cmp(&b.residual_mean).then_with(|| a.run.cmp(&b.run)));
    Ok(Fleets { runs, leaderboard })
}

fn units(reader: &Reader, run: &str, running: &[&str], now: f64) -> Result<OfRun, Error> {
    let mut newest: HashMap<String, Event> = HashMap::new();
    let (mut last, mut fleet) = (None, None::<Fleet>);
    reader.recent(run, DEEP, |recent| {
        last = last.or(Some(recent.ts_ms));
        if recent.is_window
            && !(newest.contains_key(recent.entity) && fleet.is_some())
            && let Ok(event) = serde_json::from_str::<Event>(recent.json)
        {
            fleet = fleet.or(event.fleet);
            newest.entry(recent.entity.to_owned()).or_insert(event);
        }
        true
    })?;
    let is_lane = |entity: &str| entity.matches('/').count() > 1;
    let has_lanes = newest.keys().any(|entity| is_lane(entity));
    newest.retain(|entity, _| is_lane(entity) == has_lanes);
    let mut letters = BTreeMap::from([("RISK", 0), ("SAFE", 0), ("WATCH", 0)]);
    for event in newest.values() {
        *letters.entry(letter(event.resonance_v3.risk_band)).or_default() += 1;
    }
    let residual = |event: &Event| event.signals.and_then(|signals| signals.residual);
    let mut known: Vec<(f64, &String)> =
        newest.iter().filter_map(|(entity, event)| Some((residual(event)?, entity))).collect();
    // In an order, so that a sum is the same each time.
    known.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let sum: f64 = known.iter().map(|(residual, _)| residual).sum();
    Ok(OfRun {
        run: run.to_owned(),
        running: running.contains(&run),
        units: newest.len(),
        letters,
        worst: known
            .first()
            .map(|(residual, entity)| Worst { entity_id: (*entity).clone(), residual: *residual }),
        updated: last.map(crate::store::time),
        age_seconds: last.map(|ms: i64| (now - ms as f64 / 1e3).max(0.0)),
        residual_mean: (!known.is_empty()).then(|| sum / known.len() as f64),
        coupling: fleet.and_then(|fleet| fleet.coupling),
        phase_bandwidth: fleet.and_then(|fleet| fleet.phase_bandwidth),
        entropy_bits: fleet.and_then(|fleet| fleet.entropy_bits),
    })
}

fn letter(risk: Risk) -> &'static str {
    match risk {
        Risk::Safe => "SAFE",
        Risk::Watch => "WATCH",
        Risk::Risk => "RISK",
    }
}
