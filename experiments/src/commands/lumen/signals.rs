//! `lumen signals`: what the signals of runs say, and what they were worth.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::table;
use resonetics_runs::Error;

use crate::out::say;

#[derive(Debug, Args)]
pub struct SignalsArgs {
    /// Print for each signal its range, the share of windows in which it is known, its ROC area for "lost within 50" and
    /// the median lead, instead of the windows
    #[arg(long)]
    pub table: bool,
    /// Runs, or folders of runs; the runs of a folder are taken together
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
}

pub fn run(args: &SignalsArgs) -> Result<(), Error> {
    for run in &args.runs {
        let units = table::recorded(run)?;
        if args.table {
            let lines = table::lines(&units);
            say(format_args!("{}\n\n{}", run.display(), table::markdown(&lines)))?;
            continue;
        }
        say(format_args!("source,clock,residual,phase_diff,entropy_rate,creative_band,risk_band"))?;
        for unit in units {
            for (clock, signals) in &unit.windows {
                let cell = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
                let signals = [
                    signals.residual,
                    signals.phase_diff,
                    signals.entropy_rate,
                    signals.creative_band,
                    signals.risk_band,
                ];
                say(format_args!("{},{clock},{}", unit.source, signals.map(cell).join(",")))?;
            }
        }
    }
    Ok(())
}
