//! One of a training's checkpoints for who does not train: the best one, the last one, or that of a step.

use std::str::FromStr;
use std::time::Duration;

use resonetics_agents::prophet::state::{Arrays, Numbers, State};
use serde::{Deserialize, Serialize};

use super::record::opened;
use super::{BEST, Checkpoint, Checkpoints, step_name};
use crate::error::Error;
use crate::files::{self, sha256, text};
use crate::run_dir::status;

/// Steps that an error lists; of more the last ones.
const LISTED: usize = 12;

/// Which of a training's checkpoints. As a text `best`, `last` or the step: what follows the @ of `prophet:DIR@last`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// That of the best greedy policy (RULES section 3.2).
    #[default]
    Best,
    /// The newest.
    Last,
    /// That of this step of training.
    Step(u64),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Which, String> {
        match text {
            "best" => Ok(Which::Best),
            "last" => Ok(Which::Last),
            _ => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let step = text.parse().ok().filter(|_| digits);
                step.map(Which::Step)
                    .ok_or_else(|| format!("`@{text}`: allowed are @best, @last and @STEP, such as @400384"))
            }
        }
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Which::Best => f.write_str("best"),
            Which::Last => f.write_str("last"),
            Which::Step(step) => write!(f, "{step}"),
        }
    }
}

/// A checkpoint by what tells it from every other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointName {
    /// Steps of training behind it.
    pub step: u64,
    /// Updates behind it.
    pub update: u64,
    /// SHA-256 of its safetensors file.
    pub sha256: String,
}

impl std::fmt::Display for CheckpointName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = self.sha256.get(..12).unwrap_or(&self.sha256);
        write!(f, "step {}, SHA-256 {short}…", self.step)
    }
}

impl Checkpoints {
    /// The checkpoint that is asked for, and the SHA-256 of its safetensors file.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is not kept, with those that are, or with the reason why it cannot be used.
    pub fn chosen(&self, which: Which) -> Result<(State, String), Error> {
        // Who trains here may just be replacing the two files of the best one, one after the other, or deleting
        // those that are not kept.
        for _ in 0..10 {
            if let Ok((Checkpoint { numbers, arrays, .. }, sum)) = self.read(&self.name_of(which)?) {
                return Ok((State { numbers, arrays }, sum));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let name = self.name_of(which)?;
        match self.read::<Numbers>(&name) {
            Ok((Checkpoint { numbers, arrays, .. }, sum)) => Ok((State { numbers, arrays }, sum)),
            Err(problem) => Err(Error::Refused(format!(
                "{}; train on (`resonetics train --resume`) if that training was stopped, or put the file back",
                self.told(&name, problem)?
            ))),
        }
    }

    /// The name of the files of the checkpoint that is asked for.
    fn name_of(&self, which: Which) -> Result<String, Error> {
        let mut numbered = self.names()?;
        match which {
            Which::Best if self.path(BEST, "json").exists() => Ok(BEST.to_owned()),
            Which::Best => Err(self.none("best checkpoint")),
            Which::Last => numbered.pop().ok_or_else(|| self.none("numbered checkpoint")),
            Which::Step(step) => {
                let name = step_name(step);
                let best = self.read::<Numbers>(BEST).ok().map(|(best, _)| best.numbers.steps());
                match best {
                    _ if numbered.contains(&name) => Ok(name),
                    Some(best) if best == step => Ok(BEST.to_owned()),
                    _ => Err(Error::Refused(format!(
                        "{} keeps no checkpoint of step {step}: {}",
                        self.dir.display(),
                        kept(&numbered, best)
                    ))),
                }
            }
        }
    }

    /// That there is no checkpoint of the kind `what`.
    fn none(&self, what: &str) -> Error {
        let folder = self.folder.display();
        // A training that is finished has had one.
        Error::Refused(if status(&self.dir).ok().flatten().as_deref() == Some("finished") {
            format!("{folder} holds no {what} any more: put it back, or {}", self.anew())
        } else {
            format!("{folder} holds no {what} yet: train on (`resonetics train --resume`)")
        })
    }

    /// The checkpoint whose safetensors file has this SHA-256, the best one or a numbered one, if it is kept.
    pub fn with_sum(&self, sum: &str) -> Option<State> {
        let numbered = self.names().unwrap_or_default();
        [BEST.to_owned()].into_iter().chain(numbered).find_map(|name| {
            let text = text(&self.path(&name, "json")).ok()?;
            opened::<Numbers>(&text).ok().filter(|record| record.safetensors == sum)?;
            let (Checkpoint { numbers, arrays, .. }, found) = self.read::<Numbers>(&name).ok()?;
            (found == sum).then_some(State { numbers, arrays })
        })
    }

    /// The bytes of the two files of that checkpoint, JSON and safetensors.
    pub(in crate::training) fn files_with_sum(&self, sum: &str) -> Option<[Vec<u8>; 2]> {
        let numbered = self.names().unwrap_or_default();
        [BEST.to_owned()].into_iter().chain(numbered).find_map(|name| {
            let json = files::read(&self.path(&name, "json"), files::TEXT).ok()?;
            let arrays = files::read(&self.path(&name, "safetensors"), u64::MAX).ok()?;
            state_of(&json, &arrays, sum).ok().map(|_| [json, arrays])
        })
    }
}

/// What the two files of a checkpoint hold, whichever training it belongs to, if its SHA-256 is `sum`.
///
/// # Errors
/// What is wrong with them.
pub(in crate::training) fn state_of(json: &[u8], arrays: &[u8], sum: &str) -> Result<State, String> {
    let text = std::str::from_utf8(json).map_err(|error| format!("its JSON file is no text: {error}"))?;
    let record = opened::<Numbers>(text)?;
    if record.safetensors != sum || sha256(arrays) != sum {
        return Err(format!("its SHA-256 is not {sum}"));
    }
    Ok(State { numbers: record.numbers, arrays: Arrays::from_bytes(arrays)? })
}

/// Which checkpoints are kept, in words.
fn kept(numbered: &[String], best: Option<u64>) -> String {
    let step = |name: &String| name.trim_start_matches("step-").trim_start_matches('0').to_owned();
    let (earlier, shown) = numbered.split_at(numbered.len().saturating_sub(LISTED));
    let mut parts: Vec<String> = Vec::new();
    if !earlier.is_empty() {
        parts.push(format!("{} earlier ones", earlier.len()));
    }
    parts.extend(shown.iter().map(step));
    let numbered = if parts.is_empty() { "none with a number".to_owned() } else { parts.join(", ") };
    let best = best.map_or_else(String::new, |step| format!(", and the best one, of step {step}"));
    format!("kept are {numbered}{best} (`train.keep` says how many)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_checkpoint_is_a_word_or_a_step() {
        for (text, which) in [
            ("best", Which::Best),
            ("last", Which::Last),
            ("0", Which::Step(0)),
            ("400384", Which::Step(400_384)),
        ] {
            assert_eq!((text.parse(), which.to_string()), (Ok(which), text.to_owned()));
        }
        for text in ["", "Best", "-1", "+1", "1.5", "1e3", "99999999999999999999"] {
            let problem = text.parse::<Which>().unwrap_err();
            assert!(problem.contains("allowed are @best, @last and @STEP"), "{problem}");
        }
    }

    #[test]
    fn an_error_lists_what_is_kept() {
        let names: Vec<String> = (1..=14).map(|update| step_name(update * 128)).collect();
        assert_eq!(
            kept(&names[..2], Some(64)),
            "kept are 128, 256, and the best one, of step 64 (`train.keep` says how many)"
        );
        let many = kept(&names, None);
        assert!(
            many.starts_with("kept are 2 earlier ones, 384, 512, ") && many.contains(", 1792 ("),
            "{many}"
        );
        assert!(kept(&[], None).starts_with("kept are none with a number ("));
    }
}
