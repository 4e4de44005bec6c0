//! What the log of a garden says: did it live, and did risk, flow and verdict say so in time?

mod part;

pub use part::{DRAWN, part};

use std::collections::VecDeque;

use serde::Serialize;

use crate::read::episodes::Recipe;
use crate::read::garden::{Generation, read};
use crate::read::{GoOn, ReadError, Table};
use crate::stats::correlation::Correlation;
use crate::stats::roc::Roc;
use crate::thinned::Thinned;

/// A warning is about a loss at most so many generations ahead.
pub const AHEAD: u64 = 50;

/// Bins of the dirt in which the verdicts are counted.
const BINS: usize = 10;

/// The settings that a log is read with (RULES sections 2.2 and 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rules {
    /// Cells of the grid.
    pub cells: u64,
    /// The garden is lost when its mean dirt is at or above this ...
    pub lost_share: f64,
    /// ... for so many generations in a row.
    pub lost_generations: u64,
    /// The verdict is collapse from this risk on.
    pub collapse_risk: f64,
    /// Control goes into survival mode from this flow on.
    pub survival_flow: f64,
    /// Whether the risk also looks at how full the garden is, not at change alone.
    pub risk_sees_dirt: bool,
}

/// Half of the last decimal of `Total_Entropy` in a log, and of its risk and flow.
const ENTROPY_ROUNDED: f64 = 0.005;
const RISK_ROUNDED: f64 = 0.000_05;

/// What the garden itself told of its loss, in a file beside the log. The log rounds the dirt, so that counted
/// from it the same loss may be another generation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The generation; `None` if it was not lost.
    pub lost_at: Option<u64>,
}

impl Rules {
    /// From where on each of [`SIGNALS`] warns; verdicts are 0 (creative), 0.5 (bubble) and 1 (collapse).
    fn thresholds(&self) -> [f64; 4] {
        [self.collapse_risk, self.survival_flow, 0.5, DIRTY]
    }
}

/// Of more gardens than this the curve of the dirt keeps [`COARSE`] points.
const MANY: usize = 100;
const COARSE: usize = 128;

/// What could have warned, in the order of [`Garden::signals`].
pub const SIGNALS: [&str; 4] = ["risk", "flow", "verdict", "dirt"];

/// From this mean dirt on the dirt itself warns: what a look at the garden would say.
const DIRTY: f64 = 0.5;

/// What a signal said in the generations before the loss, of which there are [`AHEAD`] at most: a warning
/// that is further ahead, or comes with the loss, is none of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Signal {
    /// Whether the file has it at all.
    pub present: bool,
    /// The first of these generations at which it warned.
    pub first_warning: Option<u64>,
    /// How many generations before the loss that was, at least 1.
    pub lead: Option<u64>,
    /// At how many of these generations it warned.
    pub warned: u64,
    /// Generations that no loss followed within the next 50, and those of them at which it warned.
    pub quiet: u64,
    /// See `quiet`.
    pub in_vain: u64,
    /// Its area under the ROC curve for a loss within 50 generations.
    pub area: Option<f64>,
    /// The counts behind `area`.
    #[serde(skip)]
    pub roc: Roc,
}

/// What one log says.
#[derive(Clone, Debug, Serialize)]
pub struct Garden {
    /// What the report calls it.
    pub name: String,
    /// The runs that differ in nothing but the seed share this.
    pub group: String,
    /// Its seed, where that is known, and its number among the gardens of its run: those of one group with the same
    /// are copies of one.
    pub seed: Option<(String, Option<u32>)>,
    /// How its gardeners came about, where they were trained.
    pub recipe: Option<Recipe>,
    /// The settings it was read with.
    pub rules: Rules,
    /// Rows.
    pub generations: u64,
    /// The number of the first generation and of the last.
    pub from_to: [u64; 2],
    /// The generation at which it was lost, `None` if it was not.
    pub lost_at: Option<u64>,
    /// The earliest and the latest generation at which it may have been lost, `None` in the second place if
    /// it may have held, where the log's rounded numbers leave that open and nothing else tells.
    pub lost_between: Option<(u64, Option<u64>)>,
    /// The generation at which it was lost as it told itself, where the log does not have it.
    pub lost_elsewhere: Option<u64>,
    /// Whether the log begins in the middle of a life, with the garden full of dirt.
    pub full_from_the_start: bool,
    /// Generations with each verdict, in the order of [`VERDICTS`](crate::read::garden::VERDICTS).
    pub verdicts: [u64; 3],
    /// How often verdict i was followed by verdict j.
    pub transitions: [[u64; 3]; 3],
    /// Mean of the mean dirt of a cell over all generations, in [0, 1].
    pub dirt_mean: Option<f64>,
    /// The mean dirt at the end.
    pub dirt_end: Option<f64>,
    /// Pearson's correlation of risk and dirt.
    pub risk_dirt_correlation: Option<f64>,
    /// Generations at or above the dirt at which a garden is lost, and those of them that read creative.
    pub saturated: u64,
    /// See `saturated`.
    pub saturated_creative: u64,
    /// Numbers that are NaN or infinite, left out of what needs them.
    pub not_finite: u64,
    /// In the order of [`SIGNALS`].
    pub signals: [Signal; 4],
    /// Generations with each verdict in each tenth of the dirt.
    pub verdicts_by_dirt: [[u64; 3]; BINS],
    #[serde(skip)]
    dirt: Thinned,
    #[serde(skip)]
    risk: Thinned,
    #[serde(skip)]
    flow: Thinned,
    /// Whether it read each verdict, 1 or 0.
    #[serde(skip)]
    verdict: [Thinned; 3],
}

impl Garden {
    /// Reads `table`, a [`Kind::Garden`](crate::read::Kind::Garden); any number of generations in the same
    /// memory. `told` is what the garden itself says of its loss, where that is known.
    ///
    /// # Errors
    /// As [`read`]; also that there is more dirt than `rules.cells` can hold.
    pub fn read(
        table: &mut Table,
        name: &str,
        group: &str,
        rules: Rules,
        told: Option<Told>,
        go_on: GoOn<'_>,
    ) -> Result<Garden, ReadError> {
        let mut reading = Reading::new(name, group, rules, told);
        let entropy = table.column("Total_Entropy").unwrap_or_default();
        read(table, go_on, |row, generation| {
            // The log has two decimals: a full garden may be rounded up.
            if generation.total_entropy.is_finite() && generation.total_entropy > rules.cells as f64 + 0.01 {
                let allowed = format!(
                    "at most {0}, the dirt that {0} cells can hold; the number is taken from the config.toml next to the file or, if there is none, from --cells",
                    rules.cells
                );
                return Err(row.refused(entropy, &allowed));
            }
            reading.add(&generation);
            Ok(())
        })?;
        Ok(reading.finish())
    }

    /// Leaves of its curves what is drawn of a garden that is one of `count` and has no figure of its own.
    #[must_use]
    pub fn bounded(mut self, count: usize) -> Garden {
        if count > MANY {
            self.dirt.coarsen(COARSE);
        }
        (self.risk, self.flow, self.verdict) = Default::default();
        self
    }

    /// How long it lived, in generations: until the loss or the end of the log.
    pub fn lifetime(&self) -> u64 {
        self.lost_at.unwrap_or(self.generations)
    }

    /// Share of the generations with verdict `verdict`.
    pub fn share(&self, verdict: usize) -> f64 {
        self.verdicts[verdict] as f64 / self.generations as f64
    }
}

/// A garden of which the rest is still to come.
struct Reading {
    garden: Garden,
    told: Option<Told>,
    /// Generations at or above the dirt of a loss, in a row until now: as the log has it, and if its rounding
    /// hid all that it can, and nothing.
    in_a_row: [u64; 3],
    /// The first generation with so many in a row, of each.
    lost: [Option<u64>; 3],
    /// Scores of generations of which it is not known yet whether the loss is near.
    pending: VecDeque<[Option<f64>; 4]>,
    last_verdict: Option<usize>,
    correlation: Correlation,
    dirt_sum: f64,
    dirt_rows: u64,
}

impl Reading {
    fn new(name: &str, group: &str, rules: Rules, told: Option<Told>) -> Reading {
        let garden = Garden {
            name: name.to_owned(),
            group: group.to_owned(),
            seed: None,
            recipe: None,
            rules,
            generations: 0,
            from_to: [0; 2],
            lost_at: None,
            lost_between: None,
            lost_elsewhere: None,
            full_from_the_start: false,
            verdicts: [0; 3],
            transitions: [[0; 3]; 3],
            dirt_mean: None,
            dirt_end: None,
            risk_dirt_correlation: None,
            saturated: 0,
            saturated_creative: 0,
            not_finite: 0,
            signals: Default::default(),
            verdicts_by_dirt: [[0; 3]; BINS],
            dirt: Thinned::default(),
            risk: Thinned::default(),
            flow: Thinned::default(),
            verdict: Default::default(),
        };
        Reading {
            garden,
            told,
            in_a_row: [0; 3],
            lost: [None; 3],
            pending: VecDeque::new(),
            last_verdict: None,
            correlation: Correlation::default(),
            dirt_sum: 0.0,
            dirt_rows: 0,
        }
    }

    fn add(&mut self, row: &Generation) {
        let finite = |value: f64| value.is_finite().then_some(value);
        let garden = &mut self.garden;
        let (risk, flow) = (finite(row.collapse_risk), row.flow.and_then(finite));
        let dirt = finite(row.total_entropy).map(|entropy| entropy / garden.rules.cells as f64);
        garden.not_finite += row.not_finite().count() as u64;
        if garden.generations == 0 {
            garden.from_to[0] = row.generation;
        }
        garden.from_to[1] = row.generation;
        garden.generations += 1;
        garden.verdicts[row.verdict] += 1;
        if let Some(before) = self.last_verdict.replace(row.verdict) {
            garden.transitions[before][row.verdict] += 1;
        }
        let x = row.generation as f64;
        garden.dirt.add(x, dirt.unwrap_or(f64::NAN));
        garden.risk.add(x, risk.unwrap_or(f64::NAN));
        if row.flow.is_some() {
            garden.flow.add(x, flow.unwrap_or(f64::NAN));
        }
        for (verdict, thinned) in garden.verdict.iter_mut().enumerate() {
            thinned.add(x, f64::from(u8::from(verdict == row.verdict)));
        }
        let saturated = dirt.is_some_and(|dirt| dirt >= garden.rules.lost_share);
        if let Some(dirt) = dirt {
            garden.dirt_end = Some(dirt);
            self.dirt_sum += dirt;
            self.dirt_rows += 1;
            garden.verdicts_by_dirt[((dirt * BINS as f64) as usize).min(BINS - 1)][row.verdict] += 1;
            if let Some(risk) = risk {
                self.correlation.add(risk, dirt);
            }
        }
        garden.saturated += u64::from(saturated);
        garden.saturated_creative += u64::from(saturated && row.verdict == 0);
        garden.full_from_the_start |= garden.generations == 1 && row.generation > 1 && saturated;
        // A risk that is rounded to its threshold may be below it: the verdict, which is not rounded, tells.
        let collapse = garden.rules.collapse_risk;
        let risk = match risk {
            Some(risk) if (risk - collapse).abs() <= RISK_ROUNDED && row.verdict != 2 => {
                Some(risk.min(collapse - RISK_ROUNDED))
            }
            risk => risk,
        };
        self.count_in_a_row(row);
        if self.garden.lost_at.is_none() {
            self.before_the_loss(row, [risk, flow, Some(row.verdict as f64 / 2.0), dirt]);
        }
    }

    fn count_in_a_row(&mut self, row: &Generation) {
        let Rules { cells, lost_share, lost_generations, .. } = self.garden.rules;
        let (dirt, least) = (row.total_entropy, lost_share * cells as f64);
        let full = [
            dirt / cells as f64 >= lost_share,
            dirt > least - ENTROPY_ROUNDED,
            dirt >= least + ENTROPY_ROUNDED,
        ];
        for ((in_a_row, lost), full) in self.in_a_row.iter_mut().zip(&mut self.lost).zip(full) {
            *in_a_row = if full { *in_a_row + 1 } else { 0 };
            if *in_a_row == lost_generations {
                lost.get_or_insert(row.generation);
            }
        }
    }

    fn before_the_loss(&mut self, row: &Generation, scores: [Option<f64>; 4]) {
        let garden = &mut self.garden;
        for (signal, score) in garden.signals.iter_mut().zip(scores) {
            signal.present |= score.is_some();
        }
        let lost_at = self.told.map_or(self.lost[0], |told| told.lost_at);
        if lost_at == Some(row.generation) {
            garden.lost_at = lost_at;
            self.warnings(row.generation);
            self.settle(0, true);
            return;
        }
        self.pending.push_back(scores);
        self.settle(AHEAD as usize, false);
    }

    /// What warned in the generations before `lost`, all of which are pending.
    fn warnings(&mut self, lost: u64) {
        let thresholds = self.garden.rules.thresholds();
        for (lead, scores) in (1..).zip(self.pending.iter().rev()) {
            for ((signal, score), threshold) in self.garden.signals.iter_mut().zip(scores).zip(thresholds) {
                if score.is_some_and(|score| score >= threshold) {
                    signal.warned += 1;
                    signal.lead = Some(lead);
                    signal.first_warning = Some(lost - lead);
                }
            }
        }
    }

    /// Counts what is pending, but for the last `keep` generations.
    fn settle(&mut self, keep: usize, positive: bool) {
        while self.pending.len() > keep {
            let scores = self.pending.pop_front().unwrap_or_default();
            let thresholds = self.garden.rules.thresholds();
            for ((signal, score), threshold) in self.garden.signals.iter_mut().zip(scores).zip(thresholds) {
                if let Some(score) = score {
                    signal.roc.add(score, positive);
                    signal.quiet += u64::from(!positive);
                    signal.in_vain += u64::from(!positive && score >= threshold);
                }
            }
        }
    }

    /// Of the last generations of a garden that was not lost nobody knows what followed: they count for
    /// nothing.
    fn finish(self) -> Garden {
        let mut garden = self.garden;
        garden.dirt_mean = (self.dirt_rows > 0).then(|| self.dirt_sum / self.dirt_rows as f64);
        garden.risk_dirt_correlation = self.correlation.value();
        for signal in &mut garden.signals {
            signal.area = signal.roc.area();
        }
        garden.lost_elsewhere = self.told.and_then(|told| told.lost_at).filter(|_| garden.lost_at.is_none());
        if let [_, Some(earliest), latest] = self.lost
            && self.told.is_none()
            && latest != Some(earliest)
        {
            garden.lost_between = Some((earliest, latest));
        }
        garden
    }
}

#[cfg(test)]
mod tests;
