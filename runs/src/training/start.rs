//! A training that starts from the networks and normalisers of another one's checkpoint, and its copy of that
//! checkpoint: once it is there, the run needs the other one no more.

use std::fs;
use std::path::Path;

use resonetics_agents::prophet::state::State;

use super::checkpoint::state_of;
use super::plan::{Start, Train};
use crate::error::{self, Error};
use crate::files::{self, write_atomic};
use crate::trained::{Trained, named, training};

impl Start {
    /// The checkpoint that `run` names now, see [`named`].
    ///
    /// # Errors
    /// Those of [`Trained::named`].
    pub fn of(run: &str) -> Result<Start, Error> {
        let trained = Trained::named(run)?;
        Ok(Start { run: run.to_owned(), checkpoint: trained.checkpoint })
    }
}

/// Refuses a plan whose start is not kept any more, or does not fit its networks.
///
/// # Errors
/// [`Error::Refused`] with both checkpoints, or with both shapes.
pub fn check_start(plan: &Train) -> Result<(), Error> {
    let Some(from) = &plan.from else { return Ok(()) };
    let trained = Trained::recorded(&from.run, &from.checkpoint)?;
    let there = trained.plan.train.network.parameters(trained.plan.spaces());
    let here = plan.train.network.parameters(plan.spaces());
    if there == here {
        return Ok(());
    }
    let shape = |all: &[(String, Vec<usize>)], name: &str| {
        let found = all.iter().find(|(other, _)| other == name);
        found.map_or_else(|| "missing".to_owned(), |(_, shape)| format!("{shape:?}"))
    };
    let names = there.iter().chain(&here).map(|(name, _)| name);
    let differing = names.into_iter().find(|name| shape(&there, name) != shape(&here, name));
    let name = differing.map_or("", String::as_str);
    Err(Error::Refused(format!(
        "--from {}: its networks have other shapes than those of this training: `{name}` is {} there and {} here \
         (there train.network.hidden = {:?} and memory = {}, {} numbers in an observation and {} actions of {}; here {:?} and {}, {} and {} of {})",
        from.run,
        shape(&there, name),
        shape(&here, name),
        trained.plan.train.network.hidden,
        trained.plan.train.network.memory,
        trained.plan.spaces().observation,
        trained.plan.spaces().actions,
        trained.plan.env.name,
        plan.train.network.hidden,
        plan.train.network.memory,
        plan.spaces().observation,
        plan.spaces().actions,
        plan.env.name,
    )))
}

/// What the training in `dir` starts from: its copy of the checkpoint, which is made now if there is none.
///
/// # Errors
/// [`Error::Refused`] for a copy that is not that checkpoint, and without one if the other training keeps it no more.
pub(super) fn start_in(plan: &Train, dir: &Path) -> Result<Option<State>, Error> {
    let Some(from) = &plan.from else { return Ok(None) };
    let sum = &from.checkpoint.sha256;
    let folder = dir.join("checkpoints");
    let [json, arrays] = ["json", "safetensors"].map(|extension| folder.join(format!("start.{extension}")));
    // The JSON file is written last.
    if json.is_file() {
        let bytes = |path: &Path| files::read(path, u64::MAX);
        return state_of(&bytes(&json)?, &bytes(&arrays)?, sum).map(Some).map_err(|problem| {
            Error::Refused(format!(
                "{} is not what this training starts from: {problem}; delete it and {}, and it is copied again from {}",
                json.display(),
                arrays.display(),
                from.run
            ))
        });
    }
    let trained = Trained::recorded(&from.run, &from.checkpoint)?;
    let (_, checkpoints) = training(Path::new(named(&from.run)?.0))?;
    let [json_bytes, array_bytes] = checkpoints.files_with_sum(sum).ok_or_else(|| {
        Error::Refused(format!("{} has just stopped keeping its checkpoint of {sum}", from.run))
    })?;
    fs::create_dir_all(&folder).map_err(error::io("create", &folder))?;
    write_atomic(&arrays, &array_bytes)?;
    write_atomic(&json, &json_bytes)?;
    Ok(Some(trained.state))
}
