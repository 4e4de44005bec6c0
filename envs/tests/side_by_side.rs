//! Clusters that a vector steps side by side go as each would alone, bit for bit.
#![allow(clippy::unwrap_used)] // helpers of tests

use resonetics_envs::env::Env;
use resonetics_envs::k8s::{K8sConfig, K8sEnv, K8sInfo, OBSERVATION, Schedule};
use resonetics_envs::stream::{Domain, Key, lane_seed};
use resonetics_envs::vector::{Autoreset, Batch, VecEnv};

/// Two sixteens and some that are left.
const LANES: usize = 37;
const SEED: u64 = 3;
const STEPS: u32 = 150;

fn action(lane: usize, step: u32) -> usize {
    // Mostly walking and cleaning is dull: half of all actions scale.
    let draw = Key::new(8, Domain::Policy, lane as u64).below(12, step, 0);
    draw.min(5) as usize
}

/// Episodes that end in each way, on grids that fill a block and that do not.
fn configs() -> [K8sConfig; 4] {
    let short = K8sConfig { max_steps: 40, mem_drift_mu: 0.01, ..K8sConfig::default() };
    let mut ramp = K8sConfig { clean_cost: 9.0, scale_cost: 20.0, ..short.clone() };
    ramp.drift.schedule = Schedule::Shocks;
    let small = K8sConfig { height: 3, width: 5, terminate_on_any_oom: true, ..short.clone() };
    let hot = K8sConfig {
        hotspot_threshold: 0.3,
        oom_terminate_threshold: 3,
        terminate_on_any_oom: false,
        critical_oom_terminate: false,
        mem_drift_mu: 0.03,
        ..short.clone()
    };
    [short, ramp, small, hot]
}

/// A cluster alone, reset in the step that ends its episode.
struct Alone {
    env: K8sEnv,
    observation: [f32; OBSERVATION],
    episode_return: f64,
    length: u32,
}

impl Alone {
    /// Steps and compares with what `batch` shows of `lane`; yields whether the episode ended.
    fn step_as(&mut self, batch: &Batch, lane: usize, action: usize) -> bool {
        let step = self.env.step(action, &mut self.observation).unwrap();
        assert_eq!(batch.rewards[lane].to_bits(), step.reward.to_bits());
        assert_eq!((batch.terminated[lane], batch.truncated[lane]), (step.terminated, step.truncated));
        self.episode_return += f64::from(step.reward);
        self.length += 1;
        let ended = step.terminated || step.truncated;
        if ended {
            assert_eq!(batch.final_observations.row(lane).as_slice().unwrap(), self.observation);
            assert_eq!(
                (batch.episode_return[lane], batch.episode_length[lane]),
                (self.episode_return, self.length)
            );
            self.env.reset(None, &mut self.observation);
            (self.episode_return, self.length) = (0.0, 0);
        }
        assert_eq!(batch.observations.row(lane).as_slice().unwrap(), self.observation);
        ended
    }
}

#[test]
fn a_vector_shows_of_each_lane_what_it_shows_alone() {
    for config in configs() {
        let env = K8sEnv::new(config);
        let mut vector = VecEnv::new(vec![env.clone(); LANES], Autoreset::SameStep).unwrap();
        let mut batch = vector.batch();
        vector.reset(SEED, &mut batch);
        let alone = |lane| {
            let mut alone =
                Alone { env: env.clone(), observation: [0.0; OBSERVATION], episode_return: 0.0, length: 0 };
            alone.env.reset(Some(lane_seed(SEED, lane)), &mut alone.observation);
            alone
        };
        let mut singles: Vec<Alone> = (0..LANES as u64).map(alone).collect();
        let (mut ends, mut infos) = ([0; LANES], [K8sInfo::default(); LANES]);
        for step in 0..STEPS {
            let actions: Vec<usize> = (0..LANES).map(|lane| action(lane, step)).collect();
            vector.step_on(1 + step as usize % 2, &actions, &mut batch).unwrap();
            vector.write_infos(&mut infos);
            for (lane, single) in singles.iter_mut().enumerate() {
                ends[lane] += u32::from(single.step_as(&batch, lane, actions[lane]));
                assert_eq!(infos[lane], single.env.info(), "lane {lane}");
            }
        }
        assert!(ends.iter().all(|&ends| ends > 1), "each lane begins anew more than once: {ends:?}");
        let mut states = ndarray::Array2::zeros((LANES, vector.state_len()));
        vector.write_states(&mut states);
        for (lane, single) in singles.iter().enumerate() {
            assert_eq!(vector.env(lane).save().unwrap(), single.env.save().unwrap(), "lane {lane}");
            let mut state = vec![0.0; vector.state_len()];
            single.env.write_state(&mut state);
            assert_eq!(states.row(lane).to_vec(), state, "lane {lane}");
        }
    }
}

#[test]
fn a_saved_vector_goes_on_as_if_it_had_not_stopped() {
    for autoreset in [Autoreset::SameStep, Autoreset::NextStep] {
        let [.., config] = configs();
        let mut vector = VecEnv::new(vec![K8sEnv::new(config.clone()); LANES], autoreset).unwrap();
        let mut batch = vector.batch();
        vector.reset(SEED, &mut batch);
        let step = |vector: &mut VecEnv<K8sEnv>, batch: &mut Batch, step: u32| {
            let actions: Vec<usize> = (0..LANES).map(|lane| action(lane, step)).collect();
            vector.step(&actions, batch).unwrap();
        };
        // Saved where some cluster goes on with a critical node out of memory.
        let critical = |vector: &VecEnv<K8sEnv>, lane| vector.env(lane).info().critical_oom > 0;
        let mut number = 0;
        while !(0..LANES).any(|lane| !batch.terminated[lane] && critical(&vector, lane)) {
            step(&mut vector, &mut batch, number);
            number += 1;
            assert!(number < STEPS);
        }
        let saved = vector.save().unwrap();
        let mut other = VecEnv::new(vec![K8sEnv::new(config); LANES], autoreset).unwrap();
        let mut others = other.batch();
        other.restore(&saved, &mut others).unwrap();
        assert_eq!(saved, other.save().unwrap());
        for number in number..STEPS {
            step(&mut vector, &mut batch, number);
            step(&mut other, &mut others, number);
            assert_eq!(batch.observations, others.observations);
            assert_eq!((&batch.rewards, &batch.terminated), (&others.rewards, &others.terminated));
        }
        assert_eq!(vector.save().unwrap(), other.save().unwrap());
    }
}
