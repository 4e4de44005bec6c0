//! `cargo xtask lumen`: Schemathesis attacks `resonetics lumen serve`, and python-tuf judges changes of root metadata, each
//! in a virtual environment of its own.

use std::process::Command;
use std::time::Instant;

use crate::venv;
use crate::workspace::{cargo, root};

/// A script, what it needs, and what it shows.
struct Peer {
    script: &'static str,
    packages: &'static [&'static str],
    folder: &'static str,
    shows: &'static str,
    fails: &'static str,
}

const PEERS: [Peer; 2] = [
    Peer {
        script: "lumen/tests/schemathesis.py",
        packages: &["schemathesis==4.32.5"],
        folder: "target/schemathesis",
        shows: "lumen serve: what /openapi.json says of it is true",
        fails: "lumen serve is not as described",
    },
    Peer {
        script: "lumen/tests/tuf_peer.py",
        packages: &["tuf==7.0.1", "securesystemslib==1.6.0", "cryptography==50.0.2"],
        folder: "target/tuf",
        shows: "lumen keys root: custodians change the root where python-tuf lets them, and nowhere else",
        fails: "lumen keys root and python-tuf judge otherwise",
    },
];

/// Builds the program and lets it be tried; says so where there is no Python.
pub(crate) fn check() -> Result<(), String> {
    let asked = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    let there = asked.is_ok_and(|answer| answer.status.success());
    for peer in &PEERS {
        println!("\n== {}", peer.shows);
        if there {
            peer.check()?;
        } else {
            println!("   skipped: there is no python3 with venv (Debian: apt install python3-venv)");
        }
    }
    Ok(())
}

impl Peer {
    fn check(&self) -> Result<(), String> {
        cargo("the program", &["build", "--release", "--quiet", "--workspace", "--bin", "resonetics"])?;
        let start = Instant::now();
        let python = venv::provide(&root().join(self.folder), self.packages)?;
        let mut trial = Command::new(&python);
        trial.arg(self.script).arg("target/release/resonetics").current_dir(root());
        let status = trial.status().map_err(|error| format!("cannot run {}: {error}", python.display()))?;
        if !status.success() {
            return Err(format!("{} ({status})", self.fails));
        }
        println!("   done in {:.1} s", start.elapsed().as_secs_f64());
        Ok(())
    }
}
