//! `training.csv` and `drift.csv`: numbers over steps.

use super::{GoOn, ReadError, Table};
use crate::thinned::Thinned;

/// The columns of a training that are read, steps first.
pub(super) const TRAINING: [&str; 10] = [
    "steps",
    "return_mean",
    "greedy_return",
    "learning_rate",
    "loss",
    "value_loss",
    "entropy",
    "approx_kl",
    "explained_variance",
    "rollbacks",
];

/// The mean return of the last episodes.
const RETURN: &str = TRAINING[1];

/// The columns of a drift that are read, steps first.
pub(super) const DRIFT: [&str; 6] = ["step", "smoothed_risk", "lr", "gap_R", "kernel", "flow"];

/// Columns that a training may have: the number of the episode, the mean length of those behind `return_mean`,
/// and the return of episodes on seeds of their own with the actions as they are drawn.
const EPISODES: &str = "episodes";
const LENGTHS: &str = "length_mean";
/// The column of a training with the mean return of episodes on seeds of their own, with actions as they are drawn.
pub const SAMPLED: &str = "sampled_return";

/// The column that a drift may have: what was to be followed.
pub const TARGET: &str = "target";

/// Episodes behind a mean return, once so many have ended.
const BEHIND: f64 = 100.0;

/// How a training makes its episodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episodes {
    /// Environments side by side.
    pub side_by_side: f64,
    /// Steps after which an episode ends at the latest.
    pub longest: f64,
}

impl Episodes {
    /// Whether the mean of the last episodes of the `ended` ones, `length` steps long on average, is no longer
    /// one of those that were lost early, which end first: two whole episodes must fit into the time, and it
    /// is of a hundred, or most of them are long. Where most live to the time limit they end in waves, and
    /// nearly two must fit into what the mean is of.
    ///
    /// In simulated trainings that learn nothing, of 4 and 16 environments, means that pass are off by 0.1 at
    /// most, where returns have a standard deviation of 7 to 8; those of the first rows by 5 to 15.
    fn settled(self, steps: f64, ended: f64, length: f64) -> bool {
        let Episodes { side_by_side, longest } = self;
        let (count, whole) = (ended.min(BEHIND), longest * side_by_side);
        let in_waves = steps > 0.5 * longest * ended;
        steps >= 2.0 * whole
            && (count * length >= 1.75 * whole || !in_waves)
            && (count >= BEHIND || length >= 0.9 * longest)
    }
}

/// What a log says of one column.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// Its name in the header.
    pub name: &'static str,
    /// Its values over the steps, thinned.
    pub curve: Thinned,
    /// The first and the last finite value, and the steps at which they stand.
    pub first: Option<(f64, f64)>,
    /// See `first`.
    pub last: Option<(f64, f64)>,
    /// The highest finite value, and the steps at which it stands first.
    pub highest: Option<(f64, f64)>,
    /// Cells that hold NaN or an infinity, and the line of the first.
    pub not_finite: Option<(u64, u64)>,
}

/// A log, column by column.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Rows.
    pub rows: u64,
    /// Steps of the last row.
    pub steps: f64,
    /// All columns but the steps.
    pub columns: Vec<Column>,
    /// Whether the file tells how many episodes had ended, so that a mean return of the first of them, which
    /// are the short ones, can be left out.
    pub counts_episodes: bool,
    /// Mean returns that were left out for that.
    pub biased: u64,
    /// How many episodes had ended at the first mean return that was kept, and at the last.
    pub ended: Option<(f64, f64)>,
    /// How the training made them, where that is known.
    pub episodes: Option<Episodes>,
}

impl Log {
    /// The column called `name`, if the log has it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// How many episodes the first mean return is of, and the last.
    pub fn behind(&self) -> Option<(f64, f64)> {
        self.ended.map(|(first, last)| (first.min(BEHIND), last.min(BEHIND)))
    }

    /// Whether the last mean return has enough that is not in the first: half as many episodes, and the time
    /// of a whole one. Otherwise a few that were lost early make all of the difference.
    pub fn moved_on(&self) -> bool {
        let Some((first, last)) = self.ended else { return true };
        let steps = self.column(RETURN).and_then(|column| Some(column.last?.0 - column.first?.0));
        let whole = self.episodes.map_or(0.0, |episodes| episodes.longest * episodes.side_by_side);
        last - first >= 0.5 * first.min(BEHIND) && steps.is_some_and(|steps| steps >= whole)
    }
}

/// Reads `table`, a [`Kind::Training`](super::Kind::Training) or [`Kind::Drift`](super::Kind::Drift).
/// An empty cell says that there was no value; it is no point of the curve, nor is a mean return of the
/// episodes that ended first. `episodes` says how a training made them, where that is known.
///
/// # Errors
/// [`ReadError`], also for a file without rows and for steps that do not grow.
pub fn read(table: &mut Table, episodes: Option<Episodes>, go_on: GoOn<'_>) -> Result<Log, ReadError> {
    let training = table.column(TRAINING[0]).is_some();
    let names: &[&'static str] = if training { &TRAINING } else { &DRIFT };
    let maybe = if training { SAMPLED } else { TARGET };
    let maybe = table.column(maybe).map(|place| (maybe, place));
    let required = names.iter().map(|&name| (name, table.column(name).unwrap_or_default()));
    let (names, places): (Vec<_>, Vec<_>) = required.chain(maybe).unzip();
    let columns = names[1..].iter().map(|&name| Column { name, ..Column::default() }).collect();
    // A training that measures the policy by itself also takes its mean over whole episodes.
    let counts = if training && maybe.is_none() { table.column(EPISODES) } else { None };
    let lengths = counts.and_then(|_| table.column(LENGTHS));
    let mut log = Log { columns, counts_episodes: counts.is_some(), episodes, ..Log::default() };
    let mut cut = None;
    while let Some(row) = table.row()? {
        if row.is_cut(&places[..1], &[]) {
            table.pass_over();
            break;
        }
        let steps = row.whole(places[0])? as f64;
        if log.rows > 0 && steps <= log.steps {
            return Err(
                row.refused(places[0], &format!("more than {}, the steps of the row before", log.steps))
            );
        }
        let ended = match counts.filter(|&counts| !row.may_be_cut(counts)) {
            Some(counts) => {
                let length = lengths.map_or(Ok(None), |lengths| row.maybe(lengths))?;
                row.maybe(counts)?.map(|ended| is_settled(steps, ended, length, episodes).then_some(ended))
            }
            None => None,
        };
        for (column, &place) in log.columns.iter_mut().zip(&places[1..]) {
            if row.may_be_cut(place) {
                cut = Some(row.line());
            } else if let Some(value) = row.maybe(place)? {
                if column.name == RETURN && ended == Some(None) {
                    log.biased += 1;
                    continue;
                }
                column.add(steps, value, row.line());
                if let Some(count) = ended.flatten().filter(|_| column.name == RETURN) {
                    log.ended = Some((log.ended.map_or(count, |(first, _)| first), count));
                }
            }
        }
        log.steps = steps;
        log.rows += 1;
        if log.rows.is_multiple_of(4096) && !go_on() {
            return Err(ReadError::Stopped);
        }
    }
    if log.rows == 0 {
        return Err(table.without_rows("row"));
    }
    if let Some(line) = cut {
        table.note(
            line,
            "the last line has no end, so its last number may have lost digits; that number is left out",
        );
    }
    Ok(log)
}

/// Whether a mean return is no longer one of the short episodes when `ended` have ended until `steps`; `length`
/// is the mean length of those that it is of.
fn is_settled(steps: f64, ended: f64, length: Option<f64>, episodes: Option<Episodes>) -> bool {
    match (episodes, length) {
        (Some(episodes), Some(length)) => episodes.settled(steps, ended, length),
        _ => ended >= BEHIND,
    }
}

impl Column {
    fn add(&mut self, steps: f64, value: f64, line: u64) {
        self.curve.add(steps, value);
        if !value.is_finite() {
            self.not_finite.get_or_insert((line, 0)).1 += 1;
            return;
        }
        self.first.get_or_insert((steps, value));
        self.last = Some((steps, value));
        if self.highest.is_none_or(|(_, highest)| value > highest) {
            self.highest = Some((steps, value));
        }
    }
}
