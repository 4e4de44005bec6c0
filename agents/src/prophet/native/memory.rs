//! The memory of the native learner's networks: a block of sequences forward and back through time
//! ([`resonetics_kernel::min_gru`]). Without a memory nothing here does anything.

use std::ops::Range;

use resonetics_kernel::dense::{Left, Start, add_rows, padded, product};
use resonetics_kernel::min_gru::{Backward, Branch, Forward, gates};

use super::layout::{BLOCK, Cell, Net, Pass};
use super::loss::Part;
use crate::prophet::learner::{Minibatch, SEQUENCE, Samples};

/// What one network remembers in a block, for x and for x + eps n.
#[derive(Clone, Debug)]
pub(super) struct Recall {
    /// `[BLOCK, 2n]`
    gates: [Vec<f32>; 2],
    /// `[BLOCK, n]`: the states that samples begin with.
    before: Vec<f32>,
    /// `[BLOCK, n]`
    states: [Vec<f32>; 2],
    /// `[BLOCK, n]`
    d_states: [Vec<f32>; 2],
    /// `[BLOCK, 2n]`
    d_sums: [Vec<f32>; 2],
    /// `[BLOCK, inputs]`: the gradient by what the gates read; empty without a memory.
    pub d_inputs: [Vec<f32>; 2],
}

/// What a thread needs for the memories of a block.
#[derive(Clone, Debug)]
pub(super) struct Recalls {
    /// Of actor and critic.
    pub nets: [Recall; 2],
    /// `[BLOCK]`: the state of a sample comes from the one before it.
    continues: Vec<bool>,
    /// The samples of the block that were asked, and where in the block they are.
    asked: Vec<u32>,
    places: Vec<usize>,
}

impl Recalls {
    pub(super) fn new(nets: &[Net; 2]) -> Recalls {
        let of = |net: &Net| {
            let (n, input) = net.memory.map_or((0, 0), |cell| (cell.padded(), cell.gates.input));
            let twice = |width: usize| [vec![0.0; BLOCK * width], vec![0.0; BLOCK * width]];
            Recall {
                gates: twice(2 * n),
                before: vec![0.0; BLOCK * n],
                states: twice(n),
                d_states: twice(n),
                d_sums: twice(2 * n),
                d_inputs: twice(input),
            }
        };
        let [actor, critic] = nets;
        let nets = [of(actor), of(critic)];
        Recalls { nets, continues: vec![false; BLOCK], asked: Vec::new(), places: Vec::new() }
    }

    /// Readies what the sequences of `part` begin with, for networks that remember `units` numbers.
    pub(super) fn begin(&mut self, units: usize, samples: &Samples<'_>, part: Part<'_>) {
        let mut first = 0;
        for sequence in part.sequences {
            let end = sequence.end as usize - part.from;
            for i in first..end {
                let begins = samples.recurrent.begins[part.rows[i] as usize];
                self.continues[i] = i > first && !begins;
                let state =
                    (!begins).then(|| &samples.recurrent.states[sequence.state as usize * 2 * units..]);
                if !self.continues[i] {
                    self.set(i, units, state);
                }
            }
            first = end;
        }
    }

    /// Readies `rows` samples that follow what is in `memory` `[rows, 2 units]`, each on its own.
    pub(super) fn follow(&mut self, units: usize, memory: &[f32], rows: usize) {
        self.continues[..rows].fill(false);
        for i in 0..rows {
            self.set(i, units, Some(&memory[i * 2 * units..]));
        }
    }

    /// What has come of them.
    pub(super) fn keep(&self, units: usize, memory: &mut [f32]) {
        let n = padded(units);
        for (i, memory) in memory.chunks_exact_mut((2 * units).max(1)).enumerate() {
            for (recall, memory) in self.nets.iter().zip(memory.chunks_exact_mut(units)) {
                memory.copy_from_slice(&recall.states[0][i * n..][..units]);
            }
        }
    }

    /// Sample `i` begins with `state`: the actor's units and then the critic's; 0 where there is none.
    fn set(&mut self, i: usize, units: usize, state: Option<&[f32]>) {
        let n = padded(units);
        for (net, recall) in self.nets.iter_mut().enumerate() {
            let before = &mut recall.before[i * n..][..units];
            match state {
                Some(state) => before.copy_from_slice(&state[net * units..][..units]),
                None => before.fill(0.0),
            }
        }
    }

    /// `part` without the samples that were not asked, whose outputs in `heads` `[BLOCK, output]` go, so that
    /// the terms of the loss see none of them. [`Recalls::widen`] undoes it for the gradients.
    pub(super) fn narrow<'a, 'b>(
        &'a mut self,
        samples: &Samples<'_>,
        part: Part<'a>,
        heads: impl Iterator<Item = &'b mut Vec<f32>>,
    ) -> Part<'a> {
        self.places.clear();
        if part.sequences.is_empty() {
            return part;
        }
        let asked = |&i: &usize| samples.recurrent.asked[part.rows[i] as usize];
        self.places.extend((0..part.rows.len()).filter(asked));
        if self.places.len() == part.rows.len() {
            self.places.clear();
            return part;
        }
        for head in heads {
            let width = head.len() / BLOCK;
            for (to, &from) in self.places.iter().enumerate() {
                head.copy_within(from * width..(from + 1) * width, to * width);
            }
        }
        self.asked.clear();
        self.asked.extend(self.places.iter().map(|&i| part.rows[i]));
        Part { rows: &self.asked, ..part }
    }

    /// Puts the gradients of `rows` samples by the outputs back where the samples are, 0 for those that had none.
    pub(super) fn widen(&self, rows: usize, asked: usize, heads: &mut [Vec<f32>]) {
        if asked == rows {
            return;
        }
        for head in heads {
            let width = head.len() / BLOCK;
            let mut free = rows;
            for (from, &to) in self.places[..asked].iter().enumerate().rev() {
                head[(to + 1) * width..free * width].fill(0.0);
                head.copy_within(from * width..(from + 1) * width, to * width);
                free = to;
            }
            head[..free * width].fill(0.0);
        }
    }
}

/// A block of a minibatch: its rows, and its sequences where there are any.
pub(super) struct Block {
    pub rows: Range<usize>,
    pub sequences: Range<usize>,
}

impl Block {
    /// Its part of a `whole` minibatch, whose noise has `width` numbers a sample.
    pub(super) fn part<'a>(&self, whole: Part<'a>, width: usize) -> Part<'a> {
        let rows = self.rows.clone();
        let noise = if whole.noise.is_empty() {
            whole.noise
        } else {
            &whole.noise[rows.start * width..rows.end * width]
        };
        let sequences = &whole.sequences[self.sequences.clone()];
        Part { from: rows.start, rows: &whole.rows[rows], sequences, noise, ..whole }
    }
}

/// A minibatch in blocks of at most [`BLOCK`] samples, whole sequences where there are any.
///
/// # Panics
/// If a sequence has no sample or more than [`SEQUENCE`], or they are not those of the minibatch's rows.
pub(super) fn blocks(minibatch: &Minibatch<'_>) -> Vec<Block> {
    let n = minibatch.rows.len();
    if minibatch.sequences.is_empty() {
        let block = |start: usize| Block { rows: start..(start + BLOCK).min(n), sequences: 0..0 };
        return (0..n).step_by(BLOCK).map(block).collect();
    }
    let mut blocks: Vec<Block> = Vec::new();
    let mut start = 0;
    for (i, sequence) in minibatch.sequences.iter().enumerate() {
        let end = sequence.end as usize;
        assert!(start < end && end - start <= SEQUENCE, "a sequence has 1 to {SEQUENCE} samples");
        match blocks.last_mut() {
            Some(block) if end - block.rows.start <= BLOCK => {
                (block.rows.end, block.sequences.end) = (end, i + 1);
            }
            _ => blocks.push(Block { rows: start..end, sequences: i..i + 1 }),
        }
        start = end;
    }
    assert_eq!(start, n, "the sequences are of the minibatch's rows");
    blocks
}

/// Lets a network remember `rows` samples: what that adds to its outputs, which are the last of `pass`. For
/// the `which`-th of x and x + eps n; the second starts from the states before the first.
pub(super) fn remember(
    net: &Net,
    parameters: &[f32],
    (input, pass): (&[f32], &mut Pass),
    (recalls, i, which): (&mut Recalls, usize, usize),
    rows: usize,
) {
    const ALONE: [bool; BLOCK] = [false; BLOCK];
    let Some(Cell { gates: layer, head, .. }) = &net.memory else { return };
    let n = head.input;
    let (hidden, outputs) = pass.split_at_mut(net.layers.len() - 1);
    let read = hidden.last().map_or(input, Vec::as_slice);
    let recall = &mut recalls.nets[i];
    let sums = &mut recall.gates[which][..rows * 2 * n];
    let weight = &parameters[layer.weight..][..layer.inputs * layer.output];
    let bias = Start::Bias(&parameters[layer.bias..layer.end]);
    product(Left::Rows(read, layer.input), weight, bias, layer.output, sums);
    gates(sums, n);
    let states = &mut recall.states[which][..rows * n];
    let continues = if which == 0 { &recalls.continues[..rows] } else { &ALONE[..rows] };
    Forward { n, gates: sums, continues, before: &mut recall.before[..rows * n], states }.run();
    let weight = &parameters[head.weight..][..head.inputs * head.output];
    let output = &mut outputs[0][..rows * head.output];
    product(Left::Rows(&recall.states[which], n), weight, Start::Present, head.output, output);
}

/// What the gradients `d_heads` of the outputs of `rows` samples, for x and (where `both` is 2) x + eps n,
/// give for the parameters of the memories, as `NativeLearner::backward` has it, and for what their gates
/// read, left in [`Recall::d_inputs`].
pub(super) fn recollect(
    (nets, transposed): (&[Net; 2], &[f32]),
    (inputs, passes): (&[Vec<f32>; 2], &[[Pass; 2]; 2]),
    d_heads: &[[Vec<f32>; 2]; 2],
    recalls: &mut Recalls,
    (both, rows): (usize, usize),
    (gradient, first): (&mut [f32], bool),
) {
    for (i, net) in nets.iter().enumerate() {
        let read = |which: usize| match &passes[which][i][..] {
            [.., read, _] => &read[..],
            _ => &inputs[which],
        };
        let (read, heads) = ([read(0), read(1)], [&d_heads[0][i][..], &d_heads[1][i]]);
        let recall = (&mut recalls.nets[i], &recalls.continues[..rows]);
        recollect_net((net, transposed), read, &heads[..both], recall, (gradient, first));
    }
}

fn recollect_net(
    (net, transposed): (&Net, &[f32]),
    read: [&[f32]; 2],
    d_heads: &[&[f32]],
    (recall, continues): (&mut Recall, &[bool]),
    (gradient, first): (&mut [f32], bool),
) {
    let Some(Cell { gates: layer, head, .. }) = &net.memory else { return };
    let (n, rows) = (head.input, continues.len());
    for (which, d_head) in d_heads.iter().enumerate() {
        let start = if first && which == 0 { Start::Zero } else { Start::Present };
        let d_weight = &mut gradient[head.weight..][..head.inputs * head.output];
        let states = &recall.states[which][..rows * n];
        let d_head = &d_head[..rows * head.output];
        product(Left::Columns(states, n), d_head, start, head.output, d_weight);
        let weight = &transposed[head.weight..][..head.outputs * n];
        let d_states = &mut recall.d_states[which][..rows * n];
        product(Left::Rows(d_head, head.output), weight, Start::Zero, n, d_states);
    }
    let [d_plain, d_aside] = &mut recall.d_sums;
    let branch = |which: usize, d_sums| Branch {
        gates: &recall.gates[which][..rows * 2 * n],
        d_states: &recall.d_states[which][..rows * n],
        d_sums,
    };
    let plain = branch(0, &mut d_plain[..rows * 2 * n]);
    let aside = (d_heads.len() > 1).then(|| branch(1, &mut d_aside[..rows * 2 * n]));
    Backward { n, continues, before: &recall.before[..rows * n], plain, aside }.run();
    for which in 0..d_heads.len() {
        let first = first && which == 0;
        let start = if first { Start::Zero } else { Start::Present };
        let d_sums = &recall.d_sums[which][..rows * 2 * n];
        let d_weight = &mut gradient[layer.weight..][..layer.inputs * layer.output];
        let read = &read[which][..rows * layer.input];
        product(Left::Columns(read, layer.input), d_sums, start, layer.output, d_weight);
        let d_bias = &mut gradient[layer.bias..layer.end];
        if first {
            d_bias.fill(0.0);
        }
        add_rows(d_sums, d_bias);
        let weight = &transposed[layer.weight..][..layer.outputs * layer.input];
        let d_input = &mut recall.d_inputs[which][..rows * layer.input];
        product(Left::Rows(d_sums, layer.output), weight, Start::Zero, layer.input, d_input);
    }
}
