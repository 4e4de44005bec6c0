//! Figures and words for what a log says.

use std::f64::consts::PI;
use std::path::Path;

use resonetics_analysis::chart::{Curve, Guide, Guided, Labels, Moment, Size, guided, themed};
use resonetics_lumen::event::{FILE, Level, Signals};
use resonetics_runs::plan::Lumen;
use serde_json::{Value, json};

use super::follow::{Followed, NAMES};
use super::series::{Happened, KEPT, KINDS, SHARES, Series, shares};
use crate::serve::ends::start;

/// Where an agent is said to have room of its own, and where risk is said to be high.
const CREATIVE_MIN: f64 = 0.22;
const RISK_MAX: f64 = 0.35;

/// What the page is told of the run in `folder`.
///
/// # Errors
/// That a figure cannot be drawn.
pub(super) fn told(followed: &Followed, folder: &Path) -> Result<Value, String> {
    let series = &followed.series;
    let (names, more) = followed.names.listed();
    let level = series.level();
    let moment = |happened: &Happened| {
        let Happened { number, clock, kind, reason } = happened;
        json!({"number": number, "clock": clock, "kind": KINDS[*kind], "reason": reason})
    };
    let happened = series.happened();
    Ok(json!({
        "of": followed.of,
        "names": names,
        "level": level.map(|(level, _)| word(level)),
        "told": sentence(series),
        "last": series.last.map(|(_, _, signals)| values(&signals)),
        "unit": series.unit(),
        "figures": if series.last.is_some() { figures(followed, &thresholds(folder))? } else { Vec::new() },
        "moments": happened.iter().map(|happened| moment(happened)).collect::<Vec<_>>(),
        "notes": notes(followed, more, happened.len() as u64),
    }))
}

/// Where levels begin in the run in `folder`.
fn thresholds(folder: &Path) -> Lumen {
    let config = start(&folder.join("config.toml")).and_then(|text| text.parse::<toml::Table>().ok());
    let lumen = config.and_then(|mut config| config.remove("lumen")?.try_into().ok());
    lumen.unwrap_or_default()
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Calm => "CALM",
        Level::Tense => "TENSE",
        Level::Alert => "ALERT",
    }
}

/// What the badge means.
fn sentence(series: &Series) -> String {
    let unit = series.unit();
    let Some((_, clock, _)) = series.last else {
        return "No window has ended yet.".to_owned();
    };
    let windows = match series.windows {
        1 => "1 window".to_owned(),
        several => format!("{several} windows"),
    };
    let since = match series.level() {
        Some((_, since)) => format!("Its level since {unit} {since}."),
        None => "Its level is not known before two windows in a row say the same.".to_owned(),
    };
    format!("{since} {windows} so far, the last one up to {unit} {clock}:")
}

/// The names and values of a window, as they are shown; none for what is not known.
fn values(signals: &Signals) -> Vec<(&'static str, Option<String>)> {
    let shares = SHARES.into_iter().zip(shares(signals));
    let shown = shares.map(|(name, value)| (name, value.map(|value| format!("{value:.3}"))));
    let phase = signals.phase_diff.map(|phase| format!("{phase:+.3} rad"));
    shown.chain([("phase", phase)]).collect()
}

fn figures(followed: &Followed, at: &Lumen) -> Result<Vec<Value>, String> {
    let series = &followed.series;
    let unit = series.unit();
    let whose = followed.of.as_deref().and_then(|name| name.split_once('/')).map_or("the run", |(_, of)| of);
    let moments: Vec<Moment> = series.happened().into_iter().map(placed).collect();
    let (tense, alert) =
        (format!("TENSE above {}", at.residual_tense), format!("ALERT above {}", at.residual_alert));
    let (creative, risk) = (format!("creative_min {CREATIVE_MIN}"), format!("risk_max {RISK_MAX}"));
    let guide = |name, of, at| Guide { name, of: SHARES[of], at };
    let guides = [
        guide(&*tense, 0, at.residual_tense),
        guide(&*alert, 0, at.residual_alert),
        guide(&*creative, 1, CREATIVE_MIN),
        guide(&*risk, 2, RISK_MAX),
    ];
    let curves = series.curves();
    let title = format!("Signals of {whose}");
    let signals = Guided {
        labels: Labels { title: &title, x: unit, y: "share" },
        x: 0.0..(series.end as f64).max(1.0),
        y: 0.0..1.0,
        curves: &curves,
        guides: &guides,
        kinds: KINDS,
        moments: &moments,
        low: false,
    };
    let unknown = match &series.unknown()[..] {
        [] => String::new(),
        names => format!(" Not known in any window: {}.", names.join(", ")),
    };
    let caption = format!(
        "Each point is a window that ends at this {unit}; where a signal is not known there is a gap. Good are a low residual and risk, \
         and a high creative band.{unknown}"
    );
    let mut drawn = vec![drawn("signals", &caption, &signals)?];
    if let Some(phase) = series.phase() {
        drawn.push(strip(&[phase], signals)?);
    }
    Ok(drawn)
}

/// The phase below the other signals.
fn strip(curves: &[Curve], above: Guided<'_>) -> Result<Value, String> {
    let caption = "The angle between residual and effort, from -pi to pi, where both swing together.";
    let labels = Labels { title: "Phase", y: "rad", ..above.labels };
    let strip = Guided { labels, y: -PI..PI, curves, guides: &[], moments: &[], low: true, ..above };
    drawn("phase", caption, &strip)
}

fn drawn(name: &str, caption: &str, figure: &Guided<'_>) -> Result<Value, String> {
    let of = |size| guided(figure, size).map(|svg| themed(&svg, caption)).map_err(|error| error.to_string());
    Ok(json!({"name": name, "caption": caption, "wide": of(Size::Wide)?, "narrow": of(Size::Narrow)?}))
}

fn placed(happened: &Happened) -> Moment {
    Moment { x: happened.clock as f64, kind: happened.kind, number: happened.number }
}

fn notes(followed: &Followed, more: bool, shown: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((line, problem)) = &followed.first_refused {
        let (count, are) = match followed.refused {
            1 => ("1 line".to_owned(), "is no event and was"),
            several => (format!("{several} lines"), "are no events and were"),
        };
        notes.push(format!("{count} of {FILE} {are} left out; the first is line {line}: {problem}"));
    }
    if followed.series.phase().is_none() && followed.series.last.is_some() {
        notes.push("The phase is not known in any window.".to_owned());
    }
    let all = followed.series.count;
    if all > shown {
        notes.push(format!("{all} things happened; the last {KEPT} of each kind are shown."));
    }
    if more {
        notes.push(format!("There are more sources and lanes; {NAMES} can be chosen here."));
    }
    notes
}
