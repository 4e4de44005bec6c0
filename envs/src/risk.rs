//! Risk, flow and verdict (RULES section 2.2): what both worlds' control layers look at.

use serde::{Deserialize, Serialize};

use crate::config::Allowed;
use crate::math::logistic;

/// What the risk says in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Risk below `bubble_th`.
    #[default]
    Creative,
    /// Risk from `bubble_th` to `collapse_th`.
    Bubble,
    /// Risk at or above `collapse_th`.
    Collapse,
}

impl Verdict {
    /// As written in CSV files.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Creative => "creative",
            Verdict::Bubble => "bubble",
            Verdict::Collapse => "collapse",
        }
    }
}

/// How the risk moves and is judged; the same names in both worlds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smoothing {
    /// Weight of the present in the risk's moving average.
    pub ema_alpha: f64,
    /// Risk from which the verdict is collapse.
    pub collapse_th: f64,
    /// Risk from which the verdict is bubble.
    pub bubble_th: f64,
}

/// System flow: how strongly two metrics of the world answer to a small perturbation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowConfig {
    /// Size of the perturbation.
    pub eps: f64,
    /// Weight of the present in the flow's moving average.
    pub ema_alpha: f64,
    /// Weight of the flow in the risk.
    pub w_flow: f64,
    /// Level above which a cell or node counts as hot.
    pub hot_th: f64,
}

impl Smoothing {
    pub(crate) fn check(&self, allowed: &mut Allowed) {
        allowed.number("ema_alpha", self.ema_alpha, 0.0..=1.0);
        allowed.number("collapse_th", self.collapse_th, 0.0..=1.0);
        allowed.number("bubble_th", self.bubble_th, 0.0..=1.0);
        let ordered = self.bubble_th <= self.collapse_th;
        allowed.rule(ordered, "bubble_th", self.bubble_th, "must not be above collapse_th");
    }
}

impl FlowConfig {
    pub(crate) fn check(&self, allowed: &mut Allowed) {
        allowed.number("eps", self.eps, 1e-6..=1.0);
        allowed.number("ema_alpha", self.ema_alpha, 0.0..=1.0);
        allowed.number("w_flow", self.w_flow, 0.0..=10.0);
        allowed.number("hot_th", self.hot_th, 0.0..=1.0);
    }
}

/// The risk that a control layer acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RiskState {
    /// Smoothed risk in `[0, 1]`.
    pub risk: f64,
    /// Smoothed flow in `[0, 1]`.
    pub flow: f64,
    /// The risk in a word.
    pub verdict: Verdict,
}

impl RiskState {
    /// Whether both numbers are in their ranges.
    pub(crate) fn in_range(&self) -> bool {
        (0.0..=1.0).contains(&self.risk) && (0.0..=1.0).contains(&self.flow)
    }

    /// Takes in a step: `terms` is the weighted sum of the world's logistic terms, and the two
    /// pairs are its metrics (mean level, share that is hot) as they are and perturbed.
    pub fn update(
        &mut self,
        terms: f64,
        plain: [f64; 2],
        perturbed: [f64; 2],
        flow: &FlowConfig,
        smoothing: &Smoothing,
    ) {
        let change = [perturbed[0] - plain[0], perturbed[1] - plain[1]];
        let squared = change[0] * change[0] + change[1] * change[1];
        let flow_raw = (squared / (flow.eps * flow.eps)).clamp(0.0, 1.0);
        self.flow = ((1.0 - flow.ema_alpha) * self.flow + flow.ema_alpha * flow_raw).clamp(0.0, 1.0);
        let raw = (terms + flow.w_flow * self.flow).clamp(0.0, 1.0);
        self.risk = ((1.0 - smoothing.ema_alpha) * self.risk + smoothing.ema_alpha * raw).clamp(0.0, 1.0);
        self.verdict = if self.risk >= smoothing.collapse_th {
            Verdict::Collapse
        } else if self.risk >= smoothing.bubble_th {
            Verdict::Bubble
        } else {
            Verdict::Creative
        };
    }
}

/// One term of the risk: logistic(steepness * (level - middle)).
pub fn term(level: f64, middle: f64, steepness: f64) -> f64 {
    f64::from(logistic((steepness * (level - middle)) as f32))
}
