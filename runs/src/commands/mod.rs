//! What a run at work is told, and how that stays reproducible: each command is on record, with the clock at which it takes
//! effect, before it does; who goes on with the run or repeats it replays the record.

pub mod command;
pub mod force;
pub mod inbox;
pub mod record;

use std::path::Path;

use serde::{Deserialize, Serialize};
use signal_hook::consts::SIGINT;

use self::command::Command;
use self::force::Force;
use self::inbox::{Answer, Asked};
use self::record::{Entry, Record, Request};
use crate::error::Error;
use crate::interrupt;

pub use self::inbox::{Inbox, ask};
pub use self::record::FILE;

/// Times in a row that all that was asked for is refused, after which the run goes on.
const IN_VAIN: u32 = 16;

/// Who asks a run: what has been asked since; where the run is paused, `true`, it may wait for a moment.
pub type Asks<'a> = dyn Fn(bool) -> Vec<Asked> + 'a;

/// How far a run has come with its record: in its checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// Its clock: it never goes back.
    pub clock: u64,
    /// Commands that have taken effect.
    pub commands: u64,
}

/// The commands of a run at work: what is on record, and what is in force.
#[derive(Debug)]
pub struct Commands {
    record: Record,
    begun: Force,
    /// What is in force.
    pub force: Force,
    /// Commands that have taken effect.
    done: usize,
}

impl Commands {
    /// Of the run in `dir`, which began with the settings `begun`, at its start.
    ///
    /// # Errors
    /// That of [`Record::read`].
    pub fn read(dir: &Path, begun: Force) -> Result<Commands, Error> {
        let record = Record::read(dir)?;
        Ok(Commands { record, force: begun.clone(), begun, done: 0 })
    }

    /// Commands on record.
    pub fn recorded(&self) -> usize {
        self.record.entries.len()
    }

    /// Commands that have taken effect.
    pub fn done(&self) -> u64 {
        self.done as u64
    }

    /// What was in force behind the first `commands` of the record.
    ///
    /// # Errors
    /// [`Error::Refused`] if the record has fewer, or one of them cannot be done in this run.
    pub fn force_behind(&self, commands: u64) -> Result<Force, Error> {
        let told = self.record.entries.get(..commands as usize).ok_or_else(|| {
            Error::Refused(format!(
                "{FILE} has {} commands, and a checkpoint was written behind {commands}: it was cut; put it back as it was",
                self.recorded()
            ))
        })?;
        told.iter().try_fold(self.begun.clone(), |force, entry| {
            force
                .after(&entry.command)
                .map_err(|problem| Error::Refused(format!("{FILE}, command {}: {problem}", entry.id)))
        })
    }

    /// Goes on behind the first `commands` of the record.
    ///
    /// # Errors
    /// Those of [`Commands::force_behind`].
    pub fn go_on_behind(&mut self, commands: u64) -> Result<(), Error> {
        self.force = self.force_behind(commands)?;
        self.done = commands as usize;
        Ok(())
    }

    /// The next command of the record, if it takes effect at `clock`: what is in force has changed already.
    ///
    /// # Errors
    /// [`Error::Refused`] for one whose moment has passed, or that cannot be done in this run.
    fn replayed(&mut self, clock: u64) -> Result<Option<Entry>, Error> {
        let Some(entry) = self.record.entries.get(self.done).filter(|entry| entry.clock <= clock) else {
            return Ok(None);
        };
        if entry.clock < clock {
            return Err(Error::Refused(format!(
                "{FILE}, command {}: its moment, {}, has passed at {clock}: the record is of another run",
                entry.id, entry.clock
            )));
        }
        let entry = entry.clone();
        self.force = self
            .force
            .after(&entry.command)
            .map_err(|problem| Error::Refused(format!("{FILE}, command {}: {problem}", entry.id)))?;
        self.done += 1;
        Ok(Some(entry))
    }

    /// Whether all that is on record has taken effect: only then is anybody heard.
    fn is_up_to_date(&self) -> bool {
        self.done == self.record.entries.len()
    }

    /// Records `command`, as `request` asks for it, with the `clock` at which it takes effect; what is in force has changed
    /// then.
    ///
    /// # Errors
    /// The answer for what the settings do not allow; nothing has changed then. That the record cannot be written.
    fn told(
        &mut self,
        request: &Request,
        command: Command,
        clock: u64,
    ) -> Result<Result<Entry, Answer>, Error> {
        let force = match self.force.after(&command) {
            Ok(force) => force,
            Err(why) => return Ok(Err(Answer::refused(why))),
        };
        self.record.told(request.clone(), command, clock)?;
        self.force = force;
        self.done += 1;
        Ok(Ok(self.record.entries[self.done - 1].clone()))
    }

    /// Records what came of a command, unless that is on record.
    ///
    /// # Errors
    /// That the record cannot be written.
    fn came(&mut self, entry: &Entry, result: &str) -> Result<(), Error> {
        if entry.result.is_some() { Ok(()) } else { self.record.came(entry.id, result) }
    }
}

/// A run at work that can be told something.
pub trait Told {
    /// Its commands.
    fn commands(&mut self) -> &mut Commands;

    /// Its clock: it grows with all that it does, and with each way back.
    fn clock(&self) -> u64;

    /// Refuses what its settings do not know of: a checkpoint that is not there, for one.
    ///
    /// # Errors
    /// Why.
    fn possible(&self, command: &Command) -> Result<(), String>;

    /// Does what the command of `entry` says; its settings are in force already. Yields what came of it, in words.
    ///
    /// # Errors
    /// What ends the run.
    fn take_effect(&mut self, entry: &Entry) -> Result<String, Error>;

    /// Between two steps of its clock: does what is on record for this moment, and, where all of that is done, what is asked
    /// for now. Stays here while the run is paused.
    ///
    /// # Errors
    /// [`Error::Interrupted`] by `stop`, and what ends the run.
    fn hear(&mut self, asks: &Asks<'_>) -> Result<(), Error> {
        // A way back moves the clock.
        while let (clock, commands) = (self.clock(), self.commands())
            && let Some(entry) = commands.replayed(clock)?
        {
            let result = self.take_effect(&entry)?;
            self.commands().came(&entry, &result)?;
            if let Command::GiveUp(why) = entry.command {
                return Err(Error::Failed(why));
            }
        }
        let (mut paused, mut in_vain) = (false, 0);
        while self.commands().is_up_to_date() {
            let all = asks(paused);
            // Who is answered may ask for something else at the same moment; but not for ever for what is refused.
            let again = !all.is_empty() && in_vain < IN_VAIN;
            in_vain += 1;
            for asked in all {
                let answer = match self.heard(&asked.request)? {
                    Err(refused) => refused,
                    Ok(entry) => {
                        in_vain = 0;
                        paused = match entry.command {
                            Command::Pause => true,
                            Command::Continue => false,
                            _ => paused,
                        };
                        let result = match self.take_effect(&entry) {
                            Ok(result) => result,
                            Err(end) => {
                                let why = format!(
                                    "it is on record as command {}, and ended the run: {end}",
                                    entry.id
                                );
                                self.commands().came(&entry, &why)?;
                                asked.answer(Answer::refused(why));
                                return Err(end);
                            }
                        };
                        self.commands().came(&entry, &result)?;
                        let ends = match &entry.command {
                            Command::Stop => Some(Error::Interrupted(SIGINT)),
                            Command::GiveUp(why) => Some(Error::Failed(why.clone())),
                            _ => None,
                        };
                        let answer = done(&entry, result);
                        if let Some(end) = ends {
                            asked.answer(answer);
                            return Err(end);
                        }
                        answer
                    }
                };
                asked.answer(answer);
            }
            if !paused && !again {
                return Ok(());
            }
            interrupt::check()?;
        }
        Ok(())
    }

    /// Puts a request on record, or says why not.
    ///
    /// # Errors
    /// That the record cannot be written.
    fn heard(&mut self, request: &Request) -> Result<Result<Entry, Answer>, Error> {
        let understood = Command::parse(&request.cmd, &request.args)
            .and_then(|command| self.possible(&command).map(|()| command));
        let clock = self.clock();
        match understood {
            Ok(command) => self.commands().told(request, command, clock),
            Err(why) => Ok(Err(Answer::refused(why))),
        }
    }
}

fn done(entry: &Entry, result: String) -> Answer {
    Answer { done: true, id: Some(entry.id), clock: Some(entry.clock), result }
}

#[cfg(test)]
mod tests;
