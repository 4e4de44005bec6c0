//! What a run at work can be told to do: names, arguments, and how they are typed.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::plan::Mode;

/// A minibatch of so many samples is a batch of 1.
pub const SAMPLES_IN_A_BATCH: usize = 16;

/// One thing that a run is told to do. Names and arguments are those of `commands.jsonl`.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `gateway.lock`: from now on the run takes no command but `stop` and `observe.off`.
    Lock,
    /// `loop.set` {hz, batch}: epochs of an update, and its minibatch in sixteens of samples.
    Loop {
        /// Epochs, 2 to 8.
        hz: Option<usize>,
        /// Sixteens of samples, 8 to 64.
        batch: Option<usize>,
    },
    /// `gain.scale` {factor}: in a training the learning rate times this, in a world `control.risk_to_damping` times this.
    Gain(f64),
    /// `observe.on`, `observe.off`: whether a training plays and learns nothing.
    Observe(bool),
    /// `checkpoint.now`: a checkpoint, due or not.
    Checkpoint,
    /// `rollback.to` {step}: back to the checkpoint of so many steps, with half the learning rate.
    RollBack(u64),
    /// `knob.set` {key, value}: a setting, named as for `--set`.
    Knob {
        /// Its name.
        key: String,
        /// Its value.
        value: Value,
    },
    /// `control.on`, `control.off`: the world's control layer.
    Control(bool),
    /// `lumen.up` {gate}: the training is watched from here on, and its gate may do so much.
    Up(Mode),
    /// `lumen.down`: it is watched no more.
    Down,
    /// `pause`: nothing goes on until `continue`.
    Pause,
    /// `continue`.
    Continue,
    /// `stop`: the run ends as one that was interrupted, and can go on.
    Stop,
    /// `give.up` {why}: the run ends as one that has failed.
    GiveUp(String),
}

/// All commands as they are typed, with what they do.
pub const ALL: [(&str, &str); 16] = [
    ("knob.set KEY=VALUE", "a setting of the training or its world, named as for --set"),
    (
        "gain.scale FACTOR",
        "a training: learning rate times FACTOR; a world: control.risk_to_damping times FACTOR",
    ),
    (
        "loop.set [hz=N] [batch=N]",
        "a training: epochs of an update (2 to 8), its minibatch in sixteens of samples (8 to 64)",
    ),
    ("control.on", "the world's control layer on"),
    ("control.off", "the world's control layer off"),
    ("observe.on", "a training: goes on playing, learns nothing"),
    ("observe.off", "a training: learns again"),
    ("checkpoint.now", "a training: writes a checkpoint now"),
    ("rollback.to STEP", "a training: back to its checkpoint of STEP, with half the learning rate"),
    (
        "lumen.up [gate=MODE]",
        "a training: is watched from here on; its gate is off, warns (the default) or acts",
    ),
    ("lumen.down", "a training: is watched no more"),
    ("pause", "nothing goes on until `continue`"),
    ("continue", "goes on after `pause`"),
    ("stop", "ends as an interrupted run, which can go on"),
    ("give.up WHY", "ends as a run that has failed, for this reason"),
    ("gateway.lock", "takes no command any more but `stop` and `observe.off`"),
];

impl Command {
    /// The command `cmd` with `args`.
    ///
    /// # Errors
    /// What is wrong with it, and what is known.
    pub fn parse(cmd: &str, args: &Map<String, Value>) -> Result<Command, String> {
        let known: &[&str] = match cmd {
            "loop.set" => &["hz", "batch"],
            "gain.scale" => &["factor"],
            "rollback.to" => &["step"],
            "knob.set" => &["key", "value"],
            "give.up" => &["why"],
            "lumen.up" => &["gate"],
            _ => &[],
        };
        let is_known = ALL.iter().any(|(typed, _)| typed.split(' ').next() == Some(cmd));
        if let Some(other) = args.keys().find(|key| is_known && !known.contains(&key.as_str())) {
            return Err(format!("{cmd}: unknown argument `{other}`"));
        }
        let command = match cmd {
            "gateway.lock" => Command::Lock,
            "loop.set" => {
                let count = |key: &str, allowed: std::ops::RangeInclusive<u64>| {
                    let Some(value) = args.get(key) else { return Ok(None) };
                    let count = value.as_u64().filter(|count| allowed.contains(count));
                    count.map(|count| Some(count as usize)).ok_or_else(|| {
                        format!(
                            "loop.set: `{key}` is {value}; allowed are whole numbers from {} to {}",
                            allowed.start(),
                            allowed.end()
                        )
                    })
                };
                let (hz, batch) = (count("hz", 2..=8)?, count("batch", 8..=64)?);
                if hz.is_none() && batch.is_none() {
                    return Err(
                        "loop.set: name hz, batch or both, such as `loop.set hz=4 batch=16`".to_owned()
                    );
                }
                Command::Loop { hz, batch }
            }
            "gain.scale" => {
                let factor =
                    args.get("factor").and_then(Value::as_f64).filter(|factor| (1e-3..=1e3).contains(factor));
                Command::Gain(
                    factor
                        .ok_or("gain.scale: needs a factor from 0.001 to 1000, such as `gain.scale 0.5`")?,
                )
            }
            "observe.on" | "observe.off" => Command::Observe(cmd == "observe.on"),
            "checkpoint.now" => Command::Checkpoint,
            "rollback.to" => {
                let step = args.get("step").and_then(Value::as_u64);
                Command::RollBack(
                    step.ok_or("rollback.to: needs the step of a checkpoint, such as `rollback.to 16384`")?,
                )
            }
            "knob.set" => {
                let (key, value) = (args.get("key").and_then(Value::as_str), args.get("value"));
                let (Some(key), Some(value)) = (key, value) else {
                    return Err(
                        "knob.set: needs a setting and its value, such as `knob.set train.entropy=0.02`"
                            .to_owned(),
                    );
                };
                let plain = |text: &str, more: &str| {
                    text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
                };
                if key.is_empty()
                    || !plain(key, "_.")
                    || value.as_str().is_some_and(|text| !plain(text, "_.+-"))
                {
                    return Err(format!(
                        "knob.set: `{key}={value}` is no setting and its value: letters, digits, _ and dots"
                    ));
                }
                Command::Knob { key: key.to_owned(), value: value.clone() }
            }
            "control.on" | "control.off" => Command::Control(cmd == "control.on"),
            "lumen.up" => {
                let mode = args.get("gate").cloned().map_or(Ok(Mode::Warn), Mode::deserialize);
                Command::Up(
                    mode.map_err(|_| "lumen.up: the gate is off, warn or act, such as `lumen.up gate=warn`")?,
                )
            }
            "lumen.down" => Command::Down,
            "pause" => Command::Pause,
            "continue" => Command::Continue,
            "stop" => Command::Stop,
            "give.up" => {
                let why = args.get("why").and_then(Value::as_str).filter(|why| !why.is_empty());
                Command::GiveUp(why.ok_or("give.up: needs a reason")?.to_owned())
            }
            _ => {
                let mut names: Vec<&str> =
                    ALL.iter().filter_map(|(typed, _)| typed.split(' ').next()).collect();
                names.sort_unstable();
                return Err(format!("unknown command `{cmd}`; known are {}", names.join(", ")));
            }
        };
        Ok(command)
    }

    /// Name and arguments of what was typed: `gain.scale 0.5`, `knob.set train.entropy=0.02`, `loop.set hz=4 batch=16`.
    ///
    /// # Errors
    /// As [`Command::parse`].
    pub fn typed(words: &[String]) -> Result<(String, Map<String, Value>), String> {
        let Some((cmd, words)) = words.split_first() else { return Err("no command was given".to_owned()) };
        let mut args = Map::new();
        for word in words {
            match (cmd.as_str(), word.split_once('=')) {
                ("knob.set", Some((key, value))) if !args.contains_key("key") => {
                    args.insert("key".to_owned(), key.into());
                    args.insert("value".to_owned(), valued(value));
                }
                ("give.up", _) if !args.contains_key("why") => {
                    args.insert("why".to_owned(), words.join(" ").into());
                }
                ("give.up", _) => {}
                ("gain.scale", None) => {
                    args.insert("factor".to_owned(), valued(word));
                }
                ("rollback.to", None) => {
                    args.insert("step".to_owned(), valued(word));
                }
                ("loop.set" | "lumen.up", Some((key, value))) if !args.contains_key(key) => {
                    args.insert(key.to_owned(), valued(value));
                }
                _ => return Err(format!("{cmd}: cannot take `{word}`")),
            }
        }
        Command::parse(cmd, &args)?;
        Ok((cmd.clone(), args))
    }
}

/// A typed value: a number, true, false or a list where it reads as one, else a word.
fn valued(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Result<Command, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (cmd, args) = Command::typed(&words)?;
        Command::parse(&cmd, &args)
    }

    #[test]
    fn commands_are_typed_as_they_are_listed() {
        assert_eq!(typed("gateway.lock"), Ok(Command::Lock));
        assert_eq!(typed("loop.set hz=4 batch=16"), Ok(Command::Loop { hz: Some(4), batch: Some(16) }));
        assert_eq!(typed("gain.scale 0.5"), Ok(Command::Gain(0.5)));
        assert_eq!(typed("rollback.to 16384"), Ok(Command::RollBack(16384)));
        let knob = |key: &str, value: Value| Ok(Command::Knob { key: key.to_owned(), value });
        assert_eq!(typed("knob.set train.entropy=0.02"), knob("train.entropy", 0.02.into()));
        assert_eq!(typed("knob.set control.enabled=true"), knob("control.enabled", true.into()));
        assert_eq!(typed("knob.set drift.schedule=storm"), knob("drift.schedule", "storm".into()));
        for (typed_as, _) in &ALL {
            let name = typed_as.split(' ').next().unwrap();
            let problem = typed(name).err().unwrap_or_default();
            assert!(!problem.contains("unknown command"), "{problem}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_told_with_what_can() {
        for (line, told) in [
            ("reboot", "known are checkpoint.now"),
            ("give.up", "needs a reason"),
            ("loop.set hz=9", "from 2 to 8"),
            ("loop.set batch=7", "from 8 to 64"),
            ("loop.set", "name hz, batch or both"),
            ("loop.set speed=3", "unknown argument `speed`"),
            ("gain.scale", "needs a factor"),
            ("gain.scale nan", "needs a factor"),
            ("gain.scale -1", "needs a factor"),
            ("rollback.to -5", "needs the step"),
            ("knob.set entropy", "cannot take"),
            ("knob.set a=1 b=2", "cannot take"),
            ("knob.set height\u{a0}=1", "is no setting"),
            ("knob.set a=0.01\n#", "is no setting"),
            ("loop.set hz=2 hz=3", "cannot take"),
            ("pause now", "cannot take"),
            ("lumen.up gate=loud", "off, warn or act"),
        ] {
            let problem = typed(line).unwrap_err();
            assert!(problem.contains(told), "{line}: {problem}");
        }
    }
}
