//! ROC curves: how well a score in [0, 1] foretells an event, from counts in bins, so that any number of scores takes
//! the same memory.

use std::collections::BTreeMap;

use super::as_f64;

/// Bins of a score in [0, 1].
const BINS: usize = 10_001;

/// Counts of scores in [0, 1], those of moments before a loss apart from the others.
///
/// Scores are rounded to 1e-4, which loses nothing of a column with four decimals. Only bins with a
/// score are kept: of thousands of gardens each has few.
#[derive(Clone, Debug, Default)]
pub struct Roc {
    /// By bin the positives and the negatives in it.
    counts: BTreeMap<u16, [u64; 2]>,
}

impl Roc {
    /// Counts one moment; a score outside [0, 1] counts as the nearest end. One that is no number must
    /// not come here.
    pub fn add(&mut self, score: f64, positive: bool) {
        let bin = (score.clamp(0.0, 1.0) * (BINS - 1) as f64).round() as u16;
        self.counts.entry(bin).or_default()[usize::from(!positive)] += 1;
    }

    /// Counts all moments of `other` too.
    pub fn merge(&mut self, other: &Roc) {
        for (bin, theirs) in &other.counts {
            let mine = self.counts.entry(*bin).or_default();
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        }
    }

    /// (false alarm rate, hit rate) where everything from a threshold on is called positive, from (0, 0)
    /// to (1, 1), a point for each score that occurs. `None` unless there are both kinds.
    pub fn points(&self) -> Option<Vec<(f64, f64)>> {
        let (all_positives, all_negatives) = self.totals()?;
        let (mut hits, mut false_alarms) = (0, 0);
        let mut points = vec![(0.0, 0.0)];
        for [positives, negatives] in self.counts.values().rev() {
            hits += positives;
            false_alarms += negatives;
            points.push((false_alarms as f64 / all_negatives, hits as f64 / all_positives));
        }
        Some(points)
    }

    /// The area under the curve of [`Roc::points`]: the chance that a positive moment scores higher than
    /// another, ties counting half. 0.5 is guessing. `None` unless there are both kinds.
    pub fn area(&self) -> Option<f64> {
        let points = self.points()?;
        Some(points.windows(2).map(|two| (two[1].0 - two[0].0) * (two[0].1 + two[1].1) / 2.0).sum())
    }

    fn totals(&self) -> Option<(f64, f64)> {
        let total =
            |kind: usize| as_f64(self.counts.values().map(|counts| counts[kind]).sum::<u64>() as usize);
        let (positives, negatives) = (total(0), total(1));
        (positives > 0.0 && negatives > 0.0).then_some((positives, negatives))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_data::assert_close;
    use super::*;

    /// Fawcett 2006, "An introduction to ROC analysis", figure 3: twenty instances, area counted by
    /// hand from its pairs: 68 of 100 in order.
    #[test]
    fn fawcetts_example() {
        let ranked = [
            (0.9, true),
            (0.8, true),
            (0.7, false),
            (0.6, true),
            (0.55, true),
            (0.54, true),
            (0.53, false),
            (0.52, false),
            (0.51, true),
            (0.505, false),
            (0.4, true),
            (0.39, false),
            (0.38, true),
            (0.37, false),
            (0.36, false),
            (0.35, false),
            (0.34, true),
            (0.33, false),
            (0.30, true),
            (0.1, false),
        ];
        let mut roc = Roc::default();
        for (score, positive) in ranked {
            roc.add(score, positive);
        }
        let points = roc.points().unwrap();
        assert_eq!(points.len(), 21);
        assert_eq!(points[..5], [(0.0, 0.0), (0.0, 0.1), (0.0, 0.2), (0.1, 0.2), (0.1, 0.3)]);
        assert_close(roc.area().unwrap(), 0.68, 1e-12);
    }

    #[test]
    fn ties_count_half_and_one_kind_alone_says_nothing() {
        let mut roc = Roc::default();
        roc.add(0.5, true);
        assert_eq!((roc.area(), roc.points()), (None, None));
        let mut other = Roc::default();
        other.add(0.5, false);
        roc.merge(&other);
        assert_eq!(roc.area(), Some(0.5));
        roc.add(2.0, true);
        assert_eq!(roc.area(), Some(0.75));
    }
}
