//! What comes after the end of an episode.

use serde::{Deserialize, Serialize};

/// What happens to an environment whose episode has ended (the names of Gymnasium 1.x).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Autoreset {
    /// The step after the last resets: it ignores its action, has reward 0 and no flag, and
    /// yields the first observation of the next episode.
    NextStep,
    /// The last step resets at once: it yields the first observation of the next episode, and
    /// the last one of the episode that ended is in [`Batch::final_observations`](super::Batch::final_observations).
    SameStep,
    /// Nothing: the environment is not stepped again (reward 0, nobody dies, its flags stay) until
    /// [`VecEnv::reset_lanes`](super::VecEnv::reset_lanes).
    Disabled,
}
