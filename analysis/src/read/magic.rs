//! What a file is that is no table, by its first bytes.

/// First bytes, what a file is that begins with them, and what to do.
const KNOWN: [(&[u8], &str, &str); 23] = [
    (b"\x1f\x8b", "packed by gzip", "unpack it first (gunzip)"),
    (b"\xfd7zXZ\0", "packed by xz", "unpack it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard", "unpack it first (unzstd)"),
    (b"BZh", "packed by bzip2", "unpack it first (bunzip2)"),
    (b"\x04\x22\x4d\x18", "packed by LZ4", "unpack it first (unlz4)"),
    (b"\x1f\x9d", "packed by compress", "unpack it first (uncompress)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (b"PAR1", "a Parquet file", "write it as CSV"),
    (b"ARROW1", "an Arrow file", "write it as CSV"),
    (b"FEA1", "a Feather file", "write it as CSV"),
    (b"ORC", "an ORC file", "write it as CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write it as CSV"),
    (b"\x93NUMPY", "a NumPy file", "write it as CSV"),
    (b"SQLite format 3\0", "a SQLite database", "write its table as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a workbook of an old Excel", "save its sheet as CSV (UTF-8)"),
    (b"%PDF", "a PDF file", "give the CSV file that it was made of"),
    (b"\x89PNG", "a PNG picture", "give the CSV file that it was made of"),
    (b"\x7fELF", "a program", "give a CSV file"),
    (b"\xff\xfe\0\0", "text in UTF-32", "save it as UTF-8"),
    (b"\xff\xfe", "text in UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32", "save it as UTF-8"),
];

/// Bytes that are looked at.
const LOOKED_AT: usize = 1_024;

/// What a file is that begins with `start` and is no text that a table could be, and what to do; `None` for
/// text.
pub fn foreign(start: &[u8]) -> Option<String> {
    let start = &start[..start.len().min(LOOKED_AT)];
    let (what, advice) = zip(start)
        .or_else(|| {
            let known = KNOWN.iter().find(|(magic, ..)| start.starts_with(magic));
            // Three letters may also begin a header.
            let known = known.filter(|(magic, ..)| !magic.is_ascii() || magic.len() > 4 || !is_text(start));
            known.map(|(_, what, advice)| (*what, *advice))
        })
        .or_else(|| (!is_text(start)).then(|| zeros(start)))?;
    Some(format!("the file is {what}: {advice}"))
}

/// The kinds of ZIP archives.
fn zip(start: &[u8]) -> Option<(&'static str, &'static str)> {
    if !start.starts_with(b"PK\x03\x04") && !start.starts_with(b"PK\x05\x06") {
        return None;
    }
    let has = |part: &[u8]| start.windows(part.len()).any(|window| window == part);
    Some(if has(b"[Content_Types].xml") || has(b"xl/") || has(b"opendocument.spreadsheet") {
        ("a workbook (xlsx, ods)", "save its sheet as CSV (UTF-8)")
    } else {
        ("a ZIP archive", "unpack it first (unzip)")
    })
}

fn is_text(start: &[u8]) -> bool {
    !start.contains(&0)
}

/// What bytes are some of which are zero.
fn zeros(start: &[u8]) -> (&'static str, &'static str) {
    let zero = |first: usize| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zero(0), zero(1), start.len() / 2);
    // Latin letters in UTF-16: each second byte is zero.
    if start.len() >= 8 && 10 * even.max(odd) >= 9 * half && even.min(odd) == 0 {
        ("text in UTF-16", "save it as UTF-8")
    } else {
        ("no text: it holds zero bytes", "give a CSV file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text() {
        for text in
            ["", "BZh,b", "PAR1,x\n", "agent,seed\na,1\n", "\u{feff}agent,seed\n", "随机,策略\n", "ORC,a"]
        {
            assert_eq!(foreign(text.as_bytes()), None, "{text}");
        }
    }

    /// The beginnings of files that those programs wrote.
    #[test]
    fn what_is_none_is_named() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let utf16_be = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        for (start, said) in [
            (b"\x1f\x8b\x08\x08\0\0\0\0\0\x03a.csv\0".to_vec(), "packed by gzip: unpack it first (gunzip)"),
            (b"\xfd7zXZ\0\0\x04\xe6\xd6".to_vec(), "packed by xz"),
            (b"\x28\xb5\x2f\xfd\x24\x0a\x51\0\0".to_vec(), "packed by Zstandard"),
            (b"BZh91AY&SY\xb9\xe1\0\0".to_vec(), "packed by bzip2"),
            (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\x62\xee\x9d\x68\x5e\x01\0\0\x90\x04\0\0\x13\0\x08\x02[Content_Types].xml".to_vec(), "a workbook (xlsx, ods): save its sheet as CSV"),
            (b"PK\x03\x04\x0a\0\0\0\0\0\x35\x5d\x7d\x5b\0\0a.csv".to_vec(), "a ZIP archive"),
            (b"PAR1\x15\x04\x15\0".to_vec(), "a Parquet file"),
            ([&b"\xff\xfe"[..], &utf16("agent,seed\n")].concat(), "text in UTF-16: save it as UTF-8"),
            (utf16("agent,seed\n"), "text in UTF-16"),
            (utf16_be("agent,seed\n"), "text in UTF-16"),
            (b"\0\x01\x02\0\0\0\xff".to_vec(), "no text: it holds zero bytes"),
        ] {
            let found = foreign(&start).unwrap_or_default();
            assert!(found.starts_with(&format!("the file is {said}")), "{found}, expected {said}");
        }
    }
}
