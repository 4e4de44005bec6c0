//! What is frozen is what was there; the same content is the same archive.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use resonetics_lumen::archive::{BUNDLE, MANIFEST, Options, Preset, SUMS, freeze, restore, verify};

use super::common::{NOW, Place, copied, files, frozen, write};

#[test]
fn what_is_frozen_comes_back() {
    let place = Place::new();
    let made = place.frozen("a", NOW);
    assert!(made.is_new && made.damaged.is_none());
    assert_eq!(made.dir.parent().unwrap(), place.archive().join("a"));
    let name = made.dir.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("20260131T120000Z-{}", &made.manifest.id[..8]));
    assert_eq!(files(&made.dir).into_keys().collect::<Vec<_>>(), [SUMS, BUNDLE, MANIFEST]);
    let verified = verify(&made.dir).unwrap();
    assert!(verified.is_good(), "{:?}", verified.faults);
    assert_eq!(verified.manifest.as_ref(), Some(&made.manifest));
    let run = &made.manifest.run;
    assert_eq!((run.command.as_deref(), run.seed, run.step), (Some("gardener"), Some(1), None));
    assert_eq!(run.status.as_deref(), Some("finished"));
    for out in ["new/place", "empty"] {
        let out = place.path(out);
        if out.ends_with("empty") {
            fs::create_dir(&out).unwrap();
        }
        assert!(restore(&made.dir, &out).unwrap().is_good());
        assert!(files(&out) == files(&place.path("runs/a")));
    }
    // Nothing of the making is left.
    let left: Vec<String> =
        files(&place.archive()).into_keys().filter(|name| name.contains(".tmp")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn the_same_content_is_the_same_archive() {
    let place = Place::new();
    let first = place.frozen("a", NOW);
    let before = files(&place.archive());
    let again = place.frozen("a", NOW + 86_400.0);
    assert!(!again.is_new);
    assert_eq!((&again.dir, &again.manifest), (&first.dir, &first.manifest));
    assert!(files(&place.archive()) == before, "something was written");
    // Elsewhere, at another time, with other rights and times of its files.
    let other = place.path("elsewhere/a");
    copied(&place.path("runs/a"), &other);
    for name in files(&other).keys() {
        let path = other.join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    let there = frozen(&other, &place.path("second"), NOW + 1e8);
    assert!(there.is_new);
    assert_eq!(there.manifest.id, first.manifest.id);
    let bundle = |dir: &Path| fs::read(dir.join(BUNDLE)).unwrap();
    assert!(bundle(&there.dir) == bundle(&first.dir));
    assert_ne!(there.manifest.created_at, first.manifest.created_at);
    // Other content, a label among it, is another one.
    let options = Options { to: &place.archive(), label: Some("x"), preset: Preset::Run, seal: None };
    assert_ne!(freeze(&other, &options, NOW).unwrap().manifest.id, first.manifest.id);
    write(&other.join("figures/a.svg"), "<svg />");
    assert_ne!(frozen(&other, &place.path("second"), NOW).manifest.id, first.manifest.id);
}

#[test]
fn a_damaged_archive_of_the_same_is_no_reason_to_write_none() {
    let place = Place::new();
    let first = place.frozen("a", NOW);
    fs::remove_file(first.dir.join(BUNDLE)).unwrap();
    let again = place.frozen("a", NOW + 60.0);
    assert!(again.is_new && verify(&again.dir).unwrap().is_good());
    assert_eq!(again.damaged, Some(first.dir));
}

/// sha256sum and GNU tar agree on what is there.
#[test]
fn others_read_it() {
    let place = Place::new();
    let made = place.frozen("a", NOW);
    let ran = Command::new("sha256sum")
        .args(["--check", "--strict", SUMS])
        .current_dir(&made.dir)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let tar = place.path("bundle.tar");
    write(&tar, zstd::decode_all(File::open(made.dir.join(BUNDLE)).unwrap()).unwrap());
    let list = |arguments: &[&str]| {
        let ran = Command::new("tar").args(arguments).arg(&tar).env("TZ", "UTC").output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    let names = list(&["--list", "--file"]);
    let names: Vec<&str> = names.lines().collect();
    let expected: Vec<&str> = made.manifest.files.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names, expected);
    let long = list(&["--list", "--verbose", "--numeric-owner", "--full-time", "--file"]);
    for line in long.lines() {
        assert!(line.starts_with("-rw-r--r-- 0/0 ") && line.contains(" 1970-01-01 00:00:00 "), "{line}");
    }
    let out = place.path("untarred");
    fs::create_dir(&out).unwrap();
    let ran =
        Command::new("tar").args(["--extract", "--file"]).arg(&tar).arg("--directory").arg(&out).status();
    assert!(ran.unwrap().success());
    assert!(files(&out) == files(&place.path("runs/a")));
}

#[test]
fn presets_choose() {
    let place = Place::new();
    let run = place.path("runs/a");
    for name in
        ["events.jsonl", "metrics.csv", "tensorboard/x", "report.html", "analysis.json", "tables/t.csv"]
    {
        write(&run.join(name), "x\n");
    }
    write(&run.join(".tmpAbC"), "half");
    for name in [".hidden", "training.csv.before-1"] {
        write(&run.join(name), "x\n");
    }
    let chosen = |preset: Preset| -> Vec<String> {
        let made =
            freeze(&run, &Options { to: &place.archive(), label: None, preset, seal: None }, NOW).unwrap();
        made.manifest.files.into_iter().map(|entry| entry.path).collect()
    };
    let own = ["notes/empty", "notes/noise.bin", "resonetics_data.csv"];
    let telemetry = ["events.jsonl", "metrics.csv", "tensorboard/x"];
    let reports = ["analysis.json", "figures/a.svg", "report.html", "tables/t.csv"];
    let with = |parts: &[&[&str]]| -> Vec<String> {
        let mut all: Vec<String> = parts.concat().into_iter().map(str::to_owned).collect();
        all.extend(["config.toml".to_owned(), "run.json".to_owned()]);
        all.sort();
        all
    };
    let aside = [".hidden", "training.csv.before-1"];
    assert_eq!(chosen(Preset::All), with(&[&own, &telemetry, &reports, &aside]));
    assert_eq!(chosen(Preset::Telemetry), with(&[&telemetry]));
    assert_eq!(chosen(Preset::Reports), with(&[&reports]));
    assert_eq!(chosen(Preset::Run), with(&[&own, &telemetry, &reports]));
}

#[test]
fn what_cannot_be_archived_is_refused_by_name() {
    let place = Place::new();
    let run = place.path("runs/a");
    let said = |run: &Path, options: &Options<'_>| freeze(run, options, NOW).unwrap_err();
    let to = place.archive();
    let plain = Options { to: &to, label: None, preset: Preset::Run, seal: None };
    let refused = |run: &Path| {
        let failure = said(run, &plain);
        assert!(failure.is_refusal(), "{failure}");
        failure.to_string()
    };
    let odd = run.join("notes/odd");
    for kind in ["link", "dangling link", "folder link", "named pipe", "socket"] {
        match kind {
            "link" => symlink(run.join("run.json"), &odd).unwrap(),
            "dangling link" => symlink("nowhere", &odd).unwrap(),
            "folder link" => symlink("..", &odd).unwrap(),
            "socket" => drop(std::os::unix::net::UnixListener::bind(&odd).unwrap()),
            _ => assert!(Command::new("mkfifo").arg(&odd).status().unwrap().success()),
        }
        let text = refused(&run);
        assert!(
            text.contains("notes/odd") && text.contains(kind.rsplit(' ').next().unwrap()),
            "{kind}: {text}"
        );
        fs::remove_file(&odd).unwrap();
    }
    let long = "x".repeat(200);
    write(&run.join(&long), "");
    assert!(refused(&run).contains(&long));
    fs::remove_file(run.join(&long)).unwrap();
    write(&run.join("a\nb"), "");
    assert!(refused(&run).contains("control characters"));
    fs::remove_file(run.join("a\nb")).unwrap();
    assert!(refused(&place.path("runs")).contains("run.json"));
    let missing = said(&place.path("runs/none"), &plain);
    assert!(!missing.is_refusal() && missing.to_string().contains("runs/none"));
    let inside = run.join("x/archive");
    assert!(said(&run, &Options { to: &inside, ..plain }).to_string().contains("in the run itself"));
    assert!(!run.join("x").exists());
    assert!(said(&run, &Options { label: Some("a\nb"), ..plain }).is_refusal());
    write(&run.join("run.json"), "{");
    assert!(refused(&run).contains("no JSON"));
    // Nothing is left of all that.
    assert!(!files(&to).keys().any(|name| name.contains("bundle")), "{:?}", files(&to).keys());
}

#[test]
fn what_is_there_is_not_overwritten() {
    let place = Place::new();
    let made = place.frozen("a", NOW);
    write(&place.path("taken/file"), "mine");
    write(&place.path("file"), "mine");
    for out in ["taken", "file"] {
        let failure = restore(&made.dir, &place.path(out)).unwrap_err();
        assert!(failure.is_refusal(), "{failure}");
    }
    assert_eq!(fs::read(place.path("taken/file")).unwrap(), b"mine");
    assert_eq!(fs::read(place.path("file")).unwrap(), b"mine");
}

/// What a child of the next test does: it freezes a run and prints the most memory that it ever had, before and after.
#[test]
fn child_that_freezes() {
    let Ok(dir) = std::env::var("ARCHIVE_CHILD") else { return };
    let dir = Path::new(&dir);
    let most = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = most();
    let made = frozen(&dir.join("runs/a"), &dir.join("archive"), NOW);
    let frozen = most();
    assert!(verify(&made.dir).unwrap().is_good());
    assert!(restore(&made.dir, &dir.join("out")).unwrap().is_good());
    println!("kB {before} {frozen} {}", most());
}

#[test]
fn memory_does_not_grow_with_the_run() {
    let place = Place::new();
    // Noise that repeats beyond the window.
    let noise = fs::read(place.path("runs/a/notes/noise.bin")).unwrap();
    let large: Vec<u8> = noise.iter().copied().cycle().take(150 << 20).collect();
    write(&place.path("runs/a/large.bin"), &large);
    drop(large);
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "archive::frozen::child_that_freezes", "--nocapture"])
        .env("ARCHIVE_CHILD", place.dir.path())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let said = String::from_utf8(ran.stdout).unwrap();
    let line = said.lines().find_map(|line| line.split_once("kB ")).unwrap().1;
    let found: Vec<u64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert!(found[2] - found[0] < 64 << 10, "kB before, after freezing, after all: {found:?}");
}
