//! Keys that are replaced, revoked and vouched for by others, as their users do it, and logs that others watch.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;

use common::{Place, Ran};
use serde_json::{Value, json};

const RUN: &str = "benchmark --episodes 2 --seed 3 --set max_steps=20 --out";

/// A folder with keys of these names.
fn keys(names: &[&str]) -> Place {
    let place = Place::new();
    for name in names {
        place.ok(&format!("lumen keys init --dir {name}"));
    }
    place
}

/// A run that is proven with a key.
fn proven(place: &Place, run: &str, words: &str) {
    place.ok(&format!("{RUN} {run}"));
    place.ok(&format!("lumen prove {run} {words}"));
}

fn checked(place: &Place, arguments: &str) -> (Option<i32>, Value) {
    let ran = place.run(&format!("lumen check-proof {arguments}"));
    (ran.code, ran.json())
}

fn said(told: &Value, part: &str) -> bool {
    told["reasons"].to_string().contains(part)
}

#[test]
fn a_key_is_replaced_and_the_old_one_still_vouches() {
    let place = keys(&["old"]);
    let none = place.run("lumen keys rotate --dir old --new new");
    assert!(none.code == Some(3) && !place.path("new").exists(), "{none:?}");
    proven(&place, "a", "--keys old");
    let told = place.ok("lumen keys rotate --dir old --new new").json();
    assert_eq!((&told["index"], &told["size"]), (&json!(1), &json!(2)));
    // The log is the new one's from now on.
    place.ok(&format!("{RUN} b"));
    assert!(place.refused("lumen prove b --keys old").contains("--formerly"));
    place.ok("lumen prove b --keys new");
    let (code, told) = checked(&place, "b.proof.json --key old/signer.pub.pem");
    assert_eq!((code, &told["trust"]), (Some(0), &json!("key")), "{told}");
    assert_eq!(checked(&place, "a.proof.json --key old/signer.pub.pem").0, Some(0));
    assert_eq!(checked(&place, "a.proof.json --key new/signer.pub.pem").0, Some(3));
    place.refused("lumen keys rotate --dir new --new new");
    assert_eq!(place.ok("lumen log head --key new/signer.pub.pem").json()["size"], 3);
}

/// What offline can be known: what is in the proof; with the log or what it said since, the rest.
#[test]
fn a_revocation_is_known_to_who_asks_the_log() {
    let place = keys(&["key", "heads"]);
    proven(&place, "a", "--keys key");
    // The heads become another key's.
    let id = place.ok("lumen keys rotate --dir key --new new").json()["old"].as_str().unwrap().to_owned();
    let revoke = |more: &str| place.run(&format!("lumen keys revoke {id} --dir key {more}"));
    let ran = revoke("--log-keys key");
    assert!(ran.code == Some(2) && ran.stderr.contains("nobody believes a head by a revoked key"), "{ran:?}");
    let ran = revoke("--log-keys new --since 9");
    assert!(ran.code == Some(2) && ran.stderr.contains("lies ahead"), "{ran:?}");
    for bad in
        ["--log-keys new --since soon", "--log-keys new --reason because", "--log nothing --log-keys new"]
    {
        assert!(matches!(revoke(bad).code, Some(2 | 3)), "{bad}");
    }
    let wrong = place.run(&format!("lumen keys revoke {id} --dir new --log-keys new"));
    assert!(
        wrong.code == Some(2) && wrong.stderr.contains("is revoked by itself, or by custodians"),
        "{wrong:?}"
    );
    assert_eq!(place.ok("lumen log head").json()["size"], 2);
    let told = revoke("--log-keys new --since 0 --reason key-compromise").json();
    assert_eq!((&told["index"], &told["since"]), (&json!(2), &json!(0)));
    let key = "a.proof.json --key key/signer.pub.pem --key new/signer.pub.pem";
    assert_eq!(checked(&place, key).0, Some(0));
    place.ok("lumen keys log --out keys.json");
    for since in ["--revocations keys.json", "--log log"] {
        let (code, told) = checked(&place, &format!("{key} {since}"));
        assert!(code == Some(1) && said(&told, "revoked before the log took the statement"), "{told}");
    }
    place.refused("lumen check-proof a.proof.json --revocations a.proof.json");
    place.refused("lumen check-proof a.proof.json --consistency keys.json");
    // Since now: the proof from before stays, for who can see that it is the same log.
    let place = keys(&["key", "heads"]);
    proven(&place, "a", "--keys key");
    let id = place.ok("lumen keys rotate --dir key --new new").json()["old"].as_str().unwrap().to_owned();
    place.ok(&format!("lumen keys revoke {id} --dir key --log-keys new"));
    place.ok("lumen keys log --out keys.json");
    let key = "a.proof.json --key key/signer.pub.pem --revocations keys.json";
    let (code, told) = checked(&place, key);
    assert!(
        code == Some(3) && said(&told, "nothing shows that this happened in the log of the proof"),
        "{told}"
    );
    place.write("1-3.json", place.ok("lumen log consistency 1").stdout);
    assert_eq!(checked(&place, &format!("{key} --consistency 1-3.json")).0, Some(0));
    assert_eq!(checked(&place, "a.proof.json --key key/signer.pub.pem --log log").0, Some(0));
    assert_eq!(place.run("lumen log consistency 1 4").code, Some(3));
}

/// Each custodian has a folder of its own, into which the request goes and out of which the part comes.
struct Custodians {
    place: Place,
    own: Vec<Place>,
}

impl Custodians {
    fn new() -> Custodians {
        let place = keys(&["signer", "next"]);
        let own: Vec<Place> = (0..3).map(|_| keys(&["keys"])).collect();
        for (at, one) in own.iter().enumerate() {
            fs::copy(one.path("keys/signer.pub.pem"), place.path(&format!("{at}.pem"))).unwrap();
        }
        Custodians { place, own }
    }

    /// The parts of these custodians, as words.
    fn signed(&self, request: &str, by: &[usize]) -> String {
        let mut parts = Vec::new();
        for at in by {
            let one = &self.own[*at];
            fs::copy(self.place.path(request), one.path("request")).unwrap();
            let part = format!("{request}.{at}");
            if !one.path(&part).exists() {
                one.ok(&format!("lumen keys root sign request --dir keys --out {part}"));
            }
            fs::copy(one.path(&part), self.place.path(&part)).unwrap();
            parts.push(part);
        }
        parts.join(" ")
    }

    fn accept(&self, request: &str, by: &[usize], words: &str) -> Ran {
        let parts = self.signed(request, by);
        self.place.run(&format!("lumen keys root accept {request} {parts} {words}"))
    }

    /// The first root, by two of them.
    fn rooted() -> Custodians {
        let all = Custodians::new();
        let words = "--custodian 0.pem --custodian 1.pem --custodian 2.pem --signer signer/signer.pub.pem";
        all.place.ok(&format!("lumen keys root init {words} --out first"));
        let alone = all.accept("first", &[1], "--out root.json");
        assert!(alone.code == Some(1) && !all.place.path("root.json").exists(), "{alone:?}");
        assert_eq!(all.accept("first", &[0, 1], "--out root.json").code, Some(0));
        all
    }
}

#[test]
fn custodians_replace_a_lost_key_that_signed_the_log_too() {
    let all = Custodians::rooted();
    let place = &all.place;
    proven(place, "a", "--keys signer");
    let (code, told) = checked(place, "a.proof.json --root root.json");
    let fingerprint = place.ok("lumen keys root show root.json").json()["fingerprint"].clone();
    assert_eq!((code, &told["trust"]), (Some(0), &json!(format!("root:{}", fingerprint.as_str().unwrap()))));
    // The key is gone; two of three name another one.
    fs::remove_file(place.path("signer/signer.pem")).unwrap();
    place.ok("lumen keys root request --root root.json --out second root --signer next/signer.pub.pem --log-key next/signer.pub.pem");
    let log = "--root root.json --out root-2.json --log log --log-keys next";
    let ran = all.accept("second", &[2], &format!("{log} --formerly signer/signer.pub.pem"));
    assert!(ran.code == Some(1) && ran.stderr.contains("1 of its own custodians"), "{ran:?}");
    let ran = all.accept("second", &[0, 2], log);
    assert!(ran.code == Some(2) && ran.stderr.contains("another key signs this log"), "{ran:?}");
    assert!(!place.path("root-2.json").exists());
    let ran = all.accept("second", &[0, 2], &format!("{log} --formerly signer/signer.pub.pem"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    proven(place, "b", "--keys next");
    // Who trusts the first root follows.
    for run in ["a", "b"] {
        let (code, told) = checked(place, &format!("{run}.proof.json --root root.json"));
        assert_eq!(code, Some(0), "{told}");
    }
    let (code, told) = checked(place, "a.proof.json --root root.json --log log");
    assert_eq!(code, Some(0), "{told}");
    let shown = place.ok("lumen keys root show root.json --log log").json();
    assert_eq!((&shown["state"], &shown["version"]), (&json!("replaced"), &json!(1)));
    place.refused("lumen keys root show a.proof.json");
    place.refused("lumen check-proof a.proof.json --root first");
}

#[test]
fn what_custodians_did_is_recorded_if_enough_of_them_say_so() {
    let all = Custodians::rooted();
    let place = &all.place;
    proven(place, "a", "--keys signer");
    place.write("seal.jpg", "picture");
    let request = "lumen keys root request --root root.json --out";
    place.ok(&format!("{request} record record initial --seal 17 --photo seal.jpg"));
    let log = "--root root.json --log log --log-keys signer";
    let ran = all.accept("record", &[2, 2], log);
    assert!(
        ran.code == Some(1) && ran.stderr.contains("1 of the custodians signed it, and it takes 2"),
        "{ran:?}"
    );
    assert_eq!(place.ok("lumen keys root show root.json --log log").json()["state"], Value::Null);
    assert_eq!(all.accept("record", &[1, 2], log).code, Some(0));
    let state = || place.ok("lumen keys root show root.json --log log").json()["state"].clone();
    assert_eq!(state(), "active");
    for (event, expected) in
        [("close", "sealed"), ("open", "active"), ("audit", "sealed"), ("revoke", "revoked")]
    {
        place.ok(&format!("{request} {event} record {event}"));
        assert_eq!(all.accept(event, &[0, 1], log).code, Some(0));
        assert_eq!(state(), expected, "{event}");
    }
    place.refused(&format!("{request} record record party"));
    place.refused(&format!("{request} again record audit --participant nobody"));
    place.refused("lumen keys root accept record record.1 record.2 --root root.json");
    place.refused("lumen keys root accept record seal.jpg --root root.json");
    // Two of them revoke the signer; what it signed before stays.
    let id = place.json("a.proof.json")["envelope"].as_str().unwrap().to_owned();
    let id =
        serde_json::from_str::<Value>(&id).unwrap()["signatures"][0]["keyid"].as_str().unwrap().to_owned();
    place.ok(&format!("{request} lost revoke {id} --reason key-lost"));
    let taken = "--root root.json --log log --log-keys next --formerly signer/signer.pub.pem";
    assert_eq!(all.accept("lost", &[0, 2], taken).code, Some(0));
    let (code, told) = checked(place, "a.proof.json --root root.json --key next/signer.pub.pem --log log");
    assert_eq!(code, Some(0), "{told}");
    place.ok(&format!("{request} other rotate {id} --new next/signer.pub.pem"));
}

#[test]
fn certificates_go_with_a_proof_and_a_revoked_one_does_not_hold() {
    let place = keys(&["ca", "signer"]);
    let told = place.ok("lumen keys issue --ca ca --out root.pem").json();
    let root = told["root"].as_str().unwrap().to_owned();
    let issue = "lumen keys issue --ca ca --root root.pem --key signer/signer.pub.pem --out chain.pem";
    place.ok(issue);
    assert!(place.refused(issue).contains("nothing was overwritten"));
    place.ok("lumen keys crl --ca ca --root root.pem --out crl.pem");
    place.ok(&format!("{RUN} a"));
    place.ok("lumen prove a --keys signer --chain chain.pem --crl crl.pem");
    let check = format!("a.proof.json --chain-root {root}");
    let (code, told) = checked(&place, &check);
    assert_eq!((code, &told["trust"]), (Some(0), &json!(format!("chain:{root}"))), "{told}");
    place.ok("lumen keys crl --ca ca --root root.pem --after crl.pem --revoke chain.pem --reason superseded --out crl-2.pem");
    let (code, told) = checked(&place, &format!("{check} --chain chain.pem --crl crl-2.pem"));
    assert!(code == Some(1) && said(&told, "the certificate of the signer was revoked"), "{told}");
    place.refused("lumen check-proof a.proof.json --chain chain.pem");
    place.refused("lumen check-proof a.proof.json --chain-root 12");
    place.refused("lumen keys crl --ca signer --root root.pem --out x.pem");
    place.refused("lumen keys crl --ca ca --root crl.pem --out x.pem");
    place.refused(
        "lumen keys issue --ca ca --root root.pem --key signer/signer.pub.pem --days 3651 --out x.pem",
    );
}

#[test]
fn a_log_is_watched_published_and_summed_up() {
    let place = keys(&["keys", "own"]);
    proven(&place, "a", "--keys keys");
    let log = "--key keys/signer.pub.pem";
    let told = place.ok(&format!("lumen log stats {log}")).json();
    let bytes = told["bytes"].as_u64().unwrap();
    assert_eq!((&told["ok"], &told["height"], bytes > 500), (&json!(true), &json!(1), true));
    assert_eq!(told["head"], place.ok("lumen log head").json()["root"]);
    let told = place.ok(&format!("lumen log witness seen {log} --keys own --name example.test/w")).json();
    let cosigned = told["cosigned"].as_str().unwrap().to_owned();
    let check = format!("a.proof.json {log} --witness own/signer.pub.pem");
    assert_eq!(checked(&place, &check).0, Some(3));
    assert_eq!(checked(&place, &format!("{check} --cosigned {cosigned}")).0, Some(0));
    proven(&place, "b", "--keys keys");
    place.ok(&format!("lumen log witness seen {log} --keys own --name example.test/w"));
    assert_eq!(checked(&place, &format!("{check} --cosigned {cosigned} --log log")).0, Some(0));
    place.refused("lumen log witness seen --keys own");
    place.ok("lumen log publish public");
    place.ok(&format!("lumen log verify --log public {log}"));
    assert_eq!(place.json("public/v1/log/root")["size"], 2);
    fs::create_dir(place.path("other")).unwrap();
    place.refused("lumen log publish other");
    let tile = "log/tile/0/000.p/2";
    let mut damaged = place.bytes(tile);
    damaged[40] ^= 1;
    place.write(tile, damaged);
    let ran = place.run(&format!("lumen log stats {log}"));
    assert_eq!((ran.code, &ran.json()["ok"]), (Some(1), &json!(false)), "{ran:?}");
    let ran = place.run("lumen log publish public");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(place.run("lumen log stats --log nothing").code, Some(3));
}

/// What a careless or hostile hand might do to keys, logs and proofs.
#[test]
fn nothing_private_and_nothing_of_others_is_written_over_or_given_away() {
    let place = Place::new();
    place.ok("lumen keys init --dir keys");
    place.ok("lumen keys init --dir ca");
    place.ok("lumen keys issue --ca ca --out ca.pem");
    place.ok("lumen keys issue --ca ca --root ca.pem --key keys/signer.pub.pem --out chain.pem");
    place.ok("lumen keys crl --ca ca --root ca.pem --out crl.pem");
    place.ok("benchmark --episodes 2 --seed 3 --set max_steps=20 --out run");
    // A private key is no certificate and no list, and what lies beside one in a file stays there.
    let secret = place.text("keys/signer.pem");
    for words in ["--chain keys/signer.pem", "--chain chain.pem --crl keys/signer.pem"] {
        place.refused(&format!("lumen prove run --keys keys {words}"));
    }
    place.write("both.pem", secret.clone() + &place.text("chain.pem"));
    place.ok("lumen prove run --keys keys --chain both.pem --crl crl.pem");
    let body = secret.lines().nth(1).unwrap();
    assert!(
        !place.text("run.proof.json").contains(body) && !place.text("run.proof.json").contains("PRIVATE")
    );
    // Of another key, or younger than the run.
    place.ok("benchmark --episodes 2 --seed 4 --set max_steps=20 --out other");
    place.ok("lumen keys init --dir keys-2");
    place.ok("lumen keys issue --ca ca --root ca.pem --key keys-2/signer.pub.pem --out chain-2.pem");
    let told = place.refused("lumen prove other --keys keys --chain chain-2.pem --crl crl.pem");
    assert!(told.contains("another key") || told.contains("and then run"), "{told}");
    // Another root's certificate is not revoked by this one.
    place.ok("lumen keys init --dir ca-2");
    place.ok("lumen keys issue --ca ca-2 --out ca-2.pem");
    let told = place.refused("lumen keys crl --ca ca-2 --root ca-2.pem --revoke chain.pem --out crl-2.pem");
    assert!(told.contains("not issued by this root"), "{told}");
    // What lies where something is to be written.
    let told = place.refused("lumen keys log --log log --out keys/signer.pem");
    assert!(told.contains("nothing was overwritten"), "{told}");
    assert_eq!(place.text("keys/signer.pem"), secret);
    place.ok("lumen keys log --log log --out keys.json");
    place.ok("lumen keys log --log log --out keys.json");
    for to in ["log", "log/x", "."] {
        place.refused(&format!("lumen log publish {to} --log log"));
    }
    place.ok("lumen log publish site --log log");
    place.ok("lumen log publish site --log log");
    place.write("site/index.html", "mine");
    let told = place.refused("lumen log publish site --log log");
    assert!(told.contains("index.html") && place.text("site/index.html") == "mine", "{told}");
    place.ok("lumen log verify --log log --key keys/signer.pub.pem");
    // Witnesses have folders of their own, and are somebody else than the log.
    let witness = "lumen log witness seen --log log --key keys/signer.pub.pem";
    place.refused(&format!("{witness} --keys keys"));
    place.ok(&format!("{witness} --keys keys-2"));
    place.ok(&format!("{witness} --keys keys-2"));
    let told = place.refused(&format!("{witness} --keys ca"));
    assert!(told.contains("another witness"), "{told}");
    // What is about logs says nothing of a signature beside a file.
    place.ok("lumen sign run/episodes.csv --keys keys");
    let file = "run/episodes.csv.sig.json --key keys/signer.pub.pem";
    place.ok(&format!("lumen check-proof {file}"));
    place.refused(&format!("lumen check-proof {file} --witness keys-2/signer.pub.pem"));
    // A list of targets that is none.
    place.write("notes.txt", "mine");
    let told = place.refused("lumen serve run --port 0 --targets notes.txt --store s.db --ledger r.jsonl");
    assert!(told.contains("notes.txt") && place.text("notes.txt") == "mine", "{told}");
}

/// A record that is put into the log again in another spelling says nothing new.
#[test]
fn a_record_of_custodians_counts_once() {
    let place = Place::new();
    for who in ["keys", "a", "b"] {
        place.ok(&format!("lumen keys init --dir {who}"));
    }
    let who = "--custodian a/signer.pub.pem --custodian b/signer.pub.pem --signer keys/signer.pub.pem";
    place.ok(&format!("lumen keys root init {who} --out request"));
    let signed = |name: &str, accept: &str| {
        for who in ["a", "b"] {
            place.ok(&format!("lumen keys root sign {name} --dir {who} --out {name}-{who}"));
        }
        place.ok(&format!("lumen keys root accept {name} {name}-a {name}-b {accept}"));
    };
    signed("request", "--out root.json");
    place.ok("benchmark --episodes 2 --seed 3 --set max_steps=20 --out run");
    place.ok("lumen prove run --keys keys");
    for event in ["open", "close"] {
        place.ok(&format!("lumen keys root request --root root.json --out {event} record {event}"));
        signed(event, "--root root.json --log log --log-keys keys");
    }
    let state = || place.ok("lumen keys root show root.json --log log").json()["state"].clone();
    assert_eq!(state(), "sealed");
    let entry = fs::read(place.path("log/tile/entries/000.p/3")).unwrap();
    let text = String::from_utf8_lossy(&entry);
    let begin = text.match_indices("{\"payload\"").nth(1).unwrap().0;
    let envelope: Value =
        serde_json::Deserializer::from_str(&text[begin..]).into_iter().next().unwrap().unwrap();
    place.write("again.json", serde_json::to_string_pretty(&envelope).unwrap());
    place.ok("lumen log append again.json --log log --keys keys");
    assert_eq!(place.ok("lumen log head --log log").json()["size"], 4);
    assert_eq!(state(), "sealed");
}
