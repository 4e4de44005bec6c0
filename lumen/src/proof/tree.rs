//! Merkle trees as RFC 6962 defines them (section 2.1): their roots, and proofs that a leaf is in one and that one is
//! the beginning of another.
//!
//! A leaf and a node are hashed with different first bytes, so that none passes for the other; no leaf is doubled, so
//! that two lists never have the same root.

use std::collections::HashMap;
use std::convert::Infallible;

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What [`leaf`] puts before the bytes of a leaf.
const LEAF: [u8; 1] = [0];
/// What [`node`] puts before the hashes of its two halves.
const NODE: [u8; 1] = [1];

/// The hash of a leaf.
#[must_use]
pub fn leaf(bytes: &[u8]) -> Hash {
    Sha256::new().chain_update(LEAF).chain_update(bytes).finalize().into()
}

/// The hash of a node over its two halves.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update(NODE).chain_update(left).chain_update(right).finalize().into()
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty() -> Hash {
    Sha256::digest(b"").into()
}

/// The root over `hashes`, each of a leaf or of a full subtree, all of one size but for the last, which may be smaller.
#[must_use]
pub fn root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(split(many.len() as u64) as usize);
            node(&root(left), &root(right))
        }
    }
}

/// The largest power of two below `size`, which is 2 or more.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Where the hashes of full subtrees come from.
pub trait Subtrees {
    /// What may go wrong there.
    type Error;

    /// The root over the `2^level` leaves from `index * 2^level` on.
    ///
    /// # Errors
    /// That it cannot be had.
    fn full(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The root over the leaves from `from` to before `to`, a range as the definition splits a tree into.
///
/// # Errors
/// Those of `tree`.
pub fn range<T: Subtrees>(tree: &mut T, from: u64, to: u64) -> Result<Hash, T::Error> {
    let size = to - from;
    if size == 0 {
        return Ok(empty());
    }
    if size.is_power_of_two() {
        let level = size.trailing_zeros();
        return tree.full(level, from >> level);
    }
    let middle = from + split(size);
    Ok(node(&range(tree, from, middle)?, &range(tree, middle, to)?))
}

/// The proof that leaf `index` is in the tree of the first `size` leaves; `index` is below `size`.
///
/// # Errors
/// Those of `tree`.
pub fn inclusion<T: Subtrees>(tree: &mut T, index: u64, size: u64) -> Result<Vec<Hash>, T::Error> {
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(range(tree, middle, to)?);
            to = middle;
        } else {
            proof.push(range(tree, from, middle)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of the first `old` leaves is the beginning of that of the first `new`; empty where `old` is 0
/// or `new`. `old` is at most `new`.
///
/// # Errors
/// Those of `tree`.
pub fn consistency<T: Subtrees>(tree: &mut T, old: u64, new: u64) -> Result<Vec<Hash>, T::Error> {
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return Ok(proof);
    }
    let (mut from, mut to) = (0, new);
    // While it is the old tree as a whole that lies in the range, its root is known to who asks.
    let mut whole = true;
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(range(tree, middle, to)?);
            to = middle;
        } else {
            proof.push(range(tree, from, middle)?);
            from = middle;
            whole = false;
        }
    }
    if !whole {
        proof.push(range(tree, from, to)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether `proof` shows that a leaf with this hash is at `index` in the tree of `size` leaves with this `root`
/// (RFC 9162, 2.1.3.2).
#[must_use]
pub fn includes(root: &Hash, size: u64, index: u64, leaf: &Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for other in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(other, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, other);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `old` leaves with the root `old_root` is the beginning of that of `new` leaves
/// with `new_root` (RFC 9162, 2.1.4.2). The empty tree is the beginning of each, without a proof.
#[must_use]
pub fn consistent(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty();
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let mut rest = proof.iter();
    // A full subtree is its own proof.
    let first = if old.is_power_of_two() { Some(old_root) } else { rest.next() };
    let Some(first) = first else { return false };
    let (mut was, mut is) = (*first, *first);
    for other in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            was = node(other, &was);
            is = node(other, &is);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            is = node(&is, other);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && was == *old_root && is == *new_root
}

/// A tree whose leaves are all in memory.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    /// The hashes of its leaves.
    pub leaves: Vec<Hash>,
    known: HashMap<(u32, u64), Hash>,
}

impl InMemory {
    /// The tree over these hashes of leaves.
    #[must_use]
    pub fn new(leaves: Vec<Hash>) -> InMemory {
        InMemory { leaves, known: HashMap::new() }
    }
}

impl Subtrees for InMemory {
    type Error = Infallible;

    fn full(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        if level == 0 {
            return Ok(self.leaves[index as usize]);
        }
        if let Some(hash) = self.known.get(&(level, index)) {
            return Ok(*hash);
        }
        let (left, right) = (self.full(level - 1, 2 * index)?, self.full(level - 1, 2 * index + 1)?);
        let hash = node(&left, &right);
        self.known.insert((level, index), hash);
        Ok(hash)
    }
}
