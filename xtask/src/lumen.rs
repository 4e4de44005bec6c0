//! `cargo xtask lumen`: Schemathesis attacks `resonetics lumen serve`, in a virtual environment of its own.

use std::process::Command;
use std::time::Instant;

use crate::venv;
use crate::workspace::{cargo, root};

const PACKAGES: [&str; 1] = ["schemathesis==4.32.5"];

/// Builds the program and lets it be attacked; says so where there is no Python.
pub(crate) fn check() -> Result<(), String> {
    println!("\n== lumen serve: what /openapi.json says of it is true");
    let asked = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    if !asked.is_ok_and(|answer| answer.status.success()) {
        println!("   skipped: there is no python3 with venv (Debian: apt install python3-venv)");
        return Ok(());
    }
    cargo("the program", &["build", "--release", "--quiet", "--workspace", "--bin", "resonetics"])?;
    let start = Instant::now();
    let python = venv::provide(&root().join("target/schemathesis"), &PACKAGES)?;
    let mut attack = Command::new(&python);
    attack.arg("lumen/tests/schemathesis.py").arg("target/release/resonetics").current_dir(root());
    let status = attack.status().map_err(|error| format!("cannot run {}: {error}", python.display()))?;
    if !status.success() {
        return Err(format!("lumen serve is not as described ({status})"));
    }
    println!("   done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
