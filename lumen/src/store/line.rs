//! A line of `events.jsonl` as what its row holds, or why it is none.

use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use crate::event::{Event, Group, Kind, Level, Op, Risk};

/// The most bytes of a line, its end included.
pub const LINE_BYTES: usize = 1 << 20;

/// The most bytes of a reason: a parser's may quote what it was given.
const REASON_BYTES: usize = 300;

/// What slots are called, before their number.
const SLOT: &str = "rmb/v17/slot-";

/// How many slots a run's memory has.
const SLOTS: u8 = 32;

/// What is written of a line that is an event.
pub(super) struct Row<'l> {
    pub(super) event: Event,
    /// The line without its end.
    pub(super) json: &'l str,
    /// SHA-256 of the line without its end.
    pub(super) hash: [u8; 32],
    /// Milliseconds since 1970.
    pub(super) ts_ms: i64,
    pub(super) iter: i64,
    pub(super) clock: i64,
    pub(super) slot: u8,
}

impl Row<'_> {
    pub(super) fn run(&self) -> &str {
        self.event.entity_id.split('/').next().unwrap_or_default()
    }

    /// Nearness to the loss; None where the event says that it is not known.
    pub(super) fn residual(&self) -> Option<f64> {
        match &self.event.signals {
            Some(signals) => signals.residual,
            None => Some(self.event.resonance_v3.residual_entropy),
        }
    }

    /// Phase; None where it is not known.
    pub(super) fn phase(&self) -> Option<f64> {
        self.event.phase_valid.then_some(self.event.resonance_v3.phase_diff)
    }
}

/// What the hash of a line is taken of: all but its end.
pub(super) fn content(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// The row that a line is, or why it is none.
pub(super) fn parsed(too_long: bool, bytes: &[u8]) -> Result<Row<'_>, String> {
    if too_long { Err(format!("longer than {LINE_BYTES} bytes")) } else { parse(bytes) }
}

/// The event that a line is.
///
/// # Errors
/// Why it is none, in one line.
fn parse(line: &[u8]) -> Result<Row<'_>, String> {
    let content = content(line);
    let json = str::from_utf8(content).map_err(|error| short(format!("not UTF-8: {error}")))?;
    if json.trim_ascii().is_empty() {
        return Err("empty".to_owned());
    }
    let said = |error: &serde_json::Error| {
        let text = error.to_string();
        // It counts lines of its own.
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(said, _)| said);
        short(format!("column {}: {text}", error.column()))
    };
    let event: Event = serde_json::from_str(json).map_err(|error| said(&error))?;
    let whole = |name: &str, value: u64| {
        i64::try_from(value).map_err(|_| format!("{name} {value} is above {}", i64::MAX))
    };
    let iter = whole("trace.iter", event.trace.iter)?;
    let clock = whole("trace.clock", event.trace.clock)?;
    let ts_ms =
        milliseconds(&event.ts).ok_or_else(|| short(format!("ts {:?} is no time in UTC", event.ts)))?;
    let slot = slot(&event.memory_bridge.slot_id).ok_or_else(|| {
        short(format!("slot_id {:?} is not {SLOT}0 to {}", event.memory_bridge.slot_id, SLOTS - 1))
    })?;
    check(&event)?;
    Ok(Row { hash: Sha256::digest(content).into(), event, json, ts_ms, iter, clock, slot })
}

/// The event that a line of `events.jsonl` is, as the store takes it.
///
/// # Errors
/// Why it is none, in one line.
pub fn event(line: &[u8]) -> Result<Event, String> {
    parse(line).map(|row| row.event)
}

/// Ranges, which the types do not say.
fn check(event: &Event) -> Result<(), String> {
    if event.entity_id.split('/').next().is_none_or(str::is_empty) {
        return Err("entity_id names no run".to_owned());
    }
    let hash = event.memory_bridge.value_hash.as_bytes();
    if hash.len() < 8 || !hash.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("value_hash is not 8 or more lower-case hexadecimal digits".to_owned());
    }
    let resonance = &event.resonance_v3;
    angle("phase_diff", Some(resonance.phase_diff))?;
    share("residual_entropy", Some(resonance.residual_entropy))?;
    let Some(signals) = &event.signals else { return Ok(()) };
    angle("signals.phase_diff", signals.phase_diff)?;
    for (name, value) in [
        ("signals.residual", signals.residual),
        ("signals.residual_p95", signals.residual_p95),
        ("signals.entropy_rate", signals.entropy_rate),
        ("signals.creative_band", signals.creative_band),
        ("signals.risk_band", signals.risk_band),
        ("signals.harmony_index", signals.harmony_index),
        ("signals.coherence_level", signals.coherence_level),
    ] {
        share(name, value)?;
    }
    Ok(())
}

fn share(name: &str, value: Option<f64>) -> Result<(), String> {
    within(name, value, 0.0, 1.0)
}

/// Version 1 has pi with four decimals.
fn angle(name: &str, value: Option<f64>) -> Result<(), String> {
    let pi = 31_416.0 / 10_000.0;
    within(name, value, -pi, pi)
}

fn within(name: &str, value: Option<f64>, least: f64, greatest: f64) -> Result<(), String> {
    match value {
        // Not a number is in no range.
        Some(value) if !(least..=greatest).contains(&value) => {
            Err(format!("{name} {value} is not between {least} and {greatest}"))
        }
        _ => Ok(()),
    }
}

/// Milliseconds since 1970 of a time in UTC, RFC 3339.
fn milliseconds(ts: &str) -> Option<i64> {
    let since = humantime::parse_rfc3339(ts).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// The number of a slot. `+1` and `01` are no numbers of slots, though they can be parsed.
fn slot(id: &str) -> Option<u8> {
    let digits = id.strip_prefix(SLOT)?;
    let number = digits.parse().ok().filter(|&number: &u8| number < SLOTS)?;
    (digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0')))
        .then_some(number)
}

fn short(mut reason: String) -> String {
    if reason.len() > REASON_BYTES {
        let end = (0..=REASON_BYTES).rev().find(|&end| reason.is_char_boundary(end)).unwrap_or(0);
        reason.truncate(end);
        reason += "...";
    }
    reason
}

/// As the line has it.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Observe => "observe",
        Kind::Decide => "decide",
        Kind::Commit => "commit",
        Kind::Rollback => "rollback",
    }
}

/// As the line has it.
pub(super) fn group(group: Group) -> &'static str {
    match group {
        Group::DesignCore => "design_core",
        Group::BuildCore => "build_core",
        Group::SafetyMusic => "safety_music",
        Group::Observer => "observer",
    }
}

/// As the line has it.
pub(super) fn risk(risk: Risk) -> &'static str {
    match risk {
        Risk::Safe => "SAFE",
        Risk::Watch => "WATCH",
        Risk::Risk => "RISK",
    }
}

/// As the line has it.
pub(super) fn op(op: Op) -> &'static str {
    match op {
        Op::Upsert => "UPSERT",
        Op::Delete => "DELETE",
    }
}

/// As the line has it.
pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::Calm => "CALM",
        Level::Tense => "TENSE",
        Level::Alert => "ALERT",
    }
}
