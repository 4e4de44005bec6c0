//! Where the workspace is, and cargo, run in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The workspace, wherever this is called from.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Says what is about to happen and why, runs it, and fails if it fails.
pub(crate) fn cargo(what: &str, arguments: &[&str]) -> Result<(), String> {
    cargo_with(what, arguments, None)
}

/// The same with an environment variable.
pub(crate) fn cargo_with(
    what: &str,
    arguments: &[&str],
    variable: Option<(&str, &str)>,
) -> Result<(), String> {
    println!("\n== {what}");
    println!("   cargo {}", arguments.join(" "));
    let start = Instant::now();
    let mut command = Command::new(cargo_program());
    command.args(arguments).current_dir(root());
    // A document with a broken link is a broken document.
    command.env("RUSTDOCFLAGS", "-D warnings").envs(variable);
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!("{what} ({status})"));
    }
    println!("   done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The cargo that runs this.
pub(crate) fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
