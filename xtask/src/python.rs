//! `cargo xtask python`: the package for Python as its users get it, in a virtual environment of its own, and its tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::venv;
use crate::workspace::{cargo, cargo_program, root};

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

/// An environment for what is tested with the package by `--all` alone, gigabytes of it: its name, what is in it, which tests run there.
struct Peers {
    folder: &'static str,
    packages: &'static [&'static str],
    tests: &'static [&'static str],
}

/// `RLlib` wants another Gymnasium than the others.
const PEERS: [Peers; 2] = [
    Peers {
        folder: "target/python-torch",
        packages: &[
            "array-api-compat==1.16.0",
            "gymnasium==1.4.0",
            "h5py==3.16.0",
            "ipykernel==7.4.0",
            "jax==0.10.2",
            "matplotlib==3.11.2",
            "minari==0.5.4",
            "moviepy==2.2.1",
            "nbclient==0.11.0",
            "numpy==2.4.6",
            "pandas==3.1.1",
            "pettingzoo==1.27.0",
            "pytest==9.2.0",
            "stable-baselines3==2.9.2",
            "supersuit==3.11.0",
            "tensordict==0.14.3",
            "torch==2.11.0",
            "torchrl==0.14.1",
            "tqdm==4.67.1",
        ],
        tests: &["../python/tests"],
    },
    Peers {
        folder: "target/python-ray",
        packages: &["pytest==9.2.0", "ray[rllib]==2.60.0", "torch==2.11.0", "tqdm==4.67.1"],
        tests: &[
            "../python/tests/peers/test_ray_sweep.py",
            "../python/tests/peers/test_ray_tune.py",
            "../python/tests/peers/test_rllib.py",
        ],
    },
];

/// Builds, installs and tests it, beside its peers too if `all`; says so where there is no Python.
pub(crate) fn check(all: bool) -> Result<(), String> {
    println!("\n== the package for Python: wheel, types, tests");
    let asked = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    if !asked.is_ok_and(|answer| answer.status.success()) {
        println!("   skipped: there is no python3 with venv (Debian: apt install python3-venv)");
        return Ok(());
    }
    let start = Instant::now();
    let (python, wheel) = built()?;
    install(&python, &wheel)?;
    let (here, away) = (root().join("python"), root().join("target"));
    run("its types", &python, &here, &["-m", "mypy", "--cache-dir", "../target/mypy"])?;
    // From elsewhere, or Python takes the sources for the package.
    run("its stubs", &python, &away, &["-m", "mypy.stubtest", "resonetics._native"])?;
    // What it is compared with; where the other tests have run it is there already.
    cargo("the program", &["build", "--release", "--quiet", "--workspace", "--bin", "resonetics"])?;
    tests("its tests", &python, &["../python/tests"])?;
    for peers in PEERS.iter().filter(|_| all) {
        println!("\n== the package for Python beside others: {}", peers.packages.join(", "));
        let python = venv::provide(&root().join(peers.folder), peers.packages)?;
        install(&python, &wheel)?;
        tests("tests", &python, peers.tests)?;
    }
    println!("   done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Builds the wheel; yields the Python that did, and where it is.
pub(crate) fn built() -> Result<(PathBuf, PathBuf), String> {
    let python = venv::provide(&root().join("target/python"), &PACKAGES)?;
    let wheels = root().join("target/wheels");
    // Only the wheel of now is to be there.
    if wheels.exists() {
        fs::remove_dir_all(&wheels).map_err(|error| format!("cannot clear {}: {error}", wheels.display()))?;
    }
    let out = wheels.display().to_string();
    let maturin = ["-m", "maturin", "build", "--quiet", "--release", "--out", &out];
    run("the wheel", &python, &root().join("python"), &maturin)?;
    let wheel = fs::read_dir(&wheels).ok().and_then(|mut entries| entries.next()?.ok());
    let wheel = wheel.ok_or_else(|| format!("maturin left no wheel in {out}"))?.path();
    Ok((python, wheel))
}

/// The wheel alone: what it needs is there in given versions.
pub(crate) fn install(python: &Path, wheel: &Path) -> Result<(), String> {
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--force-reinstall"];
    run("its installation", python, &root(), &[&pip[..], &[&wheel.display().to_string()]].concat())
}

/// Runs tests from elsewhere, for the reason above.
fn tests(what: &str, python: &Path, tests: &[&str]) -> Result<(), String> {
    let pytest = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-c", "../python/pyproject.toml"];
    run(what, python, &root().join("target"), &[&pytest[..], &["--rootdir", "../python"], tests].concat())
}

fn run(what: &str, python: &Path, folder: &Path, words: &[&str]) -> Result<(), String> {
    println!("   {what}");
    let mut command = Command::new(python);
    command.args(words).current_dir(folder).env("CARGO", cargo_program());
    command.env("RESONETICS_PROGRAM", root().join("target/release/resonetics"));
    let status = command.status().map_err(|error| format!("cannot run {}: {error}", python.display()))?;
    if status.success() { Ok(()) } else { Err(format!("{what} ({status})")) }
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
