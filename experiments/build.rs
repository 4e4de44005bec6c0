//! Notes the commit that the binary is built from, for run.json, and with the feature `torch` where it
//! finds libtorch when it runs (`kernel/build.rs`).

use std::process::Command;

fn main() {
    if let Ok(rpath) = std::env::var("DEP_RESONETICS_KERNEL_LINK_LIBTORCH") {
        println!("cargo:rustc-link-arg={rpath}");
    }
    // Without a repository there is nothing to watch, and a missing file would rerun this for ever.
    for path in ["../.git/HEAD", "../.git/refs/heads", "../.git/index"] {
        if std::path::Path::new(path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    for folder in ["src", "../agents/src", "../envs/src", "../kernel/src", "../numerics/src"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    };
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        // Recorded outcomes and documents do not make another binary.
        let sources = [
            "status",
            "--porcelain",
            "--",
            "src",
            "../agents",
            "../envs",
            "../kernel",
            "../numerics",
            "../Cargo.lock",
        ];
        let dirty = git(&sources).is_some_and(|changes| !changes.is_empty());
        println!("cargo:rustc-env=RESONETICS_COMMIT={commit}{}", if dirty { "-dirty" } else { "" });
    }
}
