//! Whether a change before and after an event is larger than changes were when nothing happened: the same difference
//! of means at many times of the history without any event.
//!
//! p = (1 + number of |d*| >= |d|) / (1 + m) over m pseudo-times (Davison and Hinkley 1997, "Bootstrap methods and
//! their application", equation 4.11, for the count; Abadie, Diamond and Hainmueller 2010, "Synthetic control methods
//! for comparative case studies", for placebos). It assumes nothing of how rows are alike, but that the time of the
//! event is like the history: a plant that has just begun to drift is taken for an effect.

use serde::Serialize;

use super::as_f64;
use super::summary::mean;

/// With so many pseudo-times the least p is 1%. Fewer say too little.
pub const LEAST_TIMES: usize = 99;

/// Where the two windows of an event lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Windows {
    /// Rows of each window.
    pub rows: usize,
    /// Rows between them, from the event on, that belong to neither.
    pub washout: usize,
}

/// What the history says of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Placebo {
    /// Share of pseudo-times with so large an effect, the event among them, in (0, 1].
    pub p: f64,
    /// Pseudo-times that were free of events.
    pub times: usize,
    /// Those with an effect at least as large, whichever its sign.
    pub as_large: usize,
}

impl Windows {
    /// Mean of the window after the row `event` minus that before it; `None` where one of them is not whole.
    pub fn effect(&self, series: &[f64], event: usize) -> Option<f64> {
        let from = event.checked_add(self.washout)?;
        let pre = series.get(event.checked_sub(self.rows)?..event)?;
        let post = series.get(from..from.checked_add(self.rows)?)?;
        Some(mean(post)? - mean(pre)?)
    }

    /// Rows of history without other events that [`placebo`] needs.
    pub fn history(&self) -> usize {
        2 * self.rows + self.washout + (LEAST_TIMES - 1) * self.apart()
    }

    /// Rows between neighbouring pseudo-times.
    fn apart(&self) -> usize {
        (self.rows / 5).max(1)
    }
}

/// The p-value of `effect`, the difference of means at an event, from the `history` before it (its last row is the
/// one before the event).
///
/// `events` are rows of the history at which something was changed: pseudo-times whose windows, or the washout
/// between them, hold one of them are left out, and those where one was within a washout before. `None` with fewer than
/// [`LEAST_TIMES`] left, for empty windows, or for a value that is not finite.
pub fn placebo(history: &[f64], events: &[usize], windows: Windows, effect: f64) -> Option<Placebo> {
    let span = 2 * windows.rows + windows.washout;
    if windows.rows == 0 || !effect.is_finite() || !history.iter().all(|value| value.is_finite()) {
        return None;
    }
    // Equal but for rounding is as large.
    let scale = history.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let large = effect.abs() - 1e-12 * scale;
    let (mut times, mut as_large) = (0, 0);
    let mut end = history.len();
    while let Some(begin) = end.checked_sub(span) {
        let touched = |&event: &usize| event + windows.washout > begin && event < end;
        if !events.iter().any(touched) {
            times += 1;
            as_large += usize::from(windows.effect(history, begin + windows.rows)?.abs() >= large);
        }
        let Some(earlier) = end.checked_sub(windows.apart()) else { break };
        end = earlier;
    }
    let p = as_f64(1 + as_large) / as_f64(1 + times);
    (times >= LEAST_TIMES).then_some(Placebo { p, times, as_large })
}

#[cfg(test)]
mod tests {
    use super::super::test_data::assert_close;
    use super::*;

    const WINDOWS: Windows = Windows { rows: 10, washout: 3 };

    /// Of n² the effect of two windows is known: with t the row of the event, (t + 3 + 4.5)² + c - (t - 5.5)² - c.
    fn square(row: usize) -> f64 {
        as_f64(row * row)
    }

    #[test]
    fn effects_and_counts_by_hand() {
        let history: Vec<f64> = (0..WINDOWS.history()).map(square).collect();
        assert_eq!(history.len(), 2 * 10 + 3 + 98 * 2);
        let by_hand = |event: f64| (event + 7.5).powi(2) - (event - 5.5).powi(2);
        assert_close(WINDOWS.effect(&history, 40).unwrap(), by_hand(40.0), 1e-9);
        assert_eq!(WINDOWS.effect(&history, 9), None);
        assert_eq!(WINDOWS.effect(&history, history.len() - 12), None);
        // Pseudo-times are at rows 10, 12, .. 206, their effects rise with the row: 49 from row 110 on.
        let found = placebo(&history, &[], WINDOWS, -by_hand(110.0)).unwrap();
        assert_eq!((found.times, found.as_large), (99, 49));
        assert_close(found.p, 0.5, 1e-15);
        let beyond = placebo(&history, &[], WINDOWS, by_hand(207.0)).unwrap();
        assert_eq!((beyond.as_large, beyond.p), (0, 0.01));
    }

    #[test]
    fn pseudo_times_near_an_event_are_left_out() {
        let history: Vec<f64> = (0..WINDOWS.history() + 50).map(square).collect();
        let all = placebo(&history, &[], WINDOWS, 1.0).unwrap().times;
        // Windows begin at rows of the same parity as the newest, every second row: of the 23 rows of a span and the
        // 2 of a washout before it, twelve or thirteen spans hold a given row.
        let last = history.len() - 1;
        assert_eq!(all - placebo(&history, &[last], WINDOWS, 1.0).unwrap().times, 1);
        let held = all - placebo(&history, &[last - 100], WINDOWS, 1.0).unwrap().times;
        assert!((12..=13).contains(&held), "{held}");
    }

    #[test]
    fn too_short_a_history_has_no_p() {
        let history: Vec<f64> = (0..WINDOWS.history() - 1).map(square).collect();
        assert_eq!(placebo(&history, &[], WINDOWS, 1.0), None);
        assert_eq!(placebo(&[], &[], WINDOWS, 1.0), None);
        assert_eq!(placebo(&vec![1.0; 999], &[], Windows { rows: 0, washout: 0 }, 1.0), None);
        assert_eq!(placebo(&vec![f64::NAN; 999], &[], WINDOWS, 1.0), None);
        assert_eq!(placebo(&vec![1.0; 999], &[], WINDOWS, f64::NAN), None);
    }

    /// What never changed and does not change is no effect.
    #[test]
    fn no_change_at_all_has_p_one() {
        assert_eq!(placebo(&vec![0.1; 999], &[], WINDOWS, 0.0).unwrap().p, 1.0);
    }
}
