//! The memory of the networks on tensors: `h_t` = (1 - `z_t`) `h_(t-1)` + `z_t` `c_t` (`super::super::network::Network`).

use resonetics_kernel::torch::Answer;
use tch::{Device, Tensor as Array};

use crate::prophet::learner::{Minibatch, Samples};
use crate::prophet::network::NETS;

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

/// The states `[b, N]` that the minibatch's samples begin with, whose graph goes back to where their sequences
/// begin, from what is `read` `[b, in]` by the cell of one net, whose units begin at `first` in a row's memory.
pub(super) fn befores(
    (cell, first): (&[Array], usize),
    read: &Array,
    samples: &Samples<'_>,
    minibatch: &Minibatch<'_>,
    device: Device,
) -> Answer<Array> {
    let layout = Layout::of(samples, minibatch);
    let (length, count) = (layout.length as i64, minibatch.sequences.len() as i64);
    let integers = |data: &[i64]| Array::f_from_slice(data)?.f_to_device(device);
    let floats = |data: &[f32]| Array::f_from_slice(data)?.f_to_device(device);
    let [gate, candidate] = gates(cell, read)?;
    let units = gate.size()[1];
    let order = integers(&layout.samples)?;
    let by_steps = |array: &Array| array.f_index_select(0, &order)?.f_view([length, count, units]);
    let (gate, candidate) = (by_steps(&gate)?, by_steps(&candidate)?);
    let carried = floats(&layout.carried)?.f_view([length, count, 1])?;
    let states: Vec<i64> = minibatch.sequences.iter().map(|sequence| sequence.state.into()).collect();
    let all = floats(samples.recurrent.states)?.f_view([-1, NETS.len() as i64 * units])?;
    let mut state = all.f_index_select(0, &integers(&states)?)?.f_narrow(1, first as i64, units)?;
    let mut befores = Vec::with_capacity(layout.length);
    for t in 0..length {
        let before = state.f_mul(&carried.f_select(0, t)?)?;
        let moved = candidate.f_select(0, t)?.f_sub(&before)?;
        state = before.f_add(&gate.f_select(0, t)?.f_mul(&moved)?)?;
        befores.push(before);
    }
    Array::f_cat(&befores, 0)?.f_index_select(0, &integers(&layout.places)?)
}
