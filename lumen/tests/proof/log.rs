//! Logs that were damaged, taken back and forked, each found by who kept a head; kills that lose nothing.

use std::fs;
use std::path::Path;

use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::heads::{Heads, Held, held};
use resonetics_lumen::proof::key::Public;
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::verify::verify;
use resonetics_runs::Error;

use super::common::{Place, append, copy, entry, flip};

/// What a client that kept `heads` finds.
fn found(log: &Path, key: &Public, heads: &Path) -> Result<Held, Error> {
    let heads = Heads::read(heads)?;
    let opened = Log::open(log, std::slice::from_ref(key))?;
    let seen = heads.of(&opened.head.origin);
    let sizes: Vec<u64> =
        seen.iter().map(|(size, _)| *size).filter(|size| *size <= opened.head.size).collect();
    let roots = verify(&opened, log, &sizes)?;
    Ok(held(&seen, opened.head.size, &roots))
}

/// A log of 600 entries, and the head that it had at 300.
fn kept() -> (Place, Public) {
    let place = Place::new();
    let key = place.key("keys");
    let log = place.path("log");
    let head = append(&log, &key, 0..300).unwrap();
    copy(&log, &place.path("before"));
    Heads::default().keep(&head, &place.path("heads.jsonl")).unwrap();
    append(&log, &key, 300..600).unwrap();
    (place, key.public())
}

#[test]
fn a_whole_log_is_found_whole_and_its_head_is_kept_once() {
    let (place, key) = kept();
    assert_eq!(found(&place.path("log"), &key, &place.path("heads.jsonl")).unwrap(), Held::Good);
    let head = Log::open(&place.path("log"), &[]).unwrap().head;
    for _ in 0..2 {
        Heads::read(&place.path("heads.jsonl")).unwrap().keep(&head, &place.path("heads.jsonl")).unwrap();
    }
    let text = fs::read_to_string(place.path("heads.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert_eq!(found(&place.path("log"), &key, &place.path("heads.jsonl")).unwrap(), Held::Good);
    fs::write(place.path("heads.jsonl"), text + "{}\n").unwrap();
    let said = Heads::read(&place.path("heads.jsonl")).unwrap_err().to_string();
    assert!(said.contains("heads.jsonl, line 3: ") && said.contains("put it back"), "{said}");
}

#[test]
fn each_change_of_a_file_is_found_and_named() {
    let changed: [(&str, usize, &str); 7] = [
        ("tile/entries/000", 2, "tile/0/000 is damaged: its hash of entry 0"),
        ("tile/entries/001", 703, "tile/0/001 is damaged: its hash of entry"),
        ("tile/entries/002.p/88", 2, "tile/0/002.p/88 is damaged: its hash of entry 512"),
        ("tile/0/001", 32 * 5, "tile/0/001 is damaged: its hash of entry 261"),
        ("tile/0/002.p/88", 32, "tile/0/002.p/88 is damaged: its hash of entry 513"),
        ("tile/1/000.p/2", 40, "tile/1/000.p/2 is damaged: its hash 1"),
        // The length of an entry.
        ("tile/entries/001", 0, "tile/entries/001 is damaged: an entry is cut off"),
    ];
    for (file, at, expected) in changed {
        let (place, key) = kept();
        flip(&place.path("log").join(file), at);
        let said = found(&place.path("log"), &key, &place.path("heads.jsonl")).unwrap_err();
        assert!(matches!(said, Error::Failed(_)) && said.to_string().contains(expected), "{file}: {said}");
        // What is at the edge is looked at before anything is appended.
        if file.contains(".p/") {
            let secret = super::common::none;
            let key = resonetics_lumen::proof::key::Secret::open(&place.path("keys"), &secret).unwrap();
            let before = fs::read(place.path("log/checkpoint")).unwrap();
            assert!(matches!(append(&place.path("log"), &key, 600..601), Err(Error::Failed(_))), "{file}");
            assert!(fs::read(place.path("log/checkpoint")).unwrap() == before, "{file}");
        }
    }
}

#[test]
fn each_change_of_the_head_is_found() {
    type Change = fn(&str) -> String;
    let changes: [(&str, Change, &str); 4] = [
        ("size", |note| note.replacen("\n600\n", "\n601\n", 1), "signature"),
        ("root", |note| note.replacen("\n600\n", "\n600\nx", 1), "is no checkpoint"),
        ("signature", |note| note[..note.len() - 9].to_owned() + "AAAAAA==\n", "signature"),
        ("end", |note| note.trim_end().to_owned(), "is no checkpoint"),
    ];
    for (what, change, expected) in changes {
        let (place, key) = kept();
        let path = place.path("log/checkpoint");
        fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
        let said = found(&place.path("log"), &key, &place.path("heads.jsonl")).unwrap_err().to_string();
        assert!(said.contains(expected), "{what}: {said}");
    }
    // By another key, and with none.
    let (place, _) = kept();
    let other = place.key("other").public();
    let said = found(&place.path("log"), &other, &place.path("heads.jsonl")).unwrap_err();
    assert!(matches!(said, Error::Unknown(_)), "{said}");
    fs::remove_file(place.path("log/checkpoint")).unwrap();
    assert!(matches!(Log::open(&place.path("log"), &[]), Err(Error::Unknown(_))));
    // A log that lost its head is not begun anew over its entries.
    let key = resonetics_lumen::proof::key::Secret::open(&place.path("keys"), &super::common::none).unwrap();
    assert!(append(&place.path("log"), &key, 0..1).unwrap_err().is_refusal());
}

/// All of these are signed by the log's own key and whole in themselves: without an older head nobody would know.
#[test]
fn what_was_taken_back_forked_or_put_in_another_order_is_found_by_who_kept_a_head() {
    let (place, key) = kept();
    let secret =
        resonetics_lumen::proof::key::Secret::open(&place.path("keys"), &super::common::none).unwrap();
    let heads = place.path("heads.jsonl");
    let now = Log::open(&place.path("log"), &[]).unwrap().head;
    Heads::read(&heads).unwrap().keep(&now, &heads).unwrap();
    assert_eq!(found(&place.path("before"), &key, &heads).unwrap(), Held::RolledBack { was: 600 });
    append(&place.path("before"), &secret, 1_000..1_400).unwrap();
    assert_eq!(found(&place.path("before"), &key, &heads).unwrap(), Held::Forked { at: 600 });
    let swapped = (0..700).map(|number| match number {
        7 => 8,
        8 => 7,
        other => other,
    });
    append(&place.path("swapped"), &secret, swapped).unwrap();
    assert_eq!(found(&place.path("swapped"), &key, &heads).unwrap(), Held::Forked { at: 300 });
    append(&place.path("shorter"), &secret, 1..700).unwrap();
    assert_eq!(found(&place.path("shorter"), &key, &heads).unwrap(), Held::Forked { at: 300 });
}

/// A kill before the head is written leaves tiles that no head tells of, of any content.
#[test]
fn what_is_not_committed_is_not_there_and_in_nobodys_way() {
    for before in [0, 10, 256, 300] {
        let place = Place::new();
        let key = place.key("keys");
        let log = place.path("log");
        append(&log, &key, 0..before).unwrap();
        let was = Log::open(&log, &[]).unwrap().head;
        let mut killed = Writer::open(&log, &key, None).unwrap();
        for number in 5_000..5_600 {
            killed.append(&entry(number)).unwrap();
        }
        drop(killed);
        fs::create_dir_all(log.join("tile/0/000.p")).unwrap();
        fs::write(log.join(format!("tile/0/000.p/{}", before % 256 + 3)), "torn").unwrap();
        let heads = place.path("heads.jsonl");
        Heads::default().keep(&was, &heads).unwrap();
        assert_eq!(found(&log, &key.public(), &heads).unwrap(), Held::Good, "{before}");
        append(&log, &key, before..before + 3).unwrap();
        assert_eq!(found(&log, &key.public(), &heads).unwrap(), Held::Good, "{before}");
        append(&log, &key, before + 3..900).unwrap();
        assert_eq!(found(&log, &key.public(), &heads).unwrap(), Held::Good, "{before}");
        let log = Log::open(&log, &[key.public()]).unwrap();
        assert!((0..900).step_by(7).all(|index| log.entry(index).unwrap() == entry(index)));
    }
}

#[test]
fn one_at_a_time_appends_and_only_with_the_key_of_the_log() {
    let place = Place::new();
    let (key, other) = (place.key("keys"), place.key("other"));
    let log = place.path("log");
    let mut writer = Writer::open(&log, &key, None).unwrap();
    let said = Writer::open(&log, &key, None).err().unwrap();
    assert!(said.is_refusal() && said.to_string().contains("another process"), "{said}");
    assert_eq!(writer.append_once(b"a").unwrap(), (0, true));
    writer.commit().unwrap();
    assert_eq!(writer.append_once(b"a").unwrap(), (0, false));
    assert_eq!(writer.append_once(b"b").unwrap(), (1, true));
    writer.commit().unwrap();
    let before = fs::read(log.join("checkpoint")).unwrap();
    writer.commit().unwrap();
    let long = vec![0; 65_536];
    assert!(writer.append(&long).unwrap_err().is_refusal());
    assert_eq!(writer.append(&long[1..]).unwrap(), 2);
    drop(writer);
    assert!(fs::read(log.join("checkpoint")).unwrap() == before);
    let said = Writer::open(&log, &other, None).err().unwrap();
    assert!(said.is_refusal() && said.to_string().contains("another key signs this log"), "{said}");
    let said = Writer::open(&log, &key, Some("another.name")).err().unwrap();
    assert!(
        said.is_refusal() && said.to_string().contains("origin of this log is resonetics.lumen/"),
        "{said}"
    );
    for bad in ["", "a b", "a+b", "a\nb"] {
        assert!(Writer::open(&place.path("new"), &key, Some(bad)).err().unwrap().is_refusal(), "{bad:?}");
    }
}
