//! With the feature `torch` of the crates below: where the benches find libtorch when they run
//! (`kernel/build.rs`).

fn main() {
    if let Ok(rpath) = std::env::var("DEP_RESONETICS_KERNEL_LINK_LIBTORCH") {
        println!("cargo:rustc-link-arg={rpath}");
    }
}
