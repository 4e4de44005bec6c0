//! The v8.5 recording: sections that are replayed each on its own (RULES section 3.3).

use resonetics_kernel::drift;
use resonetics_kernel::pid::KernelPidTuner;
use resonetics_kernel::prophet_optimizer::{ProphetConfig, ProphetOptimizer};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::brain;
use super::compared::{Compared, Deviations};
use super::given::read;
use super::kernel::{self, Backend, Layer};

/// Tolerance of every number (RULES section 3).
const TOLERANCE: f64 = 1e-5;

/// One section's replay with one backend, or why there is none.
pub struct Section {
    /// Such as `kernel.native`.
    pub name: String,
    /// What was found; a section that is missing or does not fit its format is a finding too, and no good one.
    pub outcome: Result<Compared, String>,
}

/// Replays all sections: those with tensors once for each backend, the others natively.
pub fn replay(trace: &Value) -> Vec<Section> {
    let mut sections = Vec::new();
    for backend in Backend::ALL {
        sections.push(section(trace, "kernel", *backend, |cases: &Vec<kernel::Case>| {
            kernel::replay(cases, *backend)
        }));
    }
    sections.push(section(trace, "prophet_optimizer", Backend::Native, |trace| Ok(optimizer(trace))));
    sections.push(section(trace, "kernel_pid", Backend::Native, |trace| Ok(tuner(trace))));
    for backend in Backend::ALL {
        sections
            .push(section(trace, "risk_predictor", *backend, |trace: &Predictor| predictor(trace, *backend)));
    }
    sections.push(section(trace, "drift_target", Backend::Native, |trace| Ok(target(trace))));
    for backend in Backend::ALL {
        sections.push(section(trace, "gardener_brain", *backend, |trace| brain::replay(trace, *backend)));
    }
    sections
}

fn section<T: DeserializeOwned>(
    trace: &Value,
    name: &str,
    backend: Backend,
    replay: impl FnOnce(&T) -> Result<Compared, String>,
) -> Section {
    let found = trace.get(name).ok_or_else(|| "it is missing".to_owned());
    let outcome = found.and_then(|found| replay(&read(found.clone())?));
    // Nothing compared would be within every tolerance.
    let outcome = outcome.and_then(|compared| match compared.steps {
        0 => Err("it holds nothing to replay".to_owned()),
        _ => Ok(compared),
    });
    Section { name: format!("{name}.{}", backend.name()), outcome }
}

/// `prophet_optimizer`: from a row's risk to its rate, mode, status and smoothed risk.
#[derive(Deserialize)]
struct Optimizer {
    config: ProphetConfig,
    rows: Vec<(f64, f64, String, u8, f64)>,
}

fn optimizer(trace: &Optimizer) -> Compared {
    let mut deviations = Deviations::default();
    // What is recorded is what we take by default, down to the numbers that no row depends on.
    let config = ProphetConfig::default();
    deviations.exact("config", &config, &trace.config);
    let mut optimizer = ProphetOptimizer::new(config);
    for (risk, lr, mode, status, smoothed) in &trace.rows {
        optimizer.update(*risk);
        deviations.number("lr", TOLERANCE, optimizer.lr, *lr);
        deviations.exact("mode", &optimizer.mode.name(), &mode.as_str());
        deviations.exact("status", &optimizer.mode.status(), status);
        deviations.number("smoothed_risk", TOLERANCE, optimizer.smoothed_risk, *smoothed);
    }
    Compared { steps: trace.rows.len(), deviations }
}

/// `kernel_pid`: from a row's `gap_R` and flow to its wR and eps.
#[derive(Deserialize)]
#[allow(non_snake_case)] // the recording's names
struct Tuner {
    target_gap_R: f64,
    target_flow: f64,
    rows: Vec<[f64; 4]>,
}

fn tuner(trace: &Tuner) -> Compared {
    let mut deviations = Deviations::default();
    let mut tuner = KernelPidTuner::default();
    deviations.exact("target_gap_R", &tuner.target_gap_r, &trace.target_gap_R);
    deviations.exact("target_flow", &tuner.target_flow, &trace.target_flow);
    for &[gap_r, flow, w_r, eps] in &trace.rows {
        tuner.update(gap_r, flow);
        deviations.number("wR", TOLERANCE, tuner.w_r, w_r);
        deviations.number("eps", TOLERANCE, tuner.eps, eps);
    }
    Compared { steps: trace.rows.len(), deviations }
}

/// `risk_predictor`: the risks of rows of (`state`, `recent_error`), in evaluation mode.
#[derive(Deserialize)]
struct Predictor {
    layers: Vec<Layer>,
    /// `[n, 2]`: progress, moving average of the change of action.
    state: Vec<f32>,
    /// `[n]`
    recent_error: Vec<f32>,
    /// `[n]`
    expected: Vec<f32>,
}

fn predictor(trace: &Predictor, backend: Backend) -> Result<Compared, String> {
    let rows = trace.recent_error.len();
    if trace.state.len() != 2 * rows {
        return Err(format!(
            "its state has {} numbers, expected 2 for each of {rows} rows",
            trace.state.len()
        ));
    }
    let rows_of_input = trace.state.chunks_exact(2).zip(&trace.recent_error);
    let input: Vec<f32> = rows_of_input.flat_map(|(state, &error)| [state[0], state[1], error]).collect();
    let risks = backend.predict(&kernel::flat(&trace.layers), &input)?;
    let mut deviations = Deviations::default();
    deviations.numbers("risk", TOLERANCE, &risks, &trace.expected);
    Ok(Compared { steps: rows, deviations })
}

/// `drift_target`: the targets of steps 0, 1, ..., without noise.
#[derive(Deserialize)]
struct Target {
    total_steps: u64,
    noise_free: Vec<f64>,
}

fn target(trace: &Target) -> Compared {
    let mut deviations = Deviations::default();
    deviations.exact("total_steps", &(trace.noise_free.len() as u64), &trace.total_steps);
    for (step, &expected) in (0..).zip(&trace.noise_free) {
        // A total of 0 has deviated already; its progress would be no number.
        let found = drift::target(step, trace.total_steps.max(1), 0.0);
        deviations.number("target", TOLERANCE, found, expected);
    }
    Compared { steps: trace.noise_free.len(), deviations }
}
