//! The commits of this repository.

use std::process::Command;

use crate::workspace::answer;
use crate::workspace::root;

/// What git answers.
pub(super) fn git(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    // A hook of the user's has no business in a throw-away checkout.
    command.args(["-c", "core.hooksPath=/dev/null"]).args(arguments).current_dir(root());
    answer(&mut command).map(|text| text.trim().to_owned())
}

/// The short hash of the commit that a revision names.
pub(super) fn hash(revision: &str) -> Result<String, String> {
    let commit = format!("{revision}^{{commit}}");
    git(&["rev-parse", "--verify", "--quiet", "--short=12", "--end-of-options", &commit]).map_err(|_| {
        format!("--compare: `{revision}` is not a commit of this repository; `git log --oneline` lists them")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_commit_is_refused() {
        let problem = hash("no-such-branch").unwrap_err();
        assert!(problem.starts_with("--compare: `no-such-branch` is not a commit"), "{problem}");
    }
}
