//! The target that drifts (RULES section 3).

use crate::real::sin_cos_turns;

/// The target at `step` of `total` (above 0), which may lie beyond it; `noise` is a standard normal,
/// of which every third step of the last quarter takes 0.05.
///
/// With progress p = `step` / `total`: a wave; from p = 1/4 on plateaus of 20 steps at +1 and -1; from 1/2
/// on two waves over each other; from 3/4 on slow waves with noise.
pub fn target(step: u64, total: u64, noise: f64) -> f64 {
    let progress = step as f64 / total as f64;
    let step_f = step as f64;
    if progress < 0.25 {
        sin_cos(0.1 * step_f).0
    } else if progress < 0.5 {
        if (step / 20).is_multiple_of(2) { 1.0 } else { -1.0 }
    } else if progress < 0.75 {
        let t = 0.02 * step_f;
        0.5 * sin_cos(t).0 * sin_cos(0.3 * t).1 + 0.5 * sin_cos(0.1 * t).0
    } else {
        let t = 0.01 * step_f;
        let noise = if step.is_multiple_of(3) { 0.05 * noise } else { 0.0 };
        0.3 * sin_cos(t).0 + 0.2 * sin_cos(0.5 * t).1 + noise
    }
}

fn sin_cos(angle: f64) -> (f64, f64) {
    let (sin, cos) = sin_cos_turns(angle / std::f64::consts::TAU);
    (sin.into(), cos.into())
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // libm is the oracle
mod tests {
    use super::*;

    #[test]
    fn each_quarter_by_hand() {
        let near = |step: u64, expected: f64| {
            let found = target(step, 1000, 2.0);
            assert!((found - expected).abs() < 1e-6, "step {step}: {found}, {expected}");
        };
        near(0, 0.0);
        near(100, 10.0_f64.sin());
        near(249, 24.9_f64.sin());
        near(250, 1.0);
        near(259, 1.0);
        near(260, -1.0);
        near(499, 1.0);
        near(500, 0.5 * 10.0_f64.sin() * 3.0_f64.cos() + 0.5 * 1.0_f64.sin());
        near(751, 0.3 * 7.51_f64.sin() + 0.2 * 3.755_f64.cos());
        near(752, 0.3 * 7.52_f64.sin() + 0.2 * 3.76_f64.cos());
        // 750 = 3 * 250 and 753 take the noise: 0.05 * 2.
        near(753, 0.3 * 7.53_f64.sin() + 0.2 * 3.765_f64.cos() + 0.1);
        near(750, 0.3 * 7.5_f64.sin() + 0.2 * 3.75_f64.cos() + 0.1);
        near(1_000_003, 0.3 * 10_000.03_f64.sin() + 0.2 * 5_000.015_f64.cos());
    }
}
