//! What a training draws, each number from a stream of its own: actions, the order of samples, the noise of
//! the flow and of CAPS.

use rayon::prelude::*;
use resonetics_envs::cpu::{CpuPath, Work};
use resonetics_envs::math::LANES;
use resonetics_envs::stream::{Domain, Key, scale};

use super::categorical::{choose, forbid, log_softmax};

/// What a training draws, by number; a number is for ever.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(super) enum Purpose {
    /// Episodes of the training's environments.
    Episodes = 0,
    /// Episodes that choose the best checkpoint.
    Evaluation = 1,
    /// Actions.
    Actions = 2,
    /// The order of samples in an epoch.
    Order = 3,
    /// Perturbations of the flow and of the spatial term of CAPS.
    Flow = 4,
    /// The risk predictor's dropout.
    Dropout = 5,
    /// Episodes that the sampled policy is measured in.
    SampledEpisodes = 6,
    /// Its actions there.
    SampledActions = 7,
    /// Episodes that begin with a rollout.
    Restarts = 8,
}

impl Purpose {
    /// The stream that a training of `seed` draws from for it.
    pub(super) fn key(self, seed: u64) -> Key {
        Key::new(seed, Domain::Training, self as u64)
    }

    /// The seed of a training's own episodes: `lane_seed(seed, i)` belongs to the benchmarks.
    pub(super) fn seed(self, seed: u64) -> u64 {
        let (low, high) = self.key(seed).words(0, 0);
        (u64::from(high) << 32 | u64::from(low)) >> 11
    }
}

/// Draws an action for each row from its logits, and writes its log-probability.
pub(super) fn draw_actions(
    key: Key,
    step: u32,
    logits: &[f32],
    mask: &[bool],
    chosen: &mut [usize],
    log_probs: &mut [f32],
) {
    let n = logits.len() / chosen.len().max(1);
    let mut log_p = vec![0.0; n];
    let mut p = vec![0.0; n];
    for (row, (chosen, log_prob)) in chosen.iter_mut().zip(log_probs).enumerate() {
        log_p.copy_from_slice(&logits[row * n..][..n]);
        if !mask.is_empty() {
            forbid(&mut log_p, &mask[row * n..][..n]);
        }
        log_softmax(&mut log_p, &mut p);
        *chosen = choose(&p, key.uniform(step, row as u32));
        *log_prob = log_p[*chosen];
    }
}

/// Puts `rows` into a random order (Fisher and Yates).
pub(super) fn shuffle(key: Key, rows: &mut [u32]) {
    CpuPath::dispatch(Shuffle { key, rows });
}

struct Shuffle<'a> {
    key: Key,
    rows: &'a mut [u32],
}

impl Work for Shuffle<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for first in (0..self.rows.len()).step_by(LANES).rev() {
            let (words, _) = self.key.lanes(0, first as u32);
            for i in (first.max(1)..self.rows.len().min(first + LANES)).rev() {
                self.rows.swap(i, scale(words[i - first], i as u32 + 1) as usize);
            }
        }
    }
}

/// Fills `noise` with `count` standard normals.
pub(super) fn draw_normals(key: Key, piece: u32, count: usize, noise: &mut Vec<f32>) {
    // Four normals an index.
    const PIECE: usize = 8192;
    noise.resize(count, 0.0);
    noise
        .par_chunks_mut(PIECE)
        .enumerate()
        .for_each(|(i, out)| CpuPath::dispatch(Normals { key, piece, first: (i * PIECE / 4) as u32, out }));
}

struct Normals<'a> {
    key: Key,
    piece: u32,
    first: u32,
    out: &'a mut [f32],
}

impl Work for Normals<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.key.fill_normals(self.piece, self.first, self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_as_likely() {
        let mut counts = [0; 6];
        for turn in 0..6000 {
            let mut rows = [0, 1, 2];
            shuffle(Key::new(5, Domain::Training, turn), &mut rows);
            let order = 2 * rows[0] + u32::from(rows[1] > rows[2]);
            counts[order as usize] += 1;
        }
        // Binomial(6000, 1/6): 1000 +- 29; five standard deviations.
        assert!(counts.iter().all(|count| (855..=1145).contains(count)), "{counts:?}");
    }

    /// Fisher and Yates as it is written in books, a word at a time.
    #[test]
    fn an_order_does_not_depend_on_how_many_words_are_drawn_at_once() {
        let key = Key::new(5, Domain::Training, 1);
        for n in [0, 1, 2, 15, 16, 17, 100] {
            let mut rows: Vec<u32> = (0..n).collect();
            let mut expected = rows.clone();
            shuffle(key, &mut rows);
            for i in (1..n).rev() {
                expected.swap(i as usize, key.below(i + 1, 0, i) as usize);
            }
            assert_eq!(rows, expected);
        }
    }

    #[test]
    fn normals_do_not_depend_on_how_many_are_drawn_and_differ_from_piece_to_piece() {
        let key = Key::new(5, Domain::Training, 0);
        let (mut few, mut many, mut other) = (vec![], vec![9.0; 5], vec![]);
        draw_normals(key, 3, 50, &mut few);
        draw_normals(key, 3, 20_000, &mut many);
        draw_normals(key, 4, 50, &mut other);
        assert_eq!((few.len(), many.len()), (50, 20_000));
        assert_eq!(few, many[..50]);
        let mut at_once = vec![0.0; many.len()];
        key.fill_normals(3, 0, &mut at_once);
        assert_eq!(many, at_once);
        assert!(few.iter().zip(&other).all(|(a, b)| a != b));
        let mean = many.iter().map(|&x| f64::from(x)).sum::<f64>() / 2e4;
        let square = many.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() / 2e4;
        // Five standard errors: 1 / 141 and sqrt(2) / 141.
        assert!(mean.abs() < 0.036 && (square - 1.0).abs() < 0.051, "{mean}, {square}");
    }
}
