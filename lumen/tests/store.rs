//! The event store: what is read, once and only once, whatever happens to files and processes.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use resonetics_lumen::store::{Ingested, LINE_BYTES, Query, Reader, Rotation, Store, VERSION, rotate};
use rusqlite::Connection;
use tempfile::TempDir;

/// What an example of a line has that differs.
struct Of<'a> {
    run: &'a str,
    iter: u64,
    kind: &'a str,
    key: &'a str,
    clock: u64,
    slot: u64,
    /// Milliseconds since 2025 began.
    ms: u64,
}

impl Default for Of<'_> {
    fn default() -> Self {
        Self { run: "r1", iter: 0, kind: "observe", key: "window:0", clock: 0, slot: 0, ms: 0 }
    }
}

fn written(of: &Of<'_>) -> String {
    let Of { run, iter, kind, key, clock, slot, ms } = of;
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        r#"{{"ts":"2025-01-01T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z","entity_id":"{run}/training","group":"design_core","event_type":"{kind}","resonance_v3":{{"phase_diff":0.5,"residual_entropy":0.25,"creative_band":"MID","risk_band":"SAFE"}},"memory_bridge":{{"slot_id":"rmb/v17/slot-{slot}","op":"UPSERT","key":"{key}","value_hash":"0123456789abcdef"}},"trace":{{"loop_id":"train.k8s","iter":{iter},"host":"h","clock":{clock}}},"phase_valid":true,"signals":{{"residual":0.25,"phase_diff":0.5,"entropy_rate":null,"creative_band":0.5,"risk_band":0.125,"harmony_index":0.75,"coherence_level":0.5}},"levels":{{"residual":"CALM","rollback_ratio":null,"final":"CALM"}}}}"#
    ) + "\n"
}

/// Window `iter` of the run r1.
fn window(iter: u64) -> String {
    let key = format!("window:{iter}");
    written(&Of { iter, key: &key, clock: iter * 10, slot: iter % 32, ms: iter, ..Of::default() })
}

fn windows(from: u64, to: u64) -> String {
    (from..to).map(window).collect()
}

/// A folder with a run and a store.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("run")).unwrap();
        Self { dir }
    }
    fn run(&self) -> PathBuf {
        self.dir.path().join("run")
    }
    fn log(&self) -> PathBuf {
        self.run().join("events.jsonl")
    }
    fn store(&self) -> PathBuf {
        self.dir.path().join("lumen.db")
    }
    fn ingest(&self) -> Ingested {
        Store::open(&self.store()).unwrap().ingest(&[self.run()]).unwrap()
    }
    fn reader(&self) -> Reader {
        Reader::open(&self.store()).unwrap()
    }
    /// The iters that are there, in order.
    fn iters(&self) -> Vec<i64> {
        let mut iters: Vec<i64> = self.ask("SELECT iter FROM event ORDER BY iter");
        iters.dedup_by(|a, b| a == b);
        assert_eq!(
            iters.len() as i64,
            self.one::<i64>("SELECT count(*) FROM event"),
            "an event is there twice"
        );
        iters
    }
    fn ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> Vec<T> {
        let connection = Connection::open(self.store()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
    fn one<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.ask(sql).pop().unwrap()
    }
    fn is_good(&self) -> bool {
        let checked = Store::open(&self.store()).unwrap().check(&[self.run()]).unwrap();
        if !checked.is_good() {
            eprintln!("{checked:?}");
        }
        checked.is_good()
    }
}

fn append(path: &Path, text: impl AsRef<[u8]>) {
    File::options().append(true).create(true).open(path).unwrap().write_all(text.as_ref()).unwrap();
}

fn to(count: i64) -> Vec<i64> {
    (0..count).collect()
}

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
fn reading_again_changes_nothing_and_what_is_added_is_read() {
    let place = Place::new();
    append(&place.log(), windows(0, 10));
    place.ingest();
    assert_eq!(place.ingest().lines, 0);
    append(&place.log(), windows(10, 12));
    let done = place.ingest();
    assert_eq!((done.lines, done.new), (2, 2));
    // The same lines in another folder are no other events.
    fs::create_dir(place.run().join("copy")).unwrap();
    fs::copy(place.log(), place.run().join("copy/events.jsonl")).unwrap();
    let done = place.ingest();
    assert_eq!((done.lines, done.new, done.known), (12, 0, 12));
    assert_eq!(place.iters(), to(12));
    assert!(place.is_good());
}

#[test]
fn a_last_line_without_end_waits() {
    let place = Place::new();
    let (whole, half) = (windows(0, 2), window(2));
    append(&place.log(), whole + &half[..40]);
    assert_eq!(place.ingest().lines, 2);
    append(&place.log(), &half[40..half.len() - 1]);
    assert_eq!(place.ingest().lines, 0);
    append(&place.log(), "\n");
    assert_eq!(place.ingest().new, 1);
    assert_eq!(place.iters(), to(3));
}

#[test]
fn what_was_renamed_is_read_on_and_not_again() {
    let place = Place::new();
    append(&place.log(), windows(0, 5));
    place.ingest();
    append(&place.log(), windows(5, 8));
    fs::rename(place.log(), place.run().join("events-000001.jsonl")).unwrap();
    append(&place.log(), windows(8, 9));
    let done = place.ingest();
    assert_eq!((done.files, done.lines, done.new), (2, 4, 4));
    // With the names of logrotate.
    fs::rename(place.run().join("events-000001.jsonl"), place.run().join("events.jsonl.2")).unwrap();
    fs::rename(place.log(), place.run().join("events.jsonl.1")).unwrap();
    assert_eq!(place.ingest().lines, 0);
    assert_eq!(place.iters(), to(9));
    assert!(place.is_good());
}

#[test]
fn a_head_that_grows_is_the_same_file() {
    let place = Place::new();
    // A line has some 700 bytes: the head is whole after six.
    for iter in 0..20 {
        append(&place.log(), window(iter));
        let done = place.ingest();
        assert_eq!((done.lines, done.new, done.cut), (1, 1, 0), "{iter}");
    }
    assert_eq!(place.one::<i64>("SELECT count(*) FROM source"), 1);
    assert_eq!(place.one::<i64>("SELECT head_bytes FROM source"), 4_096);
    assert_eq!(place.iters(), to(20));
}

/// A resumed training cuts its log back to a checkpoint and goes on.
#[test]
fn rows_of_lines_that_were_cut_away_are_deleted_and_no_others() {
    for (there, kept) in [(10, 4), (10, 1), (9_000, 8_000), (9_000, 10), (4_096, 4_096 - 1)] {
        let place = Place::new();
        append(&place.log(), windows(0, there));
        place.ingest();
        let ids: Vec<i64> = place.ask(&format!("SELECT id FROM event WHERE iter < {kept} ORDER BY id"));
        File::options()
            .write(true)
            .open(place.log())
            .unwrap()
            .set_len(windows(0, kept).len() as u64)
            .unwrap();
        let again = |iter: u64| window(iter).replace("\"host\":\"h\"", "\"host\":\"other\"");
        // First it is shorter than it was read, then it is longer.
        append(&place.log(), again(kept));
        let done = place.ingest();
        assert_eq!((done.new, done.cut), (1, there - kept), "{there} {kept}");
        append(&place.log(), (kept + 1..there + 5).map(again).collect::<String>());
        let done = place.ingest();
        assert_eq!((done.new, done.cut), (there + 4 - kept, 0));
        assert_eq!(place.iters(), to(there as i64 + 5));
        // Those before the cut are the rows that they were, and the sums have never gone down.
        assert_eq!(place.ask::<i64>(&format!("SELECT id FROM event WHERE iter < {kept} ORDER BY id")), ids);
        let totals = place.reader().totals().unwrap();
        assert_eq!(totals[0].events_total, there + (there + 5 - kept));
        assert!(place.is_good());
        // The slots are those of the lines that are there.
        let last = place.one::<i64>("SELECT max(clock) FROM memory");
        assert_eq!(last, (there as i64 + 4) * 10);
    }
}

#[test]
fn a_cut_is_seen_when_the_file_has_grown_beyond_it() {
    let place = Place::new();
    append(&place.log(), windows(0, 100));
    place.ingest();
    fs::write(place.log(), "").unwrap();
    let again = |iter: u64| window(iter).replace("\"host\":\"h\"", "\"host\":\"i\"");
    append(&place.log(), windows(0, 60) + &(60..200).map(again).collect::<String>());
    let done = place.ingest();
    assert_eq!((done.new, done.cut), (140, 40));
    assert_eq!(place.iters(), to(200));
    assert!(place.is_good());
}

#[test]
fn memory_is_that_of_what_is_left_after_a_cut() {
    let place = Place::new();
    append(&place.log(), windows(0, 40));
    place.ingest();
    File::options().write(true).open(place.log()).unwrap().set_len(windows(0, 10).len() as u64).unwrap();
    assert_eq!(place.ingest().cut, 30);
    assert_eq!(
        place.ask::<i64>("SELECT clock FROM memory ORDER BY slot"),
        (0..10).map(|n| n * 10).collect::<Vec<_>>()
    );
    assert_eq!(place.iters(), to(10));
}

/// What another file tells too is read there again when the first is cut.
#[test]
fn what_a_second_file_says_stays_when_the_first_is_cut() {
    let place = Place::new();
    append(&place.log(), windows(0, 10));
    place.ingest();
    fs::copy(place.log(), place.run().join("events-000001.jsonl")).unwrap();
    place.ingest();
    File::options().write(true).open(place.log()).unwrap().set_len(windows(0, 5).len() as u64).unwrap();
    place.ingest();
    place.ingest();
    assert_eq!(place.iters(), to(10));
    assert!(place.is_good());
}

#[test]
fn an_inode_that_another_file_has_got_is_read_from_its_start() {
    let place = Place::new();
    let of = |run: &str, iter: u64| written(&Of { run, iter, ..Of::default() });
    // Written over in place: the same inode, with more than was read before, as where an inode is given again.
    append(&place.log(), (0..9).map(|iter| of("r1", iter)).collect::<String>());
    place.ingest();
    let inode = |place: &Place| std::os::unix::fs::MetadataExt::ino(&fs::metadata(place.log()).unwrap());
    let before = inode(&place);
    fs::write(place.log(), (0..12).map(|iter| of("r2", iter)).collect::<String>()).unwrap();
    assert_eq!(inode(&place), before);
    let done = place.ingest();
    assert_eq!((done.new, done.cut), (12, 0));
    // What the deleted file said stays.
    assert_eq!(place.one::<i64>("SELECT count(*) FROM event WHERE run = 'r1'"), 9);
    assert_eq!(place.one::<i64>("SELECT count(*) FROM source WHERE current = 1"), 1);
    assert!(place.is_good());
}

#[test]
fn a_file_that_was_put_back_is_read_on() {
    let place = Place::new();
    append(&place.log(), windows(0, 50));
    place.ingest();
    // As a backup puts it back: another inode.
    let text = fs::read(place.log()).unwrap();
    fs::rename(place.log(), place.dir.path().join("away")).unwrap();
    fs::write(place.log(), text).unwrap();
    append(&place.log(), windows(50, 52));
    let done = place.ingest();
    assert_eq!((done.lines, done.new), (2, 2));
    assert_eq!(place.one::<i64>("SELECT count(*) FROM source"), 1);
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
fn a_long_line_without_end_waits_and_takes_no_memory() {
    let place = Place::new();
    append(&place.log(), window(0));
    append(&place.log(), vec![b'x'; 3 * LINE_BYTES]);
    let done = place.ingest();
    assert_eq!((done.lines, done.refused), (1, 0));
    append(&place.log(), "\n".to_owned() + &window(1));
    let done = place.ingest();
    assert_eq!((done.new, done.refused), (1, 1));
    assert!(place.is_good());
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

#[test]
fn rotation_puts_aside_by_size_and_by_day_and_deletes_only_if_asked() {
    let place = Place::new();
    let now = SystemTime::now();
    let limit = Rotation { bytes: 2_000, daily: true, keep: 2, delete: false };
    assert_eq!(rotate(&place.log(), &limit, now).unwrap(), None);
    append(&place.log(), window(0));
    assert_eq!(rotate(&place.log(), &limit, now).unwrap(), None);
    let tomorrow = now + Duration::from_secs(86_400);
    let name = rotate(&place.log(), &limit, tomorrow).unwrap().unwrap();
    assert_eq!(name, place.run().join("events-000001.jsonl"));
    for n in 2..=4 {
        append(&place.log(), windows(n * 10, n * 10 + 4));
        assert!(rotate(&place.log(), &limit, now).unwrap().is_some());
    }
    fs::write(place.run().join("events-other.jsonl"), "").unwrap();
    fs::write(place.run().join("events-1.jsonl"), "").unwrap();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(place.run())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names().len(), 6);
    append(&place.log(), windows(90, 94));
    rotate(&place.log(), &Rotation { delete: true, ..limit }, now).unwrap().unwrap();
    assert_eq!(
        names(),
        ["events-000004.jsonl", "events-000005.jsonl", "events-1.jsonl", "events-other.jsonl"]
    );
}

/// What a child of this test does: it reads the folder until it is killed, or until there is a file `done`.
#[test]
fn child() {
    let Ok(dir) = std::env::var("LUMEN_CHILD") else { return };
    let dir = Path::new(&dir);
    let mut store = Store::open(&dir.join("lumen.db")).unwrap();
    loop {
        let is_done = dir.join("done").exists();
        store.ingest(&[dir.join("run")]).unwrap();
        if is_done {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn ingester(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("LUMEN_CHILD", dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Writes `lines` with `rotations` while a process that reads them is killed `kills` times.
fn killed(lines: u64, rotations: u64, kills: u64) {
    let place = Place::new();
    let begun = Instant::now();
    let mut child = ingester(place.dir.path());
    let mut random = u64::from(begun.elapsed().subsec_nanos()) | 1;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut log = File::options().append(true).create(true).open(place.log()).unwrap();
    let (mut rotated, mut written) = (0, 0);
    for kill in 1..=kills {
        while written < lines * kill / kills {
            let batch = (1 + next(400)).min(lines - written);
            let text = windows(written, written + batch);
            // Not always whole lines at once.
            let middle = next(text.len() as u64) as usize;
            log.write_all(&text.as_bytes()[..middle]).unwrap();
            log.write_all(&text.as_bytes()[middle..]).unwrap();
            written += batch;
            if written >= lines * (rotated + 1) / (rotations + 1) && rotated < rotations {
                let limit = Rotation { bytes: 1, daily: false, keep: 7, delete: false };
                rotate(&place.log(), &limit, SystemTime::now()).unwrap().unwrap();
                log = File::options().append(true).create(true).open(place.log()).unwrap();
                rotated += 1;
            }
        }
        // It has read something, and is amid the next.
        let before: i64 = read_so_far(&place);
        while read_so_far(&place) == before && before < written as i64 {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(next(60)));
        child.kill().unwrap();
        child.wait().unwrap();
        child = ingester(place.dir.path());
    }
    fs::write(place.dir.path().join("done"), "").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(place.one::<i64>("SELECT count(*) FROM event"), lines as i64);
    assert_eq!(place.one::<i64>("SELECT count(DISTINCT iter) FROM event"), lines as i64);
    assert_eq!(place.one::<i64>("SELECT max(iter) FROM event"), lines as i64 - 1);
    assert_eq!(place.one::<i64>("SELECT count(*) FROM source"), rotations as i64 + 1);
    assert_eq!(place.reader().totals().unwrap()[0].events_total, lines);
    assert_eq!(place.one::<String>("PRAGMA integrity_check"), "ok");
    assert!(place.is_good());
    println!("{lines} lines, {rotations} rotations, {kills} kills: {:.1} s", begun.elapsed().as_secs_f64());
}

/// Events that are there; 0 where there is no store yet.
fn read_so_far(place: &Place) -> i64 {
    Reader::open(&place.store())
        .ok()
        .and_then(|reader| reader.totals().ok()?.pop())
        .map_or(0, |of| of.events_total as i64)
}

#[test]
fn kills_and_rotations_lose_and_double_nothing() {
    killed(50_000, 20, 20);
}

/// `cargo test --release -p resonetics-lumen --test store -- --ignored --nocapture million`
#[test]
#[ignore = "takes half a minute"]
fn a_million_lines_survive_kills_and_rotations() {
    killed(1_000_000, 20, 20);
}

#[test]
fn two_that_read_at_once_lose_and_double_nothing() {
    let place = Place::new();
    let mut children = [ingester(place.dir.path()), ingester(place.dir.path())];
    for part in 0..100 {
        append(&place.log(), windows(part * 300, part * 300 + 300));
        if part % 25 == 24 {
            fs::rename(place.log(), place.run().join(format!("events-{part:06}.jsonl"))).unwrap();
        }
    }
    fs::write(place.dir.path().join("done"), "").unwrap();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(place.iters(), to(30_000));
    assert_eq!(place.one::<i64>("SELECT count(*) FROM source"), 4);
    assert_eq!(place.reader().totals().unwrap()[0].events_total, 30_000);
    assert!(place.is_good());
}

#[test]
fn who_reads_while_another_writes_sees_whole_batches() {
    let place = Place::new();
    append(&place.log(), windows(0, 30_000));
    place.run();
    drop(Store::open(&place.store()).unwrap());
    let mut child = ingester(place.dir.path());
    let reader = place.reader();
    let (mut last, mut looks) = (0, 0);
    while last < 30_000 {
        // One statement sees one state: the sum and the rows are of the same batches.
        let rows = reader.totals().unwrap().first().map_or(0, |of| of.events_total);
        assert!(rows >= last);
        let metrics = reader.metrics(Some("r1"), 10).unwrap();
        assert!(rows == 0 || metrics.last().unwrap().iter + 1 >= rows as i64);
        (last, looks) = (rows, looks + 1);
    }
    assert!(looks > 1);
    fs::write(place.dir.path().join("done"), "").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_cannot_be_read_is_left_out_and_named() {
    let place = Place::new();
    append(&place.log(), windows(0, 3));
    // A folder that is called as a log is walked, a link that leads nowhere is named.
    std::os::unix::fs::symlink("nowhere", place.run().join("events-000001.jsonl")).unwrap();
    let done = place.ingest();
    assert_eq!((done.new, done.left_out.len()), (3, 1));
    let mut text = String::new();
    File::open(place.log()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, windows(0, 3));
}
