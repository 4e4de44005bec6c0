//! `drift`: does the learning rate that listens to a predicted risk follow a target that drifts?
//! (RULES section 3.1)

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use resonetics_kernel::prophet_optimizer::Mode;
use resonetics_kernel::risk_predictor::RiskTarget;
use resonetics_lumen::source::drift::Watch;
use resonetics_runs::Error;
use resonetics_runs::files::{CsvFile, begun, last_number};
use resonetics_runs::interrupt;
use resonetics_runs::monitor::{Monitor, Snapshot};
use resonetics_runs::plan::range::{BATCH, DRIFT_STEPS};
use resonetics_runs::plan::{Drift as DriftPlan, Lumen, Plan};
use resonetics_runs::run_dir::{RunDir, RunRecord, exclusive};
use resonetics_runs::training::{Checkpoint, Checkpoints, Identity};
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::kept::{finished, kept, told};
use super::typed::{Learner, LumenArgs, MonitorArgs, OutArgs, SeedArgs, seed, whole};
use crate::drift::{Drift, Row, Settings, State, make};
use crate::out::say;
use crate::watching::{tell, thresholds};

/// The columns of `drift.csv`, a row a step.
const COLUMNS: [&str; 17] = [
    "step",
    "risk",
    "target_risk",
    "smoothed_risk",
    "mode",
    "lr",
    "gap_R",
    "kernel",
    "flow",
    "metric_flow",
    "structure",
    "tension",
    "delta_ema",
    "wR",
    "eps",
    "target",
    "prediction",
];

/// Places in [`COLUMNS`] of what [`Watch`] looks at, in its order.
const WATCHED: [usize; 5] = [0, 1, 6, 5, 4];

/// Steps between two lines of the log.
const LOG_EVERY: u64 = 100;
/// Steps between two checkpoints, and how many are kept.
const CHECKPOINT_EVERY: u64 = 500;
const KEEP: usize = 3;
const CSV: &str = "drift.csv";

/// The numbers of a checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    drift: State,
    summary: Summary,
}

/// What is left of a run for its last line.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    gap_r: f64,
    risk: f64,
    /// Steps in each mode, by status.
    modes: [u64; 4],
    /// The first step of the panic that lasted to the end.
    panic_since: Option<u64>,
}

#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Resume the run in this directory from its last checkpoint; only --device, --threads and the monitoring
    /// options may be given with it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["steps", "batch_size", "no_kernel", "no_tune", "centred_risk", "learner", "seed", "out", "lumen"])]
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
    #[command(flatten)]
    pub lumen: LumenArgs,
    // Last: its heading would apply to every option that follows.
    #[command(flatten)]
    pub monitor: MonitorArgs,
}

pub fn run(args: &DriftArgs, context: Context) -> Result<(), Error> {
    if let Some(dir) = &args.resume {
        return resume(dir, args, context);
    }
    let plan = DriftPlan {
        seed: seed(&args.seed)?,
        steps: args.steps,
        batch_size: args.batch_size as usize,
        kernel: !args.no_kernel,
        tune: !args.no_tune && !args.no_kernel,
        risk_target: if args.centred_risk { RiskTarget::Centred } else { RiskTarget::Sigmoid },
        learner: args.learner.into(),
        lumen: args.lumen.over(Lumen::default()),
    };
    plan.check()?;
    make(plan.learner, plan.seed, &args.device)?;
    let monitor = args.monitor.start(context.quiet)?;
    let all = Plan::Drift(plan.clone());
    let out = args.out.out.as_deref();
    kept(&all, out, context, monitor.as_ref(), |dir| execute(&plan, dir, &args.device, monitor.as_ref()))
        .map(drop)
}

/// Runs in `dir` on `device`, from its last checkpoint on if it holds one.
pub fn execute(plan: &DriftPlan, dir: &Path, device: &str, monitor: Option<&Monitor>) -> Result<(), Error> {
    let _lock = exclusive(dir)?;
    let steps = plan.steps;
    let checkpoints = checkpoints(dir)?;
    let (mut drift, mut csv, mut summary) = open(plan, device, &checkpoints, &dir.join(CSV))?;
    checkpoints.tidy()?;
    let (first, start) = (drift.steps(), Instant::now());
    let watch = || Watch::begin(dir, first, &checkpoints, thresholds(plan.lumen), &tell);
    let mut watch = plan.lumen.enabled.then(watch).transpose()?;
    if let Some(monitor) = monitor {
        monitor.begin(Snapshot { training_step: first, ..Snapshot::default() });
    }
    for step in first..steps {
        let row = interrupt::check().and_then(|()| drift.step().map_err(Error::Failed));
        let row = match row {
            Ok(row) => row,
            Err(failure) => {
                csv.finish()?;
                return Err(failure);
            }
        };
        let cells = cells(&row);
        csv.row(&cells)?;
        if let Some(watch) = &mut watch {
            watch.row(WATCHED.map(|at| cells[at].as_str()));
        }
        summary.add(&row);
        if let Some(monitor) = monitor {
            monitor.publish(snapshot(&row));
        }
        if step % LOG_EVERY == 0 {
            // A measurement of this machine: for the eye, never for a file.
            let speed = (step + 1 - first) as f64 / start.elapsed().as_secs_f64().max(1e-9);
            say(format_args!("{} | {speed:.1} steps/sec", log_line(&row, steps)))?;
        }
        if drift.steps().is_multiple_of(CHECKPOINT_EVERY) {
            let csv_bytes = csv.sync()?;
            let (state, arrays) = drift.save().map_err(Error::Failed)?;
            let numbers = Numbers { drift: state, summary: summary.clone() };
            let checkpoint = Checkpoint { csv_bytes, best: None, reached: None, kept: None, numbers, arrays };
            let (sha256, removed) = checkpoints.write(drift.steps(), &checkpoint, false)?;
            if let Some(watch) = &mut watch {
                watch.checkpoint(drift.steps(), &sha256, &removed);
            }
        }
    }
    csv.finish()?;
    if let Some(watch) = watch {
        watch.finish(&tell);
    }
    summary.tell(steps)
}

/// The experiment, its file and its summary as they were at the last checkpoint, or at the start.
fn open(
    plan: &DriftPlan,
    device: &str,
    checkpoints: &Checkpoints,
    path: &Path,
) -> Result<(Drift, CsvFile, Summary), Error> {
    let DriftPlan { seed, steps, batch_size, kernel, tune, risk_target, learner, .. } = plan.clone();
    let settings = Settings { seed, steps, batch_size, kernel, tune, risk_target };
    let mut drift = Drift::new(&settings, make(learner, seed, device)?);
    let Some(Checkpoint { csv_bytes, numbers, arrays, .. }) = checkpoints.last::<Numbers>()? else {
        refuse_lost(checkpoints, path)?;
        return Ok((drift, begun(path, &COLUMNS, &|line| say(format_args!("{line}")))?, Summary::default()));
    };
    drift.restore(numbers.drift, &arrays).map_err(|problem| checkpoints.refused(&problem))?;
    Ok((drift, CsvFile::resume(path, csv_bytes)?, numbers.summary))
}

fn checkpoints(dir: &Path) -> Result<Checkpoints, Error> {
    Ok(Checkpoints::at(dir, Identity::of("drift", dir)?, KEEP))
}

/// Refuses to begin where more was done than before a first checkpoint.
fn refuse_lost(checkpoints: &Checkpoints, csv: &Path) -> Result<(), Error> {
    let done = last_number(csv)?.map_or(0, |step| step + 1);
    checkpoints.refuse_lost(csv, done, CHECKPOINT_EVERY)
}

fn resume(dir: &Path, args: &DriftArgs, context: Context) -> Result<(), Error> {
    let Plan::Drift(plan) = Plan::of_stopped(dir)? else {
        return Err(Error::Refused(format!("{} is not a drift: nothing to resume", dir.display())));
    };
    checkpoints(dir)?.refuse_edited()?;
    if finished(dir)? {
        return Ok(());
    }
    make(plan.learner, plan.seed, &args.device)?;
    let lock = exclusive(dir)?;
    let (checkpoints, csv) = (checkpoints(dir)?, dir.join(CSV));
    match checkpoints.last::<Numbers>()? {
        Some(last) => CsvFile::resumable(&csv, last.csv_bytes).map(drop)?,
        None => refuse_lost(&checkpoints, &csv)?,
    }
    let monitor = args.monitor.start(context.quiet)?;
    let record = RunRecord::new("drift", Some(plan.seed));
    let record = record.watched_at(monitor.as_ref().map(Monitor::addresses));
    let run = RunDir::resume(dir, record, &|line| say(format_args!("{line}")))?;
    drop(lock);
    let outcome = execute(&plan, dir, &args.device, monitor.as_ref());
    told(run.finish(outcome), dir, context)
}

fn cells(row: &Row) -> [String; 17] {
    let number = |number: f64| format!("{number:.8}");
    [
        row.step.to_string(),
        number(row.risk),
        number(row.target_risk),
        number(row.smoothed_risk),
        row.mode.name().to_owned(),
        number(row.lr),
        number(row.terms.gap_r),
        number(row.terms.loss),
        number(row.terms.flow),
        number(row.metric_flow),
        number(row.terms.gap_s),
        number(row.terms.tension),
        number(row.delta_ema),
        number(row.w_r),
        number(row.eps),
        number(row.target),
        number(row.prediction),
    ]
}

fn snapshot(row: &Row) -> Snapshot {
    Snapshot {
        training_step: row.step + 1,
        learning_rate: Some(row.lr),
        predicted_risk: Some(row.risk),
        actual_error: Some(row.recent_error),
        system_status: Some(row.mode.status()),
        kernel_w_r: Some(row.w_r),
        kernel_eps: Some(row.eps),
        ..Snapshot::default()
    }
}

/// The log's line up to the speed.
fn log_line(row: &Row, steps: u64) -> String {
    format!(
        "Step {:5}/{steps} | Risk: {:5.3} | TargetRisk: {:5.3} | MSE: {:7.5} | Kernel: {:7.5} | Flow: {:7.5} \
         | ΔEMA: {:7.5} | LR: {:.5} | {}",
        row.step,
        row.risk,
        row.target_risk,
        row.terms.gap_r,
        row.terms.loss,
        row.metric_flow,
        row.delta_ema,
        row.lr,
        row.mode.name().to_uppercase(),
    )
}

impl Summary {
    fn add(&mut self, row: &Row) {
        self.gap_r += row.terms.gap_r;
        self.risk += row.risk;
        self.modes[usize::from(row.mode.status())] += 1;
        self.panic_since = (row.mode == Mode::Panic).then(|| self.panic_since.unwrap_or(row.step));
    }

    fn tell(&self, steps: u64) -> Result<(), Error> {
        let n = steps as f64;
        let [panic, alert, warning, cruise] = self.modes.map(|count| 100.0 * count as f64 / n);
        let since = self.panic_since.map_or_else(String::new, |step| format!(" | panic since step {step}"));
        say(format_args!(
            "drift | steps {steps} | MSE μ={:.5} | risk μ={:.3} | panic {panic:.1}% alert {alert:.1}% warning {warning:.1}% cruise {cruise:.1}%{since}",
            self.gap_r / n,
            self.risk / n,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resonetics_kernel::terms::Terms;

    /// RULES 3.1 gives this line, speed apart.
    #[test]
    fn the_log_has_the_form_of_the_rules() {
        let row = Row {
            step: 0,
            target: 0.0,
            prediction: 0.0,
            risk: 0.4961,
            target_risk: 0.512,
            smoothed_risk: 0.6,
            mode: Mode::Panic,
            lr: 0.01,
            terms: Terms { gap_r: 0.01234, loss: 0.015, flow: 9.0, ..Terms::default() },
            metric_flow: 0.00321,
            delta_ema: 0.0001,
            recent_error: 0.0,
            w_r: 1.0,
            eps: 0.01,
        };
        assert_eq!(
            log_line(&row, 2000),
            "Step     0/2000 | Risk: 0.496 | TargetRisk: 0.512 | MSE: 0.01234 | Kernel: 0.01500 | \
             Flow: 0.00321 | ΔEMA: 0.00010 | LR: 0.01000 | PANIC"
        );
    }
}
