//! The worlds by name, and their presets.

use crate::gardener::GardenerConfig;
use crate::k8s::K8sConfig;

/// The environments: name and what it is.
pub const ENVIRONMENTS: [(&str, &str); 3] = [
    ("k8s", "cluster whose memory leaks for ever, rules v4.5: any node out of memory ends it"),
    ("k8s-v4.6", "the same with rules v4.6: load shaping, two nodes or a critical one end it"),
    ("gardener", "entropy grid where gardeners must keep dirt from winning, rules v3.3.3"),
];

/// The presets: name and what it is.
pub const PRESETS: [(&str, &str); 3] = [
    ("calm", "slow drift: most policies survive"),
    ("reference", "the numbers of the rules (the default)"),
    ("storm", "fast drift: agents that do nothing lose"),
];

/// The settings of a named world.
#[derive(Clone, Debug, PartialEq)]
pub enum World {
    /// `k8s` and `k8s-v4.6`.
    K8s(K8sConfig),
    /// `gardener`.
    Gardener(GardenerConfig),
}

/// The settings of environment `name` under `preset`.
///
/// # Errors
/// If there is no such environment or preset; the message names those there are.
pub fn world(name: &str, preset: &str) -> Result<World, String> {
    let known = |names: &[(&str, &str)]| names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    // How fast the world drifts, against the rules: memory, and dirt.
    let (leak, dirt) = match preset {
        "calm" => (0.6, 0.6),
        "reference" => (1.0, 1.0),
        "storm" => (1.6, 1.6),
        _ => return Err(format!("unknown preset `{preset}`; known are: {}", known(&PRESETS))),
    };
    let cluster = |config: K8sConfig| {
        World::K8s(K8sConfig { mem_drift_mu: scaled(config.mem_drift_mu, leak), ..config })
    };
    match name {
        "k8s" => Ok(cluster(K8sConfig::default())),
        "k8s-v4.6" => Ok(cluster(K8sConfig::v46())),
        "gardener" => {
            let config = GardenerConfig::default();
            Ok(World::Gardener(GardenerConfig { dirt_growth: scaled(config.dirt_growth, dirt), ..config }))
        }
        _ => Err(format!("unknown environment `{name}`; known are: {}", known(&ENVIRONMENTS))),
    }
}

/// The product in as few decimals as the factors have, for configuration files.
fn scaled(value: f64, factor: f64) -> f64 {
    (value * factor * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_every_preset_and_others_are_refused() {
        for (name, _) in ENVIRONMENTS {
            for (preset, _) in PRESETS {
                assert!(world(name, preset).is_ok(), "{name} {preset}");
            }
        }
        assert_eq!(world("k8s", "reference"), Ok(World::K8s(K8sConfig::default())));
        assert!(matches!(world("k8s", "storm"), Ok(World::K8s(config)) if config.mem_drift_mu == 0.008));
        assert!(world("k9s", "calm").unwrap_err().contains("k8s-v4.6"));
        assert!(world("k8s", "gale").unwrap_err().contains("storm"));
    }
}
