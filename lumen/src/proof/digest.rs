//! SHA-256 of files of any length.

use std::io::Read as _;
use std::path::Path;

use resonetics_runs::{Error, error, files, interrupt};
use sha2::{Digest as _, Sha256};

use super::text::hex;

/// The length of a file and its SHA-256 in hex. Asks for signals as it reads.
///
/// # Errors
/// As [`files::open`], [`Error::Interrupted`], and any I/O error.
pub fn digest(path: &Path) -> Result<(u64, String), Error> {
    let mut file = files::open(path)?;
    let (mut sum, mut size) = (Sha256::new(), 0);
    let mut chunk = vec![0; 1 << 16];
    loop {
        interrupt::check()?;
        match file.read(&mut chunk).map_err(error::io("read", path))? {
            0 => return Ok((size, hex(&sum.finalize()))),
            count => {
                sum.update(&chunk[..count]);
                size += count as u64;
            }
        }
    }
}
