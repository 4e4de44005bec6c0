//! What is kept of a run is never a wrong answer, and disturbs nothing.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use resonetics_lumen::archive::{Archive, Options, Preset, freeze};
use resonetics_lumen::context::cache::{Got, known};
use resonetics_lumen::context::file::FILE;
use resonetics_lumen::context::{Context, Of};
use resonetics_lumen::proof::fingerprint::Fingerprint;
use resonetics_lumen::status::of_run;
use resonetics_runs::run_dir::seconds;
use tempfile::TempDir;

use crate::runs::{run, scanned};

/// A training that ended, with a table of two rows and a log.
fn trained(place: &TempDir) -> PathBuf {
    let folder = run(place.path(), "a", "finished", (100.0, 40.0), None);
    let columns = resonetics_runs::training::COLUMNS;
    let row = |update: u64, value: &str| {
        let cell = |name: &&str| match *name {
            "update" => update.to_string(),
            "steps" => (update * 100).to_string(),
            "greedy_return" | "sampled_return" | "return_mean" => value.to_owned(),
            "episodes" | "rollbacks" | "minibatches" => "1".to_owned(),
            _ => String::new(),
        };
        columns.iter().map(cell).collect::<Vec<_>>().join(",") + "\n"
    };
    let table = columns.join(",") + "\n" + &row(0, "1.25") + &row(1, "2.50") + &row(2, "3.75");
    fs::write(folder.join("training.csv"), table).unwrap();
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/event-v1/good.jsonl");
    fs::copy(good, folder.join("events.jsonl")).unwrap();
    folder
}

fn got(folder: &Path, state: &str, archives: Option<&Archive>, keep: bool) -> Got {
    known(&Of { folder, name: "a", state, archives }, keep).unwrap()
}

fn finished(folder: &Path) -> Got {
    got(folder, "finished", None, true)
}

/// Changes bytes of a file and puts its time back.
fn edited(path: &Path, change: &dyn Fn(&mut Vec<u8>)) {
    let written = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
    File::options().append(true).open(path).unwrap().set_modified(written).unwrap();
}

#[test]
fn what_is_kept_is_what_is_summed_up() {
    let place = tempfile::tempdir().unwrap();
    let folder = trained(&place);
    let first = finished(&folder);
    assert!(!first.is_kept && first.unkept.is_none());
    let answer = &first.context.known.headlines[0].answer;
    assert!(answer.contains("1.25 to 3.75"), "{answer}");
    let second = finished(&folder);
    assert!(second.is_kept);
    assert_eq!(second.context.encoded().unwrap(), first.context.encoded().unwrap());
    assert_eq!(fs::read(folder.join(FILE)).unwrap(), first.context.encoded().unwrap());
    assert_eq!(second.context.lines(), first.context.lines());
    // Asked for nothing that is kept, it is summed up, to the same.
    let anew = got(&folder, "finished", None, false);
    assert!(!anew.is_kept && anew.context.known == first.context.known);
}

#[test]
fn a_source_of_the_same_length_and_time_is_not_taken_for_the_same() {
    let place = tempfile::tempdir().unwrap();
    let folder = trained(&place);
    finished(&folder);
    edited(&folder.join("training.csv"), &|bytes| {
        *bytes = String::from_utf8(bytes.clone()).unwrap().replace("3.75", "9.75").into_bytes();
    });
    let again = finished(&folder);
    assert!(!again.is_kept, "an edit went unseen");
    assert!(again.context.known.headlines[0].answer.contains("1.25 to 9.75"), "{again:?}");
    assert!(finished(&folder).is_kept);
    // The log, by which `status` goes too.
    let status = || of_run(&scanned(place.path()).rows[0], seconds());
    let before = status();
    assert!(before.clock.is_some());
    edited(&folder.join("events.jsonl"), &|bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains("\"clock\": 32"), "{text}");
        *bytes = text.replace("\"clock\": 32", "\"clock\": 40").into_bytes();
    });
    let after = status();
    assert_ne!(before.clock, after.clock);
    fs::remove_file(folder.join(FILE)).unwrap();
    assert_eq!(status().clock, after.clock);
}

#[test]
fn what_comes_and_goes_is_seen() {
    let place = tempfile::tempdir().unwrap();
    let folder = trained(&place);
    finished(&folder);
    // A new file, one that is gone, another state, another name, another program.
    fs::write(folder.join("eval.json"), "{}").unwrap();
    assert!(!finished(&folder).is_kept);
    assert!(finished(&folder).is_kept);
    fs::remove_file(folder.join("eval.json")).unwrap();
    assert!(!finished(&folder).is_kept);
    assert!(!got(&folder, "killed", None, true).is_kept);
    assert!(!finished(&folder).is_kept);
    let other = Of { folder: &folder, name: "b", state: "finished", archives: None };
    assert!(!known(&other, true).unwrap().is_kept);
    assert!(!finished(&folder).is_kept);
    let text = fs::read_to_string(folder.join(FILE)).unwrap();
    fs::write(folder.join(FILE), text.replace("\"tool\": \"resonetics ", "\"tool\": \"other ")).unwrap();
    assert!(!finished(&folder).is_kept);
    // Cut, as by a disk that was full.
    fs::write(folder.join(FILE), &text[..text.len() / 2]).unwrap();
    let mended = finished(&folder);
    assert!(!mended.is_kept && mended.unkept.is_none());
    assert!(finished(&folder).is_kept);
}

#[test]
fn nothing_is_kept_where_it_could_be_wrong_or_is_not_ours() {
    let place = tempfile::tempdir().unwrap();
    let folder = trained(&place);
    assert!(!got(&folder, "running", None, true).is_kept && !folder.join(FILE).exists());
    fs::write(folder.join(FILE), "{\"mine\": 1}").unwrap();
    let told = finished(&folder).unkept.unwrap();
    assert!(told.contains("somebody else's"), "{told}");
    assert_eq!(fs::read_to_string(folder.join(FILE)).unwrap(), "{\"mine\": 1}");
    fs::remove_file(folder.join(FILE)).unwrap();
    // A link, whose target may change; a trained agent, whose folder lies elsewhere.
    std::os::unix::fs::symlink("/dev/null", folder.join("x.csv")).unwrap();
    finished(&folder);
    assert!(!folder.join(FILE).exists());
    fs::remove_file(folder.join("x.csv")).unwrap();
    fs::write(folder.join("config.toml"), "agents = [\"prophet:runs/x\"]\n").unwrap();
    finished(&folder);
    assert!(!folder.join(FILE).exists());
}

#[test]
fn archives_count_by_their_manifests() {
    let place = tempfile::tempdir().unwrap();
    let folder = trained(&place);
    let to = place.path().join("archive");
    let freeze = |label| {
        freeze(&folder, &Options { to: &to, label: Some(label), preset: Preset::Run, seal: None }, seconds())
    };
    freeze("one").unwrap();
    let archives = Archive::at(&to);
    let got = || got(&folder, "finished", Some(&archives), true);
    assert_eq!(got().context.known.archives.map(|all| all.len()), Some(1));
    assert!(got().is_kept);
    let second = freeze("two").unwrap();
    let found = got();
    assert!(!found.is_kept);
    assert_eq!(found.context.known.archives.map(|all| all.len()), Some(2));
    fs::remove_dir_all(second.dir).unwrap();
    assert_eq!(got().context.known.archives.map(|all| all.len()), Some(1));
}

/// Archives have the same id and the same bytes, and fingerprints the same root, with what is kept and without.
#[test]
fn it_is_no_part_of_the_run() {
    let place = tempfile::tempdir().unwrap();
    let folder = trained(&place);
    let to = place.path().join("archive");
    let freeze =
        |preset| freeze(&folder, &Options { to: &to, label: None, preset, seal: None }, seconds()).unwrap();
    let (run, all) = (freeze(Preset::Run), freeze(Preset::All));
    let print = Fingerprint::of(&folder).unwrap();
    finished(&folder);
    assert!(folder.join(FILE).exists());
    assert!(!freeze(Preset::Run).is_new && !freeze(Preset::All).is_new);
    assert_ne!(run.manifest.id, all.manifest.id);
    assert_eq!(Fingerprint::of(&folder).unwrap(), print);
    // What is somebody else's is part of it.
    fs::write(folder.join(FILE), "{}").unwrap();
    assert!(freeze(Preset::Run).is_new);
    assert_ne!(Fingerprint::of(&folder).unwrap(), print);
}

/// What the documentation says of long files: an edit in the middle that keeps length and time is not seen, any other is.
#[test]
fn a_long_file_is_known_by_its_ends_length_and_time() {
    let place = tempfile::tempdir().unwrap();
    let folder = trained(&place);
    let long = folder.join("long.jsonl");
    let file = File::create(&long).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    let (at, written) = (|| finished(&folder).is_kept, fs::metadata(&long).unwrap().modified().unwrap());
    assert!(!at() && at());
    let put = |offset: u64, time: std::time::SystemTime| {
        use std::os::unix::fs::FileExt;
        let file = File::options().write(true).open(&long).unwrap();
        file.write_at(b"x", offset).unwrap();
        file.set_modified(time).unwrap();
    };
    put(32 << 20, written);
    assert!(at(), "what the documentation says is trusted");
    put(33 << 20, written + std::time::Duration::from_micros(1));
    assert!(!at() && at());
    put(5, fs::metadata(&long).unwrap().modified().unwrap());
    assert!(!at() && at());
    put(64 << 20, fs::metadata(&long).unwrap().modified().unwrap());
    assert!(!at() && at());
}

#[test]
fn no_place_of_this_machine_is_in_it() {
    let place = tempfile::tempdir().unwrap();
    let folder = trained(&place);
    let bytes = finished(&folder).context.encoded().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(!text.contains(place.path().to_str().unwrap()), "{text}");
    assert!(Context::parse(&bytes).is_ok());
    assert!(Context::parse(text.replace("context/1", "context/2").as_bytes()).is_err());
}
