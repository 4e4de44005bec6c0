//! Which trainings differ in the seed alone.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Inputs;
use super::filled::filled;
use crate::files::{sha256, text};
use crate::plan::Plan;
use crate::trained::named;
use crate::training::Which;

impl Inputs {
    /// What the trained agent `typed`, a training's folder or with a checkpoint behind it, as it was typed when `run`
    /// was made, has in common with those that differ from it in the seed alone. `None` where the training is not
    /// found any more.
    pub fn training(&self, typed: &str, run: usize) -> Option<String> {
        // Typed relative to a folder that is no longer known: often this one, or one above the run.
        let above = self.folders[run].ancestors().map(|folder| folder.join(typed));
        [PathBuf::from(typed)].into_iter().chain(above).find_map(|path| {
            // Many runs are of one training.
            if let Some(known) = self.trainings.borrow().get(&path) {
                return known.clone();
            }
            let found = path.to_str().and_then(agent_identity);
            self.trainings.borrow_mut().insert(path, found.clone());
            found
        })
    }
}

/// The identity of the training that `typed` names, with the checkpoint where it is not the best one: others of
/// the same training are no other seeds of it.
pub fn agent_identity(typed: &str) -> Option<String> {
    let (dir, which) = named(typed).ok()?;
    let training = identity(Path::new(dir))?;
    Some(if which == Which::Best { training } else { format!("{training}@{which}") })
}

/// The SHA-256 of the settings of the training in `dir` without its seed, and without how many checkpoints it keeps;
/// `None` if there is none.
fn identity(dir: &Path) -> Option<String> {
    let config = dir.join("config.toml");
    let text = config.is_file().then(|| text(&config).ok())??;
    // Whole where it lacks keys, so that a key that was lost makes no other training of it.
    let plan = Plan::parse(&text).ok().or_else(|| filled(&text).map(|(plan, _)| plan));
    let whole = plan.and_then(|plan| Table::try_from(plan).ok());
    let mut table = whole.map_or_else(|| text.parse().ok(), Some)?;
    table.remove("seed");
    table.get_mut("train").and_then(Value::as_table_mut).and_then(|train| train.remove("keep"));
    (table.get("command")?.as_str()? == "train").then(|| sha256(table.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn trainings_differ_in_the_seed_alone_or_in_more() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str, config: &str| {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("config.toml"), config).unwrap();
            identity(&dir.path().join(name))
        };
        let one = of("a", "command = \"train\"\nseed = 1\nsteps = 5\n");
        assert!(one.is_some());
        assert_eq!(one, of("b", "command = \"train\"\nseed = 2\nsteps = 5\n"));
        assert_eq!(
            of("f", "command = \"train\"\nsteps = 5\n[train]\nkeep = 1\n"),
            of("g", "command = \"train\"\nseed = 3\nsteps = 5\n[train]\nkeep = 2\n")
        );
        assert_ne!(one, of("c", "command = \"train\"\nseed = 2\nsteps = 6\n"));
        assert_eq!(of("d", "command = \"eval\"\nseed = 2\n"), None);
        assert_eq!(identity(&dir.path().join("e")), None);
    }
}
