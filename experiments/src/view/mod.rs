//! A world to look at: an episode step by step, and the terminal that shows it. What is seen is in the crate `view`.

pub mod show;
pub mod terminal;
