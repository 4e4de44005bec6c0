//! `resonetics_data.csv`: its rows as they are written and read (RULES section 2.3).

use serde::Serialize;

use super::{GoOn, ReadError, Row, Table};

/// The columns. Files from elsewhere may lack Flow.
pub const COLUMNS: [&str; 12] = [
    "Gen",
    "Population",
    "Avg_Energy",
    "Total_Entropy",
    "Emergency_Moves",
    "Isolation_Saves",
    "Entropy_Gradient",
    "Population_Volatility",
    "Emergency_Ratio",
    "Collapse_Risk",
    "Flow",
    "Verdict",
];

/// The verdicts, from the best.
pub const VERDICTS: [&str; 3] = ["creative", "bubble", "collapse"];

/// One generation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Generation {
    /// From 1.
    pub generation: u64,
    /// Gardeners.
    pub population: u64,
    /// Mean energy of a gardener.
    pub avg_energy: f64,
    /// Sum of the dirt of all cells.
    pub total_entropy: f64,
    /// Emergency moves in this generation.
    pub emergency_moves: u64,
    /// Rescues of the whole run so far.
    pub isolation_saves: u64,
    /// Change of the total entropy.
    pub entropy_gradient: f64,
    /// Change of the population, without sign.
    pub population_volatility: u64,
    /// Emergency moves a gardener.
    pub emergency_ratio: f64,
    /// In [0, 1].
    pub collapse_risk: f64,
    /// In [0, 1]; `None` in files without the column.
    pub flow: Option<f64>,
    /// Index into [`VERDICTS`].
    pub verdict: usize,
}

impl Generation {
    /// The cells of its row, in the order of [`COLUMNS`], Flow left out where there is none.
    pub fn cells(&self) -> Vec<String> {
        let cells = [
            Some(self.generation.to_string()),
            Some(self.population.to_string()),
            Some(format!("{:.2}", self.avg_energy)),
            Some(format!("{:.2}", self.total_entropy)),
            Some(self.emergency_moves.to_string()),
            Some(self.isolation_saves.to_string()),
            Some(format!("{:.3}", self.entropy_gradient)),
            Some(self.population_volatility.to_string()),
            Some(format!("{:.4}", self.emergency_ratio)),
            Some(format!("{:.4}", self.collapse_risk)),
            self.flow.map(|flow| format!("{flow:.4}")),
            Some(VERDICTS[self.verdict].to_owned()),
        ];
        cells.into_iter().flatten().collect()
    }

    /// The columns that hold NaN or an infinity.
    pub fn not_finite(&self) -> impl Iterator<Item = &'static str> {
        let numbers = [
            (COLUMNS[2], Some(self.avg_energy)),
            (COLUMNS[3], Some(self.total_entropy)),
            (COLUMNS[6], Some(self.entropy_gradient)),
            (COLUMNS[8], Some(self.emergency_ratio)),
            (COLUMNS[9], Some(self.collapse_risk)),
            (COLUMNS[10], self.flow),
        ];
        numbers
            .into_iter()
            .filter(|(_, value)| value.is_some_and(|value| !value.is_finite()))
            .map(|(name, _)| name)
    }
}

/// The columns of files with Flow and of those without.
pub(super) fn columns(flow: bool) -> Vec<&'static str> {
    COLUMNS.into_iter().filter(|&column| flow || column != "Flow").collect()
}

/// Hands every generation of `table`, a [`Kind::Garden`](super::Kind::Garden), to `take`, with the row that it comes from.
///
/// NaN and infinities are handed over, and noted. A last line that was cut is passed over; one that only
/// lacks its line end is not.
///
/// # Errors
/// [`ReadError`], also that there is no row, that a generation does not follow the one before, that
/// risk or flow are outside [0, 1], that there is less dirt than none, and what `take` refuses.
pub fn read(
    table: &mut Table,
    go_on: GoOn<'_>,
    mut take: impl FnMut(&Row<'_>, Generation) -> Result<(), ReadError>,
) -> Result<u64, ReadError> {
    let flow = table.column("Flow");
    let verdict = table.header().len() - 1;
    let mut last: Option<u64> = None;
    let (mut rows, mut not_finite) = (0_u64, 0_u64);
    let mut first_not_finite = None;
    while let Some(row) = table.row()? {
        if row.is_cut(&[verdict], &VERDICTS) {
            table.pass_over();
            break;
        }
        // NaN and infinities pass: they are no numbers, rather than wrong ones.
        let within = |column: usize, most: f64, allowed: &str| {
            let value = row.number(column)?;
            if value.is_finite() && !(0.0..=most).contains(&value) {
                return Err(row.refused(column, allowed));
            }
            Ok(value)
        };
        let share = |column: usize| within(column, 1.0, "numbers from 0 to 1");
        let generation = Generation {
            generation: row.whole(0)?,
            population: row.whole(1)?,
            avg_energy: row.number(2)?,
            total_entropy: within(3, f64::INFINITY, "numbers from 0 on")?,
            emergency_moves: row.whole(4)?,
            isolation_saves: row.whole(5)?,
            entropy_gradient: row.number(6)?,
            population_volatility: row.whole(7)?,
            emergency_ratio: row.number(8)?,
            collapse_risk: share(9)?,
            flow: flow.map(share).transpose()?,
            verdict: row.word(verdict, &VERDICTS)?,
        };
        if last.is_some_and(|last| Some(generation.generation) != last.checked_add(1)) {
            let allowed = format!("{}, the generation after the previous one", last.unwrap_or_default() + 1);
            return Err(row.refused(0, &allowed));
        }
        last = Some(generation.generation);
        rows += 1;
        for name in generation.not_finite() {
            not_finite += 1;
            first_not_finite.get_or_insert((row.line(), name));
        }
        take(&row, generation)?;
        if rows.is_multiple_of(4096) && !go_on() {
            return Err(ReadError::Stopped);
        }
    }
    if rows == 0 {
        return Err(table.without_rows("generation"));
    }
    if let Some((line, name)) = first_not_finite {
        let more =
            if not_finite > 1 { format!(", the first of {not_finite} such cells") } else { String::new() };
        table.note(line, &format!("column `{name}` is NaN or infinite{more}; left out of what needs it"));
    }
    Ok(rows)
}
