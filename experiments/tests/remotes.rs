//! Archives that are encrypted and kept elsewhere, as they are typed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::{Place, Ran, TINY, end, wait_until};

/// The recipient of the specification's own test key.
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

fn garden(place: &Place) {
    place.ok(&format!("gardener --generations 60 --seed 1 {TINY} --out runs/garden"));
}

/// The folder that `lumen freeze` says that it wrote.
fn wrote(ran: &Ran) -> String {
    ran.last_line().strip_prefix("wrote ").unwrap_or_else(|| panic!("{ran:?}")).to_owned()
}

/// Runs a command with variables.
fn with(place: &Place, variables: &[(&str, &str)], arguments: &str) -> Ran {
    let mut command = place.command(arguments);
    command.envs(variables.iter().copied());
    Ran::of(command.output().unwrap(), arguments)
}

#[test]
fn an_archive_by_a_passphrase_is_read_by_it_alone() {
    let place = Place::new();
    garden(&place);
    place.write("pass", "correct horse\n");
    let right = [("LUMEN_ARCHIVE_PASS_FILE", "pass")];
    let frozen = with(&place, &right, "lumen freeze runs/garden --passphrase");
    let archive = wrote(&frozen);
    assert_eq!(
        place.names(&archive),
        ["SHA256SUMS", "bundle.tar.zst.age", "manifest.json", "manifest.json.age"]
    );
    let again = with(&place, &right, "lumen freeze runs/garden --passphrase");
    assert_eq!(again.last_line(), format!("nothing new: the same is in {archive}"));
    let outside = place.ok(&format!("lumen verify {archive}"));
    assert!(outside.last_line().contains("was not read"), "{outside:?}");
    let inside = with(&place, &right, &format!("lumen verify --deep --passphrase {archive}"));
    assert!(inside.code == Some(0) && inside.last_line().contains("of use"), "{inside:?}");
    place.refused(&format!("lumen verify --deep {archive}"));
    place.refused(&format!("lumen restore {archive} --out back"));
    let wrong = [("LUMEN_ARCHIVE_PASS", "incorrect horse")];
    for arguments in ["lumen verify --passphrase {}", "lumen restore {} --passphrase --out back"] {
        let ran = with(&place, &wrong, &arguments.replace("{}", &archive));
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(!ran.stderr.contains("incorrect"), "{ran:?}");
    }
    assert!(!place.path("back").exists());
    let back = with(&place, &right, &format!("lumen restore {archive} --passphrase --out back"));
    assert_eq!(back.code, Some(0), "{back:?}");
    common::assert_same(&place.files("back"), &place.files("runs/garden"), "restored");
    let bundle = format!("lumen decrypt {archive}/bundle.tar.zst.age --passphrase --out bundle.tar.zst");
    assert_eq!(with(&place, &right, &bundle).code, Some(0));
    assert_eq!(place.bytes("bundle.tar.zst")[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    assert_eq!(with(&place, &right, &bundle).code, Some(2));
    // One that was cut leaves nothing of what came before.
    let path = place.path(&format!("{archive}/bundle.tar.zst.age"));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let cut = format!("lumen decrypt {archive}/bundle.tar.zst.age --passphrase --out cut");
    assert_eq!(with(&place, &right, &cut).code, Some(1));
    assert!(!place.path("cut").exists());
    assert_eq!(place.run(&format!("lumen verify {archive}")).code, Some(1));
}

#[test]
fn files_of_the_seeds_are_decrypted_with_a_warning() {
    let place = Place::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../lumen/tests/fixtures/lumenenc/passphrase.enc");
    let words = format!("lumen decrypt --format lumenenc {fixture} --out plain.csv");
    let ran = with(&place, &[("LUMEN_ARCHIVE_PASS", "correct horse battery staple")], &words);
    assert!(ran.code == Some(0) && ran.stderr.contains("encrypt it anew"), "{ran:?}");
    assert!(place.text("plain.csv").starts_with("ts,phase_diff"));
}

/// Killed within its upload, there is nothing that looks whole; what is left is called missing, and it can be copied again.
#[test]
fn a_push_that_is_killed_leaves_no_copy() {
    let place = Place::new();
    garden(&place);
    let mut word = 1_u64;
    let noise: Vec<u8> = (0..13_000_000)
        .flat_map(|_| {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (word ^ (word >> 33)).to_le_bytes()
        })
        .collect();
    place.write("runs/garden/noise.bin", &noise);
    fs::create_dir(place.path("store")).unwrap();
    let archive = wrote(&place.ok(&format!("lumen freeze runs/garden --to-recipient {RECIPIENT}")));
    let push = format!("lumen push {archive} --remote store");
    let mut child = place.command(&push).spawn().unwrap();
    let part = || {
        let folder = fs::read_dir(place.path("store/garden")).ok()?.next()?.ok()?.path();
        let staged = fs::read_dir(folder).ok()?.next()?.ok()?.path();
        Some(fs::metadata(staged).ok()?.len())
    };
    wait_until(|| part().is_some_and(|bytes| bytes > 8 << 20));
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    assert!(part().is_some_and(|bytes| bytes < 104_000_000), "it was done before it was killed");
    for what in ["", "garden"] {
        let ran = place.run(&format!("lumen verify-remote {what} --remote store"));
        assert!(ran.code == Some(3) && ran.stdout.contains("MISSING"), "{ran:?}");
    }
    assert_eq!(place.run("lumen pull garden --remote store --to back").code, Some(3));
    let pushed = place.ok(&push);
    let key = wrote(&pushed);
    let ran = place.ok("lumen verify-remote --remote store");
    assert!(ran.stdout.contains("OK") && ran.last_line().starts_with("1 OK, 0 MISMATCH"), "{ran:?}");
    let back = wrote(&place.ok(&format!("lumen pull {key} --remote store --to back")));
    common::assert_same(&place.files(&back), &place.files(&archive), "pulled");
    place.ok(&format!("lumen verify {back}"));
    place.ok("lumen sync-index --remote store");
}

#[test]
fn each_result_has_its_status() {
    let place = Place::new();
    garden(&place);
    fs::create_dir(place.path("store")).unwrap();
    place.write("here.toml", "[remote]\nurl = \"store\"\nretry_wait_seconds = 0\n");
    place.write("nobody.toml", "[remote]\nurl = \"s3://bucket/prefix\"\nendpoint = \"http://127.0.0.1:9\"\nregion = \"x\"\nretry_wait_seconds = 0\n");
    let archive = wrote(&place.ok(&format!("lumen freeze runs/garden --to-recipient {RECIPIENT}")));
    let id = place.json(&format!("{archive}/manifest.json"))["id"].as_str().unwrap().to_owned();
    let keys = [("AWS_ACCESS_KEY_ID", "AKIATELLNOBODY"), ("AWS_SECRET_ACCESS_KEY", "tell-nobody-either")];
    let run = |arguments: &str| {
        let ran = with(&place, &keys, arguments);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains("AKIATELLNOBODY") && !said.contains("tell-nobody-either"), "{ran:?}");
        ran
    };
    let status = |arguments: &str| run(arguments).code;
    for refused in [
        "lumen push {} ",
        "lumen push {} --remote ftp://x",
        "lumen push {} --remote s3://KEY:SECRET@bucket",
        "lumen verify-remote --remote store --sample 0",
        "lumen verify-remote --remote store --sample x",
        "lumen freeze runs/garden --to-recipient AGE-SECRET-KEY-1QQQ",
        "lumen freeze runs/garden --recipients runs/garden/run.json",
        "lumen freeze runs/garden --passphrase --recipients x",
        "lumen verify {} --identity runs/garden/run.json",
        "lumen decrypt {}/bundle.tar.zst.age --out x",
    ] {
        let ran = run(&refused.replace("{}", &archive));
        assert!(ran.code == Some(2) && !ran.stderr.contains("SECRET-KEY-1QQQ"), "{refused}: {ran:?}");
    }
    assert_eq!(status("lumen push nowhere --remote store"), Some(3));
    assert_eq!(status(&format!("lumen push {archive} --remote nowhere")), Some(1));
    assert_eq!(status("lumen verify-remote --remote store"), Some(3));
    assert_eq!(status("lumen pull garden --remote store"), Some(3));
    // A server that is not there.
    let started = Instant::now();
    let ran = run(&format!("lumen push {archive} --remote-config nobody.toml"));
    assert!(ran.code == Some(1) && ran.stderr.contains("cannot be reached"), "{ran:?}");
    let ran = run("lumen verify-remote garden --remote-config nobody.toml");
    assert!(ran.code == Some(1) && ran.stdout.contains("UNREACHABLE"), "{ran:?}");
    assert!(started.elapsed() < Duration::from_secs(120));
    let key = wrote(&run(&format!("lumen push {archive} --remote-config here.toml")));
    assert_eq!(status("lumen verify-remote garden --remote-config here.toml"), Some(0));
    assert_eq!(status(&format!("lumen verify-remote {id} --remote-config here.toml")), Some(0));
    let bundle = place.path(&format!("store/{key}"));
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[500] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let ran = run("lumen verify-remote --remote-config here.toml");
    assert!(
        ran.code == Some(1) && ran.stdout.contains("MISMATCH") && ran.stdout.contains("--repair"),
        "{ran:?}"
    );
    let kept = place.ok("lumen retain --keep-days 0 --keep-weekly 0 --keep-monthly 0 --require-remote");
    assert!(kept.stdout.contains("no copy of it elsewhere was verified"), "{kept:?}");
    let ran = run("lumen verify-remote --remote-config here.toml --repair");
    assert!(ran.code == Some(1) && ran.stdout.contains("a new copy was made"), "{ran:?}");
    assert_eq!(status("lumen verify-remote --remote-config here.toml"), Some(0));
    for name in ["archive/remote_index.jsonl", "archive/index.jsonl"] {
        let text = place.text(name);
        let root = place.path("").display().to_string();
        assert!(!text.contains(root.trim_end_matches('/')) && !text.contains("127.0.0.1"), "{text}");
    }
}

/// Whoever has to hear is told ids and results, and nothing else.
#[test]
fn a_webhook_is_told_what_was_found() {
    let place = Place::new();
    garden(&place);
    fs::create_dir(place.path("store")).unwrap();
    let archive = wrote(&place.ok(&format!("lumen freeze runs/garden --to-recipient {RECIPIENT}")));
    let push = format!("lumen push {archive} --remote store --notify");
    assert_eq!(place.run(&push).code, Some(3));
    assert!(!place.path("store/garden").exists());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let mut child = place.command(&push);
    let child = child.env("LUMEN_ALERT_URL", &url).spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut heard = Vec::new();
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(&heard).contains("\"OK\"}]}}") {
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&part[..count]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(end(child, &push).code, Some(0));
    let text = String::from_utf8(heard).unwrap();
    let body: serde_json::Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
    let id = place.json(&format!("{archive}/manifest.json"))["id"].clone();
    let expected = serde_json::json!({ "title": "lumen push", "payload": { "results": [{ "archive_id": id, "result": "OK" }] } });
    assert_eq!(body, expected);
}
