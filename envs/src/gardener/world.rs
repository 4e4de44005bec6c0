//! The garden's rules (RULES section 2): one generation as a function of (state, actions, noise).

mod saved;

use serde::{Deserialize, Serialize};

use crate::control::Restraint;
use crate::gardener::config::GardenerConfig;
use crate::gardener::grid::{grow, measure};
use crate::risk::{RiskState, Verdict, term};

pub(super) use saved::SavedWorld;

/// Numbers of the actions.
pub mod action {
    /// 0 to 3 are moves: up, down, left, right.
    pub const MOVES: usize = 4;
    /// Clean the gardener's cell.
    pub const CLEAN: usize = 4;
    /// Wait, and breed if rich enough.
    pub const WAIT: usize = 5;
}

/// One gardener.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gardener {
    /// Its number, never given twice.
    pub id: u64,
    /// Its row in the arrays of a multi-agent world, for life.
    pub slot: usize,
    /// Row and column.
    pub cell: [usize; 2],
    /// It dies at 0.
    pub energy: f64,
    /// Generations lived.
    pub age: u32,
}

/// Something that the minds behind the gardeners have to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LifeEvent {
    /// A gardener was born.
    Born {
        /// Its slot.
        slot: usize,
        /// Its number.
        id: u64,
        /// The slot of the gardener that it descends from; none for a newcomer.
        parent: Option<usize>,
    },
    /// A gardener's memory is cleared (`memory.reset_interval`, `memory.reset_on_collapse`).
    Forget {
        /// Its slot.
        slot: usize,
    },
}

/// The noise of one generation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerationNoise {
    /// U(0, 1) for each gardener in list order: what damping draws.
    pub damping: Vec<f32>,
    /// U(0, 1) for each cell: the growth of dirt.
    pub dirt: Vec<f32>,
    /// N(0, 1) for each cell: the perturbation that measures the flow.
    pub flow: Vec<f32>,
}

/// What a generation led to: a row of `resonetics_data.csv` (RULES section 2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// Its number, from 1.
    pub generation: u32,
    /// Gardeners alive at its end.
    pub population: usize,
    /// Mean energy of a gardener.
    pub avg_energy: f64,
    /// Sum of the dirt of all cells.
    pub total_entropy: f64,
    /// Emergency moves in it.
    pub emergency_moves: u32,
    /// Emergency moves so far, in all generations.
    pub isolation_saves: u64,
    /// Change of the total entropy.
    pub entropy_gradient: f64,
    /// Change of the population, without its sign.
    pub population_volatility: u32,
    /// Emergency moves for each gardener.
    pub emergency_ratio: f64,
    /// Smoothed risk, in `[0, 1]`.
    pub collapse_risk: f64,
    /// Smoothed flow, in `[0, 1]`.
    pub flow: f64,
    /// The risk in a word.
    pub verdict: Verdict,
    /// Dirt that cleaning removed, in cells (not in the CSV).
    pub removed: f64,
}

/// What the gardeners of a generation decided, and who decided for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Gardeners that acted.
    pub made: u32,
    /// Those that cleaned, or whose action control replaced.
    pub worked: u32,
    /// Those that were in an emergency, or whose action was imposed, or that survival mode held: not their own.
    pub forced: u32,
}

/// What a gardener does in the present generation.
#[derive(Clone, Copy, Default)]
struct Turn {
    id: u64,
    action: usize,
    /// Control put another action in the place of the one that was wanted.
    imposed: bool,
    /// In an emergency, in survival mode, or imposed.
    forced: bool,
    /// An emergency move, at its lower cost.
    emergency_move: bool,
    /// Rich enough to breed when it chose, and allowed to.
    may_breed: bool,
    target: usize,
    /// Energy from cleaning.
    earned: f64,
    /// What moving, colliding and living cost.
    paid: f64,
}

/// A garden.
#[derive(Clone, Debug)]
pub struct World {
    config: GardenerConfig,
    grid: Vec<f32>,
    gardeners: Vec<Gardener>,
    free_slots: Vec<usize>,
    last_id: u64,
    generation: u32,
    risk: RiskState,
    restraint: Restraint,
    total_entropy: f64,
    population: usize,
    isolation_saves: u64,
    events: Vec<LifeEvent>,
    turns: Vec<Turn>,
    /// Per cell: 1 + the gardener that wins it, in the present generation; 0 for none.
    claims: Vec<u32>,
    /// Per cell: the cleaners on it in the present generation.
    cleaners: Vec<u32>,
    /// Breeders of the present generation, by position in the list.
    breeders: Vec<usize>,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.action)
    }
}

impl World {
    /// A clean garden with gardeners on `cells` (row, column), with checked settings.
    pub fn new(config: GardenerConfig, cells: impl Iterator<Item = [usize; 2]>) -> World {
        let energy = config.birth_energy;
        World::with_state(config.clone(), vec![0.0; config.cells()], 0.0, cells.map(|cell| (cell, energy)))
    }

    /// A garden with a given grid `[cells]` and total entropy before it, and gardeners
    /// (cell, energy) numbered from 0.
    pub fn with_state(
        config: GardenerConfig,
        grid: Vec<f32>,
        total_entropy: f64,
        gardeners: impl Iterator<Item = ([usize; 2], f64)>,
    ) -> World {
        let slots = config.max_population;
        // Room for the most that can come, so that no generation allocates.
        let mut list: Vec<Gardener> = Vec::with_capacity(slots);
        list.extend(gardeners.take(slots).enumerate().map(|(i, (cell, energy))| Gardener {
            id: i as u64,
            slot: i,
            cell,
            energy,
            age: 0,
        }));
        let gardeners = list;
        let mut free_slots = Vec::with_capacity(slots);
        free_slots.extend((gardeners.len()..slots).rev());
        // Children, cleared memories and newcomers of one generation.
        let mut events = Vec::with_capacity(3 * slots);
        events.extend(gardeners.iter().map(|g| LifeEvent::Born { slot: g.slot, id: g.id, parent: None }));
        World {
            free_slots,
            last_id: gardeners.len() as u64,
            generation: 0,
            risk: RiskState::default(),
            restraint: Restraint::NONE,
            total_entropy,
            population: gardeners.len(),
            isolation_saves: 0,
            events,
            turns: Vec::with_capacity(slots),
            claims: vec![0; config.cells()],
            cleaners: vec![0; config.cells()],
            breeders: Vec::with_capacity(slots),
            grid,
            gardeners,
            config,
        }
    }

    pub(super) fn set_dirt_growth(&mut self, growth: f64) {
        self.config.dirt_growth = growth;
    }

    /// Bytes of one garden beyond `size_of`.
    pub fn heap_bytes(&self) -> usize {
        let slots = self.config.max_population;
        let slot =
            size_of::<Gardener>() + size_of::<Turn>() + 2 * size_of::<usize>() + 3 * size_of::<LifeEvent>();
        slots * slot + self.config.cells() * (size_of::<f32>() + 2 * size_of::<u32>())
    }

    /// The settings.
    pub fn config(&self) -> &GardenerConfig {
        &self.config
    }

    /// Dirt of every cell, row-major, in `[0, 1]`.
    pub fn grid(&self) -> &[f32] {
        &self.grid
    }

    /// The gardeners in list order.
    pub fn gardeners(&self) -> &[Gardener] {
        &self.gardeners
    }

    /// Generations done.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Risk, flow and verdict after the last generation.
    pub fn risk(&self) -> RiskState {
        self.risk
    }

    /// What control does in the present generation.
    pub fn restraint(&self) -> Restraint {
        self.restraint
    }

    /// Mean dirt of a cell after the last generation, in `[0, 1]`.
    pub fn mean_dirt(&self) -> f64 {
        self.total_entropy / self.config.cells() as f64
    }

    /// Births and cleared memories since the end of the generation before the last, in order.
    pub fn events(&self) -> &[LifeEvent] {
        &self.events
    }

    /// Steps 1 and 2 of a generation: the dead leave, newcomers come, control looks at the risk.
    /// `spawn` draws a newcomer's cell.
    pub fn begin_generation(&mut self, mut spawn: impl FnMut() -> [usize; 2]) {
        let free_slots = &mut self.free_slots;
        self.gardeners.retain(|gardener| {
            let lives = gardener.energy > 0.0;
            if !lives {
                free_slots.push(gardener.slot);
            }
            lives
        });
        while self.gardeners.len() < self.config.min_population {
            if !self.born(spawn(), None) {
                break;
            }
        }
        self.restrain();
    }

    /// Control looks at the risk.
    fn restrain(&mut self) {
        let control = &self.config.control;
        self.restraint =
            if control.enabled { control.damping.restraint(&self.risk) } else { Restraint::NONE };
    }

    /// Adds a gardener; false when there is no room.
    fn born(&mut self, cell: [usize; 2], parent: Option<usize>) -> bool {
        let Some(slot) = self.free_slots.pop() else { return false };
        self.last_id += 1;
        let id = self.last_id;
        self.gardeners.push(Gardener { id, slot, cell, energy: self.config.birth_energy, age: 0 });
        self.events.push(LifeEvent::Born { slot, id, parent });
        true
    }

    /// Whether a gardener is in an emergency: then it follows its instinct and is not asked.
    pub fn in_emergency(&self, gardener: &Gardener) -> bool {
        gardener.energy <= self.config.move_cost + self.config.emergency_margin
    }

    /// Writes the `view_size` x `view_size` neighbourhood of `cell`, row by row, around the torus.
    pub fn write_view(&self, cell: [usize; 2], view: &mut [f32]) {
        let (size, width) = (self.config.grid_size, self.config.view_size);
        let half = width / 2;
        let reach = half.div_ceil(size) * size;
        let [row, col] = cell;
        for (dy, line) in view.chunks_exact_mut(width).enumerate() {
            let start = (row + reach + dy - half) % size * size;
            let cells = &self.grid[start..start + size];
            if col >= half && col + half < size {
                line.copy_from_slice(&cells[col - half..=col + half]);
            } else {
                for (dx, dirt) in line.iter_mut().enumerate() {
                    *dirt = cells[(col + reach + dx - half) % size];
                }
            }
        }
    }

    /// Steps 3 to 7 and the risk: `intended` holds the actions of the gardeners that were asked,
    /// by slot.
    pub fn finish_generation(&mut self, intended: &[usize], noise: &GenerationNoise) -> Generation {
        self.events.clear();
        let emergency_moves = self.choose(intended, &noise.damping);
        self.travel();
        grow(&mut self.grid, self.config.dirt_growth as f32, &noise.dirt);
        let removed = self.clean();
        self.breed();
        self.generation += 1;
        self.judge(emergency_moves, removed, &noise.flow)
    }

    /// What the gardener in `position` of the list earned by cleaning in the last generation, and what it paid to
    /// move, to collide and to live, in energy.
    pub fn balance(&self, position: usize) -> (f64, f64) {
        self.turns.get(position).map_or((0.0, 0.0), |turn| (turn.earned, turn.paid))
    }

    /// What each gardener did in the last generation: its number, which it keeps for life, and its action.
    pub fn acts(&self) -> impl Iterator<Item = (u64, usize)> {
        self.turns.iter().map(|turn| (turn.id, turn.action))
    }

    /// What they decided in the last generation.
    pub fn decisions(&self) -> Decisions {
        let count = |of: fn(&Turn) -> bool| self.turns.iter().filter(|turn| of(turn)).count() as u32;
        Decisions {
            made: self.turns.len() as u32,
            worked: count(|turn| turn.imposed || turn.action == action::CLEAN),
            forced: count(|turn| turn.forced),
        }
    }

    /// Step 3; yields the number of emergency moves.
    fn choose(&mut self, intended: &[usize], damping: &[f32]) -> u32 {
        let mut emergency_moves = 0;
        self.turns.clear();
        for position in 0..self.gardeners.len() {
            let gardener = &self.gardeners[position];
            let emergency = self.in_emergency(gardener);
            let wanted = if emergency { self.instinct(gardener) } else { intended[gardener.slot] };
            let rich = gardener.energy > self.config.reproduce_threshold;
            let dirt = self.grid[self.index(gardener.cell)];
            if emergency && wanted < action::MOVES {
                emergency_moves += 1;
                self.isolation_saves += 1;
            }
            let action = self.controlled(wanted, f64::from(dirt), || f64::from(damping[position]));
            let imposed = self.restraint.survival || action != wanted;
            self.turns.push(Turn {
                id: self.gardeners[position].id,
                action,
                imposed: action != wanted,
                forced: emergency || imposed,
                emergency_move: emergency && action < action::MOVES,
                may_breed: rich && action == action::WAIT && !(self.config.control.stop_breeding && imposed),
                ..Turn::default()
            });
        }
        emergency_moves
    }

    /// What a gardener in an emergency wants.
    fn instinct(&self, gardener: &Gardener) -> usize {
        let config = &self.config;
        if f64::from(self.grid[self.index(gardener.cell)]) > config.emergency_clean_above {
            return action::CLEAN;
        }
        if gardener.energy < config.emergency_move_cost + config.emergency_margin {
            return action::WAIT;
        }
        let dirt = |direction: usize| self.grid[self.index(self.moved(gardener.cell, direction))];
        let mut dirtiest = 0;
        for direction in 1..action::MOVES {
            if dirt(direction) > dirt(dirtiest) {
                dirtiest = direction;
            }
        }
        let worth = f64::from(dirt(dirtiest)) > config.emergency_move_above;
        if worth { dirtiest } else { action::WAIT }
    }

    /// `wanted`, or what control makes of it on a cell with `dirt`.
    fn controlled(&self, wanted: usize, dirt: f64, draw: impl FnOnce() -> f64) -> usize {
        let control = &self.config.control;
        if !control.enabled {
            return wanted;
        }
        let damped = !self.restraint.survival && {
            let suppressed = match wanted {
                action::WAIT => control.suppress_reproduce,
                action::CLEAN => false,
                _ => control.suppress_moves,
            };
            draw() > self.restraint.alpha && suppressed
        };
        if !self.restraint.survival && !damped {
            wanted
        } else if dirt > control.safe_action_clean_threshold {
            action::CLEAN
        } else {
            action::WAIT
        }
    }

    fn index(&self, cell: [usize; 2]) -> usize {
        cell[0] * self.config.grid_size + cell[1]
    }

    fn moved(&self, [row, col]: [usize; 2], direction: usize) -> [usize; 2] {
        let size = self.config.grid_size;
        match direction {
            0 => [(row + size - 1) % size, col],
            1 => [(row + 1) % size, col],
            2 => [row, (col + size - 1) % size],
            _ => [row, (col + 1) % size],
        }
    }

    /// Step 4: of those with the same target the richest gets there; everyone pays and ages.
    fn travel(&mut self) {
        for position in 0..self.gardeners.len() {
            let gardener = self.gardeners[position];
            let action = self.turns[position].action;
            let cell = if action < action::MOVES { self.moved(gardener.cell, action) } else { gardener.cell };
            let target = self.index(cell);
            self.turns[position].target = target;
            let claim = self.claims[target];
            if claim == 0 || gardener.energy > self.gardeners[claim as usize - 1].energy {
                self.claims[target] = position as u32 + 1;
            }
        }
        let size = self.config.grid_size;
        for position in 0..self.gardeners.len() {
            let turn = &mut self.turns[position];
            let gardener = &mut self.gardeners[position];
            let mut cost = self.config.living_cost;
            if self.claims[turn.target] as usize != position + 1 {
                cost += self.config.conflict_cost;
            } else if turn.target != gardener.cell[0] * size + gardener.cell[1] {
                gardener.cell = [turn.target / size, turn.target % size];
                cost +=
                    if turn.emergency_move { self.config.emergency_move_cost } else { self.config.move_cost };
            }
            (turn.earned, turn.paid) = (0.0, cost);
            gardener.energy -= cost;
            gardener.age += 1;
        }
        for turn in &self.turns {
            self.claims[turn.target] = 0;
        }
    }

    /// Step 6; yields the dirt that was removed, in cells.
    fn clean(&mut self) -> f64 {
        for (gardener, turn) in self.gardeners.iter().zip(&self.turns) {
            if turn.action == action::CLEAN {
                self.cleaners[gardener.cell[0] * self.config.grid_size + gardener.cell[1]] += 1;
            }
        }
        let amount = self.config.clean_amount as f32;
        let mut removed = 0.0;
        for position in 0..self.gardeners.len() {
            if self.turns[position].action != action::CLEAN {
                continue;
            }
            let cell = self.index(self.gardeners[position].cell);
            let sharers = self.cleaners[cell];
            if sharers > 0 {
                let dirt = self.grid[cell].min(amount);
                self.grid[cell] -= dirt;
                removed += f64::from(dirt);
                let share = f64::from(dirt) * self.config.clean_reward / f64::from(sharers);
                // The first cleaner of a cell shares out; the others find it done.
                for later in position..self.gardeners.len() {
                    if self.turns[later].action == action::CLEAN
                        && self.index(self.gardeners[later].cell) == cell
                    {
                        self.gardeners[later].energy += share;
                        self.turns[later].earned += share;
                    }
                }
                self.cleaners[cell] = 0;
            }
        }
        removed
    }

    /// Step 7.
    fn breed(&mut self) {
        let mut breeders = std::mem::take(&mut self.breeders);
        breeders.clear();
        breeders.extend((0..self.turns.len()).filter(|&position| self.turns[position].may_breed));
        // In order of energy, the richest first; of equals the first in the list.
        breeders.sort_unstable_by(|&a, &b| {
            self.gardeners[b].energy.total_cmp(&self.gardeners[a].energy).then(a.cmp(&b))
        });
        for &position in &breeders {
            let parent = self.gardeners[position];
            if self.gardeners.len() >= self.config.max_population {
                break;
            }
            if parent.energy > self.config.reproduce_cost && self.born(parent.cell, Some(parent.slot)) {
                self.gardeners[position].energy -= self.config.reproduce_cost;
            }
        }
        self.breeders = breeders;
    }

    /// Risk, flow and verdict (RULES section 2.2), and the row that says it all.
    fn judge(&mut self, emergency_moves: u32, removed: f64, flow: &[f32]) -> Generation {
        let cells = self.config.cells() as f64;
        let measure = measure(&self.grid, flow, &self.config);
        let population = self.gardeners.len();
        let entropy_gradient = measure.total - self.total_entropy;
        let population_volatility = population.abs_diff(self.population) as u32;
        let emergency_ratio =
            if population == 0 { 0.0 } else { f64::from(emergency_moves) / population as f64 };
        let risk = &self.config.risk;
        let [dirt, people] = self.config.risk_scales();
        let mut terms = risk.w_entropy_grad
            * term(dirt * entropy_gradient.abs() / risk.entropy_grad_scale, 0.5, 3.0)
            + risk.w_pop_vol * term(people * f64::from(population_volatility) / risk.pop_vol_scale, 0.5, 3.0)
            + risk.w_emg_ratio * term(emergency_ratio, 0.25, 4.0);
        if risk.w_saturation > 0.0 {
            terms += risk.w_saturation * term(measure.total / cells, 0.5, 12.0);
        }
        let before = self.risk.verdict;
        let plain = [measure.total / cells, measure.hot / cells];
        let perturbed = [measure.perturbed_total / cells, measure.perturbed_hot / cells];
        self.risk.update(terms, plain, perturbed, &self.config.flow.flow, &risk.smoothing);
        self.total_entropy = measure.total;
        self.population = population;
        self.forget(before);
        let energy: f64 = self.gardeners.iter().map(|gardener| gardener.energy).sum();
        Generation {
            generation: self.generation,
            population,
            avg_energy: if population == 0 { 0.0 } else { energy / population as f64 },
            total_entropy: measure.total,
            emergency_moves,
            isolation_saves: self.isolation_saves,
            entropy_gradient,
            population_volatility,
            emergency_ratio,
            collapse_risk: self.risk.risk,
            flow: self.risk.flow,
            verdict: self.risk.verdict,
            removed,
        }
    }

    /// The options that clear memories, both off in the rules.
    fn forget(&mut self, before: Verdict) {
        let memory = &self.config.memory;
        let collapsed = self.risk.verdict == Verdict::Collapse && before != Verdict::Collapse;
        let all = memory.reset_on_collapse && collapsed;
        for gardener in &self.gardeners {
            let due = memory.reset_interval > 0
                && gardener.age > 0
                && gardener.age.is_multiple_of(memory.reset_interval);
            if all || due {
                self.events.push(LifeEvent::Forget { slot: gardener.slot });
            }
        }
    }
}
