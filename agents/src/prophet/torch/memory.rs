//! The memory of the networks on tensors: `h_t` = (1 - `z_t`) `h_(t-1)` + `z_t` `c_t` (`super::super::network::Network`).

use resonetics_kernel::torch::Answer;
use tch::Tensor as Array;

use super::TorchLearner;
use crate::prophet::learner::{Minibatch, Samples};

/// Parameters of a memory: weight and bias of the gate and of the candidate, the head's weight.
pub(super) const PARAMETERS: usize = 5;

/// Gates and candidates `[n, N]` of what is read, `[n, in]`.
fn gates(cell: &[Array], read: &Array) -> Answer<[Array; 2]> {
    let of = |first: usize| read.f_linear(&cell[first], Some(&cell[first + 1]));
    Ok([of(0)?.f_sigmoid()?, of(2)?.f_tanh()?])
}

/// The states `[n, N]` that follow those `before`.
pub(super) fn states(cell: &[Array], read: &Array, before: &Array) -> Answer<Array> {
    let [gate, candidate] = gates(cell, read)?;
    before.f_add(&gate.f_mul(&candidate.f_sub(before)?)?)
}

/// A minibatch's sequences side by side, `[length, sequences]`, the shorter ones filled up with its first sample,
/// of which nothing comes.
struct Layout {
    length: usize,
    /// `[length * sequences]`: which of the minibatch's samples.
    samples: Vec<i64>,
    /// `[length * sequences]`: 1 where a state comes from before, 0 where it begins.
    carried: Vec<f32>,
    /// `[b]`: where a sample is in the two.
    places: Vec<i64>,
}

impl Layout {
    fn of(samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Layout {
        let ends: Vec<usize> = minibatch.sequences.iter().map(|sequence| sequence.end as usize).collect();
        let starts: Vec<usize> = [0].into_iter().chain(ends.iter().copied()).collect();
        let length = starts.iter().zip(&ends).map(|(start, end)| end - start).max().unwrap_or(0);
        let count = ends.len();
        let mut layout = Layout {
            length,
            samples: vec![0; length * count],
            carried: vec![0.0; length * count],
            places: vec![0; minibatch.rows.len()],
        };
        for (sequence, (&start, &end)) in starts.iter().zip(&ends).enumerate() {
            for i in start..end {
                let place = (i - start) * count + sequence;
                layout.samples[place] = i as i64;
                let begins = samples.recurrent.begins[minibatch.rows[i] as usize];
                layout.carried[place] = if begins { 0.0 } else { 1.0 };
                layout.places[i] = place as i64;
            }
        }
        layout
    }
}

impl TorchLearner {
    /// The states `[b, N]` that the minibatch's samples begin with in one net, whose graph goes back to where
    /// their sequences begin.
    pub(super) fn befores(
        &self,
        net: usize,
        observations: &Array,
        samples: &Samples<'_>,
        minibatch: &Minibatch<'_>,
    ) -> Answer<Array> {
        let units = self.network.memory as i64;
        let count = minibatch.sequences.len() as i64;
        let Layout { length, samples: order, carried, places } = Layout::of(samples, minibatch);
        let (_, cell) = self.layers(net);
        let order = self.upload(&order)?;
        let [gate, candidate] = gates(cell, &self.hidden(net, observations)?)?
            .map(|array| array.f_index_select(0, &order)?.f_view([length as i64, count, units]));
        let (gate, candidate) = (gate?, candidate?);
        let carried = self.upload(&carried)?.f_view([length as i64, count, 1])?;
        let first: Vec<i64> = minibatch.sequences.iter().map(|sequence| sequence.state.into()).collect();
        let first = self.upload(&first)?;
        let remembered = self.network.remembered() as i64;
        let all = self.upload(samples.recurrent.states)?.f_view([-1, remembered])?;
        let mut state = all.f_index_select(0, &first)?.f_narrow(1, net as i64 * units, units)?;
        let mut befores = Vec::with_capacity(length);
        for t in 0..length as i64 {
            let before = state.f_mul(&carried.f_select(0, t)?)?;
            let moved = candidate.f_select(0, t)?.f_sub(&before)?;
            state = before.f_add(&gate.f_select(0, t)?.f_mul(&moved)?)?;
            befores.push(before);
        }
        Array::f_cat(&befores, 0)?.f_index_select(0, &self.upload(&places)?)
    }
}
