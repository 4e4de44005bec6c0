//! The checker passes what keeps the contract and catches each way of breaking it.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use resonetics_envs::checker::{Report, check};
use resonetics_envs::env::{Agents, Ending, InvalidAction, ParallelEnv};
use resonetics_envs::gardener::{GardenerConfig, GardenerEnv};
use resonetics_envs::k8s::{K8sConfig, K8sEnv};
use resonetics_envs::space::{BoxSpace, Discrete};
use resonetics_envs::stream::{Domain, Key};

#[test]
fn clusters_keep_the_contract() {
    for config in [K8sConfig::default(), K8sConfig::v46()] {
        for shield in [false, true] {
            let mut config = config.clone();
            config.control.enabled = shield;
            let calm = check(|| K8sEnv::new(config.clone()), 1, 9, 1000);
            assert_eq!((calm.problems, calm.truncated), (Vec::<String>::new(), true));
            config.mem_drift_mu = 0.05;
            let storm = check(|| K8sEnv::new(config.clone()), 1, 9, 1000);
            assert_eq!((storm.problems, storm.terminated), (Vec::<String>::new(), true));
        }
    }
}

#[test]
fn gardens_keep_the_contract() {
    let config = GardenerConfig { grid_size: 12, max_generations: 60, ..GardenerConfig::default() };
    let short = check(|| GardenerEnv::new(config.clone()), 1, 6, 100);
    assert_eq!((short.problems, short.truncated), (Vec::<String>::new(), true));
    let mut config = GardenerConfig { max_generations: 1000, dirt_growth: 0.5, ..config };
    config.lost.generations = 5;
    let lost = check(|| GardenerEnv::new(config.clone()), 1, 6, 1000);
    assert_eq!((lost.problems, lost.terminated), (Vec::<String>::new(), true));
}

/// A way to break the contract.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    UnseededAcrossInstances,
    StateSurvivesReset,
    SecondEpisodeDiffers,
    ObservationOutOfBounds,
    ObservationNotWritten,
    RewardNotANumber,
    AcceptsInvalidAction,
    InvalidActionLeavesTrace,
    InvalidActionWritesObservation,
    RefusesValidAction,
    DeadRowHasAction,
    IgnoresSeed,
    EndsAtRandom,
}

/// Two agents, the second of which is dead; observes one number drawn from seed, episode and step.
struct Tiny {
    flaw: Flaw,
    seed: u64,
    episode: u64,
    steps: u32,
    resets: u64,
    space: BoxSpace,
    /// Shared by all instances: what an unseeded generator looks like.
    clock: Arc<AtomicU64>,
}

impl Tiny {
    fn seen(&self) -> f32 {
        let seed = if self.flaw == Flaw::IgnoresSeed { 0 } else { self.seed };
        let mut index = self.episode;
        let tick = || self.clock.fetch_add(1, Ordering::Relaxed);
        match self.flaw {
            Flaw::UnseededAcrossInstances => index = tick(),
            Flaw::StateSurvivesReset => index = self.resets,
            Flaw::SecondEpisodeDiffers if self.episode > 0 => index = tick(),
            Flaw::ObservationOutOfBounds if self.steps == 3 => return 1.5,
            _ => {}
        }
        Key::new(seed, Domain::Episode, index).uniform(self.steps, 0)
    }

    fn write(&self, out: &mut Agents<'_>) {
        if self.flaw != Flaw::ObservationNotWritten {
            out.observations.copy_from_slice(&[self.seen(), 0.0]);
        }
        out.alive.copy_from_slice(&[true, false]);
        out.action_mask.fill(false);
        out.action_mask[..3].fill(true);
        out.action_mask[5] = self.flaw == Flaw::DeadRowHasAction && self.steps == 2;
    }
}

impl ParallelEnv for Tiny {
    type Info = ();
    const PARALLEL_FROM: usize = 1;

    fn agents(&self) -> usize {
        2
    }

    fn masked(&self) -> bool {
        true
    }

    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: 3 }
    }

    fn reset(&mut self, seed: Option<u64>, mut out: Agents<'_>) {
        self.episode = if seed.is_some() { 0 } else { self.episode + 1 };
        self.seed = seed.unwrap_or(self.seed);
        self.steps = 0;
        self.resets += 1;
        self.write(&mut out);
    }

    fn step(&mut self, actions: &[usize], mut out: Agents<'_>) -> Result<Ending, InvalidAction> {
        let refused = InvalidAction { action: actions[0], row: 0, n: 3 };
        if actions[0] >= 3 {
            match self.flaw {
                Flaw::AcceptsInvalidAction => return Ok(Ending::default()),
                Flaw::InvalidActionLeavesTrace => self.steps += 1,
                Flaw::InvalidActionWritesObservation => out.observations[0] = 0.5,
                _ => {}
            }
            return Err(refused);
        }
        if self.flaw == Flaw::RefusesValidAction && actions[0] == 2 {
            return Err(refused);
        }
        self.steps += 1;
        out.rewards.copy_from_slice(&[1.0, 0.0]);
        if self.flaw == Flaw::RewardNotANumber && self.steps == 4 {
            out.rewards[0] = f32::NAN;
        }
        self.write(&mut out);
        let early =
            self.flaw == Flaw::EndsAtRandom && self.clock.fetch_add(1, Ordering::Relaxed).is_multiple_of(3);
        Ok(Ending { terminated: early, truncated: self.steps >= 6 })
    }

    fn info(&self) {}

    fn state_len(&self) -> usize {
        0
    }

    fn write_state(&self, _state: &mut [f32]) {}
}

fn report(flaw: Flaw) -> Report {
    let clock = Arc::new(AtomicU64::new(0));
    let make = || Tiny {
        flaw,
        seed: 0,
        episode: 0,
        steps: 0,
        resets: 0,
        space: BoxSpace::unit(1),
        clock: Arc::clone(&clock),
    };
    check(make, 1, 6, 20)
}

#[test]
fn a_sound_environment_passes() {
    let report = report(Flaw::None);
    assert_eq!(report, Report { truncated: true, seed_used: true, steps: 36, ..Report::default() });
}

#[test]
fn each_flaw_is_caught_and_named() {
    let flaws = [
        (Flaw::UnseededAcrossInstances, "two resets with the same seed"),
        (Flaw::StateSurvivesReset, "two resets with the same seed"),
        (Flaw::SecondEpisodeDiffers, "reset(None)"),
        (Flaw::ObservationOutOfBounds, "observation[0] of agent 0 is 1.5, outside 0 to 1"),
        (Flaw::ObservationNotWritten, "is NaN"),
        (Flaw::RewardNotANumber, "a reward is NaN"),
        (Flaw::AcceptsInvalidAction, "was not refused"),
        (Flaw::InvalidActionLeavesTrace, "different values"),
        (Flaw::InvalidActionWritesObservation, "was not refused"),
        (Flaw::RefusesValidAction, "actions of the action space were refused"),
        (Flaw::DeadRowHasAction, "agent 1 is dead and has an allowed action"),
        (Flaw::EndsAtRandom, "ended differently"),
    ];
    for (flaw, problem) in flaws {
        let problems = report(flaw).problems;
        assert!(problems.iter().any(|found| found.contains(problem)), "{flaw:?}: {problems:?}");
    }
}

/// A world without chance is no breach: that the seed makes no difference is said beside.
#[test]
fn a_seed_without_use_is_reported() {
    let found = report(Flaw::IgnoresSeed);
    assert!(found.problems.is_empty() && !found.seed_used, "{found:?}");
}
