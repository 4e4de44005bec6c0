//! Trainings that diverge: back to the last checkpoint with half the rate, whatever else happens.
//!
//! No settings were found that make the native learner diverge, so a learner does that says so.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;

use resonetics_agents::prophet::config::Schedule;
use resonetics_agents::prophet::learner::{LearnerError, Minibatch, Samples, Terms};
use resonetics_agents::prophet::native::NativeLearner;
use resonetics_agents::prophet::network::Tensor;
use resonetics_agents::prophet::state::Arrays;
use resonetics_envs::doses::{Doses, Draw};
use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::K8sEnv;

use super::*;
use crate::setup::{Setup, WorldSettings};
use crate::training::learner::LearnerKind;
use crate::training::plan::bytes;

/// The native learner, whose loss is no number behind step `at` of Adam if the rate was above `above`, or
/// whose device is gone then.
struct Fragile {
    learner: NativeLearner,
    rate: f32,
    at: u64,
    above: f32,
    gone: bool,
}

impl Fragile {
    /// Whether what happens at a certain step of Adam happens now.
    fn now(&self) -> bool {
        self.learner.steps() == self.at && self.rate > self.above
    }
}

impl Learner for Fragile {
    fn act(
        &mut self,
        observations: &[f32],
        memory: &mut [f32],
        logits: &mut [f32],
        values: &mut [f32],
    ) -> Result<(), LearnerError> {
        Learner::act(&mut self.learner, observations, memory, logits, values)
    }

    fn loss(&mut self, samples: &Samples<'_>, minibatch: &Minibatch<'_>) -> Result<Terms, LearnerError> {
        let terms = Learner::loss(&mut self.learner, samples, minibatch)?;
        if self.now() && self.gone {
            return Err(LearnerError::new("compute the loss", "cuda:0", "CUDA out of memory"));
        }
        Ok(if self.now() { Terms { loss: f64::NAN, ..terms } } else { terms })
    }

    fn step(&mut self, learning_rate: f32, max_norm: f32) -> Result<(), LearnerError> {
        self.rate = learning_rate;
        Learner::step(&mut self.learner, learning_rate, max_norm)
    }

    fn gradient(&self) -> Result<Vec<Tensor>, LearnerError> {
        Learner::gradient(&self.learner)
    }

    fn save(&self) -> Result<Vec<Tensor>, LearnerError> {
        Learner::save(&self.learner)
    }

    fn steps(&self) -> u64 {
        self.learner.steps()
    }

    fn load(&mut self, tensors: &[Tensor], steps: u64) -> Result<(), String> {
        self.learner.load(tensors, steps)
    }
}

const UPDATES: u64 = 11;
/// Steps of Adam in an update: two minibatches, twice.
const IN_AN_UPDATE: u64 = 4;

/// A training with a checkpoint every third update, at a rate of 0.004 until it goes back.
fn plan() -> Train {
    let train = TrainConfig {
        num_envs: 4,
        horizon: 16,
        minibatch: 32,
        epochs: 2,
        checkpoint_every: 3,
        eval_episodes: 2,
        learning_rate: 0.004,
        schedule: Schedule::Fixed,
        ..TrainConfig::default()
    };
    let env = Setup::preset("k8s", "reference").unwrap();
    Train::new(1, 64 * UPDATES, LearnerKind::Native, train, env)
}

/// Trains in `dir`, in the middle of update `at` with no number where the rate is above `above`; `watch`
/// sees each update.
fn trained(dir: &Path, at: u64, above: f32, watch: &mut dyn FnMut(&Update)) -> Result<(), Error> {
    trained_by(dir, (at, above, false), watch)
}

/// The same, or with a device that is `gone` then.
fn trained_by(
    dir: &Path,
    (at, above, gone): (u64, f32, bool),
    watch: &mut dyn FnMut(&Update),
) -> Result<(), Error> {
    let plan = plan();
    let WorldSettings::K8s(settings) = &plan.env.settings else { unreachable!() };
    let prototype = K8sEnv::new(settings.env.clone());
    let learner = || {
        let learner = NativeLearner::new(&plan.train.network, plan.spaces());
        let at = (at - 1) * IN_AN_UPDATE + 2;
        Ok(Box::new(Fragile { learner, rate: 0.0, at, above, gone }) as Box<dyn Learner>)
    };
    fs::write(dir.join("config.toml"), "what is in it does not matter here\n").unwrap();
    let watch = RefCell::new(watch);
    let watch = |seen: &Seen<'_>| {
        if let Seen::Update(watched) = seen {
            (watch.borrow_mut())(watched.update);
        }
        Ok(())
    };
    let runtime = Runtime { watch: &watch, ..Runtime::default() };
    let worlds = |_: &Setup| Ok([prototype.clone(), prototype.clone()]);
    Session::open(&plan, dir, &worlds, &learner, &runtime)?.run(&runtime)
}

/// Columns of training.csv.
fn columns<const N: usize>(dir: &Path, names: [&str; N]) -> Vec<[String; N]> {
    let text = fs::read_to_string(dir.join(CSV)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let at = names.map(|name| header.iter().position(|column| column == name).unwrap());
    lines.map(|row| at.map(|column| row[column].clone())).collect()
}

/// Name -> bytes of what must not depend on kills.
fn files_of(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let below = ["", "checkpoints"].map(|below| dir.join(below));
    let all = below.iter().flat_map(|dir| fs::read_dir(dir).unwrap()).map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    all.filter(|path| path.is_file() && !path.ends_with("timing.jsonl"))
        .map(|path| (name(&path), fs::read(&path).unwrap()))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&path, &to);
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}

#[test]
fn a_diverged_training_goes_on_from_its_checkpoint_with_half_the_rate() {
    // (diverges in update, above a rate, update that it goes back to, times, rate then)
    for (at, above, back, times, rate) in
        [(8, 0.003, 6, "1", "0.002"), (9, 0.0015, 6, "2", "0.001"), (2, 0.003, 0, "1", "0.002")]
    {
        let dir = tempfile::tempdir().unwrap();
        trained(dir.path(), at, above, &mut |_| {}).unwrap();
        let untrained = ["0", "", "0"].map(str::to_owned);
        let expected: Vec<[String; 3]> = [untrained]
            .into_iter()
            .chain((1..=UPDATES).map(|update| {
                let now = if update <= back { ["0.004", "0"] } else { [rate, times] };
                [update.to_string(), now[0].to_owned(), now[1].to_owned()]
            }))
            .collect();
        assert_eq!(columns(dir.path(), ["update", "learning_rate", "rollbacks"]), expected, "{at} {above}");
    }
}

#[test]
fn a_training_that_keeps_diverging_gives_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    let failure = trained(dir.path(), 5, 0.0, &mut |update| seen.push(update.update)).unwrap_err();
    assert!(!failure.is_refusal());
    let text = failure.to_string();
    for part in ["loss NaN", "in update 5", "after 3 rollbacks", "train.learning_rate"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 4, 4, 4]);
    // What it leaves is what it had before it diverged.
    let rows = columns(dir.path(), ["update", "rollbacks"]);
    let expected = [["0", "0"], ["1", "0"], ["2", "0"], ["3", "0"], ["4", "3"]];
    assert_eq!(rows, expected.map(|row| row.map(str::to_owned)));
    assert!(dir.path().join("checkpoints/step-000000000192.json").exists());
}

#[test]
fn a_kill_around_a_rollback_changes_nothing() {
    let (whole, states) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut copies = Vec::new();
    trained(whole.path(), 8, 0.0015, &mut |update| {
        // What a kill at this moment would leave.
        let state = states.path().join(copies.len().to_string());
        fs::create_dir(&state).unwrap();
        copy(whole.path(), &state);
        copies.push((update.update, state));
    })
    .unwrap();
    let order: Vec<u64> = copies.iter().map(|(update, _)| *update).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 8, 9, 10, 11]);
    let expected = files_of(whole.path());
    assert!(expected.len() == 2 + 2 * 4, "{:?}", expected.keys());
    for (update, state) in copies {
        trained(&state, 8, 0.0015, &mut |_| {}).unwrap();
        let found = files_of(&state);
        assert!(found.keys().eq(expected.keys()), "killed in update {update}: {:?}", found.keys());
        for (name, bytes) in &found {
            assert!(*bytes == expected[name], "killed in update {update}: {name} differs");
        }
    }
}

/// A kill between the last checkpoint and the deletion of the oldest leaves one too many: a training that has nothing
/// left to write deletes it when it is resumed.
#[test]
fn a_checkpoint_too_many_goes_when_the_training_goes_on() {
    let (dir, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&dir, &whole] {
        trained(dir.path(), 1, 1.0, &mut |_| {}).unwrap();
    }
    let folder = dir.path().join("checkpoints");
    let left = files_of(dir.path());
    let last = left.keys().rfind(|name| name.starts_with("step-")).unwrap();
    for extension in ["json", "safetensors"] {
        let last = folder.join(last).with_extension(extension);
        fs::copy(last, folder.join(format!("step-000000000001.{extension}"))).unwrap();
    }
    trained(dir.path(), 1, 1.0, &mut |_| {}).unwrap();
    assert!(files_of(dir.path()) == files_of(whole.path()));
}

/// In update 8, two behind its last checkpoint: no other rate is tried, and what goes on from the checkpoint
/// leads to where an unbroken training leads.
#[test]
fn a_learner_that_fails_ends_the_training_and_leaves_its_checkpoint() {
    let (dir, unbroken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut seen = Vec::new();
    let failure = trained_by(dir.path(), (8, 0.0, true), &mut |update| seen.push(update.update)).unwrap_err();
    assert!(!failure.is_refusal());
    assert_eq!(
        failure.to_string(),
        "cannot compute the loss on the device cuda:0: CUDA out of memory: train with a smaller `num_envs`, \
         `minibatch` or `network.hidden`, or on the CPU (`--device cpu`)"
    );
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(dir.path().join("checkpoints/step-000000000384.json").exists());
    trained(dir.path(), 8, 1.0, &mut |_| {}).unwrap();
    trained(unbroken.path(), 8, 1.0, &mut |_| {}).unwrap();
    assert!(files_of(dir.path()) == files_of(unbroken.path()));
}

#[test]
fn memory_is_counted_by_what_a_training_holds() {
    let with = |set: fn(&mut TrainConfig)| {
        let mut plan = plan();
        set(&mut plan.train);
        bytes(&plan, &K8sEnv::new(resonetics_envs::k8s::K8sConfig::default()))
    };
    let small = with(|_| {});
    // 1024 times the samples, of 30 numbers twice, nine more numbers and three flags.
    assert_eq!(with(|train| train.horizon *= 1024) - small, 4 * 16 * 1023 * ((2 * 30 + 9) * 4 + 3));
    // Four arrays of a third layer in both networks.
    assert_eq!(with(|train| train.network.hidden = vec![64; 3]) - small, 4 * 4 * 2 * (64 * 64 + 64));
    let garden = |envs| {
        let plan = Train { train: TrainConfig { num_envs: envs, horizon: 1, ..plan().train }, ..plan() };
        bytes(&plan, &GardenerEnv::new(resonetics_envs::gardener::GardenerConfig::default()))
    };
    assert!(garden(101) - garden(1) > 100 * 60 * 60 * 4, "the cells of 100 gardens");
    assert!(plan().fits().is_ok());
}

/// Which drifts a training met is a part of how an agent came about.
#[test]
fn a_recipe_names_the_drifts() {
    let recipe = |doses: Doses| {
        let mut plan = plan();
        plan.train.doses = doses;
        plan.recipe()
    };
    let own = recipe(Doses::default());
    assert!(own.starts_with("ppo "), "{own}");
    let range = |draw, values: &[f64]| Doses { draw, values: values.to_vec(), margin: 0.125 };
    assert_eq!(recipe(range(Draw::Range, &[])), format!("{own} margin 0.125"));
    assert_eq!(recipe(range(Draw::Range, &[0.018, 0.027])), format!("{own} drifts 0.018 to 0.027"));
    assert_eq!(recipe(range(Draw::List, &[0.01, 0.02])), format!("{own} drifts 0.01 0.02"));
}

/// Gardeners saw 53 numbers before they saw whether they can breed.
#[test]
fn a_training_from_before_its_world_showed_more_is_refused_in_words() {
    let plan = Train { env: Setup::preset("gardener", "reference").unwrap(), ..plan() };
    let seen = |numbers: usize| Arrays {
        wide: vec![("normalizer.observation.mean".to_owned(), vec![0.0; numbers])],
        ..Arrays::default()
    };
    assert!(plan.refuse_other_world(Path::new("old"), &seen(54)).is_ok());
    assert!(plan.refuse_other_world(Path::new("old"), &Arrays::default()).is_ok());
    let refused = plan.refuse_other_world(Path::new("old"), &seen(53)).unwrap_err();
    assert!(refused.is_refusal());
    let said =
        "old was trained when an observation in gardener had 53 numbers; it has 54 now: train it again";
    assert_eq!(refused.to_string(), said);
}
