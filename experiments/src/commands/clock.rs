//! How long something takes.

use std::time::Instant;

use resonetics_runs::{Error, interrupt};

use crate::progress::Bar;

/// How long to measure, and who is told.
pub struct Clock<'a> {
    pub seconds: f64,
    pub progress: &'a Bar,
}

impl Clock<'_> {
    /// Runs `work`, which does some steps and yields how many, for a fifth of the time to warm up
    /// and then for all of it; yields the seconds it took and the sums.
    pub fn time(
        &self,
        mut work: impl FnMut() -> Result<(u64, u64), Error>,
    ) -> Result<(f64, u64, u64), Error> {
        let mut phase = |limit: f64| -> Result<(f64, u64, u64), Error> {
            let start = Instant::now();
            let (mut steps, mut agent_steps, mut shown) = (0, 0, 0);
            loop {
                interrupt::check()?;
                let done = work()?;
                steps += done.0;
                agent_steps += done.1;
                let seconds = start.elapsed().as_secs_f64();
                let tenths = (10.0 * seconds.min(limit)) as u64;
                self.progress.inc(tenths - shown);
                shown = tenths;
                if seconds >= limit {
                    return Ok((seconds, steps, agent_steps));
                }
            }
        };
        phase(self.seconds / 5.0)?;
        phase(self.seconds)
    }
}
