//! Logarithm, sine, cosine, exponential and their kin in f32, the same bits on every machine.
//!
//! The system's libm rounds differently from version to version and from CPU to CPU; these use
//! only exactly rounded operations, and they vectorise. Polynomials: Cephes (Moshier 1989,
//! `logf.c`, `sinf.c`, `expf.c`). The constants are written with the digits of their source.
#![allow(clippy::excessive_precision, clippy::unreadable_literal)]

/// Lanes that every hot loop handles at a time: one 512-bit vector of f32.
pub const LANES: usize = 16;

/// [`LANES`] numbers.
pub type Lanes = [f32; LANES];

/// Natural logarithm of a positive normal number; relative error below 2e-7.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // Split x = m * 2^e with m in [sqrt(1/2), sqrt(2)).
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let shifted = x.to_bits().wrapping_add(0x3f80_0000 - SQRT_HALF);
    let e = ((shifted >> 23) as i32 - 127) as f32;
    let f = f32::from_bits((shifted & 0x007f_ffff) + SQRT_HALF) - 1.0;
    let z = f * f;
    let mut p = 7.0376836292e-2_f32;
    p = p * f - 1.1514610310e-1;
    p = p * f + 1.1676998740e-1;
    p = p * f - 1.2420140846e-1;
    p = p * f + 1.4249322787e-1;
    p = p * f - 1.6668057665e-1;
    p = p * f + 2.0000714765e-1;
    p = p * f - 2.4999993993e-1;
    p = p * f + 3.3333331174e-1;
    let y = p * f * z - 2.12194440e-4 * e - 0.5 * z;
    // ln 2 in two parts: 0.693359375 has few bits, so that e times it is exact.
    (f + y) + 0.693359375 * e
}

/// Sine and cosine of the angle `turn` / 2^32 full turns; absolute error below 2e-7.
#[inline(always)]
pub fn sin_cos_turn(turn: u32) -> (f32, f32) {
    // The nearest quarter turn, and what is left of it in [-1/8, 1/8) turns.
    let quarter = turn.wrapping_add(1 << 29) >> 30;
    let rest = turn.wrapping_sub(quarter << 30) as i32;
    let x = rest as f32 * (core::f32::consts::TAU / 4_294_967_296.0);
    let z = x * x;
    let sin = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * x + x;
    let cos = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z
        - 0.5 * z
        + 1.0;
    let (s, c) = if quarter & 1 == 0 { (sin, cos) } else { (cos, sin) };
    // Quarters 2 and 3 negate the sine, 1 and 2 the cosine: flip the sign bit.
    let s = f32::from_bits(s.to_bits() ^ ((quarter & 2) << 30));
    let c = f32::from_bits(c.to_bits() ^ ((quarter.wrapping_add(1) & 2) << 30));
    (s, c)
}

/// e^x, with x cut to [-87, 88]; relative error below 2e-7.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * core::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693359375) + n * 2.12194440e-4;
    let mut p = 1.9875691500e-4_f32;
    p = p * r + 1.3981999507e-3;
    p = p * r + 8.3334519073e-3;
    p = p * r + 4.1665795894e-2;
    p = p * r + 1.6666665459e-1;
    p = p * r + 5.0000001201e-1;
    let y = p * (r * r) + r + 1.0;
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    y * f32::from_bits(n.wrapping_add(127) << 23)
}

/// Numbers that decay become 0 below this absolute value: 2^-56, about 1.4e-17.
///
/// A probability, a gradient or a moment that is never fed again falls below 1.2e-38, where numbers are
/// subnormal and every operation with one takes a hundred times as long. The processor's own switches for it
/// differ between machines (and Rust forbids to throw them), so what fades is cut here, where it is written, the
/// same everywhere, and early enough: a product of two numbers that are kept, and a thousandth of it, is no
/// subnormal number either. Beside numbers of f32 that count, 2^-56 is nothing.
pub const FADED: f32 = f32::from_bits((127 - 56) << 23);

/// `x`, or +0 where its absolute value is below [`FADED`]; NaN stays NaN.
#[inline(always)]
pub fn flush(x: f32) -> f32 {
    if x.abs() < FADED { 0.0 } else { x }
}

/// [`flush`] for a square, or a mean of squares: what belongs to a number nearer to 0 than [`FADED`] is +0.
#[inline(always)]
pub fn flush_square(x: f32) -> f32 {
    if x < FADED * FADED { 0.0 } else { x }
}

/// The logistic function 1 / (1 + e^-x).
#[inline(always)]
pub fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent; absolute error below 2e-7.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// A random word as a number in [0, 1), a multiple of 2^-24.
#[inline(always)]
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Two independent standard normals from one random word (Box and Muller 1958): the upper half gives
/// the radius, the lower half the angle.
///
/// The radius takes the 65,536 values sqrt(-2 ln u) at u = (k + 1/2) / 65,536, so that none is beyond
/// 4.86; it and the angle's sine and cosine are within 2e-5 of exact. The variance is too small by a
/// factor of 1 - 5e-6. Polynomials: fitted here to the least largest error.
#[inline(always)]
pub fn normal_pair(word: u32) -> (f32, f32) {
    // u = m * 2^-e with m in [1/2, 1): ln u = -e ln 2 + ln m, the latter by d = 2 - 2m in (0, 1].
    let bits = ((word >> 16) as i32 as f32 + 0.5).to_bits();
    let e = (142 - (bits >> 23) as i32) as f32;
    let d = 2.0 - f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    // By Estrin's scheme, whose operations wait less for each other than Horner's.
    let dd = d * d;
    let q = (0.02644946 * d - 0.01944369) * dd + (0.05042077 * d + 0.07841753);
    let q = q * dd + (0.25044778 * d + 0.99999351);
    let r = (q * d + e * (2.0 * core::f32::consts::LN_2)).sqrt();
    // Half a turn in [-pi/2, pi/2], 32,768 angles symmetric to 0; the last bit turns by another half.
    let x = ((word & 0xfffe) as i32 as f32 - 32_767.0) * (core::f32::consts::PI / 65_536.0);
    let r = f32::from_bits(r.to_bits() ^ word << 31);
    let z = x * x;
    let sin = ((-0.00018575 * z + 0.00831543) * z - 0.16665944) * z * x + x;
    let cos = ((-0.00127575 * z + 0.04150707) * z - 0.49993563) * z + 1.0;
    (r * cos, r * sin)
}

/// `lanes`, by way of memory: the compiler vectorises what is stored, where for a sum over lanes it
/// would compute them one by one. Measured: the mean load of 16 nodes takes 44 instructions, not 66.
#[inline(always)]
pub fn in_memory<T>(lanes: [T; LANES]) -> [T; LANES] {
    core::hint::black_box(lanes)
}

/// Sum over the lanes in a fixed order, by halves, for each of N columns.
#[inline(always)]
pub fn sum<const N: usize>(mut lanes: [[f32; N]; LANES]) -> [f32; N] {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            for i in 0..N {
                lanes[lane][i] += lanes[lane + width][i];
            }
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // f64's own functions are the oracle here
mod tests {
    use super::*;

    fn worst(range: impl Iterator<Item = f32>, ours: fn(f32) -> f32, oracle: fn(f64) -> f64) -> f64 {
        range
            .map(|x| {
                let want = oracle(f64::from(x));
                (f64::from(ours(x)) - want).abs() / want.abs().max(1e-30)
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn ln_agrees_with_f64() {
        let near_one = (1..200_000u32).map(|i| 1.0 - i as f32 * 2.0_f32.powi(-24));
        assert!(worst(near_one, ln, f64::ln) < 2e-7);
        let all = (1..=1_000_000u32).map(|i| i as f32 / 1_000_001.0);
        assert!(worst(all, ln, f64::ln) < 2e-7);
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn exp_agrees_with_f64() {
        let range = (-8_600..8_700).map(|i| i as f32 * 0.01 + 0.003);
        assert!(worst(range, exp, f64::exp) < 2e-7);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) > 0.0 && exp(f32::INFINITY).is_finite());
    }

    #[test]
    fn what_has_faded_is_zero_and_products_of_the_rest_are_normal() {
        assert_eq!(FADED, 2.0_f32.powi(-56));
        let below = f32::from_bits(FADED.to_bits() - 1);
        for (x, kept) in [(FADED, FADED), (-FADED, -FADED), (below, 0.0), (-below, 0.0), (-0.0, 0.0)] {
            assert_eq!(flush(x).to_bits(), kept.to_bits(), "{x}");
        }
        assert!(flush(f32::NAN).is_nan() && flush(f32::NEG_INFINITY) == f32::NEG_INFINITY);
        assert_eq!((flush_square(FADED * FADED), flush_square(below * FADED)), (FADED * FADED, 0.0));
        assert!(flush_square(f32::NAN).is_nan() && (0.001 * (FADED * FADED)).is_normal());
        // No logistic function's value and no e^x is subnormal behind it.
        assert!(
            [-1e9, -88.0, -87.0, -39.0].iter().all(|&x| flush(logistic(x)) == 0.0 && flush(exp(x)) == 0.0)
        );
    }

    #[test]
    fn logistic_and_tanh_agree_with_f64() {
        for i in -2_000..2_000 {
            let x = i as f32 * 0.01;
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(logistic(x)) - exact).abs() < 2e-7, "logistic({x})");
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 2e-7, "tanh({x})");
        }
    }

    #[test]
    fn sin_cos_agree_with_f64() {
        for i in 0..2_000_000u32 {
            let turn = i.wrapping_mul(2_654_435_761);
            let angle = f64::from(turn) / 4_294_967_296.0 * std::f64::consts::TAU;
            let (s, c) = sin_cos_turn(turn);
            assert!((f64::from(s) - angle.sin()).abs() < 2e-7, "sin of {turn}");
            assert!((f64::from(c) - angle.cos()).abs() < 2e-7, "cos of {turn}");
        }
    }

    /// Every radius with 32 angles, and every angle with some radii.
    #[test]
    fn normal_pairs_agree_with_f64() {
        let radii = (0..1_u32 << 16).flat_map(|k| (k % 37..1 << 16).step_by(2_053).map(move |j| k << 16 | j));
        let angles = (0..1_u32 << 16).flat_map(|j| [0, 1, 777, 65_535].map(|k: u32| k << 16 | j));
        for word in radii.chain(angles) {
            let u = (f64::from(word >> 16) + 0.5) / 65_536.0;
            let r = (-2.0 * u.ln()).sqrt();
            let half = std::f64::consts::PI * f64::from(word & 1);
            let angle = (f64::from(word & 0xfffe) - 32_767.0) / 65_536.0 * std::f64::consts::PI + half;
            let (a, b) = normal_pair(word);
            assert!((f64::from(a) - r * angle.cos()).abs() < 2e-5 * r.max(1.0), "{word:08x}");
            assert!((f64::from(b) - r * angle.sin()).abs() < 2e-5 * r.max(1.0), "{word:08x}");
        }
    }

    #[test]
    fn sum_adds_every_lane_once() {
        let lanes: [[f32; 2]; LANES] = std::array::from_fn(|i| [(1 << i) as f32, 1.0]);
        assert_eq!(sum(lanes), [65_535.0, 16.0]);
    }
}
