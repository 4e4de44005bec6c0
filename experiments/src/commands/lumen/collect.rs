//! `lumen collect`: what resonance is computed from.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::ledger::{Ledger, Place};
use resonetics_lumen::resonance::collect::collect;
use resonetics_lumen::resonance::prometheus::{Queries, ask};
use resonetics_lumen::resonance::window::Window;
use resonetics_runs::files::text;
use resonetics_runs::{Error, error, run_dir};

use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct CollectArgs {
    /// How far back, in hours or days: 24h, 7d
    #[arg(long, value_name = "WINDOW", default_value = "24h")]
    pub window: String,
    /// A ledger of `lumen runs`; it is read, not written
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// A Prometheus to ask for fields, such as http://127.0.0.1:9090
    #[arg(long, value_name = "URL", requires = "queries")]
    pub prometheus: Option<String>,
    /// YAML with a line `FIELD: PROMQL` for each field that it is asked for
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub queries: Option<PathBuf>,
    /// Folders of runs, with those below them [default: runs, unless a ledger or a Prometheus is asked]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

pub fn run(args: &CollectArgs) -> Result<(), Error> {
    let window = Window::parse(&args.window)?;
    let mut known = match &args.ledger {
        Some(path) if !path.exists() => {
            return Err(Error::Unknown(format!("there is no ledger {}", path.display())));
        }
        Some(path) => Ledger::read(path)?,
        None => Ledger::default(),
    };
    let elsewhere = args.ledger.is_some() || args.prometheus.is_some();
    let paths =
        if args.paths.is_empty() && !elsewhere { vec![PathBuf::from("runs")] } else { args.paths.clone() };
    for refused in known.scan(&paths, &Place::of_environment()?)? {
        note(format_args!("{} is not counted: {}", refused.path.display(), refused.reason));
    }
    let now = run_dir::seconds();
    let mut collected = collect(&known.rows, &window, now);
    for problem in &collected.notes {
        note(format_args!("{problem}"));
    }
    if let (Some(url), Some(queries)) = (&args.prometheus, &args.queries) {
        let queries = Queries::parse(&queries.display().to_string(), &text(queries)?)?;
        ask(url, &queries, now, &mut collected.metrics)?;
    }
    let json = serde_json::to_string_pretty(&collected.metrics)
        .map_err(|failure| error::io("encode", "metrics.json".as_ref())(failure.into()))?;
    say(format_args!("{json}"))
}
