//! `lumen pack`: where a run is and how it goes on, in one file.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_lumen::pack::{Asked, pack};
use resonetics_lumen::source::run_name;
use resonetics_runs::shell::{command_line, quoted_path};
use resonetics_runs::{Error, run_dir};

use crate::out::say;

#[derive(Debug, Args)]
pub struct PackArgs {
    /// The folder of the run; one that trains is packed as it is at its last checkpoint
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Pack the run itself too: it is frozen into this folder of archives, and that archive goes into the pack
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "archive")]
    pub archive: Option<PathBuf>,
    /// The file to write, which must not be there [default: RUN.pack in the current folder]
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// What else to know, up to 1000 letters; it is written as it stands
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// An Alertmanager to ask what fires, such as http://127.0.0.1:9093
    #[arg(long, value_name = "URL")]
    pub alertmanager: Option<String>,
    /// Sum everything up, and keep nothing in the run's folder (context.json)
    #[arg(long)]
    pub no_cache: bool,
}

pub fn run(args: &PackArgs) -> Result<(), Error> {
    let to = args.to.clone().unwrap_or_else(|| PathBuf::from(format!("{}.pack", run_name(&args.run))));
    let asked = Asked {
        to: &to,
        archive: args.archive.as_deref(),
        note: args.note.as_deref(),
        alertmanager: args.alertmanager.as_deref(),
        keep: !args.no_cache,
    };
    let packed = pack(&args.run, &asked, run_dir::seconds())?;
    let resume = &packed.resume;
    let step = resume.step.map_or_else(String::new, |step| format!(", step {step}"));
    let inside = if resume.archive.is_some() { ", with the run" } else { ", without the run" };
    say(format_args!("wrote {}: {}{step}{inside}, {} bytes", to.display(), resume.state, packed.bytes))?;
    let words = ["lumen", "resume"].map(str::to_owned).into_iter();
    say(format_args!("to look at it: {} {}", command_line(words), quoted_path(Path::new(&to))))
}
