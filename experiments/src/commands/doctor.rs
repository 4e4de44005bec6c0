//! `doctor`: what this binary is and what it found.

use resonetics_envs::cpu::CpuPath;

use super::{Context, Report, described, reported};
use crate::cli::OutArgs;
use crate::failure::Failure;
use crate::run_dir::cpu_model;

pub fn run(args: &OutArgs, context: Context) -> Result<(), Failure> {
    let paths: Vec<String> = CpuPath::available().iter().map(ToString::to_string).collect();
    let text = format!(
        "resonetics {} (commit {})\nsystem     {} {}\ncpu        {}\nvectors    {} in use, of {}; results do not depend on it\nthreads    {} of {} cores\n",
        env!("CARGO_PKG_VERSION"),
        option_env!("RESONETICS_COMMIT").unwrap_or("unknown"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        cpu_model().unwrap_or_else(|| "unknown".to_owned()),
        CpuPath::current(),
        paths.join(", "),
        context.threads,
        std::thread::available_parallelism().map_or(1, Into::into),
    );
    reported(&described("doctor", []), args.out.as_deref(), context, || {
        Ok(Report { text, file: "doctor.txt", outcome: Ok(()) })
    })
}
