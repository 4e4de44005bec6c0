//! What is compared.

use crate::read::doses::Doses;

/// What was tried in one world at several doses.
#[derive(Clone, Debug)]
pub struct World {
    /// Its name.
    pub name: String,
    /// What the doses are values of; `None` where that is not known.
    pub dose: Option<String>,
    /// Steps that a life has at most, where that is known.
    pub life: Option<u64>,
    /// The agents.
    pub agents: Vec<Doses>,
}
