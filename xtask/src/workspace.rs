//! Where the workspace is, and cargo, run in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The workspace, wherever this is called from.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Says what is about to happen and why, runs it, and fails if it fails.
pub(crate) fn cargo(what: &str, arguments: &[&str]) -> Result<(), String> {
    cargo_with(what, arguments, None)
}

/// The same with an environment variable.
pub(crate) fn cargo_with(
    what: &str,
    arguments: &[&str],
    variable: Option<(&str, &str)>,
) -> Result<(), String> {
    println!("\n== {what}");
    println!("   cargo {}", arguments.join(" "));
    let start = Instant::now();
    let mut command = Command::new(cargo_program());
    command.args(arguments).current_dir(root());
    // A document with a broken link is a broken document.
    command.env("RUSTDOCFLAGS", "-D warnings").envs(variable);
    // What `cargo run` told us of this package: ring's build script looks at such variables, and all that stands on it would be
    // compiled anew each time that cargo is called now by us and now by hand.
    for (name, _) in std::env::vars_os() {
        let of_ours =
            ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|start| name.to_string_lossy().starts_with(start));
        if of_ours {
            command.env_remove(name);
        }
    }
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!("{what} ({status})"));
    }
    println!("   done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The cargo that runs this.
pub(crate) fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// What a command prints; if it fails, all that it says, with the command.
pub(crate) fn answer(command: &mut Command) -> Result<String, String> {
    let shown = |command: &Command| {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    let output = command.output().map_err(|error| format!("cannot run `{}`: {error}", shown(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` ended with {}:\n{}{}", shown(command), output.status, text, said.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_says_what_it_said() {
        assert_eq!(answer(Command::new("echo").arg("yes")).unwrap(), "yes\n");
        let problem = answer(Command::new("sh").args(["-c", "echo one; echo two >&2; exit 3"])).unwrap_err();
        assert!(problem.starts_with("`sh -c echo one") && problem.contains("3:\none\ntwo"), "{problem}");
        let problem = answer(&mut Command::new("no-such-program")).unwrap_err();
        assert!(problem.starts_with("cannot run `no-such-program`"), "{problem}");
    }
}
