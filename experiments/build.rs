//! Notes the commit that the binary is built from, for run.json, and with the feature `torch` where it
//! finds libtorch when it runs (`kernel/build.rs`).

use std::path::Path;
use std::process::Command;

/// What the binary is made of, seen from here; tests, documents and recorded outcomes make no other one.
const SOURCES: [&str; 25] = [
    "build.rs",
    "Cargo.toml",
    "src",
    "../agents/Cargo.toml",
    "../agents/src",
    "../analysis/Cargo.toml",
    "../analysis/src",
    "../envs/Cargo.toml",
    "../envs/src",
    "../lumen/Cargo.toml",
    "../lumen/src",
    "../kernel/build.rs",
    "../kernel/Cargo.toml",
    "../kernel/src",
    "../lumen/openapi.json",
    "../lumen/schemas",
    "../numerics/Cargo.toml",
    "../numerics/src",
    "../runs/Cargo.toml",
    "../runs/src",
    "../view/Cargo.toml",
    "../view/src",
    "../.cargo/config.toml",
    "../Cargo.toml",
    "../Cargo.lock",
];

fn main() {
    if let Ok(rpath) = std::env::var("DEP_RESONETICS_KERNEL_LINK_LIBTORCH") {
        println!("cargo:rustc-link-arg={rpath}");
    }
    for source in SOURCES {
        watch(source);
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        watch_head();
        let changes = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat());
        let dirty = changes.is_none_or(|changes| !changes.is_empty());
        println!("cargo:rustc-env=RESONETICS_COMMIT={commit}{}", if dirty { "-dirty" } else { "" });
    }
}

/// Runs this again when HEAD names another commit, and not when git merely looks at the index: `git
/// status` rewrites that, and so would anybody's editor.
fn watch_head() {
    // In a worktree `.git` is a file; git knows where things are.
    let place = |name: &str| git(&["rev-parse", "--git-path", name]);
    place("HEAD").inspect(|head| watch(head));
    let Some(branch) = git(&["symbolic-ref", "--quiet", "HEAD"]).and_then(|branch| place(&branch)) else {
        return; // a detached HEAD holds the commit itself
    };
    if Path::new(&branch).exists() {
        watch(&branch);
    } else {
        // Packed; a commit unpacks it into its folder.
        place("packed-refs").inspect(|packed| watch(packed));
        let folders = Path::new(&branch).ancestors().skip(1).filter_map(Path::to_str);
        folders.into_iter().find(|folder| Path::new(folder).exists()).inspect(|folder| watch(folder));
    }
}

/// A missing file would run this for ever.
fn watch(path: &str) {
    if Path::new(path).exists() {
        println!("cargo:rerun-if-changed={path}");
    }
}

/// What git says, if there is one and a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // Nothing is written: the index neither.
    let output = command.arg("--no-optional-locks").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
