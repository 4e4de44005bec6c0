//! Figures of more curves or estimates than can be told apart.

use std::collections::HashSet;

use super::{Curve, Estimate};

/// Names of curves that a figure tells apart; of more it names three.
pub const CURVES: usize = 12;

/// Curves that are thin and grey at most, and points of each.
const GREY: usize = 100;
const GREY_POINTS: usize = 64;

/// Estimates at most: these of the best, the median, and these of the worst.
const ESTIMATES: usize = 12;
const AT_AN_END: usize = 5;

/// Of curves with these `ranks`, the higher the better, those that a figure of many shows: the best, the
/// median and the worst with a name, and others without, which are drawn thin and grey; and what the
/// caption says of that, `by` being what they are ranked by. `curve` makes the one at an index, with a band
/// where it says so.
pub fn picked(
    ranks: &[Option<f64>],
    by: &str,
    mut curve: impl FnMut(usize, bool) -> Option<Curve>,
) -> (Vec<Curve>, String) {
    let ranked = ranked(ranks);
    let last = ranked.len().saturating_sub(1);
    let mut named: Vec<(usize, &str)> = Vec::new();
    for (place, word) in [(0, "best"), (last / 2, "median"), (last, "worst")] {
        if let Some(&index) = ranked.get(place)
            && named.iter().all(|(known, _)| *known != index)
        {
            named.push((index, word));
        }
    }
    let is_named: HashSet<usize> = named.iter().map(|(index, _)| *index).collect();
    // By rank, so that those shown are spread as all are; those without a rank behind them.
    let unranked = (0..ranks.len()).filter(|&index| rank(ranks[index]).is_none());
    let others: Vec<usize> =
        ranked.iter().copied().chain(unranked).filter(|index| !is_named.contains(index)).collect();
    let shown = others.len().min(GREY);
    let grey = (0..shown).map(|place| others[place * others.len() / shown]);
    let mut curves: Vec<Curve> = Vec::new();
    for index in grey {
        curves.extend(curve(index, false).map(|curve| Curve {
            name: String::new(),
            points: coarse(&curve.points),
            band: Vec::new(),
        }));
    }
    for (index, word) in named {
        let named = curve(index, true);
        curves.extend(named.map(|curve| Curve { name: format!("{} ({word})", curve.name), ..curve }));
    }
    let those = if shown < others.len() {
        format!("{shown} of the others, evenly by rank, are")
    } else {
        "the others are".to_owned()
    };
    let note = format!(
        " Of {} curves the best, the median and the worst, by {by}, are named; {those} thin and grey. The table has all of them.",
        ranks.len()
    );
    (curves, note)
}

/// Of `estimates` those that a figure shows, the best first where there are too many, and what the caption
/// says of that.
pub fn picked_estimates(estimates: Vec<Estimate>) -> (Vec<Estimate>, String) {
    let count = estimates.len();
    if count <= ESTIMATES {
        return (estimates, String::new());
    }
    let values: Vec<Option<f64>> = estimates.iter().map(|estimate| Some(estimate.value)).collect();
    let ranked = ranked(&values);
    let places = (0..AT_AN_END).chain([(count - 1) / 2]).chain(count - AT_AN_END..count);
    let shown = places.filter_map(|place| estimates.get(*ranked.get(place)?).cloned()).collect();
    (
        shown,
        format!(
            " Of {count} these are the {AT_AN_END} best, the median and the {AT_AN_END} worst; the table has all of them."
        ),
    )
}

fn rank(rank: Option<f64>) -> Option<f64> {
    rank.filter(|rank| rank.is_finite())
}

/// The places of those that have a rank, the best first.
fn ranked(ranks: &[Option<f64>]) -> Vec<usize> {
    let mut ranked: Vec<(usize, f64)> =
        ranks.iter().enumerate().filter_map(|(index, &value)| Some((index, rank(value)?))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.into_iter().map(|(index, _)| index).collect()
}

/// A curve of so few points that a hundred of them fit a figure: the means of neighbours.
fn coarse(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let together = points.len().div_ceil(GREY_POINTS).max(1);
    let mean = |points: &[(f64, f64)]| {
        let finite = points.iter().filter(|(_, y)| y.is_finite());
        let (sum, count) = finite.fold((0.0, 0), |(sum, count), (_, y)| (sum + y, count + 1));
        // None of them is a gap: NaN.
        (points[0].0, sum / f64::from(count))
    };
    points.chunks(together).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(index: usize) -> Curve {
        let points = (0..1000).map(|x| (f64::from(x), index as f64)).collect();
        Curve { name: format!("r{index}"), points, band: vec![(0.0, 0.0, 1.0)] }
    }

    #[test]
    fn of_many_curves_three_have_a_name() {
        // The higher the index, the lower the rank; one has none and comes last.
        let mut ranks: Vec<Option<f64>> = (0..501).map(|index| Some(-f64::from(index))).collect();
        ranks[7] = None;
        let (curves, note) = picked(&ranks, "their last return", |index, _| Some(flat(index)));
        let names: Vec<&str> =
            curves.iter().map(|curve| curve.name.as_str()).filter(|name| !name.is_empty()).collect();
        assert_eq!(names, ["r0 (best)", "r250 (median)", "r500 (worst)"]);
        assert_eq!(curves.len(), 103);
        let grey = curves.iter().filter(|curve| curve.name.is_empty());
        assert!(grey.clone().all(|curve| curve.band.is_empty() && curve.points.len() <= 64));
        // Evenly by rank: a fifth of them is of the first fifth.
        assert_eq!(grey.filter(|curve| curve.points[0].1 < 101.0).count(), 20);
        assert_eq!(
            note,
            " Of 501 curves the best, the median and the worst, by their last return, are named; 100 of the others, evenly by rank, are thin and grey. The table has all of them."
        );
    }

    #[test]
    fn nothing_is_asked_twice_of_few_and_none_needs_a_rank() {
        let (curves, _) = picked(&[Some(1.0)], "x", |index, _| Some(flat(index)));
        assert_eq!(curves.len(), 1);
        let (curves, _) = picked(&[None, Some(f64::NAN)], "x", |index, _| Some(flat(index)));
        assert!(curves.len() == 2 && curves.iter().all(|curve| curve.name.is_empty()));
        assert!(picked(&[], "x", |index, _| Some(flat(index))).0.is_empty());
    }

    #[test]
    fn of_many_estimates_the_ends_and_the_middle_are_shown() {
        let estimate =
            |index: usize| Estimate { name: format!("e{index}"), value: index as f64, interval: None };
        let (few, note) = picked_estimates((0..12).map(estimate).collect());
        assert_eq!((few.len(), few[0].name.as_str(), note.as_str()), (12, "e0", ""));
        let (shown, note) = picked_estimates((0..451).map(estimate).collect());
        let values: Vec<f64> = shown.iter().map(|estimate| estimate.value).collect();
        assert_eq!(values, [450.0, 449.0, 448.0, 447.0, 446.0, 225.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
        assert!(note.starts_with(" Of 451 these are the 5 best"), "{note}");
    }
}
