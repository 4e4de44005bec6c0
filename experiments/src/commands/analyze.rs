//! `analyze` and `report`: what runs wrote, as tables, figures and one page.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_analysis::picture::Pictures;
use resonetics_analysis::report::{Report, page};
use resonetics_runs::claim;
use resonetics_runs::error::{self, Error};
use resonetics_runs::files::{CsvFile, write_new};
use resonetics_runs::findings;
use resonetics_runs::inputs::{Inputs, REFUSED, first_of};
use resonetics_runs::interrupt;
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
    dir.finish(write(&path, &mut report))?;
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

/// Writes everything, the page last: it has the notes on the pictures.
fn write(dir: &Path, report: &mut Report) -> Result<(), Error> {
    let figures: PathBuf = dir.join("figures");
    std::fs::create_dir(&figures).map_err(error::io("create", &figures))?;
    let mut pictures = Pictures::default();
    for figure in report.parts.iter().flat_map(|part| &part.figures) {
        interrupt::check()?;
        write_new(&figures.join(format!("{}.svg", figure.name)), figure.wide.as_bytes())?;
        let pixels = pictures
            .png(&figure.wide)
            .map_err(|problem| Error::Failed(format!("cannot draw {}: {problem}", figure.name)))?;
        write_new(&figures.join(format!("{}.png", figure.name)), &pixels)?;
    }
    report.notes.extend(pictures.note());
    let long = report.long_tables();
    if !long.is_empty() {
        std::fs::create_dir(dir.join("tables")).map_err(error::io("create", &dir.join("tables")))?;
    }
    for (name, table) in long {
        interrupt::check()?;
        let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
        let mut csv = CsvFile::create(&dir.join(name), &columns)?;
        for row in &table.rows {
            csv.row(row.iter().map(|cell| cell.text.as_bytes()))?;
        }
        csv.finish()?;
    }
    let mut json = serde_json::to_vec_pretty(&report.json())
        .map_err(|error| Error::Failed(format!("cannot encode analysis.json: {error}")))?;
    json.push(b'\n');
    write_new(&dir.join("analysis.json"), &json)?;
    write_new(&dir.join("report.html"), page(report).as_bytes())
}
