//! What a log of events tells of its run: where it was last, how near to the loss, what happened.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::event::{self, Event, Kind, Level};
use crate::resonance::timing::seconds_of;
use crate::serve::live;
use crate::signals::level::Steady;
use crate::store;

/// Bytes of a log that are read, from its end back: a hundred thousand windows or so.
pub(crate) const MOST_BYTES: u64 = 64 << 20;
/// How much of what happened is kept, the last of it.
const HAPPENED: usize = 8;

/// What a log tells. What is not known is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// When the last event was made, in seconds since 1970.
    pub at: Option<f64>,
    /// The run's own clock at its last event: updates, generations or steps.
    pub clock: Option<u64>,
    /// The source with the worst level that holds, and of these the largest residual, such as an agent of a benchmark.
    pub source: Option<String>,
    /// Its level.
    pub level: Option<Level>,
    /// The residual of its last window, in `[0, 1]`.
    pub residual: Option<f64>,
    /// How many units were lost; not known of a log that was read in part.
    pub lost: Option<u64>,
    /// What happened last, the oldest first: levels, losses, modes, rollbacks.
    pub happened: Vec<Happened>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Happened {
    /// The run's own clock then.
    pub clock: u64,
    /// Where, without the run's name.
    pub source: String,
    /// What.
    pub what: String,
}

impl Told {
    /// What the log of the run in `folder` tells, from its end 64 MiB back; nothing where there is none.
    pub fn read(folder: &Path) -> Told {
        live::tail(&folder.join(event::FILE), MOST_BYTES).map(|text| Told::of(&text)).unwrap_or_default()
    }

    /// Of a log from its end back to there. What is no event is passed over, such as a line that is cut.
    fn of(text: &str) -> Told {
        // Of a part of a log it is not known what was lost before.
        let whole = (text.len() as u64) < MOST_BYTES;
        let mut told = Told { lost: whole.then_some(0), ..Told::default() };
        let mut sources: Vec<(String, Steady, Option<f64>)> = Vec::new();
        let mut last = None;
        for event in text.lines().filter_map(|line| store::event(line.as_bytes()).ok()) {
            told.clock = Some(event.trace.clock);
            told.lost = told.lost.map(|lost| lost + u64::from(event.reason.as_deref() == Some("lost")));
            told.happened.extend(Happened::of(&event));
            if told.happened.len() > HAPPENED {
                told.happened.remove(0);
            }
            last = Some(event.ts);
            let source = event.entity_id.split_once('/').map_or("", |(_, source)| source);
            let (Kind::Observe, Some(levels), false) = (event.event_type, event.levels, source.contains('/'))
            else {
                continue;
            };
            let at = sources.iter().position(|(name, ..)| name == source).unwrap_or_else(|| {
                sources.push((source.to_owned(), Steady::default(), None));
                sources.len() - 1
            });
            sources[at].1.window(levels.last);
            sources[at].2 = event.signals.and_then(|signals| signals.residual);
        }
        told.at = last.and_then(|ts| seconds_of(&ts));
        let known = |residual: &Option<f64>| residual.unwrap_or(-1.0);
        let worst = sources
            .into_iter()
            .max_by(|(_, a, r), (_, b, s)| a.level().cmp(&b.level()).then(known(r).total_cmp(&known(s))));
        if let Some((source, steady, residual)) = worst {
            (told.source, told.level, told.residual) = (Some(source), steady.level(), residual);
        }
        told
    }
}

impl Happened {
    /// None of a window, which is only what was seen, and of checkpoints, which are files.
    fn of(event: &Event) -> Option<Happened> {
        let what = match event.event_type {
            Kind::Observe | Kind::Commit => return None,
            Kind::Decide => event.reason.clone().unwrap_or_else(|| "decided".to_owned()),
            Kind::Rollback => format!("went back: {}", event.reason.as_deref().unwrap_or("unknown")),
        };
        let (_, source) = event.entity_id.split_once('/')?;
        Some(Happened { clock: event.trace.clock, source: source.to_owned(), what })
    }
}
