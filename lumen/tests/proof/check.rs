//! Good proofs, and each part of one changed: what our verifier says of them, and that the one in Python says the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use resonetics_lumen::proof::chain::Chain;
use resonetics_lumen::proof::check::{Asked, Ends, check};
use resonetics_lumen::proof::consistency::Consistency;
use resonetics_lumen::proof::digest::digest;
use resonetics_lumen::proof::dsse::Envelope;
use resonetics_lumen::proof::heads::Heads;
use resonetics_lumen::proof::key_log::KeyLog;
use resonetics_lumen::proof::note::Note;
use resonetics_lumen::proof::root::Signed;
use resonetics_lumen::proof::text::hex;
use resonetics_runs::run_dir::seconds;
use serde_json::{Value, json};

use super::cases::{of_envelopes, of_files, of_logs, of_statements, turned};
use super::common::Place;
use super::made::Made;

/// What both verifiers say; `arguments` are those of the one in Python, whose words ours is asked by.
pub(crate) fn both(place: &Place, file: &str, arguments: &[&str]) -> (Ends, Value) {
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
    let public = |option: &str| -> Vec<_> {
        of(option).iter().map(|path| place.public(path.split('/').next().unwrap())).collect()
    };
    let (keys, witnesses) = (public("--key"), public("--witness"));
    let beside = file.strip_suffix(".sig.json").filter(|name| place.path(name).exists());
    let artifact = of("--artifact").first().copied().or(beside);
    let artifact = artifact.map(|name| digest(&place.path(name)).unwrap().1);
    let heads = of("--heads").first().map(|name| Heads::read(&place.path(name)).unwrap());
    let reproductions: Vec<_> =
        of("--reproduction").iter().map(|name| fs::read(place.path(name)).unwrap()).collect();
    let root = of("--root").first().map(|name| Signed::parse(&fs::read(place.path(name)).unwrap()).unwrap());
    let key_log =
        of("--revocations").first().map(|name| KeyLog::parse(&fs::read(place.path(name)).unwrap()).unwrap());
    let text = |name: &&str| fs::read_to_string(place.path(name)).unwrap();
    let chain = of("--chain")
        .first()
        .map(|name| Chain { certificates: text(name), crl: of("--crl").first().map(text) });
    let cosigned = of("--cosigned").first().map(text).map(|text| Note::parse(&text).unwrap());
    let consistency = of("--consistency");
    let consistency = consistency.iter().map(|name| fs::read(place.path(name)).unwrap());
    let consistency: Vec<_> = consistency.map(|bytes| Consistency::parse(&bytes).unwrap()).collect();
    let asked = Asked {
        keys: &keys,
        root: root.as_ref(),
        chain_root: of("--chain-root").first().copied(),
        chain: chain.as_ref(),
        witnesses: &witnesses,
        cosigned: cosigned.as_ref(),
        key_log: key_log.as_ref(),
        consistency: &consistency,
        now: seconds() as u64,
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
    assert!(looked > 12, "{looked}");
}
