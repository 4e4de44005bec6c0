//! A published log, read as a web server's clients read it.

use std::fs;
use std::path::Path;

use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::publish::publish;
use resonetics_lumen::proof::text::{hash_of_hex, hex};
use resonetics_lumen::proof::tree::{Hash, includes, leaf};
use resonetics_lumen::proof::verify::verify;
use serde_json::Value;

use super::common::{Place, append, entry};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_publication_is_a_log_and_answers_for_each_entry() {
    let place = Place::new();
    let key = place.key("keys");
    let (log, to) = (place.path("log"), place.path("public"));
    append(&log, &key, 0..300).unwrap();
    assert_eq!(publish(&log, &to).unwrap(), 300);
    let published = Log::open(&to, &[key.public()]).unwrap();
    verify(&published, &to, &[]).unwrap();
    let root = json(&to.join("v1/log/root"));
    assert_eq!(
        (&root["size"], root["rootHash"].as_str()),
        (&300.into(), Some(hex(&published.head.root).as_str()))
    );
    for index in [0, 1, 255, 256, 299] {
        let told = json(&to.join(format!("v1/log/entry/{index}")));
        let proof: Vec<Hash> = told["proof"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| hash_of_hex(one.as_str().unwrap()).unwrap())
            .collect();
        assert_eq!((told["index"].as_u64(), &told["rootHash"]), (Some(index), &root["rootHash"]));
        let hash = leaf(&entry(index));
        assert_eq!(told["leafHash"], hex(&hash));
        assert!(includes(&published.head.root, 300, index, &hash, &proof));
    }
    assert!(!to.join("v1/log/entry/300").exists() && !to.join("lock").exists());
}

/// One client has the old checkpoint, another the new one: both find their tiles.
#[test]
fn a_publication_is_replaced_whole_and_a_stale_client_goes_on() {
    let place = Place::new();
    let key = place.key("keys");
    let (log, to) = (place.path("log"), place.path("public"));
    append(&log, &key, 0..3).unwrap();
    publish(&log, &to).unwrap();
    let stale = Log::open(&to, &[]).unwrap();
    append(&log, &key, 3..9).unwrap();
    publish(&log, &to).unwrap();
    verify(&stale, &to, &[]).unwrap();
    assert!(to.join("tile/0/000.p/3").exists() && to.join("tile/entries/000.p/3").exists());
    assert_eq!(json(&to.join("v1/log/root"))["size"], 9);
    append(&log, &key, 9..256).unwrap();
    publish(&log, &to).unwrap();
    verify(&stale, &to, &[]).unwrap();
    assert!(!to.join("tile/0/000.p").exists());
    // What is something else, longer, or another log stays as it is.
    let other = place.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("file"), "x").unwrap();
    assert!(publish(&log, &other).unwrap_err().to_string().contains("is no published log"));
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
    let short = place.path("short");
    append(&short, &key, 0..2).unwrap();
    assert!(publish(&short, &to).is_err());
    let fork = place.path("fork");
    append(&fork, &key, 5..300).unwrap();
    assert!(publish(&fork, &to).is_err());
    assert_eq!(json(&to.join("v1/log/root"))["size"], 256);
    // What was killed on the way is done again, and what is damaged is not published.
    fs::create_dir(place.path(".public.tmp")).unwrap();
    fs::write(place.path(".public.tmp/x"), "x").unwrap();
    publish(&log, &to).unwrap();
    assert!(!place.path(".public.tmp").exists() && !to.join("x").exists());
    fs::remove_file(log.join("tile/0/000")).unwrap();
    assert!(publish(&log, &to).is_err());
    assert!(!place.path(".public.tmp").exists() && to.join("tile/0/000").exists());
}
