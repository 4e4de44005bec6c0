//! `metrics.json`: what resonance is computed from, in its two forms (A8).
//!
//! Flat: the fields of [`Metrics`]. Nested: `sli`, `tlog`, `latency`, `custody`, `attest`, which become the flat ones.
//! Every field may be missing or null, which says that it is not known; nothing is filled in, also not what the seeds
//! assume (proofs that hold, a ceremony of 90 days ago).

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use resonetics_runs::Error;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of the file.
pub const FILE: &str = "metrics.json";

/// The class of events that are no failure.
pub const OK: &str = "ok";

/// What was measured in a window. What is `None` is not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Seconds of the window; *ours*. Whatever is older than it is not known: see `ages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_s: Option<Amount>,
    /// Differences of a rate, in its unit; the seeds' symmetry is of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_deltas: Option<Vec<Finite>>,
    /// The rate itself, in order of time, any unit; *ours*: differences alone do not tell how large they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_rates: Option<Vec<Amount>>,
    /// Minutes of the window in which a run was running and made no update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_minutes: Option<Amount>,
    /// How often each class of failure occurred; [`OK`] counts what succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unique")]
    pub failure_hist: Option<BTreeMap<String, u64>>,
    /// Whether the chain of records is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_ok: Option<bool>,
    /// Whether the signed statements hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsse_ok: Option<bool>,
    /// Whether the log includes what it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tlog_ok: Option<bool>,
    /// Days since the last verified archive or key audit, the older of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ceremony_age_d: Option<Amount>,
    /// 95th percentile of the time of an update, in ms; the seeds' phase takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p95_ms: Option<Amount>,
    /// 95th percentile of the time of an update over that of the run's first quarter, less 1, not below 0; *ours*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowdown: Option<Amount>,
    /// Share of the runs that failed, in `[0, 1]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_rate: Option<Share>,
    /// Seconds since what each field says was last true, by the field's name; *ours*.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unique")]
    pub ages: Option<BTreeMap<String, Amount>>,
}

/// The fields that may have an age.
pub const FIELDS: [&str; 11] = [
    "series_deltas",
    "series_rates",
    "gap_minutes",
    "failure_hist",
    "chain_ok",
    "dsse_ok",
    "tlog_ok",
    "last_ceremony_age_d",
    "latency_p95_ms",
    "slowdown",
    "fail_rate",
];

/// The parts of the nested form.
const PARTS: [&str; 5] = ["sli", "tlog", "latency", "custody", "attest"];

/// A number that is finite.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Finite(f64);

/// A number that is finite and not below 0.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Amount(f64);

/// A number in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Share(f64);

/// Wraps numbers of a range: `value` hands them out again.
macro_rules! ranged {
    ($name:ident, $test:expr, $allowed:literal) => {
        impl TryFrom<f64> for $name {
            type Error = String;

            fn try_from(value: f64) -> Result<Self, String> {
                let test: fn(f64) -> bool = $test;
                if test(value) {
                    Ok(Self(value))
                } else {
                    Err(format!(concat!("{} is not ", $allowed), value))
                }
            }
        }

        impl $name {
            /// The number.
            #[must_use]
            pub fn value(self) -> f64 {
                self.0
            }
        }
    };
}
ranged!(Finite, f64::is_finite, "a finite number");
ranged!(Amount, |value| value.is_finite() && value >= 0.0, "allowed: a finite number from 0 on");
ranged!(Share, |value| (0.0..=1.0).contains(&value), "allowed: a number in [0, 1]");

/// The nested form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nested {
    sli: Option<Sli>,
    tlog: Option<TLog>,
    latency: Option<Latency>,
    custody: Option<Custody>,
    attest: Option<Attest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sli {
    p_success_7d: Option<Share>,
    #[serde(rename = "p_success_30d")]
    _month: Option<Share>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TLog {
    #[serde(rename = "entries")]
    _entries: Option<u64>,
    inclusion_fail_24h: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Latency {
    p95_ms: Option<Amount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Custody {
    last_ceremony_age_d: Option<Amount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attest {
    verified_24h: Option<u64>,
    failed_24h: Option<u64>,
}

impl From<Nested> for Metrics {
    /// A log without failed inclusions is whole; statements hold if some were verified and none failed; the failure
    /// rate is what lacks to success in seven days. The nested form knows no chain, no gap, no classes and no rates.
    fn from(nested: Nested) -> Metrics {
        let success = nested.sli.and_then(|sli| sli.p_success_7d);
        let attested = nested.attest.and_then(|attest| Some((attest.verified_24h?, attest.failed_24h?)));
        Metrics {
            tlog_ok: nested.tlog.and_then(|tlog| tlog.inclusion_fail_24h).map(|failed| failed == 0),
            dsse_ok: attested.map(|(verified, failed)| verified > 0 && failed == 0),
            fail_rate: success.map(|success| Share(1.0 - success.0)),
            latency_p95_ms: nested.latency.and_then(|latency| latency.p95_ms),
            last_ceremony_age_d: nested.custody.and_then(|custody| custody.last_ceremony_age_d),
            ..Metrics::default()
        }
    }
}

impl Metrics {
    /// What the text of a `metrics.json` says, in either form.
    ///
    /// # Errors
    /// [`Error::Refused`] with line and column for what is no JSON (NaN is none), an unknown field, one that is there
    /// twice, a wrong type, and a number that is out of range; for both forms in one; for an age of what is no field,
    /// or without the window that it counts against.
    pub fn parse(text: &str) -> Result<Metrics, Error> {
        let refused = |error: serde_json::Error| Error::Refused(format!("{FILE}: {error}"));
        let value: Value = serde_json::from_str(text).map_err(refused)?;
        let object = value.as_object().ok_or_else(|| {
            Error::Refused(format!(
                "{FILE}, line 1: not an object; one with these fields: {}",
                FIELDS.join(", ")
            ))
        })?;
        let part = object.keys().find(|key| PARTS.contains(&key.as_str()));
        let flat = object.keys().find(|key| !PARTS.contains(&key.as_str()));
        match (part, flat) {
            (Some(part), Some(flat)) => Err(Error::Refused(format!(
                "{FILE}: `{part}` is of the nested form, `{flat}` is not; nested: {}; flat: window_s, ages, {}",
                PARTS.join(", "),
                FIELDS.join(", ")
            ))),
            (Some(_), None) => Ok(serde_json::from_str::<Nested>(text).map_err(refused)?.into()),
            _ => {
                let metrics: Metrics = serde_json::from_str(text).map_err(refused)?;
                metrics.check_ages()?;
                Ok(metrics)
            }
        }
    }

    fn check_ages(&self) -> Result<(), Error> {
        let Some(ages) = &self.ages else { return Ok(()) };
        if let Some(name) = ages.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            let fields = FIELDS.join(", ");
            return Err(Error::Refused(format!("{FILE}, ages.{name}: no such field; known are: {fields}")));
        }
        if self.window_s.is_none() {
            return Err(Error::Refused(format!(
                "{FILE}, ages: they count against window_s, which is missing; give the seconds of the window"
            )));
        }
        Ok(())
    }

    /// The same without what is older than the window; with the oldest age of the rest, in seconds, where one has an
    /// age.
    #[must_use]
    pub fn fresh(&self) -> (Metrics, Option<f64>) {
        let mut fresh = self.clone();
        let (Some(window), Some(ages)) = (self.window_s, &self.ages) else { return (fresh, None) };
        let stale = |name: &str| ages.get(name).is_some_and(|age| age.0 > window.0);
        macro_rules! drop_stale {
            ($($field:ident),*) => { $(if stale(stringify!($field)) { fresh.$field = None; })* };
        }
        drop_stale!(series_deltas, series_rates, gap_minutes, failure_hist, chain_ok, dsse_ok, tlog_ok);
        drop_stale!(last_ceremony_age_d, latency_p95_ms, slowdown, fail_rate);
        let oldest = ages.values().map(|age| age.0).filter(|age| *age <= window.0).reduce(f64::max);
        (fresh, oldest)
    }
}

/// A map whose keys are there once; `None` for null.
fn unique<'de, D, V>(deserializer: D) -> Result<Option<BTreeMap<String, V>>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct Once<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for Once<V> {
        type Value = Option<BTreeMap<String, V>>;

        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("an object of numbers by name")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = entries.next_entry::<String, V>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format!("`{key}` is there twice; once is allowed")));
                }
                map.insert(key, value);
            }
            Ok(Some(map))
        }
    }

    deserializer.deserialize_any(Once(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let error = Metrics::parse(text).unwrap_err();
        assert!(error.is_refusal(), "{error}");
        error.to_string()
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        for (text, place, reason) in [
            ("{\n \"gap_minutes\": NaN}", "line 2 column 17", "expected"),
            ("{\n \"gap_minutes\": -1}", "line 2 column", "a finite number from 0 on"),
            ("{\"gap_minutes\": 1e999}", "line 1 column", "out of range"),
            ("{\"fail_rate\": 1.5}", "line 1 column", "in [0, 1]"),
            ("{\"failure_hist\": {\"io\": -2}}", "line 1 column", "-2"),
            ("{\"failure_hist\": {\"io\": 1, \"io\": 2}}", "line 1 column", "twice"),
            ("{\"failure_hist\": 3}", "line 1 column", "an object of numbers by name"),
            ("{\"chain_ok\": 1}", "line 1 column", "expected a boolean"),
            ("{\"chain_okay\": true}", "line 1 column", "unknown field `chain_okay`, expected one of"),
            ("{\"fail_rate\": 0, \"fail_rate\": 1}", "line 1 column", "duplicate field"),
            ("{\"series_deltas\": [1, \"2\"]}", "line 1 column", "invalid type: string"),
            ("{\"sli\": {\"p_success_7d\": 2}}", "line 1 column", "in [0, 1]"),
            ("{\"attest\": {\"failed_24h\": -1}}", "line 1 column", "-1"),
            ("{\"sli\": {}, \"chain_ok\": true}", "`sli` is of the nested form", "`chain_ok` is not"),
            ("{\"window_s\": 1, \"ages\": {\"entropy\": 1}}", "ages.entropy", "known are: series_deltas"),
            ("{\"ages\": {\"fail_rate\": 1}}", "ages", "window_s"),
            ("[]", "line 1", "not an object"),
        ] {
            let said = refused(text);
            assert!(said.contains(place) && said.contains(reason), "{text}: {said}");
        }
    }

    #[test]
    fn the_nested_form_becomes_the_flat_one() {
        let nested = r#"{"sli": {"p_success_7d": 0.75, "p_success_30d": 0.5}, "tlog": {"entries": 7, "inclusion_fail_24h": 0},
            "latency": {"p95_ms": 85}, "custody": {"last_ceremony_age_d": 27}, "attest": {"verified_24h": 3, "failed_24h": 1}}"#;
        let flat = r#"{"tlog_ok": true, "dsse_ok": false, "fail_rate": 0.25, "latency_p95_ms": 85, "last_ceremony_age_d": 27}"#;
        assert_eq!(Metrics::parse(nested).unwrap(), Metrics::parse(flat).unwrap());
        let none =
            Metrics::parse(r#"{"sli": {}, "tlog": {"entries": 3}, "attest": {"verified_24h": 3}}"#).unwrap();
        assert_eq!(none, Metrics::default());
        let unverified = Metrics::parse(r#"{"attest": {"verified_24h": 0, "failed_24h": 0}}"#).unwrap();
        assert_eq!(unverified.dsse_ok, Some(false));
    }

    #[test]
    fn what_is_older_than_its_window_is_not_known() {
        let text = r#"{"window_s": 60, "gap_minutes": 1, "fail_rate": 0, "ages": {"gap_minutes": 60, "fail_rate": 60.5}}"#;
        let (fresh, oldest) = Metrics::parse(text).unwrap().fresh();
        assert!(fresh.gap_minutes.is_some() && fresh.fail_rate.is_none());
        assert_eq!(oldest, Some(60.0));
        assert_eq!(Metrics::default().fresh(), (Metrics::default(), None));
    }

    #[test]
    fn null_is_the_same_as_missing() {
        let text = r#"{"failure_hist": null, "gap_minutes": null, "ages": null}"#;
        assert_eq!(Metrics::parse(text).unwrap(), Metrics::default());
    }
}
