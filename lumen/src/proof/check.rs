//! Whether a proof holds: from the file, public keys and nothing else. `lumen/verify/check_proof.py` says the same, in one
//! file that needs none of this.

use serde_json::{Value, json};

use super::detached::{self, Detached};
use super::dsse::{Envelope, IN_TOTO, Signed};
use super::file::Proof;
use super::heads::Heads;
use super::key::Public;
use super::note::Note;
use super::statement::{REPRODUCED, Statement};
use super::tree::{Hash, includes, leaf};

/// What a proof is held against.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    /// The keys that are trusted.
    pub keys: &'a [Public],
    /// SHA-256 of a file, in hex, that should be among what the proof is of.
    pub artifact: Option<&'a str>,
    /// Heads of logs that were seen.
    pub heads: Option<&'a Heads>,
    /// Proofs that the run was repeated.
    pub reproductions: &'a [Vec<u8>],
}

/// How much a reason weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
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
    kind: Option<String>,
    subject: Option<String>,
    matches: Option<bool>,
    signer: Option<String>,
    trusted: bool,
    log: Option<(String, u64, u64)>,
    reproductions: usize,
    reasons: Vec<(Weight, &'static str)>,
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
            "trust": if self.trusted { "key" } else { "none" },
            "log": log.map(|(origin, size, index)| json!({ "origin": origin, "size": size, "index": index })),
            "reproductions": self.reproductions,
            "reasons": self.reasons().collect::<Vec<_>>(),
        })
    }

    fn wrong(&mut self, reason: &'static str) {
        self.reasons.push((Weight::Wrong, reason));
    }

    fn unknown(&mut self, reason: &'static str) {
        self.reasons.push((Weight::Unknown, reason));
    }
}

/// Checks the bytes of a proof, or of a signature beside a file.
#[must_use]
pub fn check(bytes: &[u8], asked: &Asked<'_>) -> Verdict {
    if let Ok(signature) = Detached::parse(bytes) {
        return of_signature(&signature, asked);
    }
    let mut verdict = Verdict::default();
    let Ok(proof) = Proof::parse(bytes) else {
        verdict.wrong("the file is no proof");
        return verdict;
    };
    let statement = of_envelope(&proof, asked.keys, &mut verdict);
    of_log(&proof, asked, &mut verdict);
    let Some((statement, payload)) = statement else { return verdict };
    if let Some(artifact) = asked.artifact {
        let found = statement.subject.iter().find(|subject| subject.digest.sha256 == artifact);
        verdict.matches = Some(found.is_some());
        verdict.subject = found.map(|subject| subject.name.clone());
        if found.is_none() {
            verdict.wrong("the artifact is none of the subjects");
        }
    }
    count_reproductions(&statement, &payload, asked, &mut verdict);
    verdict
}

/// The statement and its bytes, where there is one.
fn of_envelope(proof: &Proof, keys: &[Public], verdict: &mut Verdict) -> Option<(Statement, Vec<u8>)> {
    let Ok(envelope) = Envelope::open(proof.envelope.as_bytes()) else {
        verdict.wrong("the envelope is damaged");
        return None;
    };
    match envelope.signed_by(keys) {
        Signed::By(id) => {
            verdict.signer = Some(id);
            verdict.trusted = true;
        }
        Signed::Wrong(id) => {
            verdict.signer = Some(id);
            verdict.wrong("the signature of the statement is wrong");
        }
        Signed::Unknown(id) => {
            verdict.signer = Some(id);
            verdict.unknown("the signer is none of the given keys");
        }
    }
    let statement = Statement::parse(&envelope.body).ok().filter(|_| envelope.kind == IN_TOTO);
    let Some(statement) = statement else {
        verdict.wrong("the statement is malformed");
        return None;
    };
    verdict.kind = Some(statement.build_type().to_owned());
    Some((statement, envelope.body))
}

fn of_log(proof: &Proof, asked: &Asked<'_>, verdict: &mut Verdict) {
    let Some(note) = Note::parse(&proof.checkpoint) else {
        verdict.wrong("the checkpoint is damaged");
        return;
    };
    let head = &note.head;
    verdict.log = Some((head.origin.clone(), head.size, proof.index));
    match note.signed_by(asked.keys) {
        Some(true) => {}
        Some(false) => verdict.wrong("the signature of the checkpoint is wrong"),
        None => verdict.unknown("the key of the log is none of the given keys"),
    }
    let hash: Hash = leaf(proof.envelope.as_bytes());
    let path = proof.inclusion();
    if !path.is_some_and(|path| includes(&head.root, head.size, proof.index, &hash, &path)) {
        verdict.wrong("the log does not include the statement");
    }
    let Some(heads) = asked.heads else { return };
    let seen = heads.of(&head.origin);
    let mut at_size = seen.iter().filter(|(size, _)| *size == head.size).peekable();
    if at_size.peek().is_none() {
        verdict.unknown("no head of this size was kept of the log");
    } else if at_size.any(|(_, root)| *root != head.root) {
        verdict.wrong("the log is another one than the kept heads say");
    }
}

/// Counts those who repeated the run: each proof must hold, be about this statement, and be by somebody else.
fn count_reproductions(statement: &Statement, payload: &[u8], asked: &Asked<'_>, verdict: &mut Verdict) {
    let sum = resonetics_runs::files::sha256(payload);
    let mut by = Vec::new();
    for bytes in asked.reproductions {
        let inner = Asked { keys: asked.keys, ..Asked::default() };
        let other = Proof::parse(bytes).map(|proof| {
            let mut own = Verdict::default();
            let statement = of_envelope(&proof, asked.keys, &mut own);
            of_log(&proof, &inner, &mut own);
            (statement, own)
        });
        let Ok((Some((repeated, _)), own)) = other else {
            verdict.wrong("a reproduction is no proof");
            continue;
        };
        match own.ends() {
            Ends::Good => {}
            Ends::Bad => {
                verdict.wrong("a reproduction does not hold");
                continue;
            }
            Ends::Unknown => {
                verdict.unknown("a reproduction is by a key that was not given");
                continue;
            }
        }
        let about = repeated.build_type() == REPRODUCED
            && repeated.of_statement() == Some(&sum)
            && repeated.subject == statement.subject;
        if !about {
            verdict.wrong("a reproduction is of another run");
        } else if own.signer == verdict.signer {
            verdict.reasons.push((Weight::Said, "a reproduction is by the signer and counts for none"));
        } else if !by.contains(&own.signer) {
            by.push(own.signer);
        }
    }
    verdict.reproductions = by.len();
}

fn of_signature(signature: &Detached, asked: &Asked<'_>) -> Verdict {
    let mut verdict = Verdict {
        kind: Some(detached::FORMAT.to_owned()),
        signer: Some(signature.keyid.clone()),
        ..Verdict::default()
    };
    match asked.keys.iter().find(|key| key.id() == signature.keyid) {
        Some(key) if signature.verified(key) => verdict.trusted = true,
        Some(_) => verdict.wrong("the signature is wrong"),
        None => verdict.unknown("the signer is none of the given keys"),
    }
    match asked.artifact {
        Some(artifact) => {
            let same = artifact == signature.digest.sha256;
            verdict.matches = Some(same);
            if !same {
                verdict.wrong("the artifact is another one than was signed");
            }
        }
        None => verdict.unknown("there is no artifact to compare"),
    }
    verdict
}
