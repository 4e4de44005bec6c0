//! With the feature `torch`: where the tests find libtorch when they run (`kernel/build.rs`).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(rpath) = std::env::var("DEP_RESONETICS_KERNEL_LINK_LIBTORCH") {
        println!("cargo::rustc-link-arg={rpath}");
    }
}
