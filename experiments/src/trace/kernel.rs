//! The kernel's recorded cases: terms, and gradients by every parameter.

use resonetics_kernel::mlp::{Activation, Mlp, Pass};
use resonetics_kernel::risk_predictor;
use resonetics_kernel::terms::{Gradients, KernelConfig, Outputs, Terms, Weights, flow, kernel};
use serde::Deserialize;

use super::compared::{Compared, Deviations};

/// Tolerance of every number (RULES section 3).
const TOLERANCE: f64 = 1e-5;

/// What computes with tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Our own, in f32.
    Native,
    /// libtorch.
    #[cfg(feature = "torch")]
    Torch,
}

#[derive(Deserialize)]
pub struct Case {
    batch: usize,
    input_dim: usize,
    output_dim: usize,
    hidden: usize,
    eps: f64,
    weights: Weights,
    structure_period: f64,
    layers: Vec<GradedLayer>,
    activation: Activation,
    /// `[B, I]`
    x: Vec<f32>,
    /// `[B, O]`
    target: Vec<f32>,
    /// `[B, I]`
    loss_noise: Vec<f32>,
    /// `[B, I]`
    metric_noise: Vec<f32>,
    expected: Expected,
}

/// Weight `[out, in]` and bias `[out]`.
#[derive(Deserialize)]
pub struct Layer {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// A layer with the gradients of the loss by it.
#[derive(Deserialize)]
struct GradedLayer {
    #[serde(flatten)]
    layer: Layer,
    grad_weight: Vec<f32>,
    grad_bias: Vec<f32>,
}

#[derive(Deserialize)]
#[allow(non_snake_case)] // the recording's names
struct Expected {
    gap_R: f64,
    loss_flow: f64,
    metric_flow: f64,
    gap_S: f64,
    tension: f64,
    loss: f64,
}

/// What a backend makes of a case.
pub struct Evaluated {
    terms: Terms,
    metric_flow: f64,
    /// Laid out as the parameters.
    gradient: Vec<f32>,
}

impl Backend {
    /// Those of this build.
    pub const ALL: &[Backend] = &[
        Backend::Native,
        #[cfg(feature = "torch")]
        Backend::Torch,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Backend::Native => "native",
            #[cfg(feature = "torch")]
            Backend::Torch => "torch",
        }
    }

    /// The terms of a case and the gradient of its loss by the parameters of `net`.
    ///
    /// # Errors
    /// What libtorch says, in words.
    #[cfg_attr(not(feature = "torch"), allow(clippy::unnecessary_wraps))]
    fn evaluate(self, net: &Mlp, parameters: &[f32], case: &Case) -> Result<Evaluated, String> {
        match self {
            Backend::Native => Ok(native(net, parameters, case)),
            #[cfg(feature = "torch")]
            Backend::Torch => torch(case).map_err(|error| error.to_string()),
        }
    }

    /// What a risk predictor with these parameters says of `[n, 3]` inputs, in evaluation mode.
    ///
    /// # Errors
    /// If there are not as many parameters as it has, or what libtorch says.
    pub fn predict(self, parameters: &[f32], input: &[f32]) -> Result<Vec<f32>, String> {
        let net = risk_predictor::net();
        fits("layers", parameters.len(), net.parameters())?;
        match self {
            Backend::Native => Ok(net.forward(parameters, input, &[], &mut Pass::default()).to_vec()),
            #[cfg(feature = "torch")]
            Backend::Torch => torch_risks(&net.widths, parameters, input).map_err(|error| error.to_string()),
        }
    }
}

/// Replays the cases.
pub fn replay(cases: &[Case], backend: Backend) -> Result<Compared, String> {
    let mut deviations = Deviations::default();
    for (number, case) in cases.iter().enumerate() {
        case.compare(backend, &mut deviations).map_err(|problem| format!("case {number}: {problem}"))?;
    }
    Ok(Compared { steps: cases.len(), deviations })
}

/// The parameters of layers, flat: weight and bias of each in turn.
pub fn flat(layers: &[Layer]) -> Vec<f32> {
    layers.iter().flat_map(|layer| [&layer.weight[..], &layer.bias]).collect::<Vec<_>>().concat()
}

fn fits(what: &str, found: usize, expected: usize) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found} numbers, expected {expected}"))
}

impl Case {
    /// The net that the case's dimensions describe, if all arrays fit it.
    fn net(&self) -> Result<Mlp, String> {
        let dimensions = [self.batch, self.input_dim, self.output_dim, self.hidden];
        if dimensions.iter().any(|dimension| !(1..=4096).contains(dimension)) {
            return Err(format!("its dimensions are {dimensions:?}; allowed are numbers from 1 to 4096"));
        }
        let allowed = self.eps > 0.0 && self.eps.is_finite() && self.structure_period > 0.0;
        if !allowed {
            return Err(format!(
                "eps is {}, structure_period {}; allowed are numbers above 0",
                self.eps, self.structure_period
            ));
        }
        let widths = vec![self.input_dim, self.hidden, self.hidden, self.output_dim];
        if self.activation != Activation::Tanh {
            return Err(format!("its activation is {:?}; known is tanh", self.activation));
        }
        fits("layers", self.layers.len(), widths.len() - 1)?;
        for (number, (pair, layer)) in widths.windows(2).zip(&self.layers).enumerate() {
            fits(&format!("layer {number}'s weight"), layer.layer.weight.len(), pair[0] * pair[1])?;
            fits(&format!("layer {number}'s bias"), layer.layer.bias.len(), pair[1])?;
        }
        fits("x", self.x.len(), self.batch * self.input_dim)?;
        fits("target", self.target.len(), self.batch * self.output_dim)?;
        fits("loss_noise", self.loss_noise.len(), self.x.len())?;
        fits("metric_noise", self.metric_noise.len(), self.x.len())?;
        Ok(Mlp { widths, activation: self.activation, sigmoid: false })
    }

    fn compare(&self, backend: Backend, deviations: &mut Deviations) -> Result<(), String> {
        let net = self.net()?;
        let layers = self.layers.iter().flat_map(|layer| [&layer.layer.weight[..], &layer.layer.bias]);
        let parameters: Vec<f32> = layers.collect::<Vec<_>>().concat();
        let found = backend.evaluate(&net, &parameters, self)?;
        let Terms { gap_r, flow, gap_s, tension, loss } = found.terms;
        for (name, found, expected) in [
            ("gap_R", gap_r, self.expected.gap_R),
            ("loss_flow", flow, self.expected.loss_flow),
            ("metric_flow", found.metric_flow, self.expected.metric_flow),
            ("gap_S", gap_s, self.expected.gap_S),
            ("tension", tension, self.expected.tension),
            ("loss", loss, self.expected.loss),
        ] {
            deviations.number(name, TOLERANCE, found, expected);
        }
        let mut rest = &found.gradient[..];
        for layer in &self.layers {
            let (grad_weight, behind) = rest.split_at(layer.layer.weight.len());
            let (grad_bias, behind) = behind.split_at(layer.layer.bias.len());
            deviations.numbers("grad_weight", TOLERANCE, grad_weight, &layer.grad_weight);
            deviations.numbers("grad_bias", TOLERANCE, grad_bias, &layer.grad_bias);
            rest = behind;
        }
        Ok(())
    }
}

fn native(net: &Mlp, parameters: &[f32], case: &Case) -> Evaluated {
    let shaken = |noise: &[f32]| -> Vec<f32> {
        case.x.iter().zip(noise).map(|(x, noise)| x + case.eps as f32 * noise).collect()
    };
    let (mut at_x, mut moved) = (Pass::default(), Pass::default());
    let output = net.forward(parameters, &case.x, &[], &mut at_x);
    let metric_flow = {
        let perturbed = net.forward(parameters, &shaken(&case.metric_noise), &[], &mut moved);
        flow(output, perturbed, case.eps)
    };
    let perturbed = net.forward(parameters, &shaken(&case.loss_noise), &[], &mut moved);
    let config = KernelConfig { weights: case.weights, eps: case.eps, period: case.structure_period };
    let outputs = Outputs { output, still: output, perturbed, target: &case.target };
    let mut by_outputs = Gradients::default();
    let terms = kernel(&outputs, &config, &mut by_outputs);
    let mut gradient = vec![0.0; parameters.len()];
    net.backward(parameters, &mut at_x, &by_outputs.output, &mut gradient);
    net.backward(parameters, &mut at_x, &by_outputs.still, &mut gradient);
    net.backward(parameters, &mut moved, &by_outputs.perturbed, &mut gradient);
    Evaluated { terms, metric_flow, gradient }
}

#[cfg(feature = "torch")]
fn torch(case: &Case) -> resonetics_kernel::torch::Answer<Evaluated> {
    use resonetics_kernel::torch::{self, recorded};

    let layers: Vec<recorded::Layer<'_>> = case.layers.iter().map(|layer| layer.layer.on_tensors()).collect();
    let Weights { r, f, s, t } = case.weights;
    let weights = torch::Weights {
        reality: r,
        flow: f,
        structure: s,
        tension: t,
        eps: case.eps,
        period: case.structure_period,
    };
    let found = recorded::kernel(&recorded::Case {
        layers: &layers,
        x: &case.x,
        target: &case.target,
        loss_noise: &case.loss_noise,
        metric_noise: &case.metric_noise,
        weights,
    })?;
    let terms = Terms {
        gap_r: found.gap_R.into(),
        flow: found.loss_flow.into(),
        gap_s: found.gap_S.into(),
        tension: found.tension.into(),
        loss: found.loss.into(),
    };
    let gradient = found.gradients.into_iter().flat_map(|(weight, bias)| [weight, bias].concat()).collect();
    Ok(Evaluated { terms, metric_flow: found.metric_flow.into(), gradient })
}

#[cfg(feature = "torch")]
impl Layer {
    fn on_tensors(&self) -> resonetics_kernel::torch::recorded::Layer<'_> {
        resonetics_kernel::torch::recorded::Layer { weight: &self.weight, bias: &self.bias }
    }
}

/// The risk predictor on tensors: flat `parameters`, inputs `[n, 3]`.
#[cfg(feature = "torch")]
fn torch_risks(
    widths: &[usize],
    parameters: &[f32],
    input: &[f32],
) -> resonetics_kernel::torch::Answer<Vec<f32>> {
    use resonetics_kernel::torch::recorded;

    let mut rest = parameters;
    let mut layers = Vec::new();
    for pair in widths.windows(2) {
        let (weight, behind) = rest.split_at(pair[0] * pair[1]);
        let (bias, behind) = behind.split_at(pair[1]);
        layers.push(recorded::Layer { weight, bias });
        rest = behind;
    }
    let rows = input.as_chunks::<3>().0;
    let state: Vec<f32> = rows.iter().flat_map(|row| [row[0], row[1]]).collect();
    let recent_error: Vec<f32> = rows.iter().map(|row| row[2]).collect();
    recorded::risk_predictor(&layers, &state, &recent_error)
}
