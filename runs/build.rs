//! With the feature `torch`: where the tests find libtorch when they run (`kernel/build.rs`). Lumen has it too: what is not
//! there when it is looked for would make it anew each time.

fn main() {
    println!("cargo::rerun-if-changed=../runs/build.rs");
    if let Ok(rpath) = std::env::var("DEP_RESONETICS_KERNEL_LINK_LIBTORCH") {
        println!("cargo::rustc-link-arg={rpath}");
    }
}
