//! The same question where the answer is known to be nothing: at times before the event, and of the controls.

use serde::Serialize;

use super::super::as_f64;
use super::{Changed, Impact, Refused};

/// What was said of times at which nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct InTime {
    /// Pseudo-events that the history has room for.
    pub times: usize,
    /// Those of which anything was said.
    pub said: usize,
    /// Those whose 95% interval excluded 0: one in twenty, if the model is right.
    pub told: usize,
}

impl Changed<'_> {
    /// Asks for the impact of up to `most` pseudo-events, evenly apart, whose windows are as long as the event's and end
    /// before it. They overlap: what they tell is alike from one to the next.
    pub fn placebos_in_time(&self, most: usize, seed: u64) -> InTime {
        let mut found = InTime { times: 0, said: 0, told: 0 };
        let after = self.series.len().saturating_sub(self.event);
        let first = self.least_rows();
        let Some(room) = self.event.checked_sub(first + after) else { return found };
        found.times = most.min(room + 1);
        for number in 0..found.times {
            // The last one's windows end where the event is.
            let back = as_f64(number) * as_f64(room) / as_f64(found.times.max(2) - 1);
            let event = first + room - back.round() as usize;
            let controls: Vec<&[f64]> =
                self.controls.iter().map(|control| control.get(..event + after).unwrap_or(&[])).collect();
            let pseudo =
                Changed { series: &self.series[..event + after], controls: &controls, event, ..*self };
            if let Ok(impact) = pseudo.impact(seed.wrapping_add(number as u64)) {
                found.said += 1;
                found.told += usize::from(impact.interval.low > 0.0 || impact.interval.high < 0.0);
            }
        }
        found
    }

    /// Asks for the impact on each control, which had none, from the others; the unit that was changed is left out.
    pub fn placebos_in_space(&self, seed: u64) -> Vec<Result<Impact, Refused>> {
        let of = |number: usize| {
            let others: Vec<&[f64]> = (0..self.controls.len())
                .filter(|&other| other != number)
                .map(|other| self.controls[other])
                .collect();
            Changed { series: self.controls[number], controls: &others, ..*self }.impact(seed)
        };
        (0..self.controls.len()).map(of).collect()
    }
}
