//! What signals were worth: for each signal of recorded runs its range, how often it is known, and how well it foretells
//! a loss.

mod recorded;

use resonetics_analysis::stats::roc::Roc;
use resonetics_analysis::stats::summary::quantile;

use crate::event::Signals;

pub use recorded::{Unit, recorded};

/// A window is near a loss if that comes within so many updates, generations or steps.
pub const WITHIN: u64 = 50;

/// What a signal was worth in the units of one source.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The source.
    pub source: String,
    /// Its units, and those of them that were lost.
    pub units: [usize; 2],
    /// The signal.
    pub signal: &'static str,
    /// Its windows up to the losses, and the share of them in which it was known.
    pub windows: usize,
    /// See [`Line::windows`].
    pub known: f64,
    /// Its least and greatest value; none where it never was known.
    pub range: Option<[f64; 2]>,
    /// The chance that it is worse in a window within [`WITHIN`] of a loss than in another: 0.5 is guessing. None
    /// where there are not both kinds.
    pub area: Option<f64>,
    /// Median over the units that were lost and in which it was ever worse than in 95% of the windows that are not
    /// near a loss: how long before the loss it first was.
    pub lead: Option<f64>,
}

/// A signal, its value in a window, and how bad that is, in `[0, 1]`.
type Signal = (&'static str, fn(&Signals) -> Option<f64>, fn(f64) -> f64);

/// The signals of the table. Of the first five it is said that they warn; harmony and coherence level are there for
/// what they were once taken for, which is good when high.
pub const SIGNALS: [Signal; 7] = [
    ("residual", |signals| signals.residual, |value| value),
    ("phase_diff", |signals| signals.phase_diff, |value| value.abs() / std::f64::consts::PI),
    ("entropy_rate", |signals| signals.entropy_rate, |value| value),
    ("creative_band", |signals| signals.creative_band, |value| 1.0 - value),
    ("risk_band", |signals| signals.risk_band, |value| value),
    ("harmony_index", |signals| signals.harmony_index, |value| 1.0 - value),
    ("coherence_level", |signals| signals.coherence_level, |value| 1.0 - value),
];

/// The lines of all sources in `units`, in the order in which they come.
pub fn lines(units: &[Unit]) -> Vec<Line> {
    let mut sources: Vec<&str> = Vec::new();
    for unit in units {
        if !sources.contains(&unit.source.as_str()) {
            sources.push(&unit.source);
        }
    }
    let mut lines = Vec::new();
    for source in sources {
        let of_it: Vec<&Unit> = units.iter().filter(|unit| unit.source == source).collect();
        lines.extend(SIGNALS.iter().map(|signal| line(source, &of_it, signal)));
    }
    lines
}

fn line(source: &str, units: &[&Unit], (name, value, bad): &Signal) -> Line {
    let (mut windows, mut known) = (0, 0);
    let mut range: Option<[f64; 2]> = None;
    let mut roc = Roc::default();
    let mut far = Vec::new();
    for unit in units {
        for (clock, signals) in unit.before_loss() {
            windows += 1;
            let Some(value) = value(signals) else { continue };
            known += 1;
            range = Some(range.map_or([value; 2], |[low, high]| [low.min(value), high.max(value)]));
            let near = unit.lost.is_some_and(|lost| lost - clock <= WITHIN);
            roc.add(bad(value), near);
            if !near {
                far.push(bad(value));
            }
        }
    }
    let threshold = quantile(&far, 0.95);
    let mut leads: Vec<f64> = Vec::new();
    if let Some(threshold) = threshold {
        for unit in units {
            let warned =
                |(_, signals): &&(u64, Signals)| value(signals).is_some_and(|value| bad(value) > threshold);
            let first = unit.before_loss().find(warned);
            leads.extend(first.zip(unit.lost).map(|(first, lost)| (lost - first.0) as f64));
        }
    }
    Line {
        source: source.to_owned(),
        units: [units.len(), units.iter().filter(|unit| unit.lost.is_some()).count()],
        signal: name,
        windows,
        known: if windows == 0 { 0.0 } else { f64::from(known) / windows as f64 },
        range,
        area: roc.area(),
        lead: quantile(&leads, 0.5),
    }
}

/// The lines as a table of Markdown.
pub fn markdown(lines: &[Line]) -> String {
    let cell = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    let mut text = String::from(
        "| source | units | lost | signal | windows | known | range | ROC area | median lead |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let range = line.range.map_or_else(|| "-".to_owned(), |[low, high]| format!("{low:.3} to {high:.3}"));
        text += &format!(
            "| {} | {} | {} | {} | {} | {:.0}% | {range} | {} | {} |\n",
            line.source,
            line.units[0],
            line.units[1],
            line.signal,
            line.windows,
            100.0 * line.known,
            cell(line.area, 3),
            cell(line.lead, 0)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(residuals: &[f64], lost: Option<u64>) -> Unit {
        let window = |(i, &residual): (usize, &f64)| {
            (25 * (i as u64 + 1), Signals { residual: Some(residual), ..Signals::default() })
        };
        Unit {
            source: "garden".to_owned(),
            windows: residuals.iter().enumerate().map(window).collect(),
            lost,
        }
    }

    /// Windows at 25, 50, ... 150; lost at 150: those from 100 on are near.
    #[test]
    fn a_signal_that_rises_before_each_loss_foretells_it() {
        let lost = unit(&[0.1, 0.2, 0.3, 0.7, 0.8, 0.9], Some(150));
        let held = unit(&[0.1, 0.2, 0.1, 0.2, 0.1, 0.2], None);
        let lines = lines(&[lost.clone(), held]);
        let residual = &lines[0];
        assert_eq!((residual.signal, residual.units, residual.windows), ("residual", [2, 1], 12));
        assert_eq!((residual.known, residual.range), (1.0, Some([0.1, 0.9])));
        assert_eq!(residual.area, Some(1.0));
        // The 95th percentile of the others lies between 0.2 and 0.3: it was above it first at 75.
        assert_eq!(residual.lead, Some(75.0));
        assert_eq!(
            (lines[1].signal, lines[1].known, lines[1].range, lines[1].area),
            ("phase_diff", 0.0, None, None)
        );
        // Nobody was lost: nothing is foretold.
        assert_eq!(super::lines(&[unit(&[0.5, 0.6], None)])[0].area, None);
        // What comes after the loss does not count.
        let after = unit(&[0.1, 0.2, 0.3, 0.7, 0.8, 0.9], Some(100));
        assert_eq!(super::lines(&[after])[0].range, Some([0.1, 0.7]));
    }

    #[test]
    fn a_signal_that_says_nothing_has_half_the_area() {
        let still = unit(&[0.5; 6], Some(150));
        assert_eq!(lines(&[still])[0].area, Some(0.5));
    }
}
