//! The studies by name.

use resonetics_runs::Error;

use super::cell::Study;
use super::{controls, drifts, foresight, kernel, limits, lives, memory, rates, sb3};

/// All, in the order of `study --list`.
pub const ALL: [Study; 9] = [
    lives::STUDY,
    limits::STUDY,
    drifts::STUDY,
    controls::STUDY,
    foresight::STUDY,
    kernel::STUDY,
    rates::STUDY,
    memory::STUDY,
    sb3::STUDY,
];

/// The study `name`.
///
/// # Errors
/// [`Error::Refused`] if there is none, with those that there are.
pub fn named(name: &str) -> Result<&'static Study, Error> {
    ALL.iter().find(|study| study.name == name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|study| study.name).collect();
        Error::Refused(format!("there is no study `{name}`; there are {}", names.join(", ")))
    })
}
