//! Copies of archives in a folder elsewhere.

use std::fs;
use std::path::PathBuf;

use age::x25519::Identity;
use resonetics_lumen::archive::index::Index;
use resonetics_lumen::archive::remote::record::{FILE, Outcome, Records};
use resonetics_lumen::archive::remote::{Checked, Query, Remote, Settings};
use resonetics_lumen::archive::retain::{Rules, apply, planned};
use resonetics_lumen::archive::{Archive, Options, Preset, Seal, freeze, verify};
use resonetics_runs::Error;
use resonetics_runs::files::sha256;

use super::common::{NOW, Place, files, write};

/// A place with a folder for copies, and an encrypted archive.
struct Kept {
    place: Place,
    dir: PathBuf,
    id: String,
}

impl Kept {
    fn new() -> Kept {
        let place = Place::new();
        fs::create_dir(place.path("store")).unwrap();
        let (dir, id) = frozen(&place, "a", NOW);
        Kept { place, dir, id }
    }

    fn remote(&self) -> Remote {
        remote(&self.place, "store")
    }

    fn archive(&self) -> Archive {
        Archive::at(&self.place.archive())
    }

    fn push(&self) -> String {
        let pushed = self.remote().push(&self.dir, false).unwrap();
        assert!(pushed.is_new && pushed.outcome == Outcome::Ok, "{pushed:?}");
        pushed.key
    }

    /// What is found of the only archive.
    fn found(&self) -> Checked {
        let mut all = self.remote().verify(&self.archive(), &Query::All, None, false).unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    fn object(&self, ending: &str) -> PathBuf {
        let all = files(&self.place.path("store")).into_keys();
        let mut all = all.filter(|name| name.ends_with(ending));
        let one = all.next().unwrap();
        assert_eq!(all.next(), None);
        self.place.path("store").join(one)
    }
}

fn frozen(place: &Place, run: &str, now: f64) -> (PathBuf, String) {
    let seal = Seal::to(&[Identity::generate().to_public().to_string()]).unwrap();
    let options = Options { to: &place.archive(), label: None, preset: Preset::Run, seal: Some(&seal) };
    let made = freeze(&place.path("runs").join(run), &options, now).unwrap();
    (made.dir, made.manifest.id)
}

fn remote(place: &Place, folder: &str) -> Remote {
    let url = place.path(folder).to_str().unwrap().to_owned();
    Remote::open(&Settings { url, retry_wait_seconds: Some(0.0), ..Settings::default() }).unwrap()
}

#[test]
fn what_is_pushed_is_pulled_with_the_same_bytes() {
    let kept = Kept::new();
    let key = kept.push();
    let bundle = fs::read(kept.dir.join("bundle.tar.zst.age")).unwrap();
    let parts: Vec<&str> = key.split('/').collect();
    assert_eq!((parts[0], parts.len()), ("a", 3));
    assert_eq!(parts[2], format!("{}.tar.zst.age", sha256(&bundle)));
    assert!(fs::read(kept.object(".tar.zst.age")).unwrap() == bundle);
    let again = kept.remote().push(&kept.dir, false).unwrap();
    assert!(!again.is_new && again.key == key);
    assert_eq!(kept.found().outcome, Outcome::Ok);
    for (number, what) in [key.as_str(), "a", &kept.id].into_iter().enumerate() {
        let to = Archive::at(&kept.place.path(&format!("back-{number}")));
        let (dir, is_new) = kept.remote().pull(&to, what).unwrap();
        assert!(is_new && files(&dir) == files(&kept.dir), "{what}");
        assert!(verify(&dir).unwrap().is_good());
        assert!(!kept.remote().pull(&to, what).unwrap().1);
        let index = Index::read(&to).unwrap();
        assert_eq!(index.lines.len(), 1);
        assert!(resonetics_lumen::archive::index::differences(&index, &to.found().unwrap()).is_empty());
    }
    for what in ["b", &"0".repeat(64), "a/b/c.tar.zst", "../../etc/x.tar.zst.age", ""] {
        let none = Archive::at(&kept.place.path("none"));
        assert!(matches!(kept.remote().pull(&none, what), Err(Error::Unknown(_))), "{what}");
    }
    let left = files(kept.place.dir.path());
    assert!(!left.keys().any(|name| name.contains(".tmp")), "{:?}", left.keys());
}

#[test]
fn what_everybody_could_read_is_copied_only_if_that_is_said() {
    let kept = Kept::new();
    let dir = kept.place.frozen("a", NOW + 60.0).dir;
    assert!(kept.remote().push(&dir, false).unwrap_err().is_refusal());
    assert!(files(&kept.place.path("store")).is_empty());
    let pushed = kept.remote().push(&dir, true).unwrap();
    assert!(pushed.key.ends_with(".tar.zst") && pushed.outcome == Outcome::Ok);
    let to = Archive::at(&kept.place.path("back"));
    let (back, _) = kept.remote().pull(&to, &pushed.key).unwrap();
    assert!(files(&back) == files(&dir));
}

/// What is done to a copy, with another one at hand.
type Damage = fn(&Kept, &Kept);

/// What is done to a copy is found, is on record, is not pulled, and is put right under a new key.
#[test]
fn each_damage_of_a_copy_is_found() {
    let other = Kept::new();
    other.push();
    let cases: [(&str, Damage, Outcome); 11] = [
        ("bit", |kept, _| kept.edit(".tar.zst.age", &|bytes| bytes[1000] ^= 1), Outcome::Mismatch),
        ("truncated", |kept, _| kept.edit(".tar.zst.age", &|bytes| bytes.truncate(999)), Outcome::Mismatch),
        ("longer", |kept, _| kept.edit(".tar.zst.age", &|bytes| bytes.push(0)), Outcome::Mismatch),
        ("empty", |kept, _| kept.edit(".SHA256SUMS", &Vec::clear), Outcome::Mismatch),
        ("swapped bundle", |kept, other| kept.swap(other, ".tar.zst.age"), Outcome::Mismatch),
        ("swapped manifest", |kept, other| kept.swap(other, ".manifest.json.age"), Outcome::Mismatch),
        ("swapped sidecar", |kept, other| kept.swap(other, ".sidecar.json"), Outcome::Mismatch),
        (
            "all swapped",
            |kept, other| {
                for ending in
                    [".tar.zst.age", ".manifest.json.age", ".manifest.json", ".SHA256SUMS", ".sidecar.json"]
                {
                    kept.swap(other, ending);
                }
            },
            Outcome::Mismatch,
        ),
        ("no bundle", |kept, _| fs::remove_file(kept.object(".tar.zst.age")).unwrap(), Outcome::Missing),
        ("no sums", |kept, _| fs::remove_file(kept.object(".SHA256SUMS")).unwrap(), Outcome::Missing),
        ("no sidecar", |kept, _| fs::remove_file(kept.object(".sidecar.json")).unwrap(), Outcome::Missing),
    ];
    for (what, damage, outcome) in cases {
        let kept = Kept::new();
        let key = kept.push();
        damage(&kept, &other);
        let found = kept.found();
        assert_eq!((found.outcome, found.repaired), (outcome, None), "{what}: {}", found.why);
        let none = Archive::at(&kept.place.path("none"));
        let failure = kept.remote().pull(&none, &key).unwrap_err();
        assert!(matches!(failure, Error::Failed(_) | Error::Unknown(_)), "{what}: {failure}");
        let none = kept.place.path("none");
        assert!(!none.exists() || !files(&none).keys().any(|name| name.contains("manifest")), "{what}");
        let before = files(&kept.place.path("store"));
        let repaired = kept.remote().verify(&kept.archive(), &Query::All, None, true).unwrap().remove(0);
        assert_eq!(repaired.outcome, outcome, "{what}");
        assert!(repaired.repaired.unwrap() != key, "{what}");
        let after = files(&kept.place.path("store"));
        assert!(
            before.iter().all(|(name, bytes)| after.get(name) == Some(bytes)),
            "{what}: something was replaced"
        );
        assert_eq!(kept.found().outcome, Outcome::Ok, "{what}");
        let results: Vec<Outcome> =
            Records::read(&kept.archive()).unwrap().lines.iter().map(|line| line.result).collect();
        assert_eq!(results[..3], [Outcome::Started, Outcome::Uploaded, Outcome::Ok], "{what}");
        assert_eq!(results[3..5], [outcome, outcome], "{what}");
    }
    // Without a record, a sidecar that was edited is found by what it names.
    let kept = Kept::new();
    kept.push();
    fs::remove_file(kept.place.archive().join(FILE)).unwrap();
    assert_eq!(kept.found().outcome, Outcome::Ok);
    kept.edit(".sidecar.json", &|bytes| {
        let at = bytes.windows(8).rposition(|word| word == b"\"sha256\"").unwrap() + 12;
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    });
    assert_eq!(kept.found().outcome, Outcome::Mismatch);
}

impl Kept {
    fn edit(&self, ending: &str, change: &dyn Fn(&mut Vec<u8>)) {
        let path = self.object(ending);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }

    fn swap(&self, other: &Kept, ending: &str) {
        fs::copy(other.object(ending), self.object(ending)).unwrap();
    }
}

#[test]
fn a_store_that_is_not_there_is_no_missing_copy() {
    let kept = Kept::new();
    let remote = kept.remote();
    kept.push();
    fs::rename(kept.place.path("store"), kept.place.path("away")).unwrap();
    let found = remote.verify(&kept.archive(), &Query::All, None, true).unwrap();
    assert_eq!((found[0].outcome, &found[0].repaired), (Outcome::Unreachable, &None));
    assert!(matches!(remote.push(&kept.dir, false), Err(Error::Failed(_))));
    assert!(matches!(remote.pull(&kept.archive(), "a"), Err(Error::Failed(_))));
    let url = kept.place.path("store").to_str().unwrap().to_owned();
    let failure = Remote::open(&Settings { url, ..Settings::default() }).unwrap_err();
    assert!(matches!(failure, Error::Failed(_)), "{failure}");
    // That it could not be asked changes nothing of what was found before.
    fs::rename(kept.place.path("away"), kept.place.path("store")).unwrap();
    assert!(!kept.remote().push(&kept.dir, false).unwrap().is_new);
}

#[test]
fn a_share_is_read_beginning_with_what_was_not_read_for_longest() {
    let kept = Kept::new();
    kept.push();
    for (seed, run) in (7..).zip(["b", "c", "d"]) {
        kept.place.run(run, seed);
        let (dir, _) = frozen(&kept.place, run, NOW);
        kept.remote().push(&dir, false).unwrap();
    }
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..2 {
        let found = kept.remote().verify(&kept.archive(), &Query::All, Some(0.3), false).unwrap();
        assert_eq!(found.len(), 2);
        seen.extend(found.into_iter().filter_map(|one| one.key));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "{seen:?}");
    let of_run = kept.remote().verify(&kept.archive(), &Query::Run("c".to_owned()), None, false).unwrap();
    assert_eq!(of_run.len(), 1);
    let of_id = kept.remote().verify(&kept.archive(), &Query::typed(Some(&kept.id)), None, false).unwrap();
    assert!(of_id.iter().all(|one| one.id == kept.id) && of_id.len() == 1);
    let none = kept.remote().verify(&kept.archive(), &Query::Run("no".to_owned()), None, false);
    assert!(matches!(none, Err(Error::Unknown(_))));
}

/// Names that a store writes otherwise.
#[test]
fn runs_with_odd_names_are_copied_too() {
    let kept = Kept::new();
    for name in ["a b", "file#1", "50%", "é~x", "c%23d"] {
        kept.place.run(name, 3);
        let (dir, id) = frozen(&kept.place, name, NOW);
        let pushed = kept.remote().push(&dir, false).unwrap();
        assert_eq!(pushed.outcome, Outcome::Ok, "{name}: {}", pushed.why);
        let to = Archive::at(&kept.place.path("back"));
        let (back, is_new) = kept.remote().pull(&to, name).unwrap();
        assert!(is_new && back == to.path(name).join(dir.file_name().unwrap()), "{name}");
        let found = kept.remote().verify(&kept.archive(), &Query::Run(name.to_owned()), None, false).unwrap();
        assert_eq!((found.len(), found[0].outcome, &found[0].id), (1, Outcome::Ok, &id), "{name}");
    }
    assert_eq!(kept.remote().compare(&kept.archive()).unwrap(), (5, Vec::new()));
}

#[test]
fn record_and_store_are_compared() {
    let kept = Kept::new();
    let key = kept.push();
    kept.place.run("b", 2);
    let (dir, id) = frozen(&kept.place, "b", NOW);
    let other = kept.remote().push(&dir, false).unwrap().key;
    assert_eq!(kept.remote().compare(&kept.archive()).unwrap(), (2, Vec::new()));
    fs::remove_file(kept.place.path("store").join(other.replace(".tar.zst.age", ".sidecar.json"))).unwrap();
    let (same, differences) = kept.remote().compare(&kept.archive()).unwrap();
    assert_eq!((same, differences.len()), (1, 1));
    assert_eq!((differences[0].what, &differences[0].key, &differences[0].id), ("only here", &other, &id));
    let before = files(&kept.place.archive());
    fs::remove_file(kept.place.archive().join(FILE)).unwrap();
    let (same, differences) = kept.remote().compare(&kept.archive()).unwrap();
    assert_eq!((same, differences.len()), (0, 1));
    assert_eq!((differences[0].what, &differences[0].key), ("only there", &key));
    assert!(!files(&kept.place.archive()).contains_key(FILE) && before.contains_key(FILE));
}

#[test]
fn what_has_no_verified_copy_is_not_deleted() {
    let kept = Kept::new();
    write(&kept.place.path("runs/a/more"), "1");
    let (second, _) = frozen(&kept.place, "a", NOW + 100.0);
    write(&kept.place.path("runs/a/more"), "2");
    frozen(&kept.place, "a", NOW + 200.0);
    let rules = Rules { days: 0, weekly: 0, monthly: 0, require_remote: true };
    let deleted = |rules| {
        let plan = planned(&kept.archive(), rules, NOW + 300.0).unwrap();
        plan.decisions.into_iter().filter(|one| !one.keep).map(|one| one.dir).collect::<Vec<_>>()
    };
    assert_eq!(deleted(Rules { require_remote: false, ..rules }).len(), 2);
    assert_eq!(deleted(rules).len(), 0);
    kept.push();
    kept.remote().push(&second, false).unwrap();
    assert_eq!(deleted(rules).len(), 2);
    // The copy is found to be damaged: what is here has to stay.
    let damaged =
        files(&kept.place.path("store")).into_keys().find(|name| name.ends_with(".tar.zst.age")).unwrap();
    fs::write(kept.place.path("store").join(damaged), b"x").unwrap();
    kept.remote().verify(&kept.archive(), &Query::All, None, false).unwrap();
    assert_eq!(deleted(rules).len(), 1);
    let plan = planned(&kept.archive(), rules, NOW + 300.0).unwrap();
    apply(&kept.archive(), rules, NOW + 300.0, &plan.hash).unwrap();
    assert_eq!(kept.archive().found().unwrap().len(), 2);
    // A record that was changed is no proof of a copy.
    let path = kept.place.archive().join(FILE);
    let text = fs::read_to_string(&path).unwrap().replacen("MISMATCH", "OK", 1);
    fs::write(&path, text).unwrap();
    // The last line may be changed unseen; one before it not.
    kept.remote().verify(&kept.archive(), &Query::All, None, false).map(drop).unwrap_or_default();
    let text = fs::read_to_string(&path).unwrap().replacen("STARTED", "OK", 1);
    fs::write(&path, text).unwrap();
    assert!(planned(&kept.archive(), rules, NOW + 300.0).unwrap_err().is_refusal());
}

#[test]
fn settings_are_checked_and_never_hold_who_asks() {
    let place = Place::new();
    let open = |url: &str| Remote::open(&Settings { url: url.to_owned(), ..Settings::default() }).map(drop);
    for url in [
        "s3://",
        "s3://KEY:SECRET@bucket/x",
        "s3://bucket/a/../b",
        "s3://b?sig=x",
        "ftp://x/y",
        "s3:///x",
        "az://c@a/x",
    ] {
        let failure = open(url).unwrap_err();
        assert!(failure.is_refusal() && !failure.to_string().contains("SECRET"), "{url}: {failure}");
    }
    let read = |text: &str| {
        fs::write(place.path("remote.toml"), text).unwrap();
        Settings::read(&place.path("remote.toml"))
    };
    assert_eq!(
        read("[remote]\nurl = \"/x\"\nretry_wait_seconds = 1.5\n").unwrap().retry_wait_seconds,
        Some(1.5)
    );
    for text in [
        "[remote]\nurl = \"/x\"\nsecret_access_key = \"SECRET\"\n",
        "[remote]\n",
        "[remotes]\nurl = \"/x\"\n",
        "[remote]\nurl = 3\n",
        "url = \"SECRET",
    ] {
        let failure = read(text).unwrap_err();
        assert!(failure.is_refusal() && !failure.to_string().contains("SECRET"), "{text}: {failure}");
    }
    let wait =
        Settings { url: "s3://x".to_owned(), retry_wait_seconds: Some(f64::NAN), ..Settings::default() };
    assert!(Remote::open(&wait).unwrap_err().is_refusal());
}

/// Whatever stands in sidecars, records and objects: nothing panics, and what is pulled is whole or not there.
#[test]
fn changed_sidecars_and_records_never_panic() {
    let kept = Kept::new();
    let key = kept.push();
    let store = files(&kept.place.path("store"));
    let record = fs::read(kept.place.archive().join(FILE)).unwrap();
    let mut word = 5_u64;
    let mut next = move |below: usize| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((word >> 33) as usize) % below.max(1)
    };
    let names: Vec<&String> =
        store.keys().filter(|name| name.contains("json") || name.contains("SUMS")).collect();
    for trial in 0..300 {
        let is_record = trial % 3 == 0;
        let name = names[next(names.len())];
        let whole = if is_record { &record } else { &store[name] };
        let mut bytes = whole.clone();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes.truncate(at),
                1 => bytes.splice(at..at, std::iter::repeat_n(next(256) as u8, next(90))).for_each(drop),
                2 => drop(bytes.drain(at..(at + next(3)).min(bytes.len()))),
                _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << next(8)),
            }
        }
        let path =
            if is_record { kept.place.archive().join(FILE) } else { kept.place.path("store").join(name) };
        fs::write(&path, &bytes).unwrap();
        let found = kept.remote().verify(&kept.archive(), &Query::All, None, false);
        if !is_record {
            let is_good = found.unwrap()[0].outcome == Outcome::Ok;
            assert_eq!(is_good, bytes == *whole, "trial {trial}: {name}");
        }
        let to = kept.place.path("back");
        let pulled = kept.remote().pull(&Archive::at(&to), if trial % 2 == 0 { &key } else { "a" });
        match pulled {
            Ok((dir, _)) => assert!(verify(&dir).unwrap().is_good(), "trial {trial}: {name}"),
            Err(_) => {
                assert!(
                    !to.exists() || !files(&to).keys().any(|name| name.contains("bundle")),
                    "trial {trial}: {name}"
                );
            }
        }
        let _ = fs::remove_dir_all(&to);
        let _ = fs::remove_file(kept.place.archive().join(FILE));
        fs::write(kept.place.archive().join(FILE), &record).unwrap();
        fs::write(kept.place.path("store").join(name), &store[name]).unwrap();
    }
}
