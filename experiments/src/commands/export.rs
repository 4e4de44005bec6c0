//! `export`: a trained policy as a file that other programs read.

use resonetics_runs::files::{check_new, write_new};
use resonetics_runs::trained::Trained;
use resonetics_runs::{Error, onnx};

use super::context::Context;
use crate::cli::ExportArgs;
use crate::out::say;

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
