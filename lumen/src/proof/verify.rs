//! A log made anew from its entries and compared with what it says, tile by tile.

use std::path::Path;

use resonetics_runs::{Error, interrupt};

use super::edge::Edge;
use super::log::Log;
use super::tiles::{Tile, WIDTH};
use super::tree::Hash;

/// Checks each entry, each tile and the head of `log`, in the folder `dir`; yields the roots that it had at `sizes`,
/// which are sorted and none above its own.
///
/// # Errors
/// [`Error::Failed`] naming the first tile that is not what its entries make it.
pub fn verify(log: &Log, dir: &Path, sizes: &[u64]) -> Result<Vec<Hash>, Error> {
    let mut edge = Edge::default();
    let mut roots = Vec::new();
    let mut sizes = sizes.iter().peekable();
    let compare = |tile: Tile, width: u64, made: &[u8]| {
        let mut there = tile.read(dir, width)?;
        // A log that grew in the meantime has a wider one.
        there.truncate(made.len());
        if there == made {
            return Ok(());
        }
        let wrong = there.iter().zip(made).take_while(|(is, should)| is == should).count();
        let how = match tile {
            Tile::Hashes(0, number) => {
                format!("its hash of entry {} is not that of the entry", number * WIDTH + wrong as u64 / 32)
            }
            _ => format!("its hash {} is not that of the tile below", wrong / 32),
        };
        Err(tile.damaged(dir, width, &how))
    };
    for number in 0..log.head.size.div_ceil(WIDTH) {
        interrupt::check()?;
        let width = (log.head.size - number * WIDTH).min(WIDTH);
        for entry in Tile::Entries(number).entries(dir, width)? {
            while sizes.next_if(|size| **size == edge.size).is_some() {
                roots.push(edge.root());
            }
            edge.push(&entry, &mut |tile, width, made| match tile {
                // It is what is read.
                Tile::Entries(_) => Ok(()),
                Tile::Hashes(..) => compare(tile, width, made),
            })?;
        }
    }
    edge.partials(&mut |tile, width, made| match tile {
        Tile::Entries(_) => Ok(()),
        Tile::Hashes(..) => compare(tile, width, made),
    })?;
    roots.extend(sizes.map(|_| edge.root()));
    if edge.root() == log.head.root {
        return Ok(roots);
    }
    Err(Error::Failed(format!(
        "the entries of {} do not lead to the root of its checkpoint: one was changed, moved, left out or put in",
        dir.display()
    )))
}
