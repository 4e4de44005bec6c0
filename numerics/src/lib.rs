//! What every bit of a result rests on: the CPU path in use ([`cpu`]), lane mathematics that every
//! path computes alike ([`math`]), and random streams by counter ([`stream`]).

pub mod cpu;
pub mod math;
pub mod stream;
