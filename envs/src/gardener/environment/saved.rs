//! A garden with its episode as bytes and back.

use serde::{Deserialize, Serialize};

use super::GardenerEnv;
use crate::gardener::world::{Generation, SavedWorld};
use crate::saved::{Kind, SaveError, ensure, open, seal};
use crate::stream::{Domain, Key};

#[derive(Serialize, Deserialize)]
struct Saved {
    grid_size: usize,
    max_population: usize,
    seed: u64,
    episode: u64,
    saturated: u32,
    last: Generation,
    world: SavedWorld,
}

impl GardenerEnv {
    pub(super) fn sealed(&self) -> Result<Vec<u8>, SaveError> {
        let config = self.world.config();
        let saved = Saved {
            grid_size: config.grid_size,
            max_population: config.max_population,
            seed: self.seed,
            episode: self.episode,
            saturated: self.saturated,
            last: self.last,
            world: self.world.save(),
        };
        seal(Kind::Garden, &saved)
    }

    pub(super) fn unseal(&mut self, bytes: &[u8]) -> Result<(), SaveError> {
        let saved: Saved = open(Kind::Garden, bytes)?;
        self.check_saved(&saved)?;
        self.world.restore(&saved.world);
        (self.seed, self.episode) = (saved.seed, saved.episode);
        self.key = Key::new(saved.seed, Domain::Episode, saved.episode);
        self.take_dose();
        self.saturated = saved.saturated;
        self.last = saved.last;
        Ok(())
    }

    fn check_saved(&self, saved: &Saved) -> Result<(), SaveError> {
        let (config, last) = (self.world.config(), &saved.last);
        ensure(saved.grid_size == config.grid_size, || {
            let (theirs, ours) = (saved.grid_size, config.grid_size);
            format!("its grid is {theirs}x{theirs}, this one's {ours}x{ours}")
        })?;
        ensure(saved.max_population == config.max_population, || {
            format!("it has {} slots, this one {}", saved.max_population, config.max_population)
        })?;
        ensure(saved.episode < u64::MAX, || "it has no next episode".to_owned())?;
        self.world.check_saved(&saved.world)?;
        ensure(saved.saturated <= saved.world.generation(), || {
            format!("it cannot have been saturated for {} generations", saved.saturated)
        })?;
        let numbers = [
            last.avg_energy,
            last.total_entropy,
            last.entropy_gradient,
            last.emergency_ratio,
            last.collapse_risk,
            last.flow,
            last.removed,
        ];
        ensure(numbers.iter().all(|number| number.is_finite()), || {
            "a number of its last generation is not finite".to_owned()
        })
    }
}
