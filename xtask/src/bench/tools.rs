//! Where cargo builds and where results go, and what a binary and the machine say of themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::workspace::answer;
use crate::workspace::{cargo_program, root};

/// Where cargo builds, and what it has built.
pub(super) struct Tools {
    pub(super) target: PathBuf,
    pub(super) binary: PathBuf,
}

impl Tools {
    pub(super) fn find() -> Result<Tools, String> {
        let mut metadata = Command::new(cargo_program());
        metadata.args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(root());
        let metadata: Value = serde_json::from_str(&answer(&mut metadata)?)
            .map_err(|error| format!("cannot read cargo's metadata: {error}"))?;
        let target =
            metadata["target_directory"].as_str().ok_or("cargo's metadata have no target directory")?;
        let target = PathBuf::from(target);
        Ok(Tools { binary: target.join("release/resonetics"), target })
    }

    /// The virtual environment of the peers in Python.
    pub(super) fn venv(&self) -> PathBuf {
        self.target.join("bench-venv")
    }

    /// The lines below a table: what was measured, and where.
    pub(super) fn about(&self) -> String {
        about(&self.binary)
    }

    /// Writes a table into results/performance/, whole.
    pub(super) fn record(&self, name: &str, text: &str) -> Result<(), String> {
        let folder = root().join("results/performance");
        let (partial, done) = (self.target.join(name), folder.join(name));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&partial, text))
            .and_then(|()| fs::copy(&partial, &done))
            .map_err(|error| format!("cannot write results/performance/{name}: {error}"))?;
        println!("\n{text}\n   into results/performance/{name}");
        Ok(())
    }
}

/// What a binary says of itself, and the machine.
pub(super) fn about(binary: &Path) -> String {
    let doctor = answer(Command::new(binary).arg("doctor")).unwrap_or_default();
    let line = |name: &str| doctor.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (system, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
    let vectors =
        line("vectors").replace("vectors", "").trim().split(" in use").next().unwrap_or_default().to_owned();
    format!(
        "- {}, {vectors}\n- {}, {cores} cores, {system} {architecture}\n",
        line("resonetics"),
        cpu_model()
    )
}

/// What the processor calls itself.
fn cpu_model() -> String {
    let listed = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = listed.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':'))
        .map(|(_, model)| model.trim().to_owned())
        .or_else(|| answer(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"])).ok())
        .map_or_else(|| "a processor without a name".to_owned(), |model| model.trim().to_owned())
}
