//! What is carried to a machine with a GPU and no Rust.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::tools::Tools;
use crate::libtorch;
use crate::workspace::answer;
use crate::workspace::{cargo, root};

/// The most bytes of the archive.
const ROOM: u64 = 64 << 20;

/// Builds the program with libtorch, and packs it with its script and the recording.
pub(crate) fn pack() -> Result<(), String> {
    libtorch::provide(false)?;
    cargo(
        "building with libtorch",
        &["build", "--release", "--package", "resonetics", "--features", "torch"],
    )?;
    let tools = Tools::find()?;
    let folder = tools.target.join("gpu-bench");
    fill(&folder, &tools.binary).map_err(|error| format!("{}: {error}", folder.display()))?;
    // Line tables are for back traces, and most of the bytes. A C++ compiler, which tch needs, brings strip.
    answer(Command::new("strip").arg("--strip-debug").arg(folder.join("resonetics")))?;
    let archive = tools.target.join("gpu-bench.tar.gz");
    answer(Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&tools.target).arg("gpu-bench"))?;
    let bytes = fs::metadata(&archive).map_err(|error| format!("{}: {error}", archive.display()))?.len();
    if bytes > ROOM {
        return Err(format!("{} has {bytes} bytes, more than {ROOM}", archive.display()));
    }
    println!(
        "\n{} ({:.1} MiB). On the machine, whose libc must be no older than this one's:\n\
         tar -xzf gpu-bench.tar.gz && gpu-bench/gpu.sh --out gpu.json",
        archive.display(),
        bytes as f64 / f64::from(1 << 20)
    );
    Ok(())
}

/// The folder anew, with the program and what it needs.
fn fill(folder: &Path, binary: &Path) -> std::io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    fs::copy(binary, folder.join("resonetics"))?;
    fs::copy(root().join("benches/gpu.sh"), folder.join("gpu.sh"))?;
    fs::copy(root().join("reference/prophet_kernel.json"), folder.join("prophet_kernel.json"))?;
    Ok(())
}
