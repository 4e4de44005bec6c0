//! The end of a file that grows by lines, read from behind: what is far before it is not read.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{self, Error};
use crate::interrupt;

/// Bytes that are read at a time.
const BLOCK: u64 = 1 << 16;
/// The longest line that is looked at.
const LINE: usize = 8 << 20;

/// How many bytes of `file` there are up to and with the last whole line that is `wanted`, which is handed over without
/// its end; 0 where none is.
///
/// # Errors
/// [`Error::Refused`] for a line of more than 8 MiB, [`Error::Interrupted`], any I/O error, naming `path`.
pub fn end_of_last(file: &File, path: &Path, mut wanted: impl FnMut(&[u8]) -> bool) -> Result<u64, Error> {
    let mut start = file.metadata().map_err(error::io("read", path))?.len();
    // The bytes from `start` on, up to behind the line that is looked at next.
    let mut held: Vec<u8> = Vec::new();
    loop {
        while let Some(end) = held.iter().rposition(|&byte| byte == b'\n') {
            held.truncate(end + 1);
            let before = held[..end].iter().rposition(|&byte| byte == b'\n');
            let line = match before {
                Some(before) => before + 1,
                None if start == 0 => 0,
                None => break,
            };
            if wanted(&held[line..end]) {
                return Ok(start + end as u64 + 1);
            }
            held.truncate(line);
        }
        if start == 0 {
            return Ok(0);
        }
        if !held.contains(&b'\n') {
            // What has no end is no line.
            held.clear();
        } else if held.len() > LINE {
            let path = path.display();
            return Err(Error::Refused(format!(
                "{path} has a line of more than {LINE} bytes: it is no log of ours"
            )));
        }
        interrupt::check()?;
        let size = start.min(BLOCK);
        start -= size;
        let mut block = vec![0; size as usize];
        file.read_exact_at(&mut block, start).map_err(error::io("read", path))?;
        block.append(&mut held);
        held = block;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the same from the front, for lines of lengths around those of a block.
    #[test]
    fn the_last_line_is_found_wherever_blocks_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let lengths = [0, 1, 65_533, 65_534, 65_535, 65_536, 0, 131_072, 7, 200_000, 3];
        for cut in [0, 1, 2, 65_534, 100_000] {
            let mut text = Vec::new();
            for (number, length) in lengths.iter().enumerate() {
                let line = format!("{number}:{}\n", "x".repeat(*length));
                text.extend_from_slice(line.as_bytes());
            }
            text.truncate(text.len().saturating_sub(cut));
            std::fs::write(&path, &text).unwrap();
            let file = File::open(&path).unwrap();
            for most in 0..=lengths.len() {
                let number = |line: &[u8]| -> usize {
                    let digits = line.split(|&byte| byte == b':').next().unwrap();
                    std::str::from_utf8(digits).unwrap().parse().unwrap()
                };
                let mut expected = 0;
                let mut end = 0;
                for line in text.split_inclusive(|&byte| byte == b'\n') {
                    end += line.len() as u64;
                    if line.ends_with(b"\n") && number(line) < most {
                        expected = end;
                    }
                }
                let found = end_of_last(&file, &path, |line| number(line) < most).unwrap();
                assert_eq!(found, expected, "cut {cut}, lines below {most}");
            }
        }
        for text in ["", "\n", "half", "\n\n"] {
            std::fs::write(&path, text).unwrap();
            let file = File::open(&path).unwrap();
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            assert_eq!(end_of_last(&file, &path, |_| true).unwrap(), whole as u64, "{text:?}");
        }
    }
}
