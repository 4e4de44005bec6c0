//! The command line.
#![allow(clippy::doc_markdown)] // help is read in a terminal

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use resonetics_runs::plan::range::{
    BATCH, CELLS, DRIFT_STEPS, EPISODES, GENERATIONS, LIFE, PAIRS, RUNS, SEED, STEPS, TRAINING_STEPS, allowed,
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
/// worlds, agents that must keep them alive, and experiments that show whether it helped.
#[derive(Debug, Parser)]
#[command(name = "resonetics", version, arg_required_else_help = true)]
pub struct Cli {
    /// Number of threads; results do not depend on it [default: one per core]
    #[arg(long, global = true, help_heading = "Global options", value_name = "N", allow_negative_numbers = true, value_parser = whole::<u16>(1..=1024))]
    pub threads: Option<u16>,
    /// No progress bars and no closing remarks
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate gardens and log each generation into resonetics_data.csv
    Gardener(GardenerArgs),
    /// Compare agents on paired seeds
    Benchmark(BenchmarkArgs),
    /// Find how much drift each agent carries: the dose at which half of the systems are lost
    Limit(LimitArgs),
    /// Compare survival with and without the control layer, on paired seeds
    Controls(ControlsArgs),
    /// Track a drifting target with a learning rate that follows a predicted risk
    Drift(DriftArgs),
    /// Record a trace of one episode
    Record(RecordArgs),
    /// Train Prophet, or resume a training that was stopped
    Train(Box<TrainArgs>),
    /// Evaluate a trained Prophet, optionally with observation noise or a faster drift
    Eval(EvalArgs),
    /// Answer a question with many runs, or list the questions; a study that was stopped goes on
    Study(StudyArgs),
    /// Export a trained policy as an ONNX file
    Export(ExportArgs),
    /// Analyze runs, folders of runs or CSV files: statistics, figures, one HTML page
    Analyze(AnalyzeArgs),
    /// The same as analyze for whole runs, side by side
    Report(AnalyzeArgs),
    /// Replay a recorded trace and print the largest deviations
    Replay(ReplayArgs),
    /// Watch an episode in the terminal, or write it as a GIF or PNG file
    Watch(WatchArgs),
    /// Serve a web page on this machine: live worlds, runs, their reports and charts
    Serve(ServeArgs),
    /// Measure how fast a world steps
    Throughput(ThroughputArgs),
    /// Check that an environment keeps its contract
    Check(CheckArgs),
    /// Repeat a run from its config.toml and compare the CSV files
    Rerun(RerunArgs),
    /// List environments, presets, agents and settings
    List(ListArgs),
    /// List experiments and the commands that run them
    Experiments,
    /// Show versions, CPU features in use and threads, or compare the learners
    Doctor(DoctorArgs),
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Compare the torch learner with the native one instead: losses and gradients of one minibatch
    #[arg(long)]
    pub learners: bool,
    /// With --learners: device of the torch learner: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto", requires = "learners")]
    pub device: String,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["name", "list"]))]
pub struct StudyArgs {
    /// The study, one of those that --list names
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// List the studies with what they cost
    #[arg(long)]
    pub list: bool,
    /// Training seeds [default: as the study has it]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(RUNS))]
    pub seeds: Option<u32>,
    /// Steps of each training [default: as the study has it]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(TRAINING_STEPS))]
    pub steps: Option<u64>,
    /// Episodes of whatever is measured [default: as the study has it]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(EPISODES))]
    pub episodes: Option<u32>,
    /// Python with stable-baselines3, for the study sb3 [default: python3]
    #[arg(long, value_name = "PROGRAM")]
    pub python: Option<PathBuf>,
    /// Folder of the study, new, empty, or that of a stopped study, which goes on [default: runs/study-NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct OutArgs {
    /// Output directory; must be new or empty
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SeedArgs {
    /// Seed of all random numbers; without it one is drawn and printed
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = whole::<u64>(SEED))]
    pub seed: Option<u64>,
}

/// For commands in which trained agents act.
#[derive(Debug, Args)]
pub struct ActingArgs {
    /// Draw the actions of trained agents from their policies instead of taking the likeliest
    #[arg(long)]
    pub sample: bool,
}

/// For commands that measure or check, where another seed makes little difference.
#[derive(Debug, Args)]
pub struct FixedSeedArgs {
    /// Seed of all random numbers
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = whole::<u64>(SEED))]
    pub seed: u64,
}

#[derive(Debug, Args)]
pub struct WorldArgs {
    /// Preset of the drift: calm, reference or storm
    #[arg(long, value_name = "NAME", default_value = "reference")]
    pub preset: String,
    /// TOML file with settings that override the preset: in the form that `list --env NAME` prints, or the
    /// config.toml of a run, of which the settings of this environment are used
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set a value of the environment, such as max_steps=1000 or risk.ema_alpha=0.2, of its agents: heuristic,
    /// such as agent.clean_memory=0.4 (k8s) or agent.clean_above=0.2 (gardener), and patrol, below agent.patrol,
    /// or, for `train`, of the training, such as train.learning_rate=0.001; overrides the file; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// For commands that train: how to monitor them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Monitoring")]
pub struct MonitorArgs {
    /// Do not serve /metrics, /healthz and /readyz
    #[arg(long)]
    pub no_monitor: bool,
    /// Address to listen on; with 0.0.0.0 every machine that can reach this one can read it
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub monitor_host: IpAddr,
    /// Port for metrics; 0 picks a free one and prints it [default: 8000, or a free one if that is taken]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = whole::<u16>(PORT))]
    pub metrics_port: Option<u16>,
    /// Port for health and readiness, which may be the same as for metrics; 0 picks a free one and prints it
    /// [default: 8080, or a free one if that is taken]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = whole::<u16>(PORT))]
    pub health_port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct GardenerArgs {
    /// Generations in each run
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = whole::<u32>(GENERATIONS))]
    pub generations: u32,
    /// Agent: evolved, heuristic, patrol, random, idle, or prophet:DIR for a trained one, prophet:DIR@last or
    /// prophet:DIR@STEP for another checkpoint of it than the best
    #[arg(long, value_name = "NAME", default_value = "evolved")]
    pub agent: String,
    #[command(flatten)]
    pub acting: ActingArgs,
    /// Number of runs, each with its own seed
    #[arg(long, value_name = "K", default_value_t = 1, allow_negative_numbers = true, value_parser = whole::<u32>(RUNS))]
    pub runs: u32,
    /// Turn the control layer off
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
    /// Environment: k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Agents, separated by commas, or one for each --agents. The first is the baseline that the others are
    /// compared with. prophet:DIR is a trained one, prophet:DIR@last and prophet:DIR@STEP are other checkpoints
    /// of it than the best; if DIR contains commas, the longest match that is a run is used
    #[arg(long, value_name = "NAMES", default_value = "random,heuristic")]
    pub agents: Vec<String>,
    #[command(flatten)]
    pub acting: ActingArgs,
    /// Episodes for each agent, on the same seeds
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
pub struct LimitArgs {
    /// Resume the run in this directory; only --threads may be given with it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["env", "agents", "sample", "life", "dose", "episodes", "seed", "preset", "config", "sets", "out"])]
    pub resume: Option<PathBuf>,
    /// Environment: k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Agents, separated by commas, or one for each --agents. prophet:DIR is a trained one; if DIR contains
    /// commas, the longest match that is a run is used
    #[arg(long, value_name = "NAMES", default_value = "heuristic,patrol")]
    pub agents: Vec<String>,
    #[command(flatten)]
    pub acting: ActingArgs,
    /// Steps (generations of a garden) that a system has to live
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = whole::<u32>(LIFE))]
    pub life: u32,
    /// Setting whose value is the dose, any number of the environment; it is doubled and halved from its present
    /// value until survivors fall [default: mem_drift_mu in the cluster, dirt_growth in the garden]
    #[arg(long, value_name = "KEY")]
    pub dose: Option<String>,
    /// Episodes for each agent at each dose, on the same seeds; a tenth of them chooses the doses
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(EPISODES))]
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
    /// Environment: gardener, k8s or k8s-v4.6 [default: gardener and k8s]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Pairs of episodes in each environment, of at most 2000 steps or generations unless max_steps or
    /// max_generations is set
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(PAIRS))]
    pub episodes: u32,
    /// Agent [default: evolved in the garden, random in the cluster]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Preset of the drift: calm, reference or storm [default: reference for the garden, storm for the cluster]
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// TOML file with settings of the environment (requires --env): in the form that `list --env NAME`
    /// prints, or the config.toml of a run
    #[arg(long, value_name = "FILE", requires = "env")]
    pub config: Option<PathBuf>,
    /// Set a value of the environment (requires --env); can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "env")]
    pub sets: Vec<String>,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Resume the run in this directory from its last checkpoint; only --device, --threads and the monitoring
    /// options may be given with it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["steps", "batch_size", "no_kernel", "no_tune", "centred_risk", "learner", "seed", "out"])]
    pub resume: Option<PathBuf>,
    /// Training steps, over which the target goes once through its four phases
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = whole::<u64>(DRIFT_STEPS))]
    pub steps: u64,
    /// Batch size; each row is one step ahead of the row before
    #[arg(long, value_name = "B", default_value_t = 1, allow_negative_numbers = true, value_parser = whole::<u32>(BATCH))]
    pub batch_size: u32,
    /// Train on the mean squared error alone: no flow, structure or tension, and no tuner
    #[arg(long)]
    pub no_kernel: bool,
    /// Do not tune the weight of the error and the scale of the noise
    #[arg(long)]
    pub no_tune: bool,
    /// Train the risk predictor on 2*sigmoid(3*loss)-1: unlike the rules' sigmoid(3*loss), which is never
    /// below 0.5, this target lets the optimizer leave panic mode
    #[arg(long)]
    pub centred_risk: bool,
    /// Library that computes the networks
    #[arg(long, value_enum, default_value_t = Learner::Native)]
    pub learner: Learner,
    /// Device of the torch learner: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub out: OutArgs,
    // Last: its heading would apply to every option that follows.
    #[command(flatten)]
    pub monitor: MonitorArgs,
}

#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Environment: k8s, k8s-v4.6 or gardener
    pub env: String,
    /// Agent
    #[arg(long, value_name = "NAME", default_value = "heuristic")]
    pub agent: String,
    /// Maximum number of steps (or generations)
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(STEPS))]
    pub steps: u32,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

/// The library that computes the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Learner {
    /// Plain arrays on the CPU; no dependency
    Native,
    /// libtorch, on the CPU or a GPU; needs a build with `--features torch`
    Torch,
}

/// The sizes that a training starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Recipe {
    /// Most learning from the fewest steps
    Standard,
    /// Most steps per second: thousands of environments, large minibatches
    Large,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Resume the run in this directory from its last checkpoint; only --steps, --device, --threads,
    /// --tensorboard and the monitoring options may be given with it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["env", "from", "learner", "recipe", "seed", "preset", "config", "sets", "out"])]
    pub resume: Option<PathBuf>,
    /// Start from the networks and normalisers of another training, of its best checkpoint or of DIR@last or
    /// DIR@STEP, with other settings or in another environment; the networks must have the same shapes
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// Environment: k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Environment steps (generations of a garden), rounded down to whole rollouts (train.num_envs x
    /// train.horizon), but at least one rollout; if that differs from N, a note says so. With --resume the steps
    /// of the whole training, those behind it counted: the learning rate continues on the line of a training of
    /// that many [default: 400000]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(TRAINING_STEPS))]
    pub steps: Option<u64>,
    /// Library that computes the networks
    #[arg(long, value_enum, default_value_t = Learner::Native)]
    pub learner: Learner,
    /// Device of the torch learner: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Settings to start from; --config and --set override them
    #[arg(long, value_enum, default_value_t = Recipe::Standard)]
    pub recipe: Recipe,
    /// Write TensorBoard event files into DIR/tensorboard; a resumed training that has some continues
    /// them
    #[arg(long, help_heading = "Monitoring")]
    pub tensorboard: bool,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub out: OutArgs,
    // Last: its heading would apply to every option that follows.
    #[command(flatten)]
    pub monitor: MonitorArgs,
}

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Run directory of the training; its best checkpoint acts, or the one behind an @: DIR@last, or DIR@STEP
    /// for that of a step of training
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    #[command(flatten)]
    pub acting: ActingArgs,
    /// Number of episodes
    #[arg(long, value_name = "N", default_value_t = 1000, allow_negative_numbers = true, value_parser = whole::<u32>(EPISODES))]
    pub episodes: u32,
    /// Standard deviation of normal noise added to every observed number
    #[arg(long, value_name = "SIGMA", default_value_t = 0.0, allow_negative_numbers = true)]
    pub obs_noise: f64,
    /// Factor on the speed of the drift (mem_drift_mu, dirt_growth)
    #[arg(long, value_name = "K", default_value_t = 1.0, allow_negative_numbers = true)]
    pub drift_scale: f64,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Run directory of the training; its best checkpoint is exported, or the one behind an @: DIR@last, or DIR@STEP
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// ONNX file to write, with the normaliser inside and the action mask as an input; an existing file is not
    /// overwritten
    #[arg(long, value_name = "FILE")]
    pub onnx: PathBuf,
}

#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Run directories; analyze also takes CSV files, folders of runs, and - for a table from a pipe. A file given here that cannot be
    /// read is an error; one inside a folder is skipped and named
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Agent, or group of trainings, that the others are compared with; a group by the name that the report
    /// gives it or by that of one of its runs [default: the first agent]
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Number of cells of gardens that come without a config.toml [default: 3600]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(CELLS))]
    pub cells: Option<u64>,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Trace file (JSON)
    pub trace: PathBuf,
    /// Device of what libtorch computes: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Environment: gardener, k8s or k8s-v4.6
    pub env: String,
    /// Agent, prophet:DIR for a trained one, prophet:DIR@last or prophet:DIR@STEP for another checkpoint than the
    /// best [default: evolved in the garden, heuristic in the cluster]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    #[command(flatten)]
    pub acting: ActingArgs,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub pictures: PictureArgs,
}

/// For pictures instead of the terminal.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pictures instead of the terminal", group = ArgGroup::new("picture").args(["gif", "png"]).multiple(true))]
pub struct PictureArgs {
    /// Write the episode as an animated GIF; an existing file is not overwritten
    #[arg(long, value_name = "FILE")]
    pub gif: Option<PathBuf>,
    /// Write the last frame as a PNG; an existing file is not overwritten
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
    /// Maximum number of steps (or generations) [default: to the end of the episode]
    #[arg(long, value_name = "N", requires = "picture", allow_negative_numbers = true, value_parser = whole::<u32>(STEPS))]
    pub steps: Option<u32>,
    /// Steps between two frames of the GIF [default: so that at most 150 frames show the episode]
    #[arg(long, value_name = "K", requires = "gif", allow_negative_numbers = true, value_parser = whole::<u32>(STEPS))]
    pub every: Option<u32>,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Run that the page opens with
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Folder of the runs [default: runs, or the folder that contains RUN]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 picks a free one [default: 8090, or a free one if that is taken]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = whole::<u16>(PORT))]
    pub port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct ThroughputArgs {
    /// Environment: k8s, k8s-v4.6 or gardener
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub env: String,
    /// Agent [default: random in the cluster, evolved in the garden]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Environments side by side [default: 4096 clusters, 1 garden]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1..=16_777_216))]
    pub num_envs: Option<u32>,
    /// Instead of stepping all environments in turn, take this many steps of as many as fit in the cache,
    /// then of the next ones; random agents in the cluster only
    #[arg(long, value_name = "STEPS", value_parser = whole::<u32>(1..=1_000_000), conflicts_with_all = ["agent", "train"])]
    pub rollout: Option<u32>,
    /// Measure a training instead: environments alone, with inference, and whole updates; sizes come from
    /// --recipe and --set train.…
    #[arg(long, conflicts_with_all = ["agent", "num_envs"])]
    pub train: bool,
    /// With --train: library that computes the networks
    #[arg(long, value_enum, default_value_t = Learner::Native, requires = "train")]
    pub learner: Learner,
    /// With --train: device of the torch learner: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto", requires = "train")]
    pub device: String,
    /// With --train: settings to start from
    #[arg(long, value_enum, default_value_t = Recipe::Standard, requires = "train")]
    pub recipe: Recipe,
    /// Seconds to measure, after a warm-up of a fifth of that
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
    /// Environment: k8s, k8s-v4.6 or gardener
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
    /// Run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print all settings of this environment, and of a training in it, as TOML ready for --config
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Preset of the drift: calm, reference or storm
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

    /// A heading applies to every option that follows it: nothing but the monitoring options may come last.
    #[test]
    fn only_monitoring_options_stand_below_their_heading() {
        use clap::CommandFactory;
        for command in Cli::command().get_subcommands() {
            let monitoring = command
                .get_arguments()
                .filter(|option| option.get_help_heading() == Some("Monitoring") && !option.is_global_set());
            let mut names: Vec<&str> = monitoring.map(|option| option.get_id().as_str()).collect();
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
