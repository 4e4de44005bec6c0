//! A limit in its run directory, from the lives to what is known of them.

use std::path::Path;

use super::found::{Found, found, write};
use super::lives::{FILE, Lives};
use super::{Response, Shows, planned};
use crate::error::Error;
use crate::plan::Limit;
use crate::run_dir::exclusive;

/// Works in the run directory `dir` for what `plan` says, from the lives on that are there, and writes what comes of it.
///
/// # Errors
/// Those of [`planned`] and of writing; [`Error::Refused`] if another process works there.
pub fn work(plan: &Limit, dir: &Path, shows: &Shows<'_>) -> Result<(Vec<Response>, Vec<Found>), Error> {
    let _lock = exclusive(dir)?;
    let mut lives = Lives::at(&dir.join(FILE))?;
    let responses = planned(plan, &mut lives, shows)?;
    lives.finish()?;
    let found = found(&responses);
    write(plan, &responses, &found, dir)?;
    Ok((responses, found))
}
