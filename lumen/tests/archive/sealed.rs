//! Archives that only some can read.

use std::fs;
use std::path::Path;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use resonetics_lumen::archive::index::Index;
use resonetics_lumen::archive::{
    Archive, BUNDLE_AGE, Frozen, Key, Kind, MANIFEST, MANIFEST_AGE, Manifest, Options, Preset, SUMS, Seal,
    decrypt_age, decrypt_lumenenc, freeze, restore, restore_opened, verify, verify_opened,
};
use resonetics_runs::files::sha256;

use super::common::{NOW, Place, copied, files, frozen, write};

/// An identity, its recipient, and the file that has it.
fn identity(place: &Place, name: &str) -> (String, Key) {
    let identity = Identity::generate();
    let path = place.path(name);
    fs::write(&path, format!("# public key: none\n{}\n", identity.to_string().expose_secret())).unwrap();
    (identity.to_public().to_string(), Key::read(&path).unwrap())
}

fn sealed(place: &Place, seal: &Seal, to: &Path, now: f64) -> Frozen {
    let run = place.path("runs/a");
    freeze(&run, &Options { to, label: Some("storm"), preset: Preset::Run, seal: Some(seal) }, now).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    files(dir).into_keys().collect()
}

#[test]
fn what_is_encrypted_is_opened_by_its_identity_alone() {
    let place = Place::new();
    let (recipient, key) = identity(&place, "one.txt");
    let (_, other) = identity(&place, "other.txt");
    let seal = Seal::to(std::slice::from_ref(&recipient)).unwrap();
    let made = sealed(&place, &seal, &place.archive(), NOW);
    assert_eq!(names(&made.dir), [SUMS, BUNDLE_AGE, MANIFEST, MANIFEST_AGE]);
    // Everybody.
    let all = verify(&made.dir).unwrap();
    assert!(all.is_good() && all.is_unread, "{all:?}");
    let outer = all.manifest.unwrap();
    assert_eq!((outer.id.as_str(), outer.files.len()), (made.manifest.id.as_str(), 0));
    let failure = restore(&made.dir, &place.path("none")).unwrap_err();
    assert!(failure.is_refusal() && failure.to_string().contains("--identity"), "{failure}");
    // Who has another identity, or a passphrase.
    for wrong in [&other, &Key::passphrase("x".to_owned())] {
        assert!(verify_opened(&made.dir, wrong).unwrap_err().is_refusal());
        assert!(restore_opened(&made.dir, &place.path("none"), wrong).unwrap_err().is_refusal());
    }
    assert!(!place.path("none").exists());
    // Who has it.
    let opened = verify_opened(&made.dir, &key).unwrap();
    assert!(opened.is_good() && !opened.is_unread);
    assert_eq!(opened.manifest.unwrap(), made.manifest);
    assert!(restore_opened(&made.dir, &place.path("back"), &key).unwrap().is_good());
    assert!(files(&place.path("back")) == files(&place.path("runs/a")));
}

#[test]
fn everybody_may_read_nothing_of_what_is_inside() {
    let place = Place::new();
    let (recipient, _) = identity(&place, "one.txt");
    let made = sealed(&place, &Seal::to(std::slice::from_ref(&recipient)).unwrap(), &place.archive(), NOW);
    let mut secret: Vec<String> = made.manifest.files.iter().map(|entry| entry.sha256.clone()).collect();
    secret.extend(made.manifest.files.iter().map(|entry| entry.path.clone()));
    secret.extend([made.manifest.tar_sha256.clone(), "storm".to_owned(), "gardener".to_owned(), recipient]);
    for (name, bytes) in files(&place.archive()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for word in &secret {
            assert!(!text.contains(word), "{name} tells `{word}`");
        }
    }
}

#[test]
fn the_id_is_that_of_the_content_and_not_of_the_encryption() {
    let place = Place::new();
    let (one, _) = identity(&place, "one.txt");
    let (two, _) = identity(&place, "two.txt");
    let archive = place.archive();
    let first = sealed(&place, &Seal::to(&[one.clone(), two.clone()]).unwrap(), &archive, NOW);
    let elsewhere =
        sealed(&place, &Seal::to(&[one.clone(), two.clone()]).unwrap(), &place.path("other"), NOW);
    assert_eq!(first.manifest.id, elsewhere.manifest.id);
    assert!(
        fs::read(first.dir.join(BUNDLE_AGE)).unwrap() != fs::read(elsewhere.dir.join(BUNDLE_AGE)).unwrap()
    );
    // For the same again, in another order and twice: nothing new.
    let before = files(&archive);
    let again = sealed(&place, &Seal::to(&[two.clone(), one.clone(), two]).unwrap(), &archive, NOW + 9.0);
    assert!(!again.is_new && again.dir == first.dir && files(&archive) == before);
    // For others, and for everybody: new ones.
    let other = sealed(&place, &Seal::to(&[one]).unwrap(), &archive, NOW + 9.0);
    assert!(other.is_new && other.manifest.id == first.manifest.id);
    let plain = frozen(&place.path("runs/a"), &archive, NOW + 9.0);
    assert!(plain.is_new && plain.manifest.id != first.manifest.id);
    let index = Index::read(&Archive::at(&archive)).unwrap();
    assert_eq!(index.lines.iter().map(|line| line.files.is_some()).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn a_passphrase_opens_it_too() {
    let place = Place::new();
    let seal = |text: &str| Seal::by(text.to_owned()).unwrap();
    let made = sealed(&place, &seal("correct"), &place.archive(), NOW);
    assert!(verify_opened(&made.dir, &Key::passphrase("correct".to_owned())).unwrap().is_good());
    let failure = verify_opened(&made.dir, &Key::passphrase("wrong".to_owned())).unwrap_err();
    assert!(failure.is_refusal(), "{failure}");
    // By another one it is another archive. (That by the same it is not is seen where it is typed.)
    assert!(sealed(&place, &seal("changed"), &place.archive(), NOW + 9.0).is_new);
    assert!(Seal::by(String::new()).unwrap_err().is_refusal());
}

/// Sums that fit the other files.
fn summed(dir: &Path) {
    let line = |name: &str| format!("{}  {name}\n", sha256(&fs::read(dir.join(name)).unwrap()));
    fs::write(dir.join(SUMS), line(BUNDLE_AGE) + &line(MANIFEST_AGE) + &line(MANIFEST)).unwrap();
}

fn outer(dir: &Path, change: &dyn Fn(&mut Manifest)) {
    let mut manifest: Manifest = serde_json::from_slice(&fs::read(dir.join(MANIFEST)).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(dir.join(MANIFEST), serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}

/// What is done, whether everybody finds it, where, and how it is called.
type Case<'a> = (&'a str, &'a dyn Fn(), bool, &'a str, Kind);

/// Each damage is found: of bytes by everybody, of what was exchanged with sums that fit by who opens it.
#[test]
#[allow(clippy::too_many_lines)] // a table
fn each_damage_is_found() {
    let place = Place::new();
    let (recipient, key) = identity(&place, "one.txt");
    let seal = Seal::to(&[recipient]).unwrap();
    let made = sealed(&place, &seal, &place.archive(), NOW);
    write(&place.path("runs/a/more"), "more");
    let other = sealed(&place, &seal, &place.path("other"), NOW + 9.0);
    place.run("a", 1);
    let changed = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = made.dir.join(name);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    };
    let swap = |name: &str| fs::copy(other.dir.join(name), made.dir.join(name)).map(drop).unwrap();
    let flip = |at: usize| move |bytes: &mut Vec<u8>| bytes[at] ^= 1;
    let cases: [Case<'_>; 12] = [
        ("a bit of the bundle", &|| changed(BUNDLE_AGE, &flip(150_000)), true, BUNDLE_AGE, Kind::Mismatch),
        ("its header", &|| changed(BUNDLE_AGE, &flip(40)), true, BUNDLE_AGE, Kind::Mismatch),
        (
            "its end",
            &|| changed(BUNDLE_AGE, &|bytes| bytes.truncate(bytes.len() - 9)),
            true,
            BUNDLE_AGE,
            Kind::Mismatch,
        ),
        ("a bit of the manifest", &|| changed(MANIFEST_AGE, &flip(300)), true, MANIFEST_AGE, Kind::Mismatch),
        (
            "no manifest",
            &|| fs::remove_file(made.dir.join(MANIFEST_AGE)).unwrap(),
            true,
            MANIFEST_AGE,
            Kind::Missing,
        ),
        (
            "no bundle",
            &|| fs::remove_file(made.dir.join(BUNDLE_AGE)).unwrap(),
            true,
            BUNDLE_AGE,
            Kind::Missing,
        ),
        (
            "a plain bundle beside it",
            &|| write(&made.dir.join("bundle.tar.zst"), "x"),
            true,
            "bundle.tar.zst",
            Kind::Extra,
        ),
        (
            "called plain",
            &|| outer(&made.dir, &|manifest| manifest.encryption = "none".to_owned()),
            true,
            MANIFEST,
            Kind::Mismatch,
        ),
        (
            "the last chunk, with sums",
            &|| {
                changed(BUNDLE_AGE, &|bytes| {
                    let end = bytes.len() - 3;
                    bytes[end] ^= 1;
                });
                summed(&made.dir);
            },
            false,
            "bundle.tar.zst",
            Kind::Mismatch,
        ),
        (
            "cut within a chunk, with sums",
            &|| {
                changed(BUNDLE_AGE, &|bytes| bytes.truncate(200_000));
                summed(&made.dir);
            },
            false,
            "notes/noise.bin",
            Kind::Mismatch,
        ),
        (
            "another bundle, with sums",
            &|| {
                swap(BUNDLE_AGE);
                summed(&made.dir);
            },
            false,
            "notes/more",
            Kind::Extra,
        ),
        (
            "another manifest, with sums",
            &|| {
                swap(MANIFEST_AGE);
                summed(&made.dir);
            },
            false,
            MANIFEST_AGE,
            Kind::Mismatch,
        ),
    ];
    let whole = files(&made.dir);
    for (what, damage, by_all, path, kind) in cases {
        damage();
        let found = verify(&made.dir).unwrap();
        assert_eq!(!found.is_good(), by_all, "{what}: {found:?}");
        let found = verify_opened(&made.dir, &key).unwrap();
        // Where exactly what was exchanged or cut differs depends on what it was encrypted with.
        let is_named = |fault: &resonetics_lumen::archive::Fault| fault.path == path && fault.kind == kind;
        let told = if by_all { found.faults.iter().any(is_named) } else { !found.is_good() };
        assert!(told, "{what}: {:?}", found.faults);
        assert!(!restore_opened(&made.dir, &place.path("out"), &key).unwrap().is_good(), "{what}");
        assert!(!place.path("out").exists(), "{what}");
        fs::remove_dir_all(&made.dir).unwrap();
        copied_back(&whole, &made.dir);
    }
    assert!(verify_opened(&made.dir, &key).unwrap().is_good());
    copied(&made.dir, &place.path("archive/a/renamed"));
    assert!(!verify(&place.path("archive/a/renamed")).unwrap().is_good());
}

fn copied_back(whole: &std::collections::BTreeMap<String, Vec<u8>>, dir: &Path) {
    for (name, bytes) in whole {
        write(&dir.join(name), bytes);
    }
}

#[test]
fn files_of_the_seeds_are_read() {
    let place = Place::new();
    let fixture =
        |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lumenenc").join(name);
    let text = "ts,phase_diff,entropy_rate,creative_band,risk_band\nécole\n";
    let passphrase = "correct horse battery staple";
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for (name, secret) in [("passphrase.enc", passphrase), ("counted.enc", passphrase), ("key.enc", key)] {
        let out = place.path(name);
        assert_eq!(decrypt_lumenenc(&fixture(name), secret, &out).unwrap(), text.len() as u64);
        assert_eq!(fs::read_to_string(&out).unwrap(), text);
        // Nothing is replaced.
        assert!(decrypt_lumenenc(&fixture(name), secret, &out).unwrap_err().is_refusal());
        let bytes = fs::read(fixture(name)).unwrap();
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            let [damaged, cut] = [("damaged", other), ("cut", bytes[..at].to_vec())].map(|(name, bytes)| {
                let path = place.path(name);
                fs::write(&path, bytes).unwrap();
                decrypt_lumenenc(&path, secret, &place.path("none"))
            });
            // The salt means nothing to a key that is given.
            let is_salt = name == "key.enc" && (9..25).contains(&at);
            assert_eq!(damaged.is_err(), !is_salt, "{name} byte {at}");
            let _ = fs::remove_file(place.path("none"));
            assert!(cut.unwrap_err().is_refusal());
        }
        assert!(decrypt_lumenenc(&fixture(name), "wrong", &place.path("none")).unwrap_err().is_refusal());
        assert!(!place.path("none").exists());
    }
}

/// Whatever becomes of a file of age, it is decrypted wholly or not at all, and nothing panics.
#[test]
fn changed_files_of_age_leave_nothing() {
    let place = Place::new();
    let (recipient, key) = identity(&place, "one.txt");
    let plain: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    let recipient: age::x25519::Recipient = recipient.parse().unwrap();
    let bytes = age::encrypt(&recipient, &plain).unwrap();
    let (path, out) = (place.path("file.age"), place.path("out"));
    fs::write(&path, &bytes).unwrap();
    assert_eq!(decrypt_age(&path, &key, &out).unwrap(), plain.len() as u64);
    assert!(fs::read(&out).unwrap() == plain);
    assert!(decrypt_age(&path, &key, &out).unwrap_err().is_refusal(), "it was replaced");
    fs::remove_file(&out).unwrap();
    let before = files(place.dir.path()).len();
    let mut word = 11_u64;
    let mut next = move |below: usize| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((word >> 33) as usize) % below.max(1)
    };
    for trial in 0..300 {
        let mut changed = bytes.clone();
        // The header is small, and has the most that can be wrong.
        let reach = if trial % 2 == 0 { 200 } else { changed.len() };
        let at = next(reach);
        match next(5) {
            0 => changed.truncate(at),
            1 => changed.splice(at..at, std::iter::repeat_n(next(256) as u8, 1 + next(2000))).for_each(drop),
            2 => drop(changed.drain(at..(at + 1 + next(3)).min(bytes.len()))),
            3 => changed.push(next(256) as u8),
            _ => changed[at] ^= 1 << next(8),
        }
        if changed == bytes {
            continue;
        }
        fs::write(&path, &changed).unwrap();
        assert!(decrypt_age(&path, &key, &out).is_err(), "trial {trial}");
        assert_eq!(files(place.dir.path()).len(), before, "trial {trial} left something");
    }
}
