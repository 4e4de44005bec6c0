//! Read back by a reader that shares nothing with the writer.

use std::fs;

use super::*;

/// CRC-32C bit by bit, and its mask by shifts.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

#[allow(clippy::manual_rotate)] // as it is defined
fn mask(crc: u32) -> u32 {
    ((crc >> 15) | (crc << 17)).wrapping_add(0xa282_ead8)
}

#[test]
fn checksums_are_those_of_rfc_3720() {
    // Appendix B.4: 32 zeros, 32 ones, 0 to 31, 31 to 0.
    let up: Vec<u8> = (0..32).collect();
    let down: Vec<u8> = (0..32).rev().collect();
    for (bytes, crc) in [
        (vec![0; 32], 0x8a91_36aa),
        (vec![0xff; 32], 0x62a8_ab43),
        (up, 0x46dd_794e),
        (down, 0x113f_db5c),
        (b"123456789".to_vec(), 0xe306_9283),
    ] {
        assert_eq!(CRC32C.checksum(&bytes), crc);
        assert_eq!(crc32c(&bytes), crc);
        assert_eq!(u32::from_le_bytes(masked(&bytes)), mask(crc));
    }
}

/// (wall time, step, file version, tags and values) of each record.
type Read = (f64, u64, Option<String>, Vec<(String, f32)>);

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

/// The fields of a message: number, and bits or bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut fields = vec![];
    while !message.is_empty() {
        let key = varint(&mut message);
        let (bits, bytes): (u64, &[u8]) = match key & 7 {
            0 => (varint(&mut message), &[]),
            1 => (u64::from_le_bytes(take(&mut message, 8).try_into().unwrap()), &[]),
            2 => {
                let length = varint(&mut message) as usize;
                (0, take(&mut message, length))
            }
            5 => (u32::from_le_bytes(take(&mut message, 4).try_into().unwrap()).into(), &[]),
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, bits, bytes));
    }
    fields
}

fn read(mut file: &[u8]) -> Vec<Read> {
    let mut events = vec![];
    while !file.is_empty() {
        let length = take(&mut file, 8);
        assert_eq!(take(&mut file, 4), mask(crc32c(length)).to_le_bytes());
        let data = take(&mut file, u64::from_le_bytes(length.try_into().unwrap()) as usize);
        assert_eq!(take(&mut file, 4), mask(crc32c(data)).to_le_bytes());
        let mut event: Read = (0.0, 0, None, vec![]);
        for (field, bits, bytes) in fields(data) {
            match field {
                1 => event.0 = f64::from_bits(bits),
                2 => event.1 = bits,
                3 => event.2 = Some(String::from_utf8(bytes.to_vec()).unwrap()),
                5 => {
                    for (_, _, value) in fields(bytes) {
                        let [(1, _, tag), (2, bits, _)] = fields(value)[..] else { panic!("{value:?}") };
                        let tag = String::from_utf8(tag.to_vec()).unwrap();
                        event.3.push((tag, f32::from_bits(bits as u32)));
                    }
                }
                other => panic!("field {other}"),
            }
        }
        events.push(event);
    }
    events
}

fn of_step(step: u64) -> Read {
    (1e9 + step as f64, step, None, vec![("loss/policy".to_owned(), 0.5), ("return".to_owned(), -1.25)])
}

/// A file with the steps 0, 10 and 300.
fn written(dir: &Path) -> PathBuf {
    let mut events = EventFile::create(dir, 1e9 + 0.5).unwrap();
    for step in [0, 10, 300] {
        events.scalars(step, 1e9 + step as f64, &[("loss/policy", 0.5), ("return", -1.25)]).unwrap();
    }
    let path = events.path().to_owned();
    events.finish().unwrap();
    path
}

#[test]
fn another_reader_finds_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    assert_eq!(path.file_name().unwrap(), "events.out.tfevents.1000000000.resonetics");
    let head = (1e9 + 0.5, 0, Some("brain.Event:2".to_owned()), vec![]);
    assert_eq!(read(&fs::read(&path).unwrap()), [head, of_step(0), of_step(10), of_step(300)]);
}

#[test]
fn values_that_are_zero_or_no_number_are_there_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut events = EventFile::create(dir.path(), 0.0).unwrap();
    events.scalars(u64::MAX, 0.0, &[("zero", 0.0), ("nan", f64::NAN), ("inf", f64::INFINITY)]).unwrap();
    events.flush().unwrap();
    let (_, step, _, values) = read(&fs::read(events.path()).unwrap()).pop().unwrap();
    assert_eq!(step, i64::MAX as u64);
    assert_eq!(values[0], ("zero".to_owned(), 0.0));
    assert!(values[1].1.is_nan() && values[2].1 == f32::INFINITY);
}

#[test]
fn a_resumed_file_has_each_step_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let whole = fs::read(&path).unwrap();
    let mut events = EventFile::append(&path, 11).unwrap();
    events.scalars(300, 1e9 + 300.0, &[("loss/policy", 0.5), ("return", -1.25)]).unwrap();
    drop(events);
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn a_training_that_begins_anew_keeps_the_head_of_its_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    drop(EventFile::append(&path, 0).unwrap());
    let head = (1e9 + 0.5, 0, Some("brain.Event:2".to_owned()), vec![]);
    assert_eq!(read(&fs::read(&path).unwrap()), [head]);
    drop(EventFile::append(&path, 0).unwrap());
    assert_eq!(read(&fs::read(&path).unwrap()).len(), 1);
}

#[test]
fn a_file_cut_at_any_byte_goes_on_after_its_last_whole_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let whole = fs::read(&path).unwrap();
    let head = first_event(&whole).unwrap().1;
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let resumed = EventFile::append(&path, u64::MAX);
        if length < head {
            assert!(resumed.err().unwrap().is_refusal());
            assert_eq!(fs::read(&path).unwrap(), &whole[..length], "it was not left alone");
            continue;
        }
        let before = fs::read(&path).unwrap();
        assert!(whole.starts_with(&before) && before.len() <= length);
        resumed.unwrap().scalars(300, 1e9 + 300.0, &[("loss/policy", 0.5), ("return", -1.25)]).unwrap();
        assert_eq!(read(&fs::read(&path).unwrap()).last(), Some(&of_step(300)), "{length}");
    }
}

#[test]
fn events_are_in_the_file_by_whole_records_before_it_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let mut events = EventFile::create(dir.path(), 0.0).unwrap();
    let mut counts = vec![];
    for step in 0..2000 {
        events.scalars(step, 0.0, &[("a", 1.0)]).unwrap();
        if step % 50 == 0 {
            counts.push(read(&fs::read(events.path()).unwrap()).len());
        }
    }
    counts.dedup();
    assert!((3..100).contains(&counts.len()), "{} writes", counts.len());
}

#[test]
fn other_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    fs::write(&path, "step,value\n1,2\nwith enough text to hold a length\n").unwrap();
    let refused = EventFile::append(&path, 0).err().unwrap();
    assert!(refused.is_refusal());
    assert!(refused.to_string().contains("notes.txt"), "{refused}");
    assert!(EventFile::append(&dir.path().join("absent"), 0).err().unwrap().is_refusal());
    let path = written(dir.path());
    let taken = EventFile::create(path.parent().unwrap(), 1e9).err().unwrap();
    assert!(taken.is_refusal());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let mut events = EventFile::create(dir.path(), 0.0).unwrap();
    events.file = File::options().append(true).open("/dev/full").unwrap();
    events.scalars(1, 0.0, &[("a", 1.0)]).unwrap();
    assert!(!events.finish().unwrap_err().is_refusal());
}

/// A copy that is cut so needs no other cut when the run goes on.
#[test]
fn a_copy_ends_where_a_run_that_goes_on_cuts() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let whole = fs::read(&path).unwrap();
    let head = first_event(&whole).unwrap().1;
    for length in (head..=whole.len()).step_by(7) {
        for step in [0, 1, 99, 100, 150, 200, 201, 1000] {
            fs::write(&path, &whole[..length]).unwrap();
            let found = bytes_until(&File::open(&path).unwrap(), step).unwrap();
            drop(EventFile::append(&path, step + 1).unwrap());
            assert_eq!(found, fs::metadata(&path).unwrap().len(), "{length} bytes, step {step}");
        }
    }
}
