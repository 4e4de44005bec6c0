//! The observer field: coherence as several channels see it, each with weights of its own, over several windows (A10).
//!
//! ```yaml
//! version: 1
//! windows: [W24h, W7d]
//! channels:
//!   mine: {symmetry: 0.4, continuity: 0.3, entropy: 0.1, safety: 0.2}
//! thresholds: {coherence_ok: 0.85, phase_warn: 0.7, phase_crit: 1.2}
//! ```
//!
//! All but `version` may be left out. The four channels of the seeds and `equal`, which weighs nothing, are always there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use resonetics_runs::{Error, files};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::Spanned;

use super::collect::collect;
use super::map::{self, Formulas, Resonance};
use super::window::Window;
use crate::ledger::{Ledger, Place, Row};

/// The name of the file.
pub const FILE: &str = "observer_field.yaml";
/// The channel that weighs nothing.
pub const EQUAL: &str = "equal";
/// How far a sum of weights may be from 1.
const SUM_WITHIN: f64 = 1e-9;
/// Channels times windows are series of a metric: that they have a bound.
const MOST: usize = 32;

/// How much each term counts, from 0 on, 1 in sum; entropy counts reversed.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Of symmetry.
    pub symmetry: f64,
    /// Of continuity.
    pub continuity: f64,
    /// Of 1 - entropy.
    pub entropy: f64,
    /// Of safety.
    pub safety: f64,
}

/// From where on values are good or bad; they are the rules' of alerts, nothing here acts on them.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Coherence is good from here on, in `[0, 1]`.
    pub coherence_ok: f64,
    /// Phase is worth a ticket from here on.
    pub phase_warn: f64,
    /// Phase is bad from here on, not below `phase_warn`.
    pub phase_crit: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { coherence_ok: 0.85, phase_warn: 0.7, phase_crit: 1.2 }
    }
}

/// Windows, channels and thresholds.
#[derive(Clone, Debug, PartialEq)]
pub struct ObserverField {
    /// In the order of the file.
    pub windows: Vec<Window>,
    /// By their names.
    pub channels: BTreeMap<String, Weights>,
    /// Good and bad.
    pub thresholds: Thresholds,
}

/// The seeds' channels and `equal`: symmetry, continuity, entropy, safety.
const PRESETS: [(&str, [f64; 4]); 5] = [
    ("lumen", [0.3, 0.3, 0.2, 0.2]),
    ("lubit", [0.25, 0.35, 0.15, 0.25]),
    ("sena", [0.2, 0.25, 0.25, 0.3]),
    ("vinoce", [0.35, 0.25, 0.2, 0.2]),
    (EQUAL, [0.25, 0.25, 0.25, 0.25]),
];

impl Default for ObserverField {
    fn default() -> Self {
        let weights = |[symmetry, continuity, entropy, safety]: [f64; 4]| Weights {
            symmetry,
            continuity,
            entropy,
            safety,
        };
        Self {
            windows: ["W24h", "W7d"].iter().filter_map(|name| Window::parse(name).ok()).collect(),
            channels: PRESETS.iter().map(|(name, preset)| ((*name).to_owned(), weights(*preset))).collect(),
            thresholds: Thresholds::default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: Spanned<u64>,
    windows: Option<Spanned<Vec<Window>>>,
    #[serde(default)]
    channels: BTreeMap<String, Spanned<Weights>>,
    thresholds: Option<Spanned<Thresholds>>,
}

impl ObserverField {
    /// What the file at `path` says; the usual channels where there is none.
    ///
    /// # Errors
    /// Those of reading it and of [`ObserverField::parse`].
    pub fn read(path: Option<&Path>) -> Result<ObserverField, Error> {
        let Some(path) = path else { return Ok(ObserverField::default()) };
        ObserverField::parse(&path.display().to_string(), &files::text(path)?)
    }

    /// What the YAML text of a file called `name` says.
    ///
    /// # Errors
    /// [`Error::Refused`] with line and column for what is no YAML, an unknown field, one that is there twice, a wrong
    /// type, another version, weights below 0 or not 1 in sum, thresholds out of range, a name of a channel that is no
    /// label or `equal`, no window, one twice, and more than 32 channels or windows.
    pub fn parse(name: &str, text: &str) -> Result<ObserverField, Error> {
        let document: Document = yaml(name, text)?;
        let mut field = ObserverField::default();
        let refused = |place: serde_saphyr::Location, reason: String| {
            Error::Refused(format!("{name}, line {}, column {}: {reason}", place.line(), place.column()))
        };
        if document.version.value != 1 {
            let version = document.version.value;
            return Err(refused(
                document.version.referenced,
                format!("version {version} is not known; allowed: 1"),
            ));
        }
        if let Some(windows) = document.windows {
            check_windows(&windows.value).map_err(|reason| refused(windows.referenced, reason))?;
            field.windows = windows.value;
        }
        for (channel, weights) in document.channels {
            let place = weights.referenced;
            check_channel(&channel, &weights.value).map_err(|reason| refused(place, reason))?;
            field.channels.insert(channel, weights.value);
            if field.channels.len() > MOST {
                return Err(refused(place, format!("more than {MOST} channels; allowed: {MOST}")));
            }
        }
        if let Some(thresholds) = document.thresholds {
            check_thresholds(&thresholds.value).map_err(|reason| refused(thresholds.referenced, reason))?;
            field.thresholds = thresholds.value;
        }
        Ok(field)
    }
}

fn check_windows(windows: &[Window]) -> Result<(), String> {
    let twice = windows.iter().enumerate().find(|(at, window)| windows[..*at].contains(window));
    match twice {
        Some((_, window)) => Err(format!("the window {} is there twice", window.name())),
        None if windows.is_empty() || windows.len() > MOST => {
            Err(format!("{} windows; allowed: 1 to {MOST}", windows.len()))
        }
        None => Ok(()),
    }
}

fn check_channel(name: &str, weights: &Weights) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=32).contains(&name.len()) || !name.bytes().all(plain) {
        return Err(format!("`{name}` is no name of a channel; allowed: 1 to 32 of a-z, 0-9 and -"));
    }
    if name == EQUAL {
        return Err(format!("the channel `{EQUAL}` weighs nothing; choose another name"));
    }
    let all = [weights.symmetry, weights.continuity, weights.entropy, weights.safety];
    if let Some(weight) = all.iter().find(|weight| !weight.is_finite() || **weight < 0.0) {
        return Err(format!("channel `{name}`: the weight {weight} is not allowed; a number from 0 on is"));
    }
    let sum: f64 = all.iter().sum();
    if (sum - 1.0).abs() > SUM_WITHIN {
        return Err(format!("channel `{name}`: its weights are {sum} in sum; allowed: 1"));
    }
    Ok(())
}

fn check_thresholds(thresholds: &Thresholds) -> Result<(), String> {
    let Thresholds { coherence_ok, phase_warn, phase_crit } = *thresholds;
    if !(0.0..=1.0).contains(&coherence_ok) {
        return Err(format!("coherence_ok {coherence_ok} is not allowed; a number in [0, 1] is"));
    }
    let rising =
        phase_warn.is_finite() && phase_crit.is_finite() && 0.0 <= phase_warn && phase_warn <= phase_crit;
    if rising {
        Ok(())
    } else {
        Err(format!(
            "phase_warn {phase_warn} and phase_crit {phase_crit}; allowed: 0 <= phase_warn <= phase_crit"
        ))
    }
}

/// What a YAML text of a file called `name` says.
///
/// # Errors
/// [`Error::Refused`] with line and column where they are known.
pub(super) fn yaml<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    serde_saphyr::from_str(text).map_err(|error| {
        let place =
            error.location().map(|place| format!(", line {}, column {}", place.line(), place.column()));
        let said = error.without_snippet().to_string();
        let said = said.lines().next().unwrap_or_default();
        Error::Refused(format!("{name}{}: {said}", place.unwrap_or_default()))
    })
}

/// What a channel sees in a window; `None` is not known and becomes no sample of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Its name.
    pub channel: String,
    /// `W24h`.
    pub window: String,
    /// The terms, the same for all channels of a window, and coherence with the channel's weights. Weights of terms
    /// that are not known are left out and the rest are made 1 in sum again; `partial` names those terms.
    pub resonance: Resonance,
    /// Seconds since the oldest of what it was computed from was true; `None` where nothing is known.
    pub age_s: Option<f64>,
}

/// What all channels see in all windows up to `now`, in seconds since 1970, of the runs of a ledger; with what could
/// not be used.
#[must_use]
pub fn observed(rows: &[Row], field: &ObserverField, now: f64) -> (Vec<Observed>, Vec<String>) {
    let (mut all, mut notes) = (Vec::new(), Vec::new());
    for window in &field.windows {
        let collected = collect(rows, window, now);
        let (_, age_s) = collected.metrics.fresh();
        let resonance = map::map(&collected.metrics, Formulas::Corrected);
        notes.extend(collected.notes);
        for (channel, weights) in &field.channels {
            let resonance = Resonance { coherence: weighted(&resonance, weights), ..resonance.clone() };
            let (channel, window) = (channel.clone(), window.name().to_owned());
            all.push(Observed { channel, window, resonance, age_s });
        }
    }
    notes.sort();
    notes.dedup();
    (all, notes)
}

/// The same of the ledger at `ledger`, where there is one, with what the run folders below `folders` say now. Writes
/// nothing.
///
/// # Errors
/// Those of [`Ledger::read`] and [`Ledger::scan`].
pub fn observed_in(
    ledger: Option<&Path>,
    folders: &[PathBuf],
    place: &Place,
    field: &ObserverField,
    now: f64,
) -> Result<(Vec<Observed>, Vec<String>), Error> {
    let mut known = ledger.map_or_else(|| Ok(Ledger::default()), Ledger::read)?;
    let unread = known.scan(folders, place)?;
    let (all, mut notes) = observed(&known.rows, field, now);
    notes.extend(unread.into_iter().map(|unread| format!("{}: {}", unread.path.display(), unread.reason)));
    Ok((all, notes))
}

/// Coherence with these weights, three decimals; `None` if no term that is known has a weight.
fn weighted(resonance: &Resonance, weights: &Weights) -> Option<f64> {
    let terms = [
        (resonance.symmetry, weights.symmetry),
        (resonance.continuity, weights.continuity),
        (resonance.entropy.map(|entropy| 1.0 - entropy), weights.entropy),
        (resonance.safety, weights.safety),
    ];
    let known = terms.iter().filter_map(|(term, weight)| Some((((*term)?), *weight)));
    let (sum, weight) =
        known.fold((0.0, 0.0), |(sum, all), (term, weight)| (sum + term * weight, all + weight));
    if weight > 0.0 { map::rounded(Some(sum / weight)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        ObserverField::parse(FILE, text).unwrap_err().to_string()
    }

    #[test]
    fn the_presets_are_one_in_sum() {
        let field = ObserverField::parse(FILE, "version: 1\n").unwrap();
        assert_eq!(field, ObserverField::default());
        assert_eq!(field.channels.len(), 5);
        for weights in field.channels.values() {
            let sum = weights.symmetry + weights.continuity + weights.entropy + weights.safety;
            assert!((sum - 1.0).abs() <= SUM_WITHIN);
        }
        assert_eq!(field.channels["sena"].safety, 0.3);
        assert_eq!(field.windows.iter().map(Window::name).collect::<Vec<_>>(), ["W24h", "W7d"]);
    }

    #[test]
    fn a_file_adds_channels() {
        let text = "version: 1\nwindows: [W2h]\nchannels:\n  mine: {symmetry: 1, continuity: 0, entropy: 0, safety: 0}\nthresholds: {phase_warn: 0.5}\n";
        let field = ObserverField::parse(FILE, text).unwrap();
        assert_eq!((field.channels.len(), field.windows.len()), (6, 1));
        assert_eq!(field.thresholds, Thresholds { phase_warn: 0.5, ..Thresholds::default() });
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        for (text, place, reason) in [
            ("version: 2\n", "line 1, column 10", "allowed: 1"),
            ("version: 1\nwindow: [W24h]\n", "line 2, column 1", "window"),
            ("version: 1\nwindows: [W0h]\n", "line 2", "no window"),
            ("version: 1\nwindows: []\n", "line 2, column 10", "0 windows"),
            ("version: 1\nwindows: [W1h, W1h]\n", "line 2, column 10", "twice"),
            ("version: 1\nversion: 1\n", "line 2, column 1", "duplicate"),
            ("version: 1\nchannels:\n  a: {symmetry: 1, continuity: 0, entropy: 0}\n", "line 3", "safety"),
            (
                "version: 1\nchannels:\n  a: {symmetry: .nan, continuity: 0, entropy: 0, safety: 1}\n",
                "line 3, column 6",
                "NaN",
            ),
            (
                "version: 1\nchannels:\n  a: {symmetry: -1, continuity: 2, entropy: 0, safety: 0}\n",
                "line 3, column 6",
                "from 0 on",
            ),
            (
                "version: 1\nchannels:\n  a: {symmetry: 0.3, continuity: 0.3, entropy: 0.2, safety: 0.1}\n",
                "line 3, column 6",
                "in sum; allowed: 1",
            ),
            (
                "version: 1\nchannels:\n  equal: {symmetry: 1, continuity: 0, entropy: 0, safety: 0}\n",
                "line 3",
                "weighs nothing",
            ),
            (
                "version: 1\nchannels:\n  A B: {symmetry: 1, continuity: 0, entropy: 0, safety: 0}\n",
                "line 3",
                "no name of a channel",
            ),
            ("version: 1\nthresholds: {coherence_ok: 2}\n", "line 2, column 13", "[0, 1]"),
            ("version: 1\nthresholds: {phase_warn: 2}\n", "line 2, column 13", "phase_warn <= phase_crit"),
            ("version: [\n", "line", "FILE"),
        ] {
            let said = refused(text);
            let reason = if reason == "FILE" { FILE } else { reason };
            assert!(said.contains(place) && said.contains(reason), "{text}: {said}");
        }
    }

    /// sena weighs 0.2, 0.25, 0.25, 0.3: without safety (0.2 * 1 + 0.25 * 0.5 + 0.25 * 0.8) / 0.7 = 0.75.
    #[test]
    fn weights_of_what_is_not_known_are_left_out() {
        let terms = Resonance {
            symmetry: Some(1.0),
            continuity: Some(0.5),
            entropy: Some(0.2),
            ..Resonance::default()
        };
        let sena = ObserverField::default().channels["sena"];
        assert_eq!(weighted(&terms, &sena), Some(0.75));
        assert_eq!(weighted(&Resonance::default(), &sena), None);
        let safety = Weights { symmetry: 0.0, continuity: 0.0, entropy: 0.0, safety: 1.0 };
        assert_eq!(weighted(&terms, &safety), None);
    }
}
