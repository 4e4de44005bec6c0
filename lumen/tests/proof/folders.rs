//! Fingerprints of folders, against the definition.

use std::fs;

use resonetics_lumen::proof::fingerprint::Fingerprint;
use resonetics_lumen::proof::text::hex;
use sha2::{Digest, Sha256};

use super::common::Place;

/// By hand: leaves and nodes of three files.
#[test]
fn a_folder_has_the_root_over_its_names_sizes_and_bytes() {
    let place = Place::new();
    fs::create_dir_all(place.path("run/b")).unwrap();
    for (name, text) in [("b/y", "yy"), ("a", ""), ("c", "ccc")] {
        fs::write(place.path("run").join(name), text).unwrap();
    }
    let leaf = |path: &str, text: &str| {
        let sum = hex(&Sha256::digest(text));
        let json = format!(r#"{{"path":"{path}","sha256":"{sum}","size":{}}}"#, text.len());
        Sha256::digest(["\0", &json].concat())
    };
    let node = |left: &[u8], right: &[u8]| Sha256::digest([&[1], left, right].concat());
    let root = node(&node(&leaf("a", ""), &leaf("b/y", "yy")), &leaf("c", "ccc"));
    let print = Fingerprint::of(&place.path("run")).unwrap();
    assert_eq!(print.root, hex(&root));
    let file = place.path("print.json");
    fs::write(&file, print.text().unwrap()).unwrap();
    assert_eq!(Fingerprint::read(&file).unwrap(), print);
    assert!(print.differences(&print).is_empty());
    fs::write(place.path("run/c"), "cc").unwrap();
    fs::remove_file(place.path("run/a")).unwrap();
    fs::rename(place.path("run/b/y"), place.path("run/b/z")).unwrap();
    let now = Fingerprint::of(&place.path("run")).unwrap();
    let expected = ["a: missing", "b/y: missing", "b/z: added", "c: changed, from 3 bytes to 2"];
    assert_eq!(print.differences(&now), expected);
    // A line of it that was changed.
    fs::write(&file, print.text().unwrap().replacen("\"size\": 2", "\"size\": 1", 1)).unwrap();
    let said = Fingerprint::read(&file).unwrap_err().to_string();
    assert!(said.contains("its root is not that of its files"), "{said}");
    std::os::unix::fs::symlink("c", place.path("run/link")).unwrap();
    assert!(Fingerprint::of(&place.path("run")).unwrap_err().to_string().contains("link is no file"));
    fs::create_dir(place.path("empty")).unwrap();
    assert!(Fingerprint::of(&place.path("empty")).unwrap_err().is_refusal());
}
