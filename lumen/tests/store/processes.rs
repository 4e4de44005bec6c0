//! Processes that are killed, and several at once.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use resonetics_lumen::store::{Reader, Rotation, Store, rotate};

use super::common::{Place, append, to, windows};

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
        .args(["--exact", "store::processes::child", "--nocapture"])
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
    eprintln!("{lines} lines, {rotations} rotations, {kills} kills: {:.1} s", begun.elapsed().as_secs_f64());
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
