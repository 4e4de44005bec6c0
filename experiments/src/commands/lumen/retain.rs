//! `lumen retain`: which archives are kept, and the deletion of the others by a plan.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::Archive;
use resonetics_lumen::archive::retain::{Plan, Rules, apply, planned};
use resonetics_runs::{Error, run_dir};

use crate::commands::typed::whole;
use crate::out::say;

#[derive(Debug, Args)]
pub struct RetainArgs {
    /// The folder of archives
    #[arg(value_name = "DIR", default_value = "archive")]
    pub dir: PathBuf,
    /// Keep the newest archive of each of so many days, today counted; days, weeks and months are in UTC
    #[arg(long, value_name = "N", default_value_t = Rules::default().days, allow_negative_numbers = true, value_parser = whole::<u32>(0..=36_500))]
    pub keep_days: u32,
    /// Keep the newest of each of so many ISO weeks
    #[arg(long, value_name = "N", default_value_t = Rules::default().weekly, allow_negative_numbers = true, value_parser = whole::<u32>(0..=5_200))]
    pub keep_weekly: u32,
    /// Keep the newest of each of so many months
    #[arg(long, value_name = "N", default_value_t = Rules::default().monthly, allow_negative_numbers = true, value_parser = whole::<u32>(0..=1_200))]
    pub keep_monthly: u32,
    /// Keep what has no copy elsewhere whose bytes were compared (lumen push, lumen verify-remote)
    #[arg(long)]
    pub require_remote: bool,
    /// Delete what the plan of this hash lists; without it the plan is printed and nothing deleted
    #[arg(long, value_name = "PLANHASH")]
    pub apply: Option<String>,
}

pub fn run(args: &RetainArgs) -> Result<(), Error> {
    let archive = Archive::at(&args.dir).known()?;
    let rules = Rules {
        days: args.keep_days,
        weekly: args.keep_weekly,
        monthly: args.keep_monthly,
        require_remote: args.require_remote,
    };
    let now = run_dir::seconds();
    if let Some(hash) = &args.apply {
        let plan = apply(&archive, rules, now, hash)?;
        for decision in plan.decisions.iter().filter(|decision| !decision.keep) {
            say(format_args!("deleted {}: {}", decision.dir, decision.rule))?;
        }
        return say(format_args!("{}", counted(&plan)));
    }
    let plan = planned(&archive, rules, now)?;
    for decision in &plan.decisions {
        let what = if decision.keep { "keep  " } else { "delete" };
        say(format_args!("{what} {}: {}", decision.dir, decision.rule))?;
    }
    say(format_args!("{}", counted(&plan)))?;
    if plan.decisions.iter().all(|decision| decision.keep) {
        return Ok(());
    }
    say(format_args!("nothing was deleted; to delete these: the same command with --apply {}", plan.hash))
}

fn counted(plan: &Plan) -> String {
    let kept = plan.decisions.iter().filter(|decision| decision.keep).count();
    format!("{kept} to keep, {} to delete", plan.decisions.len() - kept)
}
