//! What several commands let users type, and the plain settings that it means: the border that no argument
//! crosses.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use resonetics_agents::prophet::config::TrainConfig;
use resonetics_runs::Error;
use resonetics_runs::monitor::{Monitor, USUAL};
use resonetics_runs::overlay::Overlay;
use resonetics_runs::plan::range::{SEED, allowed};
use resonetics_runs::plan::{Gate, Lumen, Mode};
use resonetics_runs::setup::{Setup, WorldSettings};
use resonetics_runs::training::LearnerKind;

use crate::out::{note, say};

/// Ports to listen at.
pub const PORT: RangeInclusive<u64> = 0..=u16::MAX as u64;

/// Parses a whole number within `range`, or says what is allowed.
pub fn whole<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| allowed(&range))
    }
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

/// For commands that measure or check, where another seed makes little difference.
#[derive(Debug, Args)]
pub struct FixedSeedArgs {
    /// Seed of all random numbers
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = whole::<u64>(SEED))]
    pub seed: u64,
}

/// For commands whose runs can be watched.
#[derive(Debug, Args)]
pub struct LumenArgs {
    /// Watch the run: its nearness to the loss as events.jsonl and metrics.csv; the same as --set lumen.enabled=true
    #[arg(long)]
    pub lumen: bool,
    /// What Lumen may do where a training gets worse: off, warn or act (back to a good checkpoint); implies --lumen
    #[arg(long, value_name = "MODE", value_enum)]
    pub gate: Option<GateMode>,
}

/// What a gate may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum GateMode {
    Off,
    Warn,
    Act,
}

impl From<GateMode> for Mode {
    fn from(mode: GateMode) -> Mode {
        match mode {
            GateMode::Off => Mode::Off,
            GateMode::Warn => Mode::Warn,
            GateMode::Act => Mode::Act,
        }
    }
}

impl LumenArgs {
    /// What was typed, and `set` elsewhere.
    pub fn over(&self, set: Lumen) -> Lumen {
        let enabled = self.lumen || self.gate.is_some() || set.enabled;
        let mode = self.gate.map_or(set.gate.mode, Mode::from);
        Lumen { enabled, gate: Gate { mode, ..set.gate }, ..set }
    }
}

/// For commands in which trained agents act.
#[derive(Debug, Args)]
pub struct ActingArgs {
    /// Draw the actions of trained agents from their policies instead of taking the likeliest
    #[arg(long)]
    pub sample: bool,
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

/// The seed that was typed, or one drawn from the system, which is printed.
pub fn seed(args: &SeedArgs) -> Result<u64, Error> {
    if let Some(seed) = args.seed {
        return Ok(seed);
    }
    // The system's randomness, by the standard library's hash keys.
    let seed = RandomState::new().hash_one("seed") >> 32;
    say(format_args!("seed {seed} was drawn: --seed {seed} repeats this"))?;
    Ok(seed)
}

impl WorldArgs {
    /// The world `name`: preset, file and sets.
    ///
    /// # Errors
    /// An unknown name, a file that cannot be read or a refused setting.
    pub fn world(&self, name: &str) -> Result<Setup, Error> {
        self.overlay().over(self.preset(name)?, &|text| note(format_args!("{text}")))
    }

    /// The world `name`, the settings of a training of `steps` steps in it, and how it is watched.
    ///
    /// # Errors
    /// As [`WorldArgs::world`].
    pub fn training(
        &self,
        name: &str,
        learner: Learner,
        recipe: Recipe,
        steps: u64,
    ) -> Result<(Setup, TrainConfig, Lumen), Error> {
        let defaults = |env: &Setup| defaults(env, learner, recipe, steps);
        let (lumen, overlay) = self.overlay().watched()?;
        let note = |text: &str| note(format_args!("{text}"));
        let (world, train) = overlay.over_training(self.preset(name)?, &defaults, &note)?;
        Ok((world, train, lumen))
    }

    /// As [`WorldArgs::world`], with how the run is watched.
    ///
    /// # Errors
    /// As [`WorldArgs::world`].
    pub fn watched(&self, name: &str) -> Result<(Setup, Lumen), Error> {
        let (lumen, overlay) = self.overlay().watched()?;
        let world = overlay.over(self.preset(name)?, &|text| note(format_args!("{text}")))?;
        Ok((world, lumen))
    }

    fn preset(&self, name: &str) -> Result<Setup, Error> {
        Setup::preset(name, &self.preset)
    }

    fn overlay(&self) -> Overlay {
        Overlay { file: self.config.clone(), sets: self.sets.clone(), ..Overlay::default() }
    }
}

impl From<Learner> for LearnerKind {
    fn from(learner: Learner) -> LearnerKind {
        match learner {
            Learner::Native => LearnerKind::Native,
            Learner::Torch => LearnerKind::Torch,
        }
    }
}

/// The settings that a training in this world starts from.
fn defaults(env: &Setup, learner: Learner, recipe: Recipe, steps: u64) -> TrainConfig {
    let config = match &env.settings {
        WorldSettings::Gardener(_) if learner == Learner::Torch => env.training(steps).with_convolution(),
        WorldSettings::K8s(_) | WorldSettings::Gardener(_) => env.training(steps),
    };
    match recipe {
        Recipe::Standard => config,
        Recipe::Large => config.large(),
    }
}

impl MonitorArgs {
    /// The monitor that was asked for; says where it listens unless `quiet`, and in any case where a usual
    /// port was taken.
    ///
    /// # Errors
    /// As [`Monitor::start`].
    pub fn start(&self, quiet: bool) -> Result<Option<Monitor>, Error> {
        if self.no_monitor {
            return Ok(None);
        }
        let ports = [self.metrics_port, self.health_port];
        let monitor = Monitor::start(self.monitor_host, ports[0], ports[1])?;
        let [metrics, health] = monitor.addresses();
        if !quiet {
            say(format_args!(
                "metrics at http://{metrics}/metrics, health at http://{health}/healthz and /readyz"
            ))?;
        }
        let shown = [(metrics, "metrics"), (health, "healthz")];
        for ((asked, usual), (address, path)) in ports.into_iter().zip(USUAL).zip(shown) {
            if asked.is_none() && address.port() != usual {
                say(format_args!("port {usual} is taken: http://{address}/{path} is there instead"))?;
            }
        }
        Ok(Some(monitor))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Training {
        #[command(flatten)]
        monitor: MonitorArgs,
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
