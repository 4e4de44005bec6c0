//! The mapper: what was measured becomes the terms of resonance (A8), or those of the seeds.
//!
//! | term | of what | unknown |
//! |---|---|---|
//! | symmetry | 1 - mean abs(d - mean d) / mean abs x, d the differences of the rates x | fewer than 3 rates |
//! | continuity | exp(-gap / 120 min) | no gap |
//! | entropy | -sum p log2 p / log2(classes), `ok` being one | no events, or successes not counted |
//! | safety | chain, log and statements hold, times 1 - age / 180 d | one of the four is |
//! | phase | slowdown + failure rate / 0.1 | one of the two is |
//! | coherence | mean of symmetry, continuity, 1 - entropy, safety | all four are |
//!
//! All but phase lie in [0, 1]. With [`Formulas::Seeds`] the formulas are those of the seeds, which see less (0.3 of the
//! specification); what is missing is filled in by neither.

use serde::{Deserialize, Serialize};

use super::metrics::{Finite, Metrics, OK};

/// The name of the file.
pub const FILE: &str = "resonance.json";

/// From here on a fleet is coherent enough for `--check`.
pub const COHERENCE_AT_LEAST: f64 = 0.7;
/// Below this its phase is good enough for `--check`.
pub const PHASE_BELOW: f64 = 1.2;

/// The rate of failures that adds 1 to phase.
const FAIL_RATE_SCALE: f64 = 0.1;
/// Minutes of gap after which continuity is 1/e.
const GAP_MINUTES: f64 = 120.0;
/// Days after which a ceremony is worth nothing.
const CEREMONY_DAYS: f64 = 180.0;
/// What keeps the seeds from dividing by 0.
const TINY: f64 = 1e-9;

/// Whose formulas are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Formulas {
    /// Those of the table above.
    #[default]
    Corrected,
    /// Those of the seeds: symmetry of differences about their own mean, entropy over the classes that are there,
    /// phase = 95th percentile of latency in s + failure rate.
    Seeds,
}

/// The terms, three decimals. What is not known is `None`, null in the file, and named in `partial`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resonance {
    /// How evenly the rate changes, in `[0, 1]`; 1: always by the same amount.
    pub symmetry: Option<f64>,
    /// How much of the window saw updates, in `(0, 1]`.
    pub continuity: Option<f64>,
    /// How mixed the outcomes are, in `[0, 1]`; 0: all the same, good or bad.
    pub entropy: Option<f64>,
    /// Whether proofs hold and how fresh they are, in `[0, 1]`.
    pub safety: Option<f64>,
    /// Slowing down and failing, from 0 on; above [`PHASE_BELOW`] it is bad.
    pub phase: Option<f64>,
    /// Mean of the first four that are known, entropy reversed, in `[0, 1]`.
    pub coherence: Option<f64>,
    /// The names of the terms that are not known.
    pub partial: Vec<String>,
}

impl Resonance {
    /// What `--check` asks: coherent, in phase, nothing missing; judged by the numbers as they are written.
    ///
    /// # Errors
    /// All that speaks against it, in a line.
    pub fn check(&self) -> Result<(), String> {
        let mut reasons = Vec::new();
        if !self.partial.is_empty() {
            reasons.push(format!("not known: {}", self.partial.join(", ")));
        }
        if let Some(low) = self.coherence.filter(|&coherence| coherence < COHERENCE_AT_LEAST) {
            reasons.push(format!("coherence {low} is below {COHERENCE_AT_LEAST}"));
        }
        if let Some(high) = self.phase.filter(|&phase| phase >= PHASE_BELOW) {
            reasons.push(format!("phase {high} is not below {PHASE_BELOW}"));
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
    }
}

/// The terms of what was measured; what is older than its window counts as missing.
#[must_use]
pub fn map(metrics: &Metrics, formulas: Formulas) -> Resonance {
    let (known, _) = metrics.fresh();
    let (symmetry, entropy, phase) = match formulas {
        Formulas::Corrected => (symmetry(&known), entropy(&known), phase(&known)),
        Formulas::Seeds => (seeds_symmetry(&known), seeds_entropy(&known), seeds_phase(&known)),
    };
    let clamped = |term: Option<f64>| term.map(|term| term.clamp(0.0, 1.0));
    let (symmetry, entropy) = (clamped(symmetry), clamped(entropy));
    let (continuity, safety) = (clamped(continuity(&known)), clamped(safety(&known)));
    let parts = [symmetry, continuity, entropy.map(|entropy| 1.0 - entropy), safety];
    let coherence = mean(&parts.into_iter().flatten().collect::<Vec<f64>>());
    let named = [
        ("symmetry", symmetry),
        ("continuity", continuity),
        ("entropy", entropy),
        ("safety", safety),
        ("phase", phase),
        ("coherence", coherence),
    ];
    let partial = named.iter().filter(|(_, term)| term.is_none()).map(|(name, _)| (*name).to_owned());
    Resonance {
        symmetry: rounded(symmetry),
        continuity: rounded(continuity),
        entropy: rounded(entropy),
        safety: rounded(safety),
        phase: rounded(phase),
        coherence: rounded(coherence),
        partial: partial.collect(),
    }
}

/// Three decimals.
pub(super) fn rounded(term: Option<f64>) -> Option<f64> {
    // From 2^52 on there are no decimals, and a thousand times it may be too large.
    term.map(|term| if term.abs() < 1e15 { (term * 1e3).round() / 1e3 } else { term })
}

/// `None` for an empty sample, and for sums that are too large.
fn mean(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    mean.is_finite().then_some(mean)
}

fn distance(values: &[f64], from: f64) -> Option<f64> {
    mean(&values.iter().map(|value| (value - from).abs()).collect::<Vec<f64>>())
}

/// One difference alone is its own mean, and would be perfectly even: three rates at least.
fn symmetry(known: &Metrics) -> Option<f64> {
    let rates: Vec<f64> = known.series_rates.as_ref()?.iter().map(|rate| rate.value()).collect();
    let differences: Vec<f64> = rates.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if differences.len() < 2 {
        return None;
    }
    Some(1.0 - distance(&differences, mean(&differences)?)? / mean(&rates)?.max(TINY))
}

fn seeds_symmetry(known: &Metrics) -> Option<f64> {
    let values: Vec<f64> = known.series_deltas.as_ref()?.iter().copied().map(Finite::value).collect();
    let center = mean(&values)?;
    Some(1.0 - distance(&values, center)? / center.max(TINY))
}

#[allow(clippy::disallowed_methods)] // no trajectory depends on it
fn continuity(known: &Metrics) -> Option<f64> {
    Some((-known.gap_minutes?.value() / GAP_MINUTES).exp())
}

/// Classes without events count as classes. Where successes are not counted, nothing is known of the mixture.
fn entropy(known: &Metrics) -> Option<f64> {
    let counts = known.failure_hist.as_ref()?;
    if !counts.contains_key(OK) {
        return None;
    }
    shannon(&counts.values().map(|&count| count as f64).collect::<Vec<f64>>(), 0.0)
}

fn seeds_entropy(known: &Metrics) -> Option<f64> {
    shannon(&known.failure_hist.as_ref()?.values().map(|&count| count as f64).collect::<Vec<f64>>(), 1e-12)
}

/// Entropy of `counts` over the most that so many classes can have; 0 of one class, `None` of no events.
fn shannon(counts: &[f64], added: f64) -> Option<f64> {
    let events: f64 = counts.iter().sum();
    if events == 0.0 {
        return None;
    }
    if counts.len() == 1 {
        return Some(0.0);
    }
    let shares = counts.iter().map(|count| count / events).filter(|&share| share > 0.0);
    let bits: f64 = shares.map(|share| -share * (share + added).log2()).sum();
    Some(bits / (counts.len() as f64).log2())
}

/// Whatever of it is unknown makes it unknown: it never fails open.
fn safety(known: &Metrics) -> Option<f64> {
    let (chain, statements, log) = (known.chain_ok?, known.dsse_ok?, known.tlog_ok?);
    let age = known.last_ceremony_age_d?.value();
    Some(if chain && statements && log { (1.0 - age / CEREMONY_DAYS).max(0.0) } else { 0.0 })
}

fn phase(known: &Metrics) -> Option<f64> {
    finite(known.slowdown?.value() + known.fail_rate?.value() / FAIL_RATE_SCALE)
}

fn seeds_phase(known: &Metrics) -> Option<f64> {
    finite(known.latency_p95_ms?.value() / 1e3 + known.fail_rate?.value())
}

fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample of the seeds.
    const SAMPLE: &str = r#"{"series_deltas": [0.1, 0.12, 0.09, 0.11, 0.1], "gap_minutes": 0,
        "failure_hist": {"network": 2, "external": 1}, "chain_ok": true, "dsse_ok": true, "tlog_ok": true,
        "last_ceremony_age_d": 27, "latency_p95_ms": 85, "fail_rate": 0.002}"#;

    fn mapped(text: &str) -> Resonance {
        map(&Metrics::parse(text).unwrap(), Formulas::Corrected)
    }

    #[test]
    fn the_sample_of_the_seeds_gives_what_they_say() {
        let found = map(&Metrics::parse(SAMPLE).unwrap(), Formulas::Seeds);
        let expected = Resonance {
            symmetry: Some(0.915),
            continuity: Some(1.0),
            entropy: Some(0.918),
            safety: Some(0.85),
            phase: Some(0.087),
            coherence: Some(0.712),
            partial: Vec::new(),
        };
        assert_eq!(found, expected);
        assert_eq!(found.check(), Ok(()));
    }

    /// Rates 10, 12, 11: differences 2, -1, mean 0.5, mean distance 1.5, mean rate 11: 1 - 1.5/11. Gap 60 min:
    /// exp(-0.5). 997/2/1 of three classes: 0.0203. Safety 1 - 45/180. Phase 0.3 + 0.05/0.1.
    #[test]
    fn the_corrected_terms_are_those_of_a_hand_computation() {
        let found = mapped(
            r#"{"series_rates": [10, 12, 11], "gap_minutes": 60, "failure_hist": {"ok": 997, "io": 2, "diverged": 1},
                "chain_ok": true, "dsse_ok": true, "tlog_ok": true, "last_ceremony_age_d": 45, "slowdown": 0.3,
                "fail_rate": 0.05}"#,
        );
        let terms = [found.symmetry, found.continuity, found.entropy, found.safety, found.phase];
        assert_eq!(terms, [Some(0.864), Some(0.607), Some(0.02), Some(0.75), Some(0.8)]);
        // (0.863636 + 0.606531 + 0.979673 + 0.75) / 4 = 0.799960
        assert_eq!((found.coherence, found.partial.len()), (Some(0.8), 0));
    }

    #[test]
    fn entropy_counts_successes() {
        let of = |hist: &str| mapped(&format!("{{\"failure_hist\": {hist}}}")).entropy;
        assert_eq!(of(r#"{"ok": 0, "io": 2, "x": 1}"#), Some(0.579));
        assert_eq!(of(r#"{"ok": 5}"#), Some(0.0));
        assert_eq!(of(r#"{"ok": 1, "io": 1}"#), Some(1.0));
        assert_eq!(of(r#"{"ok": 0, "io": 0}"#), None);
        assert_eq!(of("{}"), None);
        assert_eq!(of(r#"{"io": 2, "x": 1}"#), None);
    }

    #[test]
    fn a_broken_proof_is_no_safety_and_an_old_ceremony_none_below() {
        let of = |rest: &str| mapped(&format!("{{\"dsse_ok\": true, \"tlog_ok\": true, {rest}}}")).safety;
        assert_eq!(of(r#""chain_ok": false, "last_ceremony_age_d": 0"#), Some(0.0));
        assert_eq!(of(r#""chain_ok": true, "last_ceremony_age_d": 400"#), Some(0.0));
        assert_eq!(of(r#""chain_ok": true"#), None);
    }

    #[test]
    fn terms_are_clamped_before_the_mean_and_phase_is_not() {
        let found = mapped(r#"{"series_rates": [1, 9, 1, 9], "slowdown": 2, "fail_rate": 1}"#);
        assert_eq!((found.symmetry, found.phase, found.coherence), (Some(0.0), Some(12.0), Some(0.0)));
        assert_eq!(found.partial, ["continuity", "entropy", "safety"]);
    }

    #[test]
    fn numbers_too_large_to_add_are_not_known() {
        let found = mapped(r#"{"series_rates": [1e308, 1e308, 1e308], "slowdown": 1e308, "fail_rate": 0}"#);
        assert_eq!((found.symmetry, found.phase), (None, Some(1e308)));
    }

    #[test]
    fn check_says_all_that_is_wrong() {
        let nothing = mapped("{}").check().unwrap_err();
        assert_eq!(nothing, "not known: symmetry, continuity, entropy, safety, phase, coherence");
        let bad = Resonance { coherence: Some(0.699), phase: Some(1.2), ..Resonance::default() };
        assert_eq!(bad.check().unwrap_err(), "coherence 0.699 is below 0.7; phase 1.2 is not below 1.2");
        let good = Resonance { coherence: Some(0.7), phase: Some(1.199), ..Resonance::default() };
        assert_eq!(good.check(), Ok(()));
    }
}
