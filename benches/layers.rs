//! The three products of a dense layer, as the native learner computes them, and the peak that they are
//! measured against: multiply-adds from register to register.

use std::hint::black_box;

use pulp::{Simd, WithSimd};
use resonetics_envs::cpu::CpuPath;
use resonetics_envs::stream::{Domain, Key};
use resonetics_kernel::dense::{Left, Start, padded, product};

/// Inputs and outputs of the layers of Prophet in the cluster.
pub(crate) const LAYERS: [(usize, usize); 3] = [(30, 64), (64, 64), (64, 6)];
pub(crate) const BATCHES: [usize; 4] = [64, 256, 2_048, 8_192];
/// The native learner works through a minibatch by blocks of so many rows.
const BLOCK: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Product {
    /// Inputs to outputs.
    Forward,
    /// Gradient of the outputs to that of the inputs.
    ToInputs,
    /// Gradient of the outputs to that of the weights.
    ToWeights,
}

pub(crate) const PRODUCTS: [Product; 3] = [Product::Forward, Product::ToInputs, Product::ToWeights];

/// A layer with a minibatch before and behind it.
pub(crate) struct Layer {
    input: usize,
    output: usize,
    batch: usize,
    inputs: Vec<f32>,
    outputs: Vec<f32>,
    weights: Vec<f32>,
    transposed: Vec<f32>,
    bias: Vec<f32>,
}

impl Layer {
    pub(crate) fn new(input: usize, output: usize, batch: usize) -> Layer {
        let key = Key::new(1, Domain::Space, 0);
        let numbers = |tag, count: usize| {
            let key = key.derive(0, tag);
            (0..count).map(|i| key.uniform(0, i as u32) - 0.5).collect()
        };
        let (wide_input, wide_output) = (padded(input), padded(output));
        Layer {
            input,
            output,
            batch,
            inputs: numbers(0, batch * wide_input),
            outputs: numbers(1, batch * wide_output),
            weights: numbers(2, wide_input * wide_output),
            transposed: numbers(3, wide_input * wide_output),
            bias: numbers(4, wide_output),
        }
    }

    /// Multiply-adds of each product, those of the padding not counted.
    pub(crate) fn terms(&self) -> f64 {
        (self.batch * self.input * self.output) as f64
    }

    pub(crate) fn run(&mut self, what: Product) {
        let (wide_input, wide_output) = (padded(self.input), padded(self.output));
        let blocks =
            self.inputs.chunks_mut(BLOCK * wide_input).zip(self.outputs.chunks_mut(BLOCK * wide_output));
        for (inputs, outputs) in blocks {
            match what {
                Product::Forward => {
                    let weights = &self.weights[..self.input * wide_output];
                    let bias = Start::Bias(&self.bias);
                    product(Left::Rows(inputs, wide_input), weights, bias, wide_output, outputs);
                }
                Product::ToInputs => {
                    let transposed = &self.transposed[..self.output * wide_input];
                    product(Left::Rows(outputs, wide_output), transposed, Start::Zero, wide_input, inputs);
                }
                Product::ToWeights => {
                    // What is summed up must not grow beyond all numbers from call to call.
                    let start = Start::Zero;
                    let weights = &mut self.weights[..self.input * wide_output];
                    product(Left::Columns(inputs, wide_input), outputs, start, wide_output, weights);
                }
            }
        }
        black_box(&self.outputs);
    }
}

/// Sums that are independent of each other: more than any core needs to hide the latency of its
/// multiply-adds, less than registers on any path.
const SUMS: usize = 12;

/// `rounds` times [`SUMS`] multiply-adds of whole registers.
struct Peak(usize);

impl WithSimd for Peak {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let factor = simd.splat_f32s(black_box(0.999));
        let term = simd.splat_f32s(black_box(1e-3));
        let mut sums = [simd.splat_f32s(black_box(0.5)); SUMS];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, factor, term);
            }
        }
        for sum in sums {
            black_box(simd.reduce_sum_f32s(sum));
        }
        (self.0 * SUMS * S::F32_LANES) as f64
    }
}

/// Does multiply-adds, and yields how many.
pub(crate) fn peak(rounds: usize) -> f64 {
    CpuPath::dispatch_registers(Peak(rounds))
}
