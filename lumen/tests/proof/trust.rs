//! Keys that were lost, stolen, replaced: what still holds, by both verifiers.

use std::fs;
use std::path::Path;

use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::check::Ends;
use resonetics_lumen::proof::consistency::Consistency;
use resonetics_lumen::proof::dsse::{Envelope, IN_TOTO};
use resonetics_lumen::proof::file::{By, prove};
use resonetics_lumen::proof::key::Secret;
use resonetics_lumen::proof::key_change::{self, revoke, rotate};
use resonetics_lumen::proof::key_event::{KeyEvent, Revoked};
use resonetics_lumen::proof::key_log::{KeyLog, entries};
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::note::Note;
use resonetics_lumen::proof::request::Request;
use resonetics_lumen::proof::root::Signed;
use resonetics_lumen::proof::text::hex;
use resonetics_lumen::proof::witness::witness;
use serde_json::{Value, json};

use super::check::both;
use super::common::{Place, by, copy};
use super::custodians::{LATER, root, sealed};

/// A log whose heads one key signs, and statements of another.
struct Story {
    place: Place,
    signer: Secret,
    heads: Secret,
    seed: u64,
}

const KEYS: [&str; 4] = ["--key", "signer/signer.pub.pem", "--key", "heads/signer.pub.pem"];
const KEY: [&str; 2] = ["--key", "signer/signer.pub.pem"];

impl Story {
    fn new() -> Story {
        let place = Place::new();
        let (signer, heads) = (place.key("signer"), place.key("heads"));
        Story { place, signer, heads, seed: 0 }
    }

    fn log(&self) -> std::path::PathBuf {
        self.place.path("log")
    }

    fn heads(&self, what: impl FnOnce(&key_change::Log<'_>)) {
        what(&key_change::Log { dir: &self.log(), key: &self.heads, formerly: None });
    }

    /// A statement by this key becomes the next entry.
    fn said(&mut self, by: &str) -> (u64, String) {
        self.seed += 1;
        let statement = self.place.statement(&format!("run-{}", self.seed), self.seed);
        let envelope = statement.sealed(&self.key(by));
        (self.entry(&envelope), envelope)
    }

    fn key(&self, name: &str) -> Secret {
        Secret::open(&self.place.path(name), &super::common::none).unwrap()
    }

    fn entry(&self, envelope: &str) -> u64 {
        let origin = (!self.log().exists()).then_some("example.test/log");
        let mut writer = Writer::open(&self.log(), &self.heads, origin).unwrap();
        let index = writer.append(envelope.as_bytes()).unwrap();
        writer.commit().unwrap();
        index
    }

    /// The proof of an entry at the present head.
    fn proof(&self, name: &str, (index, envelope): &(u64, String)) {
        let mut log = Log::open(&self.log(), &[]).unwrap();
        let inclusion: Vec<String> = log.inclusion(*index).unwrap().iter().map(|hash| hex(hash)).collect();
        let keys = entries(&mut log).unwrap();
        let mut proof = json!({
            "format": "resonetics-proof/1", "envelope": envelope, "checkpoint": log.note, "index": index,
            "inclusion": inclusion,
        });
        if !keys.is_empty() {
            proof["keys"] = json!(keys);
        }
        fs::write(self.place.path(name), proof.to_string()).unwrap();
    }

    fn key_log(&self, log: &Path, name: &str) {
        KeyLog::of(&mut Log::open(log, &[]).unwrap()).unwrap().write(&self.place.path(name)).unwrap();
    }

    fn consistency(&self, old: u64, name: &str) {
        let mut log = Log::open(&self.log(), &[]).unwrap();
        let (origin, new) = (log.head.origin.clone(), log.head.size);
        let proof = log.consistency(old, new).unwrap();
        fs::write(self.place.path(name), Consistency::new(&origin, old, new, &proof).text()).unwrap();
    }

    #[track_caller]
    fn ends(&self, file: &str, arguments: &[&str], expected: Ends, reason: &str) -> Value {
        let (ends, told) = both(&self.place, file, arguments);
        assert!(ends == expected && told["reasons"].to_string().contains(reason), "{arguments:?}: {told}");
        told
    }
}

fn with<'a>(keys: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [keys, more].concat()
}

#[test]
fn a_key_hands_trust_on_to_the_one_that_takes_its_place() {
    let mut story = Story::new();
    let place = &story.place;
    let new = place.key("new");
    let log = story.log();
    let statement = |seed: u64| place.statement(&format!("r{seed}"), seed);
    prove(&statement(101), &by(&story.signer, &log), &place.path("1.json")).unwrap();
    let by_old = key_change::Log { dir: &log, key: &story.signer, formerly: None };
    assert_eq!(rotate(&by_old, &story.signer, &new).unwrap().0, 1);
    prove(&statement(102), &by(&new, &log), &place.path("2.json")).unwrap();
    // Who knew the old one alone believes both; who knows the new one alone, what it signed.
    assert_eq!(story.ends("1.json", &KEY, Ends::Good, "")["trust"], "key");
    let told = story.ends("2.json", &KEY, Ends::Good, "");
    assert_eq!((&told["signer"], &told["trust"]), (&json!(new.public().id()), &json!("key")));
    let new_key = ["--key", "new/signer.pub.pem"];
    story.ends("2.json", &new_key, Ends::Good, "");
    story.ends("1.json", &new_key, Ends::Unknown, "the signer is none of the given keys");
    // The old one signs nothing more, neither statements nor heads.
    story.heads = new;
    let late = story.said("signer");
    story.proof("late.json", &late);
    story.ends("late.json", &KEY, Ends::Bad, "another key had taken the place of the signer's");
    let fork = story.place.path("fork");
    copy(&log, &fork);
    let (new, old) = (story.key("new"), story.key("signer"));
    let statement = story.place.statement("r104", 104);
    let before = Some(new.public());
    prove(&statement, &By { formerly: before.as_ref(), ..by(&old, &fork) }, &story.place.path("fork.json"))
        .unwrap();
    story.ends("fork.json", &KEY, Ends::Bad, "revoked or replaced before it signed the checkpoint");
    assert!(rotate(&key_change::Log { dir: &log, key: &old, formerly: None }, &old, &old).is_err());
}

#[test]
fn what_was_signed_before_a_revocation_stays() {
    let mut story = Story::new();
    let (first, second) = (story.said("signer"), story.said("signer"));
    story.proof("1.json", &first);
    story.proof("2.json", &second);
    let signer = story.key("signer");
    story.heads(|log| {
        assert!(
            revoke(log, &signer, "key-compromise", Some(3)).unwrap_err().to_string().contains("lies ahead")
        );
        assert_eq!(revoke(log, &signer, "key-compromise", Some(1)).unwrap().0, 2);
        let own = key_change::Log { key: &signer, ..*log };
        assert!(revoke(&own, &signer, "key-lost", None).unwrap_err().to_string().contains("--log-keys"));
    });
    // Who has the proof alone cannot know what was said since.
    story.ends("2.json", &KEYS, Ends::Good, "");
    story.key_log(&story.log(), "keys.json");
    let since = with(&KEYS, &["--revocations", "keys.json"]);
    story.ends("2.json", &since, Ends::Bad, "revoked before the log took the statement");
    // A thief who signs heads too could put its statement before the revocation, in a log of its own.
    story.ends("1.json", &since, Ends::Unknown, "nothing shows that this happened in the log of the proof");
    story.consistency(2, "2-3.json");
    story.ends("1.json", &with(&since, &["--consistency", "2-3.json"]), Ends::Good, "");
    let told =
        story.ends("2.json", &with(&since, &["--consistency", "2-3.json"]), Ends::Bad, "revoked before");
    assert_eq!(told["trust"], "none");
    // A proof that is made now has the revocation in it.
    story.proof("1.json", &first);
    story.proof("2.json", &second);
    story.ends("1.json", &KEYS, Ends::Good, "");
    story.ends("2.json", &KEYS, Ends::Bad, "revoked before the log took the statement");
    let third = story.said("signer");
    story.proof("3.json", &third);
    story.ends("3.json", &KEYS, Ends::Bad, "revoked before the log took the statement");
    // An entry about keys that is not in the log.
    let mut proof: Value = serde_json::from_slice(&fs::read(story.place.path("1.json")).unwrap()).unwrap();
    proof["keys"][0]["index"] = json!(1);
    fs::write(story.place.path("moved.json"), proof.to_string()).unwrap();
    story.ends("moved.json", &KEYS, Ends::Bad, "does not include an entry about keys");
    proof["keys"][0]["more"] = json!(1);
    fs::write(story.place.path("moved.json"), proof.to_string()).unwrap();
    story.ends("moved.json", &KEYS, Ends::Bad, "the file is no proof");
}

#[test]
fn revocations_of_others_and_of_other_logs_count_for_nothing() {
    let mut story = Story::new();
    let first = story.said("signer");
    story.proof("1.json", &first);
    let keyid = story.signer.public().id();
    let event = KeyEvent::Revoked(Revoked { keyid, reason: "unspecified".to_owned(), since: Some(0) });
    story.entry(&Envelope::seal(IN_TOTO, &event.bytes(), &story.heads));
    story.key_log(&story.log(), "keys.json");
    story.consistency(1, "1-2.json");
    let shown = with(&KEYS, &["--revocations", "keys.json", "--consistency", "1-2.json"]);
    story.ends("1.json", &shown, Ends::Good, "");
    // Another log of the same name and key, in which the key was revoked: one of them is a fork.
    fs::remove_dir_all(story.log()).unwrap();
    story.said("signer");
    let signer = story.key("signer");
    story.heads(|log| drop(revoke(log, &signer, "unspecified", Some(0)).unwrap()));
    story.key_log(&story.log(), "fork.json");
    story.consistency(1, "fork-1-2.json");
    for proof in ["1-2.json", "fork-1-2.json"] {
        let shown = with(&KEYS, &["--revocations", "fork.json", "--consistency", proof]);
        story.ends("1.json", &shown, Ends::Bad, "another one than that of the entries about keys");
    }
    let other = story.place.path("other-log");
    let mut writer = Writer::open(&other, &story.heads, Some("example.test/other")).unwrap();
    writer.append(b"x").unwrap();
    writer.commit().unwrap();
    story.key_log(&other, "other.json");
    let shown = with(&KEYS, &["--revocations", "other.json"]);
    story.ends("1.json", &shown, Ends::Unknown, "are of a log with another origin");
    // Nobody who is trusted signed the head of the entries.
    let twin = story.place.key("heads-2");
    let mut log = Writer::open(&story.place.path("log-2"), &twin, Some("example.test/log")).unwrap();
    log.append(b"x").unwrap();
    log.append(b"y").unwrap();
    log.commit().unwrap();
    story.key_log(&story.place.path("log-2"), "log-2.json");
    story.ends(
        "1.json",
        &with(&KEYS, &["--revocations", "log-2.json"]),
        Ends::Unknown,
        "by none of the given keys",
    );
}

/// The thief names itself the successor before the theft is known.
#[test]
fn a_stolen_key_names_no_successor() {
    let mut story = Story::new();
    story.said("signer");
    let (signer, thief) = (story.key("signer"), story.place.key("thief"));
    story.heads(|log| drop(rotate(log, &signer, &thief).unwrap()));
    let late = story.said("thief");
    story.proof("late.json", &late);
    story.ends("late.json", &KEYS, Ends::Good, "");
    story.heads(|log| drop(revoke(log, &signer, "key-compromise", Some(1)).unwrap()));
    story.proof("late.json", &late);
    story.ends("late.json", &KEYS, Ends::Unknown, "the signer is none of the given keys");
    // Revoked after it named one, it named one.
    let mut story = Story::new();
    story.said("signer");
    let (signer, next) = (story.key("signer"), story.place.key("next"));
    story.heads(|log| {
        rotate(log, &signer, &next).unwrap();
        drop(revoke(log, &signer, "superseded", None).unwrap());
    });
    let late = story.said("next");
    story.proof("late.json", &late);
    story.ends("late.json", &KEYS, Ends::Good, "");
    // Nor is a second successor one.
    let mut story = Story::new();
    story.said("signer");
    let signer = story.key("signer");
    story.place.key("first");
    story.place.key("second");
    for name in ["first", "second"] {
        let next = story.key(name);
        story.heads(|log| drop(rotate(log, &signer, &next).unwrap()));
    }
    let (one, two) = (story.said("first"), story.said("second"));
    story.proof("1.json", &one);
    story.proof("2.json", &two);
    story.ends("1.json", &KEYS, Ends::Good, "");
    story.ends("2.json", &KEYS, Ends::Unknown, "the signer is none of the given keys");
}

#[test]
fn custodians_say_who_is_trusted_and_until_when() {
    let mut story = Story::new();
    let [a, b, c, new] = ["a", "b", "c", "new"].map(|name| story.place.key(name));
    let of = |version: u64, expires: &str, signer: &Secret| {
        root(version, expires, &[&a, &b, &c], 2, signer, &story.heads)
    };
    let first = sealed(&Request::root(&of(1, LATER, &story.signer)), &[&a, &b]);
    let expired = sealed(&Request::root(&of(1, "2020-01-01T00:00:00Z", &story.signer)), &[&a, &b]);
    let second = sealed(&Request::root(&of(2, LATER, &new)), &[&b, &c]);
    let by_one = sealed(&Request::root(&of(2, LATER, &new)), &[&b]);
    fs::write(story.place.path("root.json"), &first).unwrap();
    fs::write(story.place.path("expired.json"), &expired).unwrap();
    let by_root = ["--root", "root.json"];
    let one = story.said("signer");
    story.proof("1.json", &one);
    let told = story.ends("1.json", &by_root, Ends::Good, "");
    let fingerprint = Signed::parse(first.as_bytes()).unwrap().fingerprint;
    assert_eq!(told["trust"], format!("root:{fingerprint}"));
    story.ends("1.json", &["--root", "expired.json"], Ends::Unknown, "the root metadata has expired");
    // A key that was given needs no root.
    assert_eq!(
        story.ends("1.json", &with(&KEYS, &["--root", "expired.json"]), Ends::Good, "")["trust"],
        "key"
    );
    // One alone; and the old ones, with one of the new who does not suffice there.
    let fourth = story.place.key("fourth");
    let others = root(2, LATER, &[&a, &c, &fourth], 2, &new, &story.heads);
    story.entry(&by_one);
    story.entry(&sealed(&Request::root(&others), &[&a, &b]));
    let early = story.said("new");
    story.proof("early.json", &early);
    story.ends("early.json", &by_root, Ends::Unknown, "the signer is none of the given keys");
    story.entry(&second);
    let (old, new) = (story.said("signer"), story.said("new"));
    for (name, entry) in [("1.json", &one), ("early.json", &early), ("old.json", &old), ("new.json", &new)] {
        story.proof(name, entry);
    }
    story.ends("1.json", &by_root, Ends::Good, "");
    story.ends("new.json", &by_root, Ends::Good, "");
    story.ends("early.json", &by_root, Ends::Bad, "was not trusted yet");
    story.ends("old.json", &by_root, Ends::Bad, "another key had taken the place of the signer's");
    // Two of them revoke, one does not.
    let event =
        |keyid: String| KeyEvent::Revoked(Revoked { keyid, reason: "key-lost".to_owned(), since: None });
    let request = Request::key(&event(story.key("new").public().id()));
    story.entry(&sealed(&request, &[&a]));
    let more = story.said("new");
    story.proof("more.json", &more);
    story.ends("more.json", &by_root, Ends::Good, "");
    story.entry(&sealed(&request, &[&a, &c]));
    let last = story.said("new");
    story.proof("last.json", &last);
    story.proof("more.json", &more);
    story.ends("more.json", &by_root, Ends::Good, "");
    story.ends("last.json", &by_root, Ends::Bad, "revoked before the log took the statement");
    // Nobody rotates what is revoked, and custodians name a successor.
    let next = story.place.key("next");
    let request = Request::key(&KeyEvent::rotated(&story.heads.public().id(), &next.public()));
    story.entry(&sealed(&request, &[&a, &b]));
    story.heads = next;
    let log = story.log();
    let before = story.key("heads").public();
    let mut writer = Writer::open_after(&log, &story.heads, Some(&before), None).unwrap();
    writer.append(b"z").unwrap();
    writer.commit().unwrap();
    story.proof("1.json", &one);
    story.ends("1.json", &by_root, Ends::Good, "");
}

#[test]
fn a_signature_without_a_log_is_of_no_known_age() {
    let mut story = Story::new();
    story.said("signer");
    let file = story.place.path("file");
    fs::write(&file, "text").unwrap();
    resonetics_lumen::proof::detached::sign(&file, &story.signer).unwrap();
    story.ends("file.sig.json", &KEY, Ends::Good, "");
    let signer = story.key("signer");
    story.heads(|log| drop(revoke(log, &signer, "superseded", None).unwrap()));
    story.key_log(&story.log(), "keys.json");
    let since = with(&KEYS, &["--revocations", "keys.json"]);
    story.ends("file.sig.json", &since, Ends::Unknown, "nothing tells whether it signed before");
}

/// Heads of other sizes say something too, where it is shown that they belong together.
#[test]
fn a_head_of_another_size_holds_a_proof_to_its_log() {
    let mut story = Story::new();
    let one = story.said("signer");
    story.proof("1.json", &one);
    story.said("signer");
    story.said("signer");
    let head = Log::open(&story.log(), &[]).unwrap().head;
    let line =
        |root: &str| json!({ "origin": head.origin, "size": head.size, "root": root }).to_string() + "\n";
    let heads = with(&KEYS, &["--heads", "heads.jsonl"]);
    fs::write(story.place.path("heads.jsonl"), line(&hex(&head.root))).unwrap();
    story.ends("1.json", &heads, Ends::Unknown, "no head of this size was kept");
    story.consistency(1, "1-3.json");
    let shown = with(&heads, &["--consistency", "1-3.json"]);
    story.ends("1.json", &shown, Ends::Good, "");
    fs::write(story.place.path("heads.jsonl"), line(&"0".repeat(64))).unwrap();
    story.ends("1.json", &shown, Ends::Bad, "another one than the kept heads say");
    // A proof for other sizes shows nothing.
    story.consistency(2, "2-3.json");
    story.ends(
        "1.json",
        &with(&heads, &["--consistency", "2-3.json"]),
        Ends::Unknown,
        "no head of this size",
    );
}

/// Heads that a witness keeps elsewhere.
#[test]
fn a_witness_signs_what_follows_and_no_fork() {
    let mut story = Story::new();
    let one = story.said("signer");
    story.proof("1.json", &one);
    let (log, dir, keys) = (story.log(), story.place.path("witness"), [story.heads.public()]);
    let own = story.place.key("own");
    let see = |log: &Path| witness(log, &keys, &dir, &own, "example.test/witness", 1_800_000_000);
    let (head, note) = see(&log).unwrap();
    assert_eq!(head.size, 1);
    copy(&log, &story.place.path("before"));
    fs::copy(&note, story.place.path("cosigned")).unwrap();
    let asked = with(&KEYS, &["--witness", "own/signer.pub.pem"]);
    story.ends("1.json", &asked, Ends::Unknown, "a witness did not sign a head");
    story.ends("1.json", &with(&asked, &["--cosigned", "cosigned"]), Ends::Good, "");
    let other = with(&KEYS, &["--witness", "heads/signer.pub.pem", "--cosigned", "cosigned"]);
    story.ends("1.json", &other, Ends::Unknown, "a witness did not sign a head");
    // The note is still one of the log, and one changed letter is found.
    let text = fs::read_to_string(&note).unwrap();
    assert_eq!(Note::parse(&text).unwrap().signed_by(&keys), Some(true));
    let at = text.len() - 10;
    let turned = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    fs::write(story.place.path("cosigned"), text[..at].to_owned() + turned + &text[at + 1..]).unwrap();
    story.ends(
        "1.json",
        &with(&asked, &["--cosigned", "cosigned"]),
        Ends::Bad,
        "the signature of a witness is wrong",
    );
    // A later head shows it with the proof that it follows.
    story.said("signer");
    fs::copy(see(&log).unwrap().1, story.place.path("cosigned")).unwrap();
    let late = with(&asked, &["--cosigned", "cosigned"]);
    story.ends("1.json", &late, Ends::Unknown, "nothing shows that a witness saw");
    story.consistency(1, "1-2.json");
    story.ends("1.json", &with(&late, &["--consistency", "1-2.json"]), Ends::Good, "");
    // The same again is nothing new; what was taken back, and another log of this name, is not signed.
    let before = fs::read_to_string(dir.join("heads.jsonl")).unwrap();
    see(&log).unwrap();
    assert_eq!(fs::read_to_string(dir.join("heads.jsonl")).unwrap(), before);
    let cosigned = fs::read_to_string(see(&log).unwrap().1).unwrap();
    let taken = see(&story.place.path("before")).unwrap_err().to_string();
    assert!(taken.contains("were taken back"), "{taken}");
    for entries in [1, 2, 3] {
        fs::remove_dir_all(&log).unwrap();
        for _ in 0..entries {
            story.said("signer");
        }
        let refused = see(&log).unwrap_err().to_string();
        assert!(refused.contains("another one than was seen"), "{refused}");
    }
    let kept = resonetics_lumen::proof::witness::place(&dir, "example.test/log");
    assert_eq!(fs::read_to_string(kept).unwrap(), cosigned);
    let last = story.said("signer");
    story.proof("fork.json", &last);
    story.consistency(2, "2-4.json");
    let fork = with(&late, &["--consistency", "2-4.json"]);
    story.ends("fork.json", &fork, Ends::Bad, "a witness saw another log");
    assert!(witness(&log, &keys, &dir, &own, "a b", 0).is_err());
}
