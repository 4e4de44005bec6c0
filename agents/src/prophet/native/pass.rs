//! A network on a block of inputs, and its gradient.

use resonetics_kernel::dense::{Left, Start, add_rows, product, tanh, tanh_backward};

use super::layout::{Net, Pass};

/// The outputs of a network for `rows` inputs.
pub(super) fn forward(net: &Net, parameters: &[f32], input: &[f32], pass: &mut Pass, rows: usize) {
    for (i, layer) in net.layers.iter().enumerate() {
        let (before, rest) = pass.split_at_mut(i);
        let input = before.last().map_or(input, Vec::as_slice);
        let output = &mut rest[0][..rows * layer.output];
        let weight = &parameters[layer.weight..][..layer.inputs * layer.output];
        let bias = Start::Bias(&parameters[layer.bias..layer.end]);
        product(Left::Rows(input, layer.input), weight, bias, layer.output, output);
        if i + 1 < net.layers.len() {
            tanh(output);
        }
    }
}

/// What the gradient `d_head` of the outputs gives for the parameters: added to `gradient`, or written
/// over it where it is `first`; `transposed` has the weights transposed. `d_read` is what a memory gives for the inputs of the last layer; empty where
/// there is none.
pub(super) fn backward(
    (net, transposed): (&Net, &[f32]),
    (input, pass): (&[f32], &Pass),
    (d_head, d_read): (&[f32], &[f32]),
    d_hidden: &mut [Vec<f32>; 2],
    (gradient, first): (&mut [f32], bool),
) {
    let rows = d_head.len() / net.layers.last().map_or(1, |layer| layer.output);
    let [here, there] = d_hidden;
    let (mut here, mut there) = (here, there);
    for (i, layer) in net.layers.iter().enumerate().rev() {
        let input = if i == 0 { input } else { &pass[i - 1] };
        let input = &input[..rows * layer.input];
        let d_output = if i + 1 == net.layers.len() { d_head } else { &here[..rows * layer.output] };
        let d_weight = &mut gradient[layer.weight..][..layer.inputs * layer.output];
        let start = if first { Start::Zero } else { Start::Present };
        product(Left::Columns(input, layer.input), d_output, start, layer.output, d_weight);
        let d_bias = &mut gradient[layer.bias..layer.end];
        if first {
            d_bias.fill(0.0);
        }
        add_rows(d_output, d_bias);
        if i > 0 {
            let d_input = &mut there[..rows * layer.input];
            let weight = &transposed[layer.weight..][..layer.outputs * layer.input];
            let mut start = Start::Zero;
            if i + 1 == net.layers.len() && !d_read.is_empty() {
                d_input.copy_from_slice(&d_read[..rows * layer.input]);
                start = Start::Present;
            }
            product(Left::Rows(d_output, layer.output), weight, start, layer.input, d_input);
            tanh_backward(input, d_input);
            std::mem::swap(&mut here, &mut there);
        }
    }
}
