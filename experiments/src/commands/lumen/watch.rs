//! `lumen watch`: the windows of a run as they come; `lumen tail`: its events as they are.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use resonetics_lumen::event::{Event, FILE, Kind, Op};
use resonetics_lumen::follow::Follow;
use resonetics_runs::run_dir::ended;
use resonetics_runs::{Error, interrupt};

use crate::commands::context::Context;
use crate::out::{note, say};

/// How long it waits between two looks.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Run directory
    pub run: PathBuf,
    /// Also the windows of single lanes
    #[arg(long)]
    pub lanes: bool,
    /// Play a run that is over as if it were at work, so many windows a second
    #[arg(long, value_name = "RATE", num_args = 0..=1, require_equals = true, default_missing_value = "10", value_parser = rate)]
    pub replay: Option<f64>,
}

#[derive(Debug, Args)]
pub struct TailArgs {
    /// Run directory
    pub run: PathBuf,
    /// Go on while the run is at work
    #[arg(long)]
    pub follow: bool,
    /// What happened, in words: time of day (UTC), source, clock, and a level, a loss, a checkpoint or a rollback
    #[arg(long)]
    pub plain: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.01..=10_000.0).contains(rate));
    rate.ok_or_else(|| "allowed are numbers from 0.01 to 10000".to_owned())
}

pub fn run(args: &WatchArgs, context: Context) -> Result<(), Error> {
    if !context.quiet {
        say(format_args!(
            "source clock residual phase_diff entropy_rate creative_band risk_band level_of_window"
        ))?;
    }
    let pause = args.replay.map(|rate| Duration::from_secs_f64(1.0 / rate));
    follow(&args.run, true, &mut |_, event| {
        if let Some(text) = told(event, args.lanes) {
            say(format_args!("{text}"))?;
            pause.into_iter().for_each(sleep);
        }
        interrupt::check()
    })
}

pub fn tail(args: &TailArgs) -> Result<(), Error> {
    follow(&args.run, args.follow, &mut |line, event| {
        let text = if args.plain { happened(event) } else { Some(line.to_owned()) };
        text.map_or(Ok(()), |text| say(format_args!("{text}")))
    })
}

/// Hands each whole line of the run's log to `take`, and goes on as long as the run is at work if `go_on`.
fn follow(
    run: &Path,
    go_on: bool,
    take: &mut dyn FnMut(&str, &Event) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = run.join(FILE);
    if !path.exists() && ended(run).as_deref() != Some("running") {
        return Err(Error::Unknown(format!(
            "{} is not there: was the run watched (--lumen)?",
            path.display()
        )));
    }
    let mut follow = Follow::new(&path);
    loop {
        interrupt::check()?;
        // Whether it is at work is asked first: what it wrote last is read then.
        let at_work = go_on && ended(run).as_deref() == Some("running");
        let (anew, lines) = follow.lines()?;
        if anew {
            note(format_args!("the log was cut back or replaced; from its beginning:"));
        }
        for line in &lines {
            // Whoever reads this gets events and nothing else.
            match resonetics_lumen::store::event(line.as_bytes()) {
                Ok(event) => take(line, &event)?,
                Err(why) => note(format_args!(
                    "a line is no event ({why}): resonetics lumen validate {} says where",
                    path.display()
                )),
            }
        }
        if lines.is_empty() {
            if !at_work {
                return Ok(());
            }
            sleep(PAUSE);
        }
    }
}

/// What an event says that happened; none for a window, which is only what was seen.
fn happened(event: &Event) -> Option<String> {
    let (_, source) = event.entity_id.split_once('/')?;
    let memory = &event.memory_bridge;
    let what = match (event.event_type, memory.op) {
        (Kind::Observe, _) => return None,
        (Kind::Commit, Op::Upsert) if memory.key == "best" => "a new best checkpoint".to_owned(),
        (Kind::Commit, Op::Upsert) => format!("{} written", memory.key),
        (Kind::Commit, Op::Delete) => format!("{} deleted", memory.key),
        (Kind::Decide, _) => event.reason.clone().unwrap_or_else(|| "decided".to_owned()),
        (Kind::Rollback, _) => format!("went back: {}", event.reason.as_deref().unwrap_or("unknown")),
    };
    let time = event.ts.get(11..19).unwrap_or("-");
    Some(format!("{time} {source} {} {what}", event.trace.clock))
}

/// What is said of an event; none of a lane's, unless they are wanted, and of checkpoints.
fn told(event: &Event, lanes: bool) -> Option<String> {
    let (_, source) = event.entity_id.split_once('/')?;
    if source.contains('/') && !lanes {
        return None;
    }
    let clock = event.trace.clock;
    let signals = match (event.event_type, &event.signals) {
        (Kind::Observe, Some(signals)) => signals,
        (Kind::Decide | Kind::Rollback, _) => {
            return Some(format!("{source} {clock} {}", event.reason.as_deref().unwrap_or("decided")));
        }
        _ => return None,
    };
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let cells = [
        signals.residual,
        signals.phase_diff,
        signals.entropy_rate,
        signals.creative_band,
        signals.risk_band,
    ];
    let level = event.levels.and_then(|levels| levels.last).map_or("unknown", |level| level.name());
    Some(format!("{source} {clock} {} {level}", cells.map(cell).join(" ")))
}
