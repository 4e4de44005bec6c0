//! `episodes.csv` of a benchmark.

use std::collections::HashMap;

use serde::Serialize;

use super::table::FLAG_WORDS;
use super::{GoOn, ReadError, Table};

/// The columns that are read; others may stand beside them.
pub(super) const COLUMNS: [&str; 6] = ["agent", "seed", "return", "steps", "terminated", "truncated"];

/// Episodes of an agent that are kept: enough for any interval, and a bound on the memory.
pub const KEPT: usize = 50_000;

/// Agents in one file.
const AGENTS: usize = 64;

/// How a trained agent came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recipe {
    /// Learner, networks and settings in a few words; none where nobody wrote it down.
    pub name: Option<String>,
    /// Steps of training behind it.
    pub steps: u64,
}

/// The episodes of one agent in one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Played {
    /// Its name.
    pub agent: String,
    /// Of a trained agent what its training has in common with those that differ from it in the seed alone;
    /// the file does not say.
    pub training: Option<String>,
    /// Of a trained agent how it came about, where that is known; the file does not say.
    pub recipe: Option<Recipe>,
    /// Episodes in the file; more than are kept where there are more than [`KEPT`].
    pub episodes: u64,
    /// The seed of each episode kept.
    pub seeds: Vec<u64>,
    /// The sum of its rewards.
    pub returns: Vec<f64>,
    /// Its length in steps.
    pub steps: Vec<f64>,
    /// How many ended by loss, of those kept.
    pub terminated: u64,
    /// The line of the first return that is NaN or infinite, and how many there are.
    pub not_finite: Option<(u64, u64)>,
}

/// The episodes in `table`, a [`Kind::Episodes`](super::Kind::Episodes), agent by agent in the order of
/// the file.
///
/// # Errors
/// [`ReadError`], also for a file without rows, for more than 64 agents and for a seed that an agent
/// played twice, which could not be paired.
pub fn read(table: &mut Table, go_on: GoOn<'_>) -> Result<Vec<Played>, ReadError> {
    let columns = COLUMNS.map(|column| table.column(column).unwrap_or_default());
    let [agent, seed, reward, steps, terminated, truncated] = columns;
    let mut agents: Vec<Played> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    // The line in which an agent played a seed.
    let mut lines: HashMap<(usize, u64), u64> = HashMap::new();
    let mut rows = 0_u64;
    while let Some(row) = table.row()? {
        if row.is_cut(&columns, &FLAG_WORDS) {
            table.pass_over();
            break;
        }
        let name = row.text(agent)?;
        let (played_seed, reward, steps) = (row.seed(seed)?, row.number(reward)?, row.whole(steps)?);
        let ended = u64::from(row.flag(terminated)?);
        row.flag(truncated)?;
        let place = match places.get(name) {
            Some(&place) => place,
            None if agents.len() == AGENTS => {
                return Err(row.refused(agent, &format!("at most {AGENTS} different agents in a file")));
            }
            None => {
                places.insert(name.to_owned(), agents.len());
                agents.push(Played { agent: name.to_owned(), ..Played::default() });
                agents.len() - 1
            }
        };
        let line = row.line();
        let played = &mut agents[place];
        played.episodes += 1;
        if !reward.is_finite() {
            played.not_finite.get_or_insert((line, 0)).1 += 1;
        }
        if played.seeds.len() < KEPT {
            if let Some(earlier) = lines.insert((place, played_seed), line) {
                return Err(
                    row.refused(seed, &format!("no seed that `{name}` played before, as in line {earlier}"))
                );
            }
            played.seeds.push(played_seed);
            played.returns.push(reward);
            played.steps.push(steps as f64);
            played.terminated += ended;
        }
        rows += 1;
        if rows.is_multiple_of(4096) && !go_on() {
            return Err(ReadError::Stopped);
        }
    }
    if rows == 0 {
        return Err(table.without_rows("episode"));
    }
    Ok(agents)
}
