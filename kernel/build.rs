//! With the feature `torch`: checks that libtorch is there, and tells the packages that link it
//! (agents, experiments) where to find it when they run.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if std::env::var_os("CARGO_FEATURE_TORCH").is_none() {
        return;
    }
    // As torch-sys looks for it; .cargo/config.toml sets LIBTORCH where the user has not.
    let system = || Path::new("/usr/lib/libtorch.so").exists().then(|| PathBuf::from("/usr"));
    let folder = std::env::var_os("LIBTORCH").map(PathBuf::from).or_else(system).unwrap_or_default();
    let lib = folder.join("lib");
    let library = ["libtorch_cpu.so", "libtorch_cpu.dylib"].map(|name| lib.join(name));
    let Some(library) = library.iter().find(|path| path.exists()) else {
        println!(
            "cargo::error=the feature `torch` needs libtorch 2.11.0, and there is none in `{}`: set LIBTORCH to its folder, \
             or run `cargo xtask libtorch` in a checkout of Resonetics",
            folder.display()
        );
        return;
    };
    println!("cargo::rerun-if-changed={}", library.display());
    // The link in the workspace first: pointing it at another libtorch needs no new build. Then where
    // it points now, for a binary that outlives the workspace.
    let real = std::fs::canonicalize(&lib).unwrap_or_else(|_| lib.clone());
    let rpath = format!("-Wl,-rpath,{},-rpath,{}", lib.display(), real.display());
    println!("cargo::rustc-link-arg={rpath}");
    println!("cargo::metadata=LINK_LIBTORCH={rpath}");
}
