//! The gardeners' brains (RULES section 2.1): a convolution, an LSTM and a linear layer each,
//! hundreds of them in one arena, with mutation.

use crate::math::{self, LANES, Lanes};
use crate::stream::Key;

/// Channels of the convolution.
pub(super) const CHANNELS: usize = 8;
/// Numbers in an LSTM's hidden state, and in its cell state.
pub(super) const HIDDEN: usize = 16;
/// Actions that a brain chooses from.
pub(super) const ACTIONS: usize = 6;

const TAPS: usize = 9;
/// Pooled cells of a view whose four positions fill a vector.
const GROUP: usize = LANES / 4;
const GATES: usize = 4 * HIDDEN;
/// The linear layer's rows are padded to whole vectors: lanes 6 to 15 stay 0.
const OUT: usize = LANES;
const CONV: usize = CHANNELS * TAPS;
const RECURRENT: usize = HIDDEN * GATES;

/// Where the tensors of a brain are in its row of the arena. The matrices that follow a vector of
/// inputs are stored input-major, so that a forward pass is additions of whole rows.
#[derive(Clone, Copy, Debug)]
struct Layout {
    view: usize,
    pooled: usize,
    features: usize,
    conv_bias: usize,
    input: usize,
    recurrent: usize,
    input_bias: usize,
    recurrent_bias: usize,
    policy: usize,
    policy_bias: usize,
    len: usize,
}

impl Layout {
    fn new(view: usize) -> Layout {
        // 3x3 without padding, then pairs: (view - 2) / 2 each way.
        let pooled = (view - 2) / 2;
        let features = CHANNELS * pooled * pooled;
        let conv_bias = CONV;
        let input = conv_bias + CHANNELS;
        let recurrent = input + features * GATES;
        let input_bias = recurrent + RECURRENT;
        let recurrent_bias = input_bias + GATES;
        let policy = recurrent_bias + GATES;
        let policy_bias = policy + HIDDEN * OUT;
        let len = policy_bias + OUT;
        Layout {
            view,
            pooled,
            features,
            conv_bias,
            input,
            recurrent,
            input_bias,
            recurrent_bias,
            policy,
            policy_bias,
            len,
        }
    }

    /// Every weight with the fan-in that scales its initial value and the one that scales its
    /// mutation (a tensor's second dimension, 1 for vectors): (range, initial, mutation).
    fn tensors(&self) -> [(std::ops::Range<usize>, usize, usize); 8] {
        [
            (0..self.conv_bias, TAPS, 1),
            (self.conv_bias..self.input, TAPS, 1),
            (self.input..self.recurrent, HIDDEN, self.features),
            (self.recurrent..self.input_bias, HIDDEN, HIDDEN),
            (self.input_bias..self.recurrent_bias, HIDDEN, 1),
            (self.recurrent_bias..self.policy, HIDDEN, 1),
            (self.policy..self.policy_bias, HIDDEN, HIDDEN),
            (self.policy_bias..self.len, HIDDEN, 1),
        ]
    }
}

/// The weights of one brain as tensors, row-major, output x input, for recordings.
#[derive(Clone, Debug, PartialEq)]
pub struct BrainWeights {
    /// `[8, 1, 3, 3]`
    pub conv_weight: Vec<f32>,
    /// `[8]`
    pub conv_bias: Vec<f32>,
    /// `[64, features]`: the gates i, f, g, o one after the other; 8 * pooled * pooled features, with pooled
    /// = (view - 2) / 2.
    pub lstm_weight_ih: Vec<f32>,
    /// `[64, 16]`
    pub lstm_weight_hh: Vec<f32>,
    /// `[64]`
    pub lstm_bias_ih: Vec<f32>,
    /// `[64]`
    pub lstm_bias_hh: Vec<f32>,
    /// `[6, 16]`
    pub policy_weight: Vec<f32>,
    /// `[6]`
    pub policy_bias: Vec<f32>,
}

/// Brains by slot, with their memories.
#[derive(Clone, Debug)]
pub struct Brains {
    layout: Layout,
    /// `[slots, layout.len]`
    weights: Vec<f32>,
    /// `[slots]`
    hidden: Vec<[f32; HIDDEN]>,
    /// `[slots]`
    cell: Vec<[f32; HIDDEN]>,
    /// What the convolution makes of a view, in the present forward pass.
    features: Vec<f32>,
}

impl Brains {
    /// `slots` brains for views of `view` x `view` cells (odd, at least 5), all weights 0.
    pub fn new(slots: usize, view: usize) -> Brains {
        let layout = Layout::new(view);
        Brains {
            layout,
            weights: vec![0.0; slots * layout.len],
            hidden: vec![[0.0; HIDDEN]; slots],
            cell: vec![[0.0; HIDDEN]; slots],
            features: vec![0.0; layout.features],
        }
    }

    fn row(&mut self, slot: usize) -> &mut [f32] {
        &mut self.weights[slot * self.layout.len..(slot + 1) * self.layout.len]
    }

    /// Puts a fresh brain, drawn from `key`, into `slot`: every weight and bias uniform in
    /// +-1/sqrt(fan-in) (convolution 9, LSTM 16, linear 16), memory zero.
    pub fn fresh(&mut self, slot: usize, key: Key) {
        let layout = self.layout;
        let row = self.row(slot);
        for (range, fan_in, _) in layout.tensors() {
            let bound = 1.0 / (fan_in as f32).sqrt();
            draw(
                &mut row[range.clone()],
                range.start,
                |weight, u| *weight = bound * (2.0 * u - 1.0),
                |first| key.uniforms(0, first).0,
            );
        }
        self.clear_padding(slot);
        self.forget(slot);
    }

    /// Puts the brain of `parent` into `slot` with normal noise of scale
    /// `mutation_rate` / sqrt(fan-in) drawn from `key`, memory zero.
    pub fn breed(&mut self, slot: usize, parent: usize, mutation_rate: f64, key: Key) {
        let layout = self.layout;
        self.weights.copy_within(parent * layout.len..(parent + 1) * layout.len, slot * layout.len);
        let row = self.row(slot);
        for (range, _, fan_in) in layout.tensors() {
            let scale = (mutation_rate / (fan_in as f64).sqrt()) as f32;
            draw(
                &mut row[range.clone()],
                range.start,
                |weight, noise| *weight += scale * noise,
                |first| key.normals(0, first).0,
            );
        }
        self.clear_padding(slot);
        self.forget(slot);
    }

    /// The lanes beyond the six actions take no part.
    fn clear_padding(&mut self, slot: usize) {
        let layout = self.layout;
        for row in self.row(slot)[layout.policy..layout.len].chunks_exact_mut(OUT) {
            row[ACTIONS..].fill(0.0);
        }
    }

    /// Bytes of all brains.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&self.weights[..]) + size_of_val(&self.hidden[..]) + size_of_val(&self.cell[..])
    }

    /// Clears the memory of `slot`.
    pub fn forget(&mut self, slot: usize) {
        self.hidden[slot] = [0.0; HIDDEN];
        self.cell[slot] = [0.0; HIDDEN];
    }

    /// Hidden and cell state of `slot`.
    pub fn memory(&self, slot: usize) -> (&[f32; HIDDEN], &[f32; HIDDEN]) {
        (&self.hidden[slot], &self.cell[slot])
    }

    /// Puts recorded weights into `slot`, memory zero.
    ///
    /// # Errors
    /// If a tensor has the wrong number of elements.
    pub fn load(&mut self, slot: usize, weights: &BrainWeights) -> Result<(), String> {
        let layout = self.layout;
        let sizes = [
            ("conv_weight", weights.conv_weight.len(), CONV),
            ("conv_bias", weights.conv_bias.len(), CHANNELS),
            ("lstm_weight_ih", weights.lstm_weight_ih.len(), GATES * layout.features),
            ("lstm_weight_hh", weights.lstm_weight_hh.len(), RECURRENT),
            ("lstm_bias_ih", weights.lstm_bias_ih.len(), GATES),
            ("lstm_bias_hh", weights.lstm_bias_hh.len(), GATES),
            ("policy_weight", weights.policy_weight.len(), ACTIONS * HIDDEN),
            ("policy_bias", weights.policy_bias.len(), ACTIONS),
        ];
        if let Some((name, found, expected)) =
            sizes.into_iter().find(|(_, found, expected)| found != expected)
        {
            return Err(format!("{name} has {found} elements, expected {expected}"));
        }
        let row = self.row(slot);
        row[..CONV].copy_from_slice(&weights.conv_weight);
        row[layout.conv_bias..layout.input].copy_from_slice(&weights.conv_bias);
        transpose(&weights.lstm_weight_ih, layout.features, GATES, &mut row[layout.input..layout.recurrent]);
        transpose(&weights.lstm_weight_hh, HIDDEN, GATES, &mut row[layout.recurrent..layout.input_bias]);
        row[layout.input_bias..layout.recurrent_bias].copy_from_slice(&weights.lstm_bias_ih);
        row[layout.recurrent_bias..layout.policy].copy_from_slice(&weights.lstm_bias_hh);
        transpose(&weights.policy_weight, HIDDEN, OUT, &mut row[layout.policy..layout.policy_bias]);
        row[layout.policy_bias..layout.policy_bias + ACTIONS].copy_from_slice(&weights.policy_bias);
        self.forget(slot);
        Ok(())
    }

    /// One forward pass of the brain in `slot` on a `view` x `view` neighbourhood, row by row;
    /// moves its memory on and yields its six logits.
    #[inline(always)]
    pub fn forward(&mut self, slot: usize, view: &[f32]) -> [f32; ACTIONS] {
        let layout = self.layout;
        let weights = &self.weights[slot * layout.len..(slot + 1) * layout.len];
        let mut gates = [0.0; GATES];
        let input_bias = &weights[layout.input_bias..layout.recurrent_bias];
        let recurrent_bias = &weights[layout.recurrent_bias..layout.policy];
        for i in 0..GATES {
            gates[i] = input_bias[i] + recurrent_bias[i];
        }
        let hidden = &mut self.hidden[slot];
        let rows = weights[layout.input..layout.input_bias].as_chunks().0;
        if layout.view == 7 {
            // The default view as constants, so that its loops unroll.
            features(weights, 7, 2, view, &mut self.features);
            add_rows(&mut gates, 2, &self.features, hidden, rows);
        } else {
            features(weights, layout.view, layout.pooled, view, &mut self.features);
            add_rows(&mut gates, layout.pooled, &self.features, hidden, rows);
        }
        let cell = &mut self.cell[slot];
        for i in 0..HIDDEN {
            // A closed gate is closed, and what is forgotten does not fade for ever.
            let input = math::flush(math::logistic(gates[i]));
            let forget = math::flush(math::logistic(gates[HIDDEN + i]));
            let candidate = math::tanh(gates[2 * HIDDEN + i]);
            let output = math::flush(math::logistic(gates[3 * HIDDEN + i]));
            cell[i] = math::flush(forget * cell[i] + input * candidate);
            hidden[i] = output * math::tanh(cell[i]);
        }
        let mut logits = [0.0; OUT];
        logits.copy_from_slice(&weights[layout.policy_bias..layout.policy_bias + OUT]);
        for (k, &h) in hidden.iter().enumerate() {
            let row = &weights[layout.policy + k * OUT..layout.policy + (k + 1) * OUT];
            for i in 0..OUT {
                logits[i] += h * row[i];
            }
        }
        std::array::from_fn(|i| logits[i])
    }
}

/// Convolution, ReLU and pooling of the view into `[channels, pooled, pooled]`.
#[inline(always)]
fn features(weights: &[f32], size: usize, pooled: usize, view: &[f32], out: &mut [f32]) {
    let view = &view[..size * size];
    let out = &mut out[..CHANNELS * pooled * pooled];
    let pooled_cells = pooled * pooled;
    for first in (0..pooled_cells).step_by(GROUP) {
        // A vector holds the 2x2 positions of up to four pooled cells side by side.
        let cells = (pooled_cells - first).min(GROUP);
        let mut taps = [[0.0; LANES]; TAPS];
        for (tap, lanes) in taps.iter_mut().enumerate() {
            for cell in 0..cells {
                let (row, col) = ((first + cell) / pooled, (first + cell) % pooled);
                for corner in 0..4 {
                    let y = 2 * row + corner / 2 + tap / 3;
                    let x = 2 * col + corner % 2 + tap % 3;
                    lanes[corner * GROUP + cell] = view[y * size + x];
                }
            }
        }
        for channel in 0..CHANNELS {
            let kernel = &weights[channel * TAPS..(channel + 1) * TAPS];
            let mut sums: Lanes = [weights[CONV + channel]; LANES];
            for (lanes, &weight) in taps.iter().zip(kernel) {
                for i in 0..LANES {
                    sums[i] += weight * lanes[i];
                }
            }
            // Else the compiler computes the sums four at a time, as the pooling takes them.
            sums = math::in_memory(sums);
            for i in 0..LANES / 2 {
                sums[i] = larger(sums[i], sums[i + LANES / 2]);
            }
            for i in 0..GROUP {
                sums[i] = larger(larger(sums[i], sums[i + GROUP]), 0.0);
            }
            out[channel * pooled_cells + first..][..cells].copy_from_slice(&sums[..cells]);
        }
    }
}

/// The larger of two numbers: without the look at NaN that [`f32::max`] takes.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Adds to the gates what the LSTM's weights make of the features and of the hidden state, whose `rows`
/// follow each other; a part of the gates at a time, which stays in registers.
#[inline(always)]
fn add_rows(
    gates: &mut [f32; GATES],
    pooled: usize,
    features: &[f32],
    hidden: &[f32; HIDDEN],
    rows: &[[f32; GATES]],
) {
    const PART: usize = GATES / 4;
    let (rows, recurrent) = rows.split_at(CHANNELS * pooled * pooled);
    let features = &features[..rows.len()];
    for first in (0..GATES).step_by(PART) {
        let mut sums = [0.0; PART];
        sums.copy_from_slice(&gates[first..first + PART]);
        // The order of a sum is for ever: by rows of pooled cells, four of them, channels.
        for row in 0..pooled {
            for col in (0..pooled).step_by(GROUP) {
                for channel in 0..CHANNELS {
                    for cell in col..pooled.min(col + GROUP) {
                        let k = (channel * pooled + row) * pooled + cell;
                        add_row(&mut sums, features[k], &rows[k][first..first + PART]);
                    }
                }
            }
        }
        for (k, &h) in hidden.iter().enumerate() {
            add_row(&mut sums, h, &recurrent[k][first..first + PART]);
        }
        gates[first..first + PART].copy_from_slice(&sums);
    }
}

#[inline(always)]
fn add_row<const N: usize>(sums: &mut [f32; N], input: f32, row: &[f32]) {
    let row = &row[..N];
    for i in 0..N {
        sums[i] += input * row[i];
    }
}

/// Gives each weight of `out`, which begins at element `start` of a brain, its draw, 16 at a time.
fn draw(out: &mut [f32], start: usize, mut give: impl FnMut(&mut f32, f32), draws: impl Fn(u32) -> Lanes) {
    for (chunk, first) in out.chunks_mut(LANES).zip((start..).step_by(LANES)) {
        for (weight, draw) in chunk.iter_mut().zip(draws(first as u32)) {
            give(weight, draw);
        }
    }
}

/// `from` `[rows, inputs]` into `to` `[inputs, width]`, of which the first `rows` columns.
fn transpose(from: &[f32], inputs: usize, width: usize, to: &mut [f32]) {
    for (row, values) in from.chunks_exact(inputs).enumerate() {
        for (input, &value) in values.iter().enumerate() {
            to[input * width + row] = value;
        }
    }
}

/// Softmax of six logits.
pub fn softmax(logits: &[f32; ACTIONS]) -> [f32; ACTIONS] {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = logits.map(|logit| math::exp(logit - highest));
    let total: f32 = weights.iter().sum();
    weights.map(|weight| weight / total)
}

#[cfg(test)]
mod tests;
