//! Proofs as their users make and check them: keys, statements, a log, a run that somebody else repeats.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use common::{Place, Ran, SMALL, STEPS};
use resonetics_lumen::proof::file::Proof;
use serde_json::{Value, json};

const RUN: &str = "benchmark --episodes 3 --seed 3 --set max_steps=50 --out run";

/// A run that was proven.
fn proven() -> Place {
    let place = Place::new();
    place.ok("lumen keys init --dir keys");
    place.ok(RUN);
    place.ok("lumen prove run --keys keys");
    place
}

fn checked(place: &Place, arguments: &str) -> (Option<i32>, Value) {
    let ran = place.run(&format!("lumen check-proof {arguments}"));
    (ran.code, ran.json())
}

#[test]
fn a_run_is_proven_once_and_checked_in_an_empty_folder() {
    let place = proven();
    let ran = place.run("lumen prove run --keys keys");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stderr.contains("run.proof.json") && ran.stderr.contains("nothing was overwritten"),
        "{ran:?}"
    );
    // One that was killed between the log and the file is done again, and is one entry.
    let first = place.json("run.proof.json");
    fs::remove_file(place.path("run.proof.json")).unwrap();
    place.ok("lumen prove run/ --keys keys");
    assert_eq!(place.json("run.proof.json"), first);
    let head = place.ok("lumen log head --key keys/signer.pub.pem").json();
    assert_eq!(head["size"], 1);
    let empty = Place::new();
    fs::copy(place.path("run.proof.json"), empty.path("p")).unwrap();
    fs::copy(place.path("keys/signer.pub.pem"), empty.path("k")).unwrap();
    fs::copy(place.path("run/episodes.csv"), empty.path("table")).unwrap();
    let (code, told) = checked(&empty, "p --key k --artifact table");
    assert_eq!((code, &told["ok"], &told["subject"]), (Some(0), &json!(true), &json!("episodes.csv")));
    assert_eq!(checked(&empty, "p").0, Some(3));
    empty.write("table", "x");
    assert_eq!(checked(&empty, "p --key k --artifact table").0, Some(1));
    empty.write("p", "{}");
    assert_eq!(checked(&empty, "p --key k").0, Some(1));
    for words in
        ["nothing --key k", "p --key p", "p --key nothing", "p --artifact nothing", "p --heads table"]
    {
        empty.refused(&format!("lumen check-proof {words}"));
    }
}

/// Subjects are what `rerun` compares; what holds wall time is none.
#[test]
fn results_are_subjects_and_wall_time_is_not() {
    let place = Place::new();
    place.ok("lumen keys init --dir keys");
    place.ok(&format!("train --steps 10240 --seed 4 --lumen {} --out run", common::SMALL));
    place.ok("lumen prove run --keys keys --origin example.test/log");
    let envelope: Value =
        serde_json::from_str(place.json("run.proof.json")["envelope"].as_str().unwrap()).unwrap();
    let payload = of_base64(envelope["payload"].as_str().unwrap());
    let text = String::from_utf8(payload).unwrap();
    let statement: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&Value> =
        statement["subject"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["training.csv"]);
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["config"], place.text("run/config.toml"));
    assert_eq!(definition["externalParameters"]["seed"], "4");
    assert_eq!(definition["resolvedDependencies"][0]["name"], "config.toml");
    let record = place.json("run/run.json");
    assert_eq!(statement["predicate"]["runDetails"]["metadata"]["startedOn"], record["started_at"]);
    assert_eq!(definition["internalParameters"]["threads"], record["threads"]);
    let root = place.path("").display().to_string();
    assert!(!text.contains(root.trim_end_matches('/')), "{text}");
    assert_eq!(place.ok("lumen log head").json()["origin"], "example.test/log");
}

fn of_base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let digits: Vec<u32> =
        digits.map(|byte| LETTERS.iter().position(|letter| *letter == byte).unwrap() as u32).collect();
    let four = |four: &[u32]| {
        let word = four.iter().enumerate().fold(0, |word, (at, digit)| word | digit << (18 - 6 * at));
        word.to_be_bytes()[1..four.len()].to_vec()
    };
    digits.chunks(4).flat_map(four).collect()
}

#[test]
fn what_cannot_be_proven_is_refused() {
    let place = Place::new();
    place.ok("lumen keys init --dir keys");
    place.ok(RUN);
    // Without a key: 3, since it is not there.
    assert_eq!(place.run("lumen prove run --keys none").code, Some(3));
    let config = place.text("run/config.toml");
    place.write("run/config.toml", config.replacen("seed = 3", "seed = 4", 1));
    let said = place.refused("lumen prove run --keys keys");
    assert!(said.contains("has been edited"), "{said}");
    place.write("run/config.toml", format!("{config}\nagent = \"prophet:/some/where\"\n"));
    let said = place.refused("lumen prove run --keys keys");
    assert!(said.contains("prophet:/some/where") && said.contains("path of this machine"), "{said}");
    place.write("run/config.toml", &config);
    let record = place.text("run/run.json");
    place.write("run/run.json", record.replacen("\"finished\"", "\"interrupted\"", 1));
    let said = place.refused("lumen prove run --keys keys");
    assert!(said.contains("run is interrupted: a proof is of a finished run"), "{said}");
    place.write("run/run.json", &record);
    place.refused("lumen prove nothing --keys keys");
    let said = place.refused("lumen keys init --dir keys");
    assert!(said.contains("never overwritten"), "{said}");
}

#[test]
fn a_run_that_somebody_else_repeated_counts_one() {
    let place = proven();
    place.ok("lumen keys init --dir other");
    let own = "lumen reproduce run.proof.json --key keys/signer.pub.pem --keys keys --out again";
    let said = place.refused(own);
    assert!(said.contains("under the key of somebody else"), "{said}");
    // Elsewhere, from the proof alone.
    let elsewhere = Place::new();
    for name in ["run.proof.json", "keys/signer.pub.pem"] {
        fs::copy(place.path(name), elsewhere.path(name.rsplit('/').next().unwrap())).unwrap();
    }
    elsewhere.ok("lumen keys init --dir keys");
    let reproduce = "lumen reproduce run.proof.json --key signer.pub.pem --keys keys --out again";
    let ran = elsewhere.ok(reproduce);
    assert!(ran.stdout.contains("benchmark.csv: identical\nepisodes.csv: identical\n"), "{ran:?}");
    assert!(
        ran.last_line().starts_with("reproduced: 2 files are the same; wrote again.proof.json"),
        "{ran:?}"
    );
    let check =
        "run.proof.json --key signer.pub.pem --key keys/signer.pub.pem --reproduction again.proof.json";
    let (code, told) = checked(&elsewhere, check);
    assert_eq!((code, &told["reproductions"]), (Some(0), &json!(1)), "{told}");
    let (code, told) = checked(&elsewhere, "again.proof.json --key keys/signer.pub.pem");
    assert_eq!((code, &told["kind"]), (Some(0), &json!("urn:resonetics:run.reproduced:v1")), "{told}");
    // Whose log it is may take it into its own too.
    let words = "lumen log append again.proof.json run.proof.json --keys keys --log both";
    let ran = elsewhere.ok(words);
    assert_eq!(ran.json()["size"], 2, "{ran:?}");
    assert_eq!(elsewhere.ok(words).json()["new"], false);
}

/// The statement of a run that was edited before it was proven: nobody gets these numbers again.
#[test]
fn a_run_that_does_not_repeat_is_told_by_file_and_row() {
    let place = Place::new();
    place.ok("lumen keys init --dir keys");
    place.ok("lumen keys init --dir other");
    place.ok(RUN);
    let mut lines: Vec<String> = place.text("run/episodes.csv").lines().map(str::to_owned).collect();
    lines[4].push('1');
    place.write("run/episodes.csv", lines.join("\n") + "\n");
    place.ok("lumen prove run --keys keys");
    let reproduce = |out: &str| -> Ran {
        place.run(&format!(
            "lumen reproduce run.proof.json --key keys/signer.pub.pem --keys other --log other-log --out {out}"
        ))
    };
    let ran = reproduce("again");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stdout.contains("benchmark.csv: identical\nepisodes.csv: DIFFERENT (from line 5 on)"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("the first difference is in episodes.csv (from line 5 on)"), "{ran:?}");
    assert!(!place.path("again.proof.json").exists() && !place.path("other-log").exists());
    // A log takes entries from its own key alone, which is told before the work.
    let words = "run.proof.json --key keys/signer.pub.pem --keys other --out not-begun";
    let told = place.refused(&format!("lumen reproduce {words}"));
    assert!(told.contains("another key"), "{told}");
    fs::rename(place.path("run"), place.path("elsewhere")).unwrap();
    let ran = reproduce("once-more");
    assert!(ran.stderr.contains("episodes.csv (from which line on is not known"), "{ran:?}");
    // A proof that does not hold is not worth the work.
    place.write("run.proof.json", place.text("run.proof.json").replacen("\"index\": 0", "\"index\": 1", 1));
    let ran = reproduce("never");
    assert!(ran.code == Some(1) && ran.stderr.contains("does not hold"), "{ran:?}");
    assert!(!place.path("never").exists());
}

#[test]
fn a_log_is_verified_and_held_against_the_heads_that_were_seen() {
    let place = proven();
    let verify = "lumen log verify --key keys/signer.pub.pem --heads heads.jsonl";
    place.ok(verify);
    common_copy(&place, "log", "before");
    place.ok(&RUN.replace("--seed 3", "--seed 4").replace("out run", "out run-2"));
    place.ok("lumen prove run-2 --keys keys");
    place.ok(verify);
    assert_eq!(place.text("heads.jsonl").lines().count(), 2);
    assert_eq!(place.run("lumen log verify").code, Some(3));
    let ran = place.run(&format!("{verify} --log before"));
    assert!(ran.code == Some(1) && ran.stderr.contains("entries were taken back"), "{ran:?}");
    let tile = "log/tile/0/000.p/2";
    let mut bytes = place.bytes(tile);
    bytes[40] ^= 1;
    place.write(tile, bytes);
    let ran = place.run(verify);
    assert!(
        ran.code == Some(1) && ran.stderr.contains("log/tile/0/000.p/2 is damaged: its hash of entry 1"),
        "{ran:?}"
    );
    fs::remove_file(place.path("run-2.proof.json")).unwrap();
    let ran = place.run("lumen prove run-2 --keys keys");
    assert!(ran.code == Some(1) && ran.stderr.contains("is damaged: an entry has not the hash"), "{ran:?}");
}

fn common_copy(place: &Place, from: &str, to: &str) {
    let status = Command::new("cp").args(["-r", from, to]).current_dir(place.path("")).status().unwrap();
    assert!(status.success());
}

/// Appends are killed at many moments: the log is whole each time, and what was said to be in it is.
#[test]
fn a_kill_loses_at_most_the_entry_in_flight() {
    let place = proven();
    for number in 0..40 {
        let envelope = json!({
            "payload": "YWI=", "payloadType": "x", "signatures": [{ "keyid": number.to_string(), "sig": "YWI=" }],
        });
        place.write(&format!("{number}.json"), envelope.to_string());
    }
    let files: Vec<String> = (0..40).map(|number| format!("{number}.json")).collect();
    let append = format!("lumen log append --keys keys {}", files.join(" "));
    let mut killed = 0;
    for attempt in 0..12 {
        let mut child = place.command(&append).spawn().unwrap();
        sleep(Duration::from_millis(15 + 9 * attempt));
        let _ = child.kill();
        let Output { status, stdout, .. } = child.wait_with_output().unwrap();
        killed += u32::from(status.signal() == Some(9));
        let told = String::from_utf8(stdout).unwrap();
        let told: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        place.ok("lumen log verify --key keys/signer.pub.pem --heads heads.jsonl");
        let size = place.ok("lumen log head").json()["size"].as_u64().unwrap();
        let said = told.last().map_or(0, |last| last["size"].as_u64().unwrap());
        assert!(size >= said && size <= said.max(1) + 40, "{size} {said}");
        assert!(told.iter().all(|line| line["index"].as_u64().unwrap() < size));
    }
    assert!(killed > 0);
    place.ok(&append);
    assert_eq!(place.ok("lumen log head").json()["size"], 41);
    place.ok("lumen log verify --key keys/signer.pub.pem --heads heads.jsonl");
}

#[test]
fn files_are_signed_and_folders_have_a_fingerprint() {
    let place = proven();
    place.write("file", "text");
    place.ok("lumen sign file --keys keys");
    let again = place.run("lumen sign file --keys keys");
    assert!(again.code == Some(2) && again.stderr.contains("nothing was overwritten"), "{again:?}");
    assert_eq!(checked(&place, "file.sig.json --key keys/signer.pub.pem").0, Some(0));
    place.write("file", "texts");
    assert_eq!(checked(&place, "file.sig.json --key keys/signer.pub.pem").0, Some(1));
    let print = place.ok("lumen fingerprint run").stdout;
    place.write("print.json", &print);
    place.ok("lumen fingerprint run --check print.json");
    place.write("run/more", "");
    fs::remove_file(place.path("run/benchmark.csv")).unwrap();
    let ran = place.run("lumen fingerprint run --check print.json");
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(1), "benchmark.csv: missing\nmore: added\n"),
        "{ran:?}"
    );
    place.refused("lumen fingerprint run --check file");
    place.refused("lumen fingerprint nothing");
}

/// A passphrase from a file; it is in no output, and a wrong one or none opens nothing.
#[test]
fn a_passphrase_is_told_by_a_file() {
    let place = Place::new();
    place.write("pass", "a secret\n");
    place.write("file", "x");
    let with = |pass: Option<&str>, arguments: &str| -> Ran {
        let mut command = place.command(arguments);
        if let Some(pass) = pass {
            command.env("LUMEN_KEY_PASS_FILE", pass);
        }
        // Without a terminal to ask at.
        let output = Command::new("setsid")
            .arg("-w")
            .arg(command.get_program())
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(place.path(""))
            .output()
            .unwrap();
        Ran::of(output, arguments)
    };
    let made = with(Some("pass"), "lumen keys init --dir keys");
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(place.text("keys/signer.pem").contains("ENCRYPTED"));
    let none = with(None, "lumen sign file --keys keys");
    assert!(none.code == Some(2) && none.stderr.contains("no terminal to ask at"), "{none:?}");
    place.write("wrong", "xyzzy\n");
    let wrong = with(Some("wrong"), "lumen sign file --keys keys");
    assert!(wrong.code == Some(2) && wrong.stderr.contains("does not open"), "{wrong:?}");
    assert!(!place.path("file.sig.json").exists());
    let signed = with(Some("pass"), "lumen sign file --keys keys");
    assert_eq!(signed.code, Some(0), "{signed:?}");
    for ran in [made, none, wrong, signed] {
        assert!(
            !ran.stdout.contains("secret") && !ran.stderr.contains("secret") && !ran.stderr.contains("xyzzy")
        );
    }
}

/// A run, its evaluation, its archive and its statement share a trace id, which changes nothing else.
#[test]
fn what_comes_of_a_run_shares_its_trace() {
    let place = Place::new();
    place.ok("lumen keys init --dir keys");
    let train = format!("train --steps {STEPS} --seed 1 {SMALL} --quiet");
    place.ok(&format!("{train} --out run"));
    place.ok("eval --run run --episodes 2 --seed 1 --quiet --out eval");
    let trace = |name: &str| place.json(name)["trace_id"].clone();
    let drawn = trace("run/run.json");
    assert_eq!(drawn.as_str().map(str::len), Some(32), "{drawn}");
    assert_eq!(trace("eval/run.json"), drawn);
    let told = place.ok("lumen freeze run").stdout;
    let manifest = fs::read_dir(place.path("archive/run")).unwrap().next().unwrap().unwrap().path();
    let manifest: Value = serde_json::from_slice(&fs::read(manifest.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["trace_id"], drawn, "{told}");
    place.ok("lumen prove run --keys keys");
    let proof = fs::read(place.path("run.proof.json")).unwrap();
    let (_, statement) = Proof::parse(&proof).unwrap().statement().unwrap();
    let statement: Value = serde_json::from_slice(&statement).unwrap();
    let internal = &statement["predicate"]["buildDefinition"]["internalParameters"];
    assert_eq!(internal["trace_id"], drawn, "{internal}");
    // A pipeline tells the trace that its runs belong to; what it says is checked.
    let given = "0123456789abcdef0123456789abcdef";
    let with = |value: &str, out: &str| {
        let mut command = place.command(&format!("{train} --out {out}"));
        command.env("LUMEN_TRACE_ID", value).output().unwrap()
    };
    assert!(with(given, "told").status.success());
    assert_eq!(trace("told/run.json"), given);
    assert_eq!(place.bytes("told/training.csv"), place.bytes("run/training.csv"));
    for wrong in ["x", "00000000000000000000000000000000", "0123456789ABCDEF0123456789ABCDEF"] {
        let refused = with(wrong, "wrong");
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && told.contains("LUMEN_TRACE_ID"), "{told}");
        assert!(!place.path("wrong").exists());
    }
}
