//! Lines on standard output.

use crate::failure::{self, Failure};
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Prints a line: `say(format_args!("{steps} steps"))`.
///
/// A reader that has gone away (`| head`) is no error: the work goes on unheard.
///
/// # Errors
/// [`Failure::Failed`] if standard output cannot be written, a full disk for one.
pub fn say(line: Arguments<'_>) -> Result<(), Failure> {
    said(&mut io::stdout().lock(), line)
}

/// Prints a remark beside the result, on standard error: `note(format_args!("{file} is left out"))`.
pub fn note(line: Arguments<'_>) {
    // Who closed standard error wants none.
    let _ = writeln!(io::stderr().lock(), "note: {line}");
}

fn said(to: &mut impl Write, line: Arguments<'_>) -> Result<(), Failure> {
    match writeln!(to, "{line}").and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(failure::io("write", Path::new("standard output"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refusing(ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_ends_with_a_newline() {
        let mut to = Vec::new();
        said(&mut to, format_args!("{} {}", 1, 2)).unwrap();
        assert_eq!(to, b"1 2\n");
    }

    #[test]
    fn only_a_closed_pipe_is_forgiven() {
        said(&mut Refusing(ErrorKind::BrokenPipe), format_args!("x")).unwrap();
        let full = said(&mut Refusing(ErrorKind::StorageFull), format_args!("x")).unwrap_err();
        assert_eq!(full.exit_code(), 1);
        assert!(full.to_string().contains("standard output"), "{full}");
    }
}
