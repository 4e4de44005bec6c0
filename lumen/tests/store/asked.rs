//! What is in the store, and how it is asked.

use std::fs;

use resonetics_lumen::store::{LINE_BYTES, Query, Reader, Store, VERSION};
use rusqlite::Connection;

use super::common::{Of, Place, append, window, windows, written};

#[test]
fn lines_become_rows_with_all_they_say() {
    let place = Place::new();
    append(&place.log(), windows(0, 3));
    append(&place.log(), window(3).replace(r#""phase_valid":true"#, r#""phase_valid":false"#));
    append(
        &place.log(),
        written(&Of { kind: "rollback", iter: 4, clock: 40, slot: 4, ms: 4, ..Of::default() }),
    );
    let done = place.ingest();
    assert_eq!((done.files, done.lines, done.new, done.known, done.refused), (1, 5, 5, 0, 0));
    let reader = place.reader();
    let last = reader.last_rmb(Some("r1")).unwrap().unwrap();
    assert_eq!((last.ts.as_str(), last.entity_id.as_str()), ("2025-01-01T00:00:00.003Z", "r1/training"));
    assert_eq!((last.residual, last.phase, last.risk.as_str()), (Some(0.25), None, "SAFE"));
    let ure = reader.last_ure(None).unwrap().unwrap();
    assert_eq!((ure.harmony, ure.coherence, ure.action.as_str()), (Some(0.75), Some(0.5), "NONE"));
    assert_eq!(reader.last_rmb(Some("r2")).unwrap(), None);
    let windows = reader.metrics(None, 2).unwrap();
    assert_eq!(windows.iter().map(|window| window.iter).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(
        (windows[0].entropy_rate, windows[0].creative, windows[0].risk_band),
        (None, Some(0.5), Some(0.125))
    );
    let levels = reader.levels(&Query { limit: 10, ..Query::default() }).unwrap().rows;
    assert_eq!(
        (levels.len(), levels[0].ratio.as_deref(), levels[0].last.as_deref()),
        (5, None, Some("CALM"))
    );
    // The views say the same.
    assert_eq!(place.one::<String>("SELECT ts FROM rmb WHERE phase IS NULL"), "2025-01-01T00:00:00.003Z");
    assert_eq!(place.one::<i64>("SELECT count(*) FROM ure WHERE action = 'NONE'"), 4);
    assert_eq!(place.one::<i64>("SELECT count(*) FROM level"), 5);
    assert_eq!(place.one::<String>("SELECT json FROM event WHERE iter = 1") + "\n", window(1));
    assert_eq!(reader.count("r1", 0, i64::MAX).unwrap(), (5, 1));
    assert!(place.is_good());
}

#[test]
fn lines_that_are_no_events_are_kept_with_place_and_reason() {
    let place = Place::new();
    let bad: Vec<(Vec<u8>, &str)> = vec![
        (b"\xff\xfe\n".to_vec(), "not UTF-8"),
        ([vec![b'x'; LINE_BYTES + 5_000], b"\n".to_vec()].concat(), "longer than 1048576 bytes"),
        (window(1).replace("0.125", "NaN").into_bytes(), "expected"),
        (window(1).replace("0.125", "1e999").into_bytes(), "out of range"),
        (window(1).replace("0.125", "1.5").into_bytes(), "signals.risk_band 1.5 is not between 0 and 1"),
        (window(1).replace("\"trace\"", "\"version\":3,\"trace\"").into_bytes(), "unknown field `version`"),
        (window(1).replace("\"phase_valid\":true,", "\"phase_valid\":true,\"more\":1,").into_bytes(), "unknown field `more`"),
        (window(1).replace("slot-1", "slot-32").into_bytes(), "slot_id"),
        (window(1).replace("2025-01-01T", "2025-13-01T").into_bytes(), "is no time in UTC"),
        (window(1).replace("r1/training", "/training").into_bytes(), "names no run"),
        (window(1).replace("0123456789abcdef", "0123").into_bytes(), "value_hash"),
        (window(1).replace("\"iter\":1", "\"iter\":18446744073709551615").into_bytes(), "trace.iter"),
        (br#"{"ts":"2025-01-01T00:00:00Z","entity_id":"a","phase_field":{}}"#.iter().copied().chain([b'\n']).collect(), "unknown field `phase_field`"),
        (b"\n".to_vec(), "empty"),
    ];
    append(&place.log(), window(0));
    for (line, _) in &bad {
        append(&place.log(), line);
    }
    append(&place.log(), window(1));
    let done = place.ingest();
    assert_eq!((done.lines, done.new, done.refused), (bad.len() as u64 + 2, 2, bad.len() as u64));
    let reasons: Vec<String> = place.ask("SELECT reason FROM refused ORDER BY line");
    for ((_, expected), reason) in bad.iter().zip(&reasons) {
        assert!(reason.contains(expected) && reason.len() < 400, "{expected}: {reason}");
    }
    assert_eq!(
        place.ask::<i64>("SELECT line FROM refused ORDER BY line"),
        (2..bad.len() as i64 + 2).collect::<Vec<_>>()
    );
    let offset = place.one::<i64>("SELECT offset FROM refused WHERE line = 3");
    assert_eq!(offset as usize, window(0).len() + bad[0].0.len());
    // The line after them is known by its place too.
    assert!(place.is_good());
    append(&place.log(), window(2));
    assert_eq!(place.ingest().new, 1);
}

#[test]
fn a_check_says_what_differs() {
    let place = Place::new();
    append(&place.log(), windows(0, 10));
    place.ingest();
    append(&place.log(), windows(10, 13));
    let check = || Store::open(&place.store()).unwrap().check(&[place.run()]).unwrap().files.remove(0);
    let found = check();
    assert_eq!((found.lines, found.rows, found.unread, found.missing, found.stale), (13, 10, 3, 0, 0));
    place.ingest();
    let connection = Connection::open(place.store()).unwrap();
    connection.execute("DELETE FROM event WHERE iter = 4", []).unwrap();
    connection.execute("UPDATE event SET offset = offset + 1000000 WHERE iter = 6", []).unwrap();
    connection.execute("UPDATE event SET hash = x'00' WHERE iter = 8", []).unwrap();
    let found = check();
    // Of 6 another place is told; of 8 there is another line.
    assert_eq!((found.rows, found.missing, found.elsewhere, found.stale), (10, 2, 1, 2));
    assert!(!found.is_good());
}

#[test]
fn a_store_of_a_later_version_and_what_is_no_store_are_refused() {
    let place = Place::new();
    place.ingest();
    Connection::open(place.store()).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
    for error in [Store::open(&place.store()).err().unwrap(), Reader::open(&place.store()).err().unwrap()] {
        assert!(error.is_refusal() && error.to_string().contains("version 2"), "{error}");
    }
    let other = place.dir.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let text = place.dir.path().join("text.db");
    fs::write(&text, "no database at all, but a text that is longer than the head of one".repeat(9)).unwrap();
    for path in [&other, &text] {
        assert!(Store::open(path).err().unwrap().is_refusal());
        assert!(Reader::open(path).err().unwrap().is_refusal());
    }
    assert!(Reader::open(&place.dir.path().join("none.db")).err().unwrap().is_refusal());
    assert!(Store::open(&place.dir.path().join("none/none.db")).err().unwrap().is_refusal());
}

#[test]
fn a_reader_cannot_write() {
    let place = Place::new();
    append(&place.log(), windows(0, 3));
    place.ingest();
    let reader = place.reader();
    assert_eq!(reader.metrics(None, 10).unwrap().len(), 3);
    drop(reader);
    // Nothing is left beside the store by the last to close it.
    assert!(!place.dir.path().join("lumen.db-wal").exists());
}

#[test]
fn pages_have_all_rows_once_in_order() {
    let place = Place::new();
    // Two runs, at the same times.
    for run in ["r1", "r2"] {
        let folder = place.run().join(run);
        fs::create_dir(&folder).unwrap();
        let line = |iter| written(&Of { run, iter, clock: iter, ms: iter / 3, ..Of::default() });
        append(&folder.join("events.jsonl"), (0..1_000).map(line).collect::<String>());
    }
    place.ingest();
    let reader = place.reader();
    for (run, from, to, expected) in [
        (None, None, None, 2_000),
        (Some("r2"), None, None, 1_000),
        (Some("r2"), Some(10), Some(19), 30),
        (None, Some(300), None, 200),
        (Some("r3"), None, None, 0),
    ] {
        let start = 1_735_689_600_000;
        let mut query = Query {
            run: run.map(str::to_owned),
            from: from.map(|from: i64| start + from),
            to: to.map(|to: i64| start + to),
            limit: 7,
            newest: false,
            cursor: None,
        };
        let mut rows = Vec::new();
        loop {
            let page = reader.windows(&query).unwrap();
            assert!(page.rows.len() <= 7);
            rows.extend(page.rows);
            let Some(next) = page.next else { break };
            // As text and back, as a page of the API has it.
            query.cursor = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(rows.len(), expected, "{run:?} {from:?} {to:?}");
        assert!(rows.is_sorted_by(|a, b| a.ts <= b.ts));
        let newest = reader.windows(&Query { newest: true, cursor: None, ..query }).unwrap();
        assert_eq!((newest.rows.as_slice(), newest.next), (&rows[rows.len().saturating_sub(7)..], None));
        let mut names: Vec<_> = rows.iter().map(|row| (row.entity_id.clone(), row.iter)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), expected);
    }
    assert!("12".parse::<resonetics_lumen::store::Cursor>().is_err());
    let page = reader.rmb(&Query { limit: usize::MAX, ..Query::default() }).unwrap();
    assert_eq!((page.rows.len(), page.next), (2_000, None));
}

#[test]
fn a_key_is_found_and_said_to_be_superseded() {
    let place = Place::new();
    let of = |iter, key, slot| {
        written(&Of { iter, key, slot, clock: iter, ms: iter, kind: "commit", ..Of::default() })
    };
    append(
        &place.log(),
        of(1, "checkpoint:100", 3) + &of(2, "best", 4) + &of(3, "checkpoint:200", 3) + &of(5, "best", 6),
    );
    append(&place.log(), windows(40, 44));
    place.ingest();
    let reader = place.reader();
    let get = |key: &str| reader.memory(key, None).unwrap();
    let former = get("checkpoint:100").remove(0);
    assert_eq!((former.superseded, former.slot, former.clock, former.run.as_str()), (true, 3, 1, "r1"));
    assert!(!get("checkpoint:200")[0].superseded);
    assert_eq!((get("best").len(), get("best")[0].clock), (1, 5));
    assert_eq!((get("window:41")[0].clock, get("window:41")[0].superseded), (410, false));
    assert_eq!(reader.memory("window:41", Some("r1")).unwrap().len(), 1);
    assert!(get("window:45").is_empty() && get("none").is_empty() && get("window:x").is_empty());
    assert!(reader.memory("best", Some("r2")).unwrap().is_empty());
}
