//! `cargo xtask lumen`: tools that are not ours hold Lumen to what it says, with Python in virtual environments of its own:
//! Schemathesis, moto (a store of S3), the `age` command, cyclonedx-python-lib, python-tuf.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::workspace::{cargo, root};
use crate::{debian, venv};

const ATTACK: [&str; 1] = ["schemathesis==4.32.5"];
const BILLS: [&str; 1] = ["cyclonedx-python-lib[json-validation]==11.12.0"];
const ROOTS: [&str; 3] = ["tuf==7.0.1", "securesystemslib==1.6.0", "cryptography==50.0.2"];
const STORE: [&str; 2] = ["moto[server,s3]==5.2.5", "boto3==1.44.8"];

/// Builds the program and has it attacked, used and read; says so where there is no Python.
pub(crate) fn check() -> Result<(), String> {
    println!("\n== lumen, by tools that are not ours");
    let asked = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    if !asked.is_ok_and(|answer| answer.status.success()) {
        println!("   skipped: there is no python3 with venv (Debian: apt install python3-venv)");
        return Ok(());
    }
    cargo("the program", &["build", "--release", "--quiet", "--workspace", "--bin", "resonetics"])?;
    script("schemathesis", &ATTACK, &["lumen/tests/schemathesis.py"])?;
    script("tuf", &ROOTS, &["lumen/tests/tuf_peer.py"])?;
    script("cyclonedx", &BILLS, &["sbom/check.py"])?;
    let mut words = vec!["lumen/tests/remote_peers.py".to_owned()];
    match age() {
        Ok(folder) => words.extend(["--age".to_owned(), folder.display().to_string()]),
        Err(problem) => println!("   skipped: the age command: {problem}"),
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    script("lumen-remote", &STORE, &words)
}

/// Runs a script of Python's that is given the program.
fn script(folder: &str, packages: &[&str], words: &[&str]) -> Result<(), String> {
    let start = Instant::now();
    let python = venv::provide(&root().join("target").join(folder), packages)?;
    let mut script = Command::new(&python);
    script.args(words).arg("target/release/resonetics").current_dir(root());
    let status = script.status().map_err(|error| format!("cannot run {}: {error}", python.display()))?;
    if !status.success() {
        return Err(format!("{} ended badly ({status})", words[0]));
    }
    println!("   {} done in {:.1} s", words[0], start.elapsed().as_secs_f64());
    Ok(())
}

/// The folder of `age` and `age-keygen`: the path's, or Debian's below target.
fn age() -> Result<PathBuf, String> {
    let works = |folder: &PathBuf| {
        ["age", "age-keygen"].iter().all(|name| {
            let mut command = Command::new(folder.join(name));
            command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(works) {
        return Ok(folder);
    }
    let own = root().join("target/age");
    let folder = own.join("usr/bin");
    if !works(&folder) {
        debian::unpack(&own, &["age"])?;
    }
    if works(&folder) { Ok(folder) } else { Err(format!("{} does not start", folder.display())) }
}
