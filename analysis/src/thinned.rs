//! Curves of any length, thinned to what a screen can show.

use crate::chart::Curve;

/// Buckets at most; more than a figure has columns of pixels.
const BUCKETS: usize = 1_024;

/// The least, the greatest and the mean value of every so many rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Thinned {
    /// Rows in a bucket; doubles when there are too many buckets.
    stride: u64,
    rows: u64,
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    x: f64,
    low: f64,
    high: f64,
    sum: f64,
    squares: f64,
    count: u64,
}

/// Of the values within a range: how many, their mean, their variance (of all of them, not of a sample).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// At least 1.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// At least 0.
    pub variance: f64,
}

impl Default for Thinned {
    fn default() -> Thinned {
        Thinned { stride: 1, rows: 0, buckets: Vec::new() }
    }
}

impl Thinned {
    /// Takes the next row; a value that is no finite number is a gap.
    pub fn add(&mut self, x: f64, value: f64) {
        if self.rows.is_multiple_of(self.stride) {
            if self.buckets.len() == BUCKETS {
                self.halve();
            }
            if self.rows.is_multiple_of(self.stride) {
                self.buckets.push(Bucket {
                    x,
                    low: f64::INFINITY,
                    high: f64::NEG_INFINITY,
                    sum: 0.0,
                    squares: 0.0,
                    count: 0,
                });
            }
        }
        self.rows += 1;
        if let Some(bucket) = self.buckets.last_mut().filter(|_| value.is_finite()) {
            bucket.low = bucket.low.min(value);
            bucket.high = bucket.high.max(value);
            bucket.sum += value;
            bucket.squares += value * value;
            bucket.count += 1;
        }
    }

    fn halve(&mut self) {
        let pair = |pair: &[Bucket]| {
            pair[1..].iter().fold(pair[0], |a, b| Bucket {
                x: a.x,
                low: a.low.min(b.low),
                high: a.high.max(b.high),
                sum: a.sum + b.sum,
                squares: a.squares + b.squares,
                count: a.count + b.count,
            })
        };
        self.buckets = self.buckets.chunks(2).map(pair).collect();
        self.stride *= 2;
    }

    /// Keeps no more than `buckets` from here on.
    pub fn coarsen(&mut self, buckets: usize) {
        while self.buckets.len() > buckets.max(1) {
            self.halve();
        }
        self.buckets.shrink_to_fit();
    }

    /// (x, mean) of every bucket; NaN where it has no value.
    pub fn points(&self) -> Vec<(f64, f64)> {
        self.buckets.iter().map(|bucket| (bucket.x, bucket.sum / bucket.count as f64)).collect()
    }

    /// Of the finite values at `from` and above, below `to`, a bucket counting where it begins; `None` if there
    /// are none.
    pub fn moments(&self, from: f64, to: f64) -> Option<Moments> {
        let inside = self.buckets.iter().filter(|bucket| bucket.x >= from && bucket.x < to);
        let (count, sum, squares) = inside.fold((0, 0.0, 0.0), |(count, sum, squares), bucket| {
            (count + bucket.count, sum + bucket.sum, squares + bucket.squares)
        });
        let mean = sum / count as f64;
        let variance = (squares / count as f64 - mean * mean).max(0.0);
        (count > 0).then_some(Moments { count, mean, variance })
    }

    /// The same of the logarithms to base 10; what has none is a gap.
    #[must_use]
    pub fn log10(&self) -> Thinned {
        let log = |value: f64| if value > 0.0 { value.log10() } else { f64::NAN };
        let bucket = |bucket: &Bucket| Bucket {
            low: log(bucket.low),
            high: log(bucket.high),
            sum: log(bucket.sum / bucket.count as f64) * bucket.count as f64,
            squares: f64::NAN,
            ..*bucket
        };
        Thinned { buckets: self.buckets.iter().map(bucket).collect(), ..*self }
    }

    /// The curve of the means; where rows share a bucket, with the band from the least to the greatest.
    pub fn curve(&self, name: &str) -> Curve {
        let ends = |bucket: &Bucket| {
            let empty = bucket.count == 0;
            let or_gap = |value| if empty { f64::NAN } else { value };
            (bucket.x, or_gap(bucket.low), or_gap(bucket.high))
        };
        let band = if self.stride > 1 { self.buckets.iter().map(ends).collect() } else { Vec::new() };
        Curve { name: name.to_owned(), points: self.points(), band }
    }
}

/// The value at `x` on the line between the finite points beside it, as a single run is drawn; that of the
/// first or last point beyond them.
pub(crate) fn value_at(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let place = points.partition_point(|(at, _)| *at <= x);
    let is_finite = |point: &&(f64, f64)| point.1.is_finite();
    let before = points[..place].iter().rev().find(is_finite);
    let after = points[place..].iter().find(is_finite);
    match (before, after) {
        (Some(&(from, low)), Some(&(to, high))) => Some(low + (high - low) * (x - from) / (to - from)),
        (one, other) => one.or(other).map(|point| point.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_curve_is_kept_as_it_is() {
        let mut thinned = Thinned::default();
        for (x, y) in [(1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0)] {
            thinned.add(x, y);
        }
        let curve = thinned.curve("one");
        assert_eq!((curve.points[0], curve.points[2]), ((1.0, 2.0), (3.0, 4.0)));
        assert!(curve.points[1].1.is_nan() && curve.band.is_empty());
    }

    /// By hand: 1, 2, 4 have mean 7/3 and variance 14/9; however many rows share a bucket.
    #[test]
    fn moments_are_those_of_the_rows() {
        let mut thinned = Thinned::default();
        for row in 0..3 * 4 * BUCKETS {
            thinned.add(row as f64, [1.0, 2.0, 4.0, f64::NAN][row % 4]);
        }
        let end = (12 * BUCKETS) as f64;
        let all = thinned.moments(0.0, end).unwrap();
        assert_eq!(all.count, 9 * BUCKETS as u64);
        assert!((all.mean - 7.0 / 3.0).abs() < 1e-12 && (all.variance - 14.0 / 9.0).abs() < 1e-12, "{all:?}");
        assert_eq!(thinned.moments(end, 2.0 * end), None);
    }

    /// Rows without a value leave those that they share a bucket with as they are.
    #[test]
    fn a_gap_spoils_no_bucket() {
        let mut thinned = Thinned::default();
        for row in 0..4 * BUCKETS {
            thinned.add(row as f64, if row % 4 == 1 { 2.0 } else { f64::NAN });
        }
        let curve = thinned.curve("gaps");
        assert!(curve.points.iter().all(|point| point.1 == 2.0), "{:?}", &curve.points[..4]);
        assert!(curve.band.iter().all(|band| (band.1, band.2) == (2.0, 2.0)));
    }

    /// What is made coarse is what fewer buckets would have held.
    #[test]
    fn a_coarse_curve_spans_the_same() {
        let mut thinned = Thinned::default();
        for row in 0..1000 {
            thinned.add(f64::from(row), f64::from(row % 8));
        }
        thinned.coarsen(128);
        let curve = thinned.curve("coarse");
        assert_eq!(curve.points.len(), 125);
        assert!(curve.points.iter().all(|point| point.1 == 3.5));
        assert!(curve.band.iter().all(|band| (band.1, band.2) == (0.0, 7.0)));
        assert_eq!(curve.points[1].0, 8.0);
    }

    /// A single spike among a million rows stays in the band, and the memory does not grow.
    #[test]
    fn a_spike_survives() {
        let mut thinned = Thinned::default();
        for row in 0..1_000_000 {
            thinned.add(f64::from(row), if row == 654_321 { 9.0 } else { 1.0 });
        }
        let curve = thinned.curve("long");
        assert!((BUCKETS / 2..=BUCKETS).contains(&curve.points.len()));
        let spike = curve.band.iter().find(|(_, _, high)| *high == 9.0).unwrap();
        assert!((654_321.0 - spike.0) < 2_048.0 && spike.0 <= 654_321.0);
        let rows: u64 = thinned.buckets.iter().map(|bucket| bucket.count).sum();
        assert_eq!(rows, 1_000_000);
    }
}
