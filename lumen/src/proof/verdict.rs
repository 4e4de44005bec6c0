//! What came of checking a proof, and how it is told.

use serde_json::{Value, json};

use super::trust::By;

/// How much a reason weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Only said.
    Said,
    /// It cannot be known.
    Unknown,
    /// It is wrong.
    Wrong,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What was done.
    pub kind: Option<String>,
    /// The name of the artifact.
    pub subject: Option<String>,
    /// Whether the artifact is a subject.
    pub matches: Option<bool>,
    /// The id of the key that signed, or of which it says so.
    pub signer: Option<String>,
    /// What trust in the signer rests on.
    pub by: Option<By>,
    /// Origin and size of the log, and which entry it is.
    pub log: Option<(String, u64, u64)>,
    /// How many others repeated the run.
    pub reproductions: usize,
    /// Why, and how much each reason weighs.
    pub reasons: Vec<(Weight, &'static str)>,
}

/// How a check ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It holds.
    Good,
    /// It does not.
    Bad,
    /// It cannot be told: a key is missing, or what it is held against.
    Unknown,
}

impl Verdict {
    /// How it ends.
    #[must_use]
    pub fn ends(&self) -> Ends {
        match self.reasons.iter().map(|(weight, _)| *weight).max() {
            Some(Weight::Wrong) => Ends::Bad,
            Some(Weight::Unknown) => Ends::Unknown,
            _ => Ends::Good,
        }
    }

    /// The reasons, in order.
    pub fn reasons(&self) -> impl Iterator<Item = &'static str> {
        self.reasons.iter().map(|(_, reason)| *reason)
    }

    /// As it is told.
    #[must_use]
    pub fn json(&self) -> Value {
        let log = self.log.as_ref();
        json!({
            "ok": self.ends() == Ends::Good,
            "kind": self.kind,
            "subject": self.subject,
            "match": self.matches,
            "signer": self.signer,
            "trust": self.by.as_ref().map_or_else(|| "none".to_owned(), By::text),
            "log": log.map(|(origin, size, index)| json!({ "origin": origin, "size": size, "index": index })),
            "reproductions": self.reproductions,
            "reasons": self.reasons().collect::<Vec<_>>(),
        })
    }

    /// It does not hold.
    pub fn wrong(&mut self, reason: &'static str) {
        self.reasons.push((Weight::Wrong, reason));
    }

    /// It cannot be known.
    pub fn unknown(&mut self, reason: &'static str) {
        self.reasons.push((Weight::Unknown, reason));
    }

    /// It is only said.
    pub fn said(&mut self, reason: &'static str) {
        self.reasons.push((Weight::Said, reason));
    }
}
