//! The Gardener: an entropy grid where gardeners must keep dirt from winning (RULES section 2).

mod brain;
mod config;
mod environment;
mod grid;
mod world;

pub use brain::{BrainWeights, Brains, softmax};
pub use config::{
    ControlConfig, FlowKind, GardenFlowConfig, GardenerConfig, LostConfig, MemoryConfig, REFERENCE_CELLS,
    REFERENCE_POPULATION, RewardConfig, RiskConfig,
};
pub use environment::{ACTIONS, GardenerEnv, features};
pub use world::{Decisions, Gardener, Generation, GenerationNoise, LifeEvent, World, action};
