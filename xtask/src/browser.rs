//! A browser for the tests of the page.

use std::process::{Command, Stdio};

/// Where there is no Chromium and apt-get may be used, installs Debian's. Whatever comes of it is said and
/// no error: tests without a browser are skipped, and say so.
pub(crate) fn provide() {
    println!("\n== a browser for the tests of the page");
    let said = |outcome: Result<&str, String>| match outcome {
        Ok(name) => println!("   {name}"),
        Err(problem) => println!("   none: {problem}; what needs one is skipped"),
    };
    said(found().map_or_else(install, Ok));
}

/// The names under which the tests look for it.
pub(crate) fn found() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| works(name, &["--version"]))
}

fn install() -> Result<&'static str, String> {
    // Nobody is asked for a password.
    let id = Command::new("id").arg("-u").output();
    if !id.is_ok_and(|id| id.stdout == b"0\n") || !works("apt-get", &["--version"]) {
        return Err("`apt-get install chromium`, as root, would bring it on Debian".to_owned());
    }
    println!("   apt-get install chromium (some minutes at most)");
    let get = |seconds: &str, arguments: &[&str]| {
        let options = ["--kill-after=10", seconds, "apt-get", "--yes", "--quiet"];
        works("timeout", &[&options, arguments].concat())
    };
    let chromium = ["install", "--no-install-recommends", "chromium"];
    // A fresh machine has no list of packages yet.
    let installed = get("300", &chromium) || get("120", &["update"]) && get("300", &chromium);
    if !installed {
        return Err("`apt-get install chromium` failed".to_owned());
    }
    found().ok_or_else(|| "the chromium that apt-get has installed does not start".to_owned())
}

/// Whether a program runs and succeeds; what it prints is not shown.
fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
