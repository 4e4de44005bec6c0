//! Deleted is what a plan lists, and nothing else.

use std::fs;

use resonetics_lumen::archive::index::{Index, Op};
use resonetics_lumen::archive::retain::{Rules, apply, planned};
use resonetics_lumen::archive::{Archive, verify};

use super::common::{NOW, Place, files, write};

const DAY: f64 = 86_400.0;

/// Archives of `runs/a`, one a day for so many days, the last one at `NOW`; their folders.
fn daily(place: &Place, days: u32) -> Vec<String> {
    (0..days)
        .rev()
        .map(|back| {
            write(&place.path("runs/a/notes/day"), back.to_string());
            let dir = place.frozen("a", NOW - f64::from(back) * DAY).dir;
            format!("a/{}", dir.file_name().unwrap().to_str().unwrap())
        })
        .collect()
}

#[test]
fn a_plan_is_carried_out_by_its_hash_alone() {
    let place = Place::new();
    let dirs = daily(&place, 6);
    let archive = Archive::at(&place.archive());
    let rules = Rules { days: 2, weekly: 0, monthly: 0, require_remote: false };
    let before = files(&place.archive());
    let plan = planned(&archive, rules, NOW).unwrap();
    assert!(files(&place.archive()) == before, "a dry run changed something");
    let deleted: Vec<&str> = plan
        .decisions
        .iter()
        .filter(|decision| !decision.keep)
        .map(|decision| decision.dir.as_str())
        .collect();
    assert_eq!(deleted, dirs[..4]);
    for wrong in ["", &plan.hash[..12], &"0".repeat(64)] {
        assert!(apply(&archive, rules, NOW, wrong).unwrap_err().is_refusal());
    }
    // The same hash for other rules, or days later, is not that of the plan.
    assert!(apply(&archive, Rules { days: 1, ..rules }, NOW, &plan.hash).unwrap_err().is_refusal());
    assert!(apply(&archive, rules, NOW + DAY, &plan.hash).unwrap_err().is_refusal());
    assert!(files(&place.archive()) == before, "something was deleted by another hash");
    assert_eq!(apply(&archive, rules, NOW, &plan.hash).unwrap(), plan);
    for (dir, stays) in dirs.iter().zip([false, false, false, false, true, true]) {
        assert_eq!(place.archive().join(dir).exists(), stays, "{dir}");
    }
    let index = Index::read(&archive).unwrap();
    let lines: Vec<_> = index.lines.iter().filter(|line| line.op == Op::Deleted).collect();
    assert_eq!(lines.iter().map(|line| line.dir.as_str()).collect::<Vec<_>>(), dirs[..4]);
    for line in lines {
        assert_eq!(line.plan.as_deref(), Some(plan.hash.as_str()));
        assert_eq!(
            (line.rule.as_deref(), line.at.as_deref()),
            (Some("older than all that is kept"), Some("2026-01-31T12:00:00.000Z"))
        );
    }
    assert!(planned(&archive, rules, NOW).unwrap().decisions.iter().all(|decision| decision.keep));
    assert!(!files(&place.archive()).keys().any(|name| name.contains(".tmp")));
}

#[test]
fn the_last_good_archive_stays_whatever_the_rules_say() {
    let place = Place::new();
    let dirs = daily(&place, 4);
    let archive = Archive::at(&place.archive());
    let none = Rules { days: 0, weekly: 0, monthly: 0, require_remote: false };
    for (damaged, stays) in [(None, 3), (Some(3), 2), (Some(2), 1)] {
        if let Some(damaged) = damaged {
            let bundle = place.archive().join(&dirs[damaged]).join("bundle.tar.zst");
            let mut bytes = fs::read(&bundle).unwrap();
            bytes[1000] ^= 1;
            fs::write(bundle, bytes).unwrap();
        }
        let plan = planned(&archive, none, NOW).unwrap();
        let kept: Vec<&str> = plan
            .decisions
            .iter()
            .filter(|decision| decision.keep)
            .map(|decision| decision.dir.as_str())
            .collect();
        assert_eq!(kept, [&dirs[stays]]);
    }
    let plan = planned(&archive, none, NOW).unwrap();
    apply(&archive, none, NOW, &plan.hash).unwrap();
    assert!(verify(&place.archive().join(&dirs[1])).unwrap().is_good());
}

#[test]
fn an_index_that_says_otherwise_stops_it() {
    let place = Place::new();
    let dirs = daily(&place, 3);
    let archive = Archive::at(&place.archive());
    let rules = Rules { days: 1, weekly: 0, monthly: 0, require_remote: false };
    let plan = planned(&archive, rules, NOW).unwrap();
    fs::remove_dir_all(place.archive().join(&dirs[0])).unwrap();
    for failure in [planned(&archive, rules, NOW), apply(&archive, rules, NOW, &plan.hash)] {
        let failure = failure.unwrap_err();
        assert!(failure.is_refusal() && failure.to_string().contains("--reindex"), "{failure}");
    }
    assert!(place.archive().join(&dirs[1]).exists());
}

/// Runs with one folder's name are runs of their own, and so is what holds less of a run.
#[test]
fn each_run_is_thinned_out_by_itself() {
    let place = Place::new();
    place.frozen("a", NOW - 10.0);
    let record = fs::read_to_string(place.path("runs/a/run.json")).unwrap();
    write(&place.path("runs/a/run.json"), record.replace("2026-01-30", "2026-01-29"));
    place.frozen("a", NOW - 5.0);
    let options = resonetics_lumen::archive::Options {
        to: &place.archive(),
        label: None,
        preset: resonetics_lumen::archive::Preset::Telemetry,
        seal: None,
    };
    resonetics_lumen::archive::freeze(&place.path("runs/a"), &options, NOW - 1.0).unwrap();
    let plan = planned(&Archive::at(&place.archive()), Rules::default(), NOW).unwrap();
    assert_eq!(plan.decisions.iter().filter(|decision| decision.keep).count(), 3, "{plan:?}");
}
