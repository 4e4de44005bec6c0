//! Prophet beside Stable-Baselines3's PPO, in the same cluster and with the same number of steps.

use std::path::Path;

use resonetics_agents::prophet::config::TrainConfig;
use resonetics_runs::Error;
use resonetics_runs::files::text;
use serde::Deserialize;

use super::cell::{Cell, Measure, Size, Study, Unit, below, evaluated};
use super::python;

/// A cluster that is trained in.
struct World {
    name: &'static str,
    /// Steps of an episode.
    life: u32,
    drift: &'static str,
    /// Steps of a training, as a multiple of half of what is asked for.
    half_budgets: u64,
    /// Most training seeds.
    seeds: u32,
}

const WORLDS: [World; 2] = [
    World { name: "reference", life: 500, drift: "0.005", half_budgets: 2, seeds: u32::MAX },
    World { name: "fast", life: 2000, drift: "0.02", half_budgets: 5, seeds: 3 },
];

/// Tenths of the steps after which all are measured.
const TENTHS: [(u64, &str); 3] =
    [(1, "a tenth of the steps"), (3, "three tenths of the steps"), (10, "all steps")];

const PROPHET: &str = "Prophet";
/// Beginnings of the folders of Stable-Baselines3's trainings.
const PEERS: [(&str, &str); 2] = [("sb3", "SB3, its defaults"), ("sb3-like", "SB3, Prophet's settings")];

/// Steps that Stable-Baselines3 trains in a second: its minibatches are of 64 samples, or as large as Prophet's.
const PEER_TRAINED: [f64; 2] = [1_500.0, 2_700.0];

pub const STUDY: Study = Study {
    name: "sb3",
    question: "What do Prophet and Stable-Baselines3's PPO learn from the same number of steps in the same cluster, and how long does it take? (reference: --steps; fast, a drift of 0.02 and lives of 2,000 steps: 2.5 times as many, three seeds at most)",
    size: Size { seeds: 10, steps: 400_000, episodes: 1000 },
    cells,
    measures: &[
        Measure { name: "return", decimals: 2, more_is_better: true },
        Measure { name: "steps lived", decimals: 1, more_is_better: true },
        Measure { name: "training, seconds of a core", decimals: 1, more_is_better: false },
    ],
    values: Some(values),
    report: None,
};

/// What `python::RESULT` says.
#[derive(Deserialize)]
struct Peer {
    points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    at: u64,
    processor_seconds: f64,
    return_mean: f64,
    steps_mean: f64,
}

/// A line of timing.jsonl.
#[derive(Deserialize)]
struct Timed {
    steps: u64,
    steps_per_second: f64,
}

impl World {
    fn seeds(&self, size: Size) -> std::ops::RangeInclusive<u32> {
        1..=size.seeds.min(self.seeds)
    }

    fn steps(&self, size: Size) -> u64 {
        (size.steps * self.half_budgets / 2).max(1)
    }

    fn training(&self, seed: u32) -> String {
        format!("train-{}-seed-{seed}", self.name)
    }

    fn evaluation(&self, seed: u32, tenths: u64) -> String {
        format!("eval-{}-seed-{seed}-tenths-{tenths}", self.name)
    }

    fn peer(&self, peer: &str, seed: u32) -> String {
        format!("{peer}-{}-seed-{seed}", self.name)
    }

    /// Updates from one checkpoint to the next, and the steps of so many tenths, of Prophet's whole rollouts.
    fn checkpoints(&self, size: Size) -> (u64, impl Fn(u64) -> u64) {
        let steps = self.steps(size);
        let config = TrainConfig::recipe(self.life, steps);
        let (rollout, updates) = ((config.num_envs * config.horizon) as u64, config.updates(steps));
        let every = (updates / 10).max(1);
        (every, move |tenths| rollout * if tenths == 10 { updates } else { updates.min(every * tenths) })
    }
}

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    let mut cells = Vec::new();
    for world in &WORLDS {
        for seed in world.seeds(size) {
            cells.extend(of_seed(dir, world, seed, size));
        }
    }
    cells
}

fn of_seed(dir: &Path, world: &World, seed: u32, size: Size) -> Vec<Cell> {
    let (steps, training) = (world.steps(size), world.training(seed));
    let (every, at) = world.checkpoints(size);
    let (life, drift) = (format!("max_steps={}", world.life), format!("mem_drift_mu={}", world.drift));
    let checkpoints = format!("train.checkpoint_every={every}");
    let sets = [life.as_str(), &drift, &checkpoints, "train.keep=100"];
    let mut cells = vec![Cell::training(training.clone(), seed, steps, &sets)];
    for (tenths, _) in TENTHS {
        let run = format!("{}@{}", below(dir, &training), at(tenths));
        cells.push(Cell::measured(world.evaluation(seed, tenths), &run, &training, world.life, size));
    }
    let config = below(dir, &format!("{training}/config.toml"));
    for (place, (peer, _)) in PEERS.into_iter().enumerate() {
        let mut words = vec!["--seed".to_owned(), seed.to_string(), "--steps".to_owned(), steps.to_string()];
        for (tenths, _) in TENTHS.into_iter().filter(|(tenths, _)| *tenths < 10) {
            words.extend(["--at".to_owned(), at(tenths).to_string()]);
        }
        words.extend(["--max-steps".to_owned(), world.life.to_string()]);
        words.extend(["--drift".to_owned(), world.drift.to_owned()]);
        words.extend(["--episodes".to_owned(), size.episodes.to_string()]);
        let mut needs = Vec::new();
        if place == 1 {
            words.extend(["--like".to_owned(), config.clone()]);
            needs.push(training.clone());
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let seconds = steps as f64 / PEER_TRAINED[place];
        let cell = Cell::script(dir, world.peer(peer, seed), "sb3_train.py", &words, seconds);
        cells.push(Cell { needs, steps, ..cell });
    }
    cells
}

fn values(dir: &Path, size: Size) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    for world in &WORLDS {
        let (_, at) = world.checkpoints(size);
        for (tenths, words) in TENTHS {
            let mut add = |variant: &str, seed: u32, measured: [Option<f64>; 3]| {
                let unit = |(measure, value): (usize, Option<f64>)| {
                    let (group, variant) = (format!("{}, {words}", world.name), variant.to_owned());
                    Some(Unit { group, variant, seed: seed.into(), measure, value: value? })
                };
                values.extend(measured.into_iter().enumerate().filter_map(unit));
            };
            for seed in world.seeds(size) {
                let found = evaluated(dir, &world.evaluation(seed, tenths))?;
                let seconds = trained_for(&dir.join(world.training(seed)), at(tenths))?;
                add(PROPHET, seed, [found.return_mean, found.steps_mean, Some(seconds)]);
            }
            for (peer, variant) in PEERS {
                for seed in world.seeds(size) {
                    let asked = if tenths == 10 { world.steps(size) } else { at(tenths) };
                    let found = of_peer(&dir.join(world.peer(peer, seed)), asked)?;
                    let Some(Point { processor_seconds, return_mean, steps_mean, .. }) = found else {
                        continue;
                    };
                    add(variant, seed, [Some(return_mean), Some(steps_mean), Some(processor_seconds)]);
                }
            }
        }
    }
    Ok(values)
}

/// What a peer was worth once it had made the steps `at`; none where it was skipped.
fn of_peer(run: &Path, at: u64) -> Result<Option<Point>, Error> {
    let path = run.join(python::RESULT);
    if !path.is_file() {
        return Ok(None);
    }
    let peer: Peer = serde_json::from_str(&text(&path)?)
        .map_err(|problem| Error::Failed(format!("{}: {problem}", path.display())))?;
    Ok(peer.points.into_iter().find(|point| point.at == at))
}

/// Seconds that a training of ours took for its first `steps` steps, without what it measured.
fn trained_for(run: &Path, steps: u64) -> Result<f64, Error> {
    let path = run.join("timing.jsonl");
    let (mut before, mut seconds) = (0, 0.0);
    for line in text(&path)?.lines() {
        let timed: Timed = serde_json::from_str(line)
            .map_err(|problem| Error::Failed(format!("{}: {problem}", path.display())))?;
        // One that was killed has made some steps again.
        if timed.steps > before && timed.steps <= steps {
            seconds += (timed.steps - before) as f64 / timed.steps_per_second;
            before = timed.steps;
        }
    }
    Ok(seconds)
}
