//! What is not as it should be is found, each by itself, and nothing is changed.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use resonetics_lumen::archive::{Options, Preset, freeze};
use resonetics_lumen::doctor::{Places, State, examine};
use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::heads::Heads;
use resonetics_lumen::proof::key::Secret;
use resonetics_lumen::store::Store;
use resonetics_runs::run_dir::seconds;

use crate::runs::run;

/// A folder with everything, all of it good.
fn whole(dir: &Path) -> Places {
    let folder = run(&dir.join("runs"), "a", "finished", (100.0, 40.0), None);
    let archive = dir.join("archive");
    freeze(&folder, &Options { to: &archive, label: None, preset: Preset::Run, seal: None }, seconds())
        .unwrap();
    drop(Store::open(&dir.join("lumen.db")).unwrap());
    let keys = dir.join("keys");
    Secret::create(&keys, None).unwrap();
    let key = Secret::open(&keys, &|| unreachable!("it has no passphrase")).unwrap();
    let mut writer = Writer::open(&dir.join("log"), &key, Some("log")).unwrap();
    writer.append_once(b"an entry").unwrap();
    let head = writer.commit().unwrap();
    Heads::default().keep(&head, &dir.join("heads.jsonl")).unwrap();
    Places {
        dir: dir.to_path_buf(),
        store: dir.join("lumen.db"),
        log: dir.join("log"),
        heads: dir.join("heads.jsonl"),
        keys,
        archive,
        servers: Vec::new(),
    }
}

/// What is bad, by its name, and what is said of it.
fn bad(places: &Places) -> Vec<(&'static str, String)> {
    let found = examine(places, seconds()).unwrap();
    found.into_iter().filter(|one| one.state == State::Bad).map(|one| (one.what, one.told)).collect()
}

fn only(places: &Places, what: &str, says: &str) {
    let found = bad(places);
    assert!(matches!(&found[..], [(of, told)] if *of == what && told.contains(says)), "{what}: {found:?}");
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|one| one.unwrap().path().display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn what_is_good_is_good_and_stays_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let places = whole(place.path());
    let before = names(place.path());
    let found = examine(&places, seconds()).unwrap();
    let states: Vec<State> = found.iter().map(|one| one.state).collect();
    assert_eq!(states, [State::Good; 7], "{found:?}");
    assert_eq!(names(place.path()), before);
    // Nothing is there: nothing is bad.
    let empty = tempfile::tempdir().unwrap();
    let at = |name: &str| empty.path().join(name);
    let places = Places {
        dir: at(""),
        store: at("lumen.db"),
        log: at("log"),
        heads: at("heads.jsonl"),
        keys: at("keys"),
        archive: at("archive"),
        servers: Vec::new(),
    };
    assert_eq!(bad(&places), []);
    assert_eq!(names(empty.path()), [""; 0]);
}

#[test]
fn each_fault_is_found_by_itself() {
    let place = tempfile::tempdir().unwrap();
    let places = whole(place.path());
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&places.keys, 0o755);
    only(&places, "keys", "chmod 700");
    mode(&places.keys, 0o700);
    mode(&places.keys.join("signer.pem"), 0o644);
    only(&places, "keys", "chmod 600");
    mode(&places.keys.join("signer.pem"), 0o600);
    // A store of a later version, one that was cut, and what is none.
    let store = fs::read(&places.store).unwrap();
    let put = |at: u64, bytes: &[u8]| {
        File::options().write(true).open(&places.store).unwrap().write_at(bytes, at).unwrap();
    };
    put(60, &9_u32.to_be_bytes());
    only(&places, "store", "has version 9 of the schema");
    fs::write(&places.store, &store[..store.len() - 1]).unwrap();
    only(&places, "store", "it was cut");
    fs::write(&places.store, "x").unwrap();
    only(&places, "store", "is no store");
    fs::write(&places.store, &store).unwrap();
    // A log that was larger, and an entry that was changed.
    let heads = fs::read_to_string(&places.heads).unwrap();
    fs::write(&places.heads, heads.replace("\"size\":1", "\"size\":5")).unwrap();
    only(&places, "log", "entries were taken back");
    fs::write(&places.heads, &heads).unwrap();
    let entries = places.log.join("tile/entries/000.p/1");
    let bytes = fs::read(&entries).unwrap();
    fs::write(&entries, [&bytes[..2], b"An entry"].concat()).unwrap();
    assert_eq!(bad(&places)[0].0, "log");
    fs::write(&entries, &bytes).unwrap();
    // An archive that somebody removed.
    fs::rename(places.archive.join("a"), place.path().join("a")).unwrap();
    only(&places, "archive", "--reindex");
    fs::rename(place.path().join("a"), places.archive.join("a")).unwrap();
    // A clock that stands before what was written.
    let config = place.path().join("runs/a/config.toml");
    let ahead = fs::metadata(&config).unwrap().modified().unwrap() + Duration::from_secs(3600);
    File::options().append(true).open(&config).unwrap().set_modified(ahead).unwrap();
    only(&places, "clock", "config.toml was written 3");
    File::options()
        .append(true)
        .open(&config)
        .unwrap()
        .set_modified(ahead - Duration::from_secs(3600))
        .unwrap();
    assert_eq!(bad(&places), []);
    let asked = Places { servers: vec!["http://127.0.0.1:9".to_owned()], ..places };
    only(&asked, "server", "check the address");
}
