//! Retention: which archives are kept, by rules; deleted is only what a plan lists, by its hash.

use std::fs;

use resonetics_runs::{Error, error};

pub use self::plan::{Decision, Item, Plan, Rules, plan};
use super::calendar::seconds;
use super::index::{Index, Line, Op, differences};
use super::place::{Archive, Found};
use super::remote::record::Records;
use super::verify::verify;

mod plan;

/// The plan for the archives in `archive` by `rules`, as it is `now`, in seconds since 1970. Changes nothing.
///
/// # Errors
/// [`Error::Refused`] if the index does not say what is there, any I/O error.
pub fn planned(archive: &Archive, rules: Rules, now: f64) -> Result<Plan, Error> {
    let found = archive.found()?;
    let index = Index::read(archive)?;
    of(archive, &index, found, rules, now)
}

/// Carries out the plan of that hash, if it is still the plan; yields it.
///
/// # Errors
/// [`Error::Refused`] if it is another one by now, or the index does not say what is there; any I/O error.
pub fn apply(archive: &Archive, rules: Rules, now: f64, hash: &str) -> Result<Plan, Error> {
    let _held = archive.hold()?;
    archive.tidy()?;
    let found = archive.found()?;
    let mut index = Index::read(archive)?;
    let plan = of(archive, &index, found, rules, now)?;
    if plan.hash != hash {
        return Err(Error::Refused(format!(
            "the plan is not {hash} any more: look at it again without --apply; nothing was deleted"
        )));
    }
    for decision in plan.decisions.iter().filter(|decision| !decision.keep) {
        let live = index.live();
        let line = live.get(decision.dir.as_str()).ok_or_else(|| {
            Error::Failed(format!("{} is not in the index; nothing more was deleted", decision.dir))
        })?;
        let line: Line = line.ended(Op::Deleted, now, Some(&decision.rule), Some(&plan.hash));
        let taken = archive.take_away(&decision.dir)?;
        if let Err(failure) = index.add(archive, line) {
            archive.bring_back(&taken, &decision.dir);
            return Err(failure);
        }
        fs::remove_dir_all(&taken).map_err(error::io("remove", &taken))?;
    }
    Ok(plan)
}

fn of(archive: &Archive, index: &Index, found: Vec<Found>, rules: Rules, now: f64) -> Result<Plan, Error> {
    if let Some(difference) = differences(index, &found).first() {
        return Err(Error::Refused(format!(
            "the index is not what is there: {difference}; look into it, then run `resonetics lumen archive --reindex {}`",
            resonetics_runs::shell::quoted_path(archive.root())
        )));
    }
    let records = if rules.require_remote { Records::read(archive)? } else { Records::default() };
    let mut items = Vec::new();
    for Found { run, dir, said } in found {
        let manifest = said.map_err(Error::Refused)?.manifest;
        let created = seconds(&manifest.created_at).ok_or_else(|| {
            Error::Refused(format!("{dir}: its manifest has a created_at that is no time; verify it"))
        })?;
        // One with less of the run in it is no substitute for one with more.
        let run = format!("{run} of {}, {:?}", manifest.run.started_at.unwrap_or_default(), manifest.preset);
        let is_elsewhere = records.is_kept(&manifest.id);
        items.push(Item { run, dir, id: manifest.id, created, is_elsewhere });
    }
    plan(&items, rules, now, &mut |item| Ok(verify(&archive.path(&item.dir))?.is_good()))
}
