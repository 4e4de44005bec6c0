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

/// The columns of a drift that are read, steps first.
pub(super) const DRIFT: [&str; 6] = ["step", "smoothed_risk", "lr", "gap_R", "kernel", "flow"];

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
}

impl Log {
    /// The column called `name`, if the log has it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Reads `table`, a [`Kind::Training`](super::Kind::Training) or [`Kind::Drift`](super::Kind::Drift).
/// An empty cell says that there was no value; it is no point of the curve.
///
/// # Errors
/// [`ReadError`], also for a file without rows and for steps that do not grow.
pub fn read(table: &mut Table, go_on: GoOn<'_>) -> Result<Log, ReadError> {
    let names: &[&'static str] = if table.column(TRAINING[0]).is_some() { &TRAINING } else { &DRIFT };
    let places: Vec<usize> = names.iter().map(|name| table.column(name).unwrap_or_default()).collect();
    let columns = names[1..].iter().map(|&name| Column { name, ..Column::default() }).collect();
    let mut log = Log { columns, ..Log::default() };
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
        for (column, &place) in log.columns.iter_mut().zip(&places[1..]) {
            if row.may_be_cut(place) {
                cut = Some(row.line());
            } else if let Some(value) = row.maybe(place)? {
                column.add(steps, value, row.line());
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
