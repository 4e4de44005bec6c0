//! Lumen watches runs: how near each is to its loss, in numbers that mean the same in all worlds; what happened, as
//! events; both kept, asked for and shown to Prometheus; and archives of runs. It knows no world: it takes numbers and
//! files.
//!
//! docs/LUMEN.md is the page for those who use it.

pub mod archive;
pub mod context;
pub mod doctor;
pub mod event;
pub mod event_v2;
pub mod follow;
pub mod gate;
mod http;
pub mod ledger;
pub mod log;
pub mod memory;
pub mod notify;
pub mod pack;
pub mod proof;
pub mod resonance;
pub mod serve;
pub mod signals;
pub mod source;
pub mod status;
pub mod store;
pub mod table;
pub mod told;
pub mod validate;
