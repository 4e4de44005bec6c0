//! How the commands hand their runs over to Lumen.

use resonetics_lumen::signals::level::Thresholds;
use resonetics_lumen::signals::window::Shape;
use resonetics_runs::plan::Lumen;
use resonetics_runs::setup::{Setup, WorldSettings};
use resonetics_runs::trained::PROPHET;

use crate::out::note;

/// Where levels begin in a run that is watched so.
pub fn thresholds(lumen: Lumen) -> Thresholds {
    Thresholds {
        residual: [lumen.residual_tense, lumen.residual_alert],
        rollback_ratio: [lumen.ratio_tense, lumen.ratio_alert],
    }
}

/// The windows of episodes in this world.
pub fn shape(env: &Setup) -> Shape {
    match env.settings {
        WorldSettings::K8s(_) => Shape::CLUSTER,
        WorldSettings::Gardener(_) => Shape::GARDEN,
    }
}

/// Tells the user what went wrong with watching, which ends no run.
pub fn tell(text: &str) {
    note(format_args!("{text}"));
}

/// The name of an agent in events: of a trained one that of its folder.
pub fn named(agent: &str) -> String {
    let name = agent.strip_prefix(PROPHET).map_or_else(
        || agent.to_owned(),
        |typed| format!("prophet:{}", typed.trim_end_matches('/').rsplit('/').next().unwrap_or(typed)),
    );
    // A slash stands between a run, its source and its lane.
    name.replace('/', "_")
}
