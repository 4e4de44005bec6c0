//! Which doses to play: a bracket by doubling and halving, closed in on where the survivors fall (RULES section 4).
//!
//! Doses are factors of the one that the search begins with, halves of halves, which arithmetic holds exactly: agents
//! that fall in the same place are played at the very same doses.

/// The share of survivors from which a dose counts as carried, and up to which as lost.
const CARRIED: f64 = 0.95;
const LOST: f64 = 0.05;
/// The factors that are looked at.
const LEAST: f64 = 1.0 / 1024.0;
const GREATEST: f64 = 1024.0;
/// The bracket is not closed in to less than this part of its upper end.
const NARROW: f64 = 1.0 / 64.0;
/// Most parts that a bracket is divided into in the end, and most parts of all brackets: readers hold 100 doses.
const PARTS: usize = 8;
const ALL_PARTS: usize = 56;
/// Most doses that one search tries: all doublings, the end of what is allowed, and each halving of a bracket with both
/// its quarters.
pub(super) const MOST: usize = 21 + 2 + 3 * 6;

/// Episodes at a dose while doses are chosen.
pub(super) fn few(episodes: u32) -> u32 {
    (episodes / 10).clamp(10, 50).min(episodes)
}

/// A dose in nine digits, for files.
pub(super) fn rounded(dose: f64) -> f64 {
    format!("{dose:.8e}").parse().unwrap_or(dose)
}

/// The dose for a factor, or `None` where there is none.
pub(super) type Dose<'a> = dyn Fn(f64) -> Option<f64> + 'a;

/// Factors that were tried for one agent, ascending, each with the share of survivors.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    tried: Vec<(f64, f64)>,
}

/// Where the survivors fall: from a factor at which about all live, if there is one, to one at which about none do.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bracket {
    carried: Option<f64>,
    lost: Option<f64>,
}

impl Search {
    /// What was found at a factor.
    pub(super) fn add(&mut self, factor: f64, share: f64) {
        let place = self.tried.partition_point(|&(tried, _)| tried < factor);
        self.tried.insert(place, (factor, share));
    }

    /// The factor to try next, with its dose; `None` where enough is known.
    pub(super) fn next(&self, dose: &Dose<'_>) -> Option<(f64, f64)> {
        let (Some(&(least, _)), Some(&(greatest, _))) = (self.tried.first(), self.tried.last()) else {
            return Some((1.0, dose(1.0)?));
        };
        let bracket = self.bracket();
        if bracket.lost.is_none()
            && greatest < GREATEST
            && let Some(higher) = self.untried(2.0 * greatest, dose).or_else(|| self.end(dose))
        {
            return Some(higher);
        }
        if bracket.carried.is_none() {
            let lower = if least > LEAST { self.untried(least / 2.0, dose) } else { None };
            // Where more of it keeps a system alive, some live further up.
            let seeks = self.rise().is_none() && greatest < GREATEST;
            return lower.or_else(|| if seeks { self.untried(2.0 * greatest, dose) } else { None });
        }
        // At the end of what is allowed enough may live: what is in between decides.
        let (carried, lost) = (bracket.carried?, bracket.lost.unwrap_or(greatest));
        if lost <= carried {
            return None;
        }
        if lost - carried <= NARROW * lost {
            return None;
        }
        // Where the middle is neither carried nor lost, a quarter may be.
        let place = |part: f64| carried + part * (lost - carried);
        [0.5, 0.25, 0.75].into_iter().find_map(|part| self.untried(place(part), dose))
    }

    /// The greatest factor that is allowed, halves of the last doubling closed in on it, unless it was tried.
    fn end(&self, dose: &Dose<'_>) -> Option<(f64, f64)> {
        let (greatest, _) = *self.tried.last()?;
        let (mut allowed, mut step) = (greatest, greatest / 2.0);
        // Nearer than a bracket is closed in to makes no difference.
        while step > NARROW * greatest {
            if dose(allowed + step).is_some() {
                allowed += step;
            }
            step /= 2.0;
        }
        self.untried(allowed, dose)
    }

    /// The factor with its dose, unless it is out of range or one of its dose was tried.
    fn untried(&self, factor: f64, dose: &Dose<'_>) -> Option<(f64, f64)> {
        let own = dose(factor)?;
        let same = |&(tried, _): &(f64, f64)| dose(tried) == Some(own);
        (!self.tried.iter().any(same)).then_some((factor, own))
    }

    fn bracket(&self) -> Bracket {
        let lost = self.tried.iter().find(|(_, share)| *share <= LOST).map(|(factor, _)| *factor);
        let below = |factor: f64| lost.is_none_or(|lost| factor < lost);
        let carried = self
            .tried
            .iter()
            .rev()
            .find(|(factor, share)| below(*factor) && *share >= CARRIED)
            .map(|(f, _)| *f);
        Bracket { carried, lost }
    }

    /// The factors that its share of survivors falls between, or those tried last.
    fn ends(&self) -> Option<(f64, f64)> {
        let Bracket { carried, lost } = self.bracket();
        let (first, last) = (self.tried.first()?.0, self.tried.last()?.0);
        match (carried, lost, self.rise()) {
            (None, Some(_), Some(rise)) => Some(rise),
            _ => Some((carried.unwrap_or(first), lost.unwrap_or(last))),
        }
    }

    /// The first factor that is carried, with the one tried below it, if there is one below.
    fn rise(&self) -> Option<(f64, f64)> {
        let pair = self.tried.windows(2).find(|pair| pair[0].1 < CARRIED && pair[1].1 >= CARRIED)?;
        Some((pair[0].0, pair[1].0))
    }
}

/// The doses that count for all: each bracket in equal parts, and between the least and the greatest all doublings
/// that were tried, since survivors may fall more than once.
pub(super) fn union(searches: &[Search], dose: &Dose<'_>) -> Vec<f64> {
    let ends: Vec<(f64, f64)> = searches.iter().filter_map(Search::ends).collect();
    let least = ends.iter().map(|ends| ends.0).fold(f64::INFINITY, f64::min);
    let greatest = ends.iter().map(|ends| ends.1).fold(0.0, f64::max);
    let count = (ALL_PARTS / ends.len().max(1)).clamp(2, PARTS);
    let parts = ends.iter().flat_map(|&(low, high)| {
        (0..=count).map(move |part| low + part as f64 / count as f64 * (high - low))
    });
    let doubled = searches
        .iter()
        .flat_map(|search| search.tried.iter().map(|(factor, _)| *factor))
        .filter(|&factor| factor.log2().fract() == 0.0 && (least..=greatest).contains(&factor));
    let mut doses: Vec<f64> = parts.chain(doubled).filter_map(dose).collect();
    doses.sort_by(f64::total_cmp);
    doses.dedup();
    doses
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The doses that a search tries, and what counts in the end, where the share of survivors is `share(dose)`.
    fn searched(
        start: f64,
        share: &dyn Fn(f64) -> f64,
        allowed: &dyn Fn(f64) -> Option<f64>,
    ) -> (Vec<f64>, Vec<f64>) {
        let dose = |factor: f64| allowed(rounded(start * factor));
        let (mut search, mut tried) = (Search::default(), Vec::new());
        while let Some((factor, dose)) = search.next(&dose) {
            tried.push(dose);
            search.add(factor, share(dose));
        }
        assert!(tried.len() <= MOST, "{tried:?}");
        (tried, union(&[search], &dose))
    }

    #[test]
    fn doubles_then_closes_in_on_where_survivors_fall() {
        let falls = |dose: f64| ((0.026 - dose) / 0.002 + 0.5).clamp(0.0, 1.0);
        let (tried, doses) = searched(0.005, &falls, &Some);
        assert_eq!(tried[..4], [0.005, 0.01, 0.02, 0.04]);
        // 0.03 is lost, 0.025 is carried, 0.0275 is lost; 0.02625 is neither, nor is 0.025625, but 0.026875 is lost.
        assert_eq!(tried[4..8], [0.03, 0.025, 0.0275, 0.02625]);
        assert!(doses.first() == Some(&0.025) && doses.last() <= Some(&0.0275), "{doses:?}");
        assert!(doses.len() == 9, "{doses:?}");
        assert!(doses.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn halves_where_the_first_dose_is_lost() {
        let (tried, doses) = searched(1.0, &|dose| if dose < 0.1 { 1.0 } else { 0.0 }, &Some);
        assert_eq!(tried[..5], [1.0, 0.5, 0.25, 0.125, 0.0625]);
        assert!(doses[0] < 0.1 && doses[8] >= 0.1 && doses[8] - doses[0] <= doses[8] / 64.0, "{doses:?}");
    }

    #[test]
    fn stops_at_what_is_allowed_and_at_the_ends() {
        let (tried, doses) = searched(1.0, &|_| 1.0, &|dose| (dose <= 5.0).then_some(dose));
        assert_eq!((tried, doses), (vec![1.0, 2.0, 4.0, 5.0], vec![5.0]));
        let (tried, doses) = searched(1.0, &|_| 0.0, &Some);
        assert_eq!((tried.len(), doses), (21, vec![1.0 / 1024.0]));
        // Whole numbers.
        let (tried, doses) =
            searched(3.0, &|dose| if dose < 5.0 { 1.0 } else { 0.0 }, &|dose| Some(dose.round()));
        assert_eq!((tried, doses), (vec![3.0, 6.0, 5.0, 4.0], vec![4.0, 5.0]));
    }

    /// Half of them live at the end of what is allowed: those that are lost there are looked for below it.
    #[test]
    fn halves_where_some_live_at_the_end_of_what_is_allowed() {
        let falls = |dose: f64| 1.0 - 0.5 * dose;
        let (tried, doses) = searched(0.8, &falls, &|dose| (dose <= 1.0).then_some(dose));
        assert_eq!(tried[..6], [0.8, 1.0, 0.4, 0.2, 0.1, 0.55]);
        assert_eq!((doses.first(), doses.last()), (Some(&0.1), Some(&1.0)));
        let (tried, doses) = searched(1.0, &falls, &|dose| (dose <= 1.0).then_some(dose));
        assert_eq!(tried[..5], [1.0, 0.5, 0.25, 0.125, 0.0625]);
        assert_eq!((doses.first(), doses.last()), (Some(&0.0625), Some(&1.0)));
    }

    /// The statistics say that this is no fall.
    #[test]
    fn looks_up_where_nothing_lives_below() {
        let (tried, doses) = searched(1.0, &|dose| if dose < 6.0 { 0.0 } else { 1.0 }, &Some);
        assert_eq!(tried[11..], [2.0, 4.0, 8.0]);
        assert_eq!((doses[0], doses[8]), (4.0, 8.0));
    }

    /// What falls and rises again is played over all of it.
    #[test]
    fn all_doublings_between_the_ends_count() {
        let first = |dose: f64| if dose < 3.0 { 1.0 } else { 0.0 };
        let second = |dose: f64| if dose < 30.0 { 1.0 } else { 0.0 };
        let dose = |factor: f64| Some(rounded(factor));
        let searches = [&first as &dyn Fn(f64) -> f64, &second].map(|share| {
            let mut search = Search::default();
            while let Some((factor, dose)) = search.next(&dose) {
                search.add(factor, share(dose));
            }
            search
        });
        let doses = union(&searches, &dose);
        assert!([4.0, 8.0, 16.0].iter().all(|dose| doses.contains(dose)), "{doses:?}");
        assert!(!doses.contains(&1.0) && !doses.contains(&32.0), "{doses:?}");
    }

    #[test]
    fn few_episodes_choose_the_doses() {
        assert_eq!([3, 40, 200, 300, 5000].map(few), [3, 10, 20, 30, 50]);
    }
}
