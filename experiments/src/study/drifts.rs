//! Who lives and earns how much under which drift.

use std::path::Path;

use resonetics_analysis::read::episodes::Played;
use resonetics_runs::Error;

use super::cell::{Cell, GENERATION, Measure, Size, Study, Unit, loads, prophet};
use super::units;

/// A world with its drifts: presets and schedules, each with what is typed for it.
struct World {
    /// Its folders and groups begin with it.
    name: &'static str,
    env: &'static str,
    agents: &'static [&'static str],
    drifts: &'static [(&'static str, &'static [&'static str])],
    /// A training has this part of the steps, a benchmark this part of the episodes.
    parts: (u64, u32),
    /// Steps of a life, and steps of a cluster that one costs.
    life: u64,
    weight: u64,
}

const CLUSTER: World = World {
    name: "",
    env: "k8s",
    agents: &["heuristic", "patrol", "planner", "random"],
    drifts: &[
        ("calm", &["--preset", "calm"]),
        ("reference", &[]),
        ("storm", &["--preset", "storm"]),
        ("ramp", &["--set", "drift.schedule=ramp"]),
        ("seasonal", &["--set", "drift.schedule=seasonal"]),
        ("regime", &["--set", "drift.schedule=regime"]),
        ("shocks", &["--set", "drift.schedule=shocks"]),
    ],
    parts: (1, 1),
    life: 500,
    weight: 1,
};

const GARDEN: World = World {
    name: "garden-",
    env: "gardener",
    agents: &["heuristic", "patrol", "evolved", "random"],
    drifts: &[("calm", &["--preset", "calm"]), ("reference", &[]), ("storm", &["--preset", "storm"])],
    parts: (8, 20),
    life: 2000,
    weight: GENERATION,
};

pub const STUDY: Study = Study {
    name: "drifts",
    question: "How long does each agent live, and what does it earn, under each drift of the cluster and of the garden? Prophet was trained under the reference drift. (gardens: an eighth of --steps, a 20th of --episodes)",
    size: Size { seeds: 10, steps: 400_000, episodes: 1000 },
    cells,
    measures: &[
        Measure { name: "steps lived", decimals: 1, more_is_better: true },
        Measure { name: "return", decimals: 2, more_is_better: true },
        Measure { name: "mean dirt", decimals: 4, more_is_better: false },
    ],
    values: Some(values),
    report: None,
};

impl World {
    fn training(&self, seed: u32) -> String {
        format!("train-{}seed-{seed}", self.name)
    }

    fn benchmark(&self, drift: &str) -> String {
        format!("benchmark-{}{drift}", self.name)
    }

    fn cells(&self, dir: &Path, size: Size) -> Vec<Cell> {
        let (steps, episodes) = ((size.steps / self.parts.0).max(1), size.episodes.div_ceil(self.parts.1));
        let trainings: Vec<String> = (1..=size.seeds).map(|seed| self.training(seed)).collect();
        let agents = self.agents.iter().map(|agent| (*agent).to_owned());
        let agents: Vec<String> = agents.chain(trainings.iter().map(|name| prophet(dir, name))).collect();
        let trained =
            (1..=size.seeds).map(|seed| Cell::training_in(self.env, self.training(seed), seed, steps, &[]));
        let under = |(name, words): &(&str, &[&str])| {
            let words = [&["--env", self.env], *words].concat();
            let size = Size { episodes, ..size };
            let cell = Cell::benchmark(self.benchmark(name), &agents, &trainings, size, &words);
            cell.of(self.life * u64::from(episodes) * agents.len() as u64, self.weight)
        };
        trained.chain(self.drifts.iter().map(under)).collect()
    }

    fn values(&self, dir: &Path, (drift, _): &(&str, &[&str])) -> Result<Vec<Unit>, Error> {
        let cell = self.benchmark(drift);
        let loads = if self.env == GARDEN.env { loads(dir, &cell)? } else { Vec::new() };
        let dirt = |agent: &str| -> Vec<f64> {
            let own = loads.iter().filter(|load| load.agent == agent);
            own.filter_map(|load| load.avg_load).collect()
        };
        let measured = |agent: &Played| [units::lives(agent), vec![dirt(&agent.agent)]].concat();
        let group = format!("{}{drift}", self.name.replace('-', ", "));
        let named = |agent: &str| (group.clone(), agent.to_owned());
        units::units(dir, &cell, self.agents, measured, named)
    }
}

fn cells(dir: &Path, size: Size) -> Vec<Cell> {
    [CLUSTER, GARDEN].iter().flat_map(|world| world.cells(dir, size)).collect()
}

fn values(dir: &Path, _: Size) -> Result<Vec<Unit>, Error> {
    let mut values = Vec::new();
    for world in [CLUSTER, GARDEN] {
        for drift in world.drifts {
            values.extend(world.values(dir, drift)?);
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HEADER: &str =
        "agent,episode,seed,return,steps,terminated,truncated,oom_nodes,critical_oom,avg_load,budget";

    /// Episodes of one agent that is not trained are units; a training is one, and a garden has its mean dirt.
    #[test]
    fn a_garden_has_its_dirt_and_a_training_is_one_unit() {
        let place = tempfile::tempdir().unwrap();
        for world in [CLUSTER, GARDEN] {
            for (drift, _) in world.drifts {
                let folder = place.path().join(world.benchmark(drift));
                fs::create_dir(&folder).unwrap();
                let rows = "heuristic,1,7,10,500,false,true,,,0.25,\nheuristic,2,8,20,400,true,false,,,0.5,\n\
                    prophet:x,1,7,30,500,false,true,,,0.1,\nprophet:x,2,8,50,500,false,true,,,0.2,\n";
                fs::write(folder.join("episodes.csv"), format!("{HEADER}\n{rows}")).unwrap();
            }
        }
        let size = Size { seeds: 1, steps: 1, episodes: 2 };
        let found = values(place.path(), size).unwrap();
        let of = |group: &str, variant: &str, measure: usize| -> Vec<f64> {
            let own = found.iter().filter(|unit| unit.group == group && unit.variant == variant);
            own.filter(|unit| unit.measure == measure).map(|unit| unit.value).collect()
        };
        assert_eq!(of("garden, storm", "heuristic", 2), [0.25, 0.5]);
        assert_eq!(of("storm", "heuristic", 2), [0.0; 0], "a cluster has no dirt");
        assert_eq!(of("storm", "heuristic", 0), [500.0, 400.0]);
        assert_eq!(of("garden, calm", "prophet", 1), [40.0]);
        let dirt = of("garden, calm", "prophet", 2);
        assert!(dirt.len() == 1 && (dirt[0] - 0.15).abs() < 1e-12, "{dirt:?}");
    }
}
