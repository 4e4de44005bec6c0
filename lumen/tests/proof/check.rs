//! Good proofs, and each part of one changed: what our verifier says of them, and that the one in Python says the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::check::{Asked, Ends, check};
use resonetics_lumen::proof::detached;
use resonetics_lumen::proof::digest::digest;
use resonetics_lumen::proof::dsse::{Envelope, IN_TOTO};
use resonetics_lumen::proof::file::prove;
use resonetics_lumen::proof::heads::Heads;
use resonetics_lumen::proof::key::Secret;
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::statement::{Built, Statement};
use serde_json::{Value, json};

use super::common::Place;

/// Three runs proven in one log, one of them repeated by somebody else, and a file that is signed.
struct Made {
    place: Place,
    key: Secret,
    other: Secret,
}

impl Made {
    fn new() -> Made {
        let place = Place::new();
        let (key, other) = (place.key("keys"), place.key("other"));
        place.key("third");
        let log = place.path("log");
        for seed in [1, 2, 3] {
            let statement = place.statement(&format!("run-{seed}"), seed);
            prove(&statement, &key, &log, None, &place.path(&format!("{seed}.json"))).unwrap();
        }
        let made = Made { place, key, other };
        let first = made.statement("2.json");
        for (by, log, name) in [(&made.other, "other-log", "repeated"), (&made.key, "log", "self")] {
            made.place.run(name, 2);
            let again = first.reproduced(&first.bytes(), &made.place.path(name), &Built::default()).unwrap();
            let (log, path) = (made.place.path(log), made.place.path(&format!("{name}.json")));
            prove(&again, by, &log, None, &path).unwrap();
        }
        fs::write(made.place.path("file"), "text").unwrap();
        detached::sign(&made.place.path("file"), &made.key).unwrap();
        made
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.place.path(name)).unwrap()).unwrap()
    }

    fn statement(&self, name: &str) -> Statement {
        let envelope = self.json(name)["envelope"].as_str().unwrap().to_owned();
        Statement::parse(&Envelope::open(envelope.as_bytes()).unwrap().body).unwrap()
    }

    /// The proof of a body that our key signed and our log took, whatever it says.
    fn sealed(&self, kind: &str, body: &[u8]) -> Value {
        let envelope = Envelope::seal(kind, body, &self.key);
        let log = self.place.path("log");
        let mut writer = Writer::open(&log, &self.key, None).unwrap();
        let (index, _) = writer.append_once(envelope.as_bytes()).unwrap();
        writer.commit().unwrap();
        let mut log = Log::open(&log, &[]).unwrap();
        let inclusion: Vec<String> = log.inclusion(index).unwrap().iter().map(|hash| hex(hash)).collect();
        json!({
            "format": "resonetics-proof/1", "envelope": envelope, "checkpoint": log.note, "index": index,
            "inclusion": inclusion,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What both verifiers say; `arguments` are those of the one in Python, whose words ours is asked by.
fn both(place: &Place, file: &str, arguments: &[&str]) -> (Ends, Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verify/check_proof.py");
    let output = Command::new("python3")
        .args(["-I", script.to_str().unwrap(), file])
        .args(arguments)
        .current_dir(place.path(""))
        .output()
        .expect("python3");
    let of = |option: &str| -> Vec<&str> {
        let pairs = arguments.chunks(2).filter(|pair| pair[0] == option);
        pairs.map(|pair| pair[1]).collect()
    };
    let keys: Vec<_> = of("--key").iter().map(|path| place.public(path.split('/').next().unwrap())).collect();
    let beside = file.strip_suffix(".sig.json").filter(|name| place.path(name).exists());
    let artifact = of("--artifact").first().copied().or(beside);
    let artifact = artifact.map(|name| digest(&place.path(name)).unwrap().1);
    let heads = of("--heads").first().map(|name| Heads::read(&place.path(name)).unwrap());
    let reproductions: Vec<_> =
        of("--reproduction").iter().map(|name| fs::read(place.path(name)).unwrap()).collect();
    let asked = Asked {
        keys: &keys,
        artifact: artifact.as_deref(),
        heads: heads.as_ref(),
        reproductions: &reproductions,
    };
    let verdict = check(&fs::read(place.path(file)).unwrap(), &asked);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let theirs: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{file}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(theirs, verdict.json(), "{file} {arguments:?}");
    let status = match verdict.ends() {
        Ends::Good => 0,
        Ends::Bad => 1,
        Ends::Unknown => 3,
    };
    assert_eq!(output.status.code(), Some(status), "{file} {arguments:?}");
    (verdict.ends(), verdict.json())
}

const KEY: [&str; 2] = ["--key", "keys/signer.pub.pem"];
const OTHER: [&str; 2] = ["--key", "other/signer.pub.pem"];

#[test]
fn a_whole_proof_holds() {
    let made = Made::new();
    let place = &made.place;
    let (ends, told) = both(place, "2.json", &KEY);
    assert_eq!(ends, Ends::Good, "{told}");
    let expected = json!({
        "ok": true, "kind": "urn:resonetics:run.finished:v1", "subject": null, "match": null,
        "signer": made.key.public().id(), "trust": "key",
        "log": { "origin": format!("resonetics.lumen/{}", &made.key.public().id()[..16]), "size": 2, "index": 1 },
        "reproductions": 0, "reasons": [],
    });
    assert_eq!(told, expected);
    for seed in [1, 3] {
        assert_eq!(both(place, &format!("{seed}.json"), &KEY).0, Ends::Good);
    }
    let (ends, told) = both(place, "2.json", &[KEY, ["--artifact", "run-2/benchmark.csv"]].concat());
    assert_eq!((ends, &told["subject"], &told["match"]), (Ends::Good, &json!("benchmark.csv"), &json!(true)));
    let (_, told) = both(place, "2.json", &[KEY, ["--artifact", "run-1/benchmark.csv"]].concat());
    assert_eq!(told["reasons"], json!(["the artifact is none of the subjects"]));
    let (ends, told) = both(place, "file.sig.json", &KEY);
    assert_eq!((ends, &told["match"]), (Ends::Good, &json!(true)), "{told}");
    // Without a key nobody vouches for it.
    let (ends, told) = both(place, "2.json", &[]);
    assert_eq!((ends, &told["trust"]), (Ends::Unknown, &json!("none")));
    assert_eq!(both(place, "2.json", &OTHER).0, Ends::Unknown);
    assert_eq!(both(place, "file.sig.json", &OTHER).0, Ends::Unknown);
}

#[test]
fn reproductions_count_by_other_keys_alone() {
    let made = Made::new();
    let place = &made.place;
    let keys = [KEY, OTHER].concat();
    let with = |file: &str, names: &[&str]| {
        let names = names.iter().flat_map(|name| ["--reproduction", name]).collect::<Vec<_>>();
        both(place, file, &[&keys[..], &names].concat())
    };
    let (ends, told) = with("2.json", &["repeated.json"]);
    assert_eq!((ends, &told["reproductions"]), (Ends::Good, &json!(1)), "{told}");
    let (ends, told) = with("2.json", &["repeated.json", "repeated.json", "self.json"]);
    assert_eq!((ends, &told["reproductions"]), (Ends::Good, &json!(1)));
    assert_eq!(told["reasons"], json!(["a reproduction is by the signer and counts for none"]));
    let said = |told: &Value, part: &str| told["reasons"].to_string().contains(part);
    let (ends, told) = with("1.json", &["repeated.json"]);
    assert!(ends == Ends::Bad && said(&told, "is of another run"), "{told}");
    let (ends, told) = with("2.json", &["1.json"]);
    assert!(ends == Ends::Bad && said(&told, "is of another run"), "{told}");
    let (ends, told) = with("2.json", &["file"]);
    assert!(ends == Ends::Bad && said(&told, "is no proof"), "{told}");
    let (ends, told) = both(place, "2.json", &[KEY, ["--reproduction", "repeated.json"]].concat());
    assert!(ends == Ends::Unknown && said(&told, "by a key that was not given"), "{told}");
    let mut bad = made.json("repeated.json");
    bad["index"] = json!(1);
    place_json(place, "bad.json", &bad);
    let (ends, told) = with("2.json", &["bad.json"]);
    assert!(ends == Ends::Bad && said(&told, "a reproduction does not hold"), "{told}");
}

#[test]
fn kept_heads_tell_a_fork() {
    let made = Made::new();
    let place = &made.place;
    let head = |size: u64, root: &str| {
        let origin = format!("resonetics.lumen/{}", &made.key.public().id()[..16]);
        json!({ "origin": origin, "size": size, "root": root }).to_string() + "\n"
    };
    let checkpoint = made.json("2.json")["checkpoint"].as_str().unwrap().to_owned();
    let root = resonetics_lumen::proof::note::Note::parse(&checkpoint).unwrap().head.root;
    let (right, wrong) = (hex(&root), "0".repeat(64));
    for (text, expected) in [
        (head(2, &right), Ends::Good),
        (head(3, &wrong) + &head(2, &right), Ends::Good),
        (head(2, &wrong), Ends::Bad),
        (head(2, &right) + &head(2, &wrong), Ends::Bad),
        (head(3, &right), Ends::Unknown),
        (String::new(), Ends::Unknown),
    ] {
        fs::write(place.path("heads.jsonl"), &text).unwrap();
        let (ends, told) = both(place, "2.json", &[KEY, ["--heads", "heads.jsonl"]].concat());
        assert_eq!(ends, expected, "{text}: {told}");
    }
}

fn place_json(place: &Place, name: &str, value: &Value) {
    fs::write(place.path(name), value.to_string()).unwrap();
}

/// Changes a text in `key` of a proof, which has it.
fn edit(key: &'static str, from: &'static str, to: &'static str) -> Box<dyn Fn(&Made, &mut Value)> {
    Box::new(move |_, proof| {
        let text = proof[key].as_str().unwrap();
        assert!(text.contains(from), "{text}");
        proof[key] = text.replacen(from, to, 1).into();
    })
}

/// Puts another envelope in.
fn envelope(change: impl Fn(&Made, &mut Value) + 'static) -> Box<dyn Fn(&Made, &mut Value)> {
    Box::new(move |made, proof| {
        let mut envelope: Value = serde_json::from_str(proof["envelope"].as_str().unwrap()).unwrap();
        change(made, &mut envelope);
        proof["envelope"] = envelope.to_string().into();
    })
}

/// A statement that was changed before it was signed and logged: all is well but what it says.
fn said(from: &'static str, to: &'static str) -> Box<dyn Fn(&Made, &mut Value)> {
    Box::new(move |made, proof| {
        let text = String::from_utf8(made.statement("2.json").bytes()).unwrap();
        assert!(text.contains(from), "{text}");
        *proof = made.sealed(IN_TOTO, text.replacen(from, to, 1).as_bytes());
    })
}

/// The first letter of base64 in a text becomes another one.
fn turned(text: &str) -> String {
    let first = if text.starts_with('A') { "B" } else { "A" };
    first.to_owned() + &text[1..]
}

/// What is done to a whole proof, how both must then end, and a part of the reasons.
type Case = (&'static str, Ends, &'static str, Box<dyn Fn(&Made, &mut Value)>);

fn of_envelopes() -> Vec<Case> {
    let (wrong, damaged) = ("signature of the statement is wrong", "envelope is damaged");
    let set = |key: &'static str, value: Value| envelope(move |_, it| it[key] = value.clone());
    vec![
        (
            "a payload of another run",
            Ends::Bad,
            wrong,
            envelope(|made, it| {
                let other: Value =
                    serde_json::from_str(made.json("1.json")["envelope"].as_str().unwrap()).unwrap();
                it["payload"] = other["payload"].clone();
            }),
        ),
        (
            "a letter of the payload",
            Ends::Bad,
            wrong,
            envelope(|_, it| {
                let text = it["payload"].as_str().unwrap().to_owned();
                it["payload"] = (text[..40].to_owned() + &turned(&text[40..])).into();
            }),
        ),
        (
            "a letter of the signature",
            Ends::Bad,
            wrong,
            envelope(|_, it| {
                it["signatures"][0]["sig"] = turned(it["signatures"][0]["sig"].as_str().unwrap()).into();
            }),
        ),
        ("a short signature", Ends::Bad, wrong, envelope(|_, it| it["signatures"][0]["sig"] = "AAAA".into())),
        (
            "another key under the name of ours",
            Ends::Bad,
            wrong,
            envelope(|made, it| {
                let body = made.statement("2.json").bytes();
                let other: Value =
                    serde_json::from_str(&Envelope::seal(IN_TOTO, &body, &made.other)).unwrap();
                it["signatures"][0]["sig"] = other["signatures"][0]["sig"].clone();
            }),
        ),
        (
            "another key",
            Ends::Bad,
            "signer is none of the given keys",
            envelope(|made, it| {
                let body = made.statement("2.json").bytes();
                *it = serde_json::from_str(&Envelope::seal(IN_TOTO, &body, &made.other)).unwrap();
            }),
        ),
        (
            "a wrong signature beside a right one",
            Ends::Bad,
            wrong,
            envelope(|_, it| {
                let mut again = it["signatures"][0].clone();
                again["sig"] = turned(again["sig"].as_str().unwrap()).into();
                it["signatures"].as_array_mut().unwrap().push(again);
            }),
        ),
        ("another type", Ends::Bad, wrong, set("payloadType", "application/json".into())),
        (
            "another type, signed",
            Ends::Bad,
            "statement is malformed",
            Box::new(|made, proof| {
                *proof = made.sealed("application/json", &made.statement("2.json").bytes());
            }),
        ),
        ("no signature", Ends::Bad, damaged, set("signatures", json!([]))),
        ("a field more", Ends::Bad, damaged, set("more", json!(1))),
        ("base64 without padding", Ends::Bad, damaged, set("payload", "YWI".into())),
        ("base64 for addresses", Ends::Bad, damaged, set("payload", "_-8=".into())),
        ("a space", Ends::Bad, "does not include", edit("envelope", "{", "{ ")),
        ("a key twice", Ends::Bad, damaged, edit("envelope", "{", "{\"payload\":\"\",")),
        ("no JSON", Ends::Bad, damaged, edit("envelope", "{", "")),
        (
            "the envelope of another entry",
            Ends::Bad,
            "does not include",
            Box::new(|made, proof| {
                proof["envelope"] = made.json("1.json")["envelope"].clone();
            }),
        ),
    ]
}

fn of_statements() -> Vec<Case> {
    let malformed = "statement is malformed";
    let cases = [
        ("an older statement", "Statement/v1", "Statement/v0.1"),
        ("another predicate", "provenance/v1", "provenance/v0.2"),
        ("an unknown kind", "run.finished", "run.begun"),
        ("a name that leads out", "\"benchmark.csv\"", "\"../benchmark.csv\""),
        ("a name from the root", "\"benchmark.csv\"", "\"/benchmark.csv\""),
        ("unsorted subjects", "\"benchmark.csv\"", "\"z.csv\""),
        ("a subject twice", "\"benchmark.csv\"", "\"episodes.csv\""),
        ("another digest", "\"sha256\"", "\"sha512\""),
        ("a digest that is none", "\"sha256\":\"", "\"sha256\":\"x"),
        ("a field more", "{", "{\"more\":1,"),
        ("a key twice", "{", "{\"predicateType\":\"\","),
        ("a key twice, deep in it", "\"buildDefinition\":{", "\"buildDefinition\":{\"buildType\":\"x\","),
        ("no number", "\"predicate\":{", "\"predicate\":{\"x\":NaN,"),
        ("no JSON", "{", "[{"),
    ];
    let cases = cases.map(|(what, from, to)| (what, Ends::Bad, malformed, said(from, to)));
    let mut cases: Vec<Case> = cases.into();
    cases.push((
        "no subject",
        Ends::Bad,
        malformed,
        Box::new(|made, proof| {
            let mut statement: Value = serde_json::from_slice(&made.statement("2.json").bytes()).unwrap();
            statement["subject"] = json!([]);
            *proof = made.sealed(IN_TOTO, statement.to_string().as_bytes());
        }),
    ));
    cases.push(("a seed that is said otherwise holds as it is said", Ends::Good, "", said("\"2\"", "\"3\"")));
    cases
}

fn of_logs() -> Vec<Case> {
    let (wrong, damaged, out) =
        ("signature of the checkpoint is wrong", "checkpoint is damaged", "does not include");
    let set = |key: &'static str, value: Value| -> Box<dyn Fn(&Made, &mut Value)> {
        Box::new(move |_, proof| proof[key] = value.clone())
    };
    let inclusion = |change: fn(&mut Vec<Value>)| -> Box<dyn Fn(&Made, &mut Value)> {
        Box::new(move |_, proof| change(proof["inclusion"].as_array_mut().unwrap()))
    };
    vec![
        ("a larger size", Ends::Bad, wrong, edit("checkpoint", "\n2\n", "\n3\n")),
        ("a size with a zero before it", Ends::Bad, damaged, edit("checkpoint", "\n2\n", "\n02\n")),
        ("a size with a sign", Ends::Bad, damaged, edit("checkpoint", "\n2\n", "\n+2\n")),
        ("another name", Ends::Bad, wrong, edit("checkpoint", "resonetics.lumen", "resonetics.numen")),
        ("a name with a space", Ends::Bad, damaged, edit("checkpoint", "resonetics", "reso netics")),
        ("no empty line", Ends::Bad, damaged, edit("checkpoint", "\n\n", "\n")),
        ("a line more", Ends::Bad, wrong, edit("checkpoint", "\n\n", "\nmore\n\n")),
        ("another line end", Ends::Bad, damaged, edit("checkpoint", "\n2\n", "\r\n2\n")),
        ("a hyphen", Ends::Bad, damaged, edit("checkpoint", "\u{2014}", "-")),
        (
            "no last line end",
            Ends::Bad,
            damaged,
            Box::new(|_, proof| {
                proof["checkpoint"] = proof["checkpoint"].as_str().unwrap().trim_end().into();
            }),
        ),
        (
            "a letter of the root",
            Ends::Bad,
            wrong,
            Box::new(|_, proof| {
                let text = proof["checkpoint"].as_str().unwrap();
                let (before, root) = text.split_once("\n2\n").unwrap();
                proof["checkpoint"] = format!("{before}\n2\n{}", turned(root)).into();
            }),
        ),
        (
            "a letter of its signature",
            Ends::Bad,
            wrong,
            Box::new(|_, proof| {
                let text = proof["checkpoint"].as_str().unwrap();
                let at = text.len() - 30;
                proof["checkpoint"] = format!("{}{}", &text[..at], turned(&text[at..])).into();
            }),
        ),
        (
            "the head of another log",
            Ends::Bad,
            "key of the log is none",
            Box::new(|made, proof| {
                proof["checkpoint"] = made.json("repeated.json")["checkpoint"].clone();
            }),
        ),
        (
            "an older head",
            Ends::Bad,
            out,
            Box::new(|made, proof| {
                proof["checkpoint"] = made.json("1.json")["checkpoint"].clone();
            }),
        ),
        ("another index", Ends::Bad, out, set("index", json!(0))),
        ("an index behind the end", Ends::Bad, out, set("index", json!(2))),
        ("a proof that is too short", Ends::Bad, out, inclusion(|proof| drop(proof.pop()))),
        ("a proof that is too long", Ends::Bad, out, inclusion(|proof| proof.push(proof[0].clone()))),
        ("another hash", Ends::Bad, out, inclusion(|proof| proof[0] = "0".repeat(64).into())),
        (
            "capital letters",
            Ends::Bad,
            out,
            inclusion(|proof| {
                proof[0] = proof[0].as_str().unwrap().to_uppercase().into();
            }),
        ),
        ("what is no hash", Ends::Bad, out, inclusion(|proof| proof[0] = "00".into())),
    ]
}

fn of_files() -> Vec<Case> {
    let none = "the file is no proof";
    let set = |key: &'static str, value: Value| -> Box<dyn Fn(&Made, &mut Value)> {
        Box::new(move |_, proof| proof[key] = value.clone())
    };
    vec![
        ("another format", Ends::Bad, none, set("format", "resonetics-proof/2".into())),
        ("a field more", Ends::Bad, none, set("root", "x".into())),
        ("a negative index", Ends::Bad, none, set("index", json!(-1))),
        ("an index that is no whole number", Ends::Bad, none, set("index", json!(1.0))),
        ("an index that is a text", Ends::Bad, none, set("index", "1".into())),
        ("no envelope", Ends::Bad, none, set("envelope", Value::Null)),
        ("hashes that are no texts", Ends::Bad, none, set("inclusion", json!([1]))),
        ("no object", Ends::Bad, none, Box::new(|_, proof| *proof = json!([]))),
    ]
}

#[test]
fn each_part_of_a_proof_that_is_changed_is_found_by_both_verifiers() {
    let made = Made::new();
    let cases = [of_envelopes(), of_statements(), of_logs(), of_files()];
    let whole = made.json("2.json");
    let mut tried = 0;
    for (what, expected, reason, change) in cases.iter().flatten() {
        let mut proof = whole.clone();
        change(&made, &mut proof);
        assert_ne!(proof, whole, "{what}");
        place_json(&made.place, "changed.json", &proof);
        let (ends, told) = both(&made.place, "changed.json", &KEY);
        assert_eq!(ends, *expected, "{what}: {told}");
        let empty = told["reasons"] == json!([]);
        assert!(
            if reason.is_empty() { empty } else { told["reasons"].to_string().contains(reason) },
            "{what}: {told}"
        );
        tried += 1;
    }
    assert!(tried >= 50, "{tried}");
    // What is no JSON, in part, twice, or not at all.
    let text = whole.to_string();
    let twice = text.replacen('{', "{\"index\":0,", 1);
    for bad in [&text[..text.len() / 2], "", "null", &twice, &format!("\u{feff}{text}"), &format!("{text}x")]
    {
        fs::write(made.place.path("changed.json"), bad).unwrap();
        let (ends, told) = both(&made.place, "changed.json", &KEY);
        assert!(ends == Ends::Bad && told["reasons"] == json!(["the file is no proof"]), "{bad}: {told}");
    }
    fs::write(made.place.path("changed.json"), b"{\"format\":\"\xff\"}").unwrap();
    assert_eq!(both(&made.place, "changed.json", &KEY).0, Ends::Bad);
}

#[test]
fn each_part_of_a_signature_that_is_changed_is_found_by_both_verifiers() {
    let made = Made::new();
    let whole = made.json("file.sig.json");
    let cases: [(&str, Value, Ends); 7] = [
        ("/digest/sha256", "0".repeat(64).into(), Ends::Bad),
        ("/time", "2020-01-01T00:00:00Z".into(), Ends::Bad),
        ("/time", "a\nb".into(), Ends::Bad),
        ("/sig", turned(whole["sig"].as_str().unwrap()).into(), Ends::Bad),
        ("/sig", "AAAA".into(), Ends::Bad),
        ("/keyid", made.other.public().id().into(), Ends::Bad),
        ("/format", "resonetics-signature/2".into(), Ends::Bad),
    ];
    let both_keys = [KEY, OTHER].concat();
    for (pointer, value, expected) in cases {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        place_json(&made.place, "changed.sig.json", &changed);
        let arguments = [&both_keys[..], &["--artifact", "file"]].concat();
        let (ends, told) = both(&made.place, "changed.sig.json", &arguments);
        assert_eq!(ends, expected, "{pointer}: {told}");
    }
    place_json(&made.place, "whole.sig.json", &whole);
    assert_eq!(both(&made.place, "whole.sig.json", &KEY).0, Ends::Unknown);
    assert_eq!(both(&made.place, "whole.sig.json", &[KEY, ["--artifact", "2.json"]].concat()).0, Ends::Bad);
}

/// Nothing of what is handed out names this machine, or holds what must stay here.
#[test]
fn nothing_that_is_handed_out_holds_a_secret_or_a_path() {
    let made = Made::new();
    let pem = fs::read_to_string(made.place.path("keys/signer.pem")).unwrap();
    let secret = pem.lines().nth(1).unwrap().to_owned();
    let root = made.place.path("").display().to_string();
    let mut looked = 0;
    let mut folders = vec![made.place.path("log"), made.place.path("other-log")];
    let mut files: Vec<_> = ["1.json", "2.json", "3.json", "repeated.json", "self.json", "file.sig.json"]
        .map(|name| made.place.path(name))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    for path in files {
        let bytes = fs::read(&path).unwrap();
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if let Ok(proof) = serde_json::from_slice::<Value>(&bytes)
            && let Some(envelope) = proof["envelope"].as_str()
        {
            text += &String::from_utf8(Envelope::open(envelope.as_bytes()).unwrap().body).unwrap();
        }
        looked += 1;
        for bad in [secret.as_str(), root.trim_end_matches('/'), "PRIVATE"] {
            assert!(!text.contains(bad), "{} holds {bad}", path.display());
        }
    }
    assert!(looked > 15, "{looked}");
}
