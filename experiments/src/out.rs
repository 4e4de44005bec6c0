//! Lines on standard output.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::path::Path;

use resonetics_runs::error::{self, Error};

/// Prints a line: `say(format_args!("{steps} steps"))`.
///
/// A reader that has gone away (`| head`) is no error: the work goes on unheard.
///
/// # Errors
/// [`Error::Failed`] if standard output cannot be written, a full disk for one.
pub fn say(line: Arguments<'_>) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        said(&mut out, format_args!("{}", harmless(&line.to_string())))
    } else {
        said(&mut out, line)
    }
}

/// `text` without what would move a terminal's cursor or write its title: names and settings come from files of others.
/// Colours of our own stay.
fn harmless(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let sequence = rest.strip_prefix("\x1b[").and_then(|after| {
            let end = after.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
            after[end..].starts_with('m').then_some(3 + end)
        });
        let taken = sequence.unwrap_or(c.len_utf8());
        if sequence.is_some() || !c.is_control() || matches!(c, '\n' | '\t') {
            plain.push_str(&rest[..taken]);
        } else {
            plain.push('\u{fffd}');
        }
        rest = &rest[taken..];
    }
    plain
}

/// Prints a remark beside the result, on standard error: `note(format_args!("{file} is left out"))`.
pub fn note(line: Arguments<'_>) {
    complain(&format!("note: {line}"));
}

/// Prints `text` on standard error, broken at spaces where that is a terminal too narrow for it.
pub fn complain(text: &str) {
    let narrow = terminal_width().map(|width| broken(&harmless(text), width));
    // Who closed standard error wants none, and eprintln! would panic.
    let _ = writeln!(io::stderr().lock(), "{}", narrow.as_deref().unwrap_or(text));
}

/// The columns of the terminal that standard error is, if it is one.
pub fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&width| width > 0)
}

/// `text` with its lines broken at spaces, so that a line has at most `width` letters where its words do.
fn broken(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut here = String::new();
        for (number, word) in line.split(' ').enumerate() {
            if !here.trim().is_empty() && here.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut here));
            } else if number > 0 {
                here.push(' ');
            }
            here += word;
        }
        lines.push(here);
    }
    lines.join("\n")
}

fn said(to: &mut impl Write, line: Arguments<'_>) -> Result<(), Error> {
    match writeln!(to, "{line}").and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(error::io("write", Path::new("standard output"))),
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
    fn lines_break_at_spaces_alone() {
        let text = "error: unknown agent `x`; known are: a-very-long-name-of-one";
        assert_eq!(broken(text, 80), text);
        assert_eq!(broken(text, 16), "error: unknown\nagent `x`; known\nare:\na-very-long-name-of-one");
        assert_eq!(broken("a b\n\n  c", 80), "a b\n\n  c");
    }

    #[test]
    fn what_a_file_names_moves_no_terminal() {
        assert_eq!(harmless("a\tb\nö"), "a\tb\nö");
        assert_eq!(harmless("\x1b[1;31mred\x1b[0m"), "\x1b[1;31mred\x1b[0m");
        assert_eq!(
            harmless("\x1b]0;title\x07 \x1b[2J \x1b[1;2H \r"),
            "\u{fffd}]0;title\u{fffd} \u{fffd}[2J \u{fffd}[1;2H \u{fffd}"
        );
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
        assert!(!full.is_refusal());
        assert!(full.to_string().contains("standard output"), "{full}");
    }
}
