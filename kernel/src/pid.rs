//! The controllers that tune the kernel's weight of the error and its scale of the noise (RULES section 3).

use serde::{Deserialize, Serialize};

/// A proportional-integral-derivative controller with time step 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pid {
    /// Gains of the error, its integral and its derivative.
    pub gains: [f64; 3],
    /// Largest absolute output.
    pub output_limit: f64,
    /// Largest absolute integral: it does not wind up.
    pub integral_limit: f64,
    /// Sum of the errors, cut at each step.
    pub integral: f64,
    /// The last error.
    pub previous: Option<f64>,
}

impl Pid {
    /// Before the first error, with the limits of the rules: 0.5 for the output, 5 for the integral.
    pub fn new(gains: [f64; 3]) -> Pid {
        Pid { gains, output_limit: 0.5, integral_limit: 5.0, integral: 0.0, previous: None }
    }

    /// The output for the next error: the integral takes the error in first and is cut before it is
    /// used; there is no derivative at the first call.
    pub fn update(&mut self, error: f64) -> f64 {
        self.integral = (self.integral + error).clamp(-self.integral_limit, self.integral_limit);
        let derivative = self.previous.map_or(0.0, |previous| error - previous);
        self.previous = Some(error);
        let [p, i, d] = self.gains;
        (p * error + i * self.integral + d * derivative).clamp(-self.output_limit, self.output_limit)
    }
}

/// Tunes wR so that `gap_R` comes to its target, and eps so that the flow does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelPidTuner {
    /// What `gap_R` should be (0.1).
    pub target_gap_r: f64,
    /// What the flow should be (0.2).
    pub target_flow: f64,
    /// Weight of `gap_R` in the loss, in [0.2, 5], 1 at first.
    pub w_r: f64,
    /// Scale of the noise, in [1e-4, 5e-2], 0.01 at first.
    pub eps: f64,
    /// The controller of `w_r`.
    pub pid_r: Pid,
    /// The controller of `eps`.
    pub pid_f: Pid,
}

impl Default for KernelPidTuner {
    fn default() -> KernelPidTuner {
        KernelPidTuner {
            target_gap_r: 0.1,
            target_flow: 0.2,
            w_r: 1.0,
            eps: 0.01,
            pid_r: Pid::new([0.40, 0.05, 0.05]),
            pid_f: Pid::new([0.30, 0.03, 0.03]),
        }
    }
}

impl KernelPidTuner {
    /// Takes in a step's `gap_R` and flow (`metric_flow`): too large an error raises its weight, too
    /// large a flow lowers eps. NaN makes both NaN for good.
    pub fn update(&mut self, gap_r: f64, flow: f64) {
        let u = self.pid_r.update(gap_r - self.target_gap_r);
        self.w_r = (self.w_r + 0.2 * u).clamp(0.2, 5.0);
        let u = self.pid_f.update(flow - self.target_flow);
        self.eps = (self.eps * (1.0 - 0.3 * u)).clamp(1e-4, 5e-2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_by_hand() {
        let mut pid = Pid::new([0.1, 0.01, 1.0]);
        // 0.1 * 2 + 0.01 * 2, no derivative yet.
        assert!((pid.update(2.0) - 0.22).abs() < 1e-12);
        // 0.1 * 1.9 + 0.01 * 3.9 - 1.0 * 0.1.
        assert!((pid.update(1.9) - 0.129).abs() < 1e-12);
        // The integral would be 7.9 and is 5; the derivative is 2.1: cut.
        assert_eq!(pid.update(4.0), 0.5);
        assert_eq!(pid.integral, 5.0);
        // From there it comes down at once: it has not wound up.
        pid.update(-1.0);
        assert_eq!(pid.integral, 4.0);
        assert_eq!(Pid::new([9.0, 0.0, 0.0]).update(-1.0), -0.5);
    }

    #[test]
    fn the_knobs_stay_within_their_bounds_and_turn_the_right_way() {
        let mut tuner = KernelPidTuner::default();
        tuner.update(1.1, 1.2);
        // u = 0.45 and 0.33.
        assert!((tuner.w_r - 1.09).abs() < 1e-12 && (tuner.eps - 0.01 * 0.901).abs() < 1e-12, "{tuner:?}");
        for _ in 0..1000 {
            tuner.update(9.0, 9.0);
        }
        assert_eq!((tuner.w_r, tuner.eps), (5.0, 1e-4));
        for _ in 0..1000 {
            tuner.update(0.0, 0.0);
        }
        // An error of -0.1 holds the integral at -5: u = -0.29; of -0.2: u = -0.21.
        assert_eq!((tuner.w_r, tuner.eps), (0.2, 5e-2));
    }
}
