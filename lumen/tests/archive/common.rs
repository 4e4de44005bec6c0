//! A run, an archive of it, and ways to take bundles apart.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use resonetics_lumen::archive::{BUNDLE, Frozen, MANIFEST, Options, Preset, SUMS, freeze};
use resonetics_runs::files::sha256;
use tar::Header;
use tempfile::TempDir;

/// 2026-01-31T12:00:00Z.
pub(crate) const NOW: f64 = 1_769_860_800.0;

/// A folder with a run in `runs/a`.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        place.run("a", 1);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.path("archive")
    }

    /// Makes a finished run in `runs/NAME`: text, and bytes that cannot be compressed.
    pub(crate) fn run(&self, name: &str, seed: u64) -> PathBuf {
        let run = self.path("runs").join(name);
        let record = format!(
            r#"{{"command": "gardener", "arguments": [], "version": "0.1.0", "commit": "abc", "seed": {seed}, "started_at": "2026-01-30T12:00:00.000Z", "status": "finished"}}"#
        );
        let rows = (0..3000).fold(String::new(), |rows, row| rows + &format!("{row},{}\n", row * seed));
        let mut word = seed;
        let noise: Vec<u8> = (0..300_000)
            .map(|_| {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (word >> 56) as u8
            })
            .collect();
        for (file, bytes) in [
            ("run.json", record.as_bytes()),
            ("config.toml", b"command = \"gardener\"\n"),
            ("resonetics_data.csv", rows.as_bytes()),
            ("figures/a.svg", b"<svg/>"),
            ("notes/empty", b""),
            ("notes/noise.bin", &noise[..]),
        ] {
            write(&run.join(file), bytes);
        }
        run
    }

    pub(crate) fn frozen(&self, run: &str, now: f64) -> Frozen {
        frozen(&self.path("runs").join(run), &self.archive(), now)
    }
}

pub(crate) fn frozen(run: &Path, to: &Path, now: f64) -> Frozen {
    freeze(run, &Options { to, label: None, preset: Preset::Run, seal: None }, now).unwrap()
}

pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// All files below a folder, with their bytes.
pub(crate) fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

pub(crate) fn copied(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        write(&to.join(name), bytes);
    }
}

/// An entry of a tar.
pub(crate) type Entry = (Header, Vec<u8>);

/// The entries of the bundle in `dir`.
pub(crate) fn entries(dir: &Path) -> Vec<Entry> {
    let mut rest = &zstd::decode_all(File::open(dir.join(BUNDLE)).unwrap()).unwrap()[..];
    let mut found = Vec::new();
    while rest[..512].iter().any(|&byte| byte != 0) {
        let header = Header::from_byte_slice(&rest[..512]).clone();
        let size = header.entry_size().unwrap() as usize;
        found.push((header, rest[512..512 + size].to_vec()));
        rest = &rest[512 + size.next_multiple_of(512)..];
    }
    found
}

/// Packs `entries` into the bundle in `dir`, and writes sums that fit.
pub(crate) fn pack(dir: &Path, entries: &[Entry]) {
    let mut tar = Vec::new();
    for (header, bytes) in entries {
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    fs::write(dir.join(BUNDLE), zstd::encode_all(&tar[..], 3).unwrap()).unwrap();
    summed(dir);
}

/// Writes sums that fit the other two files.
pub(crate) fn summed(dir: &Path) {
    let line = |name: &str| format!("{}  {name}\n", sha256(&fs::read(dir.join(name)).unwrap()));
    fs::write(dir.join(SUMS), line(BUNDLE) + &line(MANIFEST)).unwrap();
}

/// A header of ours.
pub(crate) fn header(path: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    // By hand: the crate refuses paths that lead elsewhere.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_device_major(0).unwrap();
    header.set_device_minor(0).unwrap();
    header.set_cksum();
    header
}
