//! The drift experiment as a source: its rows are those of drift.csv, to the same digits.

use std::path::Path;

use resonetics_runs::error::{self, Error};
use resonetics_runs::training::Checkpoints;

use super::{About, MODES, Source, closed, run_name};
use crate::event::{Group, Kind};
use crate::log::{Full, Log};
use crate::signals::entropy::Transitions;
use crate::signals::level::Thresholds;
use crate::signals::phase::Phase;
use crate::signals::residual;
use crate::signals::window::{Row, Shape};

/// The columns that count, in this order.
pub const COLUMNS: [&str; 5] = ["step", "risk", "gap_R", "lr", "mode"];

/// The learning rate where nothing lowers it (RULES section 3.1).
pub const BASE_RATE: f64 = 0.01;

/// Turns rows of drift.csv into rows of windows, in their order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows {
    mode: Option<usize>,
}

impl Rows {
    /// The row of these cells of [`COLUMNS`], and its mode; none if the step is no number.
    pub fn next(&mut self, cells: [&str; 5]) -> Option<(Row, Option<&'static str>)> {
        let [step, risk, gap, rate, mode] = cells;
        let number = |text: &str| text.parse::<f64>().ok();
        let mode = MODES.iter().position(|name| *name == mode);
        let mut turns = Transitions::default();
        if let (Some(before), Some(now)) = (self.mode, mode) {
            turns.add(before, now);
        }
        self.mode = mode;
        let row = Row {
            // Its steps are counted from 0.
            clock: step.parse::<u64>().ok()? + 1,
            residual: number(gap).and_then(residual::drift),
            effort: number(rate).map(|rate| rate / BASE_RATE),
            own: None,
            risk: number(risk),
            turns,
        };
        Some((row, mode.map(|mode| MODES[mode])))
    }
}

/// Hands each row of the drift.csv at `path` to `take`.
///
/// # Errors
/// That it cannot be read.
pub fn read(
    path: &Path,
    rows: &mut Rows,
    mut take: impl FnMut(Row, Option<&'static str>),
) -> Result<(), Error> {
    let failed = |error: csv::Error| error::io("read", path)(error.into());
    let mut log = csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(failed)?;
    let header = log.headers().map_err(failed)?.clone();
    let places = COLUMNS.map(|name| header.iter().position(|column| column == name).unwrap_or(usize::MAX));
    for row in log.records() {
        let row = row.map_err(failed)?;
        if let Some((row, mode)) = rows.next(places.map(|at| row.get(at).unwrap_or_default())) {
            take(row, mode);
        }
    }
    Ok(())
}

/// Watches a drift experiment.
pub struct Watch {
    rows: Rows,
    source: Source,
    log: Log,
}

impl Watch {
    /// For the experiment in `dir`, behind so many steps, whose drift.csv and last checkpoint end there. `tell` is told what the user has to
    /// know.
    ///
    /// # Errors
    /// That its files cannot be read or begun.
    pub fn begin(
        dir: &Path,
        steps: u64,
        checkpoints: &Checkpoints,
        thresholds: Thresholds,
        tell: &dyn Fn(&str),
    ) -> Result<Watch, Error> {
        let about = About {
            entity: format!("{}/drift", run_name(dir)),
            group: Group::DesignCore,
            loop_id: "drift.target".to_owned(),
            shape: Shape::DRIFT,
            thresholds,
        };
        let mut source = Source::new(about, Phase::default());
        let (log, kept) = Log::resume(dir, steps, Full::Drop)?;
        if let Some(aside) = &kept.aside {
            tell(aside);
        }
        source.remember(&kept.events);
        let told = kept.events.iter().rfind(|event| event.event_type == Kind::Observe);
        let told = told.map_or(0, |event| event.trace.clock);
        let mut watch = Watch { rows: Rows::default(), source, log };
        if steps > 0 {
            watch.refill(&dir.join("drift.csv"), told)?;
            watch.source.checkpoints((steps, steps), checkpoints, &kept.events, &watch.log)?;
        }
        Ok(watch)
    }

    fn refill(&mut self, path: &Path, told: u64) -> Result<(), Error> {
        let Watch { rows, source, log } = self;
        read(path, rows, |row, mode| {
            if row.clock > told {
                source.row(row, mode, log);
            } else {
                source.refill(row, mode);
            }
        })
    }

    /// Takes in a row: its cells of [`COLUMNS`].
    pub fn row(&mut self, cells: [&str; 5]) {
        if let Some((row, mode)) = self.rows.next(cells) {
            self.source.row(row, mode, &self.log);
        }
    }

    /// A checkpoint was written behind so many steps, whose arrays have this SHA-256, and those of `removed` steps went.
    pub fn checkpoint(&mut self, steps: u64, sha256: &str, removed: &[u64]) {
        self.source.remember_value(steps, format!("checkpoint:{steps}"), Some(sha256), &self.log);
        for old in removed {
            self.source.remember_value(steps, format!("checkpoint:{old}"), None, &self.log);
        }
    }

    /// Waits until all is written, and tells what there was no room for.
    pub fn finish(self, tell: &dyn Fn(&str)) {
        closed(self.log, tell);
    }
}
