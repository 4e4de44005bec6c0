//! What can be changed of a proof, and what must then be said.

use resonetics_lumen::proof::check::Ends;
use resonetics_lumen::proof::dsse::{Envelope, IN_TOTO};
use serde_json::{Value, json};

use super::made::Made;

/// Changes a text in `key` of a proof, which has it.
fn edit(key: &'static str, from: &'static str, to: &'static str) -> Change {
    Box::new(move |_, proof| {
        let text = proof[key].as_str().unwrap();
        assert!(text.contains(from), "{text}");
        proof[key] = text.replacen(from, to, 1).into();
    })
}

/// Puts another envelope in.
fn envelope(change: impl Fn(&Made, &mut Value) + 'static) -> Change {
    Box::new(move |made, proof| {
        let mut envelope: Value = serde_json::from_str(proof["envelope"].as_str().unwrap()).unwrap();
        change(made, &mut envelope);
        proof["envelope"] = envelope.to_string().into();
    })
}

/// A statement that was changed before it was signed and logged: all is well but what it says.
fn said(from: &'static str, to: &'static str) -> Change {
    Box::new(move |made, proof| {
        let text = String::from_utf8(made.statement("2.json").bytes()).unwrap();
        assert!(text.contains(from), "{text}");
        *proof = made.sealed(IN_TOTO, text.replacen(from, to, 1).as_bytes());
    })
}

/// The first letter of base64 in a text becomes another one.
pub(crate) fn turned(text: &str) -> String {
    let first = if text.starts_with('A') { "B" } else { "A" };
    first.to_owned() + &text[1..]
}

/// What is done to a whole proof.
pub(crate) type Change = Box<dyn Fn(&Made, &mut Value)>;

/// What is done to a whole proof, how both must then end, and a part of the reasons.
pub(crate) type Case = (&'static str, Ends, &'static str, Change);

pub(crate) fn of_envelopes() -> Vec<Case> {
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

pub(crate) fn of_statements() -> Vec<Case> {
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

pub(crate) fn of_logs() -> Vec<Case> {
    let (wrong, damaged, out) =
        ("signature of the checkpoint is wrong", "checkpoint is damaged", "does not include");
    let set =
        |key: &'static str, value: Value| -> Change { Box::new(move |_, proof| proof[key] = value.clone()) };
    let inclusion = |change: fn(&mut Vec<Value>)| -> Change {
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

pub(crate) fn of_files() -> Vec<Case> {
    let none = "the file is no proof";
    let set =
        |key: &'static str, value: Value| -> Change { Box::new(move |_, proof| proof[key] = value.clone()) };
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
