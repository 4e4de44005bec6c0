//! The K8s smart-tensor cluster: a torus of nodes whose memory leaks for ever (RULES section 1).

mod cluster;
mod config;
mod drift;
mod environment;
mod noise;
mod params;
mod rules;
mod shield;
mod state;
mod together;

pub use cluster::{K8sEnv, K8sState};
pub use config::{Action, ControlConfig, K8sConfig, RiskConfig, Rules};
pub use drift::{DriftConfig, Schedule};
pub use rules::{ACTIONS, OBSERVATION, PRIORITIES};
pub use shield::toward_worst;
pub use state::K8sInfo;
pub use together::Parts;
