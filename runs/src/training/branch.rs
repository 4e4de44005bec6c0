//! The beginning of a training in another folder: up to a checkpoint, from where another future can be played.

use std::fs;
use std::path::Path;

use resonetics_agents::prophet::state::Numbers;

use super::checkpoint::{Checkpoint, Checkpoints, Identity};
use super::plan::Train;
use super::row::CSV;
use crate::commands::Reached;
use crate::error::{self, Error};
use crate::files::{self, write_new};

/// Copies into `to`, a fresh run directory of the same plan, what the training in `from` was at its last checkpoint up to the
/// moment `until`; yields the steps behind it, none if no such checkpoint is kept: it is then to begin at the beginning.
///
/// # Errors
/// Any I/O error.
pub fn branched(plan: &Train, from: &Path, to: &Path, until: Reached) -> Result<Option<u64>, Error> {
    // Checkpoints belong to a config.toml, and one that an older version wrote is written otherwise now.
    let identity = Identity::of(&plan.env.name, from)?;
    if Identity::of(&plan.env.name, to)? != identity {
        return Ok(None);
    }
    let checkpoints = Checkpoints::at(from, identity, plan.train.keep);
    for steps in checkpoints.steps()?.into_iter().rev() {
        // One that cannot be read, or has gone in between, is none to begin at.
        let Ok(checkpoint) = checkpoints.of::<Numbers>(steps) else { continue };
        let reached = of(&checkpoint);
        if reached.clock > until.clock || reached.commands > until.commands {
            continue;
        }
        let csv = files::read(&from.join(CSV), u64::MAX)?;
        let Some(csv) = csv.get(..checkpoint.csv_bytes as usize) else { continue };
        let folder = to.join("checkpoints");
        fs::create_dir_all(&folder).map_err(error::io("create", &folder))?;
        // The JSON file last: without it a checkpoint is none.
        for (name, bytes) in checkpoints.files_up_to(steps, &checkpoint)? {
            write_new(&folder.join(name), &bytes)?;
        }
        write_new(&to.join(CSV), csv)?;
        return Ok(Some(steps));
    }
    Ok(None)
}

/// How far the training had come at a checkpoint.
pub(super) fn of(checkpoint: &Checkpoint<Numbers>) -> Reached {
    checkpoint.reached.unwrap_or(Reached { clock: checkpoint.numbers.updates(), commands: 0 })
}
