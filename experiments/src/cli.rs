//! What can be typed.
#![allow(clippy::doc_markdown)] // help is read in a terminal

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use resonetics_runs::plan::range::{
    BATCH, CELLS, DRIFT_STEPS, EPISODES, GENERATIONS, PAIRS, RUNS, SEED, STEPS, TRAINING_STEPS, allowed,
};

/// Ports to listen at.
const PORT: RangeInclusive<u64> = 0..=u16::MAX as u64;

/// Parses a whole number within `range`, or says what is allowed.
fn whole<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| allowed(&range))
    }
}

/// Reinforcement learning for systems that drift toward collapse: two fast, exactly reproducible
/// worlds, agents that must keep them alive, and experiments that say whether it helped.
#[derive(Debug, Parser)]
#[command(name = "resonetics", version, arg_required_else_help = true)]
pub struct Cli {
    /// Threads to use; results do not depend on it [default: one a core]
    #[arg(long, global = true, help_heading = "With every command", value_name = "N", allow_negative_numbers = true, value_parser = whole::<u16>(1..=1024))]
    pub threads: Option<u16>,
    /// No progress bars and no closing remarks
    #[arg(long, short, global = true, help_heading = "With every command")]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate gardens and log each generation into resonetics_data.csv
    Gardener(GardenerArgs),
    /// Compare agents over paired seeds
    Benchmark(BenchmarkArgs),
    /// Does the control layer help? Survival with and without it, paired seeds
    Controls(ControlsArgs),
    /// Follow a target that drifts, with a learning rate that listens to a predicted risk
    Drift(DriftArgs),
    /// Record a trace of one episode
    Record(RecordArgs),
    /// Train Prophet in a world, or go on with a training that was stopped
    Train(Box<TrainArgs>),
    /// Measure a trained Prophet, also with noise on what it sees or a faster drift
    Eval(EvalArgs),
    /// Look at what runs wrote: statistics, figures, one page to read
    Analyze(AnalyzeArgs),
    /// The same for whole runs, side by side
    Report(AnalyzeArgs),
    /// Replay a recorded trace and print the largest deviations
    Replay(ReplayArgs),
    /// Look at an episode: in the terminal, or as a GIF or PNG file
    Watch(WatchArgs),
    /// A page for this machine's browser: live worlds, the runs, their reports and charts
    Serve(ServeArgs),
    /// Measure how fast a world steps
    Throughput(ThroughputArgs),
    /// Check an environment's contract
    Check(CheckArgs),
    /// Repeat a run from its config.toml and compare the CSV files
    Rerun(RerunArgs),
    /// List environments, presets, agents and settings
    List(ListArgs),
    /// List the experiments and how to run each
    Experiments,
    /// Show versions, CPU features in use and threads
    Doctor(OutArgs),
}

#[derive(Debug, Args)]
pub struct OutArgs {
    /// Where the files go; must not exist or be empty
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SeedArgs {
    /// Everything random follows from it; without it one is drawn and printed
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = whole::<u64>(SEED))]
    pub seed: Option<u64>,
}

/// For commands that measure or check: another seed tells little.
#[derive(Debug, Args)]
pub struct FixedSeedArgs {
    /// Everything random follows from it
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = whole::<u64>(SEED))]
    pub seed: u64,
}

#[derive(Debug, Args)]
pub struct WorldArgs {
    /// calm, reference or storm
    #[arg(long, value_name = "NAME", default_value = "reference")]
    pub preset: String,
    /// TOML file with settings, on top of the preset: as `list --env NAME` prints them, or the config.toml
    /// of a run, whose settings of this environment are taken
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A setting of the environment, such as max_steps=1000 or risk.ema_alpha=0.2, or of its
    /// heuristic agent, such as agent.clean_memory=0.4 (k8s) or agent.clean_above=0.2 (gardener),
    /// or, for `train`, of the training, such as train.learning_rate=0.001; on top of the file; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// For commands that train: watching them from outside.
#[derive(Debug, Args)]
#[command(next_help_heading = "Watching it from outside")]
pub struct MonitorArgs {
    /// Do not serve /metrics, /healthz and /readyz
    #[arg(long)]
    pub no_monitor: bool,
    /// Address to listen at; 0.0.0.0 opens it to every machine that can reach this one
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub monitor_host: IpAddr,
    /// Port for metrics; 0 draws a free one and prints it [default: 8000, a free one where that is taken]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = whole::<u16>(PORT))]
    pub metrics_port: Option<u16>,
    /// Port for health and readiness, which may be the one for metrics; 0 draws a free one and prints it
    /// [default: 8080, a free one where that is taken]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = whole::<u16>(PORT))]
    pub health_port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct GardenerArgs {
    /// Generations of each run
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = whole::<u32>(GENERATIONS))]
    pub generations: u32,
    /// evolved, heuristic, random, idle or prophet:DIR, a trained one
    #[arg(long, value_name = "NAME", default_value = "evolved")]
    pub agent: String,
    /// Runs, each with a seed of its own
    #[arg(long, value_name = "K", default_value_t = 1, allow_negative_numbers = true, value_parser = whole::<u32>(RUNS))]
    pub runs: u32,
    /// Switch the control layer off
    #[arg(long)]
    pub no_control: bool,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct BenchmarkArgs {
    /// k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Agents, separated by commas, or one with each --agents; prophet:DIR for a trained one, whose folder may
    /// have commas: the longest DIR that is a run is meant. The first is the one that the others are compared
    /// with
    #[arg(long, value_name = "NAMES", default_value = "random,heuristic")]
    pub agents: Vec<String>,
    /// Episodes of each agent, on the same seeds
    #[arg(long, value_name = "N", default_value_t = 50, allow_negative_numbers = true, value_parser = whole::<u32>(EPISODES))]
    pub episodes: u32,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct ControlsArgs {
    /// The world: gardener, k8s or k8s-v4.6; without it the gardener and k8s
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Pairs of lives in each world, of at most 2000 steps or generations unless max_steps or
    /// max_generations is set
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(PAIRS))]
    pub episodes: u32,
    /// Who acts [default: evolved in the garden, random in the cluster]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// calm, reference or storm [default: reference for the garden, storm for the cluster]
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// TOML file with settings of the environment (with --env): as `list --env NAME` prints them, or the
    /// config.toml of a run
    #[arg(long, value_name = "FILE", requires = "env")]
    pub config: Option<PathBuf>,
    /// A setting of the environment (with --env); can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "env")]
    pub sets: Vec<String>,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Go on in this run directory, from its last checkpoint; only --threads and the monitor's options
    /// may be given beside it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["steps", "batch_size", "no_kernel", "no_tune", "centred_risk", "seed", "out"])]
    pub resume: Option<PathBuf>,
    /// Steps of training; the target drifts once through its four parts in them
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = whole::<u64>(DRIFT_STEPS))]
    pub steps: u64,
    /// Rows of a batch; each is a step further along
    #[arg(long, value_name = "B", default_value_t = 1, allow_negative_numbers = true, value_parser = whole::<u32>(BATCH))]
    pub batch_size: u32,
    /// Train on the mean squared error alone: no flow, structure or tension, and no tuner
    #[arg(long)]
    pub no_kernel: bool,
    /// Leave the weight of the error and the scale of the noise where they are
    #[arg(long)]
    pub no_tune: bool,
    /// Aim the predictor at 2*sigmoid(3*loss)-1: unlike the rules' sigmoid(3*loss), which is never
    /// below 0.5, it lets the optimizer leave panic
    #[arg(long)]
    pub centred_risk: bool,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub out: OutArgs,
    // Last: its heading would stand above all that follows.
    #[command(flatten)]
    pub monitor: MonitorArgs,
}

#[derive(Debug, Args)]
pub struct RecordArgs {
    /// k8s, k8s-v4.6 or gardener
    pub env: String,
    /// Who acts
    #[arg(long, value_name = "NAME", default_value = "heuristic")]
    pub agent: String,
    /// Steps (or generations) at most
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(STEPS))]
    pub steps: u32,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

/// What holds the networks of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Learner {
    /// Plain arrays on the CPU; needs nothing
    Native,
    /// libtorch, on the CPU or a GPU; needs a build with `--features torch`
    Torch,
}

/// Sizes of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Recipe {
    /// Learns the most from the fewest steps
    Standard,
    /// Takes the most steps a second: thousands of environments, large minibatches
    Large,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Go on in this run directory, from its last checkpoint; only --device, --threads,
    /// --tensorboard and the monitor's options may be given beside it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["env", "steps", "learner", "recipe", "seed", "preset", "config", "sets", "out"])]
    pub resume: Option<PathBuf>,
    /// k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Steps of single environments (generations of a garden), rounded down to whole rollouts (train.num_envs
    /// x train.horizon), of which there is one at least; it is said where that is not what was asked for
    #[arg(long, value_name = "N", default_value_t = 400_000, allow_negative_numbers = true, value_parser = whole::<u64>(TRAINING_STEPS))]
    pub steps: u64,
    /// What holds the networks
    #[arg(long, value_enum, default_value_t = Learner::Native)]
    pub learner: Learner,
    /// Where the torch learner computes: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// The settings to start from, below --config and --set
    #[arg(long, value_enum, default_value_t = Recipe::Standard)]
    pub recipe: Recipe,
    /// Write event files for TensorBoard into DIR/tensorboard; a resumed training that has some goes on
    /// with them
    #[arg(long, help_heading = "Watching it from outside")]
    pub tensorboard: bool,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
    // Last: its heading would stand above all that follows.
    #[command(flatten)]
    pub monitor: MonitorArgs,
}

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// The training's run directory; its best checkpoint acts, greedily
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Episodes to play
    #[arg(long, value_name = "N", default_value_t = 1000, allow_negative_numbers = true, value_parser = whole::<u32>(EPISODES))]
    pub episodes: u32,
    /// Standard deviation of normal noise on every number that it observes
    #[arg(long, value_name = "SIGMA", default_value_t = 0.0, allow_negative_numbers = true)]
    pub obs_noise: f64,
    /// How many times as fast the world drifts (mem_drift_mu, dirt_growth)
    #[arg(long, value_name = "K", default_value_t = 1.0, allow_negative_numbers = true)]
    pub drift_scale: f64,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Run directories; analyze also takes CSV files and folders of runs. A file that is typed and cannot
    /// be read is an error; one in a folder is left out and named
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The agent that the others are compared with [default: the first]; or the group of trainings, by the name
    /// that the report gives it or by that of a run of it
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Cells of the gardens that have no config.toml beside them [default: 3600]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(CELLS))]
    pub cells: Option<u64>,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The trace, JSON
    pub trace: PathBuf,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// gardener, k8s or k8s-v4.6
    pub env: String,
    /// Who acts, prophet:DIR for a trained one [default: evolved in the garden, heuristic in the cluster]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub pictures: PictureArgs,
}

/// For pictures in place of the terminal.
#[derive(Debug, Args)]
#[command(next_help_heading = "As files, without a terminal", group = ArgGroup::new("picture").args(["gif", "png"]).multiple(true))]
pub struct PictureArgs {
    /// Write the episode as an animated GIF; a file that exists is not overwritten
    #[arg(long, value_name = "FILE")]
    pub gif: Option<PathBuf>,
    /// Write the last of it as a PNG
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
    /// Steps (or generations) at most [default: to the end of the episode]
    #[arg(long, value_name = "N", requires = "picture", allow_negative_numbers = true, value_parser = whole::<u32>(STEPS))]
    pub steps: Option<u32>,
    /// A frame of the GIF every K steps [default: such that at most 150 frames show all of it]
    #[arg(long, value_name = "K", requires = "gif", allow_negative_numbers = true, value_parser = whole::<u32>(STEPS))]
    pub every: Option<u32>,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The run that the page opens on
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Where the runs are [default: runs; for a RUN elsewhere the folder that it is in]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Port at 127.0.0.1; 0 draws a free one [default: 8090, a free one where that is taken]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = whole::<u16>(PORT))]
    pub port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct ThroughputArgs {
    /// k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Who acts [default: random in the cluster, evolved in the garden]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Environments side by side [default: 4096 clusters, 1 garden]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1..=16_777_216))]
    pub num_envs: Option<u32>,
    /// Take so many steps of as many environments as fit the cache, then of the next ones, instead of
    /// one step of all; random agents in the cluster
    #[arg(long, value_name = "STEPS", value_parser = whole::<u32>(1..=1_000_000), conflicts_with_all = ["agent", "train"])]
    pub rollout: Option<u32>,
    /// Measure a training instead: its environments alone, with inference, and with all of it; its
    /// sizes come from --recipe and --set train.…
    #[arg(long, conflicts_with_all = ["agent", "num_envs"])]
    pub train: bool,
    /// With --train: what holds the networks
    #[arg(long, value_enum, default_value_t = Learner::Native, requires = "train")]
    pub learner: Learner,
    /// With --train: where the torch learner computes: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto", requires = "train")]
    pub device: String,
    /// With --train: the settings to start from
    #[arg(long, value_enum, default_value_t = Recipe::Standard, requires = "train")]
    pub recipe: Recipe,
    /// How long to measure, after a warm-up of a fifth of it
    #[arg(long, value_name = "S", default_value_t = 2.0, allow_negative_numbers = true)]
    pub seconds: f64,
    #[command(flatten)]
    pub seed: FixedSeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// k8s, k8s-v4.6 or gardener
    pub env: String,
    #[command(flatten)]
    pub seed: FixedSeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct RerunArgs {
    /// A run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print all settings of this environment and of a training in it as TOML, ready for --config
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// calm, reference or storm
    #[arg(long, value_name = "NAME", default_value = "reference")]
    pub preset: String,
    #[command(flatten)]
    pub out: OutArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Training {
        #[command(flatten)]
        monitor: MonitorArgs,
    }

    /// A heading stands above all that follows it: nothing but the monitor's options may come last.
    #[test]
    fn only_what_watches_stands_below_its_heading() {
        use clap::CommandFactory;
        for command in Cli::command().get_subcommands() {
            let watching = command.get_arguments().filter(|option| {
                option.get_help_heading() == Some("Watching it from outside") && !option.is_global_set()
            });
            let mut names: Vec<&str> = watching.map(|option| option.get_id().as_str()).collect();
            names.sort_unstable();
            let mut expected = vec!["health_port", "metrics_port", "monitor_host", "no_monitor"];
            match command.get_name() {
                "train" => expected.push("tensorboard"),
                "drift" => {}
                _ => expected.clear(),
            }
            assert_eq!(names, expected, "{}", command.get_name());
            let seed = command.get_arguments().find(|option| option.get_id() == "seed");
            assert!(seed.is_none_or(|seed| seed.get_help_heading().is_none()), "{}", command.get_name());
        }
    }

    #[test]
    fn a_training_is_watched_from_this_machine_unless_told_otherwise() {
        let parse = |options: &[&str]| Training::try_parse_from([&["train"], options].concat());
        let MonitorArgs { no_monitor, monitor_host, metrics_port, health_port } = parse(&[]).unwrap().monitor;
        assert!(!no_monitor && monitor_host.is_loopback());
        assert_eq!((metrics_port, health_port), (None, None));
        let told =
            parse(&["--no-monitor", "--monitor-host", "::", "--metrics-port", "0", "--health-port", "65535"]);
        let MonitorArgs { no_monitor, monitor_host, metrics_port, health_port } = told.unwrap().monitor;
        assert!(no_monitor && monitor_host.is_unspecified());
        assert_eq!((metrics_port, health_port), (Some(0), Some(65535)));
        for options in [["--metrics-port", "65536"], ["--health-port", "-1"], ["--monitor-host", "here"]] {
            assert!(parse(&options).unwrap_err().to_string().contains(options[0]));
        }
    }
}
