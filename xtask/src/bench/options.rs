//! What can be typed behind `cargo xtask bench`.

use std::fs;
use std::path::{Path, PathBuf};

use super::git;

pub(crate) const USAGE: &str =
    "usage: cargo xtask bench [--pairs N] [--seconds S] [--c-peer FILE] [--jax-peer FILE]
                         [--no-python] [--no-criterion]
       cargo xtask bench --compare A B [--pairs N] [--seconds S]
       cargo xtask bench --from-python [--pairs N] [--seconds S]
       cargo xtask bench --gpu

  Measures the speed, as medians of ratios of interleaved runs with bootstrap intervals, into
  results/performance/: criterion's benches; instruction counts, where there is valgrind; the cluster
  by size, by threads and compared with other implementations; training with a sure policy compared
  with the default settings, and training compared with Stable-Baselines3. The peers in Python live in a virtual
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
                   apart from the working tree, and lets them take turns at many clusters and at 8, a garden
                   alone, two with their agents and two trainings. Exit status 1 if any 95% interval of the ratio B / A lies below 0.97
                   or something fails, 2 if a word above is wrong

  --from-python    the package for Python beside the same vector in Rust, Gymnasium's vectors and EnvPool

  --gpu            nothing is measured here: builds the program with libtorch and packs it with benches/gpu.sh
                   into target/gpu-bench.tar.gz, for a machine with a GPU, PyTorch 2.11.0 and no Rust
";

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(super) pairs: usize,
    pub(super) seconds: f64,
    pub(super) c_peer: Option<PathBuf>,
    pub(super) jax_peer: Option<PathBuf>,
    pub(super) no_python: bool,
    pub(super) no_criterion: bool,
    pub(super) from_python: bool,
    pub(super) compare: Option<[String; 2]>,
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
            from_python: false,
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
                "--from-python" => options.from_python = true,
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
            git::hash(revision)?;
        }
        Ok(self)
    }

    /// The command that asks for this, without the places of files.
    pub(super) fn shown(&self) -> String {
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
