//! What the rows of a training remember, and the sequences that a rollout is learned from where networks have a
//! memory. Without one all of it is empty.

use resonetics_envs::env::ParallelEnv;
use resonetics_envs::vector::{Batch, VecEnv};

use super::learner::{Recurrent, SEQUENCE, Sequence};

/// What each row remembers.
#[derive(Default)]
pub(super) struct Memory {
    /// Numbers of a row, M; 0 without a memory.
    pub numbers: usize,
    /// `[N, M]`
    pub rows: Vec<f32>,
    copy: Vec<f32>,
    /// `[N]`: it has begun anew since its last step.
    begins: Vec<bool>,
    /// `[N]`: who was there in its last step; empty where nothing is masked.
    alive: Vec<bool>,
}

impl Memory {
    /// Nothing yet, of `rows` rows.
    pub(super) fn new(numbers: usize, rows: usize) -> Memory {
        let flags = if numbers > 0 { rows } else { 0 };
        Memory { numbers, rows: vec![0.0; rows * numbers], begins: vec![false; flags], ..Memory::default() }
    }

    /// For a step from what `batch` shows, which it goes on by.
    pub(super) fn step(&mut self, batch: &Batch) -> &mut [f32] {
        if self.numbers > 0 {
            self.alive.clear();
            self.alive.extend(&batch.alive);
        }
        &mut self.rows
    }

    /// A copy, to look ahead with: what is remembered stays.
    pub(super) fn copy(&mut self) -> &mut [f32] {
        self.copy.clone_from(&self.rows);
        &mut self.copy
    }

    /// Clears it in the first `rows`, where episodes begin that no step has led to.
    pub(super) fn forget(&mut self, rows: usize) {
        if self.numbers > 0 {
            self.rows[..rows * self.numbers].fill(0.0);
            self.begins[..rows].fill(true);
        }
    }

    /// Clears it where the step that `batch` is of ended an episode or a life, nobody was there to remember
    /// anything, or the world says so.
    pub(super) fn begin_anew<E: ParallelEnv>(&mut self, envs: &VecEnv<E>, batch: &Batch) {
        if self.numbers == 0 {
            return;
        }
        self.begins.fill(false);
        envs.write_forgotten(&mut self.begins);
        let agents = self.begins.len() / batch.terminated.len();
        for (row, begins) in self.begins.iter_mut().enumerate() {
            let ended = batch.terminated[row / agents] || batch.truncated[row / agents];
            let died = !batch.died.is_empty() && batch.died[row];
            let absent = !self.alive.is_empty() && !self.alive[row];
            *begins |= ended || died || absent;
            if *begins {
                self.rows[row * self.numbers..][..self.numbers].fill(0.0);
            }
        }
    }
}

/// What was remembered in a rollout of T steps in N rows, whose T steps are cut into sequences of equal length.
#[derive(Default)]
pub(super) struct Remembered {
    numbers: usize,
    /// N
    rows: usize,
    /// Steps of a sequence.
    length: usize,
    /// `[T / length, N, M]`, rounded up: what sequences begin with.
    states: Vec<f32>,
    /// `[T * N]`
    begins: Vec<bool>,
}

impl Remembered {
    /// Room for `horizon` steps of as many rows as `memory` has.
    pub(super) fn resize(&mut self, horizon: usize, memory: &Memory) {
        (self.numbers, self.rows) = (memory.numbers, memory.begins.len());
        self.length = sequence_length(horizon);
        self.states.resize(horizon.div_ceil(self.length) * memory.rows.len(), 0.0);
        self.begins.resize(horizon * self.rows, false);
    }

    /// What is remembered before step `t`.
    pub(super) fn write(&mut self, t: usize, memory: &Memory) {
        let begins = &mut self.begins[t * self.rows..][..self.rows];
        if t.is_multiple_of(self.length) {
            let rows = memory.rows.len();
            self.states[t / self.length * rows..][..rows].copy_from_slice(&memory.rows);
            // Who has begun anew has a state of 0.
            begins.fill(false);
        } else {
            begins.copy_from_slice(&memory.begins);
        }
    }

    /// For the learner; `asked` `[T * N]`.
    pub(super) fn recurrent<'a>(&'a self, asked: &'a [bool]) -> Recurrent<'a> {
        if self.numbers == 0 {
            return Recurrent::default();
        }
        Recurrent { states: &self.states, begins: &self.begins, asked }
    }

    /// The sequences in which somebody was asked; none without a memory.
    pub(super) fn sequences(&self, alive: &[bool], asked: &[bool]) -> Option<Sequences> {
        if self.numbers == 0 {
            return None;
        }
        let mut all = Sequences::default();
        let (rows, horizon) = (self.rows, alive.len() / self.rows);
        for (chunk, first) in (0..horizon).step_by(self.length).enumerate() {
            for row in 0..rows {
                let steps = first..(first + self.length).min(horizon);
                let samples = || steps.clone().map(|t| t * rows + row);
                // What was remembered behind the last choice decides none.
                let Some(last) = samples().rfind(|&i| asked[i]) else { continue };
                let there = samples().take_while(|&i| i <= last).filter(|&i| alive[i] || asked[i]);
                all.samples.extend(there.map(|i| i as u32));
                let end = all.samples.len() as u32;
                all.sequences.push(Sequence { end, state: (chunk * rows + row) as u32 });
            }
        }
        Some(all)
    }
}

/// Steps of a sequence in a rollout of `horizon` steps: as many as a gradient goes back through at most, and in
/// each sequence about as many.
pub(super) fn sequence_length(horizon: usize) -> usize {
    horizon.div_ceil(horizon.div_ceil(SEQUENCE).max(1)).max(1)
}

/// All sequences of a rollout, one behind the other.
#[derive(Default)]
pub(super) struct Sequences {
    samples: Vec<u32>,
    sequences: Vec<Sequence>,
}

/// Some of them as a minibatch has them.
#[derive(Default)]
pub(super) struct Gathered {
    /// Their samples.
    pub rows: Vec<u32>,
    pub sequences: Vec<Sequence>,
    /// Those of the samples that were asked.
    pub asked: Vec<u32>,
}

impl Sequences {
    /// Their numbers.
    pub(super) fn all(&self) -> Vec<u32> {
        (0..self.sequences.len() as u32).collect()
    }

    /// Gathers those of the numbers `chosen`; `asked` is that of all samples.
    pub(super) fn gather(&self, chosen: &[u32], asked: &[bool], gathered: &mut Gathered) {
        let Gathered { rows, sequences, asked: chose } = gathered;
        rows.clear();
        sequences.clear();
        chose.clear();
        for &number in chosen {
            let number = number as usize;
            let Sequence { end, state } = self.sequences[number];
            let start = number.checked_sub(1).map_or(0, |before| self.sequences[before].end);
            rows.extend_from_slice(&self.samples[start as usize..end as usize]);
            sequences.push(Sequence { end: rows.len() as u32, state });
        }
        chose.extend(rows.iter().filter(|&&row| asked[row as usize]));
    }
}
