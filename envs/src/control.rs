//! Via Negativa: the control layer that improves a system by leaving out what hastens its
//! collapse (RULES section 2.2). It never adds an action of its own but the safe one.

use serde::{Deserialize, Serialize};

use crate::config::Allowed;
use crate::risk::{RiskState, Verdict};

/// How risk and flow become damping and survival mode; the same names in both worlds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Damping {
    /// Least share of risky actions that are let through outside survival mode.
    pub min_alpha: f64,
    /// Weight of the risk in the damping.
    pub risk_to_damping: f64,
    /// Weight of the flow in the damping.
    pub flow_to_damping: f64,
    /// Whether the verdict collapse starts survival mode.
    pub survival_on_verdict: bool,
    /// Risk from which survival mode starts.
    pub survival_on_risk: f64,
    /// Flow from which survival mode starts.
    pub survival_on_flow: f64,
}

impl Default for Damping {
    fn default() -> Damping {
        Damping {
            min_alpha: 0.20,
            risk_to_damping: 1.0,
            flow_to_damping: 0.4,
            survival_on_verdict: true,
            survival_on_risk: 0.78,
            survival_on_flow: 0.85,
        }
    }
}

/// What the control layer does in the coming step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Restraint {
    /// Share of risky actions that are let through: a draw above it suppresses one.
    pub alpha: f64,
    /// Every action becomes the safe action.
    pub survival: bool,
}

impl Restraint {
    /// No restraint at all.
    pub const NONE: Restraint = Restraint { alpha: 1.0, survival: false };
}

impl Damping {
    /// The restraint that follows from the last step's risk.
    pub fn restraint(&self, state: &RiskState) -> Restraint {
        let flow = state.flow.clamp(0.0, 2.0);
        let damping = (self.risk_to_damping * state.risk + self.flow_to_damping * flow / 2.0).clamp(0.0, 1.0);
        Restraint {
            alpha: (1.0 - (1.0 - self.min_alpha) * damping).clamp(self.min_alpha, 1.0),
            survival: (self.survival_on_verdict && state.verdict == Verdict::Collapse)
                || state.risk >= self.survival_on_risk
                || state.flow >= self.survival_on_flow
                || (state.risk > 0.6 && state.flow > 0.7),
        }
    }

    pub(crate) fn check(&self, allowed: &mut Allowed) {
        allowed.number("min_alpha", self.min_alpha, 0.0..=1.0);
        allowed.number("risk_to_damping", self.risk_to_damping, 0.0..=100.0);
        allowed.number("flow_to_damping", self.flow_to_damping, 0.0..=100.0);
        allowed.number("survival_on_risk", self.survival_on_risk, 0.0..=2.0);
        allowed.number("survival_on_flow", self.survival_on_flow, 0.0..=2.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(risk: f64, flow: f64, verdict: Verdict) -> Restraint {
        Damping::default().restraint(&RiskState { risk, flow, verdict })
    }

    #[test]
    fn calm_lets_all_through_and_full_risk_the_least() {
        assert_eq!(at(0.0, 0.0, Verdict::Creative), Restraint::NONE);
        assert_eq!(at(1.0, 0.0, Verdict::Creative).alpha, 0.20);
        // 1 - 0.8 * (0.5 + 0.4 * 0.5 / 2)
        assert!((at(0.5, 0.5, Verdict::Creative).alpha - 0.52).abs() < 1e-12);
    }

    #[test]
    fn survival_starts_by_each_of_its_reasons_alone() {
        assert!(!at(0.77, 0.69, Verdict::Bubble).survival);
        assert!(at(0.10, 0.0, Verdict::Collapse).survival);
        assert!(at(0.78, 0.0, Verdict::Bubble).survival);
        assert!(at(0.0, 0.85, Verdict::Creative).survival);
        assert!(at(0.61, 0.71, Verdict::Bubble).survival);
        assert!(!at(0.60, 0.71, Verdict::Bubble).survival);
    }
}
