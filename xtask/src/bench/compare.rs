//! The gate: is commit B slower than commit A? Both are built apart from the working tree and take turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::git::{git, hash};
use super::options::Options;
use super::outside::json_rate;
use super::stats::{self, Pairs, interval};
use super::sure;
use super::tools::{Tools, about};
use crate::workspace::answer;
use crate::workspace::cargo_program;

/// A row is slower if even the upper end of its interval is below this.
pub(super) const SLOWER: f64 = 0.97;

/// What is measured: its name, the arguments, the field with the rate.
const ROWS: [(&str, &str, &str); 7] = [
    ("k8s, 4,096 in lockstep, steps/s", "throughput --env k8s --num-envs 4096", "steps_per_second"),
    // Too few to lie side by side: a cluster alone is compiled apart.
    ("k8s, 8 in lockstep, steps/s", "throughput --env k8s --num-envs 8", "steps_per_second"),
    // No brain, which would take most of the time.
    (
        "garden alone, random actions, generations/s",
        "throughput --env gardener --agent random --num-envs 1",
        "generations_per_second",
    ),
    ("garden, evolved, generations/s", "throughput --env gardener --agent evolved", "generations_per_second"),
    (
        "garden, heuristic, 80 alive, generations/s",
        "throughput --env gardener --agent heuristic --set init_agents=80 --set min_population=80",
        "generations_per_second",
    ),
    (
        "training at minibatch 64, steps/s",
        "throughput --train --set train.num_envs=8 --set train.horizon=256 --set train.epochs=10 --set train.minibatch=64",
        "training_steps_per_second",
    ),
    ("training with a sure policy, steps/s", sure::SURE, "training_steps_per_second"),
];

/// Prints the ratios B / A, and fails if any row is slower. A row that one of the commits cannot run is skipped.
pub(super) fn run(tools: &Tools, options: &Options, revisions: &[String; 2]) -> Result<(), String> {
    let commits = [hash(&revisions[0])?, hash(&revisions[1])?];
    let [a, b] = [build(tools, &commits[0])?, build(tools, &commits[1])?];
    println!("\n== A is {} ({}), B is {} ({})", revisions[0], commits[0], revisions[1], commits[1]);
    let mut measured = Vec::new();
    for (name, arguments, field) in ROWS {
        let seconds = options.seconds.to_string();
        let rate = |binary: &Path| {
            let mut command = Command::new(binary);
            command.args(["--threads", "1"]).args(arguments.split(' ')).args(["--seconds", &seconds]);
            answer(&mut command).and_then(|text| json_rate(&text, field))
        };
        let mut pairs = Pairs::default();
        let turns = (1..=options.pairs).try_for_each(|pair| {
            let (below, above) = (rate(&a)?, rate(&b)?);
            println!("   {name}, pair {pair}: B/A = {}", stats::ratio(above / below));
            pairs.rates.push((above, below));
            Ok::<(), String>(())
        });
        match turns {
            Ok(()) => measured.push((name, pairs)),
            Err(problem) => println!("   skipped: {name}: {problem}"),
        }
    }
    println!("\n{}{}", table(&measured), about(&b));
    verdict(&measured)
}

fn table(measured: &[(&str, Pairs)]) -> String {
    let mut text = String::from("| what | B | A | B / A | 95% | pairs |\n|---|---|---|---|---|---|\n");
    for (name, pairs) in measured {
        text += &format!("| {name} | {} |\n", pairs.cells());
    }
    text + "\n"
}

/// An error that names the rows that are slower, or says that there is none to judge.
fn verdict(measured: &[(&str, Pairs)]) -> Result<(), String> {
    if measured.is_empty() {
        return Err("nothing could be measured on both commits; what they said is above".to_owned());
    }
    let slower = |pairs: &Pairs| interval(&pairs.ratios()).1 < SLOWER;
    let names: Vec<&str> =
        measured.iter().filter(|(_, pairs)| slower(pairs)).map(|&(name, _)| name).collect();
    if names.is_empty() {
        println!("B is not shown to be slower than A: no interval lies below {SLOWER}");
        return Ok(());
    }
    Err(format!("B is slower than A, its interval lies below {SLOWER}: {}", names.join("; ")))
}

/// The binary of a commit: built in a worktree of its own, which is gone afterwards; the build stays
/// in target/compare/HASH and serves the next time, as long as the compiler and its flags are the same.
fn build(tools: &Tools, commit: &str) -> Result<PathBuf, String> {
    let folder = tools.target.join("compare").join(commit);
    let (source, target, note) = (folder.join("source"), folder.join("target"), folder.join("built-with"));
    let binary = target.join("release/resonetics");
    let with = compiler()?;
    if binary.exists() && fs::read_to_string(&note).is_ok_and(|built| built == with) {
        println!("\n== {commit} is built");
        return Ok(binary);
    }
    println!("\n== building {commit} (some minutes the first time)");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let place = source.to_string_lossy();
    remove(&source)?; // what an interrupted run has left
    git(&["worktree", "add", "--quiet", "--detach", &place, commit])?;
    let built = Command::new(cargo_program())
        .args(["build", "--release", "--quiet"])
        .current_dir(&source)
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"));
    remove(&source)?;
    let status = built?;
    if !status.success() {
        return Err(format!("{commit} does not build ({status})"));
    }
    if !binary.exists() {
        return Err(format!("{commit} was built, but {} is not there", binary.display()));
    }
    fs::write(&note, with).map_err(|error| format!("cannot write {}: {error}", note.display()))?;
    Ok(binary)
}

/// Takes a worktree away, and git's note of it.
fn remove(source: &Path) -> Result<(), String> {
    if source.exists() {
        fs::remove_dir_all(source).map_err(|error| format!("cannot remove {}: {error}", source.display()))?;
    }
    git(&["worktree", "prune"]).map(drop)
}

/// The compiler, and the flags that the environment gives it.
fn compiler() -> Result<String, String> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = answer(Command::new(program).arg("-vV"))?;
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    Ok(format!("{version}RUSTFLAGS={flags}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratios(values: [f64; 5]) -> Pairs {
        Pairs { rates: values.iter().map(|ratio| (1000.0 * ratio, 1000.0)).collect() }
    }

    /// With five pairs the interval reaches from the smallest to the largest (stats.rs).
    #[test]
    fn a_row_is_slower_if_its_whole_interval_is() {
        let slower = ratios([0.90, 0.95, 0.969, 0.92, 0.91]);
        let noisy = ratios([0.50, 0.60, 0.971, 0.70, 0.55]);
        verdict(&[("one", noisy.clone())]).unwrap();
        let problem = verdict(&[("one", noisy), ("two", slower)]).unwrap_err();
        assert!(problem.ends_with("below 0.97: two"), "{problem}");
        assert!(verdict(&[]).unwrap_err().starts_with("nothing could be measured"));
    }

    #[test]
    fn the_table_has_a_row_for_each() {
        let text = table(&[("one", ratios([1.0, 1.0, 1.0, 1.0, 1.0]))]);
        assert!(text.contains("| one | 1,000 | 1,000 | **1.000** | 1.000 to 1.000 | 5 |"), "{text}");
    }
}
