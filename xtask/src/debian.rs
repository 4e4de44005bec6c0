//! Programs of Debian's packages, unpacked and not installed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::workspace::answer;

/// Downloads packages with apt-get, which needs no root, and unpacks them below `own`, which is emptied before; nothing is
/// installed and no service is started.
pub(crate) fn unpack(own: &Path, packages: &[&str]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write below {}: {error}", own.display());
    let downloads = own.join("packages");
    let _ = fs::remove_dir_all(own);
    fs::create_dir_all(&downloads).map_err(failed)?;
    let apt = |seconds: &str, words: &[&str]| {
        let mut apt = Command::new("timeout");
        apt.args(["--kill-after=10", seconds, "apt-get", "--quiet"]).args(words);
        answer(apt.current_dir(&downloads).stdin(Stdio::null()))
    };
    let download = [&["download"], packages].concat();
    // A fresh machine has no list of packages yet; only root may fetch one.
    let had = apt("180", &download).or_else(|problem| match apt("120", &["update"]) {
        Ok(_) => apt("180", &download),
        Err(_) => Err(problem),
    });
    had.map_err(|problem| {
        let last = problem.lines().last().unwrap_or_default();
        format!("Debian has it: {} (apt-get download: {last})", packages.join(", "))
    })?;
    for package in fs::read_dir(&downloads).map_err(failed)? {
        let package = package.map_err(failed)?.path();
        answer(Command::new("dpkg-deb").arg("--extract").arg(package).arg(own))?;
    }
    Ok(())
}
