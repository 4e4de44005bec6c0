//! What the verdicts of Lumen's lab are worth: `results/lab`.

use std::fs;
use std::process::Command;

use crate::workspace::{answer, root};

/// The name of the result.
pub(super) const NAME: &str = "lab";

/// Writes the tables, and what was printed.
pub(super) fn make() -> Result<(), String> {
    const COMMAND: &str = "lumen lab tables";
    println!("\n== {NAME}: resonetics {COMMAND}");
    let out = root().join("results").join(NAME);
    if out.exists() {
        fs::remove_dir_all(&out).map_err(|error| format!("cannot replace {}: {error}", out.display()))?;
    }
    let mut command = Command::new(root().join("target/release/resonetics"));
    let words = COMMAND.split(' ').chain(["--quiet", "--out", "results/lab"]);
    let printed = answer(command.args(words).current_dir(root()))?;
    let text = format!("$ resonetics {COMMAND} --out results/lab\n{printed}");
    print!("{text}");
    fs::write(out.join("output.txt"), text).map_err(|error| format!("cannot write output.txt: {error}"))
}
