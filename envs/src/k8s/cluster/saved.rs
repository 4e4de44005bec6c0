//! A cluster as bytes and back.

use serde::{Deserialize, Serialize};

use super::{K8sEnv, K8sState};
use crate::k8s::shield::Shield;
use crate::risk::RiskState;
use crate::saved::{Kind, SaveError, ensure, open, seal};
use crate::stream::{Domain, Key, Keys};

/// All that a cluster's future depends on, beside its settings. The mean load and the restraint
/// follow from it.
#[derive(Serialize, Deserialize)]
struct Saved {
    height: usize,
    width: usize,
    seed: u64,
    episode: u64,
    steps: u32,
    oom_nodes: u16,
    critical_oom: u16,
    state: K8sState,
    shield: Option<(RiskState, f32)>,
}

impl K8sEnv {
    pub(in crate::k8s) fn sealed(&self) -> Result<Vec<u8>, SaveError> {
        let (config, scalars) = (self.config(), &self.scalars);
        let saved = Saved {
            height: config.height,
            width: config.width,
            seed: self.seed,
            episode: self.episode,
            steps: scalars.steps[0],
            oom_nodes: scalars.oom_nodes[0],
            critical_oom: scalars.critical_oom[0],
            state: self.state(),
            shield: self.shield().map(Shield::memory),
        };
        seal(Kind::Cluster, &saved)
    }

    /// `other_control`: whether the shield may be on in one of the two and off in the other.
    pub(in crate::k8s) fn unseal_as(&mut self, bytes: &[u8], other_control: bool) -> Result<(), SaveError> {
        let saved: Saved = open(Kind::Cluster, bytes)?;
        self.check_saved(&saved, other_control)?;
        self.set_state(&saved.state).map_err(SaveError::Foreign)?;
        (self.seed, self.episode) = (saved.seed, saved.episode);
        self.key = Keys::all(Key::new(saved.seed, Domain::Episode, saved.episode));
        self.scalars.steps = [saved.steps];
        self.scalars.oom_nodes = [saved.oom_nodes];
        self.scalars.critical_oom = [saved.critical_oom];
        let shield = self.extra.as_mut().and_then(|extra| extra.shield.as_mut());
        if let (Some(shield), Some(memory)) = (shield, saved.shield) {
            shield.remember(&self.shared.params, memory);
        }
        Ok(())
    }

    /// What [`K8sEnv::set_state`] does not look at.
    fn check_saved(&self, saved: &Saved, other_control: bool) -> Result<(), SaveError> {
        let config = self.config();
        ensure((saved.height, saved.width) == (config.height, config.width), || {
            let (height, width) = (config.height, config.width);
            format!("its grid is {}x{}, this one's {height}x{width}", saved.height, saved.width)
        })?;
        ensure(other_control || saved.shield.is_some() == self.shield().is_some(), || {
            let on = |on: bool| if on { "on" } else { "off" };
            format!(
                "its control is {}, this one's {}",
                on(saved.shield.is_some()),
                on(self.shield().is_some())
            )
        })?;
        ensure(saved.steps <= config.max_steps, || {
            format!("it is at step {}, where episodes have {}", saved.steps, config.max_steps)
        })?;
        ensure(saved.episode < u64::MAX, || "it has no next episode".to_owned())?;
        let out = usize::from(saved.oom_nodes);
        ensure(out <= config.nodes() && saved.critical_oom <= saved.oom_nodes, || {
            format!("{out} nodes, {} of them critical, cannot be out of memory", saved.critical_oom)
        })?;
        let possible = |(risk, load): &(RiskState, f32)| risk.in_range() && (0.0..=1.0).contains(load);
        ensure(saved.shield.as_ref().is_none_or(possible), || {
            "a risk, a flow or a load is outside 0 to 1".to_owned()
        })
    }
}
