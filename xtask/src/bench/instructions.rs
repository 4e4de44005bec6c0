//! How many instructions each part of a step takes: they do not depend on what else the machine does.

use std::path::Path;
use std::process::Command;

use super::outside::collected;
use super::stats::grouped;
use super::tools::Tools;
use crate::workspace::answer;
use crate::workspace::cargo;

/// Parts of `benches/parts.rs`, what one repetition is, and the repetitions in the two runs whose
/// difference counts: multiples of the 64 clusters of a vector, and of the 300 generations of a garden.
const PARTS: [(&str, &str, [u32; 2]); 8] = [
    ("words", "random words for 16 lanes", FEW_AND_MANY),
    ("normals", "32 normals, for the cpu and memory of 16 nodes", FEW_AND_MANY),
    ("drift", "drift of 16 clusters of 16 nodes, and whether one is out of memory", FEW_AND_MANY),
    ("load", "mean loads of 16 clusters", FEW_AND_MANY),
    ("observation", "observations of 16 clusters", FEW_AND_MANY),
    ("step", "a whole step of a cluster in a vector of 64", FEW_AND_MANY),
    ("generation-evolved", "a generation of a garden with about 20 evolved brains", [300, 900]),
    ("generation-heuristic", "a generation of a garden with 80 heuristic gardeners", [300, 900]),
];
const FEW_AND_MANY: [u32; 2] = [12_800, 25_600];

/// Counts each part under callgrind and writes a table; skipped with a note where there is none.
pub(super) fn count(tools: &Tools) -> Result<(), String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("   skipped: instruction counts (there is no valgrind)");
        return Ok(());
    }
    let build = ["build", "--release", "--quiet", "--package", "resonetics-benches", "--example", "parts"];
    cargo("building the parts", &build)?;
    let program = tools.target.join("release/examples/parts");
    let mut text = String::from(
        "# Instruction counts of the parts of a step\n\n```\n$ cargo xtask bench\n```\n\n| part | what | instructions a repetition |\n|---|---|---|\n",
    );
    for (part, what, [few, many]) in PARTS {
        let a_repetition =
            (total(&program, part, many)? - total(&program, part, few)?) / f64::from(many - few);
        println!("   {part}: {a_repetition:.1} instructions");
        text += &format!("| `{part}` | {what} | {a_repetition:.1} |\n");
    }
    text += &format!(
        "\nThe difference between {} and {} repetitions of `benches/parts.rs` (300 and 900 generations) under callgrind, divided by their difference: starting up falls out. valgrind \
         knows no AVX-512, so the path is AVX2 at most.\n\n```\n$ valgrind --tool=callgrind target/release/examples/parts PART COUNT\n```\n\n{}",
        grouped(f64::from(FEW_AND_MANY[1])),
        grouped(f64::from(FEW_AND_MANY[0])),
        tools.about()
    );
    tools.record("instructions.md", &text)
}

/// Instructions of a whole run.
fn total(program: &Path, part: &str, count: u32) -> Result<f64, String> {
    // callgrind reports on standard error; the shell puts both together.
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1"]);
    let text = answer(command.arg(program).args([part, &count.to_string()]))?;
    collected(&text)
        .ok_or_else(|| format!("valgrind did not say how many instructions `parts {part}` took:\n{text}"))
}
