//! Agents beside each other (Agarwal et al. 2021): aggregates with intervals, chances, paired tests.

mod part;
mod trained;

pub use part::part;
pub use trained::{Side, trained_sides};

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::read::GoOn;
use crate::read::episodes::{KEPT, Played};
use crate::stats::Interval;
use crate::stats::aggregate::{
    improvement_over_tasks, interquartile_mean_of_tasks, mean_of_tasks, median_of_tasks, optimality_gap,
    stratified_bootstrap_interval, stratified_bootstrap_intervals,
};
use crate::stats::bootstrap::Resampled;
use crate::stats::compare::{improvement_interval, probability_of_improvement};
use crate::stats::paired::{differences, holm, signed_rank_p};
use crate::stats::student::mean_interval;
use crate::stats::summary::{interquartile_mean, mean, quantile};

/// What one agent did in one world.
#[derive(Clone, Debug, Serialize)]
pub struct Agent {
    /// Its name; with its run where the same seeds were played twice.
    pub name: String,
    /// Episodes that were played.
    pub episodes: u64,
    /// Mean return.
    pub mean: Option<f64>,
    /// Its 95% interval by Student's t; that of the optimality gap too, the others by bootstrap.
    pub mean_interval: Option<Interval>,
    /// Median return.
    pub median: Option<f64>,
    /// Its interval.
    pub median_interval: Option<Interval>,
    /// Interquartile mean of the returns.
    pub iqm: Option<f64>,
    /// Its interval.
    pub iqm_interval: Option<Interval>,
    /// By how much the returns fall short of the world's target on average.
    pub optimality_gap: Option<f64>,
    /// Its interval, of the target as it is.
    pub optimality_gap_interval: Option<Interval>,
    /// Mean length of an episode in steps.
    pub steps: Option<f64>,
    /// Share of the episodes that ended by loss.
    pub lost: f64,
    /// How it compares with the baseline; `None` for the baseline itself.
    pub against_baseline: Option<Comparison>,
    #[serde(skip)]
    played: Played,
}

/// An agent beside the baseline.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// The chance that an episode of it beats one of the baseline, ties counting half.
    pub improvement: Option<f64>,
    /// Its 95% interval.
    pub improvement_interval: Option<Interval>,
    /// Episodes that both played with the same seed.
    pub pairs: usize,
    /// Mean difference of those pairs.
    pub difference: Option<f64>,
    /// Its 95% interval.
    pub difference_interval: Option<Interval>,
    /// Wilcoxon's signed-rank test of those pairs.
    pub p: Option<f64>,
    /// The same, for as many agents as there are (Holm).
    pub p_holm: Option<f64>,
}

/// All agents in one world.
#[derive(Clone, Debug, Serialize)]
pub struct World {
    /// Its name.
    pub name: String,
    /// Whom the others are compared with.
    pub baseline: String,
    /// The highest mean return: the target of the optimality gap.
    pub target: Option<f64>,
    /// Whose it is; of several the first.
    pub target_of: Option<String>,
    /// In the order of the files.
    pub agents: Vec<Agent>,
    /// Trained agents whose trainings differ in the seed alone, where there are several.
    pub trained: Vec<Side>,
}

impl World {
    fn agent(&self, name: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.name == name)
    }
}

/// Scores over several worlds, 0 the baseline's mean and 1 the best mean of each world.
#[derive(Clone, Debug, Serialize)]
pub struct Overall {
    /// The agent.
    pub name: String,
    /// Mean over worlds of the means.
    pub mean: Option<f64>,
    /// Median over worlds of the means.
    pub median: Option<f64>,
    /// Interquartile mean of all episodes.
    pub iqm: Option<f64>,
    /// Its 95% interval, episodes resampled inside each world.
    pub iqm_interval: Option<Interval>,
    /// Mean shortfall from 1.
    pub optimality_gap: Option<f64>,
    /// Mean over worlds of the chance to beat the baseline.
    pub improvement: Option<f64>,
}

/// The episodes of one file.
#[derive(Clone, Debug)]
pub struct Benchmark {
    /// The run's name.
    pub run: String,
    /// The world with its settings; files of one world share it.
    pub world: String,
    /// Agent by agent.
    pub agents: Vec<Played>,
}

/// Brings the agents of each world together and compares them with `baseline`, or with the first. Asks
/// `go_on` before each agent: the intervals of 50,000 episodes take more than a second.
///
/// # Errors
/// That a world has no agent called `baseline`, with those there are; that `go_on` said no.
pub fn worlds(files: &[Benchmark], baseline: Option<&str>, go_on: GoOn<'_>) -> Result<Vec<World>, String> {
    let mut of_worlds: Vec<(&str, Vec<&Benchmark>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for file in files {
        let place = *places.entry(&file.world).or_insert_with(|| {
            of_worlds.push((&file.world, Vec::new()));
            of_worlds.len() - 1
        });
        of_worlds[place].1.push(file);
    }
    of_worlds
        .into_iter()
        .map(|(world, of_world)| compared(world, together(&of_world), baseline, go_on))
        .collect()
}

/// One [`Played`] an agent. Files that share seeds played the same episodes: their agents are told apart
/// by run; others add to each other.
fn together(files: &[&Benchmark]) -> Vec<Played> {
    let mut agents: Vec<Played> = Vec::new();
    // Where an agent is, and the seeds it has played.
    let mut places: HashMap<&str, (usize, HashSet<u64>)> = HashMap::new();
    for file in files {
        for played in &file.agents {
            let Some((place, seeds)) = places.get_mut(played.agent.as_str()) else {
                let seeds = played.seeds.iter().copied().collect();
                places.insert(&played.agent, (agents.len(), seeds));
                agents.push(played.clone());
                continue;
            };
            if played.seeds.iter().any(|seed| seeds.contains(seed)) {
                agents.push(Played { agent: format!("{} ({})", played.agent, file.run), ..played.clone() });
                continue;
            }
            let known = &mut agents[*place];
            known.episodes += played.episodes;
            if known.returns.len() + played.returns.len() <= KEPT {
                seeds.extend(&played.seeds);
                known.terminated += played.terminated;
                known.seeds.extend(&played.seeds);
                known.returns.extend(&played.returns);
                known.steps.extend(&played.steps);
                known.not_finite = known.not_finite.or(played.not_finite);
            }
        }
    }
    agents
}

fn compared(
    name: &str,
    agents: Vec<Played>,
    baseline: Option<&str>,
    go_on: GoOn<'_>,
) -> Result<World, String> {
    let known = || agents.iter().map(|played| played.agent.as_str()).collect::<Vec<_>>().join(", ");
    let first = match baseline {
        None => 0,
        Some(baseline) => agents
            .iter()
            .position(|played| played.agent == baseline)
            .ok_or_else(|| format!("no agent is called `{baseline}` in {name}; there are: {}", known()))?,
    };
    let means = agents.iter().filter_map(|played| Some((mean(&played.returns)?, &played.agent)));
    // Of equal ones the first.
    let best = means.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let best = best.map(|(mean, agent)| (mean, agent.clone()));
    let target = best.as_ref().map(|(mean, _)| *mean);
    let mut compared: Vec<Agent> = Vec::new();
    for (index, played) in agents.iter().enumerate() {
        if !go_on() {
            return Err(format!("stopped before the intervals of {}", played.agent));
        }
        let returns = std::slice::from_ref(&played.returns);
        let aggregates =
            |scores: &[Vec<f64>]| Some([quantile(&scores[0], 0.5)?, interquartile_mean(&scores[0])?]);
        let mut stream = Resampled::InterquartileMean.stream();
        let intervals = stratified_bootstrap_intervals(returns, aggregates, &mut stream);
        let shortfalls =
            |target: f64| played.returns.iter().map(|score| (target - score).max(0.0)).collect::<Vec<_>>();
        compared.push(Agent {
            name: played.agent.clone(),
            episodes: played.episodes,
            mean: mean(&played.returns),
            mean_interval: mean_interval(&played.returns),
            median: quantile(&played.returns, 0.5),
            median_interval: intervals.map(|intervals| intervals[0]),
            iqm: interquartile_mean(&played.returns),
            iqm_interval: intervals.map(|intervals| intervals[1]),
            optimality_gap: target.and_then(|target| optimality_gap(returns, target)),
            optimality_gap_interval: target
                .and_then(|target| mean_interval(&shortfalls(target)))
                .map(|Interval { low, high }| Interval { low: low.max(0.0), high }),
            steps: mean(&played.steps),
            lost: played.terminated as f64 / played.returns.len().max(1) as f64,
            against_baseline: (index != first).then(|| against(played, &agents[first])),
            played: Played::default(),
        });
    }
    let baseline = agents[first].agent.clone();
    let several = |side: &Side| side.members.len() > 1;
    let trained = trained_sides(&agents, &baseline).into_iter().filter(several).collect();
    for (agent, played) in compared.iter_mut().zip(agents) {
        agent.played = played;
    }
    correct_for_many(&mut compared);
    Ok(World {
        name: name.to_owned(),
        baseline,
        target,
        target_of: best.map(|(_, agent)| agent),
        agents: compared,
        trained,
    })
}

fn against(played: &Played, baseline: &Played) -> Comparison {
    let (x, y) = (&played.returns, &baseline.returns);
    Comparison {
        improvement: probability_of_improvement(x, y),
        improvement_interval: improvement_interval(x, y),
        ..paired(played, baseline)
    }
}

/// The comparison of the episodes that both played with the same seed.
fn paired(played: &Played, baseline: &Played) -> Comparison {
    let by_seed: HashMap<u64, f64> =
        baseline.seeds.iter().copied().zip(baseline.returns.iter().copied()).collect();
    let pairs: Vec<(f64, f64)> = played
        .seeds
        .iter()
        .zip(&played.returns)
        .filter_map(|(seed, &mine)| by_seed.get(seed).map(|&theirs| (mine, theirs)))
        .collect();
    let (mine, theirs): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let differences = differences(&mine, &theirs);
    Comparison {
        pairs: pairs.len(),
        difference: mean(&differences),
        difference_interval: mean_interval(&differences),
        p: signed_rank_p(&mine, &theirs),
        ..Comparison::default()
    }
}

fn correct_for_many(agents: &mut [Agent]) {
    let tested: Vec<(usize, f64)> = agents
        .iter()
        .enumerate()
        .filter_map(|(index, agent)| Some((index, agent.against_baseline.as_ref()?.p?)))
        .collect();
    let corrected = holm(&tested.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    for ((index, _), p) in tested.iter().zip(corrected) {
        if let Some(comparison) = &mut agents[*index].against_baseline {
            comparison.p_holm = Some(p);
        }
    }
}

/// The agents that were in all of several worlds, over those worlds; empty for one world, and where in
/// some world no agent is better than the baseline, so that there is no scale.
pub fn overall(worlds: &[World]) -> Vec<Overall> {
    let Some((first, others)) = worlds.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let normalised = |name: &str| -> Option<Vec<Vec<f64>>> {
        let scores = |world: &World| {
            let zero = world.agent(&world.baseline)?.mean?;
            let span = world.target? - zero;
            let returns = &world.agent(name)?.played.returns;
            (span > 0.0).then(|| returns.iter().map(|score| (score - zero) / span).collect())
        };
        worlds.iter().map(scores).collect()
    };
    if others.iter().any(|world| world.baseline != first.baseline) {
        return Vec::new();
    }
    let baseline = normalised(&first.baseline);
    let one = |agent: &Agent| {
        let scores = normalised(&agent.name)?;
        let beats = |baseline| improvement_over_tasks(&scores, baseline);
        Some(Overall {
            name: agent.name.clone(),
            mean: mean_of_tasks(&scores),
            median: median_of_tasks(&scores),
            iqm: interquartile_mean_of_tasks(&scores),
            iqm_interval: stratified_bootstrap_interval(
                &scores,
                interquartile_mean_of_tasks,
                &mut Resampled::Overall.stream(),
            ),
            optimality_gap: optimality_gap(&scores, 1.0),
            improvement: baseline.as_deref().filter(|_| agent.name != first.baseline).and_then(beats),
        })
    };
    first.agents.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(agent: &str, scores: &[(u64, f64)]) -> Played {
        Played {
            agent: agent.to_owned(),
            training: None,
            episodes: scores.len() as u64,
            seeds: scores.iter().map(|score| score.0).collect(),
            returns: scores.iter().map(|score| score.1).collect(),
            steps: vec![10.0; scores.len()],
            terminated: 1,
            not_finite: None,
        }
    }

    fn file(run: &str, world: &str, agents: Vec<Played>) -> Benchmark {
        Benchmark { run: run.to_owned(), world: world.to_owned(), agents }
    }

    /// Pairs are found by seed, whatever the order, and those without a partner stay out.
    #[test]
    fn pairs_are_found_by_seed() {
        let a = played("a", &[(1, 1.0), (2, 2.0), (3, 3.0), (9, 100.0)]);
        let b = played("b", &[(3, 4.0), (1, 2.0), (2, 3.0)]);
        let worlds = worlds(&[file("r", "k8s", vec![a, b])], None, &|| true).unwrap();
        let b = worlds[0].agents[1].against_baseline.as_ref().unwrap();
        assert_eq!((b.pairs, b.difference), (3, Some(1.0)));
        assert_eq!(b.p, Some(0.25), "three of three positive: 2 / 2^3");
        assert!(worlds[0].agents[0].against_baseline.is_none());
        // a's mean, 26.5, is the best; b falls short of it by 23.5 on average.
        assert_eq!(worlds[0].agents[1].optimality_gap, Some(23.5));
    }

    #[test]
    fn episodes_add_up_unless_their_seeds_are_the_same() {
        let one = file("one", "k8s", vec![played("a", &[(1, 1.0)])]);
        let more = file("more", "k8s", vec![played("a", &[(2, 2.0)])]);
        let again = file("again", "k8s", vec![played("a", &[(1, 3.0)])]);
        let names = |files: &[Benchmark]| {
            let worlds = worlds(files, None, &|| true).unwrap();
            worlds[0].agents.iter().map(|agent| (agent.name.clone(), agent.episodes)).collect::<Vec<_>>()
        };
        assert_eq!(names(&[one.clone(), more]), [("a".to_owned(), 2)]);
        assert_eq!(names(&[one, again]), [("a".to_owned(), 1), ("a (again)".to_owned(), 1)]);
    }

    /// Two files are more than are kept: the second is counted, not looked at, and that is said.
    #[test]
    fn no_more_episodes_are_looked_at_than_are_kept() {
        let file = |name: &str, seeds: std::ops::Range<u64>| {
            let scores: Vec<_> = seeds.map(|seed| (seed, f64::from(u8::from(name == "more")))).collect();
            file(name, "k8s", vec![played("a", &scores)])
        };
        let kept = KEPT as u64;
        let worlds =
            worlds(&[file("one", 0..kept - 1), file("more", kept..kept + 2)], None, &|| true).unwrap();
        let a = &worlds[0].agents[0];
        assert_eq!((a.episodes, a.played.returns.len(), a.mean), (kept + 1, KEPT - 1, Some(0.0)));
        let said = part(&worlds).unwrap().sentences.concat();
        assert!(said.contains("a played 50001 episodes: 49999 of them are looked at"), "{said}");
    }

    #[test]
    fn one_episode_has_no_interval_and_nan_no_mean() {
        let agents = vec![played("a", &[(1, 1.0)]), played("b", &[(1, f64::NAN), (2, 2.0)])];
        let worlds = worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap();
        let [a, b] = &worlds[0].agents[..] else { panic!("two agents") };
        assert_eq!((a.mean, a.iqm_interval), (Some(1.0), None));
        assert_eq!((b.mean, b.iqm, b.optimality_gap), (None, None, None));
    }

    /// Three episodes have a mean with an interval, and no interquartile mean with one; the answer says so, and
    /// gives no verdict that chance gives in one of four cases.
    #[test]
    fn few_episodes_say_little() {
        let agents = vec![
            played("a", &[(1, 20.0), (2, 20.0), (3, 20.0)]),
            played("b", &[(1, 21.0), (2, 22.0), (3, 29.0)]),
        ];
        let worlds = worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap();
        let b = &worlds[0].agents[1];
        assert_eq!((b.iqm_interval, b.median_interval), (None, None));
        let told = part(&worlds).unwrap();
        assert_eq!(
            told.answer,
            "b has the highest interquartile mean return, 24 (3 episodes are too few for an interval of it), before a with 20 (3 episodes are too few for an interval of it); on the 3 seeds that both played no difference of the means is shown: +4 (95% -7 to +15)."
        );
        assert!(
            told.sentences.concat().contains("b played 3 episodes: too few for an interval of the median")
        );
    }

    /// Agents that do the same have no rank among each other, in the answer or in a remark.
    #[test]
    fn equal_agents_share_the_first_place() {
        let scores = [(1, 20.0), (2, 21.0), (3, 25.0)];
        let told = |names: &[&str], rest: &[Played]| {
            let agents = names.iter().map(|name| played(name, &scores)).chain(rest.to_vec()).collect();
            part(&worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap()).unwrap()
        };
        let three = told(&["a", "b", "c"], &[]);
        assert_eq!(three.answer, "a, b and c share the highest interquartile mean return, 22.");
        let said = three.sentences.concat();
        assert!(said.contains("the mean return of a, b and c, the best here"), "{said}");
        let two = told(&["b", "a"], &[played("c", &[(1, 1.0), (2, 2.0), (3, 9.0)])]).answer;
        assert_eq!(
            two,
            "b and a share the highest interquartile mean return, 22; 3 seeds that both played, with equal differences, are too few to say more; next is c with 4.0 (3 episodes are too few for an interval of it)."
                .replace("4.0", "4")
        );
        // In each of seven worlds two are the best, in one of them a third is.
        let files: Vec<Benchmark> = (0..7)
            .map(|number| {
                let third = played("c", &[(1, if number == 0 { 30.0 } else { 1.0 })]);
                file("r", &format!("w{number}"), vec![played("a", &scores), played("b", &scores), third])
            })
            .collect();
        let many = part(&worlds(&files, None, &|| true).unwrap()).unwrap().answer;
        assert!(many.contains("is that of c in 1; in 6 several agents share it."), "{many}");
    }

    /// Where the interquartile mean and the mean disagree, both are said.
    #[test]
    fn a_lower_mean_is_no_victory() {
        let scores = |of: fn(u64) -> f64| (0..40).map(|i| (i, of(i))).collect::<Vec<_>>();
        let steady = played("steady", &scores(|i| 10.0 + 0.01 * i as f64));
        // Better in most episodes, lost in eight of forty.
        let risky = played("risky", &scores(|i| if i % 5 == 0 { -90.0 } else { 11.0 + 0.01 * i as f64 }));
        let answer =
            part(&worlds(&[file("r", "k8s", vec![steady, risky])], None, &|| true).unwrap()).unwrap().answer;
        assert!(answer.starts_with("risky has the highest interquartile mean return"), "{answer}");
        assert!(answer.contains("the mean is lower nonetheless, by -19"), "{answer}");
    }

    /// Three trainings that differ in the seed alone: the answer is of the trainings, not of their episodes.
    #[test]
    fn trainings_are_the_unit_of_the_answer() {
        let scores = |mean: f64| (0..40).map(|i| (i, mean + (i % 4) as f64)).collect::<Vec<_>>();
        let trained =
            |name: &str, mean: f64| Played { training: Some("x".to_owned()), ..played(name, &scores(mean)) };
        let agents = vec![
            played("random", &scores(20.0)),
            trained("prophet:a", 19.0),
            trained("prophet:b", 22.0),
            trained("prophet:c", 25.0),
        ];
        let worlds = worlds(&[file("r", "k8s", agents.clone())], None, &|| true).unwrap();
        let told = part(&worlds).unwrap();
        assert!(
            told.answer.starts_with("prophet:a, prophet:b, prophet:c (3 seeds) have the highest interquartile mean return, 23.50 (95% over 3 trainings 16.05 to 30.95), before random"),
            "{}",
            told.answer
        );
        assert!(
            told.answer.contains("no difference of the means is shown: +2.00 (95% -5."),
            "{}",
            told.answer
        );
        assert!(told.tables.iter().any(|table| table.caption.contains("differ in the seed alone")));
        let alone =
            part(&super::worlds(&[file("r", "k8s", agents[..2].to_vec())], None, &|| true).unwrap()).unwrap();
        assert!(alone.answer.contains("20.50 (95% of this one training "), "{}", alone.answer);
        assert!(alone.sentences.concat().contains("prophet:a is one training"), "{:?}", alone.sentences);
    }

    /// Of an agent below the target always, the gap is what is missing from its mean, and so is its interval;
    /// the median of ten different scores lies between the fifth and the sixth.
    #[test]
    fn each_aggregate_has_its_own_interval() {
        let scores = |shift: f64| (0..10).map(|i| (i, shift + (i * i) as f64)).collect::<Vec<_>>();
        let agents = vec![played("low", &scores(0.0)), played("high", &scores(1000.0))];
        let worlds = worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap();
        let (low, target) = (&worlds[0].agents[0], worlds[0].target.unwrap());
        let (mean, gap) = (low.mean_interval.unwrap(), low.optimality_gap_interval.unwrap());
        assert!(
            (gap.low - (target - mean.high)).abs() < 1e-9 && (gap.high - (target - mean.low)).abs() < 1e-9
        );
        let halves = |end: f64| (2.0 * end).fract() == 0.0;
        let middle = low.median_interval.unwrap();
        assert!(halves(middle.low) && halves(middle.high) && middle != mean, "{middle:?}, {mean:?}");
        let iqm = low.iqm_interval.unwrap();
        assert!(iqm != mean && iqm != middle && iqm.low < low.iqm.unwrap() && low.iqm.unwrap() < iqm.high);
    }

    /// Returns of any size are told with digits that differ.
    #[test]
    fn small_and_large_returns_have_the_digits_they_need() {
        for (scale, shown) in [(1e-3, "+0.0010"), (1.0, "+1.0"), (1e4, "+10000 ")] {
            let scores = |shift: f64| {
                (0..20).map(|i| (i, scale * (shift + f64::from(i as u32) / 4.0))).collect::<Vec<_>>()
            };
            let agents = vec![played("a", &scores(0.0)), played("b", &scores(1.0))];
            let worlds = worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap();
            let answer = part(&worlds).unwrap().answer;
            assert!(answer.contains(&format!("the mean difference is {shown}")), "{answer}");
        }
    }

    #[test]
    fn an_unknown_baseline_is_refused_with_those_there_are() {
        let files = [file("r", "k8s", vec![played("a", &[(1, 1.0)]), played("b", &[(1, 1.0)])])];
        let refused = worlds(&files, Some("c"), &|| true).unwrap_err();
        let stopped = worlds(&files, None, &|| false).unwrap_err();
        assert!(stopped.starts_with("stopped before the intervals of "), "{stopped}");
        assert_eq!(refused, "no agent is called `c` in k8s; there are: a, b");
        assert_eq!(worlds(&files, Some("b"), &|| true).unwrap()[0].baseline, "b");
    }

    /// Worlds of different scale weigh the same: 0 is the baseline, 1 the best.
    #[test]
    fn several_worlds_are_brought_to_one_scale() {
        let small = file("r", "small", vec![played("a", &[(1, 0.0)]), played("b", &[(1, 1.0)])]);
        let large = file(
            "s",
            "large",
            vec![played("a", &[(1, 100.0)]), played("b", &[(1, 300.0)]), played("c", &[(1, 1.0)])],
        );
        let worlds = worlds(&[small, large], None, &|| true).unwrap();
        let overall = overall(&worlds);
        let means: Vec<_> = overall.iter().map(|agent| (agent.name.as_str(), agent.mean)).collect();
        assert_eq!(means, [("a", Some(0.0)), ("b", Some(1.0))]);
        assert_eq!(overall[1].improvement, Some(1.0));
        assert!(super::overall(&worlds[..1]).is_empty());
    }
}
