//! `analyze` and `report`: what runs wrote, as tables, figures and one page.

use std::path::PathBuf;

use clap::Args;
use resonetics_analysis::report::Report;
use resonetics_runs::claim;
use resonetics_runs::error::Error;
use resonetics_runs::findings;
use resonetics_runs::inputs::{Inputs, REFUSED, first_of};
use resonetics_runs::plan::range::CELLS;
use resonetics_runs::run_dir::{RunDir, RunRecord};
use resonetics_runs::shell::command_line;

use super::context::Context;
use super::piped::Piped;
use super::reported::described;
use super::typed::{OutArgs, whole};
use crate::out::{complain, say};
use crate::progress::Bar;

#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Run directories; analyze also takes CSV files, folders of runs, and - for a table from a pipe. A file given here that cannot be
    /// read is an error; one inside a folder is skipped and named
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Agent, or group of trainings, that the others are compared with; a group by the name that the report
    /// gives it or by that of one of its runs [default: the first agent]
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Number of cells of gardens that come without a config.toml [default: 3600]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(CELLS))]
    pub cells: Option<u64>,
    #[command(flatten)]
    pub out: OutArgs,
}

/// Reads everything and only then creates a directory: what is refused leaves nothing behind.
pub fn run(command: &'static str, args: &AnalyzeArgs, context: Context) -> Result<(), Error> {
    claim::check(args.out.out.as_deref())?;
    let record = RunRecord::new(command, None);
    let mut piped = Piped::default();
    let files = piped.copied(&args.paths)?;
    let told = |failure| piped.told(failure);
    let mut inputs = Inputs::find(&files, command == "report").map_err(told)?;
    inputs.cells = args.cells;
    inputs.progress = Some(Box::new(Bar::new(inputs.files.len() as u64, "files", context.quiet)));
    let typed = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let mut report =
        findings::report(inputs, args.baseline.as_deref(), &command_line(typed)).map_err(told)?;
    report.notes.iter_mut().for_each(|note| *note = piped.named(note));
    let paths: Vec<toml::Value> = args.paths.iter().map(|path| path.display().to_string().into()).collect();
    let mut config = described(command, [("paths", paths.into())]);
    if let Some(baseline) = &args.baseline {
        config.insert("baseline".to_owned(), baseline.as_str().into());
    }
    if let Some(cells) = args.cells {
        config.insert("cells".to_owned(), (cells as i64).into());
    }
    let dir = RunDir::create(args.out.out.as_deref(), record, &config.to_string())?;
    let path = dir.path().to_path_buf();
    dir.finish(findings::write(&path, &mut report))?;
    if !context.quiet {
        say(format_args!("{}\n", report.text().trim_end()))?;
    }
    warn(&report);
    say(format_args!("report: {}", path.join("report.html").display()))
}

/// Names on standard error what was damaged and left out, also where nobody reads the notes.
fn warn(report: &Report) {
    let refused = report.notes.iter().filter_map(|note| note.strip_prefix(REFUSED));
    let refused: Vec<String> = refused.map(str::to_owned).collect();
    if !refused.is_empty() {
        complain(&format!("warning: left out: {}", first_of(&refused, 4)));
    }
}
