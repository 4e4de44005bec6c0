//! `cargo xtask test`: everything that CI checks.

use crate::workspace::cargo_with;
use crate::{arrows, browser, libtorch, lumen, ops, python};

const LINTS: [&str; 4] = ["clippy", "--release", "--all-targets", "--quiet"];
const DOCUMENTS: [&str; 4] = ["doc", "--release", "--no-deps", "--quiet"];
// In release: the statistics play tens of thousands of episodes, and the binary that the
// end-to-end tests drive is the one that users run.
const TESTS: [&str; 2] = ["test", "--release"];
const ALL: [&str; 1] = ["--workspace"];
const DENIED: [&str; 3] = ["--", "--deny", "warnings"];
const WITH_TORCH: [&str; 3] = ["--workspace", "--features", "torch"];

/// All but the files in `tests`, and benches, which lints compile.
const IN_SOURCES: [&str; 3] = ["--lib", "--bins", "--examples"];
/// Binaries of tests, but for the end-to-end tests.
const BUT_PROGRAM: [&str; 7] =
    ["generator_battery", "lumen", "memory", "no_allocation", "oracles", "policies", "worlds"];
/// Those that drive the program; the second where libtorch is.
const DRIVING: [&str; 2] = ["program", "torch"];

/// What is left out of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    torch: bool,
    browser: bool,
    python: bool,
    /// What takes gigabytes of Python packages too.
    all: bool,
}

impl Options {
    /// None where a word is not known.
    pub(crate) fn parse(words: &[&str]) -> Option<Options> {
        let known = |word: &&str| ["--no-torch", "--no-browser", "--no-python", "--all"].contains(word);
        let wanted = |word: &str| !words.contains(&word);
        words.iter().all(known).then(|| Options {
            torch: wanted("--no-torch"),
            browser: wanted("--no-browser"),
            python: wanted("--no-python"),
            all: words.contains(&"--all"),
        })
    }
}

/// Checks everything that the options do not leave out.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    print!("{}", plan(options, libtorch::is_there(), browser::found().is_some()));
    step(options, "format", &[&["fmt", "--all", "--check"]])?;
    println!("\n== arrows: each crate needs only those below it, and no files need each other in a circle");
    arrows::check()?;
    if options.browser {
        browser::provide();
    }
    if options.torch {
        libtorch::provide(false)?;
        // Together first: what only one of the two builds needs is little.
        let lints = "lints, warnings denied (compiles libtorch's interface the first time: some minutes)";
        step(options, lints, &[&LINTS, &WITH_TORCH, &DENIED])?;
        step(options, "lints without libtorch", &[&LINTS, &ALL, &DENIED])?;
        step(options, "documentation, warnings denied", &[&DOCUMENTS, &WITH_TORCH])?;
        step(options, "documentation without libtorch", &[&DOCUMENTS, &ALL])?;
        let but_program: Vec<&str> = BUT_PROGRAM.iter().flat_map(|name| ["--test", name]).collect();
        step(options, "tests with libtorch", &[&TESTS, &WITH_TORCH, &IN_SOURCES, &but_program])?;
        let [program, torch] = DRIVING.map(|name| ["--test", name]);
        step(options, "end-to-end tests that libtorch matters for", &[&TESTS, &WITH_TORCH, &torch])?;
        step(options, "end-to-end tests without libtorch", &[&TESTS, &ALL, &program])?;
    } else {
        step(options, "lints, warnings denied", &[&LINTS, &ALL, &DENIED])?;
        step(options, "documentation, warnings denied", &[&DOCUMENTS, &ALL])?;
        step(options, "tests", &[&TESTS, &ALL, &["--all-targets"]])?;
    }
    step(options, "documentation tests", &[&TESTS, &ALL, &["--doc"]])?;
    if options.python {
        python::check(options.all)?;
        lumen::check()?;
    }
    ops::check(options.all)?;
    println!("\nall checks passed{}", left_out(options));
    Ok(())
}

fn step(options: &Options, what: &str, arguments: &[&[&str]]) -> Result<(), String> {
    // The tests ask for it before they look for a browser.
    let without = (!options.browser).then_some(("RESONETICS_NO_BROWSER", "1"));
    cargo_with(what, &arguments.concat(), without)
}

/// What will happen, so that nobody is surprised by it.
fn plan(options: &Options, libtorch_is_there: bool, browser_is_there: bool) -> String {
    let mut plan = vec![if options.torch {
        "builds and tests all of it, with libtorch and without: some 27 minutes on two cores the first time"
    } else {
        "builds and tests all of it without libtorch: some 14 minutes on two cores the first time"
    }];
    if options.torch && !libtorch_is_there {
        plan.push("fetches libtorch with pip: 545 MB, kept in the user's cache (--no-torch leaves it out)");
    }
    if options.python && options.all {
        plan.push("installs torch, TorchRL, Minari, RLlib and Ray with pip: 11 GB below target, and some 6 minutes more");
    }
    if options.browser && !browser_is_there {
        plan.push("installs Chromium with apt-get if it may, for the tests of the page (--no-browser leaves it out)");
    }
    format!("cargo xtask test\n   {}\n", plan.join("\n   "))
}

fn left_out(options: &Options) -> String {
    let mut left_out = String::new();
    if options.python && !options.all {
        left_out +=
            ", without --all: Python's package beside torch, TorchRL, Minari, RLlib and Ray was not tested";
    }
    if !options.torch {
        left_out += ", without libtorch: Prophet's learner on tensors was not tested";
    }
    if !options.python {
        left_out += ", without Python: its package was not tested";
    }
    if !options.browser {
        left_out += ", without a browser: what the page does in one was not tested";
    }
    left_out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_left_out_is_typed_and_said() {
        let all = Options { torch: true, browser: true, python: true, all: false };
        assert_eq!(Options::parse(&[]).as_ref(), Some(&all));
        let none = Options::parse(&["--no-browser", "--no-python", "--no-torch"]).unwrap();
        assert_eq!(none, Options { torch: false, browser: false, python: false, all: false });
        assert!(Options::parse(&["--all"]).is_some_and(|options| options.all && options.torch));
        assert_eq!(Options::parse(&["--no-torch", "--fast"]), None);
        let big = ["545 MB", "apt-get"];
        assert!(big.iter().all(|big| plan(&all, false, false).contains(big)));
        assert!(!big.iter().any(|big| plan(&all, true, true).contains(big)));
        assert!(!big.iter().any(|big| plan(&none, false, false).contains(big)));
        let parts = ["libtorch", "browser", "Python"];
        assert!(parts.iter().all(|part| left_out(&none).contains(part)));
        assert!(left_out(&all).starts_with(", without --all"));
        assert_eq!(left_out(&Options { all: true, ..all }), "");
    }

    #[test]
    fn no_binary_of_tests_is_forgotten() {
        let root = crate::workspace::root();
        for package in fs::read_dir(root).unwrap() {
            let package = package.unwrap().path();
            let Ok(manifest) = fs::read_to_string(package.join("Cargo.toml")) else { continue };
            let named = manifest.split("[[test]]\nname = \"").skip(1);
            let mut binaries: Vec<String> =
                named.filter_map(|rest| Some(rest.split('"').next()?.to_owned())).collect();
            if !manifest.contains("autotests = false") {
                let files = fs::read_dir(package.join("tests")).into_iter().flatten();
                let names = files.filter_map(|file| file.unwrap().file_name().into_string().ok());
                binaries.extend(names.filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned())));
            }
            for binary in binaries {
                let known = DRIVING.contains(&binary.as_str()) || BUT_PROGRAM.contains(&binary.as_str());
                assert!(known, "{}: tests/{binary}.rs never runs: add it to BUT_PROGRAM", package.display());
            }
        }
    }

    #[test]
    fn records_name_the_commit_of_all_that_the_program_is_made_of() {
        let root = crate::workspace::root();
        let sources = fs::read_to_string(root.join("experiments/build.rs")).unwrap();
        for package in fs::read_dir(root).unwrap() {
            let package = package.unwrap();
            let name = package.file_name().into_string().unwrap();
            let is_part = package.path().join("src/lib.rs").exists();
            if is_part && !["experiments", "python", "xtask"].contains(&name.as_str()) {
                let both = [format!("\"../{name}/src\""), format!("\"../{name}/Cargo.toml\"")];
                assert!(
                    both.iter().all(|line| sources.contains(line)),
                    "experiments/build.rs: SOURCES lacks {name}"
                );
            }
        }
    }

    #[test]
    fn no_file_of_tests_is_forgotten() {
        let one =
            [("experiments", "program"), ("envs", "worlds"), ("agents", "policies"), ("lumen", "lumen")];
        for (package, binary) in one {
            let folder = crate::workspace::root().join(package).join("tests");
            let has = [binary, "torch"].map(|name| fs::read_to_string(folder.join(format!("{name}.rs"))));
            let has = has.map(Result::unwrap_or_default).concat();
            let manifest = fs::read_to_string(folder.join("../Cargo.toml")).unwrap();
            for file in fs::read_dir(folder).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                let module = name.strip_suffix(".rs");
                let runs = module.is_none_or(|module| {
                    has.contains(&format!("\nmod {module};\n"))
                        || manifest.contains(&format!("\n[[test]]\nname = \"{module}\"\n"))
                });
                assert!(runs, "{package}/tests/{name} never runs: add it to {binary}.rs");
            }
        }
    }
}
