//! Files that grow, are renamed, cut, replaced, or are none.

use std::fs::{self, File};
use std::io::Read as _;
use std::time::{Duration, SystemTime};

use resonetics_lumen::store::{LINE_BYTES, Rotation, rotate};

use super::common::{Of, Place, append, to, window, windows, written};

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

/// A training that begins anew puts its log aside and tells the same again: it is there once, whether the old log was
/// read before or not.
#[test]
fn what_was_put_aside_says_nothing() {
    for read_before in [true, false] {
        let place = Place::new();
        append(&place.log(), windows(0, 5));
        if read_before {
            place.ingest();
        }
        fs::rename(place.log(), place.run().join("events.jsonl.before-1")).unwrap();
        let again: String =
            (0..9).map(|iter| written(&Of { iter, clock: iter, ms: iter + 1, ..Of::default() })).collect();
        append(&place.log(), again);
        let done = place.ingest();
        assert_eq!((done.files, done.new, done.cut), (1, 9, if read_before { 5 } else { 0 }));
        assert_eq!(place.ingest().cut, 0);
        assert_eq!(place.iters(), to(9));
        assert!(place.is_good());
    }
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
