//! More steps for a training that has begun: what is added to its config.toml, and what it means.
//!
//! config.toml grows at its end by a table `[[extended]]`; what stood there before stays as it was, byte for byte, and
//! checkpoints belong to that. From the checkpoint at `at_step` on, everything that goes by the share of the
//! training that is over, the linear learning rate and the weight of the entropy, goes as in a training that had had
//! `steps` steps from the start.

use serde::{Deserialize, Serialize};

use crate::config_toml;

/// Another number of steps from a checkpoint on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Steps of single environments that were behind the checkpoint.
    pub at_step: u64,
    /// Steps of the whole training from there on, those behind the checkpoint counted.
    pub steps: u64,
}

const TABLE: &str = "[[extended]]";

/// The text of a config.toml as it was when the run began, and by what it was extended since.
///
/// # Errors
/// What stands behind the first `[[extended]]` and is none.
pub(super) fn split(text: &str) -> Result<(&str, Vec<Extension>), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Behind {
        extended: Vec<Extension>,
    }
    let start = text.match_indices(TABLE).map(|(at, _)| at).find(|&at| text[..at].ends_with('\n'));
    let Some(start) = start else { return Ok((text, Vec::new())) };
    let behind: Behind = toml::from_str(&text[start..]).map_err(|error| {
        format!("behind its first {TABLE}, {}", config_toml::at_line(&text[start..], &error))
    })?;
    let begun = &text[..start];
    // The blank line before a table.
    Ok((begun.strip_suffix("\n\n").map_or(begun, |_| &begun[..begun.len() - 1]), behind.extended))
}

/// The text of a config.toml with one more extension.
pub(super) fn extended(text: &str, Extension { at_step, steps }: Extension) -> String {
    format!("{text}\n{TABLE}\nat_step = {at_step}\nsteps = {steps}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan as `toml` writes it.
    #[derive(Serialize)]
    struct Whole {
        command: &'static str,
        steps: u64,
        train: toml::Table,
        extended: Vec<Extension>,
    }

    const BEGUN: &str = "command = \"train\"\nsteps = 5\n\n[train]\ngamma = 0.8\n";

    #[test]
    fn what_was_there_before_stays_byte_for_byte() {
        assert_eq!(split(BEGUN).unwrap(), (BEGUN, vec![]));
        let [first, second] = [(4, 9), (8, 20)].map(|(at_step, steps)| Extension { at_step, steps });
        let once = extended(BEGUN, first);
        assert_eq!(split(&once).unwrap(), (BEGUN, vec![first]));
        let twice = extended(&once, second);
        assert_eq!(split(&twice).unwrap(), (BEGUN, vec![first, second]));
        assert!(twice.starts_with(&once));
        // As `toml` itself writes it, which is how a repeated run begins.
        let train = toml::Table::from_iter([("gamma".to_owned(), 0.8.into())]);
        let whole = Whole { command: "train", steps: 5, train, extended: vec![first, second] };
        assert_eq!(toml::to_string(&whole).unwrap(), twice);
    }

    #[test]
    fn what_else_stands_behind_it_is_told() {
        let edited =
            extended(BEGUN, Extension { at_step: 4, steps: 9 }) + "\n[train.network]\nhidden = [8]\n";
        let problem = split(&edited).unwrap_err();
        assert!(problem.contains("[[extended]]") && problem.contains("train"), "{problem}");
    }
}
