//! The event files of a training, for TensorBoard.

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_agents::prophet::trainer::Update;

use super::row::Measured;
use crate::error::{self, Error};
use crate::run_dir;
use crate::tensorboard::EventFile;

/// TensorBoard's event file of a training.
pub(crate) struct Board {
    folder: PathBuf,
    file: Option<EventFile>,
    /// That of the last update in the file.
    step: u64,
}

impl Board {
    /// That of the training in `dir`, if it is wanted or there is one already.
    pub(crate) fn of(dir: &Path, wanted: bool) -> Option<Board> {
        let folder = dir.join("tensorboard");
        (wanted || folder.exists()).then_some(Board { folder, file: None, step: 0 })
    }

    /// Adds an update; all that is there is in the file before a checkpoint is written, or a kill after it
    /// would leave a gap.
    ///
    /// # Errors
    /// That a file cannot be written.
    pub(crate) fn add(
        &mut self,
        update: &Update,
        measured: Measured,
        steps_per_second: f64,
    ) -> Result<(), Error> {
        // Opened at the first update, which says where the training goes on; and again where it went back.
        let mut file = match self.file.take().filter(|_| update.steps > self.step) {
            Some(file) => file,
            None => self.open(update.steps)?,
        };
        let mut scalars = if update.update == 0 {
            Vec::new()
        } else {
            vec![
                ("loss", update.terms.loss),
                ("policy_loss", update.terms.policy),
                ("value_loss", update.terms.value),
                ("entropy", update.terms.entropy),
                ("learning_rate", update.learning_rate),
                ("approx_kl", update.terms.approx_kl),
                ("explained_variance", update.explained_variance),
                ("steps_per_second", steps_per_second),
            ]
        };
        scalars.extend(update.return_mean.map(|mean| ("return_mean", mean)));
        scalars.extend(measured.greedy.map(|greedy| ("greedy_return", greedy)));
        scalars.extend(measured.sampled.map(|sampled| ("sampled_return", sampled)));
        file.scalars(update.steps, run_dir::seconds(), &scalars)?;
        if measured.greedy.is_some() {
            file.flush()?;
        }
        self.step = update.steps;
        self.file = Some(file);
        Ok(())
    }

    /// The latest file, as it was before `step`, or a new one.
    fn open(&self, step: u64) -> Result<EventFile, Error> {
        fs::create_dir_all(&self.folder).map_err(error::io("create", &self.folder))?;
        let entries = fs::read_dir(&self.folder).map_err(error::io("read", &self.folder))?;
        let files = entries.flatten().map(|entry| entry.path());
        let named =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains("tfevents"));
        if let Some(path) = files.filter(named).max() {
            if fs::metadata(&path).is_ok_and(|file| file.len() > 0) {
                return EventFile::append(&path, step);
            }
            // A kill met it before its first record.
            fs::remove_file(&path).map_err(error::io("remove", &path))?;
        }
        EventFile::create(&self.folder, run_dir::seconds())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// That it cannot be written.
    pub(crate) fn finish(self) -> Result<(), Error> {
        self.file.map_or(Ok(()), EventFile::finish)
    }
}
