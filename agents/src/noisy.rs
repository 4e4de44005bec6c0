//! Another policy with noise on its observations: how precise do they have to be?

use ndarray::Array2;
use resonetics_envs::gardener::LifeEvent;
use resonetics_envs::stream::{Domain, Key};

use crate::policy::{Observations, Policy};

/// A policy whose observations carry normal noise, drawn anew in each step.
pub struct Noisy {
    policy: Box<dyn Policy>,
    sigma: f32,
    /// An environment's stream, and the steps of its episode.
    episodes: Vec<(Key, u32)>,
    observations: Array2<f32>,
    noise: Vec<f32>,
}

impl Noisy {
    /// `policy` in `envs` environments, with noise of standard deviation `sigma` on every number it sees.
    pub fn new(policy: Box<dyn Policy>, envs: usize, sigma: f32) -> Noisy {
        let key = Key::new(0, Domain::Policy, 0);
        Noisy {
            policy,
            sigma,
            episodes: vec![(key, 0); envs],
            observations: Array2::zeros((0, 0)),
            noise: Vec::new(),
        }
    }
}

impl Policy for Noisy {
    fn begin_episode(&mut self, env: usize, key: Key) {
        self.episodes[env] = (key.derive(Domain::Policy as u32, 1), 0);
        self.policy.begin_episode(env, key);
    }

    fn life(&mut self, env: usize, event: LifeEvent) {
        self.policy.life(env, event);
    }

    fn needs_state(&self) -> bool {
        self.policy.needs_state()
    }

    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        self.observations = seen.observations.as_standard_layout().into_owned();
        let each = self.observations.len() / self.episodes.len().max(1);
        let numbers = self.observations.as_slice_mut().unwrap_or_default();
        for (numbers, (key, step)) in numbers.chunks_mut(each.max(1)).zip(&mut self.episodes) {
            self.noise.resize(numbers.len(), 0.0);
            key.fill_normals(*step, 0, &mut self.noise);
            for (number, noise) in numbers.iter_mut().zip(&self.noise) {
                *number += self.sigma * noise;
            }
            *step += 1;
        }
        self.policy.act(&Observations { observations: self.observations.view(), ..*seen }, actions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayView2;

    /// Remembers what it saw.
    struct Eye(std::sync::mpsc::Sender<Vec<f32>>);

    impl Policy for Eye {
        fn act(&mut self, seen: &Observations<'_>, _actions: &mut [usize]) {
            let _ = self.0.send(seen.observations.iter().copied().collect());
        }
    }

    #[test]
    fn noise_has_its_size_and_depends_on_the_episode_alone() {
        let (sender, seen) = std::sync::mpsc::channel();
        let mut noisy = Noisy::new(Box::new(Eye(sender)), 2, 0.5);
        let key = |seed: u64| Key::new(seed, Domain::Policy, 0);
        let nothing = Array2::from_elem((2, 5000), 1.0);
        let flags = ArrayView2::from_shape((0, 0), &[]).unwrap();
        let observations = Observations {
            observations: nothing.view(),
            action_mask: flags,
            state: ArrayView2::from_shape((0, 0), &[]).unwrap(),
        };
        for seeds in [[1, 2], [2, 1]] {
            (0..2).for_each(|env| noisy.begin_episode(env, key(seeds[env])));
            noisy.act(&observations, &mut [0; 2]);
            noisy.act(&observations, &mut [0; 2]);
        }
        let all: Vec<Vec<f32>> = seen.try_iter().collect();
        assert_eq!(all[0][..5000], all[2][5000..]);
        assert_eq!(all[1][5000..], all[3][..5000]);
        assert_ne!(all[0], all[1]);
        let of = || all[0].iter().map(|&x| f64::from(x) - 1.0);
        let (mean, square) = (of().sum::<f64>() / 1e4, of().map(|x| x * x).sum::<f64>() / 1e4);
        // Four standard errors: 0.5 / 100, and 0.25 * sqrt(2) / 100.
        assert!(mean.abs() < 0.02 && (square - 0.25).abs() < 0.015, "{mean}, {square}");
    }

    /// However they lie in memory.
    #[test]
    fn strided_observations_get_their_noise() {
        let (sender, seen) = std::sync::mpsc::channel();
        let mut noisy = Noisy::new(Box::new(Eye(sender)), 2, 0.5);
        let (rows, columns) = (Array2::from_elem((2, 9), 1.0), Array2::from_elem((9, 2), 1.0));
        for observations in [rows.view(), columns.t()] {
            (0..2).for_each(|env| noisy.begin_episode(env, Key::new(env as u64, Domain::Policy, 0)));
            noisy.act(
                &Observations {
                    observations,
                    action_mask: ArrayView2::from_shape((0, 0), &[]).unwrap(),
                    state: ArrayView2::from_shape((0, 0), &[]).unwrap(),
                },
                &mut [0; 2],
            );
        }
        let all: Vec<Vec<f32>> = seen.try_iter().collect();
        assert_eq!(all[0], all[1]);
        assert!(all[0].iter().all(|&x| x != 1.0));
    }
}
