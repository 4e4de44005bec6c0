//! The two floating-point types that the mathematics is written for.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use resonetics_numerics::math;

/// f32, which trains, and f64, which f32 is tested against.
pub trait Real:
    Copy
    + Default
    + Debug
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// The nearest number of this width.
    fn from_f64(x: f64) -> Self;
    /// The same number, exactly.
    fn to_f64(self) -> f64;
    /// Hyperbolic tangent.
    #[must_use]
    fn tanh(self) -> Self;
    /// The logistic function 1 / (1 + e^-x).
    #[must_use]
    fn logistic(self) -> Self;
    /// [`math::flush`] of f32; f64, the oracle, stays.
    #[must_use]
    fn flush(self) -> Self;
    /// Sine and cosine of 2 pi `self`; NaN where `self` is not finite.
    fn sin_cos_turns(self) -> (Self, Self);
}

impl Real for f32 {
    fn from_f64(x: f64) -> f32 {
        x as f32
    }
    fn to_f64(self) -> f64 {
        self.into()
    }
    fn tanh(self) -> f32 {
        math::tanh(self)
    }
    fn logistic(self) -> f32 {
        math::logistic(self)
    }
    fn flush(self) -> f32 {
        math::flush(self)
    }
    fn sin_cos_turns(self) -> (f32, f32) {
        sin_cos_turns(self.into())
    }
}

/// Sine and cosine of 2 pi `turns`, the same bits on every machine; absolute error below 3e-7, NaN
/// where `turns` is not finite.
pub fn sin_cos_turns(turns: f64) -> (f32, f32) {
    if !turns.is_finite() {
        // As an integer it would pass for an angle.
        return (f32::NAN, f32::NAN);
    }
    // Rounding away whole turns is exact; what is left of a turn fills 32 bits, and wraps.
    let rest = turns - turns.round();
    math::sin_cos_turn((rest * 4_294_967_296.0) as i64 as u32)
}

#[allow(clippy::disallowed_methods)] // the oracle of f32: no result depends on it
impl Real for f64 {
    fn from_f64(x: f64) -> f64 {
        x
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }
    fn logistic(self) -> f64 {
        1.0 / (1.0 + (-self).exp())
    }
    fn flush(self) -> f64 {
        self
    }
    fn sin_cos_turns(self) -> (f64, f64) {
        (std::f64::consts::TAU * self).sin_cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f32_agrees_with_f64() {
        for i in -4000..4000 {
            let x = i as f32 * 0.013;
            let wide = f64::from(x);
            let near = |found: f32, oracle: f64, what: &str| {
                assert!((f64::from(found) - oracle).abs() < 3e-7, "{what}({x})");
            };
            near(Real::tanh(x), Real::tanh(wide), "tanh");
            near(x.logistic(), wide.logistic(), "logistic");
            near(x.sin_cos_turns().0, wide.sin_cos_turns().0, "sin");
            near(x.sin_cos_turns().1, wide.sin_cos_turns().1, "cos");
        }
        // Far out, where the turns in 2^-32 no longer fit 64 bits.
        let (sin, cos) = sin_cos_turns(2.0_f64.powi(40) + 0.25);
        assert!((sin - 1.0).abs() < 3e-7 && cos.abs() < 3e-7, "{sin}, {cos}");
        let (sin, cos) = f32::INFINITY.sin_cos_turns();
        assert!(sin.is_nan() && cos.is_nan());
    }
}
