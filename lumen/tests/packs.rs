//! Packs: what is packed is opened, and what is not as it was written is refused by its name.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use resonetics_lumen::pack::{Asked, Next, open, pack};
use resonetics_runs::Error;
use resonetics_runs::files::sha256;
use resonetics_runs::run_dir::seconds;
use tar::Header;
use tempfile::TempDir;

use crate::runs::run;

/// A folder with two runs of worlds, `a` and `b`, packed as `a.pack` and `b.pack`, with their archives.
struct Place {
    dir: TempDir,
}

type Member = (String, Vec<u8>);

impl Place {
    fn new() -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(place.path("near")).unwrap();
        for name in ["a", "b"] {
            let folder = run(&place.path("runs"), name, "finished", (100.0, 40.0), None);
            fs::write(folder.join("config.toml"), format!("name = \"{name}\"\n")).unwrap();
            let mut word = u64::from(name.as_bytes()[0]);
            let noise: Vec<u8> = (0..5000)
                .map(|_| {
                    word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (word >> 56) as u8
                })
                .collect();
            fs::write(folder.join("noise.bin"), noise).unwrap();
            place.packed(name, &place.path(&format!("{name}.pack")), true).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn packed(&self, run: &str, to: &Path, with_archive: bool) -> Result<(), Error> {
        let archive = self.path("archive");
        let archive = with_archive.then_some(&*archive);
        let asked = Asked { to, archive, note: Some("a note"), alertmanager: None, keep: true };
        pack(&self.path("runs").join(run), &asked, seconds()).map(drop)
    }

    /// Why the pack with these bytes is refused; nothing may be left of it.
    fn refused(&self, bytes: &[u8]) -> String {
        let path = self.path("changed.pack");
        fs::write(&path, bytes).unwrap();
        let near = self.path("near");
        let told = open(&path, Some(&near)).map(drop).unwrap_err().to_string();
        assert_eq!(fs::read_dir(&near).unwrap().count(), 0, "something was left: {told}");
        told
    }
}

fn members(pack: &Path) -> Vec<Member> {
    let tar = zstd::decode_all(fs::File::open(pack).unwrap()).unwrap();
    let (mut rest, mut found) = (&tar[..], Vec::new());
    while rest[..512].iter().any(|&byte| byte != 0) {
        let header = Header::from_byte_slice(&rest[..512]);
        let size = header.entry_size().unwrap() as usize;
        found.push((header.path().unwrap().display().to_string(), rest[512..512 + size].to_vec()));
        rest = &rest[512 + size.next_multiple_of(512)..];
    }
    assert_eq!(rest.len(), 1024);
    found
}

/// A pack of these members, each with a header as ours.
fn written(members: &[Member]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, bytes) in members {
        let mut header = Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        header.set_device_major(0).unwrap();
        header.set_device_minor(0).unwrap();
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    zstd::encode_all(&tar[..], 3).unwrap()
}

/// The same with sums that fit.
fn summed(mut members: Vec<Member>) -> Vec<u8> {
    let last = members.len() - 1;
    let line = |sums: String, (name, bytes): &Member| sums + &format!("{}  {name}\n", sha256(bytes));
    let sums: String = members[..last].iter().fold(String::new(), line);
    members[last].1 = sums.into_bytes();
    written(&members)
}

fn edited(members: &[Member], name: &str, from: &str, to: &str) -> Vec<Member> {
    let mut members = members.to_vec();
    let member = members.iter_mut().find(|(found, _)| found == name).unwrap();
    let text = String::from_utf8(member.1.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    member.1 = text.replacen(from, to, 1).into_bytes();
    members
}

#[test]
fn what_is_packed_is_opened() {
    let place = Place::new();
    let opened = open(&place.path("a.pack"), None).unwrap();
    assert_eq!((opened.resume.run.as_str(), opened.resume.next), ("a", Next::Analyze));
    assert_eq!(opened.resume.command, ["resonetics", "analyze", "a"]);
    assert_eq!(opened.context.note.as_deref(), Some("a note"));
    opened.place(&place.path("out"), &[]).unwrap();
    for file in ["run.json", "config.toml", "noise.bin"] {
        let bytes = |folder: &str| fs::read(place.path(folder).join(file)).unwrap();
        assert_eq!(bytes("out"), bytes("runs/a"), "{file}");
    }
    // What it was of, by names that others know.
    let found = members(&place.path("a.pack"));
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let archive = ["archive/manifest.json", "archive/SHA256SUMS", "archive/bundle.tar.zst"];
    assert_eq!(names[..2], ["resume.toml", "context.json"]);
    assert_eq!(names[2..5], archive);
    assert_eq!(names[5..], ["SHA256SUMS"]);
    assert_eq!(summed(found.clone()), written(&found));
    let whole = place.path("").canonicalize().unwrap();
    for (name, bytes) in &found[..4] {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(whole.to_str().unwrap()), "{name}");
    }
}

#[test]
fn the_same_run_is_the_same_pack() {
    let place = Place::new();
    place.packed("a", &place.path("again.pack"), true).unwrap();
    assert_eq!(fs::read(place.path("again.pack")).unwrap(), fs::read(place.path("a.pack")).unwrap());
    assert!(place.packed("a", &place.path("again.pack"), true).unwrap_err().is_refusal());
    // Also where nothing may be kept.
    let kept = place.path("runs/a/context.json");
    fs::remove_file(&kept).unwrap();
    let (to, archive) = (place.path("unkept.pack"), place.path("archive"));
    let asked =
        Asked { to: &to, archive: Some(&archive), note: Some("a note"), alertmanager: None, keep: false };
    pack(&place.path("runs/a"), &asked, seconds()).unwrap();
    assert!(!kept.exists());
    assert_eq!(fs::read(&to).unwrap(), fs::read(place.path("a.pack")).unwrap());
    fs::write(place.path("runs/a/noise.bin"), "other").unwrap();
    place.packed("a", &place.path("other.pack"), true).unwrap();
    assert_ne!(fs::read(place.path("other.pack")).unwrap(), fs::read(place.path("a.pack")).unwrap());
}

#[test]
fn each_damage_is_refused_and_named() {
    let place = Place::new();
    let (a, b) = (members(&place.path("a.pack")), members(&place.path("b.pack")));
    let whole = summed(a.clone());
    assert!(open(&place.path("a.pack"), None).is_ok());
    for (at, (name, bytes)) in a.iter().enumerate() {
        // A bit in each part, and a part that is cut: its sum, or what it says, is not right.
        let mut flipped = a.clone();
        flipped[at].1[bytes.len() / 2] ^= 1;
        let told = place.refused(&written(&flipped));
        let sums = name == "SHA256SUMS";
        assert!(told.contains(name) || sums && told.contains(": mismatch: "), "{name}: {told}");
        let mut cut = a.clone();
        cut[at].1.pop();
        place.refused(&written(&cut));
        // Not there, there twice, under another name.
        let mut less = a.clone();
        less.remove(at);
        let told = place.refused(&written(&less));
        assert!(told.contains(&format!("where {name} should be")) || told.contains(name), "{name}: {told}");
        let mut twice = a.clone();
        twice.insert(at, a[at].clone());
        place.refused(&written(&twice));
        let mut renamed = a.clone();
        renamed[at].0 += "x";
        let told = place.refused(&written(&renamed));
        assert!(told.contains(&format!("{name}x")), "{name}: {told}");
        // That of another run.
        let mut swapped = a.clone();
        swapped[at] = b[at].clone();
        place.refused(&written(&swapped));
        if !sums {
            let told = place.refused(&summed(swapped));
            assert!(
                told.contains("resume.toml") || told.contains(name) || told.contains("archive/"),
                "{name}: {told}"
            );
        }
    }
    let mut added = a.clone();
    added.insert(2, ("evil.sh".to_owned(), b"x".to_vec()));
    assert!(place.refused(&summed(added)).contains("evil.sh: extra: "));
    let mut behind = whole.clone();
    behind.push(0);
    assert!(place.refused(&behind).contains("extra"));
    assert!(place.refused(&whole[..whole.len() - 5]).contains("truncated"));
    assert!(place.refused(b"not a pack").contains("is no pack"));
    assert!(place.refused(b"").contains("is no pack"));
    assert!(matches!(open(&place.path("none.pack"), None), Err(Error::Unknown(_))));
}

/// All sums are right: somebody meant it.
#[test]
fn what_was_edited_is_refused_and_named() {
    let place = Place::new();
    let (a, b) = (members(&place.path("a.pack")), members(&place.path("b.pack")));
    let told = |name: &str, from: &str, to: &str| place.refused(&summed(edited(&a, name, from, to)));
    for (from, to, says) in [
        (
            "\"resonetics\", \"analyze\"",
            "\"resonetics\", \"evil\"",
            "its command is not the one of such a run",
        ),
        ("\"a\"]", "\"a\", \"--out\"]", "its command is not the one of such a run"),
        ("next = \"analyze\"", "next = \"shell\"", "unknown variant"),
        ("next = \"analyze\"", "next = \"rerun\"", "its command"),
        ("run = \"a\"", "run = \"../a\"", "no name of a folder"),
        ("format = 1", "format = 2", "its format is 2"),
        ("format = 1", "format = 1\nmore = 1", "unknown field"),
        ("kind = \"train\"", "kind = \"gardener\"", "another command"),
        ("config_sha256 = \"", "config_sha256 = \"x", "a hash of it is none"),
        ("state = \"finished\"", "state = \"killed\"", "another moment"),
        ("dir = \"", "dir = \"../", "no name of a folder"),
    ] {
        let told = told("resume.toml", from, to);
        assert!(told.contains(says), "{from} -> {to}: {told}");
    }
    assert!(told("context.json", "\"name\": \"a\"", "\"name\": \"b\"").contains("context.json: mismatch"));
    // The archive of another run, whole, and its id and name put right too.
    let mut foreign = a.clone();
    foreign[2..5].clone_from_slice(&b[2..5]);
    let said = place.refused(&summed(foreign.clone()));
    assert!(said.contains("archive/"), "{said}");
    let text = |members: &[Member]| String::from_utf8(members[0].1.clone()).unwrap();
    let (ours, theirs) = (text(&a), text(&b));
    let archive = |text: &str| text[text.find("[archive]").unwrap()..].to_owned();
    foreign[0].1 = ours.replace(&archive(&ours), &archive(&theirs)).into_bytes();
    let said = place.refused(&summed(foreign));
    assert!(said.contains("archive/manifest.json: mismatch: the archive has another config.toml"), "{said}");
}

/// A flipped bit is refused, or it is in what says nothing and all that is read is the same.
#[test]
fn a_flipped_bit_never_panics_and_leaves_nothing() {
    let place = Place::new();
    let whole = fs::read(place.path("a.pack")).unwrap();
    let good = open(&place.path("a.pack"), None).unwrap();
    let (near, path) = (place.path("near"), place.path("changed.pack"));
    let mut silent = 0;
    for at in (0..whole.len()).step_by(whole.len() / 300) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        match open(&path, Some(&near)) {
            Ok(opened) => {
                silent += 1;
                assert_eq!((&opened.resume, &opened.context), (&good.resume, &good.context), "at {at}");
            }
            Err(failure) => assert!(!failure.to_string().is_empty()),
        }
        assert_eq!(fs::read_dir(&near).unwrap().count(), 0, "at {at}");
        // And cut there.
        fs::write(&path, &whole[..at]).unwrap();
        assert!(open(&path, Some(&near)).is_err(), "cut at {at}");
        assert_eq!(fs::read_dir(&near).unwrap().count(), 0, "cut at {at}");
    }
    assert!(silent < 3, "{silent} flipped bits went unseen");
}

#[test]
fn without_its_archive_the_run_must_be_there_as_it_was() {
    let place = Place::new();
    place.packed("a", &place.path("light.pack"), false).unwrap();
    let opened = open(&place.path("light.pack"), None).unwrap();
    assert!(!opened.has_run());
    opened.check(&place.path("runs/a"), &[]).unwrap();
    let told = |to: &str| opened.check(&place.path(to), &[]).unwrap_err();
    assert!(told("runs/b").to_string().contains("it is another run"));
    assert!(told("nowhere").to_string().contains("--archive"));
    fs::write(place.path("runs/a/config.toml"), "name = \"c\"\n").unwrap();
    assert!(told("runs/a").is_refusal());
    // With it, only into a new folder.
    let opened = open(&place.path("a.pack"), None).unwrap();
    let told = opened.place(&place.path("runs/b"), &[]).unwrap_err().to_string();
    assert!(told.contains("choose another --to"), "{told}");
}

#[test]
fn what_a_program_lacks_is_refused() {
    let place = Place::new();
    let run = place.path("runs/a");
    fs::write(run.join("config.toml"), "learner = \"torch\"\n").unwrap();
    place.packed("a", &place.path("torch.pack"), true).unwrap();
    let opened = open(&place.path("torch.pack"), None).unwrap();
    assert_eq!(opened.resume.features, ["torch"]);
    let told = opened.check(&place.path("out"), &[]).unwrap_err().to_string();
    assert!(told.contains("`torch`") && told.contains("--features torch"), "{told}");
    opened.check(&place.path("out"), &["torch"]).unwrap();
}

#[test]
fn notes_are_bounded() {
    let place = Place::new();
    let to = place.path("x.pack");
    for note in ["a\nb", &"x".repeat(1001)] {
        let asked = Asked { to: &to, archive: None, note: Some(note), alertmanager: None, keep: true };
        assert!(pack(&place.path("runs/a"), &asked, seconds()).unwrap_err().is_refusal());
    }
    assert!(!to.exists());
}

/// An Alertmanager that gives one answer.
#[test]
fn alerts_are_asked_for() {
    use std::io::{Read, Write};
    let place = Place::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let read = &mut [0; 2048];
        let count = stream.read(read).unwrap();
        let asked = String::from_utf8_lossy(&read[..count]).into_owned();
        assert!(asked.starts_with("GET /api/v2/alerts?active=true"), "{asked}");
        let body = r#"[{"labels":{"alertname":"LumenLevelAlert","severity":"page","run":"a","instance":"host:1"}},
            {"labels":{"alertname":"Other","run":"b"}},{"labels":{"alertname":"ExportersDown","severity":"ticket"}}]"#;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let to = place.path("x.pack");
    let asked = Asked { to: &to, archive: None, note: None, alertmanager: Some(&url), keep: true };
    let packed = pack(&place.path("runs/a"), &asked, seconds()).unwrap();
    let expected = ["ExportersDown (ticket, of no run)", "LumenLevelAlert (page)"].map(str::to_owned);
    assert_eq!(packed.context.alerts.as_deref(), Some(&expected[..]));
    let asked = Asked { to: &place.path("y.pack"), ..asked };
    assert!(matches!(pack(&place.path("runs/a"), &asked, seconds()), Err(Error::Failed(_))));
}
