//! `lives.csv` of `limit`.

use super::episodes::Recipe;
use super::table::FLAG_WORDS;
use super::{GoOn, ReadError, Row, Table};
use crate::stats::dose::DoseCurve;

/// The columns that are read.
pub(super) const COLUMNS: [&str; 6] = ["agent", "dose", "episode", "seed", "steps", "survived"];

/// Episodes at a dose that are kept, those with the lowest numbers: enough for any interval, and a bound on the memory.
pub const KEPT: usize = 10_000;

/// Doses of one agent.
const DOSES: usize = 100;

/// Agents in one file.
const AGENTS: usize = 64;

/// What one agent did at several doses: the doses that have as many episodes as any other.
#[derive(Clone, Debug, PartialEq)]
pub struct Doses {
    /// Its name.
    pub agent: String,
    /// Of a trained agent what its training has in common with those that differ from it in the seed alone;
    /// the file does not say.
    pub training: Option<String>,
    /// Of a trained agent how it came about, where that is known; the file does not say.
    pub recipe: Option<Recipe>,
    /// Who survived, dose by dose.
    pub curve: DoseCurve,
    /// The seed of each episode of the curve.
    pub seeds: Vec<u64>,
    /// Mean length of a life at each dose, in steps.
    pub mean_life: Vec<f64>,
    /// Doses with fewer episodes, which the curve is without: those that chose the others, or that were being played when
    /// the run was stopped.
    pub unfinished: Vec<f64>,
    /// Episodes in the file.
    pub episodes: u64,
}

/// An agent while its rows are read.
struct Reading {
    agent: String,
    seeds: Vec<Option<u64>>,
    doses: Vec<AtDose>,
    episodes: u64,
}

#[derive(Default)]
struct AtDose {
    dose: f64,
    /// Whether each episode was survived, where it is known.
    alive: Vec<Option<bool>>,
    count: u64,
    steps: f64,
}

/// The lives in `table`, a [`Kind::Doses`](super::Kind::Doses), agent by agent in the order of the file.
///
/// # Errors
/// [`ReadError`], also for a file without rows, for an episode that is there twice or with two seeds, for more than
/// 64 agents or 100 doses of one, and for an agent that lived through no episode at all of its doses.
pub fn read(table: &mut Table, go_on: GoOn<'_>) -> Result<Vec<Doses>, ReadError> {
    let columns = COLUMNS.map(|column| table.column(column).unwrap_or_default());
    let mut agents: Vec<Reading> = Vec::new();
    let mut rows = 0_u64;
    while let Some(row) = table.row()? {
        if row.is_cut(&columns, &FLAG_WORDS) {
            table.pass_over();
            break;
        }
        add(&mut agents, &row, columns)?;
        rows += 1;
        if rows.is_multiple_of(4096) && !go_on() {
            return Err(ReadError::Stopped);
        }
    }
    if rows == 0 {
        return Err(table.without_rows("life"));
    }
    let whole = |reading: Reading| {
        let problem = format!("`{}` has no episode that was played at all of its doses", reading.agent);
        reading.whole().ok_or_else(|| table.at(1, problem))
    };
    agents.into_iter().map(whole).collect()
}

fn add(agents: &mut Vec<Reading>, row: &Row<'_>, columns: [usize; 6]) -> Result<(), ReadError> {
    let [agent, dose, episode, seed, steps, survived] = columns;
    let name = row.text(agent)?;
    let value = row.number(dose)?;
    if !value.is_finite() {
        return Err(row.refused(dose, "a number that is not infinite"));
    }
    let (number, played_seed) = (row.whole(episode)?, row.seed(seed)?);
    let (lived, alive) = (row.whole(steps)? as f64, row.flag(survived)?);
    // The agent of the row before, most often.
    let place = match agents.iter().rposition(|reading| reading.agent == name) {
        Some(place) => place,
        None if agents.len() == AGENTS => {
            return Err(row.refused(agent, &format!("at most {AGENTS} different agents in a file")));
        }
        None => {
            let (agent, seeds, doses) = (name.to_owned(), Vec::new(), Vec::new());
            agents.push(Reading { agent, seeds, doses, episodes: 0 });
            agents.len() - 1
        }
    };
    let reading = &mut agents[place];
    reading.episodes += 1;
    let at = match reading.doses.iter().rposition(|at| at.dose.total_cmp(&value).is_eq()) {
        Some(at) => at,
        None if reading.doses.len() == DOSES => {
            return Err(row.refused(dose, &format!("at most {DOSES} different doses of an agent")));
        }
        None => {
            reading.doses.push(AtDose { dose: value, ..AtDose::default() });
            reading.doses.len() - 1
        }
    };
    let Some(index) = usize::try_from(number).ok().filter(|&index| index < KEPT) else { return Ok(()) };
    let known = slot(&mut reading.seeds, index);
    if known.is_some_and(|known| known != played_seed) {
        let allowed = format!("the seed that episode {number} of `{name}` has in an earlier line");
        return Err(row.refused(seed, &allowed));
    }
    *known = Some(played_seed);
    let at = &mut reading.doses[at];
    if slot(&mut at.alive, index).replace(alive).is_some() {
        return Err(row.refused(episode, &format!("no episode that `{name}` played at this dose before")));
    }
    at.count += 1;
    at.steps += lived;
    Ok(())
}

/// The place of `index`, which is made where it is not there yet.
fn slot<T: Clone>(slots: &mut Vec<Option<T>>, index: usize) -> &mut Option<T> {
    if index >= slots.len() {
        slots.resize(index + 1, None);
    }
    &mut slots[index]
}

impl Reading {
    /// The doses with the most episodes, and of those what was played at all of them. `None` if there is none.
    fn whole(mut self) -> Option<Doses> {
        self.doses.sort_by(|a, b| a.dose.total_cmp(&b.dose));
        let most = self.doses.iter().map(|at| at.count).max().filter(|&most| most > 0)?;
        let (whole, part): (Vec<AtDose>, Vec<AtDose>) =
            self.doses.into_iter().partition(|at| at.count == most);
        let known = |&i: &usize| whole.iter().all(|at| at.alive.get(i).is_some_and(Option::is_some));
        let kept: Vec<usize> = (0..self.seeds.len()).filter(known).collect();
        let row = |at: &AtDose| kept.iter().filter_map(|&i| at.alive[i]).collect();
        let curve =
            DoseCurve::new(whole.iter().map(|at| at.dose).collect(), whole.iter().map(row).collect())?;
        Some(Doses {
            agent: self.agent,
            training: None,
            recipe: None,
            curve,
            seeds: kept.iter().filter_map(|&i| self.seeds[i]).collect(),
            mean_life: whole.iter().map(|at| at.steps / at.count as f64).collect(),
            unfinished: part.iter().map(|at| at.dose).collect(),
            episodes: self.episodes,
        })
    }
}
