//! A smoke battery for the uniform words: tests of the kinds that Knuth (TAOCP 2, 3.3) and Marsaglia's
//! Diehard made usual, on the words as the worlds draw them: counted up by index, by step, and from key to
//! key. It finds a generator that is wired wrongly; Salmon et al. 2011 looked at Threefry itself with
//! `TestU01`. Seeds are fixed, thresholds such that chance passes one about once in a million
//! runs.
#![allow(clippy::unwrap_used)] // helpers of tests

use resonetics_numerics::stream::{Domain, Key};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Words of a test.
const WORDS: usize = 1 << 20;
/// Beyond this a statistic is taken for no chance.
const RARE: f64 = 1e-6;

/// Words in an order in which a world uses them.
type Order = (&'static str, fn(usize) -> u32);

const ORDERS: [Order; 5] = [
    ("by index, first words", |i| key(0).words(3, i as u32).0),
    ("by index, both words", |i| pick(key(0).words(3, (i / 2) as u32), i % 2)),
    ("by step, second words", |i| key(0).words(i as u32, 3 << 24).1),
    ("by episode", |i| key(i as u64).words(0, 0).0),
    ("by seed", |i| Key::new(i as u64, Domain::Episode, 0).words(0, 0).1),
];

fn key(episode: u64) -> Key {
    Key::new(2026, Domain::Episode, episode)
}

fn pick(words: (u32, u32), which: usize) -> u32 {
    if which == 0 { words.0 } else { words.1 }
}

/// Fails if `counts` are further from `expected`, or nearer, than chance allows.
fn fits(what: &str, counts: &[f64], expected: &[f64]) {
    let statistic: f64 = counts.iter().zip(expected).map(|(n, e)| (n - e).powi(2) / e).sum();
    let p = ChiSquared::new((counts.len() - 1) as f64).unwrap().cdf(statistic);
    assert!((RARE..1.0 - RARE).contains(&p), "{what}: chi-square {statistic} is at {p}");
}

/// Fails if `value`, of a distribution near the normal, is too far from `mean`.
fn near(what: &str, value: f64, mean: f64, deviation: f64) {
    assert!((value - mean).abs() < 4.9 * deviation, "{what}: {value}, expected {mean} +- {deviation}");
}

fn each(test: impl Fn(&str, &dyn Fn(usize) -> u32)) {
    for (what, word) in ORDERS {
        test(what, &word);
    }
}

#[test]
fn every_bit_is_set_half_of_the_time_and_flips_half_of_the_time() {
    each(|what, word| {
        let n = WORDS as f64;
        for bit in 0..32 {
            let at = |i: usize| word(i) >> bit & 1;
            let set = (0..WORDS).filter(|&i| at(i) == 1).count();
            near(&format!("{what}: bit {bit}"), set as f64, n / 2.0, n.sqrt() / 2.0);
            let flips = (1..WORDS).filter(|&i| at(i) != at(i - 1)).count();
            near(&format!("{what}: flips of bit {bit}"), flips as f64, n / 2.0, n.sqrt() / 2.0);
        }
    });
}

#[test]
fn bytes_and_pairs_of_neighbours_are_equally_frequent() {
    each(|what, word| {
        for shift in [0, 8, 16, 24] {
            let mut bytes = [0.0; 256];
            let mut pairs = vec![0.0; 1 << 12];
            for i in 0..WORDS {
                bytes[(word(i) >> shift & 0xff) as usize] += 1.0;
            }
            for i in (0..WORDS).step_by(2) {
                let pair = (word(i) >> shift & 0x3f) << 6 | word(i + 1) >> shift & 0x3f;
                pairs[pair as usize] += 1.0;
            }
            fits(&format!("{what}: bytes at {shift}"), &bytes, &[WORDS as f64 / 256.0; 256]);
            let expected = vec![WORDS as f64 / 2.0 / 4096.0; 1 << 12];
            fits(&format!("{what}: pairs at {shift}"), &pairs, &expected);
        }
    });
}

#[test]
fn weights_of_words_follow_the_binomial_distribution_and_forget_each_other() {
    let mut binomial = [1.0_f64; 33];
    for k in 1..33 {
        binomial[k] = binomial[k - 1] * (33 - k) as f64 / k as f64;
    }
    let total: f64 = binomial.iter().sum();
    each(|what, word| {
        // The ends, too rare to count, together: weights up to 7 and from 25 on.
        let class = |weight: u32| weight.clamp(7, 25) as usize - 7;
        let (mut counts, mut expected) = ([0.0; 19], [0.0; 19]);
        let mut product = 0.0;
        for i in 0..WORDS {
            let weight = word(i).count_ones();
            counts[class(weight)] += 1.0;
            let next = word(i + 1).count_ones();
            product += (f64::from(weight) - 16.0) * (f64::from(next) - 16.0);
        }
        for (weight, share) in binomial.iter().enumerate() {
            expected[class(weight as u32)] += WORDS as f64 * share / total;
        }
        fits(&format!("{what}: weights"), &counts, &expected);
        // Each factor has the variance 32 / 4 = 8.
        near(&format!("{what}: neighbours"), product, 0.0, 8.0 * (WORDS as f64).sqrt());
    });
}

/// Gaps between values in the lowest sixteenth: geometric.
#[test]
fn gaps_are_geometric() {
    each(|what, word| {
        let (mut counts, mut gap, mut gaps) = ([0.0; 64], 0, 0.0);
        for i in 0..WORDS {
            if word(i) >> 28 == 0 {
                counts[gap.min(63)] += 1.0;
                gaps += 1.0;
                gap = 0;
            } else {
                gap += 1;
            }
        }
        let share =
            |k: i32| if k < 63 { (15.0_f64 / 16.0).powi(k) / 16.0 } else { (15.0_f64 / 16.0).powi(63) };
        let expected: Vec<f64> = (0..64).map(|k| gaps * share(k)).collect();
        fits(&format!("{what}: gaps"), &counts, &expected);
    });
}

/// Marsaglia's birthdays: 512 in a year of 2^24 days have repeated spacings as a Poisson variable of mean
/// 512^3 / (4 * 2^24) = 2 tells.
#[test]
fn birthdays_repeat_their_spacings_as_often_as_they_should() {
    each(|what, word| {
        let trials = WORDS / 512;
        let mut repeats = 0.0;
        for trial in 0..trials {
            let mut days: Vec<u32> = (0..512).map(|i| word(trial * 512 + i) >> 8).collect();
            days.sort_unstable();
            let mut spacings: Vec<u32> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
            spacings.sort_unstable();
            repeats += spacings.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64;
        }
        near(&format!("{what}: birthdays"), repeats, 2.0 * trials as f64, (2.0 * trials as f64).sqrt());
    });
}

/// The rank of a random 32 x 32 matrix of bits is 32, 31, 30 or less with these shares (Marsaglia and Tsay 1985).
#[test]
fn matrices_of_bits_have_their_ranks() {
    each(|what, word| {
        let mut counts = [0.0; 4];
        for matrix in 0..WORDS / 32 {
            let mut rows: Vec<u32> = (0..32).map(|i| word(matrix * 32 + i)).collect();
            let mut rank = 0;
            for bit in 0..32 {
                let Some(pivot) = (rank..32).find(|&row| rows[row] >> bit & 1 == 1) else { continue };
                rows.swap(rank, pivot);
                for row in rank + 1..32 {
                    if rows[row] >> bit & 1 == 1 {
                        rows[row] ^= rows[rank];
                    }
                }
                rank += 1;
            }
            counts[(32 - rank).min(3)] += 1.0;
        }
        let n = (WORDS / 32) as f64;
        fits(
            &format!("{what}: ranks"),
            &counts,
            &[0.288_788 * n, 0.577_576 * n, 0.128_350 * n, 0.005_286 * n],
        );
    });
}

/// A change of one bit of seed, episode, step or index changes each bit of the word half of the time.
#[test]
fn one_bit_changes_half_of_all_bits() {
    const TRIALS: u32 = 4096;
    let word = |seed: u64, episode: u64, step: u32, index: u32| {
        Key::new(seed, Domain::Episode, episode).words(step, index)
    };
    for bit in 0..32 {
        let mut flips = [[0.0; 32]; 4];
        for trial in 0..TRIALS {
            let (seed, episode, step, index) =
                (u64::from(trial) * 77, u64::from(trial) * 5, trial * 3, trial * 11);
            let (plain, wide) = (word(seed, episode, step, index).0, 1_u64 << bit);
            let changed = [
                word(seed ^ wide, episode, step, index).0,
                word(seed, episode ^ wide, step, index).0,
                word(seed, episode, step ^ 1 << bit, index).0,
                word(seed, episode, step, index ^ 1 << bit).0,
            ];
            for (flips, changed) in flips.iter_mut().zip(changed) {
                for (out, flips) in flips.iter_mut().enumerate() {
                    *flips += f64::from((plain ^ changed) >> out & 1);
                }
            }
        }
        let n = f64::from(TRIALS);
        for (what, flips) in ["seed", "episode", "step", "index"].into_iter().zip(flips) {
            for (out, flips) in flips.into_iter().enumerate() {
                near(&format!("bit {bit} of the {what} on bit {out}"), flips, n / 2.0, n.sqrt() / 2.0);
            }
        }
    }
}
