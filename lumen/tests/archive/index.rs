//! The index is a chain, and says what is there.

use std::fs;

use resonetics_lumen::archive::index::{FILE, Index, Op, differences, reindex};
use resonetics_lumen::archive::{Archive, Found};
use resonetics_runs::files::sha256;

use super::common::{NOW, Place, frozen, write};

fn told(place: &Place) -> Vec<String> {
    let archive = Archive::at(&place.archive());
    let found: Vec<Found> = archive.found().unwrap();
    differences(&Index::read(&archive).unwrap(), &found)
}

#[test]
fn each_line_names_the_one_before() {
    let place = Place::new();
    for (seed, run) in (2..).zip(["b", "c", "d"]) {
        place.run(run, seed);
        place.frozen(run, NOW + seed as f64);
        place.frozen(run, NOW + 10.0);
    }
    let text = fs::read_to_string(place.archive().join(FILE)).unwrap();
    let mut prev = "0".repeat(64);
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["prev"], prev.as_str());
        prev = sha256(line.as_bytes());
        let dir = place.archive().join(value["dir"].as_str().unwrap());
        assert_eq!(value["manifest_sha256"], sha256(&fs::read(dir.join("manifest.json")).unwrap()).as_str());
        assert_eq!(value["bytes"], fs::metadata(dir.join("bundle.tar.zst")).unwrap().len());
        assert_eq!((&value["op"], &value["files"]), (&"kept".into(), &6.into()));
    }
    assert_eq!(text.lines().count(), 3);
    assert_eq!(told(&place), Vec::<String>::new());
}

#[test]
fn a_changed_line_is_refused_and_mended() {
    let place = Place::new();
    for (seed, run) in (2..).zip(["b", "c", "d"]) {
        place.run(run, seed);
        place.frozen(run, NOW + seed as f64);
    }
    let archive = Archive::at(&place.archive());
    let path = place.archive().join(FILE);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let changes = [
        whole.replacen("\"files\":6", "\"files\":7", 1),
        format!("{}\n{}\n", lines[0], lines[2]),
        format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]),
        format!("{}\n{}\n{}\n{}\n", lines[0], lines[0], lines[1], lines[2]),
        format!("{}\nnonsense\n{}\n", lines[0], lines[1]),
    ];
    for changed in changes {
        fs::write(&path, &changed).unwrap();
        let failure = Index::read(&archive).unwrap_err();
        assert!(failure.is_refusal() && failure.to_string().contains("--reindex"), "{failure}");
        // A writer does not go on with it.
        place.run("e", 9);
        let options = resonetics_lumen::archive::Options {
            to: &place.archive(),
            label: None,
            preset: resonetics_lumen::archive::Preset::Run,
            seal: None,
        };
        assert!(resonetics_lumen::archive::freeze(&place.path("runs/e"), &options, NOW).is_err());
        let told = reindex(&archive, NOW).unwrap();
        assert!(told[0].starts_with("line ") && told[0].contains("put aside"), "{told:?}");
        let index = Index::read(&archive).unwrap();
        assert_eq!(index.live().len(), 3);
        assert_eq!(reindex(&archive, NOW).unwrap(), Vec::<String>::new());
        let aside = place.archive().join(format!("{FILE}.before-1"));
        assert_eq!(fs::read_to_string(&aside).unwrap(), changed);
        fs::remove_file(aside).unwrap();
    }
}

#[test]
fn an_index_that_is_behind_is_made_to_say_what_is_there() {
    let place = Place::new();
    place.run("b", 2);
    let [a, b] = ["a", "b"].map(|run| place.frozen(run, NOW).dir);
    let archive = Archive::at(&place.archive());
    // Nobody wrote it down.
    let before = fs::read(place.archive().join(FILE)).unwrap();
    fs::remove_file(place.archive().join(FILE)).unwrap();
    assert_eq!(told(&place).len(), 2);
    assert_eq!(reindex(&archive, NOW).unwrap().len(), 2);
    let lines = &Index::read(&archive).unwrap().lines;
    assert_eq!(lines.iter().map(|line| line.run.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(fs::read(place.archive().join(FILE)).unwrap(), before);
    // One is gone, one was made anew by hand, one is none.
    fs::remove_dir_all(&a).unwrap();
    let manifest = fs::read_to_string(b.join("manifest.json")).unwrap();
    write(&b.join("manifest.json"), manifest.replace("\"tool\": \"", "\"tool\": \"other "));
    write(&place.archive().join("c/20260131T120000Z-00000000/manifest.json"), "{}");
    let said = told(&place);
    assert_eq!(said.len(), 3, "{said:?}");
    for part in ["and gone", "is not what the index says", "cannot be read"] {
        assert!(said.iter().any(|told| told.contains(part)), "{part}: {said:?}");
    }
    reindex(&archive, NOW).unwrap();
    let index = Index::read(&archive).unwrap();
    assert_eq!(index.live().len(), 1);
    assert_eq!(index.lines.iter().filter(|line| line.op == Op::Gone).count(), 1);
    assert_eq!(told(&place).len(), 1, "only what cannot be read is left");
}

#[test]
fn what_a_kill_cut_off_is_no_line() {
    let place = Place::new();
    place.frozen("a", NOW);
    let path = place.archive().join(FILE);
    let whole = fs::read_to_string(&path).unwrap();
    for cut in [1, 50, whole.len() - 1] {
        write(&path, format!("{whole}{}", &whole[..cut]));
        assert_eq!(Index::read(&Archive::at(&place.archive())).unwrap().lines.len(), 1);
    }
    place.run("b", 2);
    place.frozen("b", NOW);
    assert_eq!(Index::read(&Archive::at(&place.archive())).unwrap().lines.len(), 2);
}

#[test]
fn writers_side_by_side_lose_nothing() {
    let place = Place::new();
    let names: Vec<String> = (0..8).map(|number| format!("r{number}")).collect();
    let runs: Vec<_> = (10..).zip(&names).map(|(seed, name)| place.run(name, seed)).collect();
    std::thread::scope(|scope| {
        for run in &runs {
            // Each twice at once.
            for _ in 0..2 {
                scope.spawn(|| frozen(run, &place.archive(), NOW));
            }
        }
    });
    let index = Index::read(&Archive::at(&place.archive())).unwrap();
    assert_eq!((index.lines.len(), index.live().len()), (8, 8));
    assert_eq!(told(&place), Vec::<String>::new());
}

#[test]
fn what_a_killed_writer_left_is_removed() {
    let place = Place::new();
    write(&place.archive().join(".tmpAbCdEf/bundle.tar.zst"), "half");
    write(&place.archive().join(".tmp-deleted-a/manifest.json"), "{}");
    place.frozen("a", NOW);
    let names: Vec<_> =
        fs::read_dir(place.archive()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with(".tmp")), "{names:?}");
}
