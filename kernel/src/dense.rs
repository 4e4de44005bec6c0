//! Dense layers for batches: the three products of a layer's forward and backward pass, on f32
//! arrays, the same bits on every machine and any number of threads.
//!
//! Every sum runs over its index in order, with one fused multiply-add a term. Rows of weights and
//! of activations are padded to whole blocks of [`LANES`] with zeros, so that no loop has a rest.

use pulp::{Simd, WithSimd};
use resonetics_numerics::cpu::{CpuPath, Work};
use resonetics_numerics::math::{LANES, flush};

/// `width` rounded up to whole blocks of [`LANES`].
pub const fn padded(width: usize) -> usize {
    width.next_multiple_of(LANES)
}

/// The left factor of a product, `[m, k]`.
#[derive(Clone, Copy, Debug)]
pub enum Left<'a> {
    /// Element (m, k) at `m * stride + k`.
    Rows(&'a [f32], usize),
    /// Element (m, k) at `k * stride + m`: a matrix that is stored transposed, of whole rows of `stride`.
    Columns(&'a [f32], usize),
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// Nothing.
    Zero,
    /// This row, `[n]`, in every row.
    Bias(&'a [f32]),
    /// What is there.
    Present,
}

/// `out[m, n]` = start + sum over k of `left[m, k]` * `right[k, n]`, with n a multiple of [`LANES`];
/// the number of rows m is that of `out`, the number of terms k that of `right`.
///
/// # Panics
/// If `n` is no multiple of [`LANES`] or `left` is too short.
pub fn product(left: Left<'_>, right: &[f32], start: Start<'_>, n: usize, out: &mut [f32]) {
    assert!(n.is_multiple_of(LANES), "rows are padded to whole blocks");
    CpuPath::dispatch_registers(Product { left, right, start, n, out });
}

struct Product<'a> {
    left: Left<'a>,
    right: &'a [f32],
    start: Start<'a>,
    n: usize,
    out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Rows in registers: enough independent sums to hide the latency of a multiply-add, few
        // enough for the registers there are.
        match S::F32_LANES {
            16 => self.panels::<S, 1, 8>(simd),
            8 => self.panels::<S, 2, 6>(simd),
            _ => self.panels::<S, 16, 1>(simd),
        }
    }
}

/// Terms of a sum that are worked on at a time: those of a panel of [`LANES`] columns, packed, lie in an
/// eighth of a first-level cache.
const PANEL: usize = 64;
/// Terms without a look at whether there are more.
const UNROLLED: usize = 4;

impl Product<'_> {
    /// By panels of [`LANES`] columns and [`PANEL`] terms, packed side by side where they are not already.
    #[inline(always)]
    fn panels<S: Simd, const V: usize, const R: usize>(mut self, simd: S) {
        let n = self.n.max(1);
        let terms = self.right.len() / n;
        if n == LANES {
            let (panels, _) = self.right.as_chunks();
            for (i, panel) in panels.chunks(PANEL).enumerate() {
                self.tiles::<S, V, R>(simd, 0, i * PANEL, panel);
            }
        } else if terms > 0 {
            let mut packed = [[0.0; LANES]; PANEL];
            for column in (0..self.n).step_by(LANES) {
                for first in (0..terms).step_by(PANEL) {
                    let right = self.right[first * n..].chunks_exact(n);
                    let mut count = 0;
                    for (to, from) in packed.iter_mut().zip(right) {
                        to.copy_from_slice(&from[column..column + LANES]);
                        count += 1;
                    }
                    self.tiles::<S, V, R>(simd, column, first, &packed[..count]);
                }
            }
        }
    }

    /// Tiles of `R` rows and `V` registers ([`LANES`] columns), then the rows that are left by 4, 2 and 1. How
    /// the rows are cut changes no sum.
    #[inline(always)]
    fn tiles<S: Simd, const V: usize, const R: usize>(
        &mut self,
        simd: S,
        column: usize,
        first: usize,
        panel: &[[f32; LANES]],
    ) {
        let rows = self.out.len() / self.n.max(1);
        let mut row = 0;
        while row + R <= rows {
            self.tile::<S, V, R>(simd, row, column, first, panel);
            row += R;
        }
        while row + 4 <= rows {
            self.tile::<S, V, 4>(simd, row, column, first, panel);
            row += 4;
        }
        while row + 2 <= rows {
            self.tile::<S, V, 2>(simd, row, column, first, panel);
            row += 2;
        }
        if row < rows {
            self.tile::<S, V, 1>(simd, row, column, first, panel);
        }
    }

    /// `R` rows from `row` on, [`LANES`] columns from `column` on: the terms in `panel`, the first of which is
    /// the `first` of all.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const R: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
        first: usize,
        panel: &[[f32; LANES]],
    ) {
        let n = self.n;
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        match if first == 0 { self.start } else { Start::Present } {
            Start::Zero => {}
            Start::Bias(bias) => {
                let bias = S::as_simd_f32s(&bias[column..column + LANES]).0;
                for sums in &mut sums {
                    sums.copy_from_slice(&bias[..V]);
                }
            }
            Start::Present => {
                for r in 0..R {
                    let from = (row + r) * n + column;
                    sums[r].copy_from_slice(&S::as_simd_f32s(&self.out[from..from + LANES]).0[..V]);
                }
            }
        }
        let (groups, rest) = panel.as_chunks::<UNROLLED>();
        let mut factors = [0.0; R];
        match self.left {
            Left::Rows(left, stride) => {
                let mut lefts: [(&[[f32; UNROLLED]], &[f32]); R] = [(&[], &[]); R];
                for (r, slot) in lefts.iter_mut().enumerate() {
                    *slot = left[(row + r) * stride + first..][..panel.len()].as_chunks();
                }
                for (i, group) in groups.iter().enumerate() {
                    for k in 0..UNROLLED {
                        for r in 0..R {
                            factors[r] = lefts[r].0[i][k];
                        }
                        add::<S, V, R>(simd, &mut sums, &factors, &group[k]);
                    }
                }
                for (k, right) in rest.iter().enumerate() {
                    for r in 0..R {
                        factors[r] = lefts[r].1[k];
                    }
                    add::<S, V, R>(simd, &mut sums, &factors, right);
                }
            }
            Left::Columns(left, stride) => {
                let left = &left[first * stride..];
                let lefts = left.chunks_exact(UNROLLED * stride);
                for (left, group) in lefts.zip(groups) {
                    for k in 0..UNROLLED {
                        factors.copy_from_slice(&left[k * stride + row..][..R]);
                        add::<S, V, R>(simd, &mut sums, &factors, &group[k]);
                    }
                }
                let left = left[groups.len() * UNROLLED * stride..].chunks_exact(stride);
                for (left, right) in left.zip(rest) {
                    factors.copy_from_slice(&left[row..row + R]);
                    add::<S, V, R>(simd, &mut sums, &factors, right);
                }
            }
        }
        for r in 0..R {
            let from = (row + r) * n + column;
            S::as_mut_simd_f32s(&mut self.out[from..from + LANES]).0[..V].copy_from_slice(&sums[r]);
        }
    }
}

#[inline(always)]
fn add<S: Simd, const V: usize, const R: usize>(
    simd: S,
    sums: &mut [[S::f32s; V]; R],
    factors: &[f32; R],
    right: &[f32; LANES],
) {
    let right = &S::as_simd_f32s(right).0[..V];
    for r in 0..R {
        let factor = simd.splat_f32s(factors[r]);
        for v in 0..V {
            sums[r][v] = simd.mul_add_f32s(factor, right[v], sums[r][v]);
        }
    }
}

/// `values` = tanh(`values`), within 3e-7, relative error too, and never beyond +-1.
///
/// A quotient of polynomials (`ptanh_float` of Eigen, `MathFunctionsImpl.h`, of degree 9 over 8): less than
/// half the instructions of `resonetics_numerics::math::tanh`, and near 0 more exact. Both polynomials with fused
/// multiply-adds, on every path.
pub fn tanh(values: &mut [f32]) {
    CpuPath::dispatch(Tanh(values));
}

struct Tanh<'a>(&'a mut [f32]);

impl Work for Tanh<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for value in self.0 {
            *value = quotient(*value);
        }
    }
}

#[inline(always)]
#[allow(clippy::disallowed_methods)] // fused on every path, as the sums are
pub(crate) fn quotient(x: f32) -> f32 {
    // Where the quotient reaches 1 - 2^-23, the nearest it gets to 1 from below.
    const LIMIT: f32 = 7.9053;
    let x = x.clamp(-LIMIT, LIMIT);
    let z = x * x;
    let mut above = 1.394_553_6e-8_f32;
    above = above.mul_add(z, 2.102_733_6e-5);
    above = above.mul_add(z, 3.520_756_7e-3);
    above = above.mul_add(z, 1.340_216_1e-1);
    above = above.mul_add(z, 1.0);
    let mut below = 8.015_777e-7_f32;
    below = below.mul_add(z, 3.326_951_5e-4);
    below = below.mul_add(z, 2.597_254_5e-2);
    below = below.mul_add(z, 4.673_548_3e-1);
    below = below.mul_add(z, 1.0);
    x * above / below
}

/// `gradient` *= 1 - `outputs`^2, and 0 where that has faded: from the gradient of tanh's outputs to that of
/// its inputs.
pub fn tanh_backward(outputs: &[f32], gradient: &mut [f32]) {
    CpuPath::dispatch(TanhBackward(outputs, gradient));
}

struct TanhBackward<'a>(&'a [f32], &'a mut [f32]);

impl Work for TanhBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (gradient, y) in self.1.iter_mut().zip(self.0) {
            *gradient = flush(*gradient * (1.0 - y * y));
        }
    }
}

/// `sums[n]` += the rows of `values` `[m, n]`, in order.
pub fn add_rows(values: &[f32], sums: &mut [f32]) {
    CpuPath::dispatch(AddRows(values, sums));
}

struct AddRows<'a>(&'a [f32], &'a mut [f32]);

impl Work for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.1.len();
        let (sums, rest) = self.1.as_chunks_mut::<LANES>();
        let whole = n - rest.len();
        // So many columns at a time that their sums stay in registers.
        for (i, sums) in sums.iter_mut().enumerate() {
            let mut held = *sums;
            for row in self.0.chunks_exact(n) {
                for (sum, value) in held.iter_mut().zip(&row[i * LANES..(i + 1) * LANES]) {
                    *sum += value;
                }
            }
            *sums = held;
        }
        for row in self.0.chunks_exact(n) {
            for (sum, value) in rest.iter_mut().zip(&row[whole..]) {
                *sum += value;
            }
        }
    }
}

/// `out[n, m]` = the transpose of `matrix[m, n]`.
pub fn transpose(matrix: &[f32], n: usize, out: &mut [f32]) {
    CpuPath::dispatch(Transpose { matrix, n, out });
}

struct Transpose<'a> {
    matrix: &'a [f32],
    n: usize,
    out: &'a mut [f32],
}

impl Work for Transpose<'_> {
    type Output = ();

    /// By squares of [`LANES`] rows and columns, then what is left of both.
    #[inline(always)]
    fn run(self) {
        let Transpose { matrix, n, out } = self;
        let m = matrix.len() / n;
        let (rows, columns) = (m / LANES * LANES, n / LANES * LANES);
        for row in (0..rows).step_by(LANES) {
            for column in (0..columns).step_by(LANES) {
                let mut square = [[0.0; LANES]; LANES];
                for (i, values) in square.iter_mut().enumerate() {
                    values.copy_from_slice(&matrix[(row + i) * n + column..][..LANES]);
                }
                for j in 0..LANES {
                    let out = &mut out[(column + j) * m + row..][..LANES];
                    for i in 0..LANES {
                        out[i] = square[i][j];
                    }
                }
            }
        }
        for row in 0..m {
            let from = if row < rows { columns } else { 0 };
            for column in from..n {
                out[column * m + row] = matrix[row * n + column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use resonetics_numerics::stream::{Domain, Key};

    use super::*;

    fn numbers(count: usize, index: u64) -> Vec<f32> {
        let key = Key::new(1, Domain::Space, index);
        (0..count).map(|i| 2.0 * key.uniform(0, i as u32) - 1.0).collect()
    }

    /// The sum in f64, in order.
    fn oracle(left: impl Fn(usize, usize) -> f32, right: &[f32], n: usize, k: usize, m: usize) -> Vec<f64> {
        let term =
            |row: usize, column: usize, k: usize| f64::from(left(row, k)) * f64::from(right[k * n + column]);
        (0..m * n).map(|i| (0..k).map(|k| term(i / n, i % n, k)).sum()).collect()
    }

    fn close(found: &[f32], expected: impl Iterator<Item = f64>) {
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((f64::from(*found) - expected).abs() < 3e-5, "{i}: {found} for {expected}");
        }
    }

    #[test]
    fn product_of_any_size_agrees_with_f64() {
        for (m, k, n) in
            [(1, 1, 16), (3, 5, 16), (4, 32, 64), (13, 30, 48), (64, 64, 64), (7, 300, 32), (2, 129, 16)]
        {
            let (left, right) = (numbers(m * k, 1), numbers(k * n, 2));
            let (bias, present) = (numbers(n, 3), numbers(m * n, 4));
            let sums = oracle(|row, term| left[row * k + term], &right, n, k, m);
            let mut out = vec![9.0; m * n];
            product(Left::Rows(&left, k), &right, Start::Zero, n, &mut out);
            close(&out, sums.iter().copied());
            product(Left::Rows(&left, k), &right, Start::Bias(&bias), n, &mut out);
            close(&out, sums.iter().enumerate().map(|(i, sum)| sum + f64::from(bias[i % n])));
            out.copy_from_slice(&present);
            product(Left::Rows(&left, k), &right, Start::Present, n, &mut out);
            close(&out, sums.iter().zip(&present).map(|(sum, old)| sum + f64::from(*old)));
            let columns = numbers(k * m, 5);
            let sums = oracle(|row, term| columns[term * m + row], &right, n, k, m);
            product(Left::Columns(&columns, m), &right, Start::Zero, n, &mut out);
            close(&out, sums.iter().copied());
        }
    }

    #[test]
    fn every_cpu_path_gives_the_same_bits() {
        let (left, right) = (numbers(13 * 40, 1), numbers(40 * 48, 2));
        let mut all = Vec::new();
        let chosen = CpuPath::current();
        for path in CpuPath::available() {
            path.force();
            let mut out = vec![0.0; 13 * 48];
            product(Left::Rows(&left, 40), &right, Start::Zero, 48, &mut out);
            tanh(&mut out);
            all.push(out);
        }
        chosen.force();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn transpose_swaps_the_indices() {
        let mut out = [0.0; 6];
        transpose(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, &mut out);
        assert_eq!(out, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        for (m, n) in [(16, 16), (32, 48), (35, 16), (16, 19), (37, 41)] {
            let matrix = numbers(m * n, 1);
            let mut out = vec![0.0; m * n];
            transpose(&matrix, n, &mut out);
            for i in 0..m * n {
                assert_eq!(out[i % n * m + i / n], matrix[i], "{m} x {n}, {i}");
            }
        }
    }

    #[test]
    fn sums_of_rows_are_those_of_each_column() {
        for n in [1, 16, 35] {
            let values: Vec<f32> = (0..3 * n).map(|i| i as f32).collect();
            let mut sums = vec![1.0; n];
            add_rows(&values, &mut sums);
            for (column, sum) in sums.into_iter().enumerate() {
                assert_eq!(sum, (1 + 3 * n + 3 * column) as f32);
            }
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // the oracle's mathematics is the standard library's
    fn tanh_agrees_with_f64() {
        let mut values: Vec<f32> = (-300_000..300_000).map(|i| i as f32 * 4e-5 + 1e-9).collect();
        values.extend([1e-30, -1e-5, 30.0, -1e30, f32::INFINITY]);
        let mut found = values.clone();
        tanh(&mut found);
        for (x, y) in values.into_iter().zip(found) {
            let exact = f64::from(x).tanh();
            let error = (f64::from(y) - exact).abs();
            assert!(error <= 3e-7 * exact.abs(), "tanh({x}) = {y}");
            assert!(y.abs() <= 1.0, "tanh({x}) = {y}");
        }
        // A number that is none must be seen by whoever looks at the loss.
        let mut lost = [f32::NAN; 17];
        tanh(&mut lost);
        assert!(lost.iter().all(|y| y.is_nan()));
    }
}
