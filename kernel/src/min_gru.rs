//! The recurrence of a minimal gated recurrent unit, minGRU (Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024,
//! "Were RNNs all we needed?", section 3.1), on f32 arrays, the same bits on every machine.
//!
//! With z = logistic(`W_z` x + `b_z`) and c = tanh(`W_c` x + `b_c`), which are dense layers of the input alone, the
//! state of each of n units goes on by
//!
//! `h_t` = (1 - `z_t`) `h_(t-1)` + `z_t` `c_t`.
//!
//! The tanh is ours: the paper's candidate is linear. With it a state stays within +-1, as all that a dense layer
//! here puts out, however long an episode is. No product of matrices waits for the state, so that those of all
//! steps are one (`crate::dense`), and what is left here is elementwise. Widths are padded to whole blocks of
//! [`LANES`]; a unit of the padding has weights 0 and the state 0.

use resonetics_numerics::cpu::{CpuPath, Work};
use resonetics_numerics::math::{LANES, Lanes, flush};

use crate::dense::quotient;

/// The gates z and candidates c of T steps from what the dense layers put out, in place: `[T, 2n]`, in each row
/// n of z and then n of c.
///
/// # Panics
/// If `n` is no multiple of [`LANES`] or 0.
pub fn gates(sums: &mut [f32], n: usize) {
    assert!(n > 0 && n.is_multiple_of(LANES), "widths are padded to whole blocks");
    CpuPath::dispatch(Gates { sums, n });
}

struct Gates<'a> {
    sums: &'a mut [f32],
    n: usize,
}

impl Work for Gates<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for row in self.sums.chunks_exact_mut(2 * self.n) {
            let (gates, candidates) = row.split_at_mut(self.n);
            for gate in gates {
                *gate = 0.5 + 0.5 * quotient(0.5 * *gate);
            }
            for candidate in candidates {
                *candidate = quotient(*candidate);
            }
        }
    }
}

/// The states of T steps. Where a step `continues`, its state comes from the step before, and is written into
/// `before`; elsewhere it comes from what is in `before`.
#[derive(Debug)]
pub struct Forward<'a> {
    /// Units, n, padded.
    pub n: usize,
    /// `[T, 2n]`, see [`gates`].
    pub gates: &'a [f32],
    /// `[T]`; the first step never does.
    pub continues: &'a [bool],
    /// `[T, n]`: the state that each step begins with.
    pub before: &'a mut [f32],
    /// `[T, n]`: that after it.
    pub states: &'a mut [f32],
}

impl Forward<'_> {
    /// Writes all states.
    ///
    /// # Panics
    /// If the arrays are not as long as described.
    pub fn run(self) {
        check(self.n, self.continues, [self.before.len(), self.states.len(), self.gates.len() / 2]);
        CpuPath::dispatch(self);
    }
}

/// Each of `lengths` is [T, n].
fn check(n: usize, continues: &[bool], lengths: [usize; 3]) {
    assert!(n > 0 && n.is_multiple_of(LANES), "widths are padded to whole blocks");
    assert_eq!(lengths, [continues.len() * n; 3], "as many rows as steps");
    assert!(!continues.first().is_some_and(|&first| first), "no step is before the first");
}

impl Work for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.n;
        for column in (0..n).step_by(LANES) {
            let mut state: Lanes = [0.0; LANES];
            for (t, &continues) in self.continues.iter().enumerate() {
                let before: &mut Lanes = lanes_mut(self.before, t * n + column);
                if continues {
                    *before = state;
                }
                let gate: &Lanes = lanes(self.gates, 2 * t * n + column);
                let candidate: &Lanes = lanes(self.gates, (2 * t + 1) * n + column);
                for i in 0..LANES {
                    state[i] = flush(before[i] + gate[i] * (candidate[i] - before[i]));
                }
                *lanes_mut(self.states, t * n + column) = state;
            }
        }
    }
}

/// One pass through the T steps: what came of it and how the loss depends on that.
#[derive(Debug)]
pub struct Branch<'a> {
    /// `[T, 2n]`, see [`gates`].
    pub gates: &'a [f32],
    /// `[T, n]`: the loss's gradient by the states, without what goes through later states.
    pub d_states: &'a [f32],
    /// `[T, 2n]`: written: its gradient by the sums that [`gates`] was given.
    pub d_sums: &'a mut [f32],
}

/// The gradient of [`Forward`], back through time.
#[derive(Debug)]
pub struct Backward<'a> {
    /// Units, n, padded.
    pub n: usize,
    /// `[T]`, as in [`Forward`].
    pub continues: &'a [bool],
    /// `[T, n]`: what [`Forward`] left there.
    pub before: &'a [f32],
    /// The pass whose states went on.
    pub plain: Branch<'a>,
    /// One that took a single step from each of the same states `before`, on another input; its states went
    /// nowhere, but the loss depends through it on the states that it came from.
    pub aside: Option<Branch<'a>>,
}

impl Backward<'_> {
    /// Writes the gradients by the sums.
    ///
    /// # Panics
    /// If the arrays are not as long as described.
    pub fn run(self) {
        for branch in [Some(&self.plain), self.aside.as_ref()].into_iter().flatten() {
            assert_eq!(branch.d_sums.len(), branch.gates.len(), "as many rows as steps");
            let lengths = [self.before.len(), branch.d_states.len(), branch.gates.len() / 2];
            check(self.n, self.continues, lengths);
        }
        CpuPath::dispatch(self);
    }
}

impl Work for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let n = self.n;
        for column in (0..n).step_by(LANES) {
            // By the state after step t, through the steps after it.
            let mut later: Lanes = [0.0; LANES];
            for (t, &continues) in self.continues.iter().enumerate().rev() {
                let before: &Lanes = lanes(self.before, t * n + column);
                let mut d_before = self.plain.step(n, t, column, &later, before);
                if let Some(aside) = &mut self.aside {
                    let more = aside.step(n, t, column, &[0.0; LANES], before);
                    for i in 0..LANES {
                        d_before[i] = flush(d_before[i] + more[i]);
                    }
                }
                later = if continues { d_before } else { [0.0; LANES] };
            }
        }
    }
}

impl Branch<'_> {
    /// Step t of [`LANES`] units: writes the gradient by the sums, yields that by the state before.
    #[inline(always)]
    fn step(&mut self, n: usize, t: usize, column: usize, later: &Lanes, before: &Lanes) -> Lanes {
        let gate: &Lanes = lanes(self.gates, 2 * t * n + column);
        let candidate: &Lanes = lanes(self.gates, (2 * t + 1) * n + column);
        let d_state: &Lanes = lanes(self.d_states, t * n + column);
        let (mut d_gate, mut d_candidate, mut d_before) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for i in 0..LANES {
            let d = d_state[i] + later[i];
            let (z, c) = (gate[i], candidate[i]);
            d_gate[i] = flush(d * (c - before[i]) * (z * (1.0 - z)));
            d_candidate[i] = flush(d * z * (1.0 - c * c));
            d_before[i] = flush(d * (1.0 - z));
        }
        *lanes_mut(self.d_sums, 2 * t * n + column) = d_gate;
        *lanes_mut(self.d_sums, (2 * t + 1) * n + column) = d_candidate;
        d_before
    }
}

/// The numbers of `all` from `at` on, a multiple of [`LANES`].
#[inline(always)]
fn lanes(all: &[f32], at: usize) -> &Lanes {
    &all.as_chunks().0[at / LANES]
}

#[inline(always)]
fn lanes_mut(all: &mut [f32], at: usize) -> &mut Lanes {
    &mut all.as_chunks_mut().0[at / LANES]
}

#[cfg(test)]
mod tests {
    use super::*;
    use resonetics_numerics::stream::{Domain, Key};

    const N: usize = 32;
    const T: usize = 9;
    /// Two sequences, and a life that begins within the second.
    const CONTINUES: [bool; T] = [false, true, true, true, false, true, false, true, true];

    fn numbers(n: usize, tag: u32) -> Vec<f32> {
        let key = Key::new(4, Domain::Training, 0).derive(tag, 0);
        (0..n).map(|i| key.normals(0, i as u32).0[0]).collect()
    }

    /// What the states depend on, and how the loss depends on them: sum of `d_states` * states, and of the same
    /// for a step aside.
    struct Case {
        sums: Vec<f64>,
        aside: Vec<f64>,
        before: Vec<f64>,
        d_states: Vec<f64>,
        d_aside: Vec<f64>,
    }

    fn case() -> Case {
        let wide = |n: usize, tag: u32| numbers(n, tag).into_iter().map(f64::from).collect();
        Case {
            sums: wide(2 * T * N, 1),
            aside: wide(2 * T * N, 2),
            before: wide(T * N, 3),
            d_states: wide(T * N, 4),
            d_aside: wide(T * N, 5),
        }
    }

    impl Case {
        /// States of the plain pass and of the one aside, in f64 as the formula says.
        #[allow(clippy::disallowed_methods)] // the oracle's mathematics is the standard library's
        fn states(&self) -> [Vec<f64>; 2] {
            let [mut plain, mut aside] = [vec![0.0; T * N], vec![0.0; T * N]];
            let step = |sums: &[f64], t: usize, unit: usize, before: f64| {
                let z = 1.0 / (1.0 + (-sums[2 * t * N + unit]).exp());
                let c = sums[(2 * t + 1) * N + unit].tanh();
                (1.0 - z) * before + z * c
            };
            for t in 0..T {
                for unit in 0..N {
                    let at = t * N + unit;
                    let before = if CONTINUES[t] { plain[at - N] } else { self.before[at] };
                    plain[at] = step(&self.sums, t, unit, before);
                    aside[at] = step(&self.aside, t, unit, before);
                }
            }
            [plain, aside]
        }

        fn loss(&self, with_aside: bool) -> f64 {
            let [plain, aside] = self.states();
            let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            sum(&plain, &self.d_states) + if with_aside { sum(&aside, &self.d_aside) } else { 0.0 }
        }
    }

    /// States, and gradients by both kinds of sums.
    fn found(case: &Case, with_aside: bool) -> [Vec<f32>; 3] {
        let narrow = |all: &[f64]| all.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        let [mut plain, mut aside] = [narrow(&case.sums), narrow(&case.aside)];
        gates(&mut plain, N);
        gates(&mut aside, N);
        let (mut before, mut states) = (narrow(&case.before), vec![9.0; T * N]);
        Forward { n: N, gates: &plain, continues: &CONTINUES, before: &mut before, states: &mut states }
            .run();
        let [mut d_plain, mut d_aside] = [vec![9.0; 2 * T * N], vec![9.0; 2 * T * N]];
        let (by_states, by_aside) = (narrow(&case.d_states), narrow(&case.d_aside));
        Backward {
            n: N,
            continues: &CONTINUES,
            before: &before,
            plain: Branch { gates: &plain, d_states: &by_states, d_sums: &mut d_plain },
            aside: with_aside.then_some(Branch { gates: &aside, d_states: &by_aside, d_sums: &mut d_aside }),
        }
        .run();
        [states, d_plain, d_aside]
    }

    #[test]
    fn states_are_those_of_the_formula() {
        let case = case();
        let [expected, _] = case.states();
        for (found, expected) in found(&case, false)[0].iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} for {expected}");
        }
    }

    /// One unit by hand: z = 1/2 and c = tanh(1) from 0.5, then from what came of it.
    #[test]
    fn two_steps_by_hand() {
        let mut sums = vec![0.0; 2 * 2 * LANES];
        (sums[LANES], sums[3 * LANES]) = (1.0, -1.0);
        gates(&mut sums, LANES);
        let (mut before, mut states) = (vec![0.5; 2 * LANES], vec![0.0; 2 * LANES]);
        let continues = &[false, true];
        Forward { n: LANES, gates: &sums, continues, before: &mut before, states: &mut states }.run();
        // tanh(1) = 0.7615942.
        assert!((states[0] - 0.630_797_1).abs() < 1e-6, "{}", states[0]);
        assert!((states[LANES] + 0.065_398_5).abs() < 1e-6, "{}", states[LANES]);
        assert_eq!(before[LANES], states[0]);
    }

    /// Central differences of the formula in f64.
    #[test]
    fn gradients_are_the_differences_of_the_loss() {
        const H: f64 = 1e-5;
        for with_aside in [false, true] {
            let mut case = case();
            let [_, d_plain, d_aside] = found(&case, with_aside);
            for i in (0..2 * T * N).step_by(3) {
                let mut slope = |of: fn(&mut Case) -> &mut Vec<f64>| {
                    let there = of(&mut case)[i];
                    let mut at = |x: f64| {
                        of(&mut case)[i] = x;
                        case.loss(with_aside)
                    };
                    let slope = (at(there + H) - at(there - H)) / (2.0 * H);
                    of(&mut case)[i] = there;
                    slope
                };
                let expected = slope(|case| &mut case.sums);
                assert!(
                    (f64::from(d_plain[i]) - expected).abs() < 2e-6,
                    "{i}: {} for {expected}",
                    d_plain[i]
                );
                if with_aside {
                    let expected = slope(|case| &mut case.aside);
                    let found = d_aside[i];
                    assert!((f64::from(found) - expected).abs() < 2e-6, "{i}: {found} for {expected}");
                }
            }
        }
    }

    #[test]
    fn every_cpu_path_gives_the_same_bits() {
        let case = case();
        let mut all = Vec::new();
        let chosen = CpuPath::current();
        for path in CpuPath::available() {
            path.force();
            all.push(found(&case, true));
        }
        chosen.force();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    }

    /// A state that is fed with nothing comes to 0, and so does a gradient that goes back through it.
    #[test]
    fn what_fades_is_gone() {
        const LONG: usize = 400;
        let mut sums = vec![0.0; 2 * LONG * LANES];
        gates(&mut sums, LANES);
        let continues: Vec<bool> = (0..LONG).map(|t| t > 0).collect();
        let (mut before, mut states) = (vec![1.0; LONG * LANES], vec![9.0; LONG * LANES]);
        Forward { n: LANES, gates: &sums, continues: &continues, before: &mut before, states: &mut states }
            .run();
        assert!(states.iter().all(|x| !x.is_subnormal()) && states[LONG * LANES - 1] == 0.0);
        let mut d_states = vec![0.0; LONG * LANES];
        d_states[(LONG - 1) * LANES..].fill(1.0);
        let mut d_sums = vec![9.0; 2 * LONG * LANES];
        let plain = Branch { gates: &sums, d_states: &d_states, d_sums: &mut d_sums };
        Backward { n: LANES, continues: &continues, before: &before, plain, aside: None }.run();
        assert!(d_sums.iter().all(|x| !x.is_subnormal()));
        assert_eq!(d_sums[LANES], 0.0);
    }
}
