//! Recorded cases on tensors: plain arrays in, plain arrays out (`reference/prophet_kernel.json`).

use tch::{Device, Tensor, no_grad};

use super::mlp::numbers;
use super::{Answer, TchError, Weights, flow, loss};

/// A dense layer: weight `[outputs, inputs]` row-major, bias `[outputs]`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // named above
pub struct Layer<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
}

/// The inputs of a case of the kernel; the batch is the number of targets over that of outputs.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Dense layers with tanh between them.
    pub layers: &'a [Layer<'a>],
    /// `[batch, inputs]`
    pub x: &'a [f32],
    /// `[batch, outputs]`
    pub target: &'a [f32],
    /// `[projections, batch, inputs]`, for the flow in the loss.
    pub loss_noise: &'a [f32],
    /// The same for the metric.
    pub metric_noise: &'a [f32],
    /// Of the loss.
    pub weights: Weights,
}

/// What a case yields; the names are those of the recording.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, non_snake_case)]
pub struct Outcome {
    pub gap_R: f32,
    pub loss_flow: f32,
    pub metric_flow: f32,
    pub gap_S: f32,
    pub tension: f32,
    pub loss: f32,
    /// Gradient of the loss for each layer: weight, bias.
    pub gradients: Vec<(Vec<f32>, Vec<f32>)>,
}

/// Computes a case of the kernel on a device.
///
/// # Errors
/// What libtorch says, such as that the lengths do not fit together.
pub fn kernel(case: &Case<'_>, device: Device) -> Answer<Outcome> {
    let parameters = parameters(case.layers, device)?;
    let f = |x: &Tensor| dense(&parameters, x, Tensor::f_tanh);
    let [Some(inputs), Some(outputs)] = [
        parameters.first().and_then(|weight| weight.size().get(1).copied()),
        parameters.last().and_then(|bias| bias.size().first().copied()),
    ] else {
        return Err(TchError::Shape("a net without layers".to_owned()));
    };
    let x = on(device, case.x)?.f_view([-1, inputs])?;
    let target = on(device, case.target)?.f_view([-1, outputs])?;
    let noise = |noise: &[f32]| on(device, noise)?.f_view([-1, x.size()[0], inputs]);
    let terms = loss(f, &x, &target, &noise(case.loss_noise)?, &case.weights)?;
    let gradients = Tensor::f_run_backward(&[&terms.loss], &parameters, false, false)?;
    let metric_flow = no_grad(|| flow(f, &x, &f(&x)?, &noise(case.metric_noise)?, case.weights.eps))?;
    let number = |term: &Tensor| Ok::<f32, TchError>(term.f_double_value(&[])? as f32);
    let layer = |pair: &[Tensor]| Ok((numbers(&pair[0])?, numbers(&pair[1])?));
    Ok(Outcome {
        gap_R: number(&terms.gap)?,
        loss_flow: number(&terms.flow)?,
        metric_flow: number(&metric_flow)?,
        gap_S: number(&terms.structure)?,
        tension: number(&terms.tension)?,
        loss: number(&terms.loss)?,
        gradients: gradients.chunks(2).map(layer).collect::<Answer<_>>()?,
    })
}

/// The risk predictor without dropout on n rows (progress, delta-action EMA, recent error): dense layers
/// with `ReLU` between them, a sigmoid at the end, on a device. `state` `[n, 2]`, `recent_error` `[n]`; yields `[n]`.
///
/// # Errors
/// What libtorch says.
pub fn risk_predictor(
    layers: &[Layer<'_>],
    state: &[f32],
    recent_error: &[f32],
    device: Device,
) -> Answer<Vec<f32>> {
    let parameters = parameters(layers, device)?;
    let state = on(device, state)?.f_view([-1, 2])?;
    let x = Tensor::f_cat(&[state, on(device, recent_error)?.f_view([-1, 1])?], 1)?;
    numbers(&no_grad(|| dense(&parameters, &x, Tensor::f_relu)?.f_sigmoid())?)
}

/// A gardener's brain (RULES section 2.1) with its memory, one pass after the other.
pub struct Brain {
    /// Convolution, input to gates, memory to gates, policy: weight and bias each.
    tensors: Vec<Tensor>,
    view: i64,
    device: Device,
    memory: (Tensor, Tensor),
}

impl Brain {
    /// On a device, for square views of side `view`: the convolution's weight and bias, the LSTM's of its input and of
    /// its memory, the policy's, in this order, weights row-major.
    ///
    /// # Errors
    /// What libtorch says, such as that a length does not fit.
    pub fn new(view: usize, weights: [&[f32]; 4], biases: [&[f32]; 4], device: Device) -> Answer<Brain> {
        let hidden = biases[1].len() as i64 / 4;
        let shapes = [vec![-1, 1, 3, 3], vec![4 * hidden, -1], vec![4 * hidden, hidden], vec![-1, hidden]];
        let mut tensors = Vec::new();
        for ((weight, bias), shape) in weights.into_iter().zip(biases).zip(&shapes) {
            tensors.push(on(device, weight)?.f_view(&shape[..])?);
            tensors.push(on(device, bias)?);
        }
        let empty = || Tensor::f_zeros([1, hidden], (tch::Kind::Float, device));
        Ok(Brain { tensors, view: view as i64, device, memory: (empty()?, empty()?) })
    }

    /// Probabilities, hidden state and cell state after a view.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn pass(&mut self, view: &[f32]) -> Answer<[Vec<f32>; 3]> {
        let [conv, conv_bias, input, input_bias, recurrent, recurrent_bias, policy, policy_bias] =
            &self.tensors[..]
        else {
            return Err(TchError::Shape("a brain has eight tensors".to_owned()));
        };
        let seen = on(self.device, view)?.f_view([1, 1, self.view, self.view])?;
        let seen = seen.f_conv2d(conv, Some(conv_bias), [1, 1], [0, 0], [1, 1], 1)?.f_relu()?;
        let features = seen.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?.f_flatten(1, -1)?;
        let (hidden, cell) = &self.memory;
        self.memory = features.f_lstm_cell(
            &[hidden, cell],
            input,
            recurrent,
            Some(input_bias),
            Some(recurrent_bias),
        )?;
        let (hidden, cell) = &self.memory;
        let probabilities = hidden.f_linear(policy, Some(policy_bias))?.f_softmax(-1, tch::Kind::Float)?;
        Ok([numbers(&probabilities)?, numbers(hidden)?, numbers(cell)?])
    }
}

fn on(device: Device, numbers: &[f32]) -> Answer<Tensor> {
    Tensor::f_from_slice(numbers)?.f_to_device(device)
}

/// Weight, bias, weight, bias, ...; each asks for a gradient.
fn parameters(layers: &[Layer<'_>], device: Device) -> Answer<Vec<Tensor>> {
    let mut parameters = Vec::new();
    for layer in layers {
        let weight = on(device, layer.weight)?.f_view([layer.bias.len() as i64, -1])?;
        for tensor in [weight, on(device, layer.bias)?] {
            parameters.push(tensor.f_set_requires_grad(true)?);
        }
    }
    Ok(parameters)
}

fn dense(
    parameters: &[Tensor],
    x: &Tensor,
    activation: impl Fn(&Tensor) -> Answer<Tensor>,
) -> Answer<Tensor> {
    let mut layers = parameters.chunks(2);
    let linear = |x: &Tensor, pair: &[Tensor]| x.f_linear(&pair[0], Some(&pair[1]));
    let first = layers.next().map_or_else(|| Ok(x.shallow_clone()), |pair| linear(x, pair))?;
    layers.try_fold(first, |x, pair| linear(&activation(&x)?, pair))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const TOLERANCE: f32 = 1e-5; // RULES

    fn recording() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/prophet_kernel.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn array(value: &Value) -> Vec<f32> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
    }

    /// Weight, bias of each layer under these names.
    fn arrays(layers: &Value, names: [&str; 2]) -> Vec<[Vec<f32>; 2]> {
        layers.as_array().unwrap().iter().map(|layer| names.map(|name| array(&layer[name]))).collect()
    }

    fn layers(arrays: &[[Vec<f32>; 2]]) -> Vec<Layer<'_>> {
        arrays.iter().map(|[weight, bias]| Layer { weight, bias }).collect()
    }

    fn close(what: &str, got: &[f32], expected: &[f32]) {
        assert_eq!(got.len(), expected.len(), "{what}");
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            assert!((got - expected).abs() <= TOLERANCE, "{what} [{i}]: {got}, expected {expected}");
        }
    }

    #[test]
    fn the_kernel_is_as_recorded() {
        let recording = recording();
        let cases = recording["kernel"].as_array().unwrap();
        assert_eq!(cases.len(), 3);
        for (number, case) in cases.iter().enumerate() {
            let arrays_ = arrays(&case["layers"], ["weight", "bias"]);
            let value = |value: &Value| value.as_f64().unwrap();
            let weight = |name: &str| value(&case["weights"][name]);
            let got = kernel(
                &Case {
                    layers: &layers(&arrays_),
                    x: &array(&case["x"]),
                    target: &array(&case["target"]),
                    loss_noise: &array(&case["loss_noise"]),
                    metric_noise: &array(&case["metric_noise"]),
                    weights: Weights {
                        reality: weight("R"),
                        flow: weight("F"),
                        structure: weight("S"),
                        tension: weight("T"),
                        eps: value(&case["eps"]),
                        period: value(&case["structure_period"]),
                    },
                },
                Device::Cpu,
            )
            .unwrap();
            for (name, got) in [
                ("gap_R", got.gap_R),
                ("loss_flow", got.loss_flow),
                ("metric_flow", got.metric_flow),
                ("gap_S", got.gap_S),
                ("tension", got.tension),
                ("loss", got.loss),
            ] {
                close(&format!("case {number}, {name}"), &[got], &[value(&case["expected"][name]) as f32]);
            }
            let expected = arrays(&case["layers"], ["grad_weight", "grad_bias"]);
            assert_eq!(got.gradients.len(), expected.len());
            for (layer, (got, expected)) in got.gradients.iter().zip(&expected).enumerate() {
                close(&format!("case {number}, layer {layer}, weight"), &got.0, &expected[0]);
                close(&format!("case {number}, layer {layer}, bias"), &got.1, &expected[1]);
            }
        }
    }

    #[test]
    fn the_risk_predictor_is_as_recorded() {
        let recording = recording();
        let case = &recording["risk_predictor"];
        let arrays = arrays(&case["layers"], ["weight", "bias"]);
        let got = risk_predictor(
            &layers(&arrays),
            &array(&case["state"]),
            &array(&case["recent_error"]),
            Device::Cpu,
        )
        .unwrap();
        assert_eq!(got.len(), 6);
        close("risk", &got, &array(&case["expected"]));
    }
}
