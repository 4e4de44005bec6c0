//! Correlation of two columns, value by value: any number of rows in the same memory.

/// Pearson's correlation of pairs that are given one after the other (Welford's updates).
#[derive(Clone, Copy, Debug, Default)]
pub struct Correlation {
    n: f64,
    mean_x: f64,
    mean_y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Correlation {
    /// Takes one pair; both must be finite.
    pub fn add(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        let (dx, dy) = (x - self.mean_x, y - self.mean_y);
        self.mean_x += dx / self.n;
        self.mean_y += dy / self.n;
        self.xx += dx * (x - self.mean_x);
        self.yy += dy * (y - self.mean_y);
        self.xy += dx * (y - self.mean_y);
    }

    /// In [-1, 1]; `None` for fewer than two pairs, or where one side never changes.
    pub fn value(&self) -> Option<f64> {
        let value = self.xy / (self.xx * self.yy).sqrt();
        value.is_finite().then(|| value.clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_data::{X, Y, assert_close};
    use super::*;

    fn of(x: &[f64], y: &[f64]) -> Option<f64> {
        let mut correlation = Correlation::default();
        x.iter().zip(y).for_each(|(&x, &y)| correlation.add(x, y));
        correlation.value()
    }

    #[test]
    fn known_cases() {
        let falling = X.map(|x| 7.0 - 2.0 * x);
        assert_close(of(&X, &falling).unwrap(), -1.0, 1e-12);
        // By hand: deviations (-1, 0, 1) and (-1, 1, 0).
        assert_close(of(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]).unwrap(), 0.5, 1e-12);
        assert_eq!(of(&X[..1], &Y[..1]), None);
        assert_eq!(of(&[1.0, 1.0], &[1.0, 2.0]), None);
        // Far from 0 the naive sums of squares would have lost every digit.
        let far = X.map(|x| x + 1e9);
        assert_close(of(&far[..9], &Y).unwrap(), of(&X[..9], &Y).unwrap(), 1e-6);
    }
}
