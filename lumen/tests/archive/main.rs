//! Archives: what is frozen comes back, and what is damaged is found.

mod common;
mod damage;
mod frozen;
mod hostile;
mod index;
mod retention;
