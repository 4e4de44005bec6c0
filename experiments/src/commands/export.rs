//! `export`: a trained policy as a file that other programs read.

use std::path::PathBuf;

use clap::Args;
use resonetics_runs::files::{check_new, write_new};
use resonetics_runs::trained::Trained;
use resonetics_runs::{Error, onnx};

use super::context::Context;
use crate::out::say;

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Run directory of the training; its best checkpoint is exported, or the one behind an @: DIR@last, or DIR@STEP
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// ONNX file to write, with the normaliser inside and the action mask as an input; an existing file is not
    /// overwritten
    #[arg(long, value_name = "FILE")]
    pub onnx: PathBuf,
}

pub fn run(args: &ExportArgs, context: Context) -> Result<(), Error> {
    check_new(&args.onnx)?;
    let trained = Trained::named(&args.run.display().to_string())?;
    let model = onnx::model(&trained)?;
    write_new(&args.onnx, &model)?;
    if context.quiet {
        return Ok(());
    }
    say(format_args!(
        "wrote {}: {} of {}, ONNX opset {}, {} kB",
        args.onnx.display(),
        trained.checkpoint,
        args.run.display(),
        onnx::OPSET,
        model.len().div_ceil(1000)
    ))
}
