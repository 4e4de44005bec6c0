//! What is to be seen of a world at one moment, as plain data: terminal, pictures and the web page
//! draw nothing else.

use resonetics_envs::control::Restraint;
use resonetics_envs::env::{Ending, ParallelEnv};
use resonetics_envs::gardener::{GardenerEnv, Generation};
use resonetics_envs::k8s::K8sEnv;
use resonetics_envs::risk::RiskState;
use serde::{Serialize, Serializer};

/// How an episode ended that was not lost: `max_steps` or `max_generations`.
const OVER: &str = "the time is over";

/// A world at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scene {
    /// Generations or steps done.
    pub step: u32,
    /// Rows and columns of the grid.
    pub grid: [usize; 2],
    /// What lies on the grid.
    #[serde(flatten)]
    pub cells: Cells,
    /// Numbers with their names, in the order in which they are read.
    pub readings: Vec<(&'static str, String)>,
    /// What is drawn over time, each in `[0, 1]`.
    pub trends: [(&'static str, f64); 3],
    /// How the episode ended, if it has.
    pub ending: Option<&'static str>,
}

/// What lies on the grid, cells row by row.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cells {
    /// A garden.
    Garden {
        /// `[cells]`, in `[0, 1]`.
        #[serde(serialize_with = "thousandths")]
        dirt: Vec<f32>,
        /// Row and column of each.
        gardeners: Vec<[usize; 2]>,
    },
    /// A cluster.
    Cluster {
        /// `[cells]`
        nodes: Vec<Node>,
        /// Row and column.
        agent: [usize; 2],
    },
}

/// A node of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Node {
    /// Used share of the cpu, in `[0, 1]`.
    pub cpu: f32,
    /// Used share of the memory, in `[0, 1]`.
    pub memory: f32,
    /// Its loss counts more than that of others (`critical_priority`).
    pub critical: bool,
    /// Its memory is full (`oom_memory`).
    pub out_of_memory: bool,
}

/// Three decimals are more than a colour can show.
fn thousandths<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| (1000.0 * value).round() / 1000.0))
}

impl Scene {
    /// A garden as it is; its numbers are those that `resonetics_data.csv` logs.
    pub fn garden(env: &GardenerEnv, ended: Option<Ending>) -> Scene {
        let world = env.world();
        let size = world.config().grid_size;
        let row = generation(env);
        let (dirt, population) = (world.mean_dirt(), row.population as f64);
        let mut readings = vec![
            ("generation", row.generation.to_string()),
            ("population", row.population.to_string()),
            ("mean energy", format!("{:.2}", row.avg_energy)),
            ("mean dirt", format!("{:.1}%", 100.0 * dirt)),
            ("total entropy", format!("{:.2}", row.total_entropy)),
            ("emergency moves", row.emergency_moves.to_string()),
            ("isolation saves", row.isolation_saves.to_string()),
        ];
        readings.extend(control(&world.risk(), &world.restraint()));
        Scene {
            step: row.generation,
            grid: [size, size],
            cells: Cells::Garden {
                dirt: world.grid().to_vec(),
                gardeners: world.gardeners().iter().map(|gardener| gardener.cell).collect(),
            },
            readings,
            trends: [
                ("mean dirt", dirt),
                ("risk", row.collapse_risk),
                ("of max_population", population / world.config().max_population as f64),
            ],
            ending: ended.map(|ending| if ending.terminated { "the garden is lost" } else { OVER }),
        }
    }

    /// A cluster as it is, `step` steps and `total_reward` into its episode.
    pub fn cluster(env: &K8sEnv, step: u32, total_reward: f64, ended: Option<Ending>) -> Scene {
        let (config, state, info) = (env.config(), env.state(), ParallelEnv::info(env));
        let node = |i: usize| Node {
            cpu: state.cpu[i],
            memory: state.memory[i],
            critical: state.priority[i] > config.critical_priority as f32,
            out_of_memory: state.memory[i] >= config.oom_memory as f32,
        };
        let mut readings = vec![
            ("step", step.to_string()),
            ("budget", format!("{:.1} of {}", state.budget, config.max_budget)),
            ("load", format!("{:.1}%", 100.0 * info.avg_load)),
            ("nodes out of memory", info.oom_nodes.to_string()),
            ("of them critical", info.critical_oom.to_string()),
            ("return so far", format!("{total_reward:+.2}")),
        ];
        // What is left of the budget is a number above; there is room for three curves.
        let mut last = ("budget", state.budget / config.max_budget);
        match env.control() {
            Some((risk, restraint)) => {
                readings.extend(control(&risk, &restraint));
                last = ("risk", risk.risk);
            }
            None => readings.push(("control", "off".to_owned())),
        }
        let fullest = state.memory.iter().copied().fold(0.0, f32::max);
        Scene {
            step,
            grid: [config.height, config.width],
            cells: Cells::Cluster { nodes: (0..config.nodes()).map(node).collect(), agent: state.agent },
            readings,
            trends: [("load", info.avg_load.into()), ("fullest memory", fullest.into()), last],
            ending: ended.map(|ending| if ending.terminated { "the cluster is lost" } else { OVER }),
        }
    }
}

/// The row of the last generation; a garden that has just begun has none and gets one.
fn generation(env: &GardenerEnv) -> Generation {
    let gardeners = env.world().gardeners();
    if env.world().generation() > 0 || gardeners.is_empty() {
        return env.info();
    }
    let energy: f64 = gardeners.iter().map(|gardener| gardener.energy).sum();
    let population = gardeners.len();
    Generation { population, avg_energy: energy / population as f64, ..Generation::default() }
}

/// What the control layer sees and does.
fn control(risk: &RiskState, restraint: &Restraint) -> [(&'static str, String); 5] {
    [
        ("risk", format!("{:.1}%", 100.0 * risk.risk)),
        ("flow", format!("{:.3}", risk.flow)),
        ("verdict", risk.verdict.name().to_owned()),
        ("damping alpha", format!("{:.2}", restraint.alpha)),
        ("survival mode", if restraint.survival { "on" } else { "off" }.to_owned()),
    ]
}
