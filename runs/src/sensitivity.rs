//! How sensitive a trained policy is to what it sees, and how often it changes its action.

use rayon::prelude::*;
use resonetics_agents::prophet::jacobian::{PolicyJacobian, frobenius, largest_singular};
use resonetics_envs::k8s::{K8sConfig, K8sEnv};

use crate::error::Error;
use crate::interrupt;
use crate::plan::Eval;
use crate::rollout::Rollout;
use crate::setup::WorldSettings;

/// Episodes that are looked at, the first of an evaluation, and how far apart in them the states lie at which the
/// Jacobian is taken: some thousand states, at a small part of what an evaluation costs.
const EPISODES: usize = 64;
const EVERY: u32 = 16;
/// Episodes side by side.
const LANES: usize = 8;

/// What is found in a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sensitivity {
    /// Share of the steps, but for the first of each episode, whose action is another than that of the step before.
    pub switches: Option<f64>,
    /// Means over the states of the Jacobian's Frobenius norm and of its largest singular value; none for networks that
    /// have a memory.
    pub jacobian: Option<(f64, f64)>,
}

/// Plays the first episodes of `plan`, those of `seeds`, with its policy and its noise. The Jacobian is that of the
/// probabilities of all actions by what is observed, taken where there is no noise. None in a garden, whose rows share
/// one policy and come and go.
///
/// # Errors
/// Those of the agent, and an interrupt.
pub(crate) fn measure(plan: &Eval, seeds: &[u64]) -> Result<Sensitivity, Error> {
    let WorldSettings::K8s(settings) = &plan.env.settings else { return Ok(Sensitivity::default()) };
    let jacobian = plan.checkpoints.jacobian(&plan.agent())?;
    let parts = seeds[..seeds.len().min(EPISODES)]
        .par_chunks(LANES)
        .map(|seeds| play(plan, &settings.env, jacobian.as_ref(), seeds));
    let parts = parts.collect::<Result<Vec<Sums>, Error>>()?;
    let sum = |of: fn(&Sums) -> f64| parts.iter().map(of).sum::<f64>();
    let mean = |sum: f64, count: f64| (count > 0.0).then(|| sum / count);
    let states = sum(|sums| sums.states);
    Ok(Sensitivity {
        switches: mean(sum(|sums| sums.switches), sum(|sums| sums.pairs)),
        jacobian: mean(sum(|sums| sums.norm), states).zip(mean(sum(|sums| sums.singular), states)),
    })
}

/// Sums over some episodes.
#[derive(Default)]
struct Sums {
    switches: f64,
    /// Steps that have one before them.
    pairs: f64,
    norm: f64,
    singular: f64,
    states: f64,
}

/// Plays an episode for each seed to its end.
fn play(
    plan: &Eval,
    config: &K8sConfig,
    jacobian: Option<&PolicyJacobian>,
    seeds: &[u64],
) -> Result<Sums, Error> {
    let mut rollout =
        Rollout::new(vec![K8sEnv::new(config.clone()); seeds.len()], plan.policy(seeds.len())?)?;
    rollout.reset(seeds);
    let actions = rollout.envs.action_space().n;
    let mut sums = Sums::default();
    let mut over = vec![false; seeds.len()];
    let mut before = Vec::new();
    for step in 0.. {
        if over.iter().all(|&over| over) {
            break;
        }
        interrupt::check()?;
        rollout.act();
        for lane in (0..seeds.len()).filter(|&lane| !over[lane]) {
            if let Some(before) = before.get(lane) {
                sums.pairs += 1.0;
                sums.switches += if rollout.actions[lane] == *before { 0.0 } else { 1.0 };
            }
            if let Some(jacobian) = jacobian.filter(|_| step % EVERY == 0) {
                let matrix = jacobian.at(&rollout.batch.observations.row(lane).to_vec());
                sums.norm += frobenius(&matrix);
                sums.singular += largest_singular(&matrix, actions);
                sums.states += 1.0;
            }
        }
        before.clone_from(&rollout.actions);
        rollout.advance()?;
        for (lane, over) in over.iter_mut().enumerate() {
            *over |= rollout.batch.terminated[lane] || rollout.batch.truncated[lane];
        }
    }
    Ok(sums)
}
