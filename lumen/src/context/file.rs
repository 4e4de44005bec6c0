//! How the file with a context is called and known.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The file.
pub const FILE: &str = "context.json";
/// What it says that it is.
pub const FORMAT: &str = "resonetics-context/1";
/// How all of ours begin, whichever their version.
const BEGINS: &[u8] = b"{\n  \"format\": \"resonetics-context/";

/// Whether the file at `path` is one of ours, whole or not: what is somebody else's is left alone.
pub fn is_ours(path: &Path) -> bool {
    if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    let mut begins = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINS.len() as u64).read_to_end(&mut begins));
    read.is_ok() && begins == BEGINS
}
