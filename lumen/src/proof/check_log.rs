//! Whether the log of a proof is what it says: its head, that the statement is in it, what it says of keys, and that it is
//! the log that others saw.

use super::asked::Asked;
use super::consistency::one_log;
use super::file::Proof;
use super::key_log::{Entries, KeyLog, included};
use super::note::{Head, Note};
use super::tree::{Hash, includes, leaf};
use super::trust::{Judged, Trust};
use super::verdict::Verdict;

/// What of the entries about keys lies behind the head of a proof: whether it is shown that both are of one log.
pub(super) struct Elsewhere {
    pub(super) size: u64,
    pub(super) known: Option<bool>,
}

impl Elsewhere {
    /// Whether a trust that ends with this entry is known to be that of this log.
    pub(super) fn is_shown(&self, end: Option<u64>) -> bool {
        self.known == Some(true) || end.is_none_or(|entry| entry < self.size)
    }
}

/// Gathers what the log says of keys, in the proof and since; whether both are of one log, where something shows it.
pub(super) fn gather(
    proof: &Proof,
    head: &Head,
    asked: &Asked<'_>,
    entries: &mut Entries,
    wrong: &mut Vec<&'static str>,
) -> Option<bool> {
    match included(&proof.keys, head) {
        Some(own) => *entries = own,
        None => wrong.push("the log does not include an entry about keys"),
    }
    let key_log = asked.key_log?;
    let since = key_log.note()?.head;
    if since.origin != head.origin {
        return None;
    }
    let one = one_log(head, &since, asked.consistency);
    if one == Some(false) {
        wrong.push("the log is another one than that of the entries about keys");
        return one;
    }
    let Some(more) = included(&key_log.entries, &since) else {
        wrong.push("the log does not include an entry about keys");
        return one;
    };
    for (index, envelope) in more {
        if entries.get(&index).is_some_and(|own| own.body != envelope.body || own.kind != envelope.kind) {
            wrong.push("the log is another one than that of the entries about keys");
            return Some(false);
        }
        entries.insert(index, envelope);
    }
    one
}

/// What is said where a key's trust ends in a log that may be another one.
pub(super) const NOT_SHOWN: &str =
    "a key was revoked or replaced since, and nothing shows that this happened in the log of the proof";

pub(super) fn of_log(
    proof: &Proof,
    note: Option<&Note>,
    trust: &Trust,
    elsewhere: &Elsewhere,
    asked: &Asked<'_>,
    verdict: &mut Verdict,
) {
    let Some(note) = note else {
        verdict.wrong("the checkpoint is damaged");
        return;
    };
    let head = &note.head;
    verdict.log = Some((head.origin.clone(), head.size, proof.index));
    match trust.of_head(note) {
        Judged::Good { end, .. } if !elsewhere.is_shown(end) => verdict.unknown(NOT_SHOWN),
        Judged::Good { .. } => {}
        Judged::Wrong(_) => verdict.wrong("the signature of the checkpoint is wrong"),
        Judged::Ended(..) => {
            verdict.wrong("the key of the log was revoked or replaced before it signed the checkpoint");
        }
        Judged::Early(_) => {
            verdict.wrong("the key of the log was not trusted yet when it signed the checkpoint");
        }
        Judged::Few(_) => verdict.wrong("too few of the keys of the log signed the checkpoint"),
        Judged::Unknown => verdict.unknown("the key of the log is none of the given keys"),
    }
    let hash: Hash = leaf(proof.envelope.as_bytes());
    let path = proof.inclusion();
    if !path.is_some_and(|path| includes(&head.root, head.size, proof.index, &hash, &path)) {
        verdict.wrong("the log does not include the statement");
    }
    let Some(heads) = asked.heads else { return };
    let mut held = false;
    for (size, root) in heads.of(&head.origin) {
        match one_log(head, &Head { origin: head.origin.clone(), size, root }, asked.consistency) {
            None => {}
            Some(true) => held = true,
            Some(false) => {
                verdict.wrong("the log is another one than the kept heads say");
                return;
            }
        }
    }
    if !held {
        verdict.unknown("no head of this size was kept of the log");
    }
}

/// Whether what was said of keys since is of the log of the proof, and signed by it.
pub(super) fn of_key_log(key_log: &KeyLog, note: Option<&Note>, trust: &Trust, verdict: &mut Verdict) {
    let Some(since) = key_log.note() else { return };
    if note.is_none_or(|note| note.head.origin != since.head.origin) {
        verdict.unknown("the entries about keys are of a log with another origin");
        return;
    }
    match trust.of_head(&since) {
        Judged::Good { .. } => {}
        Judged::Unknown => {
            verdict.unknown("the log of the entries about keys is signed by none of the given keys");
        }
        _ => verdict.wrong("the signature of the log of the entries about keys does not count"),
    }
}

/// Whether each witness signed the head of the proof, or one of which it is shown that it is of the same log.
pub(super) fn of_witnesses(note: &Note, asked: &Asked<'_>, verdict: &mut Verdict) {
    for witness in asked.witnesses {
        let own = note.cosigned_by(witness);
        let other = asked.cosigned.and_then(|other| Some((other, other.cosigned_by(witness)?)));
        match (own, other) {
            (Some(false), _) | (_, Some((_, false))) => verdict.wrong("the signature of a witness is wrong"),
            (Some(true), _) => {}
            (None, Some((other, true))) => match one_log(&note.head, &other.head, asked.consistency) {
                Some(true) if other.head.size >= note.head.size => {}
                Some(false) => verdict.wrong("a witness saw another log"),
                _ => verdict.unknown("nothing shows that a witness saw what the log was at the proof"),
            },
            (None, None) => verdict.unknown("a witness did not sign a head of the log"),
        }
    }
}
