//! What is recorded in results/ is proven, the guide that shows it to strangers is true, and nothing private is committed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Place;
use resonetics_lumen::proof::digest::digest;
use resonetics_lumen::proof::file::Proof;
use resonetics_lumen::proof::statement::{FINISHED, RECORDED, Statement};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What to do if this fails: results were changed, or proofs.
const RENEW: &str = "run `cargo xtask results proofs`";

/// Folders of results/, without those that proofs need.
fn folders() -> Vec<String> {
    let entries = fs::read_dir(root().join("results")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let names = folders.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "log" && name != "keys").collect();
    names.sort();
    assert!(names.len() > 30, "{names:?}");
    names
}

fn files_below(folder: &Path, name: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder.join(name)).unwrap() {
        let entry = entry.unwrap();
        let name = name.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files_below(folder, &name, found);
        } else {
            found.insert(name.to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn each_recorded_result_has_a_proof_that_both_checkers_accept() {
    let place = Place::new();
    for name in folders() {
        let folder = root().join("results").join(&name);
        let proof = folder.with_file_name(format!("{name}.proof.json"));
        let bytes = fs::read(&proof).unwrap_or_else(|_| panic!("{name} has no proof: {RENEW}"));
        let (statement, _): (Statement, _) = Proof::parse(&bytes).unwrap().statement().unwrap();
        for subject in &statement.subject {
            let now = digest(&folder.join(&subject.name)).map(|(_, sum)| sum);
            assert_eq!(now.ok().as_ref(), Some(&subject.digest.sha256), "{name}/{}: {RENEW}", subject.name);
        }
        let mut files = BTreeSet::new();
        files_below(&folder, Path::new(""), &mut files);
        let is_table = |file: &&String| Path::new(file).extension().is_some_and(|ending| ending == "csv");
        let tables = files.iter().filter(is_table);
        let is_run = folder.join("run.json").exists() && !folder.join("throughput.json").exists();
        let (kind, covered): (_, BTreeSet<String>) =
            if is_run { (FINISHED, tables.cloned().collect()) } else { (RECORDED, files.clone()) };
        assert_eq!(statement.build_type(), kind, "{name}");
        for file in covered {
            assert!(statement.subject.iter().any(|subject| subject.name == file), "{name}/{file}: {RENEW}");
        }
        let artifact = folder.join(&statement.subject[0].name);
        let key = root().join("results/keys/signer.pub.pem");
        let mut arguments = vec![proof.as_os_str(), "--key".as_ref(), key.as_os_str()];
        arguments.extend(["--artifact".as_ref(), artifact.as_os_str()]);
        let ours = place.command("lumen check-proof").args(&arguments).output().unwrap();
        let mut python = Command::new("python3");
        let theirs =
            python.arg(root().join("lumen/verify/check_proof.py")).args(&arguments).output().unwrap();
        let told: Value = serde_json::from_slice(&ours.stdout).unwrap();
        assert_eq!(
            (ours.status.code(), &told["ok"], &told["match"]),
            (Some(0), &true.into(), &true.into()),
            "{name}"
        );
        assert_eq!(told, serde_json::from_slice::<Value>(&theirs.stdout).unwrap(), "{name}");
        assert_eq!(theirs.status.code(), Some(0), "{name}");
    }
}

#[test]
fn the_guide_for_strangers_is_true() {
    let place = Place::new();
    // What they have: a clone.
    for (from, to) in [("results", "."), ("lumen/verify", "lumen/")] {
        fs::create_dir_all(place.path(to)).unwrap();
        let copied =
            Command::new("cp").arg("-r").arg(root().join(from)).arg(place.path(to)).status().unwrap();
        assert!(copied.success());
    }
    let told = typed("VERIFY.md", &place);
    assert_eq!(answers(&told).filter(|told| told["reproductions"] == 1).count(), 2, "{told}");
    assert!(told.contains("reproduced: ") && told.contains("planner 59.55"), "{told}");
}

/// What those who make proofs are told to type works in this order.
#[test]
fn the_guide_for_those_who_prove_is_true() {
    let place = Place::new();
    let told = typed("PROOFS.md", &place);
    let good: Vec<Value> = answers(&told).filter(|told| told["kind"] == FINISHED).collect();
    assert!(good.len() == 6 && good.iter().all(|told| told["ok"] == true), "{told}");
    assert_eq!(good.iter().filter(|told| told["reproductions"] == 1).count(), 1, "{told}");
    assert!(good.iter().any(|told| told["trust"].as_str().unwrap().starts_with("chain:")), "{told}");
    assert!(place.path("published/checkpoint").exists());
}

/// Types the blocks of a guide in its order; yields all that was printed.
fn typed(guide: &str, place: &Place) -> String {
    let guide = fs::read_to_string(root().join("docs").join(guide)).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_resonetics")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut told = String::new();
    for block in guide.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let mut shell = Command::new("sh");
        // The exit status of each line counts.
        shell.args(["-ec", block]).env("PATH", &path).current_dir(place.path(""));
        let ran = shell.output().unwrap();
        assert!(ran.status.success(), "{block}: {ran:?}");
        told += &String::from_utf8(ran.stdout).unwrap();
    }
    told
}

/// The lines that are JSON.
fn answers(told: &str) -> impl Iterator<Item = Value> {
    told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok())
}

/// Files that are committed; none where this is no clone.
fn committed() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = listed.ok().filter(|listed| listed.status.success());
    let names = listed.map(|listed| String::from_utf8(listed.stdout).unwrap()).unwrap_or_default();
    names.split('\0').filter(|name| !name.is_empty()).map(|name| root().join(name)).collect()
}

/// What a text gives away, if it does.
fn gives_away(text: &str) -> Option<&'static str> {
    let base64 = |line: &&str| {
        line.len() >= 40 && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        // The words alone are in programs; a key has a body.
        if line.contains("-----BEGIN")
            && line.contains("PRIVATE KEY-----")
            && lines.clone().next().is_some_and(|next| base64(&next.trim()))
        {
            return Some("a private key");
        }
    }
    let secret = |start: &str, length: usize| {
        text.match_indices(start).any(|(at, _)| {
            let rest = &text[at + start.len()..];
            rest.bytes().take(length).filter(u8::is_ascii_alphanumeric).count() == length
        })
    };
    let tokens = [("AGE-SECRET-KEY-1", 50), ("AKIA", 16), ("ghp_", 30), ("xoxb-", 10)];
    tokens.iter().any(|(start, length)| secret(start, *length)).then_some("a secret")
}

#[test]
fn nothing_private_is_committed() {
    let key = format!("-----BEGIN {}-----\n{}\n", "PRIVATE KEY", "a".repeat(64));
    assert_eq!(gives_away(&key), Some("a private key"));
    assert_eq!(gives_away(&format!("x AGE-SECRET-{}1{}", "KEY-", "Q".repeat(58))), Some("a secret"));
    for path in committed() {
        let Ok(bytes) = fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(gives_away(&text), None, "{}", path.display());
        // What was recorded on a machine tells nothing of it but its kind.
        if path.components().any(|part| part.as_os_str() == "results") {
            for place in ["/home/", "/root/", "/tmp/", "/Users/", "file://"] {
                assert!(!text.contains(place), "{}: {place}", path.display());
            }
        }
    }
}
