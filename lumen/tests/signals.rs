//! Signals against scipy, recorded by `oracles/signals.py`, and against noise that says nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)] // a test: libm is the oracle

use resonetics_lumen::signals::entropy::Transitions;
use resonetics_lumen::signals::fleet::{Unit, fleet};
use resonetics_lumen::signals::phase::{COHERENT, Phase, ROWS};
use serde_json::Value;

fn oracle() -> Value {
    serde_json::from_str(include_str!("oracles/signals.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn phases_are_those_of_scipy() {
    let oracle = oracle();
    let phase = Phase::default();
    for series in oracle["phase"].as_array().unwrap() {
        let common = phase.common(&numbers(&series["x"]), &numbers(&series["y"])).unwrap();
        let close = |mine: f64, theirs: &str| {
            let theirs = series[theirs].as_f64().unwrap();
            assert!((mine - theirs).abs() < 1e-9, "{}: {mine} {theirs}", series["name"]);
        };
        close(common.frequency, "frequency");
        close(common.phase, "phase");
        close(common.coherence, "coherence");
    }
}

#[test]
fn entropies_are_those_of_scipy() {
    for symbols in oracle()["entropy"].as_array().unwrap() {
        let mut turns = Transitions::default();
        for (before, counts) in symbols["counts"].as_array().unwrap().iter().enumerate() {
            for (after, count) in counts.as_array().unwrap().iter().enumerate() {
                turns.counts[before][after] = count.as_u64().unwrap() as u32;
            }
        }
        let nats = symbols["nats"].as_f64().unwrap();
        let expected = (nats / 6.0_f64.ln()).clamp(0.0, 1.0);
        assert!((turns.rate(6).unwrap() - expected).abs() < 1e-9, "{nats}");
    }
}

#[test]
fn coupling_is_the_mean_of_numpys_correlations() {
    let oracle = &oracle()["coupling"];
    let units: Vec<Unit> = oracle["residuals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| Unit { residuals: numbers(row), phase_diff: None })
        .collect();
    let coupling = fleet(&units, [0.55, 0.85]).coupling.unwrap();
    assert!((coupling - oracle["mean"].as_f64().unwrap()).abs() < 1e-9, "{coupling}");
}

/// A congruential generator (Knuth's MMIX): tests draw by themselves.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn autoregressive(&mut self, rho: f64) -> Vec<f64> {
        let mut value = 0.0;
        (0..ROWS + 200)
            .map(|_| {
                value = rho * value + self.normal();
                value
            })
            .skip(200)
            .collect()
    }
}

/// Two series that know nothing of each other have a strongest common frequency too: without the test of coherence a gate
/// at |phase| > 3 would fire in 4% of windows.
#[test]
fn noise_has_next_to_no_phase() {
    let (phase, mut noise) = (Phase::default(), Noise(15));
    for rho in [0.0, 0.9, 0.98] {
        let (mut known, mut fired) = (0, 0);
        for _ in 0..400 {
            let common = phase.common(&noise.autoregressive(rho), &noise.autoregressive(rho)).unwrap();
            let coherent = common.coherence >= COHERENT;
            known += u32::from(coherent);
            fired += u32::from(coherent && common.phase.abs() > 3.0);
        }
        println!("rho {rho}: {known} of 400 have a phase, {fired} beyond 3");
        assert!(known <= 20 && fired <= 4, "rho {rho}: {known} of 400 have a phase, {fired} beyond 3");
    }
}
