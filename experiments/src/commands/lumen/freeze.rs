//! `lumen freeze`: a run into an archive.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use resonetics_lumen::archive::{self, Options, freeze};
use resonetics_runs::{Error, run_dir};

use super::sealing::Sealing;
use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct FreezeArgs {
    /// The folder of the run; one that trains is frozen at its last checkpoint
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The folder of archives; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "archive")]
    pub to: PathBuf,
    /// What to call it, in its manifest
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// Which files
    #[arg(long, value_enum, default_value_t = Preset::Run)]
    pub preset: Preset,
    #[command(flatten)]
    pub sealing: Sealing,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Preset {
    /// All that is of the run; not what was put aside (.before-N) or is hidden
    Run,
    /// What Lumen, TensorBoard and the clock wrote of it
    Telemetry,
    /// Figures, tables and pages
    Reports,
    /// Everything in its folder
    All,
}

impl From<Preset> for archive::Preset {
    fn from(preset: Preset) -> Self {
        match preset {
            Preset::Run => Self::Run,
            Preset::Telemetry => Self::Telemetry,
            Preset::Reports => Self::Reports,
            Preset::All => Self::All,
        }
    }
}

pub fn run(args: &FreezeArgs) -> Result<(), Error> {
    let seal = args.sealing.seal()?;
    let options = Options {
        to: &args.to,
        label: args.label.as_deref(),
        preset: args.preset.into(),
        seal: seal.as_ref(),
    };
    let frozen = freeze(&args.run, &options, run_dir::seconds())?;
    let manifest = &frozen.manifest;
    if let Some(damaged) = &frozen.damaged {
        note(format_args!(
            "{} has the same content and is damaged; `lumen verify` says how",
            damaged.display()
        ));
    }
    let step = manifest.run.step.map_or_else(String::new, |step| format!(", step {step}"));
    say(format_args!(
        "{}{step}: {} files, {} bytes, id {}",
        args.run.display(),
        manifest.files.len(),
        manifest.total_bytes,
        manifest.id
    ))?;
    let dir = frozen.dir.display();
    if frozen.is_new {
        say(format_args!("wrote {dir}"))
    } else {
        say(format_args!("nothing new: the same is in {dir}"))
    }
}
