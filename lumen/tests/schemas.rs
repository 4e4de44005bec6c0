//! Each schema takes its good fixture and refuses the bad ones; what we write it takes.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_lumen::event::{
    Event, Fleet, Group, Kind as Happened, Level, Levels, Memory, Op, Resonance, Risk, Room, Signals, Trace,
};
use resonetics_lumen::event_v2::event_v2;
use resonetics_lumen::resonance::metrics::Metrics;
use resonetics_lumen::validate::{Kind, validate, validator};
use resonetics_runs::Error;

const KINDS: [(&str, Kind); 5] = [
    ("event-v1", Kind::EventV1),
    ("event-v2", Kind::EventV2),
    ("metrics", Kind::Metrics),
    ("resonance", Kind::Resonance),
    ("runs", Kind::Runs),
];

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn one_good_and_ten_bad_fixtures_a_schema() {
    for (name, kind) in KINDS {
        let (mut good, mut bad) = (0, 0);
        for path in fixtures(name) {
            // A record whose only line is no JSON is known by the file's name alone.
            let checked = match validate(&path) {
                Err(Error::Unknown(_)) => {
                    assert!(path.to_string_lossy().contains("nan"), "{}", path.display());
                    let named = tempfile::tempdir().unwrap();
                    let file = match kind {
                        Kind::EventV1 => "events.jsonl",
                        _ => "resonance.json",
                    };
                    fs::copy(&path, named.path().join(file)).unwrap();
                    validate(&named.path().join(file)).unwrap()
                }
                checked => checked.unwrap(),
            };
            assert_eq!((checked.kind, checked.records), (kind, 1), "{}", path.display());
            if path.file_stem().unwrap() == "good" {
                assert_eq!(checked.first, [], "{}", path.display());
                good += 1;
            } else {
                assert!(checked.faults > 0 && checked.first[0].line == 1, "{}", path.display());
                bad += 1;
            }
        }
        assert_eq!((good, bad), (1, 10), "{name}");
    }
}

/// The schema of metrics.json and its parser say the same.
#[test]
fn the_parser_refuses_what_the_schema_refuses() {
    for path in fixtures("metrics") {
        let good = path.file_stem().unwrap() == "good";
        assert_eq!(Metrics::parse(&fs::read_to_string(&path).unwrap()).is_ok(), good, "{}", path.display());
    }
}

fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    (dir, path)
}

#[test]
fn faults_have_their_places_and_twenty_are_kept() {
    let good = fs::read_to_string(fixtures("runs").iter().find(|path| path.ends_with("good.jsonl")).unwrap())
        .unwrap();
    let bad = good.replace("\"seconds\": 6.0", "\"seconds\": -6.0");
    let (_dir, path) = written("any.jsonl", &format!("{good}\n{}{{\"run_id\": NaN}}\n", bad.repeat(22)));
    let checked = validate(&path).unwrap();
    assert_eq!(
        (checked.kind, checked.records, checked.faults, checked.first.len()),
        (Kind::Runs, 24, 23, 20)
    );
    let column = good.find("6.0,").unwrap() as u64 + 1;
    // An empty line is passed over, and counted.
    assert_eq!((checked.first[0].line, checked.first[0].column), (3, column));
    assert!(checked.first[0].reason.starts_with("/seconds: "), "{}", checked.first[0].reason);

    let (_dir, path) = written("metrics.json", "{\n  \"gap_minutes\": 1,\n  \"fail_rate\": NaN\n}");
    let fault = &validate(&path).unwrap().first[0];
    assert_eq!((fault.line, fault.reason.as_str()), (3, "expected value"));
    let (_dir, path) = written("metrics.json", "{\n  \"gap_minutes\": 1,\n  \"fail_rate\": 2\n}");
    let fault = &validate(&path).unwrap().first[0];
    assert_eq!((fault.line, fault.column), (3, 16));
}

#[test]
fn what_is_of_no_kind_is_unknown() {
    for text in ["", "{}", "hello", "[1]", "{\"a\": 1}"] {
        let (_dir, path) = written("any.json", text);
        assert!(matches!(validate(&path), Err(Error::Unknown(_))), "{text}");
    }
    let (_dir, path) = written("events.jsonl", "");
    assert_eq!(validate(&path).unwrap().faults, 0);
    assert!(validate(Path::new("/none/events.jsonl")).unwrap_err().is_refusal());
}

#[test]
fn an_observer_field_says_its_own_place() {
    let (_dir, path) = written("observer_field.yaml", "version: 1\nthresholds: {coherence_ok: 2}\n");
    let checked = validate(&path).unwrap();
    assert_eq!((checked.faults, checked.first[0].line, checked.first[0].column), (1, 2, 13));
    let (_dir, path) = written("observer_field.yaml", "version: 1\n");
    assert_eq!(validate(&path).unwrap().faults, 0);
}

fn event() -> Event {
    Event {
        ts: "2026-01-31T12:00:00.000Z".to_owned(),
        entity_id: "train-0001/training".to_owned(),
        group: Group::DesignCore,
        event_type: Happened::Observe,
        resonance_v3: Resonance {
            phase_diff: 0.0,
            residual_entropy: 0.25,
            creative_band: Room::Mid,
            risk_band: Risk::Safe,
        },
        memory_bridge: Memory {
            slot_id: "rmb/v17/slot-3".to_owned(),
            op: Op::Upsert,
            key: "window:3".to_owned(),
            value_hash: "0".repeat(64),
        },
        trace: Trace { loop_id: "train.k8s".to_owned(), iter: 3, host: "local".to_owned(), clock: 32 },
        phase_valid: false,
        signals: None,
        levels: None,
        fleet: None,
        reason: None,
    }
}

fn takes(kind: Kind, value: &serde_json::Value) -> bool {
    validator(kind.schema().unwrap()).unwrap().is_valid(value)
}

/// All that version 1 can be serialised as, with what is optional there and not.
#[test]
fn the_schema_takes_what_we_serialise() {
    let groups = [Group::DesignCore, Group::BuildCore, Group::SafetyMusic, Group::Observer];
    let kinds = [Happened::Observe, Happened::Decide, Happened::Commit, Happened::Rollback];
    for (at, group) in groups.into_iter().enumerate() {
        let mut event = Event { group, event_type: kinds[at], ..event() };
        event.resonance_v3.creative_band = [Room::Low, Room::Mid, Room::High, Room::High][at];
        event.resonance_v3.risk_band = [Risk::Safe, Risk::Watch, Risk::Risk, Risk::Risk][at];
        event.memory_bridge.op = if at == 1 { Op::Delete } else { Op::Upsert };
        assert!(takes(Kind::EventV1, &serde_json::to_value(&event).unwrap()));
        event.signals = Some(Signals::default());
        event.levels =
            Some(Levels { residual: Some(Level::Tense), rollback_ratio: None, last: Some(Level::Alert) });
        event.reason = Some("guard".to_owned());
        event.fleet =
            Some(Fleet { coupling: Some(-0.5), letters: [1, 2, 3], worst: Some(4), ..Fleet::default() });
        assert!(takes(Kind::EventV1, &serde_json::to_value(&event).unwrap()));
        event.signals = Some(Signals { residual: Some(0.5), residual_p95: Some(0.75), ..Signals::default() });
        let value = serde_json::to_value(&event).unwrap();
        assert!(takes(Kind::EventV1, &value));
        // And nothing that our reader would refuse.
        let mut more = value;
        more["signals"]["risk"] = 1.into();
        assert!(!takes(Kind::EventV1, &more) && serde_json::from_value::<Event>(more).is_err());
    }
}

#[test]
fn a_window_is_a_resonance_event_too() {
    let known = Signals {
        residual: Some(0.25),
        phase_diff: Some(0.5),
        harmony_index: Some(0.9),
        coherence_level: Some(0.5),
        ..Signals::default()
    };
    let with = |signals| Event { signals: Some(signals), ..event() };
    let value = event_v2(&with(known)).unwrap();
    assert!(takes(Kind::EventV2, &value), "{value}");
    assert!(value["phase_field"]["phase_diff"].is_null());
    let valid = event_v2(&Event { phase_valid: true, ..with(known) }).unwrap();
    assert_eq!((&valid["phase_field"]["phase_diff"], &valid["trace"]["ver"]), (&0.5.into(), &"v1".into()));
    assert!(takes(Kind::EventV2, &valid));
    for unknown in [
        Signals { residual: None, ..known },
        Signals { harmony_index: None, ..known },
        Signals { coherence_level: None, ..known },
    ] {
        assert_eq!(event_v2(&with(unknown)), None);
    }
    assert_eq!(event_v2(&event()), None);
    assert_eq!(event_v2(&Event { event_type: Happened::Commit, ..with(known) }), None);
}
