//! Runs: trainings, evaluations, limits, comparisons and reports, as the program makes them.

use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use resonetics_agents::Policy;
use resonetics_runs::benchmark::{self, Cards};
use resonetics_runs::evaluation;
use resonetics_runs::files::text;
use resonetics_runs::inputs::Inputs;
use resonetics_runs::lifespan::compared;
use resonetics_runs::limit;
use resonetics_runs::overlay::Overlay;
use resonetics_runs::plan::{Benchmark, Eval, Limit, Lumen, Plan};
use resonetics_runs::progress::Progress;
use resonetics_runs::run_dir::{RunDir, RunRecord};
use resonetics_runs::setup::Setup;
use resonetics_runs::trained::TrainedAgents;
use resonetics_runs::training::{LearnerKind, Runtime, Start, Stopped, Train, Training};
use resonetics_runs::{Error, claim, findings};

use crate::policy::Function;
use crate::settings;
use crate::work::at_work;

/// A world by name with a file of settings and settings on top.
#[derive(FromPyObject)]
pub(crate) struct World<'py> {
    #[pyo3(item)]
    env: String,
    #[pyo3(item)]
    preset: String,
    #[pyo3(item)]
    config: Option<PathBuf>,
    #[pyo3(item)]
    settings: Bound<'py, PyDict>,
}

/// How a call works: its seed, its folder, its threads and who is shown how far it is.
#[derive(FromPyObject)]
pub(crate) struct Call<'py> {
    #[pyo3(item)]
    seed: u64,
    #[pyo3(item)]
    out: Option<PathBuf>,
    #[pyo3(item)]
    pub(crate) threads: usize,
    #[pyo3(item)]
    pub(crate) show: Bound<'py, PyAny>,
}

/// What is asked of a limit.
#[derive(FromPyObject)]
pub(crate) struct Carried {
    #[pyo3(item)]
    agents: Vec<String>,
    #[pyo3(item)]
    life: u32,
    #[pyo3(item)]
    dose: Option<String>,
    #[pyo3(item)]
    episodes: u32,
    #[pyo3(item)]
    sample: bool,
}

impl World<'_> {
    /// What is laid over which world; nothing of Python is in it.
    pub(crate) fn plain(&self) -> PyResult<(String, String, Overlay)> {
        let sets = settings::sets(&self.env, &self.settings)?;
        Ok((
            self.env.clone(),
            self.preset.clone(),
            Overlay { file: self.config.clone(), sets, ..Overlay::default() },
        ))
    }
}

impl Call<'_> {
    fn seed(&self) -> PyResult<u64> {
        settings::seed(self.seed)
    }
}

/// Trains and yields the run's folder.
#[pyfunction]
pub(crate) fn train(
    py: Python<'_>,
    world: World<'_>,
    steps: u64,
    recipe: &str,
    start: Option<String>,
    call: Call<'_>,
) -> PyResult<PathBuf> {
    let large = match recipe {
        "standard" => false,
        "large" => true,
        other => {
            return Err(PyValueError::new_err(format!(
                "recipe {other:?}: allowed are 'standard' and 'large'"
            )));
        }
    };
    let ((env, preset, overlay), seed, out) = (world.plain()?, call.seed()?, call.out.clone());
    at_work(py, call.threads, &call.show, |told| {
        let world = Setup::preset(&env, &preset)?;
        let defaults = |env: &Setup| {
            let standard = env.training(steps);
            if large { standard.large() } else { standard }
        };
        let (env, train) = overlay.over_training(world, &defaults, &|note| told.remark(note))?;
        let from = start.as_deref().map(Start::of).transpose()?;
        let plan = Train { from, ..Train::new(seed, steps, LearnerKind::Native, train, env) };
        told.of(plan.train.updates(plan.total()));
        let tell = |line: &str| told.told(line);
        let runtime = Runtime { progress: told, tell: &tell, ..Runtime::default() };
        let training = Training::begin(&plan, out.as_deref(), &runtime)?;
        let dir = training.dir().to_path_buf();
        training.run(&runtime).map(|()| dir)
    })
}

/// Goes on with a training, to `steps` steps in all if that is given, and yields its folder.
#[pyfunction]
pub(crate) fn resume(py: Python<'_>, dir: PathBuf, steps: Option<u64>, call: Call<'_>) -> PyResult<PathBuf> {
    at_work(py, call.threads, &call.show, |told| {
        let stopped = match steps {
            Some(steps) => Stopped::extended(&dir, steps, "auto")?,
            None => Stopped::open(&dir, "auto")?,
        };
        let Some(stopped) = stopped else { return Ok(dir) };
        let plan = stopped.plan();
        told.of(plan.train.updates(plan.total()));
        let tell = |line: &str| told.told(line);
        let runtime = Runtime { progress: told, tell: &tell, ..Runtime::default() };
        stopped.resume(&runtime)?.run(&runtime).map(|()| dir)
    })
}

/// Plays a trained agent in fresh episodes; yields the text of eval.json and the run's folder.
#[pyfunction]
pub(crate) fn evaluate(
    py: Python<'_>,
    run: PathBuf,
    episodes: u32,
    obs_noise: f64,
    drift_scale: f64,
    sample: bool,
    call: Call<'_>,
) -> PyResult<(String, PathBuf)> {
    let (seed, out) = (call.seed()?, call.out.clone());
    at_work(py, call.threads, &call.show, |told| {
        told.of(episodes.into());
        let plan = Eval::new(&run, seed, episodes, obs_noise, drift_scale)?;
        let checkpoints = TrainedAgents::default().open(&[&plan.agent()])?.sampled(sample)?;
        let (dir, found) = evaluation::evaluate(&Eval { checkpoints, ..plan }, out.as_deref(), told)?;
        Ok((found.to_string(), dir))
    })
}

/// How much of a dose agents carry; yields the text of limits.json, the answer in words, and the run's folder.
#[pyfunction]
pub(crate) fn limits(
    py: Python<'_>,
    world: World<'_>,
    asked: Carried,
    call: Call<'_>,
) -> PyResult<(String, String, PathBuf)> {
    let Carried { agents, life, dose, episodes, sample } = asked;
    let ((env, preset, overlay), seed, out) = (world.plain()?, call.seed()?, call.out.clone());
    at_work(py, call.threads, &call.show, |told| {
        let env = overlay.over(Setup::preset(&env, &preset)?, &|note| told.remark(note))?;
        let key = Limit::life_key(&env);
        if overlay.sets.iter().any(|set| set.split('=').next() == Some(key)) {
            return Err(Error::Refused(format!("{key}: how long a system has to live is life={life} here")));
        }
        let plan = Limit { seed, ..Limit::new(env, agents, life, dose, episodes, sample)? };
        let run = Plan::Limit(plan.clone()).begin(out.as_deref(), None)?;
        let dir = run.path().to_path_buf();
        let shows = |what: &str, total: u64| {
            told.of(total);
            told.message(what);
            Box::new(told.clone()) as Box<dyn Progress>
        };
        let mut answered = String::new();
        let outcome = limit::work(&plan, &dir, &shows).and_then(|(responses, _)| {
            answered = limit::answer(&plan, &responses)?;
            Ok(())
        });
        run.finish(outcome)?;
        Ok((text(&dir.join("limits.json"))?, answered, dir))
    })
}

/// Reads what runs wrote, as `analyze` does; yields the text of analysis.json and the folder of the report.
#[pyfunction]
pub(crate) fn analyze(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    baseline: Option<String>,
    cells: Option<u64>,
    out: Option<PathBuf>,
    threads: usize,
    show: Bound<'_, PyAny>,
) -> PyResult<(String, PathBuf)> {
    at_work(py, threads, &show, |told| {
        claim::check(out.as_deref())?;
        let record = RunRecord::new("analyze", None);
        let mut inputs = Inputs::find(&paths, false)?;
        inputs.cells = cells;
        told.of(inputs.files.len() as u64);
        inputs.progress = Some(Box::new(told.clone()));
        let asked: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let made_by = format!("resonetics.analyze({asked:?})");
        let mut report = findings::report(inputs, baseline.as_deref(), &made_by)?;
        let config = Asked { command: "analyze", paths: asked, baseline: baseline.as_deref(), cells };
        let config = toml::to_string(&config).map_err(|error| Error::Failed(error.to_string()))?;
        let run = RunDir::create(out.as_deref(), record, &config)?;
        let dir = run.path().to_path_buf();
        run.finish(findings::write(&dir, &mut report))?;
        Ok((text(&dir.join("analysis.json"))?, dir))
    })
}

/// The config.toml of an analysis.
#[derive(serde::Serialize)]
struct Asked<'a> {
    command: &'a str,
    paths: Vec<String>,
    baseline: Option<&'a str>,
    cells: Option<u64>,
}

/// Plays agents on paired seeds: those called by names, and functions of Python by theirs. Yields how long the system
/// lives under each beside the first, as JSON, and the run's folder.
#[pyfunction]
pub(crate) fn play(
    py: Python<'_>,
    world: World<'_>,
    agents: Vec<(String, Option<Py<PyAny>>)>,
    episodes: u32,
    sample: bool,
    call: Call<'_>,
) -> PyResult<(String, PathBuf)> {
    let ((env, preset, overlay), seed, out) = (world.plain()?, call.seed()?, call.out.clone());
    let (names, functions): (Vec<String>, Vec<Option<Py<PyAny>>>) = agents.into_iter().unzip();
    at_work(py, call.threads, &call.show, |told| {
        told.of(u64::from(episodes) * names.len() as u64);
        let env = overlay.over(Setup::preset(&env, &preset)?, &|note| told.remark(note))?;
        let own = names.iter().zip(&functions).filter(|(_, function)| function.is_none());
        let own: Vec<&str> = own.map(|(name, _)| name.as_str()).collect();
        let checkpoints = TrainedAgents::default().open(&own)?.sampled(sample)?;
        let called = names.iter().zip(&functions).filter(|(_, function)| function.is_some());
        let called = called.map(|(name, _)| name.clone()).collect();
        let lumen = Lumen::default();
        let plan =
            Benchmark { seed, episodes, agents: names.clone(), checkpoints, functions: called, lumen, env };
        let run = Plan::Benchmark(plan.clone()).begin(out.as_deref(), None)?;
        let dir = run.path().to_path_buf();
        let cast = |agent: &str, envs: usize| {
            let at = names.iter().position(|name| name == agent);
            match at.and_then(|at| functions[at].as_ref()) {
                Some(function) => Ok(Box::new(Function::new(function, told)) as Box<dyn Policy>),
                None => plan.policy(agent, envs),
            }
        };
        let Benchmark { agents, checkpoints, env, .. } = &plan;
        let cards = Cards { env, agents, episodes, seed, checkpoints, cast: &cast, watching: None };
        let mut lives = Vec::new();
        let outcome = benchmark::work(&cards, &dir, told).map(|played| {
            let mut all = agents.iter().map(String::as_str).zip(played.episodes.iter().map(Vec::as_slice));
            if let Some(first) = all.next() {
                lives.extend(all.map(|agent| compared(agent, first, env, agents.len() - 1)));
            }
        });
        run.finish(outcome)?;
        let lives = serde_json::to_string(&lives).map_err(|error| Error::Failed(error.to_string()))?;
        Ok((lives, dir))
    })
}
