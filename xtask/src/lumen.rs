//! `cargo xtask lumen`: tools that are not ours hold Lumen to what it says, each in a virtual environment of its own.

use std::process::Command;
use std::time::Instant;

use crate::venv;
use crate::workspace::{cargo, root};

/// What is held to it, the environment's folder below target, its packages, and the script, which is given the program.
const CHECKS: [(&str, &str, &[&str], &str); 2] = [
    (
        "lumen serve: what /openapi.json says of it is true",
        "schemathesis",
        &["schemathesis==4.32.5"],
        "lumen/tests/schemathesis.py",
    ),
    (
        "the bills of materials",
        "cyclonedx",
        &["cyclonedx-python-lib[json-validation]==11.12.0"],
        "sbom/check.py",
    ),
];

/// Builds the program and has it checked; says so where there is no Python.
pub(crate) fn check() -> Result<(), String> {
    println!("\n== lumen, by tools that are not ours");
    let asked = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    if !asked.is_ok_and(|answer| answer.status.success()) {
        println!("   skipped: there is no python3 with venv (Debian: apt install python3-venv)");
        return Ok(());
    }
    cargo("the program", &["build", "--release", "--quiet", "--workspace", "--bin", "resonetics"])?;
    for (what, folder, packages, script) in CHECKS {
        println!("\n== {what}");
        let start = Instant::now();
        let python = venv::provide(&root().join("target").join(folder), packages)?;
        let mut checks = Command::new(&python);
        checks.arg(script).arg("target/release/resonetics").current_dir(root());
        let status = checks.status().map_err(|error| format!("cannot run {}: {error}", python.display()))?;
        if !status.success() {
            return Err(format!("{what}: {script} found otherwise ({status})"));
        }
        println!("   done in {:.1} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}
