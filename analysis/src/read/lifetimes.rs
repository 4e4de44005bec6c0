//! `lifetimes.csv` of `controls`.

use std::collections::HashMap;

use super::episodes::Recipe;
use super::table::FLAG_WORDS;
use super::{GoOn, ReadError, Table};
use crate::stats::survival::Lifetime;

/// The columns that are read.
pub(super) const COLUMNS: [&str; 6] = ["world", "agent", "control", "seed", "lifetime", "lost"];

/// Pairs of lives that are kept in one world: a bound on the memory.
pub const KEPT: usize = 50_000;

/// The lives in one world, pairs in the same place of both lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Its name and who acted in it.
    pub name: String,
    /// Of a trained agent how it came about, where that is known; the file does not say.
    pub recipe: Option<Recipe>,
    /// Seeds and lives without control.
    pub off: Vec<(u64, Lifetime)>,
    /// Seeds and lives with control.
    pub on: Vec<(u64, Lifetime)>,
}

/// The lives in `table`, a [`Kind::Lifetimes`](super::Kind::Lifetimes), world by world.
///
/// # Errors
/// [`ReadError`], also for a file without rows and for a life that is there twice.
pub fn read(table: &mut Table, go_on: GoOn<'_>) -> Result<Vec<World>, ReadError> {
    let columns = COLUMNS.map(|column| table.column(column).unwrap_or_default());
    let [world, agent, control, seed, lifetime, lost] = columns;
    let mut worlds: Vec<World> = Vec::new();
    // The line in which a seed was lived through, in a world, with control or without.
    let mut lines: HashMap<(usize, bool, u64), u64> = HashMap::new();
    let mut rows = 0_u64;
    while let Some(row) = table.row()? {
        if row.is_cut(&columns, &FLAG_WORDS) {
            table.pass_over();
            break;
        }
        let name = format!("{}, {}", row.text(world)?, row.text(agent)?);
        let on = row.word(control, &["off", "on"])? == 1;
        let life = Lifetime { time: row.whole(lifetime)? as f64, lost: row.flag(lost)? };
        let lived_seed = row.seed(seed)?;
        let place = match worlds.iter().position(|world| world.name == name) {
            Some(place) => place,
            None if worlds.len() == 64 => {
                return Err(row.refused(world, "at most 64 different worlds and agents in a file"));
            }
            None => {
                worlds.push(World { name, ..World::default() });
                worlds.len() - 1
            }
        };
        let lives = if on { &mut worlds[place].on } else { &mut worlds[place].off };
        if lives.len() < KEPT {
            if let Some(earlier) = lines.insert((place, on, lived_seed), row.line()) {
                return Err(row.refused(
                    seed,
                    &format!("a seed that is not in an earlier line, as it is in line {earlier}"),
                ));
            }
            lives.push((lived_seed, life));
        }
        rows += 1;
        if rows.is_multiple_of(4096) && !go_on() {
            return Err(ReadError::Stopped);
        }
    }
    if rows == 0 {
        return Err(table.without_rows("life"));
    }
    Ok(worlds)
}
