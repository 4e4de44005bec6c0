//! A plain multilayer perceptron on one flat array of parameters: small and clear rather than fast.

use std::ops::Range;

use resonetics_numerics::stream::Key;
use serde::{Deserialize, Serialize};

use crate::real::Real;

/// What follows each layer but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Hyperbolic tangent.
    Tanh,
    /// max(x, 0); its derivative at 0 is 0.
    Relu,
}

/// How first weights are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// Weights and biases uniform in +-1/sqrt(inputs), as torch fills a linear layer.
    Torch,
    /// Weights uniform in +-sqrt(6 / (inputs + outputs)) (Glorot, Bengio 2010), biases 0.
    Xavier,
}

/// The shape of a network. The parameters lie beside it, flat: for each layer i its weight
/// `[widths[i + 1], widths[i]]`, row-major, output x input, then its bias `[widths[i + 1]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mlp {
    /// From input to output, at least two.
    pub widths: Vec<usize>,
    /// Between layers.
    pub activation: Activation,
    /// Whether the logistic function follows the last layer.
    pub sigmoid: bool,
}

/// What a forward pass leaves for the backward pass; kept from call to call, it is allocated once.
#[derive(Clone, Debug, Default)]
pub struct Pass<R> {
    /// `[B, inputs]`, then for each layer `[B, outputs]` behind its activation, before dropout.
    values: Vec<Vec<R>>,
    /// `[B, widths[1]]`: the first layer's values behind dropout; empty without dropout.
    dropped: Vec<R>,
    /// The mask of it.
    mask: Vec<R>,
    /// `[B, width]`: derivatives by one layer's outputs, and by its inputs.
    gradients: [Vec<R>; 2],
}

/// Where a layer's parameters are.
struct Layer {
    weight: Range<usize>,
    bias: Range<usize>,
    inputs: usize,
    outputs: usize,
}

impl Mlp {
    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        self.widths.windows(2).map(|pair| pair[1] * (pair[0] + 1)).sum()
    }

    fn layers(&self) -> impl DoubleEndedIterator<Item = (usize, Layer)> {
        let mut start = 0;
        let layers: Vec<Layer> = self
            .widths
            .windows(2)
            .map(|pair| {
                let (inputs, outputs) = (pair[0], pair[1]);
                let weight = start..start + outputs * inputs;
                let bias = weight.end..weight.end + outputs;
                start = bias.end;
                Layer { weight, bias, inputs, outputs }
            })
            .collect();
        layers.into_iter().enumerate()
    }

    /// First parameters, a function of `key`.
    pub fn init(&self, how: Init, key: Key) -> Vec<f32> {
        let mut parameters = vec![0.0; self.parameters()];
        for (_, layer) in self.layers() {
            let (inputs, outputs) = (layer.inputs as f32, layer.outputs as f32);
            let (drawn, bound) = match how {
                Init::Torch => (layer.weight.start..layer.bias.end, 1.0 / inputs.sqrt()),
                Init::Xavier => (layer.weight, (6.0 / (inputs + outputs)).sqrt()),
            };
            for i in drawn {
                parameters[i] = bound * (2.0 * key.uniform(0, i as u32) - 1.0);
            }
        }
        parameters
    }

    /// The outputs `[B, O]` for inputs `x` `[B, I]`.
    ///
    /// `mask` is `[B, widths[1]]`, 0 for what is dropped behind the first layer's activation and 1 / (1 - p)
    /// for what stays (see [`dropout`]); empty for no dropout, and for a network of one layer.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn forward<'a, R: Real>(
        &self,
        parameters: &[R],
        x: &[R],
        mask: &[R],
        pass: &'a mut Pass<R>,
    ) -> &'a [R] {
        let batch = x.len() / self.widths[0];
        assert_eq!(x.len(), batch * self.widths[0], "whole rows of inputs");
        assert_eq!(parameters.len(), self.parameters(), "parameters");
        let hidden = self.widths.len() > 2;
        assert!(mask.is_empty() || hidden && mask.len() == batch * self.widths[1], "dropout mask");
        pass.values.resize(self.widths.len(), Vec::new());
        pass.values[0].clear();
        pass.values[0].extend(x.iter().map(|&x| x.flush()));
        copy(&mut pass.mask, mask);
        for (number, layer) in self.layers() {
            let (before, after) = pass.values.split_at_mut(number + 1);
            let dropped = number == 1 && !mask.is_empty();
            let input = if dropped { &pass.dropped } else { &before[number] };
            let output = &mut after[0];
            output.clear();
            let last = number + 2 == self.widths.len();
            for row in input.chunks_exact(layer.inputs) {
                let weights = parameters[layer.weight.clone()].chunks_exact(layer.inputs);
                for (weights, &bias) in weights.zip(&parameters[layer.bias.clone()]) {
                    let mut sum = bias;
                    for (&weight, &x) in weights.iter().zip(row) {
                        sum += weight * x;
                    }
                    output.push(self.activate(sum, last).flush());
                }
            }
            if number == 0 && !mask.is_empty() {
                pass.dropped.clear();
                pass.dropped.extend(output.iter().zip(mask).map(|(&value, &keep)| value * keep));
            }
        }
        &pass.values[self.widths.len() - 1]
    }

    /// Adds the derivatives by the parameters to `gradient`, given those by the outputs `[B, O]` of
    /// the last [`Mlp::forward`] with `pass`, and yields those by the inputs, `[B, I]`.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn backward<'a, R: Real>(
        &self,
        parameters: &[R],
        pass: &'a mut Pass<R>,
        by_output: &[R],
        gradient: &mut [R],
    ) -> &'a [R] {
        let depth = self.widths.len() - 1;
        assert_eq!(by_output.len(), pass.values[depth].len(), "derivatives by the outputs");
        assert_eq!(gradient.len(), self.parameters(), "gradient");
        let [by_output_of, by_input_of] = &mut pass.gradients;
        copy(by_output_of, by_output);
        for (number, layer) in self.layers().rev() {
            let dropout = !pass.mask.is_empty();
            // Through dropout and the activation.
            for (i, derivative) in by_output_of.iter_mut().enumerate() {
                if number == 0 && dropout {
                    *derivative = *derivative * pass.mask[i];
                }
                let slope = self.slope(pass.values[number + 1][i], number + 1 == depth);
                *derivative = (*derivative * slope).flush();
            }
            let inputs = if number == 1 && dropout { &pass.dropped } else { &pass.values[number] };
            by_input_of.clear();
            by_input_of.resize(inputs.len(), R::default());
            let rows = inputs.chunks_exact(layer.inputs).zip(by_input_of.chunks_exact_mut(layer.inputs));
            for ((input, by_input), by_row) in rows.zip(by_output_of.chunks_exact(layer.outputs)) {
                for (output, &derivative) in by_row.iter().enumerate() {
                    let start = layer.weight.start + output * layer.inputs;
                    for i in 0..layer.inputs {
                        gradient[start + i] += derivative * input[i];
                        by_input[i] += derivative * parameters[start + i];
                    }
                    gradient[layer.bias.start + output] += derivative;
                }
            }
            std::mem::swap(by_output_of, by_input_of);
        }
        by_output_of
    }

    fn activate<R: Real>(&self, x: R, last: bool) -> R {
        match self.activation {
            _ if last && self.sigmoid => x.logistic(),
            _ if last => x,
            Activation::Tanh => x.tanh(),
            // Written so that NaN stays NaN.
            Activation::Relu if x < R::default() => R::default(),
            Activation::Relu => x,
        }
    }

    /// The derivative of [`Mlp::activate`] where its value is `y`.
    fn slope<R: Real>(&self, y: R, last: bool) -> R {
        let one = R::from_f64(1.0);
        match self.activation {
            _ if last && self.sigmoid => y * (one - y),
            _ if last => one,
            Activation::Tanh => one - y * y,
            Activation::Relu if y > R::default() => one,
            Activation::Relu => R::default(),
        }
    }
}

fn copy<R: Real>(to: &mut Vec<R>, from: &[R]) {
    to.clear();
    to.extend_from_slice(from);
}

/// A mask for [`Mlp::forward`] from uniform draws in [0, 1): 0 where the draw is below the probability
/// `p` in [0, 1), else 1 / (1 - p), so that the expected value stays (inverted dropout, Srivastava et al. 2014).
pub fn dropout(p: f32, draws: impl Iterator<Item = f32>, mask: &mut Vec<f32>) {
    mask.clear();
    mask.extend(draws.map(|draw| if draw < p { 0.0 } else { 1.0 / (1.0 - p) }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use resonetics_numerics::stream::Domain;

    fn key() -> Key {
        Key::new(9, Domain::Weights, 1)
    }

    fn numbers(n: usize, tag: u32) -> Vec<f64> {
        (0..n).map(|i| f64::from(key().derive(tag, 0).normals(0, i as u32).0[0])).collect()
    }

    /// A loss whose derivative by output i is `pull[i]`, without a bend.
    fn loss(net: &Mlp, parameters: &[f64], x: &[f64], mask: &[f64], pull: &[f64]) -> f64 {
        let mut pass = Pass::default();
        net.forward(parameters, x, mask, &mut pass).iter().zip(pull).map(|(y, pull)| y * pull).sum()
    }

    #[test]
    fn a_net_by_hand() {
        // relu(1*2 - 1*3 + 5) = 4, relu(-1*2 + 0) = 0; dropout doubles the first; 0.5*8 - 7*0 - 4 = 0.
        let net = Mlp { widths: vec![2, 2, 1], activation: Activation::Relu, sigmoid: true };
        let parameters = [1.0, -1.0, -1.0, 0.0, 5.0, 0.0, 0.5, -7.0, -4.0];
        let mut pass = Pass::default();
        assert_eq!(net.forward(&parameters, &[2.0, 3.0], &[2.0, 2.0], &mut pass), [0.5]);
        let mut gradient = [0.0; 9];
        let by_input = net.backward(&parameters, &mut pass, &[1.0], &mut gradient).to_vec();
        // The logistic function's slope at 0 is 1/4; behind it 0.5, dropout's 2, and the weights.
        assert_eq!(gradient, [0.5, 0.75, 0.0, 0.0, 0.25, 0.0, 2.0, 0.0, 0.25]);
        assert_eq!(by_input, [0.25, -0.25]);
    }

    #[test]
    fn gradients_are_central_differences() {
        for (activation, sigmoid, widths) in [
            (Activation::Tanh, false, vec![3, 5, 4, 2]),
            (Activation::Relu, true, vec![3, 6, 2]),
            (Activation::Tanh, true, vec![2, 3]),
        ] {
            let net = Mlp { widths, activation, sigmoid };
            let (inputs, outputs) = (net.widths[0], net.widths[net.widths.len() - 1]);
            let (parameters, x) = (numbers(net.parameters(), 0), numbers(4 * inputs, 1));
            let pull = numbers(4 * outputs, 2);
            let mask: Vec<f64> = (0..4 * net.widths[1]).map(|i| [1.5, 1.5, 0.0][i % 3]).collect();
            let masks = if net.widths.len() > 2 { &[&mask[..], &[]][..] } else { &[&[][..]] };
            for &mask in masks {
                let mut pass = Pass::default();
                net.forward(&parameters, &x, mask, &mut pass);
                let mut gradient = vec![0.0; parameters.len()];
                let by_input = net.backward(&parameters, &mut pass, &pull, &mut gradient).to_vec();
                let near = |found: f64, up: f64, down: f64| {
                    let difference = (up - down) / 2e-6;
                    assert!((found - difference).abs() < 1e-7, "{net:?}: {found}, {difference}");
                };
                for i in 0..parameters.len() {
                    let moved = |by: f64| {
                        let mut moved = parameters.clone();
                        moved[i] += by;
                        loss(&net, &moved, &x, mask, &pull)
                    };
                    near(gradient[i], moved(1e-6), moved(-1e-6));
                }
                for i in 0..x.len() {
                    let moved = |by: f64| {
                        let mut moved = x.clone();
                        moved[i] += by;
                        loss(&net, &parameters, &moved, mask, &pull)
                    };
                    near(by_input[i], moved(1e-6), moved(-1e-6));
                }
            }
        }
    }

    #[test]
    fn backward_adds_to_the_gradient() {
        let net = Mlp { widths: vec![2, 3, 1], activation: Activation::Tanh, sigmoid: false };
        let (parameters, x) = (numbers(net.parameters(), 0), numbers(2, 1));
        let mut pass = Pass::default();
        net.forward(&parameters, &x, &[], &mut pass);
        let mut once = vec![0.0; parameters.len()];
        net.backward(&parameters, &mut pass, &[1.0], &mut once);
        let mut twice = once.clone();
        net.backward(&parameters, &mut pass, &[1.0], &mut twice);
        assert!(once.iter().zip(&twice).all(|(once, twice)| 2.0 * once == *twice));
    }

    #[test]
    fn first_weights_fill_their_bounds() {
        let net = Mlp { widths: vec![16, 400, 1], activation: Activation::Tanh, sigmoid: false };
        let largest = |numbers: &[f32]| numbers.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let (weights, biases) = (0..6400, 6400..6800);
        let torch = net.init(Init::Torch, key());
        assert!((0.249..=0.25).contains(&largest(&torch[weights.clone()])));
        assert!((0.24..=0.25).contains(&largest(&torch[biases.clone()])));
        let xavier = net.init(Init::Xavier, key());
        let bound = (6.0_f32 / 416.0).sqrt();
        assert!((0.99 * bound..=bound).contains(&largest(&xavier[weights.clone()])));
        assert_eq!(largest(&xavier[biases]), 0.0);
        let mean = xavier[weights].iter().sum::<f32>() / 6400.0;
        assert!(mean.abs() < 5.0 * bound / 3.0_f32.sqrt() / 80.0, "{mean}");
    }

    #[test]
    fn dropout_keeps_the_expected_value() {
        let mut mask = Vec::new();
        dropout(0.1, (0..100_000).map(|i| key().uniform(1, i)), &mut mask);
        let zeros = mask.iter().filter(|&&keep| keep == 0.0).count();
        // Standard deviation of the count: sqrt(100,000 * 0.1 * 0.9) = 95.
        assert!((9_500..10_500).contains(&zeros), "{zeros}");
        assert!(mask.iter().all(|&keep| keep == 0.0 || keep == 1.0 / 0.9));
    }
}
