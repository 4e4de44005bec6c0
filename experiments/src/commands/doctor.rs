//! `doctor`: what this binary is and what it found.

use clap::Args;
use resonetics_envs::cpu::CpuPath;
use resonetics_runs::Error;
use resonetics_runs::run_dir::{commit, cpu_model};

use super::context::Context;
use super::reported::{Report, described, reported};
use super::typed::OutArgs;

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Compare the torch learner with the native one instead: losses and gradients of one minibatch
    #[arg(long)]
    pub learners: bool,
    /// With --learners: device of the torch learner: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto", requires = "learners")]
    pub device: String,
    #[command(flatten)]
    pub out: OutArgs,
}

pub fn run(args: &DoctorArgs, context: Context) -> Result<(), Error> {
    let paths: Vec<String> = CpuPath::available().iter().map(ToString::to_string).collect();
    let text = format!(
        "resonetics {} (commit {})\nsystem     {} {}\ncpu        {}\nvectors    {} in use, of {}; results do not depend on it\nthreads    {} (processors: {})\n{}\n",
        env!("CARGO_PKG_VERSION"),
        commit(),
        std::env::consts::OS,
        std::env::consts::ARCH,
        cpu_model().unwrap_or_else(|| "unknown".to_owned()),
        CpuPath::current(),
        paths.join(", "),
        context.threads,
        std::thread::available_parallelism().map_or(1, Into::into),
        libtorch(),
    );
    reported(&described("doctor", []), args.out.out.as_deref(), || {
        Ok(Report { text, file: "doctor.txt", outcome: Ok(()) })
    })
}

/// What of libtorch there is, and the way to more.
#[cfg(not(feature = "torch"))]
fn libtorch() -> String {
    "libtorch   not compiled in; nothing but Prophet's learner on tensors needs it: `cargo xtask libtorch`, then \
     `cargo build --release --features torch`"
        .to_owned()
}

/// What of libtorch there is, and the way to more.
#[cfg(feature = "torch")]
fn libtorch() -> String {
    use resonetics_kernel::torch::device;

    let folder = device::folder();
    let version = folder.as_deref().and_then(device::version);
    format!(
        "libtorch   {} in {}, {} threads by default\ncuda       {}",
        version.as_deref().unwrap_or("of unknown version"),
        folder.map_or_else(|| "an unknown folder".to_owned(), |folder| folder.display().to_string()),
        device::threads(),
        match device::cuda() {
            Ok(1) => "1 device".to_owned(),
            Ok(count) => format!("{count} devices"),
            Err(why) => format!("no: {why}"),
        },
    )
}
