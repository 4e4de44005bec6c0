//! How much drift an agent carries: the share of systems that live, against a dose.
//!
//! [`curves`] chooses the doses and plays them, for agents and worlds of your own as well: it asks for the lives of an
//! agent at a dose and knows no more of either (RULES section 4). [`planned`] is the same for
//! what the command `limit` plans.

mod found;
mod lives;
mod search;
mod work;

use rayon::prelude::*;
use resonetics_analysis::stats::dose::DoseCurve;
use resonetics_envs::stream::lane_seed;

pub use self::found::{Found, answer, found, write};
use self::lives::Cell;
pub use self::lives::{COLUMNS, FILE, Life, Lives};
use self::search::Search;
pub use self::work::work;
use crate::error::Error;
use crate::interrupt;
use crate::plan::Limit;
use crate::progress::{Progress, Silent};
use crate::rollout::play_with;

/// Episodes of one agent at one dose that are played together: a whole number of clusters side by side.
const PIECE: u32 = 32;

/// Lives of one agent, by its place in the list, at one dose, one for each seed.
pub type Play<'a> = dyn Fn(usize, f64, &[u64]) -> Result<Vec<Life>, Error> + Sync + 'a;

/// Makes what is shown of so many episodes, which serve the purpose that is named.
pub type Shows<'a> = dyn Fn(&str, u64) -> Box<dyn Progress> + 'a;

/// What is asked.
pub struct Experiment<'a> {
    /// The agents' names.
    pub agents: &'a [String],
    /// Everything random follows from it: episode i has the seed `lane_seed(seed, i)` for each agent and dose.
    pub seed: u64,
    /// Episodes of each agent at each of the doses that count.
    pub episodes: u32,
    /// The dose that the search begins with, above 0.
    pub start: f64,
    /// The dose that there is in place of one; `None` where it is out of range.
    pub allowed: &'a dyn Fn(f64) -> Option<f64>,
    /// Plays episodes; called from several threads at once.
    pub play: &'a Play<'a>,
}

/// Lives of one agent: all its episodes at the doses that count, which are the same for all agents, and a few at
/// those that were tried on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Its name.
    pub agent: String,
    /// Each dose with its lives, ascending.
    pub doses: Vec<(f64, Vec<Life>)>,
}

impl Response {
    /// Who survived at the doses that count, for the statistics; `None` where there is none.
    pub fn curve(&self) -> Option<DoseCurve> {
        let most = self.doses.iter().map(|(_, lives)| lives.len()).max()?;
        let whole = self.doses.iter().filter(|(_, lives)| lives.len() == most);
        let survived = |lives: &[Life]| lives.iter().map(|life| life.survived).collect();
        let (doses, alive) = whole.map(|(dose, lives)| (*dose, survived(lives))).unzip();
        DoseCurve::new(doses, alive)
    }
}

/// Some episodes of a cell.
#[derive(Clone, Copy)]
struct Piece<'a> {
    cell: Cell<'a>,
    /// From this one on, counted from 0.
    first: u32,
    count: u32,
}

/// Chooses doses and plays them: first a few episodes at doses that double, halve and close in on where each agent's
/// share of survivors falls, then all `episodes` of every agent at nine doses across each agent's fall and at the
/// doubled doses between. `lives` has what was played before, and keeps what is played.
///
/// What is played depends on the question and its outcomes alone, never on time or threads.
///
/// # Errors
/// Those of `play` and `lives`, and [`Error::Interrupted`]; the lives that were played are kept.
pub fn curves(
    experiment: &Experiment<'_>,
    lives: &mut Lives,
    shows: &Shows<'_>,
) -> Result<Vec<Response>, Error> {
    let doses = choose(experiment, lives, shows)?;
    let agents = 0..experiment.agents.len();
    let cells: Vec<(usize, f64)> =
        agents.clone().flat_map(|agent| doses.iter().map(move |&dose| (agent, dose))).collect();
    let shown = shows("episodes", cells.len() as u64 * u64::from(experiment.episodes));
    play(experiment, lives, &cells, experiment.episodes, shown.as_ref())?;
    shown.finish();
    lives.refuse_unclaimed()?;
    let response =
        |agent: usize| Response { agent: experiment.agents[agent].clone(), doses: lives.all_of(agent) };
    Ok(agents.map(response).collect())
}

/// The doses that count.
fn choose(experiment: &Experiment<'_>, lives: &mut Lives, shows: &Shows<'_>) -> Result<Vec<f64>, Error> {
    let dose = |factor: f64| (experiment.allowed)(search::rounded(experiment.start * factor));
    let few = search::few(experiment.episodes);
    let mut searches = vec![Search::default(); experiment.agents.len()];
    let bound = u64::from(few) * (search::MOST * searches.len()) as u64;
    let shown = shows("episodes to choose the doses", bound);
    loop {
        let wanted: Vec<(usize, f64, f64)> = (0..)
            .zip(&searches)
            .filter_map(|(agent, search)| search.next(&dose).map(|(factor, dose)| (agent, factor, dose)))
            .collect();
        if wanted.is_empty() {
            break;
        }
        let cells: Vec<(usize, f64)> = wanted.iter().map(|&(agent, _, dose)| (agent, dose)).collect();
        play(experiment, lives, &cells, few, shown.as_ref())?;
        for (agent, factor, dose) in wanted {
            let survived =
                lives.of(agent, dose).iter().take(few as usize).filter(|life| life.survived).count();
            searches[agent].add(factor, survived as f64 / f64::from(few));
        }
    }
    shown.finish();
    Ok(search::union(&searches, &dose))
}

/// Plays the first `episodes` of each of the cells, agent and dose, as far as they were not played before.
fn play(
    experiment: &Experiment<'_>,
    lives: &mut Lives,
    cells: &[(usize, f64)],
    episodes: u32,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let (ask, seed) = (experiment.play, experiment.seed);
    let (mut pieces, mut known) = (Vec::new(), 0);
    for &(agent, dose) in cells {
        let cell = Cell { agent, name: &experiment.agents[agent], dose, seed };
        let mut first = lives.recall(cell, episodes)?;
        known += u64::from(first);
        while first < episodes {
            let count = PIECE.min(episodes - first);
            pieces.push(Piece { cell, first, count });
            first += count;
        }
    }
    if known > 0 {
        progress.begin_at(known);
    }
    // So many at a time keep all threads busy, and no more is lost where the run is killed.
    for together in pieces.chunks(2 * rayon::current_num_threads()) {
        interrupt::check()?;
        let played: Result<Vec<Vec<Life>>, Error> = together
            .par_iter()
            .map(|piece| {
                let episodes = piece.first..piece.first + piece.count;
                let seeds: Vec<u64> = episodes.map(|i| lane_seed(seed, i.into())).collect();
                let lives = ask(piece.cell.agent, piece.cell.dose, &seeds)?;
                progress.inc(piece.count.into());
                Ok(lives)
            })
            .collect();
        for (piece, played) in together.iter().zip(played?) {
            lives.add(piece.cell, piece.first, &played)?;
        }
    }
    Ok(())
}

/// Chooses doses and plays them for what `plan` says.
///
/// # Errors
/// As [`curves`].
pub fn planned(plan: &Limit, lives: &mut Lives, shows: &Shows<'_>) -> Result<Vec<Response>, Error> {
    let play = |agent: usize, dose: f64, seeds: &[u64]| {
        let (_, env) = plan.dosed(dose)?;
        let policy = |envs: usize| plan.checkpoints.policy(&env, &plan.agents[agent], envs);
        let played = play_with(&env, &policy, seeds, &Silent)?;
        Ok(played.iter().map(Life::from).collect())
    };
    let experiment = Experiment {
        agents: &plan.agents,
        seed: plan.seed,
        episodes: plan.episodes,
        start: plan.start()?,
        allowed: &|dose| plan.dosed(dose).ok().map(|(dose, _)| dose),
        play: &play,
    };
    curves(&experiment, lives, shows)
}
