//! Roots and proofs against `oracles/trees.json`, recorded by the definitions of RFC 6962 in Python, for all pairs up to
//! 300; and that nothing else is taken for one.

use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::text::hex;
use resonetics_lumen::proof::tree::{
    Hash, InMemory, Subtrees, consistency, consistent, includes, inclusion, leaf, range,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::common::{Place, append, entry};

const MOST: u64 = 300;

fn trees() -> Vec<Value> {
    let oracle: Value = serde_json::from_str(include_str!("../oracles/trees.json")).unwrap();
    oracle["trees"].as_array().unwrap().clone()
}

fn in_memory(size: u64) -> InMemory {
    InMemory::new((0..size).map(|number| leaf(&entry(number))).collect())
}

fn summed(proofs: impl Iterator<Item = Vec<Hash>>) -> String {
    let mut sum = Sha256::new();
    for proof in proofs {
        sum.update([proof.len() as u8]);
        for hash in proof {
            sum.update(hash);
        }
    }
    hex(&sum.finalize())
}

fn as_recorded<T: Subtrees<Error: std::fmt::Debug>>(tree: &mut T, size: u64, recorded: &Value) {
    assert_eq!(hex(&range(tree, 0, size).unwrap()), recorded["root"], "{size}");
    let included = summed((0..size).map(|index| inclusion(tree, index, size).unwrap()));
    assert_eq!(included, recorded["inclusion"], "{size}");
    let grown = summed((1..=size).map(|old| consistency(tree, old, size).unwrap()));
    assert_eq!(grown, recorded["consistency"], "{size}");
}

#[test]
fn trees_in_memory_are_those_of_the_definitions() {
    let trees = trees();
    assert_eq!(trees.len() as u64, MOST + 1);
    let mut tree = in_memory(MOST);
    for (size, recorded) in (0..=MOST).zip(&trees) {
        as_recorded(&mut tree, size, recorded);
    }
}

/// Through tiles, at sizes around those at which they end: each time a log that has grown.
#[test]
fn trees_in_tiles_are_those_of_the_definitions() {
    let place = Place::new();
    let key = place.key("keys");
    let dir = place.path("log");
    let trees = trees();
    let mut before = 0;
    for size in (0..20).chain((32..250).step_by(31)).chain(253..260).chain([299, MOST]) {
        let recorded = &trees[size as usize];
        let head = append(&dir, &key, before..size).unwrap();
        assert_eq!((head.size, hex(&head.root)), (size, recorded["root"].as_str().unwrap().to_owned()));
        as_recorded(&mut Log::open(&dir, &[key.public()]).unwrap(), size, recorded);
        before = size;
    }
    // A partial tile is as wide as the last head says, and there is no other.
    assert!(!dir.join("tile/0/000.p").exists());
    assert_eq!(std::fs::read_dir(dir.join("tile/entries/001.p")).unwrap().count(), 1);
}

#[test]
fn proofs_hold_for_what_they_are_of_and_nothing_else() {
    let mut tree = in_memory(MOST);
    let roots: Vec<Hash> = (0..=MOST).map(|size| range(&mut tree, 0, size).unwrap()).collect();
    for size in 1..=MOST {
        let root = &roots[size as usize];
        for index in 0..size {
            let hash = tree.leaves[index as usize];
            let proof = inclusion(&mut tree, index, size).unwrap();
            assert!(includes(root, size, index, &hash, &proof), "{index} {size}");
            let other = (index + 1) % size;
            assert!(size == 1 || !includes(root, size, other, &hash, &proof), "{index} {size}");
            assert!(!includes(root, size, index + size, &hash, &proof));
            assert!(!includes(root, size, index, &leaf(b"x"), &proof));
            assert!(!includes(&roots[size as usize - 1], size, index, &hash, &proof));
            let longer = [proof.clone(), vec![hash]].concat();
            assert!(!includes(root, size, index, &hash, &longer));
            if let Some((_, shorter)) = proof.split_last() {
                assert!(!includes(root, size, index, &hash, shorter), "{index} {size}");
            }
        }
    }
    for new in 0..=MOST {
        for old in 0..=new {
            let (was, is) = (&roots[old as usize], &roots[new as usize]);
            let proof = consistency(&mut tree, old, new).unwrap();
            assert!(consistent(old, was, new, is, &proof), "{old} {new}");
            let wrong = leaf(b"x");
            assert!(!consistent(old, &wrong, new, is, &proof), "{old} {new}");
            assert!(old == 0 || !consistent(old, was, new, &wrong, &proof), "{old} {new}");
            assert!(!consistent(new + 1, is, new, is, &[]));
            if let Some((_, shorter)) = proof.split_last() {
                assert!(!consistent(old, was, new, is, shorter), "{old} {new}");
            }
            assert!(!consistent(old, was, new, is, &[proof.clone(), vec![wrong]].concat()), "{old} {new}");
        }
    }
}

/// Three levels of tiles.
#[test]
fn a_log_of_many_entries_has_the_proofs_of_its_tree() {
    const SIZE: u64 = 70_000;
    let place = Place::new();
    let key = place.key("keys");
    let log = place.path("log");
    append(&log, &key, 0..65_000).unwrap();
    append(&log, &key, 65_000..65_536).unwrap();
    append(&log, &key, 65_536..SIZE).unwrap();
    let mut tree = in_memory(SIZE);
    let mut log = Log::open(&log, &[key.public()]).unwrap();
    assert_eq!(log.head.root, range(&mut tree, 0, SIZE).unwrap());
    for index in [0, 1, 255, 256, 4_095, 65_535, 65_536, 69_999].into_iter().chain((0..SIZE).step_by(4_999)) {
        assert_eq!(log.entry(index).unwrap(), entry(index));
        assert_eq!(log.inclusion(index).unwrap(), inclusion(&mut tree, index, SIZE).unwrap(), "{index}");
        let proof = consistency(&mut tree, index.max(1), SIZE).unwrap();
        assert_eq!(log.consistency(index.max(1), SIZE).unwrap(), proof, "{index}");
    }
    assert_eq!(log.find(&leaf(&entry(66_000))).unwrap(), Some(66_000));
    assert_eq!(log.find(&leaf(b"x")).unwrap(), None);
    assert!(
        log.entry(SIZE).is_err() && log.inclusion(SIZE).is_err() && log.consistency(SIZE, SIZE + 1).is_err()
    );
}
