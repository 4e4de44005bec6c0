//! How far work has come and what happens in it, for whoever shows it.

use crate::error::Error;

/// Is told a remark, a line for the user.
///
/// # Errors
/// That it cannot be told: the work ends.
pub type Tell<'a> = dyn Fn(&str) -> Result<(), Error> + 'a;

/// Shows how far work has come. Several threads may count at the same time.
pub trait Progress: Send + Sync {
    /// Begins with `count` that was done before.
    fn begin_at(&self, count: u64);
    /// Counts `count` more.
    fn inc(&self, count: u64);
    /// Shows that the work goes on, where the next count is far off.
    fn tick(&self);
    /// Says what the work is at.
    fn message(&self, text: &str);
    /// The work is over, or stopped: nothing is shown any more.
    fn finish(&self);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin_at(&self, _: u64) {}
    fn inc(&self, _: u64) {}
    fn tick(&self) {}
    fn message(&self, _: &str) {}
    fn finish(&self) {}
}
