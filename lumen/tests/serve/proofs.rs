//! What Prometheus is shown of a log of proofs: whole, growing, damaged, replaced, absent.

use std::fs;

use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::key::{PUBLIC, Public, Secret};
use resonetics_lumen::proof::key_event::{KeyEvent, Revoked};
use resonetics_lumen::proof::request::Request;
use resonetics_lumen::proof::root::{Role, Roles, Root, Signed};
use resonetics_lumen::serve::{LogSettings, Settings};

use super::support::{Runs, Served};

fn key(runs: &Runs) -> Secret {
    Secret::create(&runs.path("keys"), None).unwrap();
    Secret::open(&runs.path("keys"), &|| unreachable!()).unwrap()
}

fn other(runs: &Runs) -> Secret {
    Secret::create(&runs.path("other"), None).unwrap();
    Secret::open(&runs.path("other"), &|| unreachable!()).unwrap()
}

fn append(runs: &Runs, key: &Secret, entries: std::ops::Range<u32>) {
    let mut writer = Writer::open(&runs.path("log"), key, Some("here")).unwrap();
    for number in entries {
        writer.append(number.to_string().as_bytes()).unwrap();
    }
    writer.commit().unwrap();
}

fn watching(runs: &Runs) -> Served {
    let keys = vec![Public::read(&runs.path("keys").join(PUBLIC)).unwrap()];
    let log = Some(LogSettings { dir: runs.path("log"), keys, heads: None, root: None });
    Served::start(Settings { log, ..runs.settings() })
}

const OK: &str = "lumen_proof_chain_ok";
const DRAWN: [&str; 2] = ["tlog_inclusion_ok{window=\"1h\"}", "tlog_inclusion_ok{window=\"1d\"}"];

#[test]
fn a_log_that_grows_is_whole_and_one_that_was_changed_is_not() {
    let runs = Runs::new();
    let key = key(&runs);
    append(&runs, &key, 0..300);
    let served = watching(&runs);
    served.until("300 entries", |served| served.sample("lumen_proof_chain_height") == Some(300.0));
    append(&runs, &key, 300..700);
    served.until("700 entries", |served| served.sample("tlog_entries_total") == Some(700.0));
    assert_eq!(served.sample(OK), Some(1.0));
    assert!(DRAWN.iter().all(|of| served.sample(of) == Some(1.0)), "{}", served.metrics());
    assert!(served.sample("lumen_proof_chain_bytes").unwrap() > 700.0 * 32.0);
    let head = served.metrics();
    let head = head.lines().find(|line| line.starts_with("lumen_proof_chain_head_info")).unwrap();
    assert_eq!(head.len(), "lumen_proof_chain_head_info{hash=\"0123456789ab\"} 1.0".len(), "{head}");
    // All hashes of a tile are others: whatever is drawn from it is not in the log.
    for tile in ["tile/0/000", "tile/0/001"] {
        let tile = runs.path("log").join(tile);
        let flipped: Vec<u8> = fs::read(&tile).unwrap().iter().map(|byte| !byte).collect();
        fs::write(&tile, flipped).unwrap();
    }
    served.until("drawn in vain", |served| DRAWN.iter().all(|of| served.sample(of) == Some(0.0)));
    // The whole log is read when its head is another one.
    append(&runs, &key, 700..701);
    served.until("broken", |served| served.sample(OK) == Some(0.0));
}

#[test]
fn a_log_that_was_replaced_by_another_of_its_key_is_not_what_it_was() {
    let runs = Runs::new();
    let key = key(&runs);
    append(&runs, &key, 0..20);
    let served = watching(&runs);
    served.until("whole", |served| served.sample(OK) == Some(1.0));
    fs::rename(runs.path("log"), runs.path("before")).unwrap();
    served.until("gone", |served| served.sample(OK) == Some(0.0));
    append(&runs, &key, 100..140);
    served.until("read", |served| served.sample("tlog_entries_total") == Some(40.0));
    assert_eq!(served.sample(OK), Some(0.0));
    // Put back, it is what it was.
    fs::rename(runs.path("log"), runs.path("other")).unwrap();
    fs::rename(runs.path("before"), runs.path("log")).unwrap();
    served.until("whole again", |served| served.sample(OK) == Some(1.0));
    append(&runs, &key, 20..25);
    served.until("grown", |served| served.sample("tlog_entries_total") == Some(25.0));
    // Entries that are taken back by somebody who has the key.
    fs::remove_dir_all(runs.path("log")).unwrap();
    append(&runs, &key, 0..20);
    served.until("rolled back", |served| served.sample(OK) == Some(0.0));
}

#[test]
fn a_head_by_a_key_that_custodians_revoked_is_not_believed() {
    let runs = Runs::new();
    let (key, custodian) = (key(&runs), other(&runs));
    let role = |key: &Secret| Role { keyids: vec![key.public().id()], threshold: 1 };
    let root = Root {
        version: 1,
        expires: "2100-01-01T00:00:00Z".to_owned(),
        keys: [&key, &custodian].map(|key| (key.public().id(), key.public().pem())).into_iter().collect(),
        roles: Roles { root: role(&custodian), signer: role(&key), log: role(&key), approver: role(&key) },
    };
    let signed = |request: &Request| request.joined(&[request.signed(&custodian)]).unwrap();
    let root = Signed::of(signed(&Request::root(&root)).1).unwrap();
    append(&runs, &key, 0..5);
    let keys = root.root.keys_of(&root.root.roles.log);
    let log = Some(LogSettings { dir: runs.path("log"), keys, heads: None, root: Some(root) });
    let served = Served::start(Settings { log, ..runs.settings() });
    served.until("whole", |served| served.sample(OK) == Some(1.0));
    assert!(served.sample("lumen_key_expiry_timestamp{role=\"root\"}").unwrap() > 4e9);
    let revoked = Revoked { keyid: key.public().id(), reason: "key-compromise".to_owned(), since: Some(0) };
    let (entry, _) = signed(&Request::key(&KeyEvent::Revoked(revoked)));
    let mut writer = Writer::open(&runs.path("log"), &key, None).unwrap();
    writer.append(entry.as_bytes()).unwrap();
    writer.commit().unwrap();
    served.until("not believed", |served| served.sample(OK) == Some(0.0));
}

#[test]
fn what_is_not_known_of_a_log_has_no_sample() {
    let runs = Runs::new();
    let key = key(&runs);
    let served = watching(&runs);
    served
        .until("said", |served| served.get("/readyz").body.contains("proofs: log, certificates or records"));
    assert_eq!(served.sample(OK), None);
    append(&runs, &key, 0..2);
    served.until("whole", |served| served.sample(OK) == Some(1.0));
    served.until("ready", |served| served.get("/readyz").status == 200);
    // Without a log nothing is said of one.
    let without = runs.serve();
    without.until("ready", |served| served.get("/readyz").status == 200);
    assert!(!without.metrics().contains("proof") && !without.metrics().contains("tlog"));
}
