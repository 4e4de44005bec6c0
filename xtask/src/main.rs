//! `cargo xtask demo` shows what the project does, `cargo xtask test` checks all of it,
//! `cargo xtask results` makes the recorded outcomes again, `cargo xtask bench` measures the speed,
//! `cargo xtask libtorch` provides libtorch.
//! The demo and the results need nothing but a Rust toolchain; cargo fetches the rest. libtorch, and
//! the tests with it, need Python's pip and a C++ compiler too.
#![allow(clippy::print_stdout)] // saying what it does is its job

use std::process::ExitCode;

mod arrows;
mod bench;
mod browser;
mod checks;
mod debian;
mod demo;
mod libtorch;
mod lumen;
mod ops;
mod python;
mod results;
mod sbom;
mod venv;
mod workspace;

const USAGE: &str =
    "usage: cargo xtask demo | test [--no-torch] [--no-browser] [--no-python] [--all] | arrows | python [--all] | lumen | ops [--all | --write] | results [NAME …] | sbom | bench … | libtorch [--cuda]

  demo      builds, trains Prophet, compares drift limits and returns, runs two gardens, writes into runs/, ends with the
            path of a report
  test      format, lints with warnings denied, documentation, all tests and examples, with libtorch
            (provided if need be, see below) and without; --no-torch: only without. The page is tested in
            Chromium, which is installed where there is none and apt-get may be used; --no-browser: it is
            not installed and what needs it is skipped. The package for Python is built and tested where there is
            Python; --no-python: it is not; --all: also beside torch, TorchRL, Minari, RLlib and Ray. Says what it will do and how long before it begins
  arrows    checks that each crate needs only those below it, and that no files need each other in a circle
  python    builds the package for Python, installs it in a virtual environment of its own and tests it there;
            --all: also beside torch, TorchRL, Minari, RLlib and Ray, in others (11 GB below target)
  lumen     has tools that are not ours check what Lumen writes and serves, such as Schemathesis, in virtual
            environments of their own
  ops       checks the rules, routes, dashboards and runbooks of ops/ with Prometheus and Alertmanager, which it downloads
            with apt-get where there are none; --all: also that a page comes within two minutes; --write: makes ops/queries.md again
  results   makes everything in results/ again, or what is named, such as limit-k8s, and the page with all of it
  sbom      makes the bills of materials in sbom/ again, from Cargo.lock
  bench     measures the speed compared with other implementations, or of one commit compared with another:
            cargo xtask bench --help
  libtorch  provides libtorch 2.11.0 for `--features torch`: LIBTORCH, the PyTorch of python3, or fetched
            with pip into a cache (545 MB, for the CPU on Linux x86-64); --cuda: with its CUDA part (2.5 GB)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["demo"] => demo::run(),
        ["test", ref words @ ..] => {
            let Some(options) = checks::Options::parse(words) else {
                print!("{USAGE}");
                return ExitCode::from(2);
            };
            checks::run(&options)
        }
        ["arrows"] => arrows::check(),
        ["python"] => python::check(false),
        ["python", "--all"] => python::check(true),
        ["lumen"] => lumen::check(),
        ["ops"] => ops::check(false),
        ["ops", "--all"] => ops::check(true),
        ["ops", "--write"] => ops::write(),
        ["sbom"] => sbom::write(),
        ["results", ..] => results::make(&arguments[1..]),
        ["bench", "--help"] => {
            print!("{}", bench::USAGE);
            return ExitCode::SUCCESS;
        }
        ["bench", "--gpu"] => bench::gpu::pack(),
        ["bench", ref words @ ..] => {
            match bench::Options::parse(words).and_then(bench::Options::with_commits) {
                Ok(options) => bench::run(&options),
                Err(problem) => {
                    print!("{problem}\n\n{}", bench::USAGE);
                    return ExitCode::from(2);
                }
            }
        }
        ["libtorch"] => libtorch::provide(false),
        ["libtorch", "--cuda"] => libtorch::provide(true),
        _ => {
            print!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("\nfailed: {problem}");
            ExitCode::FAILURE
        }
    }
}
