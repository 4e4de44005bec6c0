//! Running means and variances, for observations and returns.

use resonetics_envs::cpu::{CpuPath, Work};

/// Mean and variance of everything seen so far, a pair for each of D columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalizer {
    /// `[D]`
    pub mean: Vec<f64>,
    /// `[D]`: sum of squared deviations from the mean.
    pub squares: Vec<f64>,
    /// Rows seen.
    pub count: f64,
}

/// Standard deviations from the mean at which a normalised number is cut.
pub(super) const LIMIT: f32 = 10.0;

impl Normalizer {
    /// Nothing seen: it changes nothing.
    pub fn new(columns: usize) -> Normalizer {
        Normalizer { mean: vec![0.0; columns], squares: vec![0.0; columns], count: 0.0 }
    }

    /// Takes in the rows of `values` `[n, D]`, of which `used` says which count (empty: all). Chan,
    /// Golub, LeVeque 1983: two passes over the new rows, then one merge.
    pub fn update(&mut self, values: &[f32], used: &[bool]) {
        let columns = self.mean.len();
        let mut mean = vec![0.0; columns];
        let mut squares = vec![0.0; columns];
        CpuPath::dispatch(Moments { values, used, shift: None, sums: &mut mean });
        let all = values.len() / columns.max(1);
        let count = if used.is_empty() { all } else { used.iter().filter(|&&used| used).count() } as f64;
        if count == 0.0 {
            return;
        }
        for sum in &mut mean {
            *sum /= count;
        }
        CpuPath::dispatch(Moments { values, used, shift: Some(&mean), sums: &mut squares });
        let total = self.count + count;
        for i in 0..columns {
            let delta = mean[i] - self.mean[i];
            self.mean[i] += delta * count / total;
            self.squares[i] += squares[i] + delta * delta * self.count * count / total;
        }
        self.count = total;
    }

    /// 1 / standard deviation of each column; 1 where nothing was seen or nothing varies.
    pub fn scales(&self) -> Vec<f32> {
        let scale = |squares: &f64| {
            let variance = squares / self.count.max(1.0);
            if variance > 1e-12 { (1.0 / variance.sqrt()) as f32 } else { 1.0 }
        };
        self.squares.iter().map(scale).collect()
    }

    /// `out` = (`values` - mean) / standard deviation, cut to +-10, rows `[n, D]`; `values` as they are
    /// where nothing was seen.
    ///
    /// # Panics
    /// If `out` is not as long as `values`.
    pub fn apply(&self, values: &[f32], out: &mut [f32]) {
        if self.count == 0.0 {
            out.copy_from_slice(values);
            return;
        }
        let means: Vec<f32> = self.mean.iter().map(|&mean| mean as f32).collect();
        CpuPath::dispatch(Apply { values, means: &means, scales: &self.scales(), out });
    }
}

/// Sums over rows of the values, or of their squared deviations from `shift`.
struct Moments<'a> {
    values: &'a [f32],
    used: &'a [bool],
    shift: Option<&'a [f64]>,
    sums: &'a mut [f64],
}

impl Work for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, row) in self.values.chunks_exact(self.sums.len()).enumerate() {
            if self.used.is_empty() || self.used[i] {
                match self.shift {
                    None => {
                        for (sum, &x) in self.sums.iter_mut().zip(row) {
                            *sum += f64::from(x);
                        }
                    }
                    Some(shift) => {
                        for ((sum, &x), shift) in self.sums.iter_mut().zip(row).zip(shift) {
                            let deviation = f64::from(x) - shift;
                            *sum += deviation * deviation;
                        }
                    }
                }
            }
        }
    }
}

struct Apply<'a> {
    values: &'a [f32],
    means: &'a [f32],
    scales: &'a [f32],
    out: &'a mut [f32],
}

impl Work for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let columns = self.means.len();
        for (row, out) in self.values.chunks_exact(columns).zip(self.out.chunks_exact_mut(columns)) {
            for (((out, x), mean), scale) in out.iter_mut().zip(row).zip(self.means).zip(self.scales) {
                *out = ((x - mean) * scale).clamp(-LIMIT, LIMIT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_give_the_moments_of_the_whole() {
        let values: Vec<f32> = (0..60).map(|i| ((i * 37) % 17) as f32 + 100.0).collect();
        let mut normalizer = Normalizer::new(2);
        for piece in values.chunks(14) {
            normalizer.update(piece, &[]);
        }
        for column in 0..2 {
            let of = || values.iter().skip(column).step_by(2).map(|&x| f64::from(x));
            let mean = of().sum::<f64>() / 30.0;
            let squares = of().map(|x| (x - mean) * (x - mean)).sum::<f64>();
            assert!((normalizer.mean[column] - mean).abs() < 1e-9);
            assert!((normalizer.squares[column] - squares).abs() < 1e-9);
        }
        let mut out = vec![0.0; 60];
        normalizer.apply(&values, &mut out);
        let mean: f32 = out.iter().sum::<f32>() / 60.0;
        let variance: f32 = out.iter().map(|x| x * x).sum::<f32>() / 60.0;
        assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-4);
    }

    #[test]
    fn rows_that_do_not_count_leave_no_trace() {
        let (mut with, mut without) = (Normalizer::new(1), Normalizer::new(1));
        with.update(&[1.0, 99.0, 3.0], &[true, false, true]);
        without.update(&[1.0, 3.0], &[]);
        assert_eq!(with, without);
        with.update(&[7.0], &[false]);
        assert_eq!(with, without);
    }

    #[test]
    fn a_constant_column_is_shifted_and_an_empty_one_left_alone() {
        let mut normalizer = Normalizer::new(1);
        let mut out = [0.0];
        normalizer.apply(&[3.0], &mut out);
        assert_eq!(out, [3.0]);
        normalizer.apply(&[-300.0], &mut out);
        assert_eq!(out, [-300.0]);
        normalizer.update(&[5.0, 5.0], &[]);
        normalizer.apply(&[5.5], &mut out);
        assert_eq!(out, [0.5]);
        normalizer.apply(&[500.0], &mut out);
        assert_eq!(out, [10.0]);
    }

    /// Far from 0 nothing is lost, as it would be in a mean of squares.
    #[test]
    fn a_small_spread_around_a_large_mean_is_found() {
        let mut normalizer = Normalizer::new(2);
        for i in 0..1000 {
            let x = 4096.0 + f32::from(i as u8 % 2) * 0.001_953_125;
            normalizer.update(&[x, -x], &[]);
        }
        for column in 0..2 {
            assert!((normalizer.squares[column] / 1000.0 - 0.000_976_562_5_f64.powi(2)).abs() < 1e-15);
        }
        let mut out = [0.0; 2];
        normalizer.apply(&[4096.0, -4096.0], &mut out);
        assert!((out[0] + 1.0).abs() < 1e-3 && (out[1] - 1.0).abs() < 1e-3, "{out:?}");
    }

    #[test]
    fn every_cpu_path_gives_the_same_bits() {
        let values: Vec<f32> = (0..37 * 33).map(|i| ((i * 7919) % 1013) as f32 / 37.0).collect();
        let used: Vec<bool> = (0..37).map(|i| i % 3 != 0).collect();
        let chosen = CpuPath::current();
        let mut all = Vec::new();
        for path in CpuPath::available() {
            path.force();
            let mut normalizer = Normalizer::new(33);
            normalizer.update(&values, &used);
            normalizer.update(&values[..330], &[]);
            let mut out = vec![0.0; values.len()];
            normalizer.apply(&values, &mut out);
            all.push((normalizer, out));
        }
        chosen.force();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
