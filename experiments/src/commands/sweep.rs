//! `sweep`: many trainings over settings and seeds, and one table of them.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_analysis::report::counted;
use resonetics_runs::Error;
use resonetics_runs::files::text;
use resonetics_runs::run_dir::RunDir;
use resonetics_runs::shell::quoted_path;
use resonetics_runs::sweep::{Cell, Group, Sweep, begin, groups, stopped, work};

use super::context::Context;
use super::kept::{tell_finished, told};
use super::typed::OutArgs;
use crate::out::say;
use crate::progress::Bar;

/// Groups that are told in the terminal.
const TOLD: usize = 10;

#[derive(Debug, Args)]
pub struct SweepArgs {
    /// TOML file that says what is trained: env, preset, steps, recipe, seeds, evaluate, the table "settings" that all cells have, and
    /// lists in the table "grid" or draws in "random" that vary
    #[arg(value_name = "PLAN", required_unless_present = "resume", conflicts_with = "resume")]
    pub plan: Option<PathBuf>,
    /// Resume the sweep in this directory; only --threads may be given with it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "list"])]
    pub resume: Option<PathBuf>,
    /// List the cells and train none
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &SweepArgs, context: Context) -> Result<(), Error> {
    if let Some(dir) = &args.resume {
        let (plan, run) = stopped(dir)?;
        let Some(run) = run else { return tell_finished(dir) };
        return swept(&plan, &plan.cells()?, run, context);
    }
    let Some(path) = &args.plan else { return Ok(()) };
    let plan = Sweep::parse(&text(path)?)
        .map_err(|problem| Error::Refused(format!("{}: {problem}", path.display())))?;
    let cells = plan.cells().map_err(|problem| Error::Refused(format!("{}: {problem}", path.display())))?;
    if args.list {
        return cells.iter().try_for_each(|cell| say(format_args!("{} {}", cell.key, cell.name())));
    }
    swept(&plan, &cells, begin(&plan, args.out.out.as_deref())?, context)
}

/// Trains what is left, as many at once as there are threads, and says which settings did best.
fn swept(plan: &Sweep, cells: &[Cell], run: RunDir, context: Context) -> Result<(), Error> {
    let dir = run.path().to_path_buf();
    let bar = Bar::new(cells.iter().map(Cell::updates).sum(), "updates", context.quiet);
    let outcome = run.finish(work(plan, &dir, context.threads, &bar));
    bar.finish();
    if !context.quiet {
        let mut groups = groups(plan, cells, &dir)?;
        groups.sort_by(|one, other| other.return_mean.total_cmp(&one.return_mean));
        let of = if plan.evaluate > 0 {
            format!("in {} fresh episodes", plan.evaluate)
        } else {
            "by its best greedy return, which is a little too high for having been chosen".to_owned()
        };
        say(format_args!(
            "mean return of each training, {of}; the best {}:",
            counted(groups.len().min(TOLD) as u64, "choice", "choices")
        ))?;
        groups.iter().take(TOLD).try_for_each(tell)?;
    }
    if matches!(outcome, Err(Error::Interrupted(_))) {
        say(format_args!("to resume: resonetics sweep --resume {}", quoted_path(&dir)))?;
    }
    told(outcome, &dir, context)?;
    tell_next(&dir, context)
}

fn tell(group: &Group) -> Result<(), Error> {
    let ends = group.interval.map_or_else(
        || "no interval: one training".to_owned(),
        |(low, high)| format!("95% over trainings {low:.2} to {high:.2}"),
    );
    let trainings = counted(group.trainings as u64, "training", "trainings");
    say(format_args!("{} | {:.2} ({ends}) | {trainings}", group.name, group.return_mean))
}

fn tell_next(dir: &Path, context: Context) -> Result<(), Error> {
    if context.quiet {
        return Ok(());
    }
    say(format_args!("next: resonetics analyze {}", quoted_path(dir)))
}
