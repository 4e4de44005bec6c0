//! Where the parameters of the native learner's networks lie in its flat array, and how large its blocks are.

use std::ops::Range;

use resonetics_kernel::dense::padded;

use crate::prophet::learner::SEQUENCE;
use crate::prophet::network::Network;

/// Samples whose activations stay in the first caches together with the weights; the longest sequence is one.
pub(super) const BLOCK: usize = SEQUENCE;

/// A dense layer: `[input, output]` weights (transposed against their file), both padded, and the
/// bias behind them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer {
    /// Without the padding: products need go no further.
    pub inputs: usize,
    pub outputs: usize,
    pub input: usize,
    pub output: usize,
    pub weight: usize,
    pub bias: usize,
    pub end: usize,
}

/// Where a network's parameters are.
#[derive(Clone, Debug)]
pub(super) struct Net {
    /// Weights and biases of the convolution, unpadded; empty where there is none.
    pub conv: Range<usize>,
    pub layers: Vec<Layer>,
    pub memory: Option<Cell>,
}

/// What a network computed for a block: `[BLOCK, output]` a layer.
pub(super) type Pass = Vec<Vec<f32>>;

/// Where the memory of a network has its parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// Units without the padding.
    pub units: usize,
    /// From what the last layer with tanh puts out to `[gate, candidate]`, each padded.
    pub gates: Layer,
    /// From the state to what is added to the outputs; without a bias.
    pub head: Layer,
}

impl Cell {
    /// The cell behind `inputs` numbers and in front of `outputs`, if there is one, from `at` on, which it moves.
    pub(super) fn place(network: &Network, inputs: usize, outputs: usize, at: &mut usize) -> Option<Cell> {
        let units = network.memory;
        let mut layer = |inputs: usize, outputs: usize, biases: usize| {
            let (input, output) = (padded(inputs), padded(outputs));
            let (weight, bias) = (*at, *at + input * output);
            *at = bias + biases;
            Layer { inputs, outputs, input, output, weight, bias, end: *at }
        };
        (units > 0).then(|| {
            let both = 2 * padded(units);
            Cell { units, gates: layer(inputs, both, both), head: layer(units, outputs, 0) }
        })
    }

    /// Where its parameters lie, in the order of [`Network::parameters`].
    pub(super) fn places(&self) -> [Place; 5] {
        let Cell { gates, head, .. } = self;
        let [gate, candidate] = [0, self.padded()]
            .map(|at| [Place::Transposed(gates.weight + at, gates.output), Place::Plain(gates.bias + at)]);
        let ([gate, gate_bias], [candidate, candidate_bias]) = (gate, candidate);
        [gate, gate_bias, candidate, candidate_bias, Place::Transposed(head.weight, head.output)]
    }

    /// Units with the padding, n.
    pub(super) fn padded(&self) -> usize {
        padded(self.units)
    }
}

/// Where a tensor lies in the flat array.
pub(super) enum Place {
    /// One after the other from here on.
    Plain(usize),
    /// `[input, output]` from here on, rows this long.
    Transposed(usize, usize),
}

impl Place {
    /// Calls `visit(place in the flat array, place in the tensor)` for each element.
    pub(super) fn visit(&self, shape: &[usize], mut visit: impl FnMut(usize, usize)) {
        let count: usize = shape.iter().product();
        match *self {
            Place::Plain(start) => (0..count).for_each(|i| visit(start + i, i)),
            Place::Transposed(start, stride) => {
                let inputs = shape[1];
                (0..count).for_each(|i| visit(start + i % inputs * stride + i / inputs, i));
            }
        }
    }
}
