//! Small crates made up for it.

use super::*;

fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Tree::read(&root.path().join("lib.rs")).unwrap().circles(root.path())
}

#[test]
fn two_files_that_name_each_other_are_a_circle() {
    let lib = ("lib.rs", "mod a;\nmod b;\nmod c;");
    let a = ("a.rs", "use crate::b::{self, B};\npub struct A;");
    let b = ("b.rs", "pub struct B;\n\nfn f(_: &super::a::A) {}");
    let c = ("c.rs", "use crate::{a::A, b::B};");
    let found = "2 files in circles: a.rs -> b.rs (crate::b::B, line 1) -> a.rs (super::a::A, line 3)";
    assert_eq!(circles(&[lib, a, b, c]), [found]);
    assert!(circles(&[lib, a, ("b.rs", "pub struct B;"), c]).is_empty());
}

#[test]
fn a_name_leads_through_re_exports_to_the_file_that_defines_it() {
    let found = "3 files in circles: m/x.rs -> m/y.rs (super::Y, line 1) -> m/z.rs (self::zs::Z, line 2) \
                 -> m/x.rs (crate::inner::X::new, line 1)";
    let y = ("m/y.rs", "use super::z as zs;\npub struct Y(self::zs::Z);");
    let z = ("m/z.rs", "pub struct Z; const X: u8 = crate::inner::X::new();");
    let lib = ("lib.rs", "mod m;\nmod inner { pub(crate) use crate::m::*; }");
    let m = ("m/mod.rs", "mod x; mod y; mod z;\npub use self::x::*;\npub use y::Y;");
    let x = ("m/x.rs", "use super::Y;\npub struct X;");
    assert_eq!(circles(&[lib, m, x, y, z]), [found]);
    // A module that hands on what others define needs none of them, as long as it does no more.
    let z = ("m/z.rs", "pub struct Z; pub const LAST: u8 = super::ALL;");
    let m = ("m/mod.rs", "mod x; mod y; mod z;\npub use self::x::*;\npub use y::Y;\npub const ALL: u8 = 1;");
    assert!(circles(&[lib, m, x, y, z]).is_empty());
    let m = ("m/mod.rs", "mod x; mod y; mod z;\npub use y::Y; pub use z::LAST;\npub const ALL: u8 = LAST;");
    let found = "2 files in circles: m/mod.rs -> m/z.rs (LAST, line 3) -> m/mod.rs (super::ALL, line 1)";
    assert_eq!(circles(&[lib, m, ("m/x.rs", ""), y, z]), [found]);
}

#[test]
fn what_is_compiled_for_tests_alone_may_go_round() {
    let lib = ("lib.rs", "mod a;\nmod b;");
    let a = ("a.rs", "use crate::b::B;\npub struct A;\n#[cfg(test)]\npub mod tests;");
    let tests = ("a/tests.rs", "pub use super::A;\npub const OF: Option<crate::b::B> = None;");
    let item = |test: &str| format!("pub struct B;\n{test} use crate::a::A;");
    let method = |test: &str| format!("pub struct B;\nimpl B {{ {test} fn f() {{ crate::a::A::f(); }} }}");
    for test in ["#[cfg(test)]", "#[cfg(all(test, feature = \"torch\"))]"] {
        assert!(circles(&[lib, a, tests, ("b.rs", &item(test))]).is_empty());
        assert!(circles(&[lib, a, tests, ("b.rs", &method(test))]).is_empty());
    }
    for other in ["", "#[cfg(not(test))]", "#[cfg(feature = \"test\")]", "#[cfg(any(test, unix))]"] {
        assert_eq!(circles(&[lib, a, tests, ("b.rs", &item(other))]).len(), 1, "{other}");
        assert_eq!(circles(&[lib, a, tests, ("b.rs", &method(other))]).len(), 1, "{other}");
    }
}

#[test]
fn paths_in_macros_and_macros_themselves_count() {
    let lib = ("lib.rs", "mod a;\nmod b;");
    let a = ("a.rs", "macro_rules! one { () => { 1 } }\npub fn y(x: crate::b::X) -> i32 { x.y }");
    let found = "2 files in circles: a.rs -> b.rs (crate::b::X, line 2) -> a.rs (";
    for (b, by) in [
        ("pub struct X; fn f() {\n format!(\"{}\", (0, [crate::a::y(1)])); }", "crate::a::y, line 2)"),
        ("pub struct X;\nconst ONE: i32 = one!();", "crate::one, line 2)"),
        ("pub struct X;\n#[serde(with(super::a::y))] struct S;", "super::a::y, line 2)"),
    ] {
        assert_eq!(circles(&[lib, a, ("b.rs", b)]), [format!("{found}{by}")]);
    }
    // A method of the same name is another.
    assert!(
        circles(&[lib, a, ("b.rs", "pub struct X; pub use crate::a::y; fn f() { two!(x.y()); }")]).is_empty()
    );
}

#[test]
fn crates_need_those_below_them_alone() {
    for (from, to) in
        [("experiments", "numerics"), ("runs", "agents"), ("agents", "kernel"), ("xtask", "runs")]
    {
        assert_eq!(refused(from, to), None);
    }
    for (from, to) in [
        ("numerics", "envs"),
        ("kernel", "envs"),
        ("analysis", "agents"),
        ("runs", "experiments"),
        ("new", "envs"),
    ] {
        assert_eq!(refused(from, to), Some(format!("{from}/Cargo.toml: {from} may not need {to}")));
    }
}
