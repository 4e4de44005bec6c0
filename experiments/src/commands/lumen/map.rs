//! `lumen map`: the terms of resonance of a metrics.json.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::resonance::map::{Formulas, map};
use resonetics_lumen::resonance::metrics::Metrics;
use resonetics_runs::files::{text, write_atomic};
use resonetics_runs::{Error, error};

use crate::out::say;

#[derive(Debug, Args)]
pub struct MapArgs {
    /// The metrics.json, flat or nested; `lumen collect` makes one
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Use the formulas of the original documents, which see less
    #[arg(long)]
    pub seed_formulas: bool,
    /// Exit with 1 unless coherence is at least 0.7, phase below 1.2 and nothing unknown
    #[arg(long)]
    pub check: bool,
    /// Write resonance.json there too, whole, in place of what is there
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &MapArgs) -> Result<(), Error> {
    let formulas = if args.seed_formulas { Formulas::Seeds } else { Formulas::Corrected };
    let named = |problem: Error| match problem {
        Error::Refused(reason) => Error::Refused(format!("{}: {reason}", args.file.display())),
        other => other,
    };
    let resonance = map(&Metrics::parse(&text(&args.file)?).map_err(named)?, formulas);
    let json = serde_json::to_string_pretty(&resonance)
        .map_err(|failure| error::io("encode", &args.file)(failure.into()))?;
    say(format_args!("{json}"))?;
    if let Some(out) = &args.out {
        write_atomic(out, format!("{json}\n").as_bytes())?;
    }
    match resonance.check() {
        Err(reason) if args.check => Err(Error::Failed(format!("not resonant: {reason}"))),
        _ => Ok(()),
    }
}
