//! Many trainings over settings and seeds: a cell each, which is a run of its own, and one table of all.
//!
//! A cell is known by its [`Cell::key`], which follows from what it trains: wherever and however often it is trained,
//! it leaves the same files. `config.toml` of the sweep is its plan, `cells/KEY/` a training's run directory with
//! `evaluation.json` in it, `table.csv` has a row for each cell and `groups.csv` one for each choice of settings.

mod cell;
mod plan;
mod table;
mod work;

pub use self::cell::{CELLS, Cell, Episodes, Evaluated, deliver, folder};
pub use self::plan::{Random, Sweep};
pub use self::table::{Group, groups, write};
pub use self::work::{begin, stopped, work};
