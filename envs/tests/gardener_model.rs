//! The garden against a plain second writing of RULES section 2, generation by generation.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use resonetics_envs::gardener::{Gardener, GardenerConfig, GenerationNoise, LifeEvent, World};
use resonetics_envs::stream::{Domain, Key};

/// A garden as the model sees it.
struct Model {
    config: GardenerConfig,
    grid: Vec<f64>,
    /// (id, cell, energy)
    gardeners: Vec<(u64, usize, f64)>,
    last_id: u64,
}

impl Model {
    fn neighbour(&self, cell: usize, action: usize) -> usize {
        let size = self.config.grid_size as i64;
        let (dy, dx) = [(-1, 0), (1, 0), (0, -1), (0, 1)][action];
        let row = (cell as i64 / size + dy).rem_euclid(size);
        let col = (cell as i64 % size + dx).rem_euclid(size);
        (row * size + col) as usize
    }

    /// Step 1.
    fn begin(&mut self, spawn: &mut impl FnMut() -> [usize; 2]) {
        self.gardeners.retain(|gardener| gardener.2 > 0.0);
        while self.gardeners.len() < self.config.min_population {
            let [row, col] = spawn();
            self.last_id += 1;
            let cell = row * self.config.grid_size + col;
            self.gardeners.push((self.last_id, cell, self.config.birth_energy));
        }
    }

    /// Step 3 for one gardener: (action, whether it is an emergency move).
    fn choice(
        &self,
        wanted: usize,
        u: f64,
        (_, cell, energy): (u64, usize, f64),
        alpha: f64,
        survival: bool,
    ) -> (usize, bool, bool) {
        let config = &self.config;
        let emergency = energy <= config.move_cost + 0.1;
        let mut action = wanted;
        if emergency {
            let around: Vec<f64> = (0..4).map(|a| self.grid[self.neighbour(cell, a)]).collect();
            let highest = around.iter().copied().fold(0.0, f64::max);
            action = if self.grid[cell] > 0.1 {
                4
            } else if energy >= config.emergency_move_cost + 0.1 && highest > 0.2 {
                around.iter().position(|&dirt| dirt == highest).unwrap()
            } else {
                5
            };
        }
        let counted = emergency && action < 4;
        let safe = if self.grid[cell] > 0.10 { 4 } else { 5 };
        let damped = u > alpha && action != 4;
        let done = if survival || damped { safe } else { action };
        (done, emergency && done < 4, counted)
    }

    /// Steps 3 to 7; yields (emergency moves, births).
    fn finish(
        &mut self,
        intended: &[usize],
        noise: &GenerationNoise,
        alpha: f64,
        survival: bool,
    ) -> (u32, usize) {
        let config = self.config.clone();
        let choices: Vec<(usize, bool, bool)> = self
            .gardeners
            .iter()
            .enumerate()
            .map(|(i, &gardener)| {
                self.choice(intended[i], f64::from(noise.damping[i]), gardener, alpha, survival)
            })
            .collect();
        let breeders: Vec<bool> = (0..choices.len())
            .map(|i| choices[i].0 == 5 && self.gardeners[i].2 > config.reproduce_threshold)
            .collect();
        // Step 4.
        let mut claims: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, &(action, ..)) in choices.iter().enumerate() {
            let cell = self.gardeners[i].1;
            let target = if action < 4 { self.neighbour(cell, action) } else { cell };
            claims.entry(target).or_default().push(i);
        }
        for (target, claimants) in claims {
            let most = claimants.iter().map(|&i| self.gardeners[i].2).fold(f64::MIN, f64::max);
            let winner = *claimants.iter().find(|&&i| self.gardeners[i].2 == most).unwrap();
            for i in claimants {
                let gardener = &mut self.gardeners[i];
                if i != winner {
                    gardener.2 -= 0.1;
                } else if gardener.1 != target {
                    gardener.1 = target;
                    gardener.2 -= if choices[i].1 { config.emergency_move_cost } else { config.move_cost };
                }
                gardener.2 -= 0.1;
            }
        }
        // Step 5.
        for (dirt, &u) in self.grid.iter_mut().zip(&noise.dirt) {
            *dirt = (*dirt + config.dirt_growth * f64::from(u)).clamp(0.0, 1.0);
        }
        // Step 6.
        let mut cleaners: HashMap<usize, Vec<usize>> = HashMap::new();
        for i in (0..choices.len()).filter(|&i| choices[i].0 == 4) {
            cleaners.entry(self.gardeners[i].1).or_default().push(i);
        }
        for (cell, sharers) in cleaners {
            let removed = self.grid[cell].min(0.5);
            self.grid[cell] -= removed;
            for &i in &sharers {
                self.gardeners[i].2 += removed * config.clean_reward / sharers.len() as f64;
            }
        }
        let births = self.breed(&breeders);
        (choices.iter().filter(|choice| choice.2).count() as u32, births)
    }

    /// Step 7.
    fn breed(&mut self, breeders: &[bool]) -> usize {
        let mut order: Vec<usize> = (0..breeders.len()).filter(|&i| breeders[i]).collect();
        order.sort_by(|&a, &b| self.gardeners[b].2.total_cmp(&self.gardeners[a].2));
        let before = self.gardeners.len();
        for i in order {
            let (_, cell, energy) = self.gardeners[i];
            if self.gardeners.len() < self.config.max_population && energy > self.config.reproduce_cost {
                self.gardeners[i].2 -= self.config.reproduce_cost;
                self.last_id += 1;
                self.gardeners.push((self.last_id, cell, self.config.birth_energy));
            }
        }
        self.gardeners.len() - before
    }

    fn compare(&self, world: &World) -> Result<(), TestCaseError> {
        let size = self.config.grid_size;
        prop_assert_eq!(self.gardeners.len(), world.gardeners().len());
        for (&(id, cell, energy), found) in self.gardeners.iter().zip(world.gardeners()) {
            prop_assert_eq!((id, [cell / size, cell % size]), (found.id, found.cell));
            prop_assert!((energy - found.energy).abs() < 1e-5, "{id}: {energy}, not {}", found.energy);
        }
        for (cell, (&expected, &found)) in self.grid.iter().zip(world.grid()).enumerate() {
            prop_assert!((expected - f64::from(found)).abs() < 1e-5, "cell {cell}: {found}, not {expected}");
        }
        Ok(())
    }

    /// Takes over the world's rounding (f32 dirt), so that no threshold is met from two sides.
    fn follow(&mut self, world: &World) {
        self.grid = world.grid().iter().map(|&dirt| f64::from(dirt)).collect();
        for (mine, theirs) in self.gardeners.iter_mut().zip(world.gardeners()) {
            mine.2 = theirs.energy;
        }
    }
}

fn key(seed: u64, purpose: u32) -> Key {
    Key::new(seed, Domain::Space, 0).derive(purpose, 0)
}

/// Slots are the rows of the arrays: each is held by one gardener, for life, and an id by one for ever.
#[derive(Default)]
struct Register {
    slots: HashMap<u64, usize>,
    dead: HashSet<u64>,
}

impl Register {
    fn check(&mut self, gardeners: &[Gardener], max: usize) -> Result<(), TestCaseError> {
        prop_assert!(gardeners.len() <= max);
        let living: HashSet<u64> = gardeners.iter().map(|gardener| gardener.id).collect();
        prop_assert_eq!(living.len(), gardeners.len());
        let slots: HashSet<usize> = gardeners.iter().map(|gardener| gardener.slot).collect();
        prop_assert_eq!(slots.len(), gardeners.len());
        for gardener in gardeners {
            prop_assert!(gardener.slot < max && !self.dead.contains(&gardener.id));
            let slot = *self.slots.entry(gardener.id).or_insert(gardener.slot);
            prop_assert_eq!(slot, gardener.slot);
        }
        self.dead.extend(self.slots.keys().filter(|id| !living.contains(id)));
        Ok(())
    }
}

/// Grids, populations and prices at which gardeners breed, starve and meet.
fn config() -> impl Strategy<Value = GardenerConfig> {
    let sizes = (5usize..10, 0usize..6, 0usize..5, 1usize..9);
    let prices = (1.0f64..8.0, 0.0f64..1.0, 0.0f64..0.5, 0.0f64..0.2, 0.5f64..8.0, 1.0f64..6.0);
    (sizes, prices, 0.0f64..0.9, 0.0f64..1.0).prop_map(|(sizes, prices, survival, min_alpha)| {
        let mut config = GardenerConfig {
            grid_size: sizes.0,
            max_population: sizes.1.max(sizes.2) + sizes.3,
            init_agents: sizes.1,
            min_population: sizes.2,
            view_size: 5,
            birth_energy: prices.0,
            move_cost: prices.1,
            emergency_move_cost: prices.2,
            dirt_growth: prices.3,
            reproduce_threshold: prices.4,
            reproduce_cost: prices.5,
            ..GardenerConfig::default()
        };
        config.control.damping.survival_on_risk = survival;
        config.control.damping.min_alpha = min_alpha;
        config
    })
}

fn noise(config: &GardenerConfig, seed: u64, generation: u32) -> GenerationNoise {
    let many = |purpose: u32, count: usize| {
        (0..count as u32).map(|i| key(seed, purpose).uniform(generation, i)).collect::<Vec<_>>()
    };
    let normal = |i: usize| key(seed, 4).normals(generation, i as u32).0[0];
    GenerationNoise {
        damping: many(2, config.max_population),
        dirt: many(3, config.cells()),
        flow: (0..config.cells()).map(normal).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_garden_follows_the_rules(config in config(), seed: u64) {
        let size = config.grid_size;
        let place = |step: u32, i: u32| {
            let at = key(seed, 1).words(step, i);
            [at.0 as usize % size, at.1 as usize % size]
        };
        let starts = (0..config.init_agents as u32).map(|i| place(0, i));
        let mut world = World::new(config.clone(), starts.clone());
        let gardeners = starts.enumerate().map(|(i, [row, col])| (i as u64, row * size + col, config.birth_energy));
        let mut model = Model {
            grid: vec![0.0; config.cells()],
            gardeners: gardeners.collect(),
            last_id: config.init_agents as u64,
            config: config.clone(),
        };
        let mut register = Register::default();
        let (mut saves, mut population, mut entropy) = (0, config.init_agents, 0.0);
        for generation in 1..60 {
            let (mut a, mut b) = (0, 0);
            world.begin_generation(|| { a += 1; place(generation, a) });
            model.begin(&mut || { b += 1; place(generation, b) });
            prop_assert_eq!(a, b);
            model.compare(&world)?;
            register.check(world.gardeners(), config.max_population)?;
            let noise = noise(&config, seed, generation);
            let intended: Vec<usize> = (0..config.max_population as u32)
                .map(|slot| key(seed, 5).below(6, generation, slot) as usize)
                .collect();
            let in_order: Vec<usize> = world.gardeners().iter().map(|g| intended[g.slot]).collect();
            let restraint = world.restraint();
            let row = world.finish_generation(&intended, &noise);
            let (emergency, births) = model.finish(&in_order, &noise, restraint.alpha, restraint.survival);
            model.compare(&world)?;
            register.check(world.gardeners(), config.max_population)?;
            let born = world.events().iter().filter(|event| matches!(event, LifeEvent::Born { .. })).count();
            prop_assert_eq!(born, births);
            // The row of the CSV.
            saves += u64::from(emergency);
            prop_assert_eq!((row.generation, row.emergency_moves, row.isolation_saves), (generation, emergency, saves));
            prop_assert_eq!(row.population, model.gardeners.len());
            prop_assert_eq!(row.population_volatility as usize, row.population.abs_diff(population));
            let total: f64 = model.grid.iter().sum();
            prop_assert!((row.total_entropy - total).abs() < 1e-3);
            prop_assert!((row.entropy_gradient - (row.total_entropy - entropy)).abs() < 1e-9);
            let energy = model.gardeners.iter().map(|gardener| gardener.2).sum::<f64>();
            let mean = if row.population == 0 { 0.0 } else { energy / row.population as f64 };
            prop_assert!((row.avg_energy - mean).abs() < 1e-5);
            prop_assert!((0.0..=1.0).contains(&row.collapse_risk) && (0.0..=1.0).contains(&row.flow));
            (population, entropy) = (row.population, row.total_entropy);
            model.follow(&world);
        }
    }

    #[test]
    fn a_view_is_the_neighbourhood_around_the_torus(size in 5usize..40, view in 2usize..16, seed: u64) {
        let view = 2 * view + 1;
        let config = GardenerConfig { grid_size: size, view_size: view, ..GardenerConfig::default() };
        let grid: Vec<f32> = (0..size * size).map(|cell| cell as f32).collect();
        let world = World::with_state(config, grid, 0.0, std::iter::empty());
        let (row, col) = key(seed, 6).words(0, 0);
        let (row, col) = (row as usize % size, col as usize % size);
        let mut seen = vec![-1.0; view * view];
        world.write_view([row, col], &mut seen);
        for (k, &dirt) in seen.iter().enumerate() {
            let half = (view / 2) as i64;
            let y = (row as i64 + (k / view) as i64 - half).rem_euclid(size as i64);
            let x = (col as i64 + (k % view) as i64 - half).rem_euclid(size as i64);
            prop_assert_eq!(dirt, (y * size as i64 + x) as f32);
        }
    }
}
