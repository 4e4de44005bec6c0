//! Spaces: what an observation may be, and what an action.

use rand::{Rng, RngExt};

/// The integers `0..n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discrete {
    /// How many there are.
    pub n: usize,
}

impl Discrete {
    /// Whether `value` is one of them.
    pub fn contains(self, value: usize) -> bool {
        value < self.n
    }

    /// One of them, uniformly.
    pub fn sample(self, random: &mut impl Rng) -> usize {
        random.random_range(0..self.n)
    }
}

/// Vectors of f32 between two bounds, both inclusive, each element with its own.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxSpace {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl BoxSpace {
    /// The vectors between `low` and `high`, element by element.
    ///
    /// # Errors
    /// If the two differ in length, or an element's low is not at most its high (NaN is not).
    pub fn new(low: Vec<f32>, high: Vec<f32>) -> Result<BoxSpace, String> {
        if low.len() != high.len() {
            return Err(format!("a box needs as many lows as highs, not {} and {}", low.len(), high.len()));
        }
        if let Some(i) = (0..low.len()).find(|&i| low[i].is_nan() || high[i].is_nan() || low[i] > high[i]) {
            return Err(format!("a box needs low <= high, but element {i} has {} and {}", low[i], high[i]));
        }
        Ok(BoxSpace { low, high })
    }

    /// The vectors of `length` elements in `[0, 1]`.
    pub fn unit(length: usize) -> BoxSpace {
        BoxSpace { low: vec![0.0; length], high: vec![1.0; length] }
    }

    /// Elements of a vector.
    pub fn len(&self) -> usize {
        self.low.len()
    }

    /// Whether the vectors have no element.
    pub fn is_empty(&self) -> bool {
        self.low.is_empty()
    }

    /// The lowest allowed value of each element.
    pub fn low(&self) -> &[f32] {
        &self.low
    }

    /// The highest allowed value of each element.
    pub fn high(&self) -> &[f32] {
        &self.high
    }

    /// Whether `value` has the right length and every element is within its bounds.
    pub fn contains(&self, value: &[f32]) -> bool {
        value.len() == self.len() && self.first_outside(value).is_none()
    }

    /// The first element of `value` that is out of bounds or NaN.
    pub fn first_outside(&self, value: &[f32]) -> Option<usize> {
        (0..self.len()).find(|&i| !(self.low[i] <= value[i] && value[i] <= self.high[i]))
    }

    /// Fills `out` with a vector drawn uniformly; an unbounded element is drawn as if its bound
    /// were f32's largest number.
    pub fn sample(&self, random: &mut impl Rng, out: &mut [f32]) {
        for ((out, low), high) in out.iter_mut().zip(&self.low).zip(&self.high) {
            let low = f64::from(low.max(f32::MIN));
            let high = f64::from(high.min(f32::MAX));
            *out = (low + (high - low) * random.random::<f64>()) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Domain, Key, Stream};

    fn random() -> Stream {
        Stream::new(Key::new(3, Domain::Space, 0))
    }

    #[test]
    fn samples_are_inside_and_reach_every_action() {
        let mut random = random();
        let actions = Discrete { n: 6 };
        let mut seen = [false; 6];
        for _ in 0..200 {
            seen[actions.sample(&mut random)] = true;
        }
        assert_eq!(seen, [true; 6]);
        let space =
            BoxSpace::new(vec![-2.0, 5.0, f32::NEG_INFINITY], vec![-1.0, 5.0, f32::INFINITY]).unwrap();
        let mut value = [0.0; 3];
        for _ in 0..200 {
            space.sample(&mut random, &mut value);
            assert!(space.contains(&value), "{value:?}");
        }
    }

    #[test]
    fn what_is_outside_is_refused() {
        assert!(!Discrete { n: 6 }.contains(6));
        let space = BoxSpace::unit(2);
        assert!(space.contains(&[0.0, 1.0]));
        assert!(!space.contains(&[0.0, 1.000_001]));
        assert!(!space.contains(&[f32::NAN, 0.0]));
        assert!(!space.contains(&[0.0]));
        assert!(BoxSpace::new(vec![1.0], vec![0.0]).is_err());
        assert!(BoxSpace::new(vec![f32::NAN], vec![0.0]).is_err());
        assert!(BoxSpace::new(vec![0.0; 2], vec![0.0]).is_err());
    }
}
