//! Experiments in pairs of blocks: a running system has one value of a setting for a while and then the other, a coin
//! says for each pair which comes first, and the first rows of each block are left out (a randomised switchback; Box,
//! Hunter and Hunter 2005, "Statistics for experimenters", chapters 3 and 4; Bojinov, Simchi-Levi and Zhao 2023,
//! "Design and analysis of switchback experiments"). What the pairs say is [`super::sign_flip`]'s.

use serde::Serialize;

use super::draws::Drawn;
use super::sign_flip::{ALL_PATTERNS, Subsets};
use super::student::welch_interval_among;
use super::summary::{mean, quantile, standard_deviation};
use super::{FEW, Interval, as_f64};

/// How long blocks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// Rows of a block, with those that are left out.
    pub rows: usize,
    /// Rows at the beginning of each block that are left out.
    pub washout: usize,
}

/// What the noise of a plant lets pairs of blocks show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detectable {
    /// Standard deviation of a paired difference, in the units of the rows.
    pub deviation: f64,
    /// From so many pairs of blocks of the history.
    pub from: usize,
    /// The effect that is told in 80% of experiments, in the units of the rows.
    pub effect: f64,
}

/// Whether the value of the block before is still felt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CarryOver {
    /// What a block is higher by where B, not A, was before it, in the units of the differences.
    pub effect: f64,
    /// 95% interval; without 0 in it the washout is too short, and mean differences are too small by half of this.
    pub interval: Interval,
    /// Pairs that began with the value that was there.
    pub stayed: usize,
    /// Pairs that began with the other value.
    pub switched: usize,
}

/// For each of `pairs` pairs whether B comes first, by a fair coin under `seed`: to be written down before the start.
pub fn orders(pairs: usize, seed: u64) -> Vec<bool> {
    let mut draws = Drawn::Orders.stream(seed, 0);
    (0..pairs).map(|_| draws.coin()).collect()
}

impl Blocks {
    /// For each pair the mean of B's block minus that of A's. `series` are the rows of all blocks one after the other,
    /// from the start of the experiment on.
    ///
    /// `None` where rows are missing or not finite, or where the washout leaves nothing.
    pub fn differences(&self, series: &[f64], b_first: &[bool]) -> Option<Vec<f64>> {
        let pair = |(i, &b_first): (usize, &bool)| {
            let (first, second) = (self.mean(series, 2 * i)?, self.mean(series, 2 * i + 1)?);
            Some(if b_first { first - second } else { second - first })
        };
        b_first.iter().enumerate().map(pair).collect()
    }

    /// The mean of block `number` of a series without its washout.
    fn mean(&self, series: &[f64], number: usize) -> Option<f64> {
        let begin = number.checked_mul(self.rows)?;
        mean(series.get(begin..begin + self.rows)?.get(self.washout..)?)
    }

    /// What effect `pairs` pairs would show, from a `history` in which nothing was changed: printed before anything is.
    /// Noise is taken as normal, with the deviation of the history's own paired differences about 0.
    ///
    /// `None` for fewer than [`FEW`] pairs, or of which the history holds fewer than that many; for a history that
    /// never changes.
    pub fn detectable(&self, history: &[f64], pairs: usize, seed: u64) -> Option<Detectable> {
        let from = history.len().checked_div(2 * self.rows)?;
        let differences = self.differences(history, &vec![false; from])?;
        // With no effect and either order as likely the mean is 0, whatever the trend.
        let squares: f64 = differences.iter().map(|difference| difference * difference).sum();
        let deviation = (squares / as_f64(from)).sqrt();
        if from < FEW || deviation <= 0.0 {
            return None;
        }
        let effect = deviation * detectable_effect(pairs, seed)?;
        Some(Detectable { deviation, from, effect })
    }
}

/// Experiments that [`detectable_effect`] simulates: its chance of 80% errs by 0.9%.
const SIMULATED: usize = 2_000;

/// The effect, in standard deviations of a paired difference, that the sign-flip test at 5% tells in 80% of
/// experiments with `pairs` pairs and normal noise.
///
/// An effect that is added to noise moves the interval with it; it is told where it exceeds minus the lower end of
/// the noise's own. So this is the 80% quantile of that, over 2,000 experiments under `seed`; with more than 12
/// pairs their intervals are of 4,095 subsets each. `None` below [`FEW`] pairs, where nothing is ever told at 5%.
pub fn detectable_effect(pairs: usize, seed: u64) -> Option<f64> {
    if pairs < FEW {
        return None;
    }
    let mut needed = Vec::with_capacity(SIMULATED);
    for experiment in 0..SIMULATED {
        let mut draws = Drawn::Power.stream(seed, experiment as u64);
        let noise: Vec<f64> = (0..pairs).map(|_| draws.normal()).collect();
        let subsets = if pairs <= ALL_PATTERNS.min(12) {
            Subsets::all(&noise)
        } else {
            Subsets::drawn(&noise, 4_095, seed.wrapping_add(experiment as u64))
        };
        needed.push(-subsets.interval()?.low);
    }
    quantile(&needed, 0.8)
}

/// Whether `differences`, B minus A of each pair in their order in time, are others where a pair began with the
/// value that was already there. `b_first` is the coin's.
///
/// With c what a block is higher by after B rather than A, a pair that begins with the value of the block before has
/// the expected difference d, one that begins with the other d - c; coins decide which. Welch's interval of the difference;
/// the first pair, before which neither was, is left out. `None` for fewer than two pairs of a kind, different lengths,
/// or values that are not finite or of one kind all equal.
pub fn carry_over(differences: &[f64], b_first: &[bool]) -> Option<CarryOver> {
    if differences.len() != b_first.len() {
        return None;
    }
    let (mut stayed, mut switched) = (Vec::new(), Vec::new());
    for pair in 1..b_first.len() {
        // The pair before ended with the value that it did not begin with.
        let before_is_b = !b_first[pair - 1];
        let kind = if b_first[pair] == before_is_b { &mut stayed } else { &mut switched };
        kind.push(differences[pair]);
    }
    let interval = welch_interval_among(&stayed, &switched, 1)?;
    standard_deviation(differences)?;
    let effect = mean(&stayed)? - mean(&switched)?;
    Some(CarryOver { effect, interval, stayed: stayed.len(), switched: switched.len() })
}

#[cfg(test)]
mod tests {
    use super::super::test_data::assert_close;
    use super::*;

    const BLOCKS: Blocks = Blocks { rows: 4, washout: 1 };

    #[test]
    fn differences_are_of_what_the_washout_leaves() {
        // A 1 and B 3, then B 10 and A 4; the first row of each block is nonsense.
        let series = [99.0, 1.0, 1.0, 1.0, -99.0, 2.0, 3.0, 4.0, 99.0, 10.0, 9.0, 11.0, 0.0, 4.0, 4.0, 4.0];
        assert_eq!(BLOCKS.differences(&series, &[false, true]), Some(vec![2.0, 6.0]));
        assert_eq!(BLOCKS.differences(&series[..15], &[false, true]), None);
        assert_eq!(Blocks { rows: 4, washout: 4 }.differences(&series, &[false]), None);
        assert_eq!(Blocks { rows: 4, washout: 5 }.differences(&series, &[false]), None);
    }

    #[test]
    fn orders_are_fair_and_repeat() {
        let many = orders(10_000, 3);
        let heads = many.iter().filter(|b_first| **b_first).count();
        // Four standard errors.
        assert!((4_800..=5_200).contains(&heads), "{heads}");
        assert_eq!(orders(8, 3), many[..8]);
        assert_ne!(orders(64, 4), many[..64]);
    }

    /// Blocks built from their own model without noise but a little: B adds 2, B before adds 0.5.
    #[test]
    fn carry_over_is_found_where_it_was_built_in() {
        let b_first = orders(40, 1);
        let settings: Vec<bool> = b_first.iter().flat_map(|&b_first| [b_first, !b_first]).collect();
        let mut draws = Drawn::Noise.stream(2, 0);
        let built = |carry: f64, draws: &mut super::super::draws::Draws| -> Vec<f64> {
            let block = |i: usize| {
                let before = i > 0 && settings[i - 1];
                2.0 * f64::from(u8::from(settings[i])) + carry * f64::from(u8::from(before))
            };
            let noisy: Vec<f64> = (0..settings.len()).map(|i| block(i) + 0.01 * draws.normal()).collect();
            Blocks { rows: 1, washout: 0 }.differences(&noisy, &b_first).unwrap()
        };
        let found = carry_over(&built(0.5, &mut draws), &b_first).unwrap();
        // Four standard errors of a difference of two means of some 19 differences of two blocks.
        assert_close(found.effect, 0.5, 4.0 * 0.01 * 2.0_f64.sqrt() * (2.0 / 15.0_f64).sqrt());
        assert!(found.interval.low > 0.4 && found.interval.high < 0.6);
        assert_eq!(found.stayed + found.switched, 39);
        // Over seeds noise alone is told in 5% of cases.
        let told = (0..400).filter(|_| {
            let ends = carry_over(&built(0.0, &mut draws), &b_first).unwrap().interval;
            ends.low > 0.0 || ends.high < 0.0
        });
        let told = told.count();
        // 99.9% of a binomial distribution of 400 at 5%: 34.
        assert!(told <= 34, "{told}");
    }

    #[test]
    fn undefined_answers_are_none() {
        assert_eq!(carry_over(&[1.0, 2.0], &[true]), None);
        assert_eq!(carry_over(&[1.0, 2.0, 3.0], &[true, false, true]), None);
        assert_eq!(detectable_effect(5, 1), None);
        assert_eq!(BLOCKS.detectable(&[1.0; 800], 8, 1), None);
        assert_eq!(BLOCKS.detectable(&[1.0, 2.0, 3.0], 8, 1), None);
        assert_eq!(Blocks { rows: 0, washout: 0 }.detectable(&[1.0; 9], 8, 1), None);
    }

    /// Independent rows: a paired difference of two means of 80 rows has the deviation sqrt(2 / 80).
    #[test]
    fn the_plants_own_noise_sets_what_is_detectable() {
        let history = super::super::noise::NOISES[0].series(100_000, 6, 0);
        let blocks = Blocks { rows: 100, washout: 20 };
        let found = blocks.detectable(&history, 8, 1).unwrap();
        assert_eq!(found.from, 500);
        // Four standard errors of a deviation of 500 values.
        let expected = (2.0 / 80.0_f64).sqrt();
        assert_close(found.deviation, expected, 4.0 * expected / 1_000.0_f64.sqrt());
        assert_close(found.effect, found.deviation * detectable_effect(8, 1).unwrap(), 1e-12);
        let more = blocks.detectable(&history, 20, 1).unwrap().effect;
        assert!(more < 0.7 * found.effect, "{more}");
    }
}
