//! `lumen lab tables`: what a verdict of the lab is worth: false alarms, power, and what forks say is true.

use std::path::Path;

use clap::Args;
use resonetics_analysis::stats::aggregate::share_interval;
use resonetics_analysis::stats::trials::Tally;
use resonetics_runs::files::{CsvFile, cell};
use resonetics_runs::{Error, claim};

use crate::commands::context::Context;
use crate::commands::typed::OutArgs;
use crate::lab::tables::{CHANGES, Change, SIZE, Size, Told, Verdicts, noise, truth};
use crate::out::say;

#[derive(Debug, Args)]
pub struct TablesArgs {
    /// Series of noise for each estimator, kind and effect
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    pub tries: u64,
    /// Tries of each change on a plant
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(2..=100_000))]
    pub plants: u64,
    /// Everything random follows from it
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &TablesArgs, context: Context) -> Result<(), Error> {
    let dir = claim::claim(args.out.out.as_deref(), "tables")?;
    let told = noise(args.tries, args.seed)?;
    write_noise(&dir, &told)?;
    tell_noise(&told)?;
    let mut table = CsvFile::create(&dir.join("truth.csv"), &TRUTH)?;
    let Size { lanes, pairs, blocks, fork } = SIZE;
    say(format_args!(
        "\non plants of {lanes} clusters: {pairs} pairs of blocks of {} steps, of which {} are washout, in the order of a coin; the \
         effect in losses per 1,000 lane-steps; truth: forks of {fork} steps with the same noise",
        blocks.rows, blocks.washout
    ))?;
    for change in &CHANGES {
        let verdicts = Verdicts::of(&truth(change, &SIZE, args.plants, args.seed)?);
        table.row(row(change, &verdicts))?;
        say(format_args!("{}", sentence(change, &verdicts)))?;
    }
    table.finish()?;
    if !context.quiet {
        say(format_args!("wrote {}", dir.display()))?;
    }
    Ok(())
}

const NOISE: [&str; 8] = ["estimator", "noise", "effect", "times", "said", "told", "held", "allowed"];
const TRUTH: [&str; 12] = [
    "change",
    "agent",
    "knob",
    "values",
    "tries",
    "helps",
    "harms",
    "nothing",
    "pairs_mean",
    "fork_mean",
    "fork_error",
    "held",
];

fn write_noise(dir: &Path, told: &[Told]) -> Result<(), Error> {
    let mut table = CsvFile::create(&dir.join("noise.csv"), &NOISE)?;
    for Told { estimator, noise, effect, tally, allowed } in told {
        table.row([
            estimator.clone(),
            noise.clone(),
            effect.to_string(),
            tally.times.to_string(),
            tally.said.to_string(),
            tally.told.to_string(),
            tally.held.to_string(),
            cell(*allowed),
        ])?;
    }
    table.finish()
}

fn tell_noise(told: &[Told]) -> Result<(), Error> {
    say(format_args!(
        "effects told at 5%, of series with nothing in them and of those with an effect (in deviations of a row)"
    ))?;
    for Told { estimator, noise, effect, tally, allowed } in told {
        let share = share_of(tally).map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", 100.0 * share));
        let bound = allowed.map_or_else(String::new, |allowed| {
            // More than chance: its 95% interval lies above.
            let held = share_interval(tally.told as usize, tally.said as usize)
                .is_some_and(|interval| interval.low <= allowed);
            format!(", allowed {:.1}%{}", 100.0 * allowed, if held { "" } else { ": MORE THAN ALLOWED" })
        });
        say(format_args!("{estimator} | {noise} | effect {effect} | told {share} of {}{bound}", tally.said))?;
    }
    Ok(())
}

/// Share of effects told among what anything was said of.
fn share_of(tally: &Tally) -> Option<f64> {
    (tally.said > 0).then(|| tally.told as f64 / tally.said as f64)
}

fn row(change: &Change, verdicts: &Verdicts) -> [String; 12] {
    let Verdicts { tries, helps, harms, nothing, estimate, truth, truth_error, held } = *verdicts;
    let count = |count: usize| count.to_string();
    [
        change.name.to_owned(),
        change.agent.to_owned(),
        change.knob.to_owned(),
        change.told(),
        count(tries),
        count(helps),
        count(harms),
        count(nothing),
        cell(Some(estimate)),
        cell(Some(truth)),
        cell(Some(truth_error)),
        count(held),
    ]
}

fn sentence(change: &Change, verdicts: &Verdicts) -> String {
    let Verdicts { tries, helps, harms, nothing, estimate, truth, truth_error, held } = verdicts;
    format!(
        "{} ({} {}): helps in {helps}, harms in {harms}, nothing in {nothing} of {tries}; effect {estimate:+.4} by pairs, {truth:+.4} \
         by forks (standard error {truth_error:.4}); {held} of {tries} intervals hold it",
        change.name,
        change.knob,
        change.told()
    )
}
