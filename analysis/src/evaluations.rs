//! The part of a report about evaluations of trained agents, `eval.json`.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::chart::{ChartError, Estimate, intervals, picked_estimates};
use crate::read::{self, ReadError, foreign};
use crate::report::{Cell, Figure, Part, Table, at_most, of_seeds};
use crate::stats::Interval;
use crate::stats::student::{mean_interval, mean_interval_with, summed_up_interval};
use crate::stats::summary::mean;

/// The file of a run that is read.
pub const FILE: &str = "eval.json";

/// One `eval.json`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Evaluation {
    /// The training whose agent it is of.
    pub run: String,
    /// How it was trained, in a few words; files of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The checkpoint that acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Acted>,
    /// Whether its actions were drawn from its policy.
    #[serde(default)]
    pub sample: bool,
    /// The world.
    pub env: String,
    /// The seed of its episodes; evaluations with the same seed played the same ones.
    pub seed: Option<u64>,
    /// Episodes played.
    pub episodes: u64,
    /// Standard deviation of the noise on what the agent sees.
    pub obs_noise: f64,
    /// How many times as fast as in training the world drifts.
    pub drift_scale: f64,
    /// Mean of the returns.
    pub return_mean: Option<f64>,
    /// The lower end of its 95% interval.
    pub return_mean_low: Option<f64>,
    /// The upper end.
    pub return_mean_high: Option<f64>,
    /// Standard deviation of the returns.
    pub return_std: Option<f64>,
    /// Mean length of an episode, in steps.
    pub steps_mean: Option<f64>,
    /// Share of the episodes that ended by loss.
    pub terminated: Option<f64>,
    /// Share of the steps whose action is another than that before; files of earlier versions and of gardens have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_switches: Option<f64>,
    /// Mean over visited states of the Frobenius norm of the derivatives of the actions' probabilities by what is
    /// observed; none with a memory either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jacobian_norm: Option<f64>,
    /// The mean of their largest singular value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jacobian_singular: Option<f64>,
    /// What its training has in common with those that differ from it in the seed alone; the file does not say.
    #[serde(skip)]
    pub training: Option<String>,
}

/// The checkpoint that acted, as far as a report tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acted {
    /// Steps of training behind it.
    pub step: u64,
}

/// Evaluations under the same conditions of trainings that differ in the seed alone.
struct Together {
    runs: Vec<String>,
    env: String,
    conditions: String,
    mean: Option<f64>,
    /// Or why there is none.
    interval: Result<Interval, &'static str>,
}

impl Evaluation {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ReadError`] for what is none and for numbers beyond 1e100.
    pub fn read(path: &Path) -> Result<Evaluation, ReadError> {
        let text = read::whole(path)?;
        let refused = |line, problem| ReadError::Line { path: path.to_path_buf(), line, problem };
        if let Some(problem) = foreign(&text) {
            return Err(refused(1, problem));
        }
        let found: Evaluation = serde_json::from_slice(&text).map_err(|problem| {
            refused(problem.line() as u64, format!("is not an {FILE} of `eval`: {problem}"))
        })?;
        let numbers = [found.return_mean, found.return_mean_low, found.return_mean_high, found.return_std];
        if numbers.into_iter().flatten().any(|number| number.abs() > 1e100) {
            return Err(refused(1, "holds a return beyond 1e100".to_owned()));
        }
        Ok(found)
    }

    /// Switches of actions, and norm and largest singular value of the Jacobian.
    fn sensitivity(&self) -> [Option<f64>; 3] {
        [self.action_switches, self.jacobian_norm, self.jacobian_singular]
    }

    /// What is not as in training.
    fn conditions(&self) -> String {
        let noise = (self.obs_noise > 0.0).then(|| format!(" with observation noise {}", self.obs_noise));
        let drift = (self.drift_scale != 1.0).then(|| format!(" with {} times the drift", self.drift_scale));
        let sample = self.sample.then(|| " with sampled actions".to_owned());
        [noise, drift, sample].into_iter().flatten().collect()
    }

    /// From mean, deviation and count: the ends in files of earlier versions are a bootstrap's, which of few
    /// episodes are too near.
    fn interval(&self) -> Option<Interval> {
        summed_up_interval(self.return_mean?, self.return_std?, self.episodes.try_into().ok()?)
    }
}

/// Evaluations of which the answer speaks, and worlds that have a figure.
const SAID: usize = 6;

/// What a report says of `evaluations`, each with the name of its run, of which there is at least one.
///
/// # Errors
/// That a figure cannot be drawn.
pub fn part(evaluations: &[(String, Evaluation)]) -> Result<Part, ChartError> {
    let (mut answers, mut alone) = (Vec::new(), false);
    let groups = together(evaluations);
    for group in &groups {
        let interval = match group.interval {
            Ok(Interval { low, high }) => format!("95% over trainings {low:.2} to {high:.2}"),
            Err(reason) => reason.to_owned(),
        };
        answers.push(format!(
            "{}: mean return {} per {} episode{} ({interval}).",
            of_seeds(&group.runs),
            Cell::number(group.mean, 2).text,
            group.env,
            group.conditions
        ));
    }
    let told: HashSet<(&str, &str, &str)> = groups
        .iter()
        .flat_map(|group| {
            group.runs.iter().map(|run| (run.as_str(), group.env.as_str(), group.conditions.as_str()))
        })
        .collect();
    for (name, found) in evaluations {
        if !told.contains(&(found.run.as_str(), found.env.as_str(), found.conditions().as_str())) {
            alone = true;
            let interval = found.interval().map_or_else(
                || "no interval from so few".to_owned(),
                |Interval { low, high }| format!("95% {low:.2} to {high:.2}"),
            );
            answers.push(format!(
                "{name}: mean return {} per {} episode{} ({interval}).",
                Cell::number(found.return_mean, 2).text,
                found.env,
                found.conditions()
            ));
        }
    }
    let mut sentences = Vec::new();
    if alone {
        sentences.push("The interval of one training is over its episodes: it does not cover other training seeds, which may do better or worse.".to_owned());
    }
    let together: Vec<_> = groups
        .iter()
        .map(|group| json!({ "runs": group.runs, "return_mean": group.mean, "interval_over_trainings": group.interval.ok() }))
        .collect();
    let data: Vec<_> =
        evaluations.iter().map(|(name, found)| json!({ "name": name, "found": found })).collect();
    Ok(Part {
        question: "How do the trained agents perform?".to_owned(),
        answer: at_most(SAID, &answers, " ", "evaluations"),
        figures: figures(evaluations)?,
        tables: vec![table(evaluations)],
        sentences,
        findings: json!({ "kind": "evaluation", "evaluations": data, "together": together }),
        ..Part::default()
    })
}

/// The table of all, a row each.
fn table(evaluations: &[(String, Evaluation)]) -> Table {
    let mut table = Table::new(
        "Evaluations of trained agents",
        &[
            "run",
            "agent of",
            "recipe",
            "training steps",
            "actions",
            "world",
            "episodes",
            "noise on observations",
            "drift scale",
            "mean return (95%)",
            "standard deviation",
            "mean length, steps",
            "lost",
        ],
    );
    let sensitive = evaluations.iter().any(|(_, found)| found.sensitivity() != [None; 3]);
    if sensitive {
        let columns = ["action switches", "Jacobian norm", "largest singular value"];
        table.columns.extend(columns.map(str::to_owned));
    }
    for (name, found) in evaluations {
        let mut row = vec![
            Cell::text(name),
            Cell::text(&found.run),
            Cell::text(found.recipe.as_deref().unwrap_or("–")),
            found.checkpoint.as_ref().map_or_else(|| Cell::text("–"), |acted| Cell::count(acted.step)),
            Cell::text(if found.sample { "sampled" } else { "greedy" }),
            Cell::text(&found.env),
            Cell::count(found.episodes),
            Cell::number(Some(found.obs_noise), 2),
            Cell::number(Some(found.drift_scale), 2),
            Cell::estimate(found.return_mean, found.interval(), 2),
            Cell::number(found.return_std, 2),
            Cell::number(found.steps_mean, 1),
            Cell::share(found.terminated),
        ];
        if sensitive {
            let [switches, norm, singular] = found.sensitivity();
            row.extend([Cell::share(switches), Cell::number(norm, 3), Cell::number(singular, 3)]);
        }
        table.rows.push(row);
    }
    table
}

/// The groups of two trainings or more. A training that was evaluated more than once counts once, with the mean of
/// all its episodes.
fn together(evaluations: &[(String, Evaluation)]) -> Vec<Together> {
    let mut groups: Vec<Vec<&Evaluation>> = Vec::new();
    let mut places: HashMap<(&str, &str, String), usize> = HashMap::new();
    for (_, found) in evaluations {
        let Some(training) = &found.training else { continue };
        let place = *places.entry((training, &found.env, found.conditions())).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(found);
    }
    let group = |among: &Vec<&Evaluation>| {
        // Of each training its sum of returns and its episodes.
        let mut runs: Vec<(String, f64, f64)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for found in among {
            let (sum, episodes) = (found.return_mean? * found.episodes as f64, found.episodes as f64);
            let place = *places.entry(&found.run).or_insert(runs.len());
            if place == runs.len() {
                runs.push((found.run.clone(), 0.0, 0.0));
            }
            (runs[place].1, runs[place].2) = (runs[place].1 + sum, runs[place].2 + episodes);
        }
        let means: Vec<f64> = runs.iter().map(|(_, sum, episodes)| sum / episodes).collect();
        (runs.len() > 1).then(|| Together {
            runs: runs.into_iter().map(|(run, ..)| run).collect(),
            env: among[0].env.clone(),
            conditions: among[0].conditions(),
            mean: mean(&means),
            interval: interval_over(&means, among),
        })
    };
    groups.iter().filter_map(group).collect()
}

/// The interval of the mean of `means`, one of each training, from the evaluations `of` them; or why there is none.
///
/// How far trainings lie apart does not show the luck of episodes that they share. Without the episodes themselves
/// all of what they vary by counts as shared, which makes the interval a little wide.
fn interval_over(means: &[f64], of: &[&Evaluation]) -> Result<Interval, &'static str> {
    const EQUAL: &str = "equal means of so few do not generalise to other seeds";
    const ONE: &str = "they share one episode, which does not generalise to others";
    let trainings = mean_interval(means).ok_or(EQUAL)?;
    let shared = |one: &&&Evaluation| of.iter().any(|other| other.run != one.run && other.seed == one.seed);
    let shared: Vec<&&Evaluation> = of.iter().filter(shared).collect();
    let Some(fewest) = shared.iter().map(|found| found.episodes).min() else { return Ok(trainings) };
    let variance = |found: &&&Evaluation| Some(found.return_std?.powi(2) / found.episodes as f64);
    let luck = shared.iter().map(variance).collect::<Option<Vec<f64>>>().and_then(|luck| mean(&luck));
    let luck = luck.filter(|_| fewest > 1).ok_or(ONE)?;
    mean_interval_with(means, (luck, fewest as f64 - 1.0)).ok_or(EQUAL)
}

/// A figure a world: returns in different worlds are not to be compared.
fn figures(evaluations: &[(String, Evaluation)]) -> Result<Vec<Figure>, ChartError> {
    let mut worlds: Vec<(&str, Vec<Estimate>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (name, found) in evaluations {
        let Some(value) = found.return_mean else { continue };
        let place = *places.entry(&found.env).or_insert_with(|| {
            worlds.push((&found.env, Vec::new()));
            worlds.len() - 1
        });
        worlds[place].1.push(Estimate { name: name.clone(), value, interval: found.interval() });
    }
    let figure = |(number, (world, estimates)): (u32, (&str, Vec<Estimate>))| {
        let (estimates, note) = picked_estimates(estimates);
        let title = format!("Mean return of trained agents, {world}");
        let caption = format!("Mean return in {world}, with its 95% interval where there is one.{note}");
        Figure::new(format!("evaluation-{number}"), caption, |size| {
            intervals(&title, "return of an episode", &estimates, size)
        })
    };
    (1..).zip(worlds).take(SAID).map(figure).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ONE: &str = r#"{"run":"a","env":"k8s","seed":2,"episodes":20,"obs_noise":0.5,"drift_scale":1.0,"return_mean":1.5,"return_mean_low":1.0,"return_mean_high":2.0,"return_std":2.0,"steps_mean":500.0,"terminated":0.25}"#;

    fn read(text: &str) -> Result<Evaluation, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, text).unwrap();
        Evaluation::read(&path)
            .map_err(|error| error.to_string().split_once("eval.json").unwrap().1.to_owned())
    }

    #[test]
    fn worlds_have_figures_of_their_own() {
        let one = read(ONE).unwrap();
        let drifts =
            ONE.replace("\"obs_noise\":0.5", "\"obs_noise\":0").replace("_scale\":1.0", "_scale\":2.5");
        let few = read(&drifts.replace("_std\":2.0", "_std\":null")).unwrap();
        let other = Evaluation { env: "gardener".to_owned(), ..one.clone() };
        let all = [("x", one), ("y", few), ("z", other)].map(|(name, found)| (name.to_owned(), found));
        let part = part(&all).unwrap();
        assert!(part.answer.starts_with(
            "x: mean return 1.50 per k8s episode with observation noise 0.5 (95% 0.56 to 2.44). y: mean return 1.50 per k8s episode with 2.5 times the drift (no interval from so few)."
        ), "{}", part.answer);
        let names: Vec<_> = part.figures.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(names, ["evaluation-1", "evaluation-2"]);
        assert_eq!(part.tables[0].rows[0][12].text, "25.0%");
    }

    /// Where one evaluation says it, there is a place for it; the others have none.
    #[test]
    fn sensitivity_is_shown_where_it_was_measured() {
        let one = read(ONE).unwrap();
        let more = r#","action_switches":0.25,"jacobian_norm":0.125,"jacobian_singular":null}"#;
        let other = read(&ONE.replace('}', more)).unwrap();
        let all = [("x", &one), ("y", &other)].map(|(name, found)| (name.to_owned(), found.clone()));
        let table = |all: &[(String, Evaluation)]| part(all).unwrap().tables.remove(0);
        assert_eq!((table(&all[..1]).columns.len(), table(&all[..1]).rows[0].len()), (13, 13));
        let both = table(&all);
        assert_eq!(both.columns[13..], ["action switches", "Jacobian norm", "largest singular value"]);
        let shown =
            |row: usize| -> Vec<&str> { both.rows[row][13..].iter().map(|cell| &cell.text[..]).collect() };
        assert_eq!((shown(0), shown(1)), (vec!["–", "–", "–"], vec!["25.0%", "0.125", "–"]));
    }

    // scipy 1.17.1: ttest_1samp([50, 55, 60], 0).confidence_interval(): 55 and 42.579 to 67.421
    #[test]
    fn trainings_that_differ_in_the_seed_are_one_answer() {
        let of = |run: &str, mean: f64, training: &str| {
            let one = read(ONE).unwrap();
            let found = Evaluation {
                run: run.to_owned(),
                return_mean: Some(mean),
                training: Some(training.to_owned()),
                ..one
            };
            (format!("eval {run}"), found)
        };
        // The second was evaluated twice, and is still one training.
        let all = [
            of("a", 50.0, "x"),
            of("b", 54.0, "x"),
            of("c", 60.0, "x"),
            of("b", 56.0, "x"),
            of("d", 9.0, "y"),
        ];
        let part = part(&all).unwrap();
        assert!(
            part.answer.starts_with(
                "a, b, c (3 seeds): mean return 55.00 per k8s episode with observation noise 0.5 (95% over trainings 42.58 to 67.42). eval d: mean return 9.00 per k8s"
            ),
            "{}",
            part.answer
        );
        assert!(part.sentences[0].contains("one training is over its episodes"), "{:?}", part.sentences);
        assert!(super::part(&all[..4]).unwrap().sentences.is_empty());
    }

    /// A luck as large as what parts the trainings counts as much. By hand: 25 / 3 with 2 degrees of freedom and
    /// 200^2 / 20 with 19; scipy 1.17.1: 55 -+ t.ppf(0.975, 19.16) * sqrt(2008.3).
    #[test]
    fn shared_luck_widens_the_interval() {
        let one = read(ONE).unwrap();
        let all = [("a", 50.0), ("b", 55.0), ("c", 60.0)].map(|(run, mean)| {
            let training = Some("x".to_owned());
            let (run, return_mean, return_std) = (run.to_owned(), Some(mean), Some(200.0));
            (run.clone(), Evaluation { run, return_mean, return_std, training, ..one.clone() })
        });
        let answer = part(&all).unwrap().answer;
        assert!(answer.contains("(95% over trainings -38.75 to 148.75)"), "{answer}");
    }

    /// Evaluations with seeds of their own share no episodes: scipy 1.17.1, `ttest_1samp([50, 54, 60], 0)`.
    #[test]
    fn only_the_same_seed_is_shared_luck() {
        let answer = |of: fn(usize, Evaluation) -> Evaluation| {
            let one = read(ONE).unwrap();
            let all = [("a", 50.0), ("b", 54.0), ("c", 60.0)].into_iter().enumerate();
            let all: Vec<_> = all
                .map(|(number, (run, mean))| {
                    let training = Some("x".to_owned());
                    let found =
                        Evaluation { run: run.to_owned(), return_mean: Some(mean), training, ..one.clone() };
                    (run.to_owned(), of(number, found))
                })
                .collect();
            part(&all).unwrap().answer
        };
        let apart = answer(|number, one| Evaluation { seed: Some(number as u64), ..one });
        assert!(apart.contains("(95% over trainings 42.16 to 67.17)"), "{apart}");
        let single = answer(|_, one| Evaluation { episodes: 1, return_std: None, ..one });
        assert!(single.contains("(they share one episode, which does not generalise to others)"), "{single}");
    }

    #[test]
    fn what_is_no_evaluation_is_refused() {
        for (text, said) in [
            ("{}", ", line 1: is not an eval.json of `eval`: missing field `run`"),
            ("{\n", ", line 2: is not an eval.json of `eval`: EOF"),
            (&ONE.replace("1.5", "1e200"), ", line 1: holds a return beyond 1e100"),
        ] {
            let found = read(text).unwrap_err();
            assert!(found.starts_with(said), "{found}");
        }
    }
}
