//! Which trainings differ in the seed alone.

use std::path::{Path, PathBuf};

use super::filled::filled;
use super::{Input, Inputs};
use crate::commands::Plan;
use crate::setup::read;

impl Inputs {
    /// What the training in `dir`, as it was typed when the run of `input` was made, has in common with those
    /// that differ from it in the seed alone. `None` where it is not found any more.
    pub fn training(&self, dir: &str, input: &Input) -> Option<String> {
        // Typed relative to a folder that is no longer known: often this one, or one above the run.
        let above = self.folders[input.run].ancestors().map(|folder| folder.join(dir));
        [PathBuf::from(dir)].into_iter().chain(above).find_map(|dir| settings(&dir))
    }
}

/// The settings of the training in `dir` without its seed, as one text; `None` if there is none.
pub fn settings(dir: &Path) -> Option<String> {
    let config = dir.join("config.toml");
    let text = config.is_file().then(|| read(&config).ok())??;
    // Whole where it lacks keys, so that a key that was lost makes no other training of it.
    let plan = Plan::parse(&text).ok().or_else(|| filled(&text).map(|(plan, _)| plan));
    let whole = plan.and_then(|plan| toml::Table::try_from(plan).ok());
    let mut table = whole.map_or_else(|| text.parse().ok(), Some)?;
    table.remove("seed");
    (table.get("command")?.as_str()? == "train").then(|| table.to_string())
}

/// The folder of the training that `agent` comes from, if it was trained.
pub fn folder(agent: &str) -> Option<&str> {
    agent.strip_prefix("prophet:")
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
            settings(&dir.path().join(name))
        };
        let one = of("a", "command = \"train\"\nseed = 1\nsteps = 5\n");
        assert!(one.is_some());
        assert_eq!(one, of("b", "command = \"train\"\nseed = 2\nsteps = 5\n"));
        assert_ne!(one, of("c", "command = \"train\"\nseed = 2\nsteps = 6\n"));
        assert_eq!(of("d", "command = \"eval\"\nseed = 2\n"), None);
        assert_eq!(settings(&dir.path().join("e")), None);
        assert_eq!((folder("prophet:runs/a"), folder("planner")), (Some("runs/a"), None));
    }
}
