//! What every command is told.

/// What every command is told.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub quiet: bool,
    pub threads: usize,
}
