//! The garden as a multi-agent environment; the simulation that logs a CSV is this environment
//! with a policy for its gardeners.

mod saved;

use crate::cpu::{CpuPath, Work};
use crate::doses::Doses;
use crate::env::{Agents, Ending, InvalidAction, ParallelEnv};
use crate::gardener::config::{GardenerConfig, RewardConfig};
use crate::gardener::world::{Gardener, Generation, GenerationNoise, LifeEvent, World};
use crate::risk::RiskState;
use crate::saved::SaveError;
use crate::space::{BoxSpace, Discrete};
use crate::stream::{Domain, Key, purpose_index, scale};

/// Number of actions of a gardener.
pub const ACTIONS: usize = 6;

/// Where an observation holds what; the view is in front of these.
pub mod features {
    /// Energy / `reproduce_threshold`, cut to `[0, 10]`.
    pub const ENERGY: usize = 0;
    /// The garden's risk after the last generation, in `[0, 1]`.
    pub const RISK: usize = 1;
    /// The garden's flow after the last generation, in `[0, 1]`.
    pub const FLOW: usize = 2;
    /// Gardeners / `max_population`, in `[0, 1]`: at 1 nobody can breed.
    pub const POPULATION: usize = 3;
    /// 1 where there is room for a child and a gardener has more energy than `reproduce_threshold` and
    /// `reproduce_cost`, else 0: it breeds if it waits, unless richer ones take the room.
    pub const BREEDS: usize = 4;
    /// How many follow the view.
    pub const COUNT: usize = 5;
}

/// What a draw is for.
#[derive(Clone, Copy)]
enum Purpose {
    Dirt = 0,
    Flow = 1,
    Damping = 2,
    Spawn = 3,
    Start = 4,
    Dose = 5,
}

impl Purpose {
    #[inline(always)]
    fn index(self, first: usize) -> u32 {
        purpose_index(self as u32, first)
    }
}

/// The Gardener environment. Row i of its arrays belongs to slot i: a gardener keeps its slot for
/// life, and dead slots are masked. Gardeners in an emergency live, but are not asked.
///
/// Terminated: the garden is lost (mean dirt at or above `lost.dirt_share` for
/// `lost.generations` generations in a row). Truncated: `max_generations` are over. Stepping a
/// garden after its end goes on with its rules.
#[derive(Clone, Debug)]
pub struct GardenerEnv {
    world: World,
    noise: GenerationNoise,
    key: Key,
    seed: u64,
    episode: u64,
    /// See [`GardenerEnv::saturated`].
    saturated: u32,
    last: Generation,
    space: BoxSpace,
    doses: Doses,
    /// Of the settings; the world has that of the episode.
    dirt_growth: f64,
}

impl GardenerEnv {
    /// A garden of checked settings: those of [`crate::config::resolve`] are, and it checks those that
    /// were put together by hand (`resolve(&config, None, &[])`).
    pub fn new(config: GardenerConfig) -> GardenerEnv {
        GardenerEnv::with_doses(config, Doses::default())
    }

    /// The same, where each episode draws its `dirt_growth` from `doses`, of which it then is a pure function of
    /// the episode's stream.
    pub fn with_doses(config: GardenerConfig, doses: Doses) -> GardenerEnv {
        let view = config.view_size * config.view_size;
        let mut high = vec![1.0; view + features::COUNT];
        high[view + features::ENERGY] = 10.0;
        let low = vec![0.0; high.len()];
        let cells = config.cells();
        let noise = GenerationNoise {
            damping: vec![0.0; config.max_population],
            dirt: vec![0.0; cells],
            flow: vec![0.0; cells],
        };
        let dirt_growth = config.dirt_growth;
        let mut env = GardenerEnv {
            world: World::new(config, std::iter::empty()),
            noise,
            key: Key::default(),
            seed: 0,
            episode: 0,
            saturated: 0,
            last: Generation::default(),
            // The bounds are ordered as written above.
            space: BoxSpace::new(low, high).unwrap_or_else(|_| BoxSpace::unit(view + features::COUNT)),
            doses,
            dirt_growth,
        };
        env.start(0, 0);
        env
    }

    /// The garden itself.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Generations in a row, up to the last one, in which the mean dirt was at or above
    /// `lost.dirt_share`; the garden is lost when they reach `lost.generations`.
    pub fn saturated(&self) -> u32 {
        self.saturated
    }

    /// Bytes of one garden beyond `size_of`.
    pub fn heap_bytes(&self) -> usize {
        let noise = &self.noise;
        let floats = noise.damping.len() + noise.dirt.len() + noise.flow.len() + 2 * self.space.len();
        floats * size_of::<f32>() + self.world.heap_bytes()
    }

    /// The stream of the present episode.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Births and cleared memories that the minds have to know before they act.
    pub fn events(&self) -> &[LifeEvent] {
        self.world.events()
    }

    /// The noise of the coming generation.
    pub fn next_noise(&mut self) -> &GenerationNoise {
        self.draw();
        &self.noise
    }

    fn start(&mut self, seed: u64, episode: u64) {
        (self.seed, self.episode) = (seed, episode);
        self.key = Key::new(seed, Domain::Episode, episode);
        let config = self.world.config().clone();
        let (key, size) = (self.key, config.grid_size);
        let cells = (0..config.init_agents).map(|k| cell(key, size, 0, Purpose::Start, k));
        self.world = World::new(config, cells);
        self.take_dose();
        self.saturated = 0;
        self.last = Generation::default();
        self.begin();
    }

    /// Gardeners / `max_population`.
    fn population_share(&self) -> f32 {
        (self.world.gardeners().len() as f64 / self.world.config().max_population as f64) as f32
    }

    /// Gives the garden its episode's own growth of dirt, where one is drawn.
    fn take_dose(&mut self) {
        if !self.doses.is_empty() {
            let own = self.dirt_growth as f32;
            self.world.set_dirt_growth(self.doses.of(own, self.key, Purpose::Dose.index(0)).into());
        }
    }

    /// Whether there is room for a child.
    fn has_room(&self) -> bool {
        self.world.gardeners().len() < self.world.config().max_population
    }

    /// Whether `gardener` has the energy for a child.
    fn is_rich(&self, gardener: &Gardener) -> bool {
        let config = self.world.config();
        gardener.energy > config.reproduce_threshold.max(config.reproduce_cost)
    }

    fn begin(&mut self) {
        let (key, size) = (self.key, self.world.config().grid_size);
        let generation = self.world.generation();
        let mut number = 0;
        self.world.begin_generation(|| {
            number += 1;
            cell(key, size, generation, Purpose::Spawn, number - 1)
        });
    }

    fn draw(&mut self) {
        let population = self.world.gardeners().len();
        let generation = self.world.generation();
        CpuPath::dispatch(Draw { noise: &mut self.noise, key: self.key, generation, population });
    }

    fn write(&self, out: &mut Agents<'_>) {
        let width = self.space.len();
        let view = width - features::COUNT;
        out.alive.fill(false);
        out.action_mask.fill(false);
        let RiskState { risk, flow, .. } = self.world.risk();
        let rich = self.world.config().reproduce_threshold.max(1e-9);
        let (population, room) = (self.population_share(), self.has_room());
        for gardener in self.world.gardeners() {
            let slot = gardener.slot;
            let row = &mut out.observations[slot * width..(slot + 1) * width];
            self.world.write_view(gardener.cell, &mut row[..view]);
            row[view + features::ENERGY] = (gardener.energy / rich).clamp(0.0, 10.0) as f32;
            row[view + features::RISK] = risk as f32;
            row[view + features::FLOW] = flow as f32;
            row[view + features::POPULATION] = population;
            row[view + features::BREEDS] = f32::from(room && self.is_rich(gardener));
            out.alive[slot] = true;
            let asked = !self.world.in_emergency(gardener);
            out.action_mask[slot * ACTIONS..(slot + 1) * ACTIONS].fill(asked);
        }
        for (slot, _) in out.alive.iter().enumerate().filter(|(_, alive)| !**alive) {
            out.observations[slot * width..(slot + 1) * width].fill(0.0);
        }
    }
}

fn cell(key: Key, size: usize, generation: u32, purpose: Purpose, number: usize) -> [usize; 2] {
    let (row, col) = key.words(generation, purpose.index(number));
    [scale(row, size as u32) as usize, scale(col, size as u32) as usize]
}

/// Draws the noise of a generation.
struct Draw<'a> {
    noise: &'a mut GenerationNoise,
    key: Key,
    generation: u32,
    population: usize,
}

impl Work for Draw<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Draw { noise, key, generation, population } = self;
        key.fill_uniforms(generation, Purpose::Dirt.index(0), &mut noise.dirt);
        key.fill_normals(generation, Purpose::Flow.index(0), &mut noise.flow);
        key.fill_uniforms(generation, Purpose::Damping.index(0), &mut noise.damping[..population]);
    }
}

impl ParallelEnv for GardenerEnv {
    type Info = Generation;
    // A generation takes some 20 us or more.
    const PARALLEL_FROM: usize = 1;

    fn agents(&self) -> usize {
        self.world.config().max_population
    }

    fn masked(&self) -> bool {
        true
    }

    /// [view (row by row), energy, risk, flow, population, breeds], see [`features`].
    fn observation_space(&self) -> &BoxSpace {
        &self.space
    }

    fn action_space(&self) -> Discrete {
        Discrete { n: ACTIONS }
    }

    fn reset(&mut self, seed: Option<u64>, mut out: Agents<'_>) {
        match seed {
            Some(seed) => self.start(seed, 0),
            None => self.start(self.seed, self.episode + 1),
        }
        self.write(&mut out);
    }

    fn step(&mut self, actions: &[usize], mut out: Agents<'_>) -> Result<Ending, InvalidAction> {
        let asked = |gardener: &&Gardener| !self.world.in_emergency(gardener);
        if let Some(gardener) =
            self.world.gardeners().iter().filter(asked).find(|gardener| actions[gardener.slot] >= ACTIONS)
        {
            return Err(InvalidAction { action: actions[gardener.slot], row: gardener.slot, n: ACTIONS });
        }
        self.draw();
        self.last = self.world.finish_generation(actions, &self.noise);
        let config = self.world.config();
        let RewardConfig { team_weight, clean_weight, .. } = config.reward;
        let team = team_weight * self.last.removed + clean_weight * (1.0 - self.world.mean_dirt());
        let room = self.has_room();
        out.rewards.fill(0.0);
        out.died.fill(false);
        for (position, gardener) in self.world.gardeners().iter().enumerate() {
            // Children of this generation stand behind those that acted.
            if gardener.age > 0 {
                let (earned, paid) = self.world.balance(position);
                let RewardConfig { energy_weight, cost_weight, saving_weight, .. } = config.reward;
                let saves = room && !self.is_rich(gardener);
                let saving = if saves { saving_weight } else { 0.0 };
                let gain = energy_weight * (earned - (cost_weight + saving) * paid);
                out.rewards[gardener.slot] = (gain + team) as f32;
            }
            out.died[gardener.slot] = gardener.energy <= 0.0;
        }
        for event in self.world.events() {
            if let LifeEvent::Born { parent: Some(parent), .. } = *event {
                out.rewards[parent] += config.reward.birth_weight as f32;
            }
        }
        let lost = &config.lost;
        self.saturated = if self.world.mean_dirt() >= lost.dirt_share { self.saturated + 1 } else { 0 };
        let ending = Ending {
            terminated: self.saturated >= lost.generations,
            truncated: self.world.generation() >= config.max_generations,
        };
        self.begin();
        self.write(&mut out);
        Ok(ending)
    }

    /// The last generation's row.
    fn info(&self) -> Generation {
        self.last
    }

    fn state_len(&self) -> usize {
        2
    }

    /// Population / `max_population`, mean dirt.
    fn write_state(&self, state: &mut [f32]) {
        state[0] = self.population_share();
        state[1] = self.world.mean_dirt() as f32;
    }

    fn write_forgotten(&self, forgotten: &mut [bool]) {
        for event in self.events() {
            if let LifeEvent::Forget { slot } = event {
                forgotten[*slot] = true;
            }
        }
    }

    fn save(&self) -> Result<Vec<u8>, SaveError> {
        self.sealed()
    }

    fn restore(&mut self, saved: &[u8], mut out: Agents<'_>) -> Result<(), SaveError> {
        self.unseal(saved)?;
        self.write(&mut out);
        Ok(())
    }
}
