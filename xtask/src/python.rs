//! `cargo xtask python`: the package for Python as its users get it, in a virtual environment of its own, and its tests.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::venv;
use crate::workspace::{cargo_program, root};

/// What builds it, what it needs, and what checks it.
const PACKAGES: [&str; 7] = [
    "gymnasium==1.4.0",
    "maturin==1.16.0",
    "mypy==2.4.1",
    "numpy==2.4.6",
    "pettingzoo==1.27.0",
    "pytest==9.2.0",
    "tqdm==4.67.1",
];

/// Builds, installs and tests it; says so where there is no Python.
pub(crate) fn check() -> Result<(), String> {
    println!("\n== the package for Python: wheel, types, tests");
    let asked = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    if !asked.is_ok_and(|answer| answer.status.success()) {
        println!("   skipped: there is no python3 with venv (Debian: apt install python3-venv)");
        return Ok(());
    }
    let start = Instant::now();
    let python = venv::provide(&root().join("target/python"), &PACKAGES)?;
    let wheels = root().join("target/wheels");
    // Only the wheel of now is to be there.
    if wheels.exists() {
        fs::remove_dir_all(&wheels).map_err(|error| format!("cannot clear {}: {error}", wheels.display()))?;
    }
    let (here, away) = (root().join("python"), root().join("target"));
    let run = |what: &str, folder: &Path, words: &[&str]| {
        println!("   {what}");
        let mut command = Command::new(&python);
        command.args(words).current_dir(folder).env("CARGO", cargo_program());
        let status = command.status().map_err(|error| format!("cannot run {}: {error}", python.display()))?;
        if status.success() { Ok(()) } else { Err(format!("{what} ({status})")) }
    };
    let out = wheels.display().to_string();
    run("the wheel", &here, &["-m", "maturin", "build", "--quiet", "--release", "--out", &out])?;
    let wheel = fs::read_dir(&wheels)
        .ok()
        .and_then(|mut entries| entries.next()?.ok())
        .ok_or_else(|| format!("maturin left no wheel in {out}"))?
        .path();
    let wheel = wheel.display().to_string();
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
    run("its installation", &away, &[&install[..], &["--force-reinstall", &wheel]].concat())?;
    run("its types", &here, &["-m", "mypy", "--cache-dir", "../target/mypy"])?;
    // From elsewhere, or Python takes the sources for the package.
    run("its stubs", &away, &["-m", "mypy.stubtest", "resonetics._native"])?;
    let tests = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-c", "../python/pyproject.toml"];
    run("its tests", &away, &[&tests[..], &["--rootdir", "../python", "../python/tests"]].concat())?;
    println!("   done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::workspace::answer;

    /// With other features a library is another one, and with it all that needs it: two minutes more.
    #[test]
    fn nothing_is_compiled_twice_for_the_package() {
        let of = |words: &[&str]| {
            let mut tree = Command::new(cargo_program());
            tree.current_dir(root()).args(["tree", "--offline", "--prefix", "none", "--format", "{p} {f}"]);
            let lines = answer(tree.args(words)).unwrap();
            lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect::<BTreeSet<_>>()
        };
        let all = of(&["--workspace", "--edges", "normal,build,dev"]);
        let package = of(&["--package", "resonetics-python", "--edges", "normal,build"]);
        assert!(package.len() > 100, "{package:?}");
        let others: Vec<&String> = package.difference(&all).collect();
        assert!(others.is_empty(), "add the features that they lack to python/Cargo.toml: {others:?}");
    }
}
