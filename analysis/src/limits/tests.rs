use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::read::episodes::Recipe;

const DOSES: [f64; 5] = [0.01, 0.015, 0.02, 0.025, 0.03];

/// An agent of which the first `alive` of `of` episodes survive at each dose; seeds from `first` on.
fn agent(name: &str, alive: [usize; 5], of: usize, first: u64) -> Doses {
    let rows = alive.iter().map(|&alive| (0..of).map(|i| i < alive).collect()).collect();
    Doses {
        agent: name.to_owned(),
        training: None,
        recipe: None,
        curve: DoseCurve::new(DOSES.to_vec(), rows).unwrap(),
        seeds: (first..first + of as u64).collect(),
        mean_life: vec![100.0; 5],
        unfinished: vec![],
        episodes: 5 * of as u64,
    }
}

fn world(agents: Vec<Doses>) -> World {
    World { name: "k8s".to_owned(), dose: Some("mem_drift_mu".to_owned()), life: Some(2000), agents }
}

fn told(agents: Vec<Doses>) -> Part {
    part(&[world(agents)], &|| true).unwrap()
}

/// Beside a trained agent stands how it came about; where none was trained there are no such columns.
#[test]
fn trained_agents_have_their_recipe_beside_them() {
    let [heuristic, mut prophet] =
        ["heuristic", "prophet:a"].map(|name| agent(name, [40, 40, 20, 0, 0], 40, 0));
    let bare = told(vec![heuristic.clone()]);
    assert_eq!(bare.tables[0].columns[..2], ["world, agent", "episodes"]);
    prophet.recipe = Some(Recipe { name: Some("ppo 2x64".to_owned()), steps: 4096 });
    let part = told(vec![heuristic, prophet]);
    for table in &part.tables {
        assert_eq!(
            table.columns[..4],
            ["world, agent", "recipe", "training steps", table.columns[3].as_str()]
        );
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
        let beside = |name: &str| {
            let row = table.rows.iter().find(|row| row[0].text.ends_with(name)).unwrap();
            [row[1].text.clone(), row[2].text.clone()]
        };
        assert_eq!(
            (beside("heuristic"), beside("prophet:a")),
            (["–".into(), "–".into()], ["ppo 2x64".into(), "4096".into()])
        );
    }
}

/// By hand: with shares lost 0, 0, 1/2, 1, 1 half are lost at 0.02; one dose later at 0.025. The outcomes at the dose of the
/// half are those of the same episodes, so every resample has the same difference, but for the ends.
#[test]
fn the_best_is_told_with_its_lead() {
    let part = told(vec![
        agent("heuristic", [40, 20, 0, 0, 0], 40, 0),
        agent("patrol", [40, 40, 40, 20, 0], 40, 0),
        agent("planner", [40, 40, 20, 0, 0], 40, 0),
    ]);
    assert!(
        part.answer.starts_with(
            "k8s: patrol carries the most: half are lost at a mem_drift_mu of 0.02500 (95% 0.02"
        ),
        "{}",
        part.answer
    );
    assert!(
        part.answer.ends_with(
            "That is above planner, the next, by 0.00500 (95% 0.00500 to 0.00500), and above every other."
        ),
        "{}",
        part.answer
    );
    assert!(part.sentences.iter().all(|text| text.contains("no logistic curve")), "{:?}", part.sentences);
    assert_eq!((part.figures.len(), part.tables[0].rows.len(), part.tables[1].rows.len()), (1, 3, 15));
    let cell = |row: usize, column: usize| part.tables[0].rows[row][column].text.clone();
    assert_eq!((cell(1, 6), cell(2, 6)), ("–".to_owned(), "0.00500 (0.00500 to 0.00500)".to_owned()));
    assert_eq!(part.findings["worlds"][0]["differences"][0]["other"], "planner");
    // Whoever is first in the file.
    let back = told(vec![agent("a", [40, 40, 20, 0, 0], 40, 0), agent("b", [40, 20, 0, 0, 0], 40, 0)]);
    assert!(
        back.answer.contains("k8s: a carries the most") && back.answer.ends_with("to 0.00500)."),
        "{}",
        back.answer
    );
}

/// An agent that is ahead in the table by two episodes of forty, in other ones: no answer.
#[test]
fn a_lead_by_chance_is_none() {
    let ahead = agent("b", [40, 38, 22, 4, 0], 40, 0);
    let mut behind = agent("a", [40, 38, 20, 4, 0], 40, 0);
    // Its survivors are others.
    let rows = (0..5).map(|d| (0..40).map(|i| i >= 40 - behind.curve.survived()[d] as usize).collect());
    behind.curve = DoseCurve::new(DOSES.to_vec(), rows.collect()).unwrap();
    let part = told(vec![behind, ahead]);
    assert!(
        part.answer.starts_with("k8s: b and a cannot be told apart: the difference is 0.000"),
        "{}",
        part.answer
    );
    assert!(!part.answer.contains("carries"), "{}", part.answer);
}

#[test]
fn bounds_are_told_and_compared() {
    let all = |name: &str| agent(name, [40; 5], 40, 0);
    let low = agent("random", [4, 0, 0, 0, 0], 40, 0);
    let part = told(vec![low.clone(), all("patrol")]);
    assert_eq!(
        part.answer,
        "k8s: patrol carries the most: its limit is above a mem_drift_mu of 0.03000. That is above random, the next, by 0.02000 or more (95%)."
    );
    assert_eq!(part.tables[0].rows[0][3].text, "below 0.01000");
    let part = told(vec![low.clone(), all("patrol"), all("prophet:a")]);
    assert!(
        part.answer.starts_with("k8s: patrol and prophet:a cannot be told apart: their limits are not known well enough. patrol: its limit is above")
            && part.answer.ends_with("Random carries less than patrol."),
        "{}",
        part.answer
    );
    let part = told(vec![low]);
    assert_eq!(part.answer, "k8s: random: its limit is below a mem_drift_mu of 0.01000.");
}

#[test]
fn other_seeds_are_not_compared() {
    let part = told(vec![agent("a", [40, 40, 20, 0, 0], 40, 0), agent("b", [40, 20, 0, 0, 0], 40, 100)]);
    assert!(
        part.answer.contains("a and b cannot be told apart: they have no episode with the same seed"),
        "{}",
        part.answer
    );
    // Of those that overlap the shared half is: the last twenty of one, the first twenty of the other.
    let part = told(vec![agent("a", [40, 40, 20, 0, 0], 40, 0), agent("b", [40, 20, 0, 0, 0], 40, 20)]);
    assert_eq!(part.findings["worlds"][0]["differences"][0]["pairs"], 20);
}

#[test]
fn curves_that_are_not_as_they_should_be_are_told() {
    let mut odd = agent("odd", [40, 20, 38, 2, 0], 40, 0);
    odd.unfinished = vec![0.027, 0.028];
    let part = told(vec![odd]);
    assert!(
        part.sentences[0].starts_with("k8s, odd: more live at 0.02 than at 0.015, by more than chance"),
        "{:?}",
        part.sentences
    );
    let told = &part.findings["worlds"][0]["agents"][0];
    assert_eq!(told["doses_with_fewer_episodes"], serde_json::json!([0.027, 0.028]));
    assert_eq!(part.tables[0].rows[0][5].text, "no");
}

/// Three trainings of one kind are one value each. By hand: limits of 0.015, 0.02 and 0.025, mean 0.02, standard error
/// 0.005 / sqrt(3); Student's t with 2 degrees of freedom: 0.02 -+ 4.302653 * 0.00288675 (the episodes add a little).
#[test]
fn trainings_are_one_side() {
    let trained =
        |name: &str, alive: [usize; 5]| Doses { training: Some("x".to_owned()), ..agent(name, alive, 40, 0) };
    let agents = vec![
        agent("patrol", [40, 38, 20, 2, 0], 40, 0),
        trained("prophet:a", [38, 20, 2, 0, 0]),
        trained("prophet:b", [40, 38, 20, 2, 0]),
        trained("prophet:c", [40, 40, 38, 20, 2]),
    ];
    let part = told(agents);
    assert!(part.answer.contains("cannot be told apart"), "{}", part.answer);
    // The trainings scatter by far more than the episodes, which are the same for all.
    let ends = &part.findings["worlds"][0]["differences"][0]["difference"];
    assert!(ends["high"].as_f64().unwrap() - ends["low"].as_f64().unwrap() > 0.02, "{ends}");
    let ahead = [18, 20, 22].map(|at_last| [40, 40, 40, at_last, 2]);
    let mut seeds: Vec<Doses> =
        ["a", "b", "c"].iter().zip(ahead).map(|(name, alive)| trained(name, alive)).collect();
    seeds.push(agent("random", [40, 20, 0, 0, 0], 40, 0));
    let answer = told(seeds).answer;
    assert!(answer.starts_with("k8s: a, b, c (3 seeds) carry the most: half are lost at"), "{answer}");
    let row = &part.tables[0].rows[4];
    assert_eq!(row[0].text, "k8s, mean of prophet:a, prophet:b, prophet:c (3 seeds)");
    let limit = &part.findings["worlds"][0]["trainings"][0]["limit"];
    let number = |name: &str| limit[name].as_f64().unwrap();
    assert!((number("limit") - 0.02).abs() < 1e-9);
    for (name, expected) in [("low", 0.007_579_311), ("high", 0.032_420_689)] {
        assert!((number(name) - expected).abs() < 3e-4, "{name} {}", number(name));
    }
    // One of them has a bound alone: no mean, and it is said of how many.
    let agents = vec![trained("prophet:a", [38, 20, 2, 0, 0]), trained("prophet:b", [40; 5])];
    let answer = told(agents).answer;
    assert!(answer.contains("1 of 2 trainings have a limit within the doses tried"), "{answer}");
}

/// Ten agents that are the same: in 95% of cases none is told to carry the most.
#[test]
fn the_best_of_equals_is_not_told() {
    let rng = &mut StdRng::seed_from_u64(17);
    let mut told = 0;
    for _ in 0..40 {
        let equal = |number: usize, rng: &mut StdRng| {
            let chance = [0.98, 0.8, 0.5, 0.2, 0.02];
            let rows =
                chance.map(|chance| (0..30).map(|_| rng.random::<f64>() < chance).collect::<Vec<bool>>());
            let curve = DoseCurve::new(DOSES.to_vec(), rows.to_vec()).unwrap();
            Doses { curve, ..agent(&format!("a{number}"), [0; 5], 30, 0) }
        };
        let agents = (0..4).map(|number| equal(number, rng)).collect();
        let world = world(agents);
        let found: Vec<Limits> = world.agents.iter().map(|agent| limits(&agent.curve)).collect();
        let (_, beside) = sides(&world, &found);
        told += u32::from(beside.iter().all(Beside::is_told));
    }
    assert!(told <= 4, "{told} of 40");
}

#[test]
fn of_many_agents_the_figure_names_three() {
    let agents: Vec<Doses> =
        (0..30).map(|i| agent(&format!("agent-{i:02}"), [40, 40 - i, 20, i.min(15), 0], 40, 0)).collect();
    let part = told(agents);
    assert!(
        part.figures[0].caption.contains("The best, the median and the worst"),
        "{}",
        part.figures[0].caption
    );
    assert!(
        part.figures[0].wide.matches("agent-").count() == 3,
        "{}",
        part.figures[0].wide.matches("agent-").count()
    );
}
