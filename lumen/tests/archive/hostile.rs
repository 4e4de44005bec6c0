//! Archives that somebody made to do harm: all their sums are right.

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_lumen::archive::{BUNDLE, MANIFEST, Manifest, restore, verify};
use resonetics_runs::files::sha256;

use super::common::{Entry, NOW, Place, entries, files, header, pack, summed, write};

/// What an archive is of, files that its manifest lists, and entries behind them.
type Case<'a> = (&'a str, &'a [(&'a str, &'a [u8])], Vec<Entry>);

/// An archive with these entries, which its manifest lists, with sums, id and name that fit.
fn made(place: &Place, list: &[(&str, &[u8])], extra: &[Entry]) -> PathBuf {
    let dir = place.frozen("a", NOW).dir;
    let mut all: Vec<Entry> =
        list.iter().map(|(path, bytes)| (header(path, bytes.len() as u64), bytes.to_vec())).collect();
    all.extend_from_slice(extra);
    pack(&dir, &all);
    let tar = zstd::decode_all(&fs::read(dir.join(BUNDLE)).unwrap()[..]).unwrap();
    renamed(&dir, &|manifest| {
        let entry = |(path, bytes): &(&str, &[u8])| resonetics_lumen::archive::Entry {
            path: (*path).to_owned(),
            size: bytes.len() as u64,
            sha256: sha256(bytes),
            mode: "0644".to_owned(),
        };
        manifest.files = list.iter().map(entry).collect();
        manifest.total_bytes = list.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        manifest.tar_sha256 = sha256(&tar);
    })
}

/// Changes the manifest in `dir` with id, sums and the folder's name; yields the folder.
fn renamed(dir: &Path, change: &dyn Fn(&mut Manifest)) -> PathBuf {
    let mut manifest: Manifest = serde_json::from_slice(&fs::read(dir.join(MANIFEST)).unwrap()).unwrap();
    change(&mut manifest);
    manifest.id = manifest.content_id().unwrap();
    fs::write(dir.join(MANIFEST), serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
    summed(dir);
    let name = dir.file_name().unwrap().to_str().unwrap();
    let to = dir.with_file_name(format!("{}-{}", name.rsplit_once('-').unwrap().0, &manifest.id[..8]));
    fs::rename(dir, &to).unwrap();
    to
}

#[test]
fn what_is_made_right_is_restored() {
    let place = Place::new();
    let dir = made(&place, &[("a", b"1"), ("b/c", b"22")], &[]);
    assert_eq!(verify(&dir).unwrap().faults, []);
    assert!(restore(&dir, &place.path("out")).unwrap().is_good());
    let restored = files(&place.path("out"));
    assert_eq!(
        restored.into_iter().collect::<Vec<_>>(),
        [("a".to_owned(), b"1".to_vec()), ("b/c".to_owned(), b"22".to_vec())]
    );
}

#[test]
fn nothing_is_written_outside_or_of_what_is_ambiguous() {
    let link = |target: &str| {
        let mut link = header("b", 0);
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_link_name(target).unwrap();
        link.set_cksum();
        (link, Vec::new())
    };
    let bomb = (header("b", 64 << 20), vec![0; 64 << 20]);
    let cases: Vec<Case<'_>> = vec![
        ("absolute path", &[("/tmp/resonetics-escaped", b"1")], vec![]),
        ("path that leads up", &[("../escaped", b"1")], vec![]),
        ("path that leads up inside", &[("a/../../escaped", b"1")], vec![]),
        ("empty part", &[("a//b", b"1")], vec![]),
        ("twice", &[("a", b"1"), ("a", b"2")], vec![]),
        ("file and folder", &[("a", b"1"), ("a/b", b"2")], vec![]),
        ("not in order", &[("b", b"1"), ("a", b"2")], vec![]),
        ("link behind", &[("a", b"1")], vec![link("/etc")]),
        ("more bytes than it says", &[("a", b"1")], vec![bomb]),
    ];
    for (name, list, extra) in cases {
        let place = Place::new();
        let dir = made(&place, list, &extra);
        let before = files(place.dir.path());
        let verified = restore(&dir, &place.path("out")).unwrap();
        assert!(!verified.is_good(), "{name}");
        assert!(files(place.dir.path()) == before, "{name} left something");
        assert!(!place.path("out").exists() && !Path::new("/tmp/resonetics-escaped").exists(), "{name}");
    }
}

#[test]
fn bytes_at_random_never_panic() {
    let place = Place::new();
    let dir = place.frozen("a", NOW).dir;
    let (tar, whole) = (entries(&dir), files(&dir));
    assert!(!tar.is_empty());
    let mut word = 7_u64;
    let mut next = move |below: usize| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((word >> 33) as usize) % below.max(1)
    };
    for trial in 0..400 {
        let name = [BUNDLE, MANIFEST, "SHA256SUMS"][trial % 3];
        let mut bytes = whole[name].clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes.truncate(at),
                1 => bytes.splice(at..at, std::iter::repeat_n(next(256) as u8, next(2000))).for_each(drop),
                2 => drop(bytes.drain(at..(at + next(3)).min(bytes.len()))),
                _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte = next(256) as u8),
            }
        }
        let same = bytes == whole[name];
        fs::write(dir.join(name), &bytes).unwrap();
        // Sums that fit lead deeper.
        if trial % 2 == 0 && name != "SHA256SUMS" {
            summed(&dir);
        }
        let verified = verify(&dir).unwrap();
        let stays = name == MANIFEST && verified.manifest.is_some();
        assert!(same || stays || !verified.is_good(), "trial {trial}: {name} is called good");
        for (name, bytes) in &whole {
            write(&dir.join(name), bytes);
        }
    }
}
