//! Gardeners with evolved brains: a child inherits its parent's brain with small mutations, and a gardener
//! that finds no dirt leaves no children (RULES sections 2 and 2.1).

use resonetics_envs::cpu::{CpuPath, Work};
use resonetics_envs::gardener::{Brains, GardenerConfig, LifeEvent};
use resonetics_envs::stream::{Domain, Key};

use crate::policy::{Observations, Policy};

/// One brain a slot, in one or more gardens. A brain is made when its gardener's birth is told
/// ([`Policy::life`]); before that all its weights are 0.
#[derive(Clone, Debug)]
pub struct Evolved {
    brains: Brains,
    mutation_rate: f64,
    view: usize,
    agents: usize,
    keys: Vec<Key>,
}

impl Evolved {
    /// For `envs` gardens of one configuration.
    pub fn new(envs: usize, garden: &GardenerConfig) -> Evolved {
        let agents = garden.max_population;
        Evolved {
            brains: Brains::new(envs * agents, garden.view_size),
            mutation_rate: garden.mutation_rate,
            view: garden.view_size * garden.view_size,
            agents,
            keys: vec![Key::new(0, Domain::Brain, 0); envs],
        }
    }
}

impl Policy for Evolved {
    fn begin_episode(&mut self, env: usize, key: Key) {
        self.keys[env] = key;
    }

    fn life(&mut self, env: usize, event: LifeEvent) {
        let row = |slot: usize| env * self.agents + slot;
        match event {
            LifeEvent::Born { slot, id, parent } => {
                let key = self.keys[env].derive(Domain::Brain as u32, id);
                match parent {
                    Some(parent) => self.brains.breed(row(slot), row(parent), self.mutation_rate, key),
                    None => self.brains.fresh(row(slot), key),
                }
            }
            LifeEvent::Forget { slot } => self.brains.forget(row(slot)),
        }
    }

    fn heap_bytes(&self) -> usize {
        self.brains.heap_bytes() / self.keys.len()
    }

    fn act(&mut self, seen: &Observations<'_>, actions: &mut [usize]) {
        CpuPath::dispatch(Think { brains: &mut self.brains, view: self.view, seen, actions });
    }
}

struct Think<'a, 'b> {
    brains: &'a mut Brains,
    view: usize,
    seen: &'a Observations<'b>,
    actions: &'a mut [usize],
}

impl Work for Think<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (row, action) in self.actions.iter_mut().enumerate() {
            if self.seen.asked(row) {
                // The softmax keeps the order: its argmax is that of the logits.
                let logits = self.brains.forward(row, &self.seen.observation(row)[..self.view]);
                let mut best = 0;
                for i in 1..logits.len() {
                    if logits[i] > logits[best] {
                        best = i;
                    }
                }
                *action = best;
            }
        }
    }
}
