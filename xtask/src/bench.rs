//! Speed: criterion's benches, instruction counts, other implementations beside ours, and one commit
//! beside another. Whatever is timed is a ratio of interleaved runs: noise falls on both sides alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{cargo, cargo_program, root};

mod compare;
mod instructions;
mod outside;
mod peers;
mod python;
mod scaling;
mod stats;
mod sure;

pub(crate) const USAGE: &str =
    "usage: cargo xtask bench [--pairs N] [--seconds S] [--c-peer FILE] [--jax-peer FILE]
                         [--no-python] [--no-criterion]
       cargo xtask bench --compare A B [--pairs N] [--seconds S]

  Measures the speed, as medians of ratios of interleaved runs with bootstrap intervals, into
  results/performance/: criterion's benches; instruction counts, where there is valgrind; the cluster
  by size, by threads and beside other implementations; training with a sure policy beside the
  default settings, and training beside Stable-Baselines3. The peers in Python live in a virtual
  environment that pip fills, target/bench-venv. PyTorch for Linux on x86-64 comes with its CUDA
  part, 2.5 GB; a PyTorch of the same version installed there before, for the CPU alone, does too.
  What cannot be had is skipped with a note.

  --pairs N        pairs of runs of each comparison, 2 to 1000 [9]
  --seconds S      of each run, after a warm-up, above 0 and up to 3600 [2]
  --c-peer FILE    the cluster in C: `program ENVIRONMENTS STEPS` prints `… 2.42M steps/s …`
  --jax-peer FILE  the cluster on JAX: prints `JAX NAME …: 0.17M steps/s, …`, a line for each NAME
  --no-python      without the peers in Python
  --no-criterion   without criterion's benches

  --compare A B    two commits, in whatever way git names them: builds both into target/compare,
                   apart from the working tree, and lets them take turns at the cluster, two gardens and
                   two trainings. Exit status 1 if any 95% interval of the ratio B / A lies below 0.97
                   or something fails, 2 if a word above is wrong
";

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pairs: usize,
    seconds: f64,
    c_peer: Option<PathBuf>,
    jax_peer: Option<PathBuf>,
    no_python: bool,
    no_criterion: bool,
    compare: Option<[String; 2]>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            pairs: 9,
            seconds: 2.0,
            c_peer: None,
            jax_peer: None,
            no_python: false,
            no_criterion: false,
            compare: None,
        }
    }
}

impl Options {
    /// What the words behind `bench` ask for, or what is wrong with them.
    pub(crate) fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut only_without_compare = None;
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || {
                let value = words.next().filter(|value| !value.starts_with("--"));
                value.ok_or_else(|| format!("{word}: a value has to follow"))
            };
            match word {
                "--pairs" => options.pairs = pairs(value()?)?,
                "--seconds" => options.seconds = seconds(value()?)?,
                "--c-peer" => options.c_peer = Some(file(word, value()?)?),
                "--jax-peer" => options.jax_peer = Some(file(word, value()?)?),
                "--no-python" => options.no_python = true,
                "--no-criterion" => options.no_criterion = true,
                "--compare" => options.compare = Some([value()?.to_owned(), value()?.to_owned()]),
                _ => return Err(format!("`{word}` is not known to bench")),
            }
            if !["--pairs", "--seconds", "--compare"].contains(&word) {
                only_without_compare = Some(word);
            }
        }
        match only_without_compare {
            Some(word) if options.compare.is_some() => Err(format!("{word} does not go with --compare")),
            _ if options.no_python && options.jax_peer.is_some() => {
                Err("--no-python does not go with --jax-peer".to_owned())
            }
            _ => Ok(options),
        }
    }

    /// The same, if the revisions to compare are commits: what cannot be is said before anything is built.
    pub(crate) fn with_commits(self) -> Result<Options, String> {
        for revision in self.compare.iter().flatten() {
            compare::hash(revision)?;
        }
        Ok(self)
    }

    /// The command that asks for this, without the places of files.
    fn shown(&self) -> String {
        let mut text = format!("cargo xtask bench --pairs {} --seconds {}", self.pairs, self.seconds);
        for (word, file) in [("--c-peer", &self.c_peer), ("--jax-peer", &self.jax_peer)] {
            if let Some(name) = file.as_deref().and_then(Path::file_name) {
                text += &format!(" {word} {}", name.to_string_lossy());
            }
        }
        for (word, set) in [("--no-python", self.no_python), ("--no-criterion", self.no_criterion)] {
            if set {
                text += &format!(" {word}");
            }
        }
        text
    }
}

fn pairs(text: &str) -> Result<usize, String> {
    let pairs = text.parse().ok().filter(|pairs| (2..=1000).contains(pairs));
    pairs.ok_or_else(|| format!("--pairs {text}: allowed are whole numbers from 2 to 1000"))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|&seconds| seconds > 0.0 && seconds <= 3600.0);
    seconds.ok_or_else(|| format!("--seconds {text}: allowed are numbers above 0 and up to 3600"))
}

/// The full path of a file that has to be there.
fn file(word: &str, text: &str) -> Result<PathBuf, String> {
    let path = fs::canonicalize(text).map_err(|error| format!("{word} {text}: {error}"))?;
    if path.is_file() { Ok(path) } else { Err(format!("{word} {text}: not a file")) }
}

/// Where cargo builds, and what it has built.
struct Tools {
    target: PathBuf,
    binary: PathBuf,
}

impl Tools {
    fn find() -> Result<Tools, String> {
        let mut metadata = Command::new(cargo_program());
        metadata.args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(root());
        let metadata: Value = serde_json::from_str(&outside::answer(&mut metadata)?)
            .map_err(|error| format!("cannot read cargo's metadata: {error}"))?;
        let target =
            metadata["target_directory"].as_str().ok_or("cargo's metadata have no target directory")?;
        let target = PathBuf::from(target);
        Ok(Tools { binary: target.join("release/resonetics"), target })
    }

    /// The virtual environment of the peers in Python.
    fn venv(&self) -> PathBuf {
        self.target.join("bench-venv")
    }

    /// The lines below a table: what was measured, and where.
    fn about(&self) -> String {
        about(&self.binary)
    }

    /// Writes a table into results/performance/, whole.
    fn record(&self, name: &str, text: &str) -> Result<(), String> {
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
fn about(binary: &Path) -> String {
    let doctor = outside::answer(Command::new(binary).arg("doctor")).unwrap_or_default();
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
        .or_else(|| outside::answer(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"])).ok())
        .map_or_else(|| "a processor without a name".to_owned(), |model| model.trim().to_owned())
}

/// Does what the options say.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let tools = Tools::find()?;
    if let Some(revisions) = &options.compare {
        return compare::run(&tools, options, revisions);
    }
    cargo("building", &["build", "--release"])?;
    if !options.no_criterion {
        let bench = ["bench", "--package", "resonetics-benches", "--bench", "k8s", "--bench", "gardener"];
        cargo("criterion's benches", &[&bench[..], &["--", "--quick"]].concat())?;
    }
    println!("\n== instructions of each part");
    instructions::count(&tools)?;
    println!("\n== the cluster by size and threads");
    scaling::measure(&tools, options)?;
    println!("\n== training with a sure policy");
    let sure = sure::measure(&tools, options);
    println!("\n== the cluster beside other implementations");
    let beside = peers::measure(&tools, options);
    println!("\n== training beside Stable-Baselines3");
    let trained = training(&tools, options);
    let problems: Vec<String> = [sure, beside, trained].into_iter().filter_map(Result::err).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The comparison of trainings, which Python makes; skipped with a note where it cannot be installed.
fn training(tools: &Tools, options: &Options) -> Result<(), String> {
    if options.no_python {
        println!("   skipped: training (--no-python)");
        return Ok(());
    }
    let packages = [&python::VECTORS[..], &python::TRAINING].concat();
    let program = match python::provide(&tools.venv(), &packages) {
        Ok(program) => program,
        Err(problem) => {
            println!("   skipped: training ({problem})");
            return Ok(());
        }
    };
    let table = "results/performance/training.md";
    let mut command = Command::new(program);
    command.arg("benches/peers/compare_training.py").arg(&tools.binary).arg(table);
    command.args(["--pairs", &options.pairs.to_string(), "--seconds", &options.seconds.to_string()]);
    let status =
        command.current_dir(root()).status().map_err(|error| format!("cannot run Python: {error}"))?;
    if !status.success() {
        return Err(format!("the comparison of trainings failed ({status}); what it said is above"));
    }
    println!("   into {table}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_options() {
        assert_eq!(Options::parse(&[]), Ok(Options::default()));
        let words = ["--pairs", "3", "--seconds", "0.3", "--compare", "HEAD~1", "HEAD"];
        let compare = Some(["HEAD~1".to_owned(), "HEAD".to_owned()]);
        assert_eq!(
            Options::parse(&words),
            Ok(Options { pairs: 3, seconds: 0.3, compare, ..Options::default() })
        );
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("peer.c");
        fs::write(&path, "").unwrap();
        let options = Options::parse(&["--c-peer", path.to_str().unwrap(), "--no-python"]).unwrap();
        assert_eq!(options.shown(), "cargo xtask bench --pairs 9 --seconds 2 --c-peer peer.c --no-python");
    }

    #[test]
    fn wrong_words_are_refused_with_what_is_allowed() {
        for (words, expected) in [
            (&["--pairs", "1"][..], "--pairs 1: allowed are whole numbers from 2 to 1000"),
            (&["--pairs", "many"], "--pairs many: allowed are whole numbers"),
            (&["--pairs"], "--pairs: a value has to follow"),
            (&["--pairs", "--seconds", "1"], "--pairs: a value has to follow"),
            (&["--seconds", "0"], "--seconds 0: allowed are numbers above 0"),
            (&["--seconds", "nan"], "--seconds nan: allowed are numbers above 0"),
            (&["--c-peer", "no-such-file.c"], "--c-peer no-such-file.c: "),
            (&["--jax-peer", "."], "--jax-peer .: not a file"),
            (&["--compare", "HEAD"], "--compare: a value has to follow"),
            (&["--compare", "A", "B", "--no-python"], "--no-python does not go with --compare"),
            (&["--quick"], "`--quick` is not known to bench"),
        ] {
            let problem = Options::parse(words).unwrap_err();
            assert!(problem.starts_with(expected), "{words:?}: {problem}");
        }
    }
}
