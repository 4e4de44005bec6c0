//! Whether a proof holds: from the file, who is trusted, and nothing else. `lumen/verify/check_proof.py` says the same, in
//! one file that needs none of this.

use std::time::UNIX_EPOCH;

use humantime::parse_rfc3339;

use super::chain::{Chain, Held};
use super::consistency::{Consistency, one_log};
use super::detached::{self, Detached};
use super::dsse::{Envelope, IN_TOTO};
use super::file::Proof;
use super::heads::Heads;
use super::key::Public;
use super::key_log::{Entries, KeyLog, included};
use super::note::{Head, Note};
use super::root::Signed;
use super::statement::{REPRODUCED, Statement};
use super::tree::{Hash, includes, leaf};
use super::trust::{By, Ended, Judged, Trust};
use super::verdict::Weight;
pub use super::verdict::{Ends, Verdict};

/// What a proof is held against.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    /// The keys that are trusted.
    pub keys: &'a [Public],
    /// The root metadata that is trusted.
    pub root: Option<&'a Signed>,
    /// The fingerprint of the root of certificates that is trusted.
    pub chain_root: Option<&'a str>,
    /// Certificates, in place of those in the proof.
    pub chain: Option<&'a Chain>,
    /// What the log said of keys since.
    pub key_log: Option<&'a KeyLog>,
    /// Proofs that heads are of one log.
    pub consistency: &'a [Consistency],
    /// SHA-256 of a file, in hex, that should be among what the proof is of.
    pub artifact: Option<&'a str>,
    /// Heads of logs that were seen.
    pub heads: Option<&'a Heads>,
    /// The keys of witnesses of whom each must have signed a head of the log.
    pub witnesses: &'a [Public],
    /// A head of the log as witnesses signed it, if they did not sign that of the proof.
    pub cosigned: Option<&'a Note>,
    /// Proofs that the run was repeated.
    pub reproductions: &'a [Vec<u8>],
    /// The present, in seconds since 1970: what expires is held against it.
    pub now: u64,
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
    let statement = of_proof(&proof, asked, &mut verdict);
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

/// Judges statement and log; yields the statement and its bytes, where there is one.
fn of_proof(proof: &Proof, asked: &Asked<'_>, verdict: &mut Verdict) -> Option<(Statement, Vec<u8>)> {
    let note = Note::parse(&proof.checkpoint);
    let mut entries = Entries::new();
    let mut wrong = Vec::new();
    let known = note.as_ref().and_then(|note| gather(proof, &note.head, asked, &mut entries, &mut wrong));
    let held = of_chain(asked, proof.chain().as_ref(), said_at(proof));
    let trust = Trust::of(asked.keys, asked.root, held.signer.as_ref(), &entries);
    let elsewhere = Elsewhere { size: note.as_ref().map_or(u64::MAX, |note| note.head.size), known };
    let statement = of_envelope(proof, &trust, &elsewhere, verdict);
    of_log(proof, note.as_ref(), &trust, &elsewhere, asked, verdict);
    for reason in wrong {
        verdict.wrong(reason);
    }
    if let Some(key_log) = asked.key_log {
        of_key_log(key_log, note.as_ref(), &trust, verdict);
    }
    if let Some(note) = &note {
        of_witnesses(note, asked, verdict);
    }
    of_root(&trust, asked, verdict);
    verdict.reasons.extend(held.reasons);
    statement
}

/// When the run ended, as its statement says, in seconds since 1970.
fn said_at(proof: &Proof) -> Option<u64> {
    let (statement, _) = proof.statement().ok()?;
    seconds_of(statement.finished_on()?)
}

fn seconds_of(text: &str) -> Option<u64> {
    Some(parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// What certificates come to, if somebody trusts a root of them: those that were given, or those of the proof.
fn of_chain(asked: &Asked<'_>, own: Option<&Chain>, at: Option<u64>) -> Held {
    let Some(pinned) = asked.chain_root else { return Held::default() };
    match asked.chain.or(own) {
        Some(chain) => chain.held(pinned, at.unwrap_or(asked.now), asked.now),
        None => Held { signer: None, reasons: vec![(Weight::Unknown, "there are no certificates")] },
    }
}

/// What of the entries about keys lies behind the head of a proof: whether it is shown that both are of one log.
struct Elsewhere {
    size: u64,
    known: Option<bool>,
}

impl Elsewhere {
    /// Whether a trust that ends with this entry is known to be that of this log.
    fn is_shown(&self, end: Option<u64>) -> bool {
        self.known == Some(true) || end.is_none_or(|entry| entry < self.size)
    }
}

/// Gathers what the log says of keys, in the proof and since; whether both are of one log, where something shows it.
fn gather(
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

/// The statement, where there is one, and its bytes.
fn of_envelope(
    proof: &Proof,
    trust: &Trust,
    elsewhere: &Elsewhere,
    verdict: &mut Verdict,
) -> Option<(Statement, Vec<u8>)> {
    let Ok(envelope) = Envelope::open(proof.envelope.as_bytes()) else {
        verdict.wrong("the envelope is damaged");
        return None;
    };
    verdict.signer = envelope.claimed().next().map(str::to_owned);
    match trust.of_statement(&envelope, proof.index) {
        Judged::Good { id, by, end } => {
            verdict.signer = Some(id);
            verdict.by = Some(by);
            if !elsewhere.is_shown(end) {
                verdict.unknown(NOT_SHOWN);
            }
        }
        Judged::Wrong(id) => {
            verdict.signer = Some(id);
            verdict.wrong("the signature of the statement is wrong");
        }
        Judged::Ended(id, why) => {
            verdict.signer = Some(id);
            verdict.wrong(match why {
                Ended::Revoked => "the key of the signer was revoked before the log took the statement",
                Ended::Replaced => {
                    "another key had taken the place of the signer's before the log took the statement"
                }
            });
        }
        Judged::Early(id) => {
            verdict.signer = Some(id);
            verdict.wrong("the key of the signer was not trusted yet when the log took the statement");
        }
        Judged::Few(id) => {
            verdict.signer = Some(id);
            verdict.wrong("too few of the signers signed the statement");
        }
        Judged::Unknown => verdict.unknown("the signer is none of the given keys"),
    }
    let statement = Statement::parse(&envelope.body).ok().filter(|_| envelope.kind == IN_TOTO);
    let Some(statement) = statement else {
        verdict.wrong("the statement is malformed");
        return None;
    };
    verdict.kind = Some(statement.build_type().to_owned());
    Some((statement, envelope.body))
}

/// What is said where a key's trust ends in a log that may be another one.
const NOT_SHOWN: &str =
    "a key was revoked or replaced since, and nothing shows that this happened in the log of the proof";

fn of_log(
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
            verdict.wrong("the key of the log was revoked or replaced before it signed the checkpoint")
        }
        Judged::Early(_) => {
            verdict.wrong("the key of the log was not trusted yet when it signed the checkpoint")
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
fn of_key_log(key_log: &KeyLog, note: Option<&Note>, trust: &Trust, verdict: &mut Verdict) {
    let Some(since) = key_log.note() else { return };
    if note.is_none_or(|note| note.head.origin != since.head.origin) {
        verdict.unknown("the entries about keys are of a log with another origin");
        return;
    }
    match trust.of_head(&since) {
        Judged::Good { .. } => {}
        Judged::Unknown => {
            verdict.unknown("the log of the entries about keys is signed by none of the given keys")
        }
        _ => verdict.wrong("the signature of the log of the entries about keys does not count"),
    }
}

/// Whether each witness signed the head of the proof, or one of which it is shown that it is of the same log.
fn of_witnesses(note: &Note, asked: &Asked<'_>, verdict: &mut Verdict) {
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

/// Whether the root on which trust rests is still in force.
fn of_root(trust: &Trust, asked: &Asked<'_>, verdict: &mut Verdict) {
    let expires = trust.root().and_then(|signed| signed.root.expires_at());
    if matches!(verdict.by, Some(By::Root(_))) && expires.is_some_and(|expires| expires <= asked.now) {
        verdict.unknown("the root metadata has expired");
    }
}

/// Counts those who repeated the run: each proof must hold, be about this statement, and be by somebody else.
fn count_reproductions(statement: &Statement, payload: &[u8], asked: &Asked<'_>, verdict: &mut Verdict) {
    let sum = resonetics_runs::files::sha256(payload);
    let mut by = Vec::new();
    for bytes in asked.reproductions {
        let other = Proof::parse(bytes).map(|proof| {
            let mut own = Verdict::default();
            let origin = |text: &str| Note::parse(text).map(|note| note.head.origin);
            // What is said of keys is said in a log, and theirs may be another one.
            let same = |key_log: &&KeyLog| origin(&key_log.checkpoint) == origin(&proof.checkpoint);
            let key_log = asked.key_log.filter(same);
            let inner = Asked {
                key_log,
                chain: None,
                artifact: None,
                heads: None,
                witnesses: &[],
                reproductions: &[],
                ..asked.clone()
            };
            (of_proof(&proof, &inner, &mut own), own)
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
            verdict.said("a reproduction is by the signer and counts for none");
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
    let note = asked.key_log.and_then(KeyLog::note);
    let entries = asked.key_log.zip(note.as_ref()).map(|(log, note)| included(&log.entries, &note.head));
    let lost = matches!(entries, Some(None));
    let held = of_chain(asked, None, seconds_of(&signature.time));
    let entries = entries.flatten().unwrap_or_default();
    let trust = Trust::of(asked.keys, asked.root, held.signer.as_ref(), &entries);
    match trust.of_file(&signature.keyid, &|key| signature.verified(key)) {
        Judged::Good { by, .. } => verdict.by = Some(by),
        Judged::Wrong(_) => verdict.wrong("the signature is wrong"),
        Judged::Ended(..) => {
            verdict.unknown("the key was revoked or replaced, and nothing tells whether it signed before");
        }
        Judged::Few(_) | Judged::Early(_) => verdict.unknown("more than one of the signers has to sign"),
        Judged::Unknown => verdict.unknown("the signer is none of the given keys"),
    }
    if lost {
        verdict.wrong("the log does not include an entry about keys");
    }
    if let Some(key_log) = asked.key_log {
        of_key_log(key_log, note.as_ref(), &trust, &mut verdict);
    }
    of_root(&trust, asked, &mut verdict);
    verdict.reasons.extend(held.reasons);
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
