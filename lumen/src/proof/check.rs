//! Whether a proof holds: from the file, who is trusted, and nothing else. `lumen/verify/check_proof.py` says the same, in
//! one file that needs none of this.

use std::time::UNIX_EPOCH;

use humantime::parse_rfc3339;

pub use super::asked::Asked;
use super::chain::{Chain, Held};
use super::check_log::{Elsewhere, NOT_SHOWN, gather, of_key_log, of_log, of_witnesses};
use super::detached::{self, Detached};
use super::dsse::{Envelope, IN_TOTO};
use super::file::Proof;
use super::key_log::{Entries, KeyLog, included};
use super::note::Note;
use super::statement::{REPRODUCED, Statement};
use super::trust::{By, Ended, Judged, Trust};
use super::verdict::Weight;
pub use super::verdict::{Ends, Verdict};

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
