//! What windows of rows say: pure functions of plain numbers. docs/LUMEN.md has the formulas and what they were worth on
//! recorded runs.

pub mod entropy;
pub mod fleet;
pub mod level;
pub mod phase;
pub mod residual;
pub mod window;
