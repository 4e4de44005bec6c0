use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::*;

#[test]
fn what_is_no_file_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(path("socket")).unwrap();
    std::os::unix::fs::symlink("pipe", path("link")).unwrap();
    for (path, part) in [
        (path("pipe"), "it is a named pipe"),
        (path("link"), "it is a named pipe"),
        (path("socket"), "it is a socket"),
        (PathBuf::from("/dev/zero"), "it is a device"),
        (dir.path().to_path_buf(), "directory"),
        (path("none"), "No such file"),
    ] {
        let refused = read(&path, 100).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains(part) && text.contains(&path.display().to_string()), "{text}");
        assert!(refused.is_refusal());
    }
    for name in ["pipe", "socket"] {
        assert!(CsvFile::resumable(&path(name), 0).unwrap_err().is_refusal());
    }
}

#[test]
fn a_file_may_be_as_long_as_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let bytes: Vec<u8> = (0..200_000_u32).map(|byte| byte as u8).collect();
    fs::write(&path, &bytes).unwrap();
    assert!(read(&path, 200_000).unwrap() == bytes);
    let text = read(&path, 199_999).unwrap_err().to_string();
    assert!(text.contains("more than 199999 bytes"), "{text}");
    // A file without an end on the disk.
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(read(&path, TEXT).is_err());
}

#[test]
fn a_pipe_of_this_process_is_read_to_its_end() {
    let (reader, mut writer) = io::pipe().unwrap();
    let late = std::thread::spawn(move || {
        for part in ["some", " text"] {
            std::thread::sleep(Duration::from_millis(30));
            writer.write_all(part.as_bytes()).unwrap();
        }
    });
    let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
    assert_eq!(read(&path, TEXT).unwrap(), b"some text");
    late.join().unwrap();
}

#[test]
fn files_are_the_same_if_all_bytes_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("a"), vec![7; 3 << 20]).unwrap();
    fs::write(path("b"), vec![7; 3 << 20]).unwrap();
    fs::write(path("c"), vec![7; (3 << 20) - 1]).unwrap();
    fs::write(path("d"), [vec![7; (3 << 20) - 1], vec![8]].concat()).unwrap();
    assert!(same(&path("a"), &path("b")).unwrap());
    for other in ["c", "d"] {
        assert!(!same(&path("a"), &path(other)).unwrap() && !same(&path(other), &path("a")).unwrap());
    }
}

#[test]
fn write_atomic_replaces_and_leaves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    write_atomic(&path, b"one").unwrap();
    write_atomic(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn write_atomic_swaps_the_file_instead_of_rewriting_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    write_atomic(&path, b"old").unwrap();
    let reader = File::open(&path).unwrap();
    write_atomic(&path, b"new").unwrap();
    assert_eq!(io::read_to_string(reader).unwrap(), "old");
}

#[test]
fn write_atomic_gives_the_mode_of_any_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, plain) = (dir.path().join("a"), dir.path().join("b"));
    write_atomic(&path, b"").unwrap();
    File::create(&plain).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn failed_write_atomic_leaves_no_temporary_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("taken");
    fs::create_dir_all(path.join("inside")).unwrap();
    let text = write_atomic(&path, b"x").unwrap_err().to_string();
    assert!(text.contains("taken"), "{text}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn write_new_refuses_a_file_that_exists() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    write_new(&path, b"one").unwrap();
    assert!(write_new(&path, b"two").unwrap_err().is_refusal());
    assert_eq!(fs::read(&path).unwrap(), b"one");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn csv_has_header_quotes_and_lf() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let mut csv = CsvFile::create(&path, &["n", "text"]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"n,text\n");
    csv.row(["1", "a,\"b\""]).unwrap();
    csv.row(vec![b"2".to_vec(), Vec::new()]).unwrap();
    csv.finish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"n,text\n1,\"a,\"\"b\"\"\"\n2,\n");
}

/// As many columns as an earlier version wrote.
#[test]
fn csv_goes_on_with_the_columns_that_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    fs::write(&path, "n,m\n1,2\n3,4\nhalf").unwrap();
    let mut csv = CsvFile::resume(&path, 8).unwrap();
    assert_eq!(csv.columns(), 2);
    csv.row(["5", "6"]).unwrap();
    assert!(!csv.row(["7", "8", "9"]).unwrap_err().is_refusal());
    csv.finish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"n,m\n1,2\n5,6\n");
}

#[test]
fn csv_refuses_a_file_that_exists() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    fs::write(&path, "mine").unwrap();
    let refused = CsvFile::create(&path, &["n"]).err().unwrap();
    assert!(refused.is_refusal());
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn csv_leaves_out_a_row_of_the_wrong_length() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let mut csv = CsvFile::create(&path, &["a", "b"]).unwrap();
    let text = csv.row(["1"]).unwrap_err().to_string();
    assert!(text.contains("a.csv"), "{text}");
    drop(csv);
    assert_eq!(fs::read(&path).unwrap(), b"a,b\n");
}

#[test]
fn csv_on_disk_is_whole_after_every_row_and_drop_writes_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let mut csv = CsvFile::create(&path, &["a"]).unwrap();
    let mut sizes = vec![];
    for _ in 0..5000 {
        csv.row(["123456"]).unwrap();
        let size = fs::metadata(&path).unwrap().len();
        assert_eq!((size - 2) % 7, 0, "a part of a row at {size}");
        sizes.push(size);
    }
    sizes.dedup();
    assert!((3..100).contains(&sizes.len()), "{} writes", sizes.len());
    drop(csv);
    assert_eq!(fs::metadata(&path).unwrap().len(), 2 + 5000 * 7);
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_is_exit_1_and_names_the_file() {
    let path = Path::new("/dev/full");
    let file = File::options().append(true).open(path).unwrap();
    let full = CsvFile::start(path, file, &["n"]).err().unwrap();
    assert!(!full.is_refusal());
    assert!(full.to_string().contains("/dev/full"), "{full}");
}

#[cfg(target_os = "linux")]
#[test]
fn finish_reports_what_drop_would_hide() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let mut csv = CsvFile::create(&path, &["n"]).unwrap();
    csv.file = File::options().append(true).open("/dev/full").unwrap();
    csv.row(["1"]).unwrap();
    let text = csv.finish().unwrap_err().to_string();
    assert!(text.contains("free some space"), "{text}");
}
