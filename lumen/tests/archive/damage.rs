//! Every kind of damage is found, and named by what it has met.

use std::fs;
use std::path::Path;

use resonetics_lumen::archive::{BUNDLE, Fault, Kind, MANIFEST, SUMS, Verified, restore, verify};

use super::common::{Entry, Place, copied, entries, header, pack, summed, write};

/// What is done to an archive, and faults that must be among those that are found. `{dir}` is the folder's own name.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path), &'a [(&'a str, Kind)]);

/// Faults of a copy of the archive `from` to which `damage` was done.
fn found(place: &Place, from: &Path, damage: &dyn Fn(&Path)) -> Verified {
    let dir = place.path("copy").join(from.file_name().unwrap());
    if dir.exists() {
        fs::remove_dir_all(place.path("copy")).unwrap();
    }
    copied(from, &dir);
    assert!(verify(&dir).unwrap().is_good());
    damage(&dir);
    // One that was renamed.
    let dir = fs::read_dir(place.path("copy")).unwrap().next().unwrap().unwrap().path();
    let verified = verify(&dir).unwrap();
    let out = place.path("restored");
    let restored = restore(&dir, &out).unwrap();
    assert_eq!(restored.faults, verified.faults);
    assert!(!out.exists(), "something was restored of {:?}", verified.faults);
    verified
}

fn told(verified: &Verified) -> Vec<String> {
    verified.faults.iter().map(ToString::to_string).collect()
}

fn named(entries: &[Entry], name: &str) -> usize {
    entries.iter().position(|(header, _)| &*header.path_bytes() == name.as_bytes()).unwrap()
}

fn changed(dir: &Path, change: &dyn Fn(&mut Vec<Entry>)) {
    let mut all = entries(dir);
    change(&mut all);
    pack(dir, &all);
}

fn truncated(path: &Path, share: f64) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..(bytes.len() as f64 * share) as usize]).unwrap();
}

#[allow(clippy::too_many_lines)] // a table
#[test]
fn each_kind_of_damage_is_named() {
    let place = Place::new();
    let dir = place.frozen("a", super::common::NOW).dir;
    // The same run, an hour earlier and with a row less.
    let run = place.path("runs/a");
    let rows = fs::read_to_string(run.join("resonetics_data.csv")).unwrap();
    write(&run.join("resonetics_data.csv"), rows.trim_end().rsplit_once('\n').unwrap().0);
    let older = place.frozen("a", super::common::NOW - 3600.0).dir;
    let csv = "resonetics_data.csv";
    let svg = "figures/a.svg";
    let own = dir.file_name().unwrap().to_str().unwrap().to_owned();
    let table: &[Damage<'_>] = &[
        (
            "bundle cut",
            &|dir| truncated(&dir.join(BUNDLE), 0.5),
            &[
                ("notes/noise.bin", Kind::Truncated),
                ("resonetics_data.csv", Kind::Missing),
                (BUNDLE, Kind::Mismatch),
            ],
        ),
        ("bundle cut at its end", &|dir| truncated(&dir.join(BUNDLE), 0.99999), &[(BUNDLE, Kind::Truncated)]),
        (
            "bundle empty",
            &|dir| truncated(&dir.join(BUNDLE), 0.0),
            &[(BUNDLE, Kind::Truncated), (csv, Kind::Missing)],
        ),
        ("manifest cut", &|dir| truncated(&dir.join(MANIFEST), 0.5), &[(MANIFEST, Kind::Truncated)]),
        (
            "sums cut",
            &|dir| truncated(&dir.join(SUMS), 0.7),
            &[(SUMS, Kind::Truncated), (SUMS, Kind::Missing)],
        ),
        ("bundle gone", &|dir| fs::remove_file(dir.join(BUNDLE)).unwrap(), &[(BUNDLE, Kind::Missing)]),
        ("manifest gone", &|dir| fs::remove_file(dir.join(MANIFEST)).unwrap(), &[(MANIFEST, Kind::Missing)]),
        ("sums gone", &|dir| fs::remove_file(dir.join(SUMS)).unwrap(), &[(SUMS, Kind::Missing)]),
        (
            "bundle of another archive",
            &|dir| {
                fs::copy(older.join(BUNDLE), dir.join(BUNDLE)).unwrap();
            },
            &[(BUNDLE, Kind::Mismatch), (csv, Kind::Truncated)],
        ),
        (
            "its bundle and sums",
            &|dir| {
                fs::copy(older.join(BUNDLE), dir.join(BUNDLE)).unwrap();
                summed(dir);
            },
            &[(csv, Kind::Truncated)],
        ),
        (
            "older manifest",
            &|dir| {
                fs::copy(older.join(MANIFEST), dir.join(MANIFEST)).unwrap();
            },
            &[(MANIFEST, Kind::Mismatch), (&own, Kind::Mismatch), (csv, Kind::Mismatch)],
        ),
        (
            "older manifest and sums",
            &|dir| {
                fs::copy(older.join(MANIFEST), dir.join(MANIFEST)).unwrap();
                summed(dir);
            },
            &[(&own, Kind::Mismatch), (csv, Kind::Mismatch)],
        ),
        ("all of an older archive", &|dir| copied(&older, dir), &[(&own, Kind::Mismatch)]),
        (
            "folder renamed",
            &|dir| fs::rename(dir, dir.with_file_name("20260131T120000Z-01234567")).unwrap(),
            &[("20260131T120000Z-01234567", Kind::Mismatch)],
        ),
        ("file added", &|dir| write(&dir.join("more.txt"), "x"), &[("more.txt", Kind::Extra)]),
        (
            "file replaced by a link",
            &|dir| {
                fs::rename(dir.join(BUNDLE), dir.join("../../elsewhere")).unwrap();
                std::os::unix::fs::symlink("../../elsewhere", dir.join(BUNDLE)).unwrap();
            },
            &[(BUNDLE, Kind::Mismatch)],
        ),
        (
            "manifest edited with its id",
            &|dir| {
                let text = fs::read_to_string(dir.join(MANIFEST)).unwrap();
                fs::write(dir.join(MANIFEST), text.replace("\"seed\": 1", "\"seed\": 2")).unwrap();
                summed(dir);
            },
            &[(MANIFEST, Kind::Mismatch)],
        ),
        (
            "bytes behind the bundle",
            &|dir| {
                let mut bytes = fs::read(dir.join(BUNDLE)).unwrap();
                bytes.extend_from_slice(b"more");
                fs::write(dir.join(BUNDLE), bytes).unwrap();
                summed(dir);
            },
            &[(BUNDLE, Kind::Extra)],
        ),
        (
            "entry added",
            &|dir| changed(dir, &|all| all.insert(2, (header("intruder", 3), b"abc".to_vec()))),
            &[("intruder", Kind::Extra)],
        ),
        (
            "entry added at the end",
            &|dir| changed(dir, &|all| all.push((header("z", 3), b"abc".to_vec()))),
            &[("z", Kind::Extra)],
        ),
        (
            "entry taken out",
            &|dir| {
                changed(dir, &|all| {
                    all.remove(named(all, svg));
                });
            },
            &[(svg, Kind::Missing)],
        ),
        (
            "last entry taken out",
            &|dir| {
                changed(dir, &|all| {
                    all.pop();
                });
            },
            &[("run.json", Kind::Missing)],
        ),
        (
            "entry renamed",
            &|dir| {
                changed(dir, &|all| {
                    let at = named(all, svg);
                    all[at].0 = header("figures/b.svg", 6);
                });
            },
            &[(svg, Kind::Missing), ("figures/b.svg", Kind::Extra)],
        ),
        (
            "entry twice",
            &|dir| {
                changed(dir, &|all| {
                    let again = all[named(all, svg)].clone();
                    all.push(again);
                });
            },
            &[(svg, Kind::Extra)],
        ),
        (
            "entries swapped",
            &|dir| {
                changed(dir, &|all| {
                    let (one, other) = (named(all, csv), named(all, svg));
                    let (a, b) = (all[one].1.clone(), all[other].1.clone());
                    (all[one].0, all[one].1) = (header(csv, b.len() as u64), b);
                    (all[other].0, all[other].1) = (header(svg, a.len() as u64), a);
                });
            },
            &[(csv, Kind::Truncated), (svg, Kind::Mismatch)],
        ),
        (
            "entry with another byte",
            &|dir| {
                changed(dir, &|all| {
                    let at = named(all, csv);
                    all[at].1[100] ^= 1;
                });
            },
            &[(csv, Kind::Mismatch)],
        ),
        (
            "entry shorter",
            &|dir| {
                changed(dir, &|all| {
                    let at = named(all, csv);
                    all[at].1.truncate(100);
                    all[at].0 = header(csv, 100);
                });
            },
            &[(csv, Kind::Truncated)],
        ),
        (
            "entry with another time",
            &|dir| {
                changed(dir, &|all| {
                    let at = named(all, csv);
                    all[at].0.set_mtime(1);
                    all[at].0.set_cksum();
                });
            },
            &[(csv, Kind::Mismatch)],
        ),
        (
            "entry that is a link",
            &|dir| {
                changed(dir, &|all| {
                    let at = named(all, svg);
                    let mut link = header(svg, 0);
                    link.set_entry_type(tar::EntryType::Symlink);
                    link.set_link_name("/etc/passwd").unwrap();
                    link.set_cksum();
                    all[at] = (link, Vec::new());
                });
            },
            &[(svg, Kind::Mismatch)],
        ),
        (
            "header damaged",
            &|dir| {
                changed(dir, &|all| {
                    let at = named(all, svg);
                    all[at].0.as_old_mut().name[0] ^= 1;
                });
            },
            &[(BUNDLE, Kind::Mismatch), (csv, Kind::Missing)],
        ),
    ];
    for (name, damage, expected) in table {
        let verified = found(&place, &dir, damage);
        for (path, kind) in *expected {
            let is_told = verified.faults.iter().any(|fault| fault.path == *path && fault.kind == *kind);
            assert!(is_told, "{name}: no {} of {path} in {:#?}", kind.name(), told(&verified));
        }
        // What is as it was is not called bad.
        let all_paths = ["config.toml", svg, "notes/empty", "notes/noise.bin", csv, "run.json"];
        if name.starts_with("entry") && *name != "entries swapped" {
            let met: Vec<&str> = expected.iter().map(|(path, _)| *path).collect();
            let innocent = |path: &&str| !met.contains(path);
            for path in all_paths.iter().filter(|path| innocent(path)) {
                assert!(
                    verified.faults.iter().all(|fault| fault.path != *path),
                    "{name}: {:?}",
                    told(&verified)
                );
            }
        }
    }
}

#[test]
fn a_bit_that_flips_anywhere_is_found() {
    let place = Place::new();
    let dir = place.frozen("a", super::common::NOW).dir;
    for name in [BUNDLE, MANIFEST, SUMS] {
        let bytes = fs::read(dir.join(name)).unwrap();
        let step = (bytes.len() / 60).max(1);
        for (at, bit) in (0..bytes.len()).step_by(step).zip((0..8).cycle()) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            fs::write(dir.join(name), flipped).unwrap();
            let verified = verify(&dir).unwrap();
            // A sum that has changed is told of the file that it is of.
            let names = |fault: &Fault| fault.path == name || (name == SUMS && fault.why.contains(SUMS));
            let is_named = verified.faults.iter().any(names);
            assert!(is_named, "{name}, byte {at}, bit {bit}: {:?}", told(&verified));
        }
        fs::write(dir.join(name), &bytes).unwrap();
    }
    // Where the sums were made to fit, the bundle itself tells.
    let bytes = fs::read(dir.join(BUNDLE)).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 60) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(dir.join(BUNDLE), flipped).unwrap();
        summed(&dir);
        let faults = verify(&dir).unwrap().faults;
        assert!(!faults.is_empty(), "byte {at}");
    }
}

#[test]
fn what_is_no_archive_is_not_known_or_refused() {
    let place = Place::new();
    let said = |path: &str| {
        let failure = verify(&place.path(path)).unwrap_err();
        (failure.is_refusal(), failure.to_string())
    };
    let (refused, text) = said("nowhere");
    assert!(!refused && text.contains("nowhere"), "{text}");
    let (refused, text) = said("runs/a");
    assert!(!refused && text.contains("manifest.json"), "{text}");
    let (refused, text) = said("runs/a/run.json");
    assert!(refused && text.contains("no folder"), "{text}");
}
