//! A garden's state, as it is kept in a file.

use serde::{Deserialize, Serialize};

use super::{Gardener, LifeEvent, World};
use crate::risk::RiskState;
use crate::saved::{SaveError, ensure};

/// All that a garden's future depends on between two generations, beside its settings and its
/// stream. The restraint follows from the risk.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::gardener) struct SavedWorld {
    grid: Vec<f32>,
    gardeners: Vec<Gardener>,
    free_slots: Vec<usize>,
    last_id: u64,
    generation: u32,
    risk: RiskState,
    total_entropy: f64,
    population: usize,
    isolation_saves: u64,
    events: Vec<LifeEvent>,
}

impl SavedWorld {
    pub(in crate::gardener) fn generation(&self) -> u32 {
        self.generation
    }
}

impl World {
    /// The state after [`World::begin_generation`].
    pub(in crate::gardener) fn save(&self) -> SavedWorld {
        SavedWorld {
            grid: self.grid.clone(),
            gardeners: self.gardeners.clone(),
            free_slots: self.free_slots.clone(),
            last_id: self.last_id,
            generation: self.generation,
            risk: self.risk,
            total_entropy: self.total_entropy,
            population: self.population,
            isolation_saves: self.isolation_saves,
            events: self.events.clone(),
        }
    }

    /// Goes back to a state that [`World::check_saved`] found possible; what the gardeners gained in
    /// the last generation ([`World::balance`]) is forgotten.
    pub(in crate::gardener) fn restore(&mut self, saved: &SavedWorld) {
        // Within the room that the lists have, so that no generation allocates.
        self.grid.copy_from_slice(&saved.grid);
        replace(&mut self.gardeners, &saved.gardeners);
        replace(&mut self.free_slots, &saved.free_slots);
        replace(&mut self.events, &saved.events);
        self.turns.clear();
        self.last_id = saved.last_id;
        self.generation = saved.generation;
        self.risk = saved.risk;
        self.total_entropy = saved.total_entropy;
        self.population = saved.population;
        self.isolation_saves = saved.isolation_saves;
        self.restrain();
    }

    /// Whether the state can be one of this garden.
    pub(in crate::gardener) fn check_saved(&self, saved: &SavedWorld) -> Result<(), SaveError> {
        let (cells, slots) = (self.config.cells(), self.config.max_population);
        ensure(saved.grid.len() == cells, || {
            format!("its grid has {} cells, this one's {cells}", saved.grid.len())
        })?;
        let of = saved.gardeners.len() + saved.free_slots.len();
        ensure(of == slots, || format!("it has room for {of} gardeners, this one for {slots}"))?;
        ensure(saved.grid.iter().all(|dirt| (0.0..=1.0).contains(dirt)), || {
            "a cell's dirt is outside 0 to 1".to_owned()
        })?;
        ensure((0.0..=cells as f64).contains(&saved.total_entropy), || {
            format!("its total entropy is {}, that of {cells} cells is not", saved.total_entropy)
        })?;
        ensure(saved.risk.in_range(), || "its risk or its flow is outside 0 to 1".to_owned())?;
        ensure(saved.generation < u32::MAX && saved.last_id < u64::MAX, || {
            "it has no next generation, or no next gardener".to_owned()
        })?;
        let most_saves = u64::from(saved.generation) * slots as u64;
        ensure(saved.population <= slots && saved.isolation_saves <= most_saves, || {
            format!("it counts {} gardeners and {} saves", saved.population, saved.isolation_saves)
        })?;
        self.check_slots(saved)?;
        self.check_gardeners(saved)
    }

    /// Every slot belongs to one gardener or is free once, and events name slots.
    fn check_slots(&self, saved: &SavedWorld) -> Result<(), SaveError> {
        let slots = self.config.max_population;
        let mut seen = vec![false; slots];
        let taken = saved.gardeners.iter().map(|gardener| gardener.slot);
        for slot in taken.chain(saved.free_slots.iter().copied()) {
            let first = seen.get_mut(slot).is_some_and(|seen| !std::mem::replace(seen, true));
            ensure(first, || format!("slot {slot} is taken twice or not there"))?;
        }
        ensure(saved.events.len() <= 3 * slots, || format!("{} events are too many", saved.events.len()))?;
        for event in &saved.events {
            let possible = match *event {
                LifeEvent::Born { slot, id, parent } => {
                    slot < slots && id <= saved.last_id && parent.is_none_or(|parent| parent < slots)
                }
                LifeEvent::Forget { slot } => slot < slots,
            };
            ensure(possible, || format!("{event:?} cannot have been"))?;
        }
        Ok(())
    }

    fn check_gardeners(&self, saved: &SavedWorld) -> Result<(), SaveError> {
        let size = self.config.grid_size;
        for gardener in &saved.gardeners {
            let possible = gardener.cell.iter().all(|&at| at < size)
                && gardener.energy.is_finite()
                && gardener.energy > 0.0
                && gardener.age <= saved.generation
                && gardener.id <= saved.last_id;
            ensure(possible, || format!("{gardener:?} cannot live in it"))?;
        }
        let newer = |pair: &[Gardener]| pair[0].id < pair[1].id;
        ensure(saved.gardeners.windows(2).all(newer), || "its gardeners are out of order".to_owned())
    }
}

fn replace<T: Copy>(list: &mut Vec<T>, with: &[T]) {
    list.clear();
    list.extend_from_slice(with);
}
