//! The recorded passes of a gardener's brain (`gardener_brain` in the v8.5 recording).

use resonetics_envs::gardener::{BrainWeights, Brains, softmax};
use serde::Deserialize;

use super::compared::{Compared, Deviations};
use super::kernel::Backend;

/// Tolerance of everything (RULES.md).
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
pub struct Trace {
    view_size: usize,
    /// Channels of the convolution; the size of `conv_weight` says so as well.
    features: usize,
    /// Width of the memory; that of `policy_weight` says so as well.
    hidden: usize,
    conv_weight: Vec<f32>,
    conv_bias: Vec<f32>,
    lstm_weight_ih: Vec<f32>,
    lstm_weight_hh: Vec<f32>,
    lstm_bias_ih: Vec<f32>,
    lstm_bias_hh: Vec<f32>,
    policy_weight: Vec<f32>,
    policy_bias: Vec<f32>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    view: Vec<f32>,
    probabilities: Vec<f32>,
    hidden: Vec<f32>,
    cell: Vec<f32>,
}

/// A brain that passes are replayed with: probabilities, hidden and cell state after a view, or what libtorch
/// says.
type Passes<'a> = Box<dyn FnMut(&[f32]) -> Result<[Vec<f32>; 3], String> + 'a>;

/// Replays the passes in order, memory and all.
pub fn replay(trace: &Trace, backend: Backend) -> Result<Compared, String> {
    if trace.view_size < 5 || trace.view_size > 31 || trace.view_size.is_multiple_of(2) {
        return Err(format!("view_size {} is not an odd number from 5 to 31", trace.view_size));
    }
    let mut brains = native(trace)?;
    let mut deviations = Deviations::default();
    deviations.exact("features_width", &trace.conv_bias.len(), &trace.features);
    deviations.exact("hidden_width", &brains.memory(0).0.len(), &trace.hidden);
    let mut pass: Passes<'_> = match backend {
        Backend::Native => Box::new(move |view| {
            let probabilities = softmax(&brains.forward(0, view));
            let (hidden, cell) = brains.memory(0);
            Ok([probabilities.to_vec(), hidden.to_vec(), cell.to_vec()])
        }),
        #[cfg(feature = "torch")]
        Backend::Torch => torch(trace)?,
    };
    for (number, step) in trace.steps.iter().enumerate() {
        if step.view.len() != trace.view_size * trace.view_size {
            return Err(format!("step {number}: its view has {} cells", step.view.len()));
        }
        let [probabilities, hidden, cell] = pass(&step.view)?;
        deviations.numbers("probabilities", TOLERANCE, &probabilities, &step.probabilities);
        deviations.numbers("hidden", TOLERANCE, &hidden, &step.hidden);
        deviations.numbers("cell", TOLERANCE, &cell, &step.cell);
    }
    Ok(Compared { steps: trace.steps.len(), deviations })
}

/// The production brain; checks the sizes of all tensors.
fn native(trace: &Trace) -> Result<Brains, String> {
    let mut brains = Brains::new(1, trace.view_size);
    let weights = BrainWeights {
        conv_weight: trace.conv_weight.clone(),
        conv_bias: trace.conv_bias.clone(),
        lstm_weight_ih: trace.lstm_weight_ih.clone(),
        lstm_weight_hh: trace.lstm_weight_hh.clone(),
        lstm_bias_ih: trace.lstm_bias_ih.clone(),
        lstm_bias_hh: trace.lstm_bias_hh.clone(),
        policy_weight: trace.policy_weight.clone(),
        policy_bias: trace.policy_bias.clone(),
    };
    brains.load(0, &weights)?;
    Ok(brains)
}

#[cfg(feature = "torch")]
fn torch(trace: &Trace) -> Result<Passes<'_>, String> {
    let mut brain = resonetics_kernel::torch::recorded::Brain::new(
        trace.view_size,
        [&trace.conv_weight, &trace.lstm_weight_ih, &trace.lstm_weight_hh, &trace.policy_weight],
        [&trace.conv_bias, &trace.lstm_bias_ih, &trace.lstm_bias_hh, &trace.policy_bias],
    )
    .map_err(|error| error.to_string())?;
    Ok(Box::new(move |view| brain.pass(view).map_err(|error| error.to_string())))
}
