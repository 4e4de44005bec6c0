//! Traces of the garden.

use resonetics_agents::Policy;
use resonetics_envs::env::ParallelEnv;
use resonetics_envs::gardener::{
    Gardener, GardenerConfig, GardenerEnv, Generation, GenerationNoise, LifeEvent, World,
};
use resonetics_runs::Error;
use resonetics_runs::garden_csv;
use resonetics_runs::rollout::Rollout;
use resonetics_runs::setup::{Setup, WorldSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::compared::{Compared, Deviations};
use super::given::sets;
use crate::progress::Bar;

/// Tolerances (RULES.md): most numbers, energies, total entropy.
const TOLERANCE: f64 = 1e-5;
const ENERGY_TOLERANCE: f64 = 1e-3;
const ENTROPY_TOLERANCE: f64 = 1e-4;

/// One unit in the last place of each column of the CSV; 0 for exact ones.
const UNITS: [f64; 11] = [0.0, 0.0, 0.01, 0.01, 0.0, 0.0, 0.001, 0.0, 0.0001, 0.0001, 0.0001];

#[derive(Serialize, Deserialize)]
pub struct Trace {
    rules: String,
    config: Map<String, Value>,
    initial: Initial,
    generations: Vec<Recorded>,
}

#[derive(Serialize, Deserialize)]
struct Initial {
    grid: Vec<f32>,
    prev_total_entropy: f64,
    gardeners: Vec<Start>,
}

#[derive(Serialize, Deserialize)]
struct Start {
    id: u64,
    row: usize,
    col: usize,
    energy: f64,
}

#[derive(Serialize, Deserialize)]
struct Recorded {
    inputs: Inputs,
    expected: Expected,
}

#[derive(Serialize, Deserialize)]
struct Inputs {
    /// (id, action) of those whose brain was asked, in list order.
    intended: Vec<(u64, usize)>,
    damping_draws: Vec<f32>,
    spawn: Vec<[usize; 2]>,
    dirt_uniform: Vec<f32>,
    flow_noise: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct Expected {
    damping_alpha: f64,
    survival_mode: bool,
    csv_row: String,
    total_entropy: f64,
    risk: f64,
    flow: f64,
    verdict: String,
    /// (id, row, col, energy) in list order.
    gardeners: Vec<(u64, usize, usize, f64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grid: Option<Vec<f32>>,
}

/// Replays a trace generation by generation.
pub fn replay(trace: &Trace) -> Result<Compared, String> {
    let mut world = start(trace)?;
    let cells = world.config().cells();
    let mut deviations = Deviations::default();
    let mut actions = vec![0; world.config().max_population];
    for (number, Recorded { inputs, expected }) in trace.generations.iter().enumerate() {
        let place = format!("generation {}", number + 1);
        if inputs.dirt_uniform.len() != cells || inputs.flow_noise.len() != cells {
            return Err(format!("{place}: its noise does not have one value for each of the {cells} cells"));
        }
        let size = world.config().grid_size;
        if let Some(cell) = inputs.spawn.iter().find(|cell| cell[0] >= size || cell[1] >= size) {
            return Err(format!("{place}: newcomer on {cell:?}, outside the {size}x{size} grid"));
        }
        let mut spawns = 0;
        world.begin_generation(|| {
            spawns += 1;
            inputs.spawn.get(spawns - 1).copied().unwrap_or_default()
        });
        deviations.exact("spawns", &spawns, &inputs.spawn.len());
        let restraint = world.restraint();
        deviations.number("damping_alpha", TOLERANCE, restraint.alpha, expected.damping_alpha);
        deviations.exact("survival_mode", &restraint.survival, &expected.survival_mode);
        let asked: Vec<Gardener> =
            world.gardeners().iter().filter(|gardener| !world.in_emergency(gardener)).copied().collect();
        let intended: Vec<u64> = inputs.intended.iter().map(|&(id, _)| id).collect();
        deviations.exact("asked", &asked.iter().map(|gardener| gardener.id).collect(), &intended);
        for (gardener, &(_, action)) in asked.iter().zip(&inputs.intended) {
            if action > 5 {
                return Err(format!("{place}: action {action} is outside the action space, 0 to 5"));
            }
            actions[gardener.slot] = action;
        }
        let population = world.gardeners().len();
        let drawn = if restraint.survival { 0 } else { population };
        deviations.exact("damping_draws", &drawn, &inputs.damping_draws.len());
        let mut damping = inputs.damping_draws.clone();
        damping.resize(population, 0.0);
        let noise =
            GenerationNoise { damping, dirt: inputs.dirt_uniform.clone(), flow: inputs.flow_noise.clone() };
        let generation = world.finish_generation(&actions, &noise);
        compare(&world, &generation, expected, &mut deviations);
    }
    Ok(Compared { steps: trace.generations.len(), deviations })
}

/// The world at the beginning of a trace.
fn start(trace: &Trace) -> Result<World, String> {
    let mut settings = Vec::new();
    sets(&trace.config, "", &mut settings);
    let setup = super::given::setup("gardener", &settings)?;
    let WorldSettings::Gardener(settings) = setup.settings else { return Err("not a garden".to_owned()) };
    let config = settings.env;
    let Initial { grid, prev_total_entropy, gardeners } = &trace.initial;
    if grid.len() != config.cells() {
        return Err(format!("its initial grid has {} cells, expected {}", grid.len(), config.cells()));
    }
    if gardeners.len() != config.init_agents || gardeners.len() > config.max_population {
        return Err(format!(
            "it starts with {} gardeners, its settings say {}",
            gardeners.len(),
            config.init_agents
        ));
    }
    for (number, gardener) in (0..).zip(gardeners) {
        let inside = gardener.row < config.grid_size && gardener.col < config.grid_size;
        if gardener.id != number || !inside {
            return Err(format!("its initial gardener {number} has another id or is outside the grid"));
        }
    }
    let start = gardeners.iter().map(|gardener| ([gardener.row, gardener.col], gardener.energy));
    Ok(World::with_state(config, grid.clone(), *prev_total_entropy, start))
}

fn compare(world: &World, generation: &Generation, expected: &Expected, deviations: &mut Deviations) {
    deviations.number("total_entropy", ENTROPY_TOLERANCE, generation.total_entropy, expected.total_entropy);
    deviations.number("risk", TOLERANCE, generation.collapse_risk, expected.risk);
    deviations.number("flow", TOLERANCE, generation.flow, expected.flow);
    deviations.exact("verdict", &generation.verdict.name(), &expected.verdict.as_str());
    let place = |gardener: &Gardener| (gardener.id, gardener.cell[0], gardener.cell[1]);
    let found: Vec<_> = world.gardeners().iter().map(place).collect();
    let wanted: Vec<_> = expected.gardeners.iter().map(|&(id, row, col, _)| (id, row, col)).collect();
    deviations.exact("gardeners", &found, &wanted);
    for (gardener, &(.., energy)) in world.gardeners().iter().zip(&expected.gardeners) {
        deviations.number("energy", ENERGY_TOLERANCE, gardener.energy, energy);
    }
    if let Some(grid) = &expected.grid {
        deviations.numbers("grid", TOLERANCE, world.grid(), grid);
    }
    compare_rows(&garden_csv::row(generation), &expected.csv_row, deviations);
}

/// A decimal may differ by one unit in its last place.
fn compare_rows(found: &[String], expected: &str, deviations: &mut Deviations) {
    let wanted: Vec<&str> = expected.split(',').collect();
    deviations.exact("csv_columns", &found.len(), &wanted.len());
    for ((found, wanted), unit) in found.iter().zip(&wanted).zip(UNITS) {
        let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
        if unit == 0.0 {
            deviations.exact("csv_integers", &found.as_str(), wanted);
        } else {
            let units = ((number(found) - number(wanted)) / unit).abs().round();
            deviations.number("csv_units_in_last_place", 1.0, units, 0.0);
        }
    }
    deviations.exact("csv_verdict", &found[11].as_str(), &wanted.last().copied().unwrap_or_default());
}

/// Records `generations` generations.
pub fn record(
    setup: &Setup,
    config: &GardenerConfig,
    policy: Box<dyn Policy>,
    seed: u64,
    generations: u32,
    progress: &Bar,
) -> Result<Trace, Error> {
    let mut rollout = Rollout::new(vec![GardenerEnv::new(config.unending())], policy)?;
    rollout.reset(&[seed]);
    let env = rollout.envs.env(0);
    let world = env.world();
    // Newcomers of the first generation are among the initial events; the trace starts before them.
    let newcomers = spawned(world);
    let initial = world.gardeners().len() - newcomers.len();
    let gardeners = world.gardeners()[..initial].iter().map(|gardener| Start {
        id: gardener.id,
        row: gardener.cell[0],
        col: gardener.cell[1],
        energy: gardener.energy,
    });
    let mut trace = Trace {
        rules: "v3.3.3".to_owned(),
        config: settings_of(setup)?,
        initial: Initial {
            grid: world.grid().to_vec(),
            prev_total_entropy: 0.0,
            gardeners: gardeners.collect(),
        },
        generations: Vec::new(),
    };
    drop(env);
    let mut spawn = newcomers;
    for number in 1..=generations {
        resonetics_runs::interrupt::check()?;
        progress.inc(1);
        trace.generations.push(generation(&mut rollout, spawn, number % 10 == 0)?);
        spawn = spawned(rollout.envs.env(0).world());
    }
    Ok(trace)
}

/// The cells of those that came without a parent since the last generation.
fn spawned(world: &World) -> Vec<[usize; 2]> {
    let first = world.config().init_agents as u64;
    let born = world.events().iter().filter_map(|event| match event {
        // The first gardeners have the ids below `first`, a later one has `first` + 1 or more.
        LifeEvent::Born { id, parent: None, .. } if *id > first => Some(*id),
        _ => None,
    });
    born.filter_map(|id| world.gardeners().iter().find(|gardener| gardener.id == id))
        .map(|gardener| gardener.cell)
        .collect()
}

/// Plays one generation and writes down what went in and what came out.
fn generation(
    rollout: &mut Rollout<GardenerEnv>,
    spawn: Vec<[usize; 2]>,
    with_grid: bool,
) -> Result<Recorded, Error> {
    rollout.act();
    let mut env = rollout.envs.env(0).into_owned();
    let noise = env.next_noise().clone();
    let mut world = env.world().clone();
    let restraint = world.restraint();
    let asked = world.gardeners().iter().filter(|gardener| !world.in_emergency(gardener));
    let intended = asked.map(|gardener| (gardener.id, rollout.actions[gardener.slot])).collect();
    let draws = if restraint.survival { 0 } else { world.gardeners().len() };
    let inputs = Inputs {
        intended,
        damping_draws: noise.damping[..draws].to_vec(),
        spawn,
        dirt_uniform: noise.dirt.clone(),
        flow_noise: noise.flow.clone(),
    };
    rollout.advance()?;
    // The environment has gone on to the next generation's newcomers: what came out is read off
    // a copy of the garden that has not.
    let generation = world.finish_generation(&rollout.actions, &noise);
    let same = generation == ParallelEnv::info(&*rollout.envs.env(0));
    if !same {
        return Err(Error::Failed("the recorded generation is not the one that was played".to_owned()));
    }
    let expected = Expected {
        damping_alpha: restraint.alpha,
        survival_mode: restraint.survival,
        csv_row: garden_csv::row(&generation).join(","),
        total_entropy: generation.total_entropy,
        risk: generation.collapse_risk,
        flow: generation.flow,
        verdict: generation.verdict.name().to_owned(),
        gardeners: world
            .gardeners()
            .iter()
            .map(|gardener| (gardener.id, gardener.cell[0], gardener.cell[1], gardener.energy))
            .collect(),
        grid: with_grid.then(|| world.grid().to_vec()),
    };
    Ok(Recorded { inputs, expected })
}

/// All settings of the garden, without those of its agents.
fn settings_of(setup: &Setup) -> Result<Map<String, Value>, Error> {
    let mut table = setup.settings_table();
    table.remove("agent");
    match serde_json::to_value(table) {
        Ok(Value::Object(config)) => Ok(config),
        Ok(_) | Err(_) => Err(Error::Failed("cannot write the settings as JSON".to_owned())),
    }
}
