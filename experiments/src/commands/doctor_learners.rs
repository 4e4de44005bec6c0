//! `doctor --learners`: the torch learner beside the native one, on the same parameters and samples.

use resonetics_agents::prophet::init::initial;
use resonetics_agents::prophet::learner::{Learner, LossWeights, Minibatch, Recurrent, Samples};
use resonetics_agents::prophet::network::{Network, Spaces};
use resonetics_envs::stream::{Domain, Key};
use resonetics_runs::Error;
use resonetics_runs::training::{LearnerKind, make};
use serde_json::{Value, json};

use super::doctor::DoctorArgs;
use super::reported::{Report, described, reported};
use crate::trace::compared::{Compared, Deviations};

/// What may lie between the two, of 1 + the size of the number.
const TOLERANCE: f64 = 1e-5;
/// Those of the cluster.
const SPACES: Spaces = Spaces { observation: 30, actions: 6, view: 0 };
/// Samples, and those of a minibatch: no multiple of what either computes at once.
const SAMPLES: usize = 300;
const MINIBATCH: usize = 257;
/// The width of the two hidden layers.
const HIDDEN: usize = 64;
/// Every term counts.
const WEIGHTS: LossWeights = LossWeights {
    clip: 0.2,
    value_clip: 0.3,
    value: 0.7,
    entropy: 0.02,
    flow: 0.05,
    structure: 0.1,
    tension: 0.2,
    eps: 0.1,
    period: 3.0,
    l2: 0.01,
    caps_spatial: 0.3,
    caps_sigma: 0.2,
    caps_temporal: 0.4,
};

pub fn run(args: &DoctorArgs) -> Result<(), Error> {
    let config = described("doctor", [("learners", true.into()), ("device", args.device.as_str().into())]);
    reported(&config, args.out.out.as_deref(), || {
        let compared = compare(&args.device)?;
        let mut fields = compared.json();
        fields.insert("device".to_owned(), json!(args.device));
        let outcome = match compared.deviations.worst() {
            Some(field) if !compared.deviations.within_tolerance() => Err(Error::Failed(format!(
                "the torch learner on `{}` deviates from the native one by more than the tolerance, {field} the most",
                args.device
            ))),
            _ => Ok(()),
        };
        Ok(Report { text: format!("{}\n", Value::Object(fields)), file: "learners.json", outcome })
    })
}

/// Losses and gradients of one minibatch, and the outputs for all samples.
fn compare(device: &str) -> Result<Compared, Error> {
    let network = Network { hidden: vec![HIDDEN; 2], conv_channels: 0, memory: 0 };
    // A policy that is not uniform, so that logits matter.
    let mut parameters = initial(&network, SPACES, 5);
    for tensor in parameters.iter_mut().filter(|tensor| tensor.name.starts_with("actor.")) {
        tensor.data.iter_mut().for_each(|x| *x *= 3.0);
    }
    let mut native = make(LearnerKind::Native, &network, SPACES, "cpu")?;
    let mut torch = make(LearnerKind::Torch, &network, SPACES, device)?;
    native.load(&parameters, 0).map_err(Error::Failed)?;
    torch.load(&parameters, 0).map_err(Error::Failed)?;
    let drawn = Drawn::new();
    let expected = drawn.answers(native.as_mut())?;
    let found = drawn.answers(torch.as_mut())?;
    let mut deviations = Deviations::default();
    for ((name, found), (_, expected)) in found.iter().zip(&expected) {
        if found.len() != expected.len() {
            return Err(Error::Failed(format!("{name}: {} numbers, not {}", found.len(), expected.len())));
        }
        for (found, expected) in found.iter().zip(expected) {
            let size = 1.0 + expected.abs();
            deviations.number(name, TOLERANCE, found / size, expected / size);
        }
    }
    Ok(Compared { steps: 1, deviations })
}

/// Samples that are drawn: normal but for the actions and their masks.
struct Drawn {
    observations: Vec<f32>,
    mask: Vec<bool>,
    actions: Vec<u32>,
    log_probs: Vec<f32>,
    values: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
    successors: Vec<u32>,
    noise: Vec<f32>,
    rows: Vec<u32>,
}

impl Drawn {
    fn new() -> Drawn {
        let key = Key::new(1, Domain::Space, 7);
        let normal = |tag: u64, i: usize| key.derive(1, tag).normals(0, i as u32).0[0];
        let normals = |tag: u64, count: usize| (0..count).map(|i| normal(tag, i)).collect::<Vec<f32>>();
        let actions: Vec<u32> = (0..SAMPLES).map(|i| key.below(SPACES.actions as u32, 1, i as u32)).collect();
        let allowed =
            |i: usize| i % SPACES.actions == actions[i / SPACES.actions] as usize || normal(8, i) > -0.5;
        Drawn {
            observations: normals(2, SAMPLES * SPACES.observation),
            mask: (0..SAMPLES * SPACES.actions).map(allowed).collect(),
            log_probs: normals(3, SAMPLES).iter().map(|x| -1.5 + 0.3 * x).collect(),
            values: normals(4, SAMPLES),
            advantages: normals(5, SAMPLES),
            returns: normals(6, SAMPLES),
            successors: (0..SAMPLES as u32).map(|i| (i + 1) % SAMPLES as u32).collect(),
            noise: normals(7, MINIBATCH * SPACES.observation),
            rows: (0..MINIBATCH).map(|i| (i * 7 % SAMPLES) as u32).collect(),
            actions,
        }
    }

    /// What a learner makes of them, by name.
    fn answers(&self, learner: &mut dyn Learner) -> Result<Vec<(&'static str, Vec<f64>)>, Error> {
        let samples = Samples {
            observations: &self.observations,
            action_mask: &self.mask,
            actions: &self.actions,
            log_probs: &self.log_probs,
            values: &self.values,
            advantages: &self.advantages,
            returns: &self.returns,
            successors: &self.successors,
            recurrent: Recurrent::default(),
        };
        let minibatch = Minibatch {
            rows: &self.rows,
            sequences: &[],
            noise: &self.noise,
            advantage_mean: 0.1,
            advantage_scale: 0.8,
            loss: WEIGHTS,
        };
        let (mut logits, mut values) = (vec![0.0; SAMPLES * SPACES.actions], vec![0.0; SAMPLES]);
        learner.act(&self.observations, &mut [], &mut logits, &mut values)?;
        learner.begin(&samples)?;
        let terms = learner.loss(&samples, &minibatch)?;
        let gradient = learner.gradient()?;
        let wide = |numbers: Vec<f32>| numbers.into_iter().map(f64::from).collect::<Vec<f64>>();
        Ok(vec![
            ("logits", wide(logits)),
            ("values", wide(values)),
            ("loss", vec![terms.loss]),
            ("policy", vec![terms.policy]),
            ("value", vec![terms.value]),
            ("entropy", vec![terms.entropy]),
            ("flow", vec![terms.flow]),
            ("structure", vec![terms.structure]),
            ("tension", vec![terms.tension]),
            ("l2", vec![terms.l2]),
            ("caps_spatial", vec![terms.caps_spatial]),
            ("caps_temporal", vec![terms.caps_temporal]),
            ("approx_kl", vec![terms.approx_kl]),
            ("clip_fraction", vec![terms.clip_fraction]),
            ("gradient_norm", vec![terms.gradient_norm]),
            ("gradient", wide(gradient.into_iter().flat_map(|tensor| tensor.data).collect())),
        ])
    }
}
